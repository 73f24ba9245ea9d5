//! Calls of native libraries into the C library, as events: the second source beside the audit hook.
//!
//! The slots through which loaded modules call open, connect, execve and their kin are pointed at stubs of ours, when
//! gnomon is armed and after each library that is loaded later. [`functions`] says what each call is, [`call`] takes it
//! through the pipeline. Nothing is undone: a call may be under way at any time.
#![expect(unsafe_code, reason = "asks the loader for all modules, and writes into their tables")]

pub mod blind;
pub mod blindness;
pub mod call;
pub mod descriptors;
pub mod elf;
pub mod functions;
mod modules;
mod names;
pub mod notes;
mod patch;
pub mod stubs;

use std::ffi::{CStr, CString, c_int, c_void};
use std::sync::OnceLock;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};

use libc::dl_phdr_info;

use crate::{capi, session, thread};
use blindness::Blind;
use elf::Machine;
use names::Names;
use stubs::Function;

/// Whether calls are taken through the pipeline.
static IS_ON: AtomicBool = AtomicBool::new(false);
/// Whether a thread is at the modules.
static IS_BUSY: AtomicBool = AtomicBool::new(false);
/// Loads and unloads that the loader had counted when the modules were last looked at.
static SEEN: AtomicU64 = AtomicU64::new(u64::MAX);
/// Slots that were redirected.
static SLOTS: AtomicUsize = AtomicUsize::new(0);

/// Whether native code tells of what it does.
#[inline]
pub fn is_on() -> bool {
    IS_ON.load(Relaxed)
}

#[cfg(test)]
fn turn_on() {
    IS_ON.store(true, Relaxed);
}

/// What is looked for, and where each is found in `functions`.
struct Wanted {
    names: Names,
    functions: Vec<&'static Function>,
}

static WANTED: OnceLock<Wanted> = OnceLock::new();

fn wanted() -> Option<&'static Wanted> {
    WANTED.get()
}

/// The function called `name`, if it is redirected.
fn by_name(name: &CStr) -> Option<&'static Function> {
    let wanted = wanted()?;
    wanted.functions.get(wanted.names.find(name.to_bytes_with_nul())?).copied()
}

/// Why native code does not tell, as records say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// The configuration says so.
    Off,
    /// Another system, C library or processor.
    Unsupported,
    /// A stub did not do what it is for.
    Failed,
}

impl Absence {
    /// The word for it in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Unsupported => "unsupported",
            Self::Failed => "failed",
        }
    }
}

/// Looks up the functions, and tries a stub. Nothing is redirected yet.
///
/// # Errors
/// Why nothing can be.
pub fn prepare() -> Result<(), Absence> {
    if !cfg!(all(target_os = "linux", target_env = "gnu")) || Machine::HERE.is_none() {
        return Err(Absence::Unsupported);
    }
    WANTED.get_or_init(|| {
        let functions: Vec<&'static Function> =
            functions::all().filter(|function| look_up(function)).collect();
        Wanted { names: Names::new(functions.iter().map(|function| function.name)), functions }
    });
    if is_stub_right() { Ok(()) } else { Err(Absence::Failed) }
}

/// Finds the function itself, or what was preloaded before it.
fn look_up(function: &Function) -> bool {
    let Ok(name) = CString::new(function.name) else { return false };
    let Some(address) = capi::symbol(&name) else { return false };
    function.real.store(address.expose_provenance(), Release);
    true
}

/// Whether a call through a stub does what the function does: with arguments in three registers, and its error.
fn is_stub_right() -> bool {
    type Open = unsafe extern "C" fn(*const std::ffi::c_char, c_int, c_int) -> c_int;
    // SAFETY: the stub takes what open(2) takes.
    let opened = unsafe {
        let open = std::mem::transmute::<usize, Open>((functions::files::OPEN.stub)());
        [open(c"/".as_ptr(), libc::O_PATH | libc::O_CLOEXEC, 0), open(c"/".as_ptr(), libc::O_WRONLY, 0)]
    };
    let [directory, refused] = opened;
    let is_right = directory >= 0 && refused == -1 && call::errno() == libc::EISDIR;
    if directory >= 0 {
        // SAFETY: opened just now.
        unsafe { libc::close(directory) };
    }
    is_right
}

/// Redirects what is loaded, now that there is a recorder.
pub fn begin() {
    IS_ON.store(true, Release);
    take_up_modules();
}

/// Redirects modules that were loaded since the last time. Cheap where there are none.
pub fn take_up_modules() {
    if !is_on() || session::recorder().is_none() {
        return;
    }
    let errno = call::errno();
    let block = thread::block();
    // What is found out about a module on the way is gnomon's own doing.
    let was_inside = block.is_inside.replace(true);
    block.redirected.set(block.redirected.get() + 1);
    let mut blind = Vec::new();
    if !IS_BUSY.swap(true, AcqRel) {
        while visit_modules(&mut blind) {}
        IS_BUSY.store(false, Release);
    }
    block.redirected.set(block.redirected.get() - 1);
    block.is_inside.set(was_inside);
    blind.iter().for_each(Blind::tell);
    call::set_errno(errno);
}

/// What one visit of all modules gathers.
#[derive(Default)]
struct Visit {
    is_first: bool,
    is_unsettled: bool,
    found: Vec<modules::Range>,
    blind: Vec<Blind>,
    counted: u64,
}

/// Looks at all modules, if any was loaded or unloaded. Returns whether to look again.
fn visit_modules(blind: &mut Vec<Blind>) -> bool {
    let mut visit = Visit { is_first: true, ..Visit::default() };
    // SAFETY: the callback takes the pointer for what it is, and the loader calls it only before this returns.
    unsafe { libc::dl_iterate_phdr(Some(visit_module), (&raw mut visit).cast()) };
    if visit.is_first {
        return false;
    }
    blind.append(&mut visit.blind);
    if !visit.found.is_empty() {
        modules::add(std::mem::take(&mut visit.found));
    }
    SEEN.swap(visit.counted, Relaxed) != visit.counted && !visit.is_unsettled
}

/// Of one module. The loader keeps it loaded meanwhile.
unsafe extern "C" fn visit_module(information: *mut dl_phdr_info, size: usize, visit: *mut c_void) -> c_int {
    // SAFETY: the loader's own argument, and the one that it was given for us.
    let (information, visit) = unsafe { (&*information, &mut *visit.cast::<Visit>()) };
    if visit.is_first {
        visit.counted = information.dlpi_adds.wrapping_add(information.dlpi_subs);
        if size < size_of::<dl_phdr_info>() || visit.counted == SEEN.load(Acquire) {
            return 1;
        }
        visit.is_first = false;
    }
    take_up(information, visit);
    0
}

/// Redirects one module, if it is new.
fn take_up(information: &dl_phdr_info, visit: &mut Visit) -> Option<()> {
    let (recorder, machine, wanted) = (session::recorder()?, Machine::HERE?, wanted()?);
    let path = path_of(information);
    // SAFETY: the loader keeps the module while it calls us.
    let module = match unsafe { elf::Module::loaded(information, machine) } {
        Ok(module) => module,
        Err(surprise) => {
            visit.blind.push(Blind::skipped(&path, surprise.word()));
            return None;
        }
    };
    let span = module.span();
    let is_again = modules::is_known(span.start, &path);
    if is_left_alone(&path, &span) || is_again {
        return None;
    }
    let is_python = capi::symbol(c"PySys_AddAuditHook").is_some_and(|known| span.contains(&known.addr()));
    let known: &'static modules::Module = Box::leak(Box::new(modules::describe(recorder, path, is_python)));
    let slots = match module.slots(&wanted.names) {
        Ok(slots) => slots,
        Err(surprise) => {
            visit.blind.push(Blind::skipped(&known.path, surprise.word()));
            Vec::new()
        }
    };
    let redirections: Vec<patch::Redirection> = slots
        .into_iter()
        .filter_map(|slot| {
            let function = (wanted.functions.get(slot.wanted)?.stub)();
            Some(patch::Redirection { slot, function })
        })
        .collect();
    visit.found.push(modules::Range { start: span.start, end: span.end, module: known });
    // SAFETY: the module's own slots; stubs have the signatures of their functions and stay; one thread at a time.
    match unsafe { patch::redirect(&module, &redirections, patch::Visit::First) } {
        Ok(patched) => {
            SLOTS.fetch_add(patched.written, Relaxed);
        }
        Err(_) => visit.blind.push(Blind::skipped(&known.path, "protection")),
    }
    if !known.is_interpreter {
        visit.blind.extend(Blind::of(&module, known, machine));
    }
    Some(())
}

/// The file of a module; of the program itself, which has no name there.
fn path_of(information: &dl_phdr_info) -> Vec<u8> {
    // SAFETY: the loader's name of the module ends with NUL.
    let name = unsafe { call::text(information.dlpi_name) }.unwrap_or_default();
    if name.is_empty() {
        return gnomon_core::process::executable().unwrap_or_default();
    }
    name.to_vec()
}

/// Whether a module is gnomon itself, or part of the C library: what that does for a program, the program's call tells.
fn is_left_alone(path: &[u8], span: &std::ops::Range<usize>) -> bool {
    const SYSTEM: [&[u8]; 11] = [
        b"libc.so.",
        b"libc-2.",
        b"ld-linux",
        b"ld-2.",
        b"libpthread",
        b"libdl.so.",
        b"librt.so.",
        b"libresolv",
        b"libnss_",
        b"linux-vdso",
        b"libanl.so.",
    ];
    let name = gnomon_core::paths::split(path).1;
    let own: fn(&[u8], &std::ops::Range<usize>) -> bool = is_left_alone;
    SYSTEM.iter().any(|start| name.starts_with(start)) || span.contains(&(own as *const ()).addr())
}

/// What there is to say of the redirection in the process's description: `on`, or why it is not.
pub fn state(prepared: Result<(), Absence>) -> String {
    prepared.map_or_else(|absence| absence.name().to_owned(), |()| "on".to_owned())
}
