//! Named lists of values, written in the policy or read from a file beside it. Parsed once for each field that
//! they are used for, and shared by all rules that do.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use toml_edit::{Item, Value};

use super::diagnostics::{Place, Problems, Wrong, cause, did_you_mean, listed, meant, shown};
use super::tables::{Entry, Scalar, entries, not_as, scalars, text};
use super::values;
use crate::policy::field::Field;
use crate::policy::rule::Pattern;

/// A file of values may be as large as this.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;
/// So many wrong values of one list are named one by one.
const MAX_WRONG: usize = 20;

/// The lists of one policy file.
#[derive(Default)]
pub(super) struct Lists<'d> {
    lists: Vec<List<'d>>,
}

struct List<'d> {
    name: &'d str,
    at: usize,
    source: Source<'d>,
    is_used: OnceCell<()>,
    /// `None` where its values are wrong for the field.
    parsed: HashMap<Field, Option<Arc<[Pattern]>>>,
}

enum Source<'d> {
    Written(Vec<(Scalar<'d>, Place)>),
    File(Arc<str>, String),
    /// It was reported already.
    Unreadable,
}

impl<'d> Lists<'d> {
    /// Reads `[lists]`; files are named relative to `directory`.
    pub fn read(entry: Entry<'d>, directory: &Path, problems: &mut Problems) -> Self {
        let Some(table) = entry.item.as_table_like() else {
            let hint = "write `[lists]`, and below it lines like `NAME = [\"…\", \"…\"]`";
            problems.error(entry.at, not_as(entry, "a table").hint(hint));
            return Self::default();
        };
        let list = |entry: Entry<'d>| List {
            name: entry.key,
            at: entry.key_at,
            source: source(entry, directory, problems),
            is_used: OnceCell::new(),
            parsed: HashMap::new(),
        };
        Self { lists: entries(table).into_iter().map(list).collect() }
    }

    /// The values of the list called `name` as patterns of `field`, for the reference to it at `place`.
    pub fn patterns(
        &mut self,
        name: &str,
        field: Field,
        directory: &Path,
        place: &Place,
        problems: &mut Problems,
    ) -> Option<Arc<[Pattern]>> {
        let Some(list) = self.lists.iter_mut().find(|list| list.name == name) else {
            problems.error(place.clone(), self.unknown(name));
            return None;
        };
        let _ = list.is_used.set(());
        if let Some(patterns) = list.parsed.get(&field) {
            if patterns.is_none() {
                problems.error(place.clone(), unusable(name, field));
            }
            return patterns.clone();
        }
        let patterns = list.source.patterns(name, field, directory, place, problems);
        list.parsed.insert(field, patterns.clone());
        patterns
    }

    fn unknown(&self, name: &str) -> Wrong {
        let known = || self.lists.iter().map(|list| list.name);
        let hint = match meant(name, known(), &[]) {
            Some(word) => did_you_mean(Some(&format!("@{word}"))),
            None if self.lists.is_empty() => {
                Some(format!("add a `[lists]` table with `{name} = [\"…\"]` to this file"))
            }
            None => Some(format!("the lists of this file are {}", listed(known()))),
        };
        Wrong::new(format!("there is no list `{name}`")).maybe(hint)
    }

    /// Warns of lists that no rule names.
    pub fn warn_unused(&self, problems: &mut Problems) {
        for list in self.lists.iter().filter(|list| list.is_used.get().is_none()) {
            let wrong = Wrong::new(format!("no rule uses the list `{}`", list.name));
            problems
                .warn(list.at, wrong.hint(format!("write \"@{}\" where its values are meant", list.name)));
        }
    }
}

fn unusable(name: &str, field: Field) -> Wrong {
    Wrong::new(format!("`@{name}` cannot be used for `{}`", field.name()))
}

fn source<'d>(entry: Entry<'d>, directory: &Path, problems: &mut Problems) -> Source<'d> {
    match entry.item {
        Item::Table(_) | Item::Value(Value::InlineTable(_)) => file_source(entry, directory, problems),
        _ => Source::Written(scalars(entry, problems)),
    }
}

/// `{ file = "hosts.txt" }`
fn file_source<'d>(entry: Entry<'d>, directory: &Path, problems: &mut Problems) -> Source<'d> {
    let mut source = None;
    let inner = entry.item.as_table_like().map(entries).unwrap_or_default();
    let has_file = inner.iter().any(|entry| entry.key == "file");
    for inner in inner {
        if inner.key == "file" {
            source = text(inner, problems).and_then(|name| {
                let path = directory.join(name);
                let content = read(&path).map_err(|wrong| problems.error(inner.at, wrong)).ok()?;
                Some(Source::File(shown(&path).into(), content))
            });
        } else {
            let wrong = Wrong::new(format!("unknown key `{}` in the list `{}`", inner.key, entry.key));
            problems.error(inner.key_at, wrong.maybe(did_you_mean(meant(inner.key, ["file"], &[]))));
        }
    }
    if !has_file {
        let wrong = Wrong::new(format!("the list `{}` has no `file`", entry.key));
        problems.error(entry.at, wrong.hint(format!("write `{} = {{ file = \"hosts.txt\" }}`", entry.key)));
    }
    let source = source.unwrap_or(Source::Unreadable);
    if matches!(&source, Source::File(_, content) if lines(content).next().is_none()) {
        problems.warn(entry.at, Wrong::new(format!("the file of the list `{}` holds no values", entry.key)));
    }
    source
}

fn read(path: &Path) -> Result<String, Wrong> {
    let cannot = |why: &str| Wrong::new(format!("cannot read the list `{}`: {why}", shown(path)));
    let hint = "a relative name is looked up beside the policy file";
    let metadata = std::fs::metadata(path).map_err(|error| cannot(&cause(&error)).hint(hint))?;
    if !metadata.is_file() {
        return Err(cannot("it is no regular file"));
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(cannot("it is larger than 64 MiB"));
    }
    let content = std::fs::read(path).map_err(|error| cannot(&cause(&error)).hint(hint))?;
    String::from_utf8(content).map_err(|error| {
        let before = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        cannot(&format!("line {line} is not UTF-8"))
    })
}

/// The values of a file, with their line: one a line, without comments.
fn lines(content: &str) -> impl Iterator<Item = (&str, u32)> {
    let content = content.strip_prefix('\u{feff}').unwrap_or(content);
    let value = |line: &'_ str| {
        let is_comment =
            |at: &usize| line.get(..*at).is_some_and(|it| it.is_empty() || it.ends_with([' ', '\t']));
        line.match_indices('#').map(|(at, _)| at).find(is_comment).unwrap_or(line.len())
    };
    content
        .lines()
        .zip(1..)
        .map(move |(line, number)| (line.get(..value(line)).unwrap_or_default().trim(), number))
        .filter(|(value, _)| !value.is_empty())
}

impl Source<'_> {
    fn patterns(
        &self,
        name: &str,
        field: Field,
        directory: &Path,
        place: &Place,
        problems: &mut Problems,
    ) -> Option<Arc<[Pattern]>> {
        let mut reading =
            Reading { field, directory, seen: HashSet::new(), patterns: Vec::new(), wrong: Vec::new() };
        match self {
            Self::Written(values) => {
                let values: Vec<(String, &Place)> =
                    values.iter().map(|(value, at)| (value.to_text(), at)).collect();
                values.iter().for_each(|(text, at)| reading.add(text, || (*at).clone()));
                reading.finish(name, place, problems)
            }
            Self::File(path, content) => {
                lines(content).for_each(|(text, line)| reading.add(text, || Place::Line(path.clone(), line)));
                reading.finish(name, place, problems)
            }
            Self::Unreadable => None,
        }
    }
}

/// A list on its way to patterns of one field.
struct Reading<'v> {
    field: Field,
    directory: &'v Path,
    seen: HashSet<&'v str>,
    patterns: Vec<Pattern>,
    wrong: Vec<(Place, Wrong)>,
}

impl<'v> Reading<'v> {
    fn add(&mut self, text: &'v str, place: impl Fn() -> Place) {
        if !self.seen.insert(text) {
            return;
        }
        if text.starts_with('@') {
            let wrong = Wrong::new(format!("`{text}` stands in a list, and lists cannot name others"));
            self.wrong.push((place(), wrong.hint("name both lists in the rule")));
            return;
        }
        match values::patterns(self.field, text, self.directory) {
            Ok(patterns) => self.patterns.extend(patterns),
            Err(wrong) => self.wrong.push((place(), wrong)),
        }
    }

    /// Reports what was wrong: at each value, or at the reference `place` where the whole list is of another kind.
    fn finish(self, name: &str, place: &Place, problems: &mut Problems) -> Option<Arc<[Pattern]>> {
        let count = self.wrong.len();
        if count == 0 {
            return Some(self.patterns.into());
        }
        if self.patterns.is_empty() && count > 1 {
            let (_, Wrong { message, hint }) =
                self.wrong.into_iter().next().unwrap_or((place.clone(), Wrong::default()));
            let Wrong { message: cannot, .. } = unusable(name, self.field);
            problems.error(place.clone(), Wrong::new(format!("{cannot}: {message}")).maybe(hint));
            return None;
        }
        for (place, wrong) in self.wrong.into_iter().take(MAX_WRONG) {
            problems.error(place, wrong);
        }
        if count > MAX_WRONG {
            let more = count - MAX_WRONG;
            problems.error(place.clone(), Wrong::new(format!("{more} more values of `@{name}` are wrong")));
        }
        None
    }
}
