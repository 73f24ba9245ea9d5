//! Paths by number, each of them once: a directory, which many share, and a name.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _};

use hashbrown::HashTable;

use super::texts::Texts;
use crate::paths::split;
use crate::text::Pieces;

/// Stands for no number.
pub const NONE: u32 = u32::MAX;

/// A path that was met.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    directory: u32,
    /// Where its name stands.
    start: u32,
    length: u32,
    /// The last of its uses, among the uses.
    pub last_use: u32,
    pub is_notable: bool,
    pub is_classed: bool,
}

/// The share of paths that is looked at: a script with millions of them is folded several times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub part: u32,
    pub of: u32,
}

impl Share {
    pub const ALL: Self = Self { part: 0, of: 1 };
}

/// Paths by number, for as long as runs of one script are folded.
#[derive(Debug)]
pub struct Paths {
    share: Share,
    hasher: foldhash::fast::FixedState,
    table: HashTable<u32>,
    all: Vec<Path>,
    nowhere: Option<u32>,
    directories: Texts,
    names: String,
    /// The directories that the segment has, by where they stand.
    places: HashMap<(usize, usize), u32, foldhash::fast::FixedState>,
    last: Option<((usize, usize), u32)>,
    scratch: String,
}

impl Paths {
    pub fn new() -> Self {
        Self {
            share: Share::ALL,
            hasher: foldhash::fast::FixedState::default(),
            table: HashTable::new(),
            all: Vec::new(),
            nowhere: None,
            directories: Texts::default(),
            names: String::new(),
            places: HashMap::default(),
            last: None,
            scratch: String::new(),
        }
    }

    /// Forgets all of them, and looks at another share from here on.
    pub fn begin(&mut self, share: Share) {
        self.share = share;
        self.table.clear();
        self.all.clear();
        self.nowhere = None;
        self.directories.clear();
        self.names.clear();
        self.begin_segment();
    }

    /// What is looked up from here on stands in another segment.
    pub fn begin_segment(&mut self) {
        self.places.clear();
        self.last = None;
    }

    /// The number of `path`, and whether it is new; `None` for one of another share.
    pub fn number(&mut self, path: Pieces<'_>) -> Option<(u32, bool)> {
        // Stored as it is kept here, unless somebody wrote it in another way.
        let is_split = path.0.last() == Some(&b'/') && !path.1.contains(&b'/');
        if is_split
            && let Ok(name) = std::str::from_utf8(path.1)
            && let Some(directory) = self.directory(path.0)
        {
            return self.find(directory, name);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        path.push_to(&mut scratch);
        let found = self.of_text(&scratch);
        self.scratch = scratch;
        found
    }

    /// The same for one that is text already.
    pub fn of_text(&mut self, path: &str) -> Option<(u32, bool)> {
        let (directory, name) = path.split_at(split(path.as_bytes()).0.len());
        let directory = self.directories.number(directory);
        self.find(directory, name)
    }

    /// The number of no path at all, which is its own; `None` for another share.
    pub fn nowhere(&mut self) -> Option<u32> {
        if self.share.part != 0 {
            return None;
        }
        let number = self.nowhere.unwrap_or(self.all.len() as u32);
        if self.nowhere.replace(number).is_none() {
            self.all.push(Path {
                directory: NONE,
                start: 0,
                length: 0,
                last_use: NONE,
                is_notable: false,
                is_classed: false,
            });
        }
        Some(number)
    }

    /// Whether the number is that of a path.
    pub fn is_somewhere(&self, number: u32) -> bool {
        self.nowhere != Some(number)
    }

    /// Its text in two parts, as rows have it.
    pub fn shown(&self, number: u32) -> Option<(&str, &str)> {
        self.is_somewhere(number).then(|| self.text(number))
    }

    /// The number of the directory that stands in the segment; `None` if that is no UTF-8.
    fn directory(&mut self, bytes: &[u8]) -> Option<u32> {
        let place = (bytes.as_ptr().addr(), bytes.len());
        if let Some((last, number)) = self.last
            && last == place
        {
            return Some(number);
        }
        let number = match self.places.get(&place) {
            Some(number) => *number,
            None => {
                let number = self.directories.number(std::str::from_utf8(bytes).ok()?);
                self.places.insert(place, number);
                number
            }
        };
        self.last = Some((place, number));
        Some(number)
    }

    fn find(&mut self, directory: u32, name: &str) -> Option<(u32, bool)> {
        let hash = hash_of(&self.hasher, self.directories.hash(directory), name);
        if self.share.of > 1 && (hash >> 32) as u32 % self.share.of != self.share.part {
            return None;
        }
        let (all, names) = (&self.all, &self.names);
        let is_it = |number: &u32| {
            all.get(*number as usize)
                .is_some_and(|path| path.directory == directory && name_of(names, path) == name)
        };
        if let Some(number) = self.table.find(hash, is_it) {
            return Some((*number, false));
        }
        let number = self.all.len() as u32;
        let (start, length) = (self.names.len() as u32, name.len() as u32);
        self.names.push_str(name);
        self.all.push(Path {
            directory,
            start,
            length,
            last_use: NONE,
            is_notable: false,
            is_classed: false,
        });
        let Self { hasher, table, all, directories, names, .. } = self;
        table.insert_unique(hash, number, |number| {
            all.get(*number as usize)
                .map_or(0, |path| hash_of(hasher, directories.hash(path.directory), name_of(names, path)))
        });
        Some((number, true))
    }

    pub fn get(&self, number: u32) -> Option<&Path> {
        self.all.get(number as usize)
    }

    pub fn get_mut(&mut self, number: u32) -> Option<&mut Path> {
        self.all.get_mut(number as usize)
    }

    pub fn len(&self) -> u32 {
        self.all.len() as u32
    }

    /// Its directory with the final slash, and its name.
    pub fn text(&self, number: u32) -> (&str, &str) {
        self.get(number)
            .map_or(("", ""), |path| (self.directories.get(path.directory), name_of(&self.names, path)))
    }
}

fn name_of<'a>(names: &'a str, path: &Path) -> &'a str {
    names.get(path.start as usize..(path.start + path.length) as usize).unwrap_or_default()
}

fn hash_of(hasher: &foldhash::fast::FixedState, directory: u64, name: &str) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write_u64(directory);
    name.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_the_same_however_it_is_stored() {
        let mut paths = Paths::new();
        let (first, is_new) = paths.number(Pieces(b"/data/team/", b"one.csv")).unwrap();
        assert!(is_new);
        for (start, rest) in [
            ("/data/team/one.csv", ""),
            ("/data/", "team/one.csv"),
            ("/data/team/on", "e.csv"),
            ("", "/data/team/one.csv"),
        ] {
            let found = paths.number(Pieces(start.as_bytes(), rest.as_bytes()));
            assert_eq!(found, Some((first, false)), "{start} {rest}");
        }
        assert_eq!(paths.text(first), ("/data/team/", "one.csv"));
        let odd = paths.number(Pieces(b"/data/\xff/", b"x")).unwrap().0;
        assert_eq!(paths.number(Pieces(br"/data/\xff/x", b"")), Some((odd, false)));
        assert_eq!(paths.number(Pieces(b"", b"")), Some((2, true)));
    }

    #[test]
    fn each_path_belongs_to_one_share() {
        let path = |number: u32| format!("/data/{}/{number}", number % 7);
        let (mut found, mut paths) = ([0; 100], Paths::new());
        for part in 0..3 {
            paths.begin(Share { part, of: 3 });
            for (number, times) in found.iter_mut().enumerate() {
                *times += u32::from(paths.of_text(&path(number as u32)).is_some());
            }
            assert!(paths.len() > 10);
        }
        assert_eq!(found, [1; 100]);
    }
}
