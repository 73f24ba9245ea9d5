//! Arming, the canary, the fork's child, disarming: the one recorder that this process has.
#![expect(unsafe_code, reason = "the recorder is shared by all threads without a lock")]

use std::borrow::Cow;
use std::ffi::{OsStr, OsString, c_int, c_void};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicPtr};
use std::sync::{Arc, Mutex};

use gnomon_core::interest::Interest;
use gnomon_core::paths;
use gnomon_core::pipeline::{Recorder, now};
use gnomon_core::policy::active::{Active, Surroundings};
use gnomon_core::policy::facts::Who;
use gnomon_core::privacy::Privacy;
use gnomon_core::process::{Description, Script, account, executable, groups, new_id, stored_command};
use gnomon_core::record::encoded;
use gnomon_core::spool::users;
use gnomon_core::startup::look::Look;
use gnomon_core::text::Bytes;
use uuid::Uuid;

use crate::capi::{self, Object, sys_attribute};
use crate::environment::{self, id_from, tell_children, variable};
use crate::integrity::Before;
use crate::machine::{self, Owned};
use crate::presence::{self, Other};
use crate::{
    early_hook, ending, fork, hook, hook_places, integrity, notice, preload, redirect, stack, watcher,
};

/// Null before arming and after disarming. Never freed: another thread may be using it.
static RECORDER: AtomicPtr<Recorder> = AtomicPtr::new(std::ptr::null_mut());
static IS_ARMED: AtomicBool = AtomicBool::new(false);
static HAS_SEEN_CANARY: AtomicBool = AtomicBool::new(false);
/// The recorder that [`stop`] put aside, for [`start`] to take up again.
static STOPPED: AtomicPtr<Recorder> = AtomicPtr::new(std::ptr::null_mut());
/// The copy of gnomon that was found to record this process.
static OTHER: Mutex<Option<Other>> = Mutex::new(None);
/// Whether the program itself asked for the recording.
static IS_ASKED_FOR: AtomicBool = AtomicBool::new(false);

/// What is recorded where, and what it belongs to.
pub struct Settings {
    pub spool: PathBuf,
    pub parent: Option<Uuid>,
    pub run: Option<Uuid>,
    /// Keep one record for each module.
    pub every_import: bool,
    /// Watch native code, or not; `None` as the environment says.
    pub native: Option<bool>,
    /// What the machine's owner decided for all its processes.
    pub owned: Option<&'static Owned>,
}

impl Settings {
    /// What the machine's owner decided, or else what the environment says.
    fn find() -> Result<Self, &'static str> {
        let owned = machine::settings();
        let spool = match owned {
            Some(owned) => users::directory(&owned.machine.spool),
            None => std::env::var_os(variable::SPOOL).ok_or("GNOMON_SPOOL is not set")?.into(),
        };
        if !spool.is_absolute() {
            return Err("GNOMON_SPOOL is not an absolute path");
        }
        let every_import = std::env::var_os(variable::IMPORTS).is_some_and(|value| value == "all");
        Ok(Self {
            spool,
            parent: id_from(variable::PARENT),
            run: id_from(variable::RUN),
            every_import: every_import || owned.is_some_and(|owned| owned.machine.every_import),
            native: owned.map(|owned| !owned.machine.native_off),
            owned,
        })
    }

    /// Whether the machine's owner wants this program left alone.
    fn skips(&self, description: &Description) -> bool {
        let Some(machine) = self.owned.map(|owned| &owned.machine) else { return false };
        machine.skips(&description.executable.0)
            || script_argument(&description.argv)
                .is_some_and(|script| machine.skips(&paths::absolute(&description.directory.0, script)))
    }

    /// Whether native code is to be watched.
    fn watches_native(&self) -> bool {
        self.native.unwrap_or_else(|| std::env::var_os(variable::NATIVE).is_none_or(|value| value != "off"))
    }
}

/// Whether this process is to be recorded at all, as far as that is known before the interpreter is there.
///
/// # Errors
/// Why nothing will be recorded.
pub fn can_arm() -> Result<(), &'static str> {
    if machine::settings().is_some() {
        return Ok(());
    }
    std::env::var_os(variable::SPOOL).ok_or("GNOMON_SPOOL is not set")?;
    (!environment::is_of_another())
        .then_some(())
        .ok_or("a setuid program takes no spool from its environment")
}

/// Starts recording in this process, as its environment says. Does nothing the second time.
///
/// # Errors
/// Why nothing is recorded, in a few words for the debug switch.
pub fn arm() -> Result<(), &'static str> {
    if armed().is_some() {
        return Ok(());
    }
    let settings = Settings::find()?;
    if IS_ARMED.swap(true, AcqRel) {
        return Ok(());
    }
    begin(&settings)
}

fn begin(settings: &Settings) -> Result<(), &'static str> {
    HAS_SEEN_CANARY.store(false, Relaxed);
    // First: what is read for a description would be the program's doing to the copy that records.
    if let Some(other) = presence::ask() {
        if let Ok(mut place) = OTHER.try_lock() {
            *place = Some(other);
        }
        return Err("another copy of gnomon records this process");
    }
    let mut description = describe(settings);
    if settings.skips(&description) {
        return Err("the settings of this machine leave this program alone");
    }
    // A panic is caught, counted, and ends the recording; it must not print into the program's stderr.
    std::panic::set_hook(Box::new(|_| {}));
    fork::watch();
    if std::env::var_os(variable::FRAMES).is_none_or(|value| value != "ask") {
        stack::learn();
    }
    crate::ending::learn();
    let proof = install_hook();
    description.hook_proven = Some(proof.is_ok());
    let native = native(settings);
    description.native = Some(redirect::state(native));
    let id = new_id(description.run.max(description.parent));
    if IS_ASKED_FOR.load(Acquire) {
        description.run = description.run.or(Some(id)); // a run of its own, with the children it will have
    }
    let privacy = privacy(settings.owned, &description);
    // A preloaded gnomon begins before `site` has put its directories on the search path: half an inventory would make
    // the other half look new. It looks when the program begins.
    let startup = if preload::is_starting() { None } else { hook_places::look(privacy.is_some()) };
    description.startup = startup.as_ref().map(Look::name);
    let policy = policy(settings, &description);
    if policy.is_some() {
        notice::remember_stderr();
    }
    let mut recorder =
        Recorder::new(&settings.spool, id, description, Arc::new(interest(settings)), privacy).under(policy);
    if let Some(Owned { machine, .. }) = settings.owned {
        recorder = recorder.for_users(&machine.spool, machine.reserve);
    }
    if native.is_ok() {
        recorder.begin_tallies();
    }
    let opened = recorder.open();
    if let (Ok(()), Some(startup)) = (&opened, &startup) {
        recorder.keep_startup(startup);
    }
    proof?; // the segment stays, and says that nothing was seen
    tell_children(recorder.process());
    RECORDER.store(Box::into_raw(Box::new(recorder)), Release);
    if native.is_ok() {
        redirect::begin();
    } else {
        redirect::pause();
    }
    watch_exit();
    opened.map_err(|reason| reason.name())
}

/// The program begins, which a preloaded gnomon records from before: what ran until now is known.
pub fn program_begins() {
    let Some(recorder) = armed() else { return };
    recorder.runs_startup_files(&[]);
    if recorder.startup().is_none()
        && let Some(look) = hook_places::look(recorder.is_private())
    {
        recorder.found_startup(&look);
    }
}

/// Whether calls of native code can be told of, where that is wanted.
fn native(settings: &Settings) -> Result<(), redirect::Absence> {
    if !settings.watches_native() {
        return Err(redirect::Absence::Off);
    }
    redirect::prepare(std::env::var_os(variable::NATIVE).is_some_and(|value| value == "on"))
}

/// Adds the hook, unless it is there, and proves that events reach it. Nothing is recorded yet.
fn install_hook() -> Result<(), &'static str> {
    if !HAS_SEEN_CANARY.load(Relaxed) && !Before::around(|| capi::add_audit_hook(hook::audit)) {
        return Err("PySys_AddAuditHook failed");
    }
    if canary_arrives() { Ok(()) } else { Err("another audit hook refused ours") }
}

fn canary_arrives() -> bool {
    HAS_SEEN_CANARY.store(false, Relaxed);
    presence::ask();
    HAS_SEEN_CANARY.load(Relaxed)
}

/// The copy of gnomon that records this process, where it is another than this.
pub fn other() -> Option<Other> {
    OTHER.try_lock().ok()?.clone()
}

/// Starts recording because the program itself asks for it. Returns false where it is recorded already.
///
/// # Errors
/// Why nothing is recorded.
pub fn start(settings: &Settings) -> Result<bool, &'static str> {
    if armed().is_some() {
        return Ok(false);
    }
    watcher::watch();
    IS_ARMED.store(true, Release);
    IS_ASKED_FOR.store(true, Release);
    let stopped = STOPPED.swap(std::ptr::null_mut(), AcqRel);
    // SAFETY: null, or put there by `stop`; never freed.
    if let Some(recorder) = unsafe { stopped.as_ref() }
        && recorder.spool() == settings.spool
        && recorder.interest().every_import == settings.every_import
        && (recorder.description().native.as_deref() == Some("off")) != settings.watches_native()
        && recorder.description().pid == std::process::id()
        && canary_arrives()
    {
        recorder.resume();
        RECORDER.store(stopped, Release);
        return Ok(true);
    }
    match begin(settings) {
        Ok(()) => Ok(true),
        Err(_) if other().is_some() => {
            IS_ARMED.store(false, Release);
            IS_ASKED_FOR.store(false, Release);
            Ok(false)
        }
        Err(reason) => {
            disarm();
            Err(reason)
        }
    }
}

/// Ends a recording that [`start`] began. Returns false where there is none.
pub fn stop() -> bool {
    if !IS_ASKED_FOR.load(Acquire) {
        return false;
    }
    let Some(recorder) = armed() else { return false };
    disarm();
    recorder.end(None);
    STOPPED.store(std::ptr::from_ref(recorder).cast_mut(), Release);
    true
}

/// Whether the program itself asked for the recording that is under way.
pub fn is_asked_for() -> bool {
    IS_ASKED_FOR.load(Acquire)
}

/// The recorder, if this interpreter is recorded.
pub fn armed() -> Option<&'static Recorder> {
    if IS_ARMED.load(Acquire) { recorder() } else { None }
}

/// The recorder of this process, if it is armed. In a fork's child, one of its own.
#[inline]
pub fn recorder() -> Option<&'static Recorder> {
    if fork::is_unacknowledged_child() {
        become_child();
    }
    // SAFETY: null, or made by `Box::into_raw` and never freed.
    unsafe { RECORDER.load(Acquire).as_ref() }
}

/// The recorder as a fork's child finds it: its parent's, only to be asked.
pub fn inherited() -> Option<&'static Recorder> {
    // SAFETY: as in `recorder`.
    unsafe { RECORDER.load(Acquire).as_ref() }
}

/// What a fork's child does first: it forgets what it inherited and goes on under an id of its own.
/// The parent's recorder is left where it is, as locks in it may be held by threads that did not come along.
#[cold]
fn become_child() {
    fork::acknowledge();
    redirect::forked();
    integrity::forked();
    // SAFETY: as in `recorder`.
    let Some(parent) = (unsafe { RECORDER.load(Acquire).as_ref() }) else {
        return;
    };
    let child = parent.forked(new_id(Some(parent.process())));
    tell_children(child.process());
    RECORDER.store(Box::into_raw(Box::new(child)), Release);
}

/// The hook stays, as CPython cannot remove it; nothing more is recorded.
pub fn disarm() {
    RECORDER.store(std::ptr::null_mut(), Release);
}

pub fn canary_seen() {
    HAS_SEEN_CANARY.store(true, Relaxed);
}

/// CPython drops all hooks: the end of this interpreter, which another may follow in the same process.
pub fn interpreter_ends() {
    if !fork::is_unacknowledged_child()
        && let Some(recorder) = recorder()
    {
        integrity::examine(recorder, true);
        recorder.end(None);
    }
    integrity::forget();
    IS_ARMED.store(false, Release);
    HAS_SEEN_CANARY.store(false, Relaxed);
    watcher::forget();
    ending::forget();
    preload::forget();
    early_hook::is_to_be_freed();
}

fn describe(settings: &Settings) -> Description {
    let mut description = Description::of_this_process(now());
    description.parent = settings.parent;
    description.run = settings.run;
    description.loaded = Some(loaded().to_owned());
    description.managed = settings.owned.is_some();
    description.python = capi::version().to_owned();
    description.implementation = sys_attribute(c"implementation")
        .and_then(|implementation| implementation.attribute(c"name"))
        .and_then(|name| name.object().text().map(str::to_owned))
        .unwrap_or_default();
    let known = sys_path(c"executable").filter(|path| !path.is_empty());
    description.executable = Bytes(known.or_else(executable).unwrap_or_default());
    description.environment = Bytes(virtual_environment().unwrap_or_default());
    description
}

/// What brought gnomon into this process.
fn loaded() -> &'static str {
    if IS_ASKED_FOR.load(Acquire) {
        "asked"
    } else if preload::is_preloaded() {
        "preload"
    } else {
        "start"
    }
}

/// The directory of the virtual environment that this interpreter works in.
fn virtual_environment() -> Option<Vec<u8>> {
    let (prefix, base) = (sys_path(c"prefix")?, sys_path(c"base_prefix")?);
    if prefix != base {
        return Some(prefix);
    }
    // Before Python 3.14 `site` finds it out, which comes after what is preloaded: beside the executable or above it.
    let is_found_by_site = preload::is_starting() && !is_without_site();
    let executable = sys_path(c"executable").filter(|_| is_found_by_site)?;
    let directory = Path::new(OsStr::from_bytes(&executable)).parent()?;
    let prefix = directory.parent()?;
    let is_one = [directory, prefix].into_iter().any(|place| place.join("pyvenv.cfg").is_file());
    is_one.then(|| prefix.as_os_str().as_bytes().to_vec())
}

/// Whether the interpreter was told to leave `site` out.
pub fn is_without_site() -> bool {
    let flag = sys_attribute(c"flags").and_then(|flags| flags.attribute(c"no_site"));
    flag.and_then(|flag| flag.object().integer()) != Some(0)
}

/// The argument of a command line that names the script: the first that is no option.
fn script_argument(argv: &[Bytes]) -> Option<&[u8]> {
    let mut arguments = argv.iter().skip(1).map(|argument| &*argument.0);
    loop {
        match arguments.next()? {
            b"-X" | b"-W" | b"--check-hash-based-pycs" => {
                arguments.next();
            }
            b"-c" | b"-m" | b"-" => return None,
            option if option.starts_with(b"-") => {}
            script => return Some(script),
        }
    }
}

/// Pseudonyms for this machine's accounts, if its owner or the environment asks for them.
fn privacy(owned: Option<&Owned>, description: &Description) -> Option<Arc<Privacy>> {
    let is_wanted = owned.is_some_and(|owned| owned.machine.privacy)
        || std::env::var_os(variable::PRIVACY).is_some_and(|value| value == "1");
    is_wanted.then_some(())?;
    let (user, home) = account(description.uid).unwrap_or_default();
    let salt = if description.machine.is_empty() { &description.host } else { &description.machine };
    Some(Arc::new(Privacy::new(salt, &user, home.as_bytes())))
}

/// The policies of the machine, and those that the environment names: they can only add to it.
fn policy(settings: &Settings, description: &Description) -> Option<Active> {
    let named = std::env::var_os(variable::POLICY).unwrap_or_default();
    let machine = settings.owned.map(|owned| &owned.machine);
    let mut paths = machine.map_or_else(Vec::new, |machine| machine.policies.clone());
    paths.extend(std::env::split_paths(&named).filter(|path| path.is_absolute()));
    if paths.is_empty() && named.is_empty() {
        return None;
    }
    let who = Who::of_account(&description.user, description.uid, &description.groups);
    let mut surroundings = surroundings(description.uid);
    surroundings.is_closed |= machine.is_some_and(|machine| machine.fails_closed);
    Some(Active::open(&paths, who, surroundings))
}

/// No policies yet, for a program that asks for its first; `script` is what it runs, if that is known.
pub fn under_none(script: Option<&Script>) -> Active {
    let uid = rustix::process::getuid().as_raw();
    let user = account(uid).map(|(user, _)| user).unwrap_or_default();
    let mut who = Who::of_account(&user, uid, &groups());
    let surroundings = surroundings(uid);
    if let Some(script) = script {
        who.set_script(script, surroundings.home.as_deref());
    }
    Active::open(&[], who, surroundings)
}

/// Where this process runs, as its environment says.
fn surroundings(uid: u32) -> Surroundings {
    let text = |name: &str| std::env::var_os(name).map(OsString::into_vec);
    let home = account(uid).map(|(_, home)| home);
    Surroundings {
        home: home.and_then(|home| Some(std::fs::canonicalize(home).ok()?.into_os_string().into_vec())),
        search_path: text("PATH").unwrap_or_default(),
        justification: text(variable::JUSTIFY)
            .map(|reason| String::from_utf8_lossy(&reason).trim().to_owned())
            .filter(|reason| !reason.is_empty()),
        is_closed: text(variable::POLICY_FAIL).is_some_and(|value| value == b"closed"),
    }
}

pub fn sys_path(name: &std::ffi::CStr) -> Option<Vec<u8>> {
    sys_attribute(name).and_then(Object::path).map(std::borrow::Cow::into_owned)
}

/// Where this interpreter's library is: `lib/pythonX.Y` below its prefixes, and the zip beside it.
fn interest(settings: &Settings) -> Interest {
    let mut numbers = capi::version().split('.');
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    let library = sys_path(c"platlibdir").unwrap_or_else(|| b"lib".to_vec());
    let (mut libraries, mut archives): (Vec<Vec<u8>>, Vec<Vec<u8>>) = (Vec::new(), Vec::new());
    let prefixes = [c"prefix", c"base_prefix", c"exec_prefix", c"base_exec_prefix"].map(sys_path);
    for prefix in prefixes.into_iter().chain([virtual_environment()]).flatten() {
        for name in [&b"lib"[..], &library] {
            let directory = [&prefix, &b"/"[..], name, format!("/python{major}.{minor}").as_bytes()].concat();
            if !libraries.contains(&directory) {
                libraries.push(directory);
                archives.push(
                    [&prefix, &b"/"[..], name, format!("/python{major}{minor}.zip").as_bytes()].concat(),
                );
            }
        }
    }
    let mut own = vec![Some(settings.spool.clone()), environment::package()];
    own.extend(
        settings
            .owned
            .map(|owned| [Some(owned.root.clone()), Some(owned.machine.spool.clone())])
            .into_iter()
            .flatten(),
    );
    let own = own.into_iter().flatten();
    let mut own: Vec<Vec<u8>> = own.map(|path| path.into_os_string().into_vec()).collect();
    if settings.owned.is_some() {
        own.extend(machine::installed_files(&libraries));
    }
    Interest { libraries, archives, own, every_import: settings.every_import }
}

/// Asks the C library to say with which status the process exits. glibc can; elsewhere it stays unknown.
fn watch_exit() {
    static IS_WATCHED: AtomicBool = AtomicBool::new(false);
    if IS_WATCHED.swap(true, Relaxed) {
        return;
    }
    if let Some(on_exit) = capi::symbol(c"on_exit") {
        type OnExit = unsafe extern "C" fn(extern "C" fn(c_int, *mut c_void), *mut c_void) -> c_int;
        // SAFETY: on_exit(3) has this signature; the handler is a function of a library that stays loaded.
        unsafe { std::mem::transmute::<*mut c_void, OnExit>(on_exit)(exits, std::ptr::null_mut()) };
    }
}

extern "C" fn exits(status: c_int, _: *mut c_void) {
    if fork::is_unacknowledged_child() {
        return; // a child that did nothing worth a segment
    }
    // SAFETY: as in `recorder`.
    if let Some(recorder) = unsafe { RECORDER.load(Acquire).as_ref() } {
        integrity::examine(recorder, !IS_ARMED.load(Acquire));
        recorder.end(Some(status & 0xFF));
    }
}

/// A recorder for `gnomon run` itself: no interpreter is watched, only told of. `outer` is the run that it is
/// a part of, where it is.
pub fn runner(spool: &OsStr, outer: Option<Uuid>, argv: Vec<OsString>) -> Recorder {
    let id = new_id(outer);
    let mut description = Description::of_this_process(now());
    "run".clone_into(&mut description.role);
    description.run = outer.or(Some(id));
    description.parent = id_from(variable::PARENT);
    description.executable = Bytes(executable().unwrap_or_default());
    let argv = stored_command(argv.into_iter().map(|text| Cow::Owned(text.into_vec())), None);
    description.argv = argv.into_iter().map(|argument| Bytes(argument.into_owned())).collect();
    let bytes = encoded(&description).len() as u64 + 4096;
    let privacy = privacy(machine::settings(), &description);
    Recorder::new(Path::new(spool), id, description, Arc::new(Interest::default()), privacy)
        .with_first_segment(bytes)
}
