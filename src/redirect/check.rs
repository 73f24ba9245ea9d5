//! The self-check at arming: a stub of each form, in front of functions of our own, whose results tell what reached them;
//! then the stub of open(2), which must do what the function itself does here, whoever was put before it.
#![expect(unsafe_code, reason = "calls stubs by their addresses")]

use std::ffi::{c_char, c_int};
use std::sync::atomic::Ordering::Relaxed;

use super::call::errno;
use super::functions::files::OPEN;
use super::stubs::{Function, Look, look_at, look_first, redirect, redirect_six, six, up_to_five};

const WORDS: [usize; 6] = [0x0101, usize::MAX, 3, 1 << 40, 0x8000_0000, 6];
/// What a stub answers that was told of another caller.
const STRANGER: usize = 0;

redirect!(FIVE, "five", (a: usize, b: usize, c: usize, d: usize, e: usize) -> usize, |caller, real| {
    if is_own(caller) { real(a, b, c, d, e) } else { STRANGER }
});
redirect_six!(SIX, "six", (a: usize, b: usize, c: usize, d: usize, e: usize, f: usize) -> usize, |caller, real| {
    if is_own(caller) { real(a, b, c, d, e, f) } else { STRANGER }
});
look_at!(LOOKED, "looked", |registers, _stack, caller| {
    let is_meant = is_own(caller) && registers.0 == WORDS;
    if is_meant { Look::GO } else { Look::instead(mixed(registers.0) ^ 1) }
});

type OfSix = unsafe extern "C" fn(usize, usize, usize, usize, usize, usize) -> usize;
type Open = unsafe extern "C" fn(*const c_char, c_int, c_int) -> c_int;

/// Whether stubs do what they are for.
pub fn is_right() -> bool {
    are_forms_right() && is_open_right()
}

fn are_forms_right() -> bool {
    let [a, b, c, d, e, f] = WORDS;
    let stub = |function: &'static Function, real: usize| {
        function.real.store(real, Relaxed);
        // SAFETY: the stubs above take words, and more of them than they ask for.
        unsafe { std::mem::transmute::<usize, OfSix>((function.stub)()) }
    };
    let (five, six) = ((of_five as *const ()).expose_provenance(), (of_six as *const ()).expose_provenance());
    // SAFETY: as above.
    unsafe {
        stub(&FIVE, five)(a, b, c, d, e, f) == mixed([a, b, c, d, e, 0])
            && stub(&SIX, six)(a, b, c, d, e, f) == mixed(WORDS)
            && stub(&LOOKED, six)(a, b, c, d, e, f) == mixed(WORDS)
            && stub(&LOOKED, six)(f, b, c, d, e, a) == mixed([f, b, c, d, e, a]) ^ 1
    }
}

extern "C-unwind" fn of_five(a: usize, b: usize, c: usize, d: usize, e: usize) -> usize {
    mixed([a, b, c, d, e, 0])
}

extern "C-unwind" fn of_six(a: usize, b: usize, c: usize, d: usize, e: usize, f: usize) -> usize {
    mixed([a, b, c, d, e, f])
}

fn mixed(words: [usize; 6]) -> usize {
    words.iter().fold(7, |sum, word| sum.wrapping_mul(31).wrapping_add(*word))
}

/// Whether an address is in the code of this file: near its functions, for the linker keeps them together.
fn is_own(address: usize) -> bool {
    const NEAR: usize = 1 << 26;
    (of_five as *const ()).addr().abs_diff(address) < NEAR
}

/// Whether open(2) answers the same through its stub: with a descriptor, and with an error.
fn is_open_right() -> bool {
    // SAFETY: both take what open(2) takes.
    let [stub, real] =
        unsafe { [(OPEN.stub)(), OPEN.real()].map(|address| std::mem::transmute::<usize, Open>(address)) };
    let cases = [libc::O_PATH | libc::O_CLOEXEC, libc::O_WRONLY | libc::O_CLOEXEC];
    OPEN.real() != 0 && cases.into_iter().all(|flags| answer(stub, flags) == answer(real, flags))
}

/// How the root's opening ends: 0, or the error.
fn answer(open: Open, flags: c_int) -> c_int {
    // SAFETY: a text of C; what is opened is closed.
    unsafe {
        let opened = open(c"/".as_ptr(), flags, 0);
        if opened < 0 {
            return errno();
        }
        libc::close(opened);
    }
    0
}

#[cfg(test)]
mod tests {
    #[test]
    fn stubs_of_every_form_hand_on_what_they_got() {
        assert!(super::are_forms_right());
    }
}
