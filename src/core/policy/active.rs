//! The policies that a process is under: opened when it starts, looked at again when they may have changed, and asked
//! for each event. No lock waits, no thread runs; what is replaced stays in memory, as another thread may be in it.

use std::collections::{HashMap, HashSet};
use std::fs::Metadata;
use std::hash::BuildHasher as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::{Duration, Instant};

use foldhash::fast::FixedState;
use parking_lot::{Mutex, MutexGuard};

use super::decide::WhoClasses;
use super::facts::{Facts, Who};
use super::field::Field;
use super::image::{Image, KINDS, Refusal};
use super::shown::Shown;
use crate::event::Kind;
use crate::verdict::{Action, Verdict};

/// How long a decision stands, in nanoseconds: until then a file may be swapped or a policy replaced unseen.
const VALID_NS: u64 = 1_000_000_000;
/// How often the files are looked at, at most.
const CHECKED_NS: u64 = 2_000_000_000;
/// Decisions that are remembered: a power of two.
const REMEMBERED: usize = 512;
/// Policies at the same time: a ruling's number has room for no more.
const MAX_SOURCES: usize = 127;
/// How long the program itself waits for another thread when it asks for a policy.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it asks meanwhile.
const GLANCE: Duration = Duration::from_micros(100);
/// Places that were warned of; beyond it each is warned of again.
const MAX_WARNED: usize = 10_000;

/// The policies of a process.
pub struct Active {
    /// Never freed: texts of its rules are handed out.
    loaded: Shown<Loaded>,
    /// By kind, which fields the rules look at: most events need to know no more of the policies.
    fields: [AtomicU32; KINDS],
    who: Mutex<Who>,
    surroundings: Surroundings,
    /// Changes where remembered decisions are worth nothing any more.
    generation: AtomicU64,
    /// When the files are looked at next.
    next_check: AtomicU64,
    decisions: Box<[Remembered]>,
    /// Answers to rules that ask for a justification, by the rule's name: `None` was refused.
    answers: Mutex<HashMap<Box<str>, Option<Arc<str>>>>,
    warned: Mutex<HashSet<u64>>,
    /// Policies that the program itself asked for, now or before: what it asks for again is there already.
    asked_for: Mutex<Vec<Arc<Image>>>,
}

/// What decisions need to know of where the process runs, fixed when it starts.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The home of the account, without symlinks.
    pub home: Option<Vec<u8>>,
    /// Where programs are looked for: `PATH`.
    pub search_path: Vec<u8>,
    /// The justification that the environment holds, for everything.
    pub justification: Option<String>,
    /// Nothing may start without the policies: their owner wants it so.
    pub is_closed: bool,
}

/// All policies at one time.
struct Loaded {
    /// Told from every other.
    serial: u64,
    sources: Vec<Arc<Source>>,
    /// By source, of the process.
    classes: Vec<WhoClasses>,
}

/// One compiled policy.
pub struct Source {
    pub path: PathBuf,
    stamp: Option<Stamp>,
    /// The program itself asked for it, and nothing looks at its file any more.
    asked: Option<Asked>,
    image: Result<Arc<Image>, Refusal>,
}

/// What the program said when it asked for a policy.
#[derive(Clone)]
struct Asked {
    ticket: Ticket,
    /// Why, for the rules of this policy that want a reason.
    justification: Option<Arc<str>>,
}

/// Stands for a policy that the program itself asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(pub u64);

impl Ticket {
    fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Relaxed) + 1)
    }
}

/// What tells that a file has been replaced: device, inode, size, time of change in seconds and nanoseconds.
type Stamp = (u64, u64, u64, i64, i64);

impl Source {
    fn open(path: &Path) -> Self {
        let (stamp, image) = (stamp(path), Image::open(path).map(Arc::new));
        Self { path: path.to_owned(), stamp, asked: None, image }
    }

    /// The word for its state, in records.
    #[must_use]
    pub fn state(&self) -> &'static str {
        self.image.as_ref().map_or_else(|refusal| refusal.name(), |_| "loaded")
    }

    /// What tells the policy from every other one.
    #[must_use]
    pub fn sha256(&self) -> Option<[u8; 32]> {
        self.image.as_ref().ok().map(|image| image.sha256())
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let of = |found: Metadata| (found.dev(), found.ino(), found.len(), found.ctime(), found.ctime_nsec());
    std::fs::metadata(path).ok().map(of)
}

/// A rule of one of the policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RuleId(u32);

/// Rules of one policy, at most; the rest of the number is the policy's.
const RULE_BITS: u32 = 24;

/// Beside a remembered ruling, whose numbers end before it: policies are fewer than 128.
const IS_KEPT: u64 = 1 << 63;

impl RuleId {
    fn new(source: usize, rule: u32) -> Self {
        Self((source as u32) << RULE_BITS | rule & ((1 << RULE_BITS) - 1))
    }

    fn parts(self) -> (usize, u32) {
        ((self.0 >> RULE_BITS) as usize, self.0 & ((1 << RULE_BITS) - 1))
    }
}

/// What was decided about an event: the rules that spoke. `None` and `None` is what no rule speaks of.
#[derive(Clone, Copy)]
pub struct Ruling {
    pub enforced: Option<RuleId>,
    pub shadow: Option<RuleId>,
    /// The policies that they are rules of, also where others are in force meanwhile.
    of: &'static Loaded,
}

impl Ruling {
    /// As a number that tells it from other rulings: 0 where no rule spoke.
    #[must_use]
    pub fn number(self) -> u64 {
        let number = |rule: Option<RuleId>| rule.map_or(0, |rule| u64::from(rule.0) + 1);
        number(self.enforced) << 32 | number(self.shadow)
    }

    fn from_number(number: u64, of: &'static Loaded) -> Self {
        let rule = |number: u64| (number as u32).checked_sub(1).map(RuleId);
        Self { enforced: rule(number >> 32), shadow: rule(number), of }
    }

    /// What `rule`, one of those that spoke, says.
    #[must_use]
    pub fn said(self, rule: RuleId) -> Option<Said<'static>> {
        self.of.said(rule)
    }

    /// Whether nothing more is to be done about an operation on which it was made: its repeats are counted.
    #[must_use]
    pub fn lets_pass(self) -> bool {
        let enforced = self.enforced.and_then(|rule| self.of.action(rule));
        enforced.is_none_or(|action| action <= Action::Warn)
    }

    /// As it is stored, of an operation that goes on.
    #[must_use]
    pub fn verdict(self) -> Option<Verdict<'static>> {
        let enforced = self.enforced.and_then(|rule| self.said(rule));
        let shadow = self.shadow.filter(|_| self.shadow != self.enforced).and_then(|rule| self.said(rule));
        if enforced.is_none() && shadow.is_none() {
            return None;
        }
        Some(Verdict {
            action: enforced.map_or(Action::Allow, |said| said.action),
            rule: enforced.map(|said| said.name),
            shadow: shadow.map(|said| (said.action, said.name)),
            ..Verdict::default()
        })
    }
}

/// What a rule says, as text. Empty where it says nothing.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    pub action: Action,
    /// As `policy/rule`.
    pub name: &'a str,
    pub message: &'a str,
    pub link: &'a str,
    pub owner: &'a str,
}

/// A decision, in three words that belong together only if the first is made of the others.
#[derive(Default)]
struct Remembered {
    check: AtomicU64,
    ruling: AtomicU64,
    until: AtomicU64,
}

impl Active {
    /// The policies in the compiled files `paths`, of a process that `who` runs.
    #[must_use]
    pub fn open(paths: &[PathBuf], who: Who, surroundings: Surroundings) -> Self {
        let sources = paths.iter().map(|path| Arc::new(Source::open(path))).collect();
        Self::with(sources, who, surroundings)
    }

    fn with(sources: Vec<Arc<Source>>, who: Who, surroundings: Surroundings) -> Self {
        let loaded = Loaded::leaked(sources, &who);
        Self {
            loaded: Shown::new(loaded),
            fields: std::array::from_fn(|kind| AtomicU32::new(loaded.fields(kind))),
            who: Mutex::new(who),
            surroundings,
            generation: AtomicU64::new(1),
            next_check: AtomicU64::new(0),
            decisions: (0..REMEMBERED).map(|_| Remembered::default()).collect(),
            answers: Mutex::default(),
            warned: Mutex::default(),
            asked_for: Mutex::default(),
        }
    }

    /// The same for a child that this process forked. Takes nothing along that another thread may hold.
    #[must_use]
    pub fn forked(&self) -> Self {
        let who = self.who.try_lock().map(|who| who.clone()).unwrap_or_default();
        Self::with(self.loaded().sources.clone(), who, self.surroundings.clone())
    }

    fn loaded(&self) -> &'static Loaded {
        self.loaded.get()
    }

    fn replace(&self, sources: Vec<Arc<Source>>, who: &Who) {
        let loaded = Loaded::leaked(sources, who);
        self.loaded.set(loaded);
        for (kind, fields) in self.fields.iter().enumerate() {
            fields.store(loaded.fields(kind), Relaxed);
        }
        self.forget_decisions();
    }

    /// The policies as they are now.
    #[must_use]
    pub fn sources(&self) -> &[Arc<Source>] {
        &self.loaded().sources
    }

    /// Where the process runs.
    #[must_use]
    pub fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// Whether nothing may start: a policy is missing that its owner wants to be there.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.surroundings.is_closed && self.sources().iter().any(|source| source.image.is_err())
    }

    /// Says who runs what from now on.
    pub fn set_who(&self, change: impl FnOnce(&mut Who)) {
        let Some(mut who) = self.who.try_lock() else { return };
        change(&mut who);
        self.replace(self.loaded().sources.clone(), &who);
    }

    /// Adds a policy that the program itself asks for, under the name `path`; `None` where there are too many.
    pub fn add(&self, path: PathBuf, image: Image, justification: Option<&str>) -> Option<Ticket> {
        let image = self.shared(image);
        let who = self.waited()?;
        let mut sources = self.loaded().sources.clone();
        if sources.len() >= MAX_SOURCES {
            return None;
        }
        let ticket = Ticket::next();
        let asked = Some(Asked { ticket, justification: justification.map(Arc::from) });
        sources.push(Arc::new(Source { path, stamp: None, asked, image: Ok(image) }));
        self.replace(sources, &who);
        Some(ticket)
    }

    /// Waits, as only the program itself may; by asking again, as whoever has to wake one that sleeps on a lock does
    /// so with thread-local state that is allocated.
    fn waited(&self) -> Option<MutexGuard<'_, Who>> {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.who.try_lock() {
                None if Instant::now() < end => std::thread::sleep(GLANCE),
                who => return who,
            }
        }
    }

    /// The same policy as it was asked for before: what was in force once stays in memory.
    fn shared(&self, image: Image) -> Arc<Image> {
        let Some(mut known) = self.asked_for.try_lock() else { return Arc::new(image) };
        if let Some(same) = known.iter().find(|known| known.sha256() == image.sha256()) {
            return Arc::clone(same);
        }
        let image = Arc::new(image);
        known.push(Arc::clone(&image));
        image
    }

    /// Takes away the policy that was added as `ticket`, and returns it.
    pub fn remove(&self, ticket: Ticket) -> Option<Arc<Source>> {
        let who = self.waited()?;
        let mut sources = self.loaded().sources.clone();
        let at = sources
            .iter()
            .position(|source| source.asked.as_ref().is_some_and(|asked| asked.ticket == ticket))?;
        let removed = sources.remove(at);
        self.replace(sources, &who);
        Some(removed)
    }

    /// What the rule called `name` says, as in `finance/hr`.
    #[must_use]
    pub fn rule_named(&self, name: &str) -> Option<Said<'_>> {
        let loaded = self.loaded();
        let rules = loaded.images().flat_map(|(at, image, _)| {
            (0..image.rule_count() as u32).map(move |number| RuleId::new(at, number))
        });
        rules.filter_map(|rule| loaded.said(rule)).find(|said| said.name == name)
    }

    /// Whether any rule is about events of `kind`.
    #[inline]
    #[must_use]
    pub fn concerns(&self, kind: Kind) -> bool {
        self.fields(kind) != 0
    }

    /// Whether a rule about events of `kind` looks at `field`.
    #[must_use]
    pub fn looks_at(&self, kind: Kind, field: Field) -> bool {
        self.fields(kind) & 1 << field as u32 != 0
    }

    #[inline]
    fn fields(&self, kind: Kind) -> u32 {
        self.fields.get(kind as usize).map_or(0, |fields| fields.load(Relaxed))
    }

    /// What all policies together say of an event.
    #[must_use]
    pub fn decide(&self, facts: &Facts<'_>) -> Ruling {
        let loaded = self.loaded();
        let mut ruling = Ruling { enforced: None, shadow: None, of: loaded };
        for (at, image, classes) in loaded.images() {
            let decision = image.decide(facts, classes);
            let stricter = |known: Option<RuleId>, rule: Option<u32>| {
                let new = rule.map(|rule| RuleId::new(at, rule));
                let action = |rule: Option<RuleId>| rule.and_then(|rule| loaded.action(rule));
                if known.is_none() || action(new) > action(known) { new } else { known }
            };
            ruling.enforced = stricter(ruling.enforced, decision.enforced);
            ruling.shadow = stricter(ruling.shadow, decision.shadow);
        }
        ruling
    }

    /// What was decided lately about the operation that `key` stands for, and whether it is recorded.
    #[must_use]
    pub fn remembered(&self, key: u64, now: u64) -> Option<(Ruling, bool)> {
        let (place, loaded) = (self.decisions.get(slot(key))?, self.loaded());
        let (ruling, until) = (place.ruling.load(Relaxed), place.until.load(Relaxed));
        let is_whole = place.check.load(Acquire) == self.check(loaded, key, ruling, until);
        let known = || (Ruling::from_number(ruling & !IS_KEPT, loaded), ruling & IS_KEPT != 0);
        (is_whole && now < until).then(known)
    }

    /// Remembers what was decided about it, for a second.
    pub fn remember(&self, key: u64, ruling: Ruling, is_kept: bool, now: u64) {
        let Some(place) = self.decisions.get(slot(key)) else { return };
        let kept = if is_kept { IS_KEPT } else { 0 };
        let (number, until) = (ruling.number() | kept, now.saturating_add(VALID_NS));
        place.ruling.store(number, Relaxed);
        place.until.store(until, Relaxed);
        place.check.store(self.check(ruling.of, key, number, until), Release);
    }

    fn check(&self, of: &Loaded, key: u64, ruling: u64, until: u64) -> u64 {
        let generation = self.generation.load(Relaxed).wrapping_add(of.serial.rotate_left(32));
        let mixed = (ruling.rotate_left(23) ^ until).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        key ^ mixed ^ generation.wrapping_mul(0xd1b5_4a32_d192_ed03)
    }

    /// Decides everything anew from now on: something has changed that decisions stand on.
    pub fn forget_decisions(&self) {
        self.generation.fetch_add(1, Relaxed);
    }

    /// Looks at the files, if that was some time ago, and takes what has replaced them. Returns what was found of
    /// those that changed. A file that is missing or broken now leaves the policy in force that was read before.
    pub fn refresh(&self, now: u64) -> Vec<(PathBuf, &'static str, Option<[u8; 32]>)> {
        let due = self.next_check.load(Relaxed);
        let next = now.saturating_add(CHECKED_NS);
        if now < due || self.next_check.compare_exchange(due, next, Relaxed, Relaxed).is_err() || due == 0 {
            return Vec::new(); // the first time is when they were opened
        }
        let loaded = self.loaded();
        let is_changed = |source: &Source| source.asked.is_none() && source.stamp != stamp(&source.path);
        if !loaded.sources.iter().any(|source| is_changed(source)) {
            return Vec::new();
        }
        let Some(who) = self.who.try_lock() else { return Vec::new() };
        let (mut found, mut sources) = (Vec::new(), Vec::new());
        for source in &loaded.sources {
            sources.push(if is_changed(source) { replaced(source, &mut found) } else { Arc::clone(source) });
        }
        self.replace(sources, &who);
        found
    }

    /// The justification that was given for `rule`, one of those that `ruling` is of, or the answer to it before.
    #[must_use]
    pub fn justification(&self, ruling: Ruling, rule: RuleId) -> Option<Option<Arc<str>>> {
        let source = ruling.of.sources.get(rule.parts().0)?;
        if let Some(given) = source.asked.as_ref().and_then(|asked| asked.justification.clone()) {
            return Some(Some(given));
        }
        if let Some(given) = &self.surroundings.justification {
            return Some(Some(Arc::from(given.as_str())));
        }
        self.answers.try_lock()?.get(ruling.said(rule)?.name).cloned()
    }

    /// Remembers the answer for the rule called `name`.
    pub fn answered(&self, name: &str, answer: Option<&str>) {
        if let Some(mut answers) = self.answers.try_lock() {
            answers.insert(name.into(), answer.map(Arc::from));
        }
    }

    /// Whether the person is to be told of the rule called `name` at the place that `place` stands for: once.
    #[must_use]
    pub fn is_to_be_told(&self, name: &str, place: u64) -> bool {
        let key = place ^ FixedState::default().hash_one(name);
        self.warned.try_lock().is_some_and(|mut warned| warned.len() >= MAX_WARNED || warned.insert(key))
    }
}

type Found = (PathBuf, &'static str, Option<[u8; 32]>);

/// What is in the place of `source` now; itself where that is no policy.
fn replaced(source: &Arc<Source>, found: &mut Vec<Found>) -> Arc<Source> {
    let new = Source::open(&source.path);
    let word = if new.image.is_ok() { "replaced" } else { new.state() };
    found.push((source.path.clone(), word, new.sha256()));
    match (&new.image, &source.image) {
        // Looked at again when the file changes again, and in force until then.
        (Err(_), Ok(image)) => Arc::new(Source { image: Ok(Arc::clone(image)), ..new }),
        _ => Arc::new(new),
    }
}

impl Loaded {
    /// What was in its place stays in memory: another thread may be deciding with it, and policies change rarely.
    fn leaked(sources: Vec<Arc<Source>>, who: &Who) -> &'static Self {
        let classes = sources.iter().map(|source| match &source.image {
            Ok(image) => image.classes_of(who),
            Err(_) => WhoClasses::default(),
        });
        static LAST: AtomicU64 = AtomicU64::new(0);
        let serial = LAST.fetch_add(1, Relaxed);
        Box::leak(Box::new(Self { serial, classes: classes.collect(), sources }))
    }

    fn images(&self) -> impl Iterator<Item = (usize, &Image, &WhoClasses)> {
        let both = self.sources.iter().zip(&self.classes).enumerate();
        both.filter_map(|(at, (source, classes))| Some((at, &**source.image.as_ref().ok()?, classes)))
    }

    fn fields(&self, kind: usize) -> u32 {
        self.images().fold(0, |all, (_, image, _)| all | image.fields(kind))
    }

    fn action(&self, rule: RuleId) -> Option<Action> {
        let (at, number) = rule.parts();
        self.sources.get(at)?.image.as_ref().ok()?.action(number)
    }

    fn said(&self, rule: RuleId) -> Option<Said<'_>> {
        let (at, number) = rule.parts();
        let image = self.sources.get(at)?.image.as_ref().ok()?;
        let rule = image.rule(number)?;
        let text = |place| image.text(place);
        Some(Said {
            action: rule.action,
            name: text(rule.name),
            message: text(rule.message),
            link: text(rule.link),
            owner: text(rule.owner),
        })
    }
}

fn slot(key: u64) -> usize {
    (key ^ key >> 32) as usize & (REMEMBERED - 1)
}
