//! The values of an event to the classes of patterns that match them: one pass over each, however many patterns there
//! are.
//!
//! A value's starts and ends at separators, and its runs of three bytes, are looked up as keys; each pattern found so
//! is matched. Patterns belong to *classes*, a class for each different list of patterns in the rules.

use std::net::IpAddr;

use smallvec::SmallVec;

use super::facts::Facts;
use super::field::{AddressWord, Field};
use super::glob;
use super::image::{
    Gram, Image, Key, KeyHash, MAX_ENDS, MAX_PROBES, PATTERN_BYTES, Part, SLOT_BYTES, Section, Table,
    begins_end, ends_start, in_pieces,
};
use crate::event::Kind;

/// Classes that something is in.
pub(super) type Classes = SmallVec<[u32; 32]>;

impl Image {
    /// The classes of all values but the paths.
    pub(super) fn classify(&self, facts: &Facts<'_>, found: &mut Classes) {
        for (field, text) in &facts.texts {
            if self.looks_at(facts.kind, *field) {
                self.look_up(*field, text, false, found);
            }
        }
        if let Some(address) = facts.address {
            self.network(address, found);
        }
        if let Some(word) = word_for(facts) {
            self.add_classes(self.table(Section::Words).pair(word as usize), found);
        }
        if let Some(port) = facts.port {
            let ports = self.table(Section::Ports);
            if let Some(at) = last_not_after(ports.count(12), |at| ports.number(12 * at) <= u32::from(port)) {
                self.add_classes((ports.number(12 * at + 4), ports.number(12 * at + 8)), found);
            }
        }
        if let Some((name, version)) = &facts.distribution {
            self.distribution(name, version, found);
        }
    }

    fn add_classes(&self, list: (u32, u32), found: &mut Classes) {
        found.extend(self.table(Section::Classes).list(list));
    }

    fn network(&self, address: IpAddr, found: &mut Classes) {
        let at = match address {
            IpAddr::V4(address) => {
                let networks = self.table(Section::Networks4);
                let is_before = |at: usize| networks.number(12 * at) <= u32::from(address);
                last_not_after(networks.count(12), is_before).map(|at| (networks, 12 * at + 4))
            }
            IpAddr::V6(address) => {
                let networks = self.table(Section::Networks6);
                let first = |at: usize| {
                    u128::from(networks.long(24 * at + 8)) << 64 | u128::from(networks.long(24 * at))
                };
                last_not_after(networks.count(24), |at| first(at) <= u128::from(address))
                    .map(|at| (networks, 24 * at + 16))
            }
        };
        if let Some((networks, at)) = at {
            self.add_classes((networks.number(at), networks.number(at + 4)), found);
        }
    }

    /// Adds the classes of the patterns that match `text`.
    pub(super) fn look_up(&self, field: Field, text: &[u8], folds: bool, found: &mut Classes) {
        let mut consider = |pattern: u32| {
            if let Some((program, classes)) = self.pattern(pattern)
                && glob::matches(program, text, field.separator(), folds)
            {
                self.add_classes(classes, found);
            }
        };
        self.candidates(field, text, &mut consider);
    }

    fn distribution(&self, name: &str, version: &str, found: &mut Classes) {
        let field = Field::Distribution;
        self.candidates(field, name.as_bytes(), &mut |pattern| {
            if let Some((requirement, classes)) = self.pattern(pattern)
                && fulfils(requirement, name, version)
            {
                self.add_classes(classes, found);
            }
        });
    }

    fn pattern(&self, number: u32) -> Option<(&[u8], (u32, u32))> {
        let at = (number as usize).saturating_mul(PATTERN_BYTES);
        let patterns = self.table(Section::Patterns);
        let start = patterns.number(at) as usize;
        let end = start.saturating_add(patterns.number(at + 4) as usize);
        let program = self.table(Section::Programs).0.get(start..end)?;
        Some((program, (patterns.number(at + 8), patterns.number(at + 12))))
    }

    /// Calls `consider` with each pattern of `field` that may match `text`; with some perhaps twice.
    fn candidates(&self, field: Field, text: &[u8], consider: &mut impl FnMut(u32)) {
        let part = |part| self.section(Section::of_field(field, part));
        let (slots, entries) = (part(Part::Slots), part(Part::Entries));
        if !slots.0.is_empty() {
            let mut probe = |hash: KeyHash| {
                for pattern in entries.list(slot(slots, hash.value())) {
                    consider(pattern);
                }
            };
            starts_and_ends(field, text, &mut probe);
            let grams = part(Part::Grams);
            if !grams.0.is_empty() {
                grams_in(grams, text, &mut probe);
                // `**/x` is kept under its slash, and matches a path that has none, too.
                if let (Field::Path, [first, second, ..]) = (field, text) {
                    grams_in(grams, &[b'/', *first, *second], &mut probe);
                }
            }
        }
        let always = part(Part::Always);
        for pattern in always.list((0, always.count(4) as u32)) {
            consider(pattern);
        }
    }
}

/// The word that the other end goes by: the first of them that fits. Who connects to no address in particular
/// (`0.0.0.0`) reaches the machine itself; who listens on it can be reached from anywhere.
#[must_use]
fn word_for(facts: &Facts<'_>) -> Option<AddressWord> {
    if facts.is_unix {
        return Some(AddressWord::Unix);
    }
    let address = facts.address?;
    let is_own = address.is_loopback() || (address.is_unspecified() && facts.kind != Kind::Bind);
    Some(if is_own { AddressWord::Loopback } else { word_of(address) })
}

fn word_of(address: IpAddr) -> AddressWord {
    let (is_private, is_link_local) = match address {
        IpAddr::V4(address) => (address.is_private(), address.is_link_local()),
        IpAddr::V6(address) => (address.is_unique_local(), address.is_unicast_link_local()),
    };
    match () {
        () if is_private => AddressWord::Private,
        () if is_link_local => AddressWord::LinkLocal,
        () => AddressWord::Public,
    }
}

/// Whether the distribution is the one that `requirement` names (its name, a NUL, specifiers). A version that is none
/// (PEP 440) fulfils only requirements without specifiers.
fn fulfils(requirement: &[u8], name: &str, version: &str) -> bool {
    let Some(at) = memchr::memchr(0, requirement) else {
        return false;
    };
    let (wanted, rest) = requirement.split_at(at);
    if wanted != name.as_bytes() {
        return false;
    }
    let specifiers = std::str::from_utf8(rest.get(1..).unwrap_or_default()).unwrap_or_default();
    specifiers.is_empty() || version_fulfils(specifiers, version)
}

fn version_fulfils(specifiers: &str, version: &str) -> bool {
    let specifiers: Result<pep440_rs::VersionSpecifiers, _> = specifiers.parse();
    let version: Result<pep440_rs::Version, _> = version.parse();
    matches!((specifiers, version), (Ok(specifiers), Ok(version)) if specifiers.contains(&version))
}

/// The last of `count` sorted elements for which `is_before` holds.
fn last_not_after(count: usize, is_before: impl Fn(usize) -> bool) -> Option<usize> {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if is_before(middle) { low = middle + 1 } else { high = middle }
    }
    low.checked_sub(1)
}

/// The entries that the table has for a hash.
#[inline]
fn slot(slots: Table<'_>, hash: u64) -> (u32, u32) {
    let slots = slots.0.as_chunks::<SLOT_BYTES>().0;
    let mask = slots.len().wrapping_sub(1);
    for step in 0..MAX_PROBES {
        let Some(slot) = slots.get((hash as usize).wrapping_add(step) & mask) else { break };
        let (slot, count) = (Table(slot), Table(slot).number(12));
        if count == 0 {
            break;
        }
        if slot.long(0) == hash {
            return (slot.number(8), count);
        }
    }
    (0, 0)
}

/// The starts of `text` that end at a separator, and the whole; then its last ends that begin at one.
fn starts_and_ends(field: Field, text: &[u8], probe: &mut impl FnMut(KeyHash)) {
    let (ends_start, begins_end) = (ends_start(field), begins_end(field));
    let mut pieces: SmallVec<[(bool, u64); 16]> = SmallVec::new();
    let mut start = KeyHash::new(Key::Start);
    in_pieces(field, text, |begin, piece| {
        if begin.is_some() && begin == ends_start {
            probe(start);
        }
        start = start.with(piece);
        pieces.push((begin.is_some_and(|byte| begins_end.contains(&byte)), piece));
    });
    probe(start);
    let (mut end, mut left) = (KeyHash::new(Key::End), MAX_ENDS);
    for (begins, piece) in pieces.into_iter().rev() {
        end = end.with(piece);
        if begins {
            probe(end);
            left -= 1;
            if left == 0 {
                return;
            }
        }
    }
}

/// Every three bytes of `text` that some pattern has.
fn grams_in(grams: Table<'_>, text: &[u8], probe: &mut impl FnMut(KeyHash)) {
    let mut gram = Gram::default();
    for (at, byte) in text.iter().enumerate() {
        gram = gram.followed_by(*byte);
        let bit = gram.bit();
        if at >= 2 && grams.0.get(bit / 8).is_some_and(|byte| byte & 1 << (bit % 8) != 0) {
            probe(KeyHash::of_gram(gram));
        }
    }
}
