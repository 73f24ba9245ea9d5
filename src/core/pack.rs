//! MessagePack for the few fields that nearly every record has: [`Packer`] and its mirror, [`Unpacker`].
//!
//! The same bytes as serde makes and takes, at a fraction of the instructions: every kept event pays for the
//! one, every record of a report for the other. What is not of that shape is left to serde.

/// A buffer that is being filled. Once something did not fit, nothing more does.
pub struct Packer<'a> {
    room: &'a mut [u8],
    at: usize,
}

impl<'a> Packer<'a> {
    pub fn new(room: &'a mut [u8]) -> Self {
        Self { room, at: 0 }
    }

    /// What was put in; `None` if something did not fit.
    pub fn finish(self) -> Option<&'a [u8]> {
        self.room.get(..self.at)
    }

    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        self.put_all(&bytes);
    }

    #[inline]
    fn put_all(&mut self, bytes: &[u8]) {
        match self.room.get_mut(self.at..self.at.saturating_add(bytes.len())) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.at += bytes.len();
            }
            None => self.at = usize::MAX,
        }
    }

    /// A map of `count` pairs follows; at most 15.
    pub fn map(&mut self, count: u8) {
        self.put([0x80 | count & 0x0F]);
    }

    /// An array of two follows.
    pub fn pair(&mut self) {
        self.put([0x92]);
    }

    /// A string of one letter.
    pub fn key(&mut self, letter: u8) {
        self.put([0xA1, letter]);
    }

    pub fn number(&mut self, value: u32) {
        match value {
            0..=0x7F => self.put([value as u8]),
            0x80..=0xFF => self.put([0xCC, value as u8]),
            0x100..=0xFFFF => {
                let [high, low] = (value as u16).to_be_bytes();
                self.put([0xCD, high, low]);
            }
            _ => {
                let [a, b, c, d] = value.to_be_bytes();
                self.put([0xCE, a, b, c, d]);
            }
        }
    }

    /// A `str` where `bytes` are UTF-8, else a `bin`.
    pub fn text(&mut self, bytes: &[u8]) {
        let is_text = bytes.is_ascii() || std::str::from_utf8(bytes).is_ok();
        match (is_text, bytes.len()) {
            (true, length @ 0..=31) => self.put([0xA0 | length as u8]),
            (true, length @ 32..=0xFF) => self.put([0xD9, length as u8]),
            (false, length @ 0..=0xFF) => self.put([0xC4, length as u8]),
            _ => self.at = usize::MAX,
        }
        self.put_all(bytes);
    }
}

/// Bytes that are being read. `None` from any of its functions: not of the common shape.
pub struct Unpacker<'a>(pub &'a [u8]);

/// A value of a field.
pub enum Item<'a> {
    Number(u32),
    /// A `str` or a `bin`; whether it is UTF-8 was not looked at.
    Text(&'a [u8]),
    /// Two more items follow.
    Pair,
}

impl<'a> Unpacker<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// How many pairs a map has; at most 15.
    pub fn map(&mut self) -> Option<u8> {
        self.byte().filter(|byte| byte & 0xF0 == 0x80).map(|byte| byte & 0x0F)
    }

    /// A string of one letter.
    pub fn key(&mut self) -> Option<u8> {
        self.byte().filter(|byte| *byte == 0xA1)?;
        self.byte()
    }

    #[inline]
    pub fn item(&mut self) -> Option<Item<'a>> {
        Some(match self.byte()? {
            small @ 0..=0x7F => Item::Number(small.into()),
            0x92 => Item::Pair,
            short @ 0xA0..=0xBF => Item::Text(self.take(usize::from(short & 0x1F))?),
            0xC4 | 0xD9 => {
                let length = self.byte()?;
                Item::Text(self.take(length.into())?)
            }
            0xCC => Item::Number(self.byte()?.into()),
            0xCD => Item::Number(u16::from_be_bytes(self.take(2)?.try_into().ok()?).into()),
            0xCE => Item::Number(u32::from_be_bytes(self.take(4)?.try_into().ok()?)),
            _ => return None,
        })
    }
}
