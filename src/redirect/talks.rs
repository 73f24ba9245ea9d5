//! What is said on connections: HTTP requests as they are sent, the server that TLS is asked for, names and addresses in
//! packets to and from port 53.
//!
//! One talk a descriptor, or a TLS connection of OpenSSL's. Each is tried and never waited for: where two threads send on
//! one connection at once, what one of them says may be missed.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::Relaxed;

use gnomon_core::event::{Event, Kind, Target};
use gnomon_core::wire::dns::{self, Message};
use gnomon_core::wire::{Request, Seen, Sender};
use parking_lot::Mutex;

use super::call::{self, Step};
use super::notes::{self, Sort};

/// Descriptors that are followed.
const FOLLOWED: usize = 4096;
/// TLS connections that are followed at the same time.
const ENCRYPTED: usize = 1024;
/// Places that are looked at for one of them.
const PROBES: usize = 8;

/// What is listened to on a descriptor.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Manner {
    Nothing = 0,
    Stream = 1,
    /// Datagrams of DNS.
    Names = 2,
}

/// One connection.
struct Talk {
    sender: Sender,
    /// The other end, where it is known.
    peer: Option<(IpAddr, u16)>,
    /// The name that TLS was asked for.
    server: Option<String>,
    /// A policy stopped a request on it: the rest of it is not sent either.
    is_refused: bool,
}

/// A connection that is encrypted, by the address of what OpenSSL keeps of it.
type Encrypted = (usize, Box<Talk>);

static MANNERS: [AtomicU8; FOLLOWED] = [const { AtomicU8::new(Manner::Nothing as u8) }; FOLLOWED];
static TALKS: [Mutex<Option<Box<Talk>>>; FOLLOWED] = [const { Mutex::new(None) }; FOLLOWED];
static TLS: [Mutex<Option<Encrypted>>; ENCRYPTED] = [const { Mutex::new(None) }; ENCRYPTED];

fn index(descriptor: i32) -> Option<usize> {
    usize::try_from(descriptor).ok().filter(|index| *index < FOLLOWED)
}

fn manner(descriptor: i32) -> u8 {
    index(descriptor).and_then(|index| MANNERS.get(index)).map_or(0, |manner| manner.load(Relaxed))
}

fn set_manner(index: usize, manner: Manner) {
    if let Some(place) = MANNERS.get(index) {
        place.store(manner as u8, Relaxed);
    }
}

/// A connection to `peer` begins on a descriptor; `is_stream` where it is no datagram socket.
pub fn begins(descriptor: i32, address: IpAddr, port: u16) {
    let Some(index) = index(descriptor) else { return };
    set_manner(index, if port == DNS_PORT { Manner::Names } else { Manner::Stream });
    call::with_own_memory(|| {
        if let Some(mut talk) = TALKS.get(index).and_then(Mutex::try_lock) {
            *talk = Some(Box::new(Talk::to(Some((address, port)))));
        }
    });
}

const DNS_PORT: u16 = 53;

/// Nothing is known any more of a descriptor.
#[inline]
pub fn ends(descriptor: i32) {
    if manner(descriptor) == Manner::Nothing as u8 {
        return;
    }
    let Some(index) = index(descriptor) else { return };
    set_manner(index, Manner::Nothing);
    call::with_own_memory(|| {
        if let Some(mut talk) = TALKS.get(index).and_then(Mutex::try_lock) {
            *talk = None;
        }
    });
}

/// `descriptor` is used to send to port 53 without being connected.
pub fn sends_names(descriptor: i32) {
    if let Some(index) = index(descriptor) {
        set_manner(index, Manner::Names);
    }
}

impl Talk {
    fn to(peer: Option<(IpAddr, u16)>) -> Self {
        Self { sender: Sender::default(), peer, server: None, is_refused: false }
    }

    /// Takes what is about to be said. Returns whether a policy stops it.
    fn says<'b>(
        &mut self,
        caller: usize,
        pieces: impl Iterator<Item = &'b [u8]>,
        is_encrypted: bool,
    ) -> bool {
        let (peer, server) = (self.peer, &mut self.server);
        let mut is_refused = self.is_refused;
        for piece in pieces {
            self.sender.feed(piece, |seen| match seen {
                Seen::Request(request) if !is_refused => {
                    is_refused =
                        request_begins(caller, &request, is_encrypted, peer, server.as_deref()).is_stopped;
                }
                Seen::Hello { server: Some(name) } if !is_refused => {
                    is_refused = server_is_asked(caller, &name, peer).is_stopped;
                    *server = Some(name.into_owned());
                }
                _ => {}
            });
        }
        self.is_refused = is_refused;
        is_refused
    }
}

/// A request that is about to be sent.
fn request_begins(
    caller: usize,
    request: &Request<'_>,
    is_encrypted: bool,
    peer: Option<(IpAddr, u16)>,
    server: Option<&str>,
) -> Step {
    if notes::take(Sort::Request, &notes::request(&request.method, &request.target)).is_some() {
        return Step::PASS;
    }
    call::begin_untold(caller, Sort::Request, || {
        let asked = request.host.as_deref().filter(|host| !host.is_empty()).or(server);
        let authority = match (asked, peer) {
            (Some(host), _) => host.to_owned(),
            (None, Some((address, port))) => std::net::SocketAddr::new(address, port).to_string(),
            (None, None) => "unknown".to_owned(),
        };
        let url = if &*request.method == "CONNECT" {
            format!("https://{}", request.target)
        } else if request.target.contains("://") && !request.target.starts_with('/') {
            request.target.to_string()
        } else {
            let scheme = if is_encrypted { "https" } else { "http" };
            let slash = if request.target.starts_with('/') { "" } else { "/" };
            format!("{scheme}://{authority}{slash}{}", request.target)
        };
        let method = Cow::Borrowed(&*request.method);
        Some(crate::decode::url_event(Kind::Http, &url, method, request.body_size))
    })
}

/// TLS names the server that it wants: the name of the connection, where it had none.
fn server_is_asked(caller: usize, name: &str, peer: Option<(IpAddr, u16)>) -> Step {
    let address = peer.map(|(address, _)| address);
    if address.is_some_and(|address| call::is_known_as(address, name)) {
        return Step::PASS;
    }
    let step = call::begin_untold(caller, Sort::Resolve, || {
        let (host, port) = (Some(Cow::Borrowed(name)), peer.map(|(_, port)| port));
        Some(Event::new(Kind::Resolve, Target::Endpoint { host, address, port }))
    });
    call::answered(name.as_bytes(), address.as_slice());
    step
}

/// Takes what is about to be sent on a descriptor. Returns whether a policy stops it.
#[inline]
pub fn says<'b>(caller: usize, descriptor: i32, pieces: impl Iterator<Item = &'b [u8]>) -> bool {
    let manner = manner(descriptor);
    manner != Manner::Nothing as u8 && says_something(caller, descriptor, manner, pieces)
}

#[inline(never)]
fn says_something<'b>(
    caller: usize,
    descriptor: i32,
    manner: u8,
    mut pieces: impl Iterator<Item = &'b [u8]>,
) -> bool {
    if manner == Manner::Names as u8 {
        return pieces.next().is_some_and(|packet| asks_for_name(caller, packet).is_stopped);
    }
    let said = call::with_own_memory(|| {
        let mut talk = TALKS.get(index(descriptor)?)?.try_lock()?;
        Some(talk.as_mut()?.says(caller, pieces, false))
    });
    said.flatten().unwrap_or(false)
}

/// The last `count` bytes of what was said last were not sent: they come again.
#[inline]
pub fn unsent(descriptor: i32, count: usize) {
    if count > 0
        && manner(descriptor) == Manner::Stream as u8
        && let Some(mut talk) = index(descriptor).and_then(|index| TALKS.get(index)?.try_lock())
        && let Some(talk) = talk.as_mut()
    {
        talk.sender.unsent(count);
    }
}

/// A look-up that a library makes by itself.
fn asks_for_name(caller: usize, packet: &[u8]) -> Step {
    let query = call::with_own_memory(|| dns::parse(packet)).flatten();
    let Some(Message::Query { name, .. }) = query else { return Step::PASS };
    call::begin_untold(caller, Sort::Resolve, || {
        let host = Some(Cow::Borrowed(name.as_str()));
        Some(Event::new(Kind::Resolve, Target::Endpoint { host, address: None, port: None }))
    })
}

/// Takes what was received on a descriptor.
#[inline]
pub fn hears(descriptor: i32, bytes: impl FnOnce() -> Option<Vec<u8>>) {
    if manner(descriptor) != Manner::Names as u8 {
        return;
    }
    call::with_own_memory(|| {
        if let Some(Message::Answer { name, addresses, .. }) = bytes().and_then(|bytes| dns::parse(&bytes)) {
            call::answered(name.as_bytes(), &addresses);
        }
    });
}

/// Takes what is about to be encrypted on OpenSSL's connection at `address`, whose server `server` tells at its first
/// use. Returns whether a policy stops it.
pub fn says_encrypted(
    caller: usize,
    address: usize,
    bytes: &[u8],
    server: impl FnOnce() -> Option<String>,
) -> bool {
    let said = call::with_own_memory(|| {
        let (mut place, is_new) = encrypted(address)?;
        if is_new {
            *place = Some((address, Box::new(Talk { server: server(), ..Talk::to(None) })));
        }
        let (_, talk) = place.as_mut()?;
        Some(talk.says(caller, std::iter::once(bytes), true))
    });
    said.flatten().unwrap_or(false)
}

/// The same of bytes that come again.
pub fn unsent_encrypted(address: usize, count: usize) {
    if let Some((mut place, false)) = encrypted(address)
        && let Some((_, talk)) = place.as_mut()
    {
        talk.sender.unsent(count);
    }
}

/// OpenSSL's connection at `address` is no more.
pub fn ends_encrypted(address: usize) {
    call::with_own_memory(|| {
        if let Some((mut place, false)) = encrypted(address) {
            *place = None;
        }
    });
}

type Place = parking_lot::MutexGuard<'static, Option<(usize, Box<Talk>)>>;

/// The place of a connection, and whether it is a free one.
fn encrypted(address: usize) -> Option<(Place, bool)> {
    let start = (address >> 5) ^ (address >> 15);
    let places = || (0..PROBES).filter_map(|step| TLS.get((start + step) % ENCRYPTED));
    let is_its = |place: &Place| place.as_ref().is_some_and(|(known, _)| *known == address);
    let known = places().filter_map(Mutex::try_lock).find(is_its);
    known.map(|place| (place, false)).or_else(|| {
        places().filter_map(Mutex::try_lock).find(|place| place.is_none()).map(|place| (place, true))
    })
}
