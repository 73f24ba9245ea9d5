//! What policies say of an event that nobody did, and why: for `gnomon policy explain` and `gnomon policy test`.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use gnomon_core::policy::explain::{self, Aspect, Check, RuleRef, explain};
use gnomon_core::policy::parse;
use gnomon_core::policy::question::{self, Setting};
use gnomon_core::policy::rule::{Example, Layer, Mode, Rule};
use gnomon_core::verdict::Action;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::policies::Problem;

/// One thing that a rule asks of an event. `wanted` are some of the `wanted_count` patterns; `pattern` is the one
/// that `value` matches, and `values` is all that the event has there.
#[pyclass(frozen, get_all, module = "gnomon")]
pub struct PolicyCheck {
    name: &'static str,
    holds: bool,
    pattern: Option<String>,
    value: Option<String>,
    values: Vec<String>,
    wanted: Vec<String>,
    wanted_count: usize,
    until: Option<u64>,
}

/// A rule, and what came of it for one event.
#[pyclass(frozen, get_all, module = "gnomon")]
pub struct RuleOutcome {
    policy: String,
    file: PathBuf,
    line: u32,
    id: String,
    action: &'static str,
    is_observed: bool,
    message: Option<String>,
    link: Option<String>,
    owner: Option<String>,
    /// The file that it is about, where the event acts on several.
    path: Option<String>,
    checks: Vec<Py<PolicyCheck>>,
}

/// The name of a policy, and the two rules that decide there: the enforced one, and the one of all.
type Deciding = (String, Option<Py<RuleOutcome>>, Option<Py<RuleOutcome>>);

/// What policies say of an event, and why.
#[pyclass(frozen, get_all, module = "gnomon")]
pub struct Explanation {
    event: &'static str,
    enforced: Option<Py<RuleOutcome>>,
    shadow: Option<Py<RuleOutcome>>,
    policies: Vec<Deciding>,
    overruled: Vec<Py<RuleOutcome>>,
    close: Vec<Py<RuleOutcome>>,
}

/// What `[[rule.example]]` asks, and what its policy answers; `problem` is why the example is no question.
#[pyclass(frozen, get_all, module = "gnomon")]
pub struct ExampleOutcome {
    rule: String,
    line: u32,
    event: String,
    who: Vec<(String, String)>,
    expected: &'static str,
    got: Option<&'static str>,
    by: Option<Py<RuleOutcome>>,
    problem: Option<(String, String)>,
}

/// Explains what the policies in `files` say of `event`. `None` where a file has errors.
///
/// Raises `ValueError` with a cause and a hint where the event is not understood.
#[pyfunction]
pub fn explain_policies(
    py: Python<'_>,
    files: Vec<PathBuf>,
    event: &str,
    who: Vec<(String, String)>,
    directory: PathBuf,
    home: PathBuf,
) -> PyResult<(Option<Explanation>, Vec<Problem>)> {
    let setting = setting(&directory, &home);
    let (facts, who) = question::understand(event, &who, &setting)
        .map_err(|error| PyValueError::new_err((error.cause, error.hint)))?;
    let (layers, problems) = py.detach(|| read(&files));
    let Some(layers) = layers else {
        return Ok((None, problems));
    };
    let explanation = py.detach(|| explain(&layers, &facts, &who));
    let shown = Shown { py, layers: &layers, files: &files, explanation: &explanation };
    Ok((Some(shown.explanation(facts.kind.name())?), problems))
}

/// Asks the policy at `file` what its examples ask. `None` where it has errors.
#[pyfunction]
pub fn test_policy(
    py: Python<'_>,
    file: PathBuf,
    home: PathBuf,
) -> PyResult<(Option<Vec<ExampleOutcome>>, Vec<Problem>)> {
    let directory = parse::directory_of(&file);
    let files = [file];
    let (layers, problems) = py.detach(|| read(&files));
    let Some(layers) = layers else {
        return Ok((None, problems));
    };
    let setting = setting(&directory, &home);
    let mut outcomes = Vec::new();
    for rule in layers.iter().flat_map(|layer| &layer.rules) {
        for example in &rule.examples {
            outcomes.push(tried(py, &layers, &files, rule, example, &setting)?);
        }
    }
    Ok((Some(outcomes), problems))
}

/// The layers of all `files`, and what is wrong with these.
fn read(files: &[PathBuf]) -> (Option<Vec<Layer>>, Vec<Problem>) {
    let (mut layers, mut problems) = (Some(Vec::new()), Vec::new());
    for file in files {
        let parsed = parse::parse_file(file);
        problems.extend(parsed.diagnostics.into_iter().map(Problem::from));
        layers = layers.zip(parsed.layer).map(|(mut layers, layer)| {
            layers.push(layer);
            layers
        });
    }
    (layers, problems)
}

/// Now, in `directory`.
fn setting<'a>(directory: &'a Path, home: &'a Path) -> Setting<'a> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Setting {
        directory: directory.as_os_str().as_bytes(),
        home: home.as_os_str().as_bytes(),
        time: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),
    }
}

/// What the policy says to `example`, with observed rules counting as if they were enforced.
fn tried(
    py: Python<'_>,
    layers: &[Layer],
    files: &[PathBuf],
    rule: &Rule,
    example: &Example,
    setting: &Setting<'_>,
) -> PyResult<ExampleOutcome> {
    let mut outcome = ExampleOutcome {
        rule: rule.id.clone(),
        line: example.line,
        event: example.event.clone(),
        who: example.who.clone(),
        expected: example.expect.name(),
        got: None,
        by: None,
        problem: None,
    };
    match question::understand(&example.event, &example.who, setting) {
        Err(error) => outcome.problem = Some((error.cause, error.hint)),
        Ok((facts, who)) => {
            let explanation = explain(layers, &facts, &who);
            let shown = Shown { py, layers, files, explanation: &explanation };
            let decides = explanation.shadow.and_then(|at| explanation.rule(at));
            outcome.got = Some(decides.map_or(Action::Allow, |decides| decides.rule.action).name());
            outcome.by = shown.rule(explanation.shadow)?;
        }
    }
    Ok(outcome)
}

/// An explanation on its way to Python.
struct Shown<'a> {
    py: Python<'a>,
    layers: &'a [Layer],
    files: &'a [PathBuf],
    explanation: &'a explain::Explanation<'a>,
}

impl Shown<'_> {
    fn explanation(&self, event: &'static str) -> PyResult<Explanation> {
        let mut policies = Vec::new();
        for (number, layer) in self.layers.iter().enumerate() {
            let (enforced, shadow) = self.explanation.in_layer(number);
            policies.push((layer.name.clone(), self.rule(enforced)?, self.rule(shadow)?));
        }
        let all = |rules: Vec<RuleRef>| -> PyResult<Vec<_>> {
            rules.into_iter().filter_map(|at| self.rule(Some(at)).transpose()).collect()
        };
        Ok(Explanation {
            event,
            enforced: self.rule(self.explanation.enforced)?,
            shadow: self.rule(self.explanation.shadow)?,
            policies,
            overruled: all(self.explanation.overruled())?,
            close: all(self.explanation.close().iter().take(MAX_CLOSE).map(|close| close.at).collect())?,
        })
    }

    fn rule(&self, at: Option<RuleRef>) -> PyResult<Option<Py<RuleOutcome>>> {
        let Some((at, explained)) = at.and_then(|at| Some((at, self.explanation.rule(at)?))) else {
            return Ok(None);
        };
        let rule = explained.rule;
        let paths = self.explanation.parts.iter().filter_map(|part| part.path);
        let path = paths.clone().nth(at.part).filter(|_| paths.count() > 1);
        let outcome = RuleOutcome {
            policy: self.layers.get(at.layer).map(|layer| layer.name.clone()).unwrap_or_default(),
            file: self.files.get(at.layer).cloned().unwrap_or_default(),
            line: rule.line,
            id: rule.id.clone(),
            action: rule.action.name(),
            is_observed: rule.mode == Mode::Observe,
            message: rule.message.clone(),
            link: rule.link.clone(),
            owner: rule.owner.clone(),
            path: path.map(|path| String::from_utf8_lossy(&path.path).into_owned()),
            checks: explained
                .checks
                .iter()
                .map(|check| Py::new(self.py, shown_check(check)))
                .collect::<PyResult<_>>()?,
        };
        Py::new(self.py, outcome).map(Some)
    }
}

/// Rules that are shown as close.
const MAX_CLOSE: usize = 10;
/// Patterns that are shown of a condition.
const MAX_WANTED: usize = 20;

fn shown_check(check: &Check<'_>) -> PolicyCheck {
    let wanted = check.wanted();
    let (pattern, value) = match &check.found {
        Some((pattern, value)) => (Some(explain::spelled(pattern).into_owned()), Some(value.clone())),
        None => (None, None),
    };
    PolicyCheck {
        name: check.aspect.name(),
        holds: check.holds,
        pattern,
        value,
        values: check.values.clone(),
        wanted: wanted.iter().take(MAX_WANTED).map(|text| text.to_string()).collect(),
        wanted_count: wanted.len(),
        until: match check.aspect {
            Aspect::Until(until) => Some(until),
            _ => None,
        },
    }
}
