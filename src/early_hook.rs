//! A hook that is added before CPython has chosen how it allocates memory.
//!
//! CPython keeps a small structure for each hook, and frees it at its end with the allocator of that time. `-X dev` and
//! `PYTHONMALLOC=debug` put one in between that ends the process when it is to free what it did not give out. So where
//! the structure is gets noted, and when it is about to be freed, it goes back to where it came from.
#![expect(unsafe_code, reason = "stands between CPython and its allocator")]

use std::ffi::{c_int, c_void};
use std::mem::transmute;
use std::sync::Mutex;

use crate::capi::{self, AuditHook, symbol};

/// `PyMemAllocatorEx`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Allocator {
    context: *mut c_void,
    malloc: extern "C" fn(*mut c_void, usize) -> *mut c_void,
    calloc: extern "C" fn(*mut c_void, usize, usize) -> *mut c_void,
    realloc: extern "C" fn(*mut c_void, *mut c_void, usize) -> *mut c_void,
    free: extern "C" fn(*mut c_void, *mut c_void),
}

/// `PYMEM_DOMAIN_RAW`.
const RAW: c_int = 0;

type Get = unsafe extern "C" fn(c_int, *mut Allocator);
type Set = unsafe extern "C" fn(c_int, *const Allocator);

/// CPython's functions to look at its allocator and to change it.
#[derive(Clone, Copy)]
struct Functions {
    get: Get,
    set: Set,
}

/// What is known of the structure, and of the allocator that stands between for a moment.
#[derive(Clone, Copy)]
struct Entry {
    functions: Functions,
    address: usize,
    /// What it came from.
    origin: Allocator,
    /// What CPython allocates with while it ends.
    current: Allocator,
}

// SAFETY: what the pointers lead to is CPython's own and stays for good.
unsafe impl Send for Entry {}

static ENTRY: Mutex<Option<Entry>> = Mutex::new(None);

impl Functions {
    fn look_up() -> Option<Self> {
        // SAFETY: these are their signatures in all versions.
        unsafe {
            Some(Self {
                get: transmute::<*mut c_void, Get>(symbol(c"PyMem_GetAllocator")?),
                set: transmute::<*mut c_void, Set>(symbol(c"PyMem_SetAllocator")?),
            })
        }
    }

    fn current(self) -> Allocator {
        let mut found = std::mem::MaybeUninit::uninit();
        // SAFETY: fills in the whole structure.
        unsafe {
            (self.get)(RAW, found.as_mut_ptr());
            found.assume_init()
        }
    }

    fn set(self, allocator: &Allocator) {
        // SAFETY: copies the structure, whose functions stay for good.
        unsafe { (self.set)(RAW, allocator) };
    }
}

impl Allocator {
    fn is(&self, other: &Self) -> bool {
        self.context == other.context && self.free as usize == other.free as usize
    }
}

fn entry() -> Option<Entry> {
    *ENTRY.lock().ok()?
}

/// Adds the hook. Called by the only thread of a process whose interpreter does not exist yet.
pub fn add(hook: AuditHook) -> bool {
    let Some(functions) = Functions::look_up() else { return capi::add_audit_hook(hook) };
    let origin = functions.current();
    if let Ok(mut place) = ENTRY.lock() {
        *place = Some(Entry { functions, address: 0, origin, current: origin });
    }
    functions.set(&Allocator { malloc: noting_malloc, ..passing_on() });
    let is_added = capi::add_audit_hook(hook);
    functions.set(&origin);
    is_added
}

/// The interpreter ends, and is about to free what it keeps of its hooks.
pub fn is_to_be_freed() {
    let Ok(mut place) = ENTRY.lock() else { return };
    let Some(entry) = place.as_mut().filter(|entry| entry.address != 0) else { return };
    entry.current = entry.functions.current();
    if entry.current.is(&entry.origin) {
        *place = None;
    } else {
        entry.functions.set(&Allocator { free: sorting_free, ..passing_on() });
    }
}

fn passing_on() -> Allocator {
    Allocator { context: std::ptr::null_mut(), malloc, calloc, realloc, free }
}

/// Notes where the structure is: nothing else is allocated meanwhile.
extern "C" fn noting_malloc(_: *mut c_void, size: usize) -> *mut c_void {
    let given = malloc(std::ptr::null_mut(), size);
    if let Ok(mut place) = ENTRY.lock()
        && let Some(entry) = place.as_mut()
    {
        entry.address = given.addr();
    }
    given
}

/// Gives the structure back to where it came from, and steps aside.
extern "C" fn sorting_free(_: *mut c_void, memory: *mut c_void) {
    let Some(entry) = entry() else { return };
    if memory.addr() != entry.address {
        return (entry.current.free)(entry.current.context, memory);
    }
    entry.functions.set(&entry.current);
    (entry.origin.free)(entry.origin.context, memory);
    if let Ok(mut place) = ENTRY.lock() {
        *place = None;
    }
}

extern "C" fn malloc(_: *mut c_void, size: usize) -> *mut c_void {
    let Some(Entry { current, .. }) = entry() else { return std::ptr::null_mut() };
    (current.malloc)(current.context, size)
}

extern "C" fn calloc(_: *mut c_void, count: usize, size: usize) -> *mut c_void {
    let Some(Entry { current, .. }) = entry() else { return std::ptr::null_mut() };
    (current.calloc)(current.context, count, size)
}

extern "C" fn realloc(_: *mut c_void, memory: *mut c_void, size: usize) -> *mut c_void {
    let Some(Entry { current, .. }) = entry() else { return std::ptr::null_mut() };
    (current.realloc)(current.context, memory, size)
}

extern "C" fn free(_: *mut c_void, memory: *mut c_void) {
    if let Some(Entry { current, .. }) = entry() {
        (current.free)(current.context, memory);
    }
}
