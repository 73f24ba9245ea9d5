//! Rules as written: what a policy file says, checked and normalised, before it is compiled.

use std::net::IpAddr;
use std::sync::Arc;

use super::field::{AddressWord, Field, Kinds};
use super::glob::Glob;
use crate::verdict::Action;

/// One policy file. Several combine by the strictest verdict.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layer {
    /// As the file says, or its name without the ending.
    pub name: String,
    /// In the order of the file: the first that matches decides.
    pub rules: Vec<Rule>,
}

/// Whether a rule acts, or only says what it would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    Observe,
    #[default]
    Enforce,
}

/// One `[[rule]]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rule {
    pub id: String,
    /// Where it stands in its file, from 1.
    pub line: u32,
    /// Only events of these kinds, narrowed to those that have all of the fields below.
    pub kinds: Kinds,
    pub access: AccessWanted,
    /// All must hold; each holds if one of its patterns matches one of the event's values. One per field.
    pub conditions: Vec<Condition>,
    pub action: Action,
    /// `Observe` also where the whole file is observed.
    pub mode: Mode,
    pub message: Option<String>,
    pub link: Option<String>,
    pub owner: Option<String>,
    /// Nanoseconds since 1970 from which on the rule does not count.
    pub until: Option<u64>,
    pub examples: Vec<Example>,
}

/// Which uses of a file are meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AccessWanted {
    pub read: bool,
    pub write: bool,
}

impl AccessWanted {
    /// Whether it was left out: then it holds for every event, also for those that have no access.
    #[must_use]
    pub fn is_any(self) -> bool {
        !self.read && !self.write
    }
}

/// What one field must be.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    pub field: Field,
    /// Shared by all rules that name the same list.
    pub patterns: Arc<[Pattern]>,
}

/// One value of a condition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// For every field of text. Names that fold are in lower case, hosts in ASCII.
    Glob(Glob),
    /// Addresses, with the number of leading bits that count.
    Network(IpAddr, u8),
    Word(AddressWord),
    /// Both ends included.
    Ports(u16, u16),
    /// A distribution: its name as PEP 503 normalises it, and version specifiers (PEP 440), empty for any.
    Requirement {
        name: String,
        specifiers: String,
    },
}

/// A `[[rule.example]]`: what `gnomon policy test` asks of the whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Example {
    pub line: u32,
    /// As for `gnomon policy explain --event`: `open /data/hr/x.csv`.
    pub event: String,
    /// `key=value` pairs that say who: `user`, `script`, `origin` …
    pub who: Vec<(String, String)>,
    /// The action that is expected.
    pub expect: Action,
}
