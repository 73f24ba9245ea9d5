//! Which records are worth showing: the newest of all, of each kind, of those that policy spoke of, and of those that
//! a person asked for. Whatever else comes is only counted.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use super::Key;
use crate::record::View;
use crate::spool::records::Raw;
use crate::text::Pieces;
use crate::verdict::Action;

/// How many are kept of each.
const OF_ALL: usize = 300;
const OF_A_KIND: usize = 60;
const OF_VERDICTS: usize = 300;
const OF_WANTED: usize = 300;

/// What a person asks for; empty lists and `None` ask for everything.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Stored numbers.
    pub kinds: Vec<u16>,
    /// What policy said, or would have said.
    pub verdicts: Vec<Action>,
    /// In lower case; part of anything that the record or its process has for a name.
    pub text: String,
    pub process: Option<Key>,
}

impl Wanted {
    fn is_anything(&self) -> bool {
        self.kinds.is_empty() && self.verdicts.is_empty() && self.text.is_empty() && self.process.is_none()
    }

    fn matches(&self, view: &View<'_>, key: Key, is_named: bool) -> bool {
        self.process.is_none_or(|process| process == key)
            && (self.kinds.is_empty() || self.kinds.contains(&view.kind))
            && (self.verdicts.is_empty()
                || view.verdict.is_some_and(|verdict| {
                    verdict.spoken().any(|(action, _)| self.verdicts.contains(&action))
                }))
            && (is_named || self.has_text(view))
    }

    fn has_text(&self, view: &View<'_>) -> bool {
        let mut text = String::new();
        let _ = view.push_target_to(&mut text);
        let rule = view.verdict.and_then(|verdict| verdict.rule);
        let shadow_rule = view.verdict.and_then(|verdict| verdict.shadow).map(|(_, rule)| rule);
        let others = [view.destination, view.requested, view.host, view.detail, rule, shadow_rule];
        for piece in others.iter().flatten().chain(view.argv.iter().flatten()) {
            text.push('\n');
            piece.push_to(&mut text);
        }
        text.to_lowercase().contains(&self.text)
    }

    /// Whether the process itself has the text in a name.
    pub(super) fn names<'a>(&self, names: impl Iterator<Item = &'a [u8]>) -> bool {
        self.text.is_empty()
            || names.into_iter().any(|name| {
                let mut text = String::new();
                Pieces(name, &[]).push_to(&mut text);
                text.to_lowercase().contains(&self.text)
            })
    }
}

/// The times of the newest that were shown of some sort: what is older is not worth showing.
#[derive(Debug)]
struct Ring {
    capacity: usize,
    times: BinaryHeap<Reverse<u64>>,
}

impl Ring {
    fn new(capacity: usize) -> Self {
        Self { capacity, times: BinaryHeap::new() }
    }

    fn admits(&mut self, time: u64, is_new: bool) -> bool {
        if !is_new {
            return true; // shown before perhaps: its count is another now
        }
        if self.times.len() < self.capacity {
            self.times.push(Reverse(time));
            return true;
        }
        let Some(mut oldest) = self.times.peek_mut() else { return false };
        let is_newer = time > oldest.0;
        if is_newer {
            *oldest = Reverse(time);
        }
        is_newer
    }
}

#[derive(Debug)]
pub(super) struct Newest {
    all: Ring,
    spoken: Ring,
    wanted: Ring,
    kinds: HashMap<u16, Ring>,
    pub asked: Wanted,
}

impl Newest {
    pub fn new() -> Self {
        Self {
            all: Ring::new(OF_ALL),
            spoken: Ring::new(OF_VERDICTS),
            wanted: Ring::new(OF_WANTED),
            kinds: HashMap::new(),
            asked: Wanted::default(),
        }
    }

    pub fn ask(&mut self, asked: Wanted) {
        self.asked = asked;
        self.wanted = Ring::new(OF_WANTED);
    }

    /// Puts `raw` where it belongs among `chosen`.
    pub fn offer<'a>(
        &mut self,
        chosen: &mut Chosen<'a>,
        raw: &Raw<'a>,
        view: &View<'_>,
        key: Key,
        is_named: bool,
        is_new: bool,
    ) {
        let time = view.last_time;
        if self.all.admits(time, is_new) {
            chosen.all.push(*raw);
        }
        let of_kind = self.kinds.entry(view.kind).or_insert_with(|| Ring::new(OF_A_KIND));
        if of_kind.admits(time, is_new) {
            chosen.kinds.entry(view.kind).or_default().push(*raw);
        }
        let has_spoken =
            view.verdict.is_some_and(|verdict| verdict.spoken().any(|(action, _)| action != Action::Allow));
        if has_spoken && self.spoken.admits(time, is_new) {
            chosen.spoken.push(*raw);
        }
        if !self.asked.is_anything()
            && self.asked.matches(view, key, is_named)
            && self.wanted.admits(time, is_new)
        {
            chosen.wanted.push(*raw);
        }
    }
}

/// The records of one segment that may be shown.
#[derive(Default)]
pub(super) struct Chosen<'a> {
    all: Vec<Raw<'a>>,
    spoken: Vec<Raw<'a>>,
    wanted: Vec<Raw<'a>>,
    kinds: HashMap<u16, Vec<Raw<'a>>>,
}

impl<'a> Chosen<'a> {
    /// Each of them once.
    pub fn into_records(self) -> impl Iterator<Item = Raw<'a>> {
        let mut found = BTreeMap::new();
        let lists = [(self.all, OF_ALL), (self.spoken, OF_VERDICTS), (self.wanted, OF_WANTED)];
        let lists = lists.into_iter().chain(self.kinds.into_values().map(|list| (list, OF_A_KIND)));
        for (mut list, limit) in lists {
            if list.len() > limit {
                list.select_nth_unstable_by_key(limit, |raw| Reverse(raw.last_time));
                list.truncate(limit);
            }
            found.extend(list.into_iter().map(|raw| (raw.offset, raw)));
        }
        found.into_values()
    }
}
