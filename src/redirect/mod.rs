//! Libc calls of native libraries, as events: the second source beside the audit hook.
#![cfg_attr(
    not(test),
    expect(dead_code, reason = "what calls these rooms comes with the redirected functions")
)]

mod blind;
#[cfg(test)]
mod compiled;
mod elf;
mod names;
mod patch;
