//! Whose code an address is: the loaded shared objects, by where they lie, with the distribution that each is part of.

use std::sync::OnceLock;

use gnomon_core::interest::installed_root;
use gnomon_core::origin::Origin;
use gnomon_core::paths;
use gnomon_core::pipeline::Recorder;
use gnomon_core::spool::swap::Swap;

/// One shared object. Never freed: calls from it may be under way.
#[derive(Debug)]
pub struct Module {
    /// As the loader calls it.
    name: Vec<u8>,
    /// Its file.
    pub path: Vec<u8>,
    /// The interpreter, and the modules of its own library: audit events tell of most that these do.
    pub is_interpreter: bool,
    /// The functions of the OpenSSL that it calls, if it calls one.
    pub tls: OnceLock<Tls>,
    /// What is known of a call without looking at Python's frames.
    pub origin: Origin,
}

/// Addresses of OpenSSL's functions; 0 where there is none of that name.
#[derive(Clone, Copy, Debug)]
pub struct Tls {
    pub write: usize,
    pub write_ex: usize,
    pub read: usize,
    pub read_ex: usize,
    pub free: usize,
    pub server_name: usize,
    /// `ERR_new` and `ERR_set_error`; before OpenSSL 3, `ERR_put_error`.
    pub new_error: usize,
    pub set_error: usize,
    pub put_error: usize,
}

/// The addresses from `start` up to `end`, which are `module`'s.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    pub start: usize,
    pub end: usize,
    pub module: &'static Module,
    /// How often it has to be visited again: the loader was at work on it.
    pub visits_left: u8,
}

/// In place of how often it has to be visited again: it was unloaded, and is new when it comes again.
pub const UNLOADED: u8 = u8::MAX;

/// Sorted by where they start.
static TABLE: Swap<Vec<Range>> = Swap::new();

/// The module whose code is at `address`.
#[must_use]
pub fn at(address: usize) -> Option<&'static Module> {
    let table = TABLE.get()?;
    let after = table.partition_point(|range| range.start <= address);
    let range = table.get(after.checked_sub(1)?)?;
    (address < range.end).then_some(range.module)
}

/// Adds modules that were loaded. One that lies where another was takes its place: that one was unloaded. Returns false
/// where every slot is in use, as calls are under way in all earlier tables at once.
pub fn add(ranges: Vec<Range>) -> bool {
    let mut table: Vec<Range> = TABLE.get().map(|table| table.to_vec()).unwrap_or_default();
    table.retain(|old| ranges.iter().all(|new| old.end <= new.start || new.end <= old.start));
    table.extend(ranges);
    table.sort_unstable_by_key(|range| range.start);
    TABLE.replace(table).is_ok()
}

/// Notes which modules are no longer loaded: all that do not start at one of `starts`.
pub fn retain(starts: &[usize]) {
    let Some(mut table) = TABLE.get().map(|table| table.to_vec()) else { return };
    let is_gone = |range: &&mut Range| !starts.contains(&range.start);
    table.iter_mut().filter(is_gone).for_each(|range| range.visits_left = UNLOADED);
    let _ = TABLE.replace(table);
}

/// What is known of the module that the loader calls `name`, at `start`, and how often it is to be visited again.
#[must_use]
pub fn known(start: usize, name: &[u8]) -> Option<(&'static Module, u8)> {
    let table = TABLE.get()?;
    let found = table.get(table.binary_search_by_key(&start, |range| range.start).ok()?)?;
    (found.module.name == name).then_some((found.module, found.visits_left))
}

/// What is known of the shared object that the loader calls `name`; `is_python` where it holds the interpreter.
#[must_use]
pub fn describe(recorder: &Recorder, name: Vec<u8>, is_python: bool) -> Module {
    // `numpy/_core/../../numpy.libs/…`, as one that was looked for beside another is called.
    let path = if paths::climbs(&name) { recorder.real_path(&name) } else { name.clone() };
    let interest = recorder.interest();
    let distribution = installed_root(&path).and_then(|root| {
        let (root, below) = path.split_at_checked(root)?;
        distribution(recorder, root, below.strip_prefix(b"/").unwrap_or(below))
    });
    let is_standard = distribution.is_none() && interest.library_root(&path).is_some();
    let is_interpreter = is_python || is_standard;
    let via = distribution.as_deref().and_then(whole_of).map(str::to_owned);
    let origin = Origin { distribution, via, object: Some(path.clone()), ..Origin::default() }.hashed();
    Module { name, path, is_interpreter, tls: OnceLock::new(), origin }
}

/// The distribution that `part` is the native half of: who uses it knows the whole by name only.
fn whole_of(part: &str) -> Option<&str> {
    const WHOLES: [(&str, &str); 3] =
        [("polars_runtime", "polars"), ("psycopg_binary", "psycopg"), ("psycopg_c", "psycopg")];
    let name = part.replace('-', "_");
    WHOLES.into_iter().find(|(start, _)| name.starts_with(start)).map(|(_, whole)| whole)
}

/// The distribution that brought the shared object at `path` below `root`. What it brought along for others lies in a
/// directory called after it (`numpy.libs`, as auditwheel makes it).
fn distribution(recorder: &Recorder, root: &[u8], path: &[u8]) -> Option<String> {
    let (directory, _) = paths::split(path);
    let top = directory.split(|byte| *byte == b'/').next().unwrap_or_default();
    match top.strip_suffix(b".libs") {
        Some(name) => recorder.distribution(root, &[name, b"/__init__.py"].concat()),
        None => recorder.distribution(root, path),
    }
}
