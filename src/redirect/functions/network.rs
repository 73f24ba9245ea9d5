//! Names resolved, connections made, addresses listened on and sent to by native code.
#![expect(unsafe_code, reason = "functions of the C library, called with what they were called with")]

use std::borrow::Cow;
use std::ffi::{c_char, c_int, c_uint, c_void};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use gnomon_core::errno::RESOLVER;
use gnomon_core::event::{Event, FilePath, Kind, Target};
use gnomon_core::hosts;
use gnomon_core::spool::segment::Change;
use libc::{addrinfo, hostent, msghdr, sockaddr, socklen_t, ssize_t};

use super::super::call::{self, Step, text};
use super::super::notes::{self, Sort};
use super::super::stubs::{Function, redirect, redirect_six, six, up_to_five};
use super::super::{descriptors, modules, talks, transfers};

/// What a socket's address names.
#[derive(Clone, Copy)]
pub enum Address<'a> {
    Internet(IpAddr, u16),
    Unix(&'a [u8]),
}

impl<'a> Address<'a> {
    /// The address of `length` bytes at `pointer`; `None` for a family that names no host.
    ///
    /// # Safety
    /// Null, or so many readable bytes.
    pub unsafe fn read(pointer: *const sockaddr, length: usize) -> Option<Self> {
        if pointer.is_null() || length < 2 {
            return None;
        }
        // SAFETY: as the caller promises.
        let bytes: &'a [u8] = unsafe { std::slice::from_raw_parts(pointer.cast(), length.min(1024)) };
        let (family, rest) = bytes.split_first_chunk::<2>()?;
        let port = || rest.first_chunk().map(|port| u16::from_be_bytes(*port));
        match c_int::from(u16::from_ne_bytes(*family)) {
            libc::AF_INET => {
                let octets: [u8; 4] = rest.get(2..6)?.try_into().ok()?;
                Some(Self::Internet(Ipv4Addr::from(octets).into(), port()?))
            }
            libc::AF_INET6 => {
                let octets: [u8; 16] = rest.get(6..22)?.try_into().ok()?;
                Some(Self::Internet(IpAddr::from(Ipv6Addr::from(octets)).to_canonical(), port()?))
            }
            libc::AF_UNIX => {
                let end = match rest.first() {
                    Some(0) => rest.len(), // abstract: all of it is the name
                    _ => rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len()),
                };
                rest.get(..end).filter(|path| !path.is_empty()).map(Self::Unix)
            }
            _ => None,
        }
    }

    pub fn event(self, kind: Kind) -> Event<'a> {
        Event::new(kind, self.target())
    }

    pub fn target(self) -> Target<'a> {
        match self {
            Self::Internet(address, port) => {
                Target::Endpoint { host: None, address: Some(address), port: Some(port) }
            }
            Self::Unix(path) => Target::Socket(FilePath::current(Cow::Borrowed(path))),
        }
    }
}

/// What is to be done with a call that names an address.
fn begin(caller: usize, kind: Kind, address: *const sockaddr, length: socklen_t) -> Step {
    // SAFETY: what the program gives to connect(2) and its kin.
    let address = unsafe { Address::read(address, length as usize) };
    let (Some(address), Some(sort)) = (address, Sort::of(kind)) else { return Step::PASS };
    // To port 0 nothing is sent: that is how a route is asked for.
    let is_route = kind == Kind::Connect && matches!(address, Address::Internet(_, 0));
    let event = || (!is_route).then(|| address.event(kind));
    match address {
        Address::Unix(path) => call::begin(caller, sort, path, event),
        Address::Internet(ip, port) => call::take_note(sort, &notes::endpoint(Some(ip), port))
            .or_else(|| {
                let told = call::take_note(sort, &notes::endpoint(None, port))?;
                Some(call::decide_again(caller, told, &address.event(kind)))
            })
            .unwrap_or_else(|| call::begin_untold(caller, sort, event)),
    }
}

redirect!(CONNECT, "connect",
    (socket: c_int, address: *const sockaddr, length: socklen_t) -> c_int, |caller, real| {
    let step = begin(caller, Kind::Connect, address, length);
    if call::is_refused(step) {
        -1
    } else {
        let result = real(socket, address, length);
        let error = if result < 0 { call::errno() } else { 0 };
        // It goes on behind the program's back: getsockopt tells how it ended.
        call::end(step, if error == libc::EINPROGRESS { 0 } else { error });
        descriptors::stands_for(socket, step.key());
        talks::ends(socket);
        // SAFETY: what the program gave to connect(2).
        if let Some(Address::Internet(address, port)) = unsafe { Address::read(address, length as usize) } {
            talks::begins(socket, address, port);
        }
        result
    }
});
redirect!(BIND, "bind", (socket: c_int, address: *const sockaddr, length: socklen_t) -> c_int, |caller, real| {
    let step = begin(caller, Kind::Bind, address, length);
    if call::is_refused(step) {
        -1
    } else {
        let result = real(socket, address, length);
        call::end(step, if result < 0 { call::errno() } else { 0 });
        result
    }
});
redirect!(GETSOCKOPT, "getsockopt",
    (socket: c_int, level: c_int, name: c_int, value: *mut c_void, length: *mut socklen_t) -> c_int, |caller, real| {
    let _ = caller;
    let result = real(socket, level, name, value, length);
    if result == 0 && level == libc::SOL_SOCKET && name == libc::SO_ERROR {
        // SAFETY: the call went well, so there is an integer.
        let error = unsafe { value.cast::<c_int>().read_unaligned() };
        if let (1.., Some(key)) = (error, descriptors::key_of(socket)) {
            fails_later(socket, key, error);
        }
    }
    result
});
/// A connection that had begun could not be made.
fn fails_later(socket: c_int, key: u64, error: c_int) {
    let change = Change { errno: error.unsigned_abs(), ..Change::default() };
    if !call::add(key, &change) {
        transfers::goes_on(socket, key, &change);
    }
}

redirect_six!(SENDTO, "sendto",
    (socket: c_int, data: *const c_void, size: usize, flags: c_int, address: *const sockaddr, length: socklen_t) -> ssize_t, |caller, real| {
    let step = begin(caller, Kind::Send, address, length);
    // SAFETY: what the program gives to sendto(2).
    if let Some(Address::Internet(_, 53)) = unsafe { Address::read(address, length as usize) } {
        talks::sends_names(socket);
    }
    if call::is_refused(step) || is_refused_speech(caller, socket, data, size) {
        -1
    } else {
        let sent = real(socket, data, size, flags, address, length);
        talks::unsent(socket, left(size, sent));
        sent_datagram(step, socket, sent)
    }
});
redirect!(SENDMSG, "sendmsg", (socket: c_int, message: *const msghdr, flags: c_int) -> ssize_t, |caller, real| {
    let step = begin_message(caller, message);
    // SAFETY: what the program gives to sendmsg(2).
    let (parts, size) = unsafe { parts_of(message) };
    if call::is_refused(step) || is_refused_pieces(caller, socket, parts) {
        -1
    } else {
        let sent = real(socket, message, flags);
        talks::unsent(socket, left(size, sent));
        sent_datagram(step, socket, sent)
    }
});
redirect!(SENDMMSG, "sendmmsg",
    (socket: c_int, messages: *mut libc::mmsghdr, count: c_uint, flags: c_int) -> c_int, |caller, real| {
    // SAFETY: what the program gives to sendmmsg(2): so many messages.
    let first = if messages.is_null() || count == 0 { std::ptr::null() } else { unsafe { &raw const (*messages).msg_hdr } };
    let step = begin_message(caller, first);
    if call::is_refused(step) {
        -1
    } else {
        let sent = real(socket, messages, count, flags);
        call::end(step, if sent < 0 { call::errno() } else { 0 });
        for index in 0..usize::try_from(sent).unwrap_or(0) {
            // SAFETY: the call went well for so many.
            let length = unsafe { (*messages.add(index)).msg_len };
            descriptors::moved(socket, length as isize, 0);
        }
        sent
    }
});

/// Whether a policy stops what is about to be said; then `errno` says so.
pub fn is_refused_speech(caller: usize, socket: c_int, data: *const c_void, size: usize) -> bool {
    if data.is_null() {
        return false;
    }
    // SAFETY: what the program gives to send(2): so many bytes.
    is_refused_pieces(
        caller,
        socket,
        std::iter::once(unsafe { std::slice::from_raw_parts(data.cast(), size) }),
    )
}

/// The same of pieces.
pub fn is_refused_pieces<'b>(caller: usize, socket: c_int, pieces: impl Iterator<Item = &'b [u8]>) -> bool {
    let is_refused = talks::says(caller, socket, pieces);
    if is_refused {
        call::set_errno(libc::EACCES);
    }
    is_refused
}

/// Ends a connection on which a request was stopped: some clients would go on to wait for the answer.
pub fn shut_down(socket: c_int) {
    // SAFETY: any descriptor may be given.
    unsafe { libc::shutdown(socket, libc::SHUT_RDWR) };
}

/// How much of `size` is still to be sent.
pub fn left(size: usize, sent: ssize_t) -> usize {
    size.saturating_sub(usize::try_from(sent).unwrap_or(0))
}

/// The pieces of a vector of the program's, and their length together.
///
/// # Safety
/// As writev(2) takes it.
pub unsafe fn pieces<'b>(parts: *const libc::iovec, count: usize) -> (impl Iterator<Item = &'b [u8]>, usize) {
    let parts = if parts.is_null() {
        &[][..]
    } else {
        // SAFETY: as the caller promises.
        unsafe { std::slice::from_raw_parts(parts, count.min(1024)) }
    };
    let size = parts.iter().map(|part| part.iov_len).sum();
    let pieces = parts.iter().filter(|part| !part.iov_base.is_null());
    // SAFETY: as the caller promises.
    (pieces.map(|part| unsafe { std::slice::from_raw_parts(part.iov_base.cast(), part.iov_len) }), size)
}

/// The same of a message.
///
/// # Safety
/// As sendmsg(2) takes it.
unsafe fn parts_of<'b>(message: *const msghdr) -> (impl Iterator<Item = &'b [u8]>, usize) {
    // SAFETY: as the caller promises.
    unsafe {
        let (parts, count) = message
            .as_ref()
            .map_or((std::ptr::null(), 0), |message| (message.msg_iov.cast_const(), message.msg_iovlen));
        pieces(parts, count)
    }
}

fn begin_message(caller: usize, message: *const msghdr) -> Step {
    if message.is_null() {
        return Step::PASS;
    }
    // SAFETY: what the program gives to sendmsg(2).
    let (address, length) = unsafe { ((*message).msg_name, (*message).msg_namelen) };
    begin(caller, Kind::Send, address.cast(), length)
}

/// Notes what became of a message that names its receiver, or that went to the one that the socket is connected to.
fn sent_datagram(step: Step, socket: c_int, sent: ssize_t) -> ssize_t {
    call::end(step, if sent < 0 { call::errno() } else { 0 });
    if step.key() == 0 {
        descriptors::moved(socket, sent, 0);
    } else {
        call::moved(step.key(), sent, 0);
    }
    sent
}

/// What is to be done with a look-up of the name at `host`.
fn resolve(caller: usize, host: *const c_char, service: *const c_char) -> Step {
    // SAFETY: what the program gives to getaddrinfo(3).
    let (host, service) = unsafe { (text(host), text(service)) };
    let Some(host) = host.filter(|host| !host.is_empty()) else { return Step::PASS };
    call::with_own_memory(|| {
        let host = String::from_utf8_lossy(host);
        call::begin(caller, Sort::Resolve, hosts::normalised(&host).as_bytes(), || {
            let port = service.and_then(|service| std::str::from_utf8(service).ok()?.parse().ok());
            let host = Some(Cow::Borrowed(&*host));
            Some(Event::new(Kind::Resolve, Target::Endpoint { host, address: None, port }))
        })
    })
    .unwrap_or(Step::PASS)
}

redirect!(GETADDRINFO, "getaddrinfo",
    (host: *const c_char, service: *const c_char, hints: *const addrinfo, found: *mut *mut addrinfo) -> c_int, |caller, real| {
    let step = resolve(caller, host, service);
    if call::is_refused(step) {
        libc::EAI_FAIL
    } else {
        let result = real(host, service, hints, found);
        call::end(step, if result == 0 { 0 } else { RESOLVER.cast_signed() + result.abs() });
        if result == 0 {
            // SAFETY: the call went well, so there is a list.
            unsafe { answered(host, found) };
        }
        result
    }
});

/// Remembers which addresses a name stands for.
///
/// # Safety
/// As getaddrinfo(3) took and made them.
unsafe fn answered(host: *const c_char, found: *mut *mut addrinfo) {
    // SAFETY: as the caller promises.
    unsafe {
        let Some(host) = text(host) else { return };
        let mut entry = *found;
        let mut addresses = [IpAddr::V4(Ipv4Addr::UNSPECIFIED); MAX_ANSWERS];
        let mut count = 0;
        while let (Some(known), Some(place)) = (entry.as_ref(), addresses.get_mut(count)) {
            if let Some(Address::Internet(address, _)) =
                Address::read(known.ai_addr, known.ai_addrlen as usize)
            {
                *place = address;
                count += 1;
            }
            entry = known.ai_next;
        }
        call::answered(host, addresses.get(..count).unwrap_or_default());
    }
}

/// Addresses of one name that are remembered.
const MAX_ANSWERS: usize = 16;

/// The same of gethostbyname(3).
///
/// # Safety
/// As that took and made them; `entry` may be null.
unsafe fn found_entry(host: *const c_char, entry: *const hostent) {
    // SAFETY: as the caller promises.
    unsafe {
        let (Some(host), Some(entry)) = (text(host), entry.as_ref()) else { return };
        let mut addresses = [IpAddr::V4(Ipv4Addr::UNSPECIFIED); MAX_ANSWERS];
        let mut count = 0;
        while let Some(place) = addresses.get_mut(count) {
            let address = *entry.h_addr_list.add(count);
            if address.is_null() {
                break;
            }
            *place = match entry.h_length {
                4 => IpAddr::from(*address.cast::<[u8; 4]>()),
                16 => IpAddr::from(*address.cast::<[u8; 16]>()).to_canonical(),
                _ => return,
            };
            count += 1;
        }
        call::answered(host, addresses.get(..count).unwrap_or_default());
    }
}

macro_rules! host_by_name {
    ($function:ident, $symbol:literal, ($($more:ident: $type:ty),*)) => {
        redirect!($function, $symbol, (host: *const c_char $(, $more: $type)*) -> *mut hostent, |caller, real| {
            let step = resolve(caller, host, std::ptr::null());
            if call::is_refused(step) {
                std::ptr::null_mut()
            } else {
                let found = real(host $(, $more)*);
                call::end(step, if found.is_null() { RESOLVER.cast_signed() + libc::EAI_NONAME.abs() } else { 0 });
                // SAFETY: what the call was given, and what it made.
                unsafe { found_entry(host, found) };
                found
            }
        });
    };
}
host_by_name!(GETHOSTBYNAME, "gethostbyname", ());
host_by_name!(GETHOSTBYNAME2, "gethostbyname2", (family: c_int));

redirect_six!(GETHOSTBYNAME_R, "gethostbyname_r",
    (host: *const c_char, entry: *mut hostent, buffer: *mut c_char, size: usize, found: *mut *mut hostent, error: *mut c_int) -> c_int, |caller, real| {
    // Python's gethostbyname_ex asks getaddrinfo first.
    let is_second = modules::at(caller).is_some_and(|module| module.is_interpreter);
    let step = if is_second { Step::PASS } else { resolve(caller, host, std::ptr::null()) };
    if call::is_refused(step) {
        libc::EACCES
    } else {
        let result = real(host, entry, buffer, size, found, error);
        call::end(step, result);
        if result == 0 && !found.is_null() {
            // SAFETY: what the call was given, and what it made.
            unsafe { found_entry(host, *found) };
        }
        result
    }
});

macro_rules! query {
    ($function:ident, $symbol:literal) => {
        redirect!($function, $symbol,
            (name: *const c_char, class: c_int, kind: c_int, answer: *mut u8, length: c_int) -> c_int, |caller, real| {
            let step = resolve(caller, name, std::ptr::null());
            if call::is_refused(step) {
                -1
            } else {
                let result = real(name, class, kind, answer, length);
                call::end(step, if result < 0 { RESOLVER.cast_signed() + libc::EAI_NONAME.abs() } else { 0 });
                result
            }
        });
    };
}
query!(RES_QUERY, "res_query");
query!(RES_SEARCH, "res_search");
query!(RES_QUERY_INTERNAL, "__res_query");
query!(RES_SEARCH_INTERNAL, "__res_search");

pub static ALL: &[&Function] = &[
    &CONNECT,
    &BIND,
    &GETSOCKOPT,
    &SENDTO,
    &SENDMSG,
    &SENDMMSG,
    &GETADDRINFO,
    &GETHOSTBYNAME,
    &GETHOSTBYNAME2,
    &GETHOSTBYNAME_R,
    &RES_QUERY,
    &RES_SEARCH,
    &RES_QUERY_INTERNAL,
    &RES_SEARCH_INTERNAL,
];
