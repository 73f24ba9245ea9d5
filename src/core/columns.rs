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
    ArrayBuilder as _, ListBuilder, StringBuilder, TimestampNanosecondBuilder, UInt16Builder, UInt32Builder,
    UInt64Builder,
};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchReader, StringArray, UInt32Array};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use crossbeam_channel::{Receiver, bounded};

use crate::errno;
use crate::event::Kind;
use crate::filter::Filter;
use crate::process::{Description, Script, ScriptVerdict, hex};
use crate::record::View;
use crate::spool::reader::{Fault, Records, SegmentFile};
use crate::text::{Bytes, Pieces, push_escaped};

/// Rows of a batch, at most.
const BATCH_ROWS: usize = 16 * 1024;
/// Bytes of a segment that make a row: few, as room to spare costs less than a copy.
const BYTES_PER_ROW: usize = 64;
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
        text("detail"),
        Field::new("size", DataType::UInt64, true),
        text("sha256"),
        text("file"),
        Field::new("line", DataType::UInt32, true),
        text("function"),
        text("distribution"),
        text("via"),
        text("object"),
        Field::new("source", DataType::Utf8, false),
        text("outcome"),
        Field::new("failed", DataType::UInt32, true),
        text("errno"),
        Field::new("bytes_out", DataType::UInt64, true),
        Field::new("bytes_in", DataType::UInt64, true),
        text("verdict"),
        text("rule"),
        text("reason"),
        text("shadow_verdict"),
        text("shadow_rule"),
    ]))
}

/// Fills one batch.
struct Columns {
    schema: SchemaRef,
    process: String,
    pid: u32,
    rows: usize,
    scratch: String,
    time: TimestampNanosecondBuilder,
    last_time: TimestampNanosecondBuilder,
    count: UInt32Builder,
    seq: UInt64Builder,
    kind: StringBuilder,
    access: StringBuilder,
    target: StringBuilder,
    destination: StringBuilder,
    requested: StringBuilder,
    host: StringBuilder,
    port: UInt16Builder,
    address: StringBuilder,
    argv: ListBuilder<StringBuilder>,
    detail: StringBuilder,
    size: UInt64Builder,
    sha256: StringBuilder,
    file: StringBuilder,
    line: UInt32Builder,
    function: StringBuilder,
    distribution: StringBuilder,
    via: StringBuilder,
    object: StringBuilder,
    source: StringBuilder,
    told: Told,
    verdicts: Option<Verdicts>,
}

/// What native code told of the operations of a record.
struct Told {
    outcome: StringBuilder,
    failed: UInt32Builder,
    errno: StringBuilder,
    bytes_out: UInt64Builder,
    bytes_in: UInt64Builder,
}

impl Told {
    fn with_capacity(rows: usize) -> Self {
        Self {
            outcome: StringBuilder::with_capacity(rows, 0),
            failed: UInt32Builder::with_capacity(rows),
            errno: StringBuilder::with_capacity(rows, 0),
            bytes_out: UInt64Builder::with_capacity(rows),
            bytes_in: UInt64Builder::with_capacity(rows),
        }
    }

    fn push(&mut self, view: &View<'_>) {
        self.outcome.append_option(view.outcome());
        let tally = view.tally.unwrap_or_default();
        self.failed.append_option(view.told().map(|_| tally.failed));
        self.errno.append_option((tally.errno != 0).then(|| errno::name(tally.errno)));
        self.bytes_out.append_option((tally.bytes_out != 0).then_some(tally.bytes_out));
        self.bytes_in.append_option((tally.bytes_in != 0).then_some(tally.bytes_in));
    }

    fn finish(mut self) -> [ArrayRef; 5] {
        [
            Arc::new(self.outcome.finish()),
            Arc::new(self.failed.finish()),
            Arc::new(self.errno.finish()),
            Arc::new(self.bytes_out.finish()),
            Arc::new(self.bytes_in.finish()),
        ]
    }
}

/// The columns of the verdict, which few records have: the rows without are filled in by the next that has.
#[derive(Default)]
struct Verdicts {
    verdict: StringBuilder,
    rule: StringBuilder,
    reason: StringBuilder,
    shadow_verdict: StringBuilder,
    shadow_rule: StringBuilder,
}

impl Verdicts {
    /// Makes what `view` has of them row `row`, counted from 0.
    fn push(&mut self, row: usize, view: &View<'_>) {
        self.fill(row);
        let Some(verdict) = &view.verdict else { return };
        self.verdict.append_value(verdict.action.name());
        append(&mut self.rule, verdict.rule);
        append(&mut self.reason, verdict.reason);
        self.shadow_verdict.append_option(verdict.shadow.map(|(action, _)| action.name()));
        append(&mut self.shadow_rule, verdict.shadow.map(|(_, rule)| rule));
    }

    /// Makes `rows` rows of it.
    fn fill(&mut self, rows: usize) {
        for column in self.columns() {
            column.append_nulls(rows.saturating_sub(column.len()));
        }
    }

    fn columns(&mut self) -> [&mut StringBuilder; 5] {
        [&mut self.verdict, &mut self.rule, &mut self.reason, &mut self.shadow_verdict, &mut self.shadow_rule]
    }

    /// The columns of rows without any.
    fn absent(rows: usize) -> [ArrayRef; 5] {
        let absent: ArrayRef = Arc::new(StringArray::new_null(rows));
        std::array::from_fn(|_| Arc::clone(&absent))
    }

    fn finish(mut self, rows: usize) -> [ArrayRef; 5] {
        self.fill(rows);
        self.columns().map(|column| Arc::new(column.finish()) as ArrayRef)
    }
}

impl Columns {
    /// Columns for the events of one process, with room for `rows`: growing as they fill costs a copy of
    /// everything at each doubling.
    fn with_capacity(schema: SchemaRef, process: String, pid: u32, rows: usize) -> Self {
        const TEXT_BYTES: usize = 48; // of a path, on average
        let nanoseconds = || TimestampNanosecondBuilder::with_capacity(rows).with_timezone("UTC");
        let text = |bytes: usize| StringBuilder::with_capacity(rows, rows * bytes);
        Self {
            schema,
            process,
            pid,
            rows: 0,
            scratch: String::new(),
            time: nanoseconds(),
            last_time: nanoseconds(),
            count: UInt32Builder::with_capacity(rows),
            seq: UInt64Builder::with_capacity(rows),
            kind: text(4),
            access: text(4),
            target: text(TEXT_BYTES),
            destination: text(0),
            requested: text(0),
            host: text(0),
            port: UInt16Builder::with_capacity(rows),
            address: text(0),
            argv: ListBuilder::with_capacity(StringBuilder::new(), rows),
            detail: text(0),
            size: UInt64Builder::with_capacity(rows),
            sha256: text(0),
            file: text(TEXT_BYTES),
            line: UInt32Builder::with_capacity(rows),
            function: text(8),
            distribution: text(8),
            via: text(0),
            object: text(0),
            source: text(8),
            told: Told::with_capacity(rows),
            verdicts: None,
        }
    }

    fn push(&mut self, view: &View<'_>) {
        if view.verdict.is_some() {
            self.verdicts.get_or_insert_default().push(self.rows, view);
        }
        self.rows += 1;
        self.time.append_value(view.time.cast_signed());
        self.last_time.append_value(view.last_time.cast_signed());
        self.count.append_value(view.count);
        self.seq.append_value(view.seq);
        self.kind.append_value(view.kind_name());
        self.access.append_option((view.access.0 != 0).then(|| view.access.name()));
        if view.target.is_some() {
            append(&mut self.target, view.target);
        } else {
            self.scratch.clear();
            let is_there = view.push_target_to(&mut self.scratch);
            self.target.append_option(is_there.then_some(&self.scratch));
        }
        append(&mut self.destination, view.destination);
        append(&mut self.requested, view.requested);
        append(&mut self.host, view.host);
        self.port.append_option(view.port);
        self.address.append_option(view.address.map(|address| address.to_string()));
        match &view.argv {
            Some(argv) => {
                for text in argv {
                    append(self.argv.values(), Some(*text));
                }
                self.argv.append(true);
            }
            None => self.argv.append_null(),
        }
        append(&mut self.detail, view.detail);
        self.size.append_option(view.size);
        self.sha256.append_option(view.sha256.map(hex));
        append(&mut self.file, view.origin.file);
        self.line.append_option(view.origin.line);
        append(&mut self.function, view.origin.function);
        append(&mut self.distribution, view.origin.distribution);
        append(&mut self.via, view.origin.via);
        append(&mut self.object, view.origin.object);
        self.source.append_value(view.source());
        self.told.push(view);
    }

    fn finish(mut self) -> Result<RecordBatch, ArrowError> {
        let rows = self.rows;
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.time.finish()),
            Arc::new(self.last_time.finish()),
            Arc::new(self.count.finish()),
            Arc::new(StringArray::new_repeated(&self.process, rows)),
            Arc::new(self.seq.finish()),
            Arc::new(UInt32Array::from_value(self.pid, rows)),
            Arc::new(self.kind.finish()),
            Arc::new(self.access.finish()),
            Arc::new(self.target.finish()),
            Arc::new(self.destination.finish()),
            Arc::new(self.requested.finish()),
            Arc::new(self.host.finish()),
            Arc::new(self.port.finish()),
            Arc::new(self.address.finish()),
            Arc::new(self.argv.finish()),
            Arc::new(self.detail.finish()),
            Arc::new(self.size.finish()),
            Arc::new(self.sha256.finish()),
            Arc::new(self.file.finish()),
            Arc::new(self.line.finish()),
            Arc::new(self.function.finish()),
            Arc::new(self.distribution.finish()),
            Arc::new(self.via.finish()),
            Arc::new(self.object.finish()),
            Arc::new(self.source.finish()),
        ];
        columns.extend(self.told.finish());
        columns.extend(match self.verdicts {
            Some(verdicts) => verdicts.finish(rows),
            None => Verdicts::absent(rows),
        });
        RecordBatch::try_new(self.schema, columns)
    }
}

fn append(builder: &mut StringBuilder, text: Option<Pieces<'_>>) {
    match text {
        Some(text) => {
            text.push_to(builder);
            builder.append_value(""); // ends the value that was pushed
        }
        None => builder.append_null(),
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
pub(crate) fn with_description(view: View<'_>, payload: &[u8], each: impl FnOnce(&View<'_>)) {
    if view.kind == Kind::Process as u16 {
        let Ok(description) = rmp_serde::from_slice::<Description>(payload) else {
            return;
        };
        let mut view: View<'_> = view;
        view.target = Some(Pieces(&description.executable.0, &[]));
        view.argv = Some(description.argv.iter().map(|text| Pieces(&text.0, &[])).collect());
        each(&view);
    } else if let Ok(script) = rmp_serde::from_slice::<Script>(payload) {
        let mut view: View<'_> = view;
        let name = Pieces(&script.name.0, &[]);
        view.target = Some(script.file.as_ref().map_or(name, |file| Pieces(&file.0, &[])));
        view.requested = Some(name);
        view.verdict = script.verdict.as_ref().and_then(ScriptVerdict::view);
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
            let rows = (segment.file_bytes() / BYTES_PER_ROW).min(BATCH_ROWS);
            let fresh =
                || Columns::with_capacity(Arc::clone(schema), process.clone(), segment.identity.pid, rows);
            let mut columns = fresh();
            for_each_event(&segment, filter, &mut faults, |view| {
                columns.push(view);
                if columns.rows >= BATCH_ROWS {
                    batches.push(std::mem::replace(&mut columns, fresh()).finish());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::VerdictView;
    use crate::verdict::Action;
    use arrow_array::{Array as _, cast::AsArray as _};

    #[test]
    fn rows_without_a_verdict_are_null_before_between_and_after() {
        let deny = VerdictView {
            action: Action::Deny,
            rule: Some(Pieces(b"finance/", b"hr-data")),
            is_stopped: true,
            ..VerdictView::default()
        };
        let observed =
            VerdictView { shadow: Some((Action::Warn, Pieces(b"a/b", &[]))), ..VerdictView::default() };
        let mut columns = Columns::with_capacity(schema(), String::new(), 1, 0);
        for verdict in [None, Some(deny), None, None, Some(observed), None] {
            columns.push(&View { verdict, ..View::default() });
        }
        columns.push(&View { status: Some(-9), ..View::default() });
        let batch = columns.finish().unwrap();
        let of = |name: &str| {
            let column = batch.column_by_name(name).unwrap().as_string::<i32>();
            (0..column.len())
                .filter(|row| column.is_valid(*row))
                .map(|row| (row, column.value(row)))
                .collect()
        };
        let expected: [(&str, Vec<(usize, &str)>); 6] = [
            ("outcome", vec![(1, "denied"), (6, "-9")]),
            ("verdict", vec![(1, "deny"), (4, "allow")]),
            ("rule", vec![(1, "finance/hr-data")]),
            ("reason", vec![]),
            ("shadow_verdict", vec![(4, "warn")]),
            ("shadow_rule", vec![(4, "a/b")]),
        ];
        for (name, values) in expected {
            let found: Vec<(usize, &str)> = of(name);
            assert_eq!(found, values, "{name}");
        }
    }
}
