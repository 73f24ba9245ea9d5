//! The running Python frames, looked at through functions that raise no event.

use std::rc::Rc;

use gnomon_core::origin::Origin;
use gnomon_core::pipeline::Recorder;

use crate::capi::{Owned, running_code};

fn text_is(code: &Owned, attribute: &std::ffi::CStr, test: impl FnOnce(&str) -> bool) -> bool {
    code.object().attribute(attribute).is_some_and(|value| value.object().text().is_some_and(test))
}

fn is_import_system(code: &Owned) -> bool {
    // Its modules are frozen into the interpreter, under names that no file can have.
    text_is(code, c"co_filename", |file| {
        file.starts_with("<frozen importlib") || file.starts_with("<frozen zipimport")
    })
}

/// Whether the import system works for itself: the code that runs is its own, and so is the caller. A program
/// that calls a loader's `get_data` to read some file is not the import system.
pub fn is_in_import_system() -> bool {
    let codes = running_code(2);
    codes.len() == 2 && codes.iter().all(is_import_system)
}

/// Who executes the code of a module.
pub enum Executor {
    ImportSystem,
    /// What runs the module that `-m` names.
    Runpy,
    Other,
}

/// Who executes the code that an `exec` event is about.
pub fn executor() -> Executor {
    match running_code(1).first() {
        Some(code) if is_import_system(code) => Executor::ImportSystem,
        Some(code)
            if text_is(code, c"co_filename", |file| {
                file == "<frozen runpy>" || file.ends_with("/runpy.py")
            }) =>
        {
            Executor::Runpy
        }
        _ => Executor::Other,
    }
}

/// Whether the code that runs comes from a file with this ending.
pub fn running_file_ends_with(ending: &str) -> bool {
    running_code(1).iter().any(|code| text_is(code, c"co_filename", |file| file.ends_with(ending)))
}

/// Whether pathlib opens on behalf of an `open` that has raised its event already (Python 3.9).
pub fn is_in_pathlib_opener() -> bool {
    running_code(1).iter().any(|code| {
        text_is(code, c"co_name", |name| name == "_opener")
            && text_is(code, c"co_filename", |file| file.ends_with("pathlib.py"))
    })
}

/// Who caused the event that is being looked at.
pub fn origin(_recorder: &Recorder) -> Option<Rc<Origin>> {
    None
}
