//! Loads what processes left in a spool, however they ended, and whatever else lies there.
//!
//! A file is read into memory, not mapped: it may be cut short while we look.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, Stat};
use uuid::Uuid;

use super::chain::{self, Link};
use super::fault::{Fault, FaultKind};
use super::format::{
    FULL_SEGMENT_BYTES, HEADER_BYTES, Identity, Loss, MAGIC, MAX_SEGMENT_BYTES, STATUS_UNKNOWN, VERSION, at,
    read_u32, read_u64,
};
use super::place::{Folder, Opened, Owner, list, parent_of};
use super::records::Records;
use crate::event::Kind;
use crate::filter::Filter;
use crate::process::{Description, Script};

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
    pub(super) bytes: Vec<u8>,
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
        Records::of(self, offset)
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
                end = records.offset();
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
