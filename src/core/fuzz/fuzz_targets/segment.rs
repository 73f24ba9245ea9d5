//! Any file: parsed, walked, described. Run with `cargo fuzz run segment` in `src/core`.
#![no_main]

use std::path::Path;

use gnomon_core::columns::for_each_event;
use gnomon_core::filter::Filter;
use gnomon_core::spool::reader::SegmentFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(segment) = SegmentFile::parse(Path::new("fuzz"), bytes.to_vec()) {
        let mut faults = Vec::new();
        for_each_event(&segment, &Filter::default(), &mut faults, |_| {});
        let _ = (segment.description(), segment.used_bytes());
    }
});
