//! What Python may ask of the policies in its own process: to be under one more, and to be rid of that again.

use std::ffi::OsString;
use std::path::PathBuf;

use gnomon_core::policy::active::Ticket;
use gnomon_core::policy::image::Image;
use gnomon_core::process::Script;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;

use crate::environment::variable;
use crate::errors::cannot;
use crate::{hook, notice, session};

/// Puts this process, which is recorded, under the compiled policy `data` too, and returns the number that ends it.
/// With `children`, programs that inherit the environment are told of it. `script` is what the process runs (form,
/// name, file), where the recorder cannot know.
#[pyfunction]
#[pyo3(signature = (data, *, justification=None, script=None, children=true))]
pub fn enforce(
    py: Python<'_>,
    data: Vec<u8>,
    justification: Option<String>,
    script: Option<(String, OsString, Option<PathBuf>)>,
    children: bool,
) -> PyResult<u64> {
    let Some(recorder) = session::armed() else {
        return Err(PyOSError::new_err("cannot enforce a policy: this process is not recorded"));
    };
    let broken = |refusal: gnomon_core::policy::image::Refusal| {
        PyValueError::new_err(format!("cannot enforce a policy: it is {}", refusal.name()))
    };
    let image = Image::from_bytes(data).map_err(broken)?;
    let folder = recorder.spool();
    let path = image.store(folder).map_err(|error| cannot("keep the policy in", folder, &error))?;
    if recorder.policy().is_none() {
        notice::remember_stderr();
    }
    let script = script.map(|(form, name, file)| running(&form, &name, file));
    let ticket = recorder
        .enforce(&path, image, justification.as_deref(), || session::under_none(script.as_ref()))
        .ok_or_else(|| PyOSError::new_err("cannot enforce a policy: there are too many"))?;
    if children {
        tell_children(py, |paths| paths.push(path.into()))?;
    }
    Ok(ticket.0)
}

/// Ends what `enforce` began with this number; does nothing the second time. `children` is as it was there.
#[pyfunction]
#[pyo3(signature = (ticket, *, children=true))]
pub fn release(py: Python<'_>, ticket: u64, children: bool) -> PyResult<()> {
    let Some(path) = session::armed().and_then(|recorder| recorder.release(Ticket(ticket))) else {
        return Ok(());
    };
    if children {
        tell_children(py, |paths| {
            if let Some(at) = paths.iter().rposition(|known| *known == path) {
                paths.remove(at);
            }
        })?;
    }
    Ok(())
}

/// What the rule `policy/rule` of a policy in force says: message, link and owner; empty where it says nothing.
#[pyfunction]
pub fn rule_texts(name: &str) -> Option<(String, String, String)> {
    let said = session::armed()?.policy()?.rule_named(name)?;
    Some((said.message.to_owned(), said.link.to_owned(), said.owner.to_owned()))
}

/// How often a rule spoke so far of what this process does, when a file of the spool was last made or removed, and
/// the time now; zeros where it is not recorded. Where the first has not changed since `begin_part`, no record of
/// this process in the part has a verdict but `allow`.
#[pyfunction]
pub fn pulse() -> (u64, u64, u64) {
    let Some(recorder) = session::armed() else { return (0, 0, 0) };
    let changed = std::fs::metadata(recorder.spool()).and_then(|found| found.modified());
    let changed = changed.ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let changed = changed.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(0));
    (recorder.spoken(), changed, gnomon_core::pipeline::now())
}

fn running(form: &str, name: &OsString, file: Option<PathBuf>) -> Script {
    use std::os::unix::ffi::OsStrExt as _;
    let name = name.as_bytes();
    match file {
        Some(file) => {
            let file = std::fs::canonicalize(&file).unwrap_or(file);
            Script::of_file(form, name, file.as_os_str().as_bytes())
        }
        None => Script {
            form: form.to_owned(),
            name: gnomon_core::text::Bytes(name.to_vec()),
            ..Script::default()
        },
    }
}

/// Changes which policies programs are under that inherit `os.environ`. It is not the program's doing.
fn tell_children(py: Python<'_>, change: impl FnOnce(&mut Vec<OsString>)) -> PyResult<()> {
    hook::quietly(|| {
        let environ = py.import("os")?.getattr("environ")?;
        let known: Option<OsString> = environ.call_method1("get", (variable::POLICY,))?.extract()?;
        let paths = known.iter().flat_map(std::env::split_paths);
        let mut paths: Vec<_> =
            paths.filter(|path| !path.as_os_str().is_empty()).map(OsString::from).collect();
        change(&mut paths);
        if paths.is_empty() {
            environ.call_method1("pop", (variable::POLICY, py.None()))?;
            return Ok(());
        }
        environ.set_item(variable::POLICY, paths.join(std::ffi::OsStr::new(":")))
    })
}
