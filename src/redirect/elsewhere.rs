//! In place of the redirection where there is none: other systems than Linux, other C libraries than glibc (musl
//! binds at once and has no slots for its own calls), other processors.

#[path = "absence.rs"]
mod absence;
#[path = "notes.rs"]
pub mod notes;

pub use absence::{Absence, state};

/// Whether native code tells of what it does.
#[inline]
pub fn is_on() -> bool {
    false
}

/// Says that nothing is redirected here, whoever asks for it.
///
/// # Errors
/// Always.
pub fn prepare(_is_asked_for: bool) -> Result<(), Absence> {
    Err(Absence::Unsupported)
}

/// Nothing is known of what is where.
pub fn part_at(_address: usize) -> Option<Vec<u8>> {
    None
}

/// Nothing was redirected.
pub fn undone() -> std::collections::BTreeMap<Vec<u8>, Vec<&'static str>> {
    std::collections::BTreeMap::new()
}

/// Does nothing.
pub fn begin() {}

/// Does nothing.
pub fn forked() {}

/// Does nothing.
pub fn pause() {}

/// Does nothing.
#[inline]
pub fn settle_modules() {}
