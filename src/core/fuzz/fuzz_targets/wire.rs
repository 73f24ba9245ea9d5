//! Any bytes that a client may send, in any pieces: nothing panics, and the pieces say what the whole says.
//! The first byte chooses what the rest starts with and how long its pieces are. Run with `cargo fuzz run wire` in
//! `src/core`; the captures beside the parser (`wire/captures`) are a good corpus.
#![no_main]

use gnomon_core::wire::Sender;
use libfuzzer_sys::fuzz_target;

const STARTS: [&[u8]; 4] = [
    b"",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"\x16\x03\x01",
];

fuzz_target!(|input: &[u8]| {
    let Some((choice, rest)) = input.split_first() else { return };
    let bytes = [STARTS[usize::from(choice & 3)], rest].concat();
    let piece = 1 + usize::from(choice >> 2);
    assert_eq!(seen(bytes.chunks(piece)), seen([bytes.as_slice()].into_iter()));
});

fn seen<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let mut sender = Sender::default();
    let mut lines = Vec::new();
    pieces.for_each(|piece| sender.feed(piece, |seen| lines.push(format!("{seen:?}"))));
    lines
}
