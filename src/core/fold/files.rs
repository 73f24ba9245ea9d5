//! What the runs of one script did with files.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{RecordBatch, StringArray};
use arrow_schema::ArrowError;

use super::paths::{NONE, Paths, Share};
use super::rows::{Columns, classes_schema, counts_schema, files_schema, reads_schema};
use super::{Batches, Classes, Question};
use crate::event::{Access, Kind};
use crate::record::View;
use crate::text::Pieces;

/// Rows of a batch, at most.
const BATCH_ROWS: usize = 16 * 1024;

/// What is summed up of a file's uses: its place among the sums.
#[derive(Clone, Copy, Debug)]
enum Sum {
    Reads,
    Writes,
    Deletes,
    Renames,
    Changes,
    Failed,
    Denied,
    BytesRead,
    BytesWritten,
}

impl Sum {
    const ALL: [Self; 9] = [
        Self::Reads,
        Self::Writes,
        Self::Deletes,
        Self::Renames,
        Self::Changes,
        Self::Failed,
        Self::Denied,
        Self::BytesRead,
        Self::BytesWritten,
    ];
}

/// What one actor did with one file.
#[derive(Clone, Debug)]
struct Use {
    actor: i32,
    path: u32,
    /// The use of the same file by the actor before.
    previous: u32,
    runs: u32,
    last_process: u32,
    first_process: u32,
    seq: u64,
    first: u64,
    last: u64,
    sums: [i64; Sum::ALL.len()],
    /// Which of the sums anything was said of.
    told: u16,
}

impl Use {
    fn add(&mut self, sum: Sum, value: i64) {
        self.told |= 1 << sum as u16;
        if let Some(known) = self.sums.get_mut(sum as usize) {
            *known = known.saturating_add(value);
        }
    }

    fn get(&self, sum: Sum) -> Option<i64> {
        let is_told = self.told >> (sum as u16) & 1 != 0;
        self.sums.get(sum as usize).copied().filter(|_| is_told)
    }

    fn has(&self, sum: Sum) -> bool {
        self.get(sum).is_some_and(|value| value > 0)
    }

    /// How much it was used.
    fn weight(&self) -> i64 {
        [Sum::Reads, Sum::Writes, Sum::Deletes].into_iter().filter_map(|sum| self.get(sum)).sum()
    }
}

/// What one run read of a file that belongs to a class.
#[derive(Clone, Debug)]
struct Read {
    process: u32,
    path: u32,
    reads: i64,
    bytes: Option<i64>,
    first: u64,
    last: u64,
    seq: u64,
}

/// A record's part of what is summed up.
struct Act<'a> {
    view: &'a View<'a>,
    count: i64,
    failed: Option<i64>,
    is_denied: bool,
}

impl Act<'_> {
    /// How many were neither denied nor failed.
    fn done(&self) -> i64 {
        if self.is_denied { 0 } else { self.count - self.failed.unwrap_or(0) }
    }
}

/// The run that is folded.
#[derive(Clone, Copy, Debug)]
struct Current {
    process: u32,
    actor: Option<i32>,
    script: u32,
}

/// Files of one script, or a share of them.
pub struct Files<'q> {
    question: &'q Question,
    /// A copy of the question's: expressions remember what they met, and each thread shall have that to itself.
    classes_of: Classes,
    paths: Paths,
    uses: Vec<Use>,
    reads: Vec<Read>,
    /// The reads of the run that is folded, by path.
    reads_of: HashMap<u32, usize>,
    /// The classes of those paths that belong to any.
    classes: Vec<(u32, u32)>,
    current: Current,
    scratch: String,
    found: Vec<u32>,
}

impl<'q> Files<'q> {
    pub fn new(question: &'q Question) -> Self {
        Self {
            question,
            classes_of: question.classes.clone(),
            paths: Paths::new(),
            uses: Vec::new(),
            reads: Vec::new(),
            reads_of: HashMap::new(),
            classes: Vec::new(),
            current: Current { process: 0, actor: None, script: NONE },
            scratch: String::new(),
            found: Vec::new(),
        }
    }

    /// Forgets all of them, but not the room that they took: another script comes, or another share.
    pub fn begin(&mut self, share: Share) {
        self.paths.begin(share);
        self.uses.clear();
        self.reads.clear();
        self.reads_of.clear();
        self.classes.clear();
        self.current = Current { process: 0, actor: None, script: NONE };
    }

    /// What comes from here on is of `process`, a run of `actor`, whose script is in the file `script`.
    pub fn begin_process(&mut self, process: u32, actor: Option<i32>, script: Option<&str>) {
        let script = script.and_then(|path| self.paths.of_text(path)).map_or(NONE, |found| self.met(found));
        self.current = Current { process, actor, script };
        self.reads_of.clear();
    }

    /// What comes from here on stands in another segment.
    pub fn begin_segment(&mut self) {
        self.paths.begin_segment();
    }

    /// Counts a record of `kind`.
    pub fn add(&mut self, kind: Kind, view: &View<'_>) {
        let is_link = matches!(kind, Kind::Link | Kind::Symlink);
        let path = match view.destination.filter(|_| is_link).or(view.target) {
            Some(path) => self.number(path),
            None => self.endpoint(view),
        };
        let failed = view.told().map(|_| i64::from(view.tally.unwrap_or_default().failed));
        let is_denied = view.verdict.is_some_and(|verdict| verdict.is_stopped);
        let act = Act { view, count: view.count.into(), failed, is_denied };
        if let Some(path) = path {
            self.add_use(kind, path, &act);
            self.add_read(kind, path, &act);
        }
        if matches!(kind, Kind::Rename | Kind::Copy)
            && let Some(made) = view.destination.and_then(|destination| self.number(destination))
            && let Some(made) = self.touch(made, &act)
        {
            made.add(Sum::Writes, act.done());
        }
    }

    /// The number of a path; `None` for one of another share.
    fn number(&mut self, path: Pieces<'_>) -> Option<u32> {
        let found = self.paths.number(path)?;
        Some(self.met(found))
    }

    /// The same where the record names something else, or nothing.
    fn endpoint(&mut self, view: &View<'_>) -> Option<u32> {
        let mut target = String::new();
        if view.push_target_to(&mut target) {
            self.number(Pieces(target.as_bytes(), &[]))
        } else {
            self.paths.nowhere()
        }
    }

    /// Looks at a path that is new.
    fn met(&mut self, (number, is_new): (u32, bool)) -> u32 {
        if is_new {
            let (directory, name) = self.paths.text(number);
            self.scratch.clear();
            self.scratch.push_str(directory);
            self.scratch.push_str(name);
            self.found.clear();
            self.classes_of.find(&self.scratch, &mut self.found);
            let has_ending = self.question.endings.iter().any(|ending| name.ends_with(ending.as_str()));
            if let Some(path) = self.paths.get_mut(number) {
                path.is_classed = !self.found.is_empty();
                path.is_notable = path.is_classed || has_ending;
            }
            self.classes.extend(self.found.iter().map(|class| (number, *class)));
        }
        number
    }

    fn add_use(&mut self, kind: Kind, path: u32, act: &Act<'_>) {
        let access = act.view.access;
        let is_own = path == self.current.script && kind == Kind::Open && access.0 & 15 == Access::READ.0;
        if is_own {
            return;
        }
        let bytes = act.view.tally.map(|tally| (tally.bytes_in, tally.bytes_out)).unwrap_or_default();
        let Some(found) = self.touch(path, act) else { return };
        let done = act.done();
        match kind {
            Kind::Open => {
                if access.has(Access::READ) {
                    found.add(Sum::Reads, done);
                }
                if access.changes() {
                    found.add(Sum::Writes, done);
                }
            }
            Kind::Copy | Kind::Map => found.add(Sum::Reads, done),
            Kind::Database => {
                found.add(Sum::Reads, done);
                // SQLite opens for both; that it wrote native code tells.
                if bytes.1 != 0 {
                    found.add(Sum::Writes, done);
                }
            }
            Kind::Delete => found.add(Sum::Deletes, done),
            Kind::Rename => found.add(Sum::Renames, done),
            Kind::Transfer => {}
            _ => found.add(Sum::Changes, done),
        }
        for (sum, bytes) in [(Sum::BytesRead, bytes.0), (Sum::BytesWritten, bytes.1)] {
            if bytes != 0 {
                found.add(sum, bytes.cast_signed());
            }
        }
    }

    /// The use of `path` by the actor whose run is folded, with what every record adds to it.
    fn touch(&mut self, path: u32, act: &Act<'_>) -> Option<&mut Use> {
        let Current { process, actor, .. } = self.current;
        let actor = actor?;
        let entry = self.paths.get_mut(path)?;
        let is_known = self.uses.get(entry.last_use as usize).is_some_and(|known| known.actor == actor);
        if !is_known {
            let previous = std::mem::replace(&mut entry.last_use, self.uses.len() as u32);
            self.uses.push(Use {
                actor,
                path,
                previous,
                runs: 0,
                last_process: NONE,
                first_process: process,
                seq: act.view.seq,
                first: u64::MAX,
                last: 0,
                sums: [0; Sum::ALL.len()],
                told: 0,
            });
        }
        let found = self.uses.get_mut(entry.last_use as usize)?;
        if found.last_process != process {
            found.last_process = process;
            found.runs += 1;
        }
        if act.view.time < found.first {
            (found.first, found.first_process, found.seq) = (act.view.time, process, act.view.seq);
        }
        found.last = found.last.max(act.view.last_time);
        if let Some(failed) = act.failed {
            found.add(Sum::Failed, failed);
        }
        if act.is_denied {
            found.add(Sum::Denied, act.count);
        }
        Some(found)
    }

    fn add_read(&mut self, kind: Kind, path: u32, act: &Act<'_>) {
        let is_classed = self.paths.get(path).is_some_and(|path| path.is_classed);
        let is_read = match kind {
            Kind::Open => act.view.access.has(Access::READ),
            kind => matches!(kind, Kind::Copy | Kind::Map | Kind::Database),
        };
        if !is_classed || !is_read || act.done() <= 0 {
            return;
        }
        let index = *self.reads_of.entry(path).or_insert(self.reads.len());
        if index == self.reads.len() {
            let process = self.current.process;
            let (first, last, seq) = (u64::MAX, 0, act.view.seq);
            self.reads.push(Read { process, path, reads: 0, bytes: None, first, last, seq });
        }
        let Some(read) = self.reads.get_mut(index) else { return };
        read.reads += act.done();
        let bytes = act.view.tally.map_or(0, |tally| tally.bytes_in).cast_signed();
        if bytes != 0 {
            read.bytes = Some(read.bytes.unwrap_or(0).saturating_add(bytes));
        }
        if act.view.time < read.first {
            (read.first, read.seq) = (act.view.time, act.view.seq);
        }
        read.last = read.last.max(act.view.last_time);
    }

    /// The uses of `path`, the last actor's first.
    fn uses_of(&self, path: u32) -> impl Iterator<Item = (u32, &Use)> {
        let mut next = self.paths.get(path).map_or(NONE, |path| path.last_use);
        std::iter::from_fn(move || {
            let number = next;
            let found = self.uses.get(number as usize)?;
            next = found.previous;
            Some((number, found))
        })
    }

    /// How many files were used, read, written and deleted.
    pub fn counts(&self, script: &str) -> Batches {
        let mut counts = [0_i64; 4];
        for path in (0..self.paths.len()).filter(|path| self.paths.is_somewhere(*path)) {
            let has = |sum| self.uses_of(path).any(|(_, found)| found.has(sum));
            let is_used = self.uses_of(path).next().is_some();
            let flags = [is_used, has(Sum::Reads), has(Sum::Writes), has(Sum::Deletes)];
            counts.iter_mut().zip(flags).for_each(|(count, flag)| *count += i64::from(flag));
        }
        let columns = Columns::default().texts(std::iter::once(Some(script)));
        let columns =
            counts.into_iter().fold(columns, |columns, count| columns.counts(std::iter::once(Some(count))));
        Ok(vec![columns.finish(counts_schema())?])
    }

    /// The uses of those paths that are notable by themselves, and of those that were used most.
    pub fn notable(&self, processes: &Arc<StringArray>) -> Batches {
        let is_somewhere = |path: &u32| self.paths.is_somewhere(*path);
        let mut weights: Vec<(i64, u32)> = (0..self.paths.len())
            .filter(is_somewhere)
            .map(|path| (self.uses_of(path).map(|(_, found)| found.weight()).sum(), path))
            .collect();
        let heaviest = |one: &(i64, u32), other: &(i64, u32)| {
            let text = |path| {
                let (directory, name) = self.paths.text(path);
                directory.bytes().chain(name.bytes())
            };
            other.0.cmp(&one.0).then_with(|| text(one.1).cmp(text(other.1)))
        };
        let top = self.question.top;
        if top < weights.len() {
            weights.select_nth_unstable_by(top, heaviest);
            weights.truncate(top);
        }
        let mut chosen: Vec<u32> = weights.into_iter().map(|(_, path)| path).collect();
        let is_notable = |path: &u32| self.paths.get(*path).is_some_and(|path| path.is_notable);
        chosen.extend((0..self.paths.len()).filter(is_notable));
        chosen.sort_unstable();
        chosen.dedup();
        let uses: Vec<u32> =
            chosen.into_iter().flat_map(|path| self.uses_of(path).map(|(number, _)| number)).collect();
        uses.chunks(BATCH_ROWS).map(|uses| self.rows(uses, processes)).collect()
    }

    /// All uses, some at a time.
    pub fn all(&self, processes: &Arc<StringArray>) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> {
        (0..self.uses.len()).step_by(BATCH_ROWS).map(|start| {
            let end = self.uses.len().min(start + BATCH_ROWS);
            self.rows(&(start as u32..end as u32).collect::<Vec<_>>(), processes)
        })
    }

    fn rows(&self, numbers: &[u32], processes: &Arc<StringArray>) -> Result<RecordBatch, ArrowError> {
        let rows = || numbers.iter().filter_map(|number| self.uses.get(*number as usize));
        let mut columns = Columns::default()
            .small(rows().map(|found| Some(found.actor)))
            .joined(rows().map(|found| self.paths.shown(found.path)))
            .counts(rows().map(|found| Some(found.runs.into())));
        for sum in Sum::ALL {
            columns = columns.counts(rows().map(|found| found.get(sum)));
        }
        columns
            .times(rows().map(|found| Some(found.first)))
            .times(rows().map(|found| Some(found.last)))
            .keys(rows().map(|found| found.first_process), processes)?
            .sequence(rows().map(|found| found.seq))
            .finish(files_schema())
    }

    /// The classes of the paths that belong to any.
    pub fn classes(&self) -> Batches {
        let rows = || self.classes.iter().filter(|(path, _)| self.uses_of(*path).next().is_some());
        let columns = Columns::default()
            .joined(rows().map(|(path, _)| self.paths.shown(*path)))
            .texts(rows().map(|(_, class)| Some(self.question.classes.id(*class))))
            .small(rows().map(|(_, class)| Some(class.cast_signed())));
        Ok(vec![columns.finish(classes_schema())?])
    }

    /// What each run read of paths that belong to a class.
    pub fn reads(&self, processes: &Arc<StringArray>) -> Batches {
        let rows = || self.reads.iter();
        let columns = Columns::default()
            .keys(rows().map(|read| read.process), processes)?
            .joined(rows().map(|read| self.paths.shown(read.path)))
            .counts(rows().map(|read| Some(read.reads)))
            .counts(rows().map(|read| read.bytes))
            .times(rows().map(|read| Some(read.first)))
            .times(rows().map(|read| Some(read.last)))
            .keys(rows().map(|read| read.process), processes)?
            .sequence(rows().map(|read| read.seq));
        Ok(vec![columns.finish(reads_schema())?])
    }
}

/// Whether records of `kind` are about a file.
pub fn is_about_a_file(kind: Kind, view: &View<'_>) -> bool {
    match kind {
        Kind::Transfer => is_absolute(view),
        // Neither one in memory nor a library that is loaded into it.
        Kind::Database => is_absolute(view) && view.detail.is_some_and(|detail| detail.is(b"connect")),
        kind => matches!(
            kind,
            Kind::Open
                | Kind::Delete
                | Kind::Rename
                | Kind::Link
                | Kind::Symlink
                | Kind::Mkdir
                | Kind::Chmod
                | Kind::Truncate
                | Kind::Utime
                | Kind::Copy
                | Kind::Chown
                | Kind::Xattr
                | Kind::Map
        ),
    }
}

/// Whether what a record acts on starts with a slash.
pub fn is_absolute(view: &View<'_>) -> bool {
    view.target.is_some_and(|target| target.0.first().or(target.1.first()) == Some(&b'/'))
}
