//! The names of the functions that are wanted, made for being asked about thousands of symbols that are mostly
//! of other names.

/// Words of the filter of prefixes: some eighty names set a fiftieth of its bits.
const FILTER_WORDS: usize = 64;

/// Names, each known by its place in the list that they were given in.
#[derive(Debug)]
pub struct Names {
    filter: [u64; FILTER_WORDS],
    /// In order of the prefix.
    names: Vec<Name>,
}

#[derive(Debug)]
struct Name {
    prefix: u32,
    /// What a GNU hash table knows the name by.
    hash: u32,
    index: usize,
    text: &'static [u8],
}

impl Names {
    /// The names in their order. A name has three bytes or more; a shorter one is never found.
    pub fn new(names: impl IntoIterator<Item = &'static str>) -> Self {
        let mut filter = [0; FILTER_WORDS];
        let mut names: Vec<Name> = names.into_iter().enumerate().filter_map(Name::new).collect();
        for name in &names {
            let (word, bit) = place(name.prefix);
            if let Some(word) = filter.get_mut(word) {
                *word |= bit;
            }
        }
        names.sort_unstable_by_key(|name| name.prefix);
        Self { filter, names }
    }

    /// Which name `bytes` begin with, up to a NUL.
    pub fn find(&self, bytes: &[u8]) -> Option<usize> {
        let prefix = u32::from_le_bytes(*bytes.first_chunk()?);
        let (word, bit) = place(prefix);
        if self.filter.get(word)? & bit == 0 {
            return None;
        }
        let first = self.names.partition_point(|name| name.prefix < prefix);
        let mut alike = self.names.iter().skip(first).take_while(|name| name.prefix == prefix);
        alike.find(|name| name.is(bytes)).map(|name| name.index)
    }

    /// Every name: its GNU hash, its place in the list, its bytes.
    pub fn hashed(&self) -> impl Iterator<Item = (u32, usize, &'static [u8])> {
        self.names.iter().map(|name| (name.hash, name.index, name.text))
    }
}

impl Name {
    fn new((index, name): (usize, &'static str)) -> Option<Self> {
        let text = name.as_bytes();
        let prefix = match *text {
            [first, second, third] => [first, second, third, 0],
            _ => *text.first_chunk()?,
        };
        Some(Self { prefix: u32::from_le_bytes(prefix), hash: gnu_hash(text), index, text })
    }

    fn is(&self, bytes: &[u8]) -> bool {
        bytes.strip_prefix(self.text).is_some_and(|rest| rest.first() == Some(&0))
    }
}

/// The word and the bit of the filter that a prefix has.
fn place(prefix: u32) -> (usize, u64) {
    let mixed = prefix.wrapping_mul(0x9E37_79B1) >> 20;
    ((mixed >> 6) as usize, 1 << (mixed & 63))
}

fn gnu_hash(name: &[u8]) -> u32 {
    name.iter().fold(5381, |hash: u32, byte| hash.wrapping_mul(33).wrapping_add(u32::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_by_its_place_in_the_list() {
        let names = Names::new(["openat", "open", "open64", "dup"]);
        assert_eq!(names.find(b"open\0at\0"), Some(1));
        assert_eq!(names.find(b"openat\0"), Some(0));
        assert_eq!(names.find(b"open64\0x"), Some(2));
        assert_eq!(names.find(b"dup\0"), Some(3));
    }

    #[test]
    fn what_is_longer_shorter_or_not_ended_is_another_name() {
        let names = Names::new(["open"]);
        for other in [&b"opens\0"[..], b"ope\0n", b"open", b"", b"o", b"\0\0\0\0\0"] {
            assert_eq!(names.find(other), None, "{other:?}");
        }
    }

    #[test]
    fn the_hash_is_that_of_gnu_tables() {
        assert_eq!(gnu_hash(b""), 0x1505);
        assert_eq!(gnu_hash(b"printf"), 0x156b_2bb8);
    }
}
