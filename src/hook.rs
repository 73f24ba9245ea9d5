//! The audit callback: not interested, or decode, record, and let the operation go on or fail. Reads from top to bottom.
#![expect(unsafe_code, reason = "CPython calls it with raw pointers")]

use std::ffi::{c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use std::rc::Rc;

use gnomon_core::event::{Event, Kind, Target};
use gnomon_core::interest::installed_root;
use gnomon_core::origin::Origin;
use gnomon_core::pipeline::{Recorder, Settled};
use gnomon_core::policy::judge::{Answer, Outcome, Witness};
use gnomon_core::spool::format::Loss;
use pyo3::ffi;

use crate::capi::{Object, event_name};
use crate::decode::{Decoded, Decoder, code, decoder, forget_last_start, forget_what_was_told};
use crate::redirect::notes;
use crate::{
    denial, environment, frames, justify, notice, preload, presence, redirect, session, startup, thread,
};

/// Raised before and after arming: seeing it is the proof that the hook is really there.
pub const CANARY: &std::ffi::CStr = c"gnomon.canary";

/// Called by CPython before each audited operation. Returns 0, and the operation goes on; or -1 with an exception set
/// where a policy stops it.
pub extern "C" fn audit(event: *const c_char, args: *mut ffi::PyObject, _user: *mut c_void) -> c_int {
    // SAFETY: CPython's own argument, used only during this call.
    let name = unsafe { event_name(event) };
    // SAFETY: CPython keeps the arguments alive during this call.
    match decoder(name, unsafe { Object::borrowed(args) }) {
        Some(decode) => handle(decode, args),
        None => {
            // SAFETY: as above.
            control(name, unsafe { Object::borrowed(args) });
            0
        }
    }
}

/// The few events that are about gnomon itself. They share first letters with almost nothing.
#[inline]
fn control(name: &[u8], arguments: Option<Object<'_>>) {
    if name.first() == Some(&b'g') && name == CANARY.to_bytes() {
        presence::received(arguments);
    } else if name == b"cpython._PySys_ClearAuditHooks" {
        inside(flush);
        session::interpreter_ends();
    }
}

#[inline(never)]
fn handle(decode: Decoder, args: *mut ffi::PyObject) -> c_int {
    if preload::is_early() {
        preload::follow();
    }
    redirect::settle_modules();
    let outcome = inside(|recorder| {
        // SAFETY: CPython keeps the arguments alive during this call.
        match unsafe { Object::borrowed(args) }.map(decode) {
            Some(decoded) => take(recorder, decoded),
            None => {
                recorder.count_loss(Loss::Undecodable);
                Outcome::Go
            }
        }
    });
    last_step(outcome)
}

/// Records what no audit event told, with a thread state as the hook has one.
pub fn tell(event: &Event<'_>) {
    // What is done already cannot be stopped.
    let _ = inside(|recorder| recorder.record(event, thread::number(), &Caller).outcome);
}

/// Does something with the recorder, if there is one and this thread is not at it already.
fn inside<T: Default>(act: impl FnOnce(&Recorder) -> T) -> T {
    let is_inside = &thread::block().is_inside;
    if is_inside.replace(true) {
        return T::default();
    }
    let mut result = T::default();
    if let Some(recorder) = session::recorder() {
        match catch_unwind(AssertUnwindSafe(|| act(recorder))) {
            Ok(outcome) => result = outcome,
            Err(_) => {
                recorder.count_loss(Loss::InternalError);
                session::disarm();
            }
        }
    }
    is_inside.set(false);
    result
}

/// Does something in Python that is gnomon's own doing: neither recorded nor ruled on.
pub fn quietly<T>(act: impl FnOnce() -> T) -> T {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            thread::block().is_inside.set(self.0);
        }
    }
    let _before = Before(thread::block().is_inside.replace(true));
    act()
}

/// Records the text that was compiled before, and not executed.
fn flush(recorder: &Recorder) {
    if let Some((event, origin)) = code::left_over() {
        recorder.record_done(&event, origin.as_deref());
    }
}

fn take(recorder: &Recorder, decoded: Decoded<'_>) -> Outcome {
    if !matches!(decoded, Decoded::Nothing | Decoded::Told) {
        flush(recorder);
    }
    match decoded {
        Decoded::Event(event) => return record_noted(recorder, &event),
        Decoded::Reaching(reach, event) => {
            return match record(recorder, &reach).outcome {
                Outcome::Go => record_noted(recorder, &event),
                Outcome::Warn(line) => {
                    notice::warn(&line);
                    record_noted(recorder, &event)
                }
                stopped => stopped,
            };
        }
        Decoded::OfOpenFile(event) => return record(recorder, &event).outcome,
        Decoded::Counted(event) => return recorder.count(&event, &Caller).outcome,
        Decoded::Compiled(compiled) => code::remember(compiled, frames::origin()),
        Decoded::DirectoryChanges => recorder.directory_changes(thread::number()),
        Decoded::Runs(script) => return recorder.run(script, &Caller),
        Decoded::Odd => recorder.count_loss(Loss::Undecodable),
        Decoded::Told | Decoded::Nothing => {}
    }
    Outcome::Go
}

fn record_noted(recorder: &Recorder, event: &Event<'_>) -> Outcome {
    let settled = record(recorder, event);
    notes::leave_event(event, settled.key);
    settled.outcome
}

fn record(recorder: &Recorder, event: &Event<'_>) -> Settled {
    if preload::is_starting() && is_own_start(recorder, event) {
        return Settled::default();
    }
    let settled = recorder.record(event, thread::number(), &Caller);
    if event.kind == Kind::Exec {
        environment::prepare_for_exec();
    }
    if !is_start(event) {
        forget_last_start();
    }
    settled
}

/// Whether this is the interpreter's start and nobody else's doing: it imports its own modules, and `site` reads where
/// others are.
#[cold]
fn is_own_start(recorder: &Recorder, event: &Event<'_>) -> bool {
    let is_others = |file: &[u8]| {
        installed_root(file).is_some()
            || recorder.interest().library_root(file).is_none()
            || startup::is_customisation(file)
    };
    match &event.target {
        Target::Module { file, .. } if is_others(file) => false,
        _ => frames::origin().is_none(),
    }
}

/// What Python code knows of an event that it causes.
struct Caller;

impl Witness for Caller {
    type Kept = Rc<Origin>;

    fn origin(&self) -> Option<Rc<Origin>> {
        frames::origin()
    }

    fn ask(&self, question: &str) -> Answer {
        justify::ask(question)
    }
}

fn last_step(outcome: Outcome) -> c_int {
    match outcome {
        Outcome::Go => 0,
        Outcome::Warn(line) => {
            notice::warn(&line);
            0
        }
        Outcome::Stop(stop) => {
            forget_what_was_told();
            notes::forget();
            denial::stop(&stop);
            -1
        }
        Outcome::Interrupted => {
            forget_what_was_told();
            notes::forget();
            -1
        }
    }
}

fn is_start(event: &Event<'_>) -> bool {
    event.kind == Kind::Spawn
}
