//! The running Python frame, looked at through functions that raise no event.

use crate::capi::running_code;

fn running_file(test: impl FnOnce(&str) -> bool) -> bool {
    let Some(code) = running_code() else {
        return false;
    };
    let Some(file) = code.object().attribute(c"co_filename") else {
        return false;
    };
    file.object().text().is_some_and(test)
}

/// Whether the import system runs: its modules are frozen into the interpreter.
pub fn is_in_import_system() -> bool {
    running_file(|file| file.starts_with("<frozen importlib") || file.starts_with("<frozen zipimport"))
}

/// Whether the code that runs comes from a file with this ending.
pub fn running_file_ends_with(ending: &str) -> bool {
    running_file(|file| file.ends_with(ending))
}

/// Whether `runpy` runs: it executes what `-m` names.
pub fn is_in_runpy() -> bool {
    running_file(|file| file == "<frozen runpy>" || file.ends_with("/runpy.py"))
}

/// Whether pathlib opens on behalf of an `open` that has raised its event already (Python 3.9).
pub fn is_in_pathlib_opener() -> bool {
    let Some(code) = running_code() else { return false };
    let text_is = |attribute: &std::ffi::CStr, test: fn(&str) -> bool| {
        code.object().attribute(attribute).is_some_and(|value| value.object().text().is_some_and(test))
    };
    text_is(c"co_name", |name| name == "_opener")
        && text_is(c"co_filename", |file| file.ends_with("pathlib.py"))
}
