//! Small libraries for the tests, made with the system's C compiler where there is one.
#![expect(unsafe_code, reason = "loads libraries")]

use std::ffi::{CString, c_char, c_int, c_void};
use std::process::Command;

use super::elf::{Machine, Module};

/// Ways to link: where the slots are, when they are bound, which hash table there is.
pub const LINKINGS: [&[&str]; 6] = [
    &["-Wl,-z,lazy", "-Wl,-z,relro"],
    &["-Wl,-z,now", "-Wl,-z,relro"],
    &["-Wl,-z,now", "-Wl,-z,relro", "-fno-plt"],
    &["-Wl,-z,lazy", "-Wl,-z,norelro", "-Wl,--hash-style=sysv"],
    &["-Wl,-z,now", "-Wl,-z,relro", "-Wl,--hash-style=both", "-O2"],
    &["-Wl,-z,now", "-Wl,-z,relro", "-Wl,-z,max-page-size=65536", "-Wl,--hash-style=gnu"],
];

const SOURCE: &str = "
#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>
int creat(const char *path, mode_t mode) { return path != NULL && mode != 0; }
int (*const table[])(int, const struct sockaddr *, socklen_t) = { connect, connect };
int calls_open(const char *path) { return open(path, O_RDONLY); }
int calls_connect(int i) { return table[i](-1, NULL, 0); }
int calls_creat(const char *path) { return creat(path, 1); }
";

/// A library that is loaded, for good.
pub struct Library {
    handle: *mut c_void,
}

impl Library {
    /// None where there is no compiler.
    pub fn new(flags: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let (source, library) = (folder.path().join("sample.c"), folder.path().join("sample.so"));
        std::fs::write(&source, SOURCE).unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).args(flags);
        if !compiler.status().ok()?.success() {
            return None;
        }
        let path = CString::new(library.to_str().unwrap()).unwrap();
        // SAFETY: a C string; the library's constructors do nothing.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_LAZY | libc::RTLD_LOCAL) };
        assert!(!handle.is_null());
        Some(Self { handle })
    }

    /// The address of what it defines.
    pub fn symbol(&self, name: &str) -> usize {
        let name = CString::new(name).unwrap();
        // SAFETY: the library stays loaded; a C string.
        let found = unsafe { libc::dlsym(self.handle, name.as_ptr()) };
        assert!(!found.is_null());
        found as usize
    }

    /// Calls `calls_open`.
    pub fn open(&self, path: &CString) -> c_int {
        // SAFETY: the signature is that of the source.
        let open = unsafe {
            std::mem::transmute::<usize, extern "C" fn(*const c_char) -> c_int>(self.symbol("calls_open"))
        };
        open(path.as_ptr())
    }

    /// Calls `calls_connect`.
    pub fn connect(&self) -> c_int {
        // SAFETY: the signature is that of the source.
        let connect = unsafe {
            std::mem::transmute::<usize, extern "C" fn(c_int) -> c_int>(self.symbol("calls_connect"))
        };
        connect(1)
    }

    /// Looks at its module.
    pub fn with_module<T, L: FnMut(&Module) -> T>(&self, look: L) -> T {
        let mut search = Search { inside: self.symbol("calls_open"), look, answer: None };
        let callback = visit::<T, L>;
        // SAFETY: the callback gets the search that it expects.
        unsafe { libc::dl_iterate_phdr(Some(callback), (&raw mut search).cast()) };
        search.answer.unwrap()
    }
}

/// Whether an address is of this test's own executable.
pub fn is_of_this_binary(address: usize) -> bool {
    // SAFETY: plain data, for dladdr to fill in.
    let (mut here, mut there): (libc::Dl_info, libc::Dl_info) = unsafe { std::mem::zeroed() };
    // SAFETY: any address may be asked for.
    let found = unsafe {
        libc::dladdr(is_of_this_binary as *const c_void, &raw mut here) != 0
            && libc::dladdr(address as *const c_void, &raw mut there) != 0
    };
    found && here.dli_fbase == there.dli_fbase
}

struct Search<T, L> {
    inside: usize,
    look: L,
    answer: Option<T>,
}

extern "C" fn visit<T, L: FnMut(&Module) -> T>(
    information: *mut libc::dl_phdr_info,
    _: usize,
    search: *mut c_void,
) -> c_int {
    // SAFETY: the loader's word, in its callback; the search is the caller's.
    let (information, search) = unsafe { (&*information, &mut *search.cast::<Search<T, L>>()) };
    // SAFETY: as above.
    let module = unsafe { Module::loaded(information, Machine::HERE.unwrap()) }.unwrap();
    if module.span().contains(&search.inside) {
        search.answer = Some((search.look)(&module));
    }
    0
}
