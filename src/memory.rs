//! Where this library's memory comes from: the program's malloc, and in a redirected call a pool of gnomon's own.
//!
//! A redirected call may run in a signal handler that interrupts malloc, inside malloc itself, or in a vfork child. So
//! nothing here waits, and the pool asks nobody but the kernel. Memory is given back by where it lies, whatever the
//! thread does by then: what one way allocated, the other way frees.
//!
//! Fork needs no handler: at every moment another thread may disappear, and what it held half-done leaks, no more.
//! Where the pool is exhausted, or the kernel refuses its region, the program's malloc has to do after all.
#![expect(unsafe_code, reason = "an allocator: raw memory")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::null_mut;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use self::pool::{Pool, UNIT};
use crate::thread;

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod entered;
mod pool;

#[global_allocator]
static MEMORY: Memory = Memory { pool: Pool::new(), left: Left::new() };

/// This library's memory: the program's malloc, and the pool.
struct Memory {
    pool: Pool,
    left: Left,
}

// SAFETY: what comes from the pool is as long as asked for, aligned, and nobody else's; the rest is System's. Each goes
// back to where it came from: the pool knows its own by the address.
//
// The functions are short where nothing is special, and not inlined: they are called from thousands of places.
unsafe impl GlobalAlloc for Memory {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_redirected() || self.left.is_any() {
            return self.allocated(layout);
        }
        // SAFETY: as our caller promises.
        unsafe { System.alloc(at_least_a_unit(layout)) }
    }

    #[inline(never)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_redirected() {
            let place = self.allocated(layout);
            if !place.is_null() {
                // SAFETY: as long as the layout says, and new.
                unsafe { place.write_bytes(0, layout.size()) };
            }
            return place;
        }
        // SAFETY: as our caller promises.
        unsafe { System.alloc_zeroed(at_least_a_unit(layout)) }
    }

    #[inline(never)]
    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as our caller promises; what cannot be the pool's is System's.
        unsafe {
            if self.pool.may_own(place) || is_redirected() {
                self.release(place, layout);
            } else {
                System.dealloc(place, at_least_a_unit(layout));
            }
        }
    }

    #[inline(never)]
    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as our caller promises; what cannot be the pool's is System's.
        unsafe {
            if self.pool.may_own(place) || is_redirected() {
                self.moved(place, layout, size)
            } else {
                System.realloc(place, at_least_a_unit(layout), size.max(UNIT))
            }
        }
    }
}

impl Memory {
    #[cold]
    fn allocated(&self, layout: Layout) -> *mut u8 {
        if is_redirected() {
            if let Some(place) = self.pool.take(layout) {
                return place.as_ptr();
            }
        } else {
            self.left.free_all();
        }
        // SAFETY: no layout of the standard library's is empty, and none becomes so.
        unsafe { System.alloc(at_least_a_unit(layout)) }
    }

    /// Gives memory back where it came from; System's later, where malloc may not be entered.
    ///
    /// # Safety
    /// `place` was allocated with `layout`, and is given up.
    #[cold]
    unsafe fn release(&self, place: *mut u8, layout: Layout) {
        if self.pool.takes_back(place, layout) {
            return;
        }
        // SAFETY: it is not the pool's, so it is System's; given up, as our caller promises.
        unsafe {
            if is_redirected() {
                self.left.leave(place);
            } else {
                System.dealloc(place, at_least_a_unit(layout));
            }
        }
    }

    /// A copy of `size` bytes, for which what was at `place` is given back; or itself, where it has the room.
    ///
    /// # Safety
    /// As for `realloc`.
    #[cold]
    unsafe fn moved(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Ok(wanted) = Layout::from_size_align(size, layout.align()) else { return null_mut() };
        if self.pool.has_room(place, layout, wanted) {
            return place;
        }
        if !is_redirected() && !self.pool.owns(place, layout) {
            // SAFETY: it is not the pool's, so it is System's.
            return unsafe { System.realloc(place, at_least_a_unit(layout), size.max(UNIT)) };
        }
        // SAFETY: the new memory is another, of `size` bytes; the old one has those of its layout.
        unsafe {
            let new = self.alloc(wanted);
            if !new.is_null() {
                new.copy_from_nonoverlapping(place, layout.size().min(size));
                self.dealloc(place, layout);
            }
            new
        }
    }
}

#[inline]
fn is_redirected() -> bool {
    thread::block().redirected.get() != 0
}

/// What System is asked for: with room for the address that [`Left`] writes there.
#[inline]
fn at_least_a_unit(layout: Layout) -> Layout {
    // SAFETY: a unit is far from the largest size, and the alignment is a layout's.
    unsafe { Layout::from_size_align_unchecked(layout.size().max(UNIT), layout.align()) }
}

/// System's memory that redirected calls gave up: malloc may not be entered there, not even to free.
///
/// A list that only grows, and is taken as a whole: nobody takes one of several, so nothing can be taken twice.
struct Left {
    first: AtomicPtr<u8>,
}

impl Left {
    const fn new() -> Self {
        Self { first: AtomicPtr::new(null_mut()) }
    }

    /// # Safety
    /// `place` is from malloc, of a unit at least, and given up.
    #[cold]
    unsafe fn leave(&self, place: *mut u8) {
        let mut first = self.first.load(Relaxed);
        loop {
            // SAFETY: it has this room. Memory of less than a unit is asked for with that.
            unsafe { place.cast::<*mut u8>().write_unaligned(first) };
            match self.first.compare_exchange_weak(first, place, Release, Relaxed) {
                Ok(_) => return,
                Err(now) => first = now,
            }
        }
    }

    #[inline]
    fn is_any(&self) -> bool {
        !self.first.load(Relaxed).is_null()
    }

    #[cold]
    fn free_all(&self) {
        let mut place = self.first.swap(null_mut(), Acquire);
        while !place.is_null() {
            // SAFETY: `leave` wrote there, and only this thread has the list now. All of System's memory on Unix is
            // malloc's or posix_memalign's, and free takes both.
            unsafe {
                let next = place.cast::<*mut u8>().read_unaligned();
                libc::free(place.cast());
                place = next;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::atomic::{AtomicBool, AtomicUsize};

    use super::*;

    /// Does something as in a redirected call.
    pub fn redirected<T>(act: impl FnOnce() -> T) -> T {
        let depth = &thread::block().redirected;
        depth.set(depth.get() + 1);
        let result = act();
        depth.set(depth.get() - 1);
        result
    }

    fn is_pooled(bytes: &[u8]) -> bool {
        MEMORY.pool.owns(bytes.as_ptr().cast_mut(), Layout::for_value(bytes))
    }

    #[test]
    fn redirected_calls_use_the_pool_and_others_do_not() {
        for size in [1, 100, 70_000] {
            let (inside, outside) = (redirected(|| vec![7_u8; size]), vec![7_u8; size]);
            assert!(is_pooled(&inside) && !is_pooled(&outside));
            assert_eq!(redirected(|| vec![0_u8; size]), vec![0; size]);
        }
    }

    #[test]
    fn what_one_way_allocated_the_other_frees() {
        let mut texts: HashMap<usize, String> =
            redirected(|| (0..1_000).map(|n| (n, n.to_string())).collect());
        texts.extend((1_000..20_000).map(|n| (n, n.to_string())));
        redirected(|| texts.retain(|n, _| n % 3 != 0));
        assert!((0..20_000).all(|n| texts.get(&n).is_none_or(|text| *text == n.to_string())));
        let mut text = String::from("begun outside");
        redirected(|| text.push_str(&" and continued inside".repeat(5_000)));
        assert!(is_pooled(text.as_bytes()) && text.ends_with("inside"));
        text.push_str(&"; at last outside".repeat(10_000));
        assert!(
            !is_pooled(text.as_bytes()) && text.starts_with("begun") && text.ends_with("at last outside")
        );
        redirected(move || drop(text));
    }

    #[test]
    fn a_signal_handler_may_interrupt_malloc() {
        static IS_DONE: AtomicBool = AtomicBool::new(false);
        static HANDED: AtomicPtr<Vec<u8>> = AtomicPtr::new(null_mut());
        static HANDLED: AtomicUsize = AtomicUsize::new(0);
        extern "C" fn handler(_: libc::c_int) {
            redirected(|| {
                let made = Box::into_raw(Box::new(vec![HANDLED.fetch_add(1, Relaxed) as u8; 50]));
                let others = HANDED.swap(made, Acquire);
                // SAFETY: one that this or the loop below gave up.
                (!others.is_null()).then(|| unsafe { Box::from_raw(others) });
            });
        }
        let handled: extern "C" fn(libc::c_int) = handler;
        // SAFETY: the handler does only what this test is about.
        let target = unsafe {
            libc::signal(libc::SIGUSR1, handled as libc::sighandler_t);
            libc::pthread_self()
        } as usize;
        std::thread::scope(|scope| {
            scope.spawn(move || {
                while !IS_DONE.load(Relaxed) {
                    // SAFETY: the thread waits for this one.
                    unsafe { libc::pthread_kill(target as libc::pthread_t, libc::SIGUSR1) };
                }
            });
            for n in 0_usize..100_000 {
                let made = Box::into_raw(Box::new(vec![n as u8; 20 + n % 2_000]));
                let others = HANDED.swap(made, Release);
                // SAFETY: one that this or the handler gave up.
                let others = (!others.is_null()).then(|| unsafe { Box::from_raw(others) });
                assert!(others.is_none_or(|bytes| bytes.iter().all(|byte| *byte == bytes[0])));
            }
            IS_DONE.store(true, Relaxed);
        });
        assert!(HANDLED.load(Relaxed) > 0);
    }
}
