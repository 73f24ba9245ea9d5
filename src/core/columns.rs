//! Records to Arrow: the columns that every report is written against, filled batch by batch.
//!
//! Segments decode in parallel on worker threads; batches come out in the order of the segments, and at
//! most a few of them wait in memory at a time.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use arrow_array::builder::{
    ListBuilder, StringBuilder, TimestampNanosecondBuilder, UInt16Builder, UInt32Builder, UInt64Builder,
};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use crossbeam_channel::{Receiver, bounded};

use crate::event::Kind;
use crate::filter::Filter;
use crate::process::Description;
use crate::record::{Bytes, View, push_escaped};
use crate::spool::reader::{Fault, Records, SegmentFile};

/// Rows of a batch, at most.
const BATCH_ROWS: usize = 16 * 1024;
/// Segments that may be decoded ahead of the one that is being read, for each worker.
const AHEAD: usize = 2;

/// The columns, in order: the same names as the fields of the JSON form.
#[must_use]
pub fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let time =
        |name: &str| Field::new(name, DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())), false);
    Arc::new(Schema::new(vec![
        time("time"),
        time("last_time"),
        Field::new("count", DataType::UInt32, false),
        Field::new("process", DataType::Utf8, false),
        Field::new("seq", DataType::UInt64, false),
        Field::new("pid", DataType::UInt32, false),
        Field::new("kind", DataType::Utf8, false),
        text("access"),
        text("target"),
        text("destination"),
        text("requested"),
        text("host"),
        Field::new("port", DataType::UInt16, true),
        text("address"),
        Field::new("argv", DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))), true),
        text("file"),
        Field::new("line", DataType::UInt32, true),
        text("function"),
        text("distribution"),
        Field::new("source", DataType::Utf8, false),
        text("outcome"),
        text("verdict"),
        text("rule"),
        text("reason"),
    ]))
}

/// Fills one batch.
struct Columns {
    schema: SchemaRef,
    rows: usize,
    scratch: String,
    time: TimestampNanosecondBuilder,
    last_time: TimestampNanosecondBuilder,
    count: UInt32Builder,
    process: StringBuilder,
    seq: UInt64Builder,
    pid: UInt32Builder,
    kind: StringBuilder,
    access: StringBuilder,
    target: StringBuilder,
    destination: StringBuilder,
    requested: StringBuilder,
    host: StringBuilder,
    port: UInt16Builder,
    address: StringBuilder,
    argv: ListBuilder<StringBuilder>,
    line: UInt32Builder,
    source: StringBuilder,
    /// `file function distribution outcome verdict rule reason`: filled when records carry an origin and
    /// a verdict.
    absent: StringBuilder,
}

impl Columns {
    fn new(schema: SchemaRef) -> Self {
        Self {
            schema,
            rows: 0,
            scratch: String::new(),
            time: TimestampNanosecondBuilder::new().with_timezone("UTC"),
            last_time: TimestampNanosecondBuilder::new().with_timezone("UTC"),
            count: UInt32Builder::new(),
            process: StringBuilder::new(),
            seq: UInt64Builder::new(),
            pid: UInt32Builder::new(),
            kind: StringBuilder::new(),
            access: StringBuilder::new(),
            target: StringBuilder::new(),
            destination: StringBuilder::new(),
            requested: StringBuilder::new(),
            host: StringBuilder::new(),
            port: UInt16Builder::new(),
            address: StringBuilder::new(),
            argv: ListBuilder::new(StringBuilder::new()),
            line: UInt32Builder::new(),
            source: StringBuilder::new(),
            absent: StringBuilder::new(),
        }
    }

    fn push(&mut self, view: &View<'_>, process: &str, pid: u32) {
        self.rows += 1;
        self.time.append_value(view.time.cast_signed());
        self.last_time.append_value(view.last_time.cast_signed());
        self.count.append_value(view.count);
        self.process.append_value(process);
        self.seq.append_value(view.seq);
        self.pid.append_value(pid);
        self.kind.append_value(view.kind_name());
        if view.access.0 == 0 {
            self.access.append_null();
        } else {
            self.access.append_value(view.access.name());
        }
        let scratch = &mut self.scratch;
        scratch.clear();
        if view.push_target_to(scratch) {
            self.target.append_value(&scratch);
        } else {
            self.target.append_null();
        }
        for (builder, text) in [
            (&mut self.destination, view.destination),
            (&mut self.requested, view.requested),
            (&mut self.host, view.host),
        ] {
            match text {
                Some(text) => {
                    scratch.clear();
                    text.push_to(scratch);
                    builder.append_value(&scratch);
                }
                None => builder.append_null(),
            }
        }
        self.port.append_option(view.port);
        self.address.append_option(view.address.map(|address| address.to_string()));
        match &view.argv {
            Some(argv) => {
                for text in argv {
                    scratch.clear();
                    text.push_to(scratch);
                    self.argv.values().append_value(&scratch);
                }
                self.argv.append(true);
            }
            None => self.argv.append_null(),
        }
        self.line.append_null();
        self.source.append_value("audit");
        self.absent.append_null();
    }

    fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        self.rows = 0;
        let absent: ArrayRef = Arc::new(self.absent.finish());
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.time.finish()),
            Arc::new(self.last_time.finish()),
            Arc::new(self.count.finish()),
            Arc::new(self.process.finish()),
            Arc::new(self.seq.finish()),
            Arc::new(self.pid.finish()),
            Arc::new(self.kind.finish()),
            Arc::new(self.access.finish()),
            Arc::new(self.target.finish()),
            Arc::new(self.destination.finish()),
            Arc::new(self.requested.finish()),
            Arc::new(self.host.finish()),
            Arc::new(self.port.finish()),
            Arc::new(self.address.finish()),
            Arc::new(self.argv.finish()),
            Arc::clone(&absent),
            Arc::new(self.line.finish()),
            Arc::clone(&absent),
            Arc::clone(&absent),
            Arc::new(self.source.finish()),
            Arc::clone(&absent),
            Arc::clone(&absent),
            Arc::clone(&absent),
            absent,
        ];
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
    }
}

/// Calls `each` with every event of `segment` that `filter` asks for, and collects what cannot be read.
///
/// The process itself is one of them: in its first segment, with its executable as target and its argv.
pub fn for_each_event(
    segment: &SegmentFile,
    filter: &Filter,
    faults: &mut Vec<Fault>,
    each: impl FnMut(&View<'_>),
) {
    if may_match(segment, filter) {
        walk(segment, segment.records(), filter, faults, each);
    }
}

/// The same for what was added after `offset`, in a segment that may still be written. Returns the offset to
/// go on from.
pub fn for_each_event_after(
    segment: &SegmentFile,
    offset: usize,
    filter: &Filter,
    faults: &mut Vec<Fault>,
    each: impl FnMut(&View<'_>),
) -> usize {
    if may_match(segment, filter) {
        walk(segment, segment.records_from(offset).live(), filter, faults, each)
    } else {
        segment.file_bytes()
    }
}

fn may_match(segment: &SegmentFile, filter: &Filter) -> bool {
    let identity = segment.identity;
    let run = filter.run.and_then(|_| segment.description().0?.run);
    !identity.process.is_nil() && filter.matches_process(identity.process, identity.pid, run)
}

fn walk(
    segment: &SegmentFile,
    mut records: Records<'_>,
    filter: &Filter,
    faults: &mut Vec<Fault>,
    mut each: impl FnMut(&View<'_>),
) -> usize {
    let mut matching = |view: &View<'_>| {
        if filter.matches(view) {
            each(view);
        }
    };
    while let Some(item) = records.next() {
        let raw = match item {
            Ok(raw) => raw,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        let kind = Kind::from_number(raw.kind);
        if kind.is_some_and(|kind| !kind.is_event()) {
            continue;
        }
        let is_description = kind.is_some_and(|kind| matches!(kind, Kind::Process | Kind::Script));
        if is_description && segment.identity.number > 0 {
            continue; // said again at the start of each segment
        }
        match records.view(&raw) {
            Ok(view) if is_description => with_description(view, raw.payload, &mut matching),
            Ok(view) => matching(&view),
            Err(fault) => faults.push(fault),
        }
    }
    records.offset()
}

/// Shows a process or script record in the columns of an event.
fn with_description(view: View<'_>, payload: &[u8], each: impl FnOnce(&View<'_>)) {
    use crate::record::Pieces;
    if view.kind == Kind::Process as u16 {
        let Ok(description) = rmp_serde::from_slice::<Description>(payload) else {
            return;
        };
        let mut view: View<'_> = view;
        view.target = Some(Pieces(&description.executable.0, &[]));
        view.argv = Some(description.argv.iter().map(|text| Pieces(&text.0, &[])).collect());
        each(&view);
    } else if let Ok(script) = rmp_serde::from_slice::<crate::process::Script>(payload) {
        let mut view: View<'_> = view;
        let name = Pieces(&script.name.0, &[]);
        view.target = Some(script.file.as_ref().map_or(name, |file| Pieces(&file.0, &[])));
        view.requested = Some(name);
        each(&view);
    }
}

/// What the decoding of one segment gave.
type Decoded = (Vec<Result<RecordBatch, ArrowError>>, Vec<Fault>);

fn decode(path: &std::path::Path, filter: &Filter, schema: &SchemaRef) -> Decoded {
    let mut faults = Vec::new();
    let mut batches = Vec::new();
    match SegmentFile::load(path) {
        Ok(segment) => {
            let process = segment.identity.process.as_hyphenated().to_string();
            let mut columns = Columns::new(Arc::clone(schema));
            for_each_event(&segment, filter, &mut faults, |view| {
                columns.push(view, &process, segment.identity.pid);
                if columns.rows >= BATCH_ROWS {
                    batches.push(columns.finish());
                }
            });
            if columns.rows > 0 {
                batches.push(columns.finish());
            }
        }
        Err(fault) => faults.push(fault),
    }
    (batches, faults)
}

/// The events of a list of segments as a stream of Arrow batches.
pub struct BatchStream {
    schema: SchemaRef,
    results: Receiver<(usize, Decoded)>,
    waiting: BTreeMap<usize, Decoded>,
    next: usize,
    total: usize,
    ready: std::vec::IntoIter<Result<RecordBatch, ArrowError>>,
    workers: Vec<JoinHandle<()>>,
    /// What could not be read so far.
    pub faults: Vec<Fault>,
}

impl BatchStream {
    /// Starts decoding `paths` on `threads` workers.
    #[must_use]
    pub fn start(paths: Vec<PathBuf>, filter: Filter, threads: usize) -> Self {
        let schema = schema();
        let threads = threads.clamp(1, 16).min(paths.len().max(1));
        let (sender, results) = bounded(threads * AHEAD);
        let total = paths.len();
        let shared = Arc::new((paths, filter, AtomicUsize::new(0)));
        let workers = (0..threads)
            .map(|_| {
                let (sender, shared, schema) = (sender.clone(), Arc::clone(&shared), Arc::clone(&schema));
                std::thread::spawn(move || {
                    let (paths, filter, next) = &*shared;
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(path) = paths.get(index) else { return };
                        if sender.send((index, decode(path, filter, &schema))).is_err() {
                            return; // nobody reads any more
                        }
                    }
                })
            })
            .collect();
        Self {
            schema,
            results,
            waiting: BTreeMap::new(),
            next: 0,
            total,
            ready: Vec::new().into_iter(),
            workers,
            faults: Vec::new(),
        }
    }
}

impl Iterator for BatchStream {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = self.ready.next() {
                return Some(batch);
            }
            if self.next == self.total {
                return None;
            }
            while !self.waiting.contains_key(&self.next) {
                let (index, decoded) = self.results.recv().ok()?;
                self.waiting.insert(index, decoded);
            }
            let (batches, faults) = self.waiting.remove(&self.next)?;
            self.next += 1;
            self.faults.extend(faults);
            self.ready = batches.into_iter();
        }
    }
}

impl RecordBatchReader for BatchStream {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

impl Drop for BatchStream {
    fn drop(&mut self) {
        // Workers that still send find the channel closed and stop.
        let (_, closed) = bounded(0);
        self.results = closed;
        for worker in self.workers.drain(..) {
            let _ = worker.join();
        }
    }
}

/// `bytes` as text for people and JSON; what is no UTF-8 appears as `\xNN`.
#[must_use]
pub fn text_of(bytes: &Bytes) -> String {
    let mut text = String::new();
    push_escaped(&mut text, &bytes.0);
    text
}
