//! A compiled policy whose checksums are right and whose sections are anything: nothing panics or reads past them.
//! The input is a list of (section, place, length, bytes) to write over a good one; a place past the end cuts the
//! section there first. Run with `cargo fuzz run policy` in `src/core`.
#![no_main]

use std::sync::LazyLock;

use gnomon_core::event::Kind;
use gnomon_core::policy::compile::compile;
use gnomon_core::policy::facts::{Facts, PathFact, Who};
use gnomon_core::policy::field::{ALL, AddressWord, Field};
use gnomon_core::policy::glob::Glob;
use gnomon_core::policy::image::{HEADER_BYTES, Image, MAGIC, SECTIONS, VERSION, crc};
use gnomon_core::policy::rule::{Condition, Layer, Pattern, Rule};
use gnomon_core::verdict::Action;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut sections = SECTIONS_OF_A_POLICY.clone();
    let mut rest = input;
    while let [section, low, high, length, tail @ ..] = rest {
        let (bytes, next) = tail.split_at(usize::from(*length).min(tail.len()));
        write(&mut sections[usize::from(*section) % SECTIONS], u16::from_le_bytes([*low, *high]).into(), bytes);
        rest = next;
    }
    let image = Image::from_bytes(assembled(&sections)).expect("the checksums are right");
    for facts in EVENTS.iter() {
        let decision = image.decide(facts, &image.classes_of(&ANN));
        for rule in [decision.enforced, decision.shadow].into_iter().flatten() {
            let rule = image.rule(rule).expect("it decided");
            let _ = [rule.name, rule.message, rule.link, rule.owner].map(|place| image.text(place).len());
        }
    }
});

fn write(section: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if at >= section.len() {
        section.truncate(at % (section.len() + 1));
        section.extend_from_slice(bytes);
        return;
    }
    let end = section.len().min(at + bytes.len());
    section[at..end].copy_from_slice(&bytes[..end - at]);
}

fn assembled(sections: &[Vec<u8>]) -> Vec<u8> {
    let body = sections.concat();
    let mut at = HEADER_BYTES + 8 * sections.len();
    let mut table = Vec::new();
    for section in sections {
        table.extend((at as u32).to_le_bytes());
        table.extend((section.len() as u32).to_le_bytes());
        at += section.len();
    }
    let mut start = MAGIC.to_vec();
    start.extend(VERSION.to_le_bytes());
    start.extend((sections.len() as u32).to_le_bytes());
    start.extend((at as u64).to_le_bytes());
    let checks = [crc(&[&start, &table]), crc(&[&body])];
    start.extend(checks.iter().flat_map(|check| check.to_le_bytes()));
    start.resize(HEADER_BYTES, 0);
    [start, table, body].concat()
}

static SECTIONS_OF_A_POLICY: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let image = Image::from_bytes(compile(&[policy()])).expect("it was just compiled");
    (0..SECTIONS).map(|number| image.section(number).0.to_vec()).collect()
});

/// A rule or two for each field.
fn policy() -> Layer {
    let globs = [
        (Field::Path, "/data/hr/**"),
        (Field::Path, "**/*.par[a-q]uet"),
        (Field::Path, "/data/*secret*/?.csv"),
        (Field::Host, "{a.example,*.a.example}"),
        (Field::Url, "https://*/v1/**"),
        (Field::Module, "{google.cloud,google.cloud.*}"),
        (Field::Program, "curl"),
        (Field::Argv, "curl * https://*"),
        (Field::User, "ann"),
        (Field::Script, "/home/*/x.py"),
        (Field::Origin, "requests"),
    ];
    let globs = globs.into_iter().map(|(field, text)| {
        let globs = Glob::parse(text, field.separator()).expect("a good pattern");
        (field, globs.into_iter().map(Pattern::Glob).collect())
    });
    let others = [
        (Field::Address, vec![Pattern::Network([10, 0, 0, 0].into(), 8), Pattern::Word(AddressWord::Public)]),
        (Field::Address, vec![Pattern::Network([0xFD00, 0, 0, 0, 0, 0, 0, 0].into(), 8)]),
        (Field::Port, vec![Pattern::Ports(80, 443)]),
        (Field::Distribution, vec![Pattern::Requirement { name: "pyyaml".into(), specifiers: "<5.4".into() }]),
    ];
    let rules = globs.chain(others).map(|(field, patterns): (Field, Vec<Pattern>)| Rule {
        id: field.name().to_owned(),
        kinds: ALL,
        conditions: vec![Condition { field, patterns: patterns.into() }],
        action: Action::Warn,
        message: Some("why".to_owned()),
        ..Rule::default()
    });
    let rest = Rule { kinds: ALL, until: Some(9), ..Rule::default() };
    Layer { name: "fuzz".to_owned(), rules: rules.chain([rest]).collect() }
}

static EVENTS: LazyLock<Vec<Facts<'static>>> = LazyLock::new(|| {
    let mut open = Facts::new(Kind::Open, 5);
    for path in ["/data/hr/x.csv", "/home/ann/a/b.parquet", "/data/mysecret/x.csv"] {
        let path = path.as_bytes();
        let in_home = path.strip_prefix(b"/home/ann").map(|rest| [b"~", rest].concat().into());
        open.paths.push(PathFact { path: path.into(), in_home, reads: true, writes: false, folds: true });
    }
    let mut http = Facts { address: Some([10, 0, 0, 1].into()), port: Some(443), ..Facts::new(Kind::Http, 5) };
    http.add(Field::Host, &b"x.a.example"[..]);
    http.add(Field::Url, &b"https://x.a.example/v1/files"[..]);
    http.add(Field::Origin, &b"requests"[..]);
    let address = Some([0xFD00, 0, 0, 0, 0, 0, 0, 1].into());
    let connect = Facts { address, port: Some(80), ..Facts::new(Kind::Connect, 10) };
    let distribution = Some(("pyyaml".into(), "5.3".into()));
    let mut import = Facts { distribution, ..Facts::new(Kind::Import, 5) };
    import.add(Field::Module, &b"google.cloud.storage"[..]);
    let mut spawn = Facts::new(Kind::Spawn, 5);
    spawn.add(Field::Program, &b"curl"[..]);
    spawn.add(Field::Argv, &b"curl -s https://x.a.example"[..]);
    vec![open, http, connect, import, spawn]
});

static ANN: LazyLock<Who> = LazyLock::new(|| {
    let mut who = Who::default();
    who.add(Field::User, b"ann");
    who.add(Field::Script, b"/home/ann/x.py");
    who
});
