//! What is said on connections: HTTP requests as they are sent, the server that TLS is asked for, names and addresses in
//! packets to and from port 53.
//!
//! One talk a descriptor, or a TLS connection of OpenSSL's. Each is tried and never waited for: where two threads send on
//! one connection at once, what one of them says may be missed.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::atomic::Ordering::{AcqRel, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize};

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
    /// A proxy was asked for a tunnel: what follows is for another server.
    is_tunnel: bool,
    /// A policy stopped a request on it: the rest of it is not sent either.
    is_refused: bool,
}

/// Whether a request was ever stopped.
static HAS_REFUSED: AtomicBool = AtomicBool::new(false);
static MANNERS: [AtomicU8; FOLLOWED] = [const { AtomicU8::new(Manner::Nothing as u8) }; FOLLOWED];
static TALKS: [Mutex<Option<Box<Talk>>>; FOLLOWED] = [const { Mutex::new(None) }; FOLLOWED];
/// Which of OpenSSL's connections each of `TLS` is about, by its address; 0 where it is free.
static OWNERS: [AtomicUsize; ENCRYPTED] = [const { AtomicUsize::new(0) }; ENCRYPTED];
static TLS: [Mutex<Option<Box<Talk>>>; ENCRYPTED] = [const { Mutex::new(None) }; ENCRYPTED];

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
    if manner(descriptor) == Manner::Nothing as u8 || call::is_before_exec() {
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
        Self { sender: Sender::default(), peer, server: None, is_tunnel: false, is_refused: false }
    }

    /// Takes what is about to be said. Returns whether a policy stops it.
    fn says<'b>(
        &mut self,
        caller: usize,
        pieces: impl Iterator<Item = &'b [u8]>,
        is_encrypted: bool,
    ) -> bool {
        let (peer, server, is_tunnel) = (self.peer, &mut self.server, &mut self.is_tunnel);
        let mut is_refused = self.is_refused;
        for piece in pieces {
            self.sender.feed(piece, |seen| match seen {
                Seen::Request(request) if !is_refused => {
                    *is_tunnel |= &*request.method == "CONNECT";
                    // Behind a proxy it goes where it says.
                    let peer = peer.filter(|_| !*is_tunnel);
                    is_refused =
                        request_begins(caller, &request, is_encrypted, peer, server.as_deref()).is_stopped;
                }
                Seen::Hello { server: Some(name) } if !is_refused => {
                    // The proxy is not called so, and that it shall reach the server it was told.
                    is_refused = !*is_tunnel && server_is_asked(caller, &name, peer).is_stopped;
                    *server = Some(name.into_owned());
                }
                _ => {}
            });
        }
        if is_refused && !self.is_refused {
            self.is_refused = true;
            HAS_REFUSED.store(true, Relaxed);
        }
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
        let url = url_of(request, is_encrypted, peer, server);
        let method = Cow::Borrowed(&*request.method);
        Some(crate::decode::url_event(Kind::Http, &url, method, request.body_size))
    })
}

/// What is asked for.
fn url_of(
    request: &Request<'_>,
    is_encrypted: bool,
    peer: Option<(IpAddr, u16)>,
    server: Option<&str>,
) -> String {
    if &*request.method == "CONNECT" {
        return format!("https://{}", request.target);
    }
    if request.target.contains("://") && !request.target.starts_with('/') {
        return request.target.to_string(); // to a proxy
    }
    let asked = request.host.as_deref().filter(|host| !host.is_empty()).or(server);
    let authority = match (asked, peer) {
        (Some(host), Some((address, port))) => {
            other_name(host, address).map_or_else(|| host.to_owned(), |name| format!("{name}:{port}"))
        }
        (Some(host), None) => host.to_owned(),
        (None, Some((address, port))) => std::net::SocketAddr::new(address, port).to_string(),
        (None, None) => "unknown".to_owned(),
    };
    let scheme = if is_encrypted { "https" } else { "http" };
    let slash = if request.target.starts_with('/') { "" } else { "/" };
    format!("{scheme}://{authority}{slash}{}", request.target)
}

/// The name of the other end at `address`, where it is known to be another than a request says: `Host` is whatever the
/// program likes, and the bytes go where the connection does.
fn other_name(host: &str, address: IpAddr) -> Option<String> {
    let (name, port) = host.rsplit_once(':').unwrap_or((host, ""));
    let name = if port.bytes().all(|byte| byte.is_ascii_digit()) { name } else { host };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let is_address = name.trim_matches(['[', ']']).parse() == Ok(address);
    let known = call::name_at(address).filter(|_| !is_address)?;
    (!call::is_known_as(address, &name)).then_some(known)
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
    let is_refused = said.flatten().unwrap_or(false);
    if is_refused {
        super::functions::network::shut_down(descriptor);
    }
    is_refused
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
    let query = call::with_own_memory(|| dns::parse(message(packet))).flatten();
    let Some(Message::Query { name, .. }) = query else { return Step::PASS };
    call::begin_untold(caller, Sort::Resolve, || {
        let host = Some(Cow::Borrowed(name.as_str()));
        Some(Event::new(Kind::Resolve, Target::Endpoint { host, address: None, port: None }))
    })
}

/// The message in `packet`: over TCP it stands behind its length.
fn message(packet: &[u8]) -> &[u8] {
    match packet.split_first_chunk() {
        Some((length, message)) if usize::from(u16::from_be_bytes(*length)) == message.len() => message,
        _ => packet,
    }
}

/// Takes what was received on a descriptor.
#[inline]
pub fn hears(descriptor: i32, bytes: impl FnOnce() -> Option<Vec<u8>>) {
    if manner(descriptor) != Manner::Names as u8 {
        return;
    }
    call::with_own_memory(|| {
        if let Some(Message::Answer { name, addresses, .. }) =
            bytes().and_then(|bytes| dns::parse(message(&bytes)))
        {
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
        let known = place_of(address);
        let mut place = TLS.get(known.or_else(|| free_place(address))?)?.try_lock()?;
        if known.is_none() {
            *place = Some(Box::new(Talk { server: server(), ..Talk::to(None) }));
        }
        Some(place.as_mut()?.says(caller, std::iter::once(bytes), true))
    });
    said.flatten().unwrap_or(false)
}

/// Whether a policy stopped a request on OpenSSL's connection at `address`.
#[inline]
pub fn is_refused(address: usize) -> bool {
    HAS_REFUSED.load(Relaxed) && is_this_refused(address)
}

#[cold]
fn is_this_refused(address: usize) -> bool {
    let place = place_of(address).and_then(|index| TLS.get(index)?.try_lock());
    place.is_some_and(|talk| talk.as_ref().is_some_and(|talk| talk.is_refused))
}

/// The same of bytes that come again.
pub fn unsent_encrypted(address: usize, count: usize) {
    if count > 0
        && let Some(mut place) = place_of(address).and_then(|index| TLS.get(index)?.try_lock())
        && let Some(talk) = place.as_mut()
    {
        talk.sender.unsent(count);
    }
}

/// OpenSSL's connection at `address` is no more.
pub fn ends_encrypted(address: usize) {
    call::with_own_memory(|| {
        let Some(index) = place_of(address) else { return };
        if let Some(mut talk) = TLS.get(index).and_then(Mutex::try_lock) {
            *talk = None;
        }
        // Last: until then it is nobody else's.
        if let Some(owner) = OWNERS.get(index) {
            owner.store(0, Release);
        }
    });
}

/// Where a connection may be.
fn places(address: usize) -> impl Iterator<Item = (usize, &'static AtomicUsize)> {
    let start = (address >> 5) ^ (address >> 15);
    let indices = (0..PROBES).map(move |step| (start + step) % ENCRYPTED);
    indices.filter_map(|index| Some((index, OWNERS.get(index)?)))
}

/// Where it is. No lock is tried for that: another thread may hold one for its own connection.
fn place_of(address: usize) -> Option<usize> {
    places(address).find(|(_, owner)| owner.load(Relaxed) == address).map(|(index, _)| index)
}

/// A place for a new one.
fn free_place(address: usize) -> Option<usize> {
    let is_taken = |owner: &AtomicUsize| owner.compare_exchange(0, address, AcqRel, Relaxed).is_ok();
    places(address).find(|(_, owner)| is_taken(owner)).map(|(index, _)| index)
}
