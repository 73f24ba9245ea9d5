//! HTTP/2 as a client sends it: frames, of which only those with header blocks are read.

use std::ops::Range;

use super::hpack::{Field, Table, Values};
use super::{MAX_HEAD, Request, Seen, Step, Version, is_method};

/// What every connection starts with.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const HEADER_BYTES: usize = 9;
const HEADERS: u8 = 1;
const PUSH_PROMISE: u8 = 5;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// The streams of one connection, behind the preface.
#[derive(Default)]
pub(super) struct Streams {
    /// The frame's header, of which so many bytes have come.
    header: [u8; HEADER_BYTES],
    header_bytes: usize,
    /// What is to come of the frame's payload.
    left: usize,
    /// The fragments of a header block, then what there is of the one that comes.
    held: Vec<u8>,
    /// How long the fragments are.
    fragments: usize,
    /// The stream whose header block is to be continued by the next frame.
    continued: Option<u32>,
    table: Table,
}

/// A frame's header without its length.
#[derive(Clone, Copy)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
}

impl Streams {
    pub(super) fn step<'b>(&mut self, bytes: &'b [u8], each: &mut dyn FnMut(Seen<'_>)) -> Step<'b> {
        match self.frames(bytes, each) {
            Some(()) => Step::More,
            None => Step::Lost,
        }
    }

    /// `count` bytes that are not at hand: no loss within a frame that is skipped anyway.
    pub(super) fn pass(&mut self, count: u64) -> Step<'static> {
        let left = usize::try_from(count).ok().and_then(|count| self.left.checked_sub(count));
        match left {
            Some(left) if self.header_bytes == HEADER_BYTES && !self.frame().has_block() => {
                self.left = left;
                Step::More
            }
            _ => Step::Lost,
        }
    }

    fn frames(&mut self, mut bytes: &[u8], each: &mut dyn FnMut(Seen<'_>)) -> Option<()> {
        while !bytes.is_empty() {
            if self.header_bytes < HEADER_BYTES {
                bytes = self.take_header(bytes)?;
                if self.header_bytes < HEADER_BYTES {
                    return Some(());
                }
            }
            let (payload, rest) = bytes.split_at(self.left.min(bytes.len()));
            self.left -= payload.len();
            bytes = rest;
            if self.frame().has_block() {
                self.fragment(payload, each)?;
            }
            if self.left == 0 {
                self.header_bytes = 0;
            }
        }
        Some(())
    }

    /// Reads on in a frame's header, and gives what follows it.
    fn take_header<'b>(&mut self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let place = self.header.get_mut(self.header_bytes..)?;
        let taken = place.len().min(bytes.len());
        let (new, rest) = bytes.split_at(taken);
        place.get_mut(..taken)?.copy_from_slice(new);
        self.header_bytes += taken;
        if self.header_bytes == HEADER_BYTES {
            let [high, middle, low, ..] = self.header;
            self.left = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
            self.begins()?;
        }
        Some(rest)
    }

    fn frame(&self) -> Frame {
        let [_, _, _, kind, flags, stream @ ..] = self.header;
        Frame { kind, flags, stream: u32::from_be_bytes(stream) & (u32::MAX >> 1) }
    }

    /// Whether the frame may come now, and is not too large to be held.
    fn begins(&self) -> Option<()> {
        let frame = self.frame();
        let is_expected = match (frame.kind, self.continued) {
            (CONTINUATION, continued) => continued == Some(frame.stream),
            (PUSH_PROMISE, _) => false,
            (_, continued) => continued.is_none(),
        };
        let is_small = !frame.has_block() || self.held.len() + self.left <= MAX_HEAD;
        (is_expected && is_small).then_some(())
    }

    /// Takes the next part of a frame with a header block; `left` says whether it is the last one.
    fn fragment(&mut self, payload: &[u8], each: &mut dyn FnMut(Seen<'_>)) -> Option<()> {
        let frame = self.frame();
        if self.left > 0 {
            self.held.extend_from_slice(payload);
            return Some(());
        }
        if self.held.is_empty() && frame.flags & END_HEADERS != 0 {
            self.continued = None;
            return self.tell(payload.get(frame.fragment(payload)?)?, each);
        }
        self.held.extend_from_slice(payload);
        let payload = self.held.get(self.fragments..)?;
        let fragment = frame.fragment(payload)?;
        self.held.truncate(self.fragments + fragment.end);
        self.held.drain(self.fragments..self.fragments + fragment.start);
        self.fragments = self.held.len();
        self.continued = Some(frame.stream);
        if frame.flags & END_HEADERS != 0 {
            let block = std::mem::take(&mut self.held);
            (self.fragments, self.continued) = (0, None);
            return self.tell(&block, each);
        }
        Some(())
    }

    fn tell(&mut self, block: &[u8], each: &mut dyn FnMut(Seen<'_>)) -> Option<()> {
        let values = self.table.decode(block)?;
        match values.get(Field::Method) {
            Some(method) if is_method(method) => each(Seen::Request(request(&values))),
            Some(_) => return None,
            None => {} // the trailer of a body
        }
        Some(())
    }
}

fn request(values: &Values) -> Request<'_> {
    let text = |field| values.get(field).map(String::from_utf8_lossy);
    let method = text(Field::Method).unwrap_or_default();
    let host = text(Field::Authority).or_else(|| text(Field::Host));
    // CONNECT has none: what it asks for is a tunnel to the host.
    let target = text(Field::Path).or_else(|| host.clone()).unwrap_or_default();
    let body_size = values.get(Field::ContentLength).and_then(super::length);
    let scheme = text(Field::Scheme);
    Request { version: Version::Http2, method, scheme, host, target, body_size, is_chunked: false }
}

impl Frame {
    fn has_block(self) -> bool {
        matches!(self.kind, HEADERS | CONTINUATION)
    }

    /// The part of a payload that is of the header block.
    fn fragment(self, payload: &[u8]) -> Option<Range<usize>> {
        let (mut start, mut end) = (0, payload.len());
        if self.kind == HEADERS && self.flags & PADDED != 0 {
            start += 1;
            end = end.checked_sub(usize::from(*payload.first()?))?;
        }
        if self.kind == HEADERS && self.flags & PRIORITY != 0 {
            start += 5;
        }
        (start <= end).then_some(start..end)
    }
}
