//! Slots of the interpreter that were redirected and are not any more: somebody wrote to them since.
//!
//! Profilers do that with good reason, and call what they found there. Whose function stands there now says more than
//! that ours does not.
#![expect(unsafe_code, reason = "asks the loader, and reads slots")]

use std::collections::BTreeMap;
use std::ffi::{CStr, c_int, c_void};
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use super::patch::Redirection;
use super::wanted;

/// A slot, and what it was made to hold.
#[derive(Clone, Copy)]
struct Watched {
    redirection: Redirection,
    /// It is in the executable or in the interpreter's library, which nobody unloads.
    stays: bool,
}

static WATCHED: Mutex<Vec<Watched>> = Mutex::new(Vec::new());

/// Names of one object that are told.
const SHOWN: usize = 8;

/// Notes slots that were redirected.
pub fn watch(slots: &[Redirection], stays: bool) {
    if let Ok(mut watched) = WATCHED.try_lock() {
        let ours = slots.iter().filter(|one| held(one) == one.function);
        watched.extend(ours.map(|one| Watched { redirection: *one, stays }));
    }
}

/// The redirected functions that slots no longer reach by us, by the file whose function stands there now.
pub fn undone() -> BTreeMap<Vec<u8>, Vec<&'static str>> {
    let mut found = BTreeMap::new();
    let (Ok(watched), Some(wanted)) = (WATCHED.try_lock(), wanted()) else { return found };
    let is_whole = !was_anything_unloaded();
    for Watched { redirection, .. } in watched.iter().filter(|one| one.stays || is_whole) {
        let now = held(redirection);
        if now == redirection.function {
            continue;
        }
        let Some(Some(function)) = wanted.functions.get(redirection.slot.wanted) else { continue };
        let names: &mut Vec<_> = found.entry(object_at(now)).or_default();
        if !names.contains(&function.name) && names.len() < SHOWN {
            names.push(function.name);
        }
    }
    found
}

fn held(one: &Redirection) -> usize {
    // SAFETY: a slot of a module that is loaded: it is being redirected now, or nobody unloads it.
    unsafe { AtomicUsize::from_ptr(one.slot.address as *mut usize) }.load(Relaxed)
}

/// The file that the code at `address` is from.
fn object_at(address: usize) -> Vec<u8> {
    // SAFETY: the structure is plain data, for dladdr to fill in.
    let mut found: libc::Dl_info = unsafe { std::mem::zeroed() };
    // SAFETY: takes any address; the name that is found ends with NUL, and is copied.
    unsafe {
        if libc::dladdr(address as *const c_void, &raw mut found) == 0 || found.dli_fname.is_null() {
            return b"code of no file".to_vec();
        }
        CStr::from_ptr(found.dli_fname).to_bytes().to_vec()
    }
}

fn was_anything_unloaded() -> bool {
    let mut unloaded = 1_u64;
    // SAFETY: the callback takes the pointer for what it is, and is called only before this returns.
    unsafe { libc::dl_iterate_phdr(Some(count), (&raw mut unloaded).cast()) };
    unloaded != 0
}

unsafe extern "C" fn count(
    information: *mut libc::dl_phdr_info,
    size: usize,
    unloaded: *mut c_void,
) -> c_int {
    if size >= size_of::<libc::dl_phdr_info>() {
        // SAFETY: the loader's own argument, and the one that it was given for us.
        unsafe { *unloaded.cast::<u64>() = (*information).dlpi_subs };
    }
    1
}
