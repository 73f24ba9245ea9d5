//! Reads what processes left in a spool, however they ended, and whatever else lies there.
//!
//! A file is read into memory, not mapped: it may be cut short while we look. Every length and reference
//! is checked against the file; what is wrong becomes a [`Fault`] with its place, and reading goes on at the
//! next record that holds together.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, Stat};
use uuid::Uuid;

use super::chain::{self, Link};
use super::format::{
    CHECKED_FROM, FULL_SEGMENT_BYTES, HEAD_BYTES, HEADER_BYTES, Identity, Loss, MAGIC, MAX_RECORD_BYTES,
    MAX_SEGMENT_BYTES, STATUS_UNKNOWN, TALLIED, UNPUBLISHED, VERSION, at, padded, read_u16, read_u32,
    read_u64, space, tally,
};
use super::place::{Folder, Opened, Owner, list, parent_of};
use crate::event::Kind;
use crate::filter::Filter;
use crate::process::{Description, Script};
use crate::record::{BadPayload, OriginView, Tally, View};

/// What is wrong with a file or a place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The operating system would not let us read it.
    Unreadable,
    /// It is no segment.
    Foreign,
    /// A newer gnomon wrote it.
    NewerVersion,
    /// Larger than any segment.
    TooLarge,
    /// Ends within its header.
    Truncated,
    /// The header's checksum is wrong.
    BadHeader,
    /// Has no header yet: its process just makes it, or died at that. Not corruption.
    Unbegun,
    /// A record was being written when the process died. Not corruption.
    Torn,
    /// A record's checksum is wrong.
    BadChecksum,
    /// Bytes where a record should start that are none.
    BadLength,
    /// A record's checksum is right, and its payload makes no sense.
    BadPayload,
    /// A record refers to text that is not there.
    DanglingReference,
}

impl FaultKind {
    /// The words for it in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Foreign => "not a segment",
            Self::NewerVersion => "newer version",
            Self::TooLarge => "too large",
            Self::Truncated => "truncated header",
            Self::BadHeader => "bad header checksum",
            Self::Unbegun => "no header yet",
            Self::Torn => "torn record",
            Self::BadChecksum => "bad checksum",
            Self::BadLength => "bad length",
            Self::BadPayload => "bad payload",
            Self::DanglingReference => "dangling reference",
        }
    }

    /// Which of three different things it is: `torn`, `io` or `corrupt`.
    #[must_use]
    pub fn severity(self) -> &'static str {
        match self {
            Self::Unbegun | Self::Torn => "torn",
            Self::Unreadable => "io",
            _ => "corrupt",
        }
    }
}

/// Something that could not be read, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub path: PathBuf,
    pub offset: u64,
    pub kind: FaultKind,
    /// The operating system's words, where it had any.
    pub detail: String,
}

impl Fault {
    fn new(path: &Path, offset: usize, kind: FaultKind) -> Self {
        Self { path: path.to_owned(), offset: offset as u64, kind, detail: String::new() }
    }
}

/// Whether a segment is what the next one says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    Same,
    /// It ends before.
    Truncated,
    Changed,
}

/// One segment, loaded.
#[derive(Debug)]
pub struct SegmentFile {
    pub path: PathBuf,
    pub identity: Identity,
    /// Whom the file belongs to; `None` for bytes that came from elsewhere.
    pub owner: Option<Owner>,
    bytes: Vec<u8>,
}

/// Loads one segment after another: the memory of each serves the next, and their directory stays open.
#[derive(Debug, Default)]
pub struct Loader {
    room: Vec<u8>,
    folder: Option<(PathBuf, Folder)>,
}

impl Loader {
    /// As [`SegmentFile::load`].
    ///
    /// # Errors
    /// The file cannot be read, or is no segment of ours.
    pub fn load(&mut self, path: &Path) -> Result<SegmentFile, Fault> {
        let opened = self.open(path)?;
        SegmentFile::read(path, &opened, std::mem::take(&mut self.room))
    }

    /// Takes the memory of a segment that nobody needs any more.
    pub fn take_back(&mut self, segment: SegmentFile) {
        self.room = segment.bytes;
    }

    /// Reads no more than the header of the segment at `path`, and how many bytes the file has.
    ///
    /// # Errors
    /// The file cannot be read, or is no segment of ours.
    pub fn load_header(&mut self, path: &Path) -> Result<(Identity, u64), Fault> {
        let opened = self.open(path)?;
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        let read = opened.file.take(HEADER_BYTES as u64).read_to_end(&mut bytes);
        read.map_err(|error| Fault::unreadable(path, &error))?;
        let identity = read_identity(&bytes).map_err(|kind| Fault::new(path, 0, kind))?;
        Ok((identity, u64::try_from(opened.stat.st_size).unwrap_or(0)))
    }

    fn open(&mut self, path: &Path) -> Result<Opened, Fault> {
        let unreadable = |error: io::Error| Fault::unreadable(path, &error);
        let parent = parent_of(path);
        let known = self.folder.take().filter(|(at, _)| at == parent);
        let folder = match known {
            Some((_, folder)) => folder,
            None => Folder::at(parent).map_err(unreadable)?,
        };
        let name = path.file_name().unwrap_or(OsStr::new("."));
        let opened = folder.open(name, OFlags::RDONLY).map_err(unreadable);
        self.folder = Some((parent.to_owned(), folder));
        opened?.ok_or_else(|| Fault::new(path, 0, FaultKind::Foreign))
    }
}

impl SegmentFile {
    /// Loads a segment. Links are not followed, and nothing but a regular file is opened.
    ///
    /// # Errors
    /// The file cannot be read, or is no segment of ours.
    pub fn load(path: &Path) -> Result<Self, Fault> {
        Loader::default().load(path)
    }

    fn read(path: &Path, opened: &Opened, room: Vec<u8>) -> Result<Self, Fault> {
        let segment = Self::read_into(room, path, &opened.file, &opened.stat)?;
        Ok(Self { owner: Some(opened.owner), ..segment })
    }

    /// Reads the segment that was opened at `path`.
    ///
    /// # Errors
    /// The file cannot be read, or is no segment of ours.
    pub fn read_file(path: &Path, file: &File, stat: &Stat) -> Result<Self, Fault> {
        Self::read_into(Vec::new(), path, file, stat)
    }

    fn read_into(room: Vec<u8>, path: &Path, file: &File, stat: &Stat) -> Result<Self, Fault> {
        let length = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
        if length > MAX_SEGMENT_BYTES {
            return Err(Fault::new(path, 0, FaultKind::TooLarge));
        }
        let bytes = read_whole(room, file, length).map_err(|error| Fault::unreadable(path, &error))?;
        Self::parse(path, bytes)
    }

    /// Takes `bytes` for the content of the file at `path`.
    ///
    /// # Errors
    /// They are no segment of ours.
    pub fn parse(path: &Path, bytes: Vec<u8>) -> Result<Self, Fault> {
        let identity = read_identity(&bytes).map_err(|kind| Fault::new(path, 0, kind))?;
        Ok(Self { path: path.to_owned(), identity, owner: None, bytes })
    }

    /// Its records in the order they were reserved, and what is wrong between them.
    #[must_use]
    pub fn records(&self) -> Records<'_> {
        self.records_from(HEADER_BYTES)
    }

    /// The same from `offset` on, which an earlier pass stopped at ([`Records::offset`]).
    /// The text that the records refer to is collected from the whole file.
    #[must_use]
    pub fn records_from(&self, offset: usize) -> Records<'_> {
        Records {
            segment: self,
            offset: HEADER_BYTES,
            deliver_from: offset,
            texts: Texts::default(),
            origins: HashMap::default(),
            keeps: Keeps::All,
            torn_is_fault: true,
        }
    }

    /// When the process ended, if it said so here (nanoseconds since 1970).
    #[must_use]
    pub fn ended(&self) -> Option<u64> {
        read_u64(&self.bytes, at::ENDED).filter(|time| *time != 0)
    }

    /// The exit status, if the process left one here.
    #[must_use]
    pub fn status(&self) -> Option<i32> {
        let status = read_u64(&self.bytes, at::STATUS)?;
        (status < STATUS_UNKNOWN).then(|| (status as u32).cast_signed())
    }

    /// Records that the process had lost for `reason`, as last noted here.
    #[must_use]
    pub fn lost(&self, reason: Loss) -> u64 {
        read_u64(&self.bytes, at::LOST + 8 * reason as usize).unwrap_or(0)
    }

    /// Bytes from the start to the end of the last record: what sealing keeps.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        let mut records = self.records();
        let mut end = HEADER_BYTES;
        while let Some(item) = records.next() {
            if item.is_ok() {
                end = records.offset;
            }
        }
        end.min(self.bytes.len())
    }

    /// Bytes in the file.
    #[must_use]
    pub fn file_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it says to be of a user that its owner may not speak for.
    #[must_use]
    pub fn is_forged(&self) -> bool {
        self.owner.is_some_and(|owner| self.description().0.is_some_and(|said| owner.disowns(said.uid)))
    }

    /// The first record of `kind`, as far as `T` has what it says.
    #[must_use]
    pub fn first_as<'a, T: serde::Deserialize<'a>>(&'a self, kind: Kind) -> Option<T> {
        let raw = self.records().flatten().take(64).find(|raw| raw.kind == kind as u16)?;
        rmp_serde::from_slice(raw.payload).ok()
    }

    /// Forgets what comes after `length` bytes, as the file was cut there.
    pub fn cut(&mut self, length: usize) {
        self.bytes.truncate(length);
    }

    /// What it says of the segment before it.
    #[must_use]
    pub fn previous(&self) -> Option<Link> {
        let mut links = self.records().flatten().take(64).filter(|raw| raw.kind == Kind::Previous as u16);
        links.find_map(|raw| Link::read(raw.payload))
    }

    /// Whether this is what the next segment says of it.
    #[must_use]
    pub fn agrees(&self, link: &Link) -> Agreement {
        let records = self.records();
        let mut at = HEADER_BYTES;
        let digest = chain::digest(std::iter::from_fn(|| {
            let (raw, next) = records.read_at(at).ok().filter(|_| at < link.end as usize)?;
            at = next;
            Some((raw.offset as u32, read_u32(&self.bytes, raw.offset + at::CHECKSUM)?))
        }));
        match at.cmp(&(link.end as usize)) {
            Ordering::Less => Agreement::Truncated,
            Ordering::Equal if digest == link.digest => Agreement::Same,
            _ => Agreement::Changed,
        }
    }

    /// SHA-256 of the whole file.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        use sha2::{Digest as _, Sha256};
        Sha256::digest(&self.bytes).into()
    }

    /// What the process said of itself, and of its script, at the start of the segment.
    #[must_use]
    pub fn description(&self) -> (Option<Description>, Option<Script>) {
        let (mut description, mut script) = (None, None);
        for item in self.records().flatten().take(64) {
            if item.kind == Kind::Process as u16 && description.is_none() {
                description = rmp_serde::from_slice(item.payload).ok();
            } else if item.kind == Kind::Script as u16 && script.is_none() {
                script = rmp_serde::from_slice(item.payload).ok();
                break;
            }
        }
        (description, script)
    }
}

/// The content of a file of `length` bytes, in `room`: of what cannot be a segment, only as much as tells that.
fn read_whole(room: Vec<u8>, file: &File, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = room;
    bytes.clear();
    file.take(HEADER_BYTES as u64).read_to_end(&mut bytes)?;
    let magic = bytes.get(..MAGIC.len().min(bytes.len())).unwrap_or_default();
    // No magic yet: its process just makes it, unless it is larger than those are.
    let is_begun = magic == MAGIC.as_slice();
    let may_begin = magic.iter().all(|byte| *byte == 0) && length <= FULL_SEGMENT_BYTES;
    if is_begun || may_begin {
        bytes.reserve_exact((length as usize).saturating_sub(bytes.len()));
        let limit = if is_begun { MAX_SEGMENT_BYTES } else { FULL_SEGMENT_BYTES };
        file.take(limit.saturating_sub(bytes.len() as u64)).read_to_end(&mut bytes)?;
    } else if !magic.is_empty() && magic.iter().all(|byte| *byte == 0) {
        bytes.push(1); // more zeros than a segment has before its magic
    }
    Ok(bytes)
}

/// Whether all of `bytes` are 0: half a segment may be unused, so many at a time.
fn is_zero(bytes: &[u8]) -> bool {
    const ZEROS: [u8; 4096] = [0; 4096];
    bytes.chunks(ZEROS.len()).all(|chunk| ZEROS.starts_with(chunk))
}

/// Whether these bytes are a segment's before its magic is stored, which comes last of the header.
fn is_unbegun(bytes: &[u8]) -> bool {
    let (magic, rest) = (bytes.iter().take(MAGIC.len()), bytes.iter().skip(HEADER_BYTES));
    magic.chain(rest).all(|byte| *byte == 0)
}

fn read_identity(bytes: &[u8]) -> Result<Identity, FaultKind> {
    if bytes.get(..MAGIC.len()) != Some(&MAGIC) {
        return Err(if is_unbegun(bytes) { FaultKind::Unbegun } else { FaultKind::Foreign });
    }
    let version = read_u32(bytes, 8).ok_or(FaultKind::Truncated)?;
    if version > VERSION {
        return Err(FaultKind::NewerVersion);
    }
    if bytes.len() < HEADER_BYTES {
        return Err(FaultKind::Truncated);
    }
    let checked = bytes.get(..56).ok_or(FaultKind::Truncated)?;
    if read_u32(bytes, 56) != Some(crc32fast::hash(checked))
        || read_u32(bytes, 12) != Some(HEADER_BYTES as u32)
    {
        return Err(FaultKind::BadHeader);
    }
    let process = bytes.get(16..32).and_then(|id| Uuid::from_slice(id).ok()).ok_or(FaultKind::BadHeader)?;
    Ok(Identity {
        process,
        number: read_u32(bytes, 32).ok_or(FaultKind::BadHeader)?,
        pid: read_u32(bytes, 36).ok_or(FaultKind::BadHeader)?,
        created: read_u64(bytes, 40).ok_or(FaultKind::BadHeader)?,
        allocated: read_u64(bytes, 48).ok_or(FaultKind::BadHeader)?,
    })
}

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
    fn read_at(&self, offset: usize) -> Result<(Raw<'a>, usize), FaultKind> {
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

/// The segments of a spool that `filter` can ask for, as [`list`] has them, without what cannot be read.
///
/// # Errors
/// The directory cannot be listed.
pub fn segment_paths(spool: &Path, filter: &Filter) -> io::Result<Vec<PathBuf>> {
    list(spool, filter).map(|(paths, _)| paths)
}

/// The run in `spool` that started last: ids sort by time, so the search begins at the end.
///
/// # Errors
/// The directory cannot be listed.
pub fn last_run(spool: &Path) -> io::Result<Option<Uuid>> {
    let paths = segment_paths(spool, &Filter::default())?;
    let is_run = |segment: &SegmentFile| {
        segment.description().0.is_some_and(|description| description.run == Some(segment.identity.process))
    };
    let segments = paths.iter().rev().filter_map(|path| SegmentFile::load(path).ok());
    Ok(segments.filter(is_run).map(|segment| segment.identity.process).next())
}

/// A library directory, and the `name-version` of what is installed there.
pub type Listing = (Vec<u8>, Vec<String>);

/// The library directory that `view`, a record of that kind, is about, with the `name-version` of what was installed
/// there, from the file in `folder` that it names. `None` where it names none.
///
/// # Errors
/// The file cannot be read.
#[must_use]
pub fn listing_of(view: &View<'_>, folder: &Path) -> Option<Result<Listing, Fault>> {
    let (directory, path) = listing_file(view, folder)?;
    match read_listing(&path) {
        Ok(names) => names.map(|names| Ok((directory, names))),
        Err(fault) => Some(Err(fault)),
    }
}

/// The library directory that `view` is about, and the file in `folder` that says what was installed there.
#[must_use]
pub fn listing_file(view: &View<'_>, folder: &Path) -> Option<(Vec<u8>, PathBuf)> {
    let (directory, name) = (view.target?, view.destination?);
    // The name comes from a file that anyone may have written: it must not lead out of the spool.
    let name = String::from_utf8(name.to_vec()).ok().filter(|name| !name.contains('/'))?;
    Some((directory.to_vec(), folder.join(name)))
}

/// The `name-version` of what was installed, in the file at `path`; `None` where it has no such list.
///
/// # Errors
/// The file cannot be read.
pub fn read_listing(path: &Path) -> Result<Option<Vec<String>>, Fault> {
    let listing = SegmentFile::load(path)?;
    let mut found = listing.records().flatten().filter(|raw| raw.kind == Kind::Distributions as u16);
    Ok(found.find_map(|raw| rmp_serde::from_slice(raw.payload).ok()))
}
