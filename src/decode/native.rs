//! Native code through ctypes: libraries loaded, names looked up in them, functions called.

use std::borrow::Cow;

use gnomon_core::event::{Event, Kind, Target};

use super::Decoded;
use crate::capi::Object;
use crate::frames;

/// What stands for the library where a program looks into all that it has loaded.
const ITSELF: &[u8] = b"<process>";

fn native<'a>(name: impl Into<Cow<'a, [u8]>>, how: &'static [u8]) -> Event<'a> {
    Event::new(Kind::Native, Target::Named { name: name.into(), detail: Cow::Borrowed(how) })
}

/// `ctypes.dlopen(name or None)`. ctypes itself opens the process when it is imported.
pub fn dlopen(args: Object<'_>) -> Decoded<'_> {
    let Some(name) = args.item(0) else {
        return Decoded::Odd;
    };
    if name.is_none() {
        return if frames::is_loading("/ctypes/__init__.py") {
            Decoded::Nothing
        } else {
            Decoded::Event(native(ITSELF, b"load"))
        };
    }
    match name.path() {
        Some(path) => Decoded::Event(native(path, b"load")),
        None => Decoded::Odd,
    }
}

/// `ctypes.dlsym(library, name or number)`: the target is `library:name`.
pub fn dlsym(args: Object<'_>) -> Decoded<'_> {
    let (Some(library), Some(name)) = (args.item(0), args.item(1).and_then(symbol_name)) else {
        return Decoded::Odd;
    };
    // What the instance holds: asking it would run the code of a class that the program derived.
    let name_of = library.is_a(c"ctypes", c"CDLL").then(|| library.held(c"_name")).flatten();
    let library = name_of.map_or_else(
        || Cow::Borrowed(&b"?"[..]),
        |held| match held.object() {
            none if none.is_none() => Cow::Borrowed(ITSELF),
            name => Cow::Owned(name.path().unwrap_or(Cow::Borrowed(b"?")).into_owned()),
        },
    );
    Decoded::Event(native([&*library, b":", &name].concat(), b"symbol"))
}

/// `ctypes.dlsym/handle(handle, name)`: only the address of the library is at hand.
pub fn dlsym_in_handle(args: Object<'_>) -> Decoded<'_> {
    match args.item(1).and_then(symbol_name) {
        Some(name) => Decoded::Event(native([b"?:", &*name].concat(), b"symbol")),
        None => Decoded::Odd,
    }
}

fn symbol_name(name: Object<'_>) -> Option<Cow<'_, [u8]>> {
    match name.integer() {
        Some(number) => Some(Cow::Owned(format!("#{number}").into_bytes())),
        None => name.path(),
    }
}

/// `ctypes.call_function(address, arguments)`: since 3.14 for every call, by the million in some programs.
pub fn call(_args: Object<'_>) -> Decoded<'_> {
    Decoded::Counted(native(&b"<functions>"[..], b"call"))
}
