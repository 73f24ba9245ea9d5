//! Text and bytes that become code without being a module: compiled, executed, unmarshalled, unpickled.
//!
//! Python itself does that by the thousand (imports, dataclasses, named tuples), libraries do too (attrs,
//! templates, test runners). So who does it decides, and the cheapest test comes first.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Mutex;

use gnomon_core::event::{Event, Kind, Target};
use gnomon_core::origin::{Origin, is_cell};
use gnomon_core::process::sha256;

use super::{Decoded, processes};
use crate::capi::Object;
use crate::frames::{self, Caller};

/// Different texts that are told apart by their hash; a program that makes more of them is counted by name.
const MAX_TEXTS: usize = 1000;

/// Text that was compiled, and whose execution is likely to be the next event.
pub struct Compiled {
    name: Vec<u8>,
    size: u64,
    sha256: Option<[u8; 32]>,
    from: Source,
}

/// Where text comes from that is compiled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The program's own code.
    Program,
    /// What `-c` gives.
    Command,
    /// A notebook.
    Cell,
    /// Somebody types it.
    Prompt,
}

/// With who compiled it.
type Pending = (Compiled, Option<Rc<Origin>>);

thread_local! {
    /// Boxed, as what threads have in this library is small together or allocated (thread.rs).
    static PENDING: RefCell<Option<Box<Pending>>> = const { RefCell::new(None) };
    static IS_PENDING: Cell<bool> = const { Cell::new(false) };
}

impl Compiled {
    fn event(self, is_executed: bool) -> Event<'static> {
        let how = match self.from {
            Source::Program if is_executed => "exec",
            Source::Program => "compile",
            Source::Command => processes::main_text_form(),
            Source::Cell => "cell",
            Source::Prompt => "interactive",
        };
        let is_told_apart = self.sha256.is_some_and(is_among_the_first);
        let (size, sha256) = if is_told_apart { (Some(self.size), self.sha256) } else { (None, None) };
        Event::new(Kind::Code, Target::Code { name: Cow::Owned(self.name), how, size, sha256 })
    }
}

/// Whether a text is one of those that are told apart. A program that evaluates a text for each row of a table
/// would fill the spool otherwise.
fn is_among_the_first(digest: [u8; 32]) -> bool {
    static SEEN: Mutex<Vec<[u8; 8]>> = Mutex::new(Vec::new());
    let [a, b, c, d, e, f, g, h, ..] = digest;
    let start = [a, b, c, d, e, f, g, h];
    let Ok(mut seen) = SEEN.try_lock() else { return true };
    match seen.binary_search(&start) {
        Ok(_) => true,
        Err(_) if seen.len() >= MAX_TEXTS => false,
        Err(place) => {
            seen.insert(place, start);
            true
        }
    }
}

/// Keeps what was just compiled until the next event tells whether it is executed.
pub fn remember(compiled: Compiled, origin: Option<Rc<Origin>>) {
    let _ = PENDING.try_with(|pending| pending.replace(Some(Box::new((compiled, origin)))));
    IS_PENDING.set(true);
}

/// What was compiled and has not been executed so far, now that something else happens. What somebody types is
/// compiled until it is complete, and what `-c` gives runs in any case: these wait.
#[inline]
pub fn left_over() -> Option<(Event<'static>, Option<Rc<Origin>>)> {
    if !IS_PENDING.get() {
        return None;
    }
    let (compiled, origin) = *take(|compiled| matches!(compiled.from, Source::Program | Source::Cell))?;
    Some((compiled.event(false), origin))
}

fn take(is_it: impl FnOnce(&Compiled) -> bool) -> Option<Box<Pending>> {
    let taken = PENDING.try_with(|pending| {
        let mut pending = pending.try_borrow_mut().ok()?;
        if pending.as_deref().is_some_and(|(compiled, _)| is_it(compiled)) { pending.take() } else { None }
    });
    let taken = taken.ok().flatten();
    if taken.is_some() {
        IS_PENDING.set(false);
    }
    taken
}

/// `compile(source, filename)`. The source is bytes, or `None` where a file is read, or a syntax tree.
pub fn compile(args: Object<'_>) -> Decoded<'_> {
    let (Some(source), Some(file)) = (args.item(0), args.item(1)) else {
        return Decoded::Odd;
    };
    let (Some(text), Some(name)) = (source.bytes(), file.path()) else {
        return Decoded::Nothing;
    };
    let from = match name.as_ref() {
        name if is_cell(name) => Source::Cell,
        name if is_prompt(name) => Source::Prompt,
        _ => match frames::caller() {
            Caller::User => Source::Program,
            Caller::Nobody if processes::main_text_form() == "command" => Source::Command,
            // Before 3.13 CPython itself compiles lines of source, to mark them in a traceback.
            Caller::Nobody | Caller::Machinery => return Decoded::Nothing,
        },
    };
    let size = text.len() as u64;
    Decoded::Compiled(Compiled { name: name.into_owned(), size, sha256: sha256(text), from })
}

/// The names that the standard library gives to what is typed.
fn is_prompt(name: &[u8]) -> bool {
    name.starts_with(b"<stdin>") || name == b"<console>" || name.starts_with(b"<python-input-")
}

/// `exec(code)`, where `code` is no module: text that somebody compiled, or code that was made otherwise.
pub fn executed(name: Cow<'_, [u8]>) -> Decoded<'_> {
    let caller = frames::caller();
    let is_it = |compiled: &Compiled| {
        let is_typed = matches!(compiled.from, Source::Cell | Source::Prompt);
        // Since 3.13 what is typed is compiled under one name and runs under another.
        let has_its_name = compiled.name == *name || compiled.from == Source::Prompt && is_prompt(&name);
        (caller != Caller::Machinery || is_typed) && has_its_name
    };
    if let Some((mut compiled, _)) = take(is_it).map(|pending| *pending) {
        if let Some(file) = frames::started_file() {
            compiled.name = file;
        }
        return Decoded::Event(compiled.event(true));
    }
    // 3.13 numbers what standard input gives.
    let name = if name.starts_with(b"<stdin>") { Cow::Borrowed(&b"<stdin>"[..]) } else { name };
    match caller {
        Caller::User => unknown(name, "exec"),
        Caller::Nobody => unknown(name, processes::main_text_form()),
        Caller::Machinery => Decoded::Nothing,
    }
}

/// Forgets what was compiled under this name: it turned out to be a module.
pub fn is_module(name: &[u8]) {
    if IS_PENDING.get() {
        take(|compiled| compiled.name == name);
    }
}

/// Code whose text is not at hand.
fn unknown<'a>(name: Cow<'a, [u8]>, how: &'static str) -> Decoded<'a> {
    Decoded::Event(Event::new(Kind::Code, Target::Code { name, how, size: None, sha256: None }))
}

/// `marshal.loads(bytes)`: code, nearly always. The import system loads its bytecode in this way.
pub fn unmarshal(args: Object<'_>) -> Decoded<'_> {
    let Some(bytes) = args.item(0).and_then(Object::bytes) else {
        return Decoded::Odd;
    };
    if frames::is_in_import_system() {
        return Decoded::Nothing;
    }
    let from =
        Compiled { name: Vec::new(), size: bytes.len() as u64, sha256: sha256(bytes), from: Source::Program };
    let Target::Code { size, sha256, .. } = from.event(false).target else {
        return Decoded::Nothing;
    };
    let name = Cow::Borrowed(&b"<marshal>"[..]);
    Decoded::Event(Event::new(Kind::Code, Target::Code { name, how: "marshal", size, sha256 }))
}

/// `marshal.load()`, from a file.
pub fn unmarshal_file(_args: Object<'_>) -> Decoded<'_> {
    match frames::caller() {
        Caller::Machinery => Decoded::Nothing, // zipimport, pkgutil, test runners: their files are opened
        Caller::User | Caller::Nobody => unknown(Cow::Borrowed(b"<marshal>"), "marshal"),
    }
}

/// `function.__new__(code)`: code becomes a function, whose call is no event.
pub fn function(args: Object<'_>) -> Decoded<'_> {
    let Some(code) = args.item(0).filter(|code| code.is_code()) else {
        return Decoded::Odd;
    };
    let file = code.attribute(c"co_filename").and_then(|file| Some(file.object().path()?.into_owned()));
    made(file.map(Cow::Owned), "function")
}

/// `code.__new__(bytecode, filename, name, …)`, also of `code.replace`.
pub fn code(args: Object<'_>) -> Decoded<'_> {
    made(args.item(1).and_then(Object::path), "code")
}

fn made<'a>(file: Option<Cow<'a, [u8]>>, how: &'static str) -> Decoded<'a> {
    match (file, frames::caller()) {
        (_, Caller::Machinery) => Decoded::Nothing,
        (Some(file), _) => unknown(file, how),
        (None, _) => Decoded::Odd,
    }
}

/// The cheap look at an event that Django raises for each row: whether the attribute's name is as long as it must
/// be.
pub fn may_set_code(args: Option<Object<'_>>) -> bool {
    args.and_then(|args| args.item(1)).is_some_and(|name| name.has_characters("__code__".len()))
}

/// `object.__setattr__(object, name, value)`, raised for a few attributes only: here a function gets other code.
pub fn set_attribute(args: Object<'_>) -> Decoded<'_> {
    if args.item(1).and_then(Object::text) != Some("__code__") || frames::is_standard_at_work() {
        return Decoded::Nothing; // `types.coroutine` only changes a flag
    }
    let file = args.item(2).filter(|code| code.is_code()).and_then(|code| code.attribute(c"co_filename"));
    let file = file.and_then(|file| Some(file.object().path()?.into_owned()));
    super::tamper::with_detail("function.__code__", file.unwrap_or_default())
}

/// `pickle.find_class(module, name)`: what a pickle wants to call.
pub fn find_class(args: Object<'_>) -> Decoded<'_> {
    let (Some(module), Some(name)) =
        (args.item(0).and_then(Object::text), args.item(1).and_then(Object::text))
    else {
        return Decoded::Odd;
    };
    if is_plain_data(module, name) {
        return Decoded::Nothing;
    }
    let name = Cow::Owned(format!("{module}.{name}").into_bytes());
    Decoded::Event(Event::new(Kind::Unpickle, Target::Named { name, detail: Cow::Borrowed(b"") }))
}

/// What pickles of data are made of, and cannot be made to do more than make data. Nothing that takes a
/// function, a name or a text to evaluate belongs here.
fn is_plain_data(module: &str, name: &str) -> bool {
    const BUILTINS: &str = " bool bytearray bytes complex dict float frozenset int list object range set slice str \
                            tuple unicode long xrange ";
    match module {
        "builtins" | "__builtin__" => {
            let is_listed = |word: &str| word == name;
            let is_exception = ["Error", "Exception", "Warning"].iter().any(|end| name.ends_with(end));
            BUILTINS.split_ascii_whitespace().any(is_listed) || is_exception
        }
        "exceptions" => name.ends_with("Error"),
        "copyreg" | "copy_reg" => matches!(name, "_reconstructor" | "__newobj__" | "__newobj_ex__"),
        "collections" => matches!(name, "OrderedDict" | "defaultdict" | "deque" | "Counter"),
        "array" => name == "_array_reconstructor",
        "_codecs" => name == "encode", // how protocols below 3 spell bytes
        "datetime" | "decimal" | "_decimal" | "fractions" | "uuid" | "ipaddress" | "pathlib"
        | "pathlib._local" | "zoneinfo" => {
            name.starts_with(|letter: char| letter.is_ascii_uppercase()) || module == "datetime"
        }
        _ => is_of_arrays(module, name),
    }
}

/// Arrays and tables of numpy, pandas and pyarrow, which holds the texts of pandas 3.
fn is_of_arrays(module: &str, name: &str) -> bool {
    const TABLES: [&str; 8] = [
        "pandas.core.frame",
        "pandas.core.series",
        "pandas.core.indexes.",
        "pandas.core.internals.",
        "pandas.core.arrays.",
        "pandas.core.dtypes.",
        "pandas._libs.internals",
        "pandas._libs.tslibs.",
    ];
    match module {
        "numpy" => matches!(name, "ndarray" | "dtype" | "matrix" | "recarray") || is_number_type(name),
        "pandas" => is_table_type(name),
        "pandas.arrays" => true,
        "numpy.core.multiarray" | "numpy._core.multiarray" => matches!(name, "_reconstruct" | "scalar"),
        "numpy.core.numeric" | "numpy._core.numeric" => name == "_frombuffer",
        "pandas._libs.arrays" | "pandas._libs.interval" => true,
        "pyarrow.lib" => is_of_arrow(name),
        _ => TABLES.iter().any(|known| module.starts_with(known)),
    }
}

/// The classes of pandas by the names that pandas 3 gives them.
fn is_table_type(name: &str) -> bool {
    let ends = [
        "Index",
        "Dtype",
        "DataFrame",
        "Series",
        "Timestamp",
        "Timedelta",
        "Period",
        "Interval",
        "Categorical",
    ];
    ends.iter().any(|end| name.ends_with(end))
}

/// What arrays, tables and types of pyarrow say that they are made by.
fn is_of_arrow(name: &str) -> bool {
    const MAKERS: &str = "_reconstruct_record_batch _reconstruct_table _restore_array binary chunked_array dictionary \
                          field large_list list_ map_ py_buffer scalar schema struct timestamp type_for_alias union ";
    MAKERS.split_ascii_whitespace().any(|maker| maker == name) || name.starts_with("decimal")
}

fn is_number_type(name: &str) -> bool {
    const TYPES: [&str; 9] =
        ["bool_", "int", "uint", "float", "complex", "datetime64", "timedelta64", "str_", "bytes_"];
    TYPES.iter().any(|known| name.starts_with(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pickle_of_data_is_plain_and_what_can_act_is_not() {
        for (module, name, expected) in [
            ("builtins", "dict", true),
            ("builtins", "ValueError", true),
            ("builtins", "DeprecationWarning", true),
            ("builtins", "eval", false),
            ("builtins", "getattr", false),
            ("builtins", "di", false),
            ("builtins", "dict set", false),
            ("copyreg", "_reconstructor", true),
            ("copyreg", "add_extension", false),
            ("collections", "OrderedDict", true),
            ("collections", "namedtuple", false),
            ("datetime", "datetime", true),
            ("decimal", "Decimal", true),
            ("decimal", "getcontext", false),
            ("os", "system", false),
            ("posix", "system", false),
            ("numpy", "dtype", true),
            ("numpy", "int64", true),
            ("numpy", "load", false),
            ("numpy.core.multiarray", "_reconstruct", true),
            ("numpy._core.multiarray", "fromfile", false),
            ("pandas.core.indexes.base", "_new_Index", true),
            ("pandas", "DataFrame", true),
            ("pandas", "RangeIndex", true),
            ("pandas", "eval", false),
            ("pandas", "read_pickle", false),
            ("pandas.core.computation.eval", "eval", false),
            ("pandas.io.pickle", "read_pickle", false),
            ("pyarrow.lib", "_restore_array", true),
            ("pyarrow.lib", "memory_map", false),
            ("pyarrow.fs", "LocalFileSystem", false),
            ("__main__", "Report", false),
        ] {
            assert_eq!(is_plain_data(module, name), expected, "{module}.{name}");
        }
    }
}
