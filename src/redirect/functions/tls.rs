//! What OpenSSL is given to encrypt. Each library has an OpenSSL of its own, so each is called by the functions that its
//! own look-up finds.
#![expect(unsafe_code, reason = "functions of OpenSSL, called with what they were called with")]

use std::ffi::{CStr, c_char, c_int, c_long, c_void};

use super::super::modules::{self, Tls};
use super::super::stubs::{Function, redirect, up_to_five};
use super::super::{call, talks};

/// What the calling library's own OpenSSL is; a library without one does not get here.
fn own(caller: usize) -> Option<&'static Tls> {
    modules::at(caller)?.tls.get()
}

/// Takes what is about to be encrypted. Returns whether a policy stops it.
fn says(caller: usize, tls: &Tls, connection: *mut c_void, data: *const c_void, size: usize) -> bool {
    if data.is_null() || size == 0 || !super::super::is_on() {
        return false;
    }
    // SAFETY: what the program gives to SSL_write: so many bytes.
    let bytes = unsafe { std::slice::from_raw_parts(data.cast::<u8>(), size) };
    talks::says_encrypted(caller, connection.addr(), bytes, || server_of(tls, connection))
}

/// The name of the server that was asked for.
fn server_of(tls: &Tls, connection: *mut c_void) -> Option<String> {
    type ServerName = unsafe extern "C" fn(*const c_void, c_int) -> *const c_char;
    const HOST_NAME: c_int = 0;
    if tls.server_name == 0 {
        return None;
    }
    // SAFETY: OpenSSL's own function of this name, on its own connection; it only reads.
    unsafe {
        let ask = std::mem::transmute::<usize, ServerName>(tls.server_name);
        let name = ask(connection, HOST_NAME);
        (!name.is_null()).then(|| CStr::from_ptr(name).to_string_lossy().into_owned())
    }
}

/// Says why a call fails. OpenSSL's own list of errors comes first: without an entry there, `SSL_get_error` answers what
/// it did of the call before, which may be that the program shall wait.
fn refuse(tls: &Tls) {
    type New = unsafe extern "C" fn();
    type Set = unsafe extern "C" fn(c_int, c_int, *const c_char, ...);
    type Put = unsafe extern "C" fn(c_int, c_int, c_int, *const c_char, c_int);
    const SYSTEM: c_int = 2;
    // SAFETY: OpenSSL's own functions of these names; they note an error of this thread.
    unsafe {
        if tls.new_error != 0 && tls.set_error != 0 {
            std::mem::transmute::<usize, New>(tls.new_error)();
            std::mem::transmute::<usize, Set>(tls.set_error)(SYSTEM, libc::EACCES, std::ptr::null());
        } else if tls.put_error != 0 {
            std::mem::transmute::<usize, Put>(tls.put_error)(SYSTEM, 0, libc::EACCES, c"".as_ptr(), 0);
        }
    }
    call::set_errno(libc::EACCES);
}

redirect!(WRITE, "SSL_write",
    (connection: *mut c_void, data: *const c_void, size: c_int) -> c_int, |caller, _real| {
    type Write = unsafe extern "C-unwind" fn(*mut c_void, *const c_void, c_int) -> c_int;
    let Some(tls) = own(caller) else { return usize::MAX };
    let length = usize::try_from(size).unwrap_or(0);
    if says(caller, tls, connection, data, length) {
        refuse(tls);
        -1
    } else {
        // SAFETY: the function that this call was for.
        let written = unsafe { std::mem::transmute::<usize, Write>(tls.write)(connection, data, size) };
        talks::unsent_encrypted(connection.addr(), length.saturating_sub(usize::try_from(written).unwrap_or(0)));
        written
    }
});
redirect!(WRITE_EX, "SSL_write_ex",
    (connection: *mut c_void, data: *const c_void, size: usize, written: *mut usize) -> c_int, |caller, _real| {
    type Write = unsafe extern "C-unwind" fn(*mut c_void, *const c_void, usize, *mut usize) -> c_int;
    let Some(tls) = own(caller) else { return 0 };
    if says(caller, tls, connection, data, size) {
        refuse(tls);
        0
    } else {
        // SAFETY: the function that this call was for.
        let result = unsafe { std::mem::transmute::<usize, Write>(tls.write_ex)(connection, data, size, written) };
        // SAFETY: where it went well, it says how much.
        let sent = if result == 1 && !written.is_null() { unsafe { *written } } else { 0 };
        talks::unsent_encrypted(connection.addr(), size.saturating_sub(sent));
        result
    }
});
// After a request that was stopped nothing is to be waited for: some clients go on to read the answer.
redirect!(READ, "SSL_read",
    (connection: *mut c_void, data: *mut c_void, size: c_int) -> c_int, |caller, _real| {
    type Read = unsafe extern "C-unwind" fn(*mut c_void, *mut c_void, c_int) -> c_int;
    let Some(tls) = own(caller) else { return usize::MAX };
    if talks::is_refused(connection.addr()) {
        refuse(tls);
        -1
    } else {
        // SAFETY: the function that this call was for.
        unsafe { std::mem::transmute::<usize, Read>(tls.read)(connection, data, size) }
    }
});
redirect!(READ_EX, "SSL_read_ex",
    (connection: *mut c_void, data: *mut c_void, size: usize, read: *mut usize) -> c_int, |caller, _real| {
    type Read = unsafe extern "C-unwind" fn(*mut c_void, *mut c_void, usize, *mut usize) -> c_int;
    let Some(tls) = own(caller) else { return 0 };
    if talks::is_refused(connection.addr()) {
        refuse(tls);
        0
    } else {
        // SAFETY: the function that this call was for.
        unsafe { std::mem::transmute::<usize, Read>(tls.read_ex)(connection, data, size, read) }
    }
});
redirect!(FREE, "SSL_free", (connection: *mut c_void) -> c_long, |caller, _real| {
    type Free = unsafe extern "C-unwind" fn(*mut c_void);
    if let Some(tls) = own(caller) {
        talks::ends_encrypted(connection.addr());
        // SAFETY: the function that this call was for.
        unsafe { std::mem::transmute::<usize, Free>(tls.free)(connection) };
    }
    0
});

pub static ALL: &[&Function] = &[&WRITE, &WRITE_EX, &READ, &READ_EX, &FREE];
