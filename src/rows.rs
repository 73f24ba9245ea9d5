//! Rows that Python has as Arrow columns, for a query engine.

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Float64Builder, Int64Builder, ListBuilder, StringBuilder, UInt64Builder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use gnomon_core::fold::Rows;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyAnyMethods, PyMapping, PyString};

/// Rows of a batch, at most.
const BATCH_ROWS: usize = 16 * 1024;

/// One column while it grows.
enum Column {
    Text(StringBuilder),
    Texts(ListBuilder<StringBuilder>),
    Integer(Int64Builder),
    Unsigned(UInt64Builder),
    Real(Float64Builder),
    Boolean(BooleanBuilder),
}

impl Column {
    fn new(kind: &str) -> PyResult<Self> {
        Ok(match kind {
            "text" => Self::Text(StringBuilder::new()),
            "texts" => Self::Texts(ListBuilder::new(StringBuilder::new())),
            "integer" => Self::Integer(Int64Builder::new()),
            "unsigned" => Self::Unsigned(UInt64Builder::new()),
            "real" => Self::Real(Float64Builder::new()),
            "boolean" => Self::Boolean(BooleanBuilder::new()),
            _ => {
                return Err(PyValueError::new_err(format!(
                    "`{kind}` is no kind of column; there are: text, texts, integer, unsigned, real, boolean"
                )));
            }
        })
    }

    fn data_type(&self) -> DataType {
        match self {
            Self::Text(_) => DataType::Utf8,
            Self::Texts(_) => DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))),
            Self::Integer(_) => DataType::Int64,
            Self::Unsigned(_) => DataType::UInt64,
            Self::Real(_) => DataType::Float64,
            Self::Boolean(_) => DataType::Boolean,
        }
    }

    fn push(&mut self, value: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        match self {
            Self::Text(column) => match value {
                Some(value) => text(value, |text| column.append_value(text))?,
                None => column.append_null(),
            },
            Self::Texts(column) => {
                if let Some(value) = value {
                    for one in value.try_iter()? {
                        text(&one?, |text| column.values().append_value(text))?;
                    }
                }
                column.append(value.is_some());
            }
            Self::Integer(column) => column.append_option(value.map(PyAnyMethods::extract).transpose()?),
            Self::Unsigned(column) => column.append_option(value.map(PyAnyMethods::extract).transpose()?),
            Self::Real(column) => column.append_option(value.map(PyAnyMethods::extract).transpose()?),
            Self::Boolean(column) => column.append_option(value.map(PyAnyMethods::extract).transpose()?),
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(column) => Arc::new(column.finish()),
            Self::Texts(column) => Arc::new(column.finish()),
            Self::Integer(column) => Arc::new(column.finish()),
            Self::Unsigned(column) => Arc::new(column.finish()),
            Self::Real(column) => Arc::new(column.finish()),
            Self::Boolean(column) => Arc::new(column.finish()),
        }
    }
}

/// Shows the text of `value`; what is no Unicode in it appears as `\udcNN`.
fn text(value: &Bound<'_, PyAny>, show: impl FnOnce(&str)) -> PyResult<()> {
    let value = value.cast::<PyString>()?;
    if let Ok(text) = value.to_cow() {
        show(&text);
    } else {
        let bytes: Vec<u8> = value.call_method1("encode", ("utf-8", "backslashreplace"))?.extract()?;
        show(&String::from_utf8_lossy(&bytes));
    }
    Ok(())
}

/// The `rows`, of which each is a mapping, as `columns`: name, kind. What a row does not have is null.
pub fn made(columns: Vec<(String, String)>, rows: &Bound<'_, PyAny>) -> PyResult<Rows> {
    let py = rows.py();
    let (names, kinds): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    let mut columns = kinds.iter().map(|kind| Column::new(kind)).collect::<PyResult<Vec<_>>>()?;
    let fields = names.iter().zip(&columns).map(|(name, column)| Field::new(name, column.data_type(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let names: Vec<_> = names.iter().map(|name| PyString::intern(py, name)).collect();
    let (mut batches, mut length) = (Vec::new(), 0);
    let mut finish = |columns: &mut [Column]| {
        RecordBatch::try_new(Arc::clone(&schema), columns.iter_mut().map(Column::finish).collect())
            .map(|batch| batches.push(batch))
            .map_err(|error| PyValueError::new_err(error.to_string()))
    };
    for row in rows.try_iter()? {
        let row = row?;
        let row = row.cast::<PyMapping>()?;
        for (name, column) in names.iter().zip(&mut columns) {
            let value = if row.contains(name)? { Some(row.get_item(name)?) } else { None };
            let value = value.as_ref().filter(|value| !value.is_none());
            column.push(value).map_err(|error| wrong(py, name, &error))?;
        }
        length += 1;
        if length % BATCH_ROWS == 0 {
            finish(&mut columns)?;
        }
    }
    if length % BATCH_ROWS > 0 {
        finish(&mut columns)?;
    }
    Ok(Rows { schema, batches })
}

fn wrong(py: Python<'_>, name: &Bound<'_, PyString>, error: &PyErr) -> PyErr {
    PyTypeError::new_err(format!("column `{name}`: {}", error.value(py)))
}
