//! A spool is a directory of segments; a segment is what one process wrote, in one file.
//!
//! `format` holds bytes and limits only. Write half: `map`, `swap`, `segment`, `writer`, `users` (a directory for each),
//! and `listing` (what many processes have the same, in files of their own). Both: `chain` (which segment came before).
//! Read half, their mirror: `place` (where files lie, and whose they are), `reader` (loads a segment), `records` (walks
//! it), `fault` (what is wrong with it), `listed`, `processes`, `tail` (reading along), `live` (the same for a person who
//! watches), `doubles` (copies of the same), `seal` (giving back what is not used).

pub mod chain;
pub mod format;
pub mod listing;
pub mod map;
pub mod segment;
pub mod swap;
pub mod users;
pub mod writer;

#[cfg(feature = "read")]
pub mod doubles;
#[cfg(feature = "read")]
pub mod fault;
#[cfg(feature = "read")]
pub mod listed;
#[cfg(feature = "read")]
pub mod live;
#[cfg(feature = "read")]
pub mod place;
#[cfg(feature = "read")]
pub mod processes;
#[cfg(feature = "read")]
pub mod reader;
#[cfg(feature = "read")]
pub mod records;
#[cfg(feature = "read")]
pub mod seal;
#[cfg(feature = "read")]
pub mod tail;
