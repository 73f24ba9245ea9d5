//! One open segment: records appended, repeats counted, strings stored once. Usable from many threads.

use std::io;
use std::path::Path;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::format::{self, CHECKED_FROM, HEAD_BYTES, Identity, Loss, MAX_RECORD_BYTES, at};
use super::map::{Map, Medium, Words, file_size_limit};
use crate::event::Kind;

/// Tables are this many times smaller than the segment in bytes; a record has 80 on average.
const BYTES_PER_SLOT: usize = 64;
/// Slots looked at before a table counts as full. A miss costs a second record, never a wrong one.
const PROBES: usize = 16;

/// A smaller one would hold little more than what every segment starts with.
const MIN_SEGMENT_BYTES: u64 = 4096;

/// Where a record stands in its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u32);

/// What a record's head says besides its length.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    pub kind: Kind,
    pub flags: u16,
    /// Nanoseconds since 1970, UTC.
    pub time: u64,
}

/// Why an append did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The segment is full: the next one takes the record.
    Full,
    /// The record is lost, for this reason.
    Lost(Loss),
}

/// One open segment.
pub struct Segment {
    identity: Identity,
    map: Map,
    /// Pairs of words: key, and offset of the record that counts its repeats.
    repeats: Words,
    /// Offset of a string record in the low half, part of its hash in the high half.
    strings: Words,
}

impl Segment {
    /// Creates the file of `identity` in `spool`.
    ///
    /// # Errors
    /// The file cannot be created or written, or memory for it cannot be had.
    pub fn create(spool: &Path, identity: Identity) -> io::Result<Self> {
        let path = spool.join(identity.file_name());
        Self::create_at(&path, identity, Medium::Mapped)
            .or_else(|_| Self::create_at(&path, identity, Medium::Written))
    }

    /// Creates the file at `path` on a medium of the caller's choice.
    ///
    /// # Errors
    /// As for [`Segment::create`].
    pub fn create_at(path: &Path, mut identity: Identity, medium: Medium) -> io::Result<Self> {
        // Several small segments where a large one is not allowed.
        let allowed = (file_size_limit() & !7).clamp(MIN_SEGMENT_BYTES, format::MAX_SEGMENT_BYTES);
        identity.allocated = identity.allocated.clamp(MIN_SEGMENT_BYTES, allowed);
        let length = identity.allocated as usize;
        let slots = (length / BYTES_PER_SLOT).next_power_of_two();
        let map = Map::create(path, length, &identity.to_bytes(), medium)?;
        let segment =
            Self { identity, map, repeats: Words::zeroed(slots * 2)?, strings: Words::zeroed(slots)? };
        segment.set(at::STATUS, format::STATUS_UNKNOWN);
        Ok(segment)
    }

    /// What the header says.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Stores a record; it is readable when this returns.
    ///
    /// # Errors
    /// The segment is full, or the record is lost.
    pub fn append(&self, head: Head, payload: &[u8]) -> Result<Place, Refusal> {
        let length = HEAD_BYTES + payload.len();
        if length > MAX_RECORD_BYTES || format::padded(length) > self.map.length() - format::HEADER_BYTES {
            return Err(Refusal::Lost(Loss::TooLong));
        }
        let bytes = head_bytes(head, payload);
        let reservation = self.map.reserve(length).ok_or(Refusal::Full)?;
        let offset = reservation.offset();
        reservation.publish(&bytes, payload);
        self.map.commit(offset, length).map_err(|error| Refusal::Lost(loss_of(&error)))?;
        Ok(Place(offset as u32))
    }

    /// Counts one more of the record at `place`. Returns false when its counter is full.
    pub fn repeat(&self, place: Place, time: u64) -> bool {
        let offset = place.0 as usize;
        let (Some(count), Some(last)) =
            (self.map.u32(offset + at::COUNT), self.map.u64(offset + at::LAST_TIME))
        else {
            return false;
        };
        // Far enough from the end that threads which all pass this test cannot wrap the counter.
        if count.load(Relaxed) > u32::MAX - (1 << 16) {
            return false;
        }
        count.fetch_add(1, Relaxed);
        last.fetch_max(time, Relaxed);
        self.map.commit(offset, HEAD_BYTES).is_ok()
    }

    /// The record that counts the repeats of `key`.
    #[must_use]
    pub fn lookup(&self, key: u64) -> Option<Place> {
        let key = key.max(1);
        for step in 0..PROBES {
            let slot = (key as usize).wrapping_add(step).wrapping_mul(2);
            match self.repeats.at(slot).load(Acquire) {
                0 => return None,
                found if found == key => {
                    let offset = self.repeats.at(slot + 1).load(Acquire) as u32;
                    return (offset != 0).then_some(Place(offset));
                }
                _ => {}
            }
        }
        None
    }

    /// Makes the record at `place` count the repeats of `key` from now on.
    pub fn remember(&self, key: u64, place: Place) {
        let key = key.max(1);
        for step in 0..PROBES {
            let slot = (key as usize).wrapping_add(step).wrapping_mul(2);
            let free = self.repeats.at(slot).compare_exchange(0, key, Release, Acquire);
            if free.is_ok() || free == Err(key) {
                self.repeats.at(slot + 1).store(u64::from(place.0), Release);
                return;
            }
        }
    }

    /// The record that holds `text`, stored now if it is new.
    ///
    /// # Errors
    /// As for [`Segment::append`].
    pub fn intern(&self, text: &[u8], hash: u64, time: u64) -> Result<Place, Refusal> {
        let tag = hash & 0xFFFF_FFFF_0000_0000;
        for step in 0..PROBES {
            let slot = self.strings.at((hash as usize).wrapping_add(step));
            let word = slot.load(Acquire);
            if word == 0 {
                let place = self.append(Head { kind: Kind::Text, flags: 0, time }, text)?;
                // Another thread may take the slot first; then this copy of the string is used once.
                let _ = slot.compare_exchange(0, tag | u64::from(place.0), Release, Relaxed);
                return Ok(place);
            }
            let place = Place(word as u32);
            if word & 0xFFFF_FFFF_0000_0000 == tag && self.map.payload(place.0 as usize) == Some(text) {
                return Ok(place);
            }
        }
        self.append(Head { kind: Kind::Text, flags: 0, time }, text)
    }

    /// Writes the process's total of lost records into the header.
    pub fn set_lost(&self, reason: Loss, total: u64) {
        self.set(at::LOST + 8 * reason as usize, total);
    }

    /// Marks the process as ended at `time`; `status` is its exit status where it is known.
    pub fn end(&self, time: u64, status: Option<i32>) {
        if let Some(status) = status {
            self.set(at::STATUS, u64::from(status.cast_unsigned()));
        }
        self.set(at::ENDED, time);
    }

    fn set(&self, offset: usize, value: u64) {
        if let Some(word) = self.map.u64(offset) {
            word.store(value, Release);
            let _ = self.map.commit(offset, 8); // a header that cannot be written is a loss already counted
        }
    }
}

fn head_bytes(head: Head, payload: &[u8]) -> [u8; HEAD_BYTES] {
    let mut bytes = [0; HEAD_BYTES];
    {
        let (_, rest) = bytes.split_at_mut(at::LAST_TIME);
        let (last, rest) = rest.split_at_mut(8);
        last.copy_from_slice(&head.time.to_le_bytes());
        let (count, rest) = rest.split_at_mut(4);
        count.copy_from_slice(&1_u32.to_le_bytes());
        let (kind, rest) = rest.split_at_mut(2);
        kind.copy_from_slice(&(head.kind as u16).to_le_bytes());
        let (flags, time) = rest.split_at_mut(2);
        flags.copy_from_slice(&head.flags.to_le_bytes());
        time.copy_from_slice(&head.time.to_le_bytes());
    }
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(bytes.get(CHECKED_FROM..).unwrap_or_default());
    hasher.update(payload);
    if let Some(checksum) = bytes.get_mut(at::CHECKSUM..at::CHECKSUM + 4) {
        checksum.copy_from_slice(&hasher.finalize().to_le_bytes());
    }
    bytes
}

/// The reason to count for an I/O error on the way to the file.
#[must_use]
pub fn loss_of(error: &io::Error) -> Loss {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Loss::NoSpace
        }
        io::ErrorKind::WriteZero | io::ErrorKind::BrokenPipe => Loss::WriteFailed,
        _ => Loss::SpoolUnavailable,
    }
}
