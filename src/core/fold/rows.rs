//! What was counted as Arrow rows.

use std::sync::Arc;

use arrow_array::builder::{
    Int32Builder, Int64Builder, ListBuilder, PrimitiveBuilder, StringBuilder, TimestampNanosecondBuilder,
    UInt64Builder,
};
use arrow_array::types::{ArrowPrimitiveType, Int32Type};
use arrow_array::{ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};

fn schema(fields: &[(&str, DataType)]) -> SchemaRef {
    let field = |(name, kind): &(&str, DataType)| Field::new(*name, kind.clone(), true);
    Arc::new(Schema::new(fields.iter().map(field).collect::<Vec<_>>()))
}

fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))
}

fn process() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

fn texts() -> DataType {
    DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)))
}

pub fn files_schema() -> SchemaRef {
    const COUNTS: [&str; 10] = [
        "runs",
        "reads",
        "writes",
        "deletes",
        "renames",
        "changes",
        "failed",
        "denied",
        "bytes_read",
        "bytes_written",
    ];
    let mut fields = vec![("actor", DataType::Int32), ("path", DataType::Utf8)];
    fields.extend(COUNTS.map(|name| (name, DataType::Int64)));
    fields.extend([("first_seen", time()), ("last_seen", time())]);
    fields.extend([("process", process()), ("seq", DataType::UInt64)]);
    schema(&fields)
}

pub fn counts_schema() -> SchemaRef {
    let counts = ["files", "files_read", "files_written", "files_deleted"];
    let mut fields = vec![("script", DataType::Utf8)];
    fields.extend(counts.map(|name| (name, DataType::Int64)));
    schema(&fields)
}

pub fn classes_schema() -> SchemaRef {
    schema(&[("path", DataType::Utf8), ("id", DataType::Utf8), ("place", DataType::Int32)])
}

pub fn reads_schema() -> SchemaRef {
    schema(&[
        ("reader", process()),
        ("path", DataType::Utf8),
        ("reads", DataType::Int64),
        ("bytes_read", DataType::Int64),
        ("first_read", time()),
        ("last_read", time()),
        ("process", process()),
        ("seq", DataType::UInt64),
    ])
}

pub fn imports_schema() -> SchemaRef {
    schema(&[
        ("actor", DataType::Int32),
        ("module", DataType::Utf8),
        ("file", DataType::Utf8),
        ("runs", DataType::Int64),
        ("modules", DataType::Int64),
        ("first_seen", time()),
        ("last_seen", time()),
        ("process", process()),
        ("seq", DataType::UInt64),
    ])
}

pub fn contacts_schema() -> SchemaRef {
    let mut fields = vec![
        ("talker", process()),
        ("host", DataType::Utf8),
        ("port", DataType::Int32),
        ("addresses", texts()),
    ];
    let counts =
        ["connects", "resolves", "requests", "datagrams", "failed", "denied", "bytes_out", "bytes_in"];
    fields.extend(counts.map(|name| (name, DataType::Int64)));
    fields.extend(["methods", "urls", "schemes", "distributions"].map(|name| (name, texts())));
    fields
        .extend(["first_seen", "last_seen", "first_connected", "last_connected"].map(|name| (name, time())));
    fields.extend([
        ("process", process()),
        ("seq", DataType::UInt64),
        ("cause_file", DataType::Utf8),
        ("cause_line", DataType::Int64),
        ("cause_function", DataType::Utf8),
    ]);
    schema(&fields)
}

/// How many there are at most: most scripts have few rows, and builders would make room for a thousand.
fn most(rows: &impl Iterator) -> usize {
    rows.size_hint().1.unwrap_or(0)
}

/// Columns that are filled one after another, in the order of a schema.
#[derive(Debug, Default)]
pub struct Columns(Vec<ArrayRef>);

impl Columns {
    fn with(mut self, column: ArrayRef) -> Self {
        self.0.push(column);
        self
    }

    pub fn texts<'a>(self, rows: impl Iterator<Item = Option<&'a str>>) -> Self {
        let mut column = StringBuilder::with_capacity(most(&rows), 0);
        rows.for_each(|text| column.append_option(text));
        self.with(Arc::new(column.finish()))
    }

    /// Text in two parts.
    pub fn joined<'a>(self, rows: impl Iterator<Item = Option<(&'a str, &'a str)>>) -> Self {
        use std::fmt::Write as _;
        let mut column = StringBuilder::with_capacity(most(&rows), 0);
        for row in rows {
            if let Some((start, rest)) = row {
                let _ = column.write_str(start); // memory takes whatever comes
                column.append_value(rest);
            } else {
                column.append_null();
            }
        }
        self.with(Arc::new(column.finish()))
    }

    /// One of `values` in each row.
    pub fn keys(
        self,
        keys: impl Iterator<Item = u32>,
        values: &Arc<StringArray>,
    ) -> Result<Self, ArrowError> {
        let keys: Int32Array = keys.map(|key| Some(key.cast_signed())).collect();
        let column = DictionaryArray::<Int32Type>::try_new(keys, Arc::clone(values) as ArrayRef)?;
        Ok(self.with(Arc::new(column)))
    }

    pub fn small(self, rows: impl Iterator<Item = Option<i32>>) -> Self {
        self.numbers(Int32Builder::with_capacity(most(&rows)), rows)
    }

    pub fn counts(self, rows: impl Iterator<Item = Option<i64>>) -> Self {
        self.numbers(Int64Builder::with_capacity(most(&rows)), rows)
    }

    pub fn sequence(self, rows: impl Iterator<Item = u64>) -> Self {
        self.numbers(UInt64Builder::with_capacity(most(&rows)), rows.map(Some))
    }

    /// Nanoseconds since 1970, UTC.
    pub fn times(self, rows: impl Iterator<Item = Option<u64>>) -> Self {
        let mut column = TimestampNanosecondBuilder::with_capacity(most(&rows)).with_timezone("UTC");
        rows.for_each(|time| column.append_option(time.map(u64::cast_signed)));
        self.with(Arc::new(column.finish()))
    }

    /// Some texts in each row; null where there are none.
    pub fn lists<'a>(self, rows: impl Iterator<Item = Vec<&'a str>>) -> Self {
        let mut column = ListBuilder::with_capacity(StringBuilder::with_capacity(0, 0), most(&rows));
        for texts in rows {
            texts.iter().for_each(|text| column.values().append_value(text));
            column.append(!texts.is_empty());
        }
        self.with(Arc::new(column.finish()))
    }

    fn numbers<T: ArrowPrimitiveType>(
        self,
        mut column: PrimitiveBuilder<T>,
        rows: impl Iterator<Item = Option<T::Native>>,
    ) -> Self {
        rows.for_each(|number| column.append_option(number));
        self.with(Arc::new(column.finish()))
    }

    pub fn finish(self, schema: SchemaRef) -> Result<RecordBatch, ArrowError> {
        RecordBatch::try_new(schema, self.0)
    }
}
