//! Who a process is, and what it runs: facts taken once, when it starts, from the operating system.
//!
//! Everything here is cheap enough for every interpreter start: a handful of small reads, no name service
//! (asking one may open sockets), nothing that can block on another machine.

use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::Read as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::buffer::spare_capacity;
use rustix::fs::{Dir, DirEntry, Mode, OFlags};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::privacy::{Privacy, hidden};
use crate::record::VerdictView;
use crate::redact;
use crate::text::{Bytes, Pieces};
use crate::verdict::Action;

/// Scripts up to this size are hashed when they start; a larger one (a fat zipapp) has no hash.
pub const MAX_HASHED_BYTES: u64 = 16 * 1024 * 1024;
/// Longest argument that is kept whole.
pub const MAX_TEXT_BYTES: usize = 4096;
/// How much of a command line is kept: together with everything else it fits into one record.
const MAX_COMMAND_BYTES: usize = 16 * 1024;

/// One run of an interpreter (or of `gnomon run` itself), as stored in the first record of its segments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Description {
    /// `python`, or `run` for the command that watched a program.
    pub role: String,
    /// The recorded process that this one descends from, as its environment says; see also `parent_pid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<Uuid>,
    /// The `gnomon run` it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<Uuid>,
    pub pid: u32,
    pub parent_pid: u32,
    /// Clock ticks from boot to the start of the process: with the pid, unique until the next boot.
    pub started_ticks: u64,
    pub parent_started_ticks: u64,
    /// The parent's short name: `bash`, `cron`, `jupyter-lab`.
    pub parent_name: Bytes,
    pub uid: u32,
    /// Empty where the account is in no local file.
    pub user: String,
    /// The account's groups, by name as the local file has them, and by number.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    pub host: String,
    pub machine: String,
    pub boot: String,
    /// The kernel's number for the pid namespace: pids mean something only within it.
    pub pid_namespace: u64,
    pub executable: Bytes,
    /// As in `3.12.1`; empty for a process that is no interpreter.
    pub python: String,
    pub implementation: String,
    /// The virtual environment's directory, empty without one.
    pub environment: Bytes,
    pub argv: Vec<Bytes>,
    pub directory: Bytes,
    /// Nanoseconds since 1970 when recording started, some milliseconds after the process did.
    pub started: u64,
    /// The writer's version.
    pub gnomon: String,
    /// A child that started by fork goes on with what its parent ran.
    pub forked: bool,
    /// Whether an event raised on purpose reached the hook: `None` where there is no hook, or from an older writer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hook_proven: Option<bool>,
    /// It is recorded because the machine's owner said so, whatever its environment says.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub managed: bool,
    /// `on` where calls of native code are told of; otherwise why not: `off`, `unsupported`, `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native: Option<String>,
    /// The file of the spool that lists the hooks which ran before the program ([`crate::startup`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub startup: Option<String>,
    /// What brought gnomon into the process: `preload`, `start` (a sitecustomize) or `asked` (the program itself). `None`
    /// for one that is no interpreter, or from an older writer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loaded: Option<String>,
}

/// What a process runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Script {
    /// `file`, `module`, `command`, `stdin`, `archive`, `directory`, `kernel` or `interactive`.
    pub form: String,
    /// The file's path, the module's name, the start of the command.
    pub name: Bytes,
    /// The file that holds the code, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<Bytes>,
    /// That file without symlinks, where it is another and a policy wants to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved: Option<Bytes>,
    /// Hexadecimal SHA-256 of the file or command when it started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Nanoseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified: Option<i64>,
    /// What policy said of its start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<ScriptVerdict>,
}

/// A [`crate::verdict::Verdict`] on the start of a script, as stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScriptVerdict {
    /// The action's number.
    pub action: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    pub is_stopped: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow: Option<(u8, String)>,
}

impl ScriptVerdict {
    /// As the verdict of a record; `None` for an action of a later writer.
    #[must_use]
    pub fn view(&self) -> Option<VerdictView<'_>> {
        fn pieces(text: &str) -> Pieces<'_> {
            Pieces(text.as_bytes(), &[])
        }
        let shadow = self.shadow.as_ref();
        Some(VerdictView {
            action: Action::from_number(self.action)?,
            rule: self.rule.as_deref().map(pieces),
            is_stopped: self.is_stopped,
            reason: self.reason.as_deref().map(pieces),
            shadow: shadow.and_then(|(action, rule)| Some((Action::from_number(*action)?, pieces(rule)))),
        })
    }
}

/// A new process id: UUIDv7, so ids sort by start time and are unique across machines. It sorts after the id
/// of the ancestor `after` even when the clock was set back meanwhile.
#[must_use]
pub fn new_id(after: Option<Uuid>) -> Uuid {
    const LATEST: u64 = (1 << 48) - 1;
    let mut random = [0_u8; 10];
    if rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::NONBLOCK).is_err() {
        // Before the kernel's pool is ready (early boot): the standard library's own seed.
        let state = RandomState::new();
        for (at, chunk) in random.chunks_mut(8).enumerate() {
            let mut hasher = state.build_hasher();
            hasher.write_usize(at);
            chunk.copy_from_slice(hasher.finish().to_le_bytes().get(..chunk.len()).unwrap_or_default());
        }
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
    let earliest = after.map_or(0, |ancestor| (ancestor.as_u128() >> 80) as u64 + 1);
    uuid::Builder::from_unix_timestamp_millis(now.max(earliest).min(LATEST), &random).into_uuid()
}

impl Description {
    /// What the operating system says of the current process, but for its executable: an interpreter knows its
    /// own. `started` is nanoseconds since 1970.
    #[must_use]
    pub fn of_this_process(started: u64) -> Self {
        let pid = std::process::id();
        let own = Stat::of(pid);
        let parent_pid = own.parent;
        let parent = Stat::of(parent_pid);
        let uid = rustix::process::getuid().as_raw();
        Self {
            role: "python".to_owned(),
            pid,
            parent_pid,
            started_ticks: own.started_ticks,
            parent_started_ticks: parent.started_ticks,
            parent_name: Bytes(parent.name.into_bytes()),
            uid,
            user: user_name(uid).unwrap_or_default(),
            groups: groups(),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            machine: machine(),
            boot: boot(),
            pid_namespace: pid_namespace(),
            argv: command_line(),
            directory: Bytes(current_directory().unwrap_or_default()),
            started,
            gnomon: env!("CARGO_PKG_VERSION").to_owned(),
            ..Self::default()
        }
    }

    /// The same as it may be stored: paths without secrets, accounts under a pseudonym. The command line is
    /// without secrets already.
    #[must_use]
    pub fn as_stored(mut self, privacy: Option<&Privacy>) -> Self {
        for path in [&mut self.executable, &mut self.environment, &mut self.directory] {
            *path = capped(&path.0);
            hide(path, privacy);
        }
        self.argv.iter_mut().for_each(|argument| hide(argument, privacy));
        if let Some(privacy) = privacy {
            // An account often has a group of its own name.
            self.groups.retain(|group| *group != self.user);
            self.user = privacy.user(&self.user);
        }
        self
    }

    /// The same process once it goes on as the user `uid`.
    #[must_use]
    pub fn as_user(&self, uid: u32, privacy: Option<&Privacy>) -> Self {
        let user = user_name(uid).unwrap_or_default();
        let user = privacy.map_or(user.clone(), |privacy| privacy.user(&user));
        Self { uid, user, groups: groups(), ..self.clone() }
    }

    /// The same program after a fork: a new pid, and the parent is the process that forked.
    #[must_use]
    pub fn of_forked_child(&self, parent: Uuid, started: u64) -> Self {
        let pid = std::process::id();
        let own = Stat::of(pid);
        let uid = rustix::process::getuid().as_raw();
        // A service's worker may have given up root's rights before it has anything to record.
        let same = if uid == self.uid { self.clone() } else { self.as_user(uid, None) };
        Self {
            parent: Some(parent),
            pid,
            parent_pid: self.pid,
            started_ticks: own.started_ticks,
            parent_started_ticks: self.started_ticks,
            parent_name: Bytes(own.name.into_bytes()),
            started,
            forked: true,
            ..same
        }
    }
}

impl Script {
    /// What is known of the file at `path` now; scripts may delete themselves later.
    #[must_use]
    pub fn of_file(form: &str, name: &[u8], path: &[u8]) -> Self {
        let mut script =
            Self { form: form.to_owned(), name: capped(name), file: Some(capped(path)), ..Self::default() };
        let path = Path::new(std::ffi::OsStr::from_bytes(path));
        let Ok(metadata) = fs::metadata(path) else {
            return script;
        };
        script.owner_uid = Some(metadata.uid());
        script.owner = user_name(metadata.uid());
        script.modified =
            Some(metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec()));
        // Only a regular file: opening and closing a pipe would take its writer's reader away.
        if metadata.is_file() {
            script.size = Some(metadata.len());
            script.sha256 = open_regular(path).and_then(|mut file| hashed(&mut file, metadata.len()));
        }
        script
    }

    /// The same as it may be stored: accounts under a pseudonym. Secrets never come this far.
    #[must_use]
    pub fn as_stored(mut self, privacy: Option<&Privacy>) -> Self {
        hide(&mut self.name, privacy);
        self.file.iter_mut().chain(&mut self.resolved).for_each(|file| hide(file, privacy));
        if let Some(reason) = self.verdict.as_mut().and_then(|verdict| verdict.reason.as_mut()) {
            let mut text = capped(reason.as_bytes());
            hide(&mut text, privacy);
            *reason = String::from_utf8_lossy(&text.0).into_owned();
        }
        if let Some(privacy) = privacy {
            self.owner = self.owner.map(|owner| privacy.user(&owner));
        }
        self
    }

    /// The same by the file that symlinks lead to: what rules look at.
    #[must_use]
    pub fn as_resolved(&self) -> Self {
        let file = self.resolved.clone().or_else(|| self.file.clone());
        Self { file, resolved: None, ..self.clone() }
    }

    /// A command given as text (`-c`).
    #[must_use]
    pub fn of_command(code: &[u8]) -> Self {
        Self {
            form: "command".to_owned(),
            name: capped(code),
            sha256: Some(hex(&Sha256::digest(code))),
            size: Some(code.len() as u64),
            ..Self::default()
        }
    }

    /// What has a name and no content to look at (a module not found yet, standard input).
    #[must_use]
    pub fn named(form: &str, name: &[u8]) -> Self {
        Self { form: form.to_owned(), name: capped(name), ..Self::default() }
    }
}

/// Puts homes in `text` under a pseudonym, where that is wanted.
pub(crate) fn hide(text: &mut Bytes, privacy: Option<&Privacy>) {
    if let Some(Cow::Owned(hidden)) = privacy.map(|privacy| privacy.hidden(&text.0)) {
        text.0 = hidden;
    }
}

/// `text` as stored: without secrets, not longer than the cap, and marked where it was cut.
#[must_use]
pub fn capped(text: &[u8]) -> Bytes {
    Bytes(redact::cut(text, MAX_TEXT_BYTES).into_owned())
}

/// A command line as stored: without secrets, homes under a pseudonym, long arguments cut, what goes beyond the cap replaced by one `…`.
#[must_use]
pub fn stored_command<'a>(
    arguments: impl IntoIterator<Item = Cow<'a, [u8]>>,
    privacy: Option<&Privacy>,
) -> Vec<Cow<'a, [u8]>> {
    let mut kept = Vec::new();
    let mut room = MAX_COMMAND_BYTES;
    let mut command = redact::Command::default();
    for argument in arguments {
        let argument = hidden(command.next(argument, MAX_TEXT_BYTES), privacy);
        // Five bytes more: an empty argument takes place too.
        let Some(rest) = room.checked_sub(argument.len() + 5) else {
            kept.push(Cow::Borrowed("…".as_bytes()));
            break;
        };
        room = rest;
        kept.push(argument);
    }
    kept
}

/// The file that this process executes, as the kernel names it.
#[must_use]
pub fn executable() -> Option<Vec<u8>> {
    fs::read_link("/proc/self/exe").ok().map(|path| path.into_os_string().into_vec())
}

/// The current directory as the kernel names it.
#[must_use]
pub fn current_directory() -> Option<Vec<u8>> {
    rustix::process::getcwd(Vec::new()).ok().map(std::ffi::CString::into_bytes)
}

/// The file that `program` names: itself where it has a slash, or the first of that name in the directories of
/// `search_path` that can be executed.
#[must_use]
pub fn find_program(program: &[u8], search_path: &[u8]) -> Option<Vec<u8>> {
    if program.contains(&b'/') || program.is_empty() {
        return None;
    }
    let directories =
        search_path.split(|byte| *byte == b':').filter(|directory| directory.first() == Some(&b'/'));
    let mut candidates = directories.map(|directory| [directory, b"/", program].concat());
    candidates.find(|path| rustix::fs::access(path.as_slice(), rustix::fs::Access::EXEC_OK).is_ok())
}

/// What an open descriptor of this process refers to: a path, or a word as `pipe:[4711]`.
#[must_use]
pub fn descriptor_path(descriptor: i32) -> Option<Vec<u8>> {
    fs::read_link(format!("/proc/self/fd/{descriptor}")).ok().map(|path| path.into_os_string().into_vec())
}

/// Names and versions of the distributions installed in `directory`, sorted, as `name-version`.
///
/// One directory listing: a distribution is a `NAME-VERSION.dist-info` entry (PEP 376), an older one an
/// `.egg-info`. No file is opened, and the directory not by opendir(3), which allocates in libc: this may run where
/// that may not be.
#[must_use]
pub fn distributions(directory: &[u8]) -> Vec<String> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let open = || Dir::new(rustix::fs::open(directory, flags, Mode::empty()).ok()?).ok();
    let mut found: Vec<String> =
        open().into_iter().flatten().filter_map(|entry| stem(&entry.ok()?)).collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn stem(entry: &DirEntry) -> Option<String> {
    let name = entry.file_name().to_str().ok()?;
    Some(name.strip_suffix(".dist-info").or_else(|| name.strip_suffix(".egg-info"))?.to_owned())
}

#[derive(Default)]
struct Stat {
    name: String,
    parent: u32,
    started_ticks: u64,
}

impl Stat {
    /// Fields 2, 4 and 22 of `/proc/PID/stat` (proc(5)); empty and zeros where it cannot be read.
    fn of(pid: u32) -> Self {
        let line = read_small(&format!("/proc/{pid}/stat")).unwrap_or_default();
        Self::parsed(&line).unwrap_or_default()
    }

    fn parsed(line: &str) -> Option<Self> {
        // The name may hold spaces and brackets: it ends at the last one. The kernel escapes two bytes in it.
        let (start, rest) = line.rsplit_once(')')?;
        let (_, name) = start.split_once('(')?;
        let mut fields = rest.split_ascii_whitespace();
        Some(Self {
            name: name.split("\\\\").map(|part| part.replace("\\n", "\n")).collect::<Vec<_>>().join("\\"),
            parent: fields.nth(1).and_then(|field| field.parse().ok()).unwrap_or(0),
            started_ticks: fields.nth(17).and_then(|field| field.parse().ok()).unwrap_or(0),
        })
    }
}

/// The id of this installation of the operating system; empty where it has none.
#[must_use]
pub fn machine() -> String {
    first_line("/etc/machine-id")
}

/// The id that the kernel gave itself when this machine (or virtual machine) started.
#[must_use]
pub fn boot() -> String {
    first_line("/proc/sys/kernel/random/boot_id")
}

/// The number of this process's pid namespace; 0 where it cannot be told.
#[must_use]
pub fn pid_namespace() -> u64 {
    fs::metadata("/proc/self/ns/pid").map_or(0, |found| found.ino())
}

/// When a process with this pid started, in clock ticks from boot; `None` where none runs.
#[must_use]
pub fn started_ticks(pid: u32) -> Option<u64> {
    Some(Stat::of(pid).started_ticks).filter(|ticks| *ticks != 0)
}

/// A file that is text and no longer than 64 KB, or its start. A read that does not fill its buffer is the last
/// one, both of a regular file and of what /proc makes up: asking for the end once more is a system call each.
fn read_small(path: &str) -> Option<String> {
    Some(lossy(read_start(path)?))
}

/// Bytes as text. What is no UTF-8 is rare, and to look for it one character at a time is dear.
fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|found| String::from_utf8_lossy(found.as_bytes()).into_owned())
}

fn read_start(path: &str) -> Option<Vec<u8>> {
    const PIECE: usize = 4096;
    let file = fs::File::open(path).ok()?;
    let mut bytes = Vec::with_capacity(PIECE);
    while bytes.len() < 64 * 1024 {
        bytes.reserve(PIECE);
        let room = bytes.capacity() - bytes.len();
        if rustix::io::read(&file, spare_capacity(&mut bytes)).ok()? < room {
            break;
        }
    }
    Some(bytes)
}

fn first_line(path: &str) -> String {
    read_small(path).unwrap_or_default().lines().next().unwrap_or_default().to_owned()
}

/// The name of `uid` in the local account file. Directory services are not asked from a watched process.
#[must_use]
pub fn user_name(uid: u32) -> Option<String> {
    account(uid).map(|(name, _)| name)
}

/// The name and home directory of `uid` in the local account file.
#[must_use]
pub fn account(uid: u32) -> Option<(String, String)> {
    let accounts = read_start("/etc/passwd")?;
    let mut entries = entries(&accounts);
    let (name, _, mut rest) = entries.find(|(_, number, _)| *number == uid)?;
    Some((lossy(name.to_vec()), lossy(rest.nth(2)?.to_vec())))
}

/// Name, number and the fields behind it of each entry of a local file of accounts or of groups.
fn entries(file: &[u8]) -> impl Iterator<Item = (&[u8], u32, impl Iterator<Item = &[u8]>)> {
    file.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        let name = fields.next()?;
        let number = fields.nth(1).filter(|digits| !digits.is_empty())?;
        let number = number.iter().try_fold(0_u32, |number, digit| {
            let digit = char::from(*digit).to_digit(10)?;
            number.checked_mul(10)?.checked_add(digit)
        })?;
        Some((name, number, fields))
    })
}

/// The names and numbers of the groups that this process is in, as the local file of groups has them.
#[must_use]
pub fn groups() -> Vec<String> {
    let mut numbers: Vec<u32> =
        rustix::process::getgroups().unwrap_or_default().iter().map(|id| id.as_raw()).collect();
    numbers.push(rustix::process::getgid().as_raw());
    numbers.sort_unstable();
    numbers.dedup();
    let file = read_start("/etc/group").unwrap_or_default();
    let named = entries(&file).filter(|(_, number, _)| numbers.contains(number));
    named.map(|(name, ..)| lossy(name.to_vec())).chain(numbers.iter().map(u32::to_string)).collect()
}

/// The arguments that the process was started with. Where the C library does not tell them to a library that
/// is loaded later (musl), the kernel does, for twenty times the price.
fn command_line() -> Vec<Bytes> {
    let told = std::env::args_os().map(|argument| Cow::Owned(argument.into_vec()));
    let mut arguments = stored_command(told, None);
    let bytes;
    if arguments.is_empty() {
        bytes = read_start("/proc/self/cmdline").unwrap_or_default();
        let bytes = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
        arguments = stored_command(bytes.split(|byte| *byte == 0).map(Cow::Borrowed), None);
    }
    arguments.into_iter().map(|argument| Bytes(argument.into_owned())).collect()
}

/// A file to look into, which never blocks should it have become something else meanwhile.
fn open_regular(path: &Path) -> Option<fs::File> {
    fs::OpenOptions::new()
        .read(true)
        .custom_flags((OFlags::NONBLOCK | OFlags::CLOEXEC).bits().cast_signed())
        .open(path)
        .ok()
}

fn hashed(file: &mut fs::File, size: u64) -> Option<String> {
    if size > MAX_HASHED_BYTES {
        return None;
    }
    let mut hasher = Sha256::new();
    let mut chunk = vec![0_u8; 64 * 1024];
    let mut left = size;
    while left > 0 {
        let read = file.read(&mut chunk).ok()?;
        if read == 0 {
            break;
        }
        hasher.update(chunk.get(..read)?);
        left = left.saturating_sub(read as u64);
    }
    Some(hex(&hasher.finalize()))
}

/// Whether `descriptor` is open for writing.
#[must_use]
pub fn is_writable(descriptor: i32) -> bool {
    let info = read_small(&format!("/proc/self/fdinfo/{descriptor}")).unwrap_or_default();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| flags & 3 != 0)
}

/// The SHA-256 of `bytes`; `None` for more than a watched program should wait for.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Option<[u8; 32]> {
    (bytes.len() as u64 <= MAX_HASHED_BYTES).then(|| Sha256::digest(bytes).into())
}

/// `bytes` in hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| DIGITS.get(usize::from(value)).map_or('0', |byte| char::from(*byte));
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_process_is_described_as_the_system_sees_it() {
        let found = Description::of_this_process(7);
        assert_eq!(found.pid, std::process::id());
        assert_eq!(found.parent_pid, std::os::unix::process::parent_id());
        assert_eq!(Some(found.started_ticks), started_ticks(found.pid));
        assert!(!found.argv.is_empty() && !found.directory.0.is_empty() && !found.parent_name.0.is_empty());
    }

    #[test]
    fn a_name_may_hold_what_ends_it_and_what_the_kernel_escapes() {
        let line = "7 (a) b\\\\n\\nd) S 3 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 99";
        let found = Stat::parsed(line).unwrap();
        assert_eq!((found.name.as_str(), found.parent, found.started_ticks), ("a) b\\n\nd", 3, 4711));
        assert!(Stat::parsed("").is_none());
    }

    #[test]
    fn ids_are_version_7_and_differ() {
        let (first, second) = (new_id(None), new_id(None));
        assert_ne!(first, second);
        assert_eq!(first.get_version_num(), 7);
    }

    #[test]
    fn an_id_sorts_after_its_ancestors_whatever_the_clock_says() {
        let ancestor = Uuid::parse_str("ffffffff-0000-7000-8000-000000000000").unwrap();
        assert!(new_id(Some(ancestor)) > ancestor);
        assert_eq!(new_id(Some(Uuid::max())).get_version_num(), 7);
    }

    #[test]
    fn a_script_is_hashed_as_it_is_now() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.py");
        std::fs::write(&path, "print(1)\n").unwrap();
        let script = Script::of_file("file", b"a.py", path.as_os_str().as_bytes());
        assert_eq!(script.size, Some(9));
        // sha256sum of the same nine bytes
        assert_eq!(script.sha256.unwrap().len(), 64);
        assert_eq!(script.owner_uid, Some(rustix::process::getuid().as_raw()));
        assert_eq!(Script::of_file("file", b"b", b"/nonexistent").sha256, None);
    }

    #[test]
    fn long_text_is_cut_and_marked() {
        assert_eq!(capped(b"abc").0, b"abc");
        let cut = capped(&[b'x'; MAX_TEXT_BYTES + 1]).0;
        assert!(cut.ends_with("…".as_bytes()) && cut.len() == MAX_TEXT_BYTES + 3);
    }

    #[test]
    fn a_long_command_line_is_cut_and_marked() {
        let many = stored_command((0..100_000).map(|_| Cow::Borrowed(&b"x"[..])), None);
        assert!(many.len() < 4096 && many.last().unwrap().as_ref() == "…".as_bytes());
        let long = vec![b'x'; 1 << 20];
        let one = stored_command([Cow::Borrowed(&b"cat"[..]), Cow::Borrowed(&long[..])], None);
        assert_eq!(one.len(), 2);
        assert!(one[1].len() < 5000);
    }

    #[test]
    fn distributions_are_the_names_of_dist_info_directories() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["pandas-2.2.3.dist-info", "pandas", "six-1.16.0.egg-info"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        assert_eq!(distributions(folder.path().as_os_str().as_bytes()), ["pandas-2.2.3", "six-1.16.0"]);
    }
}
