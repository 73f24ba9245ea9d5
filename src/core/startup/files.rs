//! Directories listed and files read, bounded, and never waiting for what is no regular file.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// Names kept of a directory; more are counted.
const MAX_NAMES: usize = 20_000;

/// What the file system says of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub size: u64,
    pub modified: i64,
    pub changed: i64,
    pub inode: u64,
    pub mode: u32,
    pub uid: u32,
}

impl Seen {
    pub fn of(metadata: &Metadata) -> Self {
        let time = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Self {
            size: metadata.len(),
            modified: time(metadata.mtime(), metadata.mtime_nsec()),
            changed: time(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
            mode: metadata.mode(),
            uid: metadata.uid(),
        }
    }

    /// Adds the bytes that tell it from others.
    pub fn put(&self, out: &mut Vec<u8>) {
        for number in [self.size, self.modified.cast_unsigned(), self.changed.cast_unsigned(), self.inode] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.mode.to_le_bytes());
        out.extend_from_slice(&self.uid.to_le_bytes());
    }
}

pub fn path_of(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// The names in `directory` that `wanted` says yes to, and how many it did. `None` where it cannot be listed.
pub fn names(directory: &[u8], wanted: impl Fn(&[u8]) -> bool) -> Option<(Vec<Vec<u8>>, usize)> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(directory, flags, Mode::empty()).ok()?;
    let (mut found, mut count) = (Vec::new(), 0);
    for_each_name(opened, |name| {
        if wanted(name) {
            count += 1;
            if found.len() < MAX_NAMES {
                found.push(name.to_vec());
            }
        }
    });
    found.sort_unstable();
    Some((found, count))
}

#[cfg(target_os = "linux")]
fn for_each_name(directory: std::os::fd::OwnedFd, mut each: impl FnMut(&[u8])) {
    // One call for some 800 entries, and no allocation for each.
    let mut room: Vec<u8> = Vec::with_capacity(32 * 1024);
    let mut entries = rustix::fs::RawDir::new(directory, room.spare_capacity_mut());
    while let Some(Ok(entry)) = entries.next() {
        each(entry.file_name().to_bytes());
    }
}

#[cfg(not(target_os = "linux"))]
fn for_each_name(directory: std::os::fd::OwnedFd, mut each: impl FnMut(&[u8])) {
    let Ok(entries) = rustix::fs::Dir::new(directory) else { return };
    for entry in entries.flatten() {
        each(entry.file_name().to_bytes());
    }
}

/// The first `limit` bytes of the regular file at `path`, and whether that is all.
///
/// # Errors
/// It cannot be opened or read, or has become something else than a regular file.
pub fn start_of(path: &[u8], limit: u64) -> io::Result<(Vec<u8>, bool)> {
    let mut file = open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // Room for one more byte: a read that does not fill it was the last, and need not be asked about.
    let mut content = vec![0; metadata.len().min(limit) as usize + 1];
    let mut length = 0;
    while let Some(room) = content.get_mut(length..).filter(|room| !room.is_empty()) {
        let read = file.read(room)?;
        length += read;
        if read < room.len() {
            break;
        }
    }
    content.truncate(length.min(limit as usize));
    Ok((content, length as u64 <= limit && metadata.len() <= limit))
}

fn open(path: &[u8]) -> io::Result<File> {
    std::fs::OpenOptions::new()
        .read(true)
        .custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC).bits().cast_signed())
        .open(path_of(path))
}
