//! What threads without the GIL see, for tests: `ctypes` lets go of it for the time of a call. Only in debug builds.
#![expect(unsafe_code, reason = "functions for ctypes")]

use std::panic::catch_unwind;

use crate::lines::Lines;
use crate::{ending, frames};

/// Writes the origin of this call: file, line, function, distribution and via, each with NUL after it. Returns how
/// many bytes these are; -1 where there is no origin, -2 where they do not fit.
///
/// # Safety
/// There are `length` bytes at `buffer`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gnomon_origin_probe(buffer: *mut u8, length: usize) -> isize {
    let Ok(Some(origin)) = catch_unwind(frames::origin_of_this_thread) else { return -1 };
    let line = origin.line.to_string();
    let text = |text: &Option<String>| text.clone().unwrap_or_default().into_bytes();
    let (distribution, via) = (text(&origin.distribution), text(&origin.via));
    let parts = [&origin.file, line.as_bytes(), origin.function.as_bytes(), &distribution, &via];
    let written: Vec<u8> = parts.into_iter().flat_map(|part| [part, &b"\0"[..]].concat()).collect();
    if written.len() > length {
        return -2;
    }
    // SAFETY: they fit, as the caller promises.
    unsafe { buffer.copy_from_nonoverlapping(written.as_ptr(), written.len()) };
    written.len().cast_signed()
}

/// The line of the instruction at `position`, by a table of Python 3.`minor`.
///
/// # Safety
/// There are `length` bytes at `table`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gnomon_line_probe(
    minor: usize,
    table: *const u8,
    length: usize,
    first: i32,
    position: i32,
) -> i32 {
    // SAFETY: as the caller promises.
    let table = unsafe { std::slice::from_raw_parts(table, length) };
    Lines::of(minor).line_at(table, first, position)
}

/// Has the interpreter's end wait for readers. To be called with the GIL.
#[unsafe(no_mangle)]
pub extern "C" fn gnomon_end_probe() {
    ending::watch();
}
