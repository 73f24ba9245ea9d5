//! Gives back what a dead process allocated and did not use. A live process's segments are left alone:
//! its mapping must never outgrow the file.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fd::BorrowedFd;
use rustix::fs::{OFlags, Stat};
use serde::Deserialize;

use super::fault::FaultKind;
use super::format::Identity;
use super::place::{Folder, open_in, owner_of, parent_of};
use super::reader::SegmentFile;
use crate::event::Kind;
use crate::process::{self, Description};

/// What became of the process that wrote a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    Running,
    Gone,
    /// It ran in another container or on another machine: its pid means nothing here.
    Unknown,
}

/// What became of the process that wrote `segment`.
#[must_use]
pub fn life(segment: &SegmentFile) -> Life {
    let (Some(description), _) = segment.description() else { return Life::Unknown };
    if description.boot != process::boot() || description.pid_namespace != process::pid_namespace() {
        return Life::Unknown;
    }
    match process::started_ticks(description.pid) {
        Some(ticks) if ticks == description.started_ticks => Life::Running,
        _ => Life::Gone,
    }
}

/// The same where all that is written was written on this machine: nothing outlives its start.
pub(super) fn life_on_this_machine(segment: &SegmentFile) -> Life {
    let of_an_earlier_start = |description: Description| {
        !description.machine.is_empty()
            && description.machine == process::machine()
            && description.boot != process::boot()
    };
    if segment.description().0.is_some_and(of_an_earlier_start) { Life::Gone } else { life(segment) }
}

/// Cuts the segment at `path` after its last record, if its process is certainly gone: one that still runs
/// would die of a SIGBUS at its next record. Returns the bytes given back.
///
/// # Errors
/// The file cannot be read or cut, or has a second name.
pub fn seal(path: &Path) -> io::Result<u64> {
    let segment = SegmentFile::load(path).map_err(|fault| io::Error::other(fault.kind.name()))?;
    if life(&segment) != Life::Gone {
        return Ok(0);
    }
    let (used, all) = (segment.used_bytes() as u64, segment.file_bytes() as u64);
    if used < all {
        let name = path.file_name().unwrap_or_default();
        let opened = Folder::at(parent_of(path))?.open(name, OFlags::WRONLY)?;
        let opened = opened.ok_or_else(|| io::Error::other(FaultKind::Foreign.name()))?;
        cut(&opened.file, &opened.stat, used)?;
    }
    Ok(all - used)
}

fn cut(file: &File, stat: &Stat, length: u64) -> io::Result<()> {
    if stat.st_nlink != 1 {
        return Err(io::Error::other("it has a second name"));
    }
    file.set_len(length)
}

/// What `gnomon keep` asks of a file before it seals, evicts or leaves it.
#[derive(Debug)]
pub struct Examined {
    /// Which file was looked at: what is removed must still be it.
    pub device: u64,
    pub inode: u64,
    pub owner: u32,
    /// Why it is no segment that can be read.
    pub fault: Option<FaultKind>,
    pub segment: Option<ExaminedSegment>,
    /// Bytes given back now.
    pub cut_bytes: u64,
}

/// A file that is a segment, by the name that its header gives it.
#[derive(Debug)]
pub struct ExaminedSegment {
    pub identity: Identity,
    pub life: Life,
    /// What the process said of itself.
    pub pid: u32,
    /// Records, text left out.
    pub records: u64,
    /// Bytes in the file, as it is now.
    pub bytes: u64,
    pub last_time: u64,
    /// The files of its spool that it needs to be read: lists of distributions.
    pub needs: Vec<Vec<u8>>,
    /// Of a segment that is sealed: nothing writes it any more.
    pub sha256: Option<[u8; 32]>,
}

/// Of what a process says of itself, the file that it shares with others.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Startup {
    startup: Option<String>,
}

/// Looks at the file called `name` in the open directory `folder`. If `may_seal`, what its dead process did not use
/// is cut off, and its digest taken.
///
/// Only a file with one name and of the directory's owner is cut: who may make a link here may not reach by it what
/// somebody else owns.
///
/// # Errors
/// It cannot be opened, asked or cut.
pub fn examine(folder: BorrowedFd<'_>, name: &OsStr, may_seal: bool) -> io::Result<Option<Examined>> {
    let Some((file, stat)) = open_in(folder, name, OFlags::RDONLY)? else { return Ok(None) };
    let mut examined = Examined {
        device: stat.st_dev,
        inode: stat.st_ino,
        owner: stat.st_uid,
        fault: None,
        segment: None,
        cut_bytes: 0,
    };
    match SegmentFile::read_file(Path::new(name), &file, &stat) {
        Ok(segment) => {
            let is_named = name == OsStr::new(&segment.identity.file_name());
            let is_list = segment.identity.process.is_nil();
            examined.fault = (!is_named && !is_list).then_some(FaultKind::Foreign);
            let mut found = ExaminedSegment::of(&segment);
            let is_sound = is_named && stat.st_nlink == 1 && stat.st_uid == owner_of(folder)?;
            if may_seal && is_sound && found.life == Life::Gone {
                examined.cut_bytes = found.seal(segment, folder, name, &stat)?;
            }
            examined.segment = Some(found);
        }
        Err(fault) => examined.fault = Some(fault.kind),
    }
    Ok(Some(examined))
}

impl ExaminedSegment {
    fn of(segment: &SegmentFile) -> Self {
        let pid = segment.description().0.map_or(segment.identity.pid, |description| description.pid);
        let mut found = Self {
            identity: segment.identity,
            life: life_on_this_machine(segment),
            pid,
            records: 0,
            bytes: segment.file_bytes() as u64,
            last_time: segment.identity.created,
            needs: Vec::new(),
            sha256: None,
        };
        let mut records = segment.records();
        if let Some(Startup { startup: Some(needed) }) = segment.first_as(Kind::Process) {
            found.needs.push(needed.into_bytes());
        }
        while let Some(item) = records.next() {
            let Ok(raw) = item else { continue };
            if raw.kind == Kind::Text as u16 {
                continue;
            }
            found.records += 1;
            found.last_time = found.last_time.max(raw.last_time);
            if raw.kind == Kind::Startup as u16
                && let Ok(needed) = rmp_serde::from_slice::<String>(raw.payload)
            {
                found.needs.push(needed.into_bytes());
            }
            if raw.kind == Kind::Distributions as u16
                && let Some(needed) = records.view(&raw).ok().and_then(|view| view.destination)
            {
                found.needs.push(needed.to_vec());
            }
        }
        found
    }

    /// Cuts off what is not used, and takes the digest of the rest. Returns the bytes given back.
    fn seal(
        &mut self,
        mut segment: SegmentFile,
        folder: BorrowedFd<'_>,
        name: &OsStr,
        stat: &Stat,
    ) -> io::Result<u64> {
        let (used, all) = (segment.used_bytes() as u64, segment.file_bytes() as u64);
        if used < all {
            let opened = open_in(folder, name, OFlags::WRONLY)?;
            let (file, again) = opened.ok_or_else(|| io::Error::other(FaultKind::Foreign.name()))?;
            if (again.st_dev, again.st_ino, again.st_uid) != (stat.st_dev, stat.st_ino, stat.st_uid) {
                return Err(io::Error::other("it was replaced meanwhile"));
            }
            cut(&file, &again, used)?;
            segment.cut(used as usize);
        }
        self.bytes = used;
        self.sha256 = Some(segment.sha256());
        Ok(all - used)
    }
}
