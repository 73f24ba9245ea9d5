//! Which name a connection belongs to: remembered from the name that was resolved before it.
//!
//! An audit event names what is resolved and never the answer, so this is an inference: the name that the
//! same thread resolved last for that port, or, where another thread resolved (asyncio does), the only name
//! that was resolved for it. Two candidates give none.

use std::net::IpAddr;
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

/// The names resolved lately in this process.
#[derive(Default)]
pub struct Hosts {
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

    /// The name that a connect of `thread` to `port` belongs to.
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

/// The address that `host` spells out; an IPv6 one that maps an IPv4 one is that one.
#[must_use]
pub fn parse_address(host: &str) -> Option<IpAddr> {
    let bare = host.split_once('%').map_or(host, |(address, _)| address);
    IpAddr::from_str(bare).ok().map(|address| address.to_canonical())
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
    fn mapped_and_scoped_addresses_are_normalised() {
        assert_eq!(parse_address("::ffff:10.0.0.1"), Some(IpAddr::from([10, 0, 0, 1])));
        assert!(is_address("fe80::1%eth0") && !is_address("10.0.0.1.example") && !is_address(""));
    }
}
