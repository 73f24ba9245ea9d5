//! An event as it is stored, to the facts that rules look at: the same function for one that is about to happen and
//! for one that was recorded, so that a replay gives the answer that was given.

use std::borrow::Cow;
use std::net::IpAddr;

use super::facts::{Facts, PathFact};
use super::field::{FILE, Field};
use crate::distributions::normalised;
use crate::event::{Access, Kind};
use crate::hosts;
use crate::paths;

/// An event, resolved: what a record of it holds.
#[derive(Clone, Debug, Default)]
pub struct Seen<'a> {
    pub access: Access,
    pub target: Option<Cow<'a, [u8]>>,
    pub destination: Option<Cow<'a, [u8]>>,
    /// As asked for, where that differs from the target.
    pub requested: Option<Cow<'a, [u8]>>,
    pub host: Option<Cow<'a, str>>,
    pub address: Option<IpAddr>,
    pub port: Option<u16>,
    pub argv: Vec<Cow<'a, [u8]>>,
    /// Of the origin.
    pub distribution: Option<Cow<'a, str>>,
    pub via: Option<Cow<'a, str>>,
}

/// The facts of an event of `kind` at `time` in a process whose account has its home at `home`.
#[must_use]
pub fn facts<'a>(kind: Kind, time: u64, seen: Seen<'a>, home: Option<&[u8]>) -> Facts<'a> {
    let mut facts = Facts::new(kind, time);
    for name in [&seen.distribution, &seen.via].into_iter().flatten() {
        facts.add(Field::Origin, normalised(name).into_bytes());
    }
    match kind {
        Kind::Connect | Kind::Bind | Kind::Send | Kind::Resolve if seen.target.is_none() => {
            add_endpoint(&mut facts, &seen);
        }
        Kind::Connect | Kind::Bind | Kind::Send => {
            facts.is_unix = true;
            add_paths(&mut facts, seen, home);
        }
        Kind::Http | Kind::Request => {
            let url = seen.target.as_deref().map(|url| without_query(&String::from_utf8_lossy(url)));
            facts.add(Field::Url, url.unwrap_or_default().into_bytes());
            add_endpoint(&mut facts, &seen);
        }
        Kind::Import => facts.texts.extend(seen.target.map(|module| (Field::Module, module))),
        Kind::Spawn | Kind::Exec => add_command(&mut facts, seen),
        Kind::Native if seen.target.as_deref().is_none_or(|name| name.first() != Some(&b'/')) => {}
        _ if Field::Path.kinds().has(kind) => add_paths(&mut facts, seen, home),
        _ => {}
    }
    facts
}

fn add_endpoint(facts: &mut Facts<'_>, seen: &Seen<'_>) {
    facts.port = seen.port;
    facts.address = seen.address.map(|address| address.to_canonical());
    if let Some(host) = &seen.host {
        match hosts::parse_address(host) {
            Some(address) => facts.address = facts.address.or(Some(address)),
            None => facts.add(Field::Host, hosts::normalised(host).into_owned().into_bytes()),
        }
    }
}

/// The paths, and what happens to each.
fn add_paths<'a>(facts: &mut Facts<'a>, seen: Seen<'a>, home: Option<&[u8]>) {
    let (reads, writes) = uses(facts.kind, seen.access);
    let is_text = facts.kind == Kind::Symlink; // of the link: what it says, relative to where it stands
    if let Some(path) = seen.target {
        let path = match &seen.destination {
            Some(link) if is_text => Cow::Owned(paths::absolute(paths::split(link).0, &path).into_owned()),
            _ => path,
        };
        facts.paths.push(path_fact(path, reads, writes, home));
    }
    if let Some(path) = seen.destination.filter(|_| FILE.has(facts.kind)) {
        facts.paths.push(path_fact(path, false, true, home));
    }
}

fn path_fact<'a>(path: Cow<'a, [u8]>, reads: bool, writes: bool, home: Option<&[u8]>) -> PathFact<'a> {
    let below = home.and_then(|home| paths::below(home, &path));
    let in_home = below.map(|below| Cow::Owned([b"~/", below].concat()));
    PathFact { path, in_home, reads, writes, folds: false }
}

/// Whether an operation of `kind` reads or writes the first of its files.
fn uses(kind: Kind, access: Access) -> (bool, bool) {
    match kind {
        Kind::Open | Kind::Map => (access.has(Access::READ), access.changes()),
        Kind::List | Kind::Copy | Kind::Link | Kind::Symlink | Kind::Native => (true, false),
        Kind::Database => (true, true),
        Kind::Connect | Kind::Bind | Kind::Send => (false, false),
        _ => (false, true),
    }
}

/// A program goes by its name and by its path, also by those that it was asked for by.
fn add_command<'a>(facts: &mut Facts<'a>, seen: Seen<'a>) {
    facts.add(Field::Argv, seen.argv.join(&b' '));
    for program in [seen.target, seen.requested].into_iter().flatten() {
        facts.add(Field::Program, paths::split(&program).1.to_vec());
        if program.contains(&b'/') {
            facts.add(Field::Program, program);
        }
    }
}

/// `scheme://host[:port]/path` in its normal form: without user, query and fragment, dots resolved, letters and digits
/// not escaped. A text that is no URL stays as it is, up to its query.
#[must_use]
pub fn without_query(text: &str) -> String {
    let end = text.find(['?', '#']).unwrap_or(text.len());
    let text = text.get(..end).unwrap_or_default();
    let Ok(mut url) = url::Url::parse(text) else {
        return text.to_owned();
    };
    // Where there is no host there is nothing to take away.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    unescaped(url.as_str())
}

/// `text` with `%41` as `A`, for the characters that need no escape (RFC 3986, 2.3).
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        plain.push_str(before);
        let byte = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte.filter(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(byte)) {
            Some(byte) => {
                plain.push(char::from(byte));
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                plain.push('%');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Option<Cow<'_, [u8]>> {
        Some(Cow::Borrowed(text.as_bytes()))
    }

    #[test]
    fn what_happens_to_each_path_depends_on_the_kind() {
        let both = |kind| {
            let seen = Seen { target: path("/a"), destination: path("/b"), ..Seen::default() };
            let facts = facts(kind, 0, seen, None);
            facts.paths.iter().map(|fact| (fact.reads, fact.writes)).collect::<Vec<_>>()
        };
        assert_eq!(both(Kind::Copy), [(true, false), (false, true)]);
        assert_eq!(both(Kind::Rename), [(false, true), (false, true)]);
        assert_eq!(both(Kind::Link), [(true, false), (false, true)]);
        let open = Seen { target: path("/a"), access: Access::READ.with(Access::CREATE), ..Seen::default() };
        let opened = facts(Kind::Open, 0, open, None);
        assert!(opened.paths.iter().all(|fact| fact.reads && fact.writes));
    }

    #[test]
    fn a_symlink_is_about_the_file_it_points_to() {
        let seen = Seen { target: path("../hr/x"), destination: path("/data/in/link"), ..Seen::default() };
        let facts = facts(Kind::Symlink, 0, seen, None);
        let found: Vec<_> = facts.paths.iter().map(|fact| String::from_utf8_lossy(&fact.path)).collect();
        assert_eq!(found, ["/data/hr/x", "/data/in/link"]);
    }

    #[test]
    fn the_home_of_the_account_is_told() {
        let seen = Seen { target: path("/srv/ann/.ssh/id"), ..Seen::default() };
        let facts = facts(Kind::Open, 0, seen, Some(b"/srv/ann"));
        assert_eq!(facts.paths.first().and_then(|fact| fact.in_home.as_deref()), Some(&b"~/.ssh/id"[..]));
    }

    #[test]
    fn a_url_is_what_the_server_takes_it_for() {
        for (given, expected) in [
            ("https://API.openai.com:443/v1/files?key=1#x", "https://api.openai.com/v1/files"),
            ("https://user:word@api.openai.com/a/../v1", "https://api.openai.com/v1"),
            ("https://api.openai.com/%76%31/a%2Fb", "https://api.openai.com/v1/a%2Fb"),
            ("http://0x7f.1:8080/x", "http://127.0.0.1:8080/x"),
            ("https://B\u{fc}cher.example/", "https://xn--bcher-kva.example/"),
            ("no url?x", "no url"),
        ] {
            assert_eq!(without_query(given), expected);
        }
    }

    #[test]
    fn a_host_that_is_an_address_is_an_address() {
        for (host, address) in
            [("127.1", "127.0.0.1"), ("::ffff:10.0.0.1", "10.0.0.1"), ("0x7f000001", "127.0.0.1")]
        {
            let seen = Seen { host: Some(host.into()), port: Some(1), ..Seen::default() };
            let facts = facts(Kind::Connect, 0, seen, None);
            assert_eq!(facts.address, address.parse().ok(), "{host}");
            assert_eq!(facts.values(Field::Host).count(), 0);
        }
    }

    #[test]
    fn a_program_goes_by_its_name_and_its_path() {
        let seen = Seen {
            target: path("/usr/bin/python3.12"),
            requested: path("python"),
            argv: vec![Cow::Borrowed(b"python"), Cow::Borrowed(b"-c"), Cow::Borrowed(b"1")],
            ..Seen::default()
        };
        let facts = facts(Kind::Spawn, 0, seen, None);
        let programs: Vec<_> = facts.values(Field::Program).map(String::from_utf8_lossy).collect();
        assert_eq!(programs, ["python3.12", "/usr/bin/python3.12", "python"]);
        assert_eq!(facts.values(Field::Argv).next(), Some(&b"python -c 1"[..]));
    }
}
