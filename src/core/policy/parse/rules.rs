//! `[[rule]]` tables: their keys, one by one, and whether what they ask for can happen together.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use toml_edit::Item;

use super::diagnostics::{Lines, Place, Problems, Wrong, did_you_mean, listed, meant};
use super::lists::Lists;
use super::tables::{Entry, Located, Scalar, entries, not_as, scalars, tables, text};
use super::{moments, values};
use crate::event::{Access, Kind};
use crate::policy::field::{self, Field, Kinds, kinds_named};
use crate::policy::observed::{Seen, facts};
use crate::policy::question::{self, Setting};
use crate::policy::rule::{AccessWanted, Condition, Example, Mode, Pattern, Rule};
use crate::verdict::Action;

/// The keys of a rule that are no fields.
const KEYS: [&str; 10] =
    ["id", "event", "access", "action", "message", "link", "owner", "until", "mode", "example"];
/// The keys of an example that say who asks, and what its event has besides.
const EXAMPLE_KEYS: [&str; 8] =
    ["user", "group", "script", "script_sha256", "origin", "host", "address", "distribution"];
/// What people write instead of a key.
const OTHER_KEYS: [(&str, &str); 22] = [
    ("name", "id"),
    ("events", "event"),
    ("kind", "event"),
    ("file", "path"),
    ("folder", "path"),
    ("directory", "path"),
    ("domain", "host"),
    ("hostname", "host"),
    ("ip", "address"),
    ("cidr", "address"),
    ("network", "address"),
    ("import", "module"),
    ("package", "distribution"),
    ("library", "origin"),
    ("command", "argv"),
    ("reason", "message"),
    ("description", "message"),
    ("contact", "owner"),
    ("expires", "until"),
    ("sha256", "script_sha256"),
    ("verdict", "action"),
    ("examples", "example"),
];
const OTHER_ACTIONS: [(&str, &str); 11] = [
    ("denied", "deny"),
    ("allowed", "allow"),
    ("block", "deny"),
    ("forbid", "deny"),
    ("reject", "deny"),
    ("stop", "deny"),
    ("permit", "allow"),
    ("accept", "allow"),
    ("pass", "allow"),
    ("ask", "justify"),
    ("warning", "warn"),
];
const OTHER_MODES: [(&str, &str); 6] = [
    ("audit", "observe"),
    ("monitor", "observe"),
    ("log", "observe"),
    ("shadow", "observe"),
    ("block", "enforce"),
    ("active", "enforce"),
];
const OTHER_EVENTS: [(&str, &str); 11] = [
    ("read", "open"),
    ("write", "open"),
    ("remove", "delete"),
    ("unlink", "delete"),
    ("move", "rename"),
    ("dns", "resolve"),
    ("listen", "bind"),
    ("https", "http"),
    ("subprocess", "spawn"),
    ("sqlite", "database"),
    ("exit", "kill"),
];

/// Where a rule stands, for what is said of it later.
pub(super) struct Placed {
    pub rule: Rule,
    pub at: usize,
    pub id_at: usize,
    pub until_at: usize,
    pub action_at: usize,
    /// Whether nothing in it is an error.
    pub is_sound: bool,
}

/// What all rules of a file are read with.
pub(super) struct Reader<'r, 'd> {
    pub lists: Lists<'d>,
    pub directory: &'r Path,
    pub lines: &'r Lines,
    /// That of the whole file.
    pub mode: Mode,
    pub problems: &'r mut Problems,
}

/// The kinds of events that can use a file as `access` says: asked of what decides it.
fn kinds_with(access: AccessWanted) -> Kinds {
    let path = || Some(Cow::Borrowed(&b"/x"[..]));
    let any = Access::READ.with(Access::WRITE);
    let is_used = |kind: &Kind| {
        let seen = Seen { access: any, target: path(), destination: path(), ..Seen::default() };
        let paths = facts(*kind, 0, seen, None).paths;
        paths.iter().any(|path| access.read && path.reads || access.write && path.writes)
    };
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(is_used).collect();
    Kinds::of(&kinds).and(Field::Path.kinds())
}

/// What a rule has said so far of the events that it is about.
struct Narrowing<'d> {
    kinds: Kinds,
    event: Option<Kinds>,
    /// The keys so far, each with the kinds that have it.
    keys: Vec<(&'d str, Kinds)>,
    is_impossible: bool,
}

impl<'d> Reader<'_, 'd> {
    /// The rule that a table says.
    pub fn rule(&mut self, (table, at): Located<'d>) -> Placed {
        let errors = self.problems.errors();
        let entries = entries(table);
        let rule = Rule { line: self.lines.at(at), kinds: field::ALL, mode: self.mode, ..Rule::default() };
        let mut placed = Placed { rule, at, id_at: at, until_at: at, action_at: at, is_sound: false };
        for entry in &entries {
            self.key(*entry, &mut placed);
        }
        for (key, hint) in [
            ("id", "write `id = \"no-hr-data\"`: it names the rule in records and messages"),
            ("action", "write `action = \"warn\"`, or \"allow\", \"justify\", \"deny\""),
        ] {
            if !entries.iter().any(|entry| entry.key == key) {
                self.problems.error(at, Wrong::new(format!("this rule has no `{key}`")).hint(hint));
            }
        }
        self.narrow(&entries, &mut placed.rule);
        placed.is_sound = self.problems.errors() == errors;
        placed
    }

    fn key(&mut self, entry: Entry<'d>, placed: &mut Placed) {
        let rule = &mut placed.rule;
        match entry.key {
            "id" => {
                placed.id_at = entry.at;
                rule.id = self.id(entry).unwrap_or_default();
            }
            "event" => {}
            "access" => rule.access = self.access(entry),
            "action" => {
                placed.action_at = entry.at;
                rule.action =
                    self.word(entry, Action::from_name, &actions(), &OTHER_ACTIONS).unwrap_or_default();
            }
            "mode" => {
                if let Some(Mode::Observe) = mode(entry, self.problems) {
                    rule.mode = Mode::Observe;
                }
            }
            "message" => rule.message = text(entry, self.problems).map(str::to_owned),
            "link" => rule.link = text(entry, self.problems).map(str::to_owned),
            "owner" => rule.owner = text(entry, self.problems).map(str::to_owned),
            "until" => {
                placed.until_at = entry.at;
                rule.until = moments::until(entry).map_err(|wrong| self.problems.error(entry.at, wrong)).ok();
            }
            "example" => {
                let tables = tables(entry, "rule.example", self.problems);
                rule.examples = tables.into_iter().map(|table| self.example(table)).collect();
            }
            key => match Field::from_name(key) {
                Some(field) => rule.conditions.extend(self.condition(field, entry)),
                None => self.unknown_key(entry),
            },
        }
    }

    fn unknown_key(&mut self, entry: Entry<'d>) {
        let known = KEYS.into_iter().chain(Field::ALL.map(Field::name));
        let hint = did_you_mean(meant(entry.key, known, &OTHER_KEYS));
        let hint = hint.unwrap_or_else(|| "docs/policy.md lists the keys of a rule".to_owned());
        self.problems
            .error(entry.key_at, Wrong::new(format!("unknown key `{}` in a rule", entry.key)).hint(hint));
    }

    fn id(&mut self, entry: Entry<'d>) -> Option<String> {
        let id = text(entry, self.problems)?;
        let is_known = |letter: char| matches!(letter, 'a'..='z' | '0'..='9' | '.' | '_' | '-');
        if let Some(letter) = id.chars().find(|letter| !is_known(*letter)) {
            let better: String =
                id.to_lowercase().chars().map(|letter| if is_known(letter) { letter } else { '-' }).collect();
            let wrong = Wrong::new(format!("the id `{id}` holds `{letter}`"));
            let hint = format!("use a-z, 0-9, `.`, `_` and `-` only: \"{better}\"");
            self.problems.error(entry.at, wrong.hint(hint));
        }
        Some(id.to_owned())
    }

    /// One of a few words.
    fn word<T>(
        &mut self,
        entry: Entry<'d>,
        find: impl Fn(&str) -> Option<T>,
        known: &[&'static str],
        others: &[(&str, &'static str)],
    ) -> Option<T> {
        word(entry, find, known, others, self.problems)
    }

    fn access(&mut self, entry: Entry<'d>) -> AccessWanted {
        let mut access = AccessWanted::default();
        for (value, place) in scalars(entry, self.problems) {
            match value.to_text().as_str() {
                "read" => access.read = true,
                "write" => access.write = true,
                other => {
                    let others =
                        [("append", "write"), ("create", "write"), ("change", "write"), ("delete", "write")];
                    let word = meant(other, ["read", "write"], &others);
                    let hint = did_you_mean(word).unwrap_or_else(|| "write \"read\" or \"write\"".to_owned());
                    self.problems.error(place, Wrong::new(format!("unknown access `{other}`")).hint(hint));
                }
            }
        }
        access
    }

    fn condition(&mut self, field: Field, entry: Entry<'d>) -> Option<Condition> {
        let values = scalars(entry, self.problems);
        if let [(Scalar::Text(text), place)] = values.as_slice()
            && let Some(list) = text.strip_prefix('@')
        {
            let patterns = self.lists.patterns(list, field, self.directory, place, self.problems)?;
            return Some(Condition { field, patterns });
        }
        let mut patterns = Vec::new();
        for (value, place) in values {
            patterns.extend(self.patterns(field, value, &place));
        }
        Some(Condition { field, patterns: Arc::from(patterns) })
    }

    fn patterns(&mut self, field: Field, value: Scalar<'d>, place: &Place) -> Vec<Pattern> {
        let text = value.to_text();
        if let Some(list) = text.strip_prefix('@') {
            let patterns = self.lists.patterns(list, field, self.directory, place, self.problems);
            return patterns.map(|patterns| patterns.to_vec()).unwrap_or_default();
        }
        let is_number = matches!(value, Scalar::Number(_));
        if is_number && !matches!(field, Field::Port | Field::User | Field::Group | Field::Argv) {
            let wrong = Wrong::new(format!("a value of `{}` must be text, and is a number", field.name()));
            self.problems.error(place.clone(), wrong);
            return Vec::new();
        }
        let patterns = values::patterns(field, &text, self.directory);
        patterns.map_err(|wrong| self.problems.error(place.clone(), wrong)).unwrap_or_default()
    }

    /// Which events have all that the rule asks for; none is an error at the key that leaves none.
    fn narrow(&mut self, entries: &[Entry<'d>], rule: &mut Rule) {
        let mut narrowing =
            Narrowing { kinds: field::ALL, event: None, keys: Vec::new(), is_impossible: false };
        if let Some(event) = entries.iter().find(|entry| entry.key == "event") {
            narrowing.kinds = self.event(*event);
            narrowing.event = Some(narrowing.kinds);
        }
        for entry in entries {
            let kinds = match (entry.key, Field::from_name(entry.key)) {
                ("access", _) if !rule.access.is_any() => kinds_with(rule.access),
                (_, Some(field)) => field.kinds(),
                _ => continue,
            };
            narrowing.add(*entry, kinds, self.problems);
        }
        rule.kinds = narrowing.kinds;
    }

    fn event(&mut self, entry: Entry<'d>) -> Kinds {
        let mut kinds = Kinds::default();
        for (value, place) in scalars(entry, self.problems) {
            let word = value.to_text();
            match kinds_named(&word) {
                Some(found) => kinds = kinds.with(found),
                None => self.problems.error(place, unknown_event(&word)),
            }
        }
        // What is wrong was said; that it leaves nothing need not be said, too.
        if kinds.is_empty() { field::ALL } else { kinds }
    }

    fn example(&mut self, (table, at): Located<'d>) -> Example {
        let mut example = Example { line: self.lines.at(at), ..Example::default() };
        let entries = entries(table);
        for entry in &entries {
            match entry.key {
                "event" => example.event = self.example_event(*entry).unwrap_or_default(),
                "expect" => {
                    let expect = self.word(*entry, Action::from_name, &actions(), &OTHER_ACTIONS);
                    example.expect = expect.unwrap_or_default();
                }
                key if EXAMPLE_KEYS.contains(&key) => {
                    let values = scalars(*entry, self.problems);
                    example
                        .who
                        .extend(values.into_iter().map(|(value, _)| (key.to_owned(), value.to_text())));
                }
                key => {
                    let known = ["event", "expect"].into_iter().chain(EXAMPLE_KEYS);
                    let others = [("action", "expect"), ("expected", "expect"), ("verdict", "expect")];
                    let hint = did_you_mean(meant(key, known, &others));
                    let wrong = Wrong::new(format!("unknown key `{key}` in an example"));
                    self.problems.error(entry.key_at, wrong.maybe(hint));
                }
            }
        }
        for (key, hint) in [
            ("event", "write `event = \"open /data/hr/x.csv\"`"),
            ("expect", "write `expect = \"deny\"`, or \"allow\", \"warn\", \"justify\""),
        ] {
            if !entries.iter().any(|entry| entry.key == key) {
                self.problems.error(at, Wrong::new(format!("this example has no `{key}`")).hint(hint));
            }
        }
        if !example.event.is_empty() {
            let event_at = entries.iter().find(|entry| entry.key == "event").map_or(at, |entry| entry.at);
            self.check_example(&example, event_at);
        }
        example
    }

    /// `open /data/hr/x.csv`: at least its first word must be a kind of event.
    fn example_event(&mut self, entry: Entry<'d>) -> Option<String> {
        let event = text(entry, self.problems)?;
        let word = event.split_whitespace().next().unwrap_or_default();
        // `open:write /x` says how, too.
        let word = word.split(':').next().unwrap_or_default();
        let is_kind = Kind::from_name(word).is_some_and(|kind| field::ALL.has(kind));
        if !is_kind {
            self.problems.error(entry.at, unknown_event(word));
            return None;
        }
        Some(event.to_owned())
    }

    /// Whether the example says an event that there can be.
    fn check_example(&mut self, example: &Example, at: usize) {
        // Where it happens changes nothing about whether it is understood.
        let setting = Setting { directory: b"/", home: b"/home", time: 0 };
        if let Err(error) = question::understand(&example.event, &example.who, &setting) {
            self.problems.error(at, Wrong::new(error.cause).hint(error.hint));
        }
    }
}

impl<'d> Narrowing<'d> {
    fn add(&mut self, entry: Entry<'d>, kinds: Kinds, problems: &mut Problems) {
        let left = self.kinds.and(kinds);
        if left.is_empty() && !self.is_impossible {
            self.is_impossible = true;
            problems.error(entry.key_at, self.impossible(entry.key, kinds));
        }
        self.keys.push((entry.key, kinds));
        if !left.is_empty() {
            self.kinds = left;
        }
    }

    /// Why nothing is left with `key`, which is part of `kinds` only.
    fn impossible(&self, key: &str, kinds: Kinds) -> Wrong {
        let hint = format!("events that have it: {}", listed(names(kinds)));
        let asked = if key == "access" { "such an `access`".to_owned() } else { format!("`{key}`") };
        if let Some(event) = self.event.filter(|event| event.and(kinds).is_empty()) {
            let mut names = names(event);
            let who = match (names.next(), names.next()) {
                (Some(name), None) => format!("no `{name}` event"),
                _ => "none of its events".to_owned(),
            };
            return Wrong::new(format!("this rule matches nothing: {who} has {asked}")).hint(hint);
        }
        let others: Vec<&str> = match self.keys.iter().find(|(_, other)| other.and(kinds).is_empty()) {
            Some((other, _)) => vec![other],
            None => self.keys.iter().map(|(other, _)| *other).collect(),
        };
        let fields = listed(others.into_iter().chain([key]));
        Wrong::new(format!("this rule matches nothing: no event has {fields} together")).hint(hint)
    }
}

/// The names of `kinds`.
fn names(kinds: Kinds) -> impl Iterator<Item = &'static str> {
    Kind::ALL.into_iter().filter(move |kind| kinds.has(*kind)).map(Kind::name)
}

fn actions() -> [&'static str; 4] {
    Action::ALL.map(Action::name)
}

fn unknown_event(word: &str) -> Wrong {
    let families = ["file", "network", "process"];
    let known = names(field::ALL).chain(families);
    let hint = did_you_mean(meant(word, known, &OTHER_EVENTS));
    let hint = hint.unwrap_or_else(|| format!("{} stand for all of their kind", listed(families)));
    Wrong::new(format!("unknown event `{word}`")).hint(hint)
}

/// `observe` or `enforce`.
pub(super) fn mode(entry: Entry<'_>, problems: &mut Problems) -> Option<Mode> {
    let find = |word: &str| match word {
        "observe" => Some(Mode::Observe),
        "enforce" => Some(Mode::Enforce),
        _ => None,
    };
    word(entry, find, &["observe", "enforce"], &OTHER_MODES, problems)
}

fn word<T>(
    entry: Entry<'_>,
    find: impl Fn(&str) -> Option<T>,
    known: &[&'static str],
    others: &[(&str, &'static str)],
    problems: &mut Problems,
) -> Option<T> {
    if !matches!(entry.item, Item::Value(_)) {
        problems.error(entry.at, not_as(entry, "text"));
        return None;
    }
    let written = text(entry, problems)?;
    let found = find(written);
    if found.is_none() {
        let hint = did_you_mean(meant(written, known.iter().copied(), others));
        let hint = hint.unwrap_or_else(|| format!("the words are {}", listed(known.iter().copied())));
        problems.error(entry.at, Wrong::new(format!("unknown {} `{written}`", entry.key)).hint(hint));
    }
    found
}
