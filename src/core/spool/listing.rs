//! What many processes have the same: lists of installed distributions, inventories of startup hooks. A file of its own in
//! the spool, once for all of them.

use std::path::Path;

use uuid::Uuid;

use super::format::{EXTENSION, HEAD_BYTES, HEADER_BYTES, Identity};
use super::map::Medium;
use super::segment::{Head, Segment};
use crate::event::Kind;
use crate::process;

/// Stores `payload` in `spool`, unless it is there already, and returns the name of its file. `None` where it cannot
/// be stored. `time` is in nanoseconds since 1970.
#[must_use]
pub fn store(spool: &Path, payload: &[u8], time: u64) -> Option<String> {
    let name = name(payload);
    if !spool.join(&name).exists() {
        store_as(spool, &name, Kind::Distributions, &[payload], time)?;
    }
    Some(name)
}

/// Stores `payloads` in `spool`, each in a record of `kind`, as the file `name`. `None` where they cannot be stored.
pub fn store_as(
    spool: &Path,
    name: &str,
    kind: Kind,
    payloads: &[impl AsRef<[u8]>],
    time: u64,
) -> Option<()> {
    let length: usize = payloads.iter().map(|payload| HEAD_BYTES + payload.as_ref().len()).sum();
    let allocated = (HEADER_BYTES + length + 4096) as u64;
    let number = crc32fast::hash(name.as_bytes());
    let identity = Identity { process: Uuid::nil(), number, pid: 0, created: time, allocated };
    // Written under a name of its own and then moved: another process may look for it meanwhile.
    let unfinished = spool.join(format!(".{}", process::new_id(None)));
    let write = || {
        let segment = Segment::create_at(&unfinished, identity, Medium::Written).ok()?;
        for payload in payloads {
            segment.append(Head { kind, flags: 0, time }, payload.as_ref()).ok()?;
        }
        std::fs::rename(&unfinished, spool.join(name)).ok()
    };
    write().or_else(|| {
        let _ = std::fs::remove_file(&unfinished); // half of it serves nobody
        None
    })
}

fn name(payload: &[u8]) -> String {
    use sha2::{Digest as _, Sha256};
    let digest = Sha256::digest(payload);
    let start: [u8; 16] = std::array::from_fn(|at| digest.get(at).copied().unwrap_or(0));
    format!("distributions-{}.{EXTENSION}", Uuid::from_bytes(start).as_simple())
}
