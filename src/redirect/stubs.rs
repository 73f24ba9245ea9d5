//! What a redirected slot points to: a few instructions that hand on the arguments as they came, and the address that
//! the call came from. That address tells the calling library, and no Rust code can ask for it.
//!
//! The number of arguments decides where it goes: functions of up to five get it as their sixth, which costs one
//! instruction; those of six as their seventh. What has variable arguments, or must see its own caller's address
//! (dlopen looks for libraries beside it), is only looked at before, and then jumped to.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

/// A function of the C library, and what its slots are made to point to.
pub struct Function {
    pub name: &'static str,
    /// The address of the stub.
    pub stub: fn() -> usize,
    /// The function itself, or what was preloaded before it; 0 until it was looked up.
    pub real: AtomicUsize,
}

impl Function {
    #[must_use]
    pub const fn new(name: &'static str, stub: fn() -> usize) -> Self {
        Self { name, stub, real: AtomicUsize::new(0) }
    }

    /// The address of the function itself.
    #[inline]
    pub fn real(&self) -> usize {
        self.real.load(Relaxed)
    }
}

/// What a look before a call answers, in two registers.
#[repr(C)]
pub struct Look {
    /// Not 0 where the function shall be called; otherwise `value` is returned instead.
    pub goes_on: usize,
    pub value: usize,
}

impl Look {
    pub const GO: Self = Self { goes_on: 1, value: 0 };

    #[must_use]
    pub fn instead(value: usize) -> Self {
        Self { goes_on: 0, value }
    }
}

/// The arguments in registers at the time of a call.
#[repr(C)]
pub struct Registers(pub [usize; 6]);

/// An argument or a result as it comes in a register.
pub trait Word: Copy {
    fn from_word(word: usize) -> Self;
    fn into_word(self) -> usize;
}

macro_rules! integer_words {
    ($($type:ty),*) => {$(
        impl Word for $type {
            #[inline]
            #[expect(clippy::allow_attributes, reason = "not for all of these types")]
            #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "what the convention says")]
            fn from_word(word: usize) -> Self {
                word as $type // the upper bits of a narrower argument are not defined
            }

            #[inline]
            #[expect(clippy::allow_attributes, reason = "not for all of these types")]
            #[allow(clippy::cast_sign_loss, reason = "what the convention says")]
            fn into_word(self) -> usize {
                self as usize
            }
        }
    )*};
}
integer_words!(i32, u32, i64, u64, isize, usize);

impl Word for () {
    fn from_word(_: usize) {}

    fn into_word(self) -> usize {
        0
    }
}

impl<T> Word for *const T {
    #[inline]
    fn from_word(word: usize) -> Self {
        std::ptr::with_exposed_provenance(word)
    }

    #[inline]
    fn into_word(self) -> usize {
        self.expose_provenance()
    }
}

impl<T> Word for *mut T {
    #[inline]
    fn from_word(word: usize) -> Self {
        std::ptr::with_exposed_provenance_mut(word)
    }

    #[inline]
    fn into_word(self) -> usize {
        self.expose_provenance()
    }
}

/// The instructions for a function of up to five arguments.
#[cfg(target_arch = "x86_64")]
macro_rules! up_to_five {
    ($body:path) => {
        core::arch::naked_asm!("mov r9, [rsp]", "jmp {body}", body = sym $body)
    };
}

#[cfg(target_arch = "aarch64")]
macro_rules! up_to_five {
    ($body:path) => {
        core::arch::naked_asm!("hint #34", "mov x5, x30", "b {body}", body = sym $body)
    };
}

/// The same for six.
#[cfg(target_arch = "x86_64")]
macro_rules! six {
    ($body:path) => {
        core::arch::naked_asm!(
            ".cfi_startproc",
            "push qword ptr [rsp]",
            ".cfi_adjust_cfa_offset 8",
            "call {body}",
            "add rsp, 8",
            ".cfi_adjust_cfa_offset -8",
            "ret",
            ".cfi_endproc",
            body = sym $body
        )
    };
}

#[cfg(target_arch = "aarch64")]
macro_rules! six {
    ($body:path) => {
        core::arch::naked_asm!("hint #34", "mov x6, x30", "b {body}", body = sym $body)
    };
}

/// Looks at the registers and the stack, by `body(&Registers, stack, caller) -> Look`, then jumps to the function.
#[cfg(target_arch = "x86_64")]
macro_rules! look_first {
    ($body:path, $function:path) => {
        core::arch::naked_asm!(
            ".cfi_startproc",
            "push rax", // how many vector registers a variadic call uses
            ".cfi_adjust_cfa_offset 8",
            "push r9",
            "push r8",
            "push rcx",
            "push rdx",
            "push rsi",
            "push rdi",
            ".cfi_adjust_cfa_offset 48",
            "mov rdi, rsp",
            "lea rsi, [rsp + 64]",
            "mov rdx, [rsp + 56]",
            "call {body}",
            "mov r10, rax",
            "mov r11, rdx",
            "pop rdi",
            "pop rsi",
            "pop rdx",
            "pop rcx",
            "pop r8",
            "pop r9",
            "pop rax",
            ".cfi_adjust_cfa_offset -56",
            "test r10, r10",
            "jz 2f",
            "jmp qword ptr [rip + {function} + {real}]",
            "2:",
            "mov rax, r11",
            "ret",
            ".cfi_endproc",
            body = sym $body,
            function = sym $function,
            real = const core::mem::offset_of!($crate::redirect::stubs::Function, real)
        )
    };
}

#[cfg(target_arch = "aarch64")]
macro_rules! look_first {
    ($body:path, $function:path) => {
        core::arch::naked_asm!(
            "hint #34",
            "stp x29, x30, [sp, #-80]!",
            "mov x29, sp",
            "stp x0, x1, [sp, #16]",
            "stp x2, x3, [sp, #32]",
            "stp x4, x5, [sp, #48]",
            "stp x6, x7, [sp, #64]",
            "add x0, sp, #16",
            "add x1, sp, #80",
            "mov x2, x30",
            "bl {body}",
            "mov x16, x0",
            "mov x17, x1",
            "ldp x0, x1, [sp, #16]",
            "ldp x2, x3, [sp, #32]",
            "ldp x4, x5, [sp, #48]",
            "ldp x6, x7, [sp, #64]",
            "ldp x29, x30, [sp], #80",
            "cbz x16, 2f",
            "adrp x16, {function}",
            "add x16, x16, :lo12:{function}",
            "ldr x16, [x16, #{real}]",
            "br x16",
            "2:",
            "mov x0, x17",
            "ret",
            body = sym $body,
            function = sym $function,
            real = const core::mem::offset_of!($crate::redirect::stubs::Function, real)
        )
    };
}

/// Declares a redirected function of up to five arguments: its static, its name in C, its arguments and result, and
/// what is done instead of it, with the calling address and the function itself at hand.
macro_rules! redirect {
    ($($declaration:tt)+) => {
        $crate::redirect::stubs::declared!((a b c d e) up_to_five $($declaration)+);
    };
}

/// The same for six arguments.
macro_rules! redirect_six {
    ($($declaration:tt)+) => {
        $crate::redirect::stubs::declared!((a b c d e f) six $($declaration)+);
    };
}

/// The same, where so many words come in registers and the caller's address behind them.
macro_rules! declared {
    (
        ($($word:ident)+) $instructions:ident
        $function:ident, $symbol:literal, ($($argument:ident: $type:ty),+) -> $result:ty,
        |$caller:ident, $real:ident| $body:expr
    ) => {
        pub static $function: $crate::redirect::stubs::Function = {
            type Real = unsafe extern "C-unwind" fn($($type),+) -> $result;

            extern "C-unwind" fn body($($word: usize,)+ $caller: usize) -> usize {
                use $crate::redirect::stubs::Word;
                let mut words = [$($word),+].into_iter();
                $(let $argument = <$type as Word>::from_word(words.next().unwrap_or(0));)+
                let $real = |$($argument: $type),+| -> $result {
                    // SAFETY: looked up by its name, and called with arguments of its prototype: the program's own.
                    unsafe { std::mem::transmute::<usize, Real>($function.real())($($argument),+) }
                };
                let result: $result = $body;
                Word::into_word(result)
            }

            #[unsafe(naked)]
            unsafe extern "C" fn stub() {
                $instructions!(body)
            }

            $crate::redirect::stubs::Function::new($symbol, || (stub as *const ()).expose_provenance())
        };
    };
}

/// Declares a function that is looked at before it is called, with its registers, its stack and the calling address.
macro_rules! look_at {
    ($function:ident, $symbol:literal, |$registers:ident, $stack:ident, $caller:ident| $body:expr) => {
        pub static $function: $crate::redirect::stubs::Function = {
            extern "C-unwind" fn body(
                $registers: &$crate::redirect::stubs::Registers,
                $stack: *const usize,
                $caller: usize,
            ) -> $crate::redirect::stubs::Look {
                $body
            }

            #[unsafe(naked)]
            unsafe extern "C" fn stub() {
                look_first!(body, $function)
            }

            $crate::redirect::stubs::Function::new($symbol, || (stub as *const ()).expose_provenance())
        };
    };
}

pub(crate) use {declared, look_at, look_first, redirect, redirect_six, six, up_to_five};
