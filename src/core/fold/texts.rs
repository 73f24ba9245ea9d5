//! Texts by number, each of them once.

use std::collections::HashMap;
use std::hash::BuildHasher as _;

use hashbrown::HashTable;

use crate::text::Pieces;

/// Texts by number, for as long as runs of one script are folded.
#[derive(Debug, Default)]
pub struct Texts {
    hasher: foldhash::fast::FixedState,
    table: HashTable<u32>,
    content: String,
    /// Where each text ends, and its hash.
    ends: Vec<(usize, u64)>,
    /// The numbers of texts in the segment that is being read, by where they stand.
    places: HashMap<[usize; 4], u32, foldhash::fast::FixedState>,
    scratch: String,
}

impl Texts {
    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.table.clear();
        self.content.clear();
        self.ends.clear();
        self.places.clear();
    }

    /// What is looked up from here on stands in another segment.
    pub fn begin_segment(&mut self) {
        self.places.clear();
    }

    /// The number of `text`.
    pub fn number(&mut self, text: &str) -> u32 {
        let hash = self.hasher.hash_one(text);
        let known = self.table.find(hash, |number| slice(&self.content, &self.ends, *number) == text);
        if let Some(number) = known {
            return *number;
        }
        let number = self.ends.len() as u32;
        self.content.push_str(text);
        self.ends.push((self.content.len(), hash));
        let ends = &self.ends;
        self.table.insert_unique(hash, number, |number| hash_of(ends, *number));
        number
    }

    /// The number of a text that stands in a segment; what is no UTF-8 appears as `\xNN`.
    pub fn of(&mut self, text: Pieces<'_>) -> u32 {
        if text.1.is_empty()
            && let Ok(text) = std::str::from_utf8(text.0)
        {
            return self.number(text);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        text.push_to(&mut scratch);
        let number = self.number(&scratch);
        self.scratch = scratch;
        number
    }

    /// The same for one that many records refer to, which is looked at once.
    pub fn shared(&mut self, text: Pieces<'_>) -> u32 {
        let place = [text.0.as_ptr().addr(), text.0.len(), text.1.as_ptr().addr(), text.1.len()];
        if let Some(number) = self.places.get(&place) {
            return *number;
        }
        let number = self.of(text);
        self.places.insert(place, number);
        number
    }

    /// The text of `number`.
    pub fn get(&self, number: u32) -> &str {
        slice(&self.content, &self.ends, number)
    }

    /// A hash of the text, the same in every fold.
    pub fn hash(&self, number: u32) -> u64 {
        hash_of(&self.ends, number)
    }
}

fn hash_of(ends: &[(usize, u64)], number: u32) -> u64 {
    ends.get(number as usize).map_or(0, |(_, hash)| *hash)
}

fn slice<'a>(content: &'a str, ends: &[(usize, u64)], number: u32) -> &'a str {
    let number = number as usize;
    let start = number.checked_sub(1).and_then(|before| ends.get(before)).map_or(0, |(end, _)| *end);
    let end = ends.get(number).map_or(start, |(end, _)| *end);
    content.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_has_one_number() {
        let mut texts = Texts::default();
        let one = texts.number("one");
        assert_eq!(texts.of(Pieces(b"o", b"ne")), one);
        assert_eq!(texts.shared(Pieces(b"one", b"")), one);
        let odd = texts.of(Pieces(b"\xff", b""));
        assert_eq!(texts.get(odd), r"\xff");
        assert_eq!(texts.number(r"\xff"), odd);
        assert_ne!(one, odd);
    }
}
