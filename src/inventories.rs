//! Python's view of what ran before programs: the inventories of startup hooks in a spool.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;

use gnomon_core::filter::Filter;
use gnomon_core::spool::fault;
use gnomon_core::spool::place::parent_of;
use gnomon_core::spool::reader::{SegmentFile, segment_paths};
use gnomon_core::startup::{self, Inventory, inventory};
use gnomon_core::text::Bytes;
use pyo3::prelude::*;

use crate::errors::cannot;
use crate::reader::Fault;

fn text(bytes: Bytes) -> OsString {
    OsString::from_vec(bytes.0)
}

/// A file as it was found when an interpreter started. Times are nanoseconds since 1970, UTC.
#[pyclass(frozen, get_all, module = "gnomon")]
#[derive(Clone)]
pub struct HookFile {
    path: OsString,
    size: u64,
    modified: i64,
    changed: i64,
    inode: u64,
    mode: u32,
    owner_uid: u32,
    sha256: Option<String>,
    distribution: Option<String>,
    version: Option<String>,
    is_as_installed: Option<bool>,
    problem: Option<String>,
}

impl From<startup::HookFile> for HookFile {
    fn from(found: startup::HookFile) -> Self {
        Self {
            path: text(found.path),
            size: found.size,
            modified: found.modified,
            changed: found.changed,
            inode: found.inode,
            mode: found.mode,
            owner_uid: found.owner_uid,
            sha256: found.sha256,
            distribution: found.distribution,
            version: found.version,
            is_as_installed: found.is_as_installed,
            problem: found.problem,
        }
    }
}

/// A file that runs code when an interpreter starts, or may.
#[pyclass(frozen, get_all, module = "gnomon")]
#[derive(Clone)]
pub struct Hook {
    kind: String,
    file: HookFile,
    target: Option<OsString>,
    executed: u64,
    lines: Vec<OsString>,
    modules: Vec<HookFile>,
    is_own: bool,
}

#[pymethods]
impl Hook {
    fn __repr__(&self) -> String {
        format!("<gnomon.Hook {} {:?}>", self.kind, self.file.path)
    }
}

impl From<startup::Hook> for Hook {
    fn from(found: startup::Hook) -> Self {
        Self {
            kind: found.kind,
            file: found.file.into(),
            target: found.target.map(text),
            executed: found.executed,
            lines: found.lines.into_iter().map(text).collect(),
            modules: found.modules.into_iter().map(HookFile::from).collect(),
            is_own: found.is_own,
        }
    }
}

/// The hooks that interpreters of an environment found when they started.
#[pyclass(frozen, get_all, module = "gnomon")]
pub struct Startup {
    created: u64,
    prefix: OsString,
    has_user_site: bool,
    directories: Vec<OsString>,
    hooks: Vec<Hook>,
    unseen: u64,
}

#[pymethods]
impl Startup {
    fn __repr__(&self) -> String {
        format!("<gnomon.Startup {:?}: {} hooks>", self.prefix, self.hooks.len())
    }
}

impl Startup {
    fn of(found: Inventory, created: u64) -> Self {
        Self {
            created,
            prefix: text(found.prefix),
            has_user_site: found.has_user_site,
            directories: found.directories.into_iter().map(text).collect(),
            hooks: found.hooks.into_iter().map(Hook::from).collect(),
            unseen: found.unseen,
        }
    }
}

/// The inventories of the spool at `path`, by the paths of their files, and what could not be read.
pub fn read(path: &Path) -> PyResult<(HashMap<OsString, Startup>, Vec<Fault>)> {
    let folder = if path.is_file() { parent_of(path) } else { path };
    let paths =
        segment_paths(folder, &Filter::default()).map_err(|error| cannot("read spool", folder, &error))?;
    let (mut found, mut faults) = (HashMap::new(), Vec::new());
    for path in paths {
        if !inventory::is_called_so(&path) {
            continue;
        }
        match SegmentFile::load(&path) {
            Ok(segment) => {
                faults.extend(damage(&segment).map(Fault::from));
                found.extend(inventory::read(&segment).map(|inventory| {
                    (path.into_os_string(), Startup::of(inventory, segment.identity.created))
                }));
            }
            Err(fault) => faults.push(fault.into()),
        }
    }
    Ok((found, faults))
}

fn damage(segment: &SegmentFile) -> impl Iterator<Item = fault::Fault> + '_ {
    segment.records().filter_map(Result::err)
}
