//! Files: opened, removed, renamed, made, linked, changed.

use std::borrow::Cow;

use gnomon_core::event::{Access, Base, Event, FilePath, Kind, Target};
use gnomon_core::pipeline::Recorder;
use gnomon_core::process::descriptor_path;

use super::{Decoded, copies, tamper};
use crate::capi::Object;
use crate::redirect::notes::{self, Sort};
use crate::{frames, session};

/// `open(path, mode or None, flags)`: the builtin gives both, `os.open` only flags, C code only a mode.
pub fn open(args: Object<'_>) -> Decoded<'_> {
    let (Some(target), Some(mode), Some(flags)) = (args.item(0), args.item(1), args.item(2)) else {
        return Decoded::Odd;
    };
    let mode = mode.text();
    let flags = flags.integer().and_then(|flags| i32::try_from(flags).ok()).unwrap_or(0);
    if flags & libc::O_TMPFILE == libc::O_TMPFILE {
        return Decoded::Nothing; // a file without a name, gone when it is closed; linking it is an event
    }
    let access = access_of(mode, flags);
    let descriptor = target.integer();
    let path = match descriptor {
        Some(descriptor) => match open_file(descriptor) {
            Some(path) => FilePath::current(Cow::Owned(path)),
            None => return Decoded::Nothing, // a pipe, a socket, a terminal
        },
        None => match target.path() {
            Some(_) if mode.is_none() && frames::is_in_pathlib_opener() => return Decoded::Told,
            // os.open drops its dir_fd on the way to the event.
            Some(given) if mode.is_none() && given.first() != Some(&b'/') => {
                FilePath { given, base: Base::Uncertain }
            }
            Some(given) => FilePath::current(given),
            None => return Decoded::Odd,
        },
    };
    if descriptor.is_none() {
        notes::leave(Sort::Open, &path.given, 0);
    }
    if mode.is_some() && access.changes() && is_directory_with_opener(&path.given) {
        return Decoded::Nothing;
    }
    if let Some(event) = tamper::process_memory(&path.given, access) {
        return Decoded::Event(event);
    }
    if copies::has_told_open(&path.given, !access.changes()) {
        return Decoded::Told;
    }
    // `io.open_code` is for the interpreter, and open to everybody.
    let by_interpreter = mode.is_some_and(|mode| mode.starts_with('r'))
        && flags == 0
        && (frames::caller() != frames::Caller::User || frames::is_starter_at_work());
    if by_interpreter || is_import_system_at_work(&path.given) {
        return Decoded::Nothing; // its import is recorded; bytecode is a cache
    }
    let event = Event { access, ..Event::new(Kind::Open, Target::Path { path, destination: None }) };
    if descriptor.is_some() { Decoded::OfOpenFile(event) } else { Decoded::Event(event) }
}

/// Python 3.12 opens a temporary file by naming its *directory* and an opener, which raises the event of the
/// file itself. Nothing else opens a directory for writing.
fn is_directory_with_opener(path: &[u8]) -> bool {
    frames::running_file_ends_with("tempfile.py")
        && std::fs::metadata(as_path(path)).is_ok_and(|found| found.is_dir())
}

fn as_path(path: &[u8]) -> &std::path::Path {
    std::path::Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(path))
}

/// How a file is opened: by the mode of a stream, by flags of open(2), or both.
pub fn access_of(mode: Option<&str>, flags: i32) -> Access {
    let mut access = match flags & libc::O_ACCMODE {
        libc::O_WRONLY => Access::WRITE,
        libc::O_RDWR => Access::READ.with(Access::WRITE),
        // C code that opens a stream gives a mode and no flags.
        _ if flags == 0 && mode.is_some_and(|mode| !mode.starts_with('r')) => Access::default(),
        _ => Access::READ,
    };
    for (flag, meaning) in
        [(libc::O_APPEND, Access::APPEND), (libc::O_CREAT, Access::CREATE), (libc::O_TRUNC, Access::WRITE)]
    {
        if flags & flag != 0 {
            access = access.with(meaning);
        }
    }
    for letter in mode.unwrap_or_default().bytes() {
        access = access.with(match letter {
            b'r' => Access::READ,
            b'w' | b'x' => Access::WRITE.with(Access::CREATE),
            b'a' => Access::APPEND.with(Access::CREATE),
            b'+' => Access::READ.with(Access::WRITE),
            _ => Access::default(),
        });
    }
    if starts_empty(mode, flags) { access.without(Access::READ) } else { access }
}

/// Whether nothing can be read but what is written: a new workbook is opened as `w+`, and nobody reads it.
fn starts_empty(mode: Option<&str>, flags: i32) -> bool {
    let is_new = flags & libc::O_CREAT != 0 && flags & libc::O_EXCL != 0;
    is_new || flags & libc::O_TRUNC != 0 || mode.is_some_and(|mode| mode.contains(['w', 'x']))
}

fn open_file(descriptor: i64) -> Option<Vec<u8>> {
    descriptor_path(i32::try_from(descriptor).ok()?).filter(|path| path.first() == Some(&b'/'))
}

/// The import system reads sources, writes bytecode and makes `__pycache__`: its imports tell of that. It also
/// looks into a script without an ending, for it may be an archive.
fn is_import_system_at_work(path: &[u8]) -> bool {
    let may_be = match path {
        [.., b'.', b'p', b'y'] | [.., b'.', b's', b'o'] => true,
        [.., b'.', a, b, c] => matches!(&[*a, *b, *c], b"pyc" | b"pyd" | b"zip" | b"pyz" | b"whl" | b"egg"),
        _ => !gnomon_core::paths::split(path).1.contains(&b'.'),
    };
    (may_be || is_bytecode_cache(path)) && frames::is_in_import_system()
}

/// `…/__pycache__`, or anything directly in it: bytecode is written under a name with a random ending.
fn is_bytecode_cache(path: &[u8]) -> bool {
    const NAME: &[u8] = b"__pycache__";
    let (directory, name) = gnomon_core::paths::split(path);
    let directory = directory.strip_suffix(b"/").unwrap_or(directory);
    name == NAME
        || directory.strip_suffix(NAME).is_some_and(|before| matches!(before.last(), None | Some(b'/')))
}

/// Argument `index` as a path, relative to the directory descriptor at `directory`.
fn path_at<'a>(args: Object<'a>, index: usize, directory: Option<usize>) -> Option<FilePath<'a>> {
    let value = args.item(index)?;
    if let Some(descriptor) = value.integer() {
        return open_file(descriptor).map(|path| FilePath::current(Cow::Owned(path)));
    }
    let given = value.path()?;
    let descriptor = directory.and_then(|index| args.item(index)?.integer()).unwrap_or(-1);
    let base = match i32::try_from(descriptor) {
        Ok(descriptor) if descriptor >= 0 && given.first() != Some(&b'/') => {
            descriptor_path(descriptor).map_or(Base::Uncertain, |path| Base::Directory(Cow::Owned(path)))
        }
        _ => Base::Current,
    };
    Some(FilePath { given, base })
}

/// Leaves word that an audit event told of this, whatever becomes of it here.
fn told(kind: Kind, path: &FilePath<'_>) {
    if let Some(sort) = Sort::of(kind) {
        notes::leave(sort, &path.given, 0);
    }
}

fn change<'a>(
    kind: Kind,
    path: Option<FilePath<'a>>,
    destination: Option<Option<FilePath<'a>>>,
) -> Decoded<'a> {
    let Some(path) = path else {
        return Decoded::Odd;
    };
    told(kind, &path);
    if is_import_system_at_work(&path.given) {
        return Decoded::Nothing;
    }
    let destination = match destination {
        Some(None) => return Decoded::Odd,
        Some(found) => found,
        None => None,
    };
    Decoded::Event(Event::new(kind, Target::Path { path, destination }))
}

pub fn remove(args: Object<'_>) -> Decoded<'_> {
    match path_at(args, 0, Some(1)) {
        // `Path.unlink(missing_ok=True)`
        Some(path) if is_on_disk(&path) == Some(false) => {
            told(Kind::Delete, &path);
            Decoded::Nothing
        }
        path => change(Kind::Delete, path, None),
    }
}

pub fn rename(args: Object<'_>) -> Decoded<'_> {
    change(Kind::Rename, path_at(args, 0, Some(2)), Some(path_at(args, 1, Some(3))))
}

pub fn mkdir(args: Object<'_>) -> Decoded<'_> {
    match path_at(args, 0, Some(2)) {
        // `os.makedirs(path, exist_ok=True)`
        Some(path) if is_on_disk(&path) == Some(true) => {
            told(Kind::Mkdir, &path);
            Decoded::Nothing
        }
        path => change(Kind::Mkdir, path, None),
    }
}

/// Whether there is something at `path`, a link counting as itself; `None` where that cannot be told. What is
/// there cannot be made, and what is not cannot be removed: such an attempt is habit, and changes nothing.
fn is_on_disk(path: &FilePath<'_>) -> Option<bool> {
    let found = match &path.base {
        Base::Current => std::fs::symlink_metadata(as_path(&path.given)),
        Base::Directory(directory) => {
            std::fs::symlink_metadata(as_path(directory).join(as_path(&path.given)))
        }
        Base::Uncertain | Base::Verbatim => return None,
    };
    match found {
        Ok(_) => Some(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(false),
        Err(_) => None,
    }
}

pub fn link(args: Object<'_>) -> Decoded<'_> {
    change(Kind::Link, path_at(args, 0, Some(2)), Some(path_at(args, 1, Some(3))))
}

/// The target is the text of the link, the destination the link itself.
pub fn symlink(args: Object<'_>) -> Decoded<'_> {
    let text = args.item(0).and_then(Object::path).map(|given| FilePath { given, base: Base::Verbatim });
    let written = Access::READ.with(Access::WRITE);
    let memory = text.as_ref().filter(|text| text.given.first() == Some(&b'/'));
    let memory = memory.and_then(|text| tamper::process_memory(&text.given, written));
    match (memory, change(Kind::Symlink, text, Some(path_at(args, 1, Some(2))))) {
        (Some(memory), Decoded::Event(event)) => Decoded::Reaching(memory, event),
        (_, decoded) => decoded,
    }
}

/// A descriptor that is no file on disk (a pipe) is of no interest.
fn change_of_open_file(kind: Kind, args: Object<'_>, directory: Option<usize>) -> Decoded<'_> {
    let path = path_at(args, 0, directory);
    if !is_descriptor(args) {
        return change(kind, path, None);
    }
    let target = |path| Target::Path { path, destination: None };
    path.map_or(Decoded::Nothing, |path| Decoded::OfOpenFile(Event::new(kind, target(path))))
}

/// Whether the first argument is the descriptor of a file that is open.
fn is_descriptor(args: Object<'_>) -> bool {
    args.item(0).is_some_and(|value| value.integer().is_some())
}

/// A change of what is known about a file. Where shutil copies it, the copy has told it.
fn change_of_state(kind: Kind, args: Object<'_>, directory: Option<usize>) -> Decoded<'_> {
    if let Some(path) = args.item(0).and_then(Object::path) {
        told(kind, &FilePath::current(Cow::Borrowed(&path)));
        if copies::has_told_state(&path) {
            return Decoded::Told;
        }
    }
    change_of_open_file(kind, args, directory)
}

/// `os.chmod(path, mode, dir_fd)`.
pub fn chmod(args: Object<'_>) -> Decoded<'_> {
    change_of_state(Kind::Chmod, args, Some(2))
}

/// `os.chflags(path, flags)`, on BSD and macOS.
pub fn chflags(args: Object<'_>) -> Decoded<'_> {
    change_of_state(Kind::Chmod, args, None)
}

/// `os.chown(path, uid, gid, dir_fd)`: the detail is `uid:gid`, `-1` for what stays.
pub fn chown(args: Object<'_>) -> Decoded<'_> {
    let id = |index| args.item(index).and_then(Object::integer).filter(|id| *id != i64::from(u32::MAX));
    let ids = format!("{}:{}", id(1).unwrap_or(-1), id(2).unwrap_or(-1));
    with_detail(change_of_state(Kind::Chown, args, Some(3)), ids.into_bytes())
}

/// `os.utime(path, times, ns, dir_fd)`. An archive that is unpacked sets the times of what it makes.
pub fn utime(args: Object<'_>) -> Decoded<'_> {
    if frames::running_file_ends_with("/tarfile.py") {
        if let Some(path) = args.item(0).and_then(Object::path) {
            told(Kind::Utime, &FilePath::current(path));
        }
        return Decoded::Told;
    }
    change_of_state(Kind::Utime, args, Some(3))
}

/// `os.setxattr(path, attribute, value, flags)`: the detail is `set ATTRIBUTE`.
pub fn setxattr(args: Object<'_>) -> Decoded<'_> {
    xattr(args, b"set ")
}

/// `os.removexattr(path, attribute)`: the detail is `remove ATTRIBUTE`.
pub fn removexattr(args: Object<'_>) -> Decoded<'_> {
    xattr(args, b"remove ")
}

fn xattr<'a>(args: Object<'a>, how: &[u8]) -> Decoded<'a> {
    let attribute = args.item(1).and_then(Object::path).unwrap_or_default();
    with_detail(change_of_state(Kind::Xattr, args, None), [how, &attribute].concat())
}

fn with_detail(decoded: Decoded<'_>, detail: Vec<u8>) -> Decoded<'_> {
    match decoded {
        Decoded::Event(event) => Decoded::Event(event.with_detail(detail)),
        Decoded::OfOpenFile(event) => Decoded::OfOpenFile(event.with_detail(detail)),
        other => other,
    }
}

/// `os.listdir(path or None)` and `os.scandir(path, descriptor or None)`; a walk and a glob are listings too.
pub fn list(args: Object<'_>) -> Decoded<'_> {
    let path = match args.item(0) {
        Some(current) if current.is_none() => FilePath::current(Cow::Borrowed(&b"."[..])),
        Some(_) => match path_at(args, 0, None) {
            Some(path) => path,
            None if is_descriptor(args) => return Decoded::Nothing,
            None => return Decoded::Odd,
        },
        None => return Decoded::Odd,
    };
    if !is_descriptor(args) {
        told(Kind::List, &path);
    }
    if path.given.first() == Some(&b'/')
        && !session::recorder().is_some_and(|recorder| matters(recorder, &path.given))
    {
        return Decoded::Nothing; // the pipeline would say the same, but first ask for the origin
    }
    if is_module_search() || copies::has_told_list() {
        return Decoded::Nothing;
    }
    let event = Event::new(Kind::List, Target::Path { path, destination: None });
    if is_descriptor(args) { Decoded::OfOpenFile(event) } else { Decoded::Event(event) }
}

/// Whether the listing of an absolute path is kept, or may be denied.
fn matters(recorder: &Recorder, path: &[u8]) -> bool {
    recorder.interest().keeps_list(path)
        || recorder.policy().is_some_and(|policy| policy.concerns(Kind::List))
}

/// Whether modules or installed packages are being looked for.
fn is_module_search() -> bool {
    frames::is_in_import_system()
        || frames::running_file_ends_with("/importlib/metadata/__init__.py")
        || frames::running_file_ends_with("/importlib/metadata.py") // 3.9
        || frames::running_file_ends_with("/pkgutil.py")
}

/// `mmap.__new__(descriptor, length, access, offset)`; without a descriptor it is only memory.
pub fn map(args: Object<'_>) -> Decoded<'_> {
    let (Some(descriptor), Some(wanted)) =
        (args.item(0).and_then(Object::integer), args.item(2).and_then(Object::integer))
    else {
        return Decoded::Odd;
    };
    let Some(path) = open_file(descriptor).filter(|path| !path.ends_with(b" (deleted)")) else {
        return Decoded::Nothing;
    };
    const READ: i64 = 1;
    const COPY: i64 = 3; // what is written stays in memory
    let is_read_only = matches!(wanted, READ | COPY) || !is_writable(descriptor);
    let access = if is_read_only { Access::READ } else { Access::READ.with(Access::WRITE) };
    let target = Target::Path { path: FilePath::current(Cow::Owned(path)), destination: None };
    Decoded::Event(Event { access, ..Event::new(Kind::Map, target) })
}

/// Whether a file is open for writing: what a mapping without a stated access may do.
fn is_writable(descriptor: i64) -> bool {
    let Ok(descriptor) = i32::try_from(descriptor) else { return false };
    gnomon_core::process::is_writable(descriptor)
}

pub fn truncate(args: Object<'_>) -> Decoded<'_> {
    change_of_open_file(Kind::Truncate, args, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bytecode_cache_is_known_by_the_last_two_names() {
        assert!(is_bytecode_cache(b"/home/ann/__pycache__"));
        assert!(is_bytecode_cache(b"__pycache__/a.cpython-312.pyc.140217"));
        assert!(!is_bytecode_cache(b"/home/ann/__pycache__/x/y"));
        assert!(!is_bytecode_cache(b"/home/ann/my__pycache__"));
    }

    #[test]
    fn access_comes_from_mode_and_flags() {
        let cloexec = libc::O_CLOEXEC;
        for (mode, flags, expected) in [
            (Some("r"), cloexec, "read"),
            (Some("rb+"), cloexec | libc::O_RDWR, "read+write"),
            (Some("w"), cloexec | libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC, "write+create"),
            (Some("x"), cloexec | libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL, "write+create"),
            (Some("a"), cloexec | libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND, "write+append+create"),
            (Some("a"), 0, "append+create"),
            (Some("rb"), 0, "read"),
            (None, libc::O_RDONLY, "read"),
            (None, libc::O_WRONLY | libc::O_APPEND, "write+append"),
            (None, libc::O_RDWR | libc::O_CREAT, "read+write+create"),
            (None, libc::O_RDWR | libc::O_CREAT | libc::O_EXCL, "write+create"),
            (None, libc::O_RDONLY | libc::O_TRUNC, "write"),
            (Some("w+b"), cloexec | libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC, "write+create"),
            (Some("a+"), libc::O_RDWR | libc::O_CREAT | libc::O_APPEND, "read+write+append+create"),
        ] {
            assert_eq!(access_of(mode, flags).name(), expected, "{mode:?} {flags:o}");
        }
    }
}
