//! What descendants inherit: who their parent is, and that they are recorded at all.
//!
//! The program's own `os.environ` was copied before and does not change. The C library's `setenv` takes a lock
//! that a fork may leave held, so entries are changed in place.
#![expect(unsafe_code, reason = "the C library's environment is a table of pointers")]

use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU8};

use uuid::Uuid;

/// Names of the variables that carry a run to its descendants.
pub mod variable {
    /// The spool's directory; without it nothing is recorded.
    pub const SPOOL: &str = "GNOMON_SPOOL";
    /// The id of the `gnomon run`.
    pub const RUN: &str = "GNOMON_RUN";
    /// The id of the nearest recorded ancestor.
    pub const PARENT: &str = "GNOMON_PARENT";
    /// `all` keeps one record for each module.
    pub const IMPORTS: &str = "GNOMON_IMPORTS";
    /// Compiled policies, separated by colons.
    pub const POLICY: &str = "GNOMON_POLICY";
    /// `closed`: nothing may start without them.
    pub const POLICY_FAIL: &str = "GNOMON_POLICY_FAIL";
    /// The reason for what must be justified.
    pub const JUSTIFY: &str = "GNOMON_JUSTIFY";
    /// `1` stores accounts and their home directories under a pseudonym.
    pub const PRIVACY: &str = "GNOMON_PRIVACY";
    /// `off` leaves native code unseen: nothing is redirected. `on` tries it on a processor where it is not yet known to
    /// work; anything else is left to gnomon.
    pub const NATIVE: &str = "GNOMON_NATIVE";
    /// `ask` has CPython's functions asked for each frame, instead of reading its structures.
    pub const FRAMES: &str = "GNOMON_FRAMES";
}

/// Whether the environment was made by somebody with fewer rights than this process has: it is setuid, or the like.
pub fn is_of_another() -> bool {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: only reads what the kernel told at the start.
        unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
    }
    #[cfg(not(target_os = "linux"))]
    false
}

/// The id that a variable holds, if it holds one.
pub fn id_from(name: &str) -> Option<Uuid> {
    Uuid::parse_str(std::env::var(name).ok()?.trim()).ok()
}

/// `GNOMON_PARENT=` and an id. The environment points here, so that a fork's child can change its id.
static PARENT_ENTRY: [AtomicU8; 14 + 36 + 1] = [const { AtomicU8::new(0) }; 51];

/// Makes children that inherit this environment name `id` as their parent.
pub fn tell_children(id: Uuid) {
    static IS_IN_ENVIRONMENT: AtomicBool = AtomicBool::new(false);
    let entry = format!("{}={}", variable::PARENT, id.as_hyphenated());
    for (place, byte) in PARENT_ENTRY.iter().zip(entry.bytes()) {
        place.store(byte, Relaxed);
    }
    if !IS_IN_ENVIRONMENT.swap(true, Relaxed) {
        // SAFETY: the bytes live for ever and end with NUL; this happens once, while the interpreter starts
        // and before the program has threads, or when the program asks for it, as for any `os.putenv`.
        unsafe { libc::putenv(PARENT_ENTRY.as_ptr().cast_mut().cast()) };
    }
}

/// Puts our bootstrap directory first again in the `PYTHONPATH` that an exec is about to pass on.
///
/// OpenTelemetry's launcher puts its own directory before ours, and its sitecustomize does not hand on; ours
/// does. A `PYTHONPATH` without our directory is left alone.
pub fn prepare_for_exec() {
    const NAME: &[u8] = b"PYTHONPATH=";
    let Some(ours) = bootstrap() else { return };
    let ours = ours.as_os_str().as_bytes();
    // SAFETY: the environment is a table of strings that ends with a null pointer. An exec follows at once,
    // under the GIL; whoever changes the table from another thread now, does so at their own risk already.
    unsafe {
        let mut place = libc::environ;
        while !(*place).is_null() {
            if let Some(value) = CStr::from_ptr(*place).to_bytes().strip_prefix(NAME) {
                if let Some(entry) =
                    reordered(value, ours).and_then(|value| CString::new([NAME, &value].concat()).ok())
                {
                    *place = entry.into_raw(); // stays for as long as this process image does
                }
                return;
            }
            place = place.add(1);
        }
    }
}

/// Where the search path of a child comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inherited {
    No,
    /// It is this process's own, in which our directory is put first again: [`prepare_for_exec`].
    ByExec,
}

/// The sitecustomize that a Python with this search path runs, where that is not ours.
pub fn shadowing(search_path: &[u8], inherited: Inherited) -> Option<Vec<u8>> {
    const MAX_ENTRIES: usize = 32;
    let ours = bootstrap().map(|ours| ours.into_os_string().into_encoded_bytes());
    let mut entries = search_path.split(|byte| *byte == b':').take(MAX_ENTRIES);
    let is_ours = |entry: &&[u8]| ours.as_deref() == Some(*entry);
    if inherited == Inherited::ByExec && entries.clone().any(|entry| is_ours(&entry)) {
        return None;
    }
    let before_ours = entries.by_ref().take_while(|entry| !is_ours(entry));
    let mut files = before_ours.filter(|entry| entry.first() == Some(&b'/')).flat_map(|entry| {
        [&b"/sitecustomize.py"[..], b"/sitecustomize/__init__.py"].map(|name| [entry, name].concat())
    });
    files.find(|file| rustix::fs::access(file.as_slice(), rustix::fs::Access::EXISTS).is_ok())
}

/// `search_path` with `ours` moved to its front, where it is in it and not there yet.
fn reordered(search_path: &[u8], ours: &[u8]) -> Option<Vec<u8>> {
    let entries: Vec<&[u8]> = search_path.split(|byte| *byte == b':').collect();
    let at = entries.iter().position(|entry| *entry == ours).filter(|at| *at > 0)?;
    let others = entries.iter().enumerate().filter(|(index, _)| *index != at).map(|(_, entry)| *entry);
    let ordered: Vec<&[u8]> = std::iter::once(ours).chain(others).collect();
    Some(ordered.join(&b':'))
}

/// The directory `bootstrap` beside this library.
pub fn bootstrap() -> Option<PathBuf> {
    Some(package()?.join("bootstrap"))
}

/// The directory of this library: gnomon's package, or a version of it that is installed for a machine.
pub fn package() -> Option<PathBuf> {
    Some(library()?.parent()?.to_owned())
}

/// The file of this library.
pub fn library() -> Option<PathBuf> {
    // SAFETY: the structure is plain data, for dladdr to fill in.
    let mut found: libc::Dl_info = unsafe { std::mem::zeroed() };
    // SAFETY: the address is of this library, which stays loaded, as does the name that is found.
    let path = unsafe {
        if libc::dladdr(prepare_for_exec as *const _, &raw mut found) == 0 || found.dli_fname.is_null() {
            return None;
        }
        CStr::from_ptr(found.dli_fname).to_bytes()
    };
    Some(PathBuf::from(OsStr::from_bytes(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_directory_comes_first_where_it_was_among_others() {
        assert_eq!(reordered(b"/otel:/ours:/x", b"/ours").as_deref(), Some(&b"/ours:/otel:/x"[..]));
        assert_eq!(reordered(b"/ours:/x", b"/ours"), None);
        assert_eq!(reordered(b"/x", b"/ours"), None);
    }
}
