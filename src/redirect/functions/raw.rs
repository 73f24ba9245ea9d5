//! System calls made by number, through syscall(2): those that the other files of this folder are about, and io_uring.
#![expect(unsafe_code, reason = "calls below the level of Rust's calling convention")]

use std::ffi::{c_char, c_int};
use std::sync::atomic::AtomicUsize;

use gnomon_core::event::Kind;
#[cfg(target_arch = "x86_64")]
use libc::AT_FDCWD;
use libc::{c_long, sockaddr};

use super::super::blindness;
use super::super::call::{self, Step, file_event, text};
use super::super::notes::Sort;
use super::super::stubs::Function;
use super::files::{access_of_flags, begin_two, opened, opening};
use super::network::Address;
use super::processes::executing;

/// Numbers from which on all are alike on all machines.
const OPENAT2: c_long = 437;
const IO_URING_SETUP: c_long = 425;

/// Whether a call with this number is looked at. All others are left exactly as they are: a child that shares our
/// memory may come back from one.
extern "C" fn is_of_interest(number: c_long) -> bool {
    #[cfg(target_arch = "x86_64")]
    let is_old = matches!(
        number,
        libc::SYS_open | libc::SYS_creat | libc::SYS_unlink | libc::SYS_rename | libc::SYS_mkdir
    );
    #[cfg(not(target_arch = "x86_64"))]
    let is_old = false;
    is_old
        || matches!(
            number,
            libc::SYS_openat
                | OPENAT2
                | libc::SYS_connect
                | libc::SYS_execve
                | libc::SYS_unlinkat
                | libc::SYS_renameat2
                | libc::SYS_mkdirat
                | IO_URING_SETUP
        )
}

/// What is to be done with a system call.
fn begin(caller: usize, number: c_long, [a, b, c, d, ..]: [usize; 6]) -> Step {
    let path = |word: usize| std::ptr::with_exposed_provenance::<c_char>(word);
    let integer = |word: usize| word as c_int;
    #[cfg(target_arch = "x86_64")]
    match number {
        libc::SYS_open => return opening(caller, AT_FDCWD, path(a), access_of_flags(integer(b)), integer(b)),
        libc::SYS_creat => {
            const FLAGS: c_int = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC;
            return opening(caller, AT_FDCWD, path(a), access_of_flags(FLAGS), FLAGS);
        }
        libc::SYS_unlink => return changing(caller, Kind::Delete, AT_FDCWD, path(a)),
        libc::SYS_rename => return moving(caller, (AT_FDCWD, path(a)), (AT_FDCWD, path(b))),
        libc::SYS_mkdir => return changing(caller, Kind::Mkdir, AT_FDCWD, path(a)),
        _ => {}
    }
    match number {
        libc::SYS_openat => opening(caller, integer(a), path(b), access_of_flags(integer(c)), integer(c)),
        OPENAT2 => {
            // SAFETY: what the program gives to openat2(2): a structure that begins with the flags.
            let flags = if c == 0 { 0 } else { unsafe { *std::ptr::with_exposed_provenance::<u64>(c) } };
            opening(caller, integer(a), path(b), access_of_flags(flags as c_int), flags as c_int)
        }
        libc::SYS_unlinkat => changing(caller, Kind::Delete, integer(a), path(b)),
        libc::SYS_renameat2 => moving(caller, (integer(a), path(b)), (integer(c), path(d))),
        libc::SYS_mkdirat => changing(caller, Kind::Mkdir, integer(a), path(b)),
        libc::SYS_connect => {
            // SAFETY: what the program gives to connect(2).
            let address = unsafe { Address::read(std::ptr::with_exposed_provenance::<sockaddr>(b), c) };
            address.map_or(Step::PASS, |address| {
                call::begin_untold(caller, Sort::Connect, || Some(address.event(Kind::Connect)))
            })
        }
        libc::SYS_execve => {
            // SAFETY: what the program gives to execve(2).
            let program = unsafe { text(path(a)) };
            let argv = std::ptr::with_exposed_provenance(b);
            program.map_or(Step::PASS, |program| executing(caller, program, argv))
        }
        IO_URING_SETUP => {
            blindness::ring_is_set_up(caller);
            Step::PASS
        }
        _ => Step::PASS,
    }
}

fn changing(caller: usize, kind: Kind, at: c_int, path: *const c_char) -> Step {
    // SAFETY: what the program gives to such a system call.
    let (Some(path), Some(sort)) = (unsafe { text(path) }, Sort::of(kind)) else { return Step::PASS };
    call::begin(caller, sort, path, || Some(file_event(kind, at, path)))
}

fn moving(caller: usize, from: (c_int, *const c_char), to: (c_int, *const c_char)) -> Step {
    begin_two(caller, Kind::Rename, from, to).unwrap_or(Step::PASS)
}

type Real = unsafe extern "C-unwind" fn(c_long, usize, usize, usize, usize, usize, usize) -> c_long;

extern "C-unwind" fn body(
    number: c_long,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
    caller: usize,
) -> c_long {
    let step = begin(caller, number, [a, b, c, d, e, f]);
    if call::is_refused(step) {
        return -1;
    }
    // SAFETY: looked up by its name, and called with the program's own arguments.
    let result = unsafe { std::mem::transmute::<usize, Real>(SYSCALL.real())(number, a, b, c, d, e, f) };
    if matches!(number, libc::SYS_openat | OPENAT2) || cfg!(target_arch = "x86_64") && number == 2 {
        return c_long::from(opened(step, result as c_int));
    }
    call::end(step, if result < 0 { call::errno() } else { 0 });
    result
}

#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn stub() {
    core::arch::naked_asm!(
        ".cfi_startproc",
        "push rdi",
        "push rsi",
        "push rdx",
        "push rcx",
        "push r8",
        "push r9",
        "sub rsp, 8",
        ".cfi_adjust_cfa_offset 56",
        "call {is_of_interest}",
        "add rsp, 8",
        "pop r9",
        "pop r8",
        "pop rcx",
        "pop rdx",
        "pop rsi",
        "pop rdi",
        ".cfi_adjust_cfa_offset -56",
        "test al, al",
        "jnz 2f",
        "jmp qword ptr [rip + {function} + {real}]",
        "2:",
        // The seventh argument and the caller's address, behind one another.
        "sub rsp, 8",
        "push qword ptr [rsp + 8]",
        "push qword ptr [rsp + 24]",
        ".cfi_adjust_cfa_offset 24",
        "call {body}",
        "add rsp, 24",
        ".cfi_adjust_cfa_offset -24",
        "ret",
        ".cfi_endproc",
        is_of_interest = sym is_of_interest,
        body = sym body,
        function = sym SYSCALL,
        real = const core::mem::offset_of!(Function, real)
    )
}

#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn stub() {
    core::arch::naked_asm!(
        "hint #34",
        "stp x29, x30, [sp, #-80]!",
        "mov x29, sp",
        "stp x0, x1, [sp, #16]",
        "stp x2, x3, [sp, #32]",
        "stp x4, x5, [sp, #48]",
        "str x6, [sp, #64]",
        "bl {is_of_interest}",
        "mov w16, w0",
        "ldp x0, x1, [sp, #16]",
        "ldp x2, x3, [sp, #32]",
        "ldp x4, x5, [sp, #48]",
        "ldr x6, [sp, #64]",
        "ldp x29, x30, [sp], #80",
        "tst w16, #0xff",
        "b.ne 2f",
        "adrp x16, {function}",
        "add x16, x16, :lo12:{function}",
        "ldr x16, [x16, #{real}]",
        "br x16",
        "2:",
        "mov x7, x30",
        "b {body}",
        is_of_interest = sym is_of_interest,
        body = sym body,
        function = sym SYSCALL,
        real = const core::mem::offset_of!(Function, real)
    )
}

pub static SYSCALL: Function =
    Function { name: "syscall", stub: || (stub as *const ()).expose_provenance(), real: AtomicUsize::new(0) };

pub static ALL: &[&Function] = &[&SYSCALL];
