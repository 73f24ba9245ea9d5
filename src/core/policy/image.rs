//! The compiled form of a policy: bytes that a process maps and reads as they are. Here stands how they lie; what
//! they mean is in `classify` and [`super::decide`], and what writes them is `compile`.
//!
//! All numbers are little-endian. Every look-up is checked against the bounds, so that nothing has to be looked
//! through when a process starts: damaged bytes give a wrong answer at worst, and never a panic.
//!
//! ```text
//! offset size
//!      0    8  magic
//!      8    4  version
//!     12    4  how many sections
//!     16    8  bytes of the whole
//!     24    4  CRC-32 of bytes 0..24 and of the section table
//!     28    4  CRC-32 of the sections
//!     32   32  SHA-256 of the sections: the policy's identity
//!     64    …  section table: offset and length, four bytes each
//!      …    …  sections
//! ```

use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::field::Field;
use crate::process::new_id;
use crate::spool::map;

/// First bytes of a compiled policy. The high bit and the line end catch text-mode transfers.
pub const MAGIC: [u8; 8] = *b"\x89GNOPOL\n";
/// A process refuses a higher one.
pub const VERSION: u32 = 1;
/// Bytes before the section table.
pub const HEADER_BYTES: usize = 64;
/// File name ending of compiled policies.
pub const EXTENSION: &str = "gnomon-policy";
/// Policies up to this size are read and checked as a whole, some twenty microseconds. Larger ones are mapped, and
/// must not be written over in place then: who shortens a mapped file kills those who read it.
const SMALL_BYTES: usize = 128 * 1024;
/// Larger ones are no policies.
const MAX_BYTES: u64 = 1 << 30;
/// Kinds are numbers below this.
pub const KINDS: usize = 64;

/// Numbers of the sections; those of a text field follow from [`Section::of_field`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Section {
    /// [`RULE_BYTES`] each.
    Rules = 0,
    /// Classes that rules want.
    Wanted = 1,
    /// By class: start and count in `PostedRules`.
    Postings = 2,
    PostedRules = 3,
    /// By kind: start and count in `PlainRules`.
    Plain = 4,
    /// Rules without conditions.
    PlainRules = 5,
    /// By kind: which fields its rules look at, a bit each.
    Fields = 6,
    /// [`PATTERN_BYTES`] each.
    Patterns = 7,
    /// What patterns are matched by: see [`super::glob`].
    Programs = 8,
    /// Lists of classes that patterns, networks, words and ports belong to.
    Classes = 9,
    /// Sorted: first address (4 bytes), start and count in `Classes`; up to the next one's first.
    Networks4 = 10,
    /// The same with 16 bytes of address.
    Networks6 = 11,
    /// By word: start and count in `Classes`.
    Words = 12,
    /// Sorted: first port (as 4 bytes), start and count in `Classes`.
    Ports = 13,
    /// Length (4 bytes) and text.
    Strings = 14,
    /// Names of the layers, as places in `Strings`.
    Layers = 15,
}

/// What the index of a text field consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Part {
    /// A hash table: [`SLOT_BYTES`] each, a power of two of them.
    Slots = 0,
    /// Lists of patterns that slots refer to.
    Entries = 1,
    /// Patterns that no key finds.
    Always = 2,
    /// One bit for each of [`GRAM_BITS`] hashes of three bytes; empty where no pattern is found by those.
    Grams = 3,
}

/// How many sections there are.
pub const SECTIONS: usize = 16 + 4 * Field::ALL.len();

impl Section {
    /// The section that holds `part` of the index of `field`.
    #[must_use]
    pub fn of_field(field: Field, part: Part) -> usize {
        16 + 4 * field as usize + part as usize
    }
}

/// Bytes of a rule: kinds (8), until (8), then access, action, is_observed, layer (1 each), and five numbers (4
/// each): start and count in `Wanted`, and the places of its name, message, link, owner in `Strings`.
pub const RULE_BYTES: usize = 44;
/// Bytes of a pattern: start and length in `Programs`, start and count in `Classes`.
pub const PATTERN_BYTES: usize = 16;
/// Bytes of a slot: hash (8), start and count in the entries. A count of 0 is an empty slot.
pub const SLOT_BYTES: usize = 16;
/// Bits of the table of grams.
pub const GRAM_BITS: usize = 1 << 16;
/// How far a look-up goes on from its first slot; `compile` makes tables that need no more.
pub const MAX_PROBES: usize = 64;

/// Which look-up a key is for; part of its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Key {
    /// The text up to a separator, or the whole.
    Start = 1,
    /// The text from a separator on, hashed backwards.
    End = 2,
    /// Any three bytes of it.
    Gram = 3,
}

/// The byte at which starts of a field's text end.
#[must_use]
pub fn ends_start(field: Field) -> Option<u8> {
    match field {
        Field::Path | Field::Program | Field::Script | Field::Url => Some(b'/'),
        Field::Module => Some(b'.'),
        Field::Argv => Some(b' '),
        _ => None,
    }
}

/// Bytes at which ends of a field's text begin.
#[must_use]
pub fn begins_end(field: Field) -> &'static [u8] {
    match field {
        Field::Path | Field::Program | Field::Script | Field::Url => b"/.",
        Field::Host => b".",
        _ => b"",
    }
}

/// How many ends of a text are looked up.
pub const MAX_ENDS: usize = 8;

/// The hash of a start or an end of a text, made of those of its pieces; upper case is hashed as lower case.
#[derive(Clone, Copy)]
pub struct KeyHash(u64);

impl KeyHash {
    /// The hash of no pieces.
    #[must_use]
    pub fn new(key: Key) -> Self {
        Self(key as u64)
    }

    /// The hash with one piece more: the next one for a start, the one before for an end.
    #[inline]
    #[must_use]
    pub fn with(self, piece: u64) -> Self {
        Self((self.0.rotate_left(23) ^ piece).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// The hash of three bytes.
    #[inline]
    #[must_use]
    pub fn of_gram(gram: Gram) -> Self {
        Self::new(Key::Gram).with(gram.0.into())
    }

    /// The hash of the start or the end that `text` is.
    #[must_use]
    pub fn of(key: Key, field: Field, text: &[u8]) -> Self {
        let mut pieces = Vec::new();
        in_pieces(field, text, |_, piece| pieces.push(piece));
        if key == Key::End {
            pieces.reverse();
        }
        pieces.into_iter().fold(Self::new(key), Self::with)
    }

    /// Its value, mixed so that its low bits can choose a slot.
    #[inline]
    #[must_use]
    pub fn value(self) -> u64 {
        self.0 ^ self.0 >> 29
    }
}

/// Calls `take` with the pieces of `text`, each with the byte that it begins with and a hash (FNV-1a). A piece begins
/// where a start ends or an end begins; what stands before the first of these bytes is a piece if it is not empty.
#[inline]
pub fn in_pieces(field: Field, text: &[u8], mut take: impl FnMut(Option<u8>, u64)) {
    const NOTHING: u64 = 0xcbf2_9ce4_8422_2325;
    let (start, ends) = (ends_start(field), begins_end(field));
    // 256 is no byte.
    let [first, second, third] = [start.as_ref(), ends.first(), ends.last()]
        .map(|divider| divider.map_or(256, |byte| u16::from(*byte)));
    let (mut begin, mut hash) = (None, NOTHING);
    for byte in text {
        let value = u16::from(*byte);
        if value == first || value == second || value == third {
            if hash != NOTHING {
                take(begin, hash);
            }
            (begin, hash) = (Some(*byte), NOTHING);
        }
        hash = (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0000_0100_0000_01b3);
    }
    if hash != NOTHING {
        take(begin, hash);
    }
}

/// Three bytes in lower case, the last one lowest.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gram(u32);

impl Gram {
    /// The last two bytes and another.
    #[inline]
    #[must_use]
    pub fn followed_by(self, byte: u8) -> Self {
        Self((self.0 << 8 | u32::from(byte.to_ascii_lowercase())) & 0xff_ffff)
    }

    /// Which bit of the table of grams stands for it.
    #[inline]
    #[must_use]
    pub fn bit(self) -> usize {
        (self.0.wrapping_mul(0x9e37_79b1) >> 16) as usize
    }
}

/// Why a compiled policy is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is not there, or cannot be opened.
    Missing,
    /// It is not what `compile` wrote.
    Broken,
    /// It was compiled by a newer gnomon.
    Newer,
    /// Others than its owner, or another than root and the account that runs the process, could have changed it.
    Writable,
}

impl Refusal {
    /// The word for it in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Broken => "broken",
            Self::Newer => "newer",
            Self::Writable => "writable",
        }
    }
}

/// Where the bytes are.
enum Bytes {
    Mapped(memmap2::Mmap),
    Owned(Vec<u8>),
}

/// A compiled policy, ready to decide.
pub struct Image {
    bytes: Bytes,
    /// Where each section starts and how long it is.
    sections: [(u32, u32); SECTIONS],
}

impl Image {
    /// The policy in `bytes`.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, Refusal> {
        check(&bytes)?;
        Ok(Self { sections: sections(&bytes), bytes: Bytes::Owned(bytes) })
    }

    /// The policy in the file at `path`: some tens of microseconds, whatever its size.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn open(path: &Path) -> Result<Self, Refusal> {
        // A pipe in its place must not make the program wait.
        let mut options = OpenOptions::new();
        options.read(true).custom_flags((OFlags::NONBLOCK | OFlags::CLOEXEC).bits().cast_signed());
        let file = options.open(path).map_err(|_| Refusal::Missing)?;
        let metadata = file.metadata().map_err(|_| Refusal::Missing)?;
        let is_foreign = ![0, rustix::process::getuid().as_raw(), rustix::process::geteuid().as_raw()]
            .contains(&metadata.uid());
        if is_foreign || metadata.mode() & 0o002 != 0 {
            return Err(Refusal::Writable);
        }
        if !metadata.is_file() || metadata.len() > MAX_BYTES {
            return Err(Refusal::Broken);
        }
        if metadata.len() <= SMALL_BYTES as u64 {
            let mut bytes = Vec::with_capacity(metadata.len() as usize);
            file.take(SMALL_BYTES as u64).read_to_end(&mut bytes).map_err(|_| Refusal::Broken)?;
            return Self::from_bytes(bytes);
        }
        let map = map::whole_file(&file).map_err(|_| Refusal::Broken)?;
        check(&map)?;
        Ok(Self { sections: sections(&map), bytes: Bytes::Mapped(map) })
    }

    /// Keeps it in the directory `folder`, under the name of its content, and returns the path.
    ///
    /// # Errors
    /// It cannot be written there.
    pub fn store(&self, folder: &Path) -> io::Result<PathBuf> {
        use sha2::{Digest as _, Sha256};
        let digest = Sha256::digest(self.bytes());
        let digest: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let path = folder.join(format!("policy-{digest}.{EXTENSION}"));
        if path.exists() {
            return Ok(path);
        }
        // Written under a name of its own and then moved: another process may look for it meanwhile.
        let unfinished = folder.join(format!(".{}", new_id(None)));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(&unfinished)?;
        let written = file.write_all(self.bytes()).and_then(|()| std::fs::rename(&unfinished, &path));
        if written.is_err() {
            let _ = std::fs::remove_file(&unfinished);
        }
        written.map(|()| path)
    }

    fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped(map) => map,
            Bytes::Owned(bytes) => bytes,
        }
    }

    /// What tells it from every other policy.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        self.bytes().get(32..64).and_then(|digest| digest.try_into().ok()).unwrap_or_default()
    }

    /// The bytes of the section with this number; empty where there is none.
    #[inline]
    #[must_use]
    pub fn section(&self, number: usize) -> Table<'_> {
        let (start, length) = self.sections.get(number).copied().unwrap_or_default();
        let (start, length) = (start as usize, length as usize);
        Table(self.bytes().get(start..start.saturating_add(length)).unwrap_or_default())
    }

    /// The section.
    #[must_use]
    pub fn table(&self, section: Section) -> Table<'_> {
        self.section(section as usize)
    }

    /// The text at `place` of the strings; empty where there is none.
    #[must_use]
    pub fn text(&self, place: u32) -> &str {
        let strings = self.table(Section::Strings);
        let start = place as usize + 4;
        let length = strings.number(place as usize) as usize;
        let text = strings.0.get(start..start.saturating_add(length)).unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }
}

/// Numbers in a section, 0 past its end.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a>(pub &'a [u8]);

impl<'a> Table<'a> {
    /// The four bytes at `at`.
    #[inline]
    #[must_use]
    pub fn number(self, at: usize) -> u32 {
        self.0.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }

    /// The eight bytes at `at`.
    #[inline]
    #[must_use]
    pub fn long(self, at: usize) -> u64 {
        self.0.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    /// Element `index` of pairs of four bytes.
    #[inline]
    #[must_use]
    pub fn pair(self, index: usize) -> (u32, u32) {
        let at = index.saturating_mul(8);
        (self.number(at), self.number(at + 4))
    }

    /// The numbers of a list: `count` of them from number `start` on, as far as they are there.
    pub fn list(self, (start, count): (u32, u32)) -> impl Iterator<Item = u32> + Clone + 'a {
        let from = (start as usize).saturating_mul(4);
        let until = from.saturating_add((count as usize).saturating_mul(4));
        let bytes = self.0.get(from..until).unwrap_or_default();
        bytes.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes))
    }

    /// How many elements of `size` bytes it has.
    #[must_use]
    pub fn count(self, size: usize) -> usize {
        self.0.len() / size
    }
}

fn sections(bytes: &[u8]) -> [(u32, u32); SECTIONS] {
    let header = Table(bytes);
    let count = header.number(12) as usize;
    std::array::from_fn(|number| {
        let at = HEADER_BYTES + 8 * number;
        if number < count { (header.number(at), header.number(at + 4)) } else { (0, 0) }
    })
}

fn check(bytes: &[u8]) -> Result<(), Refusal> {
    let header = Table(bytes);
    if bytes.get(..8) != Some(&MAGIC) {
        return Err(Refusal::Broken);
    }
    if header.number(8) > VERSION {
        return Err(Refusal::Newer);
    }
    let table_end = HEADER_BYTES.saturating_add((header.number(12) as usize).saturating_mul(8));
    let parts = (bytes.get(..24), bytes.get(HEADER_BYTES..table_end), bytes.get(table_end..));
    let (Some(start), Some(table), Some(body)) = parts else {
        return Err(Refusal::Broken);
    };
    if header.long(16) != bytes.len() as u64 || header.number(24) != crc(&[start, table]) {
        return Err(Refusal::Broken);
    }
    if bytes.len() <= SMALL_BYTES && header.number(28) != crc(&[body]) {
        return Err(Refusal::Broken);
    }
    Ok(())
}

/// The checksum of all `parts`, one after the other.
#[must_use]
pub fn crc(parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize()
}
