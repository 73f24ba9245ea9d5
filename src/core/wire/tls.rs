//! The server that a TLS ClientHello names (RFC 8446, RFC 6066), for clients whose TLS is not redirected.

use super::{MAX_HEAD, Seen, Step, host_name, number};

/// The type of the records that a handshake is in, and so the first byte of a connection with TLS.
pub(super) const HANDSHAKE: u8 = 22;
const RECORD_HEADER_BYTES: u8 = 5;
const MAX_RECORD: u16 = 16 * 1024 + 256;
const MAJOR_VERSION: u8 = 3;
const CLIENT_HELLO: u8 = 1;
const MESSAGE_HEADER_BYTES: usize = 4;
const SERVER_NAME: usize = 0;
const HOST_NAME: usize = 0;

/// The first message on a connection, that may come in pieces and in several records.
#[derive(Default)]
pub(super) struct Hello {
    /// How much of a record's header has come, and what is to come of the record.
    header_bytes: u8,
    left: u16,
    message: Vec<u8>,
}

impl Hello {
    /// Nothing is read behind the hello.
    pub(super) fn step<'b>(&mut self, mut bytes: &'b [u8], each: &mut dyn FnMut(Seen<'_>)) -> Step<'b> {
        while let Some((byte, rest)) = bytes.split_first() {
            if self.header_bytes < RECORD_HEADER_BYTES {
                if self.header(*byte).is_none() {
                    return Step::Lost;
                }
                bytes = rest;
                continue;
            }
            let (payload, rest) = bytes.split_at(bytes.len().min(self.left.into()));
            self.left -= payload.len() as u16;
            if self.left == 0 {
                self.header_bytes = 0;
            }
            self.message.extend_from_slice(payload);
            bytes = rest;
            match self.length() {
                None => return Step::Lost,
                Some(length) if self.message.len() < length => {}
                Some(length) => {
                    self.message.truncate(length); // the record may hold another one
                    self.tell(each);
                    return Step::Lost;
                }
            }
        }
        Step::More
    }

    /// The next byte of a record's header; `None` where it has no place.
    fn header(&mut self, byte: u8) -> Option<()> {
        let is_good = match self.header_bytes {
            0 => byte == HANDSHAKE,
            1 => byte == MAJOR_VERSION,
            2 => true,
            _ => {
                self.left = self.left << 8 | u16::from(byte);
                self.header_bytes < 4 || (1..=MAX_RECORD).contains(&self.left)
            }
        };
        self.header_bytes += 1;
        is_good.then_some(())
    }

    /// How long the message is that has begun, or how much tells it. `None` where it is no hello, or too long.
    fn length(&self) -> Option<usize> {
        let mut rest = self.message.as_slice();
        if number(&mut rest, 1)? != usize::from(CLIENT_HELLO) {
            return None;
        }
        let length = number(&mut rest, 3).unwrap_or(0) + MESSAGE_HEADER_BYTES;
        (length <= MAX_HEAD).then_some(length)
    }

    fn tell(&self, each: &mut dyn FnMut(Seen<'_>)) {
        if let Some(name) = server_name(&self.message) {
            each(Seen::Hello { server: name.and_then(host_name) });
        }
    }
}

/// The name in a hello, or that it has none; `None` where it is no hello.
fn server_name(message: &[u8]) -> Option<Option<&[u8]>> {
    const VERSION_AND_RANDOM: usize = 2 + 32;
    let mut rest = message.get(MESSAGE_HEADER_BYTES + VERSION_AND_RANDOM..)?;
    vector(&mut rest, 1)?; // the session
    vector(&mut rest, 2)?; // ciphers
    vector(&mut rest, 1)?; // compressions
    let mut extensions = vector(&mut rest, 2).unwrap_or_default();
    while !extensions.is_empty() {
        let (kind, mut names) = (number(&mut extensions, 2)?, vector(&mut extensions, 2)?);
        if kind != SERVER_NAME {
            continue;
        }
        let mut names = vector(&mut names, 2)?;
        while !names.is_empty() {
            let (kind, name) = (number(&mut names, 1)?, vector(&mut names, 2)?);
            if kind == HOST_NAME {
                return Some(Some(name));
            }
        }
    }
    Some(None)
}

/// What follows its own length, which has so many bytes.
fn vector<'b>(bytes: &mut &'b [u8], length_bytes: usize) -> Option<&'b [u8]> {
    let length = number(bytes, length_bytes)?;
    bytes.split_off(..length)
}
