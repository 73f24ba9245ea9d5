//! The text of a `str`, read where CPython keeps it: asking for it allocates and may take locks, and needs the GIL.
//!
//! A `str` never changes once others can see it. What does change is not read: the UTF-8 that CPython keeps with some,
//! which another thread may be about to add.
#![expect(unsafe_code, reason = "reads CPython's structures")]

use std::borrow::Cow;

use pyo3::ffi;

use crate::capi::Owned;
use crate::stack::{LENGTH, read};

/// Where the word is that says what a `str` is made of, in all versions.
const STATE: usize = 4 * size_of::<usize>();

/// Where a `str` keeps its characters: offsets in bytes (Include/cpython/unicodeobject.h, 64 bit).
#[derive(Clone, Copy, Debug)]
pub struct Strings {
    /// From the object to its characters, where all of them are ASCII.
    ascii: usize,
    /// The same of others; of an instance of a derived class, to a pointer to them.
    other: usize,
}

/// The characters of a `str`, of one, two or four bytes each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Characters<'a> {
    width: usize,
    is_ascii: bool,
    data: &'a [u8],
}

impl Strings {
    /// Where Python 3.`minor` has them.
    pub fn of(minor: usize) -> Self {
        // Until 3.11 there was a pointer to the same as wide characters, and its length.
        if minor < 12 { Self { ascii: 48, other: 72 } } else { Self { ascii: 40, other: 56 } }
    }

    /// The characters of the `str` at an address. Needs no GIL.
    ///
    /// # Safety
    /// A `str` is there that lives as long as `'a`, and `self` is right.
    pub unsafe fn characters<'a>(&self, address: usize) -> Option<Characters<'a>> {
        // SAFETY: as the caller promises.
        unsafe {
            // Below are two bits of interning. Builds without a GIL have more, and are not read.
            let state = read::<u32>(address, STATE) >> 2;
            let (width, is_compact, is_ascii) = ((state & 7) as usize, state & 8 != 0, state & 16 != 0);
            let start = match (is_compact, is_ascii) {
                (true, true) => address + self.ascii,
                (true, false) => address + self.other,
                (false, _) => read(address, self.other),
            };
            let length = width.checked_mul(read(address, LENGTH))?;
            if !matches!(width, 1 | 2 | 4) || start == 0 || length > isize::MAX as usize {
                return None;
            }
            let data = std::slice::from_raw_parts(std::ptr::with_exposed_provenance(start), length);
            Some(Characters { width, is_ascii, data })
        }
    }

    /// Whether strings of each width that CPython makes, here and now, are read as they were made.
    pub fn are_right(&self) -> bool {
        const SAMPLES: [&[u8]; 5] = [
            b"plain",
            "d\u{e9}j\u{e0}".as_bytes(),
            "\u{416}\u{20ac}".as_bytes(),
            "\u{1f40d}!".as_bytes(),
            b"a\xFF",
        ];
        SAMPLES.into_iter().all(|sample| {
            // SAFETY: called with a thread state; the lengths are right and the handler's name ends with NUL.
            let made = Owned::new(unsafe {
                let length = sample.len().cast_signed();
                ffi::PyUnicode_DecodeUTF8(sample.as_ptr().cast(), length, c"surrogateescape".as_ptr())
            });
            made.is_some_and(|made| {
                // SAFETY: a live str. Were the offsets wrong, this would still read memory close to it: its length
                // and state are where they always were.
                let read = unsafe { self.characters(made.object().address()) };
                read.and_then(Characters::bytes).as_deref() == Some(sample)
            })
        })
    }
}

impl<'a> Characters<'a> {
    /// As the file system spells it: UTF-8, with what was not UTF-8 as it was. `None` where that cannot be.
    pub fn bytes(self) -> Option<Cow<'a, [u8]>> {
        if self.is_ascii {
            return Some(Cow::Borrowed(self.data));
        }
        let mut bytes = Vec::with_capacity(self.data.len());
        for character in self.data.chunks_exact(self.width) {
            match code_point(character)? {
                escaped @ 0xDC80..=0xDCFF => bytes.push((escaped & 0xFF) as u8),
                other => bytes.extend_from_slice(char::from_u32(other)?.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        Some(Cow::Owned(bytes))
    }

    /// Whether these are the ASCII characters `text`.
    pub fn are(self, text: &str) -> bool {
        self.is_ascii && self.data == text.as_bytes()
    }
}

fn code_point(character: &[u8]) -> Option<u32> {
    Some(match *character {
        [byte] => u32::from(byte),
        [first, second] => u32::from(u16::from_ne_bytes([first, second])),
        _ => u32::from_ne_bytes(character.try_into().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(width: usize, data: &[u8]) -> Option<Vec<u8>> {
        Characters { width, is_ascii: false, data }.bytes().map(Cow::into_owned)
    }

    #[test]
    fn characters_of_each_width_become_utf_8() {
        assert_eq!(decoded(1, b"d\xE9j\xE0").as_deref(), Some("d\u{e9}j\u{e0}".as_bytes()));
        let wide: Vec<u8> = [0x416_u16, 0x20AC].into_iter().flat_map(u16::to_ne_bytes).collect();
        assert_eq!(decoded(2, &wide).as_deref(), Some("\u{416}\u{20ac}".as_bytes()));
        let widest: Vec<u8> = [0x1F40D_u32, 0x21].into_iter().flat_map(u32::to_ne_bytes).collect();
        assert_eq!(decoded(4, &widest).as_deref(), Some("\u{1f40d}!".as_bytes()));
    }

    #[test]
    fn bytes_that_were_no_utf_8_come_back_and_other_surrogates_do_not() {
        let escaped: Vec<u8> = [0x61_u16, 0xDCFF].into_iter().flat_map(u16::to_ne_bytes).collect();
        assert_eq!(decoded(2, &escaped).as_deref(), Some(&b"a\xFF"[..]));
        assert_eq!(decoded(2, &0xD800_u16.to_ne_bytes()), None);
        assert_eq!(decoded(4, &0x0011_0000_u32.to_ne_bytes()), None);
    }
}
