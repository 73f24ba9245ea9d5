//! Memory that is had without a lock and without malloc: on any thread, in a signal handler, in a child of a fork.
//!
//! Knows no thread-local state and nothing of who asks.
#![expect(unsafe_code, reason = "raw memory, and the kernel's mappings")]

use std::alloc::Layout;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use rustix::process::{Resource, getrlimit};

/// What a process reserves; only what is used of it takes memory.
const REGION_BITS: u32 = 24;
/// The same where the process is limited in what it may reserve.
const SMALL_REGION_BITS: u32 = 20;
/// A block is a number of these, and named by how many lie before it.
pub const UNIT: usize = 16;
/// Blocks of 16 bytes, 32, and so on to 64 kB.
const CLASSES: usize = 13;
/// What the largest class holds. More is mapped for itself.
const LARGEST: usize = UNIT << (CLASSES - 1);
/// How blocks are aligned, and what asks for more is mapped for itself.
const ALIGNMENT: usize = 64;
/// How such mappings are, of which the pool remembers some.
const PAGE: usize = 4096;
const MAPPINGS: usize = 64;
/// Says that there is no region: one of two bytes where none can be.
const REFUSED: usize = 1;
/// What numbers of blocks need.
const INDEX_BITS: u32 = REGION_BITS - UNIT.ilog2();

/// Memory in one region, by classes of size: free blocks are lists, and fresh ones come from what was never used.
///
/// ```text
/// 0             a quarter                                          the end
/// | links       | blocks, handed out from here on                  |
/// ```
///
/// A list's head is the number of its first block, with how often it changed. A thread that takes a block reads what
/// follows it, and then replaces the head if it is still the same. In between the block may have been taken, used and
/// given back, and another may follow it (ABA); but each change counts, so the head is not the same unless it changed
/// 2^44 times meanwhile: two days of nothing else. What follows a block is not kept in it but in the links, which
/// are never anything else, so a late reader reads an old number and not somebody's text.
pub struct Pool {
    /// Where the region begins, a page's start, with the binary logarithm of its length below that; 0 before the
    /// first use, [`REFUSED`] where there is none.
    region: AtomicUsize,
    /// How many units were handed out as fresh blocks.
    used: AtomicUsize,
    /// By class: the number of the first free block, 0 for none, below the count of changes.
    heads: [AtomicU64; CLASSES],
    /// Where larger memory was mapped.
    mappings: [AtomicUsize; MAPPINGS],
}

/// Where the pool's memory is.
#[derive(Clone, Copy)]
struct Region {
    start: usize,
    bits: u32,
}

impl Region {
    #[inline]
    fn of(word: usize) -> Self {
        Self { start: word & !(PAGE - 1), bits: (word & (PAGE - 1)) as u32 }
    }

    #[inline]
    fn holds(self, address: usize) -> bool {
        address.wrapping_sub(self.start).wrapping_shr(self.bits) == 0
    }

    /// The number of the first block: a quarter is links, four bytes for each sixteen.
    fn first(self) -> usize {
        self.units() / 4
    }

    fn units(self) -> usize {
        1 << self.bits.saturating_sub(UNIT.ilog2())
    }

    fn block(self, index: u32) -> *mut u8 {
        std::ptr::with_exposed_provenance_mut(self.start + index as usize * UNIT)
    }

    fn index_of(self, address: usize) -> u32 {
        ((address - self.start) / UNIT) as u32
    }

    /// Which block follows the one with this number in a list.
    ///
    /// # Safety
    /// `index` is less than the units of a region that is mapped.
    unsafe fn link(self, index: u32) -> &'static AtomicU32 {
        let links: *mut u32 = std::ptr::with_exposed_provenance_mut(self.start);
        // SAFETY: within the region's first quarter, which is never unmapped and never anything but links.
        unsafe { AtomicU32::from_ptr(links.add(index as usize)) }
    }
}

impl Pool {
    /// A pool that reserves its region when it is first asked for memory.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            region: AtomicUsize::new(0),
            used: AtomicUsize::new(0),
            heads: [const { AtomicU64::new(0) }; CLASSES],
            mappings: [const { AtomicUsize::new(0) }; MAPPINGS],
        }
    }

    /// Memory for `layout`; `None` where there is none left.
    pub fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        match class_of(layout) {
            Some(class) => self.block(class),
            None => self.map(layout),
        }
    }

    /// Whether `place`, of `layout`, is the pool's.
    pub fn owns(&self, place: *mut u8, layout: Layout) -> bool {
        self.region().holds(place.addr()) || class_of(layout).is_none() && self.slot(place).is_some()
    }

    /// False for nearly everything that is not the pool's.
    #[inline]
    pub fn may_own(&self, place: *mut u8) -> bool {
        self.region().holds(place.addr()) || place.addr().is_multiple_of(PAGE)
    }

    /// Takes back what [`Pool::take`] gave for `layout`; false where it did not.
    pub fn takes_back(&self, place: *mut u8, layout: Layout) -> bool {
        let region = self.region();
        if region.holds(place.addr()) {
            if let Some(class) = class_of(layout) {
                self.push(region, class, region.index_of(place.addr()));
            }
            return true;
        }
        class_of(layout).is_none() && self.unmap(place, layout)
    }

    /// Whether what was taken for `layout` at `place` does for `wanted` too, and is given back as either.
    pub fn has_room(&self, place: *mut u8, layout: Layout, wanted: Layout) -> bool {
        self.region().holds(place.addr()) && class_of(layout) == class_of(wanted)
    }

    #[inline]
    fn region(&self) -> Region {
        Region::of(self.region.load(Relaxed))
    }

    fn block(&self, class: usize) -> Option<NonNull<u8>> {
        let region = self.reserved()?;
        let index = self.pop(region, class).or_else(|| self.fresh(region, class))?;
        NonNull::new(region.block(index))
    }

    fn pop(&self, region: Region, class: usize) -> Option<u32> {
        let head = self.heads.get(class)?;
        let mut seen = head.load(Acquire);
        loop {
            let (index, changes) = parts(seen);
            if index == 0 {
                return None;
            }
            // SAFETY: lists hold numbers of blocks in the region.
            let next = unsafe { region.link(index) }.load(Relaxed);
            match head.compare_exchange_weak(seen, joined(next, changes + 1), Acquire, Acquire) {
                Ok(_) => return Some(index),
                Err(now) => seen = now,
            }
        }
    }

    fn push(&self, region: Region, class: usize, index: u32) {
        let Some(head) = self.heads.get(class) else { return };
        let mut seen = head.load(Relaxed);
        loop {
            let (next, changes) = parts(seen);
            // SAFETY: the number of a block in the region.
            unsafe { region.link(index) }.store(next, Relaxed);
            // Release: whoever takes the block sees the link, and finds all that was done in the block done.
            match head.compare_exchange_weak(seen, joined(index, changes + 1), AcqRel, Relaxed) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// A block that was never used. What lies before it for its alignment's sake is lost.
    fn fresh(&self, region: Region, class: usize) -> Option<u32> {
        let units = 1_usize << class;
        let starts_at = |used: usize| used.next_multiple_of(units.min(ALIGNMENT / UNIT));
        let room = region.units() - region.first();
        let end_of = |used| Some(starts_at(used) + units).filter(|end| *end <= room);
        let used = self.used.fetch_update(Relaxed, Relaxed, end_of).ok()?;
        Some((region.first() + starts_at(used)) as u32)
    }

    /// The region, which is reserved now if it was not; `None` where the kernel refuses.
    fn reserved(&self) -> Option<Region> {
        match self.region.load(Acquire) {
            0 => self.reserve(),
            REFUSED => None,
            known => Some(Region::of(known)),
        }
    }

    #[cold]
    fn reserve(&self) -> Option<Region> {
        let bits = if is_limited() { SMALL_REGION_BITS } else { REGION_BITS };
        let made = mapped(1 << bits);
        if let Some(start) = made {
            leave_pages_small(start, 1 << bits);
        }
        let word = made.map_or(REFUSED, |start| start | bits as usize);
        let known = match self.region.compare_exchange(0, word, AcqRel, Acquire) {
            Ok(_) => word,
            Err(others) => {
                made.inspect(|start| unmapped(*start, 1 << bits));
                others
            }
        };
        (known != REFUSED).then(|| Region::of(known))
    }

    fn map(&self, layout: Layout) -> Option<NonNull<u8>> {
        if layout.align() > PAGE {
            return None;
        }
        let length = mapping_length(layout)?;
        let start = mapped(length)?;
        let is_free = |slot: &&AtomicUsize| slot.compare_exchange(0, start, Relaxed, Relaxed).is_ok();
        if self.mappings.iter().any(|slot| is_free(&slot)) {
            return NonNull::new(std::ptr::with_exposed_provenance_mut(start));
        }
        unmapped(start, length);
        None
    }

    fn slot(&self, place: *mut u8) -> Option<&AtomicUsize> {
        self.mappings.iter().find(|slot| slot.load(Relaxed) == place.addr())
    }

    fn unmap(&self, place: *mut u8, layout: Layout) -> bool {
        let (Some(slot), Some(length)) = (self.slot(place), mapping_length(layout)) else { return false };
        slot.store(0, Relaxed); // first, as the kernel may map there again at once
        unmapped(place.addr(), length);
        true
    }
}

/// Which list blocks for `layout` are in; `None` for what is mapped for itself.
#[inline]
fn class_of(layout: Layout) -> Option<usize> {
    if layout.size() > LARGEST || layout.align() > ALIGNMENT {
        return None;
    }
    let units = layout.size().max(layout.align()).max(UNIT).next_power_of_two() / UNIT;
    Some(units.ilog2() as usize)
}

fn parts(head: u64) -> (u32, u64) {
    ((head & ((1 << INDEX_BITS) - 1)) as u32, head >> INDEX_BITS)
}

/// The count of changes begins anew at its end, as its highest bits are shifted out.
fn joined(index: u32, changes: u64) -> u64 {
    u64::from(index) | changes << INDEX_BITS
}

fn mapping_length(layout: Layout) -> Option<usize> {
    layout.size().checked_next_multiple_of(PAGE)
}

/// Whether addresses that are only reserved would be missed elsewhere.
fn is_limited() -> bool {
    getrlimit(Resource::As).current.is_some()
}

/// Where `length` fresh bytes are.
fn mapped(length: usize) -> Option<usize> {
    let access = ProtFlags::READ | ProtFlags::WRITE;
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
    // SAFETY: a new mapping, at an address of the kernel's choice.
    let start = unsafe { mmap_anonymous(null_mut(), length, access, flags) }.ok()?;
    Some(start.expose_provenance())
}

fn unmapped(start: usize, length: usize) {
    // SAFETY: what `mapped` gave, whole, which nobody uses. It cannot fail then.
    let _ = unsafe { munmap(std::ptr::with_exposed_provenance_mut(start), length) };
}

/// Says that a first block is not worth a page of two megabytes.
fn leave_pages_small(start: usize, length: usize) {
    #[cfg(target_os = "linux")]
    // SAFETY: what `mapped` gave. What is in it stays the same; a kernel that refuses has no such pages.
    let _ = unsafe {
        let start = std::ptr::with_exposed_provenance_mut(start);
        rustix::mm::madvise(start, length, rustix::mm::Advice::LinuxNoHugepage)
    };
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use super::*;

    /// Blocks that a test shares between threads, signal handlers and processes.
    struct Shared {
        pool: Pool,
        slots: [AtomicUsize; 64],
        random: AtomicU64,
    }

    impl Shared {
        const fn new() -> Self {
            let slots = [const { AtomicUsize::new(0) }; 64];
            Self { pool: Pool::new(), slots, random: AtomicU64::new(1) }
        }

        /// Puts a new block in the place of an older one, which another may have made, looks whether that is as it
        /// was made, and gives it back. Allocates nothing else, and waits for nothing.
        fn step(&self) {
            let random = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Relaxed);
            let random = (random ^ random >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let most = if random.is_multiple_of(512) { 100_000 } else { 600 };
            let size = 16 + (random >> 20) as usize % most;
            let Some(new) = self.pool.take(of(size)) else { return };
            // SAFETY: `size` bytes that are this call's.
            unsafe {
                new.write_bytes((random >> 48) as u8, size);
                new.cast::<usize>().write(size);
            }
            let slot = &self.slots[(random >> 12) as usize % self.slots.len()];
            self.give_back(slot.swap(new.as_ptr().expose_provenance(), AcqRel));
        }

        fn give_back(&self, address: usize) {
            if address == 0 {
                return;
            }
            let place: *mut u8 = std::ptr::with_exposed_provenance_mut(address);
            // SAFETY: `step` made it, and whoever has it from a slot has it alone.
            let bytes = unsafe { std::slice::from_raw_parts(place, place.cast::<usize>().read()) };
            let is_intact = bytes[8..].iter().all(|byte| *byte == bytes[8]);
            assert!(is_intact && self.pool.takes_back(place, of(bytes.len())));
        }

        /// Gives all back, and says how much of the pool was ever used.
        fn emptied(&self) -> usize {
            self.slots.iter().for_each(|slot| self.give_back(slot.swap(0, AcqRel)));
            assert!(self.pool.mappings.iter().all(|slot| slot.load(Relaxed) == 0));
            self.pool.used.load(Relaxed) * UNIT
        }
    }

    fn of(size: usize) -> Layout {
        Layout::from_size_align(size, 8).unwrap()
    }

    /// Runs `act` in a forked child, which may use nothing but the pool; whether it returned true.
    fn in_child(act: impl FnOnce() -> bool) -> bool {
        // SAFETY: the child does nothing that another thread could have locked, and ends here.
        unsafe {
            let child = libc::fork();
            if child == 0 {
                libc::alarm(60); // a hang is a failure
                let succeeds = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
                libc::_exit(i32::from(!succeeds.unwrap_or(false)));
            }
            let mut status = -1;
            libc::waitpid(child, &raw mut status, 0) == child && status == 0
        }
    }

    #[test]
    fn blocks_are_aligned_apart_and_used_again() {
        let pool = Pool::new();
        for (size, align) in
            [(1, 1), (16, 16), (17, 8), (40, 64), (64, 64), (65_536, 16), (65_537, 1), (8, 4096)]
        {
            let layout = Layout::from_size_align(size, align).unwrap();
            let (first, second) = (pool.take(layout).unwrap(), pool.take(layout).unwrap());
            assert!(first.addr().get().is_multiple_of(align) && second.addr().get().is_multiple_of(align));
            assert!(first.addr().get().abs_diff(second.addr().get()) >= size);
            assert!(pool.owns(first.as_ptr(), layout) && pool.takes_back(first.as_ptr(), layout));
            if class_of(layout).is_some() {
                assert_eq!(pool.take(layout), Some(first));
            }
        }
        let other = Box::new([0_u8; 100_000]);
        assert!(!pool.takes_back(std::ptr::from_ref(&*other).cast_mut().cast(), Layout::for_value(&*other)));
    }

    #[test]
    fn an_exhausted_pool_says_so_and_recovers() {
        let pool = Pool::new();
        let taken: Vec<_> = std::iter::from_fn(|| pool.take(of(LARGEST))).collect();
        assert_eq!(taken.len(), (3 << REGION_BITS >> 2) / LARGEST);
        assert_eq!(pool.take(of(16)), None);
        assert!(pool.takes_back(taken[7].as_ptr(), of(LARGEST)));
        assert_eq!(pool.take(of(LARGEST)), Some(taken[7]));
        let mapped: Vec<_> = std::iter::from_fn(|| pool.take(of(LARGEST + 1))).collect();
        assert_eq!(mapped.len(), MAPPINGS);
        assert!(mapped.iter().all(|place| pool.takes_back(place.as_ptr(), of(LARGEST + 1))));
    }

    #[test]
    fn a_limited_process_keeps_its_address_space() {
        let limited = |bytes: u64| {
            let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
            // SAFETY: a system call that reads the struct.
            unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) };
            Pool::new()
        };
        assert!(in_child(|| {
            let pool = limited(1 << 46);
            pool.take(of(100)).is_some() && pool.region().bits == SMALL_REGION_BITS
        }));
        assert!(in_child(|| {
            let pool = limited(0);
            pool.take(of(100)).is_none()
                && pool.take(of(100_000)).is_none()
                && !pool.takes_back((&raw const pool).cast_mut().cast(), of(100))
        }));
    }

    #[test]
    fn threads_free_what_others_took() {
        static SHARED: Shared = Shared::new();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..100_000).for_each(|_| SHARED.step()));
            }
        });
        // Far more went through it.
        assert!(SHARED.emptied() < 8 << 20);
    }

    #[test]
    fn a_signal_handler_may_interrupt_anything() {
        static SHARED: Shared = Shared::new();
        static IS_DONE: AtomicBool = AtomicBool::new(false);
        extern "C" fn handler(_: libc::c_int) {
            SHARED.step();
        }
        let handled: extern "C" fn(libc::c_int) = handler;
        // SAFETY: the handler does only what this test is about.
        let target = unsafe {
            libc::signal(libc::SIGUSR2, handled as libc::sighandler_t);
            libc::pthread_self()
        } as usize;
        thread::scope(|scope| {
            scope.spawn(move || {
                while !IS_DONE.load(Relaxed) {
                    // SAFETY: the thread waits for this one.
                    unsafe { libc::pthread_kill(target as libc::pthread_t, libc::SIGUSR2) };
                }
            });
            (0..300_000).for_each(|_| SHARED.step());
            IS_DONE.store(true, Relaxed);
        });
        assert!(SHARED.emptied() < 8 << 20);
    }

    #[test]
    fn a_forked_child_goes_on_with_what_it_inherits() {
        static SHARED: Shared = Shared::new();
        static IS_DONE: AtomicBool = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !IS_DONE.load(Relaxed) {
                        SHARED.step();
                    }
                });
            }
            let children = (0..200).filter(|_| {
                in_child(|| {
                    (0..2_000).for_each(|_| SHARED.step());
                    true
                })
            });
            let intact = children.count();
            IS_DONE.store(true, Relaxed);
            assert_eq!(intact, 200);
        });
    }
}
