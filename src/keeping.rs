//! What `gnomon keep` asks of the files of a spool, and what it leaves there of its own.

use std::borrow::Cow;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gnomon_core::interest::Interest;
use gnomon_core::pipeline::{Eviction, Recorder, now};
use gnomon_core::process::{Description, executable, hex, new_id, stored_command};
use gnomon_core::spool::fault::FaultKind;
use gnomon_core::spool::seal::{self, Life};
use gnomon_core::text::Bytes;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use rustix::fd::AsFd as _;
use rustix::fs::{Mode, OFlags};

use crate::errors::cannot;

/// A file of a spool, as `examine_segment` found it. Times are nanoseconds since 1970, UTC.
#[pyclass(frozen, get_all, module = "gnomon")]
pub struct Examined {
    device: u64,
    inode: u64,
    owner: u32,
    /// Why it is no segment that can be read, or not called as one.
    fault: Option<&'static str>,
    /// `None` where it is no segment, or belongs to no process.
    process: Option<String>,
    number: u32,
    pid: u32,
    /// `running`, `gone` or `unknown`.
    life: &'static str,
    records: u64,
    bytes: u64,
    created: u64,
    last_time: u64,
    /// The names of files that it needs to be read.
    needs: Vec<OsString>,
    /// Where it is sealed.
    sha256: Option<String>,
    cut_bytes: u64,
}

impl From<seal::Examined> for Examined {
    fn from(found: seal::Examined) -> Self {
        let segment = found.segment.as_ref();
        Self {
            device: found.device,
            inode: found.inode,
            owner: found.owner,
            fault: found.fault.map(FaultKind::name),
            process: segment
                .map(|segment| segment.identity.process)
                .filter(|id| !id.is_nil())
                .map(|id| id.as_hyphenated().to_string()),
            number: segment.map_or(0, |segment| segment.identity.number),
            pid: segment.map_or(0, |segment| segment.pid),
            life: segment.map_or("unknown", |segment| match segment.life {
                Life::Running => "running",
                Life::Gone => "gone",
                Life::Unknown => "unknown",
            }),
            records: segment.map_or(0, |segment| segment.records),
            bytes: segment.map_or(0, |segment| segment.bytes),
            created: segment.map_or(0, |segment| segment.identity.created),
            last_time: segment.map_or(0, |segment| segment.last_time),
            sha256: segment.and_then(|segment| segment.sha256).map(|digest| hex(&digest)),
            cut_bytes: found.cut_bytes,
            needs: found
                .segment
                .into_iter()
                .flat_map(|segment| segment.needs)
                .map(OsString::from_vec)
                .collect(),
        }
    }
}

/// Looks at the file called `name` in the directory that is open as `directory`; `None` where it is no regular file.
/// If `may_seal`, what its dead process did not use is cut off, and its digest taken.
#[pyfunction]
pub fn examine_segment(
    py: Python<'_>,
    directory: i32,
    name: OsString,
    may_seal: bool,
) -> PyResult<Option<Examined>> {
    let examine = || -> io::Result<Option<seal::Examined>> {
        // A descriptor of one's own for the same open directory, however its name was changed.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let own = rustix::fs::open(format!("/proc/self/fd/{directory}"), flags, Mode::empty())?;
        seal::examine(own.as_fd(), &name, may_seal)
    };
    let found = py.detach(examine).map_err(|error| cannot("examine", Path::new(&name), &error))?;
    Ok(found.map(Examined::from))
}

/// What `gnomon keep` itself leaves in the spool: what it removed, and why.
#[pyclass(frozen, module = "gnomon")]
pub struct Keeper {
    recorder: Recorder,
}

#[pymethods]
impl Keeper {
    /// Begins to record into the directory `spool`.
    #[new]
    fn new(spool: PathBuf, argv: Vec<OsString>) -> PyResult<Self> {
        let mut description = Description::of_this_process(now());
        "keep".clone_into(&mut description.role);
        description.executable = Bytes(executable().unwrap_or_default());
        let argv = stored_command(argv.into_iter().map(|text| Cow::Owned(text.into_vec())), None);
        description.argv = argv.into_iter().map(|argument| Bytes(argument.into_owned())).collect();
        let recorder = Recorder::new(&spool, new_id(None), description, Arc::new(Interest::default()), None);
        recorder.open().map_err(|reason| {
            PyOSError::new_err(format!("cannot write to spool `{}`: {}", spool.display(), reason.name()))
        })?;
        Ok(Self { recorder })
    }

    /// Notes that so many files of `folder` were removed for `reason`; what they told of lies between two times.
    fn evicted(&self, folder: PathBuf, reason: &str, files: u32, bytes: u64, first: u64, last: u64) {
        let folder = folder.as_os_str().as_bytes();
        self.recorder.evicted(&Eviction { folder, reason, files, bytes, first, last });
    }

    /// Notes the end.
    fn end(&self, status: i32) {
        self.recorder.end(Some(status));
    }
}
