//! What symlinks make of a path: where an operation really goes. Asked only where a policy wants to know it, as that
//! takes a system call for each file and several for each directory.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use foldhash::fast::RandomState;
use parking_lot::Mutex;
use rustix::fs::{CWD, Dir, Mode, OFlags};
use rustix::io::Errno;

use crate::paths;

/// How long a directory is taken to lead where it led, in nanoseconds.
const VALID_NS: u64 = 1_000_000_000;
/// Directories that are remembered.
const REMEMBERED: usize = 256;
/// What a link can hold: PATH_MAX.
const LONGEST_LINK: usize = 4096;
/// Links in a row, as in the kernel.
const MAX_LINKS: usize = 40;

/// Where directories lead, remembered for a second.
#[derive(Default)]
pub struct Links {
    /// By what was asked for. Only ever tried: a lock that could wait has no place in a watched program.
    directories: Mutex<HashMap<Vec<u8>, Directory, RandomState>>,
}

/// A directory without symlinks, as it was at `time`.
struct Directory {
    path: Vec<u8>,
    folds: bool,
    time: u64,
}

/// A path without symlinks, and whether its file system takes upper and lower case for the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved<'a> {
    pub path: Cow<'a, [u8]>,
    pub folds: bool,
}

impl Links {
    /// Where the absolute `path` leads. With `follows_last`, its last component is followed too, as by `open`, also to
    /// a file that is not there yet; without, only those before it, as by `unlink`. A path whose directory is not
    /// there stays as it is.
    #[must_use]
    pub fn resolve<'a>(&self, path: &'a [u8], follows_last: bool, now: u64) -> Resolved<'a> {
        let mut left: Cow<'a, [u8]> = Cow::Borrowed(path);
        for _ in 0..MAX_LINKS {
            let (directory, name) = paths::split(&left);
            if matches!(name, b"" | b".." | b".") {
                break;
            }
            let Some((here, folds)) = self.below(directory, name, now) else {
                return Resolved { path: left, folds: false };
            };
            match follows_last.then(|| where_link_leads(&here)).flatten() {
                Some(target) => left = Cow::Owned(target),
                None if here == *left => return Resolved { path: left, folds },
                None => return Resolved { path: Cow::Owned(here), folds },
            }
        }
        match without_links(&left) {
            Some(found) => {
                let folds = folds(&found);
                Resolved { path: Cow::Owned(found), folds }
            }
            None => Resolved { path: left, folds: false },
        }
    }

    /// Forgets where directories led: something in the tree has changed.
    pub fn forget(&self) {
        if let Some(mut known) = self.directories.try_lock() {
            known.clear();
        }
    }

    /// `name` in the directory that `asked` leads to, and whether that folds names.
    fn below(&self, asked: &[u8], name: &[u8], now: u64) -> Option<(Vec<u8>, bool)> {
        let mut known = self.directories.try_lock();
        if let Some(found) = known.as_deref().and_then(|known| known.get(asked))
            && now.saturating_sub(found.time) < VALID_NS
        {
            return Some((joined(&found.path, name), found.folds));
        }
        let path = without_links(asked)?;
        let below = (joined(&path, name), folds(&path));
        if let Some(known) = known.as_deref_mut() {
            if known.len() >= REMEMBERED {
                known.retain(|_, found| now.saturating_sub(found.time) < VALID_NS);
            }
            if known.len() >= REMEMBERED {
                known.clear();
            }
            known.insert(asked.to_vec(), Directory { path, folds: below.1, time: now });
        }
        Some(below)
    }
}

fn as_path(path: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(path))
}

fn joined(directory: &[u8], name: &[u8]) -> Vec<u8> {
    [directory.strip_suffix(b"/").unwrap_or(directory), b"/", name].concat()
}

/// Where the absolute `path` leads; `None` where nothing is. Like realpath(3), which may not be called here: it
/// allocates in libc, and this may run in a signal handler. Asks less than that of a file before `/..`, which it takes
/// for a directory, and opens nothing: descriptors are the program's.
fn without_links(path: &[u8]) -> Option<Vec<u8>> {
    let (mut found, mut left) = (Vec::with_capacity(path.len()), Cow::Borrowed(path));
    for _ in 0..=MAX_LINKS {
        match walked(&mut found, &left)? {
            Some(rest) => left = Cow::Owned(rest),
            None if found.is_empty() => return Some(b"/".to_vec()),
            None => return Some(found),
        }
    }
    None
}

/// Goes from `found` along `left`, to its end or the first link: then what is left from there on.
fn walked(found: &mut Vec<u8>, mut left: &[u8]) -> Option<Option<Vec<u8>>> {
    let mut buffer = [MaybeUninit::uninit(); LONGEST_LINK];
    while !left.is_empty() {
        let (name, rest) = first_component(left);
        left = rest;
        match name {
            b"" | b"." => {}
            b".." => leave(found),
            name => {
                found.push(b'/');
                found.extend_from_slice(name);
                let link: &[u8] = match rustix::fs::readlinkat_raw(CWD, found.as_slice(), &mut buffer[..]) {
                    Ok((link, _)) => link,
                    Err(Errno::INVAL) => continue, // it is there, and no link
                    Err(_) => return None,
                };
                if link.first() == Some(&b'/') {
                    found.clear()
                } else {
                    leave(found)
                }
                return Some(Some([link, b"/", left].concat()));
            }
        }
    }
    Some(None)
}

fn first_component(path: &[u8]) -> (&[u8], &[u8]) {
    let slash = memchr::memchr(b'/', path).unwrap_or(path.len());
    let (name, rest) = path.split_at(slash);
    (name, rest.get(1..).unwrap_or_default())
}

/// Goes up from a directory without links. The root is empty, and its own parent.
fn leave(directory: &mut Vec<u8>) {
    directory.truncate(memchr::memrchr(b'/', directory).unwrap_or(0));
}

/// What the symlink at `path` points to; `None` for anything else.
fn where_link_leads(path: &[u8]) -> Option<Vec<u8>> {
    let mut buffer = [MaybeUninit::uninit(); LONGEST_LINK];
    let (link, _) = rustix::fs::readlinkat_raw(CWD, path, &mut buffer[..]).ok()?;
    Some(if link.first() == Some(&b'/') { link.to_vec() } else { joined(paths::split(path).0, link) })
}

/// Whether names in `directory` are the same in upper and lower case: on what Windows and networks made (magic
/// numbers of statfs(2)), and where ext4, f2fs or tmpfs were told so for a directory.
fn folds(directory: &[u8]) -> bool {
    const ALWAYS: [u64; 8] = [
        0x4d44,      // msdos, vfat
        0x2011_BAB0, // exfat
        0x5346_544e, // ntfs
        0x7366_746e, // ntfs3
        0xff53_4d42, // cifs
        0xfe53_4d42, // smb2
        0x786f_4256, // vboxsf
        0x4244,      // hfs
    ];
    const BY_FLAG: [u64; 3] = [0xEF53, 0xF2F5_2010, 0x0102_1994];
    let Ok(found) = rustix::fs::statfs(as_path(directory)) else {
        return false;
    };
    let kind = found.f_type as u64;
    ALWAYS.contains(&kind) || BY_FLAG.contains(&kind) && is_marked(directory)
}

fn is_marked(directory: &[u8]) -> bool {
    const CASEFOLD: u32 = 0x4000_0000; // FS_CASEFOLD_FL
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let Ok(open) = rustix::fs::open(as_path(directory), flags, Mode::empty()) else {
        return false;
    };
    rustix::fs::ioctl_getflags(open.as_fd()).is_ok_and(|flags| flags.bits() & CASEFOLD != 0)
}

/// Every file called `path` below a directory that this process has open: `os.open` with a `dir_fd`, whose event does
/// not say which. One that `creates` its file may be about any whose directory is there.
#[must_use]
pub fn below_open_directories(path: &[u8], creates: bool) -> Vec<Vec<u8>> {
    let directories = open_files().unwrap_or_default();
    let candidates =
        directories.iter().filter(|target| target.first() == Some(&b'/')).map(|target| joined(target, path));
    candidates.filter(|path| is_there(path) || creates && is_there(paths::split(path).0)).collect()
}

/// What the descriptors of this process stand for. Read without opendir(3), which allocates in libc.
fn open_files() -> Option<Vec<Vec<u8>>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut entries = Dir::new(rustix::fs::open("/proc/self/fd", flags, Mode::empty()).ok()?).ok()?;
    let (mut found, mut buffer) = (Vec::new(), [MaybeUninit::uninit(); LONGEST_LINK]);
    while let Some(Ok(entry)) = entries.read() {
        let path = [b"/proc/self/fd/", entry.file_name().to_bytes()].concat();
        if let Ok((target, _)) = rustix::fs::readlinkat_raw(CWD, path, &mut buffer[..]) {
            found.push(target.to_vec());
        }
    }
    Some(found)
}

fn is_there(path: &[u8]) -> bool {
    rustix::fs::access(path, rustix::fs::Access::EXISTS).is_ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn bytes(path: &Path) -> Vec<u8> {
        path.as_os_str().as_bytes().to_vec()
    }

    #[test]
    fn links_lead_where_an_operation_goes() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir(root.join("hr")).unwrap();
        fs::write(root.join("hr/x"), "").unwrap();
        symlink("hr", root.join("folder")).unwrap();
        symlink("hr/x", root.join("file")).unwrap();
        symlink(root.join("hr/new"), root.join("dangling")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        for (given, follows_last, expected) in [
            ("hr/x", true, "hr/x"),
            ("folder/x", true, "hr/x"),
            ("file", true, "hr/x"),
            ("file", false, "file"),
            ("folder/../hr/./x", true, "hr/x"),
            ("dangling", true, "hr/new"),
            ("hr/not there", true, "hr/not there"),
            ("no folder/x", true, "no folder/x"),
            ("loop", true, "loop"),
        ] {
            let links = Links::default();
            let given = bytes(&root.join(given));
            for now in [5, 6] {
                let found = links.resolve(&given, follows_last, now);
                assert_eq!(found.path, bytes(&root.join(expected)), "{}", String::from_utf8_lossy(&given));
                assert!(!found.folds);
            }
        }
    }

    #[test]
    fn a_path_without_links_is_what_realpath_says() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("r");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/x"), "").unwrap();
        for (target, link) in [
            ("a", "up"),
            ("../x", "a/b/relative"),
            ("up/b/..", "twice"),
            ("twice/./b//", "thrice"),
            ("no such", "dangling"),
            ("loop", "loop"),
            ("/", "top"),
        ] {
            symlink(target, root.join(link)).unwrap();
        }
        symlink(root.join("up"), root.join("absolute")).unwrap();
        for path in [
            "",
            "/",
            "a//b/./",
            "a/../a/x",
            "up/x",
            "up/..",
            "a/b/relative",
            "twice/x",
            "thrice",
            "thrice/..",
            "thrice/relative",
            "absolute/b/..",
            "dangling",
            "dangling/..",
            "loop",
            "loop/..",
            "no/..",
            "top",
            "top/proc/self/../self/fd/../..",
            "top/../..",
        ] {
            let path = [bytes(&root), b"/".to_vec(), path.into()].concat();
            let expected = fs::canonicalize(as_path(&path)).ok().map(|path| bytes(&path));
            assert_eq!(without_links(&path), expected, "{}", String::from_utf8_lossy(&path));
        }
        assert_eq!(without_links(b"//.."), Some(b"/".to_vec()));
    }

    #[test]
    fn a_directory_is_asked_again_after_a_second() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir(root.join("one")).unwrap();
        fs::create_dir(root.join("two")).unwrap();
        symlink("one", root.join("link")).unwrap();
        let (links, path) = (Links::default(), bytes(&root.join("link/x")));
        assert_eq!(links.resolve(&path, true, 0).path, bytes(&root.join("one/x")));
        fs::remove_file(root.join("link")).unwrap();
        symlink("two", root.join("link")).unwrap();
        assert_eq!(links.resolve(&path, true, VALID_NS - 1).path, bytes(&root.join("one/x")));
        assert_eq!(links.resolve(&path, true, VALID_NS).path, bytes(&root.join("two/x")));
        links.forget();
        assert_eq!(links.resolve(&path, true, 0).path, bytes(&root.join("two/x")));
    }

    #[test]
    fn open_directories_are_looked_through() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("only here"), "").unwrap();
        let _open = fs::File::open(folder.path()).unwrap();
        let found = below_open_directories(b"only here", false);
        let here = |name| bytes(&fs::canonicalize(folder.path()).unwrap().join(name));
        assert!(found.contains(&here("only here")));
        assert!(!below_open_directories(b"new", false).contains(&here("new")));
        assert!(below_open_directories(b"new", true).contains(&here("new")));
    }
}
