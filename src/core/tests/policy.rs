//! The compiled form of a policy says what its rules mean, whatever the rules and the event; and damaged, it says
//! something wrong at worst. The alphabets are small, so that patterns, values and rules get in each other's way.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::net::IpAddr;

use gnomon_core::event::Kind;
use gnomon_core::policy::compile::compile;
use gnomon_core::policy::decide::Decision;
use gnomon_core::policy::explain::{RuleRef, explain};
use gnomon_core::policy::facts::{Facts, PathFact, Who};
use gnomon_core::policy::field::{ALL, AddressWord, FILE, Field, Kinds, NETWORK, PROCESS};
use gnomon_core::policy::glob::Glob;
use gnomon_core::policy::image::{HEADER_BYTES, Image, crc};
use gnomon_core::policy::rule::{AccessWanted, Condition, Layer, Mode, Pattern, Rule};
use gnomon_core::verdict::Action;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

fn cases(in_release: u32) -> ProptestConfig {
    ProptestConfig::with_cases(if cfg!(debug_assertions) { in_release / 50 } else { in_release })
}

/// One of the texts that the pieces make, `before` first.
fn joined(before: &'static [&str], pieces: &'static [&str], most: usize) -> BoxedStrategy<String> {
    let pieces = vec(select(pieces), 0..=most);
    (select(before), pieces).prop_map(|(before, pieces)| format!("{before}{}", pieces.concat())).boxed()
}

/// A value of a field of text.
fn text(field: Field) -> BoxedStrategy<String> {
    match field {
        Field::Path => joined(&["/", "/a/", "/b/a"], &["a", "b", "/a", "/b", "A", ".c", ".C", "é"], 5),
        Field::Host => joined(&["a", "b", "c"], &["a", ".a", ".b", ".c", ".com", "."], 4),
        Field::Url => joined(&["https://a", "http://a.b"], &["a", ".b", "/a", "/b", ".c", ":8"], 4),
        Field::Module => joined(&["a", "b"], &["a", ".a", ".b", "_"], 4),
        Field::Program | Field::Script => joined(&["a", "/a", "/b/", "-", "-m "], &["a", "/b", ".c"], 3),
        Field::Argv => joined(&["a", "/a"], &[" a", " b", "a", "/", " -c"], 5),
        _ => joined(&["a", "b", "7"], &["a", "b", "-"], 2),
    }
}

fn glob(field: Field) -> BoxedStrategy<Vec<Pattern>> {
    let any = &["a", "b", "*", "?", "[ab]", "[!a]", "[A-C]", ".", "a.b", "", "{a,b}", ".c"][..];
    let written = match field {
        Field::Path => {
            let pieces = &[
                "a", "b", "/a", "/b", "A", ".c", "*", "**", "/*", "/**", "/**/", "?", "[ab]", "é", "{a,/b}",
            ];
            joined(&["/", "/a", "~/", "~/a", "**/", "**/a", "**/*", "/**", "**"], pieces, 4)
        }
        Field::Host => joined(&["a", "*.", "{a,*.a}", "*", "b."], &["a", ".a", ".b", ".c", "*", ".com"], 3),
        Field::Module => joined(&["a", "{a,a.*}", "b.", "*"], &["a", ".a", ".b", ".*", "_"], 3),
        Field::Url => joined(&["https://a", "*://", "http://"], &["a", "/a", ".b", "*", "**", "/", "/b"], 4),
        Field::Argv => joined(&["a", "*", "/a"], &[" a", " ", "*", "b", "/", " -c"], 4),
        Field::Program | Field::Script => {
            joined(&["a", "/a", "**/", "/b", "-m "], &["a", "*", "/", "/**", ".c"], 3)
        }
        _ => joined(&["a", "b", "7", "*"], any, 3),
    };
    let parsed = move |(exact, written): (Option<String>, String)| match exact {
        // The values themselves, or most rules would match nothing.
        Some(exact) => vec![Glob::literal(&exact)],
        None => Glob::parse(&written, field.separator()).unwrap_or_default(),
    };
    let written = (proptest::option::weighted(0.3, text(field)), written).prop_map(parsed);
    written.prop_map(|globs| globs.into_iter().map(Pattern::Glob).collect()).boxed()
}

const ADDRESSES: [&str; 18] = [
    "0.0.0.0",
    "10.0.0.0",
    "10.0.0.1",
    "10.0.1.0",
    "10.255.255.255",
    "127.0.0.1",
    "169.254.1.1",
    "172.16.0.1",
    "128.0.0.0",
    "8.8.8.8",
    "255.255.255.255",
    "::",
    "::1",
    "fd00::1",
    "fe80::1",
    "2001:db8::1",
    "2001:db8::2",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
];

fn address() -> impl Strategy<Value = IpAddr> {
    select(&ADDRESSES[..]).prop_map(|text| text.parse().unwrap())
}

fn network() -> impl Strategy<Value = Pattern> {
    let bits = prop_oneof![select(&[0, 1, 7, 8, 16, 23, 24, 31, 32][..]), 0..=128_u8];
    (address(), bits).prop_map(|(address, bits)| {
        Pattern::Network(address, if address.is_ipv4() { bits.min(32) } else { bits })
    })
}

fn port() -> impl Strategy<Value = u16> {
    select(&[0, 1, 2, 3, 80, 443, 65534, 65535][..])
}

const NAMES: [&str; 3] = ["a", "b", "a-b"];

fn requirement() -> impl Strategy<Value = Pattern> {
    let specifiers = select(&["", "<2", ">=1,<3", "==1.*", "!=1.0", "===1", "~=1.0"][..]);
    (select(&NAMES[..]), specifiers).prop_map(|(name, specifiers)| Pattern::Requirement {
        name: name.to_owned(),
        specifiers: specifiers.to_owned(),
    })
}

fn patterns(field: Field) -> BoxedStrategy<Vec<Pattern>> {
    match field {
        Field::Address => {
            let word = select(&AddressWord::ALL[..]).prop_map(Pattern::Word);
            vec(prop_oneof![3 => network(), 1 => word], 0..4).boxed()
        }
        Field::Port => {
            let ports =
                (port(), port()).prop_map(|(one, other)| Pattern::Ports(one.min(other), one.max(other)));
            vec(ports, 1..4).boxed()
        }
        Field::Distribution => vec(requirement(), 1..4).boxed(),
        field => vec(glob(field), 1..4).prop_map(|globs| globs.concat()).boxed(),
    }
}

fn condition() -> impl Strategy<Value = Condition> {
    // Paths, hosts and addresses have most to go wrong.
    let field = prop_oneof![select(&Field::ALL[..]), select(&[Field::Path, Field::Host, Field::Address][..])];
    field.prop_flat_map(|field| {
        patterns(field).prop_map(move |patterns| Condition { field, patterns: patterns.into() })
    })
}

fn kinds() -> impl Strategy<Value = Kinds> {
    let one = select(&Kind::ALL[..]).prop_map(|kind| Kinds::of(&[kind]).and(ALL));
    prop_oneof![4 => Just(ALL), 1 => select(&[FILE, NETWORK, PROCESS][..]), 1 => one]
}

fn rule(most_conditions: usize) -> impl Strategy<Value = (Rule, Vec<(Index, bool)>)> {
    let access = select(&[(false, false), (false, false), (true, false), (false, true), (true, true)][..]);
    let until = select(&[None, None, None, Some(1), Some(2)][..]);
    let mode = select(&[Mode::Enforce, Mode::Enforce, Mode::Observe][..]);
    let conditions = vec(any::<(Index, bool)>(), 0..=most_conditions);
    (kinds(), access, until, mode, select(&Action::ALL[..]), conditions).prop_map(
        |(kinds, (read, write), until, mode, action, conditions)| {
            let access = AccessWanted { read, write };
            (Rule { kinds, access, until, mode, action, ..Rule::default() }, conditions)
        },
    )
}

/// Layers whose rules draw on `pool` conditions: the very same list, or one just like it.
fn layers(pool: usize, rules: usize) -> impl Strategy<Value = Vec<Layer>> {
    let pool = vec(condition(), 1..=pool);
    (pool, vec(vec(rule(3), 0..=rules), 0..4)).prop_map(|(pool, layers)| {
        let layer = |rules: Vec<(Rule, Vec<(Index, bool)>)>| {
            let rules = rules.into_iter().map(|(rule, wanted)| with_conditions(rule, &wanted, &pool));
            Layer { name: "p".to_owned(), rules: rules.collect() }
        };
        layers.into_iter().map(layer).collect()
    })
}

fn with_conditions(mut rule: Rule, wanted: &[(Index, bool)], pool: &[Condition]) -> Rule {
    for (index, is_shared) in wanted {
        let mut condition = index.get(pool).clone();
        if !is_shared {
            condition.patterns = condition.patterns.to_vec().into();
        }
        if rule.conditions.iter().all(|own| own.field != condition.field) {
            rule.kinds = rule.kinds.and(condition.field.kinds());
            rule.conditions.push(condition);
        }
    }
    rule
}

fn path_fact() -> impl Strategy<Value = PathFact<'static>> {
    (text(Field::Path), any::<[bool; 4]>()).prop_map(|(path, [is_home, reads, writes, folds])| {
        let in_home = is_home.then(|| format!("~{path}").into_bytes().into());
        let path = if is_home { format!("/b{path}") } else { path };
        PathFact { path: path.into_bytes().into(), in_home, reads, writes, folds }
    })
}

/// Values of the fields of text that `is_of_process` chooses.
fn texts(is_of_process: bool) -> impl Strategy<Value = Vec<(Field, String)>> {
    let is_chosen = move |field: &Field| {
        let is_text = !matches!(field, Field::Path | Field::Address | Field::Port | Field::Distribution);
        is_text && field.is_of_process() == is_of_process
    };
    let fields: Vec<Field> = Field::ALL.into_iter().filter(is_chosen).collect();
    let all = fields.len();
    let chosen = subsequence(fields, 0..=all);
    chosen.prop_flat_map(|fields| {
        let texts = |field| vec(text(field), 1..3).prop_map(move |texts| (field, texts));
        let all = fields.into_iter().map(texts).collect::<Vec<_>>();
        all.prop_map(|all| {
            all.into_iter()
                .flat_map(|(field, texts)| texts.into_iter().map(move |text| (field, text)))
                .collect()
        })
    })
}

fn facts() -> impl Strategy<Value = Facts<'static>> {
    let kind = prop_oneof![
        select(&[Kind::Open, Kind::Rename, Kind::Connect, Kind::Http, Kind::Import, Kind::Spawn][..]),
        select(&Kind::ALL[..]),
    ];
    let version = select(&["", "1", "1.0", "2.0rc1", "2", "3.1", "local"][..]);
    let distribution = proptest::option::of((select(&NAMES[..]), version));
    let end = (proptest::option::of(address()), proptest::option::of(port()), any::<bool>());
    (kind, vec(path_fact(), 0..3), texts(false), end, distribution, 0..3_u64).prop_map(
        |(kind, paths, texts, (address, port, is_unix), distribution, time)| {
            let mut facts = Facts::new(kind, time);
            facts.paths.extend(paths);
            texts.into_iter().for_each(|(field, text)| facts.add(field, text.into_bytes()));
            (facts.address, facts.port) = (address, port);
            facts.is_unix = is_unix && address.is_none();
            facts.distribution = distribution.map(|(name, version)| (name.into(), version.into()));
            facts
        },
    )
}

fn who() -> impl Strategy<Value = Who> {
    texts(true).prop_map(|texts| Who {
        texts: texts.into_iter().map(|(field, text)| (field, text.into_bytes())).collect(),
    })
}

/// The decision of the slow evaluator, by the numbers of the compiled form.
fn explained(layers: &[Layer], facts: &Facts<'_>, who: &Who) -> Decision {
    let explanation = explain(layers, facts, who);
    let number = |at: RuleRef| {
        let before: usize = layers[..at.layer].iter().map(|layer| layer.rules.len()).sum();
        (before + at.rule) as u32
    };
    Decision { enforced: explanation.enforced.map(number), shadow: explanation.shadow.map(number) }
}

fn agree(layers: &[Layer], events: &[Facts<'_>], who: &Who) -> Result<(), TestCaseError> {
    let image = Image::from_bytes(compile(layers)).unwrap();
    let classes = image.classes_of(who);
    for facts in events {
        prop_assert_eq!(image.decide(facts, &classes), explained(layers, facts, who), "{:?}", facts);
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn the_compiled_form_decides_as_the_rules_mean(
        layers in layers(6, 6), events in vec(facts(), 1..6), who in who(),
    ) {
        agree(&layers, &events, &who)?;
    }

    #[test]
    fn one_pattern_is_found_wherever_it_matches(
        condition in condition(), events in vec(facts(), 1..9), who in who(),
    ) {
        let rule = Rule { kinds: ALL, conditions: vec![condition], ..Rule::default() };
        agree(&[Layer { name: "p".to_owned(), rules: vec![rule] }], &events, &who)?;
    }
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn many_rules_decide_as_few_do(layers in layers(150, 100), events in vec(facts(), 20), who in who()) {
        agree(&layers, &events, &who)?;
    }
}

/// The bytes with checksums that fit again, so that damage gets past them.
fn checked(mut bytes: Vec<u8>) -> Vec<u8> {
    let length = bytes.len() as u64;
    let Some(count) = bytes.get(12..16) else { return bytes };
    let count = u32::from_le_bytes(count.try_into().unwrap()) as usize;
    let end = HEADER_BYTES.saturating_add(count.saturating_mul(8));
    if end <= bytes.len() {
        bytes[16..24].copy_from_slice(&length.to_le_bytes());
        let checks = [crc(&[&bytes[..24], &bytes[HEADER_BYTES..end]]), crc(&[&bytes[end..]])];
        bytes[24..28].copy_from_slice(&checks[0].to_le_bytes());
        bytes[28..32].copy_from_slice(&checks[1].to_le_bytes());
    }
    bytes
}

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn damaged_bytes_do_no_harm(
        layers in layers(4, 4),
        damage in vec((any::<Index>(), any::<u8>()), 0..9),
        cut in proptest::option::of(any::<Index>()),
        facts in facts(),
        who in who(),
        is_checked in prop::bool::weighted(0.9),
    ) {
        let mut bytes = compile(&layers);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len())));
        if let Ok(image) = Image::from_bytes(if is_checked { checked(bytes) } else { bytes }) {
            let decision = image.decide(&facts, &image.classes_of(&who));
            for number in [decision.enforced, decision.shadow].into_iter().flatten() {
                if let Some(rule) = image.rule(number) {
                    let _ = [rule.name, rule.message, rule.link, rule.owner].map(|place| image.text(place).len());
                }
            }
        }
    }
}
