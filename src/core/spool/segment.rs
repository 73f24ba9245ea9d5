//! One open segment: records appended, repeats counted, strings stored once. Usable from many threads.

use std::io;
use std::path::Path;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::chain::{self, Link};
use super::format::{self, CHECKED_FROM, HEAD_BYTES, Identity, Loss, MAX_RECORD_BYTES, at, tally};
use super::map::{Map, Medium, Words, file_size_limit};
use crate::event::Kind;

/// Bytes of segment for one slot of the table of repeats: half of what the shortest records take, so that
/// the table of a full segment is half empty and nearly every look-up ends at its first slot.
const BYTES_PER_REPEAT: usize = 32;
/// The same for the table of strings, which are fewer.
const BYTES_PER_STRING: usize = 128;
/// Slots looked at before the table of strings counts as full. A miss costs the text once more.
const STRING_PROBES: usize = 16;
/// The same for repeats, where a miss costs a second record of the same operation. A look-up ends at the first
/// free slot, after two or three; in a half full table runs of 16 happen, and of 128 do not.
const REPEAT_PROBES: usize = 128;

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

/// What became of an operation, or of a part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Operations that reached the system.
    pub reached: u32,
    /// Why the one that reached it failed; 0 where none did.
    pub errno: u32,
    /// Bytes written or sent.
    pub bytes_out: u64,
    /// Bytes read or received.
    pub bytes_in: u64,
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
    /// Part of a key, and in the low bits where the record stands that counts its repeats; see [`entry`].
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
        let map = Map::create(path, length, &identity.to_bytes(), medium)?;
        let repeats = Words::zeroed(length / BYTES_PER_REPEAT)?;
        let strings = Words::zeroed(length / BYTES_PER_STRING)?;
        let segment = Self { identity, map, repeats, strings };
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
        let mut record = Vec::with_capacity(HEAD_BYTES + payload.len());
        record.extend_from_slice(&[0; HEAD_BYTES]);
        record.extend_from_slice(payload);
        self.append_framed(head, &mut record)
    }

    /// The same for a payload that stands behind room for its head.
    ///
    /// # Errors
    /// As for [`Segment::append`].
    pub fn append_framed(&self, head: Head, record: &mut [u8]) -> Result<Place, Refusal> {
        let length = record.len();
        let space = format::space(length, head.flags);
        if length > MAX_RECORD_BYTES || space > self.map.length() - format::HEADER_BYTES {
            return Err(Refusal::Lost(Loss::TooLong));
        }
        write_head(head, record);
        let reservation = self.map.reserve(length, space).ok_or(Refusal::Full)?;
        let offset = reservation.offset();
        reservation.publish(record);
        self.map.commit(offset, space).map_err(|error| Refusal::Lost(loss_of(&error)))?;
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

    /// Adds to the tally behind the record at `place`, if it has one.
    pub fn tally(&self, place: Place, change: &Change) {
        let Some(at) = self.tally_of(place) else { return };
        let add = |offset: usize, number: u32| {
            if number > 0
                && let Some(counter) = self.map.u32(at + offset)
            {
                counter.fetch_add(number, Relaxed);
            }
        };
        add(tally::REACHED, change.reached);
        add(tally::FAILED, u32::from(change.errno != 0));
        if change.errno != 0
            && let Some(errno) = self.map.u32(at + tally::ERRNO)
        {
            errno.store(change.errno, Relaxed);
        }
        for (offset, bytes) in [(tally::BYTES_OUT, change.bytes_out), (tally::BYTES_IN, change.bytes_in)] {
            if bytes > 0
                && let Some(counter) = self.map.u64(at + offset)
            {
                counter.fetch_add(bytes, Relaxed);
            }
        }
        let _ = self.map.commit(at, format::TALLY_BYTES); // what the disk has no room for was counted before
    }

    /// Where the tally of the record at `place` stands.
    fn tally_of(&self, place: Place) -> Option<usize> {
        let offset = place.0 as usize;
        let length = self.map.u32(offset + at::LENGTH)?.load(Acquire) as usize;
        let flags = self.map.u32(offset + at::KIND)?.load(Relaxed) >> 16;
        let is_tallied = flags & u32::from(format::TALLIED) != 0 && length <= MAX_RECORD_BYTES;
        is_tallied.then(|| offset + format::padded(length))
    }

    /// What the next segment says of this one.
    #[must_use]
    pub fn link(&self) -> Link {
        let mut end = format::HEADER_BYTES;
        let digest = chain::digest(std::iter::from_fn(|| {
            let offset = end;
            let length = self.map.u32(offset + at::LENGTH)?.load(Acquire) as usize;
            if !(HEAD_BYTES..=MAX_RECORD_BYTES).contains(&length) {
                return None; // the end, or one that another thread is still writing
            }
            let flags = (self.map.u32(offset + at::KIND)?.load(Relaxed) >> 16) as u16;
            let checksum = self.map.u32(offset + at::CHECKSUM)?.load(Relaxed);
            end += format::space(length, flags);
            Some((offset as u32, checksum))
        }));
        Link { number: self.identity.number, end: end as u32, digest }
    }

    /// The record that counts the repeats of `key`.
    #[must_use]
    pub fn lookup(&self, key: u64) -> Option<Place> {
        for step in 0..REPEAT_PROBES {
            match self.repeats.at((key as usize).wrapping_add(step)).load(Acquire) {
                0 => return None,
                found if found & TAG == key & TAG => return Some(place_of(found)),
                _ => {}
            }
        }
        None
    }

    /// Makes the record at `place` count the repeats of `key` from now on.
    pub fn remember(&self, key: u64, place: Place) {
        let entry = entry(key, place);
        for step in 0..REPEAT_PROBES {
            let slot = self.repeats.at((key as usize).wrapping_add(step));
            match slot.compare_exchange(0, entry, Release, Relaxed) {
                Ok(_) => return,
                Err(found) if found & TAG == key & TAG => return slot.store(entry, Release),
                Err(_) => {}
            }
        }
    }

    /// The record that holds `text`, stored now if it is new.
    ///
    /// # Errors
    /// As for [`Segment::append`].
    pub fn intern(&self, text: &[u8], hash: u64, time: u64) -> Result<Place, Refusal> {
        self.intern_as(Kind::Text, text, hash, time)
    }

    /// The record of `kind` that holds `payload`, stored now if it is new. `hash` is of kind and payload.
    ///
    /// # Errors
    /// As for [`Segment::append`].
    pub fn intern_as(&self, kind: Kind, payload: &[u8], hash: u64, time: u64) -> Result<Place, Refusal> {
        let head = Head { kind, flags: 0, time };
        let tag = hash & 0xFFFF_FFFF_0000_0000;
        for step in 0..STRING_PROBES {
            let slot = self.strings.at((hash as usize).wrapping_add(step));
            let word = slot.load(Acquire);
            if word == 0 {
                let place = self.append(head, payload)?;
                // Another thread may take the slot first; then this copy is used once.
                let _ = slot.compare_exchange(0, tag | u64::from(place.0), Release, Relaxed);
                return Ok(place);
            }
            let place = Place(word as u32);
            if word & 0xFFFF_FFFF_0000_0000 == tag && self.map.payload(place.0 as usize) == Some(payload) {
                return Ok(place);
            }
        }
        self.append(head, payload)
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

/// A key and the place of its record in one word. A place is a multiple of 8 below 64 MB: 23 bits. Of the key,
/// 41 bits stand here and ten or more in where the slot is; two operations that agree in all of them would
/// be counted as one, which is expected once in some 10^11 records.
const PLACE_BITS: u32 = 23;
const TAG: u64 = u64::MAX << PLACE_BITS;
const _: () = assert!(format::MAX_SEGMENT_BYTES / 8 <= 1 << PLACE_BITS);

fn entry(key: u64, place: Place) -> u64 {
    key & TAG | u64::from(place.0 >> 3)
}

fn place_of(entry: u64) -> Place {
    Place(((entry & !TAG) as u32) << 3)
}

/// Fills in the head at the start of `record`, all but the length, which publishing stores.
fn write_head(head: Head, record: &mut [u8]) {
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(place) = record.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    };
    put(at::LAST_TIME, &head.time.to_le_bytes());
    put(at::COUNT, &1_u32.to_le_bytes());
    put(at::KIND, &(head.kind as u16).to_le_bytes());
    put(at::FLAGS, &head.flags.to_le_bytes());
    put(at::TIME, &head.time.to_le_bytes());
    let checksum = crc32fast::hash(record.get(CHECKED_FROM..).unwrap_or_default());
    if let Some(place) = record.get_mut(at::CHECKSUM..at::CHECKSUM + 4) {
        place.copy_from_slice(&checksum.to_le_bytes());
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::BuildHasher as _;
    use uuid::Uuid;

    fn segment(folder: &Path, allocated: u64) -> Segment {
        let identity = Identity { process: Uuid::nil(), number: 0, pid: 1, created: 1, allocated };
        Segment::create(folder, identity).unwrap()
    }

    #[test]
    fn a_full_segment_of_the_shortest_records_knows_them_all() {
        let folder = tempfile::tempdir().unwrap();
        let segment = segment(folder.path(), format::FULL_SEGMENT_BYTES);
        let head = Head { kind: Kind::Open, flags: 0, time: 1 };
        // Scattered as hashes are, with the runs of taken slots that evenly spread keys would not have.
        let keys = (1_u64..).map(|number| foldhash::quality::FixedState::with_seed(7).hash_one(number));
        let mut stored = Vec::new();
        for key in keys {
            assert_eq!(segment.lookup(key), None);
            let Ok(place) = segment.append(head, &[0; 32]) else { break };
            segment.remember(key, place);
            stored.push((key, place));
        }
        assert!(stored.len() > 16_000);
        let known = stored.iter().filter(|(key, place)| segment.lookup(*key) == Some(*place)).count();
        assert_eq!(known, stored.len());
    }

    #[test]
    fn a_key_remembered_again_counts_at_the_newer_record() {
        let folder = tempfile::tempdir().unwrap();
        let segment = segment(folder.path(), 4096);
        segment.remember(u64::MAX, Place(256));
        segment.remember(u64::MAX, Place(512));
        assert_eq!(segment.lookup(u64::MAX), Some(Place(512)));
        assert_eq!(segment.lookup(!TAG), None);
    }
}
