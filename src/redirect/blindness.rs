//! What can act unseen, told as it is found: modules that call the system by themselves, modules that could not be
//! redirected, an io_uring.

use std::borrow::Cow;

use gnomon_core::event::{Event, Kind, Target};
use gnomon_core::interest::installed_root;
use gnomon_core::origin::Origin;

use super::elf::{Machine, Module as Image};
use super::modules::{self, Module};
use super::{blind, call};

/// Machine code that is searched when a module is loaded: some 0.1 ms a megabyte. Whoever reads the records examines the
/// files of larger ones.
const EXAMINED_BYTES: usize = 1 << 20;

/// Something that can act unseen.
pub struct Blind {
    /// Its file, or what it is.
    name: Vec<u8>,
    /// Why, in a few words.
    why: String,
    origin: Origin,
}

impl Blind {
    /// A module that was left as it is, because of `why`.
    pub fn skipped(path: &[u8], why: &str) -> Self {
        Self { name: path.to_vec(), why: format!("not redirected: {why}"), origin: Origin::default() }
    }

    /// What is blind of a module, if anything is.
    pub fn of(image: &Image<'_>, module: &Module, machine: Machine) -> Option<Self> {
        if is_known(&module.path) {
            return None;
        }
        let name = module.path.clone();
        let code_bytes: usize = image.code().map(|range| range.len()).sum();
        if code_bytes > EXAMINED_BYTES {
            if blind::is_go(image.notes(), image.code_bytes()) {
                return Some(Self { name, why: "go".to_owned(), origin: module.origin.clone() });
            }
            return (!is_systems(&name)).then(|| Self {
                name,
                why: not_examined(code_bytes, image.build_id().as_deref()),
                origin: module.origin.clone(),
            });
        }
        let why = blind::unseen(image.notes(), image.code_bytes(), machine).words(machine)?;
        Some(Self { name, why, origin: module.origin.clone() })
    }

    /// Records it.
    pub fn tell(&self) {
        let target =
            Target::Named { name: Cow::Borrowed(&self.name), detail: Cow::Borrowed(self.why.as_bytes()) };
        call::tell(&Event::new(Kind::Blind, target), &self.origin);
    }
}

/// Why a large module may be blind. By its build id, whoever examines the file later knows that it is still the same.
fn not_examined(code_bytes: usize, build_id: Option<&str>) -> String {
    let size = format!("not examined: {} MB of code", code_bytes >> 20);
    build_id.map_or_else(|| size.clone(), |id| format!("{size}, build id {id}"))
}

/// Whether a library is the system's own: those go through the C library.
fn is_systems(path: &[u8]) -> bool {
    const FOLDERS: [&[u8]; 4] = [b"/lib/", b"/lib64/", b"/usr/lib/", b"/usr/lib64/"];
    FOLDERS.iter().any(|folder| path.starts_with(folder)) && installed_root(path).is_none()
}

/// Whether a library is one of the system's that many interpreters are linked with, and that make no calls by
/// themselves: to search these took a fifth of a percent of each start of Debian's Python.
fn is_known(path: &[u8]) -> bool {
    const NAMES: [&[u8]; 2] = [b"libz.so.1", b"libexpat.so.1"];
    let name = gnomon_core::paths::split(path).1;
    NAMES.contains(&name) && is_systems(path)
}

/// A ring is set up by `caller`: what is asked for through it, no call tells.
pub fn ring_is_set_up(caller: usize) {
    let module = modules::at(caller);
    let origin = module.map(|module| module.origin.clone()).unwrap_or_default();
    Blind { name: b"io_uring".to_vec(), why: "io_uring".to_owned(), origin }.tell();
}
