//! The events of many segments as Arrow batches.
//!
//! Segments decode in parallel on worker threads; batches come out in the order of the segments, and at
//! most a few of them wait in memory at a time.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, SchemaRef};
use crossbeam_channel::{Receiver, bounded};

use super::fill::Columns;
use super::{Projection, for_each_event_to};
use crate::filter::Filter;
use crate::spool::fault::Fault;
use crate::spool::place;
use crate::spool::reader::SegmentFile;

/// Rows of a batch, at most.
const BATCH_ROWS: usize = 16 * 1024;
/// Bytes of a segment that make a row: few, as room to spare costs less than a copy.
const BYTES_PER_ROW: usize = 64;
/// Segments that are decoded together: those of most processes are too small for a batch of their own.
const SEGMENTS: usize = 8;
/// Such groups that may be decoded ahead of the one that is being read, for each worker.
const AHEAD: usize = 1;

/// What the decoding of a few segments gave.
type Decoded = (Vec<Result<RecordBatch, ArrowError>>, Vec<Fault>);

fn decode(paths: &[PathBuf], filter: &Filter, projection: &Projection) -> Decoded {
    let (mut batches, mut faults) = (Vec::new(), Vec::new());
    let mut columns: Option<Columns> = None;
    for path in paths {
        let segment = match SegmentFile::load(path) {
            Ok(segment) => segment,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        let process = segment.identity.process.as_hyphenated().to_string();
        let rows = (segment.file_bytes() / BYTES_PER_ROW).min(BATCH_ROWS);
        let fresh = || {
            let mut columns = Columns::with_capacity(projection, rows);
            columns.begin_segment(process.clone(), segment.identity.pid);
            columns
        };
        match &mut columns {
            Some(columns) => columns.begin_segment(process.clone(), segment.identity.pid),
            None => columns = Some(fresh()),
        }
        for_each_event_to(projection.depth(), &segment, filter, &mut faults, |view| {
            let filled = columns.get_or_insert_with(fresh);
            filled.push(view);
            if filled.rows >= BATCH_ROWS {
                batches.extend(columns.take().map(Columns::finish));
            }
        });
    }
    batches.extend(columns.filter(|columns| columns.rows > 0).map(Columns::finish));
    (batches, faults)
}

/// The events of a spool as a stream of Arrow batches. Nothing is read before the first batch is asked for: who
/// wants the schema alone gets it for nothing.
pub struct BatchStream {
    spool: PathBuf,
    filter: Filter,
    projection: Projection,
    threads: usize,
    is_started: bool,
    running: Option<Running>,
    /// What could not be read so far.
    pub faults: Vec<Fault>,
}

impl BatchStream {
    /// The events in `spool`, decoded on `threads` workers.
    #[must_use]
    pub fn new(spool: PathBuf, filter: Filter, projection: Projection, threads: usize) -> Self {
        Self { spool, filter, projection, threads, is_started: false, running: None, faults: Vec::new() }
    }

    fn start(&mut self) -> Result<Running, ArrowError> {
        let (paths, unlisted) = place::list(&self.spool, &self.filter).map_err(|error| {
            ArrowError::IoError(format!("cannot read spool `{}`: {error}", self.spool.display()), error)
        })?;
        self.faults.extend(unlisted);
        let (filter, projection) = (self.filter.clone(), self.projection.clone());
        Ok(Running::start(paths, filter, projection, self.threads))
    }
}

impl Iterator for BatchStream {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if !std::mem::replace(&mut self.is_started, true) {
            match self.start() {
                Ok(running) => self.running = Some(running),
                Err(error) => return Some(Err(error)),
            }
        }
        self.running.as_mut()?.next(&mut self.faults)
    }
}

impl RecordBatchReader for BatchStream {
    fn schema(&self) -> SchemaRef {
        self.projection.schema()
    }
}

/// Workers, and what they have decoded.
struct Running {
    results: Receiver<(usize, Decoded)>,
    waiting: BTreeMap<usize, Decoded>,
    next: usize,
    total: usize,
    ready: std::vec::IntoIter<Result<RecordBatch, ArrowError>>,
    workers: Vec<JoinHandle<()>>,
}

impl Running {
    fn start(paths: Vec<PathBuf>, filter: Filter, projection: Projection, threads: usize) -> Self {
        let total = paths.len().div_ceil(SEGMENTS);
        let threads = threads.clamp(1, 16).min(total.max(1));
        let (sender, results) = bounded(threads * AHEAD);
        let shared = Arc::new((paths, filter, projection, AtomicUsize::new(0)));
        let workers = (0..threads)
            .map(|_| {
                let (sender, shared) = (sender.clone(), Arc::clone(&shared));
                std::thread::spawn(move || {
                    let (paths, filter, projection, next) = &*shared;
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(paths) = paths.chunks(SEGMENTS).nth(index) else { return };
                        if sender.send((index, decode(paths, filter, projection))).is_err() {
                            return; // nobody reads any more
                        }
                    }
                })
            })
            .collect();
        Self { results, waiting: BTreeMap::new(), next: 0, total, ready: Vec::new().into_iter(), workers }
    }

    fn next(&mut self, unread: &mut Vec<Fault>) -> Option<Result<RecordBatch, ArrowError>> {
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
            unread.extend(faults);
            self.ready = batches.into_iter();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Workers that still send find the channel closed and stop.
        let (_, closed) = bounded(0);
        self.results = closed;
        for worker in self.workers.drain(..) {
            let _ = worker.join();
        }
    }
}
