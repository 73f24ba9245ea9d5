//! HTTP/1.0 and 1.1 as a client sends it: heads, and how much is body in between.

use std::borrow::Cow;

use super::{MAX_HEAD, MAX_METHOD, Request, Seen, Step, Version, is_method, is_token};

/// Fields of a head for which there is room on the stack, and the most that are looked through.
const FEW_FIELDS: usize = 24;
const MAX_FIELDS: usize = 512;

/// One request: its head, then its body.
pub(super) enum Requests {
    Head(Head),
    /// So many bytes of a body are to come.
    Body(u64),
    Chunks(Chunks),
}

impl Default for Requests {
    fn default() -> Self {
        Self::Head(Head::default())
    }
}

impl Requests {
    pub(super) fn step<'b>(&mut self, mut bytes: &'b [u8], each: &mut dyn FnMut(Seen<'_>)) -> Step<'b> {
        if let Self::Head(head) = self {
            match head.step(bytes, each) {
                Ok((body, rest)) => (*self, bytes) = (body, rest),
                Err(step) => return step,
            }
        }
        match self {
            Self::Head(_) => Step::Lost,
            Self::Body(left) => {
                bytes = skip(left, bytes);
                if *left == 0 { Step::Done(bytes) } else { Step::More }
            }
            Self::Chunks(chunks) => chunks.step(bytes, each),
        }
    }

    /// `count` bytes that are not at hand: no loss within what is skipped anyway.
    pub(super) fn pass(&mut self, count: u64) -> Step<'static> {
        let (left, is_all) = match self {
            Self::Body(left) => (left, true),
            Self::Chunks(Chunks { place: Place::Data(left), .. }) => (left, false),
            Self::Head(_) | Self::Chunks(_) => return Step::Lost,
        };
        let Some(rest) = left.checked_sub(count) else {
            return Step::Lost;
        };
        *left = rest;
        if is_all && rest == 0 { Step::Done(&[]) } else { Step::More }
    }
}

/// What follows the part of `bytes` that `left` still counts.
fn skip<'b>(left: &mut u64, bytes: &'b [u8]) -> &'b [u8] {
    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
    *left -= taken as u64;
    bytes.get(taken..).unwrap_or_default()
}

/// A head that may come in pieces.
#[derive(Default)]
pub(super) struct Head {
    held: Vec<u8>,
    /// The first line is a request's.
    is_request: bool,
}

impl Head {
    /// Tells the request once its head is complete, and gives the body that follows and where it starts.
    fn step<'b>(
        &mut self,
        bytes: &'b [u8],
        each: &mut dyn FnMut(Seen<'_>),
    ) -> Result<(Requests, &'b [u8]), Step<'b>> {
        let before = self.held.len();
        let piece = bytes.get(..bytes.len().min(MAX_HEAD - before)).unwrap_or_default();
        if before > 0 {
            self.held.extend_from_slice(piece);
        }
        let all = if before > 0 { self.held.as_slice() } else { piece };
        if !self.is_request {
            match first_line(all, before) {
                Line::Partial => {}
                Line::Request => self.is_request = true,
                Line::Other => return Err(Step::Lost),
            }
        }
        // The empty line may have begun in the piece before.
        if let Some(end) = end(all, before.saturating_sub(3)) {
            let body = all.get(..end).and_then(|head| tell(head, each)).ok_or(Step::Lost)?;
            return Ok((body, bytes.get(end - before..).unwrap_or_default()));
        }
        if all.len() == MAX_HEAD {
            return Err(Step::Lost);
        }
        if before == 0 {
            self.held.extend_from_slice(piece);
        }
        Err(Step::More)
    }
}

/// Where the head ends that starts `bytes`: behind its empty line, which begins at `from` or later.
fn end(bytes: &[u8], from: usize) -> Option<usize> {
    memchr::memchr_iter(b'\n', bytes.get(from..)?).find_map(|at| {
        let after = from + at + 1;
        match bytes.get(after..)? {
            [b'\n', ..] => Some(after + 1),
            [b'\r', b'\n', ..] => Some(after + 2),
            _ => None,
        }
    })
}

enum Line {
    Partial,
    Request,
    Other,
}

/// What the first line of `bytes` is, which was no other one up to `from`.
fn first_line(bytes: &[u8], from: usize) -> Line {
    let method = bytes.iter().take(MAX_METHOD + 1).take_while(|byte| is_token(**byte)).count();
    match bytes.get(method) {
        None if method <= MAX_METHOD => return Line::Partial,
        Some(b' ') if (1..=MAX_METHOD).contains(&method) => {}
        _ => return Line::Other,
    }
    let new = bytes.get(from..).unwrap_or_default();
    let end = memchr::memchr(b'\n', new);
    let is_odd = |byte: &u8| byte.is_ascii_control() && *byte != b'\r';
    if new.iter().take(end.unwrap_or(new.len())).any(is_odd) {
        return Line::Other;
    }
    let Some(line) = end.and_then(|end| bytes.get(..from + end)) else {
        return Line::Partial;
    };
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match line.split_last_chunk::<9>() {
        Some((_, tail)) if tail.starts_with(b" HTTP/1.") => Line::Request,
        _ => Line::Other,
    }
}

/// Tells the request that `head` is. `None` where it is none, or where nobody can say how long its body is.
fn tell(head: &[u8], each: &mut dyn FnMut(Seen<'_>)) -> Option<Requests> {
    let mut few = [httparse::EMPTY_HEADER; FEW_FIELDS];
    match parse(head, &mut few, each) {
        Err(httparse::Error::TooManyHeaders) => {
            parse(head, &mut vec![httparse::EMPTY_HEADER; MAX_FIELDS], each).ok()?
        }
        parsed => parsed.ok()?,
    }
}

fn parse<'b>(
    head: &'b [u8],
    fields: &mut [httparse::Header<'b>],
    each: &mut dyn FnMut(Seen<'_>),
) -> Result<Option<Requests>, httparse::Error> {
    let mut parsed = httparse::Request::new(fields);
    let mut config = httparse::ParserConfig::default();
    // A field that is wrong is not one of those that are looked at.
    config.ignore_invalid_headers_in_requests(true).parse_request(&mut parsed, head)?;
    let (Some(method), Some(target)) = (parsed.method, parsed.path) else {
        return Ok(None);
    };
    if !is_method(method.as_bytes()) {
        return Ok(None);
    }
    let found = Fields::of(parsed.headers);
    let has_body = method != "CONNECT";
    let is_chunked = has_body && found.is_chunked();
    let body_size = found.length.and_then(Result::ok).filter(|_| has_body && !is_chunked);
    each(Seen::Request(Request {
        version: Version::Http1,
        method: Cow::Borrowed(method),
        scheme: None,
        host: found.host.map(String::from_utf8_lossy),
        target: Cow::Borrowed(target),
        body_size,
        is_chunked,
    }));
    Ok(match (found.coding, found.length) {
        _ if !has_body => Some(Requests::Body(0)),
        (Some(_), _) => is_chunked.then(|| Requests::Chunks(Chunks::default())),
        (None, None) => Some(Requests::Body(0)),
        (None, Some(length)) => length.ok().map(Requests::Body),
    })
}

/// The fields that are looked at.
#[derive(Default)]
struct Fields<'b> {
    host: Option<&'b [u8]>,
    /// An error where it is no number, or two.
    length: Option<Result<u64, ()>>,
    /// The last one of the transfer codings.
    coding: Option<&'b [u8]>,
}

impl<'b> Fields<'b> {
    fn of(fields: &[httparse::Header<'b>]) -> Self {
        let mut found = Self::default();
        for field in fields {
            if field.name.eq_ignore_ascii_case("host") {
                found.host = found.host.or(Some(field.value.trim_ascii()));
            } else if field.name.eq_ignore_ascii_case("content-length") {
                let length = super::length(field.value.trim_ascii()).ok_or(());
                let is_other = found.length.is_some_and(|known| known != length);
                found.length = Some(if is_other { Err(()) } else { length });
            } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
                found.coding = field.value.rsplit(|byte| *byte == b',').next().map(<[u8]>::trim_ascii);
            }
        }
        found
    }

    fn is_chunked(&self) -> bool {
        self.coding.is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked"))
    }
}

/// A body in chunks, whose sizes are between them.
#[derive(Default)]
pub(super) struct Chunks {
    place: Place,
    size: u64,
}

enum Place {
    Size {
        digits: u8,
        value: u64,
    },
    /// Behind the size, up to the end of its line.
    Extension(u64),
    Data(u64),
    DataEnd,
    Trailer {
        is_line_empty: bool,
    },
}

impl Default for Place {
    fn default() -> Self {
        Self::Size { digits: 0, value: 0 }
    }
}

impl Chunks {
    fn step<'b>(&mut self, mut bytes: &'b [u8], each: &mut dyn FnMut(Seen<'_>)) -> Step<'b> {
        loop {
            if let Place::Data(left) = &mut self.place {
                bytes = skip(left, bytes);
                if *left == 0 {
                    self.place = Place::DataEnd;
                }
            }
            let Some((byte, rest)) = bytes.split_first() else {
                return Step::More;
            };
            bytes = rest;
            if let (b'\n', Place::Trailer { is_line_empty: true }) = (byte, &self.place) {
                each(Seen::BodyEnds { size: self.size });
                return Step::Done(rest);
            }
            match self.next(*byte) {
                Some(place) => self.place = place,
                None => return Step::Lost,
            }
        }
    }

    /// Where the next byte leads; `None` where it has no place.
    fn next(&mut self, byte: u8) -> Option<Place> {
        Some(match (&self.place, byte) {
            (&Place::Size { digits, value }, b'\n') if digits > 0 => self.chunk(value),
            (&Place::Size { digits, value }, b'\r') if digits > 0 => Place::Extension(value),
            (&Place::Size { digits, value }, b';' | b' ' | b'\t') if digits > 0 => Place::Extension(value),
            (&Place::Size { digits, value }, byte) if digits < 16 => {
                let digit = char::from(byte).to_digit(16)?;
                Place::Size { digits: digits + 1, value: value << 4 | u64::from(digit) }
            }
            (&Place::Extension(value), b'\n') => self.chunk(value),
            (&Place::Extension(value), _) => Place::Extension(value),
            (Place::DataEnd, b'\r') => Place::DataEnd,
            (Place::DataEnd, b'\n') => Place::default(),
            (Place::Trailer { is_line_empty }, b'\r') => Place::Trailer { is_line_empty: *is_line_empty },
            (Place::Trailer { .. }, byte) => Place::Trailer { is_line_empty: byte == b'\n' },
            (Place::Size { .. } | Place::DataEnd | Place::Data(_), _) => return None,
        })
    }

    fn chunk(&mut self, size: u64) -> Place {
        self.size = self.size.saturating_add(size);
        if size == 0 { Place::Trailer { is_line_empty: true } } else { Place::Data(size) }
    }
}
