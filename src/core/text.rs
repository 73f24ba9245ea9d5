//! Text as payloads hold it: bytes that are UTF-8 nearly always, whole or by reference to a record of their own.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Visitor};
use serde::ser::SerializeTuple as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes that are text nearly always: MessagePack `str` where they are UTF-8, else `bin`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write_text(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Bytes;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("text or bytes")
            }
            fn visit_str<E>(self, text: &str) -> Result<Bytes, E> {
                Ok(Bytes(text.as_bytes().to_vec()))
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

fn write_text<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    match std::str::from_utf8(bytes) {
        Ok(text) => serializer.serialize_str(text),
        Err(_) => serializer.serialize_bytes(bytes),
    }
}

/// Text in a payload: whole, a reference, or a reference and a rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text<'a> {
    Whole(Cow<'a, [u8]>),
    Interned(u32),
    Joined(u32, Cow<'a, [u8]>),
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Whole(bytes) => write_text(bytes, serializer),
            Self::Interned(place) => serializer.serialize_u32(*place),
            Self::Joined(place, rest) => {
                let mut pair = serializer.serialize_tuple(2)?;
                pair.serialize_element(place)?;
                pair.serialize_element(&Text::Whole(Cow::Borrowed(rest)))?;
                pair.end()
            }
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor { pairs: true })
    }
}

struct TextVisitor {
    pairs: bool,
}

/// The second half of a pair: itself never a pair, so hostile nesting ends here.
struct Rest<'a>(Cow<'a, [u8]>);

impl<'de> Deserialize<'de> for Rest<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_any(TextVisitor { pairs: false })? {
            Text::Whole(bytes) => Ok(Rest(bytes)),
            _ => Err(de::Error::custom("the rest of a text is no text")),
        }
    }
}

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("text, bytes, a reference or a pair")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text::Whole(Cow::Borrowed(text.as_bytes())))
    }
    fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Text<'de>, E> {
        Ok(Text::Whole(Cow::Borrowed(bytes)))
    }
    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text::Whole(Cow::Owned(text.as_bytes().to_vec())))
    }
    fn visit_u64<E: de::Error>(self, place: u64) -> Result<Text<'de>, E> {
        Ok(Text::Interned(u32::try_from(place).map_err(de::Error::custom)?))
    }
    fn visit_seq<A: de::SeqAccess<'de>>(self, mut sequence: A) -> Result<Text<'de>, A::Error> {
        if !self.pairs {
            return Err(de::Error::custom("a pair within a pair"));
        }
        let missing = || de::Error::custom("half a pair");
        let place = sequence.next_element::<u32>()?.ok_or_else(missing)?;
        let rest = sequence.next_element::<Rest<'de>>()?.ok_or_else(missing)?;
        Ok(Text::Joined(place, rest.0))
    }
}

/// Text in two pieces that belong together; the first is often shared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pieces<'a>(pub &'a [u8], pub &'a [u8]);

impl Pieces<'_> {
    /// Whether both pieces as one are `bytes`.
    #[must_use]
    pub fn is(&self, bytes: &[u8]) -> bool {
        bytes.strip_prefix(self.0) == Some(self.1)
    }

    /// Both pieces as one.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        [self.0, self.1].concat()
    }

    /// Appends both pieces to `text`; bytes that are no UTF-8 appear as `\xNN`.
    pub fn push_to(&self, text: &mut impl fmt::Write) {
        if let (Ok(first), Ok(second)) = (std::str::from_utf8(self.0), std::str::from_utf8(self.1)) {
            put(text, first);
            put(text, second);
        } else {
            push_escaped(text, &self.to_vec());
        }
    }

    /// The last `length` bytes.
    pub fn end(&self, length: usize) -> Self {
        if length <= self.1.len() {
            return Self(self.1.get(self.1.len() - length..).unwrap_or_default(), &[]);
        }
        let rest = (length - self.1.len()).min(self.0.len());
        Self(self.0.get(self.0.len() - rest..).unwrap_or_default(), self.1)
    }
}

/// Appends `bytes` to `text`; those that are no UTF-8 appear as `\xNN`.
pub fn push_escaped(text: &mut impl fmt::Write, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        put(text, chunk.valid());
        for byte in chunk.invalid() {
            put(text, &format!("\\x{byte:02x}"));
        }
    }
}

/// Appends `shown` to `text`, safe for a person's terminal: what could move a cursor, start a sequence, hide or
/// reorder letters is written out, as `\n`, `\xNN` or `\uNNNN`.
pub fn push_printable(text: &mut impl fmt::Write, shown: &str) {
    for letter in shown.chars() {
        match letter {
            '\n' => put(text, "\\n"),
            '\r' => put(text, "\\r"),
            '\t' => put(text, "\\t"),
            letter if is_printable(letter) => put(text, letter.encode_utf8(&mut [0; 4])),
            letter if letter <= '\u{ff}' => put(text, &format!("\\x{:02x}", u32::from(letter))),
            letter if letter <= '\u{ffff}' => put(text, &format!("\\u{:04x}", u32::from(letter))),
            letter => put(text, &format!("\\U{:08x}", u32::from(letter))),
        }
    }
}

/// Whether a terminal shows it, and only it: no control, no mark of direction, nothing of no width.
#[must_use]
pub fn is_printable(letter: char) -> bool {
    !letter.is_control()
        && !matches!(
            letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// The longest beginning of `text` that is no longer than `max_bytes` and ends with a whole letter.
#[must_use]
pub fn beginning(text: &str, max_bytes: usize) -> &str {
    let end = (0..=max_bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}

fn put(text: &mut impl fmt::Write, piece: &str) {
    let _ = text.write_str(piece); // memory takes whatever comes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printable(shown: &str) -> String {
        let mut text = String::new();
        push_printable(&mut text, shown);
        text
    }

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        assert_eq!(printable("\x1b[31mred\x07\r\n\t\x7f"), r"\x1b[31mred\x07\r\n\t\x7f");
        assert_eq!(printable("\u{9b}2J"), r"\x9b2J");
        assert_eq!(printable("a\u{202e}b\u{2066}c\u{200d}d\u{feff}"), r"a\u202eb\u2066c\u200dd\ufeff");
        assert_eq!(printable("\u{e0041}"), r"\U000e0041");
    }

    #[test]
    fn words_of_any_language_stay_as_they_are() {
        let shown = "naïve e\u{301} Ελλάδα 日本 🎉 C:\\x 'a' \"b\"";
        assert_eq!(printable(shown), shown);
    }

    #[test]
    fn a_beginning_ends_with_a_whole_letter() {
        assert_eq!(beginning("äöü", 4), "äö");
        assert_eq!(beginning("äöü", 3), "ä");
        assert_eq!(beginning("äöü", 9), "äöü");
        assert_eq!(beginning("ä", 1), "");
    }
}
