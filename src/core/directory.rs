//! The current directory of a process, for paths that are relative to it.

use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use foldhash::fast::RandomState;
use parking_lot::{Mutex, MutexGuard};

use crate::process;

/// The current directory, asked for only when it may have changed: `getcwd` costs more than a record.
///
/// The event of a change comes before the change: until the changing thread has something else to record,
/// other threads ask each time.
#[derive(Default)]
pub struct CurrentDirectory {
    changing: AtomicU64,
    cached: Mutex<Option<(Vec<u8>, u64)>>,
}

/// The current directory, with a hash of it.
pub enum Directory<'a> {
    Cached(MutexGuard<'a, Option<(Vec<u8>, u64)>>),
    Fresh(Vec<u8>, u64),
}

impl Directory<'_> {
    /// The path and its hash.
    pub fn parts(&self) -> (&[u8], u64) {
        match self {
            Self::Cached(guard) => guard.as_ref().map_or((&[], 0), |(path, hash)| (path, *hash)),
            Self::Fresh(path, hash) => (path, *hash),
        }
    }
}

impl CurrentDirectory {
    /// Notes that `thread` is about to change it.
    pub fn changes(&self, thread: u64) {
        self.changing.store(thread, Relaxed);
    }

    /// Where the thread `thread` is; `None` where the directory is gone.
    pub fn get(&self, thread: u64, hasher: &RandomState) -> Option<Directory<'_>> {
        let ask = || {
            let path = process::current_directory()?;
            let hash = hasher.hash_one(&path);
            Some((path, hash))
        };
        let changing = self.changing.load(Relaxed);
        let cached = if changing == 0 || changing == thread { self.cached.try_lock() } else { None };
        let Some(mut cached) = cached else {
            let (path, hash) = ask()?;
            return Some(Directory::Fresh(path, hash));
        };
        if changing != 0 {
            self.changing.store(0, Relaxed);
            *cached = None;
        }
        if cached.is_none() {
            *cached = ask();
        }
        Some(Directory::Cached(cached))
    }
}
