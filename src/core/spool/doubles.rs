//! Spools that have the same processes, as a copy of another has: whose files of a process count.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use super::place;
use super::reader::SegmentFile;
use crate::filter::Filter;

/// Digits of a process's id, at the start of the names of its segments.
const ID_DIGITS: usize = 32;

/// For each of `spools` the names of segments that do not count, as another has them and more of their process: the
/// first that has most of it. What only one has counts, wherever the rest of the process is.
///
/// # Errors
/// A directory cannot be listed.
pub fn doubles(spools: &[PathBuf]) -> io::Result<Vec<HashSet<String>>> {
    let mut found = vec![HashSet::new(); spools.len()];
    for (id, files) in listed(spools)? {
        let mut met = HashSet::new();
        if files.iter().all(|file| met.insert(file.name.as_str())) {
            continue;
        }
        let mut copies: BTreeMap<usize, BTreeMap<&str, usize>> = BTreeMap::new();
        for file in &files {
            if let Some(bytes) = file.bytes_of(&id) {
                copies.entry(file.spool).or_default().insert(&file.name, bytes);
            }
        }
        let most = copies.iter().max_by_key(|(spool, copy)| (copy.values().sum::<usize>(), Reverse(**spool)));
        let Some((kept, fullest)) = most else { continue };
        for (spool, copy) in copies.iter().filter(|(spool, _)| *spool != kept) {
            let doubled =
                copy.keys().filter(|name| fullest.contains_key(*name)).map(|name| (*name).to_owned());
            if let Some(names) = found.get_mut(*spool) {
                names.extend(doubled);
            }
        }
    }
    Ok(found)
}

/// A file of one of the spools, called as a segment is.
struct Named {
    spool: usize,
    name: String,
    path: PathBuf,
}

impl Named {
    /// How much it has of the process `id`; `None` if it is of another, or of somebody who may not speak for its user.
    fn bytes_of(&self, id: &str) -> Option<usize> {
        let segment = SegmentFile::load(&self.path).ok()?;
        let is_it = segment.identity.process.as_simple().to_string() == id && !segment.is_forged();
        is_it.then(|| segment.used_bytes())
    }
}

/// The segments of all `spools` by the process that their names speak of.
fn listed(spools: &[PathBuf]) -> io::Result<BTreeMap<String, Vec<Named>>> {
    let mut found: BTreeMap<String, Vec<Named>> = BTreeMap::new();
    for (spool, at) in spools.iter().enumerate() {
        for path in place::list(at, &Filter::default())?.0 {
            if let Some((id, name)) = named(&path) {
                found.entry(id).or_default().push(Named { spool, name, path });
            }
        }
    }
    Ok(found)
}

/// The process that a segment's name speaks of, and the name.
fn named(path: &Path) -> Option<(String, String)> {
    let name = path.file_name()?.to_str()?;
    let (id, rest) = name.split_at_checked(ID_DIGITS)?;
    let is_id = id.bytes().all(|byte| byte.is_ascii_hexdigit()) && rest.starts_with('-');
    is_id.then(|| (id.to_owned(), name.to_owned()))
}
