//! The one door from Rust's errors to Python's exceptions.

use std::io;
use std::path::Path;

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

/// ``cannot <verb> `<path>`: <cause>`` as the `OSError` of its kind, with errno and file name as fields.
pub fn cannot(verb: &str, path: &Path, error: &io::Error) -> PyErr {
    let text = format!("cannot {verb} `{}`: {}", path.display(), cause(error));
    match error.raw_os_error() {
        Some(number) => PyOSError::new_err((number, text, path.to_path_buf())),
        None => PyOSError::new_err(text),
    }
}

/// The operating system's words in lower case, without the number that Rust adds.
fn cause(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
