//! One value that is never freed, and which of several it is: read on any thread, also in a signal handler.
#![expect(unsafe_code, reason = "a reference that is kept as an atomic pointer")]

use std::ptr;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::{Acquire, Release};

/// A reference that is replaced while others read it. No lock, no count, nothing that belongs to a thread.
pub struct Shown<T: 'static> {
    // Always from a `&'static T`.
    place: AtomicPtr<T>,
}

impl<T: Sync> Shown<T> {
    pub fn new(value: &'static T) -> Self {
        Self { place: AtomicPtr::new(ptr::from_ref(value).cast_mut()) }
    }

    pub fn get(&self) -> &'static T {
        // SAFETY: it was a reference that stays valid for ever, and nobody writes through it. A T may be shared
        // between threads, and Acquire shows all that was done to it before it was set.
        unsafe { &*self.place.load(Acquire) }
    }

    pub fn set(&self, value: &'static T) {
        self.place.store(ptr::from_ref(value).cast_mut(), Release);
    }
}
