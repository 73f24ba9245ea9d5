//! TOML as plain Python objects, for Pythons that have no reader of their own: it came with 3.11.

use pyo3::IntoPyObjectExt as _;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use toml_edit::{ArrayOfTables, DocumentMut, Item, TableLike, Value};

/// What the TOML document `text` says: dictionaries, lists, texts, numbers and booleans; dates as texts.
///
/// # Errors
/// `ValueError` that says what is wrong, and where.
#[pyfunction]
pub fn read_toml(py: Python<'_>, text: &str) -> PyResult<Py<PyDict>> {
    let document: DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| PyValueError::new_err(error.to_string()))?;
    Ok(table(py, document.as_table())?.unbind())
}

fn table<'py>(py: Python<'py>, entries: &dyn TableLike) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    for (key, entry) in entries.iter() {
        found.set_item(key, item(py, entry)?)?;
    }
    Ok(found)
}

fn item(py: Python<'_>, item: &Item) -> PyResult<Py<PyAny>> {
    match item {
        Item::None => Ok(py.None()),
        Item::Value(one) => value(py, one),
        Item::Table(entries) => table(py, entries)?.into_py_any(py),
        Item::ArrayOfTables(tables) => list_of_tables(py, tables),
    }
}

fn list_of_tables(py: Python<'_>, tables: &ArrayOfTables) -> PyResult<Py<PyAny>> {
    let found = PyList::empty(py);
    for entries in tables {
        found.append(table(py, entries)?)?;
    }
    found.into_py_any(py)
}

fn value(py: Python<'_>, value: &Value) -> PyResult<Py<PyAny>> {
    match value {
        Value::String(text) => text.value().into_py_any(py),
        Value::Integer(number) => number.value().into_py_any(py),
        Value::Float(number) => number.value().into_py_any(py),
        Value::Boolean(flag) => flag.value().into_py_any(py),
        Value::Datetime(moment) => moment.value().to_string().into_py_any(py),
        Value::InlineTable(entries) => table(py, entries)?.into_py_any(py),
        Value::Array(values) => {
            let found = PyList::empty(py);
            for one in values {
                found.append(self::value(py, one)?)?;
            }
            found.into_py_any(py)
        }
    }
}
