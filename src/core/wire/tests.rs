//! `captures` holds what clients sent to a server on the loopback device; the secrets in it are none.

use proptest::prelude::*;

use super::dns::{self, Kind, Message};
use super::*;

/// A client's name and what it sent on one connection.
macro_rules! captured {
    ($($name:literal),*) => {
        [$(($name, include_bytes!(concat!("captures/", $name)).as_slice())),*]
    };
}

const HTTP1: [(&str, &[u8]); 4] = captured!["httpx1", "aiohttp", "urllib3", "curl1"];
const HTTP2: [(&str, &[u8]); 3] = captured!["httpx2", "curl2", "grpc"];
const HELLOS: [(&str, &[u8]); 4] =
    captured!["hello_curl_cffi", "hello_primp", "hello_openssl", "hello_openssl_ip"];
const TUNNEL: &[u8] = include_bytes!("captures/curl_connect");
const UPGRADE: &[u8] = include_bytes!("captures/curl_h2c_upgrade");
/// From the hpack library of Python: a path of all bytes, and 48 requests that fill a table whose size changes.
const EVERY_BYTE: &[u8] = include_bytes!("captures/hpack_every_byte");
const MANY: &[u8] = include_bytes!("captures/hpack_many");
const QUERY: &[u8] = include_bytes!("captures/dns_query_28");
const ANSWER: &[u8] = include_bytes!("captures/dns_answer_1");

/// What is told of `pieces`, a line for each.
fn seen<'a>(sender: &mut Sender, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let mut lines = Vec::new();
    for piece in pieces {
        sender.feed(piece, |seen| lines.push(line(&seen)));
    }
    lines
}

fn line(seen: &Seen<'_>) -> String {
    match seen {
        Seen::Request(request) => {
            let Request { method, target, body_size, is_chunked, .. } = request;
            let size = match (body_size, is_chunked) {
                (_, true) => "chunks".to_owned(),
                (Some(size), _) => size.to_string(),
                _ => "-".to_owned(),
            };
            let host = request.host.as_deref().unwrap_or("-");
            let host = host.strip_prefix("127.0.0.1:").map_or(host, |_| "here");
            let scheme = request.scheme.as_deref().map(|scheme| format!("{scheme}://")).unwrap_or_default();
            format!("{method} {scheme}{host} {target} {size}")
        }
        Seen::BodyEnds { size } => format!("ends {size}"),
        Seen::Hello { server } => format!("hello {}", server.as_deref().unwrap_or("-")),
    }
}

fn all(bytes: &[u8]) -> Vec<String> {
    seen(&mut Sender::default(), [bytes])
}

/// As [`all`], and says whether it was followed to the end.
fn followed(bytes: &[u8]) -> (Vec<String>, bool) {
    let mut sender = Sender::default();
    let lines = seen(&mut sender, [bytes]);
    (lines, !sender.is_opaque())
}

#[test]
fn requests_of_real_http1_clients_are_told() {
    for (client, bytes) in HTTP1 {
        let json = if client == "aiohttp" { 8 } else { 7 };
        let mut expected = vec![
            "GET here /a?q=1 -".to_owned(),
            format!("POST here /b {json}"),
            "POST here /c chunks".to_owned(),
            "ends 9".to_owned(),
        ];
        match client {
            "httpx1" => expected.push("PUT here /d 5".to_owned()),
            "curl1" => {
                expected[1..3].clone_from_slice(&["POST here /b 3".into(), "PUT here /c chunks".into()])
            }
            _ => {}
        }
        assert_eq!(followed(bytes), (expected, true), "{client}");
    }
}

#[test]
fn requests_of_real_http2_clients_are_told() {
    let expected: [&[&str]; 3] = [
        &[
            "GET http://here /a?q=1 -",
            "POST http://here /b 7",
            "GET http://here /a?q=1 -",
            "POST http://here /c -",
        ],
        &["GET http://here /a?q=1 -", "POST http://here /b 3", "POST http://here /b 3"],
        &["POST http://here /pkg.Service/Call -", "POST http://here /pkg.Service/Call -"],
    ];
    for ((client, bytes), expected) in HTTP2.into_iter().zip(expected) {
        let (lines, is_followed) = followed(bytes);
        assert!(is_followed, "{client}");
        assert_eq!(lines, expected, "{client}");
    }
}

#[test]
fn the_server_that_a_hello_names_is_told() {
    for (client, bytes) in HELLOS {
        let name = if client == "hello_openssl_ip" { "-" } else { "localhost" };
        assert_eq!(followed(bytes), (vec![format!("hello {name}")], false), "{client}");
    }
}

#[test]
fn a_tunnel_is_followed_and_so_is_a_refused_one() {
    let connect = "CONNECT api.example:443 api.example:443 -";
    assert_eq!(all(TUNNEL), [connect, "hello api.example"]);
    let head = &TUNNEL[..TUNNEL.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4];
    assert_eq!(all(&[head, head, b"GET / HTTP/1.1\r\n\r\n"].concat()), [connect, connect, "GET - / -"]);
}

#[test]
fn an_upgrade_is_followed_where_it_is_http() {
    let up = "GET here /up -";
    assert_eq!(all(&[UPGRADE, HTTP2[1].1].concat())[..2], [up, "GET http://here /a?q=1 -"]);
    assert_eq!(all(&[UPGRADE, b"GET /2 HTTP/1.1\r\n\r\n"].concat()), [up, "GET - /2 -"]);
    assert_eq!(followed(&[UPGRADE, b"\x81\x85abcdefghi"].concat()), (vec![up.to_owned()], false));
}

#[test]
fn what_is_no_request_is_opaque_and_holds_nothing() {
    for bytes in [
        &b"EHLO me.example\r\n"[..],
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"get key\r\n",
        b"USER ann\r\nPASS secret\r\n\r\n",
        b"OPTIONS sip:a@b SIP/2.0\r\n\r\n",
        b"DESCRIBE rtsp://a/b RTSP/1.0\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b" GET / HTTP/1.1\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\n\r\n",
        b"GET/HTTP/1.1\r\n\r\n",
        b"AMETHODTHATISLONGERTHANANY / HTTP/1.1\r\n\r\n",
        b"\0\0\0\x08\x04\xd2\x16\x2f",
        b"\x16\x03\x01\0\0",
        b"\x16\x03\x01\0\x04\x02\0\0\0",
        b"\x16\x02",
    ] {
        let mut sender = Sender::default();
        assert_eq!(seen(&mut sender, bytes.chunks(1)), [""; 0], "{}", bytes.escape_ascii());
        assert!(sender.is_opaque(), "{}", bytes.escape_ascii());
        assert_eq!(followed(bytes), (vec![], false), "{}", bytes.escape_ascii());
    }
    assert!(size_of::<Sender>() <= 64);
}

#[test]
fn targets_and_methods_are_told_as_they_are_sent() {
    for (head, expected) in [
        (
            "GET http://a.example/x?y=z HTTP/1.1\r\nhOsT:\tb.example:81 \r\n\r\n",
            "GET b.example:81 http://a.example/x?y=z -",
        ),
        ("OPTIONS * HTTP/1.0\n\n", "OPTIONS - * -"),
        ("M-SEARCH * HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "M-SEARCH a * -"),
        (
            "\r\nPOST /\u{e9} HTTP/1.1\r\nbad header\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            "POST a /\u{e9} 0",
        ),
        ("P /p HTTP/1.1\r\n\r\n", "P - /p -"),
        ("PRI /p HTTP/1.1\r\n\r\n", "PRI - /p -"),
    ] {
        assert_eq!(followed(head.as_bytes()), (vec![expected.to_owned()], true));
    }
}

#[test]
fn a_body_whose_end_nobody_can_tell_makes_it_opaque() {
    for (field, size) in [
        ("Content-Length: x", "-"),
        ("Content-Length: +5", "-"),
        ("Content-Length: 5\r\nContent-Length: 6", "-"),
        ("Content-Length: 99999999999999999999", "-"),
        ("Transfer-Encoding: chunked, gzip", "-"),
        ("Transfer-Encoding: gzip\r\nContent-Length: 5", "5"),
    ] {
        let bytes = format!("POST / HTTP/1.1\r\n{field}\r\n\r\nGET / HTTP/1.1\r\n\r\n");
        assert_eq!(followed(bytes.as_bytes()), (vec![format!("POST - / {size}")], false), "{field}");
    }
}

#[test]
fn chunks_are_skipped_with_their_extensions_and_trailers() {
    let head = "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n";
    let next = "GET /2 HTTP/1.1\r\n\r\n";
    for (body, size) in [
        ("0\r\n\r\n", 0),
        ("3;a=\"b\"\r\nGET\r\n0\r\n\r\n", 3),
        ("00A \r\n0123456789\r\n0\r\nX: y\r\nZ: 0\r\n\r\n", 10),
        ("1\n2\n0\n\n", 1),
    ] {
        let expected = vec!["POST - / chunks".to_owned(), format!("ends {size}"), "GET - /2 -".to_owned()];
        assert_eq!(followed(format!("{head}{body}{next}").as_bytes()), (expected, true), "{body}");
    }
    for body in ["\r\n", "x", "11111111111111111", "1\r\n234", "-1\r\n"] {
        let bytes = format!("{head}{body}{next}");
        assert_eq!(followed(bytes.as_bytes()), (vec!["POST - / chunks".to_owned()], false), "{body}");
    }
}

#[test]
fn a_head_is_held_up_to_its_limit() {
    let head = |length: usize| {
        let start = "GET / HTTP/1.1\r\nCookie: ";
        format!("{start}{}\r\n\r\n", "c".repeat(length - start.len() - 4))
    };
    for (length, is_told) in [(MAX_HEAD, true), (MAX_HEAD + 1, false), (3 * MAX_HEAD, false)] {
        let bytes = head(length);
        for piece in [1, 1000, bytes.len()] {
            let lines = seen(&mut Sender::default(), bytes.as_bytes().chunks(piece));
            assert_eq!(!lines.is_empty(), is_told, "{length} in pieces of {piece}");
        }
    }
    let many = format!("GET / HTTP/1.1\r\n{}Host: a\r\n\r\n", "X: y\r\n".repeat(400));
    assert_eq!(all(many.as_bytes()), ["GET a / -"]);
}

#[test]
fn what_is_sent_again_is_told_once() {
    let bytes = b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nabcdGET /2 HTTP/1.1\r\n\r\n";
    let mut sender = Sender::default();
    let mut lines = seen(&mut sender, [&bytes[..]]);
    sender.unsent(bytes.len() - 10);
    lines.extend(seen(&mut sender, [&bytes[10..20]]));
    sender.unsent(4);
    lines.extend(seen(&mut sender, [&bytes[16..], b"GET /3 HTTP/1.1\r\n\r\n"]));
    assert_eq!(lines, ["POST - / 4", "GET - /2 -", "GET - /3 -"]);
}

#[test]
fn bytes_that_are_not_at_hand_are_passed_within_a_body() {
    let mut sender = Sender::default();
    let head = b"PUT / HTTP/1.1\r\nContent-Length: 10\r\n\r\nab";
    assert_eq!(seen(&mut sender, [&head[..]]), ["PUT - / 10"]);
    sender.pass(8);
    assert_eq!(seen(&mut sender, [&b"GET /2 HTTP/1.1\r\n\r\n"[..]]), ["GET - /2 -"]);
    let head = b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\na\r\n";
    assert_eq!(seen(&mut sender, [&head[..]]), ["PUT - / chunks"]);
    sender.pass(10);
    assert_eq!(seen(&mut sender, [&b"\r\n0\r\n\r\n"[..]]), ["ends 10"]);
    sender.pass(1);
    assert!(sender.is_opaque());
    sender.reset();
    assert_eq!(seen(&mut sender, [&b"GET / HTTP/1.1\r\n\r\n"[..]]), ["GET - / -"]);
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = &(payload.len() as u32).to_be_bytes()[1..];
    [length, &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn http2(frames: &[Vec<u8>]) -> (Vec<String>, bool) {
    followed(&[http2::PREFACE, &frames.concat()].concat())
}

#[test]
fn a_header_block_may_be_padded_and_continued() {
    let block = b"\x82\x86\x84\x41\x0fwww.example.com";
    let padded = [b"\x03", &b"\x80\0\0\x01\x10"[..], &block[..5], b"\0\0\0"].concat();
    let first = frame(1, 0x28, 1, &padded);
    let expected = vec!["GET http://www.example.com / -".to_owned()];
    let rest = [frame(9, 0, 1, &block[5..9]), frame(9, 4, 1, &block[9..]), frame(0, 1, 1, b"data")];
    assert_eq!(http2(&[std::slice::from_ref(&first), &rest].concat()), (expected.clone(), true));
    let empty = [frame(1, 0, 1, b""), frame(9, 4, 1, block), frame(0, 1, 1, b"")];
    assert_eq!(http2(&empty), (expected, true));
    for wrong in [frame(0, 0, 1, b""), frame(9, 4, 3, b""), frame(1, 4, 1, b"")] {
        assert_eq!(http2(&[first.clone(), wrong]), (vec![], false));
    }
    for alone in [
        frame(9, 4, 1, block),
        frame(5, 4, 1, block),
        frame(1, 0xC, 1, b"\x05abc"),
        frame(1, 4, 1, b"\x80"),
        frame(1, 4, 1, b"\x02\x03A B"),
    ] {
        assert_eq!(http2(&[alone]), (vec![], false));
    }
}

#[test]
fn a_header_block_is_held_up_to_its_limit() {
    let piece = vec![0; MAX_HEAD / 4];
    let many: Vec<_> = (0..5).map(|number| frame(if number == 0 { 1 } else { 9 }, 0, 1, &piece)).collect();
    assert!(!http2(&many).1);
    assert!(http2(&many[..4]).1);
    assert!(!http2(&[frame(1, 4, 1, &vec![0x82; MAX_HEAD + 1])]).1);
}

#[test]
fn a_trailer_is_no_request_and_a_tunnel_has_no_path() {
    let trailer = frame(1, 5, 1, b"\0\x04name\x05value");
    let connect = frame(1, 4, 3, b"\x42\x07CONNECT\x41\x09a.example");
    let lines = vec!["CONNECT a.example a.example -".to_owned()];
    assert_eq!(http2(&[trailer, connect]), (lines, true));
}

#[test]
fn every_byte_has_a_code() {
    let values = hpack::Table::default().decode(EVERY_BYTE).unwrap();
    let every: Vec<u8> = (0..=255).collect();
    assert_eq!(values.get(hpack::Field::Path), Some(every.as_slice()));
}

#[test]
fn codes_that_do_not_end_in_ones_are_refused() {
    let path = |text: &[u8]| {
        let block = [&[0x04, 0x80 | text.len() as u8], text].concat();
        let values = hpack::Table::default().decode(&block)?;
        values.get(hpack::Field::Path).map(<[u8]>::to_vec)
    };
    // RFC 7541, C.4.1
    let good = b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";
    assert_eq!(path(good).as_deref(), Some(&b"www.example.com"[..]));
    assert_eq!(path(b""), Some(vec![]));
    for wrong in
        [&good[..11], b"\xff", b"\xff\xff\xff\xff", b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xfe"]
    {
        assert_eq!(path(wrong), None, "{}", wrong.escape_ascii());
    }
}

#[test]
fn a_table_that_evicts_and_changes_its_size_is_followed() {
    let (lines, is_followed) = followed(MANY);
    assert!(is_followed);
    assert_eq!(lines.len(), 48);
    for (number, line) in lines.iter().enumerate() {
        let size = if number % 2 == 1 { number.to_string() } else { "-".to_owned() };
        let expected = format!(" https://h{}.example /p/{} {size}", number % 3, number % 5);
        assert_eq!(line.split_once(' ').map(|(_, rest)| format!(" {rest}")), Some(expected));
    }
}

#[test]
fn integers_and_tables_have_limits() {
    let decode = |block: &[u8]| hpack::Table::default().decode(block).map(drop);
    assert_eq!(decode(b"\x3f\xe1\xff\x03"), Some(())); // 64 KiB
    for wrong in [
        &b"\x3f\xe2\xff\x03"[..],
        b"\x3f\xff\xff\xff\xff\xff\x01",
        b"\x3f",
        b"\x80",
        b"\xbe",
        b"\xff\x80\x80\x80\x80",
        b"\x7f\x00\x01a",
        b"\x04\x05abc",
        b"\x00",
    ] {
        assert_eq!(decode(wrong), None, "{}", wrong.escape_ascii());
    }
}

#[test]
fn every_split_of_what_clients_sent_says_the_same() {
    for (client, bytes) in [&HTTP1[..], &HTTP2, &HELLOS, &[("many", MANY), ("tunnel", TUNNEL)]].concat() {
        let expected = all(bytes);
        for at in 0..bytes.len() {
            let (first, second) = bytes.split_at(at);
            assert_eq!(seen(&mut Sender::default(), [first, second]), expected, "{client} at {at}");
        }
        assert_eq!(seen(&mut Sender::default(), bytes.chunks(1)), expected, "{client}");
    }
}

#[test]
fn a_hello_in_several_records_is_read() {
    let message = &HELLOS[0].1[5..];
    for piece in [1, 3, 700] {
        let records: Vec<_> = message
            .chunks(piece)
            .flat_map(|part| [&[22, 3, 1], &(part.len() as u16).to_be_bytes()[..], part].concat())
            .collect();
        assert_eq!(all(&records), ["hello localhost"]);
    }
    // A hello that ends before its extensions would, in a record that goes on.
    let cut = b"\x16\x03\x01\x02\0\x01\0\0\x28\x03\x03";
    assert_eq!(followed(&[&cut[..], &[0; 32], b"\0\0\x40", &[0; 300]].concat()), (vec![], false));
    let mut odd = HELLOS[0].1.to_vec();
    let at = odd.windows(9).position(|name| name == b"localhost").unwrap();
    odd[at] = b'/';
    assert_eq!(all(&odd), ["hello -"]);
}

#[test]
fn names_are_asked_for_and_have_addresses() {
    let name = "api.example.com".to_owned();
    assert_eq!(dns::parse(QUERY), Some(Message::Query { name: name.clone(), kind: Kind::Aaaa }));
    let addresses = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().unwrap());
    let answer = Message::Answer { name, kind: Kind::A, addresses: addresses.into_iter().collect(), code: 0 };
    assert_eq!(dns::parse(ANSWER), Some(answer));
    assert!(matches!(
        dns::parse(&[&ANSWER[..2], b"\x81\x83", &ANSWER[4..]].concat()),
        Some(Message::Answer { code: 3, .. })
    ));
}

#[test]
fn an_answer_gives_only_the_addresses_of_what_was_asked_for() {
    let question = b"\x01a\x02xx\0\0\x01\0\x01";
    let message = |records: &[&[u8]]| {
        let count = records.len() as u8;
        [b"\0\x01\x81\x80\0\x01\0", &[count][..], b"\0\0\0\0", question, &records.concat()].concat()
    };
    let addresses = |records: &[&[u8]]| match dns::parse(&message(records)) {
        Some(Message::Answer { addresses, .. }) => addresses.iter().map(ToString::to_string).collect(),
        other => vec![format!("{other:?}")],
    };
    let own = b"\xc0\x0c\0\x01\0\x01\0\0\0\0\0\x04\x0a\0\0\x01".as_slice();
    let other = b"\x01b\xc0\x0e\0\x01\0\x01\0\0\0\0\0\x04\x0a\0\0\x02".as_slice();
    let alias = b"\xc0\x0c\0\x05\0\x01\0\0\0\0\0\x04\x01B\xc0\x0e".as_slice();
    let itself = b"\xc0\x0c\0\x05\0\x01\0\0\0\0\0\x02\xc0\x0c".as_slice();
    let looping = b"\xc0\x1b\0\x01\0\x01\0\0\0\0\0\x04\x0a\0\0\x01".as_slice();
    assert_eq!(addresses(&[own, other]), ["10.0.0.1"]);
    assert_eq!(addresses(&[other, alias]), ["10.0.0.2"]);
    assert_eq!(addresses(&[itself]), [""; 0]);
    assert_eq!(addresses(&[looping]), [""; 0]);
    assert_eq!(addresses(&[&own[..8]]), [""; 0]);
    assert_eq!(addresses(&[&b"\xc0\x0c\0\x01\0\x01\0\0\0\0\0\x03\x0a\0\0"[..]]), [""; 0]);
}

#[test]
fn names_that_are_no_hosts_are_not_told() {
    let query =
        |name: &[u8]| dns::parse(&[b"\0\x01\x01\0\0\x01\0\0\0\0\0\0", name, b"\0\x01\0\x01"].concat());
    assert!(query(b"\x04_dns\x08resolver\x04arpa\0").is_some());
    let long = [b"\x3f".as_slice(), &[b'a'; 63]].concat().repeat(4);
    for name in [
        &b"\0"[..],
        b"\x03a b\0",
        b"\x03a\x1bb\0",
        b"\x03a.b\0",
        b"\x02\xc3\xa9\0",
        b"\xc0\x0c",
        b"\xff\xff",
        b"\x40a\0",
        &[&long[..], b"\0"].concat(),
    ] {
        assert_eq!(query(name), None, "{}", name.escape_ascii());
    }
}

#[test]
fn messages_on_a_stream_are_given_whole() {
    let framed = |message: &[u8]| [&(message.len() as u16).to_be_bytes(), message].concat();
    let bytes = [framed(QUERY), framed(&[]), framed(&vec![1; MAX_HEAD + 1]), framed(ANSWER)].concat();
    for piece in [1, 2, 3, 50, 57, 1000, bytes.len()] {
        let mut stream = dns::Stream::default();
        let mut found = Vec::new();
        bytes.chunks(piece).for_each(|piece| stream.feed(piece, |message| found.push(message.to_vec())));
        assert_eq!(found, [QUERY, &[], ANSWER], "in pieces of {piece}");
    }
}

/// Bytes that are like those of clients: whole captures, cut, changed or in another order.
fn nearly_real() -> impl Strategy<Value = Vec<u8>> {
    let captures =
        [&HTTP1[..], &HTTP2, &HELLOS, &[("tunnel", TUNNEL), ("upgrade", UPGRADE), ("many", MANY)]].concat();
    let part =
        (prop::sample::select(captures), any::<prop::sample::Index>()).prop_map(|((_, bytes), cut)| {
            let at = cut.index(2 * bytes.len());
            bytes.get(..at).unwrap_or(bytes).to_vec()
        });
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (prop::collection::vec(part, 1..4), changes).prop_map(|(parts, changes)| {
        let mut bytes = parts.concat();
        for (place, byte) in changes.into_iter().filter(|_| !parts.concat().is_empty()) {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

proptest! {
    #[test]
    fn pieces_say_what_the_whole_says(bytes in nearly_real(), sizes in prop::collection::vec(1..400_usize, 1..40)) {
        let mut sizes = sizes.into_iter().cycle();
        let mut rest = bytes.as_slice();
        let pieces = std::iter::from_fn(|| rest.split_off(..sizes.next()?.min(rest.len())).filter(|piece| !piece.is_empty()));
        prop_assert_eq!(seen(&mut Sender::default(), pieces), all(&bytes));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        all(&bytes);
        all(&[http2::PREFACE, &frame(1, 4, 1, &bytes)].concat());
        all(&[b"\x16\x03\x01\x02\x58\x01\0\x02\x54", &bytes[..]].concat());
        let _ = dns::parse(&bytes);
        let _ = dns::parse(&[&ANSWER[..12], &bytes].concat());
    }
}
