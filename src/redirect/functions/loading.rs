//! Libraries loaded and functions looked up: whoever comes new is redirected too, before its code runs.
//!
//! A function that is looked up is called by its address, past every slot: so its stub's address is handed out. That is
//! how calls by ctypes and cffi are seen.
#![expect(unsafe_code, reason = "functions of the C library, called with what they were called with")]

use std::ffi::{CStr, c_char, c_void};

use super::super::stubs::{Function, Look, look_at, look_first};
use super::super::{by_name, load_begins, take_up_modules};

look_at!(DLOPEN, "dlopen", |_registers, _stack, _caller| {
    load_begins();
    Look::GO
});
look_at!(DLMOPEN, "dlmopen", |_registers, _stack, _caller| {
    load_begins();
    Look::GO
});
look_at!(DLSYM, "dlsym", |registers, _stack, _caller| {
    take_up_modules();
    let [handle, name, ..] = registers.0;
    stub_of(handle, name).map_or(Look::GO, Look::instead)
});

/// The stub of the function that is asked for, where the answer would be the function itself.
fn stub_of(handle: usize, name: usize) -> Option<usize> {
    let handle: *mut c_void = std::ptr::with_exposed_provenance_mut(handle);
    let name: *const c_char = std::ptr::with_exposed_provenance(name);
    // What comes after the caller's own library, only a call from there can ask for.
    if handle == libc::RTLD_NEXT {
        return None;
    }
    if name.is_null() {
        return None;
    }
    // SAFETY: what the program gives to dlsym(3).
    let function = by_name(unsafe { CStr::from_ptr(name) })?;
    // SAFETY: as above.
    let found = unsafe { libc::dlsym(handle, name) };
    // What is not there is asked for too, by whoever can do without.
    (!found.is_null() && found.addr() == function.real()).then(|| (function.stub)())
}

pub static ALL: &[&Function] = &[&DLOPEN, &DLMOPEN, &DLSYM];
