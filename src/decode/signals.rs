//! Signals to processes.

use std::borrow::Cow;

use gnomon_core::event::{Event, Kind, Target};

use super::Decoded;
use crate::capi::Object;

fn kill<'a>(name: String, signal: i64) -> Decoded<'a> {
    let target = Target::Named { name: Cow::Owned(name.into_bytes()), detail: signal_name(signal) };
    Decoded::Event(Event::new(Kind::Kill, target))
}

fn two_numbers(args: Object<'_>) -> Option<(i64, i64)> {
    Some((args.item(0)?.integer()?, args.item(1)?.integer()?))
}

/// `os.kill(pid, signal)`.
pub fn to_process(args: Object<'_>) -> Decoded<'_> {
    match two_numbers(args) {
        Some((pid, signal)) => kill(pid.to_string(), signal),
        None => Decoded::Odd,
    }
}

/// `os.killpg(group, signal)`: the target is `group N`.
pub fn to_group(args: Object<'_>) -> Decoded<'_> {
    match two_numbers(args) {
        Some((group, signal)) => kill(format!("group {group}"), signal),
        None => Decoded::Odd,
    }
}

/// `signal.pthread_kill(thread, signal)`: a thread of this process.
pub fn to_thread(args: Object<'_>) -> Decoded<'_> {
    match args.item(1).and_then(Object::integer) {
        Some(signal) => kill(std::process::id().to_string(), signal),
        None => Decoded::Odd,
    }
}

fn signal_name<'a>(signal: i64) -> Cow<'a, [u8]> {
    const NAMES: [(i32, &str); 28] = [
        (0, "none"),
        (libc::SIGHUP, "SIGHUP"),
        (libc::SIGINT, "SIGINT"),
        (libc::SIGQUIT, "SIGQUIT"),
        (libc::SIGILL, "SIGILL"),
        (libc::SIGTRAP, "SIGTRAP"),
        (libc::SIGABRT, "SIGABRT"),
        (libc::SIGBUS, "SIGBUS"),
        (libc::SIGFPE, "SIGFPE"),
        (libc::SIGKILL, "SIGKILL"),
        (libc::SIGUSR1, "SIGUSR1"),
        (libc::SIGSEGV, "SIGSEGV"),
        (libc::SIGUSR2, "SIGUSR2"),
        (libc::SIGPIPE, "SIGPIPE"),
        (libc::SIGALRM, "SIGALRM"),
        (libc::SIGTERM, "SIGTERM"),
        (libc::SIGCHLD, "SIGCHLD"),
        (libc::SIGCONT, "SIGCONT"),
        (libc::SIGSTOP, "SIGSTOP"),
        (libc::SIGTSTP, "SIGTSTP"),
        (libc::SIGTTIN, "SIGTTIN"),
        (libc::SIGTTOU, "SIGTTOU"),
        (libc::SIGURG, "SIGURG"),
        (libc::SIGXCPU, "SIGXCPU"),
        (libc::SIGXFSZ, "SIGXFSZ"),
        (libc::SIGPROF, "SIGPROF"),
        (libc::SIGWINCH, "SIGWINCH"),
        (libc::SIGIO, "SIGIO"),
    ];
    match NAMES.iter().find(|(number, _)| i64::from(*number) == signal) {
        Some((_, name)) => Cow::Borrowed(name.as_bytes()),
        None => Cow::Owned(format!("signal {signal}").into_bytes()),
    }
}
