//! What was installed, as `listing` stored it: read from the files that records name.

use std::path::{Path, PathBuf};

use super::fault::Fault;
use super::reader::SegmentFile;
use crate::event::Kind;
use crate::record::View;

/// A library directory, and the `name-version` of what is installed there.
pub type Listing = (Vec<u8>, Vec<String>);

/// The library directory that `view`, a record of that kind, is about, with the `name-version` of what was installed
/// there, from the file in `folder` that it names. `None` where it names none.
///
/// # Errors
/// The file cannot be read.
#[must_use]
pub fn listing_of(view: &View<'_>, folder: &Path) -> Option<Result<Listing, Fault>> {
    let (directory, path) = listing_file(view, folder)?;
    match read_listing(&path) {
        Ok(names) => names.map(|names| Ok((directory, names))),
        Err(fault) => Some(Err(fault)),
    }
}

/// The library directory that `view` is about, and the file in `folder` that says what was installed there.
#[must_use]
pub fn listing_file(view: &View<'_>, folder: &Path) -> Option<(Vec<u8>, PathBuf)> {
    let (directory, name) = (view.target?, view.destination?);
    // The name comes from a file that anyone may have written: it must not lead out of the spool.
    let name = String::from_utf8(name.to_vec()).ok().filter(|name| !name.contains('/'))?;
    Some((directory.to_vec(), folder.join(name)))
}

/// The `name-version` of what was installed, in the file at `path`; `None` where it has no such list.
///
/// # Errors
/// The file cannot be read.
pub fn read_listing(path: &Path) -> Result<Option<Vec<String>>, Fault> {
    let listing = SegmentFile::load(path)?;
    let mut found = listing.records().flatten().filter(|raw| raw.kind == Kind::Distributions as u16);
    Ok(found.find_map(|raw| rmp_serde::from_slice(raw.payload).ok()))
}
