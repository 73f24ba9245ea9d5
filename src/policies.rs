//! Policy files as Python sees them: what is wrong with one.

use std::path::PathBuf;

use gnomon_core::policy::parse::{self, Diagnostic};
use pyo3::prelude::*;

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
