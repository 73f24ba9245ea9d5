//! Where the functions themselves are: what a call reaches that is not redirected.
//!
//! The loader takes some 3,000 instructions to find a function by its name, and as many to find none. So modules are
//! asked here, in the loader's order, and what the C library is the first to define is its function there. Whatever is
//! not as simple as that, such as a function of a library that was preloaded, the loader is asked for.
//!
//! An executable at a fixed address stands in for functions of which it takes the address: the loader gives everybody
//! an entry of the executable's own table, which jumps through a slot. That slot is redirected, so what is behind it is
//! looked for in the other modules, in the loader's order.
#![expect(unsafe_code, reason = "asks the loader for all modules")]

use std::ffi::{CStr, CString, c_int, c_void};
use std::ops::Range;
use std::sync::atomic::Ordering::Release;

use libc::dl_phdr_info;

use super::elf::{Definition, Machine, Module};
use super::names::Names;
use super::stubs::Function;
use super::{is_of_c_library, path_of};
use crate::capi;

/// Those of some functions that this process has, or what was preloaded before them. `names` begins with theirs, in
/// their order.
pub fn present(
    functions: impl Iterator<Item = &'static Function>,
    names: &Names,
) -> Vec<Option<&'static Function>> {
    let functions: Vec<_> = functions.collect();
    let places = Search::of(names, functions.len()).places;
    let pairs = functions.iter().copied().zip(&places);
    let unclear = pairs.clone().filter(|(_, place)| matches!(place, Place::Unclear));
    let asked = asked_for(unclear.map(|(function, _)| function).collect());
    let is_there = |(function, place): (&'static Function, &Place)| match place {
        Place::Nowhere => None,
        Place::Unclear => asked.iter().any(|one| std::ptr::eq(*one, function)).then_some(function),
        Place::At(address) => {
            function.real.store(*address, Release);
            Some(function)
        }
    };
    pairs.map(is_there).collect()
}

/// Where a function is, as far as modules say.
#[derive(Clone, Copy)]
enum Place {
    Nowhere,
    At(usize),
    /// The loader has to be asked.
    Unclear,
}

/// A search of all modules.
struct Search<'a> {
    names: &'a Names,
    places: Vec<Place>,
}

impl<'a> Search<'a> {
    /// For the first `count` of some names.
    fn of(names: &'a Names, count: usize) -> Self {
        let mut search = Self { names, places: vec![Place::Nowhere; count] };
        // SAFETY: the callback takes the pointer for what it is, and is called only before this returns.
        unsafe { libc::dl_iterate_phdr(Some(search_one), (&raw mut search).cast()) };
        search
    }

    fn add(&mut self, module: &Module<'_>, is_trusted: bool) {
        let sought = self.places.iter().map(|place| matches!(place, Place::Nowhere)).collect::<Vec<_>>();
        let is_sought = |index: usize| sought.get(index) == Some(&true);
        let places = &mut self.places;
        let understood = module.definitions(self.names, is_sought, |index, definition| {
            if let Some(place) = places.get_mut(index) {
                *place = match definition {
                    Definition::At(address) if is_trusted => Place::At(address),
                    _ => Place::Unclear,
                };
            }
        });
        if understood.is_err() {
            self.add_unknown();
        }
    }

    /// A module that may define anything.
    fn add_unknown(&mut self) {
        let is_open = |place: &&mut Place| matches!(place, Place::Nowhere);
        self.places.iter_mut().filter(is_open).for_each(|place| *place = Place::Unclear);
    }
}

/// One module after the other, as the loader searches them.
unsafe extern "C" fn search_one(information: *mut dl_phdr_info, _: usize, search: *mut c_void) -> c_int {
    // SAFETY: the loader's own argument, and the one that it was given for us.
    let (information, search) = unsafe { (&*information, &mut *search.cast::<Search<'_>>()) };
    let path = path_of(information);
    if gnomon_core::paths::split(&path).1.starts_with(b"linux-vdso") {
        return 0; // the kernel's own, which the loader does not search
    }
    // SAFETY: the loader keeps the module while it calls us.
    match Machine::HERE.and_then(|machine| unsafe { Module::loaded(information, machine) }.ok()) {
        Some(module) => search.add(&module, is_of_c_library(&path)),
        None => search.add_unknown(),
    }
    0
}

/// Those of some functions that the loader finds.
fn asked_for(functions: Vec<&'static Function>) -> Vec<&'static Function> {
    let mut found = functions;
    found.retain(|function| is_found(function));
    if found.is_empty() {
        return found;
    }
    let names = Names::new(found.iter().map(|function| function.name));
    let loaded = Loaded::of(&names);
    let stood_in: Vec<_> = loaded.stand_ins.iter().filter_map(|index| found.get(*index).copied()).collect();
    let is_lost = |function: &&'static Function| {
        stood_in.iter().any(|one| std::ptr::eq(*one, *function)) && !loaded.is_found_behind(function)
    };
    found.retain(|function| !is_lost(function));
    found
}

fn is_found(function: &Function) -> bool {
    let Ok(name) = CString::new(function.name) else { return false };
    let Some(address) = capi::symbol(&name) else { return false };
    function.real.store(address.expose_provenance(), Release);
    true
}

/// What is loaded, where the executable stands in for something.
struct Loaded<'a> {
    names: &'a Names,
    is_executable: bool,
    /// Places in the list of names.
    stand_ins: Vec<usize>,
    others: Vec<(CString, Range<usize>)>,
}

impl<'a> Loaded<'a> {
    fn of(names: &'a Names) -> Self {
        let mut loaded = Self { names, is_executable: true, stand_ins: Vec::new(), others: Vec::new() };
        // SAFETY: the callback takes the pointer for what it is, and is called only before this returns.
        unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut loaded).cast()) };
        loaded
    }

    /// Finds a function where the executable is not.
    fn is_found_behind(&self, function: &Function) -> bool {
        let Ok(name) = CString::new(function.name) else { return false };
        let found = self.others.iter().find_map(|(path, span)| defined(path, span, &name));
        found.inspect(|address| function.real.store(*address, Release)).is_some()
    }
}

/// The function that a module itself defines, and none that it needs.
fn defined(path: &CStr, span: &Range<usize>, name: &CStr) -> Option<usize> {
    // SAFETY: texts of C; nothing is loaded that is not loaded yet, and the handle is given back.
    let found = unsafe {
        let handle = libc::dlopen(path.as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD);
        if handle.is_null() {
            return None;
        }
        let found = libc::dlsym(handle, name.as_ptr()).expose_provenance();
        libc::dlclose(handle);
        found
    };
    span.contains(&found).then_some(found)
}

/// The executable comes first, then the others as the loader searches them.
unsafe extern "C" fn look(information: *mut dl_phdr_info, _: usize, loaded: *mut c_void) -> c_int {
    // SAFETY: the loader's own argument, and the one that it was given for us.
    let (information, loaded) = unsafe { (&*information, &mut *loaded.cast::<Loaded<'_>>()) };
    // SAFETY: the loader keeps the module while it calls us.
    let module = Machine::HERE.and_then(|machine| unsafe { Module::loaded(information, machine) }.ok());
    if std::mem::take(&mut loaded.is_executable) {
        let stand_ins = module.and_then(|module| module.stand_ins(loaded.names).ok());
        loaded.stand_ins = stand_ins.unwrap_or_default();
        return c_int::from(loaded.stand_ins.is_empty());
    }
    if let Some(module) = module
        && !information.dlpi_name.is_null()
    {
        // SAFETY: the loader's name of the module ends with NUL.
        let path = unsafe { CStr::from_ptr(information.dlpi_name) }.to_owned();
        loaded.others.push((path, module.span()));
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redirect::functions;

    #[test]
    fn functions_are_where_the_loader_finds_them() {
        let names = Names::new(functions::all().map(|function| function.name));
        let found = present(functions::all(), &names);
        for (function, found) in functions::all().zip(found) {
            let name = CString::new(function.name).unwrap();
            let told = capi::symbol(&name).map_or(0, |address| address.expose_provenance());
            assert_eq!(found.map_or(0, Function::real), told, "{}", function.name);
        }
    }

    #[test]
    fn the_c_librarys_own_are_found_without_the_loader() {
        let names = Names::new(["getpid"]);
        let places = Search::of(&names, 1).places;
        let told = capi::symbol(c"getpid").unwrap().expose_provenance();
        assert!(matches!(places[..], [Place::At(found)] if found == told));
    }
}
