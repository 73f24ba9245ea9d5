//! Which name a connection belongs to: remembered from the name that was resolved before it.
//!
//! Native code tells what a name was found to be. An audit event names what is resolved and never the answer, so
//! without native code this is an inference: the name that the same thread resolved last for that port, or, where
//! another thread resolved (asyncio does), the only name that was resolved for it. Two candidates give none.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use parking_lot::Mutex;

/// How many resolves are remembered.
const REMEMBERED: usize = 32;
/// How long a resolve can explain a connect.
const VALID_NS: u64 = 30_000_000_000;

#[derive(Clone)]
struct Resolved {
    thread: u64,
    /// `None` for a host given as an address: a connect after it has no name.
    host: Option<Box<str>>,
    port: Option<u16>,
    time: u64,
}

/// A name, one of its addresses, and the thread that asked for it last.
#[derive(Clone)]
struct Found {
    thread: u64,
    host: Box<str>,
    address: IpAddr,
}

/// Addresses that are remembered with their names.
const REMEMBERED_ANSWERS: usize = 512;

/// The names resolved lately in this process.
#[derive(Default)]
pub struct Hosts {
    /// What names were found to stand for, the newest last.
    answers: Mutex<Vec<Found>>,
    // Only ever tried: a lock that could wait has no place in a watched program.
    recent: Mutex<Vec<Resolved>>,
}

impl Hosts {
    /// Remembers that `thread` resolved `host` (for `port`, where it said so) at `time` in nanoseconds.
    pub fn resolved(&self, thread: u64, host: &str, port: Option<u16>, time: u64) {
        let Some(mut recent) = self.recent.try_lock() else {
            return;
        };
        recent.retain(|entry| entry.thread != thread || entry.port != port);
        if recent.len() >= REMEMBERED {
            recent.remove(0);
        }
        let host = (!is_address(host)).then(|| host.into());
        recent.push(Resolved { thread, host, port, time });
    }

    /// Remembers that `thread` found `host` to be at `addresses`: no inference any more.
    pub fn answered(&self, thread: u64, host: &str, addresses: &[IpAddr]) {
        if is_address(host) {
            return; // libraries look up what they have just found
        }
        if let Some(mut recent) = self.recent.try_lock() {
            recent.retain(|entry| entry.host.as_deref() != Some(host));
        }
        let Some(mut answers) = self.answers.try_lock() else { return };
        answers.retain(|found| *found.host != *host || !addresses.contains(&found.address));
        let room = REMEMBERED_ANSWERS.saturating_sub(addresses.len());
        let excess = answers.len().saturating_sub(room);
        answers.drain(..excess);
        answers.extend(addresses.iter().map(|address| Found {
            thread,
            host: host.into(),
            address: *address,
        }));
    }

    /// The name that was found to be at `address` last.
    #[must_use]
    pub fn name_at(&self, address: IpAddr) -> Option<String> {
        let answers = self.answers.try_lock()?;
        let found = answers.iter().rev().find(|found| found.address == address);
        found.map(|found| found.host.to_string())
    }

    /// Whether `host` was found to be at `address`.
    #[must_use]
    pub fn is_at(&self, host: &str, address: IpAddr) -> bool {
        let is_same = |found: &Found| found.address == address && *found.host == *host;
        self.answers.try_lock().is_some_and(|answers| answers.iter().any(is_same))
    }

    /// The name that a connect of `thread` to `address` belongs to: the one that was found to be there last, by the
    /// thread itself if it asked; where none was, an inference.
    #[must_use]
    pub fn name_of(
        &self,
        thread: u64,
        address: Option<IpAddr>,
        port: Option<u16>,
        time: u64,
    ) -> Option<String> {
        let found = address.and_then(|address| self.name_found(thread, address));
        found.or_else(|| self.name_for(thread, port, time))
    }

    fn name_found(&self, thread: u64, address: IpAddr) -> Option<String> {
        let answers = self.answers.try_lock()?;
        let mut there = answers.iter().rev().filter(|found| found.address == address);
        let newest = there.clone().next();
        let own = there.find(|found| found.thread == thread);
        own.or(newest).map(|found| found.host.to_string())
    }

    /// Tells the recorder of a fork's child what is known.
    pub fn hand_on(&self, child: &Self) {
        if let (Some(known), Some(mut answers)) = (self.answers.try_lock(), child.answers.try_lock()) {
            answers.clone_from(&known);
        }
    }

    /// The name that a connect of `thread` to `port` belongs to, as far as can be inferred.
    #[must_use]
    pub fn name_for(&self, thread: u64, port: Option<u16>, time: u64) -> Option<String> {
        let recent = self.recent.try_lock()?;
        let explains = |entry: &&Resolved| {
            time.saturating_sub(entry.time) < VALID_NS && (entry.port.is_none() || entry.port == port)
        };
        if let Some(own) = recent.iter().rev().filter(|entry| entry.thread == thread).find(explains) {
            return own.host.as_ref().map(|host| host.to_string());
        }
        let mut others = recent.iter().filter(explains).filter(|entry| entry.port.is_some());
        let first = others.next()?;
        if others.any(|entry| entry.host != first.host) {
            return None;
        }
        first.host.as_ref().map(|host| host.to_string())
    }
}

/// Whether `host` is an address written out, with or without a scope.
#[must_use]
pub fn is_address(host: &str) -> bool {
    parse_address(host).is_some()
}

/// The address that `host` spells out, also as `127.1`, `0x7f000001` or `[::1]`; an IPv6 one that maps an IPv4 one is
/// that one.
#[must_use]
pub fn parse_address(host: &str) -> Option<IpAddr> {
    let bare = host.split_once('%').map_or(host, |(address, _)| address);
    let bare = bare.strip_prefix('[').and_then(|bare| bare.strip_suffix(']')).unwrap_or(bare);
    match IpAddr::from_str(bare) {
        Ok(address) => Some(address.to_canonical()),
        Err(_) => numbers_and_dots(bare).map(IpAddr::V4),
    }
}

/// The address that inet_aton(3), and so getaddrinfo, takes `text` for: up to four numbers, decimal, octal or
/// hexadecimal, of which the last one fills what is left.
fn numbers_and_dots(text: &str) -> Option<Ipv4Addr> {
    if !text.starts_with(|first: char| first.is_ascii_digit()) || text.len() > 64 {
        return None;
    }
    let numbers: Option<Vec<u32>> = text.split('.').map(number).collect();
    let numbers = numbers.filter(|numbers| numbers.len() <= 4)?;
    let (last, first) = numbers.split_last()?;
    let room = 32 - 8 * first.len() as u32;
    if first.iter().any(|number| *number > 255) || (room < 32 && *last >> room != 0) {
        return None;
    }
    let start = first.iter().zip([24, 16, 8]).fold(0, |address, (number, shift)| address | number << shift);
    Some(Ipv4Addr::from(start | last))
}

fn number(text: &str) -> Option<u32> {
    let lower = text.to_ascii_lowercase();
    match lower.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None if lower.len() > 1 && lower.starts_with('0') => u32::from_str_radix(&lower, 8).ok(),
        None => lower.parse().ok(),
    }
    .filter(|_| !lower.contains(['+', '-']))
}

/// `host` as names are compared: in lower case, without the final dot, in ASCII as it is asked for (IDNA).
///
/// Python converts by IDNA 2003, which has four characters that IDNA 2008 reads differently; those are converted
/// first, as that did (UTS 46, section 6, table 1).
#[must_use]
pub fn normalised(host: &str) -> Cow<'_, str> {
    if host.is_ascii() {
        let bare = host.trim_end_matches('.');
        let is_lower = !bare.bytes().any(|byte| byte.is_ascii_uppercase());
        return if is_lower { Cow::Borrowed(bare) } else { Cow::Owned(bare.to_ascii_lowercase()) };
    }
    let mapped =
        host.replace('\u{df}', "ss").replace('\u{3c2}', "\u{3c3}").replace(['\u{200c}', '\u{200d}'], "");
    let ascii = idna::domain_to_ascii(&mapped).unwrap_or_else(|_| mapped.to_lowercase());
    Cow::Owned(ascii.trim_end_matches('.').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connect_is_named_by_its_own_threads_last_resolve() {
        let hosts = Hosts::default();
        hosts.resolved(1, "a.example", Some(443), 0);
        hosts.resolved(2, "b.example", Some(443), 0);
        assert_eq!(hosts.name_for(1, Some(443), 5).as_deref(), Some("a.example"));
        assert_eq!(hosts.name_for(2, Some(443), 5).as_deref(), Some("b.example"));
        assert_eq!(hosts.name_for(1, Some(80), 5), None);
    }

    #[test]
    fn another_threads_resolve_counts_when_it_is_the_only_one() {
        let hosts = Hosts::default();
        hosts.resolved(2, "b.example", Some(443), 0);
        assert_eq!(hosts.name_for(1, Some(443), 5).as_deref(), Some("b.example"));
        hosts.resolved(3, "c.example", Some(443), 0);
        assert_eq!(hosts.name_for(1, Some(443), 5), None);
    }

    #[test]
    fn an_address_has_no_name_and_a_resolve_grows_old() {
        let hosts = Hosts::default();
        hosts.resolved(1, "a.example", Some(80), 0);
        hosts.resolved(1, "127.0.0.1", Some(80), 1);
        assert_eq!(hosts.name_for(1, Some(80), 2), None);
        hosts.resolved(1, "a.example", Some(80), 3);
        assert_eq!(hosts.name_for(1, Some(80), VALID_NS + 4), None);
    }

    #[test]
    fn an_answer_names_a_connect_and_of_two_names_the_one_asked_for() {
        let hosts = Hosts::default();
        let [one, two] = [[10, 0, 0, 1], [10, 0, 0, 2]].map(IpAddr::from);
        let name = |thread, address| hosts.name_of(thread, Some(address), Some(443), 5);
        for (thread, host, address) in [(1, "a.example", one), (1, "b.example", two), (2, "c.example", one)] {
            hosts.resolved(thread, host, Some(443), 0);
            hosts.answered(thread, host, &[address]);
        }
        assert_eq!(name(1, one).as_deref(), Some("a.example"));
        assert_eq!(name(1, two).as_deref(), Some("b.example"));
        assert_eq!(name(2, one).as_deref(), Some("c.example"));
        assert_eq!(name(2, two).as_deref(), Some("b.example"));
        assert_eq!(name(3, one).as_deref(), Some("c.example"));
        hosts.answered(1, "10.0.0.1", &[one]);
        assert_eq!(name(1, one).as_deref(), Some("a.example"));
        assert_eq!(name(3, IpAddr::from([10, 0, 0, 3])), None);
    }

    #[test]
    fn mapped_and_scoped_addresses_are_normalised() {
        assert_eq!(parse_address("::ffff:10.0.0.1"), Some(IpAddr::from([10, 0, 0, 1])));
        assert!(is_address("fe80::1%eth0") && !is_address("10.0.0.1.example") && !is_address(""));
    }

    #[test]
    fn an_address_is_known_however_it_is_written() {
        for (text, expected) in [
            ("127.1", Some("127.0.0.1")),
            ("2130706433", Some("127.0.0.1")),
            ("0x7f.0.0.1", Some("127.0.0.1")),
            ("0177.0.0.01", Some("127.0.0.1")),
            ("10.1.258", Some("10.1.1.2")),
            ("[::1]", Some("::1")),
            ("127.0.0.1.", None),
            ("256.0.0.1", None),
            ("1.2.3.4.5", None),
            ("10.0.65536", None),
            ("08", None),
            ("1+1", None),
            ("3com.com", None),
        ] {
            assert_eq!(parse_address(text), expected.and_then(|text| text.parse().ok()), "{text}");
        }
    }

    #[test]
    fn names_are_compared_as_they_are_asked_for() {
        for (given, expected) in [
            ("API.Example.com.", "api.example.com"),
            ("b\u{fc}cher.example", "xn--bcher-kva.example"),
            ("B\u{dc}CHER.EXAMPLE", "xn--bcher-kva.example"),
            ("stra\u{df}e.example", "strasse.example"),
            ("\u{ff41}\u{ff50}\u{ff49}\u{3002}example\u{ff0e}com", "api.example.com"),
            ("api.exa\u{200d}mple.com", "api.example.com"),
        ] {
            assert_eq!(normalised(given), expected);
        }
    }
}
