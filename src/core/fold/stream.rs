//! All files that all scripts used, as a stream: folded script by script while somebody reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, SchemaRef};
use crossbeam_channel::{Receiver, bounded};

use super::script::Worker;
use super::{Question, plan, rows};

/// What each actor did with each file. Nothing is read before the first batch is asked for.
pub struct FileStream {
    question: Arc<Question>,
    threads: usize,
    running: Option<Running>,
    ready: std::vec::IntoIter<RecordBatch>,
}

/// Workers, and what they have folded.
struct Running {
    results: Receiver<Result<Vec<RecordBatch>, ArrowError>>,
    workers: Vec<JoinHandle<()>>,
}

impl FileStream {
    /// The uses that `question` is about, folded on `threads` threads.
    #[must_use]
    pub fn new(question: Arc<Question>, threads: usize) -> Self {
        Self { question, threads, running: None, ready: Vec::new().into_iter() }
    }

    fn start(&self) -> Result<Running, ArrowError> {
        let tasks = plan::tasks(&self.question)
            .map_err(|error| ArrowError::IoError(format!("cannot read spool: {error}"), error))?;
        let threads = self.threads.clamp(1, 16).min(tasks.len().max(1));
        let (sender, results) = bounded(1);
        let shared = Arc::new((tasks, Arc::clone(&self.question), AtomicUsize::new(0)));
        let workers = (0..threads)
            .map(|_| {
                let (sender, shared) = (sender.clone(), Arc::clone(&shared));
                std::thread::spawn(move || {
                    let (tasks, question, next) = &*shared;
                    let mut worker = Worker::new(question);
                    while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if sender.send(worker.fold_files(task)).is_err() {
                            return; // nobody reads any more
                        }
                    }
                })
            })
            .collect();
        Ok(Running { results, workers })
    }
}

impl Iterator for FileStream {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = self.ready.next() {
                return Some(Ok(batch));
            }
            if self.running.is_none() {
                match self.start() {
                    Ok(running) => self.running = Some(running),
                    Err(error) => return Some(Err(error)),
                }
            }
            match self.running.as_ref()?.results.recv().ok()? {
                Ok(batches) => self.ready = batches.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl RecordBatchReader for FileStream {
    fn schema(&self) -> SchemaRef {
        rows::files_schema()
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
