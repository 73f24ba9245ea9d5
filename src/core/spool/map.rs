//! Memory that a segment is written into: the one place that handles raw mapped bytes.
//!
//! A shared mapping of a file whose blocks are allocated: what is stored survives the process, and a full
//! disk is an error here and never a SIGBUS later. Where that is not to be had (network file systems, no
//! blocks) the memory is private and every change is written to the file with write(2).
//!
//! Soundness rests on [`Map::reserve`]: each caller gets bytes that no other caller gets, and they are
//! read by others only after [`Reservation::publish`] stored their length. Numbers that change later are
//! only touched as atomics.
#![expect(unsafe_code, reason = "mapped memory is raw bytes")]

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use memmap2::{Mmap, MmapOptions, MmapRaw};
use rustix::fs::{FallocateFlags, OFlags};
use rustix::process::{Resource, getrlimit};

use super::format::{self, HEAD_BYTES, UNPUBLISHED, at};
use super::users;

/// Tables from this size on belong to segments that will fill: a table is touched all over at once, so its
/// pages are had in one go and not by a fault each.
const POPULATED_BYTES: usize = 64 * 1024;

/// Zeroed words for tables.
pub struct Words {
    memory: MmapRaw,
    count: usize,
}

impl Words {
    /// `count` zeros, rounded up to a power of two.
    ///
    /// # Errors
    /// The kernel has no memory for them.
    pub fn zeroed(count: usize) -> io::Result<Self> {
        let count = count.max(1).next_power_of_two();
        let mut options = MmapOptions::new();
        options.len(count * 8);
        if count * 8 >= POPULATED_BYTES {
            options.populate();
        }
        Ok(Self { memory: options.map_anon()?.into(), count })
    }

    /// The word number `index`, wrapping around the end.
    #[must_use]
    pub fn at(&self, index: usize) -> &AtomicU64 {
        // A mask and no remainder: a division here costs as much as the rest of a look-up.
        let offset = (index & (self.count - 1)) * 8;
        // SAFETY: the count is a power of two, so `offset + 8 <= count * 8`, the mapping's length; a mapping is page-aligned, so every
        // multiple of 8 is aligned; the memory lives as long as `self` and is only touched as atomics.
        unsafe { AtomicU64::from_ptr(self.memory.as_mut_ptr().add(offset).cast()) }
    }

    /// How many words there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }
}

/// Where the bytes go besides memory.
enum Backing {
    /// The mapping is the file.
    Shared,
    /// Every change is written to the file, which is opened each time: a descriptor kept open would show
    /// in the watched program, and one that it closed may by now be a file of its own.
    Written { path: PathBuf, inode: u64 },
}

/// How the bytes of a segment reach its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// Allocated blocks, mapped shared: no system call a record.
    Mapped,
    /// One write(2) a record, where blocks cannot be allocated or another machine holds them.
    Written,
}

/// The memory of one open segment.
pub struct Map {
    memory: MmapRaw,
    length: usize,
    tail: AtomicUsize,
    backing: Backing,
}

impl Map {
    /// Creates `path`, which must not exist, with `length` bytes of which `header` comes first.
    ///
    /// # Errors
    /// The file cannot be created, or (written) not even the header, or (mapped) no blocks can be allocated.
    pub fn create(path: &Path, length: usize, header: &[u8], medium: Medium) -> io::Result<Self> {
        let mode = if path.parent().is_some_and(users::is_shared) { 0o640 } else { 0o600 };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(mode)
            .custom_flags((OFlags::NOFOLLOW | OFlags::CLOEXEC).bits().cast_signed())
            .open(path)?;
        if mode != 0o600 {
            let _ = file.set_permissions(Permissions::from_mode(mode)); // whatever the umask took away
        }
        let made = match medium {
            Medium::Mapped => Self::shared(&file, length).map(|memory| (memory, Backing::Shared)),
            Medium::Written => Self::written(&file, path, length, header),
        };
        let (memory, backing) = made.inspect_err(|_| {
            let _ = std::fs::remove_file(path); // an empty file would look like a torn segment
        })?;
        let map = Self { memory, length, tail: AtomicUsize::new(format::HEADER_BYTES), backing };
        map.store_header(header);
        Ok(map)
    }

    /// The magic comes last: until then, also when we are killed here, a reader sees no header.
    fn store_header(&self, header: &[u8]) {
        let Some((magic, rest)) = header.split_first_chunk::<8>() else { return };
        let room = self.length.saturating_sub(magic.len());
        // SAFETY: nobody else writes to the map yet; no more is copied than there is behind the magic.
        unsafe {
            let behind = self.memory.as_mut_ptr().add(magic.len());
            std::ptr::copy_nonoverlapping(rest.as_ptr(), behind, rest.len().min(room));
        }
        if let Some(first) = self.u64(0) {
            first.store(u64::from_ne_bytes(*magic), Ordering::Release);
        }
    }

    fn shared(file: &File, length: usize) -> io::Result<MmapRaw> {
        if is_remote(file) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        within_limit(length)?;
        rustix::fs::fallocate(file, FallocateFlags::empty(), 0, length as u64)?;
        if length as u64 > format::FIRST_SEGMENT_BYTES {
            write_zeros(file, length)?;
        }
        MmapOptions::new().len(length).map_raw(file)
    }

    fn written(mut file: &File, path: &Path, length: usize, header: &[u8]) -> io::Result<(MmapRaw, Backing)> {
        within_limit(format::HEADER_BYTES)?;
        file.set_len(0)?;
        let mut full = header.to_vec();
        full.resize(format::HEADER_BYTES, 0);
        file.write_all(&full)?;
        let memory = MmapOptions::new().len(length).map_anon()?;
        Ok((memory.into(), Backing::Written { path: path.to_owned(), inode: file.metadata()?.ino() }))
    }

    /// Bytes in all.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// Room for a record of `length` bytes, head included, that takes `space`; `None` when the segment is full.
    #[must_use]
    pub fn reserve(&self, length: usize, space: usize) -> Option<Reservation<'_>> {
        // Looking first keeps the tail from running away when many threads find the segment full.
        if self.tail.load(Ordering::Relaxed) + space > self.length {
            return None;
        }
        let offset = self.tail.fetch_add(space, Ordering::Relaxed);
        if offset + space > self.length {
            return None;
        }
        // A reader that finds this mark can step over a record whose writer died.
        self.u32(offset + at::LENGTH)?.store(space as u32 | UNPUBLISHED, Ordering::Relaxed);
        Some(Reservation { map: self, offset, length })
    }

    /// The number at `offset`, to be changed while others read it. `offset` is a multiple of 4.
    #[must_use]
    pub fn u32(&self, offset: usize) -> Option<&AtomicU32> {
        (offset.is_multiple_of(4) && offset + 4 <= self.length).then(|| {
            // SAFETY: in bounds and aligned as just checked; numbers that change are only touched as
            // atomics; the memory lives as long as `self`.
            unsafe { AtomicU32::from_ptr(self.memory.as_mut_ptr().add(offset).cast()) }
        })
    }

    /// The number at `offset`, to be changed while others read it. `offset` is a multiple of 8.
    #[must_use]
    pub fn u64(&self, offset: usize) -> Option<&AtomicU64> {
        (offset.is_multiple_of(8) && offset + 8 <= self.length).then(|| {
            // SAFETY: as in `u32`.
            unsafe { AtomicU64::from_ptr(self.memory.as_mut_ptr().add(offset).cast()) }
        })
    }

    /// The payload of the record published at `offset`; `None` where none is.
    #[must_use]
    pub fn payload(&self, offset: usize) -> Option<&[u8]> {
        let length = self.u32(offset + at::LENGTH)?.load(Ordering::Acquire) as usize;
        if !(HEAD_BYTES..=self.length.checked_sub(offset)?).contains(&length) {
            return None; // also what an unpublished length fails
        }
        // SAFETY: in bounds as just checked; the acquire load saw a published length, and a payload does
        // not change after that.
        Some(unsafe {
            std::slice::from_raw_parts(self.memory.as_ptr().add(offset + HEAD_BYTES), length - HEAD_BYTES)
        })
    }

    /// Makes `length` bytes at `offset` as durable as the mapping is: nothing to do when it is the file.
    ///
    /// # Errors
    /// The file is gone, or cannot be written.
    pub fn commit(&self, offset: usize, length: usize) -> io::Result<()> {
        let Backing::Written { path, inode } = &self.backing else {
            return Ok(());
        };
        let file = OpenOptions::new()
            .write(true)
            .custom_flags((OFlags::NOFOLLOW | OFlags::CLOEXEC).bits().cast_signed())
            .open(path)?;
        if file.metadata()?.ino() != *inode {
            return Err(io::ErrorKind::NotFound.into());
        }
        let length = length.min(self.length.saturating_sub(offset));
        within_limit(offset + length)?;
        let mut bytes = vec![0; length];
        // SAFETY: in bounds as just clamped. A counter that another thread changes meanwhile may be copied
        // half-old: it is written again by that thread's own commit.
        unsafe {
            std::ptr::copy_nonoverlapping(self.memory.as_ptr().add(offset), bytes.as_mut_ptr(), length)
        };
        file.write_all_at(&bytes, offset as u64).inspect_err(|_| {
            // A full disk may have taken the start of a record: marked as unpublished it is torn, not corrupt.
            if offset >= format::HEADER_BYTES {
                let _ = file.write_all_at(&(length as u32 | UNPUBLISHED).to_le_bytes(), offset as u64);
            }
        })
    }
}

/// Bytes of a segment that belong to one writer until it publishes them.
#[must_use]
pub struct Reservation<'a> {
    map: &'a Map,
    offset: usize,
    length: usize,
}

impl Reservation<'_> {
    /// Where the record starts.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Copies the record in and makes it visible. `record` must fill the reservation; its first four bytes,
    /// the length, and what is longer are left out.
    pub fn publish(self, record: &[u8]) {
        let copied = record.get(4..self.length.min(record.len())).unwrap_or_default();
        let start = self.map.memory.as_mut_ptr();
        // SAFETY: `reserve` gave these bytes to this reservation alone, and they are in bounds. The length
        // (the first 4 bytes) is left to the atomic store below.
        unsafe {
            std::ptr::copy_nonoverlapping(copied.as_ptr(), start.add(self.offset + 4), copied.len());
        }
        if let Some(length) = self.map.u32(self.offset + at::LENGTH) {
            length.store(self.length as u32, Ordering::Release);
        }
    }
}

/// All of `file`, to be read. Who writes over it in place changes what is read, or kills the reader: only for
/// files that are replaced and never rewritten.
///
/// # Errors
/// What the system says.
pub fn whole_file(file: &File) -> io::Result<Mmap> {
    // SAFETY: what is read from it is checked as bytes from anywhere are; the doc says what cannot be helped.
    unsafe { Mmap::map(file) }
}

/// Bytes that this process may make a file long. Beyond them the kernel sends SIGXFSZ, which ends a program
/// that has not asked for an error instead: so the limit is looked at before a file grows.
#[must_use]
pub fn file_size_limit() -> u64 {
    getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX)
}

fn within_limit(length: usize) -> io::Result<()> {
    if length as u64 > file_size_limit() { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(()) }
}

/// Brings the whole file into the page cache at once. The first store to each page of a file that is only
/// allocated is a fault in which the file system prepares that page alone: on ext4 950 us for a megabyte,
/// against 190 us for writing it and then faulting. A first segment is mostly left unused, so it is not
/// written: a short process costs no disk traffic beyond its records.
fn write_zeros(file: &File, length: usize) -> io::Result<()> {
    let zeros = vec![0; 64 * 1024]; // not a static: that would be 64 KB of the library
    for offset in (0..length).step_by(zeros.len()) {
        let piece = zeros.get(..zeros.len().min(length - offset)).unwrap_or_default();
        file.write_all_at(piece, offset as u64)?;
    }
    Ok(())
}

/// File systems where another machine may hold the blocks: a mapping there can die under us.
fn is_remote(file: &File) -> bool {
    const REMOTE: [u64; 8] = [
        0x6969,      // NFS
        0x517B,      // SMB
        0xFF53_4D42, // CIFS
        0xFE53_4D42, // SMB2
        0x6573_5546, // FUSE
        0x0102_1997, // 9P
        0x00C3_6400, // Ceph
        0x5346_414F, // AFS
    ];
    #[expect(clippy::cast_sign_loss, reason = "the kernel's magic numbers are unsigned")]
    rustix::fs::fstatfs(file).is_ok_and(|found| REMOTE.contains(&(found.f_type as u64 & 0xFFFF_FFFF)))
}
