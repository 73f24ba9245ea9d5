//! What paths may stand for, by expressions that a catalogue gives: places, and words in files of some types.

use std::fmt;
use std::sync::{Arc, OnceLock};

use regex::{Regex, RegexBuilder};

/// Memory for one expression, and for what is remembered of it while it is searched for.
const MAX_BYTES: usize = 64 << 20;

/// One thing that a path may stand for.
#[derive(Clone, Debug, Default)]
pub struct Class {
    pub id: String,
    pub regex: String,
    /// What it does not stand for, although `regex` finds it.
    pub except: Option<String>,
}

/// Classes as a catalogue gives them; the order is kept.
#[derive(Clone, Debug, Default)]
pub struct Patterns {
    pub places: Vec<Class>,
    pub words: Vec<Class>,
    /// What finds a file in whose path words count, and what finds one in which they do not.
    pub word_types: Option<String>,
    pub word_exceptions: Option<String>,
}

/// An expression that is none.
#[derive(Clone, Debug)]
pub struct ClassError {
    pub id: String,
    pub detail: String,
}

impl fmt::Display for ClassError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "cannot read the expression of `{}`: {}", self.id, self.detail)
    }
}

/// Classes, ready to be asked.
#[derive(Clone, Debug, Default)]
pub struct Classes {
    ids: Vec<String>,
    places: Group,
    words: Group,
    word_types: Option<Regex>,
    word_exceptions: Option<Regex>,
}

/// Classes that are asked for together before each is.
#[derive(Clone, Debug, Default)]
struct Group {
    /// Finds what any of them finds.
    any: Option<Regex>,
    /// Read once for all copies.
    each: Arc<[Single]>,
}

/// A class that is read when a path is met that it may be: most are of no path at all.
#[derive(Debug)]
struct Single {
    place: u32,
    text: String,
    regex: OnceLock<Option<Regex>>,
    except: Option<Regex>,
}

impl Single {
    fn finds(&self, path: &str) -> bool {
        // That it can be read is known, as all of them could.
        let regex = self.regex.get_or_init(|| read("", &self.text).ok());
        regex.as_ref().is_some_and(|regex| regex.is_match(path))
            && !self.except.as_ref().is_some_and(|except| except.is_match(path))
    }
}

impl Classes {
    /// Reads `patterns`.
    ///
    /// # Errors
    /// One of them is no expression.
    pub fn new(patterns: &Patterns) -> Result<Self, ClassError> {
        let of_words = |text: &Option<String>| text.as_deref().map(|text| read("words", text)).transpose();
        let ids = patterns.places.iter().chain(&patterns.words).map(|class| class.id.clone()).collect();
        // Reading them takes longer than a small spool does.
        let (places, words) = std::thread::scope(|scope| {
            let places = scope.spawn(|| Group::new(&patterns.places, 0));
            let words = Group::new(&patterns.words, patterns.places.len() as u32);
            (places.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), words)
        });
        Ok(Self {
            ids,
            places: places?,
            words: words?,
            word_types: of_words(&patterns.word_types)?,
            word_exceptions: of_words(&patterns.word_exceptions)?,
        })
    }

    /// Adds the places in the order of all classes of those that `path` belongs to.
    pub fn find(&self, path: &str, found: &mut Vec<u32>) {
        self.places.find(path, found);
        let is =
            |regex: &Option<Regex>, otherwise| regex.as_ref().map_or(otherwise, |regex| regex.is_match(path));
        // Most paths are told by the first of these, or the second.
        if is(&self.word_types, true) && self.words.may_find(path) && !is(&self.word_exceptions, false) {
            self.words.find(path, found);
        }
    }

    /// The id of the class at `place`.
    #[must_use]
    pub fn id(&self, place: u32) -> &str {
        self.ids.get(place as usize).map_or("", String::as_str)
    }
}

impl Group {
    fn new(classes: &[Class], first: u32) -> Result<Self, ClassError> {
        let mut each = Vec::new();
        for (place, class) in (first..).zip(classes) {
            let except = class.except.as_deref().map(|text| read(&class.id, text)).transpose()?;
            each.push(Single { place, text: class.regex.clone(), regex: OnceLock::new(), except });
        }
        let all: Vec<String> = classes.iter().map(|class| format!("(?:{})", class.regex)).collect();
        let any = (!all.is_empty()).then(|| read("all", &all.join("|"))).transpose().map_err(|error| {
            // Which of them it is.
            classes.iter().find_map(|class| read(&class.id, &class.regex).err()).unwrap_or(error)
        })?;
        Ok(Self { any, each: each.into() })
    }

    fn may_find(&self, path: &str) -> bool {
        self.any.as_ref().is_some_and(|any| any.is_match(path))
    }

    fn find(&self, path: &str, found: &mut Vec<u32>) {
        if !self.may_find(path) {
            return;
        }
        found.extend(self.each.iter().filter(|class| class.finds(path)).map(|class| class.place));
    }
}

fn read(id: &str, text: &str) -> Result<Regex, ClassError> {
    RegexBuilder::new(text)
        .size_limit(MAX_BYTES)
        .dfa_size_limit(MAX_BYTES)
        .build()
        .map_err(|error| ClassError { id: id.to_owned(), detail: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(id: &str, regex: &str, except: Option<&str>) -> Class {
        Class { id: id.to_owned(), regex: regex.to_owned(), except: except.map(str::to_owned) }
    }

    #[test]
    fn words_count_in_files_of_some_types_only() {
        let classes = Classes::new(&Patterns {
            places: vec![class("ssh", r"(?:^|/)[.]ssh/[^/]*\z", Some(r"[.]pub\z"))],
            words: vec![class("hr", "salar", None), class("money", "invoice", None)],
            word_types: Some(r"[.]csv\z".to_owned()),
            word_exceptions: Some("/tests/".to_owned()),
        })
        .unwrap();
        for (path, expected) in [
            ("/home/a/.ssh/id", vec!["ssh"]),
            ("/home/a/.ssh/id.pub", vec![]),
            ("/data/salaries.csv", vec!["hr"]),
            ("/data/salaries.py", vec![]),
            ("/tests/salaries.csv", vec![]),
            ("/.ssh/salaries-invoices.csv", vec!["ssh", "hr", "money"]),
        ] {
            let mut found = Vec::new();
            classes.find(path, &mut found);
            let found: Vec<&str> = found.into_iter().map(|place| classes.id(place)).collect();
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn an_expression_that_is_none_is_named() {
        let wrong = Patterns { places: vec![class("odd", "(", None)], ..Patterns::default() };
        assert!(Classes::new(&wrong).unwrap_err().to_string().contains("`odd`"));
    }
}
