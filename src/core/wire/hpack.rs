//! HPACK (RFC 7541), read only, and only as far as a request is named by it.
//!
//! A decoder has to keep what the encoder indexes, which includes cookies and tokens. This one keeps the text of
//! the fields that are looked at, and of any other no more than how long it is: that is all that eviction needs.

use std::collections::VecDeque;

use smallvec::SmallVec;

/// The table's size until the client changes it, and the largest one that is followed.
const TABLE_BYTES: usize = 4096;
const MAX_TABLE_BYTES: usize = 64 * 1024;
/// What an entry counts for beyond its text.
const ENTRY_BYTES: usize = 32;

/// The fields that are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Method,
    Scheme,
    Authority,
    Path,
    Host,
    ContentLength,
    Other,
}

const FIELDS: usize = Field::Other as usize;

impl Field {
    fn named(name: &[u8]) -> Self {
        match name {
            b":method" => Self::Method,
            b":scheme" => Self::Scheme,
            b":authority" => Self::Authority,
            b":path" => Self::Path,
            b"host" => Self::Host,
            b"content-length" => Self::ContentLength,
            _ => Self::Other,
        }
    }
}

/// The names of the static table; a few entries have a value as well.
const STATIC: [&str; 61] = [
    ":authority",
    ":method",
    ":method",
    ":path",
    ":path",
    ":scheme",
    ":scheme",
    ":status",
    ":status",
    ":status",
    ":status",
    ":status",
    ":status",
    ":status",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "accept",
    "access-control-allow-origin",
    "age",
    "allow",
    "authorization",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "etag",
    "expect",
    "expires",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-modified",
    "link",
    "location",
    "max-forwards",
    "proxy-authenticate",
    "proxy-authorization",
    "range",
    "referer",
    "refresh",
    "retry-after",
    "server",
    "set-cookie",
    "strict-transport-security",
    "transfer-encoding",
    "user-agent",
    "vary",
    "via",
    "www-authenticate",
];

fn static_value(index: usize) -> &'static [u8] {
    match index {
        2 => b"GET",
        3 => b"POST",
        4 => b"/",
        5 => b"/index.html",
        6 => b"http",
        7 => b"https",
        _ => b"",
    }
}

/// A field's name: what it is, and how many bytes.
#[derive(Clone, Copy, Debug)]
struct Name {
    field: Field,
    bytes: usize,
}

struct Entry {
    name: Name,
    /// What it counts for.
    size: usize,
    /// Empty for a field that is not looked at.
    value: Box<[u8]>,
}

/// The dynamic table of one connection's client.
pub(super) struct Table {
    /// The newest first.
    entries: VecDeque<Entry>,
    size: usize,
    max_size: usize,
}

impl Default for Table {
    fn default() -> Self {
        Self { entries: VecDeque::new(), size: 0, max_size: TABLE_BYTES }
    }
}

/// The fields of one header block.
#[derive(Default)]
pub(super) struct Values {
    text: SmallVec<[u8; 256]>,
    ends: [Option<(usize, usize)>; FIELDS],
}

impl Values {
    pub(super) fn get(&self, field: Field) -> Option<&[u8]> {
        let (start, end) = (*self.ends.get(field as usize)?)?;
        self.text.get(start..end)
    }

    /// The first value counts. The others are not copied: a byte may stand for a long one.
    fn add(&mut self, field: Field, value: &[u8]) {
        if let Some(place @ None) = self.ends.get_mut(field as usize) {
            *place = Some((self.text.len(), self.text.len() + value.len()));
            self.text.extend_from_slice(value);
        }
    }
}

impl Table {
    /// The fields of a block. `None` where it is wrong, and then the table is of no more use.
    pub(super) fn decode(&mut self, mut block: &[u8]) -> Option<Values> {
        let mut values = Values::default();
        while let Some(&first) = block.first() {
            match first.leading_zeros() {
                0 => self.indexed(integer(&mut block, 7)?, &mut values)?,
                1 => self.literal(&mut block, 6, true, &mut values)?,
                2 => self.resize(integer(&mut block, 5)?)?,
                _ => self.literal(&mut block, 4, false, &mut values)?,
            }
        }
        Some(values)
    }

    fn indexed(&self, index: usize, values: &mut Values) -> Option<()> {
        match index.checked_sub(STATIC.len() + 1) {
            Some(place) => {
                let entry = self.entries.get(place)?;
                values.add(entry.name.field, &entry.value);
            }
            None => values.add(self.name(index)?.field, static_value(index)),
        }
        Some(())
    }

    fn name(&self, index: usize) -> Option<Name> {
        if let Some(place) = index.checked_sub(STATIC.len() + 1) {
            return Some(self.entries.get(place)?.name);
        }
        let name = STATIC.get(index.checked_sub(1)?)?.as_bytes();
        Some(Name { field: Field::named(name), bytes: name.len() })
    }

    fn literal(
        &mut self,
        block: &mut &[u8],
        prefix: u32,
        is_indexed: bool,
        values: &mut Values,
    ) -> Option<()> {
        let index = integer(block, prefix)?;
        let name = if index > 0 { self.name(index)? } else { literal_name(block)? };
        let mut value = SmallVec::<[u8; 128]>::new();
        let mut bytes = 0;
        string(block, |byte| {
            bytes += 1;
            if name.field != Field::Other {
                value.push(byte);
            }
        })?;
        values.add(name.field, &value);
        if is_indexed {
            self.insert(Entry {
                name,
                size: name.bytes + bytes + ENTRY_BYTES,
                value: value.as_slice().into(),
            });
        }
        Some(())
    }

    fn insert(&mut self, entry: Entry) {
        self.evict(self.max_size.saturating_sub(entry.size));
        if entry.size <= self.max_size {
            self.size += entry.size;
            self.entries.push_front(entry);
        }
    }

    fn resize(&mut self, size: usize) -> Option<()> {
        self.max_size = Some(size).filter(|size| *size <= MAX_TABLE_BYTES)?;
        self.evict(size);
        Some(())
    }

    fn evict(&mut self, size: usize) {
        while self.size > size {
            let Some(oldest) = self.entries.pop_back() else { break };
            self.size -= oldest.size;
        }
    }
}

fn literal_name(block: &mut &[u8]) -> Option<Name> {
    let mut name = [0; 16];
    let mut bytes = 0;
    string(block, |byte| {
        if let Some(place) = name.get_mut(bytes) {
            *place = byte;
        }
        bytes += 1;
    })?;
    Some(Name { field: name.get(..bytes).map_or(Field::Other, Field::named), bytes })
}

/// An integer whose first bits are the last `prefix` ones of a byte.
fn integer(block: &mut &[u8], prefix: u32) -> Option<usize> {
    let mask = u8::MAX >> (8 - prefix);
    let (first, mut rest) = block.split_first()?;
    let mut value = usize::from(first & mask);
    if first & mask == mask {
        for shift in [0, 7, 14, 21] {
            let (byte, after) = rest.split_first()?;
            rest = after;
            value += usize::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                *block = rest;
                return Some(value);
            }
        }
        return None; // more than a head may have
    }
    *block = rest;
    Some(value)
}

fn string(block: &mut &[u8], mut each: impl FnMut(u8)) -> Option<()> {
    let is_huffman = block.first()? & 0x80 != 0;
    let length = integer(block, 7)?;
    let (text, rest) = block.split_at_checked(length)?;
    *block = rest;
    if is_huffman {
        return huffman(text, each);
    }
    text.iter().for_each(|byte| each(*byte));
    Some(())
}

/// How many bits the code of each byte has. The code is canonical: the rest follows.
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28,
    28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6,
    6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7,
    8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7,
    15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24,
    23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23,
    23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26,
    26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20,
    21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27,
    27, 27, 26,
];
const SHORTEST: usize = 5;
const LONGEST: usize = 30;

/// The codes of one length: the first of them, how many there are, and where their bytes start in [`SYMBOLS`].
#[derive(Clone, Copy)]
struct Codes {
    first: u32,
    count: u32,
    start: u32,
}

#[expect(clippy::indexing_slicing, reason = "a constant that panics does not compile")]
const CODES: [Codes; LONGEST + 1] = {
    let mut codes = [Codes { first: 0, count: 0, start: 0 }; LONGEST + 1];
    let mut byte = 0;
    while byte < 256 {
        codes[LENGTHS[byte] as usize].count += 1;
        byte += 1;
    }
    let mut length = 1;
    while length <= LONGEST {
        let before = codes[length - 1];
        codes[length].first = (before.first + before.count) << 1;
        codes[length].start = before.start + before.count;
        length += 1;
    }
    codes
};

/// The bytes in the order of their codes.
#[expect(clippy::indexing_slicing, reason = "a constant that panics does not compile")]
const SYMBOLS: [u8; 256] = {
    let mut symbols = [0; 256];
    let mut next = CODES;
    let mut byte = 0;
    while byte < 256 {
        let length = LENGTHS[byte] as usize;
        symbols[next[length].start as usize] = byte as u8;
        next[length].start += 1;
        byte += 1;
    }
    symbols
};

fn huffman(text: &[u8], mut each: impl FnMut(u8)) -> Option<()> {
    let (mut bits, mut count) = (0_u64, 0);
    for byte in text {
        bits = bits << 8 | u64::from(*byte);
        count += 8;
        while let Some((symbol, length)) = symbol(bits, count) {
            each(symbol);
            count -= length;
        }
        if count >= LONGEST {
            return None; // the end-of-string code, which has no place in one
        }
        bits &= (1 << count) - 1;
    }
    // What is left pads the last byte, with ones.
    (count < 8 && bits == (1 << count) - 1).then_some(())
}

/// The byte whose code starts the last `count` bits, and how long that is.
fn symbol(bits: u64, count: usize) -> Option<(u8, usize)> {
    CODES.iter().enumerate().take(count + 1).skip(SHORTEST).find_map(|(length, codes)| {
        let code = (bits >> (count - length)) & ((1 << length) - 1);
        let place =
            u32::try_from(code).ok()?.checked_sub(codes.first).filter(|place| *place < codes.count)?;
        Some((*SYMBOLS.get((codes.start + place) as usize)?, length))
    })
}
