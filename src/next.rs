//! Whether anything is to run after the loader, which stands where a sitecustomize would be searched first.
//!
//! The loader asks here before it searches as Python does. That search lists the directories that are behind, which
//! whoever imports from them does too; where nothing is imported from them it would be most of what gnomon costs.
#![expect(unsafe_code, reason = "a function that CPython calls")]

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::panic::AssertUnwindSafe;

use pyo3::ffi;
use rustix::fs::{Mode, OFlags, RawDir};
use rustix::io::Errno;

use crate::capi::{Object, sys_attribute};

/// What an installation moved aside, next to the loader.
const KEPT: &[u8] = b"_gnomon_kept_sitecustomize.py";
const NAME: &[u8] = b"sitecustomize";
/// How many finders and hooks an interpreter starts with. Others may find modules anywhere.
const OWN_FINDERS: usize = 3;
const OWN_HOOKS: usize = 2;

pub struct Methods(UnsafeCell<[ffi::PyMethodDef; 2]>);

// SAFETY: only CPython uses it, under its own rules.
unsafe impl Sync for Methods {}

impl Methods {
    pub fn pointer(&'static self) -> *mut ffi::PyMethodDef {
        self.0.get().cast()
    }
}

/// What the module that arms can be asked.
pub static METHODS: Methods = Methods(UnsafeCell::new([
    ffi::PyMethodDef {
        ml_name: c"is_last".as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunction: is_last },
        ml_flags: ffi::METH_O,
        ml_doc: std::ptr::null(),
    },
    ffi::PyMethodDef::zeroed(),
]));

/// `is_last(path)`: whether nothing follows the loader at `path`.
unsafe extern "C" fn is_last(_: *mut ffi::PyObject, path: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the argument lives for the time of the call.
    let path = unsafe { Object::borrowed(path) };
    let answer = std::panic::catch_unwind(AssertUnwindSafe(|| path.and_then(follows) == Some(false)));
    // SAFETY: both are always there, and the reference is a new one.
    unsafe {
        let answer = if answer.unwrap_or(false) { ffi::Py_True() } else { ffi::Py_False() };
        ffi::Py_IncRef(answer);
        answer
    }
}

/// Whether something may follow; `None` where that cannot be told.
fn follows(loader: Object<'_>) -> Option<bool> {
    let loader = loader.path()?;
    let directory = without_slash(gnomon_core::paths::split(&loader).0);
    let count = |name| sys_attribute(name).and_then(Object::length);
    if count(c"meta_path") != Some(OWN_FINDERS)
        || count(c"path_hooks") != Some(OWN_HOOKS)
        || is_there(&[directory, b"/", KEPT].concat())
    {
        return Some(true);
    }
    let search_path = sys_attribute(c"path")?;
    let entries = (0..search_path.length()?).map(|index| search_path.item(index)?.path());
    let entries = entries.collect::<Option<Vec<_>>>()?;
    let own = entries.iter().position(|entry| without_slash(entry) == directory)?;
    Some(entries.iter().skip(own + 1).any(|entry| may_hold_one(entry)))
}

fn without_slash(path: &[u8]) -> &[u8] {
    path.strip_suffix(b"/").unwrap_or(path)
}

fn is_there(path: &[u8]) -> bool {
    rustix::fs::access(path, rustix::fs::Access::EXISTS) != Err(Errno::NOENT)
}

/// Whether a sitecustomize, of whatever form, may be in an entry of the search path.
fn may_hold_one(entry: &[u8]) -> bool {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = match rustix::fs::open(entry, flags, Mode::empty()) {
        Ok(directory) => directory,
        Err(error) => return entry.is_empty() || error != Errno::NOENT,
    };
    let mut buffer = [MaybeUninit::uninit(); 8192];
    let mut names = RawDir::new(directory, &mut buffer);
    while let Some(entry) = names.next() {
        match entry {
            // Where case does not tell names apart, any spelling will do.
            Ok(entry) if !begins_as_one(entry.file_name().to_bytes()) => {}
            _ => return true,
        }
    }
    false
}

fn begins_as_one(name: &[u8]) -> bool {
    name.get(..NAME.len()).is_some_and(|start| start.eq_ignore_ascii_case(NAME))
}
