//! What the hook will call, for tests that come before it does: functions that ctypes can call. Not in releases.
#![expect(unsafe_code, reason = "called by ctypes with C strings")]

use std::ffi::{CStr, c_char, c_int};

use gnomon_core::policy::judge::Answer;

use crate::denial::{Denial, Natural, raise};
use crate::{justify, notice};

/// # Safety
/// `text` is null, or ends with NUL and lives long enough.
unsafe fn bytes<'a>(text: *const c_char) -> Option<&'a [u8]> {
    // SAFETY: as the caller promises.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// # Safety
/// As for [`bytes`].
unsafe fn text<'a>(text: *const c_char) -> &'a str {
    // SAFETY: as the caller promises.
    unsafe { bytes(text) }.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
}

/// Raises as the hook would: for the module `name`, or for a file where that is null.
///
/// # Safety
/// Called with a thread state, and strings as for [`bytes`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gnomon_rehearse_denial(
    message: *const c_char,
    name: *const c_char,
    path: *const c_char,
) -> c_int {
    // SAFETY: as the caller promises.
    let (message, path) = unsafe { (text(message), bytes(path)) };
    let natural = if name.is_null() {
        Natural::Permission { filename: path }
    } else {
        // SAFETY: as the caller promises.
        Natural::Import { name: unsafe { text(name) }, path }
    };
    raise(&Denial { message, natural, fields: &[(c"rule", "finance/no-hr"), (c"owner", "it@example.org")] });
    -1
}

#[unsafe(no_mangle)]
pub extern "C" fn gnomon_rehearse_arming() {
    notice::remember_stderr();
}

/// # Safety
/// A string as for [`bytes`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gnomon_rehearse_warning(line: *const c_char) {
    // SAFETY: as the caller promises.
    notice::warn(unsafe { text(line) });
}

/// Asks, and puts the answer with a NUL behind it into `given`, which has 512 bytes.
///
/// # Safety
/// As for [`gnomon_rehearse_denial`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gnomon_rehearse_question(question: *const c_char, given: *mut c_char) -> c_int {
    // SAFETY: as the caller promises.
    match justify::ask(unsafe { text(question) }) {
        Answer::Given(answer) => {
            // SAFETY: an answer has at most 500 bytes.
            unsafe {
                std::ptr::copy_nonoverlapping(answer.as_ptr().cast(), given, answer.len());
                given.add(answer.len()).write(0);
            }
            0
        }
        Answer::Refused => 1,
        Answer::Nobody => 2,
        Answer::Interrupted => -1,
    }
}
