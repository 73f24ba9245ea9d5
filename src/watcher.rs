//! Sees `sys.audit` being replaced, which silences every event that Python code raises (`subprocess.Popen`, from 3.15
//! on `import`). Since 3.12 CPython tells of changes to a dictionary that is watched; before, nothing does.
#![expect(unsafe_code, reason = "registers a callback with CPython")]

use std::ffi::{c_int, c_void};
use std::sync::Mutex;

use pyo3::ffi;

use crate::capi::{Object, sys_attribute};
use crate::decode::tamper;
use crate::hook;

type Callback = extern "C" fn(c_int, *mut ffi::PyObject, *mut ffi::PyObject, *mut ffi::PyObject) -> c_int;
type AddWatcher = unsafe extern "C" fn(Callback) -> c_int;
type Watch = unsafe extern "C" fn(c_int, *mut ffi::PyObject) -> c_int;

// Numbers of Include/cpython/dictobject.h.
const MODIFIED: c_int = 1;
const DELETED: c_int = 2;

/// Interpreters whose `sys` is watched, by their ids. A watcher belongs to one interpreter and ends with it.
static WATCHED: Mutex<Vec<i64>> = Mutex::new(Vec::new());

/// Watches the `sys` of the interpreter that runs, once. Where CPython cannot, nothing happens.
pub fn watch() {
    // SAFETY: called with a thread state.
    let interpreter = unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) };
    let Ok(mut watched) = WATCHED.try_lock() else { return };
    if !watched.contains(&interpreter) && try_watch().is_some() {
        watched.push(interpreter);
    }
}

/// All interpreters have ended; the next ones start with the same ids.
pub fn forget() {
    if let Ok(mut watched) = WATCHED.try_lock() {
        watched.clear();
    }
}

fn try_watch() -> Option<()> {
    use std::mem::transmute;
    let sys = sys_attribute(c"audit").and_then(|_| crate::capi::sys_dictionary())?;
    // SAFETY: both functions have these signatures since they are there (3.12); `sys` is a dictionary. An error
    // (no watcher is left) is cleared.
    unsafe {
        let add = transmute::<*mut c_void, AddWatcher>(crate::capi::symbol(c"PyDict_AddWatcher")?);
        let watch = transmute::<*mut c_void, Watch>(crate::capi::symbol(c"PyDict_Watch")?);
        let id = add(changed);
        if id < 0 || watch(id, sys.pointer()) < 0 {
            ffi::PyErr_Clear();
            return None;
        }
    }
    Some(())
}

/// Called by CPython before a change to the dictionary of `sys`.
extern "C" fn changed(
    what: c_int,
    _dictionary: *mut ffi::PyObject,
    key: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
) -> c_int {
    if !matches!(what, MODIFIED | DELETED) {
        return 0;
    }
    let _ = std::panic::catch_unwind(|| {
        // SAFETY: CPython keeps both alive during this call.
        let (key, value) = unsafe { (Object::borrowed(key), Object::borrowed(value)) };
        if key.and_then(Object::text) == Some("audit") && !is_ending(value) {
            keeping_error(|| hook::tell(&tamper::event("sys.audit replaced", &b""[..])));
        }
    });
    0
}

/// At its end an interpreter sets all that `sys` holds to `None`, `meta_path` before the rest.
fn is_ending(value: Option<Object<'_>>) -> bool {
    value.is_some_and(Object::is_none) && sys_attribute(c"meta_path").is_none_or(Object::is_none)
}

/// Does something with the exception put aside that may be on its way.
fn keeping_error(act: impl FnOnce()) {
    let (mut class, mut value, mut traceback) =
        (std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: called with a thread state; what is fetched is given back.
    unsafe {
        ffi::PyErr_Fetch(&raw mut class, &raw mut value, &raw mut traceback);
        act();
        ffi::PyErr_Restore(class, value, traceback);
    }
}
