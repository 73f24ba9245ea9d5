//! Where every source of events meets: repeats, interest, verdict, what is stored, in that order, with no Python.
//!
//! Here: the recorder from its start to its end. [`events`] makes records of events, [`ruled`] asks the policies.

pub(crate) mod events;
mod ruled;

pub use events::file_of_uri;
pub use ruled::Settled;

use std::borrow::Cow;
use std::hash::{BuildHasher as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use foldhash::fast::RandomState;
use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};
use uuid::Uuid;

use crate::directory::CurrentDirectory;
use crate::distributions::Distributions;
use crate::event::{Kind, Target};
use crate::hosts::Hosts;
use crate::interest::Interest;
use crate::links::Links;
use crate::origin::Origin;
use crate::policy::active::Active;
use crate::policy::judge::Source;
use crate::privacy::Privacy;
use crate::process::{Description, Script};
use crate::record::{Draft, encoded};
use crate::spool::format::{Loss, NATIVE, TALLIED};
use crate::spool::segment::{Change, Head, Place, Refusal, Segment};
use crate::spool::writer::{Users, Writer};
use crate::startup::inventory;
use crate::startup::look::Look;

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
    /// The policies that the process is under, from the first on.
    policy: OnceLock<Active>,
    /// How often a rule spoke of what this process does, without what was settled a moment before.
    spoken: AtomicU64,
    links: Links,
    hasher: RandomState,
    /// Whether native code tells what became of operations.
    has_tallies: AtomicBool,
    /// The spool of many users that it is in, and how much of its disk stays free.
    shared: Option<(PathBuf, u64)>,
    /// The inventory that was taken after recording had begun.
    startup: OnceLock<String>,
    /// The start-up files that run now, where those are followed.
    startup_files: Mutex<Vec<Vec<u8>>>,
    /// Counted up where a part of the records begins or ends that is to be told from the rest.
    part: AtomicU64,
}

/// What was removed from one directory of a spool for one reason.
#[derive(Clone, Copy, Debug)]
pub struct Eviction<'a> {
    pub folder: &'a [u8],
    pub reason: &'a str,
    pub files: u32,
    pub bytes: u64,
    /// When what is gone began and ended, nanoseconds since 1970.
    pub first: u64,
    pub last: u64,
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
            policy: OnceLock::new(),
            spoken: AtomicU64::new(0),
            links: Links::default(),
            hasher: RandomState::default(),
            has_tallies: AtomicBool::new(false),
            shared: None,
            startup: OnceLock::new(),
            startup_files: Mutex::default(),
            part: AtomicU64::new(0),
        }
    }

    /// The same with a first segment of `bytes`, for a process that has little to say.
    #[must_use]
    pub fn with_first_segment(mut self, bytes: u64) -> Self {
        self.writer = self.writer.with_first_segment(bytes);
        self
    }

    /// The same in the spool `top` of many users, of whose disk `reserve` bytes stay free.
    #[must_use]
    pub fn for_users(mut self, top: &Path, reserve: u64) -> Self {
        let (description, privacy) = (self.description.clone(), self.privacy.clone());
        let describe = Box::new(move |uid| encoded(&description.as_user(uid, privacy.as_deref())));
        self.writer = self.writer.for_users(Users { top: top.to_owned(), reserve, describe });
        self.shared = Some((top.to_owned(), reserve));
        self
    }

    /// The same, for a process that is under policies.
    #[must_use]
    pub fn under(mut self, policy: Option<Active>) -> Self {
        self.policy = policy.map_or_else(OnceLock::new, OnceLock::from);
        self
    }

    /// The recorder of a child that this process forked. Takes nothing along that another thread may hold.
    #[must_use]
    pub fn forked(&self, id: Uuid) -> Self {
        let mut description = self.description.of_forked_child(self.writer.process(), now());
        description.startup = self.startup().map(str::to_owned);
        let mut child =
            Self::new(self.writer.spool(), id, description, Arc::clone(&self.interest), self.privacy.clone())
                .under(self.policy.get().map(Active::forked));
        if let Some((top, reserve)) = &self.shared {
            child = child.for_users(top, *reserve);
        }
        if let Some(script) = self.script.try_lock().and_then(|script| script.clone()) {
            // It was decided on once, in the parent.
            child.set_script(Script { verdict: None, ..script });
        }
        child.has_tallies.store(self.has_tallies.load(Relaxed), Relaxed);
        self.hosts.hand_on(&child.hosts);
        child
    }

    /// Opens the first segment, so that the process is in the spool even if it does nothing.
    ///
    /// # Errors
    /// Why none could be made; the loss is counted.
    pub fn open(&self) -> Result<(), Loss> {
        self.writer.open(now()).inspect_err(|reason| self.writer.count_loss(*reason))?;
        self.note_policies();
        Ok(())
    }

    /// Keeps what was found of the hooks that ran before the program, for all processes that find the same.
    pub fn keep_startup(&self, look: &Look) {
        if let Some(name) = self.startup() {
            inventory::keep(look, name, self.writer.spool(), self.privacy.as_deref(), now());
        }
    }

    /// Keeps the same where it is found only after recording began, and notes it.
    pub fn found_startup(&self, look: &Look) {
        let name = look.name();
        let payload = encoded(&name);
        if self.startup.set(name).is_ok() {
            self.keep_startup(look);
            self.writer.append_to_each(Head { kind: Kind::Startup, flags: 0, time: now() }, payload);
        }
    }

    /// The file with the inventory of what ran before the program.
    #[must_use]
    pub fn startup(&self) -> Option<&str> {
        self.description.startup.as_deref().or_else(|| self.startup.get().map(String::as_str))
    }

    /// Whether homes and accounts are stored under pseudonyms.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.privacy.is_some()
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
    fn set_script(&self, script: Script) {
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

    /// Notes that segments were removed from a spool.
    pub fn evicted(&self, eviction: &Eviction<'_>) {
        let draft = Draft {
            target: Some(Cow::Borrowed(eviction.folder)),
            detail: Some(Cow::Borrowed(eviction.reason.as_bytes())),
            size: Some(eviction.bytes),
            ..Draft::default()
        };
        let place = self.store(Kind::Evict, &draft, eviction.first);
        if let (Some(place), Some(segment)) = (place, self.writer.current()) {
            (1..eviction.files).for_each(|_| _ = segment.repeat(place, eviction.last));
        }
    }

    /// Where the absolute `path` leads, without symlinks.
    #[must_use]
    pub fn real_path(&self, path: &[u8]) -> Vec<u8> {
        self.links.resolve(path, true, now_coarse()).path.into_owned()
    }

    /// Whether `host` was found to be at `address`.
    #[must_use]
    pub fn is_at(&self, host: &str, address: std::net::IpAddr) -> bool {
        self.hosts.is_at(host, address)
    }

    /// The name that was found to be at `address` last.
    #[must_use]
    pub fn name_at(&self, address: std::net::IpAddr) -> Option<String> {
        self.hosts.name_at(address)
    }

    /// Notes that `thread` found `host` to be at `addresses`.
    pub fn answered(&self, thread: u64, host: &str, addresses: &[std::net::IpAddr]) {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.hosts.answered(thread, &host, addresses);
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
        draft().is_some_and(|draft| self.store_first(kind, key, &draft, Source::Audit))
    }

    /// Stores `draft`, and counts the repeats of `key` there. Returns whether it was.
    fn store_first(&self, kind: Kind, key: u64, draft: &Draft<'_>, source: Source) -> bool {
        let current = self.writer.current();
        let head = Head { kind, flags: self.flags(kind, source), time: now() };
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

    /// What a reader has to know of a record before it reads it.
    fn flags(&self, kind: Kind, source: Source) -> u16 {
        let is_tallied = self.has_tallies.load(Relaxed) && kind.has_answer();
        let native = if source == Source::Native { NATIVE } else { 0 };
        if is_tallied { native | TALLIED } else { native }
    }

    /// Makes records of operations that the system answers have tallies from now on: native code will tell.
    pub fn begin_tallies(&self) {
        self.has_tallies.store(true, Relaxed);
    }

    /// Adds to the tally of the record that stands for `key`. Returns false where that is in an earlier segment.
    pub fn tally(&self, key: u64, change: &Change) -> bool {
        self.writer
            .current()
            .is_some_and(|segment| segment.lookup(key).map(|place| segment.tally(place, change)).is_some())
    }

    /// Counts `change` of what was opened in an earlier segment or by a parent, in a record of its own. Returns the key
    /// of that; 0 where none could be stored.
    pub fn transfer(&self, target: &Target<'_>, change: &Change) -> u64 {
        let mut draft = Draft::default();
        let host = match target {
            Target::Endpoint { address, port, .. } => {
                (draft.address, draft.port) = (*address, *port);
                address.and_then(|address| self.hosts.name_at(address))
            }
            Target::Path { path, .. } | Target::Socket(path) => {
                draft.target = Some(Cow::Borrowed(&*path.given));
                None
            }
            _ => return 0,
        };
        draft.host = host.as_deref().map(Cow::Borrowed);
        let address = draft.address.map(|address| address.to_string()).unwrap_or_default();
        let texts = [draft.target.as_deref().unwrap_or_default(), address.as_bytes()];
        let key = self.key_with(Kind::Transfer, draft.port.unwrap_or(0), 0, texts);
        if !self.has_repeated(key) && !self.store_first(Kind::Transfer, key, &draft, Source::Native) {
            return 0;
        }
        self.tally(key, change);
        key
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
