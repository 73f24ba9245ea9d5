//! What a look counts: how much more there is of everything since the last.

use std::collections::HashMap;

use super::Key;
use crate::event::Kind;
use crate::record::{VerdictView, View};
use crate::spool::records::Raw;
use crate::verdict::Action;

/// The counters of a record, which grow while its process runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    pub count: u32,
    failed: u32,
    bytes_out: u64,
    bytes_in: u64,
}

impl Counters {
    pub fn of(raw: &Raw<'_>) -> Self {
        let tally = raw.tally.unwrap_or_default();
        Self { count: raw.count, failed: tally.failed, bytes_out: tally.bytes_out, bytes_in: tally.bytes_in }
    }

    /// What came to `before`. A file that was written over may count backwards: that is no growth.
    pub fn since(&self, before: &Self) -> Self {
        Self {
            count: self.count.saturating_sub(before.count),
            failed: self.failed.saturating_sub(before.failed),
            bytes_out: self.bytes_out.saturating_sub(before.bytes_out),
            bytes_in: self.bytes_in.saturating_sub(before.bytes_in),
        }
    }
}

/// How much of one kind a process did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    pub records: u64,
    /// With their repeats.
    pub events: u64,
}

/// How a verdict was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    WentOn,
    Stopped,
    /// An observed rule would have said it.
    Would,
}

/// What a rule said.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Said {
    pub action: Action,
    pub rule: Vec<u8>,
    pub effect: Effect,
}

/// How often a rule said something, and when it did last (nanoseconds since 1970).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spoken {
    pub events: u64,
    pub last_time: u64,
}

/// What went to and from a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Those that were let through, and of which it is not known that they failed.
    pub connections: u64,
    pub bytes_out: u64,
    pub bytes_in: u64,
}

/// The growth since the last look, by process.
#[derive(Debug, Default)]
pub struct Counts {
    /// By process and kind; true for what was there before the first look.
    pub kinds: HashMap<(Key, u16, bool), Amount>,
    pub verdicts: HashMap<(Key, Said), Spoken>,
    pub hosts: HashMap<(Key, String), Traffic>,
}

impl Counts {
    /// Counts what the record `view` of the process `key` grew by.
    pub(super) fn add(
        &mut self,
        key: Key,
        view: &View<'_>,
        grown: &Counters,
        is_new: bool,
        is_history: bool,
    ) {
        let amount = self.kinds.entry((key, view.kind, is_history)).or_default();
        amount.records += u64::from(is_new);
        amount.events += u64::from(grown.count);
        if let Some(verdict) = &view.verdict {
            self.add_verdict(key, verdict, view.last_time, grown.count);
        }
        self.add_traffic(key, view, grown);
    }

    fn add_verdict(&mut self, key: Key, verdict: &VerdictView<'_>, time: u64, events: u32) {
        let effect = if verdict.is_stopped { Effect::Stopped } else { Effect::WentOn };
        let enforced = (verdict.action, verdict.rule, effect);
        let shadow = verdict.shadow.map(|(action, rule)| (action, Some(rule), Effect::Would));
        for (action, rule, effect) in [Some(enforced), shadow].into_iter().flatten() {
            if action == Action::Allow {
                continue;
            }
            let rule = rule.map(|rule| rule.to_vec()).unwrap_or_default();
            let spoken = self.verdicts.entry((key, Said { action, rule, effect })).or_default();
            spoken.events += u64::from(events);
            spoken.last_time = spoken.last_time.max(time);
        }
    }

    fn add_traffic(&mut self, key: Key, view: &View<'_>, grown: &Counters) {
        let is_connection = view.kind == Kind::Connect as u16 || view.kind == Kind::Send as u16;
        if !is_connection && view.kind != Kind::Transfer as u16 {
            return;
        }
        let is_stopped = view.verdict.is_some_and(|verdict| verdict.is_stopped);
        if let Some(host) = host_of(view).filter(|_| !is_stopped) {
            let traffic = self.hosts.entry((key, host)).or_default();
            if is_connection {
                traffic.connections += u64::from(grown.count.saturating_sub(grown.failed));
            }
            traffic.bytes_out += grown.bytes_out;
            traffic.bytes_in += grown.bytes_in;
        }
    }
}

/// The name of the other end, or its address.
fn host_of(view: &View<'_>) -> Option<String> {
    match (&view.host, view.address) {
        (Some(host), _) => {
            let mut name = String::new();
            host.push_to(&mut name);
            Some(name)
        }
        (None, Some(address)) => Some(address.to_string()),
        (None, None) => None,
    }
}
