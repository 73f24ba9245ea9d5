//! What a shared object on disk may do unseen: for who reads records of one that was too large to be searched while it
//! was loaded.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::blind::{self, Unseen};
use super::elf::{Machine, Note};
use crate::errors::cannot;

const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
const EXECUTABLE: u32 = 1;
const HEADER_BYTES: usize = 56;
/// Larger than any code that there is: what a broken file says is not asked of memory.
const MAX_BYTES: u64 = 1 << 31;

/// What the shared object at `path` may do unseen, as a record of kind `blind` says it; `None` where that is nothing.
///
/// # Errors
/// The file cannot be read, or is no shared object.
#[pyfunction]
pub fn examine(py: Python<'_>, path: PathBuf) -> PyResult<Option<String>> {
    let found = py.detach(|| File::open(&path).and_then(|file| unseen(&file)));
    match found {
        Ok(found) => Ok(found.and_then(|(unseen, machine)| unseen.words(machine))),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(PyValueError::new_err(format!("`{}` is no shared object", path.display())))
        }
        Err(error) => Err(cannot("examine", &path, &error)),
    }
}

/// Of one segment of a file.
struct Part {
    kind: u32,
    flags: u32,
    offset: u64,
    bytes: u64,
}

impl Part {
    fn of(header: &[u8; HEADER_BYTES]) -> Option<Self> {
        let [kind, flags] = [0, 4].map(|at| number(header, at, 4));
        let [offset, bytes] = [8, 32].map(|at| number(header, at, 8));
        Some(Self { kind: kind? as u32, flags: flags? as u32, offset: offset?, bytes: bytes? })
    }

    fn read(&self, file: &File) -> io::Result<Vec<u8>> {
        let end = self.offset.checked_add(self.bytes).ok_or(io::ErrorKind::InvalidData)?;
        if self.bytes > MAX_BYTES || end > file.metadata()?.len() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut bytes = vec![0; self.bytes as usize];
        file.read_exact_at(&mut bytes, self.offset)?;
        Ok(bytes)
    }
}

/// `None` for a processor whose calls are not known.
fn unseen(file: &File) -> io::Result<Option<(Unseen, Machine)>> {
    let mut head = [0; 64];
    file.read_exact_at(&mut head, 0).map_err(|_| io::ErrorKind::InvalidData)?;
    // 64 bits, little-endian.
    if !head.starts_with(b"\x7fELF\x02\x01") {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let [machine, count] = [18, 56].map(|at| number(&head, at, 2).unwrap_or_default());
    let Some(machine) = Machine::numbered(machine as u16) else { return Ok(None) };
    let start = number(&head, 32, 8).unwrap_or_default();
    let (mut notes, mut code) = (Vec::new(), Vec::new());
    for index in 0..count {
        let mut header = [0; HEADER_BYTES];
        file.read_exact_at(&mut header, start.saturating_add(index * HEADER_BYTES as u64))?;
        match Part::of(&header) {
            Some(part) if part.kind == PT_NOTE => notes.push(part.read(file)?),
            Some(part) if part.kind == PT_LOAD && part.flags & EXECUTABLE != 0 => code.push(part.read(file)?),
            _ => {}
        }
    }
    let notes = notes.iter().flat_map(|bytes| Note::all(bytes, 4));
    Ok(Some((blind::unseen(notes, code.iter().map(Vec::as_slice), machine), machine)))
}

/// The little-endian number of so many bytes.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + length)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}
