//! The running Python frames, the innermost first: read where CPython keeps them, for asking costs 60 to 260 ns
//! a frame from 3.11 on, as it makes a frame object of each.
//!
//! Where they are is known for 3.9 to 3.12, which do not change any more; from 3.13 on CPython says so itself, in
//! the table that it keeps for debuggers (`_Py_DebugOffsets`). Both are believed only after they gave the
//! same frames as CPython's own functions, when gnomon was armed; otherwise these are called.
//!
//! Reading needs no GIL, takes no reference and changes nothing. The frames of a thread change only while it runs
//! Python code, and hold the code that they run; so a thread that is in a library may read its own.
#![expect(unsafe_code, reason = "reads CPython's structures, and calls its functions")]

use std::borrow::Cow;
use std::ffi::c_void;
use std::hash::BuildHasher as _;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use foldhash::fast::FixedState;
use pyo3::ffi;

use crate::capi::{Object, Owned, symbol, version};
use crate::characters::{Characters, Strings};
use crate::ending::{self, Held};
use crate::lines::Lines;

/// The frames of the thread that asks.
#[derive(Clone, Copy)]
pub struct Stack<'a> {
    source: Source,
    /// Without it, this thread has the GIL.
    held: Option<&'a Held>,
}

#[derive(Clone, Copy)]
enum Source {
    /// The address of the thread's state.
    Read(usize, &'static Layout),
    Asked,
}

/// One running frame, for the time of a call of [`walk`]'s closure.
pub struct Frame<'a> {
    code: Object<'a>,
    place: Place,
}

/// What a frame is known by.
enum Place {
    /// The address of CPython's own structure.
    Read(usize, &'static Layout),
    /// A frame object, to be asked.
    Object(*mut ffi::PyObject),
}

/// A piece of code by where it and the name of its file are: enough to tell whose it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CodePlace {
    code: usize,
    file: usize,
    file_length: usize,
}

/// A piece of code by all that is cheap to read: enough to tell its lines from those of another that was at the
/// same address before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CodeMark {
    pub place: CodePlace,
    lines: (usize, usize),
    first_line: i32,
    /// Of the file's name and the edges of the table of lines.
    texts: u64,
}

/// How much of a table of lines tells it from another of the same length at the same address, at either end.
const EDGE: usize = 64;

impl CodePlace {
    /// A number to find it by in a table: objects lie some hundred bytes apart.
    pub fn slot(&self) -> usize {
        (self.code >> 5) ^ (self.code >> 14)
    }
}

/// Where CPython keeps what a walk reads: offsets in bytes.
#[derive(Clone, Copy, Debug)]
struct Layout {
    /// From the thread state to the frame, or on 3.11 and 3.12 to what points to it from the second offset.
    current: (usize, Option<usize>),
    code: usize,
    back: usize,
    instruction: Instruction,
    /// Who owns the frame: from 3 on it belongs to no Python code.
    owner: Option<usize>,
    file: usize,
    name: usize,
    /// Since 3.11.
    qualified_name: Option<usize>,
    /// Whether there are frames which only clean up after an `__init__`.
    has_cleanups: bool,
    /// The table of lines: bytes.
    lines: usize,
    lines_are: Lines,
    first_line: usize,
    strings: Strings,
    /// The address of the type of code objects.
    code_type: usize,
}

/// Where a `str` and a `bytes` keep their length, and a `bytes` its content, in all versions.
pub const LENGTH: usize = 2 * size_of::<usize>();
const CONTENT: usize = 4 * size_of::<usize>();

/// How a frame says where it is.
#[derive(Clone, Copy, Debug)]
enum Instruction {
    /// By an index of units of so many bytes.
    Index { at: usize, unit_bytes: i32 },
    /// By a pointer into the code, whose first instruction is at `start`.
    Pointer { at: usize, start: usize },
}

type Running = unsafe extern "C" fn() -> *mut ffi::PyObject;
type Part = unsafe extern "C" fn(*mut ffi::PyObject) -> *mut ffi::PyObject;
type Line = unsafe extern "C" fn(*mut ffi::PyObject) -> i32;

struct Functions {
    frame: Running,
    code: Part,
    back: Part,
    line: Line,
}

static FUNCTIONS: OnceLock<Option<Functions>> = OnceLock::new();
static LAYOUT: OnceLock<Option<&'static Layout>> = OnceLock::new();

/// Frames that are compared before a layout is believed.
const COMPARED: usize = 16;
/// Frames that are looked through for one of CPython's own functions.
const MAX_ASKED: usize = 128;
/// Of how many of these the lines are compared too. To find one is to read a table up to there, and what is asked of
/// each frame is at the same places.
const LINES_COMPARED: usize = 3;

/// Python code was not running yet when the frames were to be found out about.
static IS_TO_BE_LEARNED: AtomicBool = AtomicBool::new(false);

/// Finds out where the frames are: now, or as soon as Python code runs.
pub fn learn() {
    ending::learn();
    let is_early = !is_running();
    IS_TO_BE_LEARNED.store(is_early, Relaxed);
    if is_early {
        return;
    }
    LAYOUT.get_or_init(|| {
        // Kept for good: frames refer to it, and this happens once.
        let layout: &'static Layout = Box::leak(Box::new(Layout::of_this_python()?));
        layout.is_right().then_some(layout)
    });
}

#[cold]
fn learn_late() -> Option<&'static Layout> {
    if IS_TO_BE_LEARNED.load(Relaxed) {
        learn();
    }
    *LAYOUT.get()?
}

/// Whether Python code runs in this thread.
pub fn is_running() -> bool {
    // SAFETY: called with a thread state; the frame is borrowed, and only compared.
    functions().is_some_and(|functions| unsafe { !(functions.frame)().is_null() })
}

/// What `ask` makes of the frame object that runs this code, called with the GIL; for the local variables of CPython's
/// own functions only.
pub fn with_frame<T>(code: &Frame<'_>, ask_it: impl FnOnce(Object<'_>) -> Option<T>) -> Option<T> {
    let (wanted, mut ask_it, mut answer) = (code.code.address(), Some(ask_it), None);
    ask(MAX_ASKED, |frame| {
        if frame.code.address() != wanted {
            return true;
        }
        if let (Place::Object(frame), Some(ask_it)) = (&frame.place, ask_it.take()) {
            // SAFETY: a live frame object, for the time of this call.
            answer = unsafe { Object::borrowed(*frame) }.and_then(ask_it);
        }
        false
    });
    answer
}

/// Calls `each` with all frames of this thread and their objects, the innermost first. With the GIL; slow.
pub fn each_with_object(mut each: impl FnMut(&Frame<'_>, Object<'_>)) {
    ask(usize::MAX, |frame| {
        if let Place::Object(object) = &frame.place {
            // SAFETY: a live frame object, for the time of this call.
            if let Some(object) = unsafe { Object::borrowed(*object) } {
                each(frame, object);
            }
        }
        true
    });
}

/// Whether frames are read and not asked for.
pub fn is_learned() -> bool {
    LAYOUT.get().is_some_and(Option::is_some)
}

/// Calls `each` with at most `limit` running frames, the innermost first, for as long as it returns true.
pub fn walk(limit: usize, each: impl FnMut(&Frame<'_>) -> bool) {
    Stack::here().walk(limit, each);
}

impl Stack<'static> {
    /// The frames, with the GIL.
    #[inline]
    pub fn here() -> Self {
        let source = match LAYOUT.get() {
            Some(Some(layout)) => Source::Read(this_thread(), layout),
            Some(None) => Source::Asked,
            None => learn_late().map_or(Source::Asked, |layout| Source::Read(this_thread(), layout)),
        };
        Self { source, held: None }
    }
}

impl<'a> Stack<'a> {
    /// The frames, with or without the GIL. `None` where they cannot be read.
    pub fn of(held: &'a Held) -> Option<Self> {
        let layout = (*LAYOUT.get()?)?;
        Some(Self { source: Source::Read(held.thread(), layout), held: Some(held) })
    }

    /// Whether Python may be asked.
    pub fn has_gil(self) -> bool {
        self.held.is_none()
    }

    /// Calls `each` with at most `limit` frames, the innermost first, for as long as it returns true.
    #[inline]
    pub fn walk(self, limit: usize, each: impl FnMut(&Frame<'_>) -> bool) {
        match self.source {
            Source::Read(thread, layout) => layout.walk(thread, limit, each),
            Source::Asked => ask(limit, each),
        }
    }
}

impl<'a> Frame<'a> {
    /// An attribute of the code that runs.
    fn asked(&self, attribute: &std::ffi::CStr) -> Option<Owned> {
        self.code.attribute(attribute)
    }

    /// The file that its code names as its source.
    #[inline]
    pub fn file(&self) -> Option<Cow<'a, [u8]>> {
        match self.place {
            Place::Read(_, layout) => layout.text(self.code, layout.file)?.bytes(),
            Place::Object(_) => Some(Cow::Owned(self.asked(c"co_filename")?.object().path()?.into_owned())),
        }
    }

    /// The name of its code.
    pub fn name(&self) -> Option<Cow<'a, [u8]>> {
        match self.place {
            Place::Read(_, layout) => layout.text(self.code, layout.name)?.bytes(),
            Place::Object(_) => Some(Cow::Owned(self.asked(c"co_name")?.object().path()?.into_owned())),
        }
    }

    /// The name of its code, with those of what it is in where Python has it (3.11).
    pub fn qualified_name(&self) -> Option<Cow<'a, [u8]>> {
        match self.place {
            Place::Read(_, layout) => {
                layout.text(self.code, layout.qualified_name.unwrap_or(layout.name))?.bytes()
            }
            Place::Object(_) => {
                let name = self.asked(c"co_qualname").or_else(|| self.asked(c"co_name"))?;
                Some(Cow::Owned(name.object().path()?.into_owned()))
            }
        }
    }

    /// Where its code is.
    pub fn code_place(&self) -> CodePlace {
        let code = self.code.address();
        match self.place {
            // SAFETY: a live code object, and offsets that were found right; its parts live as long as it does.
            Place::Read(_, layout) => unsafe {
                let file = read(code, layout.file);
                CodePlace { code, file, file_length: read(file, LENGTH) }
            },
            Place::Object(_) => {
                let file = self.code.attribute(c"co_filename");
                CodePlace { code, file: file.map_or(0, |file| file.object().address()), file_length: 0 }
            }
        }
    }

    /// What tells its code from another.
    pub fn mark(&self) -> CodeMark {
        let place = self.code_place();
        let Place::Read(_, layout) = self.place else {
            let texts = FixedState::default().hash_one(self.file());
            return CodeMark { place, texts, ..CodeMark::default() }; // its position is a line already
        };
        let table = layout.table(self.code);
        let (start, end) =
            (table.get(..EDGE), table.len().checked_sub(EDGE).and_then(|end| table.get(end..)));
        let edges = (start.unwrap_or(table), end.unwrap_or_default());
        CodeMark {
            place,
            lines: (table.as_ptr().addr(), table.len()),
            first_line: layout.first_line_of(self.code),
            texts: FixedState::default().hash_one((layout.text(self.code, layout.file), edges)),
        }
    }

    /// What is compared of the frame that comes after `index` others.
    fn compared(&self, index: usize) -> (usize, Option<u32>) {
        (self.code.address(), (index < LINES_COMPARED).then(|| self.line()))
    }

    /// Where in the code it is: a number that is the same at each visit of the same instruction.
    pub fn position(&self) -> i32 {
        match self.place {
            Place::Read(frame, layout) => layout.offset(frame, self.code.address()),
            Place::Object(_) => self.line().cast_signed(),
        }
    }

    /// The line that runs, from 1; 0 where it is not known. Costs a scan of the code's table of lines.
    pub fn line(&self) -> u32 {
        let line = match self.place {
            Place::Read(_, layout) => layout.line_at(self.code, self.position()),
            // SAFETY: a live frame object.
            Place::Object(frame) => functions().map_or(0, |functions| unsafe { (functions.line)(frame) }),
        };
        u32::try_from(line).unwrap_or(0)
    }
}

fn functions() -> Option<&'static Functions> {
    use std::mem::transmute;
    let look_up = || {
        // SAFETY: each symbol has the signature of CPython's headers, which did not change from 3.9 to 3.15.
        unsafe {
            Some(Functions {
                frame: transmute::<*mut c_void, Running>(symbol(c"PyEval_GetFrame")?),
                code: transmute::<*mut c_void, Part>(symbol(c"PyFrame_GetCode")?),
                back: transmute::<*mut c_void, Part>(symbol(c"PyFrame_GetBack")?),
                line: transmute::<*mut c_void, Line>(symbol(c"PyFrame_GetLineNumber")?),
            })
        }
    };
    FUNCTIONS.get_or_init(look_up).as_ref()
}

/// The same by CPython's functions.
fn ask(limit: usize, mut each: impl FnMut(&Frame<'_>) -> bool) {
    let Some(functions) = functions() else { return };
    // SAFETY: called with a thread state; the first frame is borrowed, its callers and all code are new
    // references.
    unsafe {
        let mut caller: Option<Owned>;
        let mut frame = (functions.frame)();
        for _ in 0..limit {
            if frame.is_null() {
                return;
            }
            let Some(code) = Owned::new((functions.code)(frame)) else { return };
            if !each(&Frame { code: code.object(), place: Place::Object(frame) }) {
                return;
            }
            // Replacing the last frame that we own lets it go, now that its caller is held.
            caller = Owned::new((functions.back)(frame));
            frame = caller.as_ref().map_or(std::ptr::null_mut(), |caller| caller.object().pointer());
        }
    }
}

/// The address of the state of this thread, which has the GIL.
fn this_thread() -> usize {
    // SAFETY: called with a thread state.
    unsafe { ffi::PyThreadState_Get() }.expose_provenance()
}

/// The value at `offset` bytes from `address`.
///
/// # Safety
/// There is a live `T` there.
pub unsafe fn read<T: Copy>(address: usize, offset: usize) -> T {
    // SAFETY: as the caller promises.
    unsafe { std::ptr::with_exposed_provenance::<T>(address + offset).read_unaligned() }
}

impl Layout {
    #[inline]
    fn walk(&'static self, thread: usize, limit: usize, mut each: impl FnMut(&Frame<'_>) -> bool) {
        // SAFETY: the state of this thread, whose frames stay as they are while it is here.
        unsafe {
            let mut frame: usize = read(thread, self.current.0);
            if let (Some(offset), true) = (self.current.1, frame != 0) {
                frame = read(frame, offset);
            }
            let mut seen = 0;
            while frame != 0 && seen < limit {
                if let Some(found) = self.frame(frame) {
                    seen += 1;
                    if !each(&found) {
                        return;
                    }
                }
                frame = read(frame, self.back);
            }
        }
    }

    /// The frame at an address; `None` for one that runs no Python code.
    ///
    /// # Safety
    /// A running frame of this thread is there.
    #[inline]
    unsafe fn frame<'a>(&'static self, frame: usize) -> Option<Frame<'a>> {
        // SAFETY: a live frame holds its code, which holds its instructions.
        unsafe {
            if self.owner.is_some_and(|owner| read::<i8>(frame, owner) >= 3) {
                return None;
            }
            // Since 3.14 the low bits say whether the frame counts as an owner.
            let address = read::<usize>(frame, self.code) & !3;
            let code = Object::borrowed(std::ptr::with_exposed_provenance_mut(address))?;
            if code.type_address() != self.code_type || self.is_cleanup(address) {
                return None;
            }
            Some(Frame { code, place: Place::Read(frame, self) })
        }
    }

    /// Whether code is CPython's own that a frame between a class's caller and its `__init__` seems to run, once
    /// the call is specialised (`_Py_InitCleanup`): its file is called as it is, and `PyFrame_GetBack` skips it.
    ///
    /// # Safety
    /// Live code is there.
    #[inline]
    unsafe fn is_cleanup(&self, code: usize) -> bool {
        // SAFETY: as the caller promises; its name and its file's name are objects that it holds.
        unsafe {
            self.has_cleanups
                && read::<usize>(code, self.name) == read::<usize>(code, self.file)
                && self.strings.characters(read(code, self.name)).is_some_and(|name| name.are("__init__"))
        }
    }

    /// The text at `offset` of live code.
    fn text<'a>(&self, code: Object<'a>, offset: usize) -> Option<Characters<'a>> {
        // SAFETY: an offset that was found right, of a str that the code holds.
        unsafe { self.strings.characters(read(code.address(), offset)) }
    }

    /// The line `position` bytes into live code.
    fn line_at(&self, code: Object<'_>, position: i32) -> i32 {
        self.lines_are.line_at(self.table(code), self.first_line_of(code), position)
    }

    fn first_line_of(&self, code: Object<'_>) -> i32 {
        // SAFETY: an offset that was found right.
        unsafe { read(code.address(), self.first_line) }
    }

    /// The table of lines of live code, which never changes.
    fn table<'a>(&self, code: Object<'a>) -> &'a [u8] {
        // SAFETY: an offset that was found right, of bytes that the code holds.
        unsafe {
            let table: usize = read(code.address(), self.lines);
            std::slice::from_raw_parts(
                std::ptr::with_exposed_provenance(table + CONTENT),
                read(table, LENGTH),
            )
        }
    }

    /// How many bytes into its code a frame is.
    fn offset(&self, frame: usize, code: usize) -> i32 {
        // SAFETY: a live frame of this thread.
        unsafe {
            match self.instruction {
                Instruction::Index { at, unit_bytes } => read::<i32>(frame, at).wrapping_mul(unit_bytes),
                Instruction::Pointer { at, start } => {
                    read::<usize>(frame, at).wrapping_sub(code + start) as i32
                }
            }
        }
    }

    /// Whether it gives what CPython's own functions give, here and now.
    fn is_right(&'static self) -> bool {
        let (mut read, mut asked) = (Vec::new(), Vec::new());
        let here = Stack { source: Source::Read(this_thread(), self), held: None };
        here.walk(COMPARED, |frame| {
            read.push(frame.compared(read.len()));
            true
        });
        ask(COMPARED, |frame| {
            asked.push(frame.compared(asked.len()));
            true
        });
        !read.is_empty() && read == asked && self.strings.are_right() && self.names_are_right(here)
    }

    fn names_are_right(&'static self, here: Stack<'_>) -> bool {
        let mut are_right = true;
        here.walk(1, |frame| {
            // SAFETY: within a code object, as every offset here is.
            let is_at = |attribute, offset| unsafe {
                let value = frame.asked(attribute);
                value.is_some_and(|value| {
                    value.object().address() == read::<usize>(frame.code.address(), offset)
                })
            };
            let line = frame.asked(c"co_firstlineno").and_then(|line| line.object().integer());
            are_right = is_at(c"co_filename", self.file)
                && is_at(c"co_name", self.name)
                && self.qualified_name.is_none_or(|offset| is_at(c"co_qualname", offset))
                && line == Some(self.first_line_of(frame.code).into());
            false
        });
        are_right
    }

    fn of_this_python() -> Option<Self> {
        let code_type = symbol(c"PyCode_Type")?.expose_provenance();
        let mut numbers = version().split('.').map(|number| number.parse().unwrap_or(0));
        match (numbers.next(), numbers.next()) {
            _ if cfg!(not(target_pointer_width = "64")) => None,
            // Offsets of Include/cpython/pystate.h, code.h and internal/pycore_frame.h, 64 bit.
            (Some(3), Some(9)) => Some(Self::before_3_11(9, 104, 1, code_type)),
            (Some(3), Some(10)) => Some(Self::before_3_11(10, 96, 2, code_type)),
            (Some(3), Some(minor @ 11)) => Some(Self {
                current: (56, Some(8)),
                code: 32,
                back: 48,
                instruction: Instruction::Pointer { at: 56, start: 184 },
                owner: Some(69),
                file: 112,
                name: 120,
                qualified_name: Some(128),
                has_cleanups: false,
                lines: 136,
                lines_are: Lines::of(minor),
                strings: Strings::of(minor),
                first_line: 72,
                code_type,
            }),
            (Some(3), Some(minor @ 12)) => Some(Self {
                current: (56, Some(0)),
                code: 0,
                back: 8,
                instruction: Instruction::Pointer { at: 56, start: 192 },
                owner: Some(70),
                file: 112,
                name: 120,
                qualified_name: Some(128),
                has_cleanups: false,
                lines: 136,
                lines_are: Lines::of(minor),
                strings: Strings::of(minor),
                first_line: 68,
                code_type,
            }),
            (Some(3), Some(minor)) => Self::as_debuggers_are_told(minor, code_type),
            _ => None,
        }
    }

    fn before_3_11(minor: usize, last_instruction: usize, unit_bytes: i32, code_type: usize) -> Self {
        Self {
            current: (24, None),
            code: 32,
            back: 24,
            instruction: Instruction::Index { at: last_instruction, unit_bytes },
            owner: None,
            file: 104,
            name: 112,
            qualified_name: None,
            has_cleanups: false,
            lines: 120,
            lines_are: Lines::of(minor),
            strings: Strings::of(minor),
            first_line: 40,
            code_type,
        }
    }

    /// Reads `_Py_DebugOffsets`, the start of `_PyRuntime` since 3.13: 64-bit words whose order is that of the
    /// minor version (Include/internal/pycore_debug_offsets.h).
    fn as_debuggers_are_told(minor: usize, code_type: usize) -> Option<Self> {
        /// Words where the parts on thread states, frames and code start.
        const STARTS: [(usize, [usize; 3]); 3] = [(13, [19, 28, 34]), (14, [22, 31, 39]), (15, [22, 39, 47])];
        const COOKIE: u64 = u64::from_le_bytes(*b"xdebugpy");
        let (_, [thread, frame, code]) = STARTS.into_iter().find(|(known, _)| *known == minor)?;
        let table = symbol(c"_PyRuntime")?.expose_provenance();
        // SAFETY: _PyRuntime is far larger than the table at its start.
        let word = |index: usize| -> u64 { unsafe { read(table, index * 8) } };
        let is_known = word(0) == COOKIE && word(1) >> 16 == 0x0300 | minor as u64 && word(2) == 0;
        let offset = |index: usize| usize::try_from(word(index)).ok().filter(|offset| *offset < 4096);
        if !is_known {
            return None;
        }
        Some(Self {
            current: (offset(thread + 4)?, None),
            back: offset(frame + 1)?,
            code: offset(frame + 2)?,
            instruction: Instruction::Pointer { at: offset(frame + 3)?, start: offset(code + 9)? },
            owner: Some(offset(frame + 5)?),
            file: offset(code + 1)?,
            name: offset(code + 2)?,
            qualified_name: Some(offset(code + 3)?),
            has_cleanups: true,
            lines: offset(code + 4)?,
            lines_are: Lines::of(minor),
            strings: Strings::of(minor),
            first_line: offset(code + 5)?,
            code_type,
        })
    }
}
