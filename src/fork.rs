//! Knowing that this process is a fork's child, at the price of one memory read.
//!
//! The kernel empties a page of this process when it forks (`MADV_WIPEONFORK`); where it cannot (before
//! Linux 4.14, elsewhere), a handler of pthread_atfork clears the same mark. `getpid` would cost a system
//! call for each record. A vfork child shares all memory and counts as its parent, which is right.
#![expect(unsafe_code, reason = "a page of its own, shared by all threads")]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

static MARK: OnceLock<&'static AtomicU32> = OnceLock::new();
static PLAIN_MARK: AtomicU32 = AtomicU32::new(0);

/// Starts watching for forks. Once for a process and its descendants.
pub fn watch() {
    MARK.get_or_init(|| wiped_page().unwrap_or_else(plain_mark)).store(1, Relaxed);
}

/// Whether this process was forked since [`watch`] or the last call of [`acknowledge`].
pub fn is_unacknowledged_child() -> bool {
    MARK.get().is_some_and(|mark| mark.load(Relaxed) == 0)
}

/// Goes on as the process that this now is.
pub fn acknowledge() {
    if let Some(mark) = MARK.get() {
        mark.store(1, Relaxed);
    }
}

#[cfg(target_os = "linux")]
fn wiped_page() -> Option<&'static AtomicU32> {
    use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous};
    let length = rustix::param::page_size();
    // SAFETY: a new private mapping, at an address of the kernel's choice.
    let page = unsafe {
        mmap_anonymous(std::ptr::null_mut(), length, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)
            .ok()?
    };
    // SAFETY: the whole of the mapping just made; it is never unmapped.
    unsafe {
        madvise(page, length, Advice::LinuxWipeOnFork).ok()?;
        Some(AtomicU32::from_ptr(page.cast()))
    }
}

#[cfg(not(target_os = "linux"))]
fn wiped_page() -> Option<&'static AtomicU32> {
    None
}

fn plain_mark() -> &'static AtomicU32 {
    extern "C" fn in_child() {
        PLAIN_MARK.store(0, Relaxed);
    }
    // SAFETY: the handler only stores to an atomic, which is allowed in a forked child.
    unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    &PLAIN_MARK
}
