//! Records to what a report counts: who used which files, modules and hosts, in one pass over a spool.
//!
//! A query engine would have to group ten million rows by their text. Here all runs of one script are folded together,
//! on one thread, while their text still stands once in each segment: what is counted stays small, and is gone when
//! the next script begins. [`plan`] says which segments belong together, [`script`] folds them, and each of [`files`],
//! [`imports`] and [`contacts`] keeps what it counts.

mod classes;
mod contacts;
mod files;
mod imports;
mod paths;
mod plan;
mod rows;
mod script;
mod stream;
mod texts;

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};
use uuid::Uuid;

pub use classes::{Class, ClassError, Classes, Patterns};
pub use stream::FileStream;

use crate::filter::Filter;
use script::Worker;

/// A run whose records count for an actor: a script, a user and an environment on a machine.
#[derive(Clone, Debug)]
pub struct Run {
    pub actor: i32,
    pub script: Arc<str>,
    /// The file that holds the script, as text: for a traceback Python reads it itself.
    pub script_path: Option<Box<str>>,
}

/// What is asked of spools.
#[derive(Debug)]
pub struct Question {
    /// The spools, and which of their records count.
    pub sources: Vec<(PathBuf, Filter)>,
    pub runs: HashMap<Uuid, Run>,
    /// What paths may stand for; files that do are notable.
    pub classes: Classes,
    /// Files whose names end so are notable, too.
    pub endings: Vec<String>,
    /// And so are as many of each script as were used most.
    pub top: usize,
    /// Bytes of segments that may be folded at a time ([`SHARE_BYTES`]): a script with more is folded several times,
    /// each time for a share of its files.
    pub share_bytes: u64,
}

/// What is counted of as many bytes takes up to twice as much memory, on each thread.
pub const SHARE_BYTES: u64 = 128 << 20;

/// Rows that were folded.
#[derive(Clone, Debug)]
pub struct Rows {
    pub schema: SchemaRef,
    pub batches: Vec<RecordBatch>,
}

/// What the records of spools come to.
#[derive(Clone, Debug)]
pub struct Fold {
    /// What each actor did with each notable file.
    pub files: Rows,
    /// How many files each script used.
    pub file_counts: Rows,
    /// The classes that files belong to.
    pub classes: Rows,
    /// What each run read of files that belong to one.
    pub reads: Rows,
    /// What each actor imported.
    pub imports: Rows,
    /// What each run had to do with each other end.
    pub contacts: Rows,
    /// Records of programs, code, tampering, native calls, listeners.
    pub acts: Rows,
    /// Records that policy said something of.
    pub verdicts: Rows,
}

impl Fold {
    /// Folds what `question` asks for on `threads` threads. What cannot be read is left out: the tables of processes
    /// tell of it.
    ///
    /// # Errors
    /// A spool cannot be listed, or Arrow refuses.
    pub fn read(question: &Question, threads: usize) -> io::Result<Self> {
        let tasks = plan::tasks(question)?;
        let folded = plan::each(&tasks, threads, || Worker::new(question), Worker::fold);
        let mut fold = Self::empty();
        for found in folded {
            fold.add(found.map_err(|error| io::Error::other(error.to_string()))?);
        }
        Ok(fold)
    }

    fn empty() -> Self {
        let none = |schema| Rows { schema, batches: Vec::new() };
        Self {
            files: none(rows::files_schema()),
            file_counts: none(rows::counts_schema()),
            classes: none(rows::classes_schema()),
            reads: none(rows::reads_schema()),
            imports: none(rows::imports_schema()),
            contacts: none(rows::contacts_schema()),
            acts: none(script::acts().schema()),
            verdicts: none(script::verdicts().schema()),
        }
    }

    fn add(&mut self, found: script::Folded) {
        self.files.batches.extend(found.files);
        self.file_counts.batches.extend(found.file_counts);
        self.classes.batches.extend(found.classes);
        self.reads.batches.extend(found.reads);
        self.imports.batches.extend(found.imports);
        self.contacts.batches.extend(found.contacts);
        self.acts.batches.extend(found.acts);
        self.verdicts.batches.extend(found.verdicts);
    }
}

/// What every part of a fold gives.
type Batches = Result<Vec<RecordBatch>, ArrowError>;
