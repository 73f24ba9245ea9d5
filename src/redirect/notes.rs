//! What the audit hook leaves on the thread for the redirected call that carries the operation out, so that one
//! operation told by both is one record.
//!
//! A note is taken by the first call on this thread of its sort and with the same name; what no audit event told finds
//! none. Four are kept, and that of a request: an operation that never reached the system leaves its own behind.

use foldhash::fast::FixedState;
use gnomon_core::event::{Base, Event, FilePath, Kind, Target};
use gnomon_core::hosts;
use gnomon_core::pipeline::file_of_uri;
use std::borrow::Cow;
use std::cell::Cell;
use std::ffi::OsStr;
use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use crate::thread;

/// Notes that are kept; behind them stands where the next one goes.
const KEPT: usize = 4;
const NEXT: usize = 2 * KEPT;
/// Of the last request: names are looked up and files opened between it and what is sent.
const REQUEST: usize = KEPT + 1;

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
    if sort != Sort::Run {
        forget_start();
    }
    // A tunnel is asked for at once, and with a request in mind.
    let index = match sort {
        Sort::Request if !name.starts_with(b"CONNECT ") => REQUEST,
        _ => place_of(mark).or_else(|| place_of(0)).unwrap_or_else(next),
    };
    if let (Some(place), Some(value)) = (notes.get(2 * index), notes.get(2 * index + 1)) {
        value.set(key);
        place.set(mark);
    }
}

/// Where a note stands; of 0, where one may be left.
fn place_of(mark: u64) -> Option<usize> {
    let notes = &thread::block().notes;
    let mut places = (0..KEPT).chain((mark != 0).then_some(REQUEST));
    places.find(|index| notes.get(2 * index).is_some_and(|place| place.get() == mark))
}

/// The program has been started, or was not there: something else happens on this thread.
pub fn forget_start() {
    for place in thread::block().notes.iter().step_by(2).take(KEPT) {
        if place.get() >> 56 == Sort::Run as u64 {
            place.set(0);
        }
    }
}

/// The place of the next note to give way.
fn next() -> usize {
    let Some(next) = thread::block().notes.get(NEXT) else { return 0 };
    let index = next.get() as usize % KEPT;
    next.set(index as u64 + 1);
    index
}

/// Takes the note of this operation: the key of its record; `None` where no audit event told of it. That of a program's
/// start stays, as it is tried in one directory after another, up to [`forget_start`].
#[inline]
pub fn take(sort: Sort, name: &[u8]) -> Option<u64> {
    let notes = &thread::block().notes;
    if sort != Sort::Request && notes.iter().step_by(2).take(KEPT).all(|place| place.get() == 0) {
        return None;
    }
    let index = place_of(mark(sort, name))?;
    if sort == Sort::Run {
        return notes.get(2 * index + 1).map(Cell::get);
    }
    notes.get(2 * index)?.set(0);
    notes.get(2 * index + 1).map(|key| key.replace(0))
}

/// Notes the event that the audit hook has recorded under `key`.
pub fn leave_event(event: &Event<'_>, key: u64) {
    let Some(sort) = Sort::of(event.kind) else { return };
    if !super::is_on() {
        return;
    }
    match &event.target {
        Target::Path { path, .. } if event.kind == Kind::Database => {
            if let Some(file) = database_file(path) {
                leave(sort, &file, key);
            }
        }
        Target::Path { path, .. } | Target::Socket(path) => leave(sort, &path.given, key),
        Target::Endpoint { host, .. } if sort == Sort::Resolve => {
            leave(sort, hosts::normalised(host.as_deref().unwrap_or_default()).as_bytes(), key);
        }
        Target::Endpoint { address, port, .. } => {
            // What stands for "any" differs from family to family.
            let address = address.filter(|address| !address.is_unspecified());
            leave(sort, &endpoint(address, port.unwrap_or(0)), key);
        }
        Target::Url { method, url, .. } if sort == Sort::Request => leave(sort, &request(method, url), key),
        Target::Command { program, argv } => leave(sort, &command(program, argv), key),
        _ => {}
    }
}

/// The name under which SQLite opens a database: absolute, without links.
fn database_file(path: &FilePath<'_>) -> Option<Vec<u8>> {
    let given = match path.base {
        Base::Verbatim => file_of_uri(&path.given)?,
        _ => path.given.to_vec(),
    };
    let given = Path::new(OsStr::from_bytes(&given));
    let found = given.canonicalize().ok().or_else(|| {
        let directory = given.parent().filter(|parent| !parent.as_os_str().is_empty());
        Some(directory.unwrap_or(Path::new(".")).canonicalize().ok()?.join(given.file_name()?))
    });
    // Where there is no such directory, the attempt fails.
    found.or_else(|| std::path::absolute(given).ok()).map(|path| path.into_os_string().into_vec())
}

/// What tells a request from others, whether its target is a whole URL, as for a proxy, or what comes after the host.
pub fn request(method: &str, target: &str) -> Vec<u8> {
    let target = target.split('#').next().unwrap_or_default();
    let (host, after_host) = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => {
            rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()))
        }
        _ if method == "CONNECT" => (target, ""),
        _ => ("", target),
    };
    if method == "CONNECT" {
        return [method, " ", host.strip_suffix(":443").unwrap_or(host)].concat().into_bytes();
    }
    let slash = if after_host.starts_with('/') { "" } else { "/" };
    [method, " ", slash, after_host].concat().into_bytes()
}

/// What a connection is known by. An audit event may name a host where the call names its address: then they agree in
/// the port alone.
pub fn endpoint(address: Option<IpAddr>, port: u16) -> [u8; 18] {
    let mut name = [0; 18];
    let octets = match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V4(address)) => address.to_ipv6_mapped().octets(),
        Some(IpAddr::V6(address)) => address.octets(),
        None => [0; 16],
    };
    let (start, end) = name.split_at_mut(2);
    start.copy_from_slice(&port.to_le_bytes());
    end.copy_from_slice(&octets);
    name
}

/// What the start of a program is known by. In which directory it is, only the call says.
pub fn command(program: &[u8], argv: &[Cow<'_, [u8]>]) -> Vec<u8> {
    [&argv.join(&0), gnomon_core::paths::split(program).1].join(&0)
}

/// Forgets all notes: what was told was stopped.
pub fn forget() {
    let notes = &thread::block().notes;
    for place in (0..KEPT).chain([REQUEST]).filter_map(|index| notes.get(2 * index)) {
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
    fn a_note_gives_way_only_where_no_place_is_free() {
        forget();
        super::super::turn_on();
        leave(Sort::Request, b"GET /", 1);
        for number in 0..20_u64 {
            leave(Sort::Open, &number.to_le_bytes(), number);
            assert_eq!(take(Sort::Open, &number.to_le_bytes()), Some(number));
        }
        assert_eq!(take(Sort::Request, b"GET /"), Some(1));
    }

    #[test]
    fn a_request_stays_noted_whatever_is_opened_before_it_is_sent() {
        forget();
        super::super::turn_on();
        leave(Sort::Request, b"GET /", 1);
        leave(Sort::Request, b"CONNECT host", 0);
        assert_eq!(take(Sort::Request, b"CONNECT host"), Some(0));
        for number in 0..20_u64 {
            leave(Sort::Open, &number.to_le_bytes(), number);
        }
        assert_eq!((take(Sort::Request, b"GET /"), take(Sort::Request, b"GET /")), (Some(1), None));
        forget();
    }

    #[test]
    fn a_start_is_tried_more_than_once_until_something_else_happens() {
        forget();
        super::super::turn_on();
        leave(Sort::Run, b"true", 1);
        assert_eq!((take(Sort::Run, b"true"), take(Sort::Run, b"true")), (Some(1), Some(1)));
        leave(Sort::Open, b"/data", 2);
        assert_eq!(take(Sort::Run, b"true"), None);
        forget();
    }

    #[test]
    fn a_request_has_one_name_with_a_proxy_and_without() {
        for (method, target, expected) in [
            ("GET", "/a?b", "GET /a?b"),
            ("GET", "http://host:80/a?b", "GET /a?b"),
            ("GET", "http://host", "GET /"),
            ("GET", "http://host?b", "GET /?b"),
            ("GET", "/a?next=http://host/b", "GET /a?next=http://host/b"),
            ("OPTIONS", "*", "OPTIONS /*"),
            ("GET", "http://user:word@host/a#b", "GET /a"),
            ("CONNECT", "host:443", "CONNECT host"),
            ("CONNECT", "https://host", "CONNECT host"),
            ("CONNECT", "https://host:8443", "CONNECT host:8443"),
        ] {
            assert_eq!(request(method, target), expected.as_bytes());
        }
    }
}
