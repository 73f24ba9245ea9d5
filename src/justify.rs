//! Asks the person at the terminal why the program should do what a policy stops otherwise.
//!
//! The terminal itself is asked, never standard input, which is the program's. Who is not there to answer is not
//! asked: without a terminal, in the background, or while the program reads the keys by itself.
#![expect(unsafe_code, reason = "lets other Python threads run while the person types")]

use std::os::fd::OwnedFd;
use std::ptr::null_mut;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::time::Duration;

use gnomon_core::policy::judge::Answer;
use gnomon_core::text::{beginning, is_printable, push_printable};
use parking_lot::{Mutex, MutexGuard};
use pyo3::ffi;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, read, write};
use rustix::process::getpgrp;
use rustix::stdio::stderr;
use rustix::termios::{LocalModes, QueueSelector, isatty, tcflush, tcgetattr, tcgetpgrp};

/// What of an answer is kept.
const MAX_BYTES: usize = 500;

/// How long it takes at most to notice a signal while waiting: one that comes just before a system call does not
/// interrupt it, and Python's handlers run only when asked to.
const GLANCE: Duration = Duration::from_millis(100);

/// Writes `question` to the terminal and reads one line. What was typed before the question is thrown away: it
/// answered nothing.
///
/// One thread asks at a time. A thread that waited for its turn, with the very question that was just answered, gets
/// that answer. **Other Python threads run meanwhile**, and so do handlers of signals: what was borrowed from
/// Python's lists before may be gone after.
pub fn ask(question: &str) -> Answer {
    let Some(terminal) = Terminal::of_the_person() else { return Answer::Nobody };
    let turns = turns();
    let mut last = if let Some(last) = turns.last.try_lock() {
        last
    } else {
        let Some(last) = waited(turns) else { return Answer::Interrupted };
        if let Some((asked, answer)) = &*last
            && asked == question
        {
            return answer.clone();
        }
        last
    };
    let answer = terminal.ask(question);
    *last =
        matches!(answer, Answer::Given(_) | Answer::Refused).then(|| (question.to_owned(), answer.clone()));
    answer
}

/// Whose turn it is to ask, in one process: a fork's child must not wait for a thread that it does not have.
struct Turns {
    process: u32,
    /// The question and the answer of the turn before.
    last: Mutex<Option<(String, Answer)>>,
}

/// Null before the first question. Never freed: another thread may be using it.
static TURNS: AtomicPtr<Turns> = AtomicPtr::new(null_mut());

fn turns() -> &'static Turns {
    let process = std::process::id();
    let mut known = TURNS.load(Acquire);
    loop {
        // SAFETY: null, or made by `Box::into_raw` and never freed.
        if let Some(turns) = unsafe { known.as_ref() }
            && turns.process == process
        {
            return turns;
        }
        let new = Box::into_raw(Box::new(Turns { process, last: Mutex::new(None) }));
        known = match TURNS.compare_exchange(known, new, AcqRel, Acquire) {
            Ok(_) => new,
            Err(other) => other,
        };
    }
}

/// This thread's turn; `None` where a signal's handler raised first.
fn waited(turns: &Turns) -> Option<MutexGuard<'_, Option<(String, Answer)>>> {
    loop {
        if let Some(last) = while_others_run(|| turns.last.try_lock_for(GLANCE)) {
            return Some(last);
        }
        if handlers_raise() {
            return None;
        }
    }
}

struct Terminal(OwnedFd);

impl Terminal {
    /// The terminal that controls this process, if a person would see a question there and can answer it.
    fn of_the_person() -> Option<Self> {
        if !isatty(stderr()) {
            return None;
        }
        let terminal =
            open("/dev/tty", OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        let is_foreground = tcgetpgrp(&terminal).ok()? == getpgrp();
        let takes_lines =
            tcgetattr(&terminal).ok()?.local_modes.contains(LocalModes::ICANON | LocalModes::ECHO);
        (is_foreground && takes_lines).then_some(Self(terminal))
    }

    fn ask(&self, question: &str) -> Answer {
        let _ = tcflush(&self.0, QueueSelector::IFlush);
        self.show(&shown(question));
        let mut line = Line::default();
        loop {
            match while_others_run(|| self.read_into(&mut line)) {
                Ok(()) => break,
                Err(Errno::INTR | Errno::AGAIN) if handlers_raise() => return Answer::Interrupted,
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(_) => return Answer::Refused,
            }
        }
        if !line.is_ended {
            self.show("\n"); // the end of input leaves the cursor behind the question
        }
        line.answer()
    }

    fn show(&self, text: &str) {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            match while_others_run(|| write(&self.0, rest)) {
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }

    /// Reads to the end of the line or of the input; `AGAIN` where there is nothing to read yet.
    fn read_into(&self, line: &mut Line) -> Result<(), Errno> {
        let mut buffer = [0; 256];
        let glance = Timespec::try_from(GLANCE).ok();
        while !line.is_ended {
            if poll(&mut [PollFd::new(&self.0, PollFlags::IN)], glance.as_ref())? == 0 {
                return Err(Errno::AGAIN);
            }
            let length = read(&self.0, &mut buffer)?;
            if length == 0 {
                break;
            }
            line.push(buffer.get(..length).unwrap_or_default());
        }
        Ok(())
    }
}

/// What was typed so far, as far as it is kept.
#[derive(Default)]
struct Line {
    bytes: Vec<u8>,
    is_ended: bool,
}

impl Line {
    fn push(&mut self, typed: &[u8]) {
        let end = typed.iter().position(|byte| *byte == b'\n');
        self.is_ended = end.is_some();
        let typed = typed.get(..end.unwrap_or(typed.len())).unwrap_or_default();
        let room = (2 * MAX_BYTES).saturating_sub(self.bytes.len()).min(typed.len());
        self.bytes.extend_from_slice(typed.get(..room).unwrap_or_default());
    }

    fn answer(&self) -> Answer {
        let text: String =
            String::from_utf8_lossy(&self.bytes).chars().filter(|letter| is_printable(*letter)).collect();
        let text = beginning(text.trim(), MAX_BYTES).trim_end();
        if text.is_empty() { Answer::Refused } else { Answer::Given(text.to_owned()) }
    }
}

/// The question for the terminal: its own lines, and nothing that a terminal would obey.
fn shown(question: &str) -> String {
    let mut text = String::with_capacity(question.len());
    for (place, line) in question.split('\n').enumerate() {
        if place > 0 {
            text.push('\n');
        }
        push_printable(&mut text, line);
    }
    text
}

/// Does something that may take as long as a person takes.
fn while_others_run<T>(act: impl FnOnce() -> T) -> T {
    struct Held(*mut ffi::PyThreadState);
    impl Drop for Held {
        fn drop(&mut self) {
            // SAFETY: the state that was put aside, by the same thread.
            unsafe { ffi::PyEval_RestoreThread(self.0) };
        }
    }
    // SAFETY: called with a thread state, and `act` does not use Python.
    let _held = Held(unsafe { ffi::PyEval_SaveThread() });
    act()
}

/// Runs the handlers of signals that came meanwhile, as the main thread does between two steps.
fn handlers_raise() -> bool {
    // SAFETY: called with a thread state.
    unsafe { ffi::PyErr_CheckSignals() != 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(typed: &[&[u8]]) -> (Answer, bool) {
        let mut line = Line::default();
        for piece in typed {
            line.push(piece);
        }
        (line.answer(), line.is_ended)
    }

    #[test]
    fn the_answer_is_one_line_of_printable_text() {
        let given = |text: &str| Answer::Given(text.to_owned());
        assert_eq!(answer(&[b" ticket 4711 \nmore"]), (given("ticket 4711"), true));
        assert_eq!(answer(&[b"tic", b"ket\n"]), (given("ticket"), true));
        assert_eq!(answer(&[b"a\x1b[31mb\x07\xff\n"]), (given("a[31mb\u{fffd}"), true));
        assert_eq!(answer(&[b" \t\x1b\n"]), (Answer::Refused, true));
        assert_eq!(answer(&[]), (Answer::Refused, false));
    }

    #[test]
    fn a_long_answer_is_cut_at_a_whole_letter() {
        let (Answer::Given(text), true) = answer(&["ä".repeat(4000).as_bytes(), b"\n"]) else { panic!() };
        assert_eq!(text, "ä".repeat(MAX_BYTES / 2));
    }

    #[test]
    fn a_question_keeps_its_lines_and_nothing_else_that_moves_the_cursor() {
        assert_eq!(shown("Why?\n\x1b[2J\r> "), "Why?\n\\x1b[2J\\r> ");
    }
}
