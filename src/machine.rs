//! The settings of a machine whose owner has every Python recorded: where they are, read once.

use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use gnomon_core::machine::{MAX_BYTES, Machine};
use pyo3::prelude::*;

use crate::environment;

/// Where gnomon is installed for a whole machine, unless its owner chose otherwise.
const ROOT: &str = "/opt/gnomon";
const SETTINGS: &str = "settings";

/// What its owner writes.
const CONFIGURATION: &str = "/etc/gnomon";
/// What is put into a standard library: what loads gnomon, and the sitecustomize that was there before.
const LOADERS: [&str; 2] = ["sitecustomize.py", "_gnomon_kept_sitecustomize.py"];

/// What holds for this machine, and the directory of the installation that says so.
pub struct Owned {
    pub root: PathBuf,
    pub machine: Machine,
}

/// What this machine's owner decided; `None` on a machine where nothing is installed for all.
pub fn settings() -> Option<&'static Owned> {
    static SETTINGS: OnceLock<Option<Owned>> = OnceLock::new();
    SETTINGS.get_or_init(look_up).as_ref()
}

/// This library may be a user's own copy: what the machine says holds for it, too.
fn look_up() -> Option<Owned> {
    read(Path::new(ROOT)).or_else(|| read(&own_root()?))
}

/// What belongs to the installation besides its directory and the spool, given where standard libraries are.
pub fn installed_files(libraries: &[Vec<u8>]) -> impl Iterator<Item = Vec<u8>> {
    let loaders = libraries
        .iter()
        .flat_map(|library| LOADERS.into_iter().map(|name| [library, &b"/"[..], name.as_bytes()].concat()));
    loaders.chain([CONFIGURATION.into()])
}

/// The directory of the installation that this library is a part of: as `current/`, or as `versions/0.1.0-…/`.
fn own_root() -> Option<PathBuf> {
    let package = environment::package()?;
    let above = package.parent()?;
    if package.ends_with("current") {
        Some(above.to_owned())
    } else if above.ends_with("versions") {
        Some(above.parent()?.to_owned())
    } else {
        None
    }
}

fn read(root: &Path) -> Option<Owned> {
    let flags = (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(root.join(SETTINGS)).ok()?;
    let mut text = Vec::new();
    file.take(MAX_BYTES as u64).read_to_end(&mut text).ok()?;
    Some(Owned { root: root.to_owned(), machine: Machine::parse(&text)? })
}

/// The spool into which all Pythons of this machine are recorded; `None` where none is.
#[pyfunction]
pub fn machine_spool() -> Option<PathBuf> {
    settings().map(|owned| owned.machine.spool.clone())
}
