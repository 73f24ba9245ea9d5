//! Other copies of gnomon in this process (the machine's and one that pip installed, or two versions): the first one
//! records, the others find it by its answer to their canary, and stand back.
//!
//! What is asked travels in a capsule, which no Python code can make. The structure is the same in all versions:
//! fields are only ever added at its end.
#![expect(unsafe_code, reason = "a structure that two libraries share")]

use std::cell::Cell;
use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use gnomon_core::event::{Event, Kind, Target};
use uuid::Uuid;

use crate::capi::{self, Object};
use crate::{environment, hook, session};

const CAPSULE: &CStr = c"gnomon.presence";

/// What is asked of the copy that records.
#[derive(Clone, Copy)]
#[repr(u32)]
enum Request {
    /// Whether it is there.
    Presence = 0,
    /// To begin a new part of the records.
    Part = 1,
}

#[repr(C)]
struct Message {
    /// Bytes of the asker's structure.
    size: u32,
    request: u32,
    /// An address in the asker's library.
    asker: usize,
    asker_path: [u8; 1024],
    asker_version: [u8; 32],
    /// 1 where another copy answered.
    is_answered: u32,
    path: [u8; 1024],
    spool: [u8; 1024],
    process: [u8; 16],
    time: u64,
}

/// The copy of gnomon that records this process, where it is another than this.
#[derive(Clone, Debug)]
pub struct Other {
    pub spool: PathBuf,
    pub process: Uuid,
    /// Nanoseconds since 1970 when a new part began, where that was asked for.
    time: u64,
}

/// Raises the canary; a copy of gnomon that records this process answers.
pub fn ask() -> Option<Other> {
    send(Request::Presence)
}

/// Has the other copy begin a new part of its records. Returns its time in nanoseconds since 1970.
pub fn begin_part() -> Option<u64> {
    send(Request::Part).map(|other| other.time)
}

fn send(request: Request) -> Option<Other> {
    let message = Cell::new(Message {
        size: size_of::<Message>() as u32,
        request: request as u32,
        asker: identity(),
        asker_path: text(own_path().as_os_str().as_bytes()),
        asker_version: text(env!("CARGO_PKG_VERSION").as_bytes()),
        is_answered: 0,
        path: [0; 1024],
        spool: [0; 1024],
        process: [0; 16],
        time: 0,
    });
    capi::raise_event_with_capsule(hook::CANARY, CAPSULE, message.as_ptr().cast());
    let message = message.into_inner();
    (message.is_answered == 1).then(|| Other {
        spool: path(&message.spool),
        process: Uuid::from_bytes(message.process),
        time: message.time,
    })
}

/// What the hook does with a canary: our own is noted, that of another copy answered where this one records.
pub fn received(arguments: Option<Object<'_>>) {
    let Some(message) = arguments.and_then(|all| all.item(0)).and_then(|one| one.capsule(CAPSULE)) else {
        return;
    };
    let message = message.cast::<Message>();
    // SAFETY: a capsule of this name holds a live structure of the asker, which waits for this call to return and made
    // it at least as long as the first version's, which this is.
    unsafe {
        if (*message).asker == identity() {
            session::canary_seen();
        } else if let Some(recorder) = session::armed() {
            (*message).is_answered = 1;
            (*message).path = text(own_path().as_os_str().as_bytes());
            (*message).spool = text(recorder.spool().as_os_str().as_bytes());
            (*message).process = *recorder.process().as_bytes();
            match (*message).request {
                1 => (*message).time = recorder.begin_part(),
                _ => stands_back(&(*message).asker_path, &(*message).asker_version),
            }
        }
    }
}

/// Notes that another copy found this one.
fn stands_back(path: &[u8], version: &[u8]) {
    let (name, detail) = (until_nul(path).into(), until_nul(version).into());
    hook::tell(&Event::new(Kind::Standby, Target::Named { name, detail }));
}

fn identity() -> usize {
    static HERE: u8 = 0;
    (&raw const HERE).addr()
}

fn own_path() -> PathBuf {
    environment::library().unwrap_or_default()
}

/// `bytes` with NULs behind, cut where they are too long.
fn text<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut text = [0; N];
    for (place, byte) in text.iter_mut().take(N - 1).zip(bytes) {
        *place = *byte;
    }
    text
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(until_nul(bytes)))
}
