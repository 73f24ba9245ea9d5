//! The functions of the C library that are redirected, by family.

pub mod files;
pub mod loading;
pub mod network;
pub mod processes;
pub mod raw;
pub mod tls;
pub mod volume;

use super::stubs::Function;

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Function> + Clone {
    let families = [files::ALL, network::ALL, processes::ALL, volume::ALL, loading::ALL, raw::ALL];
    families.into_iter().flatten().copied()
}
