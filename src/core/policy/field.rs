//! The fields that a rule can name: which events have them, and how their text is divided.

use crate::event::Kind;

/// A set of [`Kind`]s, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Kinds(pub u64);

impl Kinds {
    /// The set of `kinds`.
    #[must_use]
    pub const fn of(kinds: &[Kind]) -> Self {
        let (mut set, mut at) = (0, 0);
        while at < kinds.len() {
            #[expect(clippy::indexing_slicing, reason = "within the loop's bound, and const")]
            let kind = kinds[at];
            set |= 1 << kind as u64;
            at += 1;
        }
        Self(set)
    }

    /// Whether `kind` is in it.
    #[must_use]
    pub const fn has(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u64 != 0
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether nothing is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Kinds that act on files: `event = "file"`.
pub const FILE: Kinds = Kinds::of(&[
    Kind::Open,
    Kind::Delete,
    Kind::Rename,
    Kind::Mkdir,
    Kind::Link,
    Kind::Symlink,
    Kind::Chmod,
    Kind::Truncate,
    Kind::Copy,
    Kind::Chown,
    Kind::Utime,
    Kind::Xattr,
    Kind::List,
    Kind::Map,
    Kind::Database,
]);
/// Kinds that reach other machines: `event = "network"`.
pub const NETWORK: Kinds =
    Kinds::of(&[Kind::Resolve, Kind::Connect, Kind::Bind, Kind::Http, Kind::Request, Kind::Send]);
/// Kinds that start programs: `event = "process"`.
pub const PROCESS: Kinds = Kinds::of(&[Kind::Spawn, Kind::Exec, Kind::Fork]);
/// All that a rule can be about. A process's own records and its end cannot be stopped.
pub const ALL: Kinds = FILE.with(NETWORK).with(PROCESS).with(Kinds::of(&[
    Kind::Script,
    Kind::Import,
    Kind::Code,
    Kind::Unpickle,
    Kind::Native,
    Kind::Kill,
    Kind::Limit,
    Kind::Setenv,
    Kind::Registry,
    Kind::Tamper,
]));

/// The kinds that the word `name` of a policy stands for: a kind, or a family of them.
#[must_use]
pub fn kinds_named(name: &str) -> Option<Kinds> {
    match name {
        "file" => Some(FILE),
        "network" => Some(NETWORK),
        "process" => Some(PROCESS),
        // A copy opens both of its files, and is told as one event.
        "open" => Some(Kinds::of(&[Kind::Open, Kind::Copy])),
        _ => Kind::from_name(name).map(|kind| Kinds::of(&[kind])).filter(|kinds| !kinds.and(ALL).is_empty()),
    }
}

/// What a condition of a rule looks at. The numbers are those of the compiled form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Field {
    /// A file, as symlinks resolve it.
    Path = 0,
    /// The name of another machine.
    Host = 1,
    /// Its address.
    Address = 2,
    Port = 3,
    /// What a request is for, without its query.
    Url = 4,
    /// A module that is imported.
    Module = 5,
    /// The installed distribution that an imported module belongs to, with its version.
    Distribution = 6,
    /// A program that is started: its name or its path.
    Program = 7,
    /// Its command line, joined by spaces.
    Argv = 8,
    /// The account, by name or number.
    User = 9,
    /// One of the process's groups, by name or number.
    Group = 10,
    /// What the process runs: a file, or `-c`, `-`, `-m NAME`.
    Script = 11,
    /// Hexadecimal digest of the script's content.
    ScriptSha256 = 12,
    /// The distribution that made the call, or the one that the user's code called.
    Origin = 13,
}

impl Field {
    /// Every field, in the order of their numbers.
    pub const ALL: [Self; 14] = [
        Self::Path,
        Self::Host,
        Self::Address,
        Self::Port,
        Self::Url,
        Self::Module,
        Self::Distribution,
        Self::Program,
        Self::Argv,
        Self::User,
        Self::Group,
        Self::Script,
        Self::ScriptSha256,
        Self::Origin,
    ];

    /// Its key in policies.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Host => "host",
            Self::Address => "address",
            Self::Port => "port",
            Self::Url => "url",
            Self::Module => "module",
            Self::Distribution => "distribution",
            Self::Program => "program",
            Self::Argv => "argv",
            Self::User => "user",
            Self::Group => "group",
            Self::Script => "script",
            Self::ScriptSha256 => "script_sha256",
            Self::Origin => "origin",
        }
    }

    /// The field with this key.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }

    /// The kinds of events that can have it. A rule that names it is about no others.
    #[must_use]
    pub fn kinds(self) -> Kinds {
        match self {
            // A Unix socket is a file, and so is a native library.
            Self::Path => FILE.with(Kinds::of(&[Kind::Connect, Kind::Bind, Kind::Send, Kind::Native])),
            Self::Host | Self::Port => NETWORK,
            Self::Address => Kinds::of(&[Kind::Connect, Kind::Bind, Kind::Send, Kind::Http, Kind::Request]),
            Self::Url => Kinds::of(&[Kind::Http, Kind::Request]),
            Self::Module | Self::Distribution => Kinds::of(&[Kind::Import]),
            Self::Program | Self::Argv => Kinds::of(&[Kind::Spawn, Kind::Exec]),
            Self::User | Self::Group | Self::Script | Self::ScriptSha256 => ALL,
            Self::Origin => Kinds(ALL.0 & !(1 << Kind::Script as u64)),
        }
    }

    /// Whether it is the same for all events of a process.
    #[must_use]
    pub fn is_of_process(self) -> bool {
        matches!(self, Self::User | Self::Group | Self::Script | Self::ScriptSha256)
    }

    /// The byte at which `*` and `?` stop in its patterns.
    #[must_use]
    pub fn separator(self) -> Option<u8> {
        match self {
            Self::Path | Self::Program | Self::Script => Some(b'/'),
            _ => None,
        }
    }
}

/// The words that name addresses by what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressWord {
    /// The machine itself.
    Loopback,
    /// A Unix socket, which has no address.
    Unix,
    /// RFC 1918, RFC 4193.
    Private,
    /// RFC 3927, RFC 4291.
    LinkLocal,
    /// All that is none of the others.
    Public,
}

impl AddressWord {
    /// Every word.
    pub const ALL: [Self; 5] = [Self::Loopback, Self::Unix, Self::Private, Self::LinkLocal, Self::Public];

    /// As it stands in policies.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Unix => "unix",
            Self::Private => "private",
            Self::LinkLocal => "link-local",
            Self::Public => "public",
        }
    }
}
