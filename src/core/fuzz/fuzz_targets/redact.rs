//! Any text: nothing panics, what is masked stays masked, and a cut leaves nothing that the whole would not.
//! Run with `cargo fuzz run redact` in `src/core`.
#![no_main]

use std::borrow::Cow;

use gnomon_core::redact::{Command, cut, redacted};
use libfuzzer_sys::fuzz_target;

const SECRET: &[u8] = b"ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8";

fuzz_target!(|text: &[u8]| {
    let once = redacted(text);
    assert_eq!(redacted(&once), once);
    let planted = [text, b" ", SECRET, b" ", text].concat();
    let has_secret = |text: &[u8]| text.windows(SECRET.len()).any(|found| found == SECRET);
    assert!(!has_secret(&redacted(&planted)) || has_secret(text));
    let _ = cut(&planted, text.len() / 2);
    let mut command = Command::default();
    for argument in text.split(|byte| *byte == 0) {
        let _ = command.next(Cow::Borrowed(argument), 4096);
    }
});
