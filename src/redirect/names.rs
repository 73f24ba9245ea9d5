//! The names of the functions that are wanted, made for being asked about thousands of symbols that are mostly
//! of other names.

/// Places of the table of prefixes: some hundred names take a tenth of them.
const PLACES: usize = 1024;

/// Names, each known by its place in the list that they were given in.
#[derive(Debug)]
pub struct Names {
    /// The first name of the prefixes that have this place, counted from 1; 0 where there is none.
    table: [u16; PLACES],
    names: Vec<Name>,
}

#[derive(Debug)]
struct Name {
    /// Its first four bytes, the NUL counted.
    prefix: Option<u32>,
    /// What a GNU hash table knows the name by.
    hash: u32,
    /// The next name with its place in the table, as there.
    next: u16,
    text: &'static [u8],
}

impl Names {
    /// The names in their order. A name has three bytes or more; a shorter one is never found.
    pub fn new(names: impl IntoIterator<Item = &'static str>) -> Self {
        let mut table = [0; PLACES];
        let mut names: Vec<Name> = names.into_iter().map(Name::new).collect();
        for (number, name) in (1..).zip(&mut names) {
            if let Some(first) = name.prefix.and_then(|prefix| table.get_mut(place(prefix))) {
                name.next = std::mem::replace(first, number);
            }
        }
        Self { table, names }
    }

    /// Which name `bytes` begin with, up to a NUL.
    #[inline]
    pub fn find(&self, bytes: &[u8]) -> Option<usize> {
        let prefix = u32::from_le_bytes(*bytes.first_chunk()?);
        let mut number = *self.table.get(place(prefix))?;
        while let Some(index) = usize::from(number).checked_sub(1) {
            let name = self.names.get(index)?;
            if name.prefix == Some(prefix) && name.is(bytes) {
                return Some(index);
            }
            number = name.next;
        }
        None
    }

    /// Every name: its GNU hash, its place in the list, its bytes.
    pub fn hashed(&self) -> impl Iterator<Item = (u32, usize, &'static [u8])> {
        self.names.iter().enumerate().map(|(index, name)| (name.hash, index, name.text))
    }
}

impl Name {
    fn new(name: &'static str) -> Self {
        let text = name.as_bytes();
        let prefix = match *text {
            [first, second, third] => Some([first, second, third, 0]),
            _ => text.first_chunk().copied(),
        };
        Self { prefix: prefix.map(u32::from_le_bytes), hash: gnu_hash(text), next: 0, text }
    }

    fn is(&self, bytes: &[u8]) -> bool {
        bytes.strip_prefix(self.text).is_some_and(|rest| rest.first() == Some(&0))
    }
}

/// The place of the table that a prefix has.
fn place(prefix: u32) -> usize {
    (prefix.wrapping_mul(0x9E37_79B1) >> 22) as usize
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
