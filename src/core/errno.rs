//! The words for why an operation failed: `ENOENT` and its kin, and the resolver's own.

use std::borrow::Cow;

/// Added to the number of a resolver's error (`EAI_NONAME` is 2), which are not numbered like the system's.
pub const RESOLVER: u32 = 10_000;

/// The name of error `number`, as C programs spell it; the number itself where it has none here.
#[must_use]
pub fn name(number: u32) -> Cow<'static, str> {
    let table = if number > RESOLVER { &RESOLVER_NAMES[..] } else { &NAMES[..] };
    match table.iter().find(|(known, _)| *known == number) {
        Some((_, name)) => Cow::Borrowed(*name),
        None if number > RESOLVER => Cow::Owned(format!("EAI {}", number - RESOLVER)),
        None => Cow::Owned(format!("errno {number}")),
    }
}

/// Of netdb.h.
const RESOLVER_NAMES: [(u32, &str); 8] = [
    (RESOLVER + 1, "EAI_BADFLAGS"),
    (RESOLVER + 2, "EAI_NONAME"),
    (RESOLVER + 3, "EAI_AGAIN"),
    (RESOLVER + 4, "EAI_FAIL"),
    (RESOLVER + 5, "EAI_NODATA"),
    (RESOLVER + 8, "EAI_SERVICE"),
    (RESOLVER + 10, "EAI_MEMORY"),
    (RESOLVER + 11, "EAI_SYSTEM"),
];

/// Of Linux, those that files, connections and children fail with.
const NAMES: [(u32, &str); 44] = [
    (1, "EPERM"),
    (2, "ENOENT"),
    (3, "ESRCH"),
    (4, "EINTR"),
    (5, "EIO"),
    (6, "ENXIO"),
    (7, "E2BIG"),
    (8, "ENOEXEC"),
    (9, "EBADF"),
    (10, "ECHILD"),
    (11, "EAGAIN"),
    (12, "ENOMEM"),
    (13, "EACCES"),
    (14, "EFAULT"),
    (16, "EBUSY"),
    (17, "EEXIST"),
    (18, "EXDEV"),
    (19, "ENODEV"),
    (20, "ENOTDIR"),
    (21, "EISDIR"),
    (22, "EINVAL"),
    (23, "ENFILE"),
    (24, "EMFILE"),
    (26, "ETXTBSY"),
    (27, "EFBIG"),
    (28, "ENOSPC"),
    (30, "EROFS"),
    (31, "EMLINK"),
    (32, "EPIPE"),
    (36, "ENAMETOOLONG"),
    (38, "ENOSYS"),
    (39, "ENOTEMPTY"),
    (40, "ELOOP"),
    (95, "EOPNOTSUPP"),
    (97, "EAFNOSUPPORT"),
    (98, "EADDRINUSE"),
    (99, "EADDRNOTAVAIL"),
    (101, "ENETUNREACH"),
    (104, "ECONNRESET"),
    (110, "ETIMEDOUT"),
    (111, "ECONNREFUSED"),
    (113, "EHOSTUNREACH"),
    (115, "EINPROGRESS"),
    (122, "EDQUOT"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_the_name_that_programs_use() {
        assert_eq!(name(2), "ENOENT");
        assert_eq!(name(RESOLVER + 2), "EAI_NONAME");
        assert_eq!(name(4242), "errno 4242");
    }
}
