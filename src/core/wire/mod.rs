//! What the bytes on a connection say: HTTP requests, the server that TLS is asked for, names and their addresses.
//!
//! ```text
//! sent bytes ─> Sender ─┬─ http1 ─┐
//!                       ├─ http2 ─┼─> Seen
//!                       └─ tls ───┘
//! port 53 ───────────────> dns ─────> Message
//! ```
//!
//! Pure: no I/O, no clock, no state but what is given. It runs inside redirected libc functions on bytes that
//! nobody has checked, so it takes time in proportion to them, holds at most [`MAX_HEAD`] of them and never
//! panics. What is kept of a head is its method, its target, its host and the length of its body; other fields
//! are skipped, and a body is never looked at.

pub mod dns;
mod hpack;
mod http1;
mod http2;
mod tls;

use std::borrow::Cow;

use http1::Requests;
use http2::Streams;
use tls::Hello;

/// The longest incomplete head, of any protocol, that is held until the rest of it is sent.
pub const MAX_HEAD: usize = 16 * 1024;

/// What a client has just said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen<'a> {
    /// A request, told when its head is complete, whether or not its body has been sent.
    Request(Request<'a>),
    /// The chunked body of the last HTTP/1 request is complete.
    BodyEnds { size: u64 },
    /// TLS begins. With Encrypted Client Hello it names the server that is in front.
    Hello { server: Option<Cow<'a, str>> },
}

/// The head of a request. What it says may be a secret (queries, users in URLs) and is not yet redacted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    pub version: Version,
    pub method: Cow<'a, str>,
    /// Only HTTP/2 tells it: `https` or `http`.
    pub scheme: Option<Cow<'a, str>>,
    /// `Host` or `:authority`, with its port where one was given.
    pub host: Option<Cow<'a, str>>,
    /// As it was sent, with its query: a path, a URL (to a proxy), `host:port` (CONNECT) or `*`.
    pub target: Cow<'a, str>,
    /// The declared length of the body. HTTP/1 without one, and not chunked, has no body.
    pub body_size: Option<u64>,
    pub is_chunked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    Http1,
    Http2,
}

/// Where one protocol's machine stands after some bytes.
#[derive(Debug, PartialEq, Eq)]
enum Step<'b> {
    /// It has taken all of them.
    More,
    /// It is done; what follows may be anything.
    Done(&'b [u8]),
    /// They are not what it reads, or no longer.
    Lost,
}

/// One direction of one connection: the bytes that a client sends, before they are encrypted or as they are.
///
/// It starts undecided, chooses by the first bytes, and is undecided again after each HTTP/1 request: so a tunnel
/// (CONNECT) or another protocol (Upgrade) is followed where it is one of these, also when the server refuses it.
/// Bytes that are none of these make it opaque for good, and an opaque one costs one comparison.
///
/// After a request has been denied, deny whatever else is sent on the connection: a client that sends the same bytes
/// once more is not understood, as its body and its table of HTTP/2 are one request ahead. It has no `Debug`, which
/// would print the heads that are held.
///
/// ```
/// use gnomon_core::wire::{Seen, Sender};
///
/// let mut sender = Sender::default();
/// let mut seen = Vec::new();
/// for bytes in [&b"POST /v1 HTTP/1.1\r\nHost: a.exa"[..], b"mple\r\nContent-Length: 2\r\n\r\n{}GET /"] {
///     sender.feed(bytes, |said| {
///         if let Seen::Request(request) = said {
///             seen.push(format!("{} {} {:?}", request.method, request.target, request.body_size));
///         }
///     });
/// }
/// assert_eq!(seen, ["POST /v1 Some(2)"]);
/// ```
#[derive(Default)]
pub struct Sender {
    stage: Stage,
    /// Bytes that have been fed but not sent, and so will come again.
    unsent: u64,
}

enum Stage {
    /// So many bytes of HTTP/2's preface have been seen.
    Undecided(usize),
    Http1(Requests),
    Http2(Box<Streams>),
    Tls(Hello),
    Opaque,
}

impl Default for Stage {
    fn default() -> Self {
        Self::Undecided(0)
    }
}

impl Sender {
    /// Takes the bytes that are about to be sent, and tells what is complete with them.
    pub fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(Seen<'_>)) {
        if self.is_opaque() {
            return;
        }
        let again = usize::try_from(self.unsent).unwrap_or(usize::MAX).min(bytes.len());
        self.unsent -= again as u64;
        self.stage.feed(bytes.get(again..).unwrap_or_default(), &mut each);
    }

    /// The last `count` bytes that were fed have not been sent: the client is going to send them again.
    pub fn unsent(&mut self, count: usize) {
        self.unsent = self.unsent.saturating_add(count as u64);
    }

    /// `count` bytes are sent that are not at hand, as by sendfile(2). Within a body nothing is lost by that.
    pub fn pass(&mut self, count: u64) {
        if count > 0 {
            self.stage.pass(count);
        }
    }

    /// Nothing will be told any more: this is none of the protocols that are known, or it could not be followed.
    #[must_use]
    pub fn is_opaque(&self) -> bool {
        matches!(self.stage, Stage::Opaque)
    }

    /// Forgets everything, as when the descriptor is another connection now.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

impl Stage {
    fn feed(&mut self, mut bytes: &[u8], each: &mut dyn FnMut(Seen<'_>)) {
        while !bytes.is_empty() {
            let step = match self {
                Self::Undecided(matched) => {
                    let matched = *matched;
                    bytes = self.decide(matched, bytes);
                    continue;
                }
                Self::Http1(requests) => requests.step(bytes, each),
                Self::Http2(streams) => streams.step(bytes, each),
                Self::Tls(hello) => hello.step(bytes, each),
                Self::Opaque => return,
            };
            bytes = self.after(step);
        }
    }

    fn pass(&mut self, count: u64) {
        let step = match self {
            Self::Http1(requests) => requests.pass(count),
            Self::Http2(streams) => streams.pass(count),
            Self::Undecided(_) | Self::Tls(_) | Self::Opaque => Step::Lost,
        };
        self.after(step);
    }

    fn after<'b>(&mut self, step: Step<'b>) -> &'b [u8] {
        match step {
            Step::More => &[],
            Step::Done(rest) => {
                *self = Self::default();
                rest
            }
            Step::Lost => {
                *self = Self::Opaque;
                &[]
            }
        }
    }

    /// Chooses by the first bytes, of which `matched` were those of HTTP/2's preface. Gives what is to be read on.
    fn decide<'b>(&mut self, matched: usize, bytes: &'b [u8]) -> &'b [u8] {
        let (seen, expected) = http2::PREFACE.split_at_checked(matched).unwrap_or_default();
        let same = bytes.iter().zip(expected).take_while(|(byte, expected)| byte == expected).count();
        if same == expected.len() {
            *self = Self::Http2(Box::default());
            return bytes.get(same..).unwrap_or_default();
        }
        if same == bytes.len() {
            *self = Self::Undecided(matched + same);
            return &[];
        }
        match bytes.first() {
            // It looked like the preface: a method that starts like it, as POST does.
            _ if matched > 0 => {
                *self = Self::Http1(Requests::default());
                self.feed(seen, &mut |_| ());
                bytes
            }
            Some(b'\r' | b'\n') => bytes.get(1..).unwrap_or_default(),
            Some(&tls::HANDSHAKE) => {
                *self = Self::Tls(Hello::default());
                bytes
            }
            _ => {
                *self = Self::Http1(Requests::default());
                bytes
            }
        }
    }
}

/// The longest method. Those in use are shorter than 20 letters: MKREDIRECTREF, BASELINE-CONTROL.
const MAX_METHOD: usize = 24;

fn is_method(bytes: &[u8]) -> bool {
    (1..=MAX_METHOD).contains(&bytes.len()) && bytes.iter().all(|byte| is_token(*byte))
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The number that the next `count` bytes are.
fn number(bytes: &mut &[u8], count: usize) -> Option<usize> {
    let number = bytes.split_off(..count)?;
    Some(number.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
}

/// A length as a field gives it: digits and nothing else.
fn length(bytes: &[u8]) -> Option<u64> {
    let text =
        std::str::from_utf8(bytes).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    text.parse().ok()
}

/// `bytes` where they are a host's name or address: in lower case, without the final dot.
fn host_name(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let bytes = bytes.strip_suffix(b".").unwrap_or(bytes);
    let is_host = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    if bytes.is_empty() || bytes.len() > 253 || !bytes.iter().all(is_host) {
        return None;
    }
    let name = std::str::from_utf8(bytes).ok()?;
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some(Cow::Owned(name.to_ascii_lowercase()));
    }
    Some(Cow::Borrowed(name))
}

#[cfg(test)]
mod tests;
