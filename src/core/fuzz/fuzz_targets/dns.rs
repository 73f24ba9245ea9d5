//! Any datagram, and any pieces of a stream: nothing panics, and what is told is a host's name.
//! Run with `cargo fuzz run dns` in `src/core`.
#![no_main]

use gnomon_core::wire::dns::{Message, Stream, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Some(Message::Query { name, .. } | Message::Answer { name, .. }) = parse(input) {
        assert!(!name.is_empty() && name.len() < 255 && !name.ends_with('.'));
        assert!(name.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase()));
    }
    let piece = 1 + usize::from(input.first().copied().unwrap_or(0));
    assert_eq!(messages(input.chunks(piece)), messages([input].into_iter()));
});

fn messages<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let mut stream = Stream::default();
    let mut found = Vec::new();
    pieces.for_each(|piece| stream.feed(piece, |message| found.push(message.to_vec())));
    found
}
