//! Strong mode: the hook is there before the interpreter is, and recording starts as soon as it can be described.
//!
//! The library that the dynamic loader preloads (`preload/preload.rs`) looks whether the program is a CPython, and calls
//! [`gnomon_preload`] if it is.
#![expect(unsafe_code, reason = "called by another library")]

use std::ffi::{CString, c_char};
use std::io::Write as _;
use std::panic::catch_unwind;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};

use pyo3::prelude::*;

use crate::{capi, early_hook, hook, session, stack, watcher};

/// What is preloaded, or nothing where it could not be built.
static LIBRARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/libgnomon_preload.so"));

/// The hook is there, and recording has not started.
static IS_WAITING: AtomicBool = AtomicBool::new(false);
static IS_PRELOADED: AtomicBool = AtomicBool::new(false);
/// The interpreter has not come to what it is to run.
static IS_STARTING: AtomicBool = AtomicBool::new(false);

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
    IS_WAITING.store(true, Relaxed);
    if early_hook::add(hook::audit) {
        return Ok(());
    }
    IS_WAITING.store(false, Relaxed);
    Err("PySys_AddAuditHook failed")
}

/// Whether recording is to start with one of the next events.
#[inline]
pub fn is_waiting() -> bool {
    IS_WAITING.load(Relaxed)
}

/// Whether this interpreter was recorded before it ran anything.
pub fn is_preloaded() -> bool {
    IS_PRELOADED.load(Relaxed)
}

/// Whether the interpreter of this process has not come to what it is to run.
#[inline]
pub fn is_starting() -> bool {
    IS_STARTING.load(Relaxed)
}

/// The interpreter comes to what it is to run.
pub fn has_started() {
    IS_STARTING.store(false, Relaxed);
}

/// The interpreter has ended, and our hook with it.
pub fn forget() {
    for state in [&IS_WAITING, &IS_PRELOADED, &IS_STARTING] {
        state.store(false, Relaxed);
    }
}

/// Starts recording, once the interpreter can be described: it is complete but for `site`, whose code is about to run.
#[cold]
pub fn arm_when_ready() {
    if !is_ready() || !IS_WAITING.swap(false, AcqRel) {
        return;
    }
    IS_PRELOADED.store(true, Relaxed);
    IS_STARTING.store(true, Relaxed);
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
