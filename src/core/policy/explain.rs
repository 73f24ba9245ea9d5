//! A decision said slowly and plainly: every rule, every condition, and what made it hold or fail. It is what
//! `gnomon policy explain` shows, and what the compiled form has to agree with: so it shares nothing with that but
//! the types, and is written to be read and not to be fast.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt;
use std::net::IpAddr;

use super::facts::{Facts, PathFact, Who};
use super::field::{self, AddressWord, Field, Kinds};
use super::glob::{Glob, Token};
use super::rule::{Condition, Layer, Mode, Pattern, Rule};
use crate::event::Kind;

/// Why an event is decided on as it is.
#[derive(Clone, Debug)]
pub struct Explanation<'a> {
    /// One for each file that the event acts on, or a single one.
    pub parts: Vec<Part<'a>>,
    /// The rule that decides.
    pub enforced: Option<RuleRef>,
    /// The rule that would decide if observed rules were enforced too.
    pub shadow: Option<RuleRef>,
}

/// A rule by its place: `layers[layer].rules[rule]`, and the part of the event that it decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleRef {
    pub layer: usize,
    pub rule: usize,
    pub part: usize,
}

/// The event as far as it is about one file, or about none.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    pub path: Option<&'a PathFact<'a>>,
    pub layers: Vec<LayerExplanation<'a>>,
}

/// What one policy file says of a part.
#[derive(Clone, Debug)]
pub struct LayerExplanation<'a> {
    /// All of its rules, in their order.
    pub rules: Vec<RuleExplanation<'a>>,
    /// The first enforced rule that matches.
    pub enforced: Option<usize>,
    /// The first rule that matches.
    pub shadow: Option<usize>,
}

/// What one rule asks, and what came of it.
#[derive(Clone, Debug)]
pub struct RuleExplanation<'a> {
    pub rule: &'a Rule,
    pub checks: Vec<Check<'a>>,
}

/// One thing that a rule asks of an event.
#[derive(Clone, Debug)]
pub struct Check<'a> {
    pub aspect: Aspect<'a>,
    pub holds: bool,
    /// What the event has there, in words.
    pub values: Vec<String>,
    /// The pattern that the value matched, where the rule has several to choose from, and the value.
    pub found: Option<(&'a Pattern, String)>,
}

/// What a check is about.
#[derive(Clone, Copy, Debug)]
pub enum Aspect<'a> {
    Event(Kinds),
    Access { read: bool, write: bool },
    Until(u64),
    Condition(&'a Condition),
}

/// A rule that would match if little were different.
#[derive(Clone, Debug)]
pub struct Close<'a> {
    pub at: RuleRef,
    pub rule: &'a Rule,
    /// What failed: one check or two.
    pub failed: Vec<&'a Check<'a>>,
}

/// Goes through all rules of all `layers`.
#[must_use]
pub fn explain<'a>(layers: &'a [Layer], facts: &'a Facts<'_>, who: &'a Who) -> Explanation<'a> {
    let paths: Vec<Option<&PathFact<'_>>> =
        if facts.paths.is_empty() { vec![None] } else { facts.paths.iter().map(Some).collect() };
    let parts: Vec<Part<'a>> = paths
        .into_iter()
        .map(|path| {
            let asked = Asked { facts, who, path };
            Part { path, layers: layers.iter().map(|layer| asked.layer(layer)).collect() }
        })
        .collect();
    let mut explanation = Explanation { parts, enforced: None, shadow: None };
    explanation.enforced = explanation.strictest(|_, layer| layer.enforced);
    explanation.shadow = explanation.strictest(|_, layer| layer.shadow);
    explanation
}

impl<'a> Explanation<'a> {
    /// The rule at `at`, with its checks.
    #[must_use]
    pub fn rule(&self, at: RuleRef) -> Option<&RuleExplanation<'a>> {
        self.parts.get(at.part)?.layers.get(at.layer)?.rules.get(at.rule)
    }

    /// The rules that decide and would decide (see `enforced` and `shadow`) if there were no policy file but `layer`.
    #[must_use]
    pub fn in_layer(&self, layer: usize) -> (Option<RuleRef>, Option<RuleRef>) {
        let enforced = self.strictest(|at, explanation| explanation.enforced.filter(|_| at == layer));
        let shadow = self.strictest(|at, explanation| explanation.shadow.filter(|_| at == layer));
        (enforced, shadow)
    }

    /// The strictest of the rules that decide in the layers; of equally strict ones the first, by layer and rule.
    fn strictest(&self, decides: impl Fn(usize, &LayerExplanation<'a>) -> Option<usize>) -> Option<RuleRef> {
        let mut deciding = Vec::new();
        for (part, explained) in self.parts.iter().enumerate() {
            for (layer, explanation) in explained.layers.iter().enumerate() {
                if let Some(rule) = decides(layer, explanation) {
                    deciding.push(RuleRef { layer, rule, part });
                }
            }
        }
        let action = |at: &RuleRef| self.rule(*at).map(|explained| explained.rule.action);
        deciding.into_iter().min_by_key(|at| (Reverse(action(at)), at.layer, at.rule, at.part))
    }

    /// The rules that fail in one check or in two, the closest first. A rule that matches some part is none of them,
    /// nor is one that only has its kind of event in common with this one and is about something quite different.
    #[must_use]
    pub fn close(&self) -> Vec<Close<'_>> {
        let mut found: Vec<(Close<'_>, f64)> = Vec::new();
        for (part, explained) in self.parts.iter().enumerate() {
            for (layer, explanation) in explained.layers.iter().enumerate() {
                for (rule, candidate) in explanation.rules.iter().enumerate() {
                    let at = RuleRef { layer, rule, part };
                    if !self.matches_somewhere(at)
                        && let Some((failed, likeness)) = candidate.closeness()
                    {
                        found.push((Close { at, rule: candidate.rule, failed }, likeness));
                    }
                }
            }
        }
        found.sort_by(|(one, like_one), (other, like_other)| {
            one.failed.len().cmp(&other.failed.len()).then(like_other.total_cmp(like_one))
        });
        let mut close: Vec<Close<'_>> = Vec::new();
        for (candidate, _) in found {
            let is_known = |known: &Close<'_>| {
                (known.at.layer, known.at.rule) == (candidate.at.layer, candidate.at.rule)
            };
            if !close.iter().any(is_known) {
                close.push(candidate);
            }
        }
        close
    }

    /// The rules that match as well, but come after one that decides in their file.
    #[must_use]
    pub fn overruled(&self) -> Vec<RuleRef> {
        let mut found: Vec<RuleRef> = Vec::new();
        for (part, explained) in self.parts.iter().enumerate() {
            for (layer, explanation) in explained.layers.iter().enumerate() {
                for (rule, candidate) in explanation.rules.iter().enumerate() {
                    let decides = explanation.enforced == Some(rule) || explanation.shadow == Some(rule);
                    if candidate.matches() && !decides {
                        found.push(RuleRef { layer, rule, part });
                    }
                }
            }
        }
        found
    }

    fn matches_somewhere(&self, at: RuleRef) -> bool {
        (0..self.parts.len())
            .any(|part| self.rule(RuleRef { part, ..at }).is_some_and(RuleExplanation::matches))
    }
}

impl RuleExplanation<'_> {
    /// Whether all that the rule asks is so.
    #[must_use]
    pub fn matches(&self) -> bool {
        self.checks.iter().all(|check| check.holds)
    }

    /// What failed, where that is little, and how alike what the event has is to what was asked.
    fn closeness(&self) -> Option<(Vec<&Check<'_>>, f64)> {
        let failed: Vec<_> = self.checks.iter().filter(|check| !check.holds).collect();
        let likeness = failed.iter().map(|check| check.likeness()).sum::<f64>() / failed.len().max(1) as f64;
        let holds_a_condition =
            self.checks.iter().any(|check| check.holds && matches!(check.aspect, Aspect::Condition(_)));
        let is_close = matches!(failed.len(), 1 | 2) && (holds_a_condition || likeness >= MIN_LIKENESS);
        is_close.then_some((failed, likeness))
    }
}

/// How alike (0 to 1) a value must be to a pattern, where nothing else of the rule holds but the event.
const MIN_LIKENESS: f64 = 0.7;

impl Check<'_> {
    /// How alike the event's value is to the nearest of the patterns, from 0 to 1. Where there is nothing to compare,
    /// as with access or time, it is as near as can be, but another kind of event is not.
    fn likeness(&self) -> f64 {
        match self.aspect {
            Aspect::Event(_) => 0.0,
            Aspect::Access { .. } | Aspect::Until(_) => 1.0,
            Aspect::Condition(condition) => self
                .values
                .iter()
                .flat_map(|value| condition.patterns.iter().map(move |pattern| alike(value, pattern)))
                .fold(0.0, f64::max),
        }
    }
}

impl Check<'_> {
    /// What the rule asks for, as it would stand in a policy: all of it, what is most like the event first where it
    /// failed.
    #[must_use]
    pub fn wanted(&self) -> Vec<Cow<'_, str>> {
        match self.aspect {
            Aspect::Event(kinds) => kind_words(kinds).into_iter().map(Cow::Borrowed).collect(),
            Aspect::Access { read, write } => {
                let words = [(read, "read"), (write, "write")].into_iter();
                words.filter(|(is_wanted, _)| *is_wanted).map(|(_, word)| Cow::Borrowed(word)).collect()
            }
            Aspect::Until(_) => Vec::new(),
            Aspect::Condition(condition) => self.patterns(condition),
        }
    }

    fn patterns<'c>(&self, condition: &'c Condition) -> Vec<Cow<'c, str>> {
        let likeness = |pattern: &Pattern| {
            let likeness = |value: &String| if self.holds { 0.0 } else { alike(value, pattern) };
            self.values.iter().map(likeness).fold(0.0, f64::max)
        };
        let mut patterns: Vec<_> =
            condition.patterns.iter().map(|pattern| (likeness(pattern), spelled(pattern))).collect();
        patterns.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        // A pattern as written may stand for several.
        patterns.dedup_by(|(_, one), (_, other)| one == other);
        patterns.into_iter().map(|(_, text)| text).collect()
    }
}

fn alike(value: &str, pattern: &Pattern) -> f64 {
    match pattern {
        Pattern::Glob(glob) => strsim::jaro_winkler(value, &glob.text),
        Pattern::Requirement { name, .. } => strsim::jaro_winkler(value, name),
        // Numbers that are near each other mean nothing.
        Pattern::Network(..) | Pattern::Word(_) | Pattern::Ports(..) => 0.0,
    }
}

/// What rules are held against: one part of an event, and who asks.
struct Asked<'a, 'f> {
    facts: &'a Facts<'f>,
    who: &'a Who,
    path: Option<&'a PathFact<'a>>,
}

impl<'a> Asked<'a, '_> {
    fn layer(&self, layer: &'a Layer) -> LayerExplanation<'a> {
        let rules: Vec<_> = layer.rules.iter().map(|rule| self.rule(rule)).collect();
        let enforced = rules.iter().position(|rule| rule.matches() && rule.rule.mode == Mode::Enforce);
        let shadow = rules.iter().position(RuleExplanation::matches);
        LayerExplanation { rules, enforced, shadow }
    }

    fn rule(&self, rule: &'a Rule) -> RuleExplanation<'a> {
        let mut checks = vec![self.event(rule.kinds)];
        if !rule.access.is_any() {
            checks.push(self.access(rule.access.read, rule.access.write));
        }
        if let Some(until) = rule.until {
            let values = Vec::new();
            checks.push(Check {
                aspect: Aspect::Until(until),
                holds: self.facts.time < until,
                values,
                found: None,
            });
        }
        checks.extend(rule.conditions.iter().map(|condition| self.condition(condition)));
        RuleExplanation { rule, checks }
    }

    fn event(&self, kinds: Kinds) -> Check<'a> {
        let values = vec![self.facts.kind.name().to_owned()];
        Check { aspect: Aspect::Event(kinds), holds: kinds.has(self.facts.kind), values, found: None }
    }

    fn access(&self, read: bool, write: bool) -> Check<'a> {
        let reads = self.path.is_some_and(|path| path.reads);
        let writes = self.path.is_some_and(|path| path.writes);
        let values = [(reads, "read"), (writes, "write")];
        let values =
            values.into_iter().filter(|(is_so, _)| *is_so).map(|(_, word)| word.to_owned()).collect();
        let holds = read && reads || write && writes;
        Check { aspect: Aspect::Access { read, write }, holds, values, found: None }
    }

    fn condition(&self, condition: &'a Condition) -> Check<'a> {
        let values = self.values(condition.field);
        let mut found = None;
        'search: for pattern in condition.patterns.iter() {
            for value in &values {
                if value.is(pattern, condition.field) {
                    found = Some((pattern, value.to_string()));
                    break 'search;
                }
            }
        }
        let values = values.iter().map(Value::to_string).collect();
        Check { aspect: Aspect::Condition(condition), holds: found.is_some(), values, found }
    }

    /// All that the event has in `field`.
    fn values(&self, field: Field) -> Vec<Value<'a>> {
        match field {
            Field::Path => {
                let texts = self.path.into_iter().flat_map(|path| [Some(&path.path), path.in_home.as_ref()]);
                let folds = self.path.is_some_and(|path| path.folds);
                texts.flatten().map(|text| Value::Text { text, folds }).collect()
            }
            Field::Address => {
                let unix = self.facts.is_unix.then_some(Value::Unix);
                let word = |address| word_for(address, self.facts.kind);
                let address = self.facts.address.map(|address| Value::Address(address, word(address)));
                unix.into_iter().chain(address).collect()
            }
            Field::Port => self.facts.port.map(Value::Port).into_iter().collect(),
            Field::Distribution => {
                let known = self.facts.distribution.as_ref();
                known.map(|(name, version)| Value::Distribution { name, version }).into_iter().collect()
            }
            _ => {
                let texts = self.facts.values(field).chain(self.who.values(field));
                texts.map(|text| Value::Text { text, folds: false }).collect()
            }
        }
    }
}

/// What an event has in a field.
#[derive(Clone, Copy)]
enum Value<'a> {
    Text { text: &'a [u8], folds: bool },
    Address(IpAddr, AddressWord),
    Unix,
    Port(u16),
    Distribution { name: &'a str, version: &'a str },
}

impl Value<'_> {
    /// Whether it is what `pattern` means.
    fn is(&self, pattern: &Pattern, field: Field) -> bool {
        match (pattern, *self) {
            (Pattern::Glob(glob), Value::Text { text, folds }) => means(glob, text, field.separator(), folds),
            (Pattern::Network(network, bits), Value::Address(address, _)) => is_in(address, *network, *bits),
            (Pattern::Word(AddressWord::Unix), Value::Unix) => true,
            (Pattern::Word(word), Value::Address(_, own)) => *word == own,
            (Pattern::Ports(first, last), Value::Port(port)) => (*first..=*last).contains(&port),
            (Pattern::Requirement { name: wanted, specifiers }, Value::Distribution { name, version }) => {
                wanted == name && (specifiers.is_empty() || fulfils(version, specifiers))
            }
            _ => false,
        }
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { text, .. } => formatter.write_str(&String::from_utf8_lossy(text)),
            Self::Address(address, word) => write!(formatter, "{address} ({})", word.name()),
            Self::Unix => formatter.write_str("unix"),
            Self::Port(port) => port.fmt(formatter),
            Self::Distribution { name, version: "" } => formatter.write_str(name),
            Self::Distribution { name, version } => write!(formatter, "{name} {version}"),
        }
    }
}

/// Whether the leading `bits` of both are the same.
fn is_in(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    let bits_of = |address: IpAddr| -> Vec<bool> {
        let bytes = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte & 1 << bit != 0)).collect()
    };
    let (address, network) = (bits_of(address), bits_of(network));
    let bits = usize::from(bits);
    address.len() == network.len()
        && address.get(..bits).is_some()
        && address.get(..bits) == network.get(..bits)
}

/// The word that an address goes by. To connect to no address in particular is to reach the machine itself; to listen
/// there is to be reached from anywhere.
fn word_for(address: IpAddr, kind: Kind) -> AddressWord {
    if address.is_unspecified() {
        return if kind == Kind::Bind { AddressWord::Public } else { AddressWord::Loopback };
    }
    let networks: [(AddressWord, IpAddr, u8); 8] = [
        (AddressWord::Loopback, IpAddr::from([127, 0, 0, 0]), 8),
        (AddressWord::Loopback, IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]), 128),
        (AddressWord::Private, IpAddr::from([10, 0, 0, 0]), 8),
        (AddressWord::Private, IpAddr::from([172, 16, 0, 0]), 12),
        (AddressWord::Private, IpAddr::from([192, 168, 0, 0]), 16),
        (AddressWord::Private, IpAddr::from([0xFC00, 0, 0, 0, 0, 0, 0, 0]), 7),
        (AddressWord::LinkLocal, IpAddr::from([169, 254, 0, 0]), 16),
        (AddressWord::LinkLocal, IpAddr::from([0xFE80, 0, 0, 0, 0, 0, 0, 0]), 10),
    ];
    let found = networks.into_iter().find(|(_, network, bits)| is_in(address, *network, *bits));
    found.map_or(AddressWord::Public, |(word, ..)| word)
}

fn fulfils(version: &str, specifiers: &str) -> bool {
    let specifiers = specifiers.parse::<pep440_rs::VersionSpecifiers>();
    let version = version.parse::<pep440_rs::Version>();
    matches!((specifiers, version), (Ok(specifiers), Ok(version)) if specifiers.contains(&version))
}

/// Whether `glob` means the whole of `text`. Token by token, with all the places at which the tokens so far may end:
/// `ends[place]`, of `text.len() + 1` places.
fn means(glob: &Glob, text: &[u8], separator: Option<u8>, folds: bool) -> bool {
    let mut ends = vec![false; text.len() + 1];
    if let Some(start) = ends.first_mut() {
        *start = true;
    }
    for (number, token) in glob.tokens.iter().enumerate() {
        let rests = ends.iter().enumerate().filter(|(_, is_end)| **is_end);
        let rests: Vec<&[u8]> = rests.map(|(place, _)| text.get(place..).unwrap_or_default()).collect();
        if *token == Token::Below {
            let is_folder = |rest: &&[u8]| rest.is_empty() || rest.first() == Some(&b'/');
            return number + 1 == glob.tokens.len() && rests.iter().any(is_folder);
        }
        let mut next = vec![false; text.len() + 1];
        for rest in rests {
            for length in lengths(token, rest, separator, folds) {
                if let Some(end) = next.get_mut(text.len() - rest.len() + length) {
                    *end = true;
                }
            }
        }
        ends = next;
    }
    ends.last() == Some(&true)
}

/// How much of the start of `text` a token may stand for.
fn lengths(token: &Token, text: &[u8], separator: Option<u8>, folds: bool) -> Vec<usize> {
    let character = character(text, separator);
    match token {
        Token::Literal(bytes) => {
            let start = text.get(..bytes.len());
            start.filter(|start| same(start, bytes, folds)).map(<[u8]>::len).into_iter().collect()
        }
        Token::One => character.map(<[u8]>::len).into_iter().collect(),
        Token::Set { is_negated, ranges } => {
            let character = character.filter(|character| has(ranges, character, folds) != *is_negated);
            character.map(<[u8]>::len).into_iter().collect()
        }
        Token::Run => {
            let component = text.iter().take_while(|byte| separator != Some(**byte)).count();
            (0..=component).collect()
        }
        Token::Any => (0..=text.len()).collect(),
        Token::Folders => {
            let slashes = text.iter().enumerate().filter(|(_, byte)| **byte == b'/');
            [0].into_iter().chain(slashes.map(|(place, _)| place + 1)).collect()
        }
        Token::Below => Vec::new(),
    }
}

fn same(text: &[u8], literal: &[u8], folds: bool) -> bool {
    if folds { text.eq_ignore_ascii_case(literal) } else { text == literal }
}

/// The first character of `text`, or its first byte where that is no character, unless it is the separator.
fn character(text: &[u8], separator: Option<u8>) -> Option<&[u8]> {
    let is_character = |length: &usize| {
        let start = text.get(..*length).and_then(|start| std::str::from_utf8(start).ok());
        start.is_some_and(|start| start.chars().count() == 1)
    };
    let length = (1..=4).find(is_character).unwrap_or(1);
    text.get(..length).filter(|character| separator.is_none_or(|separator| *character != [separator]))
}

fn has(ranges: &[(u8, u8)], character: &[u8], folds: bool) -> bool {
    let [byte] = *character else { return false };
    let same = if folds { vec![byte.to_ascii_lowercase(), byte.to_ascii_uppercase()] } else { vec![byte] };
    same.into_iter().any(|byte| ranges.iter().any(|(first, last)| (*first..=*last).contains(&byte)))
}

impl Aspect<'_> {
    /// Its key in policies.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Event(_) => "event",
            Self::Access { .. } => "access",
            Self::Until(_) => "until",
            Self::Condition(condition) => condition.field.name(),
        }
    }
}

/// The kinds as a policy names them, families by one word.
fn kind_words(kinds: Kinds) -> Vec<&'static str> {
    let mut words = Vec::new();
    let mut named = Kinds::default();
    for (family, word) in [(field::FILE, "file"), (field::NETWORK, "network"), (field::PROCESS, "process")] {
        if kinds.and(family) == family {
            words.push(word);
            named = named.with(family);
        }
    }
    let others = Kind::ALL.into_iter().filter(|kind| kinds.has(*kind) && !named.has(*kind));
    words.extend(others.map(Kind::name));
    words
}

/// A pattern as it would stand in a policy.
#[must_use]
pub fn spelled(pattern: &Pattern) -> Cow<'_, str> {
    match pattern {
        Pattern::Glob(glob) => Cow::Borrowed(&glob.text),
        Pattern::Network(address, bits) => {
            let is_single = *bits == if address.is_ipv4() { 32 } else { 128 };
            Cow::Owned(if is_single { address.to_string() } else { format!("{address}/{bits}") })
        }
        Pattern::Word(word) => Cow::Borrowed(word.name()),
        Pattern::Ports(first, last) if first == last => Cow::Owned(first.to_string()),
        Pattern::Ports(first, last) => Cow::Owned(format!("{first}-{last}")),
        Pattern::Requirement { name, specifiers } => Cow::Owned(format!("{name}{specifiers}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::question::{Setting, understand};
    use crate::policy::rule::AccessWanted;
    use crate::verdict::Action;

    fn globs(field: Field, patterns: &[&str]) -> Condition {
        let globs = patterns.iter().flat_map(|text| Glob::parse(text, field.separator()).unwrap());
        Condition { field, patterns: globs.map(Pattern::Glob).collect() }
    }

    fn rule(id: &str, action: Action, conditions: Vec<Condition>) -> Rule {
        let kinds = conditions.iter().fold(field::ALL, |kinds, condition| kinds.and(condition.field.kinds()));
        Rule { id: id.to_owned(), kinds, action, conditions, ..Rule::default() }
    }

    fn layer(rules: Vec<Rule>) -> Layer {
        Layer { name: "test".to_owned(), rules }
    }

    /// The rules that decide, and those that come close with what they lack.
    fn explained(layers: &[Layer], event: &str, who: &[(&str, &str)]) -> (String, String) {
        let who: Vec<_> = who.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let setting = Setting { directory: b"/", home: b"/home/ann", time: 100 };
        let (facts, who) = understand(event, &who, &setting).unwrap();
        let explanation = explain(layers, &facts, &who);
        let name = |at: Option<RuleRef>| at.map_or("-", |at| &layers[at.layer].rules[at.rule].id);
        let close = explanation.close().into_iter().map(|close| {
            let lacks: Vec<_> = close.failed.iter().map(|check| check.aspect.name()).collect();
            format!("{}: {}", close.rule.id, lacks.join("+"))
        });
        let decided = format!("{} {}", name(explanation.enforced), name(explanation.shadow));
        (decided, close.collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn the_first_match_decides_in_a_file_and_the_strictest_of_all_files() {
        let hr = || vec![globs(Field::Path, &["/data/hr/**"])];
        let observed = Rule { mode: Mode::Observe, ..rule("observed", Action::Deny, hr()) };
        let first =
            layer(vec![observed, rule("first", Action::Warn, hr()), rule("later", Action::Deny, hr())]);
        let other = layer(vec![rule("strict", Action::Justify, vec![globs(Field::Path, &["**/*.csv"])])]);
        assert_eq!(explained(std::slice::from_ref(&first), "open /data/hr/x", &[]).0, "first observed");
        assert_eq!(
            explained(&[first.clone(), other.clone()], "open /data/hr/x.csv", &[]).0,
            "strict observed"
        );
        assert_eq!(explained(&[first, other], "open /x", &[]).0, "- -");
    }

    #[test]
    fn of_two_files_each_is_decided_and_the_strictest_counts() {
        let rules = vec![
            rule("public", Action::Allow, vec![globs(Field::Path, &["/public/**"])]),
            rule("hr", Action::Deny, vec![globs(Field::Path, &["/data/hr/**"])]),
        ];
        assert_eq!(explained(&[layer(rules.clone())], "rename /public/x /data/hr/x", &[]).0, "hr hr");
        assert_eq!(explained(&[layer(rules)], "rename /x /public/x", &[]).0, "public public");
    }

    #[test]
    fn rules_that_lack_little_come_close_and_the_likeliest_comes_first() {
        let hosts = |names: &[&str]| globs(Field::Host, names);
        let rules = vec![
            rule("elsewhere", Action::Deny, vec![hosts(&["drive.google.com"])]),
            rule("files", Action::Deny, vec![hosts(&["files.openai.com"])]),
            rule("ann", Action::Allow, vec![hosts(&["api.openai.com"]), globs(Field::User, &["ann"])]),
            rule("web", Action::Warn, vec![globs(Field::Url, &["https://api.openai.com/**"])]),
        ];
        let (decided, close) = explained(&[layer(rules)], "connect api.openai.com:443", &[("user", "bob")]);
        assert_eq!(decided, "- -");
        assert_eq!(close, "files: host, ann: user");
    }

    #[test]
    fn access_and_time_are_conditions_too() {
        let path = || vec![globs(Field::Path, &["/data/**"])];
        let access = AccessWanted { read: false, write: true };
        let over = Rule { until: Some(100), ..rule("over", Action::Allow, path()) };
        let later = Rule { until: Some(101), ..rule("later", Action::Allow, path()) };
        let writing = Rule { access, ..rule("writing", Action::Deny, path()) };
        let rules = vec![over, writing, later];
        let (decided, close) = explained(&[layer(rules.clone())], "open /data/x", &[]);
        assert_eq!((decided.as_str(), close.as_str()), ("later later", "over: until, writing: access"));
        assert_eq!(explained(&[layer(rules)], "open:write /data/x", &[]).0, "writing writing");
    }

    #[test]
    fn addresses_ports_and_distributions_are_compared_by_what_they_are() {
        let condition = |field, pattern| Condition { field, patterns: [pattern].into_iter().collect() };
        let yaml = Pattern::Requirement { name: "pyyaml".to_owned(), specifiers: "<5.4".to_owned() };
        for (condition, event, expected) in [
            (condition(Field::Address, Pattern::Network([10, 0, 0, 0].into(), 8)), "connect 10.9.9.9", true),
            (condition(Field::Address, Pattern::Network([10, 0, 0, 0].into(), 8)), "connect 11.0.0.0", false),
            (condition(Field::Address, Pattern::Network([0, 0, 0, 0].into(), 0)), "connect ::1", false),
            (condition(Field::Address, Pattern::Word(AddressWord::Private)), "connect fd00::1", true),
            (condition(Field::Address, Pattern::Word(AddressWord::LinkLocal)), "connect 169.254.0.1", true),
            (condition(Field::Address, Pattern::Word(AddressWord::Public)), "connect 172.32.0.1", true),
            (condition(Field::Address, Pattern::Word(AddressWord::Unix)), "connect unix:/x", true),
            (condition(Field::Address, Pattern::Word(AddressWord::Loopback)), "connect unix:/x", false),
            (condition(Field::Port, Pattern::Ports(1, 1023)), "connect h.example:1023", true),
            (condition(Field::Port, Pattern::Ports(1, 1023)), "connect h.example:1024", false),
            (condition(Field::Distribution, yaml.clone()), "import yaml from PyYAML==5.3", true),
            (condition(Field::Distribution, yaml.clone()), "import yaml from PyYAML==5.4", false),
            (condition(Field::Distribution, yaml), "import yaml from PyYAML", false),
        ] {
            let layers = [layer(vec![rule("it", Action::Deny, vec![condition])])];
            let expected = if expected { "it it" } else { "- -" };
            assert_eq!(explained(&layers, event, &[]).0, expected, "{event}");
        }
    }

    #[test]
    fn rules_say_what_they_want_as_policies_do() {
        let check = |aspect| Check { aspect, holds: false, values: vec!["/bb".to_owned()], found: None };
        let kinds = field::NETWORK.with(Kinds::of(&[Kind::Open]));
        assert_eq!(check(Aspect::Event(kinds)).wanted(), ["network", "open"]);
        let many = globs(Field::Path, &["/a", "/b", "/c"]);
        assert_eq!(check(Aspect::Condition(&many)).wanted(), ["/b", "/a", "/c"]);
    }
}
