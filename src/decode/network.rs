//! Names resolved, connections made, addresses listened on.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use gnomon_core::event::{Event, FilePath, Kind, Target};
use gnomon_core::hosts::{self, parse_address};

use super::Decoded;
use crate::capi::Object;
use crate::redirect::notes::{self, Sort};

/// `socket.connect(socket, address)`.
pub fn connect(args: Object<'_>) -> Decoded<'_> {
    Decoded::from_event(args.item(1).and_then(|address| endpoint(Kind::Connect, address)))
}

/// `socket.bind(socket, address)`.
pub fn bind(args: Object<'_>) -> Decoded<'_> {
    match args.item(1) {
        // Netlink, raw sockets and other families have addresses that name no host.
        Some(address) => endpoint(Kind::Bind, address).map_or(Decoded::Nothing, Decoded::Event),
        None => Decoded::Odd,
    }
}

/// `socket.sendto(socket, address)` and `socket.sendmsg(socket, address or None)`.
pub fn send(args: Object<'_>) -> Decoded<'_> {
    match args.item(1) {
        // On a connected socket there is no address, and in other families it names no host.
        Some(address) => endpoint(Kind::Send, address).map_or(Decoded::Nothing, Decoded::Event),
        None => Decoded::Odd,
    }
}

fn endpoint(kind: Kind, address: Object<'_>) -> Option<Event<'_>> {
    if let Some(path) = address.path() {
        return Some(Event::new(kind, Target::Socket(FilePath::current(path))));
    }
    let host = text_of(address.item(0)?)?;
    // Whatever counts as a number is a port. What it is, only the program's code could say where it is no int.
    let port = address.item(1)?.integer().and_then(|port| u16::try_from(port).ok());
    let address = match host.as_ref() {
        "" => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        "<broadcast>" => Some(IpAddr::V4(Ipv4Addr::BROADCAST)),
        text => parse_address(text),
    };
    let host = if address.is_none() { Some(host) } else { None };
    Some(Event::new(kind, Target::Endpoint { host, address, port }))
}

/// The text of a str, of bytes or of a bytearray.
pub fn text_of(value: Object<'_>) -> Option<Cow<'_, str>> {
    if let Some(text) = value.text() {
        return Some(Cow::Borrowed(text));
    }
    if let Some(bytes) = value.bytes() {
        return Some(String::from_utf8_lossy(bytes));
    }
    Some(Cow::Owned(String::from_utf8_lossy(&value.bytearray()?).into_owned()))
}

/// `socket.getaddrinfo(host, port, family, type, protocol)`.
pub fn getaddrinfo(args: Object<'_>) -> Decoded<'_> {
    let port = args.item(1).and_then(|port| match port.integer() {
        Some(number) => u16::try_from(number).ok(),
        None => port.text()?.parse().ok(),
    });
    resolve(args.item(0), port)
}

/// `socket.gethostbyname(host)`, also of `gethostbyname_ex`.
pub fn gethostbyname(args: Object<'_>) -> Decoded<'_> {
    resolve(args.item(0), None)
}

/// `socket.gethostbyaddr(host)`, which takes a name too. `socket.getfqdn` asks it for the machine's own.
pub fn gethostbyaddr(args: Object<'_>) -> Decoded<'_> {
    let own = rustix::system::uname();
    match args.item(0).and_then(text_of) {
        Some(name) if name.as_bytes() == own.nodename().to_bytes() => {
            notes::leave(Sort::Resolve, hosts::normalised(&name).as_bytes(), 0);
            Decoded::Nothing
        }
        _ => resolve(args.item(0), None),
    }
}

fn resolve(host: Option<Object<'_>>, port: Option<u16>) -> Decoded<'_> {
    match host {
        Some(host) if host.is_none() => Decoded::Nothing, // the machine itself
        Some(host) => match text_of(host) {
            Some(name) if name.is_empty() => Decoded::Nothing,
            Some(name) => Decoded::Event(Event::new(
                Kind::Resolve,
                Target::Endpoint { host: Some(name), address: None, port },
            )),
            None => Decoded::Odd,
        },
        None => Decoded::Odd,
    }
}
