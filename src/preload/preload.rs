//! `libgnomon_preload.so`: what LD_PRELOAD or /etc/ld.so.preload names. It stands in every process, so it links nothing
//! and asks for two symbols, both weak: the loader leaves null where nobody has them. In a program that is no CPython its
//! constructor reads one word and is done.
//!
//! In a CPython it loads gnomon's library from its own directory, which adds the hook before the interpreter starts.
//! Whatever fails, the program runs; with GNOMON_DEBUG in the environment a line on stderr says why it is not recorded.
//!
//! Compiled on its own by build.rs, without the standard library: no crate of gnomon's, no allocation, no panic.
#![no_std]
#![no_builtins]

use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem::{MaybeUninit, transmute_copy};
use core::ptr::null_mut;

const RTLD_NOW: c_int = 2;
const STDERR: c_int = 2;
/// The oldest Python whose audit hooks gnomon knows.
const OLDEST_MINOR: u8 = 9;

#[cfg(target_pointer_width = "64")]
core::arch::global_asm!(
    ".pushsection .data.rel.ro, \"aw\"",
    ".balign 8",
    ".weak PySys_AddAuditHook",
    ".weak dlsym",
    ".globl gnomon_python",
    ".globl gnomon_dlsym",
    ".hidden gnomon_python",
    ".hidden gnomon_dlsym",
    "gnomon_python: .8byte PySys_AddAuditHook",
    "gnomon_dlsym: .8byte dlsym",
    ".popsection",
);

unsafe extern "C" {
    /// Where CPython's function is, or null.
    static gnomon_python: *const c_void;
    static gnomon_dlsym: Option<unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void>;
}

/// What is asked of the C library and of CPython. All of it is looked up first: a look-up takes the text of the loader's
/// last error away.
struct Functions {
    version: unsafe extern "C" fn() -> *const c_char,
    find_owner: unsafe extern "C" fn(*const c_void, *mut Found) -> c_int,
    open: unsafe extern "C" fn(*const c_char, c_int) -> *mut c_void,
    last_error: unsafe extern "C" fn() -> *const c_char,
    variable: unsafe extern "C" fn(*const c_char) -> *const c_char,
    write: unsafe extern "C" fn(c_int, *const c_void, usize) -> isize,
    errno: unsafe extern "C" fn() -> *mut c_int,
}

/// `Dl_info`.
#[repr(C)]
struct Found {
    file: *const c_char,
    base: *mut c_void,
    symbol: *const c_char,
    address: *mut c_void,
}

/// Called by the loader, before the program's `main`.
#[used]
#[unsafe(link_section = ".init_array")]
static START: extern "C" fn() = start;

extern "C" fn start() {
    // SAFETY: the loader has filled in both words before it calls any constructor.
    if unsafe { gnomon_python.is_null() } {
        return;
    }
    let Some(functions) = Functions::of_this_process() else { return };
    if let Err(reason) = watch(&functions) {
        functions.tell(reason);
    }
    // SAFETY: gives the place of this thread's errno. A program starts with none.
    unsafe { *(functions.errno)() = 0 };
}

/// A function of this process, or of a library that it has opened.
///
/// # Safety
/// `F` is a pointer to a function with the signature that `name` has.
unsafe fn function<F>(library: *mut c_void, name: &CStr) -> Option<F> {
    // SAFETY: a library or null for all of them, and a name that ends with NUL; then as the caller promises.
    unsafe {
        let found = gnomon_dlsym?(library, name.as_ptr());
        if found.is_null() { None } else { Some(transmute_copy(&found)) }
    }
}

impl Functions {
    fn of_this_process() -> Option<Self> {
        let all = null_mut();
        // SAFETY: these are their signatures in C.
        unsafe {
            Some(Self {
                version: function(all, c"Py_GetVersion")?,
                find_owner: function(all, c"dladdr")?,
                open: function(all, c"dlopen")?,
                last_error: function(all, c"dlerror")?,
                variable: function(all, c"getenv")?,
                write: function(all, c"write")?,
                errno: function(all, c"__errno_location")?,
            })
        }
    }

    /// Says why nothing is recorded, where that is wanted.
    fn tell(&self, reason: Reason) {
        // SAFETY: texts that end with NUL.
        unsafe {
            let wish = (self.variable)(c"GNOMON_DEBUG".as_ptr());
            if wish.is_null() || *wish == 0 {
                return;
            }
            for text in [b"gnomon: not recording: ", bytes(reason.0), b"\n"] {
                (self.write)(STDERR, text.as_ptr().cast(), text.len());
            }
        }
    }
}

/// Loads gnomon's library, which adds the hook. An `Err` says why not.
fn watch(functions: &Functions) -> Result<(), Reason> {
    let python = Python::of_this_process(functions).ok_or(Reason::of(c"this Python is older than 3.9"))?;
    let library = load(functions, &python)?;
    type Preload = unsafe extern "C" fn() -> *const c_char;
    // SAFETY: it has this signature in all versions of gnomon, and gives null or a text that ends with NUL.
    let problem = unsafe {
        let preload: Option<Preload> = function(library, c"gnomon_preload");
        preload.ok_or(Reason::of(c"the library beside the preloaded one is too old"))?()
    };
    if problem.is_null() { Ok(()) } else { Err(Reason(problem)) }
}

/// A text that ends with NUL.
struct Reason(*const c_char);

impl Reason {
    fn of(text: &'static CStr) -> Self {
        Self(text.as_ptr())
    }
}

/// What the program says its Python is.
struct Python {
    minor: u8,
    is_free_threaded: bool,
}

impl Python {
    fn of_this_process(functions: &Functions) -> Option<Self> {
        // SAFETY: may be called before the interpreter is there; gives a static text that ends with NUL, as in
        // `3.13.0 free-threading build (main, …`.
        let version = unsafe { bytes((functions.version)()) };
        let (major, rest) = version.split_first_chunk::<2>()?;
        let minor = rest.iter().take_while(|byte| byte.is_ascii_digit());
        let minor = minor.fold(0_u8, |number, digit| number.wrapping_mul(10).wrapping_add(digit - b'0'));
        let is_free_threaded = version.windows(14).any(|words| words == b"free-threading");
        (major == b"3." && minor >= OLDEST_MINOR && minor < 100).then_some(Self { minor, is_free_threaded })
    }
}

/// gnomon's library beside this one: the first of the names that this Python would import. Stays loaded.
fn load(functions: &Functions, python: &Python) -> Result<*mut c_void, Reason> {
    let mut path = Path { text: MaybeUninit::uninit(), length: 0 };
    path.push_own_directory(functions).ok_or(Reason::of(c"its own directory is not known"))?;
    let directory = path.length;
    let [tens, ones] = [b'0' + python.minor / 10, b'0' + python.minor % 10];
    let tens = if tens == b'0' { &[][..] } else { &[tens] };
    let (thread, stable): (&[u8], &[u8]) =
        if python.is_free_threaded { (b"t-", b".abi3t") } else { (b"-", b".abi3") };
    let mut problem = Reason::of(c"the loader does not say why");
    for parts in [&[&b".cpython-3"[..], tens, &[ones], thread, TRIPLET][..], &[stable]] {
        path.length = directory;
        path.push(b"_native");
        parts.iter().for_each(|part| path.push(part));
        path.push(b".so\0");
        // SAFETY: a path that ends with NUL. Python's functions are there for what is opened: this is a CPython.
        let library = unsafe { (functions.open)(path.text.as_ptr().cast(), RTLD_NOW) };
        if !library.is_null() {
            return Ok(library);
        }
        // SAFETY: gives null, or a text that stays until the loader is asked the next time. The program is not to see it.
        let error = unsafe { (functions.last_error)() };
        if !error.is_null() {
            problem = Reason(error);
        }
    }
    Err(problem)
}

/// What the file names of extension modules say of the machine.
const TRIPLET: &[u8] = match (cfg!(target_arch = "aarch64"), cfg!(target_env = "musl")) {
    (true, false) => b"aarch64-linux-gnu",
    (true, true) => b"aarch64-linux-musl",
    (false, false) => b"x86_64-linux-gnu",
    (false, true) => b"x86_64-linux-musl",
};

/// A path that grows at its end.
struct Path {
    text: MaybeUninit<[u8; Path::ROOM]>,
    length: usize,
}

impl Path {
    const ROOM: usize = 4096;

    /// Adds the directory of this library, with its last slash.
    fn push_own_directory(&mut self, functions: &Functions) -> Option<()> {
        let mut found = MaybeUninit::<Found>::uninit();
        // SAFETY: an address of this library, and room for what is found; the name stays for as long as it does.
        let own = unsafe {
            if (functions.find_owner)(start as *const c_void, found.as_mut_ptr()) == 0 {
                return None;
            }
            bytes((*found.as_ptr()).file)
        };
        let length = own.iter().rposition(|byte| *byte == b'/')? + 1;
        self.push(own.get(..length)?);
        (length + 64 < Self::ROOM).then_some(())
    }

    fn push(&mut self, part: &[u8]) {
        for byte in part {
            if self.length < Self::ROOM {
                // SAFETY: within the room, as was just seen.
                unsafe { self.text.as_mut_ptr().cast::<u8>().add(self.length).write(*byte) };
                self.length += 1;
            }
        }
    }
}

/// What a text holds before its NUL.
///
/// # Safety
/// The text ends with NUL, and stays as it is for as long as `'a`.
unsafe fn bytes<'a>(text: *const c_char) -> &'a [u8] {
    let mut length = 0;
    // SAFETY: as the caller promises. `CStr` would call the C library.
    unsafe {
        while *text.add(length) != 0 {
            length += 1;
        }
        core::slice::from_raw_parts(text.cast(), length)
    }
}

#[panic_handler]
fn panics(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {} // nothing here does
}
