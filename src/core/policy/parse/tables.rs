//! What TOML says, with the offsets of keys and values, and words for what it should have said.

use toml_edit::{Item, Table, TableLike, Value};

use super::diagnostics::{Place, Problems, Wrong};

/// A key of a table, with its value.
#[derive(Clone, Copy)]
pub(super) struct Entry<'d> {
    pub key: &'d str,
    pub key_at: usize,
    pub item: &'d Item,
    /// Where its value starts.
    pub at: usize,
}

/// One value that is no array and no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar<'d> {
    Text(&'d str),
    Number(i64),
}

impl Scalar<'_> {
    /// As text; numbers of ports and users are written either way.
    pub fn to_text(self) -> String {
        match self {
            Self::Text(text) => text.to_owned(),
            Self::Number(number) => number.to_string(),
        }
    }
}

/// A table, and where it starts.
pub(super) type Located<'d> = (&'d dyn TableLike, usize);

/// The keys of `table`, in the order of the text.
pub(super) fn entries(table: &dyn TableLike) -> Vec<Entry<'_>> {
    let entry = |(key, item): (&str, &_)| {
        let (key, item) = table.get_key_value(key).filter(|(_, found)| std::ptr::eq(*found, item))?;
        let key_at = key.span().map_or(0, |span| span.start);
        let at = item.span().map_or(key_at, |span| span.start);
        Some(Entry { key: key.get(), key_at, item, at })
    };
    let mut entries: Vec<Entry<'_>> = table.iter().filter_map(entry).collect();
    entries.sort_by_key(|entry| entry.key_at);
    entries
}

/// What `item` is, in a sentence.
pub(super) fn kind_of(item: &Item) -> &'static str {
    match item {
        Item::Value(Value::String(_)) => "text",
        Item::Value(Value::Integer(_)) => "a number",
        Item::Value(Value::Float(_)) => "a number with a point",
        Item::Value(Value::Boolean(_)) => "true or false",
        Item::Value(Value::Datetime(_)) => "a date or a time",
        Item::Value(Value::Array(_)) => "an array",
        Item::Value(Value::InlineTable(_)) | Item::Table(_) => "a table",
        Item::ArrayOfTables(_) => "several tables",
        Item::None => "nothing",
    }
}

/// The text that `entry` must be.
pub(super) fn text<'d>(entry: Entry<'d>, problems: &mut Problems) -> Option<&'d str> {
    match entry.item.as_str() {
        Some(text) if !text.trim().is_empty() => return Some(text),
        Some(_) => problems.error(entry.at, Wrong::new(format!("`{}` is empty", entry.key))),
        None => problems.error(entry.at, not_as(entry, "text")),
    }
    None
}

/// ``\`id\` must be text, and is a number``.
pub(super) fn not_as(entry: Entry<'_>, wanted: &str) -> Wrong {
    Wrong::new(format!("`{}` must be {wanted}, and is {}", entry.key, kind_of(entry.item)))
}

/// The values of `entry`: one, or an array of them. What is neither is reported and left out.
pub(super) fn scalars<'d>(entry: Entry<'d>, problems: &mut Problems) -> Vec<(Scalar<'d>, Place)> {
    let array = match entry.item {
        Item::Value(Value::Array(array)) => array,
        Item::Value(value) => return scalar(entry.key, value, entry.at, problems).into_iter().collect(),
        _ => {
            problems.error(entry.at, not_as(entry, "a value or an array of values"));
            return Vec::new();
        }
    };
    if array.is_empty() {
        let wrong = Wrong::new(format!("`{}` is an empty array, so nothing is meant", entry.key));
        problems.error(entry.at, wrong.hint("leave it out where everything is meant"));
    }
    let value = |value: &'d Value| {
        let at = value.span().map_or(entry.at, |span| span.start);
        scalar(entry.key, value, at, problems)
    };
    array.iter().filter_map(value).collect()
}

fn scalar<'d>(
    key: &str,
    value: &'d Value,
    at: usize,
    problems: &mut Problems,
) -> Option<(Scalar<'d>, Place)> {
    let scalar = match value {
        Value::String(text) => Scalar::Text(text.value()),
        Value::Integer(number) => Scalar::Number(*number.value()),
        other => {
            let kind = kind_of(&Item::Value(other.clone()));
            let wrong = Wrong::new(format!("a value of `{key}` must be text or a number, and is {kind}"));
            problems.error(at, wrong);
            return None;
        }
    };
    Some((scalar, Place::Offset(at)))
}

/// The tables that `entry` must be: `[[rule]]`, or an array of inline tables.
pub(super) fn tables<'d>(entry: Entry<'d>, name: &str, problems: &mut Problems) -> Vec<Located<'d>> {
    let hint = format!("write `[[{name}]]` above each of them");
    match entry.item {
        Item::ArrayOfTables(tables) => {
            let start = |table: &Table| table.span().map_or(entry.at, |span| span.start);
            tables.iter().map(|table| (table as &dyn TableLike, start(table))).collect()
        }
        Item::Value(Value::Array(array)) => {
            array.iter().filter_map(|value| inline_table(entry, value, &hint, problems)).collect()
        }
        _ => {
            problems.error(entry.at, not_as(entry, "an array of tables").hint(hint));
            Vec::new()
        }
    }
}

fn inline_table<'d>(
    entry: Entry<'d>,
    value: &'d Value,
    hint: &str,
    problems: &mut Problems,
) -> Option<Located<'d>> {
    let at = value.span().map_or(entry.at, |span| span.start);
    let table = value.as_inline_table();
    if table.is_none() {
        let wrong = Wrong::new(format!("`{}` holds something that is no table", entry.key));
        problems.error(at, wrong.hint(hint));
    }
    table.map(|table| (table as &dyn TableLike, at))
}
