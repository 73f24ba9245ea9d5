//! One operation a program asked for, as plain data borrowed from whoever saw it.
//!
//! Both sources (the audit hook, and later the libc redirection) end here; nothing right of this file
//! knows where an event came from.

use std::borrow::Cow;
use std::net::IpAddr;

/// What happened. The numbers are the stored form: never reuse one, only add.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Kind {
    /// A string that later records refer to; never an event.
    Text = 1,
    /// The process itself: the first record of every segment.
    Process = 2,
    /// What the process runs.
    Script = 3,
    /// A process ended, with its status.
    Exit = 4,
    /// The installed distributions of one library directory.
    Distributions = 5,
    /// Who caused what: later records refer to it; never an event.
    Origin = 6,
    Import = 16,
    Open = 17,
    Delete = 18,
    Rename = 19,
    Mkdir = 20,
    Link = 21,
    Symlink = 22,
    Chmod = 23,
    Truncate = 24,
    Resolve = 25,
    Connect = 26,
    Bind = 27,
    Spawn = 28,
    Exec = 29,
    Fork = 30,
    /// A request over HTTP, before it is sent.
    Http = 31,
    /// A request over another application protocol: SMTP, FTP, IMAP, POP3, or handed to the browser.
    Request = 32,
    /// Text or bytes that become code, and are no module.
    Code = 33,
    /// A class or function that a pickle asks for.
    Unpickle = 34,
    /// A native library loaded, looked into or called through ctypes.
    Native = 35,
    /// A database opened, or a library loaded into it.
    Database = 36,
    Copy = 37,
    Chown = 38,
    Utime = 39,
    Xattr = 40,
    /// A directory listed.
    List = 41,
    /// A file mapped into memory.
    Map = 42,
    /// A datagram to an address.
    Send = 43,
    /// A signal to a process.
    Kill = 44,
    /// A resource limit set.
    Limit = 45,
    /// An environment variable set that decides what is loaded or where traffic goes.
    Setenv = 46,
    /// The Windows registry.
    Registry = 47,
    /// Something that could hide from a recorder, or look into the interpreter from within.
    Tamper = 48,
    /// Which policy the process is under: what became of it, and its digest.
    Policy = 49,
    /// Something that can act unseen: a module that calls the system by itself, an io_uring.
    Blind = 50,
    /// Bytes of a connection or a file that was opened in an earlier segment, or by a parent.
    Transfer = 51,
    /// The startup hooks of one environment: `.pth` files, sitecustomize and their like.
    Startup = 52,
    /// Segments that were removed to make room, or because of their age.
    Evict = 53,
    /// Another copy of gnomon that found this process recorded already.
    Standby = 54,
    /// Which segment of the same process came before this one, and a digest of it.
    Previous = 55,
}

impl Kind {
    /// Every kind, in stored order.
    pub const ALL: [Self; 46] = [
        Self::Text,
        Self::Process,
        Self::Script,
        Self::Exit,
        Self::Distributions,
        Self::Origin,
        Self::Import,
        Self::Open,
        Self::Delete,
        Self::Rename,
        Self::Mkdir,
        Self::Link,
        Self::Symlink,
        Self::Chmod,
        Self::Truncate,
        Self::Resolve,
        Self::Connect,
        Self::Bind,
        Self::Spawn,
        Self::Exec,
        Self::Fork,
        Self::Http,
        Self::Request,
        Self::Code,
        Self::Unpickle,
        Self::Native,
        Self::Database,
        Self::Copy,
        Self::Chown,
        Self::Utime,
        Self::Xattr,
        Self::List,
        Self::Map,
        Self::Send,
        Self::Kill,
        Self::Limit,
        Self::Setenv,
        Self::Registry,
        Self::Tamper,
        Self::Policy,
        Self::Blind,
        Self::Transfer,
        Self::Startup,
        Self::Evict,
        Self::Standby,
        Self::Previous,
    ];

    /// The kind stored as `number`; `None` for one that a newer writer added.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        // `ALL` is in the order of the numbers, which have one gap.
        let index = if number < 16 { number.wrapping_sub(1) } else { number - 10 };
        Self::ALL.get(usize::from(index)).copied().filter(|kind| *kind as u16 == number)
    }

    /// The kind called `name` in reports and filters.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The word for it in reports, filters, SQL and policies.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Process => "process",
            Self::Script => "script",
            Self::Exit => "exit",
            Self::Distributions => "distributions",
            Self::Origin => "origin",
            Self::Import => "import",
            Self::Open => "open",
            Self::Delete => "delete",
            Self::Rename => "rename",
            Self::Mkdir => "mkdir",
            Self::Link => "link",
            Self::Symlink => "symlink",
            Self::Chmod => "chmod",
            Self::Truncate => "truncate",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Bind => "bind",
            Self::Spawn => "spawn",
            Self::Exec => "exec",
            Self::Fork => "fork",
            Self::Http => "http",
            Self::Request => "request",
            Self::Code => "code",
            Self::Unpickle => "unpickle",
            Self::Native => "native",
            Self::Database => "database",
            Self::Copy => "copy",
            Self::Chown => "chown",
            Self::Utime => "utime",
            Self::Xattr => "xattr",
            Self::List => "list",
            Self::Map => "map",
            Self::Send => "send",
            Self::Kill => "kill",
            Self::Limit => "limit",
            Self::Setenv => "setenv",
            Self::Registry => "registry",
            Self::Tamper => "tamper",
            Self::Policy => "policy",
            Self::Blind => "blind",
            Self::Transfer => "transfer",
            Self::Startup => "startup",
            Self::Evict => "evict",
            Self::Standby => "standby",
            Self::Previous => "previous",
        }
    }

    /// Whether what it names is asked of the system, which answers: a file, an address, a child.
    #[must_use]
    pub fn has_answer(self) -> bool {
        matches!(
            self,
            Self::Open
                | Self::Delete
                | Self::Rename
                | Self::Mkdir
                | Self::Link
                | Self::Symlink
                | Self::Chmod
                | Self::Truncate
                | Self::Resolve
                | Self::Connect
                | Self::Bind
                | Self::Spawn
                | Self::Exec
                | Self::Chown
                | Self::Utime
                | Self::Xattr
                | Self::List
                | Self::Map
                | Self::Send
                | Self::Database
                | Self::Transfer
        )
    }

    /// Whether a record of this kind says something the program did, rather than help to read the others.
    #[must_use]
    pub fn is_event(self) -> bool {
        !matches!(self, Self::Text | Self::Distributions | Self::Origin | Self::Startup | Self::Previous)
    }
}

/// How a file was opened: a set of read, write, append and create.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Access(pub u8);

impl Access {
    pub const READ: Self = Self(1);
    pub const WRITE: Self = Self(2);
    pub const APPEND: Self = Self(4);
    pub const CREATE: Self = Self(8);

    /// Both sets together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set without `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of `other` is in this set.
    #[must_use]
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the file may come out different.
    #[must_use]
    pub fn changes(self) -> bool {
        self.0 & (Self::WRITE.0 | Self::APPEND.0 | Self::CREATE.0) != 0
    }

    /// The words joined by `+`, as `read+write`; every set has one static spelling.
    #[must_use]
    pub fn name(self) -> &'static str {
        const NAMES: [&str; 16] = [
            "",
            "read",
            "write",
            "read+write",
            "append",
            "read+append",
            "write+append",
            "read+write+append",
            "create",
            "read+create",
            "write+create",
            "read+write+create",
            "append+create",
            "read+append+create",
            "write+append+create",
            "read+write+append+create",
        ];
        NAMES.get(usize::from(self.0 & 15)).copied().unwrap_or_default()
    }
}

/// What an event acts on, as asked for. Bytes are exact: paths need not be UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// A file, and for rename, link and symlink where it goes.
    Path { path: FilePath<'a>, destination: Option<FilePath<'a>> },
    /// A module by its dotted name, and the file it was loaded from.
    Module { name: Cow<'a, str>, file: Cow<'a, [u8]> },
    /// The other end of a connection, or a name to be resolved.
    Endpoint { host: Option<Cow<'a, str>>, address: Option<IpAddr>, port: Option<u16> },
    /// A Unix socket; an abstract one starts with a NUL byte.
    Socket(FilePath<'a>),
    /// A program with its arguments, the first being its own name.
    Command { program: Cow<'a, [u8]>, argv: Vec<Cow<'a, [u8]>> },
    /// What a request is for. `size` is that of its body in bytes, where it is known.
    Url {
        method: Cow<'a, str>,
        url: Cow<'a, str>,
        host: Option<Cow<'a, str>>,
        port: Option<u16>,
        size: Option<u64>,
    },
    /// Code by the name of its source, and how it came to be run (`exec`, `compile`, `marshal`).
    Code { name: Cow<'a, [u8]>, how: &'static str, size: Option<u64>, sha256: Option<[u8; 32]> },
    /// Anything with a name, and a word more: a signal and a pid, a variable and its value.
    Named { name: Cow<'a, [u8]>, detail: Cow<'a, [u8]> },
    /// The process itself (fork).
    Itself,
}

/// A path as the program gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePath<'a> {
    /// The bytes as given.
    pub given: Cow<'a, [u8]>,
    /// What a relative path is relative to.
    pub base: Base<'a>,
}

/// The directory that a relative path starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base<'a> {
    /// The current directory.
    Current,
    /// A directory named by a descriptor (`dir_fd`), already looked up.
    Directory(Cow<'a, [u8]>),
    /// Not known: CPython's `open` event drops the `dir_fd` of `os.open`.
    Uncertain,
    /// Nothing: it is the text of a symlink, kept as it is.
    Verbatim,
}

impl<'a> FilePath<'a> {
    /// `given`, relative to the current directory if it is relative.
    #[must_use]
    pub fn current(given: Cow<'a, [u8]>) -> Self {
        Self { given, base: Base::Current }
    }
}

/// One operation a program asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    pub kind: Kind,
    /// Set for `open` and `map`, empty otherwise.
    pub access: Access,
    pub target: Target<'a>,
    /// A word more on what happens to a path or with a command; empty for none, and where the target has its own.
    pub detail: Cow<'a, [u8]>,
}

impl<'a> Event<'a> {
    /// An event of `kind` on `target`, with no access.
    #[must_use]
    pub fn new(kind: Kind, target: Target<'a>) -> Self {
        Self { kind, access: Access::default(), target, detail: Cow::Borrowed(b"") }
    }

    /// The same with a word more.
    #[must_use]
    pub fn with_detail(self, detail: impl Into<Cow<'a, [u8]>>) -> Self {
        Self { detail: detail.into(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_number_and_its_name() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_number(kind as u16), Some(kind));
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(Kind::from_number(999), None);
    }

    #[test]
    fn access_is_spelled_in_one_order() {
        assert_eq!(Access::CREATE.with(Access::WRITE).name(), "write+create");
        assert_eq!(Access::default().name(), "");
        let words = [(1, "read"), (2, "write"), (4, "append"), (8, "create")];
        for set in 0..16 {
            let present: Vec<&str> =
                words.iter().filter(|(bit, _)| set & bit != 0).map(|(_, word)| *word).collect();
            assert_eq!(Access(set).name(), present.join("+"));
        }
        assert!(!Access::READ.changes());
        assert!(Access::APPEND.changes());
    }
}
