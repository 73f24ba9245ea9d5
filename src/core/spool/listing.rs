//! Lists of installed distributions: a file of their own in the spool, once for all processes that have the same.

use std::path::Path;

use uuid::Uuid;

use super::format::{EXTENSION, HEADER_BYTES, Identity};
use super::map::Medium;
use super::segment::{Head, Segment};
use crate::event::Kind;
use crate::process;

/// Stores `payload` in `spool`, unless it is there already, and returns the name of its file. `None` where it cannot
/// be stored. `time` is in nanoseconds since 1970.
#[must_use]
pub fn store(spool: &Path, payload: &[u8], time: u64) -> Option<String> {
    let name = name(payload);
    let path = spool.join(&name);
    if path.exists() {
        return Some(name);
    }
    let allocated = (HEADER_BYTES + payload.len() + 4096) as u64;
    let number = crc32fast::hash(payload);
    let identity = Identity { process: Uuid::nil(), number, pid: 0, created: time, allocated };
    // Written under a name of its own and then moved: another process may look for it meanwhile.
    let unfinished = spool.join(format!(".{}", process::new_id(None)));
    let segment = Segment::create_at(&unfinished, identity, Medium::Written).ok()?;
    segment.append(Head { kind: Kind::Distributions, flags: 0, time }, payload).ok()?;
    std::fs::rename(&unfinished, &path).ok()?;
    Some(name)
}

fn name(payload: &[u8]) -> String {
    use sha2::{Digest as _, Sha256};
    let digest = Sha256::digest(payload);
    let start: [u8; 16] = std::array::from_fn(|at| digest.get(at).copied().unwrap_or(0));
    format!("distributions-{}.{EXTENSION}", Uuid::from_bytes(start).as_simple())
}
