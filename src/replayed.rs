//! A replay as Python sees it: what a policy would have said of everything recorded.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use gnomon_core::filter::Filter;
use gnomon_core::parallel::threads;
use gnomon_core::policy::image::Image;
use gnomon_core::policy::replay::{self, Finding, Place, Question, Replayed, Spoken, Touched};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use uuid::Uuid;

use crate::errors::cannot;
use crate::reader::Fault;

/// What a policy would have said. Times are nanoseconds since 1970, UTC.
#[pyclass(frozen, get_all, module = "gnomon")]
pub struct Replay {
    events: u64,
    records: u64,
    processes: usize,
    runs: usize,
    scripts: Vec<String>,
    users: Vec<String>,
    /// Of the first and of the last record; `None` where there is none.
    first_time: Option<u64>,
    last_time: Option<u64>,
    /// How many rules the policy has.
    rules: usize,
    findings: Vec<Py<ReplayFinding>>,
    /// Each record that a rule speaks of: process, seq, kind, verdict, rule, shadow verdict, shadow rule.
    each: Vec<Row>,
    /// Processes of which it is not known which groups their account was in, where a rule asks for groups.
    without_groups: usize,
    faults: Vec<Fault>,
}

type Row =
    (String, u64, &'static str, Option<&'static str>, Option<String>, Option<&'static str>, Option<String>);

/// What one rule would have done.
#[pyclass(frozen, get_all, module = "gnomon")]
pub struct ReplayFinding {
    /// As `policy/rule`.
    rule: String,
    action: &'static str,
    /// Whether it would only have been recorded, as the rule or one above it is observed.
    is_observed: bool,
    message: String,
    link: String,
    owner: String,
    events: u64,
    records: u64,
    runs: Vec<String>,
    users: Vec<String>,
    scripts: Vec<Py<ReplayScript>>,
}

/// What a rule would have done to one script, and where first.
#[pyclass(frozen, get_all, module = "gnomon")]
pub struct ReplayScript {
    script: String,
    events: u64,
    runs: usize,
    users: Vec<String>,
    time: u64,
    file: Option<OsString>,
    line: Option<u32>,
    doing: String,
}

/// What the compiled policy `policy` would have said of the records in `spools`.
#[pyfunction]
#[pyo3(signature = (policy, spools, *, since=None, process=None, run=None, each=false))]
pub fn replay_policy(
    py: Python<'_>,
    policy: Vec<u8>,
    spools: Vec<PathBuf>,
    since: Option<u64>,
    process: Option<String>,
    run: Option<&str>,
    each: bool,
) -> PyResult<Replay> {
    let image = Image::from_bytes(policy)
        .map_err(|refusal| PyValueError::new_err(format!("the compiled policy is {}", refusal.name())))?;
    let run = run.map(Uuid::parse_str).transpose();
    let run = run.map_err(|_| PyValueError::new_err("what was given as a run is no run's id"))?;
    for spool in &spools {
        std::fs::metadata(spool).map_err(|error| cannot("read spool", spool, &error))?;
    }
    let filter = Filter { since, process, run, ..Filter::default() };
    let question = Question { spools, filter, each };
    let found = py.detach(|| replay::replay(&image, &question, threads()));
    let found = found.map_err(|error| pyo3::exceptions::PyOSError::new_err(error.to_string()))?;
    Replay::of(py, &image, found)
}

impl Replay {
    fn of(py: Python<'_>, image: &Image, found: Replayed) -> PyResult<Self> {
        let Replayed { all, records, times, findings, each, without_groups, faults } = found;
        let Touched { events, processes, runs, scripts, users } = all;
        let findings = findings.into_iter().filter_map(|((rule, is_observed), finding)| {
            ReplayFinding::of(py, image, rule, is_observed, finding).transpose()
        });
        Ok(Self {
            events,
            records,
            processes: processes.len(),
            runs: runs.len(),
            scripts: strings(&scripts),
            users: strings(&users),
            first_time: (records > 0).then_some(times.0),
            last_time: (records > 0).then_some(times.1),
            rules: image.rule_count(),
            findings: findings.collect::<PyResult<_>>()?,
            each: each.iter().map(|spoken| row(image, spoken)).collect(),
            without_groups: without_groups.len(),
            faults: faults.into_iter().map(Fault::from).collect(),
        })
    }
}

impl ReplayFinding {
    fn of(
        py: Python<'_>,
        image: &Image,
        rule: u32,
        is_observed: bool,
        finding: Finding,
    ) -> PyResult<Option<Py<Self>>> {
        let Some(rule) = image.rule(rule) else { return Ok(None) };
        let text = |place| image.text(place).to_owned();
        let scripts = finding.scripts.into_iter().map(|(script, place)| {
            let Place { events, runs, users, first, .. } = place;
            let file = first.file.map(OsString::from_vec);
            let (runs, users) = (runs.len(), strings(&users));
            let (time, line, doing) = (first.time, first.line, first.doing);
            Py::new(
                py,
                ReplayScript { script: script.to_string(), events, runs, users, time, file, line, doing },
            )
        });
        let found = Self {
            rule: text(rule.name),
            action: rule.action.name(),
            is_observed,
            message: text(rule.message),
            link: text(rule.link),
            owner: text(rule.owner),
            events: finding.touched.events,
            records: finding.records,
            runs: finding.touched.runs.iter().map(|run| run.as_hyphenated().to_string()).collect(),
            users: strings(&finding.touched.users),
            scripts: scripts.collect::<PyResult<_>>()?,
        };
        Py::new(py, found).map(Some)
    }
}

fn row(image: &Image, spoken: &Spoken) -> Row {
    let said = |rule: Option<u32>| rule.and_then(|rule| image.rule(rule));
    let (enforced, shadow) = (said(spoken.decision.enforced), said(spoken.decision.shadow));
    let shadow = shadow.filter(|_| spoken.decision.shadow != spoken.decision.enforced);
    (
        spoken.process.as_hyphenated().to_string(),
        spoken.seq,
        spoken.kind.name(),
        enforced.map(|rule| rule.action.name()),
        enforced.map(|rule| image.text(rule.name).to_owned()),
        shadow.map(|rule| rule.action.name()),
        shadow.map(|rule| image.text(rule.name).to_owned()),
    )
}

fn strings(texts: &BTreeSet<Arc<str>>) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}
