//! What a spool holds as Arrow streams (the Arrow PyCapsule interface), for query engines.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{RecordBatch, RecordBatchIterator, RecordBatchReader};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use gnomon_core::columns::{BatchStream, Form, Projection, names};
use gnomon_core::filter::Filter;
use gnomon_core::fold::Rows;
use gnomon_core::parallel::threads;
use gnomon_core::tables;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::errors::cannot;
use crate::rows::made;

/// The records of the spool at `path` as an Arrow stream, which reads nothing before it is asked for a batch.
pub fn records<'py>(
    py: Python<'py>,
    path: &Path,
    filter: &Filter,
    projection: Projection,
    given: &Arc<AtomicU64>,
) -> PyResult<Bound<'py, PyCapsule>> {
    let stream = BatchStream::new(path.to_owned(), filter.clone(), projection, threads());
    capsule(py, Counted { stream, given: Arc::clone(given) })
}

/// Batches as the Arrow PyCapsule interface hands them out.
pub fn capsule<R: RecordBatchReader + Send + 'static>(
    py: Python<'_>,
    batches: R,
) -> PyResult<Bound<'_, PyCapsule>> {
    PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(batches)), c"arrow_array_stream")
}

/// The names of columns, in their order.
pub fn names_of(schema: &Schema) -> Vec<String> {
    schema.fields().iter().map(|field| field.name().clone()).collect()
}

/// A stream that counts the rows that it gives.
struct Counted {
    stream: BatchStream,
    given: Arc<AtomicU64>,
}

impl Iterator for Counted {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.stream.next();
        if let Some(Ok(batch)) = &batch {
            self.given.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
        }
        batch
    }
}

impl RecordBatchReader for Counted {
    fn schema(&self) -> SchemaRef {
        self.stream.schema()
    }
}

/// Some columns of the records of a spool.
#[pyclass(frozen, module = "gnomon")]
pub struct RecordStream {
    path: PathBuf,
    filter: Filter,
    projection: Projection,
    given: Arc<AtomicU64>,
}

impl RecordStream {
    /// The columns called so, or all.
    pub fn new(path: PathBuf, filter: Filter, columns: Option<Vec<String>>) -> PyResult<Self> {
        let form = Form::Dictionary;
        let projection = match &columns {
            None => Projection::all(form),
            Some(wanted) => {
                let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
                Projection::named(form, &wanted).map_err(unknown)?
            }
        };
        Ok(Self { path, filter, projection, given: Arc::default() })
    }
}

fn unknown(name: &str) -> PyErr {
    let known: Vec<&str> = names().collect();
    PyValueError::new_err(format!("no column is called `{name}`; there are: {}", known.join(", ")))
}

#[pymethods]
impl RecordStream {
    /// The names of its columns, in their order.
    #[getter]
    fn columns(&self) -> Vec<String> {
        names_of(&self.projection.schema())
    }

    /// How many rows its streams have given so far.
    #[getter]
    fn given(&self) -> u64 {
        self.given.load(Ordering::Relaxed)
    }

    /// A new stream at each call.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let _ = requested_schema; // the interface lets a producer ignore it
        records(py, &self.path, &self.filter, self.projection.clone(), &self.given)
    }

    fn __repr__(&self) -> String {
        format!("<gnomon.RecordStream {}: {}>", self.path.display(), self.columns().join(", "))
    }
}

/// What a spool says of its processes, read in one pass.
#[pyclass(frozen, get_all, module = "gnomon")]
pub struct Tables {
    processes: Py<Table>,
    distributions: Py<Table>,
    losses: Py<Table>,
    faults: Py<Table>,
    startups: Py<Table>,
    hooks: Py<Table>,
}

impl Tables {
    /// The tables of the spool at `path`.
    pub fn read(py: Python<'_>, path: &Path, filter: &Filter) -> PyResult<Self> {
        let found = py
            .detach(|| tables::Tables::read(path, filter))
            .map_err(|error| cannot("read spool", path, &error))?;
        let table =
            |batch: RecordBatch| Py::new(py, Table(Rows { schema: batch.schema(), batches: vec![batch] }));
        Ok(Self {
            processes: table(found.processes)?,
            distributions: table(found.distributions)?,
            losses: table(found.losses)?,
            faults: table(found.faults)?,
            startups: table(found.startups)?,
            hooks: table(found.hooks)?,
        })
    }
}

/// Rows in memory, which may be read any number of times.
#[pyclass(frozen, module = "gnomon")]
pub struct Table(Rows);

impl Table {
    /// A table of what was folded.
    pub fn of(rows: Rows) -> Self {
        Self(rows)
    }
}

#[pymethods]
impl Table {
    /// The rows that Python has.
    #[staticmethod]
    #[pyo3(name = "of")]
    fn of_rows(columns: Vec<(String, String)>, rows: &Bound<'_, PyAny>) -> PyResult<Self> {
        made(columns, rows).map(Self)
    }

    /// The names of its columns, in their order.
    #[getter]
    fn columns(&self) -> Vec<String> {
        names_of(&self.0.schema)
    }

    fn __len__(&self) -> usize {
        self.0.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// A new stream at each call.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let _ = requested_schema; // the interface lets a producer ignore it
        let batches: Vec<_> = self.0.batches.iter().cloned().map(Ok).collect();
        let rows = RecordBatchIterator::new(batches, self.0.schema.clone());
        capsule(py, rows)
    }

    fn __repr__(&self) -> String {
        format!("<gnomon.Table of {} rows: {}>", self.__len__(), self.columns().join(", "))
    }
}
