//! Programs started by native code, and by what Python raises no audit event for (multiprocessing).
#![expect(unsafe_code, reason = "functions of the C library, called with what they were called with")]

use std::borrow::Cow;
use std::ffi::{CStr, c_char, c_int, c_void};

use gnomon_core::event::{Event, Kind, Target};
use libc::{FILE, pid_t};

use super::super::call::{self, Step, text};
use super::super::notes::{self, Sort};
use super::super::stubs::{
    Function, Look, Registers, look_at, look_first, redirect, redirect_six, six, up_to_five,
};
use crate::fork;

/// Arguments of a command that are looked at.
const MAX_ARGUMENTS: usize = 4096;

type Text = *const c_char;
type Texts = *const Text;

/// The texts of a table that ends with a null pointer.
///
/// # Safety
/// Null, or such a table, which outlives what is made of it.
unsafe fn texts<'a>(table: Texts) -> Vec<Cow<'a, [u8]>> {
    let mut found = Vec::new();
    if table.is_null() {
        return found;
    }
    for index in 0..MAX_ARGUMENTS {
        // SAFETY: the table ends with a null pointer, which was not met yet.
        match unsafe { text(*table.add(index)) } {
            Some(text) => found.push(Cow::Borrowed(text)),
            None => break,
        }
    }
    found
}

/// What is to be done with the start of a program.
fn begin<'a>(
    caller: usize,
    kind: Kind,
    program: &'a [u8],
    argv: impl FnOnce() -> Vec<Cow<'a, [u8]>>,
) -> Step {
    // Of a child that did nothing else so far: fork and exec are one.
    let is_child = fork::is_unacknowledged_child() || call::is_vfork_child();
    call::with_own_memory(|| {
        let argv = argv();
        call::begin(caller, Sort::Run, &notes::command(program, &argv), || {
            let kind = if is_child { Kind::Spawn } else { kind };
            Some(Event::new(kind, Target::Command { program: Cow::Borrowed(program), argv }))
        })
    })
    .unwrap_or(Step::PASS)
}

/// What is to be done with a program that takes the place of this process.
pub fn executing(caller: usize, program: &[u8], argv: Texts) -> Step {
    // SAFETY: what the program gives to execve(2).
    begin(caller, Kind::Exec, program, || unsafe { texts(argv) })
}

/// A program that takes the place of this process; the call returns only where it failed.
fn replace(caller: usize, program: Text, argv: Texts, act: impl FnOnce() -> c_int) -> c_int {
    // SAFETY: what the program gives to execve(2).
    let Some(name) = (unsafe { text(program) }) else { return act() };
    let step = executing(caller, name, argv);
    if call::is_refused(step) {
        return -1;
    }
    let result = act();
    // What an audit event told is tried in one directory after another: that one fails is no failure.
    if !step.is_told() {
        call::end(step, call::errno());
    }
    result
}

redirect!(EXECVE, "execve", (program: Text, argv: Texts, variables: Texts) -> c_int, |caller, real| {
    replace(caller, program, argv, || real(program, argv, variables))
});
redirect!(EXECV, "execv", (program: Text, argv: Texts) -> c_int, |caller, real| {
    replace(caller, program, argv, || real(program, argv))
});
redirect!(EXECVP, "execvp", (program: Text, argv: Texts) -> c_int, |caller, real| {
    replace(caller, program, argv, || real(program, argv))
});
redirect!(EXECVPE, "execvpe", (program: Text, argv: Texts, variables: Texts) -> c_int, |caller, real| {
    replace(caller, program, argv, || real(program, argv, variables))
});
redirect!(FEXECVE, "fexecve", (file: c_int, argv: Texts, variables: Texts) -> c_int, |caller, real| {
    match gnomon_core::process::descriptor_path(file) {
        Some(path) => {
            let step = executing(caller, &path, argv);
            if call::is_refused(step) { -1 } else { real(file, argv, variables) }
        }
        None => real(file, argv, variables),
    }
});
redirect_six!(POSIX_SPAWN, "posix_spawn",
    (child: *mut pid_t, program: Text, actions: *const c_void, attributes: *const c_void, argv: Texts, variables: Texts) -> c_int, |caller, real| {
    spawn(caller, program, argv, || real(child, program, actions, attributes, argv, variables))
});
redirect_six!(POSIX_SPAWNP, "posix_spawnp",
    (child: *mut pid_t, program: Text, actions: *const c_void, attributes: *const c_void, argv: Texts, variables: Texts) -> c_int, |caller, real| {
    spawn(caller, program, argv, || real(child, program, actions, attributes, argv, variables))
});

fn spawn(caller: usize, program: Text, argv: Texts, act: impl FnOnce() -> c_int) -> c_int {
    // SAFETY: what the program gives to posix_spawn(3).
    let Some(name) = (unsafe { text(program) }) else { return act() };
    // SAFETY: as above.
    let step = starting(begin(caller, Kind::Spawn, name, || unsafe { texts(argv) }));
    if step.is_stopped {
        return libc::EACCES; // it returns its error
    }
    let error = act();
    call::end(step, error);
    error
}

/// The one call that an audit event told of.
fn starting(step: Step) -> Step {
    if step.is_told() {
        notes::forget_start();
    }
    step
}

/// A line for the shell.
fn shell(caller: usize, line: Text) -> Step {
    // SAFETY: what the program gives to system(3).
    let Some(line) = (unsafe { text(line) }) else { return Step::PASS };
    let argv = || vec![Cow::Borrowed(&b"sh"[..]), Cow::Borrowed(&b"-c"[..]), Cow::Borrowed(line)];
    starting(begin(caller, Kind::Spawn, b"/bin/sh", argv))
}

redirect!(SYSTEM, "system", (line: Text) -> c_int, |caller, real| {
    let step = shell(caller, line);
    if call::is_refused(step) {
        -1
    } else {
        let status = real(line);
        call::end(step, if status < 0 { call::errno() } else { 0 });
        status
    }
});
redirect!(POPEN, "popen", (line: Text, mode: Text) -> *mut FILE, |caller, real| {
    let step = shell(caller, line);
    if call::is_refused(step) {
        std::ptr::null_mut()
    } else {
        let stream = real(line, mode);
        call::end(step, if stream.is_null() { call::errno() } else { 0 });
        stream
    }
});

/// `execl(program, argument, …, NULL)`: of the arguments, those in registers are told.
fn look_at_list(registers: &Registers, caller: usize) -> Look {
    let [program, arguments @ ..] = &registers.0;
    let pointer = |word: &usize| std::ptr::with_exposed_provenance::<c_char>(*word);
    // SAFETY: what the program gives to execl(3): texts up to a null pointer.
    let Some(name) = (unsafe { text(pointer(program)) }) else { return Look::GO };
    let step = begin(caller, Kind::Exec, name, || {
        let given = arguments.iter().take_while(|word| **word != 0);
        // SAFETY: as above.
        given.map(|word| Cow::Borrowed(unsafe { CStr::from_ptr(pointer(word)) }.to_bytes())).collect()
    });
    if call::is_refused(step) { Look::instead(usize::MAX) } else { Look::GO }
}

look_at!(EXECL, "execl", |registers, _stack, caller| look_at_list(registers, caller));
look_at!(EXECLE, "execle", |registers, _stack, caller| look_at_list(registers, caller));
look_at!(EXECLP, "execlp", |registers, _stack, caller| look_at_list(registers, caller));

// Never called in our stead: it comes back twice.
look_at!(VFORK, "vfork", |_registers, _stack, _caller| {
    call::child_begins();
    Look::GO
});

pub static ALL: &[&Function] = &[
    &VFORK,
    &EXECVE,
    &EXECV,
    &EXECVP,
    &EXECVPE,
    &FEXECVE,
    &POSIX_SPAWN,
    &POSIX_SPAWNP,
    &SYSTEM,
    &POPEN,
    &EXECL,
    &EXECLE,
    &EXECLP,
];
