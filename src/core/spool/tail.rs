//! Reads along while processes write: what each segment holds since the last look.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use super::fault::{Fault, FaultKind};
use super::format::HEADER_BYTES;
use super::place::list;
use super::reader::SegmentFile;
use super::seal::{Life, life};
use crate::columns::for_each_event_after;
use crate::filter::Filter;
use crate::record::View;

/// A place in every segment of a spool.
#[derive(Debug)]
pub struct Tail {
    spool: PathBuf,
    filter: Filter,
    /// Where to go on; `None` for a segment that nobody writes any more.
    places: HashMap<PathBuf, Option<Place>>,
    /// Directories that could not be listed the last time.
    unlisted: Vec<Fault>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    offset: usize,
    /// Its process was gone when this was read: what it wrote just before may have come after.
    is_last: bool,
}

impl Place {
    const START: Self = Self { offset: HEADER_BYTES, is_last: false };
}

impl Tail {
    /// Starts at the beginning of what is there.
    #[must_use]
    pub fn new(spool: &Path, filter: Filter) -> Self {
        Self { spool: spool.to_owned(), filter, places: HashMap::new(), unlisted: Vec::new() }
    }

    /// Calls `each` with every event that came since the last call, process by process.
    /// The repeats of an event that was seen before do not count as new.
    ///
    /// # Errors
    /// The directory cannot be listed.
    pub fn poll(
        &mut self,
        faults: &mut Vec<Fault>,
        mut each: impl FnMut(&SegmentFile, &View<'_>),
    ) -> io::Result<()> {
        let (paths, unlisted) = list(&self.spool, &self.filter)?;
        faults.extend(unlisted.iter().filter(|fault| !self.unlisted.contains(fault)).cloned());
        self.unlisted = unlisted;
        for path in paths {
            let Some(place) = *self.places.get(&path).unwrap_or(&Some(Place::START)) else { continue };
            let next = match SegmentFile::load(&path) {
                Ok(segment) => {
                    let is_last = life(&segment) == Life::Gone;
                    let each = |view: &View<'_>| each(&segment, view);
                    let offset = for_each_event_after(&segment, place.offset, &self.filter, faults, each);
                    (!place.is_last).then_some(Place { offset, is_last })
                }
                Err(fault) if fault.kind == FaultKind::Unbegun => Some(Place::START),
                Err(fault) => {
                    faults.push(fault);
                    None
                }
            };
            self.places.insert(path, next);
        }
        Ok(())
    }
}
