//! What a report counts, folded in one pass over spools (the Arrow PyCapsule interface).

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::RecordBatchReader as _;
use gnomon_core::fold::{self, Class, Classes, FileStream, Patterns, Question, Rows, Run, SHARE_BYTES};
use gnomon_core::parallel::threads;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use uuid::Uuid;

use crate::reader::Spool;
use crate::streams::{Table, capsule, names_of};

/// A class of paths, as Python has it: its id, what finds it, and what it does not stand for.
type PathClass = (String, String, Option<String>);
/// A run: its process, its actor, its script, and the file that holds that.
type PathRun = (String, i32, String, Option<String>);

/// What the records of spools come to.
#[pyclass(frozen, get_all, module = "gnomon")]
pub struct Fold {
    files: Py<Table>,
    file_counts: Py<Table>,
    classes: Py<Table>,
    reads: Py<Table>,
    imports: Py<Table>,
    contacts: Py<Table>,
    acts: Py<Table>,
    verdicts: Py<Table>,
    all_files: Py<FileUses>,
}

#[pymethods]
impl Fold {
    #[new]
    #[pyo3(signature = (spools, runs, *, places=None, words=None, word_types=None, word_exceptions=None,
                        endings=None, top=100))]
    #[expect(clippy::too_many_arguments, reason = "named, in Python")]
    fn new(
        py: Python<'_>,
        spools: Vec<PyRef<'_, Spool>>,
        runs: Vec<PathRun>,
        places: Option<Vec<PathClass>>,
        words: Option<Vec<PathClass>>,
        word_types: Option<String>,
        word_exceptions: Option<String>,
        endings: Option<Vec<String>>,
        top: usize,
    ) -> PyResult<Self> {
        let (places, words) = (classes(places), classes(words));
        let classes = Classes::new(&Patterns { places, words, word_types, word_exceptions })
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        let question = Arc::new(Question {
            sources: spools.iter().map(|spool| spool.source()).collect(),
            runs: runs_by_process(runs)?,
            classes,
            endings: endings.unwrap_or_default(),
            top,
            share_bytes: SHARE_BYTES,
        });
        let found = py
            .detach(|| fold::Fold::read(&question, threads()))
            .map_err(|error| PyOSError::new_err(format!("cannot read spool: {error}")))?;
        let table = |rows: Rows| Py::new(py, Table::of(rows));
        Ok(Self {
            files: table(found.files)?,
            file_counts: table(found.file_counts)?,
            classes: table(found.classes)?,
            reads: table(found.reads)?,
            imports: table(found.imports)?,
            contacts: table(found.contacts)?,
            acts: table(found.acts)?,
            verdicts: table(found.verdicts)?,
            all_files: Py::new(py, FileUses(question))?,
        })
    }
}

fn classes(rows: Option<Vec<PathClass>>) -> Vec<Class> {
    rows.unwrap_or_default().into_iter().map(|(id, regex, except)| Class { id, regex, except }).collect()
}

fn runs_by_process(rows: Vec<PathRun>) -> PyResult<HashMap<Uuid, Run>> {
    let mut scripts: HashMap<String, Arc<str>> = HashMap::new();
    let mut runs = HashMap::with_capacity(rows.len());
    for (process, actor, script, path) in rows {
        let id = Uuid::parse_str(&process)
            .map_err(|_| PyValueError::new_err(format!("`{process}` is no process's id")))?;
        let script =
            Arc::clone(scripts.entry(script).or_insert_with_key(|script| Arc::from(script.as_str())));
        runs.insert(id, Run { actor, script, script_path: path.map(String::into_boxed_str) });
    }
    Ok(runs)
}

/// What each actor did with each file, for whoever reads Arrow.
#[pyclass(frozen, module = "gnomon")]
pub struct FileUses(Arc<Question>);

#[pymethods]
impl FileUses {
    /// The names of its columns, in their order.
    #[getter]
    fn columns(&self) -> Vec<String> {
        let stream = FileStream::new(Arc::clone(&self.0), 1);
        names_of(&stream.schema())
    }

    /// A new stream at each call, which folds the spools anew.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let _ = requested_schema; // the interface lets a producer ignore it
        capsule(py, FileStream::new(Arc::clone(&self.0), threads()))
    }
}
