//! Whether our audit hook still stands in CPython's list: who writes to the interpreter's memory can take it out without an
//! event.
//!
//! Where the list begins, no header says: it is the one word at the head of the runtime's state that changes while the hook
//! is added, and what it then points to holds our function. Where that is not so (another hook was there before), nothing
//! is known, and only the end of the interpreter tells: CPython announces that it drops the hooks.
#![expect(unsafe_code, reason = "reads the head of CPython's state")]

use std::ffi::{c_int, c_void};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicUsize};

use gnomon_core::pipeline::Recorder;
use pyo3::ffi;

use crate::decode::tamper;
use crate::{capi, hook, redirect};

/// As deep in the state as the list begins: 0.6 to 11 KB from 3.9 to 3.15.
const DEPTH: usize = 16 * 1024;
const WORD: usize = size_of::<usize>();
/// Hooks before ours that are looked at.
const MAX_HOOKS: usize = 64;
/// Where in an entry of the list its function is: behind the address of the next one.
const FUNCTION: usize = WORD;

/// Where the address of the first entry is; 0 where that is not known.
static HEAD: AtomicUsize = AtomicUsize::new(0);
/// Whether it was found to be gone.
static IS_GONE: AtomicBool = AtomicBool::new(false);
/// Whether what was put into this process was looked at for the last time.
static IS_EXAMINED: AtomicBool = AtomicBool::new(false);

/// What the head of the runtime's state held before the hook was added.
pub struct Before {
    start: usize,
    words: Vec<usize>,
}

impl Before {
    /// `None` where it is not found.
    fn look() -> Option<Self> {
        IS_EXAMINED.store(false, Relaxed);
        IS_GONE.store(false, Relaxed);
        let start = capi::symbol(c"_PyRuntime")?.expose_provenance();
        let bytes = mapped_after(start).min(DEPTH);
        let words = (start..start + bytes / WORD * WORD).step_by(WORD).map(word).collect();
        Some(Self { start, words })
    }

    /// What `add` returns, which adds the hook: where the list begins is learned meanwhile.
    pub fn around(add: impl FnOnce() -> bool) -> bool {
        let before = Self::look();
        let is_added = add();
        if let Some(before) = before.filter(|_| is_added) {
            before.learn();
        }
        is_added
    }

    /// Learns where the list begins, now that the hook is in it.
    fn learn(&self) {
        let places = (self.start..).step_by(WORD).zip(&self.words);
        let mut changed = places.filter(|(place, before)| word(*place) != **before);
        if let (Some((place, 0)), None) = (changed.next(), changed.next())
            && function_of(word(place)) == Some(ours())
        {
            HEAD.store(place, Release);
        }
    }
}

/// The interpreter ends, and with it the list.
pub fn forget() {
    HEAD.store(0, Release);
}

/// Whether the hook is certainly no longer in the list, which is recorded upon that: [`examine`] need not. Costs a few loads, on any thread.
#[inline]
pub fn is_hook_gone() -> bool {
    let place = HEAD.load(Acquire);
    // While this looked, the interpreter may have ended.
    let is_gone = place != 0 && !is_listed(place) && HEAD.load(Acquire) == place;
    if is_gone {
        IS_GONE.store(true, Relaxed);
    }
    is_gone
}

fn is_listed(place: usize) -> bool {
    let mut entry = word(place);
    for _ in 0..MAX_HOOKS {
        if entry == 0 {
            return false;
        }
        if word(entry + FUNCTION) == ours() {
            return true;
        }
        entry = word(entry);
    }
    true // or not: that is too many to look at
}

/// Records, once, what is no longer as it was when the program began. `has_ended`: CPython said that it drops the hooks.
pub fn examine(recorder: &Recorder, has_ended: bool) {
    if IS_EXAMINED.swap(true, Relaxed) {
        return;
    }
    if !has_ended && !IS_GONE.load(Relaxed) && (is_hook_gone() || is_over()) {
        recorder.record_done(&tamper::hook_gone(), None);
    }
    for (object, names) in redirect::undone() {
        recorder.record_done(&tamper::undone(&object, &names), None);
    }
}

/// In a fork's child all of that may happen once more.
pub fn forked() {
    IS_GONE.store(false, Relaxed);
    IS_EXAMINED.store(false, Relaxed);
}

/// Whether there was an interpreter and is none any more.
fn is_over() -> bool {
    type Head = unsafe extern "C" fn() -> *mut c_void;
    let Some(head) = capi::symbol(c"PyInterpreterState_Head") else { return false };
    // SAFETY: both only read a word of the runtime, without the GIL and at any time; the second has this signature in all
    // versions.
    unsafe { ffi::Py_IsInitialized() == 0 && std::mem::transmute::<*mut c_void, Head>(head)().is_null() }
}

fn ours() -> usize {
    (hook::audit as *const ()).expose_provenance()
}

/// A word of CPython's memory.
fn word(place: usize) -> usize {
    // SAFETY: `place` is in the runtime's state, as far as it is mapped, or in an entry of the list: CPython frees these
    // after the event upon which they are forgotten here.
    unsafe { AtomicUsize::from_ptr(place as *mut usize) }.load(Acquire)
}

/// The function of what may be an entry: the kernel reads it, as it may be anything.
fn function_of(entry: usize) -> Option<usize> {
    let mut found = 0_usize;
    let here = libc::iovec { iov_base: (&raw mut found).cast(), iov_len: WORD };
    let there = libc::iovec { iov_base: (entry + FUNCTION) as *mut c_void, iov_len: WORD };
    // SAFETY: reads into a word of ours; where there is nothing to read, it fails.
    let read = unsafe { libc::process_vm_readv(libc::getpid(), &raw const here, 1, &raw const there, 1, 0) };
    (entry.is_multiple_of(WORD) && usize::try_from(read) == Ok(WORD)).then_some(found)
}

/// How many bytes from `start` on its module has in memory.
fn mapped_after(start: usize) -> usize {
    let mut found = (start, 0);
    // SAFETY: the callback takes the pointer for what it is, and is called only before this returns.
    unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut found).cast()) };
    found.1
}

unsafe extern "C" fn look(information: *mut libc::dl_phdr_info, _: usize, found: *mut c_void) -> c_int {
    // SAFETY: the loader's own argument, and the one that it was given for us.
    let (information, (start, bytes)) = unsafe { (&*information, &mut *found.cast::<(usize, usize)>()) };
    if information.dlpi_phdr.is_null() {
        return 0;
    }
    // SAFETY: the loader keeps that many headers there as long as the module is loaded.
    let headers =
        unsafe { std::slice::from_raw_parts(information.dlpi_phdr, usize::from(information.dlpi_phnum)) };
    for header in headers.iter().filter(|header| header.p_type == libc::PT_LOAD) {
        let begins = information.dlpi_addr.wrapping_add(header.p_vaddr) as usize;
        let ends = begins.saturating_add(header.p_memsz as usize);
        if (begins..ends).contains(start) {
            *bytes = ends - *start;
            return 1;
        }
    }
    0
}
