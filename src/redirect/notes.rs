//! What the audit hook leaves on the thread for the redirected call that carries the operation out, so that one
//! operation told by both is one record.
//!
//! A note is taken by the first call on this thread of its sort and with the same name; what no audit event told finds
//! none. Four are kept: an operation that never reached the system leaves its own behind. A request has a place apart,
//! as names are looked up and files opened between it and what is sent.

use foldhash::fast::FixedState;
use gnomon_core::event::{Event, Kind, Target};
use std::cell::Cell;
use std::hash::BuildHasher as _;

use crate::thread;

/// Notes that are kept; behind them stands where the next one goes.
const KEPT: usize = 4;
const NEXT: usize = 2 * KEPT;
/// The last request, and the last one for a tunnel to its server.
const REQUEST: usize = NEXT + 1;
const TUNNEL: usize = NEXT + 2;

/// Sorts of calls: audit events and functions of the C library meet here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Sort {
    Open = 1,
    Delete,
    Rename,
    Mkdir,
    Link,
    Symlink,
    Chmod,
    Truncate,
    Chown,
    Utime,
    Xattr,
    List,
    Resolve,
    Connect,
    Bind,
    Send,
    Run,
    Request,
}

impl Sort {
    /// Of what calls an event of `kind` tells.
    #[must_use]
    pub fn of(kind: Kind) -> Option<Self> {
        Some(match kind {
            Kind::Open | Kind::Database => Self::Open,
            Kind::Delete => Self::Delete,
            Kind::Rename => Self::Rename,
            Kind::Mkdir => Self::Mkdir,
            Kind::Link => Self::Link,
            Kind::Symlink => Self::Symlink,
            Kind::Chmod => Self::Chmod,
            Kind::Truncate => Self::Truncate,
            Kind::Chown => Self::Chown,
            Kind::Utime => Self::Utime,
            Kind::Xattr => Self::Xattr,
            Kind::List => Self::List,
            Kind::Resolve => Self::Resolve,
            Kind::Connect => Self::Connect,
            Kind::Bind => Self::Bind,
            Kind::Send => Self::Send,
            Kind::Spawn | Kind::Exec => Self::Run,
            Kind::Http => Self::Request,
            _ => return None,
        })
    }
}

/// What tells the operation of a note from others, as both sources can know it.
fn mark(sort: Sort, name: &[u8]) -> u64 {
    let hash = FixedState::with_seed(0x676e_6f6d).hash_one(name);
    (hash >> 8 | (sort as u64) << 56).max(1)
}

/// Notes that an audit event told of an operation, and the key of its record; 0 where none is to be kept.
pub fn leave(sort: Sort, name: &[u8], key: u64) {
    if !super::is_on() {
        return;
    }
    let (notes, mark) = (&thread::block().notes, mark(sort, name));
    let known = (0..KEPT).find(|index| notes.get(2 * index).is_some_and(|place| place.get() == mark));
    let index = known.unwrap_or_else(next);
    if let (Some(place), Some(value)) = (notes.get(2 * index), notes.get(2 * index + 1)) {
        value.set(key);
        place.set(mark);
    }
}

/// The place of the oldest note.
fn next() -> usize {
    let Some(next) = thread::block().notes.get(NEXT) else { return 0 };
    let index = next.get() as usize % KEPT;
    next.set(index as u64 + 1);
    index
}

/// Takes the note of this operation: the key of its record; `None` where no audit event told of it. That of a program's
/// start stays: it is tried in one directory after another.
#[inline]
pub fn take(sort: Sort, name: &[u8]) -> Option<u64> {
    let notes = &thread::block().notes;
    if notes.iter().step_by(2).take(KEPT).all(|place| place.get() == 0) {
        return None;
    }
    let mark = mark(sort, name);
    let index = (0..KEPT).find(|index| notes.get(2 * index).is_some_and(|place| place.get() == mark))?;
    if sort == Sort::Run {
        return notes.get(2 * index + 1).map(Cell::get);
    }
    notes.get(2 * index)?.set(0);
    notes.get(2 * index + 1).map(|key| key.replace(0))
}

/// Notes the event that the audit hook has recorded under `key`.
pub fn leave_event(event: &Event<'_>, key: u64) {
    let Some(sort) = Sort::of(event.kind) else { return };
    match &event.target {
        Target::Path { path, .. } | Target::Socket(path) => leave(sort, &path.given, key),
        Target::Endpoint { host, port, .. } if sort == Sort::Resolve => {
            let _ = port;
            leave(sort, host.as_deref().unwrap_or_default().as_bytes(), key);
        }
        // An audit event may name a host where the call names its address: they agree in the port.
        Target::Endpoint { port, .. } => leave(sort, &port.unwrap_or(0).to_le_bytes(), key),
        Target::Url { method, url, .. } if sort == Sort::Request => leave_request(method, url),
        Target::Command { argv, .. } => leave(sort, &argv.join(&0), key),
        _ => {}
    }
}

/// Where a request is noted, and what tells it from others: both sources know its method and its path.
fn request_mark(method: &str, url: &str) -> Option<(&'static Cell<u64>, u64)> {
    let path = url.splitn(4, '/').nth(3).unwrap_or_default();
    let index = if method == "CONNECT" { TUNNEL } else { REQUEST };
    let name = [method.as_bytes(), b" /", path.as_bytes()].concat();
    Some((thread::block().notes.get(index)?, mark(Sort::Request, &name)))
}

/// Notes that an audit event told of a request.
pub fn leave_request(method: &str, url: &str) {
    if super::is_on()
        && let Some((place, mark)) = request_mark(method, url)
    {
        place.set(mark);
    }
}

/// Takes the note of this request. Returns whether an audit event told of it.
pub fn take_request(event: &Event<'_>) -> bool {
    let Target::Url { method, url, .. } = &event.target else { return false };
    request_mark(method, url).is_some_and(|(place, mark)| {
        let is_told = place.get() == mark;
        if is_told {
            place.set(0);
        }
        is_told
    })
}

/// Forgets all notes: what was told was stopped.
pub fn forget() {
    let notes = &thread::block().notes;
    let requests = [REQUEST, TUNNEL].into_iter().filter_map(|index| notes.get(index));
    for place in notes.iter().step_by(2).take(KEPT).chain(requests) {
        place.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_taken_once_by_the_call_that_it_is_about() {
        forget();
        super::super::turn_on();
        leave(Sort::Open, b"/data", 7);
        assert_eq!(take(Sort::Delete, b"/data"), None);
        assert_eq!(take(Sort::Open, b"/other"), None);
        assert_eq!(take(Sort::Open, b"/data"), Some(7));
        assert_eq!(take(Sort::Open, b"/data"), None);
        for number in 0..6_u64 {
            leave(Sort::Open, &number.to_le_bytes(), number);
        }
        assert_eq!(take(Sort::Open, &0_u64.to_le_bytes()), None);
        assert_eq!(take(Sort::Open, &5_u64.to_le_bytes()), Some(5));
        forget();
    }

    #[test]
    fn a_request_stays_noted_whatever_is_opened_before_it_is_sent() {
        let request =
            |method: &'static str, url: &str| crate::decode::url_event(Kind::Http, url, method.into(), None);
        super::super::turn_on();
        leave_request("GET", "https://name.example/a?b");
        leave_request("CONNECT", "https://name.example:8443");
        for number in 0..6_u64 {
            leave(Sort::Open, &number.to_le_bytes(), number);
        }
        assert!(!take_request(&request("GET", "https://name.example/b")));
        assert!(take_request(&request("CONNECT", "https://name.example:8443")));
        assert!(take_request(&request("GET", "https://name.example/a?b")));
        assert!(!take_request(&request("GET", "https://name.example/a?b")));
        forget();
    }
}
