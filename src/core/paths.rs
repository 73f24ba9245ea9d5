//! Pure functions on paths as bytes: absolute, exact, never touching the file system.

use std::borrow::Cow;

/// `path` made absolute against `directory`, without `.` and doubled slashes.
///
/// `..` is removed only where that is exact: at the start of a relative path, because `directory` comes
/// from `getcwd` and holds no symlinks. Elsewhere `a/..` may be a symlink's parent, so it stays.
#[must_use]
pub fn absolute<'a>(directory: &[u8], path: &'a [u8]) -> Cow<'a, [u8]> {
    if path.first() == Some(&b'/') {
        if is_plain(path) {
            return Cow::Borrowed(path);
        }
        return Cow::Owned(joined(Vec::with_capacity(path.len()), path, false));
    }
    let mut result = Vec::with_capacity(directory.len() + 1 + path.len());
    result.extend_from_slice(directory.strip_suffix(b"/").unwrap_or(directory));
    if !matches!(path.first(), None | Some(b'.')) && path.last() != Some(&b'/') && !has_odd_component(path) {
        result.push(b'/');
        result.extend_from_slice(path);
        return Cow::Owned(result);
    }
    Cow::Owned(joined(result, path, true))
}

/// Whether an absolute path has no empty and no `.` component.
fn is_plain(path: &[u8]) -> bool {
    // Nearly every path passes the first test; a hidden file needs the second.
    (!has_odd_component(path)
        || path.split(|byte| *byte == b'/').skip(1).all(|name| !matches!(name, b"" | b".")))
        && (path.len() == 1 || path.last() != Some(&b'/'))
}

/// Whether a slash is followed by a slash or a dot. Without an early exit, so that it compiles to SIMD.
fn has_odd_component(path: &[u8]) -> bool {
    let next = path.get(1..).unwrap_or_default();
    path.iter()
        .zip(next)
        .fold(false, |found, (byte, next)| found | ((*byte == b'/') & ((*next == b'/') | (*next == b'.'))))
}

fn joined(mut result: Vec<u8>, path: &[u8], mut parents_are_exact: bool) -> Vec<u8> {
    for component in path.split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." if parents_are_exact => {
                let parent = result.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                result.truncate(parent);
            }
            name => {
                parents_are_exact = false;
                result.push(b'/');
                result.extend_from_slice(name);
            }
        }
    }
    if result.is_empty() {
        result.push(b'/');
    }
    result
}

/// The part of `path` below `directory`, if it is there. Both are absolute; `directory` has no final slash.
#[must_use]
pub fn below<'a>(directory: &[u8], path: &'a [u8]) -> Option<&'a [u8]> {
    path.strip_prefix(directory)?.strip_prefix(b"/")
}

/// Whether some component is `..`: such a path may lead anywhere.
#[must_use]
pub fn climbs(path: &[u8]) -> bool {
    has_odd_component(path) && (path.windows(4).any(|window| window == b"/../") || path.ends_with(b"/.."))
}

/// The directory with its final slash, and the name: `("/a/b/", "c")`.
#[must_use]
pub fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let at = memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1);
    path.split_at(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(directory: &str, path: &str) -> String {
        String::from_utf8(absolute(directory.as_bytes(), path.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn relative_paths_become_absolute() {
        assert_eq!(made("/home/ann", "data/x.csv"), "/home/ann/data/x.csv");
        assert_eq!(made("/", "x"), "/x");
        assert_eq!(made("/home/ann", "."), "/home/ann");
        assert_eq!(made("/home/ann", ""), "/home/ann");
        assert_eq!(made("/home/ann", "./a//b/."), "/home/ann/a/b");
    }

    #[test]
    fn leading_parents_are_exact_and_later_ones_stay() {
        assert_eq!(made("/home/ann", "../bob/x"), "/home/bob/x");
        assert_eq!(made("/home/ann", "../../../x"), "/x");
        assert_eq!(made("/home/ann", ".."), "/home");
        assert_eq!(made("/home", ".."), "/");
        assert_eq!(made("/home/ann", "link/../x"), "/home/ann/link/../x");
        assert_eq!(made("/home/ann", "/link/../x"), "/link/../x");
    }

    #[test]
    fn absolute_paths_are_borrowed_when_nothing_changes() {
        for path in ["/", "/a", "/a/b.c", "/a/..b", "/a/.b/c"] {
            assert!(matches!(absolute(b"/cwd", path.as_bytes()), Cow::Borrowed(_)), "{path}");
        }
        for (path, plain) in
            [("//a", "/a"), ("/a/", "/a"), ("/a/./b", "/a/b"), ("/a//b", "/a/b"), ("/.", "/"), ("//", "/")]
        {
            assert_eq!(made("/cwd", path), plain);
        }
    }

    #[test]
    fn undecodable_bytes_survive() {
        assert_eq!(absolute(b"/d", b"\xff\xfe").as_ref(), b"/d/\xff\xfe");
    }

    #[test]
    fn below_needs_a_whole_component() {
        assert_eq!(below(b"/usr/lib", b"/usr/lib/x"), Some(&b"x"[..]));
        assert_eq!(below(b"/usr/lib", b"/usr/library/x"), None);
        assert_eq!(below(b"/usr/lib", b"/usr/lib"), None);
        assert!(climbs(b"/usr/lib/../x") && climbs(b"/a/..") && !climbs(b"/a/..b"));
    }
}
