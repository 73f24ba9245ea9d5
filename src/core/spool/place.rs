//! Where segments lie and whom they belong to: a spool's own directory, and one below it for each user.
//!
//! What users put there is not trusted. A directory of theirs is opened without following a link, what is in it
//! relative to that descriptor, and who owns a file is asked of the open file, never of its name again.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};

use super::fault::Fault;
use super::format::EXTENSION;
use crate::filter::Filter;

/// Enough to open what is in a directory that one may not list.
#[cfg(target_os = "linux")]
const SEARCH: OFlags = OFlags::PATH;
#[cfg(not(target_os = "linux"))]
const SEARCH: OFlags = OFlags::RDONLY;

/// Whether a user's directory may be called so: `1000`, or `1000-89abcdef` where somebody else took that name.
#[must_use]
pub fn is_user_folder(name: &OsStr) -> bool {
    let name = name.as_bytes();
    let digits = name.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = name.split_at(digits);
    let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (1..=10).contains(&number.len())
        && match rest.split_first() {
            None => true,
            Some((dash, digest)) => *dash == b'-' && !digest.is_empty() && digest.iter().all(is_hex),
        }
}

/// Whom a file belongs to, and the directories it lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    pub uid: u32,
    folder: u32,
    spool: u32,
}

impl Owner {
    /// Whether it may write for anyone: root, and the owner of the spool.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.trusts(self.uid)
    }

    fn trusts(&self, uid: u32) -> bool {
        uid == 0 || uid == self.spool
    }

    /// Whether a file of this owner has no right to say that it is of the user `claimed`. Root and the owner of
    /// the spool may write for anyone; all others for themselves, into a directory of their own.
    #[must_use]
    pub fn disowns(&self, claimed: u32) -> bool {
        let is_misplaced = self.folder != self.uid && !self.trusts(self.folder);
        !self.is_trusted() && (claimed != self.uid || is_misplaced) && !is_unknown(self.uid)
    }
}

/// Whether `uid` may stand for any user that has no number in this process's user namespace.
fn is_unknown(uid: u32) -> bool {
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse().ok();
    if number("/proc/sys/kernel/overflowuid") != Some(uid) {
        return false;
    }
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_ascii_whitespace().ne(["0", "0", "4294967295"])
}

/// A directory of segments, open.
#[derive(Debug)]
pub struct Folder {
    descriptor: OwnedFd,
    owner: u32,
    spool: u32,
}

impl Folder {
    /// Opens the directory at `path`. One that is called as a user's is not opened through a link.
    ///
    /// # Errors
    /// It cannot be opened, or is none.
    pub fn at(path: &Path) -> io::Result<Self> {
        Self::open_as(path, SEARCH)
    }

    fn open_as(path: &Path, access: OFlags) -> io::Result<Self> {
        match path.file_name().filter(|name| is_user_folder(name)) {
            Some(name) => Self::spool_at(parent_of(path), SEARCH)?.subfolder(name, access),
            None => Self::spool_at(path, access),
        }
    }

    fn spool_at(path: &Path, access: OFlags) -> io::Result<Self> {
        let flags = access | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let descriptor = rustix::fs::open(path, flags, Mode::empty())?;
        let owner = rustix::fs::fstat(&descriptor)?.st_uid;
        Ok(Self { descriptor, owner, spool: owner })
    }

    fn subfolder(&self, name: &OsStr, access: OFlags) -> io::Result<Self> {
        let flags = access | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let descriptor = rustix::fs::openat(&self.descriptor, name, flags, Mode::empty())?;
        let owner = rustix::fs::fstat(&descriptor)?.st_uid;
        Ok(Self { descriptor, owner, spool: self.spool })
    }

    /// Who owns it.
    #[must_use]
    pub fn owner(&self) -> u32 {
        self.owner
    }

    /// Opens the file called `name`, which may be anything: a link is not followed, nothing is waited for.
    /// `None` where it is no regular file.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(&self, name: &OsStr, access: OFlags) -> io::Result<Option<Opened>> {
        open_in(&self.descriptor, name, access).map(|opened| {
            opened.map(|(file, stat)| {
                let owner = Owner { uid: stat.st_uid, folder: self.owner, spool: self.spool };
                Opened { file, stat, owner }
            })
        })
    }

    fn names(self) -> io::Result<impl Iterator<Item = io::Result<(FileType, Vec<u8>)>>> {
        let entries = Dir::new(self.descriptor)?;
        let named = |entry: rustix::io::Result<rustix::fs::DirEntry>| {
            entry
                .map(|entry| (entry.file_type(), entry.file_name().to_bytes().to_vec()))
                .map_err(io::Error::from)
        };
        Ok(entries.map(named))
    }
}

/// A regular file, open.
#[derive(Debug)]
pub struct Opened {
    pub file: File,
    pub stat: Stat,
    pub owner: Owner,
}

/// Opens what is called `name` in `folder` if it is a regular file: a link is not followed, nothing is waited for,
/// and a device is not even opened, as that may do something.
///
/// # Errors
/// It cannot be opened.
pub fn open_in(
    folder: impl rustix::fd::AsFd,
    name: &OsStr,
    access: OFlags,
) -> io::Result<Option<(File, Stat)>> {
    let is_regular = |stat: &Stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    let found = rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if !is_regular(&found) {
        return Ok(None);
    }
    let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(&folder, name, flags, Mode::empty())?);
    let stat = rustix::fs::fstat(&file)?; // of what was opened: the name may have got another meaning
    Ok(is_regular(&stat).then_some((file, stat)))
}

/// A descriptor that somebody else keeps open, as a folder to open files in.
///
/// # Errors
/// It cannot be asked.
pub fn owner_of(folder: BorrowedFd<'_>) -> io::Result<u32> {
    Ok(rustix::fs::fstat(folder)?.st_uid)
}

/// The directory that `path` lies in.
#[must_use]
pub fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The segments of a spool that `filter` can ask for, and the users' directories that cannot be read: the files of
/// a directory and of the users' directories in it; or one file. Sorted by process and number.
///
/// Who may not list the spool sees the directory of their own.
///
/// # Errors
/// The directory cannot be listed.
pub fn list(spool: &Path, filter: &Filter) -> io::Result<(Vec<PathBuf>, Vec<Fault>)> {
    if spool.is_file() {
        let name = spool.file_name().unwrap_or_default().to_string_lossy();
        let is_double = filter.without.contains(&*name);
        return Ok((if is_double { Vec::new() } else { vec![spool.to_owned()] }, Vec::new()));
    }
    let mut listing = Listing { filter, paths: Vec::new(), faults: Vec::new() };
    let has_users = !spool.file_name().is_some_and(is_user_folder);
    match Folder::open_as(spool, OFlags::RDONLY) {
        Ok(folder) => listing.add(folder, spool, has_users)?,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && has_users => {
            if listing.add_own(spool).is_err() {
                return Err(error);
            }
            listing.faults.push(Fault::unreadable(spool, &error));
        }
        Err(error) => return Err(error),
    }
    let Listing { mut paths, faults, .. } = listing;
    paths.sort_unstable_by(|one, other| (one.file_name(), one).cmp(&(other.file_name(), other)));
    Ok((paths, faults))
}

struct Listing<'a> {
    filter: &'a Filter,
    paths: Vec<PathBuf>,
    faults: Vec<Fault>,
}

impl Listing<'_> {
    fn add(&mut self, folder: Folder, at: &Path, has_users: bool) -> io::Result<()> {
        let mut users = Vec::new();
        for entry in folder.names()? {
            let (kind, name) = entry?;
            let name = OsStr::from_bytes(&name);
            let is_segment = Path::new(name).extension().is_some_and(|extension| extension == EXTENSION);
            if is_segment && self.filter.matches_file(&name.to_string_lossy()) {
                self.paths.push(at.join(name));
            } else if has_users
                && matches!(kind, FileType::Directory | FileType::Unknown)
                && is_user_folder(name)
            {
                users.push(name.to_owned());
            }
        }
        users.iter().for_each(|name| self.add_user(&at.join(name)));
        Ok(())
    }

    fn add_user(&mut self, path: &Path) {
        let added = Folder::open_as(path, OFlags::RDONLY).and_then(|folder| self.add(folder, path, false));
        match added {
            // Gone meanwhile, or no directory after all.
            Err(error) if matches!(error.raw_os_error(), Some(NO_ENTRY | NO_DIRECTORY | LINK)) => {}
            Err(error) => self.faults.push(Fault::unreadable(path, &error)),
            Ok(()) => {}
        }
    }

    /// Adds the directory of the user that reads, in a spool that may not be listed.
    fn add_own(&mut self, spool: &Path) -> io::Result<()> {
        let path = spool.join(rustix::process::geteuid().as_raw().to_string());
        let folder = Folder::open_as(&path, OFlags::RDONLY)?;
        self.add(folder, &path, false)
    }
}

const NO_ENTRY: i32 = rustix::io::Errno::NOENT.raw_os_error();
const NO_DIRECTORY: i32 = rustix::io::Errno::NOTDIR.raw_os_error();
const LINK: i32 = rustix::io::Errno::LOOP.raw_os_error();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_directory_is_told_by_its_name() {
        for (name, expected) in [
            ("0", true),
            ("1000", true),
            ("1000-0123456789abcdef", true),
            ("4294967295", true),
            ("42949672950", false),
            ("", false),
            ("-1", false),
            ("1000-", false),
            ("1000-XYZ", false),
            ("1000.gnomon", false),
            ("1000\n", false),
            ("..", false),
            ("root", false),
        ] {
            assert_eq!(is_user_folder(OsStr::new(name)), expected, "{name:?}");
        }
    }

    #[test]
    fn only_root_and_the_spools_owner_write_for_others() {
        let owner = |uid, folder, spool| Owner { uid, folder, spool };
        for (of, claimed, expected) in [
            (owner(7, 7, 0), 7, false),
            (owner(7, 7, 0), 0, true),
            (owner(7, 7, 0), 8, true),
            // Root's own, anywhere.
            (owner(0, 0, 0), 7, false),
            (owner(0, 7, 0), 7, false),
            // In another user's directory, and in one that root made.
            (owner(7, 8, 0), 7, true),
            (owner(7, 0, 0), 7, false),
            // A spool of one's own, copied from elsewhere.
            (owner(7, 7, 7), 1001, false),
            (owner(8, 7, 7), 8, false),
            (owner(8, 7, 7), 7, true),
        ] {
            assert_eq!(of.disowns(claimed), expected, "{of:?} {claimed}");
        }
    }
}
