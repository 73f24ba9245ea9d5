//! SQLite: databases opened, and libraries loaded into them. What a statement attaches raises no event.

use std::borrow::Cow;

use gnomon_core::event::{Base, Event, FilePath, Kind, Target};
use gnomon_core::pipeline::file_of_uri;

use super::Decoded;
use crate::capi::Object;

/// `sqlite3.connect(database)`: a path, a `file:` URI, of which the path counts, `:memory:` or nothing (a temporary one).
pub fn connect(args: Object<'_>) -> Decoded<'_> {
    let Some(given) = args.item(0).and_then(Object::path) else {
        return Decoded::Odd;
    };
    let path = match file_of(&given) {
        Some(file) => FilePath { given: file, base: Base::Current },
        None => FilePath { given, base: Base::Verbatim },
    };
    let event = Event::new(Kind::Database, Target::Path { path, destination: None });
    Decoded::Event(event.with_detail(&b"connect"[..]))
}

/// The file that SQLite opens, if it is one.
fn file_of<'a>(given: &Cow<'a, [u8]>) -> Option<Cow<'a, [u8]>> {
    if given.starts_with(b"file:") {
        let modes = memchr::memmem::find_iter(given, b"mode=").count();
        let is_in_memory = modes == 1 && memchr::memmem::find(given, b"mode=memory").is_some();
        return file_of_uri(given).filter(|_| !is_in_memory).map(Cow::Owned);
    }
    (!given.is_empty() && !given.starts_with(b":")).then(|| given.clone())
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
