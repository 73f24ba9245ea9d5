//! What a compiled policy says of one event: one pass over each of its values, however many rules there are.
//!
//! A value's starts and ends at separators, and its runs of three bytes, are looked up as keys; each pattern found so
//! is matched. Patterns belong to *classes*, a class for each different list of patterns in the rules. Each rule is
//! posted under the rarest of the classes that it wants, so the rules to look at are those posted under the classes
//! that the event is in.

use std::net::IpAddr;

use smallvec::SmallVec;

use super::facts::{Facts, PathFact, Who};
use super::field::{AddressWord, Field};
use super::glob;
use super::image::{
    Gram, Image, Key, KeyHash, MAX_ENDS, MAX_PROBES, PATTERN_BYTES, Part, RULE_BYTES, SLOT_BYTES, Section,
    Table, begins_end, ends_start, in_pieces,
};
use crate::event::Kind;
use crate::verdict::Action;

/// Classes that something is in, sorted.
type Classes = SmallVec<[u32; 32]>;

/// The classes that a process is in, whatever it does.
#[derive(Clone, Debug, Default)]
pub struct WhoClasses(Classes);

/// The rules that decided, by their numbers in the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The enforced rule.
    pub enforced: Option<u32>,
    /// The rule that would decide if observed ones were enforced too.
    pub shadow: Option<u32>,
}

/// A rule as it is compiled.
#[derive(Clone, Copy, Debug)]
pub struct CompiledRule {
    pub kinds: u64,
    pub until: u64,
    pub access: u8,
    pub action: Action,
    pub is_observed: bool,
    pub layer: u8,
    pub wanted: (u32, u32),
    /// Place of `policy/rule` in the strings.
    pub name: u32,
    pub message: u32,
    pub link: u32,
    pub owner: u32,
}

/// Bits of a rule's access.
pub mod access {
    pub const READ: u8 = 1;
    pub const WRITE: u8 = 2;
}

impl Image {
    /// Rule `number`; `None` past the last.
    #[must_use]
    pub fn rule(&self, number: u32) -> Option<CompiledRule> {
        let at = (number as usize).saturating_mul(RULE_BYTES);
        let rule = Table(self.table(Section::Rules).0.get(at..at.saturating_add(RULE_BYTES))?);
        let [access, action, is_observed, layer] = rule.number(16).to_le_bytes();
        Some(CompiledRule {
            kinds: rule.long(0),
            until: rule.long(8),
            access,
            action: Action::from_number(action)?,
            is_observed: is_observed != 0,
            layer,
            wanted: (rule.number(20), rule.number(24)),
            name: rule.number(28),
            message: rule.number(32),
            link: rule.number(36),
            owner: rule.number(40),
        })
    }

    /// What rule `number` does; `None` past the last.
    #[must_use]
    pub fn action(&self, number: u32) -> Option<Action> {
        let at = (number as usize).saturating_mul(RULE_BYTES).saturating_add(17);
        Action::from_number(*self.table(Section::Rules).0.get(at)?)
    }

    /// How many rules there are.
    #[must_use]
    pub fn rule_count(&self) -> usize {
        self.table(Section::Rules).count(RULE_BYTES)
    }

    /// Whether any rule is about events of `kind`.
    #[must_use]
    pub fn concerns(&self, kind: Kind) -> bool {
        self.fields(kind as usize) != 0
    }

    /// Whether a rule about events of `kind` looks at `field`.
    #[must_use]
    pub fn looks_at(&self, kind: Kind, field: Field) -> bool {
        self.fields(kind as usize) & 1 << field as u32 != 0
    }

    /// By the number of a kind, a bit for each field; the highest where there are rules without conditions.
    pub(super) fn fields(&self, kind: usize) -> u32 {
        self.table(Section::Fields).number(4 * kind)
    }

    /// The classes of a process that `who` runs.
    #[must_use]
    pub fn classes_of(&self, who: &Who) -> WhoClasses {
        let mut found = Classes::new();
        for (field, text) in &who.texts {
            self.look_up(*field, text, false, &mut found);
        }
        WhoClasses(found)
    }

    /// What the rules say of an event, of a process in the classes `who`.
    #[must_use]
    pub fn decide(&self, facts: &Facts<'_>, who: &WhoClasses) -> Decision {
        if !self.concerns(facts.kind) {
            return Decision::default();
        }
        let mut shared = who.0.clone();
        self.classify(facts, &mut shared);
        // An event without a path is not one with an empty path, which `/**` would match.
        let looks_at_paths = self.looks_at(facts.kind, Field::Path) && !facts.paths.is_empty();
        let mut strictest = Strictest::default();
        let nothing = [PathFact::default()];
        let paths = if facts.paths.is_empty() { &nothing[..] } else { &facts.paths };
        for path in paths {
            let mut classes = shared.clone();
            if looks_at_paths {
                for text in [Some(&path.path), path.in_home.as_ref()].into_iter().flatten() {
                    self.look_up(Field::Path, text, path.folds, &mut classes);
                }
            }
            classes.sort_unstable();
            classes.dedup();
            self.first_matches(facts, path, &classes, &mut strictest);
        }
        strictest.decision()
    }

    /// The classes of all values but the paths.
    fn classify(&self, facts: &Facts<'_>, found: &mut Classes) {
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
    fn look_up(&self, field: Field, text: &[u8], folds: bool, found: &mut Classes) {
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

    fn first_matches(
        &self,
        facts: &Facts<'_>,
        path: &PathFact<'_>,
        classes: &Classes,
        strictest: &mut Strictest,
    ) {
        let posted = self.table(Section::PostedRules);
        let postings = self.table(Section::Postings);
        let mut firsts: SmallVec<[Firsts; 4]> = SmallVec::new();
        let plain =
            self.table(Section::PlainRules).list(self.table(Section::Plain).pair(facts.kind as usize));
        let candidates =
            classes.iter().flat_map(|class| posted.list(postings.pair(*class as usize))).chain(plain);
        for number in candidates {
            if let Some(rule) = self.rule(number)
                && self.holds(&rule, facts, path, classes)
            {
                note(&mut firsts, number, &rule);
            }
        }
        for first in firsts {
            strictest.add(&first);
        }
    }

    /// Whether all that `rule` wants is so.
    fn holds(&self, rule: &CompiledRule, facts: &Facts<'_>, path: &PathFact<'_>, classes: &Classes) -> bool {
        let has_access = rule.access == 0
            || (rule.access & access::READ != 0 && path.reads)
            || (rule.access & access::WRITE != 0 && path.writes);
        rule.kinds & 1 << facts.kind as u64 != 0
            && has_access
            && facts.time < rule.until
            && self
                .table(Section::Wanted)
                .list(rule.wanted)
                .all(|class| classes.binary_search(&class).is_ok())
    }
}

/// The first rules of one layer that hold.
#[derive(Clone, Copy, Default)]
struct Firsts {
    layer: u8,
    enforced: Option<(u32, Action)>,
    any: Option<(u32, Action)>,
}

fn note(firsts: &mut SmallVec<[Firsts; 4]>, number: u32, rule: &CompiledRule) {
    let at = firsts.iter().position(|first| first.layer == rule.layer).unwrap_or_else(|| {
        firsts.push(Firsts { layer: rule.layer, ..Firsts::default() });
        firsts.len() - 1
    });
    let Some(first) = firsts.get_mut(at) else { return };
    let is_earlier = |known: Option<(u32, Action)>| known.is_none_or(|(known, _)| number < known);
    if is_earlier(first.any) {
        first.any = Some((number, rule.action));
    }
    if !rule.is_observed && is_earlier(first.enforced) {
        first.enforced = Some((number, rule.action));
    }
}

/// The strictest rule of all layers and paths so far; of equally strict ones that with the lower number.
#[derive(Clone, Copy, Default)]
struct Strictest {
    enforced: Option<(u32, Action)>,
    any: Option<(u32, Action)>,
}

impl Strictest {
    fn add(&mut self, first: &Firsts) {
        self.enforced = stricter(self.enforced, first.enforced);
        self.any = stricter(self.any, first.any);
    }

    fn decision(self) -> Decision {
        Decision { enforced: self.enforced.map(|rule| rule.0), shadow: self.any.map(|rule| rule.0) }
    }
}

fn stricter(one: Option<(u32, Action)>, other: Option<(u32, Action)>) -> Option<(u32, Action)> {
    match (one, other) {
        (Some(one), Some(other)) if other.1 > one.1 || (other.1 == one.1 && other.0 < one.0) => Some(other),
        (None, other) => other,
        (one, _) => one,
    }
}

/// The word that the other end goes by: the first of them that fits. Who connects to no address in particular
/// (`0.0.0.0`) reaches the machine itself; who listens on it can be reached from anywhere.
#[must_use]
pub fn word_for(facts: &Facts<'_>) -> Option<AddressWord> {
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

#[cfg(feature = "read")]
#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::policy::compile::compile;
    use crate::policy::field::{ALL, FILE, Kinds};
    use crate::policy::glob::Glob;
    use crate::policy::rule::{AccessWanted, Condition, Layer, Mode, Pattern, Rule};

    fn condition(field: Field, patterns: &[&str]) -> Condition {
        let globs = patterns.iter().flat_map(|text| Glob::parse(text, field.separator()).unwrap());
        Condition { field, patterns: globs.map(Pattern::Glob).collect::<Arc<[Pattern]>>() }
    }

    fn rule(id: &str, action: Action, conditions: Vec<Condition>) -> Rule {
        let kinds = conditions.iter().fold(ALL, |kinds, condition| kinds.and(condition.field.kinds()));
        Rule { id: id.to_owned(), kinds, action, conditions, ..Rule::default() }
    }

    fn decided(layers: &[Layer], facts: &Facts<'_>, who: &Who) -> (Option<String>, Option<String>) {
        let image = Image::from_bytes(compile(layers)).unwrap();
        let decision = image.decide(facts, &image.classes_of(who));
        let name = |rule: Option<u32>| rule.map(|rule| image.text(image.rule(rule).unwrap().name).to_owned());
        (name(decision.enforced), name(decision.shadow))
    }

    fn read<'a>(path: &'a str) -> Facts<'a> {
        let mut facts = Facts::new(Kind::Open, 5);
        facts.paths.push(PathFact { path: path.as_bytes().into(), reads: true, ..PathFact::default() });
        facts
    }

    #[test]
    fn the_first_rule_that_holds_decides_and_the_strictest_layer_wins() {
        let first = Layer {
            name: "one".to_owned(),
            rules: vec![
                rule(
                    "own",
                    Action::Allow,
                    vec![condition(Field::Path, &["/data/hr/**"]), condition(Field::User, &["ann"])],
                ),
                rule("hr", Action::Deny, vec![condition(Field::Path, &["/data/hr/**"])]),
                Rule { kinds: FILE, ..rule("rest", Action::Warn, vec![]) },
            ],
        };
        let second = Layer {
            name: "two".to_owned(),
            rules: vec![rule("keys", Action::Deny, vec![condition(Field::Path, &["**/*.key"])])],
        };
        let layers = [first, second];
        let mut ann = Who::default();
        ann.add(Field::User, b"ann");
        let nobody = Who::default();
        for (path, who, expected) in [
            ("/data/hr/x.csv", &nobody, "one/hr"),
            ("/data/hr/x.csv", &ann, "one/own"),
            ("/data/hr/x.key", &ann, "two/keys"),
            ("/data/x.csv", &ann, "one/rest"),
        ] {
            let expected = Some(expected.to_owned());
            assert_eq!(decided(&layers, &read(path), who), (expected.clone(), expected), "{path}");
        }
        assert_eq!(decided(&layers, &Facts::new(Kind::Import, 5), &nobody), (None, None));
    }

    #[test]
    fn observed_rules_are_told_from_enforced_ones_and_rules_end() {
        let mut rules = vec![
            Rule {
                mode: Mode::Observe,
                ..rule("trial", Action::Deny, vec![condition(Field::Path, &["/a/**"])])
            },
            Rule {
                access: AccessWanted { read: true, write: false },
                until: Some(10),
                ..rule("until", Action::Warn, vec![condition(Field::Path, &["/a/**"])])
            },
        ];
        let layer = |rules: &[Rule]| [Layer { name: "p".to_owned(), rules: rules.to_vec() }];
        let (enforced, shadow) = decided(&layer(&rules), &read("/a/b"), &Who::default());
        assert_eq!((enforced.as_deref(), shadow.as_deref()), (Some("p/until"), Some("p/trial")));
        let late = Facts { time: 10, ..read("/a/b") };
        assert_eq!(decided(&layer(&rules), &late, &Who::default()).0, None);
        rules[1].access = AccessWanted { read: false, write: true };
        assert_eq!(decided(&layer(&rules), &read("/a/b"), &Who::default()).0, None);
    }

    #[test]
    fn each_path_is_decided_on_by_itself() {
        let rules = vec![
            rule("tmp", Action::Allow, vec![condition(Field::Path, &["/tmp/**"])]),
            rule("hr", Action::Deny, vec![condition(Field::Path, &["/hr/**"])]),
        ];
        let layers = [Layer { name: "p".to_owned(), rules }];
        let mut facts = Facts::new(Kind::Rename, 5);
        for path in ["/hr/x", "/tmp/x"] {
            facts.paths.push(PathFact { path: path.as_bytes().into(), writes: true, ..PathFact::default() });
        }
        assert_eq!(decided(&layers, &facts, &Who::default()).0.as_deref(), Some("p/hr"));
    }

    #[test]
    fn networks_ports_and_words_are_looked_up_by_range() {
        let network = |text: &str, bits| Pattern::Network(text.parse().unwrap(), bits);
        let only = |field, pattern| Condition { field, patterns: Arc::from([pattern]) };
        let ranges: Kinds = Kinds::of(&[Kind::Connect, Kind::Bind]);
        let rules = vec![
            Rule {
                kinds: ranges,
                ..rule("host", Action::Deny, vec![only(Field::Address, network("10.1.2.3", 32))])
            },
            Rule {
                kinds: ranges,
                ..rule(
                    "net",
                    Action::Warn,
                    vec![
                        only(Field::Address, network("10.1.0.0", 16)),
                        only(Field::Port, Pattern::Ports(80, 90)),
                    ],
                )
            },
            Rule {
                kinds: ranges,
                ..rule("six", Action::Deny, vec![only(Field::Address, network("2001:db8::", 32))])
            },
            Rule {
                kinds: ranges,
                ..rule("own", Action::Allow, vec![only(Field::Address, Pattern::Word(AddressWord::Loopback))])
            },
        ];
        let layers = [Layer { name: "p".to_owned(), rules }];
        for (kind, address, port, expected) in [
            (Kind::Connect, "10.1.2.3", 443, Some("p/host")),
            (Kind::Connect, "10.1.2.4", 85, Some("p/net")),
            (Kind::Connect, "10.1.2.4", 91, None),
            (Kind::Connect, "10.2.0.0", 85, None),
            (Kind::Connect, "2001:db8:ffff::1", 1, Some("p/six")),
            (Kind::Connect, "2001:db9::", 1, None),
            (Kind::Connect, "127.9.9.9", 1, Some("p/own")),
            (Kind::Connect, "::1", 1, Some("p/own")),
            (Kind::Connect, "0.0.0.0", 1, Some("p/own")),
            (Kind::Bind, "0.0.0.0", 1, None),
        ] {
            let address = Some(address.parse().unwrap());
            let facts = Facts { address, port: Some(port), ..Facts::new(kind, 5) };
            assert_eq!(decided(&layers, &facts, &Who::default()).0.as_deref(), expected, "{address:?}");
        }
    }

    #[test]
    fn a_network_may_end_with_the_last_address() {
        for (network, bits) in [("0.0.0.0", 0), ("255.255.255.0", 24), ("255.255.255.255", 32)] {
            let pattern = Pattern::Network(network.parse().unwrap(), bits);
            let wanted = Condition { field: Field::Address, patterns: Arc::from([pattern]) };
            let layers =
                [Layer { name: "p".to_owned(), rules: vec![rule("net", Action::Deny, vec![wanted])] }];
            let address = Some("255.255.255.255".parse().unwrap());
            let facts = Facts { address, ..Facts::new(Kind::Connect, 5) };
            assert_eq!(decided(&layers, &facts, &Who::default()).0.as_deref(), Some("p/net"), "{network}");
        }
    }

    #[test]
    fn a_path_without_a_slash_is_matched_at_any_depth() {
        for path in [":memory:", "pipe", "xyz", "ab"] {
            let pattern = format!("**/{path}*");
            let rules = vec![rule("any", Action::Deny, vec![condition(Field::Path, &[&pattern])])];
            let layers = [Layer { name: "p".to_owned(), rules }];
            assert!(decided(&layers, &read(path), &Who::default()).0.is_some(), "{pattern}");
        }
    }

    #[test]
    fn an_event_without_a_path_matches_no_path() {
        for pattern in ["/**", "**", "**/*"] {
            let layers = [Layer {
                name: "p".to_owned(),
                rules: vec![rule("sockets", Action::Deny, vec![condition(Field::Path, &[pattern])])],
            }];
            let facts = Facts::new(Kind::Connect, 5);
            assert_eq!(decided(&layers, &facts, &Who::default()).0, None, "{pattern}");
        }
    }

    #[test]
    fn a_pattern_is_found_whose_braces_double_a_slash() {
        let layers = [Layer {
            name: "p".to_owned(),
            rules: vec![rule("home", Action::Deny, vec![condition(Field::Path, &["**/{,/home}/x"])])],
        }];
        assert!(decided(&layers, &read("/home/x"), &Who::default()).0.is_some());
    }

    #[test]
    fn a_requirement_names_a_distribution_and_its_versions() {
        let requirement = |name: &str, specifiers: &str| Pattern::Requirement {
            name: name.into(),
            specifiers: specifiers.into(),
        };
        let wanted = Condition {
            field: Field::Distribution,
            patterns: Arc::from([requirement("pyyaml", "<5.4"), requirement("evil", "")]),
        };
        let layers = [Layer { name: "p".to_owned(), rules: vec![rule("old", Action::Deny, vec![wanted])] }];
        for (name, version, expected) in [
            ("pyyaml", "5.3.1", true),
            ("pyyaml", "5.4", false),
            ("pyyaml", "nonsense", false),
            ("pyyam", "5.3", false),
            ("evil", "nonsense", true),
            ("", "", false),
        ] {
            let facts =
                Facts { distribution: Some((name.into(), version.into())), ..Facts::new(Kind::Import, 5) };
            assert_eq!(decided(&layers, &facts, &Who::default()).0.is_some(), expected, "{name} {version}");
        }
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        let good = compile(&[Layer {
            name: "p".to_owned(),
            rules: vec![rule("a", Action::Deny, vec![condition(Field::Path, &["/a"])])],
        }]);
        assert!(Image::from_bytes(good.clone()).is_ok());
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            let is_identity = (32..64).contains(&at); // told apart by it, and not protected by it
            assert_eq!(Image::from_bytes(bad).is_err(), !is_identity, "byte {at}");
            assert!(Image::from_bytes(good[..at].to_vec()).is_err());
        }
        let mut newer = good;
        newer[8] = 2;
        assert_eq!(Image::from_bytes(newer).err(), Some(crate::policy::image::Refusal::Newer));
    }
}
