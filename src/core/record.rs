//! What is stored of an event, and how: one MessagePack map with one-letter keys, absent fields left out.
//!
//! [`Draft`] is the write half, [`View`] its mirror. Text that repeats stands once in the segment and is
//! referred to by its offset; docs/segment-format.md has the table of keys.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::event::{Access, Kind};
use crate::origin::Origin;
use crate::pack::{Item, Packer, Unpacker};
use crate::paths;
use crate::privacy::{Privacy, hidden};
use crate::process::stored_command;
use crate::redact;
use crate::spool::format::{HEAD_BYTES, NATIVE};
use crate::spool::segment::{Head, Place, Refusal, Segment};
use crate::text::{Pieces, Text};
use crate::verdict::{Action, Verdict};

/// Text shorter than this is not worth a record of its own.
const MIN_INTERNED: usize = 12;
/// Longest text of a record: twice what a path can have. Beyond it is cut, and marked so.
const MAX_TEXT_BYTES: usize = 8 * 1024;
/// Payloads up to this size, which is nearly all, are put together on the stack.
const INLINE_BYTES: usize = 256;

/// The payload of an event record. Fields are only ever added; a reader skips what it does not know.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Wire<'a> {
    #[serde(rename = "a", skip_serializing_if = "is_zero")]
    access: u8,
    #[serde(rename = "t", skip_serializing_if = "Option::is_none", borrow)]
    target: Option<Text<'a>>,
    #[serde(rename = "d", skip_serializing_if = "Option::is_none", borrow)]
    destination: Option<Text<'a>>,
    /// A number here is the length of the target's end that was asked for.
    #[serde(rename = "q", skip_serializing_if = "Option::is_none", borrow)]
    requested: Option<Text<'a>>,
    #[serde(rename = "h", skip_serializing_if = "Option::is_none", borrow)]
    host: Option<Text<'a>>,
    #[serde(rename = "i", skip_serializing_if = "Option::is_none", borrow)]
    address: Option<Text<'a>>,
    /// A word more on what happened: an HTTP method, a signal, how code came to be run.
    #[serde(rename = "w", skip_serializing_if = "Option::is_none", borrow)]
    detail: Option<Text<'a>>,
    #[serde(rename = "p", skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    /// Where the origin's record stands.
    #[serde(rename = "o", skip_serializing_if = "Option::is_none")]
    origin: Option<u32>,
    /// What policy said, as [`packed_verdict`] makes it. The rules and the justification belong to it.
    #[serde(rename = "y", skip_serializing_if = "Option::is_none")]
    verdict: Option<u8>,
    #[serde(rename = "r", skip_serializing_if = "Option::is_none", borrow)]
    rule: Option<Text<'a>>,
    #[serde(rename = "m", skip_serializing_if = "Option::is_none", borrow)]
    shadow_rule: Option<Text<'a>>,
    #[serde(rename = "z", skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(rename = "x", skip_serializing_if = "Option::is_none", borrow)]
    sha256: Option<Text<'a>>,
    #[serde(rename = "v", skip_serializing_if = "Option::is_none", borrow)]
    argv: Option<Vec<Text<'a>>>,
    #[serde(rename = "c", skip_serializing_if = "Option::is_none")]
    child: Option<u32>,
    #[serde(rename = "s", skip_serializing_if = "Option::is_none")]
    status: Option<i32>,
    #[serde(rename = "j", skip_serializing_if = "Option::is_none", borrow)]
    justification: Option<Text<'a>>,
}

/// The payload of an origin record, which many events share.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct OriginWire<'a> {
    #[serde(rename = "f", skip_serializing_if = "Option::is_none", borrow)]
    file: Option<Text<'a>>,
    #[serde(rename = "l", skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(rename = "n", skip_serializing_if = "Option::is_none", borrow)]
    function: Option<Text<'a>>,
    #[serde(rename = "b", skip_serializing_if = "Option::is_none", borrow)]
    distribution: Option<Text<'a>>,
    #[serde(rename = "v", skip_serializing_if = "Option::is_none", borrow)]
    via: Option<Text<'a>>,
    #[serde(rename = "s", skip_serializing_if = "Option::is_none", borrow)]
    object: Option<Text<'a>>,
}

impl<'a> Wire<'a> {
    /// Fills this, which is empty, with what serde reads in `payload`, if that has no more than the common fields in
    /// their order. Where it is `None`, something may be filled in already.
    #[inline] // it is large: it stays where it is
    fn unpack(&mut self, payload: &'a [u8]) -> Option<()> {
        const ORDER: &[u8] = b"atdqhiwpoyrm";
        let mut unpacker = Unpacker(payload);
        let wire = self;
        let mut expected = ORDER.iter();
        for _ in 0..unpacker.map()? {
            let key = unpacker.key()?;
            expected.find(|letter| **letter == key)?; // none twice
            let number = |item| if let Item::Number(number) = item { Some(number) } else { None };
            match (key, unpacker.item()?) {
                (b'a', item) => wire.access = u8::try_from(number(item)?).ok()?,
                (b'p', item) => wire.port = Some(u16::try_from(number(item)?).ok()?),
                (b'o', item) => wire.origin = Some(number(item)?),
                (b'y', item) => wire.verdict = Some(u8::try_from(number(item)?).ok()?),
                (key, item) => {
                    let text = Some(match item {
                        Item::Number(place) => Text::Interned(place),
                        Item::Text(bytes) => Text::Whole(Cow::Borrowed(bytes)),
                        Item::Pair => {
                            let place = number(unpacker.item()?)?;
                            let Item::Text(rest) = unpacker.item()? else { return None };
                            Text::Joined(place, Cow::Borrowed(rest))
                        }
                    });
                    match key {
                        b't' => wire.target = text,
                        b'd' => wire.destination = text,
                        b'q' => wire.requested = text,
                        b'h' => wire.host = text,
                        b'w' => wire.detail = text,
                        b'r' => wire.rule = text,
                        b'm' => wire.shadow_rule = text,
                        _ => wire.address = text,
                    }
                }
            }
        }
        Some(())
    }

    /// What [`encoded`] gives, put together in `room`; `None` where that is too small, and for the rarer
    /// fields.
    fn packed<'r>(&self, room: &'r mut [u8]) -> Option<&'r [u8]> {
        let has_rarer = self.argv.is_some()
            || self.child.is_some()
            || self.status.is_some()
            || self.size.is_some()
            || self.sha256.is_some()
            || self.justification.is_some();
        if has_rarer {
            return None;
        }
        let texts = [
            (b't', &self.target),
            (b'd', &self.destination),
            (b'q', &self.requested),
            (b'h', &self.host),
            (b'i', &self.address),
            (b'w', &self.detail),
        ];
        let count = texts.iter().filter(|(_, text)| text.is_some()).count()
            + usize::from(self.access != 0)
            + usize::from(self.port.is_some())
            + usize::from(self.origin.is_some())
            + self.verdict.map_or(0, |_| self.verdict_fields());
        let mut packer = Packer::new(room);
        packer.map(count as u8);
        if self.access != 0 {
            packer.key(b'a');
            packer.number(self.access.into());
        }
        for (key, text) in texts {
            pack_text(&mut packer, key, text.as_ref());
        }
        if let Some(port) = self.port {
            packer.key(b'p');
            packer.number(port.into());
        }
        if let Some(place) = self.origin {
            packer.key(b'o');
            packer.number(place);
        }
        if let Some(verdict) = self.verdict {
            packer.key(b'y');
            packer.number(verdict.into());
            pack_text(&mut packer, b'r', self.rule.as_ref());
            pack_text(&mut packer, b'm', self.shadow_rule.as_ref());
        }
        packer.finish()
    }

    /// How many common fields a verdict takes.
    fn verdict_fields(&self) -> usize {
        1 + usize::from(self.rule.is_some()) + usize::from(self.shadow_rule.is_some())
    }

    /// Adds `verdict`, its rules stored by `intern`.
    #[inline(never)] // what has none, as nearly every record, shall not pay for it
    fn set_verdict(
        &mut self,
        verdict: &Verdict<'a>,
        privacy: Option<&Privacy>,
        intern: impl Fn(&[u8]) -> Result<Place, Refusal>,
    ) -> Result<(), Refusal> {
        self.verdict = Some(packed_verdict(verdict));
        self.rule = verdict.rule.map(|rule| shared_rule(rule, &intern)).transpose()?;
        self.shadow_rule = verdict.shadow.map(|(_, rule)| shared_rule(rule, &intern)).transpose()?;
        self.justification = verdict.reason.map(|reason| Text::Whole(stored(reason.as_bytes(), privacy)));
        Ok(())
    }
}

#[inline(always)] // every text of every record
fn pack_text(packer: &mut Packer<'_>, key: u8, text: Option<&Text<'_>>) {
    let Some(text) = text else { return };
    packer.key(key);
    match text {
        Text::Whole(bytes) => packer.text(bytes),
        Text::Interned(place) => packer.number(*place),
        Text::Joined(place, rest) => {
            packer.pair();
            packer.number(*place);
            packer.text(rest);
        }
    }
}

/// A verdict but for its texts: two bits for the action, two for the shadow's, then one that tells whether the
/// operation was stopped, and one that there is a shadow. Higher bits are for later.
fn packed_verdict(verdict: &Verdict<'_>) -> u8 {
    let (shadow, has_shadow) = verdict.shadow.map_or((0, 0), |(action, _)| (action as u8, 1));
    verdict.action as u8 | shadow << 2 | u8::from(verdict.is_stopped) << 4 | has_shadow << 5
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(value: &u8) -> bool {
    *value == 0
}

/// An event resolved to what is stored, borrowed from the event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft<'a> {
    pub access: Access,
    pub target: Option<Cow<'a, [u8]>>,
    pub destination: Option<Cow<'a, [u8]>>,
    /// How much of the destination many records share (a library directory); 0: up to its last slash.
    pub shared_bytes: usize,
    /// As given, where that differs from the target.
    pub requested: Option<Cow<'a, [u8]>>,
    pub host: Option<Cow<'a, str>>,
    pub address: Option<IpAddr>,
    pub port: Option<u16>,
    pub argv: Option<&'a [Cow<'a, [u8]>]>,
    /// The pid of the child that an exit is about.
    /// A word more on what happened: an HTTP method, a signal.
    pub detail: Option<Cow<'a, [u8]>>,
    /// Bytes of a request's body, or of code.
    pub size: Option<u64>,
    pub sha256: Option<[u8; 32]>,
    pub child: Option<u32>,
    pub status: Option<i32>,
    pub origin: Option<&'a Origin>,
    /// What policy said, if anything.
    pub verdict: Option<Verdict<'a>>,
}

impl Draft<'_> {
    /// Stores the record in `segment`, the text that it shares with others first. `hash` hashes text.
    /// This is where secrets are masked: nothing of an event is stored by another way.
    ///
    /// # Errors
    /// The segment is full, or the record is lost.
    pub fn append(
        &self,
        head: Head,
        segment: &Segment,
        privacy: Option<&Privacy>,
        hash: impl Fn(&[u8]) -> u64,
    ) -> Result<Place, Refusal> {
        let intern = |text: &[u8]| segment.intern(text, hash(text), head.time);
        let target = self.target.as_deref().map(|text| stored(text, privacy));
        let destination = self.destination.as_deref().map(|text| stored(text, privacy));
        let requested = self.requested.as_deref().map(|text| stored(text, privacy));
        let host = self.host.as_deref().map(|host| stored(host.as_bytes(), privacy));
        let detail = self.detail.as_deref().map(|text| stored(text, privacy));
        let argv = self.argv.map(|argv| stored_command(argv.iter().cloned(), privacy));
        let mut wire = Wire {
            access: self.access.0,
            target: target.as_deref().map(|text| shared_path(text, intern)).transpose()?,
            destination: match &destination {
                Some(Cow::Borrowed(text)) if self.shared_bytes > 0 => {
                    Some(shared_text(text, self.shared_bytes, intern)?)
                }
                Some(text) => Some(shared_path(text, intern)?),
                None => None,
            },
            requested: requested.as_deref().map(|text| requested_text(text, target.as_deref())),
            host: host.as_deref().map(|host| shared_text(host, host.len(), intern)).transpose()?,
            address: self.address.map(|address| Text::Whole(Cow::Owned(octets(address)))),
            port: self.port,
            argv: argv.map(|argv| argv.into_iter().map(Text::Whole).collect()),
            detail: detail.map(Text::Whole),
            size: self.size,
            sha256: self.sha256.as_ref().map(|digest| Text::Whole(Cow::Borrowed(&digest[..]))),
            child: self.child,
            status: self.status,
            origin: self
                .origin
                .map(|origin| store_origin(origin, segment, head.time, privacy, &hash))
                .transpose()?,
            verdict: None,
            rule: None,
            shadow_rule: None,
            justification: None,
        };
        if let Some(verdict) = &self.verdict {
            wire.set_verdict(verdict, privacy, intern)?;
        }
        let mut room = [0; HEAD_BYTES + INLINE_BYTES];
        let packed = room.get_mut(HEAD_BYTES..).and_then(|room| wire.packed(room)).map(<[u8]>::len);
        match packed.and_then(|length| room.get_mut(..HEAD_BYTES + length)) {
            Some(record) => segment.append_framed(head, record),
            None => segment.append(head, &encoded(&wire)),
        }
    }
}

/// What was asked for: where it is the end of the target, its length.
fn requested_text<'a>(requested: &'a [u8], target: Option<&[u8]>) -> Text<'a> {
    match target {
        Some(target) if target.len() <= MAX_TEXT_BYTES && target.ends_with(requested) => {
            Text::Interned(requested.len() as u32)
        }
        _ => Text::Whole(Cow::Borrowed(requested)),
    }
}

/// `text` as it may be stored: without secrets, not longer than the cap, homes under a pseudonym.
fn stored<'a>(text: &'a [u8], privacy: Option<&Privacy>) -> Cow<'a, [u8]> {
    hidden(redact::cut(text, MAX_TEXT_BYTES), privacy)
}

/// Where `origin` stands in the segment, stored now if it is new there.
fn store_origin(
    origin: &Origin,
    segment: &Segment,
    time: u64,
    privacy: Option<&Privacy>,
    hash: impl Fn(&[u8]) -> u64,
) -> Result<u32, Refusal> {
    // Known by its hash, as repeats are: nearly every record has an origin that the segment holds already.
    let is_hashed = origin.hash != 0;
    if let Some(place) = is_hashed.then(|| segment.lookup(origin.hash)).flatten() {
        return Ok(place.0);
    }
    let intern = |text: &[u8]| segment.intern(text, hash(text), time);
    let whole = |text: &'_ [u8]| -> Result<Text<'static>, Refusal> {
        if text.len() < MIN_INTERNED {
            return Ok(Text::Whole(Cow::Owned(text.to_vec())));
        }
        Ok(Text::Interned(intern(text.get(..MAX_TEXT_BYTES).unwrap_or(text))?.0))
    };
    let file = stored(&origin.file, privacy);
    let object = origin.object.as_deref().map(|object| stored(object, privacy));
    let wire = OriginWire {
        file: Some(&file).filter(|file| !file.is_empty()).map(|file| whole(file)).transpose()?,
        line: (origin.line != 0).then_some(origin.line),
        // Names of functions and distributions are identifiers: nothing in them is looked for.
        function: Some(&origin.function)
            .filter(|name| !name.is_empty())
            .map(|name| whole(name.as_bytes()))
            .transpose()?,
        distribution: origin.distribution.as_ref().map(|name| whole(name.as_bytes())).transpose()?,
        via: origin.via.as_ref().map(|name| whole(name.as_bytes())).transpose()?,
        object: object.as_deref().map(whole).transpose()?,
    };
    let payload = encoded(&wire);
    let place = segment.intern_as(Kind::Origin, &payload, hash(&payload).wrapping_add(1), time)?;
    if is_hashed {
        segment.remember(origin.hash, place);
    }
    Ok(place.0)
}

/// `text` with its directory stored once in the segment.
fn shared_path(text: &[u8], intern: impl Fn(&[u8]) -> Result<Place, Refusal>) -> Result<Text<'_>, Refusal> {
    shared_text(text, paths::split(text).0.len(), intern)
}

/// `text` with what stands before `at` stored once in the segment.
fn shared_text(
    text: &[u8],
    at: usize,
    intern: impl Fn(&[u8]) -> Result<Place, Refusal>,
) -> Result<Text<'_>, Refusal> {
    if text.len() > MAX_TEXT_BYTES {
        return Ok(Text::Whole(Cow::Borrowed(text)));
    }
    let (start, rest) = text.split_at_checked(at).unwrap_or((text, &[]));
    if start.len() < MIN_INTERNED {
        return Ok(Text::Whole(Cow::Borrowed(text)));
    }
    let place = intern(start)?.0;
    Ok(if rest.is_empty() { Text::Interned(place) } else { Text::Joined(place, Cow::Borrowed(rest)) })
}

/// The name of a rule, stored once in the segment: its policy's author chose it, nothing in it is looked for.
fn shared_rule(rule: &str, intern: impl Fn(&[u8]) -> Result<Place, Refusal>) -> Result<Text<'_>, Refusal> {
    let rule = rule.as_bytes();
    let rule = rule.get(..MAX_TEXT_BYTES).unwrap_or(rule);
    shared_text(rule, rule.len(), intern)
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// `value` as MessagePack with field names, as every payload but an interned string is.
#[must_use]
pub fn encoded<T: Serialize>(value: &T) -> Vec<u8> {
    let mut payload = Vec::with_capacity(96);
    // Writing into memory fails only for values that MessagePack cannot hold, and these types have none.
    match value.serialize(&mut rmp_serde::Serializer::new(&mut payload).with_struct_map()) {
        Ok(()) => payload,
        Err(_) => Vec::new(),
    }
}

/// What became of the operations of a record, as far as native code told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many that an audit event told of reached the system.
    pub reached: u32,
    pub failed: u32,
    /// Of the last that failed; 0 where none did.
    pub errno: u32,
    /// Bytes written or sent.
    pub bytes_out: u64,
    /// Bytes read or received.
    pub bytes_in: u64,
}

/// A record as it stands in a segment, its text looked up.
#[derive(Clone, Debug, Default)]
pub struct View<'a> {
    /// Nanoseconds since 1970, UTC.
    pub time: u64,
    /// When it was last repeated, to the kernel's tick (some 4 ms).
    pub last_time: u64,
    pub count: u32,
    /// The stored number; see [`Kind::from_number`].
    pub kind: u16,
    pub flags: u16,
    pub tally: Option<Tally>,
    /// Segment number × 2³² + offset: increasing, unique in its process.
    pub seq: u64,
    pub access: Access,
    pub target: Option<Pieces<'a>>,
    pub destination: Option<Pieces<'a>>,
    pub requested: Option<Pieces<'a>>,
    pub host: Option<Pieces<'a>>,
    pub address: Option<IpAddr>,
    pub port: Option<u16>,
    pub argv: Option<Vec<Pieces<'a>>>,
    pub detail: Option<Pieces<'a>>,
    pub size: Option<u64>,
    pub sha256: Option<&'a [u8]>,
    pub child: Option<u32>,
    pub status: Option<i32>,
    /// Where the origin's record stands in the segment.
    pub origin_place: Option<u32>,
    pub origin: OriginView<'a>,
    pub verdict: Option<VerdictView<'a>>,
}

/// A [`Verdict`] as it stands in a segment, its text looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerdictView<'a> {
    pub action: Action,
    pub rule: Option<Pieces<'a>>,
    pub is_stopped: bool,
    pub reason: Option<Pieces<'a>>,
    pub shadow: Option<(Action, Pieces<'a>)>,
}

impl<'a> VerdictView<'a> {
    /// The verdict of `wire` that [`packed_verdict`] put into `number`; `lookup` finds the text at an offset.
    #[inline(never)] // what has none, as nearly every record, shall not pay for it
    fn of(number: u8, wire: &Wire<'a>, lookup: impl Fn(u32) -> Option<&'a [u8]>) -> Result<Self, BadPayload> {
        let pieces = |text: &Option<Text<'a>>| text.as_ref().map(|text| pieces_of(text, &lookup)).transpose();
        let action = |bits: u8| Action::from_number(bits & 3).ok_or(BadPayload::Malformed);
        let has_shadow = number >> 5 & 1 != 0;
        Ok(Self {
            action: action(number)?,
            rule: pieces(&wire.rule)?,
            is_stopped: number >> 4 & 1 != 0,
            reason: pieces(&wire.justification)?,
            shadow: match (has_shadow, pieces(&wire.shadow_rule)?) {
                (true, Some(rule)) => Some((action(number >> 2)?, rule)),
                (true, None) => return Err(BadPayload::Malformed),
                (false, _) => None,
            },
        })
    }

    /// Each action that a rule said, enforced and shadow, with the rule.
    pub fn spoken(&self) -> impl Iterator<Item = (Action, Option<Pieces<'a>>)> {
        let shadow = self.shadow.map(|(action, rule)| (action, Some(rule)));
        [Some((self.action, self.rule)), shadow].into_iter().flatten()
    }
}

/// An [`Origin`] as it stands in a segment, its text looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OriginView<'a> {
    pub file: Option<Pieces<'a>>,
    pub line: Option<u32>,
    pub function: Option<Pieces<'a>>,
    pub distribution: Option<Pieces<'a>>,
    pub via: Option<Pieces<'a>>,
    pub object: Option<Pieces<'a>>,
}

impl<'a> OriginView<'a> {
    /// The origin that `payload` holds; `lookup` finds the text stored at an offset.
    ///
    /// # Errors
    /// What is wrong with the payload.
    pub fn read(payload: &'a [u8], lookup: impl Fn(u32) -> Option<&'a [u8]>) -> Result<Self, BadPayload> {
        let wire: OriginWire<'_> = rmp_serde::from_slice(payload).map_err(|_| BadPayload::Malformed)?;
        let pieces = |text: Option<Text<'a>>| text.map(|text| pieces_of(&text, &lookup)).transpose();
        Ok(Self {
            file: pieces(wire.file)?,
            line: wire.line,
            function: pieces(wire.function)?,
            distribution: pieces(wire.distribution)?,
            via: pieces(wire.via)?,
            object: pieces(wire.object)?,
        })
    }
}

/// The text that a payload names.
fn pieces_of<'a>(
    text: &Text<'a>,
    lookup: impl Fn(u32) -> Option<&'a [u8]>,
) -> Result<Pieces<'a>, BadPayload> {
    match text {
        Text::Whole(Cow::Borrowed(bytes)) => Ok(Pieces(bytes, &[])),
        Text::Interned(place) => Ok(Pieces(lookup(*place).ok_or(BadPayload::DanglingReference)?, &[])),
        Text::Joined(place, Cow::Borrowed(rest)) => {
            Ok(Pieces(lookup(*place).ok_or(BadPayload::DanglingReference)?, rest))
        }
        // Text read from a slice is always borrowed from it.
        Text::Whole(Cow::Owned(_)) | Text::Joined(_, Cow::Owned(_)) => Err(BadPayload::Malformed),
    }
}

impl<'a> View<'a> {
    /// Fills the fields that `payload` holds; `lookup` finds the text stored at an offset, `origin` the origin.
    ///
    /// # Errors
    /// What is wrong with the payload.
    pub fn read_payload(
        &mut self,
        payload: &'a [u8],
        lookup: impl Fn(u32) -> Option<&'a [u8]>,
        origin: impl Fn(u32) -> Option<OriginView<'a>>,
    ) -> Result<(), BadPayload> {
        let mut wire = Wire::default();
        if wire.unpack(payload).is_none() {
            wire = rmp_serde::from_slice(payload).map_err(|_| BadPayload::Malformed)?;
        }
        let pieces = |text: &Text<'a>| pieces_of(text, &lookup);
        self.access = Access(wire.access);
        self.target = wire.target.as_ref().map(pieces).transpose()?;
        self.destination = wire.destination.as_ref().map(pieces).transpose()?;
        self.requested = match (&wire.requested, self.target) {
            (Some(Text::Interned(length)), Some(target)) => Some(target.end(*length as usize)),
            (Some(Text::Interned(_)), None) => return Err(BadPayload::DanglingReference),
            (Some(text), _) => Some(pieces(text)?),
            (None, _) => None,
        };
        self.host = wire.host.as_ref().map(pieces).transpose()?;
        self.address = wire.address.as_ref().map(read_address).transpose()?;
        self.port = wire.port;
        self.argv = wire.argv.as_ref().map(|argv| argv.iter().map(pieces).collect()).transpose()?;
        self.detail = wire.detail.as_ref().map(pieces).transpose()?;
        self.size = wire.size;
        self.sha256 = match &wire.sha256 {
            Some(Text::Whole(Cow::Borrowed(digest))) => Some(*digest),
            Some(_) => return Err(BadPayload::Malformed),
            None => None,
        };
        self.child = wire.child;
        self.status = wire.status;
        self.origin_place = wire.origin;
        if let Some(place) = wire.origin {
            self.origin = origin(place).ok_or(BadPayload::DanglingReference)?;
        }
        if let Some(number) = wire.verdict {
            self.verdict = Some(VerdictView::of(number, &wire, &lookup)?);
        }
        Ok(())
    }

    /// The word for what happened, also for kinds that a newer writer added.
    #[must_use]
    pub fn kind_name(&self) -> Cow<'static, str> {
        Kind::from_number(self.kind)
            .map_or_else(|| Cow::Owned(format!("kind-{}", self.kind)), |kind| Cow::Borrowed(kind.name()))
    }

    /// `denied` where the operation was stopped; of an exit, the status; where native code told, `failed` if each of
    /// the operations did and `done` if one did not. Otherwise nobody knows: an audit event comes before the act.
    #[must_use]
    pub fn outcome(&self) -> Option<Cow<'static, str>> {
        if self.verdict.is_some_and(|verdict| verdict.is_stopped) {
            return Some(Cow::Borrowed("denied"));
        }
        if let Some(status) = self.status {
            return Some(Cow::Owned(status.to_string()));
        }
        let has_failed = self.tally?.failed >= self.told()?;
        Some(Cow::Borrowed(if has_failed { "failed" } else { "done" }))
    }

    /// Of how many of the operations it is known whether they failed; `None` for none.
    #[must_use]
    pub fn told(&self) -> Option<u32> {
        let told = if self.flags & NATIVE == 0 { self.tally?.reached } else { self.count };
        (told > 0 && self.tally.is_some()).then_some(told)
    }

    /// Who told of it: `audit`, `native`, or `audit+native` where both did.
    #[must_use]
    pub fn source(&self) -> &'static str {
        match self.tally {
            _ if self.flags & NATIVE != 0 => "native",
            Some(tally) if tally.reached > 0 => "audit+native",
            _ => "audit",
        }
    }

    /// What the event acts on, as one text: a path, a module, a program, or `host:port`.
    #[must_use]
    pub fn push_target_to(&self, text: &mut String) -> bool {
        if let Some(target) = &self.target {
            target.push_to(text);
            return true;
        }
        let start = text.len();
        match (&self.host, self.address) {
            (Some(host), _) => host.push_to(text),
            (None, Some(IpAddr::V6(address))) if self.port.is_some() => {
                text.push_str(&format!("[{address}]"))
            }
            (None, Some(address)) => text.push_str(&address.to_string()),
            (None, None) => {}
        }
        if let Some(port) = self.port
            && text.len() > start
        {
            text.push_str(&format!(":{port}"));
        }
        text.len() > start
    }
}

fn read_address(text: &Text<'_>) -> Result<IpAddr, BadPayload> {
    let Text::Whole(bytes) = text else {
        return Err(BadPayload::Malformed);
    };
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes.as_ref()).map(|octets| Ipv4Addr::from(octets).into()),
        _ => <[u8; 16]>::try_from(bytes.as_ref()).map(|octets| Ipv6Addr::from(octets).into()),
    }
    .map_err(|_| BadPayload::Malformed)
}

/// What is wrong with a payload whose checksum is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPayload {
    /// It is not the MessagePack that this format holds.
    Malformed,
    /// It refers to text that is not there.
    DanglingReference,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unpacked(payload: &[u8]) -> Option<Wire<'_>> {
        let mut wire = Wire::default();
        wire.unpack(payload).map(|()| wire)
    }

    fn text() -> impl Strategy<Value = Option<Text<'static>>> {
        let bytes = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..300),
            proptest::collection::vec(97_u8..123, 0..80),
        ];
        proptest::option::of((0..3, any::<u32>(), bytes).prop_map(|(form, place, bytes)| match form {
            0 => Text::Whole(Cow::Owned(bytes)),
            1 => Text::Interned(place),
            _ => Text::Joined(place >> (place % 32), Cow::Owned(bytes)),
        }))
    }

    proptest! {
        #[test]
        fn what_is_packed_is_what_serde_encodes(
            access in any::<u8>(),
            target in text(),
            destination in text(),
            requested in text(),
            host in text(),
            address in text(),
            detail in text(),
            port in any::<Option<u16>>(),
            origin in any::<Option<u32>>(),
            verdict in any::<Option<u8>>(),
            rules in (text(), text()),
        ) {
            // There are no rules without a verdict.
            let (rule, shadow_rule) = verdict.map_or((None, None), |_| rules);
            let wire = Wire {
                access, target, destination, requested, host, address, detail, port, origin, verdict, rule,
                shadow_rule,
                ..Wire::default()
            };
            let mut room = [0; 4096];
            let short = |text: &Option<Text<'_>>| match text {
                Some(Text::Whole(bytes) | Text::Joined(_, bytes)) => bytes.len() < 256,
                _ => true,
            };
            let (rule, shadow_rule) = (&wire.rule, &wire.shadow_rule);
            let texts = [&wire.target, &wire.destination, &wire.requested, &wire.host, &wire.address, &wire.detail];
            let fits = texts.into_iter().chain([rule, shadow_rule]).all(short);
            let expected = encoded(&wire);
            prop_assert_eq!(wire.packed(&mut room), fits.then_some(&expected[..]));
            prop_assert_eq!(wire.packed(&mut [0; 1]).is_some(), expected.len() == 1);
            prop_assert_eq!(unpacked(&expected), fits.then_some(wire));
        }

        #[test]
        fn what_is_unpacked_is_what_serde_reads(
            bytes in proptest::collection::vec(
                prop_oneof![
                    Just(0x82), Just(0x83), Just(0xA1), Just(b'a'), Just(b't'), Just(b'q'), Just(b'p'),
                    Just(b'y'), Just(b'r'), Just(b'm'),
                    Just(0x92), Just(0xA2), Just(0xD9), Just(0xC4), 0_u8..8, any::<u8>(),
                ],
                0..24,
            ),
        ) {
            if let Some(wire) = unpacked(&bytes) {
                prop_assert_eq!(rmp_serde::from_slice::<Wire<'_>>(&bytes).ok(), Some(wire));
            }
        }
    }

    #[test]
    fn a_verdict_is_unpacked_as_it_was_packed() {
        let shadows = Action::ALL.map(|action| Some((action, "policy/observed")));
        for action in Action::ALL {
            for shadow in shadows.into_iter().chain([None]) {
                for is_stopped in [false, true] {
                    let verdict = Verdict { action, is_stopped, shadow, ..Verdict::default() };
                    let wire = Wire {
                        shadow_rule: shadow.map(|(_, rule)| Text::Whole(Cow::Borrowed(rule.as_bytes()))),
                        ..Wire::default()
                    };
                    let view = VerdictView::of(packed_verdict(&verdict), &wire, |_| None).unwrap();
                    let shadow = shadow.map(|(action, rule)| (action, Pieces(rule.as_bytes(), &[])));
                    let expected = VerdictView { action, is_stopped, shadow, ..VerdictView::default() };
                    assert_eq!(view, expected);
                }
            }
        }
    }

    #[test]
    fn a_verdict_that_makes_no_sense_is_a_bad_payload() {
        let of = |wire: &Wire<'_>, number| VerdictView::of(number, wire, |_| None).unwrap_err();
        assert_eq!(of(&Wire::default(), 1 << 5), BadPayload::Malformed);
        let dangling = Wire { rule: Some(Text::Interned(7)), ..Wire::default() };
        assert_eq!(of(&dangling, 3), BadPayload::DanglingReference);
        // Bits that a later writer adds are no fault.
        assert_eq!(VerdictView::of(0xC3, &Wire::default(), |_| None).unwrap().action, Action::Deny);
    }
}
