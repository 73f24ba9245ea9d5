//! Work on many files, on as many threads as the machine has cores.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Items that a thread takes at a time.
const TAKEN: usize = 16;

/// How many threads there is work for at once.
#[must_use]
pub fn threads() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// What `each` gives for every item, in their order. What it works with, each thread makes for itself.
pub(crate) fn in_parallel<I: Sync, W: Default, T: Send>(
    items: &[I],
    each: impl Fn(&mut W, &I) -> T + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let work = || {
        let (mut done, mut with) = (Vec::new(), W::default());
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(taken) = items.chunks(TAKEN).nth(index) else { return done };
            done.push((index, taken.iter().map(|item| each(&mut with, item)).collect::<Vec<T>>()));
        }
    };
    let threads = threads().min(items.len().div_ceil(TAKEN)).max(1);
    let mut done = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut done = work();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().flat_map(|(_, results)| results).collect()
}
