//! The interpreter's end, as threads without the GIL must know it: CPython frees the states and frames of those
//! that still run.
//!
//! Who reads them says so first, and does not once the end has begun; and the end, told by `atexit`, waits for
//! those who are at it. Neither takes a lock: a reader never waits, and the end waits for a tenth of a second at
//! most.
#![expect(unsafe_code, reason = "a callback that CPython calls")]

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::sync::OnceLock;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::{Duration, Instant};

use pyo3::ffi;

use crate::capi::{Owned, symbol};

/// How long the end waits for readers. In a fork's child the count may include some that did not come along.
const PATIENCE: Duration = Duration::from_millis(100);

static READERS: AtomicUsize = AtomicUsize::new(0);
/// The thread that ends the interpreter, whose own state stays until the last; zero before.
static ENDING: AtomicUsize = AtomicUsize::new(0);
static IS_WATCHED: AtomicBool = AtomicBool::new(false);

type IsFinalizing = unsafe extern "C" fn() -> c_int;
type ThisThread = unsafe extern "C" fn() -> *mut c_void;

struct Functions {
    is_finalizing: IsFinalizing,
    this_thread: ThisThread,
}

static FUNCTIONS: OnceLock<Option<Functions>> = OnceLock::new();

/// A promise that this thread's Python state stays where it is.
pub struct Held {
    thread: usize,
}

impl Held {
    /// The address of this thread's state: the interpreter's that ran last on it.
    pub fn thread(&self) -> usize {
        self.thread
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        READERS.fetch_sub(1, SeqCst);
    }
}

/// Looks up what [`hold`] needs; with the GIL, or while the process has one thread.
pub fn learn() {
    use std::mem::transmute;
    FUNCTIONS.get_or_init(|| {
        let is_finalizing = symbol(c"Py_IsFinalizing").or_else(|| symbol(c"_Py_IsFinalizing"))?;
        // SAFETY: both have these signatures in all versions.
        unsafe {
            Some(Functions {
                is_finalizing: transmute::<*mut c_void, IsFinalizing>(is_finalizing),
                this_thread: transmute::<*mut c_void, ThisThread>(symbol(c"PyGILState_GetThisThreadState")?),
            })
        }
    });
}

/// Holds this thread's Python state, without the GIL. `None` where it has none, or not for long.
pub fn hold() -> Option<Held> {
    let functions = FUNCTIONS.get()?.as_ref()?;
    // SAFETY: reads one word that the thread has for itself, without the GIL: CPython sets it when it makes the
    // state, and clears it before it frees it, but at the end.
    let thread = unsafe { (functions.this_thread)() }.expose_provenance();
    if thread == 0 || functions.is_over() {
        return None; // and the end need not wait for who comes late
    }
    READERS.fetch_add(1, SeqCst);
    let held = Held { thread };
    (!functions.is_over()).then_some(held)
}

impl Functions {
    /// Whether the state of this thread may be freed.
    fn is_over(&self) -> bool {
        let ending = ENDING.load(SeqCst);
        // SAFETY: reads one word of the runtime, without the GIL.
        let is_ending = ending != 0 || unsafe { (self.is_finalizing)() } != 0;
        is_ending && ending != this_thread()
    }
}

/// A number that no other running thread has, and not zero.
fn this_thread() -> usize {
    // SAFETY: always works, and only reads.
    unsafe { libc::pthread_self() as usize }
}

struct Method(UnsafeCell<ffi::PyMethodDef>);

// SAFETY: only CPython uses it, under its own rules.
unsafe impl Sync for Method {}

static METHOD: Method = Method(UnsafeCell::new(ffi::PyMethodDef {
    ml_name: c"gnomon".as_ptr(),
    ml_meth: ffi::PyMethodDefPointer { PyCFunction: ends },
    ml_flags: ffi::METH_NOARGS,
    ml_doc: std::ptr::null(),
}));

/// Asks to be told when the interpreter ends, once; with the GIL. `atexit` calls last who asked first, and then
/// only threads are left that nobody waits for. Costs about 100 us where the program has not imported `atexit`.
#[cfg_attr(
    not(debug_assertions),
    allow(dead_code, reason = "too dear for each start: only the probe of the tests asks")
)]
pub fn watch() {
    if IS_WATCHED.swap(true, SeqCst) {
        return;
    }
    ENDING.store(0, SeqCst);
    // SAFETY: called with a thread state; the method is never freed. Each call gives a new reference or an error,
    // which is cleared.
    unsafe {
        let Some(module) = Owned::new(ffi::PyImport_ImportModule(c"atexit".as_ptr())) else { return };
        let Some(register) = module.object().attribute(c"register") else { return };
        let nobody = std::ptr::null_mut();
        let Some(callback) = Owned::new(ffi::PyCFunction_NewEx(METHOD.0.get(), nobody, nobody)) else {
            return;
        };
        let end: *mut ffi::PyObject = std::ptr::null_mut();
        let _ = Owned::new(ffi::PyObject_CallFunctionObjArgs(
            register.object().pointer(),
            callback.object().pointer(),
            end,
        ));
    }
}

/// The interpreter has ended: the next one, if there will be one, is to be watched anew.
pub fn forget() {
    IS_WATCHED.store(false, SeqCst);
}

/// Called by `atexit`.
unsafe extern "C" fn ends(_: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    ENDING.store(this_thread(), SeqCst);
    let start = Instant::now();
    while READERS.load(SeqCst) != 0 && start.elapsed() < PATIENCE {
        std::thread::yield_now();
    }
    // SAFETY: a new reference to what is always there.
    unsafe {
        ffi::Py_IncRef(ffi::Py_None());
        ffi::Py_None()
    }
}
