//! Payloads with right checksums behind a right header: what a hostile writer can make.
//! The input is a list of (kind, length, payload). Run with `cargo fuzz run records` in `src/core`.
#![no_main]

use std::path::Path;

use gnomon_core::columns::for_each_event;
use gnomon_core::filter::Filter;
use gnomon_core::spool::format::{CHECKED_FROM, HEAD_BYTES, HEADER_BYTES, Identity, padded};
use gnomon_core::spool::reader::SegmentFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let identity = Identity { process: uuid::Uuid::from_u128(7), number: 0, pid: 1, created: 1, allocated: 4096 };
    let mut bytes = identity.to_bytes().to_vec();
    bytes.resize(HEADER_BYTES, 0);
    let mut rest = input;
    while let [kind, length, tail @ ..] = rest {
        let (payload, next) = tail.split_at(usize::from(*length).min(tail.len()));
        push_record(&mut bytes, u16::from(*kind), payload);
        rest = next;
    }
    let segment = SegmentFile::parse(Path::new("fuzz"), bytes).expect("the header is right");
    let mut faults = Vec::new();
    for_each_event(&segment, &Filter::default(), &mut faults, |view| {
        let mut text = String::new();
        let _ = view.push_target_to(&mut text);
    });
});

fn push_record(bytes: &mut Vec<u8>, kind: u16, payload: &[u8]) {
    let length = HEAD_BYTES + payload.len();
    let mut record = vec![0; HEAD_BYTES];
    record[..4].copy_from_slice(&(length as u32).to_le_bytes());
    record[16..20].copy_from_slice(&1_u32.to_le_bytes());
    record[20..22].copy_from_slice(&kind.to_le_bytes());
    record.extend_from_slice(payload);
    let checksum = crc32fast::hash(&record[CHECKED_FROM..]);
    record[4..8].copy_from_slice(&checksum.to_le_bytes());
    record.resize(padded(length), 0);
    bytes.extend(record);
}
