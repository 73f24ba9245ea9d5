//! Which installed distribution lists a file, and whether the file is what it listed (PEP 376's `RECORD`).

use std::os::unix::ffi::OsStrExt as _;

use super::HookFile;
use super::files::{self, path_of};
use crate::process;

/// How much of a distribution's list is read, and of all lists together.
const MAX_LIST_BYTES: u64 = 4 * 1024 * 1024;
const MAX_ALL_BYTES: usize = 64 * 1024 * 1024;

/// The distributions that are installed in a directory.
pub struct Owners<'a> {
    directory: &'a [u8],
}

impl<'a> Owners<'a> {
    pub fn of(directory: &'a [u8]) -> Self {
        Self { directory }
    }

    /// Tells each of `files` whose it is.
    pub fn tell(&self, mut files: Vec<&mut HookFile>) {
        if files.is_empty() {
            return;
        }
        let mut room = MAX_ALL_BYTES;
        for entry in process::distributions(self.directory) {
            let path = [self.directory, b"/", entry.as_bytes(), b".dist-info/RECORD"].concat();
            let Ok((list, _)) = files::start_of(&path, MAX_LIST_BYTES) else { continue };
            files.retain_mut(|file| !self.tell_by(&entry, &list, file));
            room = room.saturating_sub(list.len());
            if files.is_empty() || room == 0 {
                return;
            }
        }
    }

    /// Tells `file` that it belongs to the distribution `entry`, if that lists it.
    fn tell_by(&self, entry: &str, list: &[u8], file: &mut HookFile) -> bool {
        let Ok(name) = path_of(&file.path.0).strip_prefix(path_of(self.directory)) else { return false };
        let Some(rest) = listed(list, name.as_os_str().as_bytes()) else { return false };
        let (name, version) = entry.split_once('-').unwrap_or((entry, ""));
        file.distribution = Some(name.to_owned());
        file.version = Some(version.to_owned()).filter(|version| !version.is_empty());
        let hash =
            rest.strip_prefix(b"sha256=").map(|hash| hash.split(|byte| *byte == b',').next().unwrap_or(hash));
        file.is_as_installed =
            hash.zip(file.sha256.as_deref()).map(|(listed, own)| listed == base64(own).as_bytes());
        true
    }
}

/// What stands behind `name` on its line in `list`.
fn listed<'a>(list: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    memchr::memmem::find_iter(list, name).find_map(|at| {
        let is_start = at.checked_sub(1).is_none_or(|before| list.get(before) == Some(&b'\n'));
        let rest = list.get(at + name.len()..)?.strip_prefix(b",").filter(|_| is_start)?;
        Some(rest.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or(rest))
    })
}

/// A digest in hexadecimal as lists spell it: the web's base64 without padding.
fn base64(hexadecimal: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digits: Vec<u32> = hexadecimal.chars().filter_map(|digit| digit.to_digit(16)).collect();
    // Three hexadecimal digits are two of the others.
    let letters = digits.chunks(3).flat_map(|chunk| {
        let number = (0..3).fold(0, |number, at| number << 4 | chunk.get(at).copied().unwrap_or(0));
        let count = if chunk.len() == 1 { 1 } else { 2 };
        [number >> 6, number & 63].into_iter().take(count)
    });
    letters.filter_map(|value| LETTERS.get(value as usize).copied().map(char::from)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_by_its_whole_name() {
        let list = b"x/a.pth,sha256=1,2\r\na.pth.bak,,\na.pth,sha256=3,4\r\n";
        assert_eq!(listed(list, b"a.pth"), Some(&b"sha256=3,4"[..]));
        assert_eq!(listed(list, b"x/a.pth"), Some(&b"sha256=1,2"[..]));
        assert_eq!(listed(list, b".pth"), None);
        assert_eq!(listed(b"a.pth,,", b"a.pth"), Some(&b","[..]));
    }

    #[test]
    fn a_digest_is_spelled_as_in_lists() {
        // The SHA-256 of nothing.
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(base64(empty), "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU");
    }
}
