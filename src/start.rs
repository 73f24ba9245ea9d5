//! The module that interpreter start loads by path: importing it arms. No PyO3 here: creating its types
//! would cost more than all the rest of arming.
#![expect(unsafe_code, reason = "a module definition for CPython's C API")]

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};

use pyo3::ffi;

use crate::{capi, next, session, watcher};

struct Definition(UnsafeCell<ffi::PyModuleDef>);

// SAFETY: written once by `PyInit__arm`, which CPython calls under the import lock; then only CPython uses it.
unsafe impl Sync for Definition {}

struct Slots(UnsafeCell<[ffi::PyModuleDef_Slot; 4]>);

// SAFETY: as for `Definition`.
unsafe impl Sync for Slots {}

const EMPTY: ffi::PyModuleDef_Slot = ffi::PyModuleDef_Slot { slot: 0, value: std::ptr::null_mut() };

static SLOTS: Slots = Slots(UnsafeCell::new([EMPTY; 4]));
static DEFINITION: Definition = Definition(UnsafeCell::new(ffi::PyModuleDef {
    m_base: ffi::PyModuleDef_HEAD_INIT,
    m_name: c"_arm".as_ptr(),
    m_doc: std::ptr::null(),
    m_size: 0,
    m_methods: std::ptr::null_mut(),
    m_slots: std::ptr::null_mut(),
    m_traverse: None,
    m_clear: None,
    m_free: None,
}));

// Numbers of Include/moduleobject.h; older Pythons refuse a slot that they do not know.
const PY_MOD_EXEC: c_int = 2;
const PY_MOD_MULTIPLE_INTERPRETERS: c_int = 3; // since 3.12
const PY_MOD_GIL: c_int = 4; // since 3.13
const PER_INTERPRETER_GIL_SUPPORTED: usize = 2;
const GIL_NOT_USED: usize = 1;

/// CPython's entry point for a module called `_arm`.
///
/// # Safety
/// Called by CPython's import system only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyInit__arm() -> *mut ffi::PyObject {
    let slot = |number: c_int, value: usize| ffi::PyModuleDef_Slot {
        slot: number,
        value: std::ptr::without_provenance_mut(value),
    };
    let mut slots = [EMPTY; 4];
    slots[0] = ffi::PyModuleDef_Slot { slot: PY_MOD_EXEC, value: execute as *mut c_void };
    let minor: u32 = capi::version().split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap_or(0);
    if minor >= 12 {
        slots[1] = slot(PY_MOD_MULTIPLE_INTERPRETERS, PER_INTERPRETER_GIL_SUPPORTED);
    }
    if minor >= 13 {
        slots[2] = slot(PY_MOD_GIL, GIL_NOT_USED);
    }
    // SAFETY: CPython holds the import lock; the definition is not in use before this returns, or is
    // overwritten with the same values.
    unsafe {
        *SLOTS.0.get() = slots;
        (*DEFINITION.0.get()).m_slots = SLOTS.0.get().cast();
        (*DEFINITION.0.get()).m_methods = next::METHODS.pointer();
        ffi::PyModuleDef_Init(DEFINITION.0.get())
    }
}

/// Arms, and leaves in the module what came of it: `error` is absent when all is well.
extern "C" fn execute(module: *mut ffi::PyObject) -> c_int {
    let outcome = std::panic::catch_unwind(session::arm).unwrap_or(Err("internal error"));
    if outcome.is_ok() {
        watcher::watch(); // each interpreter has a `sys` of its own
    }
    if let Err(reason) = outcome
        && let Ok(text) = std::ffi::CString::new(reason)
    {
        // SAFETY: CPython passes a live module; both strings end with NUL.
        unsafe { ffi::PyModule_AddStringConstant(module, c"error".as_ptr(), text.as_ptr()) };
    }
    0
}
