//! The part for every start of an interpreter: which hooks there are, and what tells their state from another. Of their
//! contents only import lines are looked for, as the modules that these name belong to it.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::files::{self, Seen, path_of};
use super::lines::{self, Executed};
use crate::spool::format::EXTENSION;

/// Hooks looked at in an environment; more are counted.
const MAX_HOOKS: usize = 200;
/// Files of modules looked at in an environment.
const MAX_MODULES: usize = 64;
/// Parts of a module's name that are looked for.
const MAX_PARTS: usize = 3;
/// Directories of the search path looked at.
const MAX_DIRECTORIES: usize = 64;
/// How much of a `.pth` or `.start` file is read.
pub const MAX_HOOK_BYTES: u64 = 64 * 1024;

/// Where an interpreter looks for its hooks.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// `sys.prefix`.
    pub prefix: Vec<u8>,
    /// `sys.path`.
    pub search_path: Vec<Vec<u8>>,
    /// The name of the standard library's directory, `python3.12`: a sitecustomize there counts as looked for.
    pub library: Vec<u8>,
    /// Whether the user's site directory is looked at where there is one.
    pub has_user_site: bool,
    /// The directory of gnomon's own sitecustomize, where that is loaded from there.
    pub own: Vec<u8>,
    /// Whatever else tells one inventory from another: how it is stored.
    pub variant: Vec<u8>,
}

/// The kinds of hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Pth,
    Start,
    Sitecustomize,
    Usercustomize,
}

impl Kind {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pth => "pth",
            Self::Start => "start",
            Self::Sitecustomize => "sitecustomize",
            Self::Usercustomize => "usercustomize",
        }
    }

    /// The kind of the entry `name` of a site directory, if it is a hook there.
    fn of(name: &[u8]) -> Option<Self> {
        let stem = name.split(|byte| *byte == b'.').next()?;
        match stem {
            _ if name.ends_with(b".pth") => Some(Self::Pth),
            _ if name.ends_with(b".start") => Some(Self::Start),
            b"sitecustomize" => Some(Self::Sitecustomize),
            b"usercustomize" => Some(Self::Usercustomize),
            _ => None,
        }
    }
}

/// A hook as a look finds it.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub kind: Kind,
    pub directory: usize,
    pub path: Vec<u8>,
    /// Of what a symlink leads to; `None` where that is not there.
    pub seen: Option<Seen>,
    pub is_link: bool,
    pub modules: Vec<(Vec<u8>, Seen)>,
}

/// The hooks of an interpreter as a look finds them.
#[derive(Clone, Debug, Default)]
pub struct Look {
    pub(super) prefix: Vec<u8>,
    pub(super) has_user_site: bool,
    pub(super) directories: Vec<Vec<u8>>,
    pub(super) hooks: Vec<Found>,
    pub(super) unseen: u64,
    pub(super) own: Vec<u8>,
    variant: Vec<u8>,
    modules: usize,
}

impl Look {
    /// Looks at `places`. Whatever cannot be looked at is left out, or has no numbers.
    #[must_use]
    pub fn at(places: Places) -> Self {
        let Places { prefix, search_path, library, has_user_site, own, variant } = places;
        let mut look = Self { prefix, has_user_site, own, variant, ..Self::default() };
        for directory in search_path.into_iter().take(MAX_DIRECTORIES) {
            if directory.first() != Some(&b'/') || look.directories.contains(&directory) {
                continue;
            }
            let last =
                directory.rsplit(|byte| *byte == b'/').find(|name| !name.is_empty()).unwrap_or_default();
            match last {
                b"site-packages" | b"dist-packages" => look.add_site(directory),
                b"lib-dynload" => {}
                _ if last.ends_with(b".zip") => {}
                _ => {
                    let is_library = !library.is_empty() && last == library;
                    look.add_customisations(directory, is_library);
                }
            }
        }
        look
    }

    /// The name of the file that holds its inventory in a spool: the same as long as nothing changes.
    #[must_use]
    pub fn name(&self) -> String {
        let digest = Sha256::digest(self.identity());
        let start: [u8; 16] = std::array::from_fn(|at| digest.get(at).copied().unwrap_or(0));
        format!("startup-{}.{EXTENSION}", Uuid::from_bytes(start).as_simple())
    }

    /// All that tells it from another, as bytes.
    fn identity(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(1024);
        let put = |text: &[u8], all: &mut Vec<u8>| {
            all.extend_from_slice(&(text.len() as u32).to_le_bytes());
            all.extend_from_slice(text);
        };
        put(concat!("1 ", env!("CARGO_PKG_VERSION")).as_bytes(), &mut all);
        put(&self.variant, &mut all);
        put(&self.prefix, &mut all);
        put(&self.own, &mut all);
        put(&[u8::from(self.has_user_site)], &mut all);
        put(&self.unseen.to_le_bytes(), &mut all);
        for directory in &self.directories {
            put(directory, &mut all);
        }
        for hook in &self.hooks {
            let directory = self.directories.get(hook.directory).map_or(0, Vec::len);
            put(&[hook.directory as u8], &mut all);
            put(hook.path.get(directory..).unwrap_or(&hook.path), &mut all);
            all.push(hook.kind as u8 | u8::from(hook.is_link) << 7);
            hook.seen.unwrap_or_default().put(&mut all);
            for (path, seen) in &hook.modules {
                put(path.get(directory..).unwrap_or(path), &mut all);
                seen.put(&mut all);
            }
        }
        all
    }

    fn add_site(&mut self, directory: Vec<u8>) {
        let Some((names, count)) = files::names(&directory, |name| Kind::of(name).is_some()) else { return };
        self.directories.push(directory.clone());
        let room = MAX_HOOKS.saturating_sub(self.hooks.len());
        self.unseen += count.saturating_sub(room) as u64;
        for name in names.into_iter().take(room) {
            if let Some(kind) = Kind::of(&name) {
                let is_package = name == kind.name().as_bytes();
                let below = if is_package { &b"/__init__.py"[..] } else { b"" };
                self.add(kind, [&directory, &b"/"[..], &name, below].concat());
            }
        }
    }

    /// Adds what would be imported by the names of the two modules that `site` imports.
    fn add_customisations(&mut self, directory: Vec<u8>, is_library: bool) {
        let before = self.hooks.len();
        self.directories.push(directory.clone());
        for kind in [Kind::Sitecustomize, Kind::Usercustomize] {
            for end in [".py", "/__init__.py"] {
                let path = [&directory, &b"/"[..], kind.name().as_bytes(), end.as_bytes()].concat();
                self.add(kind, path);
            }
        }
        // Others come and go with each program's own search path.
        if !is_library && self.hooks.len() == before {
            self.directories.pop();
        }
    }

    fn add(&mut self, kind: Kind, path: Vec<u8>) {
        let Ok(metadata) = std::fs::symlink_metadata(path_of(&path)) else { return };
        let is_link = metadata.is_symlink();
        let metadata = if is_link { std::fs::metadata(path_of(&path)).ok() } else { Some(metadata) };
        let is_file = metadata.as_ref().is_some_and(std::fs::Metadata::is_file);
        let directory = self.directories.len().saturating_sub(1);
        let modules = if is_file { self.modules(kind, &path) } else { Vec::new() };
        let seen = metadata.as_ref().map(Seen::of);
        self.hooks.push(Found { kind, directory, path, seen, is_link, modules });
    }

    /// The files of the modules that the hook at `path` imports from its own directory.
    fn modules(&mut self, kind: Kind, path: &[u8]) -> Vec<(Vec<u8>, Seen)> {
        let Some(directory) = self.directories.last() else { return Vec::new() };
        let mut found = Vec::new();
        for name in executed(kind, path).modules {
            let room = MAX_MODULES.saturating_sub(self.modules + found.len());
            found.extend(module_files(directory, &name).into_iter().take(room));
        }
        found.dedup();
        self.modules += found.len();
        found
    }
}

/// What the hook at `path` executes; nothing where it cannot be read, and for what is Python as a whole.
pub(super) fn executed(kind: Kind, path: &[u8]) -> Executed {
    let read: fn(&[u8]) -> Executed = match kind {
        Kind::Pth => lines::of_pth,
        Kind::Start => lines::of_start,
        _ => return Executed::default(),
    };
    files::start_of(path, MAX_HOOK_BYTES).map(|(content, _)| read(&content)).unwrap_or_default()
}

/// The files in `directory` that are loaded for the module `name`: of `a.b`, those of `a` and of `a.b`.
fn module_files(directory: &[u8], name: &str) -> Vec<(Vec<u8>, Seen)> {
    let mut base = directory.to_vec();
    let mut found = Vec::new();
    for part in name.split('.').take(MAX_PARTS) {
        base.push(b'/');
        base.extend_from_slice(part.as_bytes());
        // A package comes before a module of the same name.
        let candidates = [[&base, &b"/__init__.py"[..]].concat(), [&base, &b".py"[..]].concat()];
        found.extend(candidates.into_iter().find_map(|path| {
            let metadata = std::fs::metadata(path_of(&path)).ok().filter(std::fs::Metadata::is_file)?;
            Some((path, Seen::of(&metadata)))
        }));
    }
    found
}
