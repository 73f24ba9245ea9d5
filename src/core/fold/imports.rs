//! What the runs of one script imported.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::StringArray;

use super::Batches;
use super::rows::{Columns, imports_schema};
use super::texts::Texts;
use crate::record::View;

/// What one actor imported of one file.
#[derive(Debug)]
struct Import {
    actor: i32,
    module: Option<u32>,
    file: Option<u32>,
    runs: i64,
    last_process: u32,
    count: i64,
    first: u64,
    last: u64,
    process: u32,
    seq: u64,
}

/// Imports by actor, module and file.
#[derive(Debug, Default)]
pub struct Imports {
    texts: Texts,
    known: HashMap<(i32, Option<u32>, Option<u32>), usize, foldhash::fast::FixedState>,
    all: Vec<Import>,
}

impl Imports {
    /// Counts a record of `process`, a run of `actor`.
    pub fn add(&mut self, view: &View<'_>, process: u32, actor: i32) {
        if view.verdict.is_some_and(|verdict| verdict.is_stopped) {
            return;
        }
        let module = view.target.map(|target| self.texts.of(target));
        let file = view.destination.map(|destination| self.texts.of(destination));
        let index = *self.known.entry((actor, module, file)).or_insert(self.all.len());
        if index == self.all.len() {
            let (first, last, seq) = (u64::MAX, 0, view.seq);
            let last_process = u32::MAX;
            self.all.push(Import {
                actor,
                module,
                file,
                runs: 0,
                last_process,
                count: 0,
                first,
                last,
                process,
                seq,
            });
        }
        let Some(found) = self.all.get_mut(index) else { return };
        if found.last_process != process {
            found.last_process = process;
            found.runs += 1;
        }
        found.count += i64::from(view.count);
        if view.time < found.first {
            (found.first, found.process, found.seq) = (view.time, process, view.seq);
        }
        found.last = found.last.max(view.last_time);
    }

    pub fn rows(&self, processes: &Arc<StringArray>) -> Batches {
        let rows = || self.all.iter();
        let text = |number: Option<u32>| number.map(|number| self.texts.get(number));
        let columns = Columns::default()
            .small(rows().map(|found| Some(found.actor)))
            .texts(rows().map(|found| text(found.module)))
            .texts(rows().map(|found| text(found.file)))
            .counts(rows().map(|found| Some(found.runs)))
            .counts(rows().map(|found| Some(found.count)))
            .times(rows().map(|found| Some(found.first)))
            .times(rows().map(|found| Some(found.last)))
            .keys(rows().map(|found| found.process), processes)?
            .sequence(rows().map(|found| found.seq));
        Ok(vec![columns.finish(imports_schema())?])
    }
}
