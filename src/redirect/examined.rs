//! What a shared object on disk may do unseen: for who reads records of one that was too large to be searched while it
//! was loaded.
//!
//! The file is read, not mapped: one that is cut off meanwhile is an error then, and no signal. Pieces of a megabyte
//! pass through one buffer, so the largest file costs no more memory than any other.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::blind::{BEFORE, Search};
use super::elf::{MAGIC, Machine, Note, build_id};
use crate::errors::cannot;

const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
const EXECUTABLE: u32 = 1;
const FILE_HEADER_BYTES: usize = 64;
const HEADER_BYTES: usize = 56;
/// More than any file has. What a broken one says is not believed.
const MAX_NOTES_BYTES: u64 = 1 << 20;
const MAX_CODE_BYTES: u64 = 1 << 31;
const PIECE_BYTES: usize = 1 << 20;

/// What the shared object at `path` may do unseen, as a record of kind `blind` says it; `None` where that is nothing.
/// With a `build_id` it must be the one that has it.
///
/// # Errors
/// The file cannot be read, is no shared object of a processor that is known, or another one than was asked for.
#[pyfunction]
#[pyo3(signature = (path, build_id=None))]
pub fn examine(py: Python<'_>, path: PathBuf, build_id: Option<&str>) -> PyResult<Option<String>> {
    let not_it = |what| PyValueError::new_err(format!("`{}` is {what}", path.display()));
    match py.detach(|| examined(&path, build_id)) {
        Ok(found) => Ok(found),
        Err(NotExamined::Broken) => Err(not_it("no shared object")),
        Err(NotExamined::Other) => Err(not_it("another file than it was")),
        Err(NotExamined::Unread(error)) => Err(cannot("examine", &path, &error)),
    }
}

/// Why nothing is known of a file.
#[derive(Debug)]
enum NotExamined {
    Unread(io::Error),
    /// It is not what it must be to be loaded, or is for another processor.
    Broken,
    /// It has another build id.
    Other,
}

impl From<io::Error> for NotExamined {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Broken,
            _ => Self::Unread(error),
        }
    }
}

fn examined(path: &Path, wanted: Option<&str>) -> Result<Option<String>, NotExamined> {
    // A pipe or a device is not waited for.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(NotExamined::Broken);
    }
    let object = Object::read(&file, metadata.len())?;
    let notes = object.notes(&file)?;
    let notes = || notes.iter().flat_map(|(bytes, padding)| Note::all(bytes, *padding));
    if wanted.is_some_and(|wanted| build_id(notes()).is_none_or(|found| found != wanted)) {
        return Err(NotExamined::Other);
    }
    let mut search = Search::new(notes(), object.machine);
    let mut buffer = Vec::new();
    for part in object.code() {
        part.search(&file, &mut search, &mut buffer)?;
    }
    Ok(search.found().words(object.machine))
}

/// What a file's headers say of its notes and its code.
struct Object {
    machine: Machine,
    parts: Vec<Part>,
}

/// What a file has of one segment.
struct Part {
    kind: u32,
    flags: u32,
    offset: u64,
    bytes: u64,
    alignment: u64,
}

impl Object {
    /// Believes no header that leads out of the file, nor segments that are longer than the file together.
    fn read(file: &File, length: u64) -> Result<Self, NotExamined> {
        let mut head = [0; FILE_HEADER_BYTES];
        file.read_exact_at(&mut head, 0)?;
        let half = |at| number(&head, at, 2).unwrap_or_default();
        let machine = Machine::numbered(half(18) as u16).filter(|_| head.starts_with(&MAGIC));
        let (machine, count) = (machine.ok_or(NotExamined::Broken)?, half(56));
        if usize::try_from(half(54)).ok() != Some(HEADER_BYTES) {
            return Err(NotExamined::Broken);
        }
        let start = number(&head, 32, 8).unwrap_or_default();
        let is_inside = |bytes| start.checked_add(bytes).is_some_and(|end| end <= length);
        let mut headers = vec![0; count as usize * HEADER_BYTES];
        if !is_inside(headers.len() as u64) {
            return Err(NotExamined::Broken);
        }
        file.read_exact_at(&mut headers, start)?;
        let headers = headers.as_chunks::<HEADER_BYTES>().0;
        let parts = headers.iter().filter_map(Part::of).filter(|part| part.is_note() || part.is_code());
        let object = Self { machine, parts: parts.collect() };
        let is_right = is_within(object.parts.iter().filter(|part| part.is_note()), MAX_NOTES_BYTES, length)
            && is_within(object.code(), MAX_CODE_BYTES, length);
        if is_right { Ok(object) } else { Err(NotExamined::Broken) }
    }

    fn code(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| part.is_code())
    }

    /// The bytes of its notes, and to what they are padded.
    fn notes(&self, file: &File) -> Result<Vec<(Vec<u8>, usize)>, NotExamined> {
        let mut notes = Vec::new();
        for part in self.parts.iter().filter(|part| part.is_note()) {
            let mut bytes = vec![0; part.bytes as usize];
            file.read_exact_at(&mut bytes, part.offset)?;
            notes.push((bytes, if part.alignment == 8 { 8 } else { 4 }));
        }
        Ok(notes)
    }
}

/// Whether some parts are all in a file of `length` bytes, and have no more than `most` together.
fn is_within<'a>(mut parts: impl Iterator<Item = &'a Part>, most: u64, length: u64) -> bool {
    let sum = parts.try_fold(0_u64, |sum, part| {
        let is_inside = part.offset.checked_add(part.bytes).is_some_and(|end| end <= length);
        sum.checked_add(part.bytes).filter(|_| is_inside)
    });
    sum.is_some_and(|sum| sum <= most.min(length))
}

impl Part {
    fn of(header: &[u8; HEADER_BYTES]) -> Option<Self> {
        let [kind, flags] = [0, 4].map(|at| number(header, at, 4));
        let [offset, bytes, alignment] = [8, 32, 48].map(|at| number(header, at, 8));
        let (kind, flags) = (kind? as u32, flags? as u32);
        Some(Self { kind, flags, offset: offset?, bytes: bytes?, alignment: alignment? })
    }

    fn is_note(&self) -> bool {
        self.kind == PT_NOTE
    }

    fn is_code(&self) -> bool {
        self.kind == PT_LOAD && self.flags & EXECUTABLE != 0
    }

    /// Searches its code, piece by piece. Each begins with the end of the one before, so that no call lies in two.
    fn search(&self, file: &File, search: &mut Search, buffer: &mut Vec<u8>) -> io::Result<()> {
        buffer.resize(BEFORE + PIECE_BYTES, 0);
        let (mut done, mut kept) = (0, 0);
        while done < self.bytes && !search.is_over() {
            let piece = (self.bytes - done).min(PIECE_BYTES as u64) as usize;
            let end = kept + piece;
            file.read_exact_at(buffer.get_mut(kept..end).unwrap_or_default(), self.offset + done)?;
            search.add(buffer.get(..end).unwrap_or_default(), done == 0);
            done += piece as u64;
            kept = end.min(BEFORE);
            buffer.copy_within(end - kept..end, 0);
        }
        Ok(())
    }
}

/// The little-endian number of so many bytes.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + length)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests;
