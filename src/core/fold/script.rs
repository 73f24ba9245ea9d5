//! Folds the records of all runs of one script.

use std::sync::{Arc, LazyLock};

use arrow_array::{RecordBatch, StringArray};
use arrow_schema::ArrowError;

use super::Question;
use super::contacts::{Contacts, is_about_a_contact};
use super::files::{Files, is_about_a_file};
use super::imports::Imports;
use super::plan::{Process, Task};
use crate::columns::fill::Columns;
use crate::columns::{Form, Projection, for_each_event};
use crate::event::Kind;
use crate::filter::Filter;
use crate::record::View;
use crate::spool::reader::Loader;

/// Rows of a batch, at most.
const BATCH_ROWS: usize = 16 * 1024;

/// The columns of records of programs, code, tampering, native calls, listeners.
pub fn acts() -> &'static Projection {
    static ACTS: LazyLock<Projection> = LazyLock::new(|| {
        projection(
            "time last_time count process seq kind target detail argv size sha256 file line function \
             distribution outcome failed",
        )
    });
    &ACTS
}

/// The columns of records that policy said something of.
pub fn verdicts() -> &'static Projection {
    static VERDICTS: LazyLock<Projection> = LazyLock::new(|| {
        projection(
            "time last_time count process seq kind target host verdict rule reason shadow_verdict shadow_rule \
             outcome file line function",
        )
    });
    &VERDICTS
}

fn projection(names: &str) -> Projection {
    Projection::of(Form::Dictionary, |name| names.split_ascii_whitespace().any(|one| one == name))
}

fn is_act(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Spawn
            | Kind::Exec
            | Kind::Code
            | Kind::Unpickle
            | Kind::Native
            | Kind::Database
            | Kind::Kill
            | Kind::Limit
            | Kind::Setenv
            | Kind::Registry
            | Kind::Tamper
            | Kind::Bind
            | Kind::Blind
            | Kind::Evict
            | Kind::Policy
            | Kind::Standby
    )
}

/// What the runs of a script come to.
#[derive(Debug, Default)]
pub struct Folded {
    pub files: Vec<RecordBatch>,
    pub file_counts: Vec<RecordBatch>,
    pub classes: Vec<RecordBatch>,
    pub reads: Vec<RecordBatch>,
    pub imports: Vec<RecordBatch>,
    pub contacts: Vec<RecordBatch>,
    pub acts: Vec<RecordBatch>,
    pub verdicts: Vec<RecordBatch>,
}

/// Folds one task after another; what each took serves the next.
pub struct Worker<'q> {
    question: &'q Question,
    files: Files<'q>,
    loader: Loader,
}

impl<'q> Worker<'q> {
    pub fn new(question: &'q Question) -> Self {
        Self { question, files: Files::new(question), loader: Loader::default() }
    }

    /// Folds the runs of `task`.
    pub fn fold(&mut self, task: &Task) -> Result<Folded, ArrowError> {
        let Self { question, files, loader } = self;
        let processes = ids(task);
        files.begin(task.share);
        if task.share.part > 0 {
            each_record(task, question, loader, &mut |step| files_only(files, step));
            return of_files(task, files, &processes);
        }
        let (mut imports, mut contacts) = (Imports::default(), Contacts::default());
        let (mut acts, mut verdicts) = (Kept::new(acts()), Kept::new(verdicts()));
        let mut current = (0, None);
        each_record(task, question, loader, &mut |step| match step {
            Step::Process(number, process) => {
                current = (number, process.run.as_ref().map(|run| run.actor));
                contacts.begin_process();
                files_only(files, step);
            }
            Step::Segment(process) => {
                contacts.begin_segment();
                acts.begin_segment(process);
                verdicts.begin_segment(process);
                files_only(files, step);
            }
            Step::Record(kind, view) => {
                if view.verdict.is_some() {
                    verdicts.push(view);
                }
                if is_about_a_file(kind, view) {
                    files.add(kind, view);
                } else if kind == Kind::Import {
                    let (process, actor) = current;
                    actor.into_iter().for_each(|actor| imports.add(view, process, actor));
                } else if is_about_a_contact(kind, view) {
                    contacts.add(kind, view, current.0);
                } else if is_act(kind) {
                    acts.push(view);
                }
            }
        });
        Ok(Folded {
            imports: imports.rows(&processes)?,
            contacts: contacts.rows(&processes)?,
            acts: acts.finish()?,
            verdicts: verdicts.finish()?,
            ..of_files(task, files, &processes)?
        })
    }

    /// Folds what the runs of `task` did with files, and nothing else.
    pub fn fold_files(&mut self, task: &Task) -> Result<Vec<RecordBatch>, ArrowError> {
        let Self { question, files, loader } = self;
        files.begin(task.share);
        each_record(task, question, loader, &mut |step| files_only(files, step));
        files.all(&ids(task)).collect()
    }
}

fn files_only(files: &mut Files<'_>, step: Step<'_>) {
    match step {
        Step::Process(number, process) => {
            let run = process.run.as_ref();
            let script = run.and_then(|run| run.script_path.as_deref());
            files.begin_process(number, run.map(|run| run.actor), script);
        }
        Step::Segment(_) => files.begin_segment(),
        Step::Record(kind, view) if is_about_a_file(kind, view) => files.add(kind, view),
        Step::Record(..) => {}
    }
}

fn of_files(task: &Task, files: &Files<'_>, processes: &Arc<StringArray>) -> Result<Folded, ArrowError> {
    let script = task.processes.first().and_then(|process| process.run.as_ref()).map(|run| &*run.script);
    Ok(Folded {
        files: files.notable(processes)?,
        file_counts: script.map(|script| files.counts(script)).transpose()?.unwrap_or_default(),
        classes: files.classes()?,
        reads: files.reads(processes)?,
        ..Folded::default()
    })
}

fn ids(task: &Task) -> Arc<StringArray> {
    let id = |process: &Process| Some(process.id.as_hyphenated().to_string());
    Arc::new(task.processes.iter().map(id).collect())
}

/// What comes next of a task.
#[derive(Clone, Copy)]
enum Step<'a> {
    /// The process of this number.
    Process(u32, &'a Process),
    Segment(&'a Process),
    Record(Kind, &'a View<'a>),
}

/// Shows all records of `task` with what they are in. What cannot be read is left out.
fn each_record(task: &Task, question: &Question, loader: &mut Loader, show: &mut dyn FnMut(Step<'_>)) {
    let everything = Filter::default();
    let mut faults = Vec::new();
    for (number, process) in (0..).zip(&task.processes) {
        show(Step::Process(number, process));
        for (source, path) in &process.segments {
            let Ok(segment) = loader.load(path) else { continue };
            let filter = question.sources.get(*source).map_or(&everything, |(_, filter)| filter);
            show(Step::Segment(process));
            for_each_event(&segment, filter, &mut faults, |view| {
                if let Some(kind) = Kind::from_number(view.kind) {
                    show(Step::Record(kind, view));
                }
            });
            faults.clear();
            loader.take_back(segment);
        }
    }
}

/// Records that are kept as they are.
struct Kept {
    projection: &'static Projection,
    columns: Columns,
    process: (String, u32),
    batches: Vec<RecordBatch>,
}

impl Kept {
    fn new(projection: &'static Projection) -> Self {
        let columns = Columns::with_capacity(projection, 0);
        Self { projection, columns, process: (String::new(), 0), batches: Vec::new() }
    }

    fn begin_segment(&mut self, process: &Process) {
        self.process = (process.id.as_hyphenated().to_string(), 0);
        self.columns.begin_segment(self.process.0.clone(), self.process.1);
    }

    fn push(&mut self, view: &View<'_>) {
        self.columns.push(view);
        if self.columns.rows >= BATCH_ROWS {
            let mut columns = Columns::with_capacity(self.projection, 0);
            columns.begin_segment(self.process.0.clone(), self.process.1);
            // A batch that Arrow refuses is one that no stream could give either.
            self.batches.extend(std::mem::replace(&mut self.columns, columns).finish());
        }
    }

    fn finish(mut self) -> Result<Vec<RecordBatch>, ArrowError> {
        if self.columns.rows > 0 {
            self.batches.push(self.columns.finish()?);
        }
        Ok(self.batches)
    }
}
