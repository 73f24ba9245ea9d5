//! One redirected call: whether an audit event told of it, whether it may go on, and what became of it.
//!
//! Runs on any thread, with the GIL or without, in signal handlers and in a vfork's child: no Python, no lock that waits,
//! nothing from the program's heap; `errno` is what the program left there.
#![expect(unsafe_code, reason = "errno, and texts of C")]

use std::ffi::{CStr, c_char, c_int};
use std::net::IpAddr;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use gnomon_core::event::{Event, Kind};
use gnomon_core::origin::Origin;
use gnomon_core::pipeline::{Recorder, Settled};
use gnomon_core::policy::field::Field;
use gnomon_core::policy::judge::{Answer, Outcome, Source, Witness};
use gnomon_core::spool::format::Loss;
use gnomon_core::spool::segment::Change;

use super::modules;
use super::notes::{self, Sort};
use crate::decode::tamper;
use crate::{fork, frames, integrity, notice, session, thread};

/// What is done with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Step {
    /// Whether a policy stops it.
    pub is_stopped: bool,
    /// An audit event told of it.
    is_told: bool,
    /// Of its record; 0 where it has none.
    key: u64,
}

impl Step {
    /// Nothing is recorded of it.
    pub const PASS: Self = Self { is_stopped: false, is_told: false, key: 0 };

    /// Whether an audit event told of it.
    pub fn is_told(self) -> bool {
        self.is_told
    }

    /// The key of its record; 0 where it has none.
    pub fn key(self) -> u64 {
        self.key
    }
}

/// The value of errno, which is put back when this is dropped.
struct Errno(c_int);

impl Errno {
    fn kept() -> Self {
        // SAFETY: errno of this thread.
        Self(unsafe { *libc::__errno_location() })
    }
}

impl Drop for Errno {
    fn drop(&mut self) {
        set_errno(self.0);
    }
}

/// Makes `errno` what the program finds.
pub fn set_errno(number: c_int) {
    // SAFETY: errno of this thread.
    unsafe { *libc::__errno_location() = number };
}

/// The error of the call that just failed.
pub fn errno() -> c_int {
    // SAFETY: errno of this thread.
    unsafe { *libc::__errno_location() }
}

/// The bytes of a text of C; `None` for a null pointer.
///
/// # Safety
/// Null, or a text that ends with NUL and outlives what is made of it.
pub unsafe fn text<'a>(pointer: *const c_char) -> Option<&'a [u8]> {
    // SAFETY: as the caller promises.
    (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) }.to_bytes())
}

/// What is to be done with a call of the sort `sort` from `caller`, which names `name` as its audit event would.
/// `event` makes what it is, where no audit event told; `None` is nothing of interest.
#[inline]
pub fn begin<'a>(caller: usize, sort: Sort, name: &[u8], event: impl FnOnce() -> Option<Event<'a>>) -> Step {
    take_note(sort, name).unwrap_or_else(|| begin_untold(caller, sort, event))
}

/// The step for a call of which an audit event told; `None` for any other.
#[inline]
pub fn take_note(sort: Sort, name: &[u8]) -> Option<Step> {
    if !super::is_on() || thread::block().is_inside.get() {
        return Some(Step::PASS);
    }
    notes::take(sort, name).map(|key| Step { is_stopped: false, is_told: true, key })
}

/// Asks the policies about what an audit event told less of than `event` does. Its own record is made only where a rule
/// speaks.
pub fn decide_again(caller: usize, told: Step, event: &Event<'_>) -> Step {
    let _errno = Errno::kept();
    let origin = origin_at(caller);
    let settled = inside(|recorder| {
        let is_ruled = recorder.policy().is_some_and(|active| active.looks_at(event.kind, Field::Address));
        is_ruled.then(|| recorder.record(event, thread::number(), &Caller { origin, is_told: true }))
    });
    let is_stopped = settled.flatten().is_some_and(|settled| last_step(settled).is_stopped);
    if is_stopped {
        end(told, libc::EACCES);
    }
    Step { is_stopped, ..told }
}

/// The same for a call of which no audit event tells.
#[inline(never)]
pub fn begin_untold<'a>(caller: usize, sort: Sort, event: impl FnOnce() -> Option<Event<'a>>) -> Step {
    let _errno = Errno::kept();
    // Between fork and exec the interpreter closes files and changes directories: no process begins for that.
    // What it runs then records itself, or an audit event told of it: only a policy may want to know before.
    let is_interpreter = || modules::at(caller).is_some_and(|module| module.is_interpreter);
    let matters = sort == Sort::Run && has_rules_on_starts();
    if fork::is_unacknowledged_child() && !matters && is_interpreter() {
        return Step::PASS;
    }
    let origin = origin_at(caller);
    inside(|recorder| {
        if integrity::is_hook_gone() {
            let step = recorded(recorder, &tamper::hook_gone(), origin);
            if step.is_stopped {
                return Some(step);
            }
        }
        Some(recorded(recorder, &event()?, origin))
    })
    .flatten()
    .unwrap_or(Step::PASS)
}

fn recorded(recorder: &Recorder, event: &Event<'_>, origin: &Origin) -> Step {
    last_step(recorder.record(event, thread::number(), &Caller { origin, is_told: false }))
}

/// Records what a call comes to besides what it is. Returns whether a policy stops that.
pub fn is_stopped_as(caller: usize, event: &Event<'_>) -> bool {
    let _errno = Errno::kept();
    let origin = origin_at(caller);
    let step = if super::is_on() { inside(|recorder| recorded(recorder, event, origin)) } else { None };
    step.is_some_and(|step| step.is_stopped)
}

/// Whether the policies that were inherited are about starts of programs.
fn has_rules_on_starts() -> bool {
    session::inherited().and_then(Recorder::policy).is_some_and(|policy| policy.concerns(Kind::Spawn))
}

/// What is known of the code at `caller` without looking at Python's frames. Code that was made while the program runs is
/// in no module, and what the C library calls by itself (a thread's function) was handed to it.
fn origin_at(caller: usize) -> &'static Origin {
    static UNKNOWN: Origin = Origin {
        file: Vec::new(),
        line: 0,
        function: String::new(),
        distribution: None,
        via: None,
        object: None,
        hash: 0,
    };
    modules::at(caller).map_or(&UNKNOWN, |module| &module.origin)
}

/// Does something for which memory may be needed, in gnomon's own; nothing where no call is looked at.
pub fn with_own_memory<T>(act: impl FnOnce() -> T) -> Option<T> {
    let block = thread::block();
    if !super::is_on() || block.is_inside.get() {
        return None;
    }
    block.redirected.set(block.redirected.get() + 1);
    let result = catch_unwind(AssertUnwindSafe(act));
    block.redirected.set(block.redirected.get() - 1);
    result
        .inspect_err(|_| {
            if let Some(recorder) = session::inherited() {
                recorder.count_loss(Loss::InternalError);
            }
            session::disarm();
        })
        .ok()
}

/// Does something with the recorder, if there is one and this thread is not at it already; with gnomon's own memory.
fn inside<T>(act: impl FnOnce(&Recorder) -> T) -> Option<T> {
    let block = thread::block();
    if block.is_inside.replace(true) {
        return None;
    }
    block.redirected.set(block.redirected.get() + 1);
    let result = session::recorder().and_then(|recorder| {
        catch_unwind(AssertUnwindSafe(|| act(recorder)))
            .inspect_err(|_| {
                recorder.count_loss(Loss::InternalError);
                session::disarm();
            })
            .ok()
    });
    block.redirected.set(block.redirected.get() - 1);
    block.is_inside.set(false);
    result
}

/// The same for what happens beside a call; errno is left as it is.
pub fn with_recorder<T>(act: impl FnOnce(&Recorder) -> T) -> Option<T> {
    let _errno = Errno::kept();
    if super::is_on() { inside(act) } else { None }
}

/// Records what no call is about, as a module that was found.
pub fn tell(event: &Event<'_>, origin: &Origin) {
    let _errno = Errno::kept();
    inside(|recorder| recorder.record(event, thread::number(), &Caller { origin, is_told: false }));
}

/// Notes that this thread is about to change the current directory.
pub fn directory_changes() {
    let _errno = Errno::kept();
    if super::is_on() && !fork::is_unacknowledged_child() {
        inside(|recorder| recorder.directory_changes(thread::number()));
    }
}

/// Whether this is a vfork's child, which shares its parent's memory, up to its exec.
pub fn is_vfork_child() -> bool {
    let pid = rustix::process::getpid().as_raw_pid().unsigned_abs();
    session::armed().is_some_and(|recorder| recorder.description().pid != pid)
}

/// Notes that this thread is about to lend its memory to a child, up to that one's exec.
pub fn child_begins() {
    thread::block().has_vforked.set(true);
}

/// Whether this is a vfork's child: what it does to its descriptors, its parent's are left out of.
#[inline]
pub fn is_before_exec() -> bool {
    thread::block().has_vforked.get() && is_still_before_exec()
}

#[cold]
fn is_still_before_exec() -> bool {
    let is_child = !fork::is_unacknowledged_child() && is_vfork_child();
    thread::block().has_vforked.set(is_child);
    is_child
}

/// Remembers that `host` was found to be at `addresses`.
pub fn answered(host: &[u8], addresses: &[IpAddr]) {
    let _errno = Errno::kept();
    if !super::is_on() || fork::is_unacknowledged_child() {
        return;
    }
    inside(|recorder| recorder.answered(thread::number(), &String::from_utf8_lossy(host), addresses));
}

/// Whether `address` is known to be that of `name`.
pub fn is_known_as(address: IpAddr, name: &str) -> bool {
    session::armed().is_some_and(|recorder| recorder.is_at(name, address))
}

/// The name that was found to be at `address` last.
pub fn name_at(address: IpAddr) -> Option<String> {
    session::armed().and_then(|recorder| recorder.name_at(address))
}

/// Counts bytes of the record with this key; a result below 0 is an error, and counts nothing. Returns false where the
/// record is in an earlier segment, or a parent's.
#[inline]
pub fn moved(key: u64, bytes_out: isize, bytes_in: isize) -> bool {
    let change = bytes(bytes_out, bytes_in);
    change == Change::default() || (!fork::is_unacknowledged_child() && add(key, &change))
}

/// So many bytes.
pub fn bytes(bytes_out: isize, bytes_in: isize) -> Change {
    let bytes = |count: isize| u64::try_from(count).unwrap_or(0);
    Change { bytes_out: bytes(bytes_out), bytes_in: bytes(bytes_in), ..Change::default() }
}

fn last_step(settled: Settled) -> Step {
    let is_stopped = match settled.outcome {
        Outcome::Go => false,
        Outcome::Warn(line) => {
            notice::warn(&line);
            false
        }
        Outcome::Stop(_) | Outcome::Interrupted => true,
    };
    Step { is_stopped, is_told: false, key: settled.key }
}

/// Notes what became of the call: `error` is its errno, 0 where it went well.
#[inline]
pub fn end(step: Step, error: c_int) {
    if step.key != 0 && (step.is_told || error != 0) {
        let reached = u32::from(step.is_told);
        add(step.key, &Change { reached, errno: error.unsigned_abs(), ..Change::default() });
    }
}

/// Adds to the tally of the record with this key. Returns false where that is in an earlier segment.
pub fn add(key: u64, change: &Change) -> bool {
    if fork::is_unacknowledged_child() {
        return true; // the record is the parent's
    }
    let _errno = Errno::kept();
    session::recorder().is_some_and(|recorder| recorder.tally(key, change))
}

/// Whether a policy stops the call: then `errno` says so, and the function fails.
pub fn is_refused(step: Step) -> bool {
    if step.is_stopped {
        set_errno(libc::EACCES);
    }
    step.is_stopped
}

/// What native code knows of an event that it causes.
struct Caller<'a> {
    /// Of the shared object.
    origin: &'a Origin,
    is_told: bool,
}

/// The origin of a call.
enum Cause<'a> {
    /// Of a thread that runs no Python: all that is known is the shared object.
    Object(&'a Origin),
    Combined(Rc<Origin>),
}

impl Deref for Cause<'_> {
    type Target = Origin;

    fn deref(&self) -> &Origin {
        match self {
            Self::Object(origin) => origin,
            Self::Combined(origin) => origin,
        }
    }
}

impl<'a> Witness for Caller<'a> {
    type Kept = Cause<'a>;

    fn origin(&self) -> Option<Cause<'a>> {
        let python = frames::origin_of_this_thread().and_then(|python| {
            frames::remembered_with(python, self.origin.hash, |python| combined(python, self.origin))
        });
        Some(python.map_or(Cause::Object(self.origin), Cause::Combined))
    }

    fn ask(&self, _question: &str) -> Answer {
        Answer::Nobody // no thread may wait here: it may hold any lock
    }

    fn source(&self) -> Source {
        Source::Native
    }

    fn is_told(&self) -> bool {
        self.is_told
    }
}

/// The line that `python` knows, and the distribution of the shared object that made the call.
fn combined(python: &Origin, native: &Origin) -> Origin {
    let distribution = native.distribution.clone().or_else(|| python.distribution.clone());
    let outermost = python.via.clone().or_else(|| python.distribution.clone()).or_else(|| native.via.clone());
    let via = outermost.filter(|via| distribution.as_ref() != Some(via));
    Origin { distribution, via, object: native.object.clone(), ..python.clone() }.hashed()
}

/// An event about one file, relative to the directory that `descriptor` stands for.
pub fn file_event<'a>(kind: Kind, descriptor: c_int, path: &'a [u8]) -> Event<'a> {
    Event::new(
        kind,
        gnomon_core::event::Target::Path { path: file_path(descriptor, path), destination: None },
    )
}

/// A path that is relative to the directory that `descriptor` stands for.
pub fn file_path(descriptor: c_int, path: &[u8]) -> gnomon_core::event::FilePath<'_> {
    use gnomon_core::event::{Base, FilePath};
    use std::borrow::Cow;
    let base = if descriptor == libc::AT_FDCWD || path.first() == Some(&b'/') {
        Base::Current
    } else {
        let directory = gnomon_core::process::descriptor_path(descriptor);
        directory.map_or(Base::Uncertain, |directory| Base::Directory(Cow::Owned(directory)))
    };
    FilePath { given: Cow::Borrowed(path), base }
}
