//! shutil: a copy is one operation, and what it does beneath to get there is told with it.

use std::cell::Cell;
use std::hash::BuildHasher as _;

use gnomon_core::event::{Event, FilePath, Kind, Target};

use super::Decoded;
use crate::capi::Object;
use crate::frames;

const SHUTIL: &str = "/shutil.py";

/// What shutil was last asked to do on this thread: hashes of paths, 0 for none.
#[derive(Clone, Copy, Default)]
struct Work {
    source: u64,
    destination: u64,
    /// What a file's mode, times and attributes are copied to.
    state: u64,
    /// A whole directory is copied or removed.
    is_tree: bool,
}

thread_local! {
    static WORK: Cell<Work> = const { Cell::new(Work { source: 0, destination: 0, state: 0, is_tree: false }) };
}

fn hash(path: &[u8]) -> u64 {
    foldhash::fast::FixedState::default().hash_one(path) | 1
}

fn change(change: impl FnOnce(&mut Work)) {
    let mut work = WORK.get();
    change(&mut work);
    WORK.set(work);
}

/// Forgets all of it: a copy was stopped.
pub fn forget() {
    WORK.set(Work::default());
}

/// `shutil.copyfile(source, destination)`.
pub fn copyfile(args: Object<'_>) -> Decoded<'_> {
    let (Some(source), Some(destination)) =
        (args.item(0).and_then(Object::path), args.item(1).and_then(Object::path))
    else {
        forget();
        return Decoded::Nothing; // objects with a path of their own: the opens beneath tell
    };
    change(|work| (work.source, work.destination) = (hash(&source), hash(&destination)));
    let destination = Some(FilePath::current(destination));
    Decoded::Event(Event::new(Kind::Copy, Target::Path { path: FilePath::current(source), destination }))
}

/// `shutil.copystat(source, destination)` and `copymode`: part of a copy, where shutil itself asks for it.
pub fn copystat(args: Object<'_>) -> Decoded<'_> {
    let is_part = frames::caller_file_ends_with(SHUTIL);
    let destination = args.item(1).and_then(Object::path).filter(|_| is_part);
    change(|work| work.state = destination.map_or(0, |path| hash(&path)));
    Decoded::Nothing
}

/// `shutil.copytree(…)` and `shutil.rmtree(…)`: copies and removals follow.
pub fn tree(_args: Object<'_>) -> Decoded<'_> {
    change(|work| work.is_tree = true);
    Decoded::Nothing
}

/// Whether opening `path` is part of a copy that was told, or only leads into a tree that is being removed.
pub fn has_told_open(path: &[u8], reads: bool) -> bool {
    let work = WORK.get();
    let may_be =
        work.is_tree && reads || work.source != 0 && [work.source, work.destination].contains(&hash(path));
    may_be && frames::running_file_ends_with(SHUTIL)
}

/// Whether a change of the state of `path` is part of a copy.
pub fn has_told_state(path: &[u8]) -> bool {
    let work = WORK.get();
    work.state != 0 && work.state == hash(path) && frames::running_file_ends_with(SHUTIL)
}

/// Whether a listing is part of what is done to a whole tree.
pub fn has_told_list() -> bool {
    WORK.get().is_tree && frames::running_file_ends_with(SHUTIL)
}
