//! What a policy would have said of everything that was recorded: the functions that decide while a program runs,
//! asked once more with what its records hold.
//!
//! Segments are decided on in parallel: each says at its start who ran what, and names the lists of what was installed
//! in the library directories that it imported from. What only the moment could know is in docs/policy.md.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use uuid::Uuid;

use super::decide::{Decision, WhoClasses};
use super::facts::{Facts, PathFact, Who};
use super::field::{ALL, Field};
use super::image::Image;
use super::message;
use super::observed::{Seen, facts};
use crate::columns::text_of;
use crate::distributions::{Distributions, normalised};
use crate::event::Kind;
use crate::filter::Filter;
use crate::interest::installed_root;
use crate::paths;
use crate::pipeline::events::file_of_uri;
use crate::process::{self, Description, Script};
use crate::record::View;
use crate::spool::fault::Fault;
use crate::spool::listed::listing_of;
use crate::spool::place::list;
use crate::spool::reader::SegmentFile;
use crate::spool::records::Raw;
use crate::text::{Bytes, Pieces};

/// What is asked of a replay.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// Spools, or single segments.
    pub spools: Vec<PathBuf>,
    /// Only the records that it asks for.
    pub filter: Filter,
    /// Whether each record that a rule speaks of is wanted, too.
    pub each: bool,
}

/// What a policy would have said.
#[derive(Debug, Default)]
pub struct Replayed {
    /// Everything that was looked at.
    pub all: Touched,
    pub records: u64,
    /// The time of the first and of the last record; 0 and 0 where there is none.
    pub times: (u64, u64),
    /// By rule, and whether it speaks only because observed rules were asked too.
    pub findings: BTreeMap<(u32, bool), Finding>,
    pub each: Vec<Spoken>,
    /// Processes of which it is not known which groups their account was in, where a rule wants to know it.
    pub without_groups: BTreeSet<Uuid>,
    pub faults: Vec<Fault>,
}

/// How much, and whose, it is.
#[derive(Clone, Debug, Default)]
pub struct Touched {
    pub events: u64,
    pub processes: BTreeSet<Uuid>,
    /// A `gnomon run`, or else the first process of those that descend from each other.
    pub runs: BTreeSet<Uuid>,
    pub scripts: BTreeSet<Arc<str>>,
    pub users: BTreeSet<Arc<str>>,
}

/// What one rule would have done.
#[derive(Clone, Debug, Default)]
pub struct Finding {
    pub touched: Touched,
    pub records: u64,
    pub scripts: BTreeMap<Arc<str>, Place>,
}

/// The first that a rule would have said to a script, and how often.
#[derive(Clone, Debug, Default)]
pub struct Place {
    pub events: u64,
    pub processes: BTreeSet<Uuid>,
    pub runs: BTreeSet<Uuid>,
    pub users: BTreeSet<Arc<str>>,
    pub first: Line,
}

/// Where in which file what happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    pub time: u64,
    pub file: Option<Vec<u8>>,
    pub line: Option<u32>,
    /// As in `reading /data/x.csv`.
    pub doing: String,
}

/// One record that rules speak of.
#[derive(Clone, Debug)]
pub struct Spoken {
    pub process: Uuid,
    pub seq: u64,
    pub kind: Kind,
    pub decision: Decision,
}

/// What `image` would have said of all that `question` is about, found out on `threads` threads.
///
/// # Errors
/// A spool cannot be listed.
pub fn replay(image: &Image, question: &Question, threads: usize) -> io::Result<Replayed> {
    let (mut paths, mut whole) = (Vec::new(), Part::default());
    for spool in &question.spools {
        let (listed, unlisted) = list(spool, &question.filter)?;
        paths.extend(listed);
        whole.found.faults.extend(unlisted);
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut part = Part::default();
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            part.add_file(image, question, path);
        }
        part
    };
    let parts: Vec<Part> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.clamp(1, 16)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).collect()
    });
    parts.into_iter().for_each(|part| whole.merge(part));
    Ok(whole.finish())
}

/// What one worker found, and which process came from which.
#[derive(Default)]
struct Part {
    found: Replayed,
    /// The run of a process, and the process that it descends from.
    origins: HashMap<Uuid, (Option<Uuid>, Option<Uuid>)>,
}

impl Part {
    fn add_file(&mut self, image: &Image, question: &Question, path: &Path) {
        let segment = match SegmentFile::load(path) {
            Ok(segment) => segment,
            Err(fault) => return self.found.faults.push(fault),
        };
        let identity = segment.identity;
        let description = segment.description().0.unwrap_or_default();
        let is_asked = question.filter.matches_process(identity.process, identity.pid, description.run);
        if identity.process.is_nil() || !is_asked {
            return;
        }
        self.origins.insert(identity.process, (description.run, description.parent));
        Replay::of(image, question, &segment, description, &mut self.found).run();
    }

    fn merge(&mut self, other: Self) {
        self.origins.extend(other.origins);
        let (own, other) = (&mut self.found, other.found);
        own.times = spanned(own.times, other.times);
        own.records += other.records;
        own.all.merge(other.all);
        own.each.extend(other.each);
        own.without_groups.extend(other.without_groups);
        own.faults.extend(other.faults);
        for (key, finding) in other.findings {
            own.findings.entry(key).or_default().merge(finding);
        }
    }

    /// Says which runs the processes belong to.
    fn finish(self) -> Replayed {
        let Self { mut found, origins } = self;
        let roots = |processes: &BTreeSet<Uuid>| -> BTreeSet<Uuid> {
            processes.iter().map(|process| root(&origins, *process)).collect()
        };
        found.all.runs = roots(&found.all.processes);
        for finding in found.findings.values_mut() {
            finding.touched.runs = roots(&finding.touched.processes);
            for place in finding.scripts.values_mut() {
                place.runs = roots(&place.processes);
            }
        }
        found.each.sort_unstable_by_key(|spoken| (spoken.process, spoken.seq));
        found.faults.sort_unstable_by(|one, other| (&one.path, one.offset).cmp(&(&other.path, other.offset)));
        found
    }
}

fn root(origins: &HashMap<Uuid, (Option<Uuid>, Option<Uuid>)>, process: Uuid) -> Uuid {
    let mut at = process;
    // What a file says may lead in a circle.
    for _ in 0..1000 {
        match origins.get(&at) {
            Some((Some(run), _)) => return *run,
            Some((None, Some(parent))) if origins.contains_key(parent) => at = *parent,
            _ => break,
        }
    }
    at
}

fn spanned(one: (u64, u64), other: (u64, u64)) -> (u64, u64) {
    match (one, other) {
        ((0, 0), known) | (known, (0, 0)) => known,
        _ => (one.0.min(other.0), one.1.max(other.1)),
    }
}

impl Touched {
    fn merge(&mut self, other: Self) {
        self.events += other.events;
        self.processes.extend(other.processes);
        self.scripts.extend(other.scripts);
        self.users.extend(other.users);
    }
}

impl Finding {
    fn merge(&mut self, other: Self) {
        self.touched.merge(other.touched);
        self.records += other.records;
        for (script, place) in other.scripts {
            match self.scripts.entry(script) {
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(place);
                }
                std::collections::btree_map::Entry::Occupied(mut entry) => entry.get_mut().merge(place),
            }
        }
    }
}

impl Place {
    fn merge(&mut self, other: Self) {
        self.events += other.events;
        self.processes.extend(other.processes);
        self.users.extend(other.users);
        if (other.first.time, &other.first.doing) < (self.first.time, &self.first.doing) {
            self.first = other.first;
        }
    }
}

/// The records of one segment, one after the other.
struct Replay<'a> {
    image: &'a Image,
    question: &'a Question,
    segment: &'a SegmentFile,
    description: Description,
    home: Option<Vec<u8>>,
    who: Who,
    classes: WhoClasses,
    script: Arc<str>,
    user: Arc<str>,
    distributions: Distributions,
    found: &'a mut Replayed,
}

impl<'a> Replay<'a> {
    fn of(
        image: &'a Image,
        question: &'a Question,
        segment: &'a SegmentFile,
        description: Description,
        found: &'a mut Replayed,
    ) -> Self {
        let who = Who::of_account(&description.user, description.uid, &description.groups);
        let user =
            if description.user.is_empty() { description.uid.to_string() } else { description.user.clone() };
        let mut replay = Self {
            image,
            question,
            segment,
            home: home(&description),
            classes: image.classes_of(&who),
            who,
            script: Arc::from(text_of(&description.executable)),
            user: Arc::from(user),
            distributions: Distributions::default(),
            found,
            description,
        };
        replay.note_groups();
        replay.learn_distributions();
        replay
    }

    fn note_groups(&mut self) {
        let is_wanted =
            Kind::ALL.into_iter().any(|kind| ALL.has(kind) && self.image.looks_at(kind, Field::Group));
        if is_wanted && self.description.groups.is_empty() {
            self.found.without_groups.insert(self.segment.identity.process);
        }
    }

    /// Takes what was installed from the spool, not from the disk as it is now.
    fn learn_distributions(&mut self) {
        if !self.image.looks_at(Kind::Import, Field::Distribution) {
            return;
        }
        let mut records = self.segment.records();
        while let Some(item) = records.next() {
            let Some(raw) = item.ok().filter(|raw| raw.kind == Kind::Distributions as u16) else { continue };
            let Ok(view) = records.view(&raw) else { continue };
            match listing_of(&view, self.segment.path.parent().unwrap_or(Path::new("."))) {
                Some(Ok((directory, names))) => self.distributions.learn(directory, names),
                Some(Err(fault)) => self.found.faults.push(fault),
                None => {}
            }
        }
    }

    fn run(mut self) {
        let mut records = self.segment.records();
        while let Some(item) = records.next() {
            let raw = match item {
                Ok(raw) => raw,
                Err(fault) => {
                    self.found.faults.push(fault);
                    continue;
                }
            };
            let Some(kind) = Kind::from_number(raw.kind).filter(|kind| kind.is_event()) else { continue };
            if kind == Kind::Script {
                self.starts(&raw);
                continue;
            }
            if !ALL.has(kind) || !self.is_asked(&raw) {
                continue;
            }
            self.count(&raw);
            if !self.image.concerns(kind) {
                continue;
            }
            match records.view(&raw) {
                Ok(view) => self.judge(kind, &view),
                Err(fault) => self.found.faults.push(fault),
            }
        }
    }

    fn is_asked(&self, raw: &Raw<'_>) -> bool {
        self.question.filter.since.is_none_or(|since| raw.last_time >= since)
    }

    fn count(&mut self, raw: &Raw<'_>) {
        self.found.records += 1;
        self.found.times = spanned(self.found.times, (raw.time, raw.last_time));
        let process = self.segment.identity.process;
        self.found.all.touch(u64::from(raw.count), process, &self.script, &self.user);
    }

    /// Says what the process runs from here on. A child goes on with what its parent runs, and each segment says it
    /// anew: none of these is a start.
    fn starts(&mut self, raw: &Raw<'_>) {
        let Ok(script) = rmp_serde::from_slice::<Script>(raw.payload) else { return };
        self.script = Arc::from(label(&script));
        let name = script.file.as_ref().unwrap_or(&script.name).0.clone();
        self.who.set_script(&script.as_resolved(), self.home.as_deref());
        self.classes = self.image.classes_of(&self.who);
        if self.segment.identity.number > 0 || self.description.forked || !self.is_asked(raw) {
            return;
        }
        self.count(raw);
        let decision = self.image.decide(&Facts::new(Kind::Script, raw.time), &self.classes);
        let target = Some(Pieces(&name, &[]));
        let seq = u64::from(self.segment.identity.number) << 32 | raw.offset as u64;
        let view = View { time: raw.time, count: raw.count, seq, target, ..View::default() };
        self.note(Kind::Script, &view, decision, &seen(&view));
    }

    fn judge(&mut self, kind: Kind, view: &View<'_>) {
        // Text that was compiled and not run is told of too late to be decided on.
        if kind == Kind::Code && view.detail.is_some_and(|how| *bytes(how) == *b"compile") {
            return;
        }
        let seen = seen(view);
        let mut facts = facts(kind, view.time, seen.clone(), self.home.as_deref());
        for fact in &mut facts.paths {
            if let Some(rest) = in_hidden_home(&fact.path) {
                fact.in_home = Some(Cow::Owned([b"~", rest].concat()));
            }
        }
        if kind == Kind::Database
            && let Some(first) = facts.paths.first().cloned()
            && let Some(file) = file_of_uri(&first.path)
        {
            let path = paths::absolute(&self.description.directory.0, &file).into_owned();
            facts.paths.push(PathFact { path: Cow::Owned(path), ..first });
        }
        if kind == Kind::Import && self.image.looks_at(kind, Field::Distribution) {
            let found = seen.destination.as_deref().and_then(|file| self.distribution(file));
            facts.distribution = found.map(|(name, version)| (name.into(), version.into()));
        }
        let decision = self.image.decide(&facts, &self.classes);
        self.note(kind, view, decision, &seen);
    }

    fn distribution(&mut self, file: &[u8]) -> Option<(String, String)> {
        let (root, path) = file.split_at_checked(installed_root(file)?)?;
        let name = self.distributions.owner(root, path.strip_prefix(b"/").unwrap_or(path)).to_owned();
        let version = self.distributions.version(root, &name).unwrap_or_default();
        Some((normalised(&name), version))
    }

    fn note(&mut self, kind: Kind, view: &View<'_>, decision: Decision, seen: &Seen<'_>) {
        let process = self.segment.identity.process;
        if decision == Decision::default() {
            return;
        }
        if self.question.each {
            self.found.each.push(Spoken { process, seq: view.seq, kind, decision });
        }
        let shadow = decision.shadow.filter(|rule| decision.enforced != Some(*rule));
        let both = [decision.enforced.map(|rule| (rule, false)), shadow.map(|rule| (rule, true))];
        for key in both.into_iter().flatten() {
            let finding = self.found.findings.entry(key).or_default();
            let events = u64::from(view.count);
            finding.records += 1;
            finding.touched.touch(events, process, &self.script, &self.user);
            let line = || Line {
                time: view.time,
                file: view.origin.file.map(|file| file.to_vec()),
                line: view.origin.line,
                doing: message::doing(kind, seen),
            };
            let place = match finding.scripts.get_mut(&self.script) {
                Some(place) => {
                    if view.time < place.first.time {
                        place.first = line();
                    }
                    place
                }
                None => finding
                    .scripts
                    .entry(Arc::clone(&self.script))
                    .or_insert_with(|| Place { first: line(), ..Place::default() }),
            };
            place.events += events;
            place.processes.insert(process);
            if !place.users.contains(&self.user) {
                place.users.insert(Arc::clone(&self.user));
            }
        }
    }
}

impl Touched {
    fn touch(&mut self, events: u64, process: Uuid, script: &Arc<str>, user: &Arc<str>) {
        self.events += events;
        self.processes.insert(process);
        if !self.scripts.contains(script) {
            self.scripts.insert(Arc::clone(script));
        }
        if !self.users.contains(user) {
            self.users.insert(Arc::clone(user));
        }
    }
}

/// The home of the account that ran the process, where that was on this machine. Elsewhere homes are known by where
/// they usually are.
fn home(description: &Description) -> Option<Vec<u8>> {
    use std::os::unix::ffi::OsStringExt as _;
    let is_here = !description.machine.is_empty() && description.machine == process::machine();
    let (_, home) = is_here.then(|| process::account(description.uid)).flatten()?;
    Some(std::fs::canonicalize(home).ok()?.into_os_string().into_vec())
}

/// What follows the home directory in a path where a pseudonym stands for that (`~1a2b3c4d/x`).
fn in_hidden_home(path: &[u8]) -> Option<&[u8]> {
    let rest = path.strip_prefix(b"~")?;
    let (pseudonym, below) = rest.split_at_checked(8)?;
    let is_pseudonym = pseudonym.iter().all(u8::is_ascii_hexdigit);
    (is_pseudonym && below.first().is_none_or(|byte| *byte == b'/')).then_some(below)
}

/// What a script goes by: its file, or as it would stand on Python's command line.
#[must_use]
pub fn label(script: &Script) -> String {
    let name = text_of(&script.name);
    match script.form.as_str() {
        "command" => format!("-c {name}"),
        "stdin" => "-".to_owned(),
        "interactive" => "-i".to_owned(),
        "module" => format!("-m {name}"),
        _ => script.file.as_ref().map_or(name, |file: &Bytes| text_of(file)),
    }
}

/// What rules see of a record.
fn seen<'a>(view: &View<'a>) -> Seen<'a> {
    let argv = view.argv.iter().flatten().map(|text| bytes(*text)).collect();
    Seen {
        access: view.access,
        target: view.target.map(bytes),
        destination: view.destination.map(bytes),
        requested: view.requested.map(bytes),
        host: view.host.map(text),
        address: view.address,
        port: view.port,
        argv,
        distribution: view.origin.distribution.map(text),
        via: view.origin.via.map(text),
    }
}

fn bytes<'a>(pieces: Pieces<'a>) -> Cow<'a, [u8]> {
    match pieces {
        Pieces(whole, []) | Pieces([], whole) => Cow::Borrowed(whole),
        both => Cow::Owned(both.to_vec()),
    }
}

fn text<'a>(pieces: Pieces<'a>) -> Cow<'a, str> {
    match bytes(pieces) {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_where_its_processes_come_from() {
        let id = Uuid::from_u128;
        let origins = HashMap::from([
            (id(1), (None, None)),
            (id(2), (None, Some(id(1)))),
            (id(3), (None, Some(id(2)))),
            (id(4), (Some(id(9)), Some(id(3)))),
            (id(5), (None, Some(id(77)))),
            (id(6), (None, Some(id(7)))),
            (id(7), (None, Some(id(6)))),
        ]);
        let found: Vec<u128> = (1..=5).map(|process| root(&origins, id(process)).as_u128()).collect();
        assert_eq!(found, [1, 1, 1, 9, 5]);
        root(&origins, id(6));
    }

    #[test]
    fn a_home_under_a_pseudonym_is_a_home() {
        assert_eq!(in_hidden_home(b"~1a2b3c4d/.ssh/id"), Some(&b"/.ssh/id"[..]));
        assert_eq!(in_hidden_home(b"~1a2b3c4d"), Some(&b""[..]));
        for other in [&b"/home/ann/x"[..], b"~ann/x", b"~1a2b3c4dx/y", b"~1a2b"] {
            assert_eq!(in_hidden_home(other), None);
        }
    }
}
