//! DNS messages (RFC 1035): which name is asked for, and which addresses it has.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smallvec::SmallVec;

use super::{MAX_HEAD, host_name, number};

/// Of a TCP connection's messages.
const LENGTH_BYTES: usize = 2;
const MAX_NAME: usize = 255;
const MAX_JUMPS: u8 = 16;
/// A message with more than these is read up to them; a chain of aliases is followed so far.
const MAX_RECORDS: usize = 128;
const MAX_ALIASES: usize = 16;

const INTERNET: usize = 1;
const A: usize = 1;
const CNAME: usize = 5;
const AAAA: usize = 28;

/// What a message says, of its first question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Query {
        name: String,
        kind: Kind,
    },
    Answer {
        /// The name that was asked for, in lower case and without its final dot.
        name: String,
        kind: Kind,
        /// Those of the name, also where it is an alias of another one.
        addresses: SmallVec<[IpAddr; 4]>,
        /// 0, or why there is no answer: 3 where there is no such name.
        code: u8,
    },
}

/// What is asked of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    A,
    Aaaa,
    Other(u16),
}

/// What a datagram from or to port 53 says. `None` for what is no message, or not about a host.
#[must_use]
pub fn parse(message: &[u8]) -> Option<Message> {
    let [_, _, flags, code, rest @ ..] = message else { return None };
    let mut rest = rest;
    let questions = number(&mut rest, 2)?;
    let answers = number(&mut rest, 2)?;
    rest.split_off(..4)?; // authorities, and what is additional
    let is_query = flags & 0x80 == 0;
    let is_standard = flags & 0x78 == 0;
    if questions == 0 || !is_standard {
        return None;
    }
    let asked = Labels::at(message, message.len() - rest.len());
    rest = asked.after()?;
    let kind = Kind::of(number(&mut rest, 2)?);
    rest.split_off(..2)?; // the class
    let name = asked.text()?;
    if is_query {
        return Some(Message::Query { name, kind });
    }
    for _ in 1..questions.min(MAX_RECORDS) {
        rest = Labels::at(message, message.len() - rest.len()).after()?;
        rest.split_off(..4)?;
    }
    let records = Record::all(message, rest, answers);
    Some(Message::Answer { name, kind, addresses: addresses(&records, asked), code: code & 0xF })
}

impl Kind {
    fn of(number: usize) -> Self {
        match number {
            A => Self::A,
            AAAA => Self::Aaaa,
            other => Self::Other(u16::try_from(other).unwrap_or(u16::MAX)),
        }
    }
}

/// The addresses of a name and of what it is an alias of.
fn addresses(records: &[Record<'_>], asked: Labels<'_>) -> SmallVec<[IpAddr; 4]> {
    let mut found = SmallVec::new();
    let mut name = asked;
    for _ in 0..MAX_ALIASES {
        let own = || records.iter().filter(|record| record.owner.is(name));
        found.extend(own().filter_map(Record::address));
        match own().find(|record| record.kind == CNAME) {
            Some(alias) => name = Labels::at(alias.owner.message, alias.data_at),
            None => break,
        }
    }
    found
}

/// A record of the answer.
struct Record<'m> {
    owner: Labels<'m>,
    kind: usize,
    data: &'m [u8],
    data_at: usize,
}

impl<'m> Record<'m> {
    /// Those that can be read: a message may be cut.
    fn all(message: &'m [u8], mut rest: &'m [u8], count: usize) -> SmallVec<[Self; 8]> {
        (0..count.min(MAX_RECORDS)).map_while(|_| Self::next(message, &mut rest)).collect()
    }

    fn next(message: &'m [u8], rest: &mut &'m [u8]) -> Option<Self> {
        let owner = Labels::at(message, message.len() - rest.len());
        *rest = owner.after()?;
        let (kind, class) = (number(rest, 2)?, number(rest, 2)?);
        rest.split_off(..4)?; // how long it holds
        let length = number(rest, 2)?;
        let data_at = message.len() - rest.len();
        let data = rest.split_off(..length)?;
        Some(Self { owner, kind: if class == INTERNET { kind } else { 0 }, data, data_at })
    }

    fn address(&self) -> Option<IpAddr> {
        match self.kind {
            A => <[u8; 4]>::try_from(self.data).ok().map(|bytes| Ipv4Addr::from(bytes).into()),
            AAAA => <[u8; 16]>::try_from(self.data).ok().map(|bytes| Ipv6Addr::from(bytes).into()),
            _ => None,
        }
    }
}

/// A name in a message. It may go on elsewhere, but only further back and not too often, and so it ends.
#[derive(Clone, Copy)]
struct Labels<'m> {
    message: &'m [u8],
    /// Where the labels that stand together began, and where the next one is.
    start: usize,
    at: usize,
    jumps: u8,
}

impl<'m> Labels<'m> {
    fn at(message: &'m [u8], at: usize) -> Self {
        Self { message, start: at, at, jumps: 0 }
    }

    /// The next label, which is empty at the end. `None` where there is none that could be.
    fn next(&mut self) -> Option<&'m [u8]> {
        loop {
            match *self.message.get(self.at..)? {
                [length @ 0..64, ref rest @ ..] => {
                    self.at += 1 + usize::from(length);
                    return rest.get(..length.into());
                }
                [high @ 0xC0..=0xFF, low, ..] => {
                    let place = usize::from(u16::from_be_bytes([high & 0x3F, low]));
                    if place >= self.start || self.jumps >= MAX_JUMPS {
                        return None;
                    }
                    (self.start, self.at) = (place, place);
                    self.jumps += 1;
                }
                _ => return None,
            }
        }
    }

    /// What stands behind the name, or behind where it goes on elsewhere.
    fn after(mut self) -> Option<&'m [u8]> {
        loop {
            match *self.message.get(self.at..)? {
                [0xC0..=0xFF, _, ref rest @ ..] => return Some(rest),
                [0, ref rest @ ..] => return Some(rest),
                _ => self.next().map(drop)?,
            }
        }
    }

    fn is(mut self, mut other: Self) -> bool {
        for _ in 0..MAX_NAME {
            match (self.next(), other.next()) {
                (Some([]), Some([])) => return true,
                (Some(label), Some(other)) if label.eq_ignore_ascii_case(other) => {}
                _ => return false,
            }
        }
        false
    }

    fn text(mut self) -> Option<String> {
        let mut name = SmallVec::<[u8; 64]>::new();
        loop {
            match self.next()? {
                [] => return host_name(&name).map(Cow::into_owned),
                label if name.len() + label.len() < MAX_NAME && !label.contains(&b'.') => {
                    name.extend_from_slice(label);
                    name.push(b'.');
                }
                _ => return None,
            }
        }
    }
}

/// Messages on a TCP connection, each behind its length.
#[derive(Default)]
pub struct Stream {
    held: Vec<u8>,
    /// What is to come of a message that is too long to be held.
    skipped: usize,
}

impl Stream {
    /// Takes the next bytes, and gives each message that is complete with them, for [`parse`].
    pub fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8])) {
        while !bytes.is_empty() {
            let skipped = bytes.split_off(..self.skipped.min(bytes.len())).unwrap_or_default();
            self.skipped -= skipped.len();
            let missing = LENGTH_BYTES.saturating_sub(self.held.len());
            self.held.extend(bytes.split_off(..missing.min(bytes.len())).unwrap_or_default());
            let [high, low, held @ ..] = self.held.as_slice() else { continue };
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            if length > MAX_HEAD {
                self.held.clear();
                self.skipped = length;
                continue;
            }
            let missing = length - held.len();
            let part = bytes.split_off(..missing.min(bytes.len())).unwrap_or_default();
            if part.len() == length {
                each(part);
                self.held.clear();
                continue;
            }
            self.held.extend_from_slice(part);
            if part.len() == missing {
                each(self.held.get(LENGTH_BYTES..).unwrap_or_default());
                self.held = Vec::new();
            }
        }
    }
}
