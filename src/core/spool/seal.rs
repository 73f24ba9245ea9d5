//! Gives back what a dead process allocated and did not use. A live process's segments are left alone:
//! its mapping must never outgrow the file.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

use super::reader::SegmentFile;
use crate::process;

/// Whether the process that wrote `segment` still runs on this machine.
#[must_use]
pub fn is_running(segment: &SegmentFile) -> bool {
    let (Some(description), _) = segment.description() else {
        return process::started_ticks(segment.identity.pid).is_some();
    };
    process::started_ticks(description.pid) == Some(description.started_ticks)
}

/// Cuts the segment at `path` after its last record, if its process is gone. Returns the bytes given back.
///
/// # Errors
/// The file cannot be read or cut.
pub fn seal(path: &Path) -> io::Result<u64> {
    let segment = SegmentFile::load(path).map_err(|fault| io::Error::other(fault.kind.name()))?;
    if is_running(&segment) {
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
