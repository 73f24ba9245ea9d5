//! What is written is read, whatever happens to the file in between.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use gnomon_core::columns::for_each_event;
use gnomon_core::event::{Access, Event, FilePath, Kind, Target};
use gnomon_core::filter::Filter;
use gnomon_core::interest::Interest;
use gnomon_core::origin::Origin;
use gnomon_core::pipeline::{Eviction, Recorder};
use gnomon_core::process::{Description, new_id};
use gnomon_core::record::View;
use gnomon_core::spool::fault::FaultKind;
use gnomon_core::spool::format::{HEADER_BYTES, Identity};
use gnomon_core::spool::map::Medium;
use gnomon_core::spool::place::list;
use gnomon_core::spool::processes::read_processes;
use gnomon_core::spool::reader::{Agreement, SegmentFile, segment_paths};
use gnomon_core::spool::seal::{Life, examine, seal};
use gnomon_core::spool::segment::{Head, Refusal, Segment};
use gnomon_core::spool::tail::Tail;
use gnomon_core::text::Pieces;
use proptest::prelude::*;
use rustix::fd::AsFd as _;

fn recorder(spool: &Path, first_bytes: u64) -> Recorder {
    let description = Description::of_this_process(1);
    Recorder::new(spool, new_id(None), description, Arc::new(Interest::default()), None)
        .with_first_segment(first_bytes)
}

fn opened(path: &[u8], access: Access) -> Event<'_> {
    let path = FilePath::current(Cow::Borrowed(path));
    Event { access, ..Event::new(Kind::Open, Target::Path { path, destination: None }) }
}

/// (target, access) to count, over the whole spool; and how many faults there were.
fn counted(spool: &Path) -> (BTreeMap<(Vec<u8>, u8), u64>, usize) {
    let (mut found, mut faults) = (BTreeMap::new(), Vec::new());
    for path in segment_paths(spool, &Filter::default()).unwrap() {
        let segment = SegmentFile::load(&path).unwrap();
        for_each_event(&segment, &Filter::default(), &mut faults, |view| {
            if view.kind == Kind::Open as u16 {
                let target = view.target.unwrap().to_vec();
                *found.entry((target, view.access.0)).or_insert(0) += u64::from(view.count);
            }
        });
    }
    (found, faults.len())
}

fn path_bytes() -> impl Strategy<Value = Vec<u8>> {
    // Few directories and names, so that text repeats; some bytes that are no UTF-8.
    ("[a-c]{1,20}/[a-d]{1,4}", prop::option::of(0x80_u8..)).prop_map(|(text, odd)| {
        let mut path = format!("/{text}").into_bytes();
        path.extend(odd);
        path
    })
}

fn origin_of(view: &View<'_>) -> Origin {
    let text = |pieces: Option<Pieces<'_>>| pieces.map(|text| String::from_utf8(text.to_vec()).unwrap());
    let origin = Origin {
        file: view.origin.file.map(|file| file.to_vec()).unwrap_or_default(),
        line: view.origin.line.unwrap_or(0),
        function: text(view.origin.function).unwrap_or_default(),
        distribution: text(view.origin.distribution),
        via: text(view.origin.via),
        object: view.origin.object.map(|object| object.to_vec()),
        hash: 0,
    };
    if origin == Origin::default() { origin } else { origin.hashed() }
}

fn origin() -> impl Strategy<Value = Option<Rc<Origin>>> {
    let name = || prop::option::of("[a-c]{1,15}");
    let parts = ("(|/[a-d]{1,20}/x.py)", 0_u32..4, "[f-h]{0,14}", name(), name());
    prop::option::of(parts).prop_map(|parts| {
        let (file, line, function, distribution, via) = parts?;
        let object = distribution.as_ref().map(|name: &String| format!("/x/{name}.so").into_bytes());
        let origin = Origin { file: file.into_bytes(), line, function, distribution, via, object, hash: 0 };
        Some(Rc::new(origin.hashed()))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_event_is_read_back_with_its_origin(
        events in prop::collection::vec((path_bytes(), origin()), 1..400),
        first_bytes in prop::sample::select(vec![4096_u64, 65536]),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let recorder = recorder(folder.path(), first_bytes);
        let mut expected = BTreeMap::new();
        for (path, origin) in &events {
            let _ = recorder.record(&opened(path, Access::READ), 1, &|| origin.clone());
            let mut said = origin.as_deref().cloned().unwrap_or_default();
            if said == Origin::default().hashed() {
                said = Origin::default(); // nothing known, said or not
            }
            *expected.entry((path.clone(), format!("{said:?}"))).or_insert(0) += 1;
        }
        let (mut found, mut faults) = (BTreeMap::new(), Vec::new());
        for path in segment_paths(folder.path(), &Filter::default()).unwrap() {
            let segment = SegmentFile::load(&path).unwrap();
            for_each_event(&segment, &Filter::default(), &mut faults, |view| {
                if view.kind == Kind::Open as u16 {
                    let key = (view.target.unwrap().to_vec(), format!("{:?}", origin_of(view)));
                    *found.entry(key).or_insert(0) += view.count;
                }
            });
        }
        prop_assert_eq!(faults, []);
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn every_event_is_read_back_with_its_exact_count(
        events in prop::collection::vec((path_bytes(), 1_u8..16), 1..600),
        first_bytes in prop::sample::select(vec![4096_u64, 8192, 65536]),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let recorder = recorder(folder.path(), first_bytes);
        let mut expected = BTreeMap::new();
        for (path, access) in &events {
            let _ = recorder.record(&opened(path, Access(*access)), 1, &|| None);
            *expected.entry((path.clone(), *access)).or_insert(0) += 1;
        }
        prop_assert_eq!(counted(folder.path()), (expected, 0));
    }

    #[test]
    fn damage_is_named_and_never_invents_a_record(
        paths in prop::collection::vec(path_bytes(), 1..60),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 0..6),
        keep in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let recorder = recorder(folder.path(), 16 * 1024);
        for path in &paths {
            let _ = recorder.record(&opened(path, Access::READ), 1, &|| None);
        }
        let file = segment_paths(folder.path(), &Filter::default()).unwrap().remove(0);
        let used = SegmentFile::load(&file).unwrap().used_bytes();
        let mut bytes = std::fs::read(&file).unwrap();
        for (at, bits) in &flips {
            let at = at.index(used);
            bytes[at] ^= bits;
        }
        if let Some(keep) = keep {
            bytes.truncate(keep.index(bytes.len()));
        }
        if let Ok(segment) = SegmentFile::parse(&file, bytes) {
            let mut faults = Vec::new();
            for_each_event(&segment, &Filter::default(), &mut faults, |view| {
                if view.kind == Kind::Open as u16 {
                    assert!(paths.contains(&view.target.unwrap().to_vec()), "a record that nobody wrote");
                }
            });
        }
    }

    #[test]
    fn any_bytes_after_a_header_are_read_to_an_end(noise in prop::collection::vec(any::<u8>(), 0..5000)) {
        let identity = Identity { process: new_id(None), number: 0, pid: 1, created: 1, allocated: 5000 };
        let mut bytes = identity.to_bytes().to_vec();
        bytes.resize(HEADER_BYTES, 0);
        bytes.extend(noise);
        let segment = SegmentFile::parse(Path::new("noise"), bytes).unwrap();
        let mut faults = Vec::new();
        for_each_event(&segment, &Filter::default(), &mut faults, |_| {});
        prop_assert!(segment.description().0.is_none());
    }
}

#[test]
fn threads_lose_nothing_while_segments_fill_up() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = recorder(folder.path(), 4096);
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let recorder = &recorder;
            scope.spawn(move || {
                for at in 0..3000 {
                    let path = format!("/thread/{thread}/file/{at}");
                    let _ = recorder.record(&opened(path.as_bytes(), Access::READ), thread + 1, &|| None);
                    let _ = recorder.record(&opened(b"/shared", Access::READ), thread + 1, &|| None);
                }
            });
        }
    });
    let (found, faults) = counted(folder.path());
    assert_eq!(faults, 0);
    assert_eq!(found[&(b"/shared".to_vec(), 1)], 4 * 3000);
    assert_eq!(found.len(), 4 * 3000 + 1);
    assert!(segment_paths(folder.path(), &Filter::default()).unwrap().len() > 3);
}

fn segment_on(medium: Medium, folder: &Path, allocated: u64) -> (Segment, std::path::PathBuf) {
    let identity = Identity { process: new_id(None), number: 0, pid: 1, created: 1, allocated };
    let path = folder.join(identity.file_name());
    (Segment::create_at(&path, identity, medium).unwrap(), path)
}

#[test]
fn both_media_leave_the_same_records() {
    for medium in [Medium::Mapped, Medium::Written] {
        let folder = tempfile::tempdir().unwrap();
        let (segment, path) = segment_on(medium, folder.path(), 8192);
        let head = Head { kind: Kind::Fork, flags: 3, time: 7 };
        let place = segment.append(head, &[0x80]).unwrap();
        assert!(segment.repeat(place, 9));
        segment.end(11, Some(5));
        // Read while the writer still has it open, as after a kill.
        let file = SegmentFile::load(&path).unwrap();
        let raw: Vec<_> = file.records().map(Result::unwrap).collect();
        assert_eq!(raw.len(), 1, "{medium:?}");
        assert_eq!((raw[0].count, raw[0].time, raw[0].last_time, raw[0].flags), (2, 7, 9, 3));
        assert_eq!((file.ended(), file.status()), (Some(11), Some(5)));
    }
}

#[test]
fn a_full_segment_refuses_and_keeps_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let (segment, path) = segment_on(Medium::Mapped, folder.path(), 4096);
    let head = Head { kind: Kind::Text, flags: 0, time: 1 };
    let mut stored = 0;
    while segment.append(head, &[b'x'; 100]).is_ok() {
        stored += 1;
    }
    assert_eq!(segment.append(head, &[b'x'; 100]), Err(Refusal::Full));
    let file = SegmentFile::load(&path).unwrap();
    assert_eq!(file.records().filter(Result::is_ok).count(), stored);
    assert_eq!(file.records().filter(Result::is_err).count(), 0);
}

#[test]
fn a_record_torn_by_death_hides_none_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let (segment, path) = segment_on(Medium::Mapped, folder.path(), 4096);
    let head = Head { kind: Kind::Fork, flags: 0, time: 1 };
    let places: Vec<_> = (0..3).map(|_| segment.append(head, &[0x80; 9]).unwrap()).collect();
    let mut bytes = std::fs::read(&path).unwrap();
    for cut in [0_u32, 41 | 1 << 31] {
        // What a writer leaves that died before, and after, it marked its reservation.
        let at = places[1].0 as usize;
        bytes[at..at + 4].copy_from_slice(&cut.to_le_bytes());
        bytes[at + 4..at + 32].fill(0);
        let file = SegmentFile::parse(&path, bytes.clone()).unwrap();
        let items: Vec<_> = file.records().collect();
        assert_eq!(items.iter().filter(|item| item.is_ok()).count(), 2);
        assert_eq!(items[1].as_ref().unwrap_err().kind, FaultKind::Torn);
    }
}

#[test]
fn foreign_files_are_named() {
    let path = Path::new("file");
    let identity = Identity { process: new_id(None), number: 0, pid: 1, created: 1, allocated: 4096 };
    let mut header = identity.to_bytes().to_vec();
    header.resize(HEADER_BYTES, 0);
    let kind = |bytes: Vec<u8>| SegmentFile::parse(path, bytes).unwrap_err().kind;
    assert_eq!(kind([vec![0; HEADER_BYTES], header.clone()].concat()), FaultKind::Foreign);
    assert_eq!(kind(b"PAR1 is something else".to_vec()), FaultKind::Foreign);
    assert_eq!(kind(header[..40].to_vec()), FaultKind::Truncated);
    let mut newer = header.clone();
    newer[8] = 2;
    assert_eq!(kind(newer), FaultKind::NewerVersion);
    let mut flipped = header.clone();
    flipped[20] ^= 1;
    assert_eq!(kind(flipped), FaultKind::BadHeader);
    assert!(SegmentFile::parse(path, header).is_ok());
}

#[test]
fn a_segment_that_was_just_made_is_no_damage_and_is_read_later() {
    let folder = tempfile::tempdir().unwrap();
    let _ = recorder(folder.path(), 4096).record(&opened(b"/later", Access::READ), 1, &|| None);
    let path = segment_paths(folder.path(), &Filter::default()).unwrap().remove(0);
    let whole = std::fs::read(&path).unwrap();
    let mut without_magic = whole[..HEADER_BYTES].to_vec();
    without_magic[..8].fill(0);
    without_magic.resize(whole.len(), 0);
    let mut tail = Tail::new(folder.path(), Filter::default());
    let (mut faults, mut seen) = (Vec::new(), 0);
    // What it is between being created, getting its blocks, and getting its header.
    for (content, expected) in [(Vec::new(), 0), (vec![0; 4096], 0), (without_magic, 0), (whole, 1)] {
        std::fs::write(&path, content).unwrap();
        let (_, found) = read_processes(folder.path(), &Filter::default()).unwrap();
        assert!(found.iter().all(|fault| fault.kind.severity() == "torn"), "{found:?}");
        tail.poll(&mut faults, |_, view| seen += u32::from(view.kind == Kind::Open as u16)).unwrap();
        assert_eq!(seen, expected);
    }
    assert!(faults.is_empty(), "{faults:?}");
}

#[test]
fn links_pipes_and_folders_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.gnomon");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let link = folder.path().join("link.gnomon");
    std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
    std::fs::create_dir(folder.path().join("folder.gnomon")).unwrap();
    let (processes, faults) = read_processes(folder.path(), &Filter::default()).unwrap();
    assert!(processes.is_empty());
    assert_eq!(faults.len(), 3);
}

#[test]
fn users_directories_are_read_and_nothing_else_below() {
    let folder = tempfile::tempdir().unwrap();
    let in_folder = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        let _ = recorder(&path, 4096).record(&opened(content, Access::READ), 1, &|| None);
    };
    in_folder("1000", b"/one");
    in_folder("1000-0123456789abcdef", b"/squatted");
    in_folder(".", b"/own");
    in_folder("elsewhere", b"/hidden");
    in_folder("1000/7", b"/deeper");
    std::os::unix::fs::symlink("elsewhere", folder.path().join("1001")).unwrap();
    let found: Vec<Vec<u8>> = counted(folder.path()).0.into_keys().map(|(target, _)| target).collect();
    assert_eq!(found, [b"/one".to_vec(), b"/own".to_vec(), b"/squatted".to_vec()]);
    let (processes, faults) = read_processes(folder.path(), &Filter::default()).unwrap();
    assert_eq!((processes.len(), faults.len()), (3, 0));
    assert!(processes.iter().all(|process| !process.is_forged && process.owner_uid.is_some()));
    assert!(processes.is_sorted_by_key(|process| process.id));
    // Asked for by name, it is no way around.
    assert!(list(&folder.path().join("1001"), &Filter::default()).is_err());
    let behind = std::fs::read_dir(folder.path().join("elsewhere")).unwrap().next().unwrap().unwrap();
    let through = folder.path().join("1001").join(behind.file_name());
    assert_eq!(SegmentFile::load(&through).unwrap_err().kind, FaultKind::Unreadable);
}

#[test]
fn what_cannot_be_a_segment_is_told_by_its_start() {
    let folder = tempfile::tempdir().unwrap();
    let made = |name: &str, start: &[u8], length: u64| {
        let path = folder.path().join(name);
        std::fs::write(&path, start).unwrap();
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length).unwrap();
        SegmentFile::load(&path).unwrap_err().kind
    };
    assert_eq!(made("zeros", b"", 64 << 20), FaultKind::Foreign);
    assert_eq!(made("few-zeros", b"", 64 << 10), FaultKind::Unbegun);
    assert_eq!(made("text", b"something else", 64 << 20), FaultKind::Foreign);
    assert_eq!(made("huge", b"", 1 << 40), FaultKind::TooLarge);
    assert_eq!(made("short", b"\x89GNO", 4), FaultKind::Foreign);
    assert_eq!(made("header", b"\x89GNOMON\n", 64 << 20), FaultKind::BadHeader);
    assert_eq!(made("empty", b"", 0), FaultKind::Unbegun);
}

/// What a process left that is gone: the kernel knows none that started then.
fn left_by_the_dead(spool: &Path) -> PathBuf {
    let description = Description { started_ticks: 1, ..Description::of_this_process(1) };
    let recorder = Recorder::new(spool, new_id(None), description, Arc::new(Interest::default()), None);
    let _ = recorder.record(&opened(b"/gone", Access::READ), 1, &|| None);
    segment_paths(spool, &Filter::default()).unwrap().remove(0)
}

#[test]
fn a_dead_process_is_sealed_in_its_directory_and_only_under_its_one_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = left_by_the_dead(folder.path());
    let directory = std::fs::File::open(folder.path()).unwrap();
    let name = path.file_name().unwrap();
    let second = folder.path().join("second.gnomon");
    std::fs::hard_link(&path, &second).unwrap();
    let linked = examine(directory.as_fd(), name, true).unwrap().unwrap();
    assert_eq!((linked.cut_bytes, linked.segment.unwrap().sha256), (0, None));
    assert!(seal(&path).is_err());
    let misnamed = examine(directory.as_fd(), second.file_name().unwrap(), true).unwrap().unwrap();
    assert_eq!(misnamed.fault, Some(FaultKind::Foreign));
    std::fs::remove_file(&second).unwrap();

    let looked = examine(directory.as_fd(), name, false).unwrap().unwrap();
    assert_eq!((looked.cut_bytes, looked.segment.unwrap().sha256), (0, None));
    let sealed = examine(directory.as_fd(), name, true).unwrap().unwrap();
    let segment = sealed.segment.unwrap();
    assert_eq!((segment.life, sealed.fault), (Life::Gone, None));
    assert!(sealed.cut_bytes > 0);
    let file = SegmentFile::load(&path).unwrap();
    assert_eq!(segment.bytes, file.file_bytes() as u64);
    assert_eq!(segment.sha256, Some(file.sha256()));
    assert_eq!(examine(directory.as_fd(), std::ffi::OsStr::new("."), true).unwrap().map(|_| ()), None);
}

#[test]
fn a_segment_that_was_cut_or_changed_is_not_what_the_next_one_says() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = recorder(folder.path(), 4096);
    for number in 0..100 {
        let path = format!("/{}/{number}", "x".repeat(40));
        let _ = recorder.record(&opened(path.as_bytes(), Access::READ), 1, &|| None);
    }
    let paths = segment_paths(folder.path(), &Filter::default()).unwrap();
    let link = SegmentFile::load(&paths[1]).unwrap().previous().unwrap();
    let bytes = std::fs::read(&paths[0]).unwrap();
    let agrees = |bytes: Vec<u8>| SegmentFile::parse(&paths[0], bytes).unwrap().agrees(&link);
    assert_eq!(SegmentFile::load(&paths[0]).unwrap().previous(), None);
    assert_eq!(agrees(bytes.clone()), Agreement::Same);
    let ends: Vec<usize> = SegmentFile::parse(&paths[0], bytes.clone())
        .unwrap()
        .records()
        .flatten()
        .map(|raw| raw.offset)
        .collect();
    for end in ends {
        assert_eq!(agrees(bytes[..end].to_vec()), Agreement::Truncated, "{end}");
    }
    let mut other = bytes.clone();
    other[HEADER_BYTES + 24] ^= 1; // a record's time, with its checksum
    let length = u32::from_le_bytes(other[HEADER_BYTES..HEADER_BYTES + 4].try_into().unwrap()) as usize;
    let checksum = crc32fast::hash(&other[HEADER_BYTES + 20..HEADER_BYTES + length]);
    other[HEADER_BYTES + 4..HEADER_BYTES + 8].copy_from_slice(&checksum.to_le_bytes());
    assert_eq!(agrees(other), Agreement::Changed);
    let mut counted = bytes;
    counted[HEADER_BYTES + 16] += 1; // repeats are counted while the next segment is there
    assert_eq!(agrees(counted), Agreement::Same);
}

#[test]
fn what_was_removed_is_counted_in_one_record() {
    let folder = tempfile::tempdir().unwrap();
    let eviction =
        Eviction { folder: b"/spool/7", reason: "age", files: 12_345, bytes: 99, first: 5, last: 7 };
    recorder(folder.path(), 4096).evicted(&eviction);
    let path = segment_paths(folder.path(), &Filter::default()).unwrap().remove(0);
    let segment = SegmentFile::load(&path).unwrap();
    let filter = Filter { kinds: vec![Kind::Evict], ..Filter::default() };
    let mut seen = Vec::new();
    for_each_event(&segment, &filter, &mut Vec::new(), |view| {
        seen.push((view.target.unwrap().to_vec(), view.detail.unwrap().to_vec(), view.count, view.size));
        assert_eq!((view.time, view.last_time), (5, 7));
    });
    assert_eq!(seen, [(b"/spool/7".to_vec(), b"age".to_vec(), 12_345, Some(99))]);
}

#[test]
fn a_child_after_fork_has_an_id_and_a_segment_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let parent = recorder(folder.path(), 4096);
    let _ = parent.record(&opened(b"/parent", Access::READ), 1, &|| None);
    let child = parent.forked(new_id(Some(parent.process())));
    let _ = child.record(&opened(b"/child", Access::READ), 1, &|| None);
    let (processes, _) = read_processes(folder.path(), &Filter::default()).unwrap();
    assert_eq!(processes.len(), 2);
    assert_eq!(processes[1].description.parent, Some(processes[0].id));
    assert!(processes[1].description.forked);
}
