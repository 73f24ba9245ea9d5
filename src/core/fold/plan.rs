//! Which segments are folded together: those of all runs of one script, on one thread.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use uuid::Uuid;

use super::paths::Share;
use super::{Question, Run};
use crate::parallel::in_parallel;
use crate::spool::place;
use crate::spool::reader::Loader;

/// What is folded on one thread, at a time.
#[derive(Clone, Debug)]
pub struct Task {
    pub processes: Vec<Process>,
    pub share: Share,
    bytes: u64,
}

/// A process, and its segments in order.
#[derive(Clone, Debug)]
pub struct Process {
    pub id: Uuid,
    pub run: Option<Run>,
    /// Each with the source that it is in.
    pub segments: Vec<(usize, PathBuf)>,
    bytes: u64,
}

/// The tasks that answer `question`, the largest first.
pub fn tasks(question: &Question) -> io::Result<Vec<Task>> {
    let mut together: HashMap<Option<Arc<str>>, Vec<Process>> = HashMap::new();
    let mut tasks = Vec::new();
    for process in processes(question)? {
        match &process.run {
            Some(run) => together.entry(Some(Arc::clone(&run.script))).or_default().push(process),
            None => tasks.extend(shares(vec![process], question.share_bytes)),
        }
    }
    for mut processes in together.into_values() {
        // Those of one actor follow one another.
        let key = |process: &Process| (process.run.as_ref().map(|run| run.actor), process.id);
        processes.sort_by_key(key);
        tasks.extend(shares(processes, question.share_bytes));
    }
    tasks.sort_by_key(|task| std::cmp::Reverse(task.bytes));
    Ok(tasks)
}

/// `processes` as one task, or as several that each look at a share of the paths.
fn shares(processes: Vec<Process>, share_bytes: u64) -> impl Iterator<Item = Task> {
    let bytes = processes.iter().map(|process| process.bytes).sum::<u64>();
    let of = u32::try_from(bytes.div_ceil(share_bytes)).unwrap_or(u32::MAX).max(1);
    (0..of).map(move |part| Task { processes: processes.clone(), share: Share { part, of }, bytes })
}

/// The processes that have segments in the sources.
fn processes(question: &Question) -> io::Result<Vec<Process>> {
    let mut found: BTreeMap<Uuid, Process> = BTreeMap::new();
    for (source, (spool, filter)) in question.sources.iter().enumerate() {
        let paths = place::list(spool, filter)?.0;
        let headers = in_parallel(&paths, |loader: &mut Loader, path| loader.load_header(path));
        for (path, header) in paths.into_iter().zip(headers) {
            let Ok((identity, bytes)) = header else { continue };
            let id = identity.process;
            if id.is_nil() {
                continue;
            }
            let process = found.entry(id).or_insert_with(|| Process {
                id,
                run: question.runs.get(&id).cloned(),
                segments: Vec::new(),
                bytes: 0,
            });
            process.bytes += bytes;
            process.segments.push((source, path));
        }
    }
    Ok(found.into_values().collect())
}

/// What workers give for every task, each on a thread of its own.
pub fn each<T: Send, W>(
    tasks: &[Task],
    threads: usize,
    worker: impl Fn() -> W + Sync,
    work: impl Fn(&mut W, &Task) -> T + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let run = || {
        let (mut done, mut worker) = (Vec::new(), worker());
        while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push(work(&mut worker, task));
        }
        done
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(tasks.len())).map(|_| scope.spawn(run)).collect();
        let mut done = run();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    })
}
