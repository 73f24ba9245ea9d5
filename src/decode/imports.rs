//! Modules that were really loaded, and from where.
//!
//! The `import` event fires only when a module is not loaded yet, before it is found, and not for
//! `importlib.import_module`. What tells the truth is the module's code being executed, and the second form
//! of `import`, which names the file of an extension module.

use std::borrow::Cow;

use gnomon_core::event::{Event, Kind, Target};
use gnomon_core::interest::installed_root;
use gnomon_core::paths::{absolute, below};
use gnomon_core::process::current_directory;

use super::{Decoded, code, processes};
use crate::capi::{Object, sys_attribute};
use crate::frames::{self, Caller, Executor};
use crate::notebooks;

/// `import(name, file or None, …)`: with a file it is an extension module, about to be loaded.
pub fn import(args: Object<'_>) -> Decoded<'_> {
    let (Some(name), Some(file)) = (args.item(0), args.item(1)) else {
        return Decoded::Odd;
    };
    if file.is_none() {
        return Decoded::Nothing;
    }
    match (name.text(), file.path()) {
        (Some(name), Some(file)) => {
            module(Cow::Borrowed(name), Cow::Owned(made_absolute(&file).into_owned()))
        }
        _ => Decoded::Odd,
    }
}

/// `exec(code)`: a module when the code is a whole file's.
pub fn exec(args: Object<'_>) -> Decoded<'_> {
    let Some(code) = args.item(0).filter(|code| code.is_code()) else {
        return Decoded::Odd;
    };
    let Some(file) = code.attribute(c"co_filename") else {
        return Decoded::Nothing;
    };
    let Some(given) = file.object().path() else {
        return Decoded::Nothing;
    };
    notebooks::runs(&given);
    if given.starts_with(b"<frozen ") {
        return Decoded::Nothing;
    }
    if given.first() == Some(&b'<') || !is_module_code(code) {
        return code::executed(Cow::Owned(given.into_owned()));
    }
    let file = made_absolute(&given);
    if processes::is_main_file(&file) {
        return Decoded::Nothing; // the script itself
    }
    match frames::executor() {
        Executor::ImportSystem => {}
        Executor::Runpy => {
            if let Some(script) = processes::main_module_found(&file) {
                return Decoded::Runs(script);
            }
        }
        // A file that somebody reads and executes is loaded; a notebook's cell only has a name like one.
        Executor::Other if !is_there(&file) => return code::executed(Cow::Owned(given.into_owned())),
        // A library that makes code of a template names it by the template's file.
        Executor::Other if !file.ends_with(b".py") && frames::caller() == Caller::Machinery => {
            return Decoded::Nothing;
        }
        Executor::Other => code::is_module(&given),
    }
    let name = String::from_utf8_lossy(&dotted_name(&file)).into_owned();
    module(Cow::Owned(name), Cow::Owned(file.into_owned()))
}

/// Code that was found by a relative entry of `sys.path`, or that somebody compiled, may have a relative name.
fn made_absolute(file: &[u8]) -> Cow<'_, [u8]> {
    let is_relative = file.first() != Some(&b'/');
    absolute(&is_relative.then(current_directory).flatten().unwrap_or_default(), file)
}

fn is_there(file: &[u8]) -> bool {
    std::path::Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(file)).exists()
}

fn is_module_code(code: Object<'_>) -> bool {
    code.attribute(c"co_name").is_some_and(|name| name.object().text() == Some("<module>"))
}

fn module<'a>(name: Cow<'a, str>, file: Cow<'a, [u8]>) -> Decoded<'a> {
    Decoded::Event(Event::new(Kind::Import, Target::Module { name, file }))
}

/// The module's name, as the directory of `sys.path` that holds its file makes it.
fn dotted_name(file: &[u8]) -> Vec<u8> {
    let relative =
        installed_root(file).and_then(|root| file.get(root + 1..)).or_else(|| below_search_path(file));
    let name = relative.unwrap_or_else(|| gnomon_core::paths::split(file).1);
    let name = name.strip_suffix(b".py").or_else(|| name.strip_suffix(b".pyc")).unwrap_or(name);
    let name = name.strip_suffix(b"/__init__").unwrap_or(name);
    name.iter().map(|byte| if *byte == b'/' { b'.' } else { *byte }).collect()
}

/// The part of `file` below an entry of `sys.path`; the empty entry, as others that are relative, is below the
/// current directory.
fn below_search_path(file: &[u8]) -> Option<&[u8]> {
    let search_path = sys_attribute(c"path")?;
    let entries = (0..search_path.length()?).filter_map(|index| search_path.item(index)?.path());
    entries
        .filter_map(|entry| {
            let entry = made_absolute(&entry);
            below(entry.strip_suffix(b"/").unwrap_or(&entry), file)
        })
        .min_by_key(|rest| rest.len())
}
