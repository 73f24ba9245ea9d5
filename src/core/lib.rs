//! The engine of gnomon: what an event is, what is stored of it, and the files it is stored in.
//!
//! ```text
//! Event ─> interest ─> Origin ─> Record ─> Segment ═ file ═> Reader ─> Arrow
//! ```
//!
//! Knows no Python, no environment, no printing and no global state. The write half ([`pipeline`],
//! [`spool::writer`]) may run on any thread, without the GIL; the read half runs anywhere, later.

mod directory;
pub mod distributions;
pub mod errno;
pub mod event;
pub mod hosts;
pub mod interest;
pub mod links;
pub mod machine;
pub mod origin;
mod pack;
pub mod paths;
pub mod pipeline;
pub mod policy;
pub mod privacy;
pub mod process;
pub mod record;
pub mod redact;
pub mod spool;
pub mod startup;
pub mod text;
pub mod verdict;
pub mod wire;

#[cfg(feature = "read")]
pub mod columns;
#[cfg(feature = "read")]
pub mod filter;
#[cfg(feature = "read")]
pub mod fold;
#[cfg(feature = "read")]
pub mod parallel;
#[cfg(feature = "read")]
pub mod tables;
