//! What a spool says of its processes, put together of their segments in one pass on a few threads.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

use super::fault::Fault;
use super::format::{Identity, Loss};
use super::listed::{listing_file, read_listing};
use super::place::{Owner, list, parent_of};
use super::reader::{Loader, SegmentFile};
use super::records::Keeps;
use crate::event::Kind;
use crate::filter::Filter;
use crate::parallel::in_parallel;
use crate::process::{Description, Script};
use crate::startup::{Inventory, inventory};

/// A library directory, and what is installed there.
#[derive(Clone, Debug)]
pub struct Installed {
    pub directory: Vec<u8>,
    /// The file of the spool that says it, of all processes that found the same.
    pub file: PathBuf,
    /// The `name-version` of each distribution.
    pub names: Arc<Vec<String>>,
}

/// A process as its segments tell of it.
#[derive(Clone, Debug)]
pub struct ProcessSummary {
    pub id: Uuid,
    pub pid: u32,
    pub description: Description,
    pub script: Option<Script>,
    /// Nanoseconds since 1970; `None` where the process did not end in the usual way, or still runs.
    pub ended: Option<u64>,
    pub status: Option<i32>,
    /// The time of its last record.
    pub last_seen: u64,
    pub lost: Vec<(Loss, u64)>,
    pub segments: u32,
    /// Records, strings left out.
    pub records: u64,
    /// The library directories from which something was loaded.
    pub distributions: Vec<Installed>,
    /// The directory of its first file, in which lies what it refers to.
    pub folder: PathBuf,
    /// Whom its first file belongs to.
    pub owner_uid: Option<u32>,
    /// It says to be of another user than its files, or two users say to be this process.
    pub is_forged: bool,
    /// It began as a user that may become another.
    may_change_user: bool,
}

/// The hooks that interpreters of an environment found when they started.
#[derive(Debug)]
pub struct StartupFile {
    /// What processes refer to it by.
    pub path: PathBuf,
    /// When the first of them started, nanoseconds since 1970.
    pub created: u64,
    pub inventory: Inventory,
}

/// What a spool says of its processes, and of what ran before them.
#[derive(Debug)]
pub struct Summary {
    /// In the order they started.
    pub processes: Vec<ProcessSummary>,
    pub startups: Vec<StartupFile>,
    /// What could not be read.
    pub faults: Vec<Fault>,
    /// What could not be read of the inventories.
    pub startup_faults: Vec<Fault>,
}

impl Summary {
    /// Reads the segments of `spool` that `filter` can ask for.
    ///
    /// # Errors
    /// The directory cannot be listed.
    pub fn read(spool: &Path, filter: &Filter) -> io::Result<Self> {
        let (paths, mut faults) = list(spool, filter)?;
        let (mut found, mut startups, mut startup_faults) = (Found::default(), Vec::new(), Vec::new());
        for (path, part) in paths.iter().zip(in_parallel(&paths, |loader, path| Part::read(loader, path))) {
            match part {
                Ok(Part::Process(part)) => found.add(*part, &mut faults),
                Ok(Part::Shared(created, inventory, damage)) => {
                    startup_faults.extend(damage);
                    let path = path.clone();
                    startups.extend(inventory.map(|inventory| StartupFile { path, created, inventory }));
                }
                Err(fault) => faults.push(fault),
            }
        }
        let mut processes = found.processes;
        mark_doubles(&mut processes);
        join_parents(&mut processes);
        processes.retain(|process| filter.matches_process(process.id, process.pid, process.description.run));
        Ok(Self { processes, startups, faults, startup_faults })
    }
}

/// Everything that a spool says of its processes, in the order they started, and what could not be read.
///
/// # Errors
/// The directory cannot be listed.
pub fn read_processes(spool: &Path, filter: &Filter) -> io::Result<(Vec<ProcessSummary>, Vec<Fault>)> {
    Summary::read(spool, filter).map(|summary| (summary.processes, summary.faults))
}

/// What one file says.
enum Part {
    Process(Box<ProcessPart>),
    /// What is of no process: the inventory in it, when it was made, and what is wrong with that.
    Shared(u64, Option<Inventory>, Vec<Fault>),
}

/// What one segment says of its process.
struct ProcessPart {
    identity: Identity,
    owner: Option<Owner>,
    folder: PathBuf,
    description: Option<Description>,
    script: Option<Script>,
    ended: Option<u64>,
    status: Option<i32>,
    lost: Vec<(Loss, u64)>,
    records: u64,
    last_seen: u64,
    startup: Option<String>,
    /// Library directories, and the files that say what was installed there.
    listings: Vec<(Vec<u8>, PathBuf)>,
    faults: Vec<Fault>,
}

impl Part {
    fn read(loader: &mut Loader, path: &Path) -> Result<Self, Fault> {
        let segment = loader.load(path)?;
        let part = Self::of(&segment, path);
        loader.take_back(segment);
        Ok(part)
    }

    fn of(segment: &SegmentFile, path: &Path) -> Self {
        if !segment.identity.process.is_nil() {
            return Self::Process(Box::new(ProcessPart::of(segment)));
        }
        let created = segment.identity.created;
        if !inventory::is_called_so(path) {
            return Self::Shared(created, None, Vec::new());
        }
        let damage = segment.records().filter_map(Result::err).collect();
        Self::Shared(created, inventory::read(segment), damage)
    }
}

impl ProcessPart {
    fn of(segment: &SegmentFile) -> Self {
        let (description, script) = segment.description();
        let losses = Loss::ALL.into_iter().map(|reason| (reason, segment.lost(reason)));
        let mut part = Self {
            identity: segment.identity,
            owner: segment.owner,
            folder: parent_of(&segment.path).to_owned(),
            description,
            script,
            ended: segment.ended(),
            status: segment.status(),
            lost: losses.filter(|(_, count)| *count > 0).collect(),
            records: 0,
            last_seen: 0,
            startup: None,
            listings: Vec::new(),
            faults: Vec::new(),
        };
        part.read_records(segment);
        part
    }

    fn read_records(&mut self, segment: &SegmentFile) {
        let mut records = segment.records().keeping(Keeps::Texts);
        while let Some(item) = records.next() {
            match item {
                Ok(raw) if raw.kind == Kind::Text as u16 => {}
                Ok(raw) => {
                    // Those that help to read others are none of what a process left.
                    self.records += u64::from(Kind::from_number(raw.kind).is_none_or(Kind::is_event));
                    self.last_seen = self.last_seen.max(raw.last_time);
                    if raw.kind == Kind::Startup as u16 && self.startup.is_none() {
                        self.startup = rmp_serde::from_slice(raw.payload).ok();
                    } else if raw.kind == Kind::Distributions as u16
                        && let Ok(view) = records.view(&raw)
                    {
                        self.listings.extend(listing_file(&view, &self.folder));
                    }
                }
                Err(fault) => self.faults.push(fault),
            }
        }
    }
}

/// Two owners cannot both be the same process: one of them took the other's id. What gave up root's rights and went
/// on is not told apart.
fn mark_doubles(found: &mut [ProcessSummary]) {
    found.sort_by_key(|process| process.id); // files may be called as they are not
    for same in found.chunk_by_mut(|one, other| one.id == other.id) {
        let owner = same.first().and_then(|process| process.owner_uid);
        if same.iter().any(|process| process.owner_uid != owner) {
            same.iter_mut().for_each(|process| process.is_forged = true);
        }
    }
}

/// Corrects each process's parent by what the kernel said of it, where the parent is in the spool too.
///
/// The environment names the nearest recorded ancestor, but a program may hand its child a copy that is older
/// than itself (`env=os.environ.copy()`), or none.
fn join_parents(found: &mut [ProcessSummary]) {
    type Key = (String, u64, u32, u64);
    let key = |of: &Description, pid, ticks| -> Key { (of.boot.clone(), of.pid_namespace, pid, ticks) };
    let mut by_key: HashMap<Key, Vec<(u64, Uuid)>> = HashMap::new();
    for process in found.iter() {
        let of = &process.description;
        by_key.entry(key(of, of.pid, of.started_ticks)).or_default().push((of.started, process.id));
    }
    for process in found.iter_mut().filter(|process| !process.description.forked) {
        let of = &process.description;
        // The last program that had this pid when the process began: itself before an exec, or its parent.
        let latest = |pid, ticks| {
            let candidates = by_key.get(&key(of, pid, ticks))?;
            let earlier =
                candidates.iter().filter(|(started, id)| *started <= of.started && *id != process.id);
            earlier.max_by_key(|(started, _)| *started).map(|(_, id)| *id)
        };
        let parent =
            latest(of.pid, of.started_ticks).or_else(|| latest(of.parent_pid, of.parent_started_ticks));
        if of.started_ticks != 0 && parent.is_some() {
            process.description.parent = parent;
        }
    }
}

/// Processes put together of their segments. The same id in two users' directories is two of them.
#[derive(Default)]
struct Found {
    processes: Vec<ProcessSummary>,
    /// Where those of the last id begin.
    latest: usize,
    /// Lists of distributions, by their files.
    listings: HashMap<PathBuf, Option<Arc<Vec<String>>>>,
}

impl Found {
    /// Adds a segment, which come sorted by process.
    fn add(&mut self, part: ProcessPart, faults: &mut Vec<Fault>) {
        let id = part.identity.process;
        if self.processes.last().is_none_or(|last| last.id != id) {
            self.latest = self.processes.len();
        }
        let owner_uid = part.owner.map(|owner| owner.uid);
        let may_go_on = |known: &ProcessSummary| known.owner_uid == owner_uid || known.may_change_user;
        let same = self.processes.iter().skip(self.latest).position(may_go_on);
        let index = same.map_or(self.processes.len(), |position| self.latest + position);
        if same.is_none() {
            self.processes.push(ProcessSummary::of(&part));
        }
        let Some(process) = self.processes.get_mut(index) else { return };
        let claimed = part.description.as_ref().map(|description| description.uid);
        process.is_forged |= part.owner.zip(claimed).is_some_and(|(owner, claimed)| owner.disowns(claimed));
        faults.extend(part.faults);
        for (directory, file) in part.listings {
            if process.distributions.iter().any(|known| known.directory == directory) {
                continue;
            }
            let names = self.listings.entry(file.clone()).or_insert_with(|| {
                let names = read_listing(&file).map_err(|fault| faults.push(fault));
                names.ok().flatten().map(Arc::new)
            });
            let names = names.as_ref().map(Arc::clone);
            process.distributions.extend(names.map(|names| Installed { directory, file, names }));
        }
        process.script = process.script.take().or(part.script);
        process.ended = part.ended.or(process.ended);
        process.status = part.status.or(process.status);
        process.segments += 1;
        process.lost = part.lost;
        process.records += part.records;
        process.last_seen = process.last_seen.max(part.last_seen);
        if process.description.startup.is_none() {
            process.description.startup = part.startup;
        }
    }
}

impl ProcessSummary {
    /// A process of which nothing is known but the start of a segment.
    fn of(part: &ProcessPart) -> Self {
        Self {
            id: part.identity.process,
            pid: part.identity.pid,
            description: part.description.clone().unwrap_or_default(),
            script: None,
            ended: None,
            status: None,
            last_seen: part.identity.created,
            lost: Vec::new(),
            segments: 0,
            records: 0,
            distributions: Vec::new(),
            folder: part.folder.clone(),
            owner_uid: part.owner.map(|owner| owner.uid),
            is_forged: false,
            may_change_user: part.owner.is_some_and(|owner| owner.is_trusted()),
        }
    }

    /// The path of the file that lists the hooks which ran before its program.
    #[must_use]
    pub fn startup_file(&self) -> Option<PathBuf> {
        // The name comes from a file that anyone may have written: it must not lead out of its directory.
        let name = self.description.startup.as_ref().filter(|name| !name.contains('/'))?;
        Some(self.folder.join(name))
    }
}

/// The name and version in `name-version`, as directories of installed distributions are called; a name has no hyphen
/// there.
#[must_use]
pub fn name_and_version(entry: &str) -> (&str, &str) {
    let (name, version) = entry.split_once('-').unwrap_or((entry, ""));
    // An .egg-info directory may add the Python version.
    (name, version.split_once("-py").map_or(version, |(version, _)| version))
}
