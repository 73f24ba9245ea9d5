//! Who caused an event: the line of the user's code, and the distribution that made the call. Plain data, and
//! what a source file is to it.

use std::hash::BuildHasher as _;

use crate::interest::{Interest, installed_root};

/// Who caused an event. What is not known is empty, `0` or `None`: code without a frame, generated code, a
/// worker thread that does what another one asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The user's source file: the first, seen from the call, that is neither the standard library nor installed.
    pub file: Vec<u8>,
    /// The line in it, from 1.
    pub line: u32,
    /// The function in it, by its qualified name where Python has one (3.11).
    pub function: String,
    /// The installed distribution closest to the call.
    pub distribution: Option<String>,
    /// The one that the user's code called, where that is another.
    pub via: Option<String>,
    /// The shared object whose code made the call, where native code told of the event.
    pub object: Option<Vec<u8>>,
    /// A hash of all the others, made once by [`Origin::hashed`]: every event needs it.
    pub hash: u64,
}

impl Origin {
    /// The origin, ready to be used again and again.
    #[must_use]
    pub fn hashed(mut self) -> Self {
        self.hash = 0;
        self.hash = foldhash::quality::FixedState::default().hash_one(&self);
        self
    }
}

/// What a source file is, seen from the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceFile<'a> {
    /// The interpreter's own: the standard library, and modules frozen into it.
    Standard,
    /// In `root`, a directory of installed distributions, at `path` below it.
    Installed { root: &'a [u8], path: &'a [u8] },
    /// Text that somebody compiled: `<string>`, `<stdin>`, `<attrs generated init …>`.
    Generated,
    /// A notebook cell, which has a file name that no file has.
    Cell,
    /// Everything else.
    User,
}

impl<'a> SourceFile<'a> {
    /// What the code that names `file` as its source belongs to. `file` is as the code has it.
    #[must_use]
    pub fn of(file: &'a [u8], interest: &Interest) -> Self {
        if is_cell(file) {
            return Self::Cell;
        }
        if file.first() == Some(&b'<') {
            return if file.starts_with(b"<frozen ") { Self::Standard } else { Self::Generated };
        }
        if let Some(root) = installed_root(file) {
            let (root, path) = file.split_at_checked(root).unwrap_or((file, b""));
            return Self::Installed { root, path: path.strip_prefix(b"/").unwrap_or(path) };
        }
        let is_own = |own: &Vec<u8>| crate::paths::below(own, file).is_some();
        if interest.library_root(file).is_some() || interest.own.iter().any(is_own) {
            return Self::Standard;
        }
        Self::User
    }
}

/// Whether code from `file` is a notebook's cell: `…/ipykernel_PID/HASH.py`, as ipykernel names its text, or
/// `<ipython-input-3-0a1b>`, as IPython in a terminal does.
#[must_use]
pub fn is_cell(file: &[u8]) -> bool {
    if file.starts_with(b"<ipython-input-") {
        return true;
    }
    let (directory, name) = crate::paths::split(file);
    let directory = directory.strip_suffix(b"/").unwrap_or(directory);
    let (_, folder) = crate::paths::split(directory);
    let is_number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    folder.strip_prefix(b"ipykernel_").is_some_and(is_number)
        && name.strip_suffix(b".py").is_some_and(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_file_is_the_users_unless_it_is_known_to_be_another_s() {
        let interest = Interest {
            libraries: vec![b"/usr/lib/python3.12".to_vec()],
            own: vec![b"/opt/gnomon".to_vec()],
            ..Interest::default()
        };
        let installed = |path| SourceFile::Installed { root: b"/v/site-packages", path };
        for (file, expected) in [
            ("/home/ann/report.py", SourceFile::User),
            ("report.py", SourceFile::User),
            ("/usr/lib/python3.12/json/decoder.py", SourceFile::Standard),
            ("<frozen importlib._bootstrap>", SourceFile::Standard),
            ("/opt/gnomon/api.py", SourceFile::Standard),
            ("/v/site-packages/six.py", installed(b"six.py")),
            ("/v/site-packages/urllib3/util/retry.py", installed(b"urllib3/util/retry.py")),
            ("<string>", SourceFile::Generated),
            ("<attrs generated init x.Y>", SourceFile::Generated),
            ("<ipython-input-3-0a1b>", SourceFile::Cell),
            ("/tmp/ipykernel_4711/3284789.py", SourceFile::Cell),
            ("/tmp/ipykernel_4711/own.py", SourceFile::User),
            ("/tmp/ipykernel_/1.py", SourceFile::User),
        ] {
            assert_eq!(SourceFile::of(file.as_bytes(), &interest), expected, "{file}");
        }
    }
}
