//! A spool of many users: each user's segments in a directory of their own, which only that user can write to and
//! only the spool's group can read.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use rustix::process::{geteuid, umask};

use crate::process;

/// The bit that makes what is created in a directory belong to the directory's group.
const SETGID: u32 = 0o2000;

/// The directory of the current user in the spool `top`, made now if it is not there. Somebody else may have taken
/// its name: then it is another one, which only this process knows.
#[must_use]
pub fn directory(top: &Path) -> PathBuf {
    let uid = geteuid().as_raw();
    let own = top.join(uid.to_string());
    if is_of(&own, uid) || make(top, &own) || is_of(&own, uid) {
        return own; // also where a process of ours made it meanwhile
    }
    let other = top.join(format!("{uid}-{:016x}", process::new_id(None).as_u128() as u64));
    make(top, &other);
    other
}

/// Whether `path` is a directory (and no link) that belongs to `uid`.
fn is_of(path: &Path, uid: u32) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir() && found.uid() == uid)
}

fn make(top: &Path, path: &Path) -> bool {
    let mode = if is_shared(top) { 0o750 } else { 0o700 };
    let make = || fs::DirBuilder::new().mode(mode).create(path).is_ok();
    // A strict umask would keep the group out, and whoever is not in the group cannot mend that afterwards: changing
    // the mode would take the bit away that hands the group on. Where other threads create files meanwhile, `gnomon
    // keep` mends it.
    if !is_single_threaded() {
        return make();
    }
    let before = umask(Mode::empty());
    let is_made = make();
    umask(before);
    is_made
}

/// Whether no other thread runs in this process, as far as that can be known.
fn is_single_threaded() -> bool {
    fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.take(2).count() == 1)
}

/// Whether what is created in `directory` belongs to its group, which is to read it.
#[must_use]
pub fn is_shared(directory: &Path) -> bool {
    fs::metadata(directory).is_ok_and(|found| found.mode() & SETGID != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_user_has_one_directory_which_the_group_can_read() {
        let spool = tempfile::tempdir().unwrap();
        fs::set_permissions(spool.path(), fs::Permissions::from_mode(0o3733)).unwrap();
        let own = directory(spool.path());
        assert_eq!(own, directory(spool.path()));
        assert_eq!(fs::metadata(&own).unwrap().mode() & 0o7777, 0o2750);
    }

    #[test]
    fn a_name_that_is_taken_is_not_used() {
        let spool = tempfile::tempdir().unwrap();
        let name = geteuid().as_raw().to_string();
        std::os::unix::fs::symlink("/tmp", spool.path().join(&name)).unwrap();
        let own = directory(spool.path());
        assert!(own.file_name().unwrap().to_str().unwrap().starts_with(&format!("{name}-")));
        assert!(own.is_dir());
    }
}
