//! Whether a redirected call enters malloc: here that is a function of the tests, which all of the process uses.
#![expect(unsafe_code, reason = "it stands for the C library's malloc")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::borrow::Cow;
use std::ffi::{c_int, c_void};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use gnomon_core::event::{Access, Base, Event, FilePath, Kind, Target};
use gnomon_core::interest::Interest;
use gnomon_core::pipeline::Recorder;
use gnomon_core::policy::active::{Active, Surroundings};
use gnomon_core::policy::compile::compile;
use gnomon_core::policy::facts::Who;
use gnomon_core::policy::image::Image;
use gnomon_core::policy::parse::parse_file;
use gnomon_core::process::{Description, new_id};
use gnomon_core::spool::format::Loss;

use super::tests::redirected;
use crate::thread;

/// How often malloc or one of its family was entered in a redirected call.
static ENTERED: AtomicUsize = AtomicUsize::new(0);

fn noted() {
    if thread::block().redirected.get() != 0 {
        ENTERED.fetch_add(1, Relaxed);
    }
}

unsafe extern "C" {
    fn __libc_malloc(size: usize) -> *mut c_void;
    fn __libc_calloc(count: usize, size: usize) -> *mut c_void;
    fn __libc_realloc(place: *mut c_void, size: usize) -> *mut c_void;
    fn __libc_memalign(align: usize, size: usize) -> *mut c_void;
    fn __libc_free(place: *mut c_void);
}

// SAFETY, of all five: what the C library promises of the function of this name is what its own one does.
#[unsafe(no_mangle)]
unsafe extern "C" fn malloc(size: usize) -> *mut c_void {
    noted();
    // SAFETY: as above.
    unsafe { __libc_malloc(size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
    noted();
    // SAFETY: as above.
    unsafe { __libc_calloc(count, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn realloc(place: *mut c_void, size: usize) -> *mut c_void {
    noted();
    // SAFETY: as above.
    unsafe { __libc_realloc(place, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn posix_memalign(result: *mut *mut c_void, align: usize, size: usize) -> c_int {
    noted();
    // SAFETY: as above.
    unsafe {
        *result = __libc_memalign(align, size);
        if (*result).is_null() { libc::ENOMEM } else { 0 }
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn free(place: *mut c_void) {
    noted();
    // SAFETY: as above.
    unsafe { __libc_free(place) }
}

const POLICY: &str = r#"
[[rule]]
id = "places"
event = "open"
path = ["/srv/**", "/**/hr/secret*", "/usr/*"]
action = "deny"
message = "ask for it"

[[rule]]
id = "hosts"
host = [".example.org"]
action = "warn"

[[rule]]
id = "addresses"
address = "10.0.0.0/8"
action = "warn"

[[rule]]
id = "programs"
program = "/**/ls"
action = "warn"
"#;

/// A policy in `folder`, compiled.
fn policy(folder: &Path) -> PathBuf {
    let (text, file) = (folder.join("p.toml"), folder.join("p.gnomon-policy"));
    std::fs::write(&text, POLICY).unwrap();
    let parsed = parse_file(&text);
    let layers = [parsed.layer.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics))];
    std::fs::write(&file, compile(&layers)).unwrap();
    Image::open(&file).map_err(|refusal| refusal.name()).unwrap();
    file
}

fn recorder(folder: &Path, policy: PathBuf) -> Recorder {
    let spool = folder.join("spool");
    std::fs::create_dir_all(&spool).unwrap();
    let surroundings = Surroundings { search_path: b"/usr/bin:/bin".to_vec(), ..Surroundings::default() };
    let policies = Active::open(&[policy], Who::default(), surroundings);
    let description = Description::of_this_process(1);
    Recorder::new(&spool, new_id(None), description, Arc::new(Interest::default()), None)
        .under(Some(policies))
}

fn path(given: String) -> FilePath<'static> {
    FilePath::current(Cow::Owned(given.into_bytes()))
}

/// Events of all kinds that the C library's functions make, the `n`th of them.
fn events(folder: &str, n: usize) -> [Event<'static>; 7] {
    let open = |path| {
        let target = Target::Path { path, destination: None };
        Event { access: Access::READ, ..Event::new(Kind::Open, target) }
    };
    let endpoint = |kind, host: Option<String>, address: Option<[u8; 4]>| {
        let (host, address) = (host.map(Cow::Owned), address.map(Into::into));
        Event::new(kind, Target::Endpoint { host, address, port: Some(443) })
    };
    let argv = vec![Cow::Borrowed(&b"ls"[..]), Cow::Owned(format!("--password=hunter{n}").into_bytes())];
    let moved =
        Target::Path { path: path(format!("{folder}/{n}")), destination: Some(path(format!("to {n}"))) };
    [
        open(path(format!("{folder}/link/../link/secret {n}"))),
        open(path(format!("relative {n}"))),
        open(FilePath { base: Base::Uncertain, ..path("some file".to_owned()) }),
        endpoint(Kind::Resolve, Some(format!("{n}.B\u{fc}cher.example.org")), None),
        endpoint(Kind::Connect, None, Some([10, 0, (n >> 8) as u8, n as u8])),
        Event::new(Kind::Spawn, Target::Command { program: Cow::Borrowed(b"ls"), argv }),
        Event::new(Kind::Rename, moved),
    ]
}

#[test]
fn a_redirected_call_records_without_malloc() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().to_str().unwrap();
    std::fs::create_dir(folder.path().join("hr")).unwrap();
    symlink("hr", folder.path().join("link")).unwrap();
    let recorder = recorder(folder.path(), policy(folder.path()));
    let record = |recorder: &Recorder, count| {
        for n in 0..count {
            for event in events(name, n) {
                let _ = recorder.record(&event, thread::number(), &|| None);
            }
        }
    };
    redirected(|| {
        record(&recorder, 3_000);
        record(&recorder.forked(new_id(None)), 10);
        recorder.count_loss(Loss::Undecodable);
    });
    assert_eq!(ENTERED.load(Relaxed), 0);
    assert!(recorder.spoken() > 0 && recorder.lost(Loss::SpoolUnavailable) == 0);
    redirected(|| drop(std::fs::canonicalize("/usr")));
    assert!(ENTERED.load(Relaxed) > 0, "nobody looked");
}
