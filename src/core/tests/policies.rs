//! Policy files with mistakes, each with what is said of it written beside it.
//!
//! `#~ 8 error: …` at the end of a line stands for a problem of that line in column 8; lines that consist of a
//! `#~` belong to the line above them. `BLESS=1 cargo test` writes them anew: read the difference before you commit it.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gnomon_core::policy::field::Field;
use gnomon_core::policy::glob::matches;
use gnomon_core::policy::parse::{Diagnostic, parse, parse_file};
use gnomon_core::policy::rule::{Layer, Mode, Pattern};
use gnomon_core::verdict::Action;
use proptest::prelude::*;

const MARK: &str = "#~ ";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/policies").canonicalize().unwrap()
}

fn policies() -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|it| it == "toml")).collect();
    files.sort();
    files
}

/// The text without what is expected of it, and that, by line.
fn divided(text: &str) -> (String, BTreeMap<u32, Vec<String>>) {
    let (mut plain, mut expected, mut line) = (String::new(), BTreeMap::<u32, Vec<String>>::new(), 0);
    for written in text.split_inclusive('\n') {
        let (before, mark) = written.split_once(MARK).map_or((written, None), |(a, b)| (a, Some(b)));
        let is_own_line = mark.is_some() && before.trim().is_empty();
        if !is_own_line {
            line += 1;
            plain.push_str(before.trim_end_matches(['\n', '\r', ' ']));
            plain.push_str(if written.ends_with("\r\n") { "\r\n" } else { "\n" });
        }
        expected.entry(line).or_default().extend(mark.map(|text| text.trim_end().to_owned()));
    }
    expected.retain(|_, lines| !lines.is_empty());
    (plain, expected)
}

fn spelled(diagnostic: &Diagnostic) -> String {
    let Diagnostic { file, column, is_error, message, hint, .. } = diagnostic;
    let severity = if *is_error { "error" } else { "warning" };
    let hint = hint.as_ref().map_or_else(String::new, |hint| format!(" [hint: {hint}]"));
    let here = format!("{}/", folder().display());
    let other = if file.ends_with(".toml") { String::new() } else { file.replace(&here, "") + ": " };
    format!("{other}{column} {severity}: {message}{hint}").replace(&here, "…/").replace('\n', "\\n")
}

fn found(diagnostics: &[Diagnostic]) -> BTreeMap<u32, Vec<String>> {
    let mut found = BTreeMap::<u32, Vec<String>>::new();
    for diagnostic in diagnostics {
        // A problem of a file of values is written at the end of the policy.
        let line = if diagnostic.file.ends_with(".toml") { diagnostic.line } else { u32::MAX };
        found.entry(line).or_default().push(match line {
            u32::MAX => format!("line {} of {}", diagnostic.line, spelled(diagnostic)),
            _ => spelled(diagnostic),
        });
    }
    found
}

fn with_expectations(plain: &str, found: &BTreeMap<u32, Vec<String>>) -> String {
    let mut text = String::new();
    for (line, number) in plain.split_inclusive('\n').zip(1..) {
        let end = if line.ends_with("\r\n") { "\r\n" } else { "\n" };
        let problems = found.get(&number).cloned().unwrap_or_default();
        text.push_str(line.trim_end());
        for (index, problem) in problems.iter().enumerate() {
            text.push_str(if index == 0 { "  " } else { end });
            text.push_str(&format!("{MARK}{problem}"));
        }
        text.push_str(end);
    }
    for problem in found.get(&u32::MAX).into_iter().flatten() {
        text.push_str(&format!("{MARK}{problem}\n"));
    }
    text
}

#[test]
fn each_mistake_is_named_where_it_is() {
    for path in policies() {
        let text = std::fs::read_to_string(&path).unwrap();
        let (plain, mut expected) = divided(&text);
        let name = path.file_name().unwrap().to_str().unwrap();
        let parsed = parse(name, &folder(), &plain);
        let found = found(&parsed.diagnostics);
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, with_expectations(&plain, &found)).unwrap();
            continue;
        }
        let last = plain.lines().count() as u32;
        if let Some(own) = found.get(&u32::MAX) {
            let mut lines = expected.remove(&last).unwrap_or_default();
            let at_end = lines.split_off(lines.len().saturating_sub(own.len()));
            expected.insert(u32::MAX, at_end);
            if !lines.is_empty() {
                expected.insert(last, lines);
            }
        }
        assert_eq!(found, expected, "{name}");
        assert_eq!(parsed.layer.is_some(), parsed.errors() == 0, "{name}");
    }
}

fn layer(text: &str) -> Layer {
    let parsed = parse("finance.toml", Path::new("/etc/gnomon"), text);
    parsed.layer.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics))
}

/// Those of `texts` that the only condition of a rule matches.
fn matched(condition: &str, texts: &[&str]) -> Vec<String> {
    let layer = layer(&format!("[[rule]]\nid = \"x\"\naction = \"warn\"\n{condition}"));
    let condition = &layer.rules[0].conditions[0];
    let separator = condition.field.separator();
    let is_matched = |text: &str| {
        condition.patterns.iter().any(|pattern| match pattern {
            Pattern::Glob(glob) => matches(&glob.program(), text.as_bytes(), separator, false),
            _ => false,
        })
    };
    texts.iter().filter(|text| is_matched(text)).map(|text| (*text).to_owned()).collect()
}

#[test]
fn a_value_matches_what_people_mean_by_it() {
    for (condition, matching, others) in [
        ("path = '*.parquet'", vec!["/a/b.parquet", "/b.parquet"], vec!["/a.parquet/b"]),
        ("path = '/data/'", vec!["/data", "/data/x/y"], vec!["/database"]),
        ("path = '.git/'", vec!["/x/.git", "/x/.git/config"], vec!["/x/.gitignore"]),
        (
            "path = '~/.ssh/'",
            vec!["~/.ssh", "~/.ssh/id", "/home/ann/.ssh/id", "/root/.ssh/id", "/Users/ann/.ssh/id"],
            vec!["/home/.ssh/id", "/home/ann/x/.ssh/id", "/srv/.ssh/id"],
        ),
        ("path = './x/*.csv'", vec!["/etc/gnomon/x/a.csv"], vec!["/x/a.csv", "/etc/x/a.csv"]),
        ("path = '/a//b/./c'", vec!["/a/b/c"], vec!["/a/b"]),
        ("path = '{/a,~}/b'", vec!["/a/b", "~/b", "/home/x/b"], vec!["/b"]),
        ("path = '/'", vec!["/", "/x/y"], vec![]),
        ("program = 'python3*'", vec!["python3", "python3.12"], vec!["/usr/bin/python3", "xpython3"]),
        ("program = '/usr/bin/'", vec!["/usr/bin/curl"], vec!["curl"]),
        ("argv = 'pip install *'", vec!["pip install /a/b c"], vec!["pip download x"]),
        ("host = 'API.example.com.'", vec!["api.example.com"], vec!["x.api.example.com", "example.com"]),
        ("host = '*.example.com'", vec!["a.example.com", "a.b.example.com"], vec!["example.com"]),
        ("host = '.example.com'", vec!["a.b.example.com", "example.com"], vec!["aexample.com"]),
        ("host = 'bücher.example'", vec!["xn--bcher-kva.example"], vec!["bucher.example"]),
        ("host = 'b.*.x'", vec!["b.a.x", "b.a.c.x"], vec!["b.x"]),
        (
            "url = 'HTTPS://Example.com'",
            vec!["https://example.com/", "https://example.com/a/b"],
            vec!["http://example.com/", "https://example.com.evil/"],
        ),
        (
            "url = 'https://x.example/Data/*'",
            vec!["https://x.example/Data/1"],
            vec!["https://x.example/data/1"],
        ),
        ("url = 'https://[::1]:80/*'", vec!["https://[::1]:80/x"], vec!["https://::80/x"]),
        ("url = 'https://x.example:443/a b/ü'", vec!["https://x.example/a%20b/%C3%BC"], vec![]),
        ("url = 'smtp://Mail.example'", vec!["smtp://mail.example", "smtp://mail.example/x"], vec![]),
        ("url = '*/upload'", vec!["https://x.example/upload"], vec!["https://x.example/uploads"]),
        ("module = 'google.cloud'", vec!["google.cloud", "google.cloud.x"], vec!["google", "google.cloudx"]),
        ("module = '*pickle'", vec!["pickle", "_pickle", "cloudpickle.x"], vec!["pickletools"]),
        ("origin = 'Ruamel_YAML'", vec!["ruamel-yaml"], vec!["ruamel.yaml"]),
        ("origin = 'google-*'", vec!["google-auth"], vec!["google"]),
        ("user = 1000", vec!["1000"], vec!["100"]),
        ("script = '-m pip'", vec!["-m pip"], vec!["pip", "/x/pip"]),
        ("script = '*.ipynb'", vec!["/x/a.ipynb"], vec![]),
    ] {
        let texts: Vec<&str> = matching.iter().chain(&others).copied().collect();
        assert_eq!(matched(condition, &texts), matching, "{condition}");
    }
}

#[test]
fn a_file_that_is_observed_observes_every_rule() {
    let text = "mode = 'observe'\n[[rule]]\nid = 'a'\naction = 'warn'\nmode = 'enforce'\npath = '/x'";
    assert_eq!(layer(text).rules[0].mode, Mode::Observe);
    assert_eq!(layer(&text.replace("mode = 'observe'", "")).rules[0].mode, Mode::Enforce);
}

#[test]
fn a_rule_keeps_what_it_says() {
    let layer = layer(&std::fs::read_to_string(folder().join("good.toml")).unwrap());
    assert_eq!(layer.name, "good");
    let rule = &layer.rules[0];
    assert_eq!((rule.id.as_str(), rule.line, rule.action), ("ai", 8, Action::Justify));
    assert_eq!(rule.owner.as_deref(), Some("data-protection@example.com"));
    assert_eq!(rule.until, Some(4_073_562_000_000_000_000));
    let example = &rule.examples[0];
    assert_eq!((example.line, example.expect), (18, Action::Justify));
    let who = [("user", "ann"), ("origin", "openai"), ("origin", "httpx")];
    assert_eq!(example.who, who.map(|(key, value)| (key.to_owned(), value.to_owned())));
    assert!(layer.rules[1].access.write && !layer.rules[1].access.read);
}

#[test]
fn the_name_of_a_policy_is_that_of_its_file() {
    assert_eq!(layer("").name, "finance");
    assert_eq!(layer("name = 'x'").name, "x");
}

#[test]
fn a_long_list_is_read_once_and_shared() {
    let folder = tempfile::tempdir().unwrap();
    let hosts: String = (0..100_000).map(|number| format!("host-{number}.example.com\n")).collect();
    std::fs::write(folder.path().join("hosts.txt"), hosts).unwrap();
    let rule = |id| format!("[[rule]]\nid = 'r{id}'\naction = 'warn'\nuser = 'u{id}'\nhost = '@hosts'\n");
    let rules: String = (0..100).map(rule).collect();
    let text = format!("[lists]\nhosts = {{ file = 'hosts.txt' }}\n{rules}");
    let path = folder.path().join("finance.toml");
    std::fs::write(&path, text).unwrap();
    let parsed = parse_file(&path);
    assert_eq!(parsed.diagnostics, []);
    let rules = parsed.layer.unwrap().rules;
    let hosts = |at: usize| &rules[at].conditions[1].patterns;
    assert_eq!(hosts(0).len(), 100_000);
    assert!(std::sync::Arc::ptr_eq(hosts(0), hosts(99)));
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_where_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gone.toml");
    let only = |path: &Path| {
        let [only] = &parse_file(path).diagnostics[..] else { panic!("not one problem") };
        only.clone()
    };
    let gone = only(&path);
    assert_eq!((gone.line, gone.column, gone.is_error), (1, 1, true));
    assert!(gone.message.ends_with("no such file or directory"), "{gone:?}");
    std::fs::write(&path, b"name = 'x'\nmode = '\xFF'\n").unwrap();
    let broken = only(&path);
    assert_eq!((broken.line, broken.column), (2, 9));
}

/// Pieces that policies are made of, so that random texts get past the first line.
fn fragments() -> impl Strategy<Value = String> {
    let known = [
        "[[rule]]\n",
        "[rule]",
        "[[rule.example]]\n",
        "[lists]\n",
        "id = 'a'\n",
        "action = 'deny'\n",
        "host = ",
        "path = ",
        "port = ",
        "event = ",
        "until = ",
        "access = ",
        "lists.x = ",
        "url = ",
        "module = ",
        "distribution = ",
        "'warn'",
        "'@x'",
        "'/a/{b,[c-d],**}/'",
        "'~/x'",
        "[",
        "]",
        ",",
        "{ file = 'x' }",
        "2020-01-01",
        "17",
        "'.a.*'",
        "\"\\u0000\"",
        "'é.example'",
        "\n",
        "\r\n",
        "#",
        "'",
        "1.5",
        "'10.0.0.0/8'",
        "'https://a/b'",
    ];
    let piece =
        prop_oneof![9 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => any::<String>()];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_is_read_without_harm(text in prop_oneof![fragments(), any::<String>()]) {
        let parsed = parse("x.toml", Path::new("/etc"), &text);
        prop_assert_eq!(parsed.layer.is_none(), parsed.errors() > 0);
        for diagnostic in parsed.diagnostics {
            let line = text.split('\n').nth(diagnostic.line as usize - 1).unwrap_or_default();
            prop_assert!(diagnostic.column as usize <= line.chars().count() + 1, "{:?}", diagnostic);
        }
    }

    #[test]
    fn any_value_is_read_without_harm(field in prop::sample::select(&Field::ALL[..]), value: String) {
        let written: String = value.chars().map(|letter| format!("\\U{:08X}", letter as u32)).collect();
        let name = field.name();
        let text = format!("[[rule]]\nid = 'a'\naction = 'warn'\n{name} = \"{written}\"");
        let parsed = parse("x.toml", Path::new("/etc"), &text);
        prop_assert_eq!(parsed.layer.is_none(), parsed.errors() > 0);
    }
}
