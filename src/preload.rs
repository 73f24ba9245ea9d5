//! Strong mode: the hook is there before the interpreter is, and recording starts as soon as it can be described.
//!
//! The library that the dynamic loader preloads (`preload/preload.rs`) looks whether the program is a CPython, and calls
//! [`gnomon_preload`] if it is.
#![expect(unsafe_code, reason = "called by another library")]

use std::ffi::{CString, c_char};
use std::io::Write as _;
use std::panic::catch_unwind;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64};

use pyo3::prelude::*;

use crate::integrity::Before;
use crate::{capi, early_hook, frames, hook, session, stack, thread, watcher};

/// What is preloaded, or nothing where it could not be built.
static LIBRARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/libgnomon_preload.so"));

/// How far the start of the interpreter has come, as one of the [`Stage`]s.
static STAGE: AtomicU8 = AtomicU8::new(Stage::Over as u8);
static IS_PRELOADED: AtomicBool = AtomicBool::new(false);
/// The thread that imports `site`, and runs start-up files.
static STARTER: AtomicU64 = AtomicU64::new(0);

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Stage {
    /// The interpreter has come to what it is to run, or was never waited for.
    Over,
    /// The hook is there, and recording has not started.
    Waiting,
    /// `site` is being imported, and recorded.
    Starting,
}

/// The shared object for `LD_PRELOAD` that has every Python record from its first moment; empty where there is none.
/// It looks for this library in its own directory.
#[pyfunction]
pub fn preload_library() -> &'static [u8] {
    LIBRARY
}

/// Adds the hook, before the interpreter starts. Gives null, or why nothing will be recorded: a text to be kept.
#[unsafe(no_mangle)]
pub extern "C" fn gnomon_preload() -> *const c_char {
    match catch_unwind(prepare).unwrap_or(Err("internal error")) {
        Ok(()) => std::ptr::null(),
        Err(reason) => CString::new(reason).map_or(std::ptr::null(), |text| text.into_raw().cast_const()),
    }
}

fn prepare() -> Result<(), &'static str> {
    session::can_arm()?;
    set(Stage::Waiting);
    if Before::around(|| early_hook::add(hook::audit)) {
        return Ok(());
    }
    set(Stage::Over);
    Err("PySys_AddAuditHook failed")
}

fn set(stage: Stage) {
    STAGE.store(stage as u8, Relaxed);
}

fn is_at(stage: Stage) -> bool {
    STAGE.load(Relaxed) == stage as u8
}

/// Whether the interpreter's start is to be followed.
#[inline]
pub fn is_early() -> bool {
    !is_at(Stage::Over)
}

/// Whether this interpreter was recorded before it ran anything.
pub fn is_preloaded() -> bool {
    IS_PRELOADED.load(Relaxed)
}

/// Whether `site` is being imported.
#[inline]
pub fn is_starting() -> bool {
    is_at(Stage::Starting)
}

/// The interpreter comes to what it is to run.
pub fn has_started() {
    if is_starting() {
        set(Stage::Over);
        hook::quietly(session::program_begins);
    }
}

/// The interpreter has ended, and our hook with it.
pub fn forget() {
    set(Stage::Over);
    IS_PRELOADED.store(false, Relaxed);
}

/// Follows the start by one event.
#[cold]
pub fn follow() {
    if is_starting() {
        if !stack::is_running() {
            has_started(); // an embedding program has no other way to say so
        } else if thread::number() == STARTER.load(Relaxed) {
            follow_startup_files();
        }
    } else if is_ready() {
        arm();
    }
}

/// Tells the policies which start-up files run: those are what Python runs, until the program begins.
fn follow_startup_files() {
    let Some(recorder) = session::armed().filter(|recorder| recorder.policy().is_some()) else { return };
    let files = hook::quietly(frames::startup_files);
    // None: `site` itself works, whose reading nobody rules on.
    if !files.is_empty() {
        recorder.runs_startup_files(&files);
    }
}

/// Starts recording: the interpreter can be described. It is complete but for `site`, whose code is about to run.
fn arm() {
    STARTER.store(thread::number(), Relaxed);
    set(if stack::is_running() { Stage::Starting } else { Stage::Over });
    IS_PRELOADED.store(true, Relaxed);
    match catch_unwind(session::arm).unwrap_or(Err("internal error")) {
        Ok(()) => watcher::watch(),
        Err(reason) => tell(reason),
    }
}

/// Whether `sys` is complete, which it is when there is a `__main__`: CPython says that it is initialized only after
/// `site`, since 3.15. Where `site` comes next, its import is waited for: with Python code running, frames can be found
/// out about.
fn is_ready() -> bool {
    capi::is_loaded(c"__main__") && (stack::is_running() || !is_site_next())
}

fn is_site_next() -> bool {
    !session::is_without_site() && !capi::is_loaded(c"site")
}

/// Says why nothing is recorded, where that is wanted. Python's own stderr may not be there yet.
fn tell(reason: &str) {
    if std::env::var_os("GNOMON_DEBUG").is_some_and(|wish| !wish.is_empty()) {
        let _ = writeln!(std::io::stderr(), "gnomon: not recording: {reason}");
    }
}
