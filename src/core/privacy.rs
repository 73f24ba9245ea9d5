//! Home directories under a pseudonym: whose they are is not stored, and one person's stay together.
//!
//! Hides the name where it is part of a path to a home directory, and the account's own name. Elsewhere
//! (`/media/ann`, a file called after somebody) names stay.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

use crate::process::hex;

/// Directories whose entries are home directories, and `/root`.
const HOMES: [&[u8]; 4] = [b"/home/", b"/Users/", b"\\Users\\", b"/root"];

/// What a machine's pseudonyms are made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Privacy {
    salt: String,
    /// The home directory of the account, wherever it is, and its pseudonym.
    own: Option<(Vec<u8>, Vec<u8>)>,
}

impl Privacy {
    /// With `salt`, which is the machine's, for an account called `user` with its home directory.
    #[must_use]
    pub fn new(salt: &str, user: &str, home: &[u8]) -> Self {
        let mut privacy = Self { salt: salt.to_owned(), own: None };
        let home = home.strip_suffix(b"/").unwrap_or(home);
        if home.len() > 1 && !user.is_empty() {
            privacy.own = Some((home.to_vec(), privacy.pseudonym(user.as_bytes()).into_bytes()));
        }
        privacy
    }

    /// Eight hexadecimal digits for `name`, the same on this machine for ever.
    #[must_use]
    pub fn pseudonym(&self, name: &[u8]) -> String {
        let digest = Sha256::new().chain_update(&self.salt).chain_update(b"\0").chain_update(name).finalize();
        hex(digest.get(..4).unwrap_or_default())
    }

    /// The account name `user` as it is stored: as in the paths of its home directory.
    #[must_use]
    pub fn user(&self, user: &str) -> String {
        if user.is_empty() || user.starts_with('~') {
            user.to_owned()
        } else {
            format!("~{}", self.pseudonym(user.as_bytes()))
        }
    }

    /// `text` with `~PSEUDONYM` for each home directory in it.
    #[must_use]
    pub fn hidden<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        let mut result = Vec::new();
        let (mut done, mut at) = (0, 0);
        while at < text.len() {
            let Some(home) = self.home_at(text, at) else {
                at += 1;
                continue;
            };
            result.extend_from_slice(text.get(done..home.start).unwrap_or_default());
            result.push(b'~');
            result.extend_from_slice(&home.pseudonym);
            (done, at) = (home.end, home.end);
        }
        if done == 0 {
            return Cow::Borrowed(text);
        }
        result.extend_from_slice(text.get(done..).unwrap_or_default());
        Cow::Owned(result)
    }

    /// The home directory whose path starts at `at`, or is recognised there in the middle of another path.
    fn home_at(&self, text: &[u8], at: usize) -> Option<Home> {
        if !matches!(text.get(at), Some(b'/' | b'\\')) {
            return None;
        }
        let rest = text.get(at..)?;
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        let is_whole = before.is_none_or(|byte| !is_of_name(*byte) && *byte != b'/');
        if is_whole
            && let Some((home, pseudonym)) = &self.own
            && rest.strip_prefix(home.as_slice()).is_some_and(ends_name)
        {
            return Some(Home { start: at, end: at + home.len(), pseudonym: pseudonym.clone() });
        }
        let homes = HOMES.into_iter().find(|homes| rest.starts_with(homes))?;
        let below = rest.get(homes.len()..)?;
        if homes == b"/root" {
            let pseudonym = self.pseudonym(b"root").into_bytes();
            return (is_whole && ends_name(below)).then_some(Home {
                start: at,
                end: at + homes.len(),
                pseudonym,
            });
        }
        let name = below.get(..below.iter().take_while(|byte| is_of_name(**byte)).count())?;
        if name.is_empty() || matches!(name, b"." | b"..") {
            return None;
        }
        // The drive goes with it, and what stands before `home` stays: `/mnt/home/~…`.
        let is_drive = homes.first() == Some(&b'\\') && before == Some(&b':') && at >= 2;
        let start = if is_drive {
            at - 2
        } else if is_whole {
            at
        } else {
            at + homes.len()
        };
        Some(Home { start, end: at + homes.len() + name.len(), pseudonym: self.pseudonym(name).into_bytes() })
    }
}

/// `text` as `privacy`, if it is wanted, stores it.
#[must_use]
pub fn hidden<'a>(text: Cow<'a, [u8]>, privacy: Option<&Privacy>) -> Cow<'a, [u8]> {
    let changed = privacy.and_then(|privacy| match privacy.hidden(&text) {
        Cow::Borrowed(_) => None,
        Cow::Owned(changed) => Some(changed),
    });
    changed.map_or(text, Cow::Owned)
}

struct Home {
    start: usize,
    end: usize,
    pseudonym: Vec<u8>,
}

/// A letter of an account's name.
fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'@' | b'$' | b'+') || byte >= 0x80
}

fn ends_name(rest: &[u8]) -> bool {
    rest.first().is_none_or(|byte| !is_of_name(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn privacy() -> Privacy {
        Privacy::new("salt", "bob", b"/srv/people/bob")
    }

    #[test]
    fn home_directories_are_stored_under_a_pseudonym() {
        let (ann, bob, root) =
            (privacy().pseudonym(b"ann"), privacy().pseudonym(b"bob"), privacy().pseudonym(b"root"));
        for (text, hidden) in [
            ("/home/ann/x.csv", format!("~{ann}/x.csv")),
            ("/home/ann", format!("~{ann}")),
            ("--out=/home/ann/x:/home/bob/y", format!("--out=~{ann}/x:~{bob}/y")),
            ("open('/Users/ann/x')", format!("open('~{ann}/x')")),
            ("C:\\Users\\ann\\x", format!("~{ann}\\x")),
            ("/mnt/home/ann/x", format!("/mnt/home/~{ann}/x")),
            ("/root/x /root", format!("~{root}/x ~{root}")),
            ("/srv/people/bob/x", format!("~{bob}/x")),
            ("file:///home/ann/x", format!("file:///home/~{ann}/x")),
        ] {
            assert_eq!(String::from_utf8_lossy(&privacy().hidden(text.as_bytes())), hidden);
            assert_eq!(privacy().hidden(hidden.as_bytes()), hidden.as_bytes());
        }
        assert_eq!(privacy().user("ann"), format!("~{ann}"));
    }

    #[test]
    fn other_paths_stay() {
        for text in [
            "/home",
            "/home/",
            "/homes/ann",
            "/rootfs/x",
            "/x/root/y",
            "/srv/people/bobby",
            "/home/../x",
            "ann",
        ] {
            assert!(matches!(privacy().hidden(text.as_bytes()), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn pseudonyms_differ_from_machine_to_machine() {
        assert_ne!(privacy().pseudonym(b"ann"), Privacy::new("other", "", b"").pseudonym(b"ann"));
    }
}
