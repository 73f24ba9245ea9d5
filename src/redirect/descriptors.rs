//! Which record a descriptor belongs to: bytes that go through it are counted there.
//!
//! A table of words, one a descriptor: the key of the record of its `open` or `connect`, 0 where none is known. Whatever
//! closes a descriptor clears it, so that a number which the C library gives to a pipe counts for nobody.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::{call, transfers};

/// Descriptors that are followed.
pub const FOLLOWED: usize = 64 * 1024;

static KEYS: [AtomicU64; FOLLOWED] = [const { AtomicU64::new(0) }; FOLLOWED];

fn place(descriptor: i32) -> Option<&'static AtomicU64> {
    KEYS.get(usize::try_from(descriptor).ok()?)
}

/// From now on `descriptor` stands for what the record with this key is about; 0 for nothing known.
#[inline]
pub fn stands_for(descriptor: i32, key: u64) {
    if let Some(place) = place(descriptor) {
        // Nearly always it is 0 already: a page that was never written to costs no memory.
        if place.load(Relaxed) != key && !call::is_before_exec() {
            place.store(key, Relaxed);
        }
    }
}

/// The same, if it has not been closed since it stood for `before`.
pub fn stands_now_for(descriptor: i32, before: u64, key: u64) {
    if let Some(place) = place(descriptor) {
        let _ = place.compare_exchange(before, key, Relaxed, Relaxed);
    }
}

/// The key of the record that `descriptor` belongs to.
#[inline]
pub fn key_of(descriptor: i32) -> Option<u64> {
    place(descriptor).map(|place| place.load(Relaxed)).filter(|key| *key != 0)
}

/// Counts bytes that went out or came in; a result below 0 is an error, and counts nothing.
#[inline]
pub fn moved(descriptor: i32, bytes_out: isize, bytes_in: isize) {
    if let Some(key) = key_of(descriptor)
        && !call::moved(key, bytes_out, bytes_in)
    {
        transfers::goes_on(descriptor, key, &call::bytes(bytes_out, bytes_in));
    }
}
