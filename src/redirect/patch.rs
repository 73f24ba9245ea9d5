//! Slots of one module, written: the loader's protection is lifted where it must be, and put back.
//!
//! The loader may be at work on the module in another thread, for it shows a module before it has relocated it.
//! A slot that holds nothing of use yet is left alone, and so are those that the loader should have protected by
//! now and has not: to protect them would make its own next store a crash. Both are counted as unsettled, for
//! the caller to come again.
#![expect(unsafe_code, reason = "writes into other modules' tables")]

use std::ffi::c_void;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use rustix::io::Errno;
use rustix::mm::{MprotectFlags, mprotect};
use rustix::param::page_size;

use super::elf::{Module, Slot};

/// A slot, and the function that its address is to be of.
#[derive(Clone, Copy, Debug)]
pub struct Redirection {
    pub slot: Slot,
    pub function: usize,
}

/// Whether the module may be one that another thread is just loading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visit {
    First,
    /// It was there at an earlier visit, so what is still writable stays so.
    Again,
}

/// What became of some slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Patched {
    pub written: usize,
    /// They held our function already.
    pub kept: usize,
    /// The loader has not finished them, or found no function for them (a weak symbol).
    pub unsettled: usize,
}

/// What the kernel refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Pages could not be made writable: nothing was written there.
    Unprotect(Errno),
    /// Pages could not be protected again: all is written, and they stay writable.
    Protect(Errno),
}

/// Points slots at functions.
///
/// # Errors
/// The kernel refuses a change of protection; slots outside of protected pages are written all the same.
///
/// # Safety
/// The slots are those of `module` ([`Module::slots`]), which stays loaded; each function has the signature of
/// the one that the slot is for, and is never unloaded. One thread at a time: another's protection would come
/// between this one's stores.
pub unsafe fn redirect(
    module: &Module,
    redirections: &[Redirection],
    visit: Visit,
) -> Result<Patched, Fault> {
    let mut patched = Patched::default();
    let protected = module.relro().map(protected_pages).unwrap_or_default();
    let unrelocated = unrelocated(module);
    let is_protected = |one: &&Redirection| protected.contains(&one.slot.address);
    // SAFETY: these slots lie in pages of a writable PT_LOAD that nothing protects.
    unsafe { store(redirections.iter().filter(|one| !is_protected(one)), &unrelocated, &mut patched) };
    // SAFETY: the caller's word for these is passed on.
    unsafe {
        redirect_protected(&unrelocated, redirections.iter().filter(is_protected), visit, &mut patched)
    }?;
    Ok(patched)
}

/// What a slot may hold before the loader came to it: addresses of the file, where these are not those in memory.
fn unrelocated(module: &Module) -> Range<usize> {
    if module.base() == 0 { 0..0 } else { 0..module.span().len() }
}

/// The pages that the loader protects: the first one whole, and a last one that is not whole not.
fn protected_pages(relro: Range<usize>) -> Range<usize> {
    let page = page_size();
    relro.start / page * page..relro.end / page * page
}

/// # Safety
/// As for [`redirect`]; the slots lie in protected pages.
unsafe fn redirect_protected<'a>(
    unrelocated: &Range<usize>,
    slots: impl Iterator<Item = &'a Redirection> + Clone,
    visit: Visit,
    patched: &mut Patched,
) -> Result<(), Fault> {
    let needed = slots.clone().filter(|one| one.is_needed(unrelocated));
    let Some(span) = span(needed.map(|one| one.slot.address)) else {
        slots.for_each(|one| one.count_unneeded(patched));
        return Ok(());
    };
    match (is_writable(span.start), visit) {
        (true, Visit::First) => patched.unsettled += slots.count(),
        // SAFETY: writable as it is, and the loader was done with it before.
        (true, Visit::Again) => unsafe { store(slots, unrelocated, patched) },
        (false, _) => {
            set_writable(&span, true).map_err(Fault::Unprotect)?;
            // SAFETY: the pages of every slot that needs a store are writable now.
            unsafe { store(slots, unrelocated, patched) };
            set_writable(&span, false).map_err(Fault::Protect)?;
        }
    }
    Ok(())
}

/// # Safety
/// Every slot that needs a store is writable.
unsafe fn store<'a>(
    slots: impl Iterator<Item = &'a Redirection>,
    unrelocated: &Range<usize>,
    patched: &mut Patched,
) {
    for one in slots {
        if one.is_needed(unrelocated) {
            one.held().store(one.function, Ordering::Release);
            patched.written += 1;
        } else {
            one.count_unneeded(patched);
        }
    }
}

/// The pages from the lowest to the highest of some slots.
fn span(slots: impl Iterator<Item = usize> + Clone) -> Option<Range<usize>> {
    let page = page_size();
    let (lowest, highest) = (slots.clone().min()?, slots.max()?);
    Some(lowest / page * page..(highest / page + 1) * page)
}

fn set_writable(pages: &Range<usize>, is_writable: bool) -> Result<(), Errno> {
    let protection =
        if is_writable { MprotectFlags::READ | MprotectFlags::WRITE } else { MprotectFlags::READ };
    // SAFETY: whole pages of a loaded module's data, which stay readable. They are protected again only when all
    // stores are done, and only where they were when this began.
    unsafe { mprotect(pages.start as *mut c_void, pages.len(), protection) }
}

/// Whether the page of a slot may be written: the kernel is asked to add no bit to its first half, as one atomic
/// operation, which fails where it may not. A kernel that does not answer is taken to say no.
fn is_writable(slot: usize) -> bool {
    const WAKE_NOBODY: libc::c_int = 0;
    let other = AtomicU32::new(0);
    let or_nothing = libc::FUTEX_OP(libc::FUTEX_OP_OR, 0, libc::FUTEX_OP_CMP_EQ, 0);
    // SAFETY: nobody waits on either address, a local one and a slot; the operation leaves the slot as it is.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_futex,
            other.as_ptr(),
            libc::FUTEX_WAKE_OP | libc::FUTEX_PRIVATE_FLAG,
            WAKE_NOBODY,
            WAKE_NOBODY as usize,
            slot,
            or_nothing,
        )
    };
    answer >= 0
}

impl Redirection {
    fn held(&self) -> &AtomicUsize {
        // SAFETY: a slot is eight aligned bytes of a loaded module (`Module::slots`, and the caller's word for the
        // module); the loader and others touch it as one pointer at a time.
        unsafe { AtomicUsize::from_ptr(self.slot.address as *mut usize) }
    }

    /// Whether the slot holds an address that is not ours: before the loader relocated it, it holds nothing, or
    /// an address of the file.
    fn is_needed(&self, unrelocated: &Range<usize>) -> bool {
        let held = self.held().load(Ordering::Relaxed);
        held != self.function && held != 0 && !unrelocated.contains(&held)
    }

    fn count_unneeded(&self, patched: &mut Patched) {
        if self.held().load(Ordering::Relaxed) == self.function {
            patched.kept += 1;
        } else {
            patched.unsettled += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::{CString, c_char, c_int};

    use super::*;
    use crate::redirect::compiled::{LINKINGS, Library};
    use crate::redirect::names::Names;

    const WANTED: [&str; 2] = ["open", "connect"];

    extern "C" fn our_open(_: *const c_char, _: c_int) -> c_int {
        4711
    }

    extern "C" fn our_connect(_: c_int, _: *const c_void, _: u32) -> c_int {
        4712
    }

    fn redirections(module: &Module) -> Vec<Redirection> {
        let functions = [our_open as *const () as usize, our_connect as *const () as usize];
        let slots = module.slots(&Names::new(WANTED)).unwrap();
        slots.iter().map(|slot| Redirection { slot: *slot, function: functions[slot.wanted] }).collect()
    }

    fn redirect_all(library: &Library, visit: Visit) -> Patched {
        library.with_module(|module| {
            // SAFETY: the module's own slots, and functions of their signatures; each library is of one test.
            unsafe { redirect(module, &redirections(module), visit) }.unwrap()
        })
    }

    /// The page that an address is in, as the kernel tells of it.
    fn protection(address: usize) -> String {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let is_there = |line: &&str| {
            let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
            let number = |text| usize::from_str_radix(text, 16).unwrap();
            (number(start)..number(end)).contains(&address)
        };
        maps.lines().find(is_there).unwrap().split(' ').nth(1).unwrap().to_owned()
    }

    fn protections(library: &Library) -> Vec<String> {
        let slots = library.with_module(redirections);
        slots.iter().map(|one| protection(one.slot.address)).collect()
    }

    #[test]
    fn a_librarys_calls_reach_our_functions_and_its_pages_are_as_they_were() {
        for flags in LINKINGS {
            let Some(library) = Library::new(flags) else { return };
            let before = protections(&library);
            let patched = redirect_all(&library, Visit::First);
            assert!(patched.written >= 3 && patched.unsettled == 0, "{flags:?} {patched:?}");
            assert_eq!(library.open(&CString::new("/").unwrap()), 4711, "{flags:?}");
            assert_eq!(library.connect(), 4712, "{flags:?}");
            assert_eq!(protections(&library), before, "{flags:?}");
        }
    }

    #[test]
    fn slots_that_are_ours_already_are_kept() {
        let Some(library) = Library::new(LINKINGS[1]) else { return };
        let first = redirect_all(&library, Visit::First);
        let again = redirect_all(&library, Visit::First);
        assert_eq!(again, Patched { kept: first.written, ..Patched::default() });
    }

    #[test]
    fn what_the_loader_has_not_protected_yet_waits_for_another_visit() {
        let Some(library) = Library::new(LINKINGS[1]) else { return };
        let pages = library.with_module(|module| protected_pages(module.relro().unwrap()));
        set_writable(&pages, true).unwrap();
        let first = redirect_all(&library, Visit::First);
        assert!(first.written == 0 && first.unsettled >= 3, "{first:?}");
        let again = redirect_all(&library, Visit::Again);
        assert!(again.written == first.unsettled, "{again:?}");
        assert_eq!(protection(pages.start), "rw-p", "as it was");
    }

    #[test]
    fn a_slot_that_holds_nothing_of_use_is_left_alone() {
        let Some(library) = Library::new(LINKINGS[3]) else { return };
        let slots = library.with_module(redirections);
        for (one, held) in slots.iter().zip([0, 0x1036]) {
            one.held().store(held, Ordering::Relaxed);
        }
        let patched = redirect_all(&library, Visit::First);
        assert_eq!((patched.unsettled, patched.written), (2, slots.len() - 2));
    }
}
