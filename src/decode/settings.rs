//! What a process changes about itself: resource limits, and the environment variables that decide what is loaded
//! and where traffic goes.

use std::borrow::Cow;

use gnomon_core::event::{Event, Kind, Target};

use super::{Decoded, tamper};
use crate::capi::Object;

/// `resource.setrlimit(resource, limits)`.
pub fn setrlimit(args: Object<'_>) -> Decoded<'_> {
    limit(None, args.item(0), args.item(1))
}

/// `resource.prlimit(pid, resource, limits or None)`, which without limits only asks.
pub fn prlimit(args: Object<'_>) -> Decoded<'_> {
    match args.item(2) {
        Some(limits) if limits.is_none() => Decoded::Nothing,
        limits => limit(args.item(0).and_then(Object::integer), args.item(1), limits),
    }
}

fn limit<'a>(pid: Option<i64>, resource: Option<Object<'a>>, limits: Option<Object<'a>>) -> Decoded<'a> {
    let (Some(resource), Some(limits)) = (resource.and_then(Object::integer), limits) else {
        return Decoded::Odd;
    };
    let value = |index| match limits.item(index).and_then(Object::integer) {
        Some(-1) => "unlimited".to_owned(),
        Some(number) => number.to_string(),
        None => "?".to_owned(), // a sequence of another kind
    };
    let mut detail = format!("{}:{}", value(0), value(1));
    if let Some(pid) = pid.filter(|pid| *pid != 0) {
        detail.push_str(&format!(" of process {pid}"));
    }
    let target = Target::Named { name: resource_name(resource), detail: Cow::Owned(detail.into_bytes()) };
    Decoded::Event(Event::new(Kind::Limit, target))
}

fn resource_name<'a>(resource: i64) -> Cow<'a, [u8]> {
    const NAMES: [(i64, &str); 10] = [
        (libc::RLIMIT_CPU as i64, "RLIMIT_CPU"),
        (libc::RLIMIT_FSIZE as i64, "RLIMIT_FSIZE"),
        (libc::RLIMIT_DATA as i64, "RLIMIT_DATA"),
        (libc::RLIMIT_STACK as i64, "RLIMIT_STACK"),
        (libc::RLIMIT_CORE as i64, "RLIMIT_CORE"),
        (libc::RLIMIT_RSS as i64, "RLIMIT_RSS"),
        (libc::RLIMIT_NPROC as i64, "RLIMIT_NPROC"),
        (libc::RLIMIT_NOFILE as i64, "RLIMIT_NOFILE"),
        (libc::RLIMIT_MEMLOCK as i64, "RLIMIT_MEMLOCK"),
        (libc::RLIMIT_AS as i64, "RLIMIT_AS"),
    ];
    match NAMES.iter().find(|(number, _)| *number == resource) {
        Some((_, name)) => Cow::Borrowed(name.as_bytes()),
        None => Cow::Owned(format!("resource {resource}").into_bytes()),
    }
}

/// `os.putenv(name, value)`, which `os.environ[name] = value` calls.
pub fn putenv(args: Object<'_>) -> Decoded<'_> {
    let (Some(name), Some(value)) =
        (args.item(0).and_then(Object::path), args.item(1).and_then(Object::path))
    else {
        return Decoded::Odd;
    };
    let value = if value.is_empty() { Cow::Borrowed(&b"(empty)"[..]) } else { value };
    variable("os.putenv", name, value)
}

/// `os.unsetenv(name)`. The record has no value.
pub fn unsetenv(args: Object<'_>) -> Decoded<'_> {
    match args.item(0).and_then(Object::path) {
        Some(name) => variable("os.unsetenv", name, Cow::Borrowed(b"")),
        None => Decoded::Odd,
    }
}

fn variable<'a>(how: &'static str, name: Cow<'a, [u8]>, value: Cow<'a, [u8]>) -> Decoded<'a> {
    if name.starts_with(b"GNOMON_") {
        return tamper::with_detail(how, name);
    }
    if !decides(&name) {
        return Decoded::Nothing;
    }
    Decoded::Event(Event::new(Kind::Setenv, Target::Named { name, detail: value }))
}

/// Whether a variable decides what is loaded, or where traffic goes. The values of others may be secrets.
fn decides(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 14] = [
        b"PATH",
        b"HOME",
        b"TMPDIR",
        b"SHELL",
        b"BASH_ENV",
        b"ENV",
        b"IFS",
        b"GCONV_PATH",
        b"OPENSSL_CONF",
        b"OPENSSL_MODULES",
        b"REQUESTS_CA_BUNDLE",
        b"CURL_CA_BUNDLE",
        b"VIRTUAL_ENV",
        b"LOCALDOMAIN",
    ];
    const STARTS: [&[u8]; 5] = [b"PYTHON", b"LD_", b"DYLD_", b"SSL_CERT_", b"GIT_SSH"];
    const ENDS: [&[u8]; 4] = [b"_PROXY", b"_BASE_URL", b"_ENDPOINT_URL", b"_INDEX_URL"];
    let is_proxy = name.len() > 6 && name.get(name.len() - 6..).is_some_and(|end| end == b"_proxy");
    NAMES.contains(&name)
        || STARTS.iter().any(|start| name.starts_with(start))
        || ENDS.iter().any(|end| name.ends_with(end))
        || is_proxy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_decide_are_kept_and_others_are_not() {
        for (name, expected) in [
            ("PATH", true),
            ("PYTHONPATH", true),
            ("LD_PRELOAD", true),
            ("https_proxy", true),
            ("NO_PROXY", true),
            ("SSL_CERT_FILE", true),
            ("OPENAI_BASE_URL", true),
            ("OPENAI_API_KEY", false),
            ("PYTEST_CURRENT_TEST", false),
            ("AWS_SECRET_ACCESS_KEY", false),
            ("XPATH", false),
            ("", false),
        ] {
            assert_eq!(decides(name.as_bytes()), expected, "{name}");
        }
    }
}
