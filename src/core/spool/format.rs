//! The bytes of a segment and their limits; docs/segment-format.md says the same for other readers.
//!
//! All numbers are little-endian. A segment is a header, then records, each starting at a multiple of 8.
//!
//! ```text
//! header                                         record
//! offset size                                    offset size
//!      0    8  magic                                  0    4  length, unpadded; the high bit while unpublished
//!      8    4  version                                4    4  CRC-32 of bytes 20.. to the end
//!     12    4  where records start                    8    8  last time (ns), changes
//!     16   16  process id (UUIDv7)                   16    4  count, changes
//!     32    4  segment number                        20    2  kind
//!     36    4  pid                                   22    2  flags
//!     40    8  created (ns)                          24    8  first time (ns)
//!     48    8  allocated bytes                       32    …  payload
//!     56    4  CRC-32 of bytes 0..56
//!     64    8  ended (ns), 0 while running
//!     72    8  exit status, 1 << 32 while unknown
//!     80   64  records lost by reason, the process's total so far
//!    256       first record
//!
//! tally, behind a record whose flags say so
//!      0    4  how many of its operations reached the system
//!      4    4  how many of them failed
//!      8    4  errno of the last that failed
//!     12    4  0
//!     16    8  bytes written or sent
//!     24    8  bytes read or received
//! ```

use uuid::Uuid;

/// First bytes of every segment. The high bit and the line end catch text-mode transfers.
pub const MAGIC: [u8; 8] = *b"\x89GNOMON\n";
/// Layout version; a reader refuses a higher one.
pub const VERSION: u32 = 1;
/// Bytes before the first record.
pub const HEADER_BYTES: usize = 256;
/// Bytes of a record before its payload.
pub const HEAD_BYTES: usize = 32;
/// Where a record's checksum starts; before it stand the length and the counters that change.
pub const CHECKED_FROM: usize = 20;
/// Longest record, head and payload.
pub const MAX_RECORD_BYTES: usize = 64 * 1024;
/// Largest segment that a reader loads, and the largest a writer may be told to make.
pub const MAX_SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
/// Size of a process's first segment: enough for a script, small enough for ten thousand children.
pub const FIRST_SEGMENT_BYTES: u64 = 64 * 1024;
/// Size that later segments double up to.
pub const FULL_SEGMENT_BYTES: u64 = 1024 * 1024;
/// In the flags of a record: counters that change stand behind it, at the next multiple of 8.
pub const TALLIED: u16 = 1;
/// In the flags of a record: seen in native code, without an audit event.
pub const NATIVE: u16 = 2;
/// Bytes of the counters behind a record.
pub const TALLY_BYTES: usize = 32;
/// Set in the length while a record is reserved and not yet published.
pub const UNPUBLISHED: u32 = 1 << 31;
/// The exit status while it is not known.
pub const STATUS_UNKNOWN: u64 = 1 << 32;
/// File name ending of segments.
pub const EXTENSION: &str = "gnomon";

/// Offsets of the header fields that change while the process runs.
pub mod at {
    pub const ENDED: usize = 64;
    pub const STATUS: usize = 72;
    pub const LOST: usize = 80;
    /// Within a record.
    pub const LENGTH: usize = 0;
    pub const CHECKSUM: usize = 4;
    pub const LAST_TIME: usize = 8;
    pub const COUNT: usize = 16;
    pub const KIND: usize = 20;
    pub const FLAGS: usize = 22;
    pub const TIME: usize = 24;
}

/// Offsets within a tally.
pub mod tally {
    pub const REACHED: usize = 0;
    pub const FAILED: usize = 4;
    pub const ERRNO: usize = 8;
    pub const BYTES_OUT: usize = 16;
    pub const BYTES_IN: usize = 24;
}

/// Bytes that a record of `length` with `flags` takes in its segment.
#[must_use]
pub const fn space(length: usize, flags: u16) -> usize {
    padded(length) + if flags & TALLIED == 0 { 0 } else { TALLY_BYTES }
}

/// Why a record was lost. The numbers are slots in the header: never reuse one, only add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// No segment could be made: the spool is missing, read-only, not ours.
    SpoolUnavailable = 0,
    /// The disk or the quota is full.
    NoSpace = 1,
    /// A record could not be written to the file.
    WriteFailed = 2,
    /// Another thread was opening the next segment and took too long.
    Busy = 3,
    /// The event's arguments could not be understood.
    Undecodable = 4,
    /// gnomon itself failed; it disarms after that.
    InternalError = 5,
    /// A record longer than the format allows.
    TooLong = 6,
}

impl Loss {
    /// Every reason, in the order of its slot.
    pub const ALL: [Self; 7] = [
        Self::SpoolUnavailable,
        Self::NoSpace,
        Self::WriteFailed,
        Self::Busy,
        Self::Undecodable,
        Self::InternalError,
        Self::TooLong,
    ];

    /// The word for it in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SpoolUnavailable => "spool unavailable",
            Self::NoSpace => "no space",
            Self::WriteFailed => "write failed",
            Self::Busy => "busy",
            Self::Undecodable => "undecodable event",
            Self::InternalError => "internal error",
            Self::TooLong => "record too long",
        }
    }
}

/// What identifies a segment; the fixed part of its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The process that wrote it; nil in a file that belongs to none (distributions).
    pub process: Uuid,
    /// Counts from 0 in each process.
    pub number: u32,
    pub pid: u32,
    /// Nanoseconds since 1970, UTC.
    pub created: u64,
    /// Bytes that were allocated.
    pub allocated: u64,
}

impl Identity {
    /// The header's fixed bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 60] {
        let mut bytes = Vec::with_capacity(60);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&(HEADER_BYTES as u32).to_le_bytes());
        bytes.extend_from_slice(self.process.as_bytes());
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.extend_from_slice(&self.pid.to_le_bytes());
        bytes.extend_from_slice(&self.created.to_le_bytes());
        bytes.extend_from_slice(&self.allocated.to_le_bytes());
        let checksum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        let mut fixed = [0; 60];
        fixed.copy_from_slice(&bytes);
        fixed
    }

    /// The segment's file name: unique without coordination, sorted by process and number.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}-{:04}.{EXTENSION}", self.process.as_simple(), self.number)
    }
}

/// `length` rounded up to where the next record starts.
#[must_use]
pub const fn padded(length: usize) -> usize {
    (length + 7) & !7
}

/// The little-endian number at `offset`, if `bytes` is that long.
#[must_use]
pub fn read_u32(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(offset..offset + 4)?.try_into().ok()?))
}

/// The little-endian number at `offset`, if `bytes` is that long.
#[must_use]
pub fn read_u16(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(offset..offset + 2)?.try_into().ok()?))
}

/// The little-endian number at `offset`, if `bytes` is that long.
#[must_use]
pub fn read_u64(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(offset..offset + 8)?.try_into().ok()?))
}
