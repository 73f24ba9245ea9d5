//! A spool as it grows, for a person who watches it: everything is counted, only the newest is shown.
//!
//! A segment that may still grow is read again at each look, as repeats are counted in place. What was there before
//! the first look is read in between, the newest first, as far as the time for a look allows.

mod counts;
mod newest;

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use uuid::Uuid;

pub use counts::{Amount, Counts, Effect, Said, Spoken, Traffic};
pub use newest::Wanted;

use self::counts::Counters;
use self::newest::{Chosen, Newest};
use super::fault::{Fault, FaultKind};
use super::format::Loss;
use super::place::{Owner, list};
use super::reader::SegmentFile;
use super::records::{Raw, Records};
use super::seal::{Life, life_on_this_machine};
use crate::columns::walk::with_description;
use crate::event::Kind;
use crate::filter::Filter;
use crate::process::{Description, Script};
use crate::record::View;

/// A process's number in a [`Live`]. Two that say to have the same id, of different users, have two.
pub type Key = u32;

/// How long a segment rests after nothing came, first and at most; the latter also for one of which nobody knows
/// whether its process runs.
const SHORTEST_REST: Duration = Duration::from_millis(50);
const LONGEST_REST: Duration = Duration::from_millis(800);
const LONGEST_REST_UNKNOWN: Duration = Duration::from_secs(10);
/// Listing the spool may take this part of the time.
const LISTING_SHARE: u32 = 8;

/// A process as it is now.
#[derive(Clone, Debug)]
pub struct LiveProcess {
    pub key: Key,
    pub id: Uuid,
    pub pid: u32,
    pub description: Description,
    pub script: Option<Script>,
    pub life: Life,
    /// Nanoseconds since 1970; `None` where the process runs, or did not end in the usual way.
    pub ended: Option<u64>,
    pub status: Option<i32>,
    pub lost: Vec<(Loss, u64)>,
    pub owner_uid: Option<u32>,
    pub is_forged: bool,
}

/// What came since the last look.
#[derive(Debug)]
pub struct Look<T> {
    /// Those that are new, or of which something else is known now.
    pub processes: Vec<LiveProcess>,
    pub counts: Counts,
    /// Records worth showing, also those that were shown with another count.
    pub newest: Vec<T>,
    pub faults: Vec<Fault>,
    /// Files of the spool, and how many of them are still to be read.
    pub files: usize,
    pub waiting: usize,
}

/// Follows a spool.
#[derive(Debug)]
pub struct Live {
    spool: PathBuf,
    files: HashMap<PathBuf, Followed>,
    /// What was there before the first look; the last is read next.
    backlog: Vec<PathBuf>,
    processes: HashMap<Uuid, Vec<Known>>,
    next_key: Key,
    newest: Newest,
    unlisted: Vec<Fault>,
    listed: Option<(Instant, Duration)>,
}

#[derive(Debug)]
struct Followed {
    state: State,
    /// A later segment of the same process is there.
    has_newer: bool,
}

#[derive(Debug)]
enum State {
    /// In the backlog.
    Waiting,
    Open(Open),
    Closed,
}

#[derive(Debug)]
struct Open {
    /// By the offset of the record.
    seen: HashMap<u32, Counters, foldhash::fast::FixedState>,
    due: Instant,
    rest: Duration,
    /// Its process was gone, or wrote elsewhere, when it was last read: what is there now is all.
    is_last: bool,
    is_history: bool,
}

impl Open {
    fn new(now: Instant, is_history: bool) -> Self {
        Self { seen: HashMap::default(), due: now, rest: SHORTEST_REST, is_last: false, is_history }
    }
}

/// What was told of a process.
#[derive(Debug)]
struct Known {
    key: Key,
    owner: Option<Owner>,
    /// Number of the last segment, whose header is believed.
    number: u32,
    told: Option<Told>,
}

type Told = (Life, Option<u64>, Option<i32>, u64, bool);

impl Live {
    /// Starts with what is there.
    #[must_use]
    pub fn new(spool: &Path) -> Self {
        Self {
            spool: spool.to_owned(),
            files: HashMap::new(),
            backlog: Vec::new(),
            processes: HashMap::new(),
            next_key: 0,
            newest: Newest::new(),
            unlisted: Vec::new(),
            listed: None,
        }
    }

    /// From now on also the newest records are shown that `wanted` asks for.
    pub fn ask(&mut self, wanted: Wanted) {
        self.newest.ask(wanted);
    }

    /// Reads what came since the last call, for about as long as `budget`. `keep` makes of a record what is shown.
    ///
    /// # Errors
    /// The directory cannot be listed. What was counted stays counted; it may come back.
    pub fn look<T>(
        &mut self,
        budget: Duration,
        mut keep: impl FnMut(Key, &SegmentFile, &View<'_>) -> T,
    ) -> io::Result<Look<T>> {
        let began = Instant::now();
        let mut look = Look {
            processes: Vec::new(),
            counts: Counts::default(),
            newest: Vec::new(),
            faults: Vec::new(),
            files: 0,
            waiting: 0,
        };
        self.list(&mut look.faults)?;
        for path in self.due(began) {
            self.read(&path, &mut look, &mut keep);
            if began.elapsed() > budget {
                break;
            }
        }
        while began.elapsed() < budget
            && let Some(path) = self.backlog.pop()
        {
            self.read(&path, &mut look, &mut keep);
        }
        look.files = self.files.len();
        look.waiting = self.backlog.len();
        Ok(look)
    }

    /// Files that may have grown, those first that wait longest.
    fn due(&self, now: Instant) -> Vec<PathBuf> {
        let mut due: Vec<(Instant, &PathBuf)> = self
            .files
            .iter()
            .filter_map(|(path, followed)| match &followed.state {
                State::Open(open) if open.due <= now => Some((open.due, path)),
                _ => None,
            })
            .collect();
        due.sort_unstable();
        due.into_iter().map(|(_, path)| path.clone()).collect()
    }

    fn list(&mut self, faults: &mut Vec<Fault>) -> io::Result<()> {
        let began = Instant::now();
        if self.listed.is_some_and(|(when, took)| began < when + took * LISTING_SHARE) {
            return Ok(());
        }
        let (paths, unlisted) = list(&self.spool, &Filter::default())?;
        faults.extend(unlisted.iter().filter(|fault| !self.unlisted.contains(fault)).cloned());
        self.unlisted = unlisted;
        let is_first = self.listed.is_none();
        self.follow(paths, began, is_first);
        self.listed = Some((began, began.elapsed()));
        Ok(())
    }

    /// Follows `paths`, which are sorted, and forgets what is no longer there.
    fn follow(&mut self, paths: Vec<PathBuf>, now: Instant, is_first: bool) {
        let mut before = std::mem::take(&mut self.files);
        let mut ends = Vec::new();
        let nexts: Vec<bool> = paths
            .iter()
            .zip(paths.iter().skip(1))
            .map(|(path, next)| process_in(path).is_some_and(|process| process_in(next) == Some(process)))
            .chain([false])
            .collect();
        for (path, has_newer) in paths.into_iter().zip(nexts) {
            let state = match before.remove(&path) {
                Some(followed) => followed.state,
                None if is_first => {
                    (if has_newer { &mut self.backlog } else { &mut ends }).push(path.clone());
                    State::Waiting
                }
                None => State::Open(Open::new(now, false)),
            };
            self.files.insert(path, Followed { state, has_newer });
        }
        self.backlog.append(&mut ends); // the last of each process first: it tells most
        if before.values().any(|followed| matches!(followed.state, State::Waiting)) {
            self.backlog.retain(|path| self.files.contains_key(path));
        }
        if !before.is_empty() {
            let listed: HashSet<&[u8]> = self.files.keys().filter_map(|path| process_in(path)).collect();
            self.processes.retain(|id, _| listed.contains(id.as_simple().to_string().as_bytes()));
        }
    }

    fn read<T>(
        &mut self,
        path: &Path,
        look: &mut Look<T>,
        keep: &mut impl FnMut(Key, &SegmentFile, &View<'_>) -> T,
    ) {
        let now = Instant::now();
        let Some(followed) = self.files.get_mut(path) else { return };
        let has_newer = followed.has_newer;
        let mut open = match std::mem::replace(&mut followed.state, State::Closed) {
            State::Open(open) => open,
            State::Waiting => Open::new(now, true),
            State::Closed => return,
        };
        let segment = match SegmentFile::load(path) {
            Ok(segment) if segment.identity.process.is_nil() => return,
            Ok(segment) => segment,
            Err(fault) if fault.kind == FaultKind::Unbegun => {
                open.due = now + LONGEST_REST;
                followed.state = State::Open(open);
                return;
            }
            Err(_) if path.symlink_metadata().is_err() => return, // removed meanwhile
            Err(fault) => return look.faults.push(fault),
        };
        let life = life_on_this_machine(&segment);
        let is_closing = open.is_last || (open.is_history && has_newer);
        let has_grown = self.count(&segment, life, &mut open, is_closing, look, keep);
        if is_closing {
            return;
        }
        open.is_last = life == Life::Gone || has_newer;
        open.is_history = false;
        let longest = if life == Life::Unknown { LONGEST_REST_UNKNOWN } else { LONGEST_REST };
        open.rest = if has_grown { SHORTEST_REST } else { (open.rest * 2).min(longest) };
        open.due = if open.is_last { now } else { now + open.rest };
        if let Some(followed) = self.files.get_mut(path) {
            followed.state = State::Open(open);
        }
    }

    /// Counts what `segment` has more than `open` knows. Returns whether there is any.
    fn count<T>(
        &mut self,
        segment: &SegmentFile,
        life: Life,
        open: &mut Open,
        is_closing: bool,
        look: &mut Look<T>,
        keep: &mut impl FnMut(Key, &SegmentFile, &View<'_>) -> T,
    ) -> bool {
        let (description, script) = segment.description();
        let description = description.unwrap_or_default();
        let is_named = {
            let argv = description.argv.iter().map(|word| word.0.as_slice());
            let names = [description.user.as_bytes(), script.as_ref().map_or(&[][..], |it| &it.name.0)];
            self.newest.asked.names(argv.chain(names))
        };
        let key = self.tell(segment, life, description, script, &mut look.processes);
        let mut has_grown = false;
        let mut chosen = Chosen::default();
        let mut records = segment.records().live();
        while let Some(item) = records.next() {
            let raw = match item {
                Ok(raw) if is_event(&raw, segment) => raw,
                Err(fault) if is_closing => {
                    look.faults.push(fault);
                    continue;
                }
                _ => continue,
            };
            let now = Counters::of(&raw);
            let before = open.seen.get(&(raw.offset as u32)).copied();
            if before == Some(now) {
                continue;
            }
            if !is_closing {
                open.seen.insert(raw.offset as u32, now);
            }
            has_grown = true;
            let (grown, is_new) = (now.since(&before.unwrap_or_default()), before.is_none());
            let shown = show(&records, &raw, |view| {
                look.counts.add(key, view, &grown, is_new, open.is_history);
                self.newest.offer(&mut chosen, &raw, view, key, is_named, is_new);
            });
            if let (Err(fault), true) = (shown, is_new) {
                look.faults.push(fault);
            }
        }
        for raw in chosen.into_records() {
            let _ = show(&records, &raw, |view| look.newest.push(keep(key, segment, view)));
        }
        has_grown
    }

    /// The number of the segment's process, which is told of if something new is known.
    fn tell(
        &mut self,
        segment: &SegmentFile,
        life: Life,
        description: Description,
        script: Option<Script>,
        processes: &mut Vec<LiveProcess>,
    ) -> Key {
        let id = segment.identity.process;
        let known = self.processes.entry(id).or_default();
        let is_same = |known: &&mut Known| match (known.owner, segment.owner) {
            // Who is trusted to write for anyone may have given that up on the way.
            (Some(one), Some(other)) => one.uid == other.uid || one.is_trusted() || other.is_trusted(),
            _ => true,
        };
        let number = segment.identity.number;
        let found = match known.iter_mut().find(is_same) {
            Some(found) => found,
            None => {
                let key = self.next_key;
                self.next_key += 1;
                known.push(Known { key, owner: segment.owner, number, told: None });
                match known.last_mut() {
                    Some(found) => found,
                    None => return key, // never: it was just added
                }
            }
        };
        if number < found.number {
            return found.key;
        }
        found.number = number;
        let lost: Vec<_> = Loss::ALL.into_iter().map(|reason| (reason, segment.lost(reason))).collect();
        let total = lost.iter().map(|(_, count)| count).sum();
        let told = (life, segment.ended(), segment.status(), total, script.is_some());
        if found.told != Some(told) {
            found.told = Some(told);
            processes.push(LiveProcess {
                key: found.key,
                id,
                pid: segment.identity.pid,
                description,
                script,
                life,
                ended: segment.ended(),
                status: segment.status(),
                lost: lost.into_iter().filter(|(_, count)| *count > 0).collect(),
                owner_uid: segment.owner.map(|owner| owner.uid),
                is_forged: segment.is_forged(),
            });
        }
        found.key
    }
}

/// The process that the name of the file at `path` begins with.
fn process_in(path: &Path) -> Option<&[u8]> {
    path.file_name()?.as_encoded_bytes().get(..32)
}

/// Whether it is an event; what the process says of itself is one in its first segment.
fn is_event(raw: &Raw<'_>, segment: &SegmentFile) -> bool {
    match Kind::from_number(raw.kind) {
        Some(Kind::Process | Kind::Script) => segment.identity.number == 0,
        Some(kind) => kind.is_event(),
        None => true,
    }
}

fn show<'a>(records: &Records<'a>, raw: &Raw<'a>, each: impl FnOnce(&View<'_>)) -> Result<(), Fault> {
    let view = records.view(raw)?;
    if matches!(Kind::from_number(raw.kind), Some(Kind::Process | Kind::Script)) {
        with_description(view, raw.payload, each);
    } else {
        each(&view);
    }
    Ok(())
}
