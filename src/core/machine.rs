//! What the machine's owner decided for all its processes: the lines of the settings file that installing wrote.
//! Pure: what is not understood is left out, as a newer gnomon may have written it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

/// Longest settings file that is read, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;

/// What holds for every process of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// The directory that holds each user's own.
    pub spool: PathBuf,
    /// Compiled policies.
    pub policies: Vec<PathBuf>,
    /// Nothing may start without the policies.
    pub fails_closed: bool,
    /// Native code is left alone.
    pub native_off: bool,
    /// One record for each module.
    pub every_import: bool,
    /// Accounts are stored under pseudonyms.
    pub privacy: bool,
    /// Programs that are not touched.
    skip: Programs,
    /// Bytes that stay free on the spool's disk.
    pub reserve: u64,
}

impl Machine {
    /// What `settings` say; `None` where they name no spool.
    #[must_use]
    pub fn parse(settings: &[u8]) -> Option<Self> {
        let mut machine = Self::default();
        let mut rest = settings;
        while !rest.is_empty() {
            // Most lines are programs to skip, and there are dozens: this runs at every start.
            let (line, below) = rest.split_at(memchr::memchr(b'\n', rest).unwrap_or(rest.len()));
            rest = below.get(1..).unwrap_or_default();
            if let Some(program) = line.strip_prefix(b"skip=") {
                machine.skip.add(program);
            } else if let Some(at) = memchr::memchr(b'=', line).filter(|_| !line.starts_with(b"#")) {
                let (key, value) = line.split_at(at);
                machine.set(key, value.get(1..).unwrap_or_default());
            }
        }
        machine.spool.is_absolute().then_some(machine)
    }

    fn set(&mut self, key: &[u8], value: &[u8]) {
        let path = || PathBuf::from(OsStr::from_bytes(value));
        match key {
            b"spool" => self.spool = path(),
            b"policy" if value.starts_with(b"/") => self.policies.push(path()),
            b"policy_fail" => self.fails_closed = value == b"closed",
            b"native" => self.native_off = value == b"off",
            b"imports" => self.every_import = value == b"all",
            b"privacy" => self.privacy = value == b"1",
            b"reserve" => {
                self.reserve =
                    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
            }
            _ => {}
        }
    }

    /// Whether the program at the absolute `path` is not to be touched.
    #[must_use]
    pub fn skips(&self, path: &[u8]) -> bool {
        self.skip.have(path)
    }
}

/// Paths of programs, one in a line; one that ends with `*` stands for all that start so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Programs(Vec<u8>);

impl Programs {
    fn add(&mut self, program: &[u8]) {
        if self.0.is_empty() {
            self.0.reserve(4096);
        }
        self.0.extend_from_slice(program);
        self.0.push(b'\n');
    }

    fn have(&self, path: &[u8]) -> bool {
        let mut start = 0;
        memchr::memchr_iter(b'\n', &self.0).any(|end| {
            let program = self.0.get(start..end).unwrap_or_default();
            start = end + 1;
            match program.strip_suffix(b"*") {
                Some(start) => path.starts_with(start),
                None => !program.is_empty() && path == program,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_lines_and_what_is_unknown_is_left_out() {
        let text = b"# made by gnomon install\nspool=/var/spool/gnomon\npolicy=/opt/gnomon/policies/a.compiled\n\
            policy=relative\nnative=off\npolicy_fail=closed\nreserve=1000\nnew=thing\nskip=/usr/bin/apt*\nskip=\n";
        let machine = Machine::parse(text).unwrap();
        assert_eq!(machine.spool, PathBuf::from("/var/spool/gnomon"));
        assert_eq!(machine.policies, [PathBuf::from("/opt/gnomon/policies/a.compiled")]);
        assert!(machine.native_off && machine.fails_closed && !machine.every_import);
        assert_eq!(machine.reserve, 1000);
        assert!(machine.skips(b"/usr/bin/apt-get") && !machine.skips(b"/usr/bin/dnf"));
    }

    #[test]
    fn settings_without_a_spool_are_none() {
        for text in [&b""[..], b"native=off", b"spool=", b"spool=here", b"\0\xFF=\n="] {
            assert_eq!(Machine::parse(text), None);
        }
    }
}
