//! What each run had to do with each other end.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use arrow_array::StringArray;

use super::Batches;
use super::files::is_absolute;
use super::rows::{Columns, contacts_schema};
use super::texts::Texts;
use crate::event::Kind;
use crate::record::View;

/// What is summed up: its place among the sums.
#[derive(Clone, Copy, Debug)]
enum Sum {
    Connects,
    Resolves,
    Requests,
    Datagrams,
    Failed,
    Denied,
    BytesOut,
    BytesIn,
}

const SUMS: usize = 8;

/// What is listed: its place among the lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum List {
    Addresses,
    Methods,
    Urls,
    Schemes,
    Distributions,
}

const LISTS: usize = 5;

/// Where the user's code made the first of the records that say so.
#[derive(Clone, Copy, Debug)]
struct Cause {
    time: u64,
    file: u32,
    line: Option<u32>,
    function: Option<u32>,
}

/// What one run had to do with one other end.
#[derive(Debug, Default)]
struct Contact {
    process: u32,
    host: Option<u32>,
    port: Option<u16>,
    sums: [Option<i64>; SUMS],
    lists: [Vec<u32>; LISTS],
    first: u64,
    last: u64,
    seq: u64,
    connected: Option<(u64, u64)>,
    cause: Option<Cause>,
}

impl Contact {
    fn add(&mut self, sum: Sum, value: i64) {
        if let Some(known) = self.sums.get_mut(sum as usize) {
            *known = Some(known.unwrap_or(0).saturating_add(value));
        }
    }
}

/// Contacts by process, host and port.
#[derive(Debug, Default)]
pub struct Contacts {
    texts: Texts,
    addresses: HashMap<IpAddr, u32>,
    /// Those of the run that is folded.
    known: HashMap<(Option<u32>, Option<u16>), usize, foldhash::fast::FixedState>,
    listed: HashSet<(usize, List, u32), foldhash::fast::FixedState>,
    all: Vec<Contact>,
}

impl Contacts {
    /// What comes from here on is of another process.
    pub fn begin_process(&mut self) {
        self.known.clear();
        self.listed.clear();
    }

    /// What comes from here on stands in another segment.
    pub fn begin_segment(&mut self) {
        self.texts.begin_segment();
    }

    /// Counts a record of `process`.
    pub fn add(&mut self, kind: Kind, view: &View<'_>, process: u32) {
        let address = view.address.map(|address| self.address(address));
        let host = view.host.map(|host| self.texts.shared(host)).or(address).or_else(|| self.target(view));
        let index = *self.known.entry((host, view.port)).or_insert(self.all.len());
        if index == self.all.len() {
            let (first, seq) = (u64::MAX, view.seq);
            self.all.push(Contact { process, host, port: view.port, first, seq, ..Contact::default() });
        }
        self.list(index, List::Addresses, address);
        if matches!(kind, Kind::Http | Kind::Request) {
            let method = view.detail.map(|detail| self.texts.of(detail));
            self.list(index, List::Methods, method);
            let url = self.target(view);
            let cut = |texts: &mut Texts, end: fn(&str) -> &str| {
                let text = url.map(|url| end(texts.get(url)).to_owned())?;
                Some(texts.number(&text))
            };
            let plain = cut(&mut self.texts, |url| before(before(url, '#'), '?'));
            self.list(index, List::Urls, plain);
            let scheme = cut(&mut self.texts, |url| before(url, ':'));
            self.list(index, List::Schemes, scheme);
        }
        let distribution = view.origin.distribution.map(|name| self.texts.shared(name));
        self.list(index, List::Distributions, distribution);
        let cause = view.origin.file.map(|file| Cause {
            time: view.time,
            file: self.texts.shared(file),
            line: view.origin.line,
            function: view.origin.function.map(|function| self.texts.shared(function)),
        });
        if let Some(contact) = self.all.get_mut(index) {
            count(contact, kind, view);
            let is_first = |cause: &Cause| contact.cause.is_none_or(|known| cause.time < known.time);
            contact.cause = cause.filter(is_first).or(contact.cause);
        }
    }

    fn address(&mut self, address: IpAddr) -> u32 {
        let texts = &mut self.texts;
        *self.addresses.entry(address).or_insert_with(|| texts.number(&address.to_string()))
    }

    fn target(&mut self, view: &View<'_>) -> Option<u32> {
        if let Some(target) = view.target {
            return Some(self.texts.of(target));
        }
        let mut target = String::new();
        view.push_target_to(&mut target).then(|| self.texts.number(&target))
    }

    fn list(&mut self, index: usize, list: List, text: Option<u32>) {
        let Some(text) = text else { return };
        if self.listed.insert((index, list, text))
            && let Some(contact) = self.all.get_mut(index)
            && let Some(texts) = contact.lists.get_mut(list as usize)
        {
            texts.push(text);
        }
    }

    pub fn rows(&self, processes: &Arc<StringArray>) -> Batches {
        let rows = || self.all.iter();
        let text = |number: Option<u32>| number.map(|number| self.texts.get(number));
        let list = |contact: &Contact, list: List| {
            let numbers = contact.lists.get(list as usize).map(Vec::as_slice).unwrap_or_default();
            let mut texts: Vec<&str> = numbers.iter().map(|number| self.texts.get(*number)).collect();
            texts.sort_unstable();
            texts
        };
        let mut columns = Columns::default()
            .keys(rows().map(|found| found.process), processes)?
            .texts(rows().map(|found| text(found.host)))
            .small(rows().map(|found| found.port.map(i32::from)))
            .lists(rows().map(|found| list(found, List::Addresses)));
        for sum in 0..SUMS {
            columns = columns.counts(rows().map(|found| found.sums.get(sum).copied().flatten()));
        }
        for one in [List::Methods, List::Urls, List::Schemes, List::Distributions] {
            columns = columns.lists(rows().map(|found| list(found, one)));
        }
        let columns = columns
            .times(rows().map(|found| Some(found.first)))
            .times(rows().map(|found| Some(found.last)))
            .times(rows().map(|found| found.connected.map(|(first, _)| first)))
            .times(rows().map(|found| found.connected.map(|(_, last)| last)))
            .keys(rows().map(|found| found.process), processes)?
            .sequence(rows().map(|found| found.seq))
            .texts(rows().map(|found| text(found.cause.map(|cause| cause.file))))
            .counts(rows().map(|found| found.cause.and_then(|cause| cause.line).map(i64::from)))
            .texts(rows().map(|found| text(found.cause.and_then(|cause| cause.function))));
        Ok(vec![columns.finish(contacts_schema())?])
    }
}

/// Adds a record's figures and times.
fn count(contact: &mut Contact, kind: Kind, view: &View<'_>) {
    let is_denied = view.verdict.is_some_and(|verdict| verdict.is_stopped);
    let failed = view.told().map(|_| i64::from(view.tally.unwrap_or_default().failed));
    let count = i64::from(view.count);
    let done = count - failed.unwrap_or(0);
    match kind {
        _ if is_denied => contact.add(Sum::Denied, count),
        Kind::Connect => contact.add(Sum::Connects, done),
        Kind::Resolve => contact.add(Sum::Resolves, done),
        Kind::Http | Kind::Request => contact.add(Sum::Requests, count),
        Kind::Send => contact.add(Sum::Datagrams, count),
        _ => {}
    }
    if let Some(failed) = failed.filter(|_| matches!(kind, Kind::Connect | Kind::Resolve)) {
        contact.add(Sum::Failed, failed);
    }
    let tally = view.tally.unwrap_or_default();
    for (sum, bytes) in [(Sum::BytesOut, tally.bytes_out), (Sum::BytesIn, tally.bytes_in)] {
        if bytes != 0 {
            contact.add(sum, bytes.cast_signed());
        }
    }
    if view.time < contact.first {
        (contact.first, contact.seq) = (view.time, view.seq);
    }
    contact.last = contact.last.max(view.last_time);
    if matches!(kind, Kind::Connect | Kind::Http | Kind::Request | Kind::Send) && !is_denied {
        let (first, last) = contact.connected.unwrap_or((u64::MAX, 0));
        contact.connected = Some((first.min(view.time), last.max(view.last_time)));
    }
}

/// What stands before `mark`, or all of it.
fn before(text: &str, mark: char) -> &str {
    text.split(mark).next().unwrap_or(text)
}

/// Whether records of `kind` are about another end.
pub fn is_about_a_contact(kind: Kind, view: &View<'_>) -> bool {
    match kind {
        // Of a connection whose record is in an earlier segment.
        Kind::Transfer => {
            view.target.is_some_and(|_| !is_absolute(view)) || (view.target.is_none() && names(view))
        }
        kind => {
            matches!(kind, Kind::Connect | Kind::Resolve | Kind::Http | Kind::Request | Kind::Send)
        }
    }
}

/// Whether a record without a target names an other end.
fn names(view: &View<'_>) -> bool {
    view.push_target_to(&mut String::new())
}
