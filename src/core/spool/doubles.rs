//! Spools that have the same processes, as a copy of another has: whose files of a process count.

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
    let mut processes: BTreeMap<String, Vec<(usize, Copied)>> = BTreeMap::new();
    for (number, spool) in spools.iter().enumerate() {
        let mut copies: BTreeMap<String, Copied> = BTreeMap::new();
        for path in place::list(spool, &Filter::default())?.0 {
            if let Some((id, name)) = named(&path) {
                copies.entry(id).or_default().0.insert(name, path);
            }
        }
        for (id, copied) in copies {
            processes.entry(id).or_default().push((number, copied));
        }
    }
    for (id, copies) in processes {
        if !copies.iter().enumerate().any(|(index, (_, one))| {
            copies
                .iter()
                .skip(index + 1)
                .any(|(_, other)| one.0.keys().any(|name| other.0.contains_key(name)))
        }) {
            continue;
        }
        let most = copies
            .iter()
            .enumerate()
            .max_by_key(|(index, (_, copy))| (copy.bytes(&id), copies.len() - index));
        let Some((kept, (_, fullest))) = most else { continue };
        for (_, (number, copy)) in copies.iter().enumerate().filter(|(index, _)| *index != kept) {
            let doubled = copy.0.keys().filter(|name| fullest.0.contains_key(*name)).cloned();
            found.get_mut(*number).into_iter().for_each(|names| names.extend(doubled.clone()));
        }
    }
    Ok(found)
}

/// The segments of a process that one spool has, by name.
#[derive(Default)]
struct Copied(BTreeMap<String, PathBuf>);

impl Copied {
    /// How much it has of the process `id`. A file that is called so and is of another, or of somebody who may not
    /// speak for its user, is nothing of it.
    fn bytes(&self, id: &str) -> usize {
        let used = |path: &PathBuf| {
            let segment = SegmentFile::load(path).ok()?;
            let is_it = segment.identity.process.as_simple().to_string() == id && !segment.is_forged();
            is_it.then(|| segment.used_bytes())
        };
        self.0.values().filter_map(used).sum()
    }
}

/// The process that a segment's name speaks of, and the name.
fn named(path: &Path) -> Option<(String, String)> {
    let name = path.file_name()?.to_str()?;
    let (id, rest) = name.split_at_checked(ID_DIGITS)?;
    let is_id = id.bytes().all(|byte| byte.is_ascii_hexdigit()) && rest.starts_with('-');
    is_id.then(|| (id.to_owned(), name.to_owned()))
}
