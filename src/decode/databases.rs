//! SQLite: databases opened, and libraries loaded into them. What a statement attaches raises no event.

use std::borrow::Cow;

use gnomon_core::event::{Base, Event, FilePath, Kind, Target};

use super::Decoded;
use crate::capi::Object;

/// `sqlite3.connect(database)`: a path, `:memory:`, nothing (a temporary one), or a `file:` URI, kept as it is.
pub fn connect(args: Object<'_>) -> Decoded<'_> {
    let Some(given) = args.item(0).and_then(Object::path) else {
        return Decoded::Odd;
    };
    let is_file = !(given.is_empty() || given.starts_with(b":") || given.starts_with(b"file:"));
    let base = if is_file { Base::Current } else { Base::Verbatim };
    let path = FilePath { given, base };
    let event = Event::new(Kind::Database, Target::Path { path, destination: None });
    Decoded::Event(event.with_detail(&b"connect"[..]))
}

fn sqlite<'a>(name: impl Into<Cow<'a, [u8]>>, how: &'static [u8]) -> Decoded<'a> {
    let target = Target::Named { name: name.into(), detail: Cow::Borrowed(how) };
    Decoded::Event(Event::new(Kind::Database, target))
}

/// `sqlite3.enable_load_extension(connection, is_on)`.
pub fn enable_extensions(args: Object<'_>) -> Decoded<'_> {
    match args.item(1).and_then(Object::integer) {
        Some(0) => Decoded::Nothing,
        Some(_) => sqlite(&b"sqlite3"[..], b"enable extensions"),
        None => Decoded::Odd,
    }
}

/// `sqlite3.load_extension(connection, path)`.
pub fn load_extension(args: Object<'_>) -> Decoded<'_> {
    match args.item(1).and_then(Object::path) {
        Some(path) => sqlite(path, b"load extension"),
        None => Decoded::Odd,
    }
}
