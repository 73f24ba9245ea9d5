//! Where every source of events meets: repeats, interest, what is stored, in that order, with no Python.

use std::borrow::Cow;
use std::hash::{BuildHasher as _, Hasher as _};
use std::net::IpAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use foldhash::fast::RandomState;
use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};
use uuid::Uuid;

use crate::directory::{CurrentDirectory, Directory};
use crate::distributions::Distributions;
use crate::event::{Base, Event, FilePath, Kind, Target};
use crate::hosts::Hosts;
use crate::interest::{Interest, installed_root};
use crate::origin::Origin;
use crate::paths;
use crate::privacy::Privacy;
use crate::process::{self, Description, Script};
use crate::record::{Draft, encoded};
use crate::spool::format::{HEADER_BYTES, Identity, Loss};
use crate::spool::map::Medium;
use crate::spool::segment::{Head, Place, Refusal, Segment};
use crate::spool::writer::Writer;

/// What one process records with, from its start (or its fork) to its end.
pub struct Recorder {
    writer: Writer,
    interest: Arc<Interest>,
    description: Description,
    privacy: Option<Arc<Privacy>>,
    script: Mutex<Option<Script>>,
    hosts: Hosts,
    directory: CurrentDirectory,
    /// Only ever tried: a lock that could wait has no place in a watched program.
    distributions: Mutex<Distributions>,
    hasher: RandomState,
    /// Counted up where a part of the records begins or ends that is to be told from the rest.
    part: AtomicU64,
}

/// An event's origin, and a hash that tells it from others.
#[derive(Clone, Copy, Default)]
struct Cause<'a> {
    origin: Option<&'a Origin>,
    hash: u64,
}

impl<'a> Cause<'a> {
    fn of(origin: Option<&'a Origin>) -> Self {
        Self { origin, hash: origin.map_or(0, |origin| origin.hash) }
    }
}

impl Recorder {
    /// A recorder for the process `id`, which stores homes and accounts as `privacy` says. Nothing is created
    /// before [`Recorder::open`] or the first record.
    #[must_use]
    pub fn new(
        spool: &Path,
        id: Uuid,
        description: Description,
        interest: Arc<Interest>,
        privacy: Option<Arc<Privacy>>,
    ) -> Self {
        let description = description.as_stored(privacy.as_deref());
        let writer = Writer::new(spool.to_owned(), id, description.pid, encoded(&description));
        Self {
            writer,
            interest,
            description,
            privacy,
            script: Mutex::new(None),
            hosts: Hosts::default(),
            directory: CurrentDirectory::default(),
            distributions: Mutex::new(Distributions::default()),
            hasher: RandomState::default(),
            part: AtomicU64::new(0),
        }
    }

    /// The same with a first segment of `bytes`, for a process that has little to say.
    #[must_use]
    pub fn with_first_segment(mut self, bytes: u64) -> Self {
        self.writer = self.writer.with_first_segment(bytes);
        self
    }

    /// The recorder of a child that this process forked. Takes nothing along that another thread may hold.
    #[must_use]
    pub fn forked(&self, id: Uuid) -> Self {
        let description = self.description.of_forked_child(self.writer.process(), now());
        let child =
            Self::new(self.writer.spool(), id, description, Arc::clone(&self.interest), self.privacy.clone());
        if let Some(script) = self.script.try_lock().and_then(|script| script.clone()) {
            child.set_script(script);
        }
        child
    }

    /// Opens the first segment, so that the process is in the spool even if it does nothing.
    ///
    /// # Errors
    /// Why none could be made; the loss is counted.
    pub fn open(&self) -> Result<(), Loss> {
        self.writer.open(now()).inspect_err(|reason| self.writer.count_loss(*reason))
    }

    /// The process's id.
    #[must_use]
    pub fn process(&self) -> Uuid {
        self.writer.process()
    }

    /// The directory of its segments.
    #[must_use]
    pub fn spool(&self) -> &Path {
        self.writer.spool()
    }

    /// Begins a new part of the records, and returns its time: what happened before is not counted as repeated
    /// any more, but stored anew. So a record belongs to one part, with its count.
    pub fn begin_part(&self) -> u64 {
        self.part.fetch_add(1, Relaxed);
        now()
    }

    /// Goes on after [`Recorder::end`].
    pub fn resume(&self) {
        self.writer.end(0, None);
        self.begin_part();
    }

    /// What this process said of itself.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// What is kept.
    #[must_use]
    pub fn interest(&self) -> &Interest {
        &self.interest
    }

    /// Records that were lost for `reason`.
    #[must_use]
    pub fn lost(&self, reason: Loss) -> u64 {
        self.writer.lost(reason)
    }

    /// Counts an event that could not be recorded.
    pub fn count_loss(&self, reason: Loss) {
        self.writer.count_loss(reason);
    }

    /// Notes what the process runs.
    pub fn set_script(&self, script: Script) {
        let script = script.as_stored(self.privacy.as_deref());
        let payload = encoded(&script);
        if let Some(mut known) = self.script.try_lock() {
            *known = Some(script);
        }
        self.writer.append_to_each(Head { kind: Kind::Script, flags: 0, time: now() }, payload);
    }

    /// Notes that the process ends now, with its exit status where that is known.
    pub fn end(&self, status: Option<i32>) {
        self.writer.end(now(), status);
    }

    /// Notes that a child ended: its exit status, or minus the signal that ended it.
    pub fn child_ended(&self, pid: u32, status: i32) {
        let draft = Draft { child: Some(pid), status: Some(status), ..Draft::default() };
        self.store(Kind::Exit, &draft, now());
    }

    /// Notes that `thread` is about to change the current directory.
    pub fn directory_changes(&self, thread: u64) {
        self.directory.changes(thread);
    }

    /// The name of the installed distribution that holds the source file at `path` below the library directory
    /// `root`; `None` while another thread asks.
    #[must_use]
    pub fn distribution(&self, root: &[u8], path: &[u8]) -> Option<String> {
        Some(self.distributions.try_lock()?.owner(root, path).to_owned())
    }

    /// Takes one event through to the spool. `thread` tells threads apart, and is not 0. `origin` is asked who
    /// caused it, unless that cannot matter.
    pub fn record(&self, event: &Event<'_>, thread: u64, origin: impl FnOnce() -> Option<Rc<Origin>>) {
        if let Target::Module { name, file } = &event.target {
            return self.record_import(name, file, origin);
        }
        let origin = origin();
        let cause = Cause::of(origin.as_deref());
        match &event.target {
            Target::Path { path, destination } => {
                self.record_path(event, path, destination.as_ref(), thread, cause);
            }
            Target::Endpoint { host, address, port } => {
                self.record_endpoint(event.kind, host.as_deref(), *address, *port, thread, cause);
            }
            Target::Socket(path) => self.record_path(event, path, None, thread, cause),
            Target::Command { program, argv } => self.record_command(event, program, argv, cause),
            Target::Module { .. } => {}
            Target::Url { .. } | Target::Code { .. } | Target::Named { .. } | Target::Itself => {
                self.record_plain(event, cause);
            }
        }
    }

    /// The same for what may come by the million: all of it is counted in one record, and only the first is asked
    /// for its origin. For targets that are stored as they come.
    pub fn count(&self, event: &Event<'_>, origin: impl FnOnce() -> Option<Rc<Origin>>) {
        let draft = plain_draft(event);
        let key = self.plain_key(event.kind, Cause::default(), &draft);
        if !self.has_repeated(key) {
            let origin = origin();
            self.store_new(event.kind, key, || Some(Draft { origin: origin.as_deref(), ..draft }));
        }
    }

    /// What is stored as it comes.
    fn record_plain(&self, event: &Event<'_>, cause: Cause<'_>) {
        let draft = plain_draft(event);
        let key = self.plain_key(event.kind, cause, &draft);
        self.repeat_or_store(event.kind, key, || Some(Draft { origin: cause.origin, ..draft }));
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
    ) {
        let is_relative = |path: &FilePath<'_>| path.given.first() != Some(&b'/');
        let directory = (is_relative(path) || destination.is_some_and(is_relative))
            .then(|| self.directory.get(thread, &self.hasher))
            .flatten();
        let (current, current_hash) = directory.as_ref().map_or((&[][..], 0), Directory::parts);
        let how = u16::from(event.access.0);
        let context = current_hash ^ cause.hash;
        let key = match (destination, &path.base) {
            (None, Base::Current) if event.detail.is_empty() => {
                self.key_with(event.kind, how, context, [&*path.given])
            }
            _ => {
                let both = [Some(path), destination].into_iter().flatten();
                let texts = both.flat_map(|path| [base_bytes(path), &*path.given]);
                self.key_with(event.kind, how, context, texts.chain([&*event.detail]))
            }
        };
        if self.has_repeated(key) {
            return;
        }
        let target = resolve(path, current, event);
        let destination = destination.map(|path| resolve(path, current, event));
        if let Some(own) = self.own_file(event, &target, destination.as_deref()) {
            return self.record_plain(&own, cause);
        }
        let keeps = match event.kind {
            Kind::Open | Kind::Map => self.interest.keeps_open(&target, event.access),
            Kind::List => self.interest.keeps_list(&target),
            _ => true,
        };
        self.store_new(event.kind, key, || {
            keeps.then(|| Draft {
                access: event.access,
                origin: cause.origin,
                requested: (target != path.given).then(|| Cow::Borrowed(path.given.as_ref())),
                destination,
                target: Some(target),
                detail: detail_of(event),
                ..Draft::default()
            })
        });
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
        let detail = [event.kind.name().as_bytes(), b" ", own].concat();
        let name = Cow::Borrowed(&b"gnomon's own files"[..]);
        Some(Event::new(Kind::Tamper, Target::Named { name, detail: Cow::Owned(detail) }))
    }

    /// Modules are counted under their package, whoever caused them: its first import says who.
    fn record_import(&self, name: &str, file: &[u8], origin: impl FnOnce() -> Option<Rc<Origin>>) {
        let root = self.interest.library_root(file);
        let module = if self.interest.every_import { name } else { top_level(name, file, root.unwrap_or(0)) };
        let parts = [module.as_bytes(), file.get(..root.unwrap_or(0)).unwrap_or_default()];
        let key = self.key(Kind::Import, Cause::default(), parts);
        if self.has_repeated(key) {
            return;
        }
        let origin = origin();
        let is_new = self.store_new(Kind::Import, key, || {
            Some(Draft {
                target: Some(Cow::Borrowed(module.as_bytes())),
                destination: Some(Cow::Borrowed(file)),
                shared_bytes: root.map_or(0, |length| length + 1),
                origin: origin.as_deref(),
                ..Draft::default()
            })
        });
        if is_new && let Some(directory) = installed_root(file).and_then(|length| file.get(..length)) {
            self.note_distributions(directory);
        }
    }

    /// Stores what is installed in `directory`: once per distinct content in the spool, a reference here.
    fn note_distributions(&self, directory: &[u8]) {
        let key = self.key(Kind::Distributions, Cause::default(), [directory]);
        self.repeat_or_store(Kind::Distributions, key, || {
            let names = process::distributions(directory);
            let payload = encoded(&names);
            let name = self.store_distributions(&payload)?;
            Some(Draft {
                target: Some(Cow::Borrowed(directory)),
                destination: Some(Cow::Owned(name.into_bytes())),
                ..Draft::default()
            })
        });
    }

    fn store_distributions(&self, payload: &[u8]) -> Option<String> {
        let name = listing_name(payload);
        let path = self.writer.spool().join(&name);
        if path.exists() {
            return Some(name);
        }
        let time = now();
        let allocated = (HEADER_BYTES + payload.len() + 4096) as u64;
        let identity = Identity {
            process: Uuid::nil(),
            number: listing_number(payload),
            pid: 0,
            created: time,
            allocated,
        };
        // Written under a name of its own and then moved: another process may look for it meanwhile.
        let unfinished = self.writer.spool().join(format!(".{}", process::new_id(None)));
        let segment = Segment::create_at(&unfinished, identity, Medium::Written).ok()?;
        segment.append(Head { kind: Kind::Distributions, flags: 0, time }, payload).ok()?;
        std::fs::rename(&unfinished, &path).ok()?;
        Some(name)
    }

    fn record_endpoint(
        &self,
        kind: Kind,
        host: Option<&str>,
        address: Option<IpAddr>,
        port: Option<u16>,
        thread: u64,
        cause: Cause<'_>,
    ) {
        let address = address.map(|address| address.to_canonical());
        let mut host = host.map(|host| host.trim_end_matches('.').to_ascii_lowercase());
        if kind == Kind::Resolve {
            let Some(name) = &host else { return };
            self.hosts.resolved(thread, name, port, now_coarse());
            if crate::hosts::is_address(name) {
                return; // an address written out: nothing is resolved
            }
        } else if matches!(kind, Kind::Connect | Kind::Send) && host.is_none() {
            host = self.hosts.name_for(thread, port, now_coarse());
        }
        let octets = address.map(|address| address.to_string()).unwrap_or_default();
        let texts = [host.as_deref().unwrap_or_default().as_bytes(), octets.as_bytes()];
        let key = self.key_with(kind, port.unwrap_or(0), cause.hash, texts);
        self.repeat_or_store(kind, key, || {
            let host = host.as_deref().map(Cow::Borrowed);
            Some(Draft { host, address, port, origin: cause.origin, ..Draft::default() })
        });
    }

    fn record_command(&self, event: &Event<'_>, program: &[u8], argv: &[Cow<'_, [u8]>], cause: Cause<'_>) {
        let parts = [program, &*event.detail].into_iter().chain(argv.iter().map(AsRef::as_ref));
        self.repeat_or_store(event.kind, self.key(event.kind, cause, parts), || {
            let target = Some(Cow::Borrowed(program));
            let detail = detail_of(event);
            Some(Draft { target, argv: Some(argv), origin: cause.origin, detail, ..Draft::default() })
        });
    }

    fn key<'a>(&self, kind: Kind, cause: Cause<'_>, parts: impl IntoIterator<Item = &'a [u8]>) -> u64 {
        self.key_with(kind, 0, cause.hash, parts)
    }

    /// What tells one operation from another: its kind, two numbers, and texts.
    fn key_with<'a>(
        &self,
        kind: Kind,
        small: u16,
        large: u64,
        parts: impl IntoIterator<Item = &'a [u8]>,
    ) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u64(large.wrapping_add(self.part.load(Relaxed)));
        hasher.write_u32(u32::from(kind as u16) << 16 | u32::from(small));
        for part in parts {
            hasher.write_usize(part.len());
            hasher.write(part);
        }
        hasher.finish()
    }

    /// Counts a repeat of `key`, or stores what `draft` makes of it. Returns whether a record was stored.
    fn repeat_or_store<'a>(&self, kind: Kind, key: u64, draft: impl FnOnce() -> Option<Draft<'a>>) -> bool {
        !self.has_repeated(key) && self.store_new(kind, key, draft)
    }

    /// Counts one more of the record that stands for `key`, if there is one.
    fn has_repeated(&self, key: u64) -> bool {
        self.writer.current().is_some_and(|segment| {
            segment.lookup(key).is_some_and(|place| segment.repeat(place, now_coarse()))
        })
    }

    /// Stores what `draft` makes, and counts the repeats of `key` there. Returns whether a record was stored.
    fn store_new<'a>(&self, kind: Kind, key: u64, draft: impl FnOnce() -> Option<Draft<'a>>) -> bool {
        let current = self.writer.current();
        let Some(draft) = draft() else { return false };
        let head = Head { kind, flags: 0, time: now() };
        let write = |segment: &Segment| {
            let place = draft.append(head, segment, self.privacy.as_deref(), |text| self.hash_text(text))?;
            segment.remember(key, place);
            Ok(place)
        };
        match current.as_deref().map(write) {
            Some(Ok(_)) => true,
            Some(Err(Refusal::Lost(reason))) => {
                self.writer.count_loss(reason);
                false
            }
            Some(Err(Refusal::Full)) | None => {
                drop(current);
                self.writer.with_segment(head.time, write).is_some()
            }
        }
    }

    fn store(&self, kind: Kind, draft: &Draft<'_>, time: u64) -> Option<Place> {
        let head = Head { kind, flags: 0, time };
        self.writer.with_segment(time, |segment| {
            draft.append(head, segment, self.privacy.as_deref(), |text| self.hash_text(text))
        })
    }

    fn hash_text(&self, text: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(text);
        hasher.finish()
    }
}

fn detail_of<'a>(event: &'a Event<'_>) -> Option<Cow<'a, [u8]>> {
    (!event.detail.is_empty()).then(|| Cow::Borrowed(&*event.detail))
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
            let creates = event.access.has(crate::event::Access::CREATE);
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

fn listing_number(payload: &[u8]) -> u32 {
    crc32fast::hash(payload)
}

fn listing_name(payload: &[u8]) -> String {
    use sha2::{Digest as _, Sha256};
    let digest = Sha256::digest(payload);
    let start: [u8; 16] = std::array::from_fn(|at| digest.get(at).copied().unwrap_or(0));
    format!("distributions-{}.{}", Uuid::from_bytes(start).as_simple(), crate::spool::format::EXTENSION)
}

/// Nanoseconds since 1970, UTC.
#[must_use]
pub fn now() -> u64 {
    nanoseconds(ClockId::Realtime)
}

/// The same as of the kernel's last tick: five times cheaper, some 4 ms old at most.
fn now_coarse() -> u64 {
    nanoseconds(ClockId::RealtimeCoarse)
}

fn nanoseconds(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}
