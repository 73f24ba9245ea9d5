//! Patterns for other machines: hosts, addresses, ports and URLs.

use std::net::IpAddr;

use super::diagnostics::{Wrong, did_you_mean, listed, meant};
use super::paths::{expanded, parsed};
use crate::hosts::{normalised, parse_address};
use crate::policy::field::AddressWord;
use crate::policy::glob::Glob;
use crate::policy::rule::Pattern;

/// The patterns of the names that `text` stands for: `.example.com` is the name itself and all below it.
pub(super) fn hosts(text: &str) -> Result<Vec<Glob>, Wrong> {
    // A hundred thousand of these are usual.
    if is_plain(text) {
        no_address(text)?;
        return Ok(vec![Glob::literal(text)]);
    }
    let mut globs = Vec::new();
    for alternative in expanded(text)? {
        no_address(&alternative)?;
        let below = alternative.strip_prefix('.');
        let name = host_name(below.unwrap_or(&alternative), &alternative)?;
        globs.extend(parsed(text, &name, None)?);
        if below.is_some() {
            globs.extend(parsed(text, &format!("*.{name}"), None)?);
        }
    }
    Ok(globs)
}

/// Whether `text` is a name in its normal form, and no pattern.
fn is_plain(text: &str) -> bool {
    let is_label = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    text.len() <= 253 && text.split('.').all(|label| !label.is_empty() && label.bytes().all(is_label))
}

fn no_address(text: &str) -> Result<(), Wrong> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let is_word = AddressWord::ALL.iter().any(|word| word.name() == text);
    if is_word || parse_address(bare).is_some() || network(bare).is_some() {
        let what = if is_word { "a word for addresses" } else { "an address" };
        return Err(Wrong::new(format!("`{text}` is no name of a host but {what}"))
            .hint(format!("write `address = \"{bare}\"`")));
    }
    Ok(())
}

/// A name as events have it: lower case, ASCII, without its final dot. Stars and sets stay.
/// Errors name it as a part of `whole`.
fn host_name(written: &str, whole: &str) -> Result<String, Wrong> {
    let no_name = || Wrong::new(format!("`{whole}` is no name of a host"));
    if let Some((_, rest)) = written.split_once("://") {
        let host = rest.split(['/', ':']).next().unwrap_or_default();
        return Err(no_name().hint(format!("write `url = \"{written}\"`, or `host = \"{host}\"`")));
    }
    if let Some((host, port)) = written.split_once(':') {
        return Err(no_name().hint(format!("write `host = \"{host}\"` and `port = {port}`")));
    }
    let name = written.strip_suffix('.').unwrap_or(written);
    let labels: Result<Vec<String>, Wrong> =
        name.split('.').map(|label| host_label(label, &no_name)).collect();
    let name = labels?.join(".");
    if name.len() > 253 { Err(no_name().hint("a name has 253 characters at most")) } else { Ok(name) }
}

fn host_label(label: &str, no_name: &dyn Fn() -> Wrong) -> Result<String, Wrong> {
    if label.is_empty() {
        return Err(no_name().hint("each part between two dots needs at least one character"));
    }
    if !label.is_ascii() && label.contains(['*', '?', '[', ']', '\\']) {
        return Err(no_name().hint("a part with a star must be ASCII (`xn--…`), as events have names in it"));
    }
    let ascii = normalised(label).into_owned();
    let is_known = |letter: char| letter.is_ascii_alphanumeric() || "-_.*?[]!^\\".contains(letter);
    match ascii.chars().find(|letter| !is_known(*letter)) {
        Some('/') => Err(no_name().hint("a host has no path: use `url`")),
        Some(letter) => Err(no_name().hint(format!("a host cannot hold `{letter}`"))),
        None => Ok(ascii),
    }
}

/// An address, a network (CIDR), or a word for either.
pub(super) fn addresses(text: &str) -> Result<Pattern, Wrong> {
    if let Some(word) = AddressWord::ALL.into_iter().find(|word| word.name() == text) {
        return Ok(Pattern::Word(word));
    }
    let Some((address, bits, is_exact)) = network(text) else {
        return Err(no_address_but(text));
    };
    if !is_exact {
        return Err(Wrong::new(format!("`{text}` names one address and a network at once"))
            .hint(format!("write \"{address}/{bits}\" for the network, or the address without `/{bits}`")));
    }
    Ok(Pattern::Network(address, bits))
}

fn no_address_but(text: &str) -> Wrong {
    let words = AddressWord::ALL.map(AddressWord::name);
    let is_name = text.contains('.') && text.contains(|letter: char| letter.is_ascii_alphabetic());
    let word =
        meant(text, words, &[("localhost", "loopback"), ("local", "loopback"), ("internet", "public")]);
    let hint = match word {
        Some(word) if !is_name => did_you_mean(Some(word)),
        _ if is_name => Some(format!("write `host = \"{text}\"`")),
        _ => Some(format!("write an address, a network such as \"10.0.0.0/8\", or one of {}", listed(words))),
    };
    Wrong::new(format!("`{text}` is no address")).maybe(hint)
}

/// The network that `text` names: its first address, its bits, and whether `text` has that address.
fn network(text: &str) -> Option<(IpAddr, u8, bool)> {
    let Some((address, bits)) = text.split_once('/') else {
        let bare = text.split_once('%').map_or(text, |(address, _scope)| address);
        let address = bare.parse::<IpAddr>().ok()?.to_canonical();
        return Some((address, if address.is_ipv4() { 32 } else { 128 }, true));
    };
    let written: IpAddr = address.parse().ok()?;
    let bits: u8 = bits.parse().ok().filter(|_| bits.bytes().all(|byte| byte.is_ascii_digit()))?;
    if bits > if written.is_ipv4() { 32 } else { 128 } {
        return None;
    }
    // An IPv4 network written as IPv6 is that one, where its bits say that it is no larger.
    let (address, bits) = match written.to_canonical() {
        IpAddr::V4(address) if written.is_ipv6() && bits >= 96 => (IpAddr::V4(address), bits - 96),
        IpAddr::V4(_) if written.is_ipv6() => (written, bits),
        address => (address, bits),
    };
    let first = first_address(address, bits);
    Some((first, bits, first == address))
}

/// The first address of the network of `bits` that `address` is in.
pub(super) fn first_address(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}

/// A port, or a range of them: `8000-8999`.
pub(super) fn ports(text: &str) -> Result<Pattern, Wrong> {
    let no_port = || {
        Wrong::new(format!("`{text}` is no port"))
            .hint("write a number up to 65535, or a range such as \"8000-8999\"")
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |digits: &str| digits.trim().parse::<u16>().map_err(|_| no_port());
    let (first, last) = (number(first)?, number(last)?);
    if first > last {
        return Err(Wrong::new(format!("the range `{text}` runs backwards"))
            .hint(format!("write \"{last}-{first}\"")));
    }
    Ok(Pattern::Ports(first, last))
}

/// The patterns of the URLs that `text` stands for: without a path, all that is there.
pub(super) fn urls(text: &str) -> Result<Vec<Glob>, Wrong> {
    let mut globs = Vec::new();
    for alternative in expanded(text)? {
        let pattern = url(&alternative)?;
        globs.extend(parsed(text, &pattern, None)?);
        // Whether an event's URL has a path where none was given depends on its scheme.
        if let Some(site) = pattern.strip_suffix("/*").filter(|_| !alternative.ends_with("/*")) {
            globs.extend(parsed(text, site, None)?);
        }
    }
    Ok(globs)
}

/// A URL as events have it ([`crate::policy::observed::without_query`]): scheme and host in lower case and ASCII; no
/// user, usual port, query or fragment; what is no ASCII escaped.
fn url(written: &str) -> Result<String, Wrong> {
    let Some((scheme, rest)) = written.split_once("://") else {
        if written.starts_with('*') {
            return Ok(escaped(written));
        }
        return Err(Wrong::new(format!("`{written}` is no URL: it has no scheme"))
            .hint(format!("write \"https://{written}\", or \"*://{written}\" for any scheme")));
    };
    let (authority, path) = rest.find('/').map_or((rest, "/*"), |slash| rest.split_at(slash));
    if authority.contains('@') {
        return Err(Wrong::new(format!("`{written}` names a user, and URLs are compared without one"))
            .hint("leave out what stands before the `@`"));
    }
    let has_query = path.split_once('?').is_some_and(|(_, query)| query.contains(['=', '&']));
    if has_query || path.contains('#') {
        return Err(Wrong::new(format!(
            "`{written}` has a query or a fragment, and URLs are compared without"
        ))
        .hint("leave out what stands from the `?` or `#` on"));
    }
    let scheme = scheme.to_ascii_lowercase();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (authority, ""),
    };
    let host = if host.starts_with('[') { bracketed(host) } else { host_name(host, written)? };
    let port = match (scheme.as_str(), port) {
        (_, "") | ("http" | "ws", "80") | ("https" | "wss", "443") | ("ftp", "21") => String::new(),
        (_, port) => format!(":{port}"),
    };
    Ok(format!("{scheme}://{host}{port}{}", escaped(path)))
}

/// An IPv6 address in a URL, whose brackets are no set of characters.
fn bracketed(host: &str) -> String {
    host.to_ascii_lowercase().replace('[', "\\[").replace(']', "\\]")
}

/// `text` with spaces and what is no ASCII as `%20`.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'!'..=b'~' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}
