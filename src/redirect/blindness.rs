//! What can act unseen, told as it is found: modules that call the system by themselves, modules that could not be
//! redirected, an io_uring.

use std::borrow::Cow;

use gnomon_core::event::{Event, Kind, Target};
use gnomon_core::origin::Origin;

use super::elf::{Machine, Module as Image};
use super::modules::{self, Module};
use super::{blind, call};

/// Something that can act unseen.
pub struct Blind {
    /// Its file, or what it is.
    name: Vec<u8>,
    /// Why, in a few words.
    why: String,
    origin: Origin,
}

impl Blind {
    /// A module that was left as it is, because of `why`.
    pub fn skipped(path: &[u8], why: &str) -> Self {
        Self { name: path.to_vec(), why: format!("not redirected: {why}"), origin: Origin::default() }
    }

    /// What is blind of a module, if anything is.
    pub fn of(image: &Image<'_>, module: &Module, machine: Machine) -> Option<Self> {
        let unseen = blind::unseen(image.notes(), image.code_bytes(), machine);
        let calls: Vec<&str> = unseen.names(machine).collect();
        let why = match unseen.is_go {
            true => "go".to_owned(),
            false if calls.is_empty() => return None,
            false => format!("system calls: {}", calls.join(" ")),
        };
        Some(Self { name: module.path.clone(), why, origin: module.origin.clone() })
    }

    /// Records it.
    pub fn tell(&self) {
        let target =
            Target::Named { name: Cow::Borrowed(&self.name), detail: Cow::Borrowed(self.why.as_bytes()) };
        call::tell(&Event::new(Kind::Blind, target), &self.origin);
    }
}

/// A ring is set up by `caller`: what is asked for through it, no call tells.
pub fn ring_is_set_up(caller: usize) {
    let module = modules::at(caller);
    let origin = module.map(|module| module.origin.clone()).unwrap_or_default();
    Blind { name: b"io_uring".to_vec(), why: "io_uring".to_owned(), origin }.tell();
}
