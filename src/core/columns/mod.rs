//! Records to Arrow: the columns that every report is written against, filled batch by batch.
//!
//! [`walk`] gives the records of a segment, [`fill`] makes columns of them, [`stream`] does so for many segments
//! on worker threads.

pub(crate) mod fill;
mod stream;
pub(crate) mod walk;

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

pub use stream::BatchStream;
pub use walk::{Depth, for_each_event, for_each_event_after, for_each_event_to};

use crate::text::{Bytes, push_escaped};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Time,
    U16,
    U32,
    U64,
    /// Nearly always another.
    Text,
    /// One of few, or the same again and again.
    Shared,
    Texts,
}

/// Columns whose values are there in every row.
const REQUIRED: [&str; 8] = ["time", "last_time", "count", "process", "seq", "pid", "kind", "source"];

/// The columns, in order: the same names as the fields of the JSON form.
const COLUMNS: [(&str, Type, Depth); 35] = [
    ("time", Type::Time, Depth::Head),
    ("last_time", Type::Time, Depth::Head),
    ("count", Type::U32, Depth::Head),
    ("process", Type::Shared, Depth::Head),
    ("seq", Type::U64, Depth::Head),
    ("pid", Type::U32, Depth::Head),
    ("kind", Type::Shared, Depth::Head),
    ("access", Type::Shared, Depth::Payload),
    ("target", Type::Text, Depth::Payload),
    ("destination", Type::Text, Depth::Payload),
    ("requested", Type::Text, Depth::Payload),
    ("host", Type::Shared, Depth::Payload),
    ("port", Type::U16, Depth::Payload),
    ("address", Type::Shared, Depth::Payload),
    ("argv", Type::Texts, Depth::Payload),
    ("detail", Type::Shared, Depth::Payload),
    ("size", Type::U64, Depth::Payload),
    ("sha256", Type::Text, Depth::Payload),
    ("file", Type::Shared, Depth::Payload),
    ("line", Type::U32, Depth::Payload),
    ("function", Type::Shared, Depth::Payload),
    ("distribution", Type::Shared, Depth::Payload),
    ("via", Type::Shared, Depth::Payload),
    ("object", Type::Shared, Depth::Payload),
    ("source", Type::Shared, Depth::Head),
    ("outcome", Type::Shared, Depth::Payload),
    ("failed", Type::U32, Depth::Head),
    ("errno", Type::Shared, Depth::Head),
    ("bytes_out", Type::U64, Depth::Head),
    ("bytes_in", Type::U64, Depth::Head),
    ("verdict", Type::Shared, Depth::Payload),
    ("rule", Type::Shared, Depth::Payload),
    ("reason", Type::Text, Depth::Payload),
    ("shadow_verdict", Type::Shared, Depth::Payload),
    ("shadow_rule", Type::Shared, Depth::Payload),
];

/// How text stands in a column that says the same again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// In each row, which every consumer understands.
    Plain,
    /// Once in a batch, as an Arrow dictionary: less to copy, and a query engine groups by the number.
    Dictionary,
}

/// The columns that somebody asked for, in the order of the schema.
#[derive(Clone, Debug)]
pub struct Projection {
    columns: Vec<&'static (&'static str, Type, Depth)>,
    form: Form,
    schema: SchemaRef,
}

impl Projection {
    /// All columns.
    #[must_use]
    pub fn all(form: Form) -> Self {
        Self::of(form, |_| true)
    }

    /// The columns called `names`.
    ///
    /// # Errors
    /// The first name that no column has.
    pub fn named<'a>(form: Form, names: &[&'a str]) -> Result<Self, &'a str> {
        let is_known = |name: &&str| COLUMNS.iter().any(|(known, ..)| known == name);
        match names.iter().find(|name| !is_known(name)) {
            Some(unknown) => Err(unknown),
            None => Ok(Self::of(form, |name| names.contains(&name))),
        }
    }

    pub(crate) fn of(form: Form, is_wanted: impl Fn(&str) -> bool) -> Self {
        let columns: Vec<_> = COLUMNS.iter().filter(|(name, ..)| is_wanted(name)).collect();
        let fields: Vec<Field> = columns.iter().map(|(name, kind, _)| field(name, *kind, form)).collect();
        Self { columns, form, schema: Arc::new(Schema::new(fields)) }
    }

    /// What a batch looks like.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// How much of a record must be looked at.
    #[must_use]
    pub fn depth(&self) -> Depth {
        let has_payload = self.columns.iter().any(|(_, _, depth)| *depth == Depth::Payload);
        if has_payload { Depth::Payload } else { Depth::Head }
    }
}

/// The names of all columns, in order.
pub fn names() -> impl Iterator<Item = &'static str> {
    COLUMNS.iter().map(|(name, ..)| *name)
}

fn field(name: &str, kind: Type, form: Form) -> Field {
    let dictionary = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let kind = match kind {
        Type::Time => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        Type::U16 => DataType::UInt16,
        Type::U32 => DataType::UInt32,
        Type::U64 => DataType::UInt64,
        Type::Shared if form == Form::Dictionary => dictionary(),
        Type::Text | Type::Shared => DataType::Utf8,
        Type::Texts => DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))),
    };
    Field::new(name, kind, !REQUIRED.contains(&name))
}

/// `bytes` as text for people and JSON; what is no UTF-8 appears as `\xNN`.
#[must_use]
pub fn text_of(bytes: &Bytes) -> String {
    let mut text = String::new();
    push_escaped(&mut text, &bytes.0);
    text
}
