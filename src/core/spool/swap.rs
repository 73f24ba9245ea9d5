//! One current value that is replaced while others use it, without a lock that a fork could leave held.
//!
//! Readers count themselves in and out of the value's slot; a replaced value is dropped by whoever sees
//! its slot empty. A reader that counts itself into a slot which is no longer current steps back without
//! touching the value, so a slot may be filled again while such a reader passes by.
#![expect(unsafe_code, reason = "a value is shared without a lock")]

use std::cell::UnsafeCell;
use std::ops::Deref;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::SeqCst};

const SLOTS: usize = 8;
const NONE: usize = usize::MAX;

const FREE: u8 = 0;
const LIVE: u8 = 1;
const RETIRED: u8 = 2;
const BUSY: u8 = 3;

struct Slot<T> {
    users: AtomicUsize,
    state: AtomicU8,
    value: UnsafeCell<Option<T>>,
}

/// The current value, if there is one.
pub struct Swap<T> {
    slots: [Slot<T>; SLOTS],
    current: AtomicUsize,
}

// SAFETY: a `T` is handed to other threads only by shared reference, and dropped by one thread.
unsafe impl<T: Send + Sync> Sync for Swap<T> {}

impl<T> Default for Swap<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Swap<T> {
    /// Without a value.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            slots: [const {
                Slot { users: AtomicUsize::new(0), state: AtomicU8::new(FREE), value: UnsafeCell::new(None) }
            }; SLOTS],
            current: AtomicUsize::new(NONE),
        }
    }

    /// The current value, kept alive by what is returned.
    pub fn get(&self) -> Option<Guard<'_, T>> {
        loop {
            let index = self.current.load(SeqCst);
            let slot = self.slots.get(index)?;
            slot.users.fetch_add(1, SeqCst);
            if self.current.load(SeqCst) == index {
                return Some(Guard { slot });
            }
            slot.leave();
        }
    }

    /// Makes `value` the current one. Gives it back when every slot is still in use.
    ///
    /// # Errors
    /// The value, unchanged.
    pub fn replace(&self, value: T) -> Result<(), T> {
        for slot in &self.slots {
            slot.reclaim();
        }
        let free = self
            .slots
            .iter()
            .position(|slot| slot.state.compare_exchange(FREE, BUSY, SeqCst, SeqCst).is_ok());
        let Some((index, slot)) = free.and_then(|index| Some((index, self.slots.get(index)?))) else {
            return Err(value);
        };
        // SAFETY: the exchange from FREE to BUSY made this thread the slot's only owner: others read the
        // value only while the slot is current, which it is not yet.
        unsafe { *slot.value.get() = Some(value) };
        slot.state.store(LIVE, SeqCst);
        let before = self.current.swap(index, SeqCst);
        if let Some(old) = self.slots.get(before) {
            old.state.store(RETIRED, SeqCst);
            old.reclaim();
        }
        Ok(())
    }
}

impl<T> Slot<T> {
    fn leave(&self) {
        if self.users.fetch_sub(1, SeqCst) == 1 && self.state.load(SeqCst) == RETIRED {
            self.reclaim();
        }
    }

    /// Drops the value if it was replaced and nobody uses it. Whoever loses a race leaves it to the next.
    fn reclaim(&self) {
        if self.state.compare_exchange(RETIRED, BUSY, SeqCst, SeqCst).is_err() {
            return;
        }
        if self.users.load(SeqCst) != 0 {
            self.state.store(RETIRED, SeqCst);
            return;
        }
        // SAFETY: the slot is not current, so no new user takes the value; it had no user; and only the
        // thread that made the exchange to BUSY gets here.
        unsafe { *self.value.get() = None };
        self.state.store(FREE, SeqCst);
    }
}

/// The value, which lives at least as long as this.
#[must_use]
pub struct Guard<'a, T> {
    slot: &'a Slot<T>,
}

impl<T> Guard<'_, T> {
    fn value(&self) -> Option<&T> {
        // SAFETY: this guard is counted in `users` since before the slot stopped being current, so
        // `reclaim` does not touch the value; nobody else writes it.
        unsafe { (*self.slot.value.get()).as_ref() }
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self.value() {
            Some(value) => value,
            None => unreachable!("a slot that was current holds a value until its last user left"),
        }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.slot.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    struct Counted(Arc<AtomicUsize>, usize, usize);

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    #[test]
    fn a_replaced_value_lives_until_its_last_user_left() {
        let dropped = Arc::new(AtomicUsize::new(0));
        let swap = Swap::default();
        assert!(swap.get().is_none());
        assert!(swap.replace(Counted(Arc::clone(&dropped), 1, 1)).is_ok());
        let guard = swap.get().unwrap();
        assert!(swap.replace(Counted(Arc::clone(&dropped), 2, 2)).is_ok());
        assert_eq!((guard.1, dropped.load(SeqCst)), (1, 0));
        drop(guard);
        assert_eq!((swap.get().unwrap().1, dropped.load(SeqCst)), (2, 1));
    }

    #[test]
    fn threads_see_whole_values_while_they_are_replaced() {
        let dropped = Arc::new(AtomicUsize::new(0));
        let swap = Swap::default();
        assert!(swap.replace(Counted(Arc::clone(&dropped), 0, 0)).is_ok());
        let replaced = std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        let value = swap.get().unwrap();
                        assert_eq!(value.1, value.2);
                    }
                });
            }
            (1..5_000).filter(|n| swap.replace(Counted(Arc::clone(&dropped), *n, *n)).is_ok()).count()
        });
        assert!(replaced > 0);
        drop(swap);
        assert!(dropped.load(SeqCst) > replaced, "every value that was taken is dropped");
    }
}
