//! What the organisation says: rules as people write them, the form that processes map, and the decision.
//!
//! ```text
//! TOML ─> parse ─> Layer of Rules ─> compile ═ file ═> image ─> classify ─> decide ─> judge ─> the last step
//!                                        Event ─> observed ─> Facts ──┘
//! ```
//!
//! The right half runs in watched programs: it parses nothing, builds nothing, takes no lock and never panics,
//! whatever the mapped bytes are.

pub mod active;
mod classify;
pub mod decide;
pub mod facts;
pub mod field;
pub mod glob;
pub mod image;
pub mod judge;
pub mod message;
pub mod observed;
mod shown;

#[cfg(feature = "read")]
pub mod compile;
#[cfg(feature = "read")]
pub mod covers;
#[cfg(feature = "read")]
pub mod explain;
#[cfg(feature = "read")]
pub mod parse;
#[cfg(feature = "read")]
pub mod question;
#[cfg(feature = "read")]
pub mod replay;
#[cfg(feature = "read")]
pub mod rule;
