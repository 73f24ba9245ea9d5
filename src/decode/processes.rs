//! Children started, programs replaced, and what the interpreter itself is about to run.

use std::borrow::Cow;
use std::cell::Cell;
use std::ffi::OsStr;
use std::hash::BuildHasher as _;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Mutex;

use gnomon_core::event::{Event, Kind, Target};
use gnomon_core::paths::absolute;
use gnomon_core::process::{Script, current_directory};

use super::{Decoded, tamper};
use crate::capi::{Object, sys_attribute};
use crate::environment::{self, Inherited};
use crate::preload;

thread_local! {
    /// What the start that was just recorded on this thread may raise once more: the hash of its argv.
    static JUST_TOLD: Cell<u64> = const { Cell::new(0) };
}

const PTY: u64 = 1;
/// More than a record has room for.
const MAX_ARGUMENTS: usize = 4096;

/// Forgets the last start: something else happened on this thread since.
pub fn forget_last_start() {
    JUST_TOLD.with(|told| told.set(0));
}

fn arguments(list: Object<'_>) -> Option<Vec<Cow<'_, [u8]>>> {
    if let Some(single) = list.path() {
        return Some(vec![single]);
    }
    let count = list.length()?;
    let texts = (0..count).filter_map(|index| list.item(index));
    // What is no text (an object with a path of its own) is a question mark.
    Some(texts.take(MAX_ARGUMENTS).map(|value| value.path().unwrap_or(Cow::Borrowed(b"?"))).collect())
}

fn command<'a>(kind: Kind, program: Option<Cow<'a, [u8]>>, argv: Vec<Cow<'a, [u8]>>) -> Event<'a> {
    let program = program.or_else(|| argv.first().cloned()).unwrap_or_default();
    Event::new(kind, Target::Command { program, argv })
}

/// Of a program as it is named, which is never a path where the system looks for it.
fn start_hash(program: &[u8], argv: &[Cow<'_, [u8]>]) -> u64 {
    foldhash::fast::FixedState::default().hash_one((program, argv)) | 2 // never 0, never PTY
}

/// `subprocess.Popen(executable, args, cwd, env)`. What starts the child may raise an event of its own next.
pub fn popen(args: Object<'_>) -> Decoded<'_> {
    let (Some(program), Some(argv)) = (args.item(0), args.item(1).and_then(arguments)) else {
        return Decoded::Odd;
    };
    let program = program.path();
    let hash = start_hash(program.as_deref().unwrap_or_default(), &argv);
    JUST_TOLD.with(|told| told.set(hash));
    let directory = args.item(2).and_then(Object::path);
    let event = command(Kind::Spawn, program.map(|program| below(directory, program)), argv);
    with_shadow(event, args.item(3))
}

/// A start, and before it the sitecustomize that a Python finds in place of gnomon's.
fn with_shadow<'a>(event: Event<'a>, variables: Option<Object<'_>>) -> Decoded<'a> {
    match shadow(&event, variables) {
        Some(path) => Decoded::Reaching(tamper::shadowed(path), event),
        None => Decoded::Event(event),
    }
}

fn shadow(event: &Event<'_>, variables: Option<Object<'_>>) -> Option<Vec<u8>> {
    let Target::Command { program, argv } = &event.target else { return None };
    let names = [Some(&**program), argv.first().map(|name| &**name)];
    let is_python = |name: &[u8]| gnomon_core::paths::split(name).1.starts_with(b"python");
    if !names.into_iter().flatten().any(is_python) {
        return None;
    }
    const NAME: &[u8] = b"PYTHONPATH=";
    let given = variables.filter(|given| !given.is_none());
    if let Some(path) = given.and_then(|given| given.entry(c"PYTHONPATH")).and_then(Object::path) {
        return environment::shadowing(&path, Inherited::No);
    }
    if let Some(count) = given.and_then(Object::length) {
        let mut entries = (0..count).filter_map(|index| given?.item(index)?.path());
        let path = entries.find(|entry| entry.starts_with(NAME))?;
        return environment::shadowing(path.get(NAME.len()..)?, Inherited::No);
    }
    if given.is_some_and(Object::is_dictionary) {
        return None;
    }
    let path = std::env::var_os("PYTHONPATH")?;
    let inherits = if event.kind == Kind::Exec { Inherited::ByExec } else { Inherited::No };
    environment::shadowing(path.as_bytes(), inherits)
}

/// The child changes its directory first, and then looks for a `program` that is a relative path.
fn below<'a>(directory: Option<Cow<'a, [u8]>>, program: Cow<'a, [u8]>) -> Cow<'a, [u8]> {
    match directory {
        Some(directory) if program.contains(&b'/') && program.first() != Some(&b'/') => {
            Cow::Owned([&directory, &b"/"[..], &program].concat())
        }
        _ => program,
    }
}

/// `os.posix_spawn(path, argv, env)`.
pub fn posix_spawn(args: Object<'_>) -> Decoded<'_> {
    match start(args.item(0).and_then(Object::path), args.item(1)) {
        Decoded::Event(event) => with_shadow(event, args.item(2)),
        other => other,
    }
}

/// `_posixsubprocess.fork_exec(executables, argv, env)`, since 3.14: where no `Popen` told it, it was called
/// directly, as multiprocessing does.
pub fn fork_exec(args: Object<'_>) -> Decoded<'_> {
    let program = args.item(0).and_then(|list| list.item(0)).and_then(Object::path);
    // A program without a slash comes as a list of all the paths where it may be.
    let name = program.as_deref().map(|program| gnomon_core::paths::split(program).1.to_vec());
    if let (Some(name), Some(argv)) = (name, args.item(1).and_then(arguments))
        && JUST_TOLD.with(Cell::get) == start_hash(&name, &argv)
    {
        forget_last_start();
        return Decoded::Told;
    }
    match start(program, args.item(1)) {
        Decoded::Event(event) => {
            with_shadow(event.with_detail(&b"_posixsubprocess.fork_exec"[..]), args.item(2))
        }
        other => other,
    }
}

/// `_winapi.CreateProcess(application or None, command line, directory)`, which `Popen` calls.
pub fn create_process(args: Object<'_>) -> Decoded<'_> {
    let application = args.item(0).filter(|application| !application.is_none());
    let line = args.item(1).filter(|line| !line.is_none()).or(application);
    start(application.and_then(Object::path), line)
}

/// `os.spawn(mode, path, args, env)`, on Windows; elsewhere it is a fork and an exec.
pub fn spawn(args: Object<'_>) -> Decoded<'_> {
    start(args.item(1).and_then(Object::path), args.item(2))
}

/// `os.startfile(path, operation)`, on Windows: whatever program the path belongs to.
pub fn startfile(args: Object<'_>) -> Decoded<'_> {
    start(args.item(0).and_then(Object::path), args.item(0))
}

fn start<'a>(program: Option<Cow<'a, [u8]>>, argv: Option<Object<'a>>) -> Decoded<'a> {
    let Some(argv) = argv.and_then(arguments) else {
        return Decoded::Odd;
    };
    let hash = start_hash(program.as_deref().unwrap_or_default(), &argv);
    if JUST_TOLD.with(|told| told.replace(0)) == hash {
        return Decoded::Told;
    }
    Decoded::Event(command(Kind::Spawn, program, argv))
}

/// `os.system(command)`.
pub fn system(args: Object<'_>) -> Decoded<'_> {
    let Some(line) = args.item(0).and_then(Object::path) else {
        return Decoded::Odd;
    };
    let argv = vec![Cow::Borrowed(&b"sh"[..]), Cow::Borrowed(&b"-c"[..]), line];
    Decoded::Event(command(Kind::Spawn, Some(Cow::Borrowed(b"/bin/sh")), argv))
}

/// `os.exec(path, argv, env)`: this program's last event.
pub fn exec(args: Object<'_>) -> Decoded<'_> {
    let Some(argv) = args.item(1).and_then(arguments) else {
        return Decoded::Odd;
    };
    with_shadow(command(Kind::Exec, args.item(0).and_then(Object::path), argv), args.item(2))
}

/// `pty.spawn(argv)`, which forks and executes next.
pub fn pty_spawn(args: Object<'_>) -> Decoded<'_> {
    let Some(argv) = args.item(0).and_then(arguments) else {
        return Decoded::Odd;
    };
    JUST_TOLD.with(|told| told.set(PTY));
    Decoded::Event(command(Kind::Spawn, None, argv))
}

pub fn forkpty(args: Object<'_>) -> Decoded<'_> {
    if JUST_TOLD.with(|told| told.replace(0)) == PTY { Decoded::Told } else { fork(args) }
}

pub fn fork(_args: Object<'_>) -> Decoded<'_> {
    Decoded::Event(Event::new(Kind::Fork, Target::Itself))
}

/// What the interpreter runs, as far as the module search has found it.
static MAIN: Mutex<Main> = Mutex::new(Main::Unknown);

enum Main {
    Unknown,
    /// `-c`, or what standard input gives.
    Text(&'static str),
    /// `-m`: its file shows when its code is executed.
    ModuleToBeFound(String, &'static str),
    File(Vec<u8>),
}

fn set_main(main: Main) {
    preload::has_started();
    if let Ok(mut known) = MAIN.try_lock() {
        *known = main;
    }
}

/// Whether `file` is what the interpreter was told to run.
pub fn is_main_file(file: &[u8]) -> bool {
    MAIN.try_lock().is_ok_and(|main| matches!(&*main, Main::File(known) if known == file))
}

/// Where the text of the main program comes from.
pub fn main_text_form() -> &'static str {
    match MAIN.try_lock().as_deref() {
        Ok(Main::Text(form)) => form,
        _ => "exec",
    }
}

/// The script that `-m` runs, now that its code in `file` is about to be executed; once.
pub fn main_module_found(file: &[u8]) -> Option<Script> {
    let mut main = MAIN.try_lock().ok()?;
    let Main::ModuleToBeFound(name, form) = &*main else {
        return None;
    };
    let script = Script::of_file(form, name.as_bytes(), file);
    *main = Main::File(file.to_vec());
    Some(script)
}

/// `cpython.run_file(path)`.
pub fn run_file(args: Object<'_>) -> Decoded<'_> {
    let Some(path) = args.item(0).and_then(Object::path) else {
        return Decoded::Odd;
    };
    let file = absolute(&current_directory().unwrap_or_default(), &path).into_owned();
    let script = Script::of_file("file", &path, &file);
    set_main(Main::File(file));
    Decoded::Runs(script)
}

/// `cpython.run_module(name)`; a directory or archive runs as the module `__main__`.
pub fn run_module(args: Object<'_>) -> Decoded<'_> {
    let Some(name) = args.item(0).and_then(Object::text) else {
        return Decoded::Odd;
    };
    if name == "__main__"
        && let Some(path) = sys_attribute(c"argv").and_then(|argv| argv.item(0)).and_then(Object::path)
    {
        let path = absolute(&current_directory().unwrap_or_default(), &path).into_owned();
        if std::path::Path::new(OsStr::from_bytes(&path)).is_dir() {
            let file = [&path, &b"/__main__.py"[..]].concat();
            let script = Script::of_file("directory", &path, &file);
            set_main(Main::File(file));
            return Decoded::Runs(script);
        }
        set_main(Main::File([&path, &b"/__main__.py"[..]].concat()));
        return Decoded::Runs(Script::of_file("archive", &path, &path));
    }
    if name.starts_with("ipykernel") {
        // Jupyter tells its kernels which notebook they serve.
        let notebook = std::env::var_os("JPY_SESSION_NAME");
        set_main(Main::Unknown);
        return Decoded::Runs(match notebook {
            Some(path) => Script::of_file("kernel", path.as_bytes(), path.as_bytes()),
            None => Script::named("kernel", name.as_bytes()),
        });
    }
    set_main(Main::ModuleToBeFound(name.to_owned(), "module"));
    Decoded::Nothing
}

/// `cpython.run_command(code)`; CPython adds a line end to what `-c` was given.
pub fn run_command(args: Object<'_>) -> Decoded<'_> {
    let Some(code) = args.item(0).and_then(Object::path) else {
        return Decoded::Odd;
    };
    set_main(Main::Text("command"));
    Decoded::Runs(Script::of_command(code.strip_suffix(b"\n").unwrap_or(&code)))
}

pub fn run_stdin(_args: Object<'_>) -> Decoded<'_> {
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stdin());
    let form = if is_terminal { "interactive" } else { "stdin" };
    set_main(Main::Text(form));
    Decoded::Runs(Script::named(form, b"-"))
}
