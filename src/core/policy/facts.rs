//! What a decision looks at: one event, reduced to the values of the fields that rules can name. The same whether
//! it is happening or was recorded.

use std::borrow::Cow;
use std::net::IpAddr;

use smallvec::SmallVec;

use super::field::Field;
use crate::event::Kind;
use crate::paths;
use crate::process::Script;

/// One event as rules see it. What it does not have is empty or `None`, and no condition on that holds.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    pub kind: Kind,
    /// The files that it acts on: each is decided on by itself, and the strictest verdict counts.
    pub paths: SmallVec<[PathFact<'a>; 2]>,
    /// Values of the other fields of text; a field may have several, and matches by any of them.
    pub texts: SmallVec<[(Field, Cow<'a, [u8]>); 4]>,
    /// The address reached, never an IPv4 one written as IPv6.
    pub address: Option<IpAddr>,
    /// Whether the other end is a Unix socket.
    pub is_unix: bool,
    pub port: Option<u16>,
    /// Of the imported module: the normalised name (PEP 503), and the version as its directory spells it.
    pub distribution: Option<(Cow<'a, str>, Cow<'a, str>)>,
    /// Nanoseconds since 1970: rules with an `until` before it do not count.
    pub time: u64,
}

/// A file that an event acts on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathFact<'a> {
    /// Absolute, and resolved as far as that is known.
    pub path: Cow<'a, [u8]>,
    /// The same from `~/` on, where it is in the home of the account that runs the process.
    pub in_home: Option<Cow<'a, [u8]>>,
    pub reads: bool,
    pub writes: bool,
    /// Whether its file system takes upper and lower case for the same.
    pub folds: bool,
}

impl<'a> Facts<'a> {
    /// Facts of an event of `kind` at `time` that has no fields yet.
    #[must_use]
    pub fn new(kind: Kind, time: u64) -> Self {
        Self {
            kind,
            paths: SmallVec::new(),
            texts: SmallVec::new(),
            address: None,
            is_unix: false,
            port: None,
            distribution: None,
            time,
        }
    }

    /// Adds a value of `field`, unless it is empty.
    pub fn add(&mut self, field: Field, text: impl Into<Cow<'a, [u8]>>) {
        let text = text.into();
        if !text.is_empty() {
            self.texts.push((field, text));
        }
    }

    /// The values of a field of text but the path.
    pub fn values(&self, field: Field) -> impl Iterator<Item = &[u8]> {
        self.texts.iter().filter(move |(own, _)| *own == field).map(|(_, text)| &**text)
    }
}

/// Who asks: the same for all events of a process, until it runs another script.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Who {
    /// Values of [`Field::User`], [`Field::Group`], [`Field::Script`] and [`Field::ScriptSha256`].
    pub texts: Vec<(Field, Vec<u8>)>,
}

impl Who {
    /// The account `user` (empty where it has no name) with this number, and its groups.
    #[must_use]
    pub fn of_account(user: &str, uid: u32, groups: &[String]) -> Self {
        let mut who = Self::default();
        who.add(Field::User, user.as_bytes());
        who.add(Field::User, uid.to_string().as_bytes());
        groups.iter().for_each(|group| who.add(Field::Group, group.as_bytes()));
        who
    }

    /// Says what the process runs: its file, also from `~/` on where it is in `home`, and what would stand on Python's
    /// command line (`-c`, `-m NAME`, `-`).
    pub fn set_script(&mut self, script: &Script, home: Option<&[u8]>) {
        self.texts.retain(|(field, _)| !matches!(field, Field::Script | Field::ScriptSha256));
        match script.form.as_str() {
            "command" => self.add(Field::Script, b"-c"),
            "stdin" => self.add(Field::Script, b"-"),
            "interactive" => self.add(Field::Script, b"-i"),
            "module" => self.add(Field::Script, &[b"-m ", &script.name.0[..]].concat()),
            _ => {}
        }
        if let Some(file) = &script.file {
            self.add_script(&file.0, home);
        }
        self.add(Field::ScriptSha256, script.sha256.as_deref().unwrap_or_default().as_bytes());
    }

    /// Says that the process runs start-up files, before any script: all of these names count.
    pub fn set_startup_files(&mut self, files: &[Vec<u8>], home: Option<&[u8]>) {
        self.texts.retain(|(field, _)| !matches!(field, Field::Script | Field::ScriptSha256));
        files.iter().for_each(|file| self.add_script(file, home));
    }

    fn add_script(&mut self, file: &[u8], home: Option<&[u8]>) {
        self.add(Field::Script, file);
        if let Some(below) = home.and_then(|home| paths::below(home, file)) {
            self.add(Field::Script, &[b"~/", below].concat());
        }
    }

    /// Adds a value of `field`, unless it is empty.
    pub fn add(&mut self, field: Field, text: &[u8]) {
        if !text.is_empty() {
            self.texts.push((field, text.to_vec()));
        }
    }

    /// The values of `field`.
    pub fn values(&self, field: Field) -> impl Iterator<Item = &[u8]> {
        self.texts.iter().filter(move |(own, _)| *own == field).map(|(_, text)| &**text)
    }
}
