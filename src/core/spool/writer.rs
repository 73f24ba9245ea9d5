//! One process's way into the spool: the current segment, the next one when it is full, losses counted.
//!
//! Everything happens inline on the thread that has something to record. After a fork the child makes a
//! writer of its own and forgets this one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64};

use parking_lot::RwLock;
use uuid::Uuid;

use super::format::{FIRST_SEGMENT_BYTES, FULL_SEGMENT_BYTES, Identity, Loss};
use super::segment::{Head, Place, Refusal, Segment, loss_of};
use super::swap::{Guard, Swap};
use super::users;
use crate::event::Kind;

/// Nanoseconds between two tries to open a segment where the last one failed.
const RETRY_NS: u64 = 1_000_000_000;
/// How often a thread yields to another that is opening the next segment, before it gives up.
const PATIENCE: usize = 2_000;

/// One process's way into the spool.
pub struct Writer {
    spool: PathBuf,
    process: Uuid,
    pid: u32,
    /// Records that every segment starts with, so that it can be read alone.
    preamble: RwLock<Vec<(Kind, Vec<u8>)>>,
    current: Swap<Segment>,
    opening: AtomicBool,
    next_number: AtomicU32,
    retry_at: AtomicU64,
    /// Why there is none until then, as its slot.
    refused: AtomicU8,
    lost: [AtomicU64; Loss::ALL.len()],
    first_bytes: u64,
    users: Option<Users>,
}

/// A spool of many users, in which this process writes to its user's directory.
pub struct Users {
    /// The directory that holds the users' own.
    pub top: PathBuf,
    /// Bytes that stay free on its disk.
    pub reserve: u64,
    /// The process record once the process goes on as the user with this number.
    pub describe: Box<dyn Fn(u32) -> Vec<u8> + Send + Sync>,
}

impl Writer {
    /// A writer for `process`; nothing is created before the first record.
    ///
    /// `description` is the payload of the process record that every segment starts with.
    #[must_use]
    pub fn new(spool: PathBuf, process: Uuid, pid: u32, description: Vec<u8>) -> Self {
        Self {
            spool,
            process,
            pid,
            preamble: RwLock::new(vec![(Kind::Process, description)]),
            current: Swap::default(),
            opening: AtomicBool::new(false),
            next_number: AtomicU32::new(0),
            retry_at: AtomicU64::new(0),
            refused: AtomicU8::new(Loss::SpoolUnavailable as u8),
            lost: Default::default(),
            first_bytes: FIRST_SEGMENT_BYTES,
            users: None,
        }
    }

    /// The same writer in a spool of many users.
    #[must_use]
    pub fn for_users(mut self, users: Users) -> Self {
        self.users = Some(users);
        self
    }

    /// The same writer with a first segment of `bytes`.
    #[must_use]
    pub fn with_first_segment(mut self, bytes: u64) -> Self {
        self.first_bytes = bytes;
        self
    }

    /// The directory it writes to.
    #[must_use]
    pub fn spool(&self) -> &Path {
        &self.spool
    }

    /// The process it writes for.
    #[must_use]
    pub fn process(&self) -> Uuid {
        self.process
    }

    /// The segment that is open, if one is. Cheap: for counting a repeat before anything else is done.
    pub fn current(&self) -> Option<Guard<'_, Segment>> {
        self.current.get()
    }

    /// Opens the first segment if none is open.
    ///
    /// # Errors
    /// Why none could be made.
    pub fn open(&self, time: u64) -> Result<(), Loss> {
        if self.current.get().is_some() { Ok(()) } else { self.advance(None, time) }
    }

    /// Calls `write` with the open segment, and again with the next one where that was full.
    /// What cannot be stored is counted and gives `None`.
    pub fn with_segment<T>(
        &self,
        time: u64,
        mut write: impl FnMut(&Segment) -> Result<T, Refusal>,
    ) -> Option<T> {
        // Two more than needed for "none is open, and the one that another thread opened filled up".
        for _ in 0..4 {
            let full = match self.current.get() {
                None => None,
                Some(segment) => match write(&segment) {
                    Ok(done) => return Some(done),
                    Err(Refusal::Lost(reason)) => {
                        self.count_loss(reason);
                        return None;
                    }
                    Err(Refusal::Full) => Some(segment.identity().number),
                },
            };
            if let Err(reason) = self.advance(full, time) {
                self.count_loss(reason);
                return None;
            }
        }
        self.count_loss(Loss::Busy);
        None
    }

    /// Stores one record; what cannot be stored is counted.
    pub fn append(&self, head: Head, payload: &[u8]) -> Option<Place> {
        self.with_segment(head.time, |segment| segment.append(head, payload))
    }

    /// Stores a record now, and again at the start of every later segment.
    pub fn append_to_each(&self, head: Head, payload: Vec<u8>) {
        self.append(head, &payload);
        // try_write: this runs when a process starts, where no other thread opens segments; and a lock that
        // could wait has no place in a watched program.
        if let Some(mut preamble) = self.preamble.try_write() {
            preamble.push((head.kind, payload));
        }
    }

    /// Counts a record that could not be stored, and says so in the open segment.
    pub fn count_loss(&self, reason: Loss) {
        if let Some(counter) = self.lost.get(reason as usize) {
            let total = counter.fetch_add(1, Relaxed) + 1;
            if let Some(segment) = self.current.get() {
                segment.set_lost(reason, total);
            }
        }
    }

    /// How many records were lost for `reason`.
    #[must_use]
    pub fn lost(&self, reason: Loss) -> u64 {
        self.lost.get(reason as usize).map_or(0, |counter| counter.load(Relaxed))
    }

    /// Marks the process as ended, where a segment is open.
    pub fn end(&self, time: u64, status: Option<i32>) {
        if let Some(segment) = self.current.get() {
            segment.end(time, status);
        }
    }

    /// Opens the segment after number `full` (or the first), unless another thread has done so.
    fn advance(&self, full: Option<u32>, time: u64) -> Result<(), Loss> {
        if self.opening.compare_exchange(false, true, Acquire, Relaxed).is_err() {
            return self.wait_for_other(full);
        }
        let result = if self.current_number() == full { self.open_next(time) } else { Ok(()) };
        self.opening.store(false, Release);
        result
    }

    fn wait_for_other(&self, full: Option<u32>) -> Result<(), Loss> {
        for _ in 0..PATIENCE {
            std::thread::yield_now();
            if self.current_number() != full || !self.opening.load(Acquire) {
                return Ok(());
            }
        }
        Err(Loss::Busy)
    }

    fn current_number(&self) -> Option<u32> {
        self.current.get().map(|segment| segment.identity().number)
    }

    fn open_next(&self, time: u64) -> Result<(), Loss> {
        if time < self.retry_at.load(Relaxed) {
            let refused = usize::from(self.refused.load(Relaxed));
            return Err(Loss::ALL.get(refused).copied().unwrap_or(Loss::SpoolUnavailable));
        }
        let made = self.create_segment(time).map_err(|error| loss_of(&error));
        if let Err(reason) = made {
            self.refused.store(reason as u8, Relaxed);
            self.retry_at.store(time.saturating_add(RETRY_NS), Relaxed);
        }
        self.current.replace(made?).map_err(|_| Loss::Busy)
    }

    fn create_segment(&self, time: u64) -> io::Result<Segment> {
        let number = self.next_number.load(Relaxed);
        let allocated = self.first_bytes.checked_shl(number.min(16)).unwrap_or(u64::MAX);
        let identity = Identity {
            process: self.process,
            number,
            pid: self.pid,
            created: time,
            allocated: allocated.clamp(self.first_bytes, FULL_SEGMENT_BYTES.max(self.first_bytes)),
        };
        let (segment, description) = self.create_for_user(identity)?;
        self.next_number.store(number + 1, Relaxed);
        // The first records of a fresh segment fit, or the writer's own loss counter says not.
        let append = |kind, payload: &[u8]| segment.append(Head { kind, flags: 0, time }, payload);
        if let Some(preamble) = self.preamble.try_read() {
            for (kind, payload) in preamble.iter() {
                let changed = description.as_ref().filter(|_| *kind == Kind::Process);
                let _ = append(*kind, changed.unwrap_or(payload));
            }
        }
        if let Some(before) = self.current.get() {
            let _ = append(Kind::Previous, &before.link().to_bytes());
        }
        for reason in Loss::ALL {
            match self.lost(reason) {
                0 => {}
                total => segment.set_lost(reason, total),
            }
        }
        Ok(segment)
    }

    /// Creates the file of `identity`. Where the process may no longer write to its directory, as it goes on as another
    /// user, it is in that user's; then with the process record that is to be in it.
    fn create_for_user(&self, identity: Identity) -> io::Result<(Segment, Option<Vec<u8>>)> {
        let Some(users) = &self.users else { return Ok((Segment::create(&self.spool, identity)?, None)) };
        if free_bytes(&users.top).is_some_and(|free| free < users.reserve) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        match Segment::create(&self.spool, identity) {
            Err(error)
                if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound) =>
            {
                let segment = Segment::create(&users::directory(&users.top), identity)?;
                Ok((segment, Some((users.describe)(rustix::process::geteuid().as_raw()))))
            }
            made => Ok((made?, None)),
        }
    }
}

/// Bytes that an ordinary user may still take of the disk that `directory` is on.
fn free_bytes(directory: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(directory).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}
