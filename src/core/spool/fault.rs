//! What is wrong with a file, or a place in it.

use std::io;
use std::path::{Path, PathBuf};

/// What is wrong with a file or a place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The operating system would not let us read it.
    Unreadable,
    /// It is no segment.
    Foreign,
    /// A newer gnomon wrote it.
    NewerVersion,
    /// Larger than any segment.
    TooLarge,
    /// Ends within its header.
    Truncated,
    /// The header's checksum is wrong.
    BadHeader,
    /// Has no header yet: its process just makes it, or died at that. Not corruption.
    Unbegun,
    /// A record was being written when the process died. Not corruption.
    Torn,
    /// A record's checksum is wrong.
    BadChecksum,
    /// Bytes where a record should start that are none.
    BadLength,
    /// A record's checksum is right, and its payload makes no sense.
    BadPayload,
    /// A record refers to text that is not there.
    DanglingReference,
}

impl FaultKind {
    /// The words for it in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Foreign => "not a segment",
            Self::NewerVersion => "newer version",
            Self::TooLarge => "too large",
            Self::Truncated => "truncated header",
            Self::BadHeader => "bad header checksum",
            Self::Unbegun => "no header yet",
            Self::Torn => "torn record",
            Self::BadChecksum => "bad checksum",
            Self::BadLength => "bad length",
            Self::BadPayload => "bad payload",
            Self::DanglingReference => "dangling reference",
        }
    }

    /// Which of three different things it is: `torn`, `io` or `corrupt`.
    #[must_use]
    pub fn severity(self) -> &'static str {
        match self {
            Self::Unbegun | Self::Torn => "torn",
            Self::Unreadable => "io",
            _ => "corrupt",
        }
    }
}

/// Something that could not be read, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub path: PathBuf,
    pub offset: u64,
    pub kind: FaultKind,
    /// The operating system's words, where it had any.
    pub detail: String,
}

impl Fault {
    pub(super) fn new(path: &Path, offset: usize, kind: FaultKind) -> Self {
        Self { path: path.to_owned(), offset: offset as u64, kind, detail: String::new() }
    }

    /// What the operating system would not let us read at `path`.
    #[must_use]
    pub fn unreadable(path: &Path, error: &io::Error) -> Self {
        Self { path: path.to_owned(), offset: 0, kind: FaultKind::Unreadable, detail: error.to_string() }
    }
}
