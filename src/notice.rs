//! One line to the person who runs the program: on its standard error, and nowhere else.
//!
//! A program may have closed descriptor 2 and opened a file of data in its place. So it is written to only while it is
//! what it was at arming. Whatever goes wrong, the program does not notice: what was to be told is recorded anyway.
#![expect(unsafe_code, reason = "libc's signal mask of a thread")]

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use gnomon_core::text::{beginning, push_printable};
use libc::c_int;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::{Errno, retry_on_intr, write};
use rustix::stdio::stderr;

/// A pipe takes so much at once, and never a part of it (`PIPE_BUF`).
const MAX_BYTES: usize = 4096;

/// How long a reader who is slow is waited for. One who has stopped reading must not stop the program.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Device, inode and type of the file that was standard error at arming.
static KNOWN: [AtomicU64; 3] = [const { AtomicU64::new(NOTHING) }; 3];

/// No file has this for a device, inode or type.
const NOTHING: u64 = u64::MAX;

/// Notes what standard error is. Before this is called, nothing is ever written.
pub fn remember_stderr() {
    for (known, now) in KNOWN.iter().zip(identity().unwrap_or([NOTHING; 3])) {
        known.store(now, Relaxed);
    }
}

/// Writes `gnomon: warning: <line>` to standard error, in one piece; control characters are written out.
pub fn warn(line: &str) {
    if identity().is_some_and(|now| KNOWN.iter().zip(now).all(|(known, now)| known.load(Relaxed) == now)) {
        let text = warning(line);
        shielded(|| write_if_taken(text.as_bytes()));
    }
}

fn identity() -> Option<[u64; 3]> {
    let found = fstat(stderr()).ok()?;
    let kind = FileType::from_raw_mode(found.st_mode).as_raw_mode();
    Some([found.st_dev as u64, found.st_ino as u64, u64::from(kind)])
}

fn warning(line: &str) -> String {
    const CUT: &str = "…\n";
    let mut text = String::with_capacity(line.len() + 32);
    text.push_str("gnomon: warning: ");
    push_printable(&mut text, line);
    if text.len() < MAX_BYTES {
        text.push('\n');
    } else {
        text.truncate(beginning(&text, MAX_BYTES - CUT.len()).len());
        text.push_str(CUT);
    }
    text
}

/// One write, unless it would wait for a reader. Gives the error that may have come with a signal.
fn write_if_taken(text: &[u8]) -> Option<Errno> {
    let mut files = [PollFd::from_borrowed_fd(stderr(), PollFlags::OUT)];
    let taken = retry_on_intr(|| poll(&mut files, Some(&PATIENCE))).ok()?;
    if taken == 0 {
        return None;
    }
    retry_on_intr(|| write(stderr(), text)).err()
}

/// Writes while this thread holds off the signals that a write can cause: the end of the program where nobody reads
/// (`SIGPIPE`) or a limit is reached (`SIGXFSZ`), its stop in the background (`SIGTTOU`, which is not even raised
/// while it is held off). Python ignores the first two at start, but many programs give them back their effect.
fn shielded(write: impl FnOnce() -> Option<Errno>) {
    let shield = signals(&[libc::SIGPIPE, libc::SIGXFSZ, libc::SIGTTOU]);
    let mut before = signals(&[]);
    // SAFETY: both are valid sets; only the mask of this thread changes.
    if unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const shield, &raw mut before) } != 0 {
        return;
    }
    let caused = [(Errno::PIPE, libc::SIGPIPE), (Errno::FBIG, libc::SIGXFSZ)];
    let waiting = caused.map(|(_, signal)| is_pending(signal));
    let error = write();
    for ((cause, signal), was_pending) in caused.into_iter().zip(waiting) {
        if error == Some(cause) && !was_pending && is_pending(signal) {
            take(signal);
        }
    }
    // SAFETY: the set that was there before.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut()) };
}

fn signals(members: &[c_int]) -> libc::sigset_t {
    // SAFETY: a set is plain memory, which sigemptyset makes an empty one; the numbers are signals.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in members {
            libc::sigaddset(&raw mut set, *signal);
        }
        set
    }
}

fn is_pending(signal: c_int) -> bool {
    let mut pending = signals(&[]);
    // SAFETY: a valid set, filled and then asked.
    unsafe { libc::sigpending(&raw mut pending) == 0 && libc::sigismember(&raw const pending, signal) == 1 }
}

/// Takes away a signal that is held off and pending for this thread: returns at once.
fn take(signal: c_int) {
    let (set, mut taken) = (signals(&[signal]), 0);
    // SAFETY: a valid set and a place for the number.
    unsafe { libc::sigwait(&raw const set, &raw mut taken) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_one_line_that_no_terminal_obeys() {
        assert_eq!(warning("a\x1b[2J\nb"), "gnomon: warning: a\\x1b[2J\\nb\n");
    }

    #[test]
    fn a_long_warning_is_cut_where_a_pipe_would_take_it_in_pieces() {
        let text = warning(&"ä".repeat(MAX_BYTES));
        assert!(text.len() <= MAX_BYTES && text.len() > MAX_BYTES - 8);
        assert!(text.ends_with("ä…\n"));
        assert_eq!(warning(&"a".repeat(MAX_BYTES - 18)).len(), MAX_BYTES);
    }
}
