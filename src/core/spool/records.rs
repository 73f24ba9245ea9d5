//! Walks the records of a segment, and looks up the text that they refer to.
//!
//! Every length and reference is checked against the file; what is wrong becomes a [`Fault`] with its place, and
//! reading goes on at the next record that holds together.

use std::collections::HashMap;

use super::fault::{Fault, FaultKind};
use super::format::{
    CHECKED_FROM, HEAD_BYTES, HEADER_BYTES, MAX_RECORD_BYTES, TALLIED, UNPUBLISHED, at, padded, read_u16,
    read_u32, read_u64, space, tally,
};
use super::reader::SegmentFile;
use crate::event::Kind;
use crate::record::{BadPayload, OriginView, Tally, View};

/// A record whose checksum is right.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a> {
    pub offset: usize,
    pub kind: u16,
    pub flags: u16,
    pub time: u64,
    pub last_time: u64,
    pub count: u32,
    pub tally: Option<Tally>,
    pub payload: &'a [u8],
}

/// The counters at `offset`; `None` where the file ends before.
fn read_tally(bytes: &[u8], offset: usize) -> Option<Tally> {
    Some(Tally {
        reached: read_u32(bytes, offset + tally::REACHED)?,
        failed: read_u32(bytes, offset + tally::FAILED)?,
        errno: read_u32(bytes, offset + tally::ERRNO)?,
        bytes_out: read_u64(bytes, offset + tally::BYTES_OUT)?,
        bytes_in: read_u64(bytes, offset + tally::BYTES_IN)?,
    })
}

/// Walks the records of one segment.
#[derive(Debug)]
pub struct Records<'a> {
    segment: &'a SegmentFile,
    offset: usize,
    deliver_from: usize,
    texts: Texts,
    origins: HashMap<u32, OriginView<'a>, foldhash::fast::FixedState>,
    keeps: Keeps,
    torn_is_fault: bool,
}

/// What is kept for the records that refer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keeps {
    /// Nothing: no payload will be looked at.
    Nothing,
    /// Enough for records without an origin.
    Texts,
    All,
}

/// Where the texts of a segment stand: a bit for each place that a record can have.
#[derive(Debug, Default)]
struct Texts(Vec<u64>);

impl Texts {
    /// Notes that a text stands at `place` of a file of `length` bytes.
    fn insert(&mut self, place: usize, length: usize) {
        if self.0.is_empty() {
            self.0 = vec![0; length / 8 / 64 + 1];
        }
        if let Some(word) = self.0.get_mut(place / 8 / 64) {
            *word |= 1 << (place / 8 % 64);
        }
    }

    /// The text at `place` of `bytes`.
    fn get<'a>(&self, place: u32, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let place = place as usize;
        let is_known = self.0.get(place / 8 / 64)? >> (place / 8 % 64) & 1 != 0;
        let length = read_u32(bytes, place).filter(|_| is_known && place.is_multiple_of(8))? as usize;
        bytes.get(place + HEAD_BYTES..place + length)
    }
}

impl<'a> Records<'a> {
    /// Those of `segment` from `offset` on.
    pub(super) fn of(segment: &'a SegmentFile, offset: usize) -> Self {
        Self {
            segment,
            offset: HEADER_BYTES,
            deliver_from: offset,
            texts: Texts::default(),
            origins: HashMap::default(),
            keeps: Keeps::All,
            torn_is_fault: true,
        }
    }

    /// Stops silently at a record that is still being written: for reading along with a live process.
    #[must_use]
    pub fn live(mut self) -> Self {
        self.torn_is_fault = false;
        self
    }

    /// Where the next record starts, or would start.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Keeps no more than `keeps` of what records refer to.
    #[must_use]
    pub fn keeping(mut self, keeps: Keeps) -> Self {
        self.keeps = keeps;
        self
    }

    /// The record without what its payload says.
    #[must_use]
    #[inline]
    pub fn head_view(&self, raw: &Raw<'a>) -> View<'a> {
        View {
            time: raw.time,
            last_time: raw.last_time,
            count: raw.count,
            tally: raw.tally,
            kind: raw.kind,
            flags: raw.flags,
            seq: (u64::from(self.segment.identity.number) << 32) | raw.offset as u64,
            ..View::default()
        }
    }

    /// The record with its text looked up.
    ///
    /// # Errors
    /// The payload makes no sense, or refers to text that is not there.
    pub fn view(&self, raw: &Raw<'a>) -> Result<View<'a>, Fault> {
        let mut view = self.head_view(raw);
        self.complete(&mut view, raw)?;
        Ok(view)
    }

    /// Adds to `view`, which has the head of `raw`, what its payload says.
    ///
    /// # Errors
    /// As for [`Records::view`].
    #[inline] // a view is large: it stays where it is
    pub fn complete(&self, view: &mut View<'a>, raw: &Raw<'a>) -> Result<(), Fault> {
        let is_map = |kind| matches!(kind, Kind::Process | Kind::Script | Kind::Startup);
        if Kind::from_number(raw.kind).is_some_and(is_map) {
            return Ok(());
        }
        let text = |place| self.text(place);
        let origin = |place| self.origins.get(&place).copied();
        view.read_payload(raw.payload, text, origin).map_err(|bad| {
            let kind = match bad {
                BadPayload::Malformed => FaultKind::BadPayload,
                BadPayload::DanglingReference => FaultKind::DanglingReference,
            };
            Fault::new(&self.segment.path, raw.offset, kind)
        })
    }

    fn text(&self, place: u32) -> Option<&'a [u8]> {
        self.texts.get(place, &self.segment.bytes)
    }

    fn fault(&self, offset: usize, kind: FaultKind) -> Fault {
        Fault::new(&self.segment.path, offset, kind)
    }

    /// The record at `offset`, if one holds together there.
    pub(super) fn read_at(&self, offset: usize) -> Result<(Raw<'a>, usize), FaultKind> {
        let bytes = &self.segment.bytes;
        let length = read_u32(bytes, offset).ok_or(FaultKind::BadLength)? as usize;
        if !(HEAD_BYTES..=MAX_RECORD_BYTES).contains(&length) {
            return Err(FaultKind::BadLength);
        }
        let record = bytes.get(offset..offset + length).ok_or(FaultKind::BadLength)?;
        let checked = record.get(CHECKED_FROM..).ok_or(FaultKind::BadLength)?;
        if read_u32(record, at::CHECKSUM) != Some(crc32fast::hash(checked)) {
            return Err(FaultKind::BadChecksum);
        }
        let flags = read_u16(record, at::FLAGS).ok_or(FaultKind::BadLength)?;
        let raw = Raw {
            offset,
            kind: read_u16(record, at::KIND).ok_or(FaultKind::BadLength)?,
            flags,
            tally: (flags & TALLIED != 0).then(|| read_tally(bytes, offset + padded(length))).flatten(),
            time: read_u64(record, at::TIME).ok_or(FaultKind::BadLength)?,
            last_time: read_u64(record, at::LAST_TIME).ok_or(FaultKind::BadLength)?,
            count: read_u32(record, at::COUNT).ok_or(FaultKind::BadLength)?,
            payload: record.get(HEAD_BYTES..).ok_or(FaultKind::BadLength)?,
        };
        Ok((raw, offset + space(length, flags)))
    }

    /// The next place from `offset` on where a record holds together.
    fn resynchronise(&self, offset: usize) -> Option<usize> {
        let mut offset = padded(offset);
        loop {
            let rest = self.segment.bytes.get(offset..)?;
            let skipped = rest.iter().position(|byte| *byte != 0)?;
            offset += skipped & !7;
            if self.read_at(offset).is_ok() {
                return Some(offset);
            }
            offset += 8;
        }
    }

    /// Keeps what later records refer to. An origin that makes no sense is missed by those that refer to it.
    fn remember(&mut self, raw: &Raw<'a>) {
        if raw.kind == Kind::Text as u16 && self.keeps >= Keeps::Texts {
            self.texts.insert(raw.offset, self.segment.bytes.len());
        } else if raw.kind == Kind::Origin as u16
            && self.keeps == Keeps::All
            && let Ok(origin) = OriginView::read(raw.payload, |place| self.text(place))
        {
            self.origins.insert(raw.offset as u32, origin);
        }
    }

    fn step(&mut self) -> Option<Result<Raw<'a>, Fault>> {
        let offset = self.offset;
        let bytes = &self.segment.bytes;
        let length = read_u32(bytes, offset)?;
        if length == 0 && is_zero(bytes.get(offset..)?) {
            return None; // the unused rest
        }
        match self.read_at(offset) {
            Ok((raw, next)) => {
                self.offset = next;
                self.remember(&raw);
                Some(Ok(raw))
            }
            Err(kind) => {
                let is_torn = length == 0 || length & UNPUBLISHED != 0;
                let next = self.next_after(offset, length, kind);
                if is_torn && !self.torn_is_fault && next.is_none() {
                    return None; // still being written: look again here later
                }
                self.offset = next.unwrap_or(bytes.len());
                Some(Err(self.fault(offset, if is_torn { FaultKind::Torn } else { kind })))
            }
        }
    }

    /// Where reading goes on after a record at `offset` that does not hold together.
    fn next_after(&self, offset: usize, length: u32, kind: FaultKind) -> Option<usize> {
        let stepped = offset + padded((length & !UNPUBLISHED) as usize);
        let is_plausible = length & UNPUBLISHED != 0 || kind == FaultKind::BadChecksum;
        if is_plausible && stepped > offset && self.read_at(stepped).is_ok() {
            return Some(stepped);
        }
        self.resynchronise(offset + 8)
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Raw<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let before = self.offset;
            let item = self.step()?;
            if before >= self.deliver_from {
                return Some(item);
            }
        }
    }
}

/// Whether all of `bytes` are 0: half a segment may be unused, so many at a time.
fn is_zero(bytes: &[u8]) -> bool {
    const ZEROS: [u8; 4096] = [0; 4096];
    bytes.chunks(ZEROS.len()).all(|chunk| ZEROS.starts_with(chunk))
}
