//! The running frames to an origin: who of them is the user, and which library made the call.
//!
//! A walk happens for each kept event, so what is known of a piece of code is remembered for the thread, as is
//! each origin: a line late in a long function costs 40 us to find.

use std::cell::RefCell;
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

use foldhash::fast::FixedState;
use gnomon_core::origin::{Origin, SourceFile};
use gnomon_core::paths::absolute;
use gnomon_core::process::current_directory;

use crate::stack::{CodeMark, CodePlace, Frame, Stack, walk};
use crate::startup::{self, Line};
use crate::{ending, notebooks, session, stack};

/// How far out the user's code is looked for.
const MAX_FRAMES: usize = 128;
/// Pieces of code and origins that a thread remembers, by a hash of where they are.
const REMEMBERED_CODES: usize = 512;
const REMEMBERED_ORIGINS: usize = 128;

fn file_is(frame: &Frame<'_>, test: impl FnOnce(&[u8]) -> bool) -> bool {
    frame.file().is_some_and(|file| test(&file))
}

fn name_is(frame: &Frame<'_>, name: &str) -> bool {
    frame.name().is_some_and(|found| *found == *name.as_bytes())
}

/// What `test` says of the frame that runs; false where none does.
fn innermost(mut test: impl FnMut(&Frame<'_>) -> bool) -> bool {
    let mut holds = false;
    walk(1, |frame| {
        holds = test(frame);
        false
    });
    holds
}

/// Whether the import system works for itself: the code that runs is its own, and so is the caller. A program
/// that calls a loader's `get_data` to read some file is not the import system.
pub fn is_in_import_system() -> bool {
    let is_own = with_known(|known| {
        let mut own = 0;
        walk(2, |frame| {
            let is_own = matches!(known.codes.class_of(frame), Some(Class::Importer));
            own += u8::from(is_own);
            is_own
        });
        Some(own == 2)
    });
    is_own.unwrap_or(false)
}

/// Who executes the code of a module.
pub enum Executor {
    ImportSystem,
    /// What runs the module that `-m` names.
    Runpy,
    Other,
}

/// What `test` says of what the code that runs is; false where none does.
fn innermost_is(test: impl Fn(&Class) -> bool) -> bool {
    let holds = with_known(|known| {
        let mut holds = false;
        walk(1, |frame| {
            holds = known.codes.class_of(frame).is_some_and(&test);
            false
        });
        Some(holds)
    });
    holds.unwrap_or(false)
}

/// Who executes the code that an `exec` event is about.
pub fn executor() -> Executor {
    if innermost_is(|class| matches!(class, Class::Importer)) {
        return Executor::ImportSystem;
    }
    let is_runpy = |file: &[u8]| file == b"<frozen runpy>" || file.ends_with(b"/runpy.py");
    if innermost(|frame| file_is(frame, is_runpy)) { Executor::Runpy } else { Executor::Other }
}

/// Whose code is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The user's, also by way of text that it had executed.
    User,
    /// None at all: what `-c` or standard input gives is about to run.
    Nobody,
    /// A library's, or the interpreter's own.
    Machinery,
}

/// Whose code raised the event. Text is whoever's that executes it, and the parts of the standard library that
/// only pass on what they are told to call do not count: where nothing else runs, it is the user's.
pub fn caller() -> Caller {
    let found = with_known(|known| {
        let mut found = Caller::Nobody;
        walk(MAX_FRAMES, |frame| {
            let class = known.codes.class_of(frame);
            let goes_on = matches!(class, Some(Class::Generated | Class::Passing));
            found = match class {
                Some(Class::User | Class::Generated | Class::Passing | Class::Starter) => Caller::User,
                _ => Caller::Machinery,
            };
            goes_on
        });
        Some(found)
    });
    found.unwrap_or(Caller::Machinery)
}

/// Whether the code that runs is the interpreter's own.
pub fn is_standard_at_work() -> bool {
    innermost_is(|class| matches!(class, Class::Importer | Class::Standard | Class::Passing | Class::Starter))
}

/// Whether `site` is at work on a start-up file, and not the file's own code.
pub fn is_starter_at_work() -> bool {
    innermost_is(|class| matches!(class, Class::Starter))
}

/// The start-up file whose line is about to be executed.
pub fn started_file() -> Option<Vec<u8>> {
    if !is_starter_at_work() {
        return None;
    }
    let mut found = None;
    walk(1, |frame| {
        found = startup::line_of(frame, None);
        false
    });
    found.map(|line| line.file)
}

/// The start-up files whose code runs in this thread, the outermost first: a file may have others run, and may call
/// its own code by any name, so all of them count.
pub fn startup_files() -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = Vec::new();
    stack::each_with_object(|frame, object| {
        let Some(file) = frame.file() else { return };
        let is_starter = frame.name().is_some_and(|name| startup::executes_lines(&file, &name));
        let file = if is_starter {
            startup::file_of(object)
        } else {
            startup::is_customisation(&file).then(|| file.into_owned())
        };
        if let Some(file) = file
            && !found.contains(&file)
        {
            found.push(file);
        }
    });
    found.reverse();
    found
}

/// Modules of the standard library that call what they are given, or time or trace the text that they are given.
fn passes_on(file: &[u8]) -> bool {
    const NAMES: [&[u8]; 12] = [
        b"/threading.py",
        b"/concurrent/futures/thread.py",
        b"/concurrent/futures/process.py",
        b"/asyncio/events.py",
        b"/asyncio/runners.py",
        b"/asyncio/base_events.py",
        b"/multiprocessing/process.py",
        b"/multiprocessing/pool.py",
        b"/functools.py",
        b"/contextlib.py",
        b"/sched.py",
        b"/timeit.py",
    ];
    NAMES.iter().any(|name| file.ends_with(name))
}

/// Whether the code that runs comes from a file with this ending.
pub fn running_file_ends_with(ending: &str) -> bool {
    innermost(|frame| file_is(frame, |file| file.ends_with(ending.as_bytes())))
}

/// Whether the code that runs, and its caller, come from files with this ending.
pub fn caller_file_ends_with(ending: &str) -> bool {
    let mut count = 0;
    walk(2, |frame| {
        let is_there = file_is(frame, |file| file.ends_with(ending.as_bytes()));
        count += u8::from(is_there);
        is_there
    });
    count == 2
}

/// Whether the code of a module is at work that only starts: `<module>` is the first of its frames that is no
/// function, and comes from a file with this ending.
pub fn is_loading(ending: &str) -> bool {
    let mut is_loading = false;
    walk(4, |frame| {
        let is_module = name_is(frame, "<module>");
        is_loading = is_module && file_is(frame, |file| file.ends_with(ending.as_bytes()));
        !is_module
    });
    is_loading
}

/// Whether pathlib opens on behalf of an `open` that has raised its event already (Python 3.9).
pub fn is_in_pathlib_opener() -> bool {
    innermost(|frame| name_is(frame, "_opener") && file_is(frame, |file| file.ends_with(b"pathlib.py")))
}

/// What a piece of code is, seen from the user.
#[derive(Clone, Debug)]
enum Class {
    Importer,
    /// Of the interpreter: looked through.
    Standard,
    /// The same, where it only calls what it is given.
    Passing,
    /// What executes the lines of start-up files: they are the user's.
    Starter,
    /// Of an installed distribution.
    Library(Rc<str>),
    /// Compiled from text: the user's only where nothing else is.
    Generated,
    User,
}

/// What a thread remembers.
#[derive(Default)]
struct Known {
    codes: Codes,
    origins: Origins,
    combined: Vec<Option<Combined>>,
    /// The line of a start-up file that was seen last.
    line: Option<Box<Line>>,
}

/// An origin, the hash of what was added to it, and what both are together.
type Combined = (Rc<Origin>, u64, Rc<Origin>);

/// What is known of pieces of code, by where they are.
#[derive(Default)]
struct Codes {
    places: Vec<Option<(CodePlace, Class)>>,
    libraries: HashMap<String, Rc<str>, FixedState>,
}

thread_local! {
    /// Boxed, as what threads have in this library is small together or allocated (thread.rs).
    static KNOWN: RefCell<Option<Box<Known>>> = const { RefCell::new(None) };
}

/// Calls `ask` with what this thread remembers; `None` where the thread ends.
fn with_known<T>(ask: impl FnOnce(&mut Known) -> Option<T>) -> Option<T> {
    KNOWN.try_with(|known| ask(known.try_borrow_mut().ok()?.get_or_insert_default())).ok()?
}

/// What a walk found, as far as it tells one origin from another: where the user is, and the libraries on the
/// way by the addresses of their remembered names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Walked {
    user: Option<(CodeMark, i32, u64)>,
    closest: usize,
    outermost: usize,
}

/// Who caused the event that is being looked at. `None` where no Python code is running, or nothing is known.
pub fn origin() -> Option<Rc<Origin>> {
    origin_in(Stack::here())
}

/// The same, asked by any thread, with the GIL or without. `None` also where this thread runs no Python, frames
/// cannot be read, or the interpreter is ending.
///
/// It calls nothing of Python's but two functions that read a word each, takes no reference, allocates nothing of
/// Python's, and waits for nobody. What it may do where code is seen for the first time: allocate, read the
/// directories of installed distributions, and ask for the current directory.
pub fn origin_of_this_thread() -> Option<Rc<Origin>> {
    session::recorder()?; // a fork's child becomes one before its state is held
    let held = ending::hold()?;
    origin_in(Stack::of(&held)?)
}

/// What `combine` makes of `origin` and of something else that has this hash.
pub fn remembered_with(
    origin: Rc<Origin>,
    hash: u64,
    combine: impl FnOnce(&Origin) -> Origin,
) -> Option<Rc<Origin>> {
    with_known(|known| {
        let slot = (origin.hash ^ hash) as usize;
        let place = place_in(&mut known.combined, REMEMBERED_ORIGINS, slot)?;
        if let Some((with, other, combined)) = place
            && Rc::ptr_eq(with, &origin)
            && *other == hash
        {
            return Some(Rc::clone(combined));
        }
        let combined = Rc::new(combine(&origin));
        *place = Some((origin, hash, Rc::clone(&combined)));
        Some(combined)
    })
}

fn origin_in(stack: Stack<'_>) -> Option<Rc<Origin>> {
    with_known(|known| {
        let mut found = Found::in_stack(stack);
        let (mut depth, mut generated_at) = (0, None);
        stack.walk(MAX_FRAMES, |frame| {
            depth += 1;
            match known.codes.class_of(frame) {
                Some(Class::Library(name)) => found.add_library(name),
                Some(Class::User) => found.set_user(frame, &mut known.origins),
                Some(Class::Starter) => found.set_started(frame, &mut known.line, &mut known.origins),
                Some(Class::Generated) => generated_at = Some(depth),
                _ => {}
            }
            found.origin.is_none()
        });
        if let (None, Some(depth)) = (&found.origin, generated_at) {
            at_depth(stack, depth, |frame| found.set_user(frame, &mut known.origins));
        }
        found.origin.take().or_else(|| found.libraries_alone(&mut known.origins))
    })
}

/// Calls `each` with the frame at `depth`, counted from 1.
fn at_depth(stack: Stack<'_>, depth: usize, mut each: impl FnMut(&Frame<'_>)) {
    let mut left = depth;
    stack.walk(depth, |frame| {
        left -= 1;
        if left == 0 {
            each(frame);
        }
        true
    });
}

/// What a walk has found so far.
struct Found {
    has_gil: bool,
    closest: Option<Rc<str>>,
    outermost: Option<Rc<str>>,
    origin: Option<Rc<Origin>>,
}

type Origins = Vec<Option<(Walked, Rc<Origin>)>>;

impl Found {
    fn in_stack(stack: Stack<'_>) -> Self {
        Self { has_gil: stack.has_gil(), closest: None, outermost: None, origin: None }
    }

    fn add_library(&mut self, name: &Rc<str>) {
        if self.closest.is_none() {
            self.closest = Some(Rc::clone(name));
        }
        self.outermost = Some(Rc::clone(name));
    }

    fn set_user(&mut self, frame: &Frame<'_>, origins: &mut Origins) {
        let user = Some((frame.mark(), frame.position(), notebooks::generation()));
        self.origin = remembered(origins, self.walked(user), || self.origin_at(frame));
    }

    /// Takes the line of the start-up file that the frame executes. Without the GIL it is the last one that was seen.
    fn set_started(&mut self, frame: &Frame<'_>, line: &mut Option<Box<Line>>, origins: &mut Origins) {
        if self.has_gil {
            *line = startup::line_of(frame, line.as_deref()).map(Box::new);
        }
        let Some(line) = line else { return };
        let user = Some((frame.mark(), frame.position(), line.hash()));
        self.origin = remembered(origins, self.walked(user), || {
            self.with_libraries(Origin {
                file: line.file.clone(),
                line: line.number,
                function: line.entry_point(),
                ..Origin::default()
            })
        });
    }

    fn libraries_alone(&self, origins: &mut Origins) -> Option<Rc<Origin>> {
        self.closest.as_ref()?;
        remembered(origins, self.walked(None), || self.with_libraries(Origin::default()))
    }

    fn walked(&self, user: Option<(CodeMark, i32, u64)>) -> Walked {
        let address = |name: &Option<Rc<str>>| name.as_ref().map_or(0, |name| name.as_ptr().addr());
        Walked { user, closest: address(&self.closest), outermost: address(&self.outermost) }
    }

    fn with_libraries(&self, origin: Origin) -> Origin {
        let via = self.outermost.as_ref().filter(|via| self.closest.as_ref() != Some(via));
        let (distribution, via) = (self.closest.as_deref(), via.map(|name| &**name));
        Origin { distribution: distribution.map(str::to_owned), via: via.map(str::to_owned), ..origin }
    }

    fn origin_at(&self, frame: &Frame<'_>) -> Origin {
        let function = frame.qualified_name().and_then(|name| String::from_utf8(name.into_owned()).ok());
        let file = frame.file().unwrap_or_default().into_owned();
        self.with_libraries(Origin {
            file: named(file, self.has_gil),
            line: frame.line(),
            function: function.unwrap_or_default(),
            ..Origin::default()
        })
    }
}

impl Walked {
    fn slot(&self) -> usize {
        let user = self.user.map_or(0, |(mark, position, _)| mark.place.slot() ^ position as usize);
        user ^ self.closest >> 4 ^ self.outermost >> 5
    }
}

/// The origin that is remembered for `walked`, made by `make` the first time.
fn remembered(origins: &mut Origins, walked: Walked, make: impl FnOnce() -> Origin) -> Option<Rc<Origin>> {
    let place = place_in(origins, REMEMBERED_ORIGINS, walked.slot())?;
    if let Some((key, origin)) = place
        && *key == walked
    {
        return Some(Rc::clone(origin));
    }
    let origin = Rc::new(make().hashed());
    *place = Some((walked, Rc::clone(&origin)));
    Some(origin)
}

/// The place of `slot` in a table of `size` places, which is made at its first use.
fn place_in<T>(table: &mut Vec<Option<T>>, size: usize, slot: usize) -> Option<&mut Option<T>> {
    if table.is_empty() {
        table.resize_with(size, || None);
    }
    table.get_mut(slot % size)
}

/// A source file as people know it: absolute, or a notebook's cell.
fn named(file: Vec<u8>, has_gil: bool) -> Vec<u8> {
    if let Some(cell) = notebooks::name_of(&file, has_gil) {
        return cell;
    }
    if matches!(file.first(), Some(b'/' | b'<')) {
        return file;
    }
    let directory = current_directory().unwrap_or_default();
    let here = absolute(&directory, &file);
    let is_here = std::path::Path::new(<std::ffi::OsStr as OsStrExt>::from_bytes(&here)).exists();
    if is_here { here.into_owned() } else { file }
}

impl Codes {
    /// What the code of `frame` is.
    #[inline]
    fn class_of(&mut self, frame: &Frame<'_>) -> Option<&Class> {
        let code = frame.code_place();
        let place = place_in(&mut self.places, REMEMBERED_CODES, code.slot())?;
        if place.as_ref().is_none_or(|(key, _)| *key != code) {
            *place = Some((code, classify(frame, &mut self.libraries)?));
        }
        place.as_ref().map(|(_, class)| class)
    }
}

#[cold]
fn classify(frame: &Frame<'_>, libraries: &mut HashMap<String, Rc<str>, FixedState>) -> Option<Class> {
    let file = frame.file()?;
    // Its modules are frozen into the interpreter, under names that no file can have.
    if file.starts_with(b"<frozen importlib") || file.starts_with(b"<frozen zipimport") {
        return Some(Class::Importer);
    }
    let recorder = session::recorder()?;
    if startup::is_customisation(&file) && !recorder.interest().is_own(&file) {
        return Some(Class::User);
    }
    Some(match SourceFile::of(&file, recorder.interest()) {
        SourceFile::Standard if passes_on(&file) => Class::Passing,
        SourceFile::Standard if startup::executes_lines(&file, &frame.name().unwrap_or_default()) => {
            Class::Starter
        }
        SourceFile::Standard => Class::Standard,
        SourceFile::Installed { root, path } => {
            let owner = recorder.distribution(root, path)?;
            let name = libraries.entry(owner).or_insert_with_key(|owner| Rc::from(owner.as_str()));
            Class::Library(Rc::clone(name))
        }
        SourceFile::Generated => Class::Generated,
        SourceFile::Cell | SourceFile::User => Class::User,
    })
}
