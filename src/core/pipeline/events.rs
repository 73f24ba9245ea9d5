//! An event to what is stored of it, by what it acts on: paths made absolute, hosts named, repeats told from news.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use crate::directory::Directory;
use crate::event::{Access, Base, Event, FilePath, Kind, Target};
use crate::interest::installed_root;
use crate::links::{Links, below_open_directories};
use crate::origin::Origin;
use crate::paths;
use crate::policy::active::Active;
use crate::policy::field::Field;
use crate::policy::judge::{Source, Witness};
use crate::process;
use crate::record::{Draft, encoded};
use crate::spool::listing;

use super::ruled::{Made, Settled};
use super::{Cause, Recorder, now, now_coarse};

impl Recorder {
    /// Takes one event through to the spool, and says whether the operation may go on. `thread` tells threads apart,
    /// and is not 0. `witness` is asked who caused it, unless that cannot matter.
    pub fn record(&self, event: &Event<'_>, thread: u64, witness: &impl Witness) -> Settled {
        self.take_up_policies();
        if let Target::Module { name, file } = &event.target {
            return self.record_import(name, file, witness);
        }
        let origin = witness.origin();
        let cause = Cause::of(origin.as_deref());
        match &event.target {
            Target::Path { path, destination } => {
                self.record_path(event, path, destination.as_ref(), thread, cause, witness)
            }
            Target::Endpoint { .. } => self.record_endpoint(event, thread, cause, witness),
            Target::Socket(path) => self.record_path(event, path, None, thread, cause, witness),
            Target::Command { program, argv } => self.record_command(event, program, argv, cause, witness),
            Target::Module { .. } => Settled::default(),
            Target::Url { .. } | Target::Code { .. } | Target::Named { .. } | Target::Itself => {
                self.record_plain(event, cause, witness)
            }
        }
    }

    /// The same for what may come by the million: all of it is counted in one record, and only the first is asked
    /// for its origin. For targets that are stored as they come.
    pub fn count(&self, event: &Event<'_>, witness: &impl Witness) -> Settled {
        self.take_up_policies();
        if self.governs(event.kind).is_some() {
            let origin = witness.origin();
            return self.record_plain(event, Cause::of(origin.as_deref()), witness);
        }
        let draft = plain_draft(event);
        let key = self.plain_key(event.kind, Cause::default(), &draft);
        if !self.has_repeated(key) {
            let origin = witness.origin();
            self.store_new(event.kind, key, || Some(Draft { origin: origin.as_deref(), ..draft }));
        }
        Settled::go(key)
    }

    /// The same for what was done already, and is told late by `origin`: nothing can be stopped any more.
    pub fn record_done(&self, event: &Event<'_>, origin: Option<&Origin>) {
        let draft = plain_draft(event);
        let cause = Cause::of(origin);
        let key = self.plain_key(event.kind, cause, &draft);
        self.repeat_or_store(event.kind, key, || Some(Draft { origin, ..draft }));
    }

    /// What is stored as it comes.
    fn record_plain(&self, event: &Event<'_>, cause: Cause<'_>, witness: &impl Witness) -> Settled {
        let draft = plain_draft(event);
        let key = self.plain_key(event.kind, cause, &draft);
        self.settle(event.kind, key, cause, witness, |_| Made::kept(Draft { origin: cause.origin, ..draft }))
    }

    fn plain_key(&self, kind: Kind, cause: Cause<'_>, draft: &Draft<'_>) -> u64 {
        let texts = [draft.target.as_deref(), draft.detail.as_deref()].map(Option::unwrap_or_default);
        let digest = draft.sha256.unwrap_or_default();
        let size = draft.size.unwrap_or(u64::MAX).to_le_bytes();
        self.key(kind, cause, texts.into_iter().chain([&digest[..], &size[..]]))
    }

    fn record_path(
        &self,
        event: &Event<'_>,
        path: &FilePath<'_>,
        destination: Option<&FilePath<'_>>,
        thread: u64,
        cause: Cause<'_>,
        witness: &impl Witness,
    ) -> Settled {
        let is_relative = |path: &FilePath<'_>| path.given.first() != Some(&b'/');
        let directory = (is_relative(path) || destination.is_some_and(is_relative))
            .then(|| self.directory.get(thread, &self.hasher))
            .flatten();
        let (current, current_hash) = directory.as_ref().map_or((&[][..], 0), Directory::parts);
        let key = self.path_key(event, path, destination, current_hash ^ cause.hash);
        if let Some(settled) = self.settled_before(event.kind, key) {
            self.tree_changes(event.kind);
            return settled;
        }
        let target = resolve(path, current, event);
        let destination = destination.map(|path| resolve(path, current, event));
        if let Some(own) = self.own_file(event, &target, destination.as_deref()) {
            return self.record_plain(&own, cause, witness);
        }
        let is_native_open = event.kind == Kind::Open && witness.source() == Source::Native;
        if is_native_open && self.interest.is_question_to_machine(&target, event.access) {
            return Settled::default();
        }
        let settled = self.settle_new(event.kind, key, cause, witness, |active| {
            let mut made = Made::kept(Draft {
                access: event.access,
                origin: cause.origin,
                target: Some(target),
                destination,
                detail: detail_of(event),
                ..Draft::default()
            });
            if active.is_some_and(|active| active.looks_at(event.kind, Field::Path)) {
                follow(&self.links, event, path, &mut made);
            }
            let target = made.draft.target.as_deref().unwrap_or_default();
            made.keeps = match event.kind {
                Kind::Open | Kind::Map => self.interest.keeps_open(target, event.access),
                Kind::List => self.interest.keeps_list(target),
                _ => true,
            };
            made.draft.requested = (target != &*path.given).then_some(Cow::Borrowed(&*path.given));
            made
        });
        self.tree_changes(event.kind);
        settled
    }

    fn path_key(
        &self,
        event: &Event<'_>,
        path: &FilePath<'_>,
        destination: Option<&FilePath<'_>>,
        context: u64,
    ) -> u64 {
        let how = u16::from(event.access.0);
        match (destination, &path.base) {
            (None, Base::Current) if event.detail.is_empty() => {
                self.key_with(event.kind, how, context, [&*path.given])
            }
            _ => {
                let both = [Some(path), destination].into_iter().flatten();
                let texts = both.flat_map(|path| [base_bytes(path), &*path.given]);
                self.key_with(event.kind, how, context, texts.chain([&*event.detail]))
            }
        }
    }

    /// Where directories and links lead may be another from now on.
    fn tree_changes(&self, kind: Kind) {
        if let Some(active) = self.policy.get()
            && matches!(kind, Kind::Rename | Kind::Link | Kind::Symlink | Kind::Delete)
        {
            self.links.forget();
            active.forget_decisions();
        }
    }

    /// What to say instead of a change to gnomon's own files.
    fn own_file<'a>(
        &self,
        event: &Event<'_>,
        target: &[u8],
        destination: Option<&[u8]>,
    ) -> Option<Event<'a>> {
        let changes_target = match event.kind {
            Kind::Open | Kind::Map => event.access.changes(),
            Kind::List | Kind::Copy | Kind::Link | Kind::Symlink | Kind::Bind | Kind::Connect => false,
            _ => true,
        };
        let changed = [changes_target.then_some(target), destination];
        let own = changed.into_iter().flatten().find(|path| self.interest.is_own(path))?;
        let by: &[u8] = if self.is_own_program() { b" by gnomon" } else { b"" };
        let detail = [event.kind.name().as_bytes(), b" ", own, by].concat();
        let name = Cow::Borrowed(&b"gnomon's own files"[..]);
        Some(Event::new(Kind::Tamper, Target::Named { name, detail: Cow::Owned(detail) }))
    }

    /// Whether the program is gnomon itself: what it runs is one of gnomon's own files, which nobody else may change.
    fn is_own_program(&self) -> bool {
        let script = self.script.try_lock().and_then(|script| script.as_ref()?.file.clone());
        script.is_some_and(|file| self.interest.is_own(&file.0))
    }

    /// Modules are counted under their package, whoever caused them: its first import says who. One that a rule
    /// speaks of has a record of its own.
    fn record_import(&self, name: &str, file: &[u8], witness: &impl Witness) -> Settled {
        if let Some(active) = self.governs(Kind::Import)
            && let Some(settled) = self.rule_on_import(active, name, file, witness)
        {
            self.note_installed(file);
            return settled;
        }
        let root = self.interest.library_root(file);
        let module = if self.interest.every_import { name } else { top_level(name, file, root.unwrap_or(0)) };
        let parts = [module.as_bytes(), file.get(..root.unwrap_or(0)).unwrap_or_default()];
        let key = self.key(Kind::Import, Cause::default(), parts);
        if self.has_repeated(key) {
            return Settled::default();
        }
        let origin = witness.origin();
        let draft = || self.import_draft(module, file, origin.as_deref());
        let is_new = self.store_new(Kind::Import, key, || Some(draft()));
        if is_new {
            self.note_installed(file);
        }
        Settled::default()
    }

    fn note_installed(&self, file: &[u8]) {
        if let Some(directory) = installed_root(file).and_then(|length| file.get(..length)) {
            self.note_distributions(directory);
        }
    }

    fn import_draft<'a>(&self, module: &'a str, file: &'a [u8], origin: Option<&'a Origin>) -> Draft<'a> {
        Draft {
            target: Some(Cow::Borrowed(module.as_bytes())),
            destination: Some(Cow::Borrowed(file)),
            shared_bytes: self.interest.library_root(file).map_or(0, |length| length + 1),
            origin,
            ..Draft::default()
        }
    }

    /// What the rules say of a module; `None` where they say nothing but that it may go on.
    fn rule_on_import(
        &self,
        active: &Active,
        name: &str,
        file: &[u8],
        witness: &impl Witness,
    ) -> Option<Settled> {
        let origin = witness.origin();
        let cause = Cause::of(origin.as_deref());
        // Apart from the key of the package: both may be the same text.
        let key = self.key_with(Kind::Import, 1, cause.hash, [name.as_bytes(), file]);
        let settled = self.rule(active, Kind::Import, key, cause, witness, || Made {
            keeps: false,
            distribution: self.distribution_of(active, file),
            ..Made::kept(self.import_draft(name, file, origin.as_deref()))
        });
        (settled.key != 0).then_some(settled)
    }

    /// The distribution that the module in `file` belongs to, with its version, if a rule wants to know it.
    fn distribution_of(&self, active: &Active, file: &[u8]) -> Option<(String, String)> {
        let root =
            active.looks_at(Kind::Import, Field::Distribution).then(|| installed_root(file)).flatten()?;
        let (root, path) = file.split_at_checked(root)?;
        let mut distributions = self.distributions.try_lock()?;
        let name = distributions.owner(root, path.strip_prefix(b"/").unwrap_or(path)).to_owned();
        let version = distributions.version(root, &name).unwrap_or_default();
        Some((crate::distributions::normalised(&name), version))
    }

    /// Stores what is installed in `directory`: once per distinct content in the spool, a reference here.
    fn note_distributions(&self, directory: &[u8]) {
        let key = self.key(Kind::Distributions, Cause::default(), [directory]);
        self.repeat_or_store(Kind::Distributions, key, || {
            let names = process::distributions(directory);
            let payload = encoded(&names);
            let name = listing::store(self.writer.spool(), &payload, now())?;
            Some(Draft {
                target: Some(Cow::Borrowed(directory)),
                destination: Some(Cow::Owned(name.into_bytes())),
                ..Draft::default()
            })
        });
    }

    fn record_endpoint(
        &self,
        event: &Event<'_>,
        thread: u64,
        cause: Cause<'_>,
        witness: &impl Witness,
    ) -> Settled {
        let (kind, Target::Endpoint { host, address, port }) = (event.kind, &event.target) else {
            return Settled::default();
        };
        let port = *port;
        let address = address.map(|address| address.to_canonical());
        let mut host = host.as_ref().map(|host| host.trim_end_matches('.').to_ascii_lowercase());
        if kind == Kind::Resolve {
            let Some(name) = &host else { return Settled::default() };
            if witness.source() == Source::Audit {
                self.hosts.resolved(thread, name, port, now_coarse()); // native code tells the answer
            }
            if crate::hosts::is_address(name) {
                return Settled::default(); // an address written out: nothing is resolved
            }
        } else if matches!(kind, Kind::Connect | Kind::Send) && host.is_none() {
            host = self.hosts.name_of(thread, address, port, now_coarse());
        }
        let octets = address.map(|address| address.to_string()).unwrap_or_default();
        let texts = [host.as_deref().unwrap_or_default().as_bytes(), octets.as_bytes()];
        let key = self.key_with(kind, port.unwrap_or(0), cause.hash, texts);
        self.settle(kind, key, cause, witness, |_| {
            let host = host.as_deref().map(Cow::Borrowed);
            Made::kept(Draft { host, address, port, origin: cause.origin, ..Draft::default() })
        })
    }

    fn record_command(
        &self,
        event: &Event<'_>,
        program: &[u8],
        argv: &[Cow<'_, [u8]>],
        cause: Cause<'_>,
        witness: &impl Witness,
    ) -> Settled {
        let parts = [program, &*event.detail].into_iter().chain(argv.iter().map(AsRef::as_ref));
        let key = self.key(event.kind, cause, parts);
        // While a person is asked, other threads run, and lists of arguments may change.
        let owned: Option<Vec<Cow<'_, [u8]>>> = self
            .governs(event.kind)
            .map(|_| argv.iter().map(|argument| Cow::Owned(argument.to_vec())).collect());
        let own_program = owned.as_ref().map(|_| program.to_vec());
        let (program, argv) = (own_program.as_deref().unwrap_or(program), owned.as_deref().unwrap_or(argv));
        self.settle(event.kind, key, cause, witness, |active| {
            let found = active.and_then(|active| self.program_file(active, event.kind, program));
            let requested = found.as_ref().map(|_| Cow::Borrowed(program));
            let target = Some(found.map_or(Cow::Borrowed(program), Cow::Owned));
            let (argv, detail) = (Some(argv), detail_of(event));
            Made::kept(Draft { target, requested, argv, origin: cause.origin, detail, ..Draft::default() })
        })
    }

    /// The file that `program` is, without symlinks, if a rule wants to know it and it is another one.
    fn program_file(&self, active: &Active, kind: Kind, program: &[u8]) -> Option<Vec<u8>> {
        if !active.looks_at(kind, Field::Program) {
            return None;
        }
        let found = process::find_program(program, &active.surroundings().search_path);
        let given = found.as_deref().unwrap_or(program);
        let absolute = paths::absolute(&process::current_directory().unwrap_or_default(), given).into_owned();
        let file = self.links.resolve(&absolute, true, now_coarse()).path.into_owned();
        (file != program).then_some(file)
    }
}

fn detail_of<'a>(event: &'a Event<'_>) -> Option<Cow<'a, [u8]>> {
    (!event.detail.is_empty()).then(|| Cow::Borrowed(&*event.detail))
}

/// Makes the paths of `made` what symlinks make of them.
fn follow<'a>(links: &Links, event: &Event<'_>, path: &FilePath<'_>, made: &mut Made<'a>) {
    let now = now_coarse();
    // These act on a link itself.
    let is_about_name = matches!(event.kind, Kind::Delete | Kind::Rename | Kind::Mkdir | Kind::Symlink);
    let resolved = |path: Cow<'a, [u8]>, follows_last: bool| -> (Cow<'a, [u8]>, bool) {
        if path.first() != Some(&b'/') {
            return (path, false);
        }
        let found = links.resolve(&path, follows_last, now);
        let (is_same, folds) = (*found.path == *path, found.folds);
        let owned = (!is_same).then(|| found.path.into_owned());
        (owned.map_or(path, Cow::Owned), folds)
    };
    if let Some(target) = made.draft.target.take() {
        let is_text = path.base == Base::Verbatim;
        let (target, folds) = if is_text { (target, false) } else { resolved(target, !is_about_name) };
        (made.draft.target, made.folds[0]) = (Some(target), folds);
    }
    if let Some(destination) = made.draft.destination.take() {
        let (destination, folds) = resolved(destination, event.kind == Kind::Copy);
        (made.draft.destination, made.folds[1]) = (Some(destination), folds);
    }
    if path.base == Base::Uncertain && path.given.first() != Some(&b'/') {
        let creates = event.access.has(Access::CREATE);
        made.others = below_open_directories(&path.given, creates);
    }
    if event.kind == Kind::Database && path.base == Base::Verbatim {
        made.others.extend(file_of_uri(&path.given).map(|file| absolute_now(&file)));
    }
    for other in &mut made.others {
        *other = links.resolve(other, true, now).path.into_owned();
    }
    // Where there is only one file that it can be, that is the one.
    let is_known = made.draft.target.as_ref().is_some_and(|target| target.first() == Some(&b'/'));
    if let ([_], false) = (&made.others[..], is_known) {
        made.draft.target = made.others.pop().map(Cow::Owned);
    }
}

/// The file, as given, that SQLite opens for `file:///data/x.db?mode=ro`, where it is told to take that for a URI.
#[must_use]
pub fn file_of_uri(text: &[u8]) -> Option<Vec<u8>> {
    let rest = text.strip_prefix(b"file:")?;
    let rest = rest.split(|byte| matches!(byte, b'?' | b'#')).next()?;
    let path = match rest.strip_prefix(b"//") {
        Some(rest) => rest.get(memchr::memchr(b'/', rest)?..)?,
        None => rest,
    };
    (!path.is_empty() && !path.starts_with(b":")).then(|| percent_decode(path).collect())
}

fn absolute_now(path: &[u8]) -> Vec<u8> {
    paths::absolute(&process::current_directory().unwrap_or_default(), path).into_owned()
}

/// What is stored of an event that is kept as it comes.
fn plain_draft<'a>(event: &'a Event<'_>) -> Draft<'a> {
    match &event.target {
        Target::Url { method, url, host, port, size } => Draft {
            target: Some(Cow::Borrowed(url.as_bytes())),
            detail: Some(Cow::Borrowed(method.as_bytes())),
            host: host.as_deref().map(Cow::Borrowed),
            port: *port,
            size: *size,
            ..Draft::default()
        },
        Target::Code { name, how, size, sha256 } => Draft {
            target: Some(Cow::Borrowed(name)),
            detail: Some(Cow::Borrowed(how.as_bytes())),
            size: *size,
            sha256: *sha256,
            ..Draft::default()
        },
        Target::Named { name, detail } => Draft {
            target: Some(Cow::Borrowed(name)),
            detail: (!detail.is_empty()).then(|| Cow::Borrowed(&**detail)),
            ..Draft::default()
        },
        _ => Draft::default(),
    }
}

/// The absolute form of `path`, or `path` itself where what it is relative to is not known.
fn resolve<'a>(path: &'a FilePath<'_>, current: &[u8], event: &Event<'_>) -> Cow<'a, [u8]> {
    if matches!(path.given.first(), Some(0)) && matches!(event.target, Target::Socket(_)) {
        return Cow::Borrowed(&path.given); // an abstract socket is no file
    }
    match &path.base {
        Base::Verbatim => Cow::Borrowed(&path.given),
        Base::Current if current.is_empty() => paths::absolute(b"/", &path.given),
        Base::Current => paths::absolute(current, &path.given),
        Base::Directory(directory) => paths::absolute(directory, &path.given),
        Base::Uncertain => {
            let resolved = paths::absolute(current, &path.given);
            let is_there = |path: &[u8]| rustix::fs::access(path, rustix::fs::Access::EXISTS).is_ok();
            let creates = event.access.has(Access::CREATE);
            if is_there(&resolved) || (creates && is_there(paths::split(&resolved).0)) {
                resolved
            } else {
                Cow::Borrowed(&path.given)
            }
        }
    }
}

fn base_bytes<'a>(path: &'a FilePath<'_>) -> &'a [u8] {
    match &path.base {
        Base::Current => b"",
        Base::Uncertain => b"?",
        Base::Verbatim => b"=",
        Base::Directory(directory) => directory,
    }
}

/// The package to count a module under: its first name, or two in a namespace package (`google.cloud`).
fn top_level<'a>(name: &'a str, file: &[u8], root: usize) -> &'a str {
    let Some((top, rest)) = name.split_once('.') else {
        return name;
    };
    let Some(directory) = file.get(..root) else {
        return top;
    };
    if root == 0 {
        return top;
    }
    let mut package = directory.to_vec();
    package.push(b'/');
    package.extend_from_slice(top.as_bytes());
    package.extend_from_slice(b"/__init__.py");
    if rustix::fs::access(package.as_slice(), rustix::fs::Access::EXISTS).is_ok() {
        return top;
    }
    let second = rest.find('.').unwrap_or(rest.len());
    name.get(..top.len() + 1 + second).unwrap_or(top)
}
