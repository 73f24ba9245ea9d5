//! The files that run code in every interpreter of an environment before its program does: `.pth` and `.start` files,
//! `sitecustomize` and `usercustomize`. What they are when an interpreter starts, with hashes and owners.
//!
//! [`look`] is for every start: names, sizes and times, and a digest of those, which names the inventory. [`inventory`]
//! reads what they hold, and runs only where the spool has none of that name.

mod files;
pub mod inventory;
pub mod lines;
pub mod look;
mod owners;

use serde::{Deserialize, Serialize};

use crate::text::Bytes;

/// What was there when an interpreter started. Stored in parts: those after the first have hooks alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Inventory {
    /// `sys.prefix`.
    pub prefix: Bytes,
    /// Whether the user's own site directory would have been looked at.
    pub has_user_site: bool,
    /// The directories whose hooks are listed, all of them.
    pub directories: Vec<Bytes>,
    pub hooks: Vec<Hook>,
    /// Files that were too many to look at.
    #[serde(skip_serializing_if = "is_zero")]
    pub unseen: u64,
}

/// A file that runs code when an interpreter starts, or may.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hook {
    /// `pth`, `start`, `sitecustomize` or `usercustomize`.
    pub kind: String,
    #[serde(flatten)]
    pub file: HookFile,
    /// Where it leads, if it is a symlink.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Bytes>,
    /// How many lines are executed; of `sitecustomize` and `usercustomize`, all are, and not counted.
    #[serde(skip_serializing_if = "is_zero")]
    pub executed: u64,
    /// The first of them, each its start, without secrets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Bytes>,
    /// The files of the modules that those lines import, where they lie in the same directory.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub modules: Vec<HookFile>,
    /// It says of itself that it is what gnomon put there.
    #[serde(skip_serializing_if = "is_false")]
    pub is_own: bool,
}

/// A file as it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HookFile {
    pub path: Bytes,
    pub size: u64,
    /// Nanoseconds since 1970.
    pub modified: i64,
    /// When the file system last noted a change, which a program cannot set.
    pub changed: i64,
    pub inode: u64,
    pub mode: u32,
    pub owner_uid: u32,
    /// Hexadecimal; `None` where it was not read as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The installed distribution whose list of files has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distribution: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Whether it is what that list says; `None` where the list has no hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_as_installed: Option<bool>,
    /// Why it could not be looked at, or not as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(value: &bool) -> bool {
    !*value
}
