//! Files opened, made, removed, renamed, linked, changed and listed by native code.
#![expect(unsafe_code, reason = "functions of the C library, called with what they were called with")]

use std::ffi::{c_char, c_int, c_uint, c_void};

use gnomon_core::event::{Access, Base, Event, Kind, Target};
use libc::{AT_FDCWD, DIR, FILE, mode_t, off_t};

use crate::decode::{access_of, tamper};

use super::super::call::{self, Step, file_event, file_path, text};
use super::super::descriptors;
use super::super::notes::Sort;
use super::super::stubs::{Function, redirect, up_to_five};

/// How a file is opened, by flags of open(2).
pub fn access_of_flags(flags: c_int) -> Access {
    access_of(None, flags)
}

/// How a file is opened, by the mode of fopen(3), behind whose comma stands a character set.
fn access_of_mode(mode: &[u8]) -> Access {
    let letters = mode.split(|byte| *byte == b',').next().unwrap_or_default();
    access_of(Some(std::str::from_utf8(letters).unwrap_or("r")), 0)
}

/// What is to be done with the opening of a file; `path` is a text of C.
pub fn opening(caller: usize, directory: c_int, path: *const c_char, access: Access, flags: c_int) -> Step {
    // SAFETY: what the program gives to open(2).
    let Some(path) = (unsafe { text(path) }) else { return Step::PASS };
    let mut step = call::begin(caller, Sort::Open, path, || {
        let is_named = flags & libc::O_TMPFILE != libc::O_TMPFILE;
        is_named.then(|| Event { access, ..file_event(Kind::Open, directory, path) })
    });
    if step.is_stopped || step.is_told() || !access.changes() {
        return step;
    }
    let memory = tamper::process_memory(path, access);
    step.is_stopped = memory.is_some_and(|memory| call::is_stopped_as(caller, &memory));
    step
}

/// Closes what was opened to be written, and turned out to be the memory of a process where a link led, if a policy does
/// not want that.
fn checked(caller: usize, path: *const c_char, access: Access, descriptor: c_int) -> c_int {
    if descriptor < 0 || !access.changes() || !is_of_processes(descriptor) {
        return descriptor;
    }
    // SAFETY: what the program gave to open(2).
    let given = unsafe { text(path) }.unwrap_or_default();
    let found = gnomon_core::process::descriptor_path(descriptor).unwrap_or_default();
    let is_known = tamper::process_memory(given, access).is_some();
    let memory = tamper::process_memory(&found, access).filter(|_| !is_known);
    if !memory.is_some_and(|memory| call::is_stopped_as(caller, &memory)) {
        return descriptor;
    }
    // SAFETY: it was just opened, and nobody else knows of it.
    unsafe { libc::close(descriptor) };
    call::set_errno(libc::EACCES);
    -1
}

/// Whether an open file is one of the kernel's about processes.
fn is_of_processes(descriptor: c_int) -> bool {
    // SAFETY: the structure is plain data, for fstatfs to fill in.
    let mut found: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the program's own descriptor.
    unsafe { libc::fstatfs(descriptor, &raw mut found) == 0 && found.f_type == libc::PROC_SUPER_MAGIC }
}

/// Notes what became of it, and what the descriptor stands for from now on.
pub fn opened(step: Step, descriptor: c_int) -> c_int {
    call::end(step, if descriptor < 0 { call::errno() } else { 0 });
    descriptors::stands_for(descriptor, step.key());
    descriptor
}

fn open_with(
    caller: usize,
    directory: c_int,
    path: *const c_char,
    flags: c_int,
    act: impl FnOnce() -> c_int,
) -> c_int {
    let step = opening(caller, directory, path, access_of_flags(flags), flags);
    if call::is_refused(step) {
        return -1;
    }
    checked(caller, path, access_of_flags(flags), opened(step, act()))
}

/// The same for functions that return a stream of it.
fn stream_with(
    caller: usize,
    path: *const c_char,
    access: Access,
    act: impl FnOnce() -> *mut FILE,
) -> *mut FILE {
    pointer_with(caller, path, access, act, descriptor_of)
}

/// The same for functions that return a pointer to what they opened, which has a descriptor or -1.
fn pointer_with<T>(
    caller: usize,
    path: *const c_char,
    access: Access,
    act: impl FnOnce() -> *mut T,
    descriptor: impl FnOnce(*mut T) -> c_int,
) -> *mut T {
    let step = opening(caller, AT_FDCWD, path, access, 0);
    if call::is_refused(step) {
        return std::ptr::null_mut();
    }
    let stream = act();
    call::end(step, if stream.is_null() { call::errno() } else { 0 });
    descriptors::stands_for(descriptor(stream), step.key());
    stream
}

/// The descriptor of a stream; -1 where it has none.
pub fn descriptor_of(stream: *mut FILE) -> c_int {
    if stream.is_null() {
        return -1;
    }
    let error = call::errno();
    // SAFETY: a stream of the program's.
    let descriptor = unsafe { libc::fileno(stream) };
    call::set_errno(error);
    descriptor
}

fn access_of_stream(mode: *const c_char) -> Access {
    // SAFETY: what the program gives to fopen(3).
    access_of_mode(unsafe { text(mode) }.unwrap_or_default())
}

/// A change of the file system at one path, relative to the directory `at`.
fn change(
    caller: usize,
    kind: Kind,
    at: c_int,
    path: *const c_char,
    detail: impl FnOnce() -> Vec<u8>,
    act: impl FnOnce() -> c_int,
) -> c_int {
    // SAFETY: what the program gives to a function that takes a path.
    let (Some(path), Some(sort)) = (unsafe { text(path) }, Sort::of(kind)) else { return act() };
    finish(call::begin(caller, sort, path, || Some(file_event(kind, at, path).with_detail(detail()))), act)
}

/// The same at two.
fn change_two(
    caller: usize,
    kind: Kind,
    from: (c_int, *const c_char),
    to: (c_int, *const c_char),
    act: impl FnOnce() -> c_int,
) -> c_int {
    match begin_two(caller, kind, from, to) {
        Some(step) => finish(step, act),
        None => act(),
    }
}

/// What is to be done with it; `None` for null pointers.
pub fn begin_two(
    caller: usize,
    kind: Kind,
    (from_at, from): (c_int, *const c_char),
    (to_at, to): (c_int, *const c_char),
) -> Option<Step> {
    // SAFETY: as in `change`.
    let (from, to) = unsafe { (text(from)?, text(to)?) };
    Some(call::begin(caller, Sort::of(kind)?, from, || {
        let mut path = file_path(from_at, from);
        if kind == Kind::Symlink {
            path.base = Base::Verbatim;
        }
        Some(Event::new(kind, Target::Path { path, destination: Some(file_path(to_at, to)) }))
    }))
}

fn finish(step: Step, act: impl FnOnce() -> c_int) -> c_int {
    if call::is_refused(step) {
        return -1;
    }
    let result = act();
    call::end(step, if result < 0 { call::errno() } else { 0 });
    result
}

/// A file or a directory under a name that the call itself chooses: `made` is what it made of it.
fn temporary(caller: usize, kind: Kind, path: *const c_char, has_failed: bool) -> Step {
    // SAFETY: what the call made of the program's text.
    let (Some(path), false) = (unsafe { text(path) }, has_failed) else { return Step::PASS };
    let access = if kind == Kind::Open { Access::WRITE.with(Access::CREATE) } else { Access::default() };
    let sort = Sort::of(kind).unwrap_or(Sort::Open);
    call::begin(caller, sort, path, || Some(Event { access, ..file_event(kind, AT_FDCWD, path) }))
}

fn temporary_file(caller: usize, path: *mut c_char, descriptor: c_int) -> c_int {
    let step = temporary(caller, Kind::Open, path, descriptor < 0);
    if !step.is_stopped {
        return opened(step, descriptor);
    }
    // SAFETY: the file that was just made, which nobody else knows.
    unsafe {
        libc::close(descriptor);
        libc::unlink(path);
    }
    call::set_errno(libc::EACCES);
    -1
}

/// `/dev/shm/NAME`, where the C library keeps what is shared by name.
fn shared_memory(name: *const c_char, prefix: &[u8]) -> Vec<u8> {
    // SAFETY: what the program gives to shm_open(3).
    let name = unsafe { text(name) }.unwrap_or_default();
    let name = name.strip_prefix(b"/").unwrap_or(name);
    [b"/dev/shm/", prefix, name, b"\0"].concat()
}

type Text = *const c_char;

redirect!(OPEN, "open", (path: Text, flags: c_int, mode: mode_t) -> c_int, |caller, real| {
    open_with(caller, AT_FDCWD, path, flags, || real(path, flags, mode))
});
redirect!(OPEN64, "open64", (path: Text, flags: c_int, mode: mode_t) -> c_int, |caller, real| {
    open_with(caller, AT_FDCWD, path, flags, || real(path, flags, mode))
});
redirect!(OPEN_2, "__open_2", (path: Text, flags: c_int) -> c_int, |caller, real| {
    open_with(caller, AT_FDCWD, path, flags, || real(path, flags))
});
redirect!(OPEN64_2, "__open64_2", (path: Text, flags: c_int) -> c_int, |caller, real| {
    open_with(caller, AT_FDCWD, path, flags, || real(path, flags))
});
redirect!(OPENAT, "openat", (at: c_int, path: Text, flags: c_int, mode: mode_t) -> c_int, |caller, real| {
    open_with(caller, at, path, flags, || real(at, path, flags, mode))
});
redirect!(OPENAT64, "openat64", (at: c_int, path: Text, flags: c_int, mode: mode_t) -> c_int, |caller, real| {
    open_with(caller, at, path, flags, || real(at, path, flags, mode))
});
redirect!(OPENAT_2, "__openat_2", (at: c_int, path: Text, flags: c_int) -> c_int, |caller, real| {
    open_with(caller, at, path, flags, || real(at, path, flags))
});
redirect!(OPENAT64_2, "__openat64_2", (at: c_int, path: Text, flags: c_int) -> c_int, |caller, real| {
    open_with(caller, at, path, flags, || real(at, path, flags))
});
redirect!(CREAT, "creat", (path: Text, mode: mode_t) -> c_int, |caller, real| {
    const FLAGS: c_int = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC;
    open_with(caller, AT_FDCWD, path, FLAGS, || real(path, mode))
});
redirect!(CREAT64, "creat64", (path: Text, mode: mode_t) -> c_int, |caller, real| {
    const FLAGS: c_int = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC;
    open_with(caller, AT_FDCWD, path, FLAGS, || real(path, mode))
});
redirect!(FOPEN, "fopen", (path: Text, mode: Text) -> *mut FILE, |caller, real| {
    stream_with(caller, path, access_of_stream(mode), || real(path, mode))
});
redirect!(FOPEN64, "fopen64", (path: Text, mode: Text) -> *mut FILE, |caller, real| {
    stream_with(caller, path, access_of_stream(mode), || real(path, mode))
});
redirect!(FREOPEN, "freopen", (path: Text, mode: Text, stream: *mut FILE) -> *mut FILE, |caller, real| {
    stream_with(caller, path, access_of_stream(mode), || real(path, mode, stream))
});
redirect!(FREOPEN64, "freopen64", (path: Text, mode: Text, stream: *mut FILE) -> *mut FILE, |caller, real| {
    stream_with(caller, path, access_of_stream(mode), || real(path, mode, stream))
});
redirect!(OPENDIR, "opendir", (path: Text) -> *mut DIR, |caller, real| {
    // SAFETY: what the program gives to opendir(3).
    let name = unsafe { text(path) }.unwrap_or_default();
    let step = call::begin(caller, Sort::List, name, || Some(file_event(Kind::List, AT_FDCWD, name)));
    if call::is_refused(step) {
        std::ptr::null_mut()
    } else {
        let stream = real(path);
        call::end(step, if stream.is_null() { call::errno() } else { 0 });
        stream
    }
});
redirect!(SCANDIR, "scandir",
    (path: Text, names: *mut c_void, filter: *mut c_void, order: *mut c_void) -> c_int, |caller, real| {
    change(caller, Kind::List, AT_FDCWD, path, Vec::new, || real(path, names, filter, order))
});
redirect!(SCANDIR64, "scandir64",
    (path: Text, names: *mut c_void, filter: *mut c_void, order: *mut c_void) -> c_int, |caller, real| {
    change(caller, Kind::List, AT_FDCWD, path, Vec::new, || real(path, names, filter, order))
});
redirect!(UNLINK, "unlink", (path: Text) -> c_int, |caller, real| {
    change(caller, Kind::Delete, AT_FDCWD, path, Vec::new, || real(path))
});
redirect!(UNLINKAT, "unlinkat", (at: c_int, path: Text, flags: c_int) -> c_int, |caller, real| {
    change(caller, Kind::Delete, at, path, Vec::new, || real(at, path, flags))
});
redirect!(RMDIR, "rmdir", (path: Text) -> c_int, |caller, real| {
    change(caller, Kind::Delete, AT_FDCWD, path, Vec::new, || real(path))
});
redirect!(REMOVE, "remove", (path: Text) -> c_int, |caller, real| {
    change(caller, Kind::Delete, AT_FDCWD, path, Vec::new, || real(path))
});
redirect!(RENAME, "rename", (from: Text, to: Text) -> c_int, |caller, real| {
    change_two(caller, Kind::Rename, (AT_FDCWD, from), (AT_FDCWD, to), || real(from, to))
});
redirect!(RENAMEAT, "renameat", (at: c_int, from: Text, to_at: c_int, to: Text) -> c_int, |caller, real| {
    change_two(caller, Kind::Rename, (at, from), (to_at, to), || real(at, from, to_at, to))
});
redirect!(RENAMEAT2, "renameat2",
    (at: c_int, from: Text, to_at: c_int, to: Text, flags: c_uint) -> c_int, |caller, real| {
    change_two(caller, Kind::Rename, (at, from), (to_at, to), || real(at, from, to_at, to, flags))
});
redirect!(MKDIR, "mkdir", (path: Text, mode: mode_t) -> c_int, |caller, real| {
    change(caller, Kind::Mkdir, AT_FDCWD, path, Vec::new, || real(path, mode))
});
redirect!(MKDIRAT, "mkdirat", (at: c_int, path: Text, mode: mode_t) -> c_int, |caller, real| {
    change(caller, Kind::Mkdir, at, path, Vec::new, || real(at, path, mode))
});
redirect!(LINK, "link", (from: Text, to: Text) -> c_int, |caller, real| {
    change_two(caller, Kind::Link, (AT_FDCWD, from), (AT_FDCWD, to), || real(from, to))
});
redirect!(LINKAT, "linkat",
    (at: c_int, from: Text, to_at: c_int, to: Text, flags: c_int) -> c_int, |caller, real| {
    change_two(caller, Kind::Link, (at, from), (to_at, to), || real(at, from, to_at, to, flags))
});
redirect!(SYMLINK, "symlink", (from: Text, to: Text) -> c_int, |caller, real| {
    change_two(caller, Kind::Symlink, (AT_FDCWD, from), (AT_FDCWD, to), || real(from, to))
});
redirect!(SYMLINKAT, "symlinkat", (from: Text, at: c_int, to: Text) -> c_int, |caller, real| {
    change_two(caller, Kind::Symlink, (AT_FDCWD, from), (at, to), || real(from, at, to))
});
redirect!(CHMOD, "chmod", (path: Text, mode: mode_t) -> c_int, |caller, real| {
    change(caller, Kind::Chmod, AT_FDCWD, path, Vec::new, || real(path, mode))
});
redirect!(FCHMODAT, "fchmodat", (at: c_int, path: Text, mode: mode_t, flags: c_int) -> c_int, |caller, real| {
    change(caller, Kind::Chmod, at, path, Vec::new, || real(at, path, mode, flags))
});
redirect!(CHOWN, "chown", (path: Text, user: c_uint, group: c_uint) -> c_int, |caller, real| {
    change(caller, Kind::Chown, AT_FDCWD, path, || owners(user, group), || real(path, user, group))
});
redirect!(LCHOWN, "lchown", (path: Text, user: c_uint, group: c_uint) -> c_int, |caller, real| {
    change(caller, Kind::Chown, AT_FDCWD, path, || owners(user, group), || real(path, user, group))
});
redirect!(FCHOWNAT, "fchownat",
    (at: c_int, path: Text, user: c_uint, group: c_uint, flags: c_int) -> c_int, |caller, real| {
    change(caller, Kind::Chown, at, path, || owners(user, group), || real(at, path, user, group, flags))
});
redirect!(TRUNCATE, "truncate", (path: Text, length: off_t) -> c_int, |caller, real| {
    change(caller, Kind::Truncate, AT_FDCWD, path, Vec::new, || real(path, length))
});
redirect!(TRUNCATE64, "truncate64", (path: Text, length: i64) -> c_int, |caller, real| {
    change(caller, Kind::Truncate, AT_FDCWD, path, Vec::new, || real(path, length))
});
redirect!(UTIMENSAT, "utimensat",
    (at: c_int, path: Text, times: *const c_void, flags: c_int) -> c_int, |caller, real| {
    change(caller, Kind::Utime, at, path, Vec::new, || real(at, path, times, flags))
});
redirect!(UTIMES, "utimes", (path: Text, times: *const c_void) -> c_int, |caller, real| {
    change(caller, Kind::Utime, AT_FDCWD, path, Vec::new, || real(path, times))
});
redirect!(UTIME, "utime", (path: Text, times: *const c_void) -> c_int, |caller, real| {
    change(caller, Kind::Utime, AT_FDCWD, path, Vec::new, || real(path, times))
});
redirect!(SETXATTR, "setxattr",
    (path: Text, name: Text, value: *const c_void, size: usize, flags: c_int) -> c_int, |caller, real| {
    change(caller, Kind::Xattr, AT_FDCWD, path, || attribute(b"set ", name), || real(path, name, value, size, flags))
});
redirect!(LSETXATTR, "lsetxattr",
    (path: Text, name: Text, value: *const c_void, size: usize, flags: c_int) -> c_int, |caller, real| {
    change(caller, Kind::Xattr, AT_FDCWD, path, || attribute(b"set ", name), || real(path, name, value, size, flags))
});
redirect!(LREMOVEXATTR, "lremovexattr", (path: Text, name: Text) -> c_int, |caller, real| {
    change(caller, Kind::Xattr, AT_FDCWD, path, || attribute(b"remove ", name), || real(path, name))
});
redirect!(REMOVEXATTR, "removexattr", (path: Text, name: Text) -> c_int, |caller, real| {
    change(caller, Kind::Xattr, AT_FDCWD, path, || attribute(b"remove ", name), || real(path, name))
});
redirect!(MKFIFO, "mkfifo", (path: Text, mode: mode_t) -> c_int, |caller, real| {
    made(caller, AT_FDCWD, path, || real(path, mode))
});
redirect!(MKFIFOAT, "mkfifoat", (at: c_int, path: Text, mode: mode_t) -> c_int, |caller, real| {
    made(caller, at, path, || real(at, path, mode))
});
redirect!(MKNOD, "mknod", (path: Text, mode: mode_t, device: u64) -> c_int, |caller, real| {
    made(caller, AT_FDCWD, path, || real(path, mode, device))
});
redirect!(MKNODAT, "mknodat", (at: c_int, path: Text, mode: mode_t, device: u64) -> c_int, |caller, real| {
    made(caller, at, path, || real(at, path, mode, device))
});
redirect!(MKSTEMP, "mkstemp", (path: *mut c_char) -> c_int, |caller, real| {
    temporary_file(caller, path, real(path))
});
redirect!(MKSTEMP64, "mkstemp64", (path: *mut c_char) -> c_int, |caller, real| {
    temporary_file(caller, path, real(path))
});
redirect!(MKOSTEMP, "mkostemp", (path: *mut c_char, flags: c_int) -> c_int, |caller, real| {
    temporary_file(caller, path, real(path, flags))
});
redirect!(MKOSTEMP64, "mkostemp64", (path: *mut c_char, flags: c_int) -> c_int, |caller, real| {
    temporary_file(caller, path, real(path, flags))
});
redirect!(MKSTEMPS, "mkstemps", (path: *mut c_char, suffix: c_int) -> c_int, |caller, real| {
    temporary_file(caller, path, real(path, suffix))
});
redirect!(MKDTEMP, "mkdtemp", (path: *mut c_char) -> *mut c_char, |caller, real| {
    let made = real(path);
    // SAFETY: the directory that was just made, which nobody else knows.
    if temporary(caller, Kind::Mkdir, path, made.is_null()).is_stopped && unsafe { libc::rmdir(path) } == 0 {
        call::set_errno(libc::EACCES);
        std::ptr::null_mut()
    } else {
        made
    }
});
redirect!(SHM_OPEN, "shm_open", (name: Text, flags: c_int, mode: mode_t) -> c_int, |caller, real| {
    let path = shared_memory(name, b"");
    open_with(caller, AT_FDCWD, path.as_ptr().cast(), flags, || real(name, flags, mode))
});
redirect!(SHM_UNLINK, "shm_unlink", (name: Text) -> c_int, |caller, real| {
    let path = shared_memory(name, b"");
    change(caller, Kind::Delete, AT_FDCWD, path.as_ptr().cast(), Vec::new, || real(name))
});
redirect!(SEM_OPEN, "sem_open",
    (name: Text, flags: c_int, mode: mode_t, value: c_uint) -> *mut c_void, |caller, real| {
    let path = shared_memory(name, b"sem.");
    let access = access_of_flags(libc::O_RDWR | flags);
    pointer_with(caller, path.as_ptr().cast(), access, || real(name, flags, mode, value), |_| -1)
});
redirect!(CHDIR, "chdir", (path: Text) -> c_int, |caller, real| {
    let _ = caller;
    call::directory_changes();
    real(path)
});
redirect!(FCHDIR, "fchdir", (descriptor: c_int) -> c_int, |caller, real| {
    let _ = caller;
    call::directory_changes();
    real(descriptor)
});

/// A pipe or a device under a name: a new file.
fn made(caller: usize, at: c_int, path: Text, act: impl FnOnce() -> c_int) -> c_int {
    let access = Access::WRITE.with(Access::CREATE);
    finish(opening(caller, at, path, access, 0), act)
}

/// As the audit event tells it: -1 for what stays.
fn owners(user: c_uint, group: c_uint) -> Vec<u8> {
    let id = |id: c_uint| if id == c_uint::MAX { -1 } else { i64::from(id) };
    format!("{}:{}", id(user), id(group)).into_bytes()
}

fn attribute(how: &[u8], name: Text) -> Vec<u8> {
    // SAFETY: what the program gives to setxattr(2).
    [how, unsafe { text(name) }.unwrap_or_default()].concat()
}

pub static ALL: &[&Function] = &[
    &OPEN,
    &OPEN64,
    &OPEN_2,
    &OPEN64_2,
    &OPENAT,
    &OPENAT64,
    &OPENAT_2,
    &OPENAT64_2,
    &CREAT,
    &CREAT64,
    &FOPEN,
    &FOPEN64,
    &FREOPEN,
    &FREOPEN64,
    &OPENDIR,
    &SCANDIR,
    &SCANDIR64,
    &UNLINK,
    &UNLINKAT,
    &RMDIR,
    &REMOVE,
    &RENAME,
    &RENAMEAT,
    &RENAMEAT2,
    &MKDIR,
    &MKDIRAT,
    &LINK,
    &LINKAT,
    &SYMLINK,
    &SYMLINKAT,
    &CHMOD,
    &FCHMODAT,
    &CHOWN,
    &LCHOWN,
    &FCHOWNAT,
    &TRUNCATE,
    &TRUNCATE64,
    &UTIMENSAT,
    &UTIMES,
    &UTIME,
    &SETXATTR,
    &LSETXATTR,
    &REMOVEXATTR,
    &LREMOVEXATTR,
    &MKFIFO,
    &MKFIFOAT,
    &MKNOD,
    &MKNODAT,
    &MKSTEMP,
    &MKSTEMP64,
    &MKOSTEMP,
    &MKOSTEMP64,
    &MKSTEMPS,
    &MKDTEMP,
    &SHM_OPEN,
    &SHM_UNLINK,
    &SEM_OPEN,
    &CHDIR,
    &FCHDIR,
];
