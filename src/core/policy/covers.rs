//! Whether one rule or pattern matches all that another one does. A `true` is certain, a `false` is not: what
//! cannot be told cheaply is said to differ.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::field::AddressWord;
use super::glob::{Glob, Token};
use super::rule::{AccessWanted, Condition, Mode, Pattern, Rule};

/// Patterns of a condition from which on they are looked up.
const LONG: usize = 16;

/// How much comparing is done for one file: rules by rules and lists by lists are many.
pub struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Self(5_000_000)
    }
}

impl Budget {
    fn spend(&mut self, steps: usize) -> bool {
        let left = self.0.checked_sub(steps);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

/// Whether `later` never decides where `first` stands before it.
pub fn rule_covers(first: &Rule, later: &Rule, budget: &mut Budget) -> bool {
    budget.spend(1)
        && first.kinds.and(later.kinds) == later.kinds
        // An observed rule hides nothing from the enforced ones.
        && (first.mode == Mode::Enforce || later.mode == Mode::Observe)
        && first.until.is_none_or(|until| later.until.is_some_and(|other| other <= until))
        && access_covers(first.access, later.access)
        && first.conditions.iter().all(|condition| {
            let same = later.conditions.iter().find(|other| other.field == condition.field);
            same.is_some_and(|other| condition_covers(condition, other, budget))
        })
}

fn access_covers(first: AccessWanted, later: AccessWanted) -> bool {
    first.is_any() || !later.is_any() && (first.read || !later.read) && (first.write || !later.write)
}

fn condition_covers(first: &Condition, later: &Condition, budget: &mut Budget) -> bool {
    if Arc::ptr_eq(&first.patterns, &later.patterns) {
        return true;
    }
    if later.patterns.is_empty() || !budget.spend(first.patterns.len() + later.patterns.len()) {
        return false;
    }
    if first.patterns.len() < LONG {
        return all_covered(first.patterns.iter(), &later.patterns, budget);
    }
    // Most values of long lists match themselves only: those are looked up.
    let exact: HashSet<&[u8]> = first.patterns.iter().filter_map(literal).collect();
    let wide = || first.patterns.iter().filter(|pattern| literal(pattern).is_none());
    later.patterns.iter().all(|pattern| {
        literal(pattern).is_some_and(|text| exact.contains(text))
            || all_covered(wide(), std::slice::from_ref(pattern), budget)
    })
}

/// Whether each pattern of `narrow` is covered by one of `wide`.
fn all_covered<'p>(
    wide: impl Iterator<Item = &'p Pattern> + Clone,
    narrow: &[Pattern],
    budget: &mut Budget,
) -> bool {
    narrow.iter().all(|narrow| wide.clone().any(|wide| budget.spend(1) && pattern_covers(wide, narrow)))
}

/// The only text that `pattern` matches.
fn literal(pattern: &Pattern) -> Option<&[u8]> {
    match pattern {
        Pattern::Glob(Glob { tokens, .. }) => match tokens.as_slice() {
            [Token::Literal(text)] => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// Whether `wide` matches all that `narrow` does. Both are of the same field.
#[must_use]
pub fn pattern_covers(wide: &Pattern, narrow: &Pattern) -> bool {
    match (wide, narrow) {
        (Pattern::Glob(wide), Pattern::Glob(narrow)) => glob_covers(&wide.tokens, &narrow.tokens),
        (Pattern::Network(wide, bits), Pattern::Network(narrow, other)) => {
            network_covers(*wide, *bits, *narrow, *other)
        }
        (Pattern::Word(word), Pattern::Network(address, bits)) => word_covers(*word, *address, *bits),
        (Pattern::Ports(first, last), Pattern::Ports(from, to)) => first <= from && to <= last,
        (
            Pattern::Requirement { name, specifiers },
            Pattern::Requirement { name: other, specifiers: others },
        ) => name == other && (specifiers.is_empty() || specifiers == others),
        _ => wide == narrow,
    }
}

fn network_covers(wide: IpAddr, bits: u8, narrow: IpAddr, other: u8) -> bool {
    bits <= other
        && match (wide, narrow) {
            (IpAddr::V4(wide), IpAddr::V4(narrow)) => {
                let differ = wide.to_bits() ^ narrow.to_bits();
                differ.leading_zeros() >= u32::from(bits)
            }
            (IpAddr::V6(wide), IpAddr::V6(narrow)) => {
                let differ = wide.to_bits() ^ narrow.to_bits();
                differ.leading_zeros() >= u32::from(bits)
            }
            _ => false,
        }
}

fn word_covers(word: AddressWord, address: IpAddr, bits: u8) -> bool {
    let networks: &[(IpAddr, u8)] = match word {
        AddressWord::Loopback => &[(v4(127, 0, 0), 8), (v6(0, 1), 128)],
        AddressWord::Private => {
            &[(v4(10, 0, 0), 8), (v4(172, 16, 0), 12), (v4(192, 168, 0), 16), (v6(0xFC00, 0), 7)]
        }
        AddressWord::LinkLocal => &[(v4(169, 254, 0), 16), (v6(0xFE80, 0), 10)],
        AddressWord::Unix | AddressWord::Public => &[],
    };
    networks.iter().any(|(wide, wide_bits)| network_covers(*wide, *wide_bits, address, bits))
}

const fn v4(first: u8, second: u8, third: u8) -> IpAddr {
    IpAddr::V4(std::net::Ipv4Addr::new(first, second, third, 0))
}

const fn v6(first: u16, last: u16) -> IpAddr {
    IpAddr::V6(std::net::Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, last))
}

/// A piece of the narrow pattern: a byte, or a token that stands for several texts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece<'t> {
    Byte(u8),
    Token(&'t Token),
}

impl Piece<'_> {
    /// Whether it stands for texts without `/` only.
    fn is_within_component(self) -> bool {
        match self {
            Self::Byte(byte) => byte != b'/',
            Self::Token(token) => matches!(token, Token::One | Token::Run | Token::Set { .. }),
        }
    }

    /// Whether it is one whole character, and no `/`.
    fn is_one(self) -> bool {
        match self {
            Self::Byte(byte) => byte != b'/' && byte.is_ascii(),
            Self::Token(token) => matches!(token, Token::One | Token::Set { .. }),
        }
    }
}

/// Whether the pattern `wide` matches all that `narrow` does: `wide` is matched against the pieces of `narrow`.
fn glob_covers(wide: &[Token], narrow: &[Token]) -> bool {
    if let (Some(Token::Literal(first)), Some(Token::Literal(other))) = (wide.first(), narrow.first())
        && first.first() != other.first()
    {
        return false;
    }
    if wide == narrow {
        return true;
    }
    let wide = pieces(wide);
    let narrow = pieces(narrow);
    // Where in `narrow` the pieces of `wide` before this one may have ended.
    let mut ends = vec![false; narrow.len() + 1];
    if let Some(start) = ends.first_mut() {
        *start = true;
    }
    for piece in wide {
        ends = after(piece, &narrow, &ends);
        if !ends.contains(&true) {
            return false;
        }
    }
    ends.last() == Some(&true)
}

fn pieces(tokens: &[Token]) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    for token in tokens {
        match token {
            Token::Literal(bytes) => pieces.extend(bytes.iter().map(|byte| Piece::Byte(*byte))),
            token => pieces.push(Piece::Token(token)),
        }
    }
    pieces
}

/// Where `piece` may end if it may start at `starts`.
fn after(piece: Piece<'_>, narrow: &[Piece<'_>], starts: &[bool]) -> Vec<bool> {
    let mut ends = vec![false; starts.len()];
    for (start, _) in starts.iter().enumerate().filter(|(_, is_start)| **is_start) {
        let rest = narrow.get(start..).unwrap_or_default();
        for length in lengths(piece, rest) {
            if let Some(end) = ends.get_mut(start + length) {
                *end = true;
            }
        }
    }
    ends
}

/// How many pieces of `rest` the wide pattern's `piece` takes, whatever text they stand for.
fn lengths(piece: Piece<'_>, rest: &[Piece<'_>]) -> Vec<usize> {
    let takes_first = match piece {
        Piece::Byte(_) => rest.first() == Some(&piece),
        Piece::Token(Token::One) => rest.first().is_some_and(|first| first.is_one()),
        Piece::Token(Token::Set { is_negated, ranges }) => match rest.first() {
            // Where letters fold, a negated set may refuse the other case of a byte that it takes.
            Some(Piece::Byte(byte)) => {
                !is_negated
                    && *byte != b'/'
                    && ranges.iter().any(|(first, last)| (first..=last).contains(&byte))
            }
            first => first == Some(&piece),
        },
        Piece::Token(Token::Run) => {
            let within = rest.iter().take_while(|piece| piece.is_within_component()).count();
            return (0..=within).collect();
        }
        Piece::Token(Token::Any) => return (0..=rest.len()).collect(),
        Piece::Token(Token::Folders) => return folders(rest),
        Piece::Token(Token::Below) => {
            let is_below =
                matches!(rest.first(), None | Some(Piece::Byte(b'/') | Piece::Token(Token::Below)));
            return if is_below { vec![rest.len()] } else { Vec::new() };
        }
        Piece::Token(Token::Literal(_)) => false,
    };
    if takes_first { vec![1] } else { Vec::new() }
}

/// How many pieces are whole components, ended by a `/`.
fn folders(rest: &[Piece<'_>]) -> Vec<usize> {
    let mut is_whole = true;
    let mut lengths = vec![0];
    for (index, piece) in rest.iter().enumerate() {
        is_whole = match piece {
            Piece::Byte(byte) => *byte == b'/',
            Piece::Token(token) => matches!(token, Token::Folders) && is_whole,
        };
        if is_whole {
            lengths.push(index + 1);
        }
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::field::Field;
    use crate::policy::glob::matches;
    use proptest::prelude::*;

    fn globs(pattern: &str, separator: Option<u8>) -> Vec<Glob> {
        Glob::parse(pattern, separator).unwrap_or_default()
    }

    fn covers(wide: &str, narrow: &str) -> bool {
        let (wide, narrow) = (globs(wide, Some(b'/')), globs(narrow, Some(b'/')));
        glob_covers(&wide[0].tokens, &narrow[0].tokens)
    }

    #[test]
    fn wide_patterns_cover_narrow_ones() {
        for (wide, narrow, expected) in [
            ("/data/**", "/data/hr/**", true),
            ("/data/**", "/data/*.csv", true),
            ("/data/**", "/data", true),
            ("/data/**", "/database", false),
            ("/data/*", "/data/hr/x", false),
            ("/data/*", "/data/?r", true),
            ("/data/*", "/data/**", false),
            ("/**", "/data/**", true),
            ("/**", "**/x", false),
            ("**", "**/x", true),
            ("**/x", "/a/b/x", true),
            ("**/x", "/a/**/x", true),
            ("**/x", "/a/*x", false),
            ("/a/?", "/a/é", false),
            ("/a/[a-c]", "/a/b", true),
            ("/a/[!a-c]", "/a/X", false),
            ("/a/[!a-c]", "/a/[!a-c]", true),
            ("/a/*", "/a/[!a-c]x", true),
            ("/a/**/b", "/a/**/b", true),
        ] {
            assert_eq!(covers(wide, narrow), expected, "{wide} {narrow}");
        }
    }

    #[test]
    fn addresses_ports_and_versions_cover_what_is_within() {
        let network = |text: &str, bits| Pattern::Network(text.parse().unwrap(), bits);
        let version = |text: &str| Pattern::Requirement { name: "x".to_owned(), specifiers: text.to_owned() };
        for (wide, narrow, expected) in [
            (network("10.0.0.0", 8), network("10.1.0.0", 16), true),
            (network("10.0.0.0", 16), network("10.0.0.0", 8), false),
            (network("0.0.0.0", 0), network("10.0.0.0", 8), true),
            (network("0.0.0.0", 0), network("::", 0), false),
            (Pattern::Word(AddressWord::Private), network("172.31.0.0", 16), true),
            (Pattern::Word(AddressWord::Private), network("172.32.0.0", 16), false),
            (Pattern::Word(AddressWord::Loopback), network("::1", 128), true),
            (Pattern::Word(AddressWord::Unix), Pattern::Word(AddressWord::Unix), true),
            (Pattern::Word(AddressWord::Public), Pattern::Word(AddressWord::Private), false),
            (Pattern::Ports(1, 9), Pattern::Ports(9, 9), true),
            (Pattern::Ports(1, 9), Pattern::Ports(9, 10), false),
            (version(""), version("<2"), true),
            (version("<2"), version("<1"), false),
        ] {
            assert_eq!(pattern_covers(&wide, &narrow), expected, "{wide:?} {narrow:?}");
        }
    }

    #[test]
    fn long_lists_are_looked_up() {
        let condition = |count: u32, extra: &str| {
            let names = (0..count).map(|number| format!("{number}.example")).chain([extra.to_owned()]);
            let patterns: Vec<_> = names.flat_map(|name| globs(&name, None)).map(Pattern::Glob).collect();
            Condition { field: Field::Host, patterns: patterns.into() }
        };
        let mut budget = Budget::default();
        let wide = condition(20_000, "*.test");
        assert!(condition_covers(&wide, &condition(10_000, "a.test"), &mut budget));
        assert!(!condition_covers(&wide, &condition(10_000, "a.b"), &mut budget));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn what_is_covered_is_matched(
            wide in r"(\*\*/|/\*\*|\[a-b\]|\[!A\]|[aAé/*?]){0,5}",
            narrow in r"(\*\*/|/\*\*|\[a-b\]|\[!A\]|[aAé/*?]){0,5}",
            texts in prop::collection::vec("[aAbé/]{0,6}", 8),
            folds: bool,
            separator in prop_oneof![Just(Some(b'/')), Just(None)],
        ) {
            for (wide, narrow) in globs(&wide, separator).iter().zip(&globs(&narrow, separator)) {
                if !glob_covers(&wide.tokens, &narrow.tokens) {
                    continue;
                }
                let is_matched = |glob: &Glob, text: &str| matches(&glob.program(), text.as_bytes(), separator, folds);
                for text in &texts {
                    prop_assert!(!is_matched(narrow, text) || is_matched(wide, text), "{:?}", text);
                }
            }
        }
    }
}
