//! Python's view of a spool that is watched while it grows.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;
use std::time::Duration;

use gnomon_core::event::Kind;
use gnomon_core::record::View;
use gnomon_core::spool::live::{self, Effect, Wanted};
use gnomon_core::spool::reader::SegmentFile;
use gnomon_core::spool::seal::Life;
use gnomon_core::text::Bytes;
use pyo3::prelude::*;

use crate::reader::{Fault, Record, Source, Text, action, kind};

/// A process as it is now. Times are nanoseconds since 1970, UTC.
#[pyclass(frozen, get_all, module = "gnomon")]
pub struct LiveProcess {
    key: u32,
    id: String,
    role: String,
    pid: u32,
    /// `running`, `gone`, or `unknown`: in another container, or on another machine.
    life: &'static str,
    uid: u32,
    user: String,
    host: String,
    python: String,
    argv: Vec<Text>,
    script: Option<Text>,
    script_form: Option<String>,
    started: u64,
    ended: Option<u64>,
    status: Option<i32>,
    lost: HashMap<&'static str, u64>,
    owner_uid: Option<u32>,
    is_forged: bool,
}

impl From<live::LiveProcess> for LiveProcess {
    fn from(found: live::LiveProcess) -> Self {
        let os = |bytes: Bytes| OsString::from_vec(bytes.0);
        let description = found.description;
        let (has_script, script) = (found.script.is_some(), found.script.unwrap_or_default());
        Self {
            key: found.key,
            id: found.id.as_hyphenated().to_string(),
            role: description.role,
            pid: found.pid,
            life: match found.life {
                Life::Running => "running",
                Life::Gone => "gone",
                Life::Unknown => "unknown",
            },
            uid: description.uid,
            user: description.user,
            host: description.host,
            python: description.python,
            argv: description.argv.into_iter().map(os).collect(),
            script: has_script.then(|| os(script.name)),
            script_form: has_script.then_some(script.form),
            started: description.started,
            ended: found.ended,
            status: found.status,
            lost: found.lost.into_iter().map(|(reason, count)| (reason.name(), count)).collect(),
            owner_uid: found.owner_uid,
            is_forged: found.is_forged,
        }
    }
}

/// What came since the last look. `Live.look` says what the tuples hold.
#[pyclass(frozen, get_all, module = "gnomon")]
pub struct Look {
    processes: Vec<Py<LiveProcess>>,
    counts: Vec<(u32, String, u64, u64, bool)>,
    verdicts: Vec<(u32, &'static str, Text, &'static str, u64, u64)>,
    hosts: Vec<(u32, String, u64, u64, u64)>,
    newest: Vec<(u32, Py<Record>)>,
    faults: Vec<Fault>,
    files: usize,
    waiting: usize,
}

impl Look {
    fn of(py: Python<'_>, found: live::Look<(u32, Record)>) -> PyResult<Self> {
        let counts = found.counts;
        let processes = found.processes.into_iter().map(|process| Py::new(py, LiveProcess::from(process)));
        let newest = found.newest.into_iter().map(|(key, record)| Ok((key, Py::new(py, record)?)));
        let kinds = counts.kinds.into_iter().map(|((key, kind, is_history), amount)| {
            (key, kind_name(kind), amount.records, amount.events, is_history)
        });
        let verdicts = counts.verdicts.into_iter().map(|((key, said), spoken)| {
            let rule = OsString::from_vec(said.rule);
            (key, said.action.name(), rule, effect_name(said.effect), spoken.events, spoken.last_time)
        });
        let hosts = counts.hosts.into_iter().map(|((key, host), traffic)| {
            (key, host, traffic.connections, traffic.bytes_out, traffic.bytes_in)
        });
        Ok(Self {
            processes: processes.collect::<PyResult<_>>()?,
            counts: kinds.collect(),
            verdicts: verdicts.collect(),
            hosts: hosts.collect(),
            newest: newest.collect::<PyResult<_>>()?,
            faults: found.faults.into_iter().map(Fault::from).collect(),
            files: found.files,
            waiting: found.waiting,
        })
    }
}

fn kind_name(number: u16) -> String {
    Kind::from_number(number).map_or_else(|| format!("kind-{number}"), |kind| kind.name().to_owned())
}

fn effect_name(effect: Effect) -> &'static str {
    match effect {
        Effect::WentOn => "",
        Effect::Stopped => "stopped",
        Effect::Would => "would",
    }
}

/// Follows a spool as it grows.
#[pyclass(module = "gnomon")]
pub struct Live(live::Live);

impl Live {
    pub(crate) fn new(spool: &Path) -> Self {
        Self(live::Live::new(spool))
    }
}

#[pymethods]
impl Live {
    /// Reads what came since the last call, for about that long.
    fn look(&mut self, py: Python<'_>, milliseconds: u64) -> PyResult<Look> {
        let budget = Duration::from_millis(milliseconds);
        let keep =
            |key, segment: &SegmentFile, view: &View<'_>| (key, Record::of(view, &Source::of(segment)));
        let found = py.detach(|| self.0.look(budget, keep))?;
        Look::of(py, found)
    }

    /// From now on also the newest records are shown that are asked for here.
    #[pyo3(signature = (*, kinds=Vec::new(), verdicts=Vec::new(), text="", process=None))]
    fn ask(
        &mut self,
        kinds: Vec<String>,
        verdicts: Vec<String>,
        text: &str,
        process: Option<u32>,
    ) -> PyResult<()> {
        let kinds = kinds.iter().map(|name| kind(name).map(|kind| kind as u16)).collect::<PyResult<_>>()?;
        let verdicts = verdicts.iter().map(|name| action(name)).collect::<PyResult<_>>()?;
        self.0.ask(Wanted { kinds, verdicts, text: text.to_lowercase(), process });
        Ok(())
    }
}
