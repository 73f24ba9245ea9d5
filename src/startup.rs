//! Which line of which start-up file runs: the `import` lines of `.pth` files, and the entry points of `.start` files
//! (Python 3.15), which `site` executes. Their code has no file that says so; the local variables of `site` do.

use std::ffi::{CStr, OsStr};
use std::hash::BuildHasher as _;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;

use foldhash::fast::FixedState;

use crate::capi::{Object, Owned};
use crate::stack::{self, Frame};

/// How much of a start-up file is looked through for a line.
const MAX_BYTES: u64 = 1 << 20;

/// A line that `site` executes.
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub struct Line {
    /// The path of the start-up file.
    pub file: Vec<u8>,
    /// Its text, without the spaces around it.
    pub text: Vec<u8>,
    /// From 1; 0 where it is not found in the file.
    pub number: u32,
}

impl Line {
    /// The number that tells it from others.
    pub fn hash(&self) -> u64 {
        FixedState::default().hash_one(self)
    }

    /// The entry point that it is; empty for a line of a `.pth` file, which is code.
    pub fn entry_point(&self) -> String {
        let text = if self.file.ends_with(b".start") { &self.text[..] } else { b"" };
        String::from_utf8_lossy(text).into_owned()
    }
}

/// Whether a function of `site` executes lines of start-up files.
pub fn executes_lines(file: &[u8], function: &[u8]) -> bool {
    (file == b"<frozen site>" || file.ends_with(b"/site.py"))
        && matches!(function, b"addpackage" | b"_exec_imports" | b"_execute_start_entrypoints")
}

/// Whether `file` is one of the two modules that `site` imports for whoever puts them there.
pub fn is_customisation(file: &[u8]) -> bool {
    let (directory, name) = gnomon_core::paths::split(file);
    match name {
        b"sitecustomize.py" | b"usercustomize.py" => true,
        b"__init__.py" => {
            matches!(gnomon_core::paths::split(directory).1, b"sitecustomize" | b"usercustomize")
        }
        _ => false,
    }
}

/// The line that such a function executes; `known` is the one that was found before. With the GIL.
pub fn line_of(frame: &Frame<'_>, known: Option<&Line>) -> Option<Line> {
    stack::with_frame(frame, |frame| {
        let variables = frame.attribute(c"f_locals")?;
        let file = path(&variables, &[c"fullname", c"filename"])?;
        let text = path(&variables, &[c"entrypoint", c"line"])?; // not there while the file is being read
        let text = text.trim_ascii().to_vec();
        let number = known.filter(|known| known.file == file && known.text == text).map(|known| known.number);
        let number = number.unwrap_or_else(|| number_of(&text, &file).unwrap_or(0));
        Some(Line { file, text, number })
    })
}

/// The file of which such a function, whose frame object this is, executes a line.
pub fn file_of(frame: Object<'_>) -> Option<Vec<u8>> {
    let variables = frame.attribute(c"f_locals")?;
    path(&variables, &[c"entrypoint", c"line"])?; // not there while the file is being read
    path(&variables, &[c"fullname", c"filename"])
}

fn path(variables: &Owned, names: &[&CStr]) -> Option<Vec<u8>> {
    let value = names.iter().find_map(|name| variables.object().mapped(name))?;
    value.object().path().map(std::borrow::Cow::into_owned)
}

fn number_of(text: &[u8], file: &[u8]) -> Option<u32> {
    let mut content = Vec::new();
    std::fs::File::open(OsStr::from_bytes(file)).ok()?.take(MAX_BYTES).read_to_end(&mut content).ok()?;
    let at = content.split(|byte| *byte == b'\n').position(|line| line.trim_ascii() == text)?;
    u32::try_from(at + 1).ok()
}
