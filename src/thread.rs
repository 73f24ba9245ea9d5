//! This thread's few words of gnomon's own: where they are can be asked anywhere, and nothing is allocated for it.
//!
//! In a library that was loaded late, `thread_local!` allocates at a thread's first use. A redirected call may come
//! from a signal handler, from inside malloc or in a vfork child. So the words are asked for by a TLS descriptor: the
//! loader places what is as small as this in the room that it keeps beside each thread's own (glibc: 512 bytes, which
//! includes all other thread-locals of this library). Where that room is used up, the library loads all the same, and
//! a thread's first use allocates, as it does on other systems.
#![expect(unsafe_code, reason = "thread-local storage of its own")]

use std::cell::Cell;

/// What gnomon notes of the thread that runs. Zero at first. No field may need to be dropped.
///
/// A signal handler on the same thread sees the same words, and leaves each as it found it.
#[repr(C, align(16))]
#[derive(Default)]
pub struct Block {
    /// This thread is in the hook: what the hook itself does is not the program's doing.
    pub is_inside: Cell<bool>,
    /// How many redirected calls this thread is in. While it is not 0, memory comes from gnomon's own pool.
    pub redirected: Cell<u8>,
    /// It was in vfork(2), and may be the child.
    pub has_vforked: Cell<bool>,
    /// What the audit hook noted of an operation, for the redirected call that carries it out.
    pub notes: [Cell<u64>; 12],
}

/// Of the running thread; the reference is of no use to another one. Never allocates, but where the file's head says.
#[inline]
pub fn block() -> &'static Block {
    // SAFETY: it is as large as a Block, zero at first, which a Block may be, and stays until the thread is gone. What
    // is behind the reference is not Sync, so no other thread gets at it.
    unsafe { &*place() }
}

/// A number that no other running thread has: where its words are.
pub fn number() -> u64 {
    place().addr() as u64
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
std::arch::global_asm!(
    ".pushsection .tbss.gnomon_thread, \"awT\", @nobits",
    ".balign {align}",
    ".globl gnomon_thread",
    ".hidden gnomon_thread",
    ".type gnomon_thread, @object",
    ".size gnomon_thread, {size}",
    "gnomon_thread:",
    ".zero {size}",
    ".popsection",
    align = const align_of::<Block>(),
    size = const size_of::<Block>(),
);

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[inline]
fn place() -> *const Block {
    let place: *const Block;
    // SAFETY: the sequence that the psABI prescribes, as the linker may have to replace it. The call keeps all
    // registers but the result's; before glibc 2.40 not those of vectors, where it had to allocate.
    unsafe {
        std::arch::asm!(
            "lea rax, [rip + gnomon_thread@TLSDESC]",
            "call qword ptr [rax + gnomon_thread@TLSCALL]",
            "add rax, qword ptr fs:[0]",
            out("rax") place,
            out("xmm0") _,
            out("xmm1") _,
            out("xmm2") _,
            out("xmm3") _,
            out("xmm4") _,
            out("xmm5") _,
            out("xmm6") _,
            out("xmm7") _,
            out("xmm8") _,
            out("xmm9") _,
            out("xmm10") _,
            out("xmm11") _,
            out("xmm12") _,
            out("xmm13") _,
            out("xmm14") _,
            out("xmm15") _,
            options(pure, nomem),
        );
    }
    place
}

#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
#[inline]
fn place() -> *const Block {
    let place: *const Block;
    // SAFETY: as above.
    unsafe {
        std::arch::asm!(
            "adrp x0, :tlsdesc:gnomon_thread",
            "ldr x1, [x0, :tlsdesc_lo12:gnomon_thread]",
            "add x0, x0, :tlsdesc_lo12:gnomon_thread",
            ".tlsdesccall gnomon_thread",
            "blr x1",
            "mrs x1, tpidr_el0",
            "add x0, x0, x1",
            out("x0") place,
            clobber_abi("C"),
            options(pure, nomem),
        );
    }
    place
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn place() -> *const Block {
    thread_local!(static BLOCK: Block = const {
        Block {
            is_inside: Cell::new(false),
            redirected: Cell::new(0),
            has_vforked: Cell::new(false),
            notes: [const { Cell::new(0) }; 12],
        }
    });
    BLOCK.with(std::ptr::from_ref)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_has_words_of_its_own_which_are_zero_at_first() {
        block().redirected.set(3);
        let (here, there) = (number(), std::thread::spawn(|| (number(), block().redirected.get())));
        let (there, redirected) = there.join().unwrap();
        assert!(here != there && here == number() && here.is_multiple_of(16));
        assert_eq!((redirected, block().redirected.replace(0)), (0, 3));
    }
}
