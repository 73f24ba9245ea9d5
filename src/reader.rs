//! Python's view of the read side: typed objects, and the Arrow stream.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use gnomon_core::columns::{self as record, Form, Projection, for_each_event};
use gnomon_core::errno;
use gnomon_core::event::Kind;
use gnomon_core::filter::{Filter, PathPattern, SOURCES};
use gnomon_core::pipeline::Recorder;
use gnomon_core::process::hex;
use gnomon_core::record::View;
use gnomon_core::spool::fault;
use gnomon_core::spool::processes::{ProcessSummary, name_and_version, read_processes};
use gnomon_core::spool::reader::{self, Agreement, SegmentFile};
use gnomon_core::spool::{doubles as copies, place, seal as sealing, tail};
use gnomon_core::text::Pieces;
use gnomon_core::verdict::Action;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use uuid::Uuid;

use crate::errors::cannot;
use crate::inventories::{self, Startup};
use crate::live::Live;
use crate::session;
use crate::streams::{self, RecordStream, Tables};

/// Text as Python spells what the operating system gave: bytes that are no UTF-8 survive as surrogates.
pub(crate) type Text = OsString;

fn text(pieces: Pieces<'_>) -> Text {
    OsString::from_vec(pieces.to_vec())
}

/// One thing that a process did. Times are nanoseconds since 1970, UTC.
#[pyclass(frozen, get_all, module = "gnomon")]
pub struct Record {
    time: u64,
    last_time: u64,
    count: u32,
    process: String,
    seq: u64,
    pid: u32,
    kind: String,
    access: Option<String>,
    target: Option<Text>,
    destination: Option<Text>,
    requested: Option<Text>,
    host: Option<Text>,
    port: Option<u16>,
    address: Option<String>,
    argv: Option<Vec<Text>>,
    detail: Option<Text>,
    size: Option<u64>,
    sha256: Option<String>,
    file: Option<Text>,
    line: Option<u32>,
    function: Option<Text>,
    distribution: Option<Text>,
    via: Option<Text>,
    object: Option<Text>,
    source: &'static str,
    outcome: Option<String>,
    /// How many failed, where native code told; and why the last one did, as in `ENOENT`.
    failed: Option<u32>,
    errno: Option<String>,
    /// Bytes written or sent, and read or received; absent where nobody counted, or none.
    bytes_out: Option<u64>,
    bytes_in: Option<u64>,
    verdict: Option<&'static str>,
    rule: Option<Text>,
    reason: Option<Text>,
    shadow_verdict: Option<&'static str>,
    shadow_rule: Option<Text>,
    /// Of an `exit`: the child that ended, and its status (minus the signal that ended it).
    child: Option<u32>,
    status: Option<i32>,
    /// Whom the file belongs to that it was read from, and whether its process says to be of another user.
    owner_uid: Option<u32>,
    is_forged: bool,
}

#[pymethods]
impl Record {
    fn __repr__(&self) -> String {
        let target = self.target.as_ref().map(|target| format!(" target={target:?}")).unwrap_or_default();
        format!("<gnomon.Record {} seq={} count={}{target}>", self.kind, self.seq, self.count)
    }
}

/// What all records of a segment have in common.
pub(crate) struct Source {
    process: String,
    pid: u32,
    owner_uid: Option<u32>,
    is_forged: bool,
}

impl Source {
    pub(crate) fn of(segment: &SegmentFile) -> Self {
        Self {
            process: segment.identity.process.as_hyphenated().to_string(),
            pid: segment.identity.pid,
            owner_uid: segment.owner.map(|owner| owner.uid),
            is_forged: segment.is_forged(),
        }
    }
}

impl Record {
    pub(crate) fn of(view: &View<'_>, source: &Source) -> Self {
        let target = view.target.map(text).or_else(|| {
            let mut endpoint = String::new();
            view.push_target_to(&mut endpoint).then(|| OsString::from(endpoint))
        });
        let verdict = view.verdict;
        let shadow = verdict.and_then(|verdict| verdict.shadow);
        let tally = view.tally.unwrap_or_default();
        Self {
            time: view.time,
            last_time: view.last_time,
            count: view.count,
            process: source.process.clone(),
            seq: view.seq,
            pid: source.pid,
            kind: view.kind_name().into_owned(),
            access: (view.access.0 != 0).then(|| view.access.name().to_owned()),
            target,
            destination: view.destination.map(text),
            requested: view.requested.map(text),
            host: view.host.map(text),
            port: view.port,
            address: view.address.map(|address| address.to_string()),
            argv: view.argv.as_ref().map(|argv| argv.iter().map(|piece| text(*piece)).collect()),
            detail: view.detail.map(text),
            size: view.size,
            sha256: view.sha256.map(hex),
            file: view.origin.file.map(text),
            line: view.origin.line,
            function: view.origin.function.map(text),
            distribution: view.origin.distribution.map(text),
            via: view.origin.via.map(text),
            object: view.origin.object.map(text),
            source: view.source(),
            outcome: view.outcome().map(Cow::into_owned),
            failed: view.told().map(|_| tally.failed),
            errno: (tally.errno != 0).then(|| errno::name(tally.errno).into_owned()),
            bytes_out: (tally.bytes_out != 0).then_some(tally.bytes_out),
            bytes_in: (tally.bytes_in != 0).then_some(tally.bytes_in),
            verdict: verdict.map(|verdict| verdict.action.name()),
            rule: verdict.and_then(|verdict| verdict.rule).map(text),
            reason: verdict.and_then(|verdict| verdict.reason).map(text),
            shadow_verdict: shadow.map(|(action, _)| action.name()),
            shadow_rule: shadow.map(|(_, rule)| text(rule)),
            child: view.child,
            status: view.status,
            owner_uid: source.owner_uid,
            is_forged: source.is_forged,
        }
    }
}

/// Something that could not be read, and where. `severity` is `torn`, `io` or `corrupt`.
#[pyclass(frozen, get_all, module = "gnomon")]
#[derive(Clone)]
pub struct Fault {
    path: PathBuf,
    offset: u64,
    kind: &'static str,
    severity: &'static str,
    detail: String,
}

#[pymethods]
impl Fault {
    fn __repr__(&self) -> String {
        format!("<gnomon.Fault {} at {}:{}>", self.kind, self.path.display(), self.offset)
    }
}

impl From<fault::Fault> for Fault {
    fn from(fault: fault::Fault) -> Self {
        Self {
            path: fault.path,
            offset: fault.offset,
            kind: fault.kind.name(),
            severity: fault.kind.severity(),
            detail: fault.detail,
        }
    }
}

/// One run of an interpreter, or of `gnomon run` (`role` says which). Times are nanoseconds since 1970, UTC.
#[pyclass(frozen, get_all, module = "gnomon")]
pub struct Process {
    id: String,
    role: String,
    parent: Option<String>,
    run: Option<String>,
    pid: u32,
    parent_pid: u32,
    started_ticks: u64,
    parent_started_ticks: u64,
    parent_name: Text,
    forked: bool,
    hook_proven: Option<bool>,
    native: Option<String>,
    /// The path of the file that lists the hooks which ran before its program, beside its own.
    startup: Option<Text>,
    loaded: Option<String>,
    managed: bool,
    uid: u32,
    user: String,
    host: String,
    machine: String,
    boot: String,
    executable: Text,
    python: String,
    implementation: String,
    environment: Option<Text>,
    argv: Vec<Text>,
    directory: Text,
    started: u64,
    ended: Option<u64>,
    last_seen: u64,
    status: Option<i32>,
    script_form: Option<String>,
    script: Option<Text>,
    script_file: Option<Text>,
    script_sha256: Option<String>,
    script_size: Option<u64>,
    script_owner: Option<String>,
    script_owner_uid: Option<u32>,
    script_modified: Option<i64>,
    /// Library directories with the names and versions of what is installed there.
    distributions: HashMap<Text, Vec<(String, String)>>,
    /// Records lost, by reason.
    lost: HashMap<String, u64>,
    segments: u32,
    records: u64,
    gnomon: String,
    /// Whom its files belong to, and whether it says to be of a user that those may not speak for.
    owner_uid: Option<u32>,
    is_forged: bool,
}

#[pymethods]
impl Process {
    fn __repr__(&self) -> String {
        format!("<gnomon.Process {} pid={} role={}>", self.id, self.pid, self.role)
    }
}

impl From<ProcessSummary> for Process {
    fn from(found: ProcessSummary) -> Self {
        let os = |bytes: gnomon_core::text::Bytes| OsString::from_vec(bytes.0);
        let id = |id: Uuid| id.as_hyphenated().to_string();
        let startup = found.startup_file();
        let description = found.description;
        let (has_script, script) = (found.script.is_some(), found.script.unwrap_or_default());
        Self {
            id: id(found.id),
            role: description.role,
            parent: description.parent.map(id),
            run: description.run.map(id),
            pid: found.pid,
            parent_pid: description.parent_pid,
            started_ticks: description.started_ticks,
            parent_started_ticks: description.parent_started_ticks,
            parent_name: os(description.parent_name),
            forked: description.forked,
            hook_proven: description.hook_proven,
            native: description.native.clone(),
            startup: startup.map(PathBuf::into_os_string),
            loaded: description.loaded.clone(),
            managed: description.managed,
            uid: description.uid,
            user: description.user,
            host: description.host,
            machine: description.machine,
            boot: description.boot,
            executable: os(description.executable),
            python: description.python,
            implementation: description.implementation,
            environment: (!description.environment.0.is_empty()).then(|| os(description.environment)),
            argv: description.argv.into_iter().map(os).collect(),
            directory: os(description.directory),
            started: description.started,
            ended: found.ended,
            last_seen: found.last_seen,
            status: found.status,
            script: has_script.then(|| os(script.name)),
            script_form: has_script.then_some(script.form),
            script_file: script.file.map(os),
            script_sha256: script.sha256,
            script_size: script.size,
            script_owner: script.owner,
            script_owner_uid: script.owner_uid,
            script_modified: script.modified,
            distributions: found
                .distributions
                .into_iter()
                .map(|installed| {
                    let names = installed.names.iter().map(|entry| {
                        let (name, version) = name_and_version(entry);
                        (name.to_owned(), version.to_owned())
                    });
                    (OsString::from_vec(installed.directory), names.collect())
                })
                .collect(),
            lost: found.lost.into_iter().map(|(reason, count)| (reason.name().to_owned(), count)).collect(),
            segments: found.segments,
            records: found.records,
            gnomon: description.gnomon,
            owner_uid: found.owner_uid,
            is_forged: found.is_forged,
        }
    }
}

/// A directory of segments, or one segment.
#[pyclass(frozen, module = "gnomon")]
pub struct Spool {
    path: PathBuf,
    filter: Filter,
}

impl Spool {
    /// Where it is, and which of its records count.
    pub(crate) fn source(&self) -> (PathBuf, Filter) {
        (self.path.clone(), self.filter.clone())
    }
}

#[pymethods]
impl Spool {
    /// Opens nothing yet: each use lists the directory anew.
    #[new]
    #[pyo3(signature = (path, *, kinds=None, since=None, process=None, run=None, target=None, host=None,
                        verdicts=None, rule=None, sources=None, without=None))]
    #[expect(clippy::too_many_arguments, reason = "named, in Python")]
    fn new(
        path: PathBuf,
        kinds: Option<Vec<String>>,
        since: Option<u64>,
        process: Option<String>,
        run: Option<&str>,
        target: Option<&str>,
        host: Option<String>,
        verdicts: Option<Vec<String>>,
        rule: Option<String>,
        sources: Option<Vec<String>>,
        without: Option<HashSet<String>>,
    ) -> PyResult<Self> {
        std::fs::metadata(&path).map_err(|error| cannot("read spool", &path, &error))?;
        let kinds = kinds.unwrap_or_default().iter().map(|name| kind(name)).collect::<PyResult<_>>()?;
        let run = run.map(|id| {
            Uuid::parse_str(id).map_err(|_| PyValueError::new_err(format!("`{id}` is no run's id")))
        });
        let path_pattern = target.map(PathPattern::new);
        let verdicts =
            verdicts.unwrap_or_default().iter().map(|name| action(name)).collect::<PyResult<_>>()?;
        let sources = sources.unwrap_or_default().iter().map(|name| source(name)).collect::<PyResult<_>>()?;
        let run = run.transpose()?;
        let without = Arc::new(without.unwrap_or_default());
        let filter =
            Filter { kinds, since, process, run, path: path_pattern, host, verdicts, rule, sources, without };
        Ok(Self { path, filter })
    }

    /// The directory or file.
    #[getter]
    fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// Its processes in the order they started, and what could not be read on the way.
    fn processes(&self, py: Python<'_>) -> PyResult<(Vec<Process>, Vec<Fault>)> {
        let path = &self.path;
        let (found, faults) = py
            .detach(|| read_processes(path, &self.filter))
            .map_err(|error| cannot("read spool", path, &error))?;
        let processes = found.into_iter().map(Process::from).collect();
        Ok((processes, faults.into_iter().map(Fault::from).collect()))
    }

    /// What ran before the programs: inventories by the paths that processes refer to them by (`Process.startup`),
    /// and what could not be read.
    fn startups(&self) -> PyResult<(HashMap<Text, Startup>, Vec<Fault>)> {
        inventories::read(&self.path)
    }

    /// The id of the run that started last; `None` where there is none.
    fn last_run(&self) -> PyResult<Option<String>> {
        let found = reader::last_run(&self.path).map_err(|error| cannot("read spool", &self.path, &error))?;
        Ok(found.map(|id| id.as_hyphenated().to_string()))
    }

    /// The records that the filters ask for, process by process. The iterator collects `faults`.
    fn records(&self) -> PyResult<Records> {
        let (paths, faults) = self.list()?;
        Ok(Records {
            paths: paths.into_iter(),
            filter: self.filter.clone(),
            ready: Vec::new().into_iter(),
            faults,
        })
    }

    /// Each file of the spool, checked from end to end.
    fn verify(&self, py: Python<'_>) -> PyResult<Vec<Segment>> {
        let (paths, faults) = self.list()?;
        let mut before = None;
        let check = |path| {
            let (checked, segment) = Segment::check(path, before.as_ref());
            before = segment;
            checked
        };
        let unlisted = faults.into_iter().map(Segment::unlisted);
        Ok(py.detach(|| unlisted.chain(paths.into_iter().map(check)).collect()))
    }

    /// Reads along: each `poll` gives what came since the last.
    fn tail(&self) -> Tail {
        Tail(tail::Tail::new(&self.path, self.filter.clone()))
    }

    /// Follows the whole spool, whatever the filters: counts of everything, and the newest records.
    fn live(&self) -> Live {
        Live::new(&self.path)
    }

    /// The files of the spool that the filters can ask for.
    fn segments(&self) -> PyResult<Vec<PathBuf>> {
        self.list().map(|(paths, _)| paths)
    }

    /// The records as an Arrow stream (the Arrow PyCapsule interface); a new one at each call.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let _ = requested_schema; // the interface lets a producer ignore it
        streams::records(py, &self.path, &self.filter, Projection::all(Form::Plain), &Arc::default())
    }

    /// The same with some columns only, and with text that repeats once in a batch (as Arrow dictionaries).
    #[pyo3(signature = (columns=None))]
    fn stream(&self, columns: Option<Vec<String>>) -> PyResult<RecordStream> {
        RecordStream::new(self.path.clone(), self.filter.clone(), columns)
    }

    /// What `processes` and `startups` tell, as tables for query engines.
    fn tables(&self, py: Python<'_>) -> PyResult<Tables> {
        Tables::read(py, &self.path, &self.filter)
    }

    fn __repr__(&self) -> String {
        format!("<gnomon.Spool {}>", self.path.display())
    }
}

impl Spool {
    /// Its files, and the users' directories that cannot be read.
    fn list(&self) -> PyResult<(Vec<PathBuf>, Vec<Fault>)> {
        let (paths, faults) = place::list(&self.path, &self.filter)
            .map_err(|error| cannot("read spool", &self.path, &error))?;
        Ok((paths, faults.into_iter().map(Fault::from).collect()))
    }
}

/// For each of `spools` the names of its segments that another has, too, with as much or more of their process.
#[pyfunction]
pub fn doubles(py: Python<'_>, spools: Vec<PathBuf>) -> PyResult<Vec<HashSet<String>>> {
    py.detach(|| copies::doubles(&spools))
        .map_err(|error| pyo3::exceptions::PyOSError::new_err(format!("cannot read spool: {error}")))
}

pub(crate) fn kind(name: &str) -> PyResult<Kind> {
    Kind::from_name(name).filter(|kind| kind.is_event()).ok_or_else(|| {
        let names: Vec<&str> = Kind::ALL.into_iter().filter(|kind| kind.is_event()).map(Kind::name).collect();
        PyValueError::new_err(format!("no kind of event is called `{name}`; there are: {}", names.join(", ")))
    })
}

fn source(name: &str) -> PyResult<&'static str> {
    SOURCES.into_iter().find(|known| *known == name).ok_or_else(|| {
        PyValueError::new_err(format!("no source is called `{name}`; there are: {}", SOURCES.join(", ")))
    })
}

pub(crate) fn action(name: &str) -> PyResult<Action> {
    Action::from_name(name).ok_or_else(|| {
        let names = Action::ALL.map(Action::name).join(", ");
        PyValueError::new_err(format!("no verdict is called `{name}`; there are: {names}"))
    })
}

/// Records, one segment in memory at a time.
#[pyclass(module = "gnomon")]
pub struct Records {
    paths: std::vec::IntoIter<PathBuf>,
    filter: Filter,
    ready: std::vec::IntoIter<Record>,
    faults: Vec<Fault>,
}

#[pymethods]
impl Records {
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__(&mut self) -> Option<Record> {
        loop {
            if let Some(record) = self.ready.next() {
                return Some(record);
            }
            let path = self.paths.next()?;
            match SegmentFile::load(&path) {
                Ok(segment) => self.ready = records_of(&segment, &self.filter, &mut self.faults),
                Err(fault) => self.faults.push(fault.into()),
            }
        }
    }

    /// What could not be read so far.
    #[getter]
    fn faults(&self) -> Vec<Fault> {
        self.faults.clone()
    }
}

fn records_of(segment: &SegmentFile, filter: &Filter, faults: &mut Vec<Fault>) -> std::vec::IntoIter<Record> {
    let source = Source::of(segment);
    let (mut found, mut bad) = (Vec::new(), Vec::new());
    for_each_event(segment, filter, &mut bad, |view| found.push(Record::of(view, &source)));
    faults.extend(bad.into_iter().map(Fault::from));
    found.into_iter()
}

/// Reads along while processes write.
#[pyclass(module = "gnomon")]
pub struct Tail(tail::Tail);

#[pymethods]
impl Tail {
    /// The records that came since the last call. A repeat of an earlier one is not new.
    fn poll(&mut self) -> PyResult<(Vec<Record>, Vec<Fault>)> {
        let (mut found, mut faults) = (Vec::new(), Vec::new());
        let polled = self.0.poll(&mut faults, |segment, view| {
            found.push(Record::of(view, &Source::of(segment)));
        });
        polled.map_err(|error| pyo3::exceptions::PyOSError::new_err(error.to_string()))?;
        Ok((found, faults.into_iter().map(Fault::from).collect()))
    }
}

/// One file of a spool, as `verify` found it.
#[pyclass(frozen, get_all, module = "gnomon")]
pub struct Segment {
    path: PathBuf,
    /// `None` where the file is no segment, or belongs to no process.
    process: Option<String>,
    number: u32,
    /// Events in it, and how often they happened.
    records: u64,
    events: u64,
    /// Bytes in use, and in the file.
    used_bytes: usize,
    bytes: usize,
    is_running: bool,
    /// Whether its process said here that it ends.
    has_end: bool,
    /// The user that its process says to be of.
    uid: Option<u32>,
    owner_uid: Option<u32>,
    is_forged: bool,
    /// Of the whole file.
    sha256: Option<String>,
    /// What the segment before it is, by what this one says of it: `same`, `truncated` or `changed`. `None` where that
    /// is not there, or nothing is said.
    follows: Option<&'static str>,
    faults: Vec<Fault>,
}

impl Segment {
    /// A directory that cannot be listed.
    fn unlisted(fault: Fault) -> Self {
        let mut found = Self::unread(fault.path.clone());
        found.faults.push(fault);
        found
    }

    /// What is to be said of the file at `path`, and its content. `before` is the one that sorts before it.
    fn check(path: PathBuf, before: Option<&SegmentFile>) -> (Self, Option<SegmentFile>) {
        let mut checked = Self::unread(path.clone());
        let loaded = SegmentFile::load(&path);
        match &loaded {
            Ok(segment) => {
                checked.count(segment);
                checked.compare(segment, before);
            }
            Err(fault) => checked.faults.push(fault.clone().into()),
        }
        (checked, loaded.ok())
    }

    /// Notes whether the segment before is still what this one says of it.
    fn compare(&mut self, segment: &SegmentFile, before: Option<&SegmentFile>) {
        let Some(link) = segment.previous() else { return };
        let is_meant = |before: &&SegmentFile| {
            let may_be =
                before.owner.is_some_and(|owner| owner.is_trusted()) || before.owner == segment.owner;
            may_be
                && before.identity.process == segment.identity.process
                && before.identity.number == link.number
        };
        self.follows = before.filter(is_meant).map(|before| match before.agrees(&link) {
            Agreement::Same => "same",
            Agreement::Truncated => "truncated",
            Agreement::Changed => "changed",
        });
    }

    fn unread(path: PathBuf) -> Self {
        Self {
            path,
            process: None,
            number: 0,
            records: 0,
            events: 0,
            used_bytes: 0,
            bytes: 0,
            is_running: false,
            has_end: false,
            uid: None,
            owner_uid: None,
            is_forged: false,
            sha256: None,
            follows: None,
            faults: Vec::new(),
        }
    }

    fn count(&mut self, segment: &SegmentFile) {
        let id = segment.identity.process;
        self.process = (!id.is_nil()).then(|| id.as_hyphenated().to_string());
        self.number = segment.identity.number;
        self.is_running = !id.is_nil() && sealing::life(segment) == sealing::Life::Running;
        self.has_end = segment.ended().is_some();
        self.uid = segment.description().0.map(|description| description.uid);
        self.owner_uid = segment.owner.map(|owner| owner.uid);
        self.is_forged = segment.is_forged();
        self.sha256 = Some(hex(&segment.sha256()));
        self.bytes = segment.file_bytes();
        self.used_bytes = segment.used_bytes();
        let mut faults = Vec::new();
        if id.is_nil() {
            faults.extend(segment.records().filter_map(Result::err)); // no events, only what others refer to
        }
        for_each_event(segment, &Filter::default(), &mut faults, |view| {
            self.records += 1;
            self.events += u64::from(view.count);
        });
        self.faults = faults.into_iter().map(Fault::from).collect();
    }
}

/// What `gnomon run` itself leaves in the spool: the command, its children's ends.
#[pyclass(frozen, module = "gnomon")]
pub struct Run {
    recorder: Recorder,
}

#[pymethods]
impl Run {
    /// Starts the record of a run of `argv`, within the run `outer` where that is given.
    #[new]
    #[pyo3(signature = (spool, argv, outer=None))]
    fn new(spool: PathBuf, argv: Vec<OsString>, outer: Option<&str>) -> PyResult<Self> {
        let outer = outer.and_then(|id| Uuid::parse_str(id).ok());
        let recorder = session::runner(spool.as_os_str(), outer, argv);
        recorder.open().map_err(|reason| {
            let text = format!("cannot write to spool `{}`: {}", spool.display(), reason.name());
            pyo3::exceptions::PyOSError::new_err(text)
        })?;
        Ok(Self { recorder })
    }

    /// The run's id, which all its processes carry.
    #[getter]
    fn id(&self) -> String {
        self.recorder.process().as_hyphenated().to_string()
    }

    /// Notes how a child ended: its exit status, or minus the signal.
    fn child_ended(&self, pid: u32, status: i32) {
        self.recorder.child_ended(pid, status);
    }

    /// Notes the end of the run, with the exit status that it passes on.
    fn end(&self, status: i32) {
        self.recorder.end(Some(status));
    }
}

/// The names of the Arrow columns, which are those of the JSON fields.
#[pyfunction]
pub fn columns() -> Vec<String> {
    record::names().map(str::to_owned).collect()
}

/// Whether this process reads its frames where CPython keeps them, and need not ask for each.
#[pyfunction]
pub fn reads_frames() -> bool {
    crate::stack::is_learned()
}

/// Gives back what a dead process allocated in the segment at `path` and did not use. Returns the bytes.
#[pyfunction]
pub fn seal(path: PathBuf) -> PyResult<u64> {
    sealing::seal(&path).map_err(|error| cannot("seal", &path, &error))
}
