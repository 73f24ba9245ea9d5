//! Policy files as Python sees them: what is wrong with one.

use std::path::PathBuf;

use gnomon_core::policy::compile::compile;
use gnomon_core::policy::parse::{self, Diagnostic};
use gnomon_core::policy::rule::Mode;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

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
