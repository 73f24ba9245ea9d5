//! Policies as Python sees them: what is wrong with a file, and what the rules of a compiled one say.

use std::path::{Path, PathBuf};

use gnomon_core::policy::compile::compile;
use gnomon_core::policy::image::Image;
use gnomon_core::policy::parse::{self, Diagnostic};
use gnomon_core::policy::rule::Mode;
use gnomon_core::process::hex;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::cannot;

/// Something that a policy file says wrongly; `severity` is `error` or `warning`.
#[pyclass(frozen, get_all, module = "gnomon")]
pub struct Problem {
    file: String,
    line: u32,
    column: u32,
    severity: &'static str,
    message: String,
    hint: Option<String>,
}

#[pymethods]
impl Problem {
    fn __repr__(&self) -> String {
        format!("<gnomon.Problem {} at {:?}:{}:{}>", self.severity, self.file, self.line, self.column)
    }
}

impl From<Diagnostic> for Problem {
    fn from(diagnostic: Diagnostic) -> Self {
        let Diagnostic { file, line, column, is_error, message, hint } = diagnostic;
        Self { file, line, column, severity: if is_error { "error" } else { "warning" }, message, hint }
    }
}

/// Reads the policy file at `path`: its number of rules, `None` where something is an error, and its problems.
#[pyfunction]
pub fn check_policy(py: Python<'_>, path: PathBuf) -> (Option<usize>, Vec<Problem>) {
    let parsed = py.detach(|| parse::parse_file(&path));
    let rules = parsed.layer.map(|layer| layer.rules.len());
    (rules, parsed.diagnostics.into_iter().map(Problem::from).collect())
}

/// Compiles the policy files at `paths` into one: its bytes, `None` where something is an error, and all problems.
/// With `observe`, no rule of it acts. `text` is one more policy as a file would hold it: what problems call it, the
/// directory that it names files relative to, and the text.
#[pyfunction]
#[pyo3(signature = (paths, observe = false, text = None))]
pub fn compile_policy(
    py: Python<'_>,
    paths: Vec<PathBuf>,
    observe: bool,
    text: Option<(String, PathBuf, String)>,
) -> (Option<Bound<'_, PyBytes>>, Vec<Problem>) {
    let (bytes, problems) = py.detach(|| {
        let mut parsed: Vec<_> = paths.iter().map(|path| parse::parse_file(path)).collect();
        parsed.extend(text.map(|(name, folder, text)| parse::parse(&name, &folder, &text)));
        let mut layers: Option<Vec<_>> = parsed.iter().map(|parsed| parsed.layer.clone()).collect();
        if observe {
            let rules = layers.iter_mut().flatten().flat_map(|layer| &mut layer.rules);
            rules.for_each(|rule| rule.mode = Mode::Observe);
        }
        let problems: Vec<_> =
            parsed.into_iter().flat_map(|parsed| parsed.diagnostics).map(Problem::from).collect();
        (layers.map(|layers| compile(&layers)), problems)
    });
    (bytes.map(|bytes| PyBytes::new(py, &bytes)), problems)
}

/// What a rule says: name, action, mode, message, link, owner.
type RuleTexts = (String, &'static str, &'static str, Option<String>, Option<String>, Option<String>);

/// The rules of the compiled policy at `path`, in their order, and the policy's SHA-256 in hexadecimal.
///
/// This only reads: a process that is to obey it asks besides who could have changed the file.
#[pyfunction]
pub fn policy_rules(path: PathBuf) -> PyResult<(String, Vec<RuleTexts>)> {
    let bytes = contents(&path).map_err(|error| cannot("read policy", &path, &error))?;
    let image = Image::from_bytes(bytes).map_err(|refusal| {
        PyValueError::new_err(format!("cannot read policy `{}`: it is {}", path.display(), refusal.name()))
    })?;
    let rules = (0..image.rule_count() as u32).filter_map(|number| texts(&image, number)).collect();
    Ok((hex(&image.sha256()), rules))
}

/// What is in the file, if it is one: whoever named it may have named a pipe.
fn contents(path: &Path) -> std::io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    std::fs::read(path)
}

fn texts(image: &Image, number: u32) -> Option<RuleTexts> {
    let rule = image.rule(number)?;
    let text = |place: u32| Some(image.text(place).to_owned()).filter(|text| !text.is_empty());
    let mode = if rule.is_observed { "observe" } else { "enforce" };
    let name = text(rule.name)?;
    Some((name, rule.action.name(), mode, text(rule.message), text(rule.link), text(rule.owner)))
}
