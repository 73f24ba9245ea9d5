//! Requests of application protocols: HTTP, mail, FTP, news, and what is handed to the browser.
//!
//! These events hand over what is about to be sent, credentials included. What is taken from it is a method
//! or a verb from a table here, a URL, and a size; nothing else ever leaves this file.

use std::borrow::Cow;
use std::cell::Cell;
use std::hash::BuildHasher as _;
use std::sync::Mutex;

use gnomon_core::event::{Event, Kind, Target};

use super::Decoded;
use super::network::text_of;
use crate::capi::Object;
use crate::redirect::notes::{self, Sort};

thread_local! {
    /// The request that urllib told, and http.client is about to tell again.
    static TOLD: Cell<Told> = const { Cell::new(Told { request: 0, authority: 0 }) };
    /// The connection whose request has been told, and how much of its body is still to come.
    static BODY: Cell<(usize, u64)> = const { Cell::new((0, 0)) };
}

/// Hashes of a request, and of where it goes.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Told {
    request: u64,
    authority: u64,
}

/// `urllib.Request(url, data, headers, method)`, before a name is resolved. Redirects come as requests.
pub fn urllib_request(args: Object<'_>) -> Decoded<'_> {
    let (Some(url), Some(method)) =
        (args.item(0).and_then(Object::text), args.item(3).and_then(Object::text))
    else {
        return Decoded::Odd;
    };
    let kind = match url.split(':').next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "http" | "https" => Kind::Http,
        "file" | "data" | "ftp" => return Decoded::Nothing, // these open a file, or raise events of their own
        _ => Kind::Request,
    };
    let url = Url::parse(url);
    let length = args.item(2).and_then(|headers| headers.entry(c"Content-length"));
    let size = args.item(1).and_then(body_size).or_else(|| length?.text()?.parse().ok());
    if kind == Kind::Http {
        TOLD.with(|told| told.set(url.told(method)));
    }
    Decoded::Event(url.event(kind, Cow::Borrowed(method), size))
}

fn body_size(data: Object<'_>) -> Option<u64> {
    data.bytes().map(|bytes| bytes.len() as u64)
}

/// `http.client.connect(connection, host, port)`: whatever was sent before is over.
pub fn http_connect(_args: Object<'_>) -> Decoded<'_> {
    BODY.with(|body| body.set((0, 0)));
    Decoded::Nothing
}

/// `http.client.send(connection, data)`, since 3.10: the head of a request, or some of its body.
pub fn http_send(args: Object<'_>) -> Decoded<'_> {
    let (Some(connection), Some(data)) = (args.item(0), args.item(1)) else {
        return Decoded::Odd;
    };
    let (sender, left) = BODY.with(|body| body.replace((0, 0)));
    let Some(data) = data.bytes() else {
        return Decoded::Nothing; // http.client makes a head from bytes; this is a body, and all of it
    };
    if sender == connection.address() && left > 0 {
        let left = left.saturating_sub(data.len() as u64);
        BODY.with(|body| body.set((sender, left)));
        return Decoded::Nothing;
    }
    let Some(head) = Head::parse(data) else {
        return Decoded::Nothing;
    };
    let rest = (data.len() - head.bytes) as u64;
    BODY.with(|body| body.set((connection.address(), head.size.unwrap_or(0).saturating_sub(rest))));
    let url = head.url(Server::of(connection));
    if is_told(&head, &url) {
        if head.method == "CONNECT" {
            notes::leave(Sort::Request, &notes::request(head.method, &head.target), 0);
        }
        return Decoded::Told;
    }
    Decoded::Event(url.event(Kind::Http, Cow::Borrowed(head.method), head.size))
}

/// Forgets what was told of requests: one was stopped, and what it would have sent is no body of it.
pub fn forget() {
    BODY.with(|body| body.set((0, 0)));
    TOLD.with(|told| told.set(Told { request: 0, authority: 0 }));
}

/// Whether urllib has told this request, or the one that this tunnel is for.
fn is_told(head: &Head<'_>, url: &Url) -> bool {
    let (found, told) = (url.told(head.method), TOLD.with(Cell::get));
    if head.method == "CONNECT" {
        return found.authority == told.authority;
    }
    TOLD.with(|told| told.set(Told { request: 0, authority: 0 }));
    found == told
}

/// What http.client's connection is connected to, read from the instance without asking it.
#[derive(Default)]
struct Server {
    is_encrypted: bool,
    host: Option<String>,
    port: Option<u16>,
}

impl Server {
    fn of(connection: Object<'_>) -> Self {
        if !connection.is_a(c"http.client", c"HTTPConnection") {
            return Self::default();
        }
        let text = |name| {
            let value = connection.held(name)?;
            let text = text_of(value.object())?.into_owned();
            (!text.is_empty()).then_some(text)
        };
        let port = |name| u16::try_from(connection.held(name)?.object().integer()?).ok();
        let tunnel = text(c"_tunnel_host");
        let is_encrypted = tunnel.is_some()
            || connection.is_a(c"http.client", c"HTTPSConnection")
            // urllib3 derives its HTTPS class from the other one.
            || connection.held(c"sock").is_some_and(|socket| socket.object().is_a(c"ssl", c"SSLSocket"));
        match tunnel {
            Some(host) => Self { is_encrypted, host: Some(host), port: port(c"_tunnel_port") },
            // urllib3 keeps the host under another name, and makes `host` a property.
            None => {
                Self { is_encrypted, host: text(c"_dns_host").or_else(|| text(c"host")), port: port(c"port") }
            }
        }
    }
}

/// The part of a request's head that may be looked at.
struct Head<'a> {
    method: &'a str,
    target: Cow<'a, str>,
    host: Option<Cow<'a, str>>,
    size: Option<u64>,
    /// How long it is, with the empty line at its end.
    bytes: usize,
}

impl<'a> Head<'a> {
    /// The head that `data` starts with; `None` for what is none.
    fn parse(data: &'a [u8]) -> Option<Self> {
        let (mut line, mut rest) = line(data)?;
        let mut words = line.splitn(3, |byte| *byte == b' ');
        let method = words.next().filter(|method| is_method(method))?;
        let target = words.next().filter(|target| !target.is_empty())?;
        words.next().filter(|version| version.starts_with(b"HTTP/"))?;
        let (mut host, mut size) = (None, None);
        while let Some(next) = self::line(rest) {
            (line, rest) = next;
            if line.is_empty() {
                break;
            }
            let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
            let (name, value) = line.split_at(colon);
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            if name.eq_ignore_ascii_case(b"host") {
                host = Some(String::from_utf8_lossy(value));
            } else if name.eq_ignore_ascii_case(b"content-length") {
                size = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            }
        }
        Some(Self {
            method: std::str::from_utf8(method).ok()?,
            target: String::from_utf8_lossy(target),
            host,
            size,
            bytes: data.len() - rest.len(),
        })
    }

    /// What is asked for. Where the connection is not known, the head says which host it wants.
    fn url(&self, server: Server) -> Url {
        if self.method == "CONNECT" {
            return Url::parse(&format!("https://{}", self.target));
        }
        if self.target.contains("://") && !self.target.starts_with('/') {
            return Url::parse(&self.target); // to a proxy
        }
        let scheme = if server.is_encrypted || server.port == Some(443) { "https" } else { "http" };
        let authority = match (server.host, server.port) {
            (Some(host), port) => authority(&host, port),
            (None, _) => self.host.as_deref().unwrap_or("unknown").to_owned(),
        };
        let slash = if self.target.starts_with('/') { "" } else { "/" };
        Url::parse(&format!("{scheme}://{authority}{slash}{}", self.target))
    }
}

fn authority(host: &str, port: Option<u16>) -> String {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let host = if bare.contains(':') { format!("[{bare}]") } else { bare.to_owned() };
    port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"))
}

fn is_method(text: &[u8]) -> bool {
    // Those in use are shorter than 20 letters: MKREDIRECTREF, BASELINE-CONTROL.
    (1..=24).contains(&text.len()) && text.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'-')
}

/// The first line of `data`, without its end, and what follows.
fn line(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = data.windows(2).position(|pair| pair == b"\r\n")?;
    Some((data.get(..end)?, data.get(end + 2..)?))
}

/// A URL as it is stored: without user and fragment, the host in lower case, no default port.
struct Url {
    text: String,
    host: Option<String>,
    port: Option<u16>,
}

/// Schemes whose default port is left out.
const DEFAULT_PORTS: [(&str, u16); 3] = [("http", 80), ("https", 443), ("ftp", 21)];

impl Url {
    /// What does not look like a URL with a host is kept as it is.
    fn parse(given: &str) -> Self {
        Self::parsed(given).unwrap_or_else(|| Self { text: given.to_owned(), host: None, port: None })
    }

    fn parsed(given: &str) -> Option<Self> {
        let (scheme, rest) = given.split_once("://")?;
        if scheme.is_empty()
            || !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+.-".contains(&byte))
        {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, "")) => (host, None),
            Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse::<u16>().ok()?)),
            _ => (authority, None),
        };
        let host = host.to_ascii_lowercase();
        let default = DEFAULT_PORTS.iter().find(|(name, _)| *name == scheme).map(|(_, port)| *port);
        let mut text = format!("{scheme}://{host}");
        if let Some(port) = port.filter(|port| default != Some(*port)) {
            text.push_str(&format!(":{port}"));
        }
        if path.starts_with('?') {
            text.push('/');
        }
        text.push_str(path);
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let host = (!bare.is_empty()).then_some(bare);
        Some(Self { text, host, port: port.or(default) })
    }

    fn told(&self, method: &str) -> Told {
        let hasher = foldhash::fast::FixedState::default();
        // urllib asks for "/" where a URL has no path.
        let path = self.text.splitn(4, '/').nth(3).unwrap_or_default();
        let authority = hasher.hash_one((&self.host, self.port));
        Told { request: hasher.hash_one((method, path)), authority }
    }

    fn event<'a>(self, kind: Kind, method: Cow<'a, str>, size: Option<u64>) -> Event<'a> {
        let Self { text, host, port, .. } = self;
        let (url, host) = (Cow::Owned(text), host.map(Cow::Owned));
        Event::new(kind, Target::Url { method, url, host, port, size })
    }
}

/// A request for `url`, as it is stored.
pub fn url_event<'a>(kind: Kind, url: &str, method: Cow<'a, str>, size: Option<u64>) -> Event<'a> {
    Url::parse(url).event(kind, method, size)
}

/// `webbrowser.open(url)`: another program makes the request.
pub fn browser(args: Object<'_>) -> Decoded<'_> {
    match args.item(0).and_then(Object::text) {
        Some(url) => Decoded::Event(Url::parse(url).event(Kind::Request, Cow::Borrowed("OPEN"), None)),
        None => Decoded::Odd,
    }
}

/// A connection of a client in the standard library, by where its object is.
struct Client {
    address: usize,
    url: String,
}

/// The clients that connected last. Only ever tried: a lock that could wait has no place in a watched program.
static CLIENTS: Mutex<Vec<Client>> = Mutex::new(Vec::new());
const REMEMBERED: usize = 32;

/// `….connect(client, host, port)`, before it does; the verbs that follow name only the client.
fn connects<'a>(args: Object<'a>, scheme: &str) -> Decoded<'a> {
    let (Some(client), Some(host)) = (args.item(0), args.item(1).and_then(text_of)) else {
        return Decoded::Odd;
    };
    let port = args.item(2).and_then(|port| u16::try_from(port.integer()?).ok());
    let host = if host.is_empty() { "localhost" } else { &host };
    let url = format!("{scheme}://{}", authority(host, port));
    if let Ok(mut clients) = CLIENTS.try_lock() {
        clients.retain(|known| known.address != client.address());
        if clients.len() >= REMEMBERED {
            clients.remove(0);
        }
        clients.push(Client { address: client.address(), url: url.clone() });
    }
    Decoded::Event(Url::parse(&url).event(Kind::Request, Cow::Borrowed("CONNECT"), None))
}

/// A request of a client that connected before, for `path` on its server.
fn asks<'a>(client: Object<'_>, verb: &'static str, path: &str) -> Decoded<'a> {
    let known = CLIENTS.try_lock().ok().and_then(|clients| {
        let found = clients.iter().find(|known| known.address == client.address())?;
        Some(found.url.clone())
    });
    let Some(mut url) = known else {
        return Decoded::Nothing; // connected so long ago that all is told, or by other means
    };
    if !path.is_empty() {
        url.push('/');
        url.push_str(path.trim_start_matches('/'));
    }
    Decoded::Event(Url::parse(&url).event(Kind::Request, Cow::Borrowed(verb), None))
}

/// The word of `verbs` that `text` is, in any case. What is in no table may be a secret, and is not looked at.
fn known(verbs: &[&'static str], text: &str) -> Option<&'static str> {
    verbs.iter().find(|verb| verb.eq_ignore_ascii_case(text)).copied()
}

/// The words of a command: one line. Text of several is a message, and not a command.
fn words(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_end_matches(['\r', '\n']);
    if line.contains('\n') {
        return None;
    }
    Some(line.split_once(' ').unwrap_or((line, "")))
}

fn command<'a>(args: Object<'a>, verbs: &[&'static str]) -> Decoded<'a> {
    let (Some(client), Some(line)) = (args.item(0), args.item(1).and_then(text_of)) else {
        return Decoded::Odd;
    };
    match words(&line).and_then(|(word, _)| known(verbs, word)) {
        Some(verb) => asks(client, verb, ""),
        None => Decoded::Nothing,
    }
}

pub fn smtp_connect(args: Object<'_>) -> Decoded<'_> {
    let is_encrypted = args.item(0).is_some_and(|client| client.is_a(c"smtplib", c"SMTP_SSL"));
    connects(args, if is_encrypted { "smtps" } else { "smtp" })
}

/// `smtplib.send(client, data)`: a command, an answer to a challenge, or a message.
pub fn smtp_send(args: Object<'_>) -> Decoded<'_> {
    command(args, &["AUTH", "MAIL", "RCPT", "VRFY", "EXPN"])
}

pub fn ftp_connect(args: Object<'_>) -> Decoded<'_> {
    let is_encrypted = args.item(0).is_some_and(|client| client.is_a(c"ftplib", c"FTP_TLS"));
    connects(args, if is_encrypted { "ftps" } else { "ftp" })
}

/// `ftplib.sendcmd(client, line)`. Only these commands have a path for an argument.
pub fn ftp_command(args: Object<'_>) -> Decoded<'_> {
    const WITH_PATH: [&str; 15] = [
        "RETR", "STOR", "STOU", "APPE", "DELE", "RNFR", "RNTO", "MKD", "XMKD", "RMD", "XRMD", "LIST", "NLST",
        "MLSD", "CWD",
    ];
    let (Some(client), Some(line)) = (args.item(0), args.item(1).and_then(text_of)) else {
        return Decoded::Odd;
    };
    let Some((word, path)) = words(&line) else {
        return Decoded::Nothing;
    };
    match known(&WITH_PATH, word) {
        Some(verb) => asks(client, verb, path),
        None => known(&["PASS", "SITE"], word).map_or(Decoded::Nothing, |verb| asks(client, verb, "")),
    }
}

pub fn imap_open(args: Object<'_>) -> Decoded<'_> {
    let is_encrypted = args.item(0).is_some_and(|client| client.is_a(c"imaplib", c"IMAP4_SSL"));
    connects(args, if is_encrypted { "imaps" } else { "imap" })
}

/// `imaplib.send(client, data)`: `TAG VERB …`, or the text that a command announced.
pub fn imap_send(args: Object<'_>) -> Decoded<'_> {
    const VERBS: [&str; 15] = [
        "LOGIN",
        "AUTHENTICATE",
        "SELECT",
        "EXAMINE",
        "FETCH",
        "SEARCH",
        "APPEND",
        "STORE",
        "COPY",
        "MOVE",
        "DELETE",
        "EXPUNGE",
        "CREATE",
        "RENAME",
        "LIST",
    ];
    let (Some(client), Some(line)) = (args.item(0), args.item(1).and_then(text_of)) else {
        return Decoded::Odd;
    };
    match imap_verb(&line).and_then(|word| known(&VERBS, word)) {
        Some(verb) => asks(client, verb, ""),
        None => Decoded::Nothing,
    }
}

/// The verb of an imaplib command: behind its tag, four letters and a number, and behind `UID`.
fn imap_verb(line: &str) -> Option<&str> {
    let (tag, rest) = words(line)?;
    let (letters, number) = tag.split_at_checked(4)?;
    let is_tag = letters.bytes().all(|byte| byte.is_ascii_uppercase())
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit());
    let mut words = rest.split(' ').filter(|_| is_tag);
    words.next().and_then(|word| if word == "UID" { words.next() } else { Some(word) })
}

pub fn pop_connect(args: Object<'_>) -> Decoded<'_> {
    let is_encrypted = args.item(0).is_some_and(|client| client.is_a(c"poplib", c"POP3_SSL"));
    connects(args, if is_encrypted { "pop3s" } else { "pop3" })
}

pub fn pop_command(args: Object<'_>) -> Decoded<'_> {
    command(args, &["PASS", "APOP", "AUTH", "RETR", "TOP", "DELE"])
}

pub fn news_connect(args: Object<'_>) -> Decoded<'_> {
    connects(args, "nntp")
}

pub fn news_command(args: Object<'_>) -> Decoded<'_> {
    command(args, &["AUTHINFO", "GROUP", "ARTICLE", "BODY", "HEAD", "POST", "IHAVE", "XOVER", "OVER"])
}

/// `telnetlib.Telnet.open(client, host, port)`. What is typed then is nobody's business.
pub fn telnet_open(args: Object<'_>) -> Decoded<'_> {
    connects(args, "telnet")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_stored_without_user_fragment_and_default_port() {
        for (given, stored, host, port) in [
            ("HTTPS://Ann:pw@Host.Example:443/a?b=c#d", "https://host.example/a?b=c", "host.example", 443),
            ("http://host?x=1", "http://host/?x=1", "host", 80),
            ("http://host:8080", "http://host:8080", "host", 8080),
            ("http://[::1]:81/", "http://[::1]:81/", "::1", 81),
            ("http://[::1]/", "http://[::1]/", "::1", 80),
            ("ftp://host:21/a b", "ftp://host/a b", "host", 21),
        ] {
            let url = Url::parse(given);
            assert_eq!((url.text.as_str(), url.host.as_deref(), url.port), (stored, Some(host), Some(port)));
        }
        for odd in ["", "file", "/a://b", "http://u:p/ss@host/", "://x"] {
            assert_eq!((Url::parse(odd).text.as_str(), Url::parse(odd).host), (odd, None));
        }
    }

    #[test]
    fn a_head_gives_method_target_host_and_size_and_nothing_else() {
        let data = b"POST /a?b=c HTTP/1.1\r\nhost: h.example:8080\r\nAuthorization: Bearer x\r\nContent-Length: 7\r\n\r\nabc";
        let head = Head::parse(data).unwrap();
        assert_eq!((head.method, &*head.target, head.size), ("POST", "/a?b=c", Some(7)));
        assert_eq!(data.len() - head.bytes, 3);
        assert_eq!(head.url(Server::default()).text, "http://h.example:8080/a?b=c");
        let server = Server { is_encrypted: true, host: Some("::1".into()), port: Some(443) };
        assert_eq!(head.url(server).text, "https://[::1]/a?b=c");
    }

    #[test]
    fn a_proxy_is_asked_for_the_whole_url_or_for_a_tunnel() {
        let server = || Server { host: Some("proxy".into()), port: Some(3128), is_encrypted: false };
        let url = |head: &[u8]| Head::parse(head).unwrap().url(server()).text;
        assert_eq!(url(b"GET http://u:p@h/a#b HTTP/1.1\r\n\r\n"), "http://h/a");
        assert_eq!(url(b"CONNECT h:443 HTTP/1.0\r\n"), "https://h");
        assert_eq!(
            url(b"GET /login?next=http://x HTTP/1.1\r\n\r\n"),
            "http://proxy:3128/login?next=http://x"
        );
    }

    #[test]
    fn what_is_no_head_is_none() {
        for data in [
            &b""[..],
            b"GET / HTTP/1.1",
            b"Authorization: Basic x\r\n",
            b"get / HTTP/1.1\r\n",
            b"GET  HTTP/1.1\r\n",
            b"5\r\nhello\r\n",
            b"POST / SPDY\r\n",
        ] {
            assert!(Head::parse(data).is_none(), "{data:?}");
        }
    }

    #[test]
    fn a_verb_comes_from_the_table_or_not_at_all() {
        assert_eq!(imap_verb("ABCD12 LOGIN ann \"hunter2\"\r\n"), Some("LOGIN"));
        assert_eq!(imap_verb("ABCD12 UID FETCH 1:*\r\n"), Some("FETCH"));
        assert_eq!(imap_verb("hunter2 LOGIN\r\n"), None);
        assert_eq!(known(&["MAIL"], "mail"), Some("MAIL"));
        assert_eq!(words("mail a\r\nb\r\n.\r\n"), None);
    }
}
