//! Gives back what a dead process allocated and did not use. A live process's segments are left alone:
//! its mapping must never outgrow the file.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

use super::reader::SegmentFile;
use crate::process;

/// What became of the process that wrote a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    Running,
    Gone,
    /// It ran in another container or on another machine: its pid means nothing here.
    Unknown,
}

/// What became of the process that wrote `segment`.
#[must_use]
pub fn life(segment: &SegmentFile) -> Life {
    let (Some(description), _) = segment.description() else { return Life::Unknown };
    if description.boot != process::boot() || description.pid_namespace != process::pid_namespace() {
        return Life::Unknown;
    }
    match process::started_ticks(description.pid) {
        Some(ticks) if ticks == description.started_ticks => Life::Running,
        _ => Life::Gone,
    }
}

/// Cuts the segment at `path` after its last record, if its process is certainly gone: one that still runs
/// would die of a SIGBUS at its next record. Returns the bytes given back.
///
/// # Errors
/// The file cannot be read or cut.
pub fn seal(path: &Path) -> io::Result<u64> {
    let segment = SegmentFile::load(path).map_err(|fault| io::Error::other(fault.kind.name()))?;
    if life(&segment) != Life::Gone {
        return Ok(0);
    }
    let (used, all) = (segment.used_bytes() as u64, segment.file_bytes() as u64);
    if used < all {
        OpenOptions::new()
            .write(true)
            .custom_flags((OFlags::NOFOLLOW | OFlags::CLOEXEC).bits().cast_signed())
            .open(path)?
            .set_len(used)?;
    }
    Ok(all - used)
}
