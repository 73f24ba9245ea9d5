//! Calls of native libraries into the C library, as events: the second source beside the audit hook.
//!
//! The slots through which loaded modules call open, connect, execve and their kin are pointed at stubs of ours, when
//! gnomon is armed and after each library that is loaded later. [`functions`] says what each call is, [`call`] takes it
//! through the pipeline. Nothing is undone: a call may be under way at any time.
#![expect(unsafe_code, reason = "asks the loader for all modules, and writes into their tables")]

mod absence;
#[cfg(test)]
mod assembled;
pub mod blind;
pub mod blindness;
pub mod call;
mod check;
#[cfg(test)]
mod compiled;
pub mod descriptors;
pub mod elf;
pub mod examined;
pub mod functions;
mod lookup;
mod modules;
mod names;
pub mod notes;
mod patch;
pub mod stubs;
mod talks;
mod transfers;
mod undone;

use std::ffi::{CStr, CString, c_int, c_void};
use std::os::unix::ffi::OsStringExt as _;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};

use libc::dl_phdr_info;

use crate::{capi, fork, session, thread};
pub use absence::{Absence, state};
use blindness::Blind;
use elf::Machine;
use names::Names;
use stubs::Function;
pub use undone::undone;

/// Whether calls are taken through the pipeline.
static IS_ON: AtomicBool = AtomicBool::new(false);
/// Whether a thread is at the modules.
static IS_BUSY: AtomicBool = AtomicBool::new(false);
/// Whether there may be modules that are not redirected, though nothing is loaded or looked up.
static IS_UNSETTLED: AtomicBool = AtomicBool::new(false);
/// Loads and unloads that the loader had counted when the modules were last looked at.
static SEEN: AtomicU64 = AtomicU64::new(u64::MAX);
/// How many modules at the head of the loader's list need no more visit, as long as none of them is unloaded: those
/// that are loaded go to its end.
static SETTLED: AtomicUsize = AtomicUsize::new(0);
/// Where gnomon itself is.
static OWN_START: AtomicUsize = AtomicUsize::new(0);
static OWN_END: AtomicUsize = AtomicUsize::new(0);
/// Unloads that the loader had counted by then.
static UNLOADED: AtomicU64 = AtomicU64::new(0);

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
    /// `None` for those that this process does not have.
    functions: Vec<Option<&'static Function>>,
    /// From here on they are OpenSSL's.
    first_tls: usize,
    /// An address in the module that holds the interpreter.
    python: usize,
}

static WANTED: OnceLock<Wanted> = OnceLock::new();

fn wanted() -> Option<&'static Wanted> {
    WANTED.get()
}

/// The function called `name`, if it is redirected.
fn by_name(name: &CStr) -> Option<&'static Function> {
    let wanted = wanted()?;
    *wanted.functions.get(wanted.names.find(name.to_bytes_with_nul())?)?
}

/// Whether all of this has been run on this processor. On another one it is only done for who asks for it.
const IS_PROVEN: bool = cfg!(target_arch = "x86_64");

/// Looks up the functions, and tries a stub. Nothing is redirected yet.
///
/// # Errors
/// Why nothing can be.
pub fn prepare(is_asked_for: bool) -> Result<(), Absence> {
    if !(IS_PROVEN || is_asked_for) {
        return Err(Absence::Unsupported);
    }
    WANTED.get_or_init(|| {
        let all = functions::all().chain(functions::tls::ALL.iter().copied());
        let names = Names::new(all.map(|function| function.name));
        let mut functions = lookup::present(functions::all(), &names);
        let first_tls = functions.len();
        functions.extend(functions::tls::ALL.iter().copied().map(Some));
        let python = capi::symbol(c"PySys_AddAuditHook").map_or(0, |address| address.expose_provenance());
        Wanted { names, functions, first_tls, python }
    });
    if check::is_right() { Ok(()) } else { Err(Absence::Failed) }
}

/// Redirects what is loaded, now that there is a recorder.
pub fn begin() {
    IS_ON.store(true, Release);
    take_up_modules();
}

/// Lets calls pass from now on without a look: what is redirected stays so.
pub fn pause() {
    IS_ON.store(false, Release);
}

/// Redirects modules that were loaded since the last time. Cheap where there are none.
pub fn take_up_modules() {
    // A fork's child that loads a library, and is Python, has told of that by an audit event.
    if !is_on() || fork::is_unacknowledged_child() || session::recorder().is_none() {
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

/// What a fork's child does: the thread that was at the modules may not have come along.
pub fn forked() {
    IS_BUSY.store(false, Release);
}

/// Redirects what is there before something is loaded. What is being loaded is looked at when one of its functions is
/// looked up, or with the next audit event: a library need only be loaded to act later.
pub fn load_begins() {
    take_up_modules();
    IS_UNSETTLED.store(true, Relaxed);
}

/// Looks again, once, at modules that were being loaded, or were not ready. Some profilers leave writable what
/// the loader protects, so that a module looks unready until it is looked at again.
#[inline]
pub fn settle_modules() {
    if IS_UNSETTLED.load(Relaxed) {
        take_up_modules();
        IS_UNSETTLED.store(false, Relaxed);
    }
}

/// What one visit of all modules gathers.
#[derive(Default)]
struct Visit {
    is_first: bool,
    /// Modules that the loader showed, this time.
    shown: usize,
    /// How many of them are passed over.
    settled: usize,
    /// The first one that has to be visited again, counted from 0.
    unsettled: Option<usize>,
    unloaded: u64,
    /// Where modules start, where some were unloaded.
    starts: Option<Vec<usize>>,
    found: Vec<modules::Range>,
    blind: Vec<Blind>,
    tls: Vec<Encrypting>,
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
    let encrypting = std::mem::take(&mut visit.tls);
    let is_known = visit.found.is_empty() || modules::add(std::mem::take(&mut visit.found));
    if let Some(starts) = &visit.starts {
        modules::retain(starts);
    }
    encrypting.iter().for_each(Encrypting::take_up);
    let settled = visit.unsettled.unwrap_or(visit.shown);
    SETTLED.store(if is_known { settled } else { visit.settled }, Relaxed);
    UNLOADED.store(visit.unloaded, Relaxed);
    if visit.unsettled.is_some() {
        IS_UNSETTLED.store(true, Relaxed);
        return false; // the next call looks again
    }
    SEEN.swap(visit.counted, Relaxed) != visit.counted
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
        visit.unloaded = information.dlpi_subs;
        let is_same = visit.unloaded == UNLOADED.load(Relaxed);
        visit.settled = if is_same { SETTLED.load(Relaxed) } else { 0 };
        visit.starts = (!is_same).then(Vec::new);
    }
    if visit.shown >= visit.settled {
        take_up(information, visit);
    }
    visit.shown += 1;
    0
}

/// How often a module is visited that the loader was still at work on.
const VISITS: u8 = 4;

/// Redirects one module, if it is new, or was not ready the last time.
///
/// Nothing here may ask the loader: whoever loads a library in another thread holds what that waits for, and waits for
/// us.
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
    if let Some(starts) = &mut visit.starts {
        starts.push(span.start);
    }
    // One that calls an OpenSSL may have found another one by now.
    let is_known =
        |(module, left): &(&modules::Module, u8)| *left != modules::UNLOADED || module.tls.get().is_none();
    let before = modules::known(span.start, &path).filter(is_known);
    if is_left_alone(&path, &span) || before.is_some_and(|(_, visits_left)| visits_left == 0) {
        return None;
    }
    let known: &'static modules::Module = match before {
        Some((known, _)) => known,
        None => Box::leak(Box::new(modules::describe(recorder, path, span.contains(&wanted.python)))),
    };
    let (encrypting, slots) = wanted.slots(&module).unwrap_or_else(|surprise| {
        visit.blind.push(Blind::skipped(&known.path, surprise.word()));
        Default::default()
    });
    let is_again = before.is_some_and(|(_, visits_left)| visits_left != modules::UNLOADED);
    if !encrypting.is_empty() && !is_again {
        visit.tls.push(Encrypting { module: known, start: span.start, redirections: encrypting });
    }
    let is_unsettled = is_unsettled_after(&module, &slots, is_again, known, visit);
    let visits_left = match before {
        _ if !is_unsettled => 0,
        Some((_, visits_left)) if is_again => visits_left - 1,
        _ => VISITS,
    };
    if known.is_interpreter && visits_left == 0 {
        undone::watch(&slots, span.contains(&wanted.python) || has_no_name(information));
    }
    if visits_left > 0 {
        visit.unsettled.get_or_insert(visit.shown);
    }
    visit.found.push(modules::Range { start: span.start, end: span.end, module: known, visits_left });
    if !known.is_interpreter && before.is_none() {
        visit.blind.extend(Blind::of(&module, known, machine));
    }
    Some(())
}

/// Redirects slots. Returns whether the loader was still at work on some.
fn is_unsettled_after(
    module: &elf::Module<'_>,
    slots: &[patch::Redirection],
    is_again: bool,
    known: &'static modules::Module,
    visit: &mut Visit,
) -> bool {
    let which = if is_again { patch::Visit::Again } else { patch::Visit::First };
    // SAFETY: the module's own slots; stubs have the signatures of their functions and stay; one thread at a time.
    match unsafe { patch::redirect(module, slots, which) } {
        Ok(patched) => patched.unsettled > 0,
        Err(_) => {
            visit.blind.push(Blind::skipped(&known.path, "protection"));
            false
        }
    }
}

type Redirections = Vec<patch::Redirection>;

impl Wanted {
    /// The slots of a module: those of OpenSSL's functions, and all others.
    fn slots(&self, module: &elf::Module<'_>) -> Result<(Redirections, Redirections), elf::Surprise> {
        let is_tls = |slot: &elf::Slot| slot.wanted >= self.first_tls;
        let redirection = |slot: elf::Slot| {
            let function = ((*self.functions.get(slot.wanted)?)?.stub)();
            Some(patch::Redirection { slot, function })
        };
        let (tls, others): (Vec<_>, Vec<_>) = module.slots(&self.names)?.into_iter().partition(is_tls);
        let all = |slots: Vec<elf::Slot>| slots.into_iter().filter_map(redirection).collect();
        Ok((all(tls), all(others)))
    }
}

/// A module that calls an OpenSSL, and its slots for that. Which one it is, only the loader can tell, and not while it
/// calls us.
struct Encrypting {
    module: &'static modules::Module,
    start: usize,
    redirections: Redirections,
}

impl Encrypting {
    /// Finds the functions that the module means, and redirects it.
    fn take_up(&self) {
        let Ok(path) = CString::new(self.module.path.clone()) else { return };
        // SAFETY: a text of C; nothing is loaded that is not loaded yet, and the handle is kept for good.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD) };
        if handle.is_null() {
            return;
        }
        // SAFETY: a handle of the loader's.
        let find = |name: &CStr| unsafe { libc::dlsym(handle, name.as_ptr()) }.expose_provenance();
        let (write, write_ex) = (find(c"SSL_write"), find(c"SSL_write_ex"));
        let (read, read_ex) = (find(c"SSL_read"), find(c"SSL_read_ex"));
        let (free, server_name) = (find(c"SSL_free"), find(c"SSL_get_servername"));
        // Where the table has no room for the module, its calls could not be told from others'.
        let is_known = modules::at(self.start).is_some_and(|module| std::ptr::eq(module, self.module));
        if is_known && [write, write_ex, read, read_ex, free].iter().all(|address| *address != 0) {
            let (new_error, set_error) = (find(c"ERR_new"), find(c"ERR_set_error"));
            let put_error = find(c"ERR_put_error");
            let tls = modules::Tls {
                write,
                write_ex,
                read,
                read_ex,
                free,
                server_name,
                new_error,
                set_error,
                put_error,
            };
            let _ = self.module.tls.set(tls);
            // SAFETY: the callback takes the pointer for what it is, and is called only before this returns.
            unsafe {
                libc::dl_iterate_phdr(Some(redirect_encrypting), std::ptr::from_ref(self).cast_mut().cast())
            };
        }
    }
}

/// Redirects the slots of an [`Encrypting`], if it is this module.
unsafe extern "C" fn redirect_encrypting(
    information: *mut dl_phdr_info,
    _: usize,
    one: *mut c_void,
) -> c_int {
    // SAFETY: the loader's own argument, and the one that it was given for us.
    let (information, one) = unsafe { (&*information, &*one.cast::<Encrypting>()) };
    let Some(machine) = Machine::HERE else { return 1 };
    // SAFETY: the loader keeps the module while it calls us.
    let Ok(module) = (unsafe { elf::Module::loaded(information, machine) }) else { return 0 };
    if module.span().start != one.start {
        return 0;
    }
    // SAFETY: as for the others.
    if unsafe { patch::redirect(&module, &one.redirections, patch::Visit::First) }.is_err() {
        Blind::skipped(&one.module.path, "protection").tell();
    }
    1
}

/// Whether a module is the program itself.
fn has_no_name(information: &dl_phdr_info) -> bool {
    // SAFETY: the loader's name of the module ends with NUL.
    unsafe { call::text(information.dlpi_name) }.unwrap_or_default().is_empty()
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

/// What part of the interpreter, or of gnomon, is at `address`: the file of it.
pub fn part_at(address: usize) -> Option<Vec<u8>> {
    let own = OWN_START.load(Relaxed)..OWN_END.load(Relaxed);
    if own.contains(&address) {
        return Some(crate::environment::library()?.into_os_string().into_vec());
    }
    modules::at(address).filter(|module| module.is_interpreter).map(|module| module.path.clone())
}

/// Whether a module is gnomon itself, or part of the C library: what that does for a program, the program's call tells.
fn is_left_alone(path: &[u8], span: &std::ops::Range<usize>) -> bool {
    let own: fn(&[u8], &std::ops::Range<usize>) -> bool = is_left_alone;
    let is_own = span.contains(&(own as *const ()).addr());
    if is_own {
        OWN_START.store(span.start, Relaxed);
        OWN_END.store(span.end, Relaxed);
    }
    is_own || is_of_c_library(path)
}

/// Whether a module is part of the C library.
fn is_of_c_library(path: &[u8]) -> bool {
    const PARTS: [&[u8]; 13] = [
        b"libc.so.",
        b"libc-2.",
        b"libm.so.",
        b"libm-2.",
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
    PARTS.iter().any(|start| name.starts_with(start))
}
