//! Native code through ctypes: libraries loaded, names looked up in them, functions called.

use std::borrow::Cow;

use gnomon_core::event::{Event, Kind, Target};

use super::{Decoded, tamper};
use crate::capi::Object;
use crate::{environment, frames, redirect};

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
        Some(path) if is_own_library(&path) => {
            let reach = tamper::event("gnomon's own files", [b"load ", &*path].concat());
            Decoded::Reaching(reach, native(path, b"load"))
        }
        Some(path) => Decoded::Event(native(path, b"load")),
        None => Decoded::Odd,
    }
}

fn is_own_library(path: &[u8]) -> bool {
    let name = |path: &[u8]| gnomon_core::paths::split(path).1.to_vec();
    let own = environment::library().map(|own| own.into_os_string().into_encoded_bytes());
    own.is_some_and(|own| name(&own) == name(path))
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
    symbol([&*library, b":", &name].concat(), &name)
}

/// `ctypes.dlsym/handle(handle, name)`: only the address of the library is at hand.
pub fn dlsym_in_handle(args: Object<'_>) -> Decoded<'_> {
    match args.item(1).and_then(symbol_name) {
        Some(name) => symbol([b"?:", &*name].concat(), &name),
        None => Decoded::Odd,
    }
}

fn symbol<'a>(target: Vec<u8>, name: &[u8]) -> Decoded<'a> {
    let event = native(target.clone(), b"symbol");
    if tamper::is_reach(name) {
        Decoded::Reaching(tamper::reach(target), event)
    } else {
        Decoded::Event(event)
    }
}

/// `ctypes.cdata(address)`: what is there is to be read or written as if it were the program's own.
pub fn at_address(args: Object<'_>) -> Decoded<'_> {
    let Some(address) = args.item(0).and_then(Object::integer) else { return Decoded::Odd };
    match usize::try_from(address).ok().and_then(redirect::part_at) {
        Some(part) => Decoded::Event(tamper::reach([b"memory of ", &*part].concat())),
        None => Decoded::Nothing,
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
