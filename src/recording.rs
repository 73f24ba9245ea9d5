//! What Python may ask of the recorder in its own process.

use std::path::PathBuf;

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

use crate::presence;
use crate::session::{self, Settings};

/// Starts recording this process into `spool`, an absolute path; native code too, unless `native` says otherwise, or
/// the environment where it says nothing. Returns false where it is recorded already, also by another copy of gnomon.
#[pyfunction]
#[pyo3(signature = (spool, *, every_import=false, native=None))]
pub fn start(spool: PathBuf, every_import: bool, native: Option<bool>) -> PyResult<bool> {
    let settings = Settings { spool, parent: None, run: None, every_import, native, owned: None };
    session::start(&settings).map_err(|reason| {
        PyOSError::new_err(format!("cannot record into `{}`: {reason}", settings.spool.display()))
    })
}

/// Ends what `start` began: the hook stays, as CPython cannot remove it, and records nothing any more.
/// Returns false where there is nothing to end.
#[pyfunction]
pub fn stop() -> bool {
    session::stop()
}

/// Begins a new part of this process's records and returns its time in nanoseconds since 1970; `None` where it
/// is not recorded. A record belongs to one part: what happens again in the next is stored anew.
#[pyfunction]
pub fn begin_part() -> Option<u64> {
    match session::armed() {
        Some(recorder) => Some(recorder.begin_part()),
        None => session::other().and_then(|_| presence::begin_part()),
    }
}

/// The id that this process records under; `None` where it does not record.
#[pyfunction]
pub fn process_id() -> Option<String> {
    let process = session::armed().map(|recorder| recorder.process());
    let process = process.or_else(|| Some(session::other()?.process));
    process.map(|process| process.as_hyphenated().to_string())
}

/// Where this process's records go, the run that it belongs to, and whether `start` began it.
#[pyfunction]
pub fn recording() -> Option<(PathBuf, Option<String>, bool)> {
    let Some(recorder) = session::armed() else {
        return session::other().map(|other| (other.spool, None, false));
    };
    let run = recorder.description().run.map(|run| run.as_hyphenated().to_string());
    Some((recorder.spool().to_owned(), run, session::is_asked_for()))
}
