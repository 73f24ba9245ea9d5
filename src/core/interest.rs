//! What is kept and what is the interpreter's own machinery: pure decisions on absolute paths.

use crate::event::Access;
use crate::paths::{below, climbs};

/// Where the machinery lives, fixed when a process is armed.
#[derive(Clone, Debug, Default)]
pub struct Interest {
    /// Absolute directories of the standard library and of installed packages, without a final slash.
    pub libraries: Vec<Vec<u8>>,
    /// The standard library as one file (`python312.zip`), which the interpreter looks for at each start.
    pub archives: Vec<Vec<u8>>,
    /// gnomon's own directories: what it opens there itself is not the program's doing.
    pub own: Vec<Vec<u8>>,
    /// Keep one record for each module and not for each top-level package.
    pub every_import: bool,
}

impl Interest {
    /// Whether opening `path` is kept.
    #[must_use]
    pub fn keeps_open(&self, path: &[u8], access: Access) -> bool {
        if access.changes() {
            return path != b"/dev/null";
        }
        if climbs(path) {
            return true; // it may lead out of any directory named in it
        }
        !(path == b"/dev/null"
            || below(b"/proc/self", path).is_some()
            || is_bytecode(path)
            || self.library_root(path).is_some()
            || self.archives.iter().any(|archive| archive == path)
            || self.is_own(path))
    }

    /// Whether native code asks the machine for something by opening `path`: that is not what a program does with files.
    /// Nobody could write a rule that allows it, and libraries end the program where it is refused.
    #[must_use]
    pub fn is_question_to_machine(&self, path: &[u8], access: Access) -> bool {
        const MACHINE: [&[u8]; 18] = [
            b"/sys/devices/system/",
            b"/sys/fs/cgroup/",
            b"/sys/kernel/mm/",
            b"/sys/class/",
            b"/proc/cpuinfo",
            b"/proc/meminfo",
            b"/proc/stat",
            b"/proc/loadavg",
            b"/proc/filesystems",
            b"/proc/mounts",
            b"/proc/sys/",
            b"/proc/self/cgroup",
            b"/proc/self/maps",
            b"/proc/self/mountinfo",
            b"/proc/self/mounts",
            b"/proc/self/stat",
            b"/dev/urandom",
            b"/dev/random",
        ];
        !access.changes() && !climbs(path) && MACHINE.iter().any(|start| path.starts_with(start))
    }

    /// Whether listing the directory `path` is kept.
    #[must_use]
    pub fn keeps_list(&self, path: &[u8]) -> bool {
        let path = path.strip_suffix(b"/").unwrap_or(path);
        if climbs(path) {
            return true;
        }
        let directory = [path, b"/"].concat(); // a library directory itself is machinery too
        !(below(b"/proc/self", path).is_some()
            || path.ends_with(b"/__pycache__")
            || self.library_root(&directory).is_some()
            || self.is_own(path))
    }

    /// Whether `path` is gnomon's own: in the spool, or part of its library.
    #[must_use]
    pub fn is_own(&self, path: &[u8]) -> bool {
        self.own.iter().any(|own| below(own, path).is_some() || own == path)
    }

    /// Length of the library directory that holds `path`, without its slash.
    #[must_use]
    pub fn library_root(&self, path: &[u8]) -> Option<usize> {
        if let Some(at) = installed_root(path) {
            return Some(at);
        }
        self.libraries.iter().filter(|root| below(root, path).is_some()).map(Vec::len).max()
    }
}

/// Length of the `…/site-packages` or `…/dist-packages` that holds `path`: the last one in it.
#[must_use]
pub fn installed_root(path: &[u8]) -> Option<usize> {
    const NAMES: [&[u8]; 2] = [b"/site-packages/", b"/dist-packages/"];
    if !may_have_packages(path) {
        return None;
    }
    let mut before = path;
    while let Some(slash) = memchr::memrchr(b'/', before) {
        // Both names are 15 bytes long with their slashes.
        if slash >= 14 && before.get(slash - 14..=slash).is_some_and(|name| NAMES.contains(&name)) {
            return Some(slash);
        }
        before = before.get(..slash)?;
    }
    None
}

/// Whether bytes of `-packages/` stand in `path` where they do in that. Without an early exit, so that it compiles
/// to SIMD: nearly every path is spared the search from slash to slash, a sixth of what a record costs.
fn may_have_packages(path: &[u8]) -> bool {
    let (middle, end) = (path.get(6..).unwrap_or_default(), path.get(9..).unwrap_or_default());
    path.iter().zip(middle).zip(end).fold(false, |found, ((first, middle), last)| {
        found | ((*first == b'-') & (*middle == b'g') & (*last == b'/'))
    })
}

fn is_bytecode(path: &[u8]) -> bool {
    path.ends_with(b".pyc") && path.windows(13).any(|window| window == b"/__pycache__/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interest() -> Interest {
        Interest {
            libraries: vec![b"/usr/lib/python3.12".to_vec()],
            archives: vec![b"/usr/lib/python312.zip".to_vec()],
            own: vec![b"/var/spool/gnomon".to_vec()],
            every_import: false,
        }
    }

    #[test]
    fn reads_of_machinery_are_dropped_and_all_else_is_kept() {
        for (path, kept) in [
            ("/home/ann/data.csv", true),
            ("/home/ann/helpers.py", true),
            ("/dev/null", false),
            ("/proc/self/status", false),
            ("/proc/1/status", true),
            ("/usr/lib/python3.12/json/__init__.py", false),
            ("/usr/lib/python3.12", true),
            ("/usr/lib/python312.zip", false),
            ("/usr/lib/python3.12extra/x", true),
            ("/venv/lib/python3.12/site-packages/certifi/cacert.pem", false),
            ("/usr/lib/python3/dist-packages/six.py", false),
            ("/home/ann/__pycache__/helpers.cpython-312.pyc", false),
            ("/home/ann/archive.pyc", true),
            ("/var/spool/gnomon/x.gnomon", false),
        ] {
            assert_eq!(interest().keeps_open(path.as_bytes(), Access::READ), kept, "{path}");
        }
    }

    #[test]
    fn bypasses_of_the_read_filter_are_kept() {
        for path in [
            "/usr/lib/python3.12/../../../home/ann/secret.csv",
            "/venv/site-packages/../secret",
            "/proc/self/../1/environ",
            "/home/site-packages",
        ] {
            assert!(interest().keeps_open(path.as_bytes(), Access::READ), "{path}");
        }
    }

    #[test]
    fn what_is_asked_of_the_machine_is_read_there_and_nowhere_else() {
        for (path, is_asked) in [
            ("/proc/meminfo", true),
            ("/sys/fs/cgroup/memory.max", true),
            ("/proc/self/status", true),
            ("/sys/class/../../home/ann/secret", false),
            ("/proc/self/root/home/ann/secret", false),
            ("/proc/self/environ", false),
            ("/proc/1/status", false),
        ] {
            assert_eq!(interest().is_question_to_machine(path.as_bytes(), Access::READ), is_asked, "{path}");
        }
        assert!(!interest().is_question_to_machine(b"/proc/sys/kernel/hostname", Access::WRITE));
    }

    #[test]
    fn a_write_below_a_library_is_always_kept() {
        let path = b"/venv/lib/python3.12/site-packages/requests/api.py";
        assert!(interest().keeps_open(path, Access::WRITE));
        assert!(interest().keeps_open(b"/usr/lib/python3.12/os.py", Access::READ.with(Access::APPEND)));
        assert!(!interest().keeps_open(b"/dev/null", Access::WRITE));
    }

    #[test]
    fn listing_a_library_is_machinery_and_all_else_is_kept() {
        for (path, kept) in [
            ("/home/ann", true),
            ("/usr/lib/python3.12", false),
            ("/usr/lib/python3.12/json", false),
            ("/usr/lib/python3.12/..", true),
            ("/venv/lib/python3.12/site-packages", false),
            ("/venv/lib/python3.12/site-packages/", false),
            ("/venv/lib", true),
            ("/home/ann/__pycache__", false),
            ("/proc/self/fd", false),
            ("/proc", true),
            ("/var/spool/gnomon", false),
            ("/var/spool", true),
        ] {
            assert_eq!(interest().keeps_list(path.as_bytes()), kept, "{path}");
        }
    }

    #[test]
    fn the_innermost_library_counts() {
        let path = b"/a/site-packages/b/site-packages/c.py";
        assert_eq!(interest().library_root(path), Some("/a/site-packages/b/site-packages".len()));
        assert_eq!(interest().library_root(b"/home/x.py"), None);
    }
}
