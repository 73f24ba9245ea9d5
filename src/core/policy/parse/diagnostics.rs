//! What is wrong with a policy file, and where: collected by byte offset, handed out by line and column.

use std::path::Path;
use std::sync::Arc;

/// One problem of a policy file, or of a file of values that it names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// Otherwise it is a warning, and the policy can be used.
    pub is_error: bool,
    /// May hold any text of the file, also control characters: escape it before it is shown.
    pub message: String,
    /// What would help.
    pub hint: Option<String>,
}

/// Why a value cannot be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wrong {
    pub message: String,
    pub hint: Option<String>,
}

impl Wrong {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// With a hint, if there is one.
    pub fn maybe(self, hint: Option<String>) -> Self {
        Self { hint, ..self }
    }
}

/// Where a problem is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A byte of the policy file.
    Offset(usize),
    /// A line of a file of values.
    Line(Arc<str>, u32),
}

impl From<usize> for Place {
    fn from(offset: usize) -> Self {
        Self::Offset(offset)
    }
}

/// The problems found so far.
#[derive(Default)]
pub(super) struct Problems {
    found: Vec<(Place, bool, Wrong)>,
    errors: usize,
}

impl Problems {
    pub fn error(&mut self, place: impl Into<Place>, wrong: Wrong) {
        self.found.push((place.into(), true, wrong));
        self.errors += 1;
    }

    pub fn warn(&mut self, place: impl Into<Place>, wrong: Wrong) {
        self.found.push((place.into(), false, wrong));
    }

    /// How many of them are errors.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// All of them in the order of the text, those of other files last.
    pub fn into_diagnostics(mut self, file: &str, text: &str) -> Vec<Diagnostic> {
        self.found.sort_by(|(a, ..), (b, ..)| match (a, b) {
            (Place::Offset(a), Place::Offset(b)) => a.cmp(b),
            (Place::Line(a, line), Place::Line(b, other)) => (a, line).cmp(&(b, other)),
            (Place::Offset(_), Place::Line(..)) => std::cmp::Ordering::Less,
            (Place::Line(..), Place::Offset(_)) => std::cmp::Ordering::Greater,
        });
        let mut cursor = Cursor::new(text);
        let mut diagnostics: Vec<Diagnostic> = self
            .found
            .into_iter()
            .map(|(place, is_error, Wrong { message, hint })| {
                let (file, line, column) = match place {
                    Place::Offset(offset) => {
                        let (line, column) = cursor.advance(offset);
                        (file.to_owned(), line, column)
                    }
                    Place::Line(file, line) => (file.to_string(), line, 1),
                };
                Diagnostic { file, line, column, is_error, message, hint }
            })
            .collect();
        diagnostics.dedup();
        diagnostics
    }
}

/// Counts lines and characters, only ever forward.
struct Cursor<'t> {
    rest: std::str::CharIndices<'t>,
    line: u32,
    column: u32,
}

impl<'t> Cursor<'t> {
    fn new(text: &'t str) -> Self {
        let mut rest = text.char_indices();
        // A byte order mark is no character that anybody sees.
        if text.starts_with('\u{feff}') {
            rest.next();
        }
        Self { rest, line: 1, column: 1 }
    }

    /// Line and column of the character at `offset`.
    fn advance(&mut self, offset: usize) -> (u32, u32) {
        while self.rest.offset() < offset {
            match self.rest.next() {
                Some((_, '\n')) => (self.line, self.column) = (self.line + 1, 1),
                Some(_) => self.column += 1,
                None => break,
            }
        }
        (self.line, self.column)
    }
}

/// Finds the line of an offset without reading the text again.
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub fn of(text: &str) -> Self {
        Self(memchr::memchr_iter(b'\n', text.as_bytes()).collect())
    }

    /// From 1.
    pub fn at(&self, offset: usize) -> u32 {
        u32::try_from(self.0.partition_point(|end| *end < offset) + 1).unwrap_or(u32::MAX)
    }
}

/// The word of `known` that `written` is meant to be: by what people also call it, or by its letters.
pub(super) fn meant<'k>(
    written: &str,
    known: impl IntoIterator<Item = &'k str>,
    synonyms: &[(&str, &'k str)],
) -> Option<&'k str> {
    let written = written.to_lowercase();
    if let Some((_, word)) = synonyms.iter().find(|(other, _)| *other == written) {
        return Some(word);
    }
    let distance = |word: &str| strsim::damerau_levenshtein(&written, word);
    let allowed = 1 + written.chars().count().min(12) / 4;
    known
        .into_iter()
        .map(|word| (distance(word), word))
        .min()
        .filter(|(far, word)| *far <= allowed && *far < word.len())
        .map(|(_, word)| word)
}

/// A hint that names the word that is meant.
pub(super) fn did_you_mean(word: Option<&str>) -> Option<String> {
    word.map(|word| format!("did you mean `{word}`?"))
}

/// `a`, `b` and `c`.
pub(super) fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => words.concat(),
    }
}

/// A file as messages name it.
pub(super) fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The operating system's words in lower case, without the number that Rust adds.
pub(super) fn cause(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
