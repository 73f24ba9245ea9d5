//! Files made by hand, those of this process, and broken ones.

#![expect(unsafe_code, reason = "asks the loader for this process's own")]

use std::ffi::{OsStr, c_int, c_void};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;

use libc::dl_phdr_info;
use proptest::prelude::*;

use super::*;
use crate::redirect::blind;
use crate::redirect::call::text;
use crate::redirect::elf::Module;

/// `mov eax, 257; syscall`: openat.
const OPENAT: [u8; 7] = [0xb8, 1, 1, 0, 0, 0x0f, 5];
const CODE: usize = 0x1000;

/// A shared object with a build id, and so much code.
fn sample(code: &[u8]) -> Vec<u8> {
    let mut file = MAGIC.to_vec();
    file.resize(CODE, 0);
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(18, &62_u16.to_le_bytes());
    put(32, &64_u64.to_le_bytes());
    put(54, &[56, 0, 2, 0]);
    put(64, &header(PT_NOTE, 4, 0x200, 20));
    put(64 + 56, &header(PT_LOAD, 5, CODE, code.len()));
    put(0x200, b"\x04\0\0\0\x02\0\0\0\x03\0\0\0GNU\0\xab\x12\0\0");
    file.extend_from_slice(code);
    file
}

fn header(kind: u32, flags: u32, offset: usize, bytes: usize) -> Vec<u8> {
    let [offset, bytes] = [offset as u64, bytes as u64];
    let head = (u64::from(flags) << 32) | u64::from(kind);
    [head, offset, offset, offset, bytes, bytes, 4].iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// What is found in a file that has these bytes.
fn examine_bytes(bytes: &[u8], build_id: Option<&str>) -> Result<Option<String>, NotExamined> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    examined(file.path(), build_id)
}

#[test]
fn a_call_is_found_wherever_the_pieces_end() {
    for at in
        [0, 100, PIECE_BYTES - 6, PIECE_BYTES - 1, PIECE_BYTES, 2 * PIECE_BYTES - 3, 3 * PIECE_BYTES - 7]
    {
        let mut code = vec![0x90; 3 * PIECE_BYTES];
        code[at..at + OPENAT.len()].copy_from_slice(&OPENAT);
        let found = examine_bytes(&sample(&code), Some("ab12")).unwrap();
        assert_eq!(found.as_deref(), Some("system calls: openat"), "{at}");
    }
}

#[test]
fn a_file_with_no_calls_has_none() {
    assert!(matches!(examine_bytes(&sample(&[0x90; 5000]), None), Ok(None)));
}

#[test]
fn go_is_told() {
    let found = examine_bytes(&sample(b"\xff Go build ID: \"x\""), None).unwrap();
    assert_eq!(found.as_deref(), Some("go"));
}

#[test]
fn a_file_with_another_build_id_is_another_file() {
    assert!(matches!(examine_bytes(&sample(&OPENAT), Some("ab13")), Err(NotExamined::Other)));
}

#[test]
fn what_cannot_be_loaded_is_no_shared_object() {
    let good = sample(&OPENAT);
    let changed = |at: usize, bytes: &[u8]| {
        let mut file = good.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    let cases = [
        Vec::new(),
        good[..60].to_vec(),
        good[..CODE].to_vec(),
        changed(0, b"MZ"),
        changed(4, &[1]),           // 32 bits
        changed(18, &[3, 0]),       // i386
        changed(32, &[0xff; 8]),    // headers beyond the end
        changed(54, &[57, 0]),      // headers of another size
        changed(56, &[0xff, 0xff]), // more headers than there are bytes
        changed(64 + 32, &[0xff; 8]),
        changed(64 + 56 + 8, &[0xff; 8]),
        changed(64 + 56 + 32, &[0, 0, 1]), // longer than the file
    ];
    for (index, file) in cases.iter().enumerate() {
        assert!(matches!(examine_bytes(file, None), Err(NotExamined::Broken)), "case {index}");
    }
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    for path in [pipe.as_path(), Path::new("/dev/zero"), folder.path()] {
        assert!(matches!(examined(path, None), Err(NotExamined::Broken)), "{}", path.display());
    }
    assert!(matches!(examined(&folder.path().join("none"), None), Err(NotExamined::Unread(_))));
}

#[test]
fn segments_that_lie_over_each_other_are_not_read_again_and_again() {
    let mut file = sample(&[0x90; 0x10_0000]);
    file[56..58].copy_from_slice(&60_u16.to_le_bytes());
    for index in 0..60 {
        let at = 64 + index * HEADER_BYTES;
        file[at..at + HEADER_BYTES].copy_from_slice(&header(PT_LOAD, 5, 0, 0x10_0000));
    }
    assert!(matches!(examine_bytes(&file, None), Err(NotExamined::Broken)));
}

/// What the file of each module of this process says, and what its memory says.
fn said_twice() -> Vec<[Option<String>; 2]> {
    extern "C" fn look(information: *mut dl_phdr_info, _: usize, all: *mut c_void) -> c_int {
        // SAFETY: the loader's word, in its callback; the list is the caller's.
        let (information, all) = unsafe { (&*information, &mut *all.cast::<Vec<_>>()) };
        let machine = Machine::HERE.unwrap();
        // SAFETY: as above.
        let module = unsafe { Module::loaded(information, machine) }.unwrap();
        // SAFETY: the loader's name is a text of C.
        let path = unsafe { text(information.dlpi_name) }.unwrap_or_default();
        let file = Path::new(OsStr::from_bytes(path));
        // Other tests load libraries that are gone.
        if file.is_absolute() && file.exists() {
            let found = examined(file, module.build_id().as_deref());
            let loaded = blind::unseen(module.notes(), module.code_bytes(), machine);
            all.push([found.unwrap_or_else(|error| Some(format!("{error:?}"))), loaded.words(machine)]);
        }
        0
    }
    let mut all = Vec::new();
    // SAFETY: the callback gets the list that it expects.
    unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut all).cast()) };
    all
}

#[test]
fn a_library_says_the_same_on_disk_as_in_memory() {
    let all = said_twice();
    assert!(
        all.iter().any(|[file, _]| file.as_ref().is_some_and(|words| words.contains("openat"))),
        "the C library"
    );
    all.iter().for_each(|[file, memory]| assert_eq!(file, memory));
}

proptest! {
    #[test]
    fn changed_files_are_examined_or_refused(
        changes in proptest::collection::vec((0_usize..0x300, any::<u8>()), 1..12),
        length in 0_usize..0x1100,
    ) {
        let mut file = sample(&OPENAT);
        for (at, byte) in changes {
            file[at] = byte;
        }
        file.truncate(length.max(CODE / 2));
        let _ = examine_bytes(&file, None);
    }
}
