//! Policy files: TOML as people write it, to a checked [`Layer`]; and everything that is wrong with it, at once.
//!
//! ```text
//! text ─> tables ─> rules ─> values ─> Layer ─> shadowed
//!                   lists ──────┘                (warnings)
//! ```
//!
//! Runs where policies are written and compiled, never in a watched process.

mod diagnostics;
mod lists;
mod moments;
mod network;
mod paths;
mod rules;
mod shadowed;
mod tables;
mod values;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use toml_edit::Document;

pub use diagnostics::Diagnostic;
use diagnostics::{Lines, Problems, Wrong, cause, did_you_mean, meant, shown};
use lists::Lists;
use rules::{Placed, Reader};
use tables::{Entry, entries, tables, text};

use super::field;
use super::rule::{Layer, Mode, Rule};
use crate::verdict::Action;

/// What came of a policy file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    /// `None` where something is an error.
    pub layer: Option<Layer>,
    /// Errors and warnings in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

impl Parsed {
    /// How many of the diagnostics are errors.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.is_error).count()
    }
}

/// Reads the policy file at `path`, and the files of values that it names.
#[must_use]
pub fn parse_file(path: &Path) -> Parsed {
    let name = shown(path);
    let content = match std::fs::read(path) {
        Ok(content) => content,
        Err(error) => return unreadable(&name, "", 0, format!("cannot read `{name}`: {}", cause(&error))),
    };
    match String::from_utf8(content) {
        Ok(text) => parse(&name, &directory_of(path), &text),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes().get(..at).unwrap_or_default()).into_owned();
            unreadable(&name, &text, at, format!("cannot read `{name}`: it is not UTF-8 here"))
        }
    }
}

/// Reads the policy `text`. Messages call it `name`, and what it names relatively is in `directory`.
#[must_use]
pub fn parse(name: &str, directory: &Path, text: &str) -> Parsed {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    parse_at(name, directory, text, u64::try_from(now).unwrap_or(u64::MAX))
}

/// As [`parse`] would at the time `now`, in nanoseconds since 1970.
fn parse_at(name: &str, directory: &Path, text: &str, now: u64) -> Parsed {
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let at = error.span().map_or(text.len(), |span| span.start);
            return unreadable(name, text, at, format!("this is no TOML: {}", error.message()));
        }
    };
    let mut problems = Problems::default();
    let layer = read(name, directory, text, &document, now, &mut problems);
    let layer = (problems.errors() == 0).then_some(layer);
    Parsed { layer, diagnostics: problems.into_diagnostics(name, text) }
}

fn unreadable(name: &str, text: &str, at: usize, message: String) -> Parsed {
    let mut problems = Problems::default();
    problems.error(at, Wrong::new(message));
    Parsed { layer: None, diagnostics: problems.into_diagnostics(name, text) }
}

/// The directory of a policy file as its rules see it: absolute and without symlinks, as paths of events are.
#[must_use]
pub fn directory_of(path: &Path) -> PathBuf {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    directory
        .canonicalize()
        .or_else(|_| std::path::absolute(directory))
        .unwrap_or_else(|_| directory.to_owned())
}

fn read(
    name: &str,
    directory: &Path,
    text: &str,
    document: &Document<&str>,
    now: u64,
    problems: &mut Problems,
) -> Layer {
    let top = entries(document.as_table());
    let find = |key: &str| top.iter().find(|entry| entry.key == key).copied();
    for entry in &top {
        if !["name", "mode", "lists", "rule"].contains(&entry.key) {
            problems.error(entry.key_at, unknown_key(entry.key));
        }
    }
    let layer_name = match find("name") {
        Some(entry) => layer_name(entry, problems),
        None => {
            Path::new(name).file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
        }
    };
    let mode = find("mode").and_then(|entry| rules::mode(entry, problems)).unwrap_or_default();
    let lists = find("lists").map(|entry| Lists::read(entry, directory, problems)).unwrap_or_default();
    let placed = match find("rule") {
        Some(entry) => read_rules(entry, lists, directory, text, mode, problems),
        None => {
            lists.warn_unused(problems);
            Vec::new()
        }
    };
    warn_doubled(&placed, problems);
    placed.iter().filter(|placed| placed.is_sound).for_each(|placed| warn(placed, now, problems));
    shadowed::warn(&placed, problems);
    let rules: Vec<Rule> = placed.into_iter().map(|placed| placed.rule).collect();
    Layer { name: layer_name, rules }
}

fn read_rules(
    entry: Entry<'_>,
    lists: Lists<'_>,
    directory: &Path,
    text: &str,
    mode: Mode,
    problems: &mut Problems,
) -> Vec<Placed> {
    let lines = Lines::of(text);
    let tables = tables(entry, "rule", problems);
    let mut reader = Reader { lists, directory, lines: &lines, mode, problems };
    let placed = tables.into_iter().map(|table| reader.rule(table)).collect();
    reader.lists.warn_unused(reader.problems);
    placed
}

fn unknown_key(key: &str) -> Wrong {
    let hint = if field::Field::from_name(key).is_some() || ["id", "action", "event"].contains(&key) {
        Some("write it in a rule, below a line `[[rule]]`".to_owned())
    } else {
        let others = [("list", "lists"), ("policy", "name"), ("title", "name")];
        did_you_mean(meant(key, ["name", "mode", "lists", "rule"], &others))
    };
    Wrong::new(format!("unknown key `{key}`")).maybe(hint)
}

/// The name that records show before the ids of rules: `finance/no-hr-data`.
fn layer_name(entry: Entry<'_>, problems: &mut Problems) -> String {
    let Some(name) = text(entry, problems) else {
        return String::new();
    };
    if let Some(letter) = name.chars().find(|letter| *letter == '/' || letter.is_control()) {
        let wrong = Wrong::new(format!("the name `{name}` holds `{}`", letter.escape_debug()));
        problems.error(entry.at, wrong.hint("records show it as `name/rule`: leave that out"));
    }
    name.to_owned()
}

fn warn_doubled(placed: &[Placed], problems: &mut Problems) {
    let mut first: HashMap<&str, u32> = HashMap::new();
    for Placed { rule, id_at, .. } in placed.iter().filter(|placed| !placed.rule.id.is_empty()) {
        match first.get(rule.id.as_str()) {
            Some(line) => {
                let wrong =
                    Wrong::new(format!("the id `{}` is that of the rule in line {line}, too", rule.id));
                problems.error(*id_at, wrong.hint("give each rule its own id"));
            }
            None => {
                first.insert(&rule.id, rule.line);
            }
        }
    }
}

/// Warns of what is allowed, and hardly meant.
fn warn(placed: &Placed, now: u64, problems: &mut Problems) {
    let Placed { rule, .. } = placed;
    if rule.until.is_some_and(|until| until <= now) {
        let wrong =
            Wrong::new(format!("`until` is in the past: the rule `{}` does not count any more", rule.id));
        problems.warn(placed.until_at, wrong.hint("remove the rule, or move its date"));
    }
    if rule.action >= Action::Justify && rule.message.is_none() {
        let wrong = Wrong::new(format!("people who are stopped by `{}` are not told why", rule.id));
        problems
            .warn(placed.action_at, wrong.hint("write `message = \"…\"`: a sentence that they understand"));
    }
    let is_all = rule.conditions.is_empty() && rule.access.is_any() && rule.kinds == field::ALL;
    if rule.action == Action::Deny && is_all {
        let wrong = Wrong::new(format!("`{}` denies everything, also what Python does to start", rule.id));
        problems
            .warn(placed.action_at, wrong.hint("say what it is about: `event = \"network\"`, `path = …`"));
    }
}
