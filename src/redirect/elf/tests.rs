//! Modules made by hand for both processors, with nothing readable around them; and those of this process.

use std::ffi::{CString, c_int, c_void};

use proptest::prelude::*;

use super::*;
use crate::redirect::compiled;

const PAGE: usize = 4096;
const TABLES: usize = 0;
const CODE: usize = PAGE;
const DATA: usize = 2 * PAGE;
const END: usize = 3 * PAGE;

const NOTES: usize = 0x40;
const HASH: usize = 0x100;
const SYMBOLS: usize = 0x200;
const STRINGS: usize = 0x400;
const RELOCATIONS: usize = 0x600;
const DYNAMIC: usize = DATA + 0x800;

const OPEN: usize = 0;
const CONNECT: usize = 1;
const CREAT: usize = 2;
const WANTED: [&str; 3] = ["open", "connect", "creat"];

/// The strings, each with where it is.
const NAMES: &[u8] = b"\0open\0memcpy\0connect\0creat\0run\0libsample.so\0";

/// A module in memory of its own, between pages that cannot be read.
struct Sample {
    base: usize,
    headers: Vec<Elf64_Phdr>,
    machine: Machine,
}

impl Sample {
    fn new(machine: Machine) -> Self {
        let sample = Self { base: guarded(), headers: headers(), machine };
        sample.put(0, &MAGIC);
        sample.put(18, &machine.number().to_le_bytes());
        sample.put_notes();
        sample.put_symbols();
        sample.put_relocations();
        for (index, (tag, value)) in sample.dynamic().into_iter().enumerate() {
            sample.put(DYNAMIC + index * 16, &tag.to_le_bytes());
            sample.put(DYNAMIC + index * 16 + 8, &value.to_le_bytes());
        }
        sample
    }

    fn put(&self, offset: usize, bytes: &[u8]) {
        assert!(offset + bytes.len() <= END);
        // SAFETY: the pages of the sample are its own and writable.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), (self.base + offset) as *mut u8, bytes.len());
        }
    }

    fn put_words(&self, offset: usize, words: &[u32]) {
        self.put(offset, &words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>());
    }

    fn put_notes(&self) {
        self.put_words(NOTES, &[4, 5, 3]);
        self.put(NOTES + 12, b"GNU\0abcde\0\0\0");
        self.put_words(NOTES + 24, &[4, 2, 4]);
        self.put(NOTES + 36, b"Go\0\0id\0\0");
    }

    fn put_symbols(&self) {
        self.put(STRINGS, NAMES);
        // One bucket, from symbol 4 on, a filter that lets all through.
        let hashes = WANTED.map(|name| Names::new([name]).hashed().next().unwrap().0);
        self.put_words(HASH, &[1, 4, 1, 0, u32::MAX, u32::MAX, 4, hashes[CREAT] & !1, 1]);
        let symbols = [("open", 0), ("memcpy", 0), ("connect", 0), ("creat", 12), ("run", 12)];
        for (index, (name, section)) in (1..).zip(symbols) {
            self.put_symbol(index, name, section);
        }
    }

    fn put_symbol(&self, index: usize, name: &str, section: u16) {
        let text = format!("\0{name}\0");
        let name = NAMES.windows(text.len()).position(|part| part == text.as_bytes()).unwrap() as u32 + 1;
        self.put_words(SYMBOLS + index * SYMBOL_BYTES, &[name, u32::from(section) << 16]);
    }

    fn put_relocations(&self) {
        let (relative, jump_slot, global, absolute) = match self.machine {
            Machine::X86_64 => (8, 7, 6, 1),
            Machine::Aarch64 => (1027, 1026, 1025, 257),
        };
        let all = [
            (5, relative, 0, 0x10),
            (6, relative, 0, 0x20),
            (0, global, 1, 0),
            (2, absolute, 3, 0),
            (3, absolute, 3, 8),
            (4, absolute, 2, 0),
            (7, global, 4, 0),
            (1, jump_slot, 1, 0),
        ];
        for (index, (slot, kind, symbol, addend)) in all.into_iter().enumerate() {
            self.put_relocation(index, DATA + slot * 8, kind, symbol, addend);
        }
    }

    fn put_relocation(&self, index: usize, offset: usize, kind: u32, symbol: u32, addend: u32) {
        let words = [offset as u32, 0, kind, symbol, addend, 0];
        self.put_words(RELOCATIONS + index * RELOCATION_BYTES, &words);
    }

    /// Addresses as glibc leaves them: in memory.
    fn dynamic(&self) -> [(u64, u64); 16] {
        let at = |offset: usize| (self.base + offset) as u64;
        [
            (14, 31),
            (DT_GNU_HASH, at(HASH)),
            (DT_STRTAB, at(STRINGS)),
            (DT_SYMTAB, at(SYMBOLS)),
            (DT_STRSZ, NAMES.len() as u64),
            (DT_SYMENT, 24),
            (DT_RELA, at(RELOCATIONS)),
            (DT_RELASZ, 7 * 24),
            (DT_RELAENT, 24),
            (DT_RELACOUNT, 2),
            (DT_JMPREL, at(RELOCATIONS + 7 * RELOCATION_BYTES)),
            (DT_PLTRELSZ, 24),
            (DT_PLTREL, DT_RELA),
            (DT_RELSZ, 0),
            (DT_NULL, 0),
            (DT_SYMENT, 1),
        ]
    }

    /// Changes what the dynamic section says.
    fn set(&self, tag: u64, value: u64) {
        let place = self.dynamic().iter().position(|entry| entry.0 == tag).unwrap();
        self.put(DYNAMIC + place * 16 + 8, &value.to_le_bytes());
    }

    fn module(&self) -> Result<Module<'_>, Surprise> {
        // SAFETY: the headers are those of the sample's pages.
        unsafe { Module::mapped(self.base, &self.headers, self.machine) }
    }

    fn slots(&self) -> Result<Vec<(usize, usize)>, Surprise> {
        let slots = self.module()?.slots(&Names::new(WANTED))?;
        Ok(slots.iter().map(|slot| ((slot.address - self.base - DATA) / 8, slot.wanted)).collect())
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        // SAFETY: the mapping is the sample's own.
        unsafe { libc::munmap((self.base - PAGE) as *mut c_void, END + 2 * PAGE) };
    }
}

/// Pages with one before and one after that cannot be read.
fn guarded() -> usize {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: new memory, of which the pages in the middle are made accessible.
    unsafe {
        let start = libc::mmap(std::ptr::null_mut(), END + 2 * PAGE, libc::PROT_NONE, flags, -1, 0);
        assert_ne!(start, libc::MAP_FAILED);
        let base = start as usize + PAGE;
        assert_eq!(libc::mprotect(base as *mut c_void, END, libc::PROT_READ | libc::PROT_WRITE), 0);
        base
    }
}

fn header(kind: u32, flags: u32, offset: usize, bytes: usize) -> Elf64_Phdr {
    Elf64_Phdr {
        p_type: kind,
        p_flags: flags,
        p_offset: offset as u64,
        p_vaddr: offset as u64,
        p_paddr: 0,
        p_filesz: bytes as u64,
        p_memsz: bytes as u64,
        p_align: 4,
    }
}

fn headers() -> Vec<Elf64_Phdr> {
    vec![
        header(PT_LOAD, PF_R, TABLES, PAGE),
        header(PT_LOAD, PF_R | PF_X, CODE, PAGE),
        header(PT_LOAD, PF_R | PF_W, DATA, PAGE),
        header(PT_DYNAMIC, PF_R | PF_W, DYNAMIC, 16 * 16),
        header(PT_NOTE, PF_R, NOTES, 44),
        header(PT_GNU_RELRO, PF_R, DATA, 0x900),
    ]
}

const BOTH: [Machine; 2] = [Machine::X86_64, Machine::Aarch64];
const EXPECTED: [(usize, usize); 3] = [(0, OPEN), (1, OPEN), (2, CONNECT)];

#[test]
fn slots_of_wanted_functions_that_others_define_are_found() {
    for machine in BOTH {
        assert_eq!(Sample::new(machine).slots().unwrap(), EXPECTED, "{machine:?}");
    }
}

#[test]
fn addresses_that_the_loader_left_as_in_the_file_are_understood() {
    let sample = Sample::new(Machine::X86_64);
    for (tag, value) in sample.dynamic() {
        if value >= sample.base as u64 {
            sample.set(tag, value - sample.base as u64);
        }
    }
    assert_eq!(sample.slots().unwrap(), EXPECTED);
}

#[test]
fn symbols_are_counted_without_a_gnu_hash_table() {
    let sample = Sample::new(Machine::X86_64);
    sample.set(DT_GNU_HASH, 0);
    let place = sample.dynamic().iter().position(|entry| entry.0 == DT_GNU_HASH).unwrap();
    sample.put(DYNAMIC + place * 16, &DT_HASH.to_le_bytes());
    for count in [6, 4] {
        sample.set(DT_GNU_HASH, (sample.base + HASH) as u64);
        sample.put_words(HASH, &[1, count]);
        assert_eq!(sample.slots().unwrap(), EXPECTED);
    }
    sample.put(DYNAMIC + place * 16, &0x7000_0000_u64.to_le_bytes());
    assert_eq!(sample.slots().unwrap(), EXPECTED, "up to the names");
}

#[test]
fn an_empty_gnu_hash_table_says_nothing_of_the_symbols() {
    let sample = Sample::new(Machine::X86_64);
    sample.put_words(HASH, &[1, 1, 1, 0, 0, 0, 0]);
    assert_eq!(sample.slots().unwrap(), EXPECTED);
}

#[test]
fn symbols_end_where_any_other_table_begins() {
    let sample = Sample::new(Machine::X86_64);
    sample.put_words(HASH, &[1, 1, 1, 0, 0, 0, 0]);
    let place = sample.dynamic().iter().position(|entry| entry.0 == DT_RELSZ).unwrap();
    sample.put_words(SYMBOLS + 6 * SYMBOL_BYTES, &[u32::MAX, 0]);
    assert_eq!(sample.slots(), Err(Surprise::Name));
    sample.put(DYNAMIC + place * 16, &DT_VERSYM.to_le_bytes());
    sample.set(DT_RELSZ, (sample.base + SYMBOLS + 6 * SYMBOL_BYTES) as u64);
    assert_eq!(sample.slots().unwrap(), EXPECTED);
}

#[test]
fn an_undefined_function_among_the_defined_ones_is_found() {
    let sample = Sample::new(Machine::X86_64);
    sample.put_symbol(4, "creat", 0);
    assert_eq!(sample.slots().unwrap(), [&EXPECTED[..], &[(7, CREAT)]].concat());
    let stand_ins = || sample.module().unwrap().stand_ins(&Names::new(WANTED)).unwrap();
    assert!(stand_ins().is_empty());
    sample.put(SYMBOLS + 4 * SYMBOL_BYTES + 8, &1_u64.to_le_bytes());
    assert_eq!(stand_ins(), [CREAT], "its own entry is the function's address everywhere");
}

#[test]
fn functions_that_a_module_defines_are_found_where_they_are_plain() {
    const CREAT_SYMBOL: usize = SYMBOLS + 4 * SYMBOL_BYTES;
    let sample = Sample::new(Machine::X86_64);
    let found = || {
        let mut found = Vec::new();
        let module = sample.module().unwrap();
        module.definitions(&Names::new(WANTED), |_| true, |index, one| found.push((index, one))).unwrap();
        found
    };
    sample.put(CREAT_SYMBOL + 8, &(CODE as u64).to_le_bytes());
    let here = Definition::At(sample.base + CODE);
    let (global, weak, local, resolver) = (0x12, 0x22, 0x02, 0x1a);
    for (information, expected) in
        [(global, Some(here)), (weak, Some(here)), (local, None), (resolver, Some(Definition::Unclear))]
    {
        sample.put(CREAT_SYMBOL + 4, &[information]);
        assert_eq!(found(), expected.map(|one| (CREAT, one)).into_iter().collect::<Vec<_>>());
    }
    sample.put(CREAT_SYMBOL + 4, &[global]);
    let place = sample.dynamic().iter().position(|entry| entry.0 == DT_RELSZ).unwrap();
    sample.put(DYNAMIC + place * 16, &DT_VERSYM.to_le_bytes());
    sample.set(DT_RELSZ, (sample.base + NOTES) as u64);
    for (version, expected) in [(2_u16, &[(CREAT, here)][..]), (0x8002, &[])] {
        sample.put(NOTES + 4 * 2, &version.to_le_bytes());
        assert_eq!(found(), expected, "an older version's name is not the plain one");
    }
    let none = sample.module().unwrap().definitions(&Names::new(WANTED), |_| false, |_, _| unreachable!());
    assert_eq!(none, Ok(()));
    let place = sample.dynamic().iter().position(|entry| entry.0 == DT_GNU_HASH).unwrap();
    sample.put(DYNAMIC + place * 16, &0x7000_0000_u64.to_le_bytes());
    let unknown = sample.module().unwrap().definitions(&Names::new(WANTED), |_| true, |_, _| ());
    assert_eq!(unknown, Err(Surprise::NoSymbols));
}

#[test]
fn what_a_module_is_and_where_it_is_is_told() {
    let sample = Sample::new(Machine::Aarch64);
    let module = sample.module().unwrap();
    assert_eq!(module.build_id().as_deref(), Some("6162636465"));
    let go = Note { name: b"Go\0\0", kind: 4, description: b"id" };
    assert_eq!(module.notes().nth(1), Some(go));
    assert_eq!(module.notes().count(), 2);
    assert_eq!(module.relro(), Some(sample.base + DATA..sample.base + DATA + 0x900));
    assert!(module.code().eq(std::iter::once(sample.base + CODE..sample.base + DATA)));
    assert_eq!(module.span(), sample.base..sample.base + END);
}

#[test]
fn what_is_not_as_it_must_be_is_a_surprise() {
    let cases = [
        (DT_SYMENT, 16, Surprise::EntrySize),
        (DT_RELAENT, 16, Surprise::EntrySize),
        (DT_RELASZ, 25, Surprise::EntrySize),
        (DT_RELASZ, u64::MAX, Surprise::OutOfRange),
        (DT_RELASZ, 4096, Surprise::OutOfRange),
        (DT_RELACOUNT, 9, Surprise::OutOfRange),
        (DT_JMPREL, 0x7000_0000_0000, Surprise::OutOfRange),
        (DT_PLTREL, 17, Surprise::RelocationForm),
        (DT_RELSZ, 16, Surprise::RelocationForm),
        (DT_STRSZ, 0, Surprise::NoSymbols),
        (DT_STRSZ, 3, Surprise::Name),
        (DT_STRSZ, 1 << 20, Surprise::OutOfRange),
        (DT_GNU_HASH, 8, Surprise::OutOfRange),
    ];
    for (tag, value, surprise) in cases {
        let sample = Sample::new(Machine::X86_64);
        sample.set(tag, value);
        assert_eq!(sample.slots(), Err(surprise), "{tag} {value}");
        assert!(surprise.word().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
    }
}

#[test]
fn a_slot_that_no_pointer_can_be_in_is_a_surprise() {
    let cases = [
        (DATA + 4, Surprise::Misaligned),
        (CODE + 8, Surprise::TextRelocation),
        (TABLES + 8, Surprise::TextRelocation),
        (END, Surprise::OutOfRange),
        (usize::MAX, Surprise::OutOfRange),
    ];
    for (offset, surprise) in cases {
        let sample = Sample::new(Machine::X86_64);
        sample.put_relocation(7, offset, 7, 1, 0);
        assert_eq!(sample.slots(), Err(surprise), "{offset:#x}");
    }
}

#[test]
fn a_file_of_another_kind_is_a_surprise() {
    for (offset, byte) in [(0, 0), (4, 1), (5, 2), (18, 3)] {
        let sample = Sample::new(Machine::X86_64);
        sample.put(offset, &[byte]);
        assert_eq!(sample.module().err(), Some(Surprise::Header), "{offset}");
    }
}

#[test]
fn code_that_cannot_be_read_is_not_read() {
    let mut sample = Sample::new(Machine::X86_64);
    sample.headers[1].p_flags = PF_X;
    assert_eq!(sample.module().unwrap().code().count(), 1);
    assert_eq!(sample.module().unwrap().code_bytes().count(), 0);
}

/// Everything that can be asked of a module.
fn ask_all(sample: &Sample) {
    let Ok(module) = sample.module() else { return };
    let wanted = Names::new(WANTED);
    for slot in module.slots(&wanted).unwrap_or_default() {
        let data = sample.base + DATA..sample.base + END - 7;
        assert!(data.contains(&slot.address) && slot.wanted < WANTED.len());
    }
    let bytes: usize = module.notes().map(|note| note.name.len() + note.description.len()).sum();
    assert!(bytes <= END);
    let _ = (module.build_id(), module.relro(), module.span(), module.stand_ins(&wanted));
    assert!(module.code_bytes().map(<[u8]>::len).sum::<usize>() <= END);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// A read that leaves the sample ends the test's process: there is nothing around it.
    #[test]
    fn changed_bytes_lead_nowhere(
        changes in prop::collection::vec((0..RELOCATIONS + 8 * RELOCATION_BYTES, any::<u8>()), 1..6),
        entries in prop::collection::vec((0..14_usize, prop_oneof![any::<u64>(), 0..END as u64, 0..64_u64]), 0..3),
        is_near in any::<bool>(),
        is_arm in any::<bool>(),
    ) {
        let sample = Sample::new(BOTH[usize::from(is_arm)]);
        for (offset, byte) in changes {
            sample.put(offset.max(HEADER_BYTES), &[byte]);
        }
        for (entry, value) in entries {
            let value = if is_near { value.wrapping_add(sample.base as u64) } else { value };
            sample.put(DYNAMIC + entry * 16 + 8, &value.to_le_bytes());
        }
        ask_all(&sample);
    }

    #[test]
    fn headers_that_point_out_of_what_is_mapped_lead_nowhere(
        which in 3..6_usize, address in any::<u64>(), bytes in any::<u64>(), is_near in any::<bool>(),
    ) {
        let mut sample = Sample::new(Machine::X86_64);
        let header = &mut sample.headers[which];
        header.p_vaddr = if is_near { address % (2 * END as u64) } else { address };
        (header.p_filesz, header.p_memsz) = (bytes, bytes % (2 * END as u64));
        ask_all(&sample);
    }
}

/// Functions that the test's own process or a library in it calls.
const REAL: [&str; 10] =
    ["open", "open64", "openat64", "connect", "sendmsg", "unlink", "mkdir", "syscall", "dlsym", "getenv"];

/// Every relocation asked for its symbol and its name: slow, and without any table's help.
fn slots_the_long_way(module: &Module, wanted: &Names) -> Vec<Slot> {
    let names = module.names().unwrap();
    let (first, second) = (module.dynamic.relocations, module.dynamic.plt);
    let lengths = [(first, module.dynamic.relocations_bytes), (second, module.dynamic.plt_bytes)];
    let mut slots = Vec::new();
    for entry in lengths.into_iter().flat_map(|(start, bytes)| module.image.table(start, bytes).unwrap()) {
        let relocation = Relocation::read(entry);
        let symbol = Relocation::symbol_of(entry);
        if symbol == 0 || !module.machine.stores_address(&relocation) {
            continue;
        }
        let symbol = module.symbol(symbol).unwrap();
        if symbol.is_undefined
            && let Some(wanted) = wanted.find(&names[symbol.name..])
        {
            slots.push(Slot { address: module.image.slot(relocation.offset).unwrap(), wanted });
        }
    }
    slots.sort_unstable();
    slots.dedup();
    slots
}

/// A slot's function, what it holds, and whether that is in its own module.
type Held = (usize, usize, bool);

/// Compares the slots of every module of this process, and counts them.
fn compare_all() -> usize {
    extern "C" fn compare(information: *mut libc::dl_phdr_info, _: usize, all: *mut c_void) -> c_int {
        // SAFETY: the loader's word, in its callback; the list is the caller's.
        let (information, all) = unsafe { (&*information, &mut *all.cast::<Vec<Held>>()) };
        // SAFETY: as above.
        let module = unsafe { Module::loaded(information, Machine::HERE.unwrap()) }.unwrap();
        let wanted = Names::new(REAL);
        let slots = module.slots(&wanted).unwrap_or_default();
        if slots != slots_the_long_way(&module, &wanted) {
            // A panic here would have to cross the loader's frames.
            all.push((0, usize::MAX, false));
        }
        all.extend(slots.iter().map(|slot| {
            // SAFETY: a slot is a pointer of a loaded module.
            let held = unsafe { *(slot.address as *const usize) };
            (slot.wanted, held, module.span().contains(&held))
        }));
        0
    }
    let mut all: Vec<Held> = Vec::new();
    // SAFETY: the callback gets the list that it expects.
    unsafe { libc::dl_iterate_phdr(Some(compare), (&raw mut all).cast()) };
    // Not in the callback: `dlsym` waits for a thread in `dlopen`, which waits for the callback's end.
    all.iter().for_each(assert_is_the_loaders);
    all.len()
}

fn assert_is_the_loaders((wanted, held, is_own): &Held) {
    let name = CString::new(REAL[*wanted]).unwrap();
    // SAFETY: the name is a C string.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) } as usize;
    // Other tests point slots at functions of their own, or at nothing.
    let is_ours = compiled::is_of_this_binary(*held) || *held < 0x10000;
    assert!(*held == found || *is_own || is_ours, "{name:?} {held:#x} {found:#x}");
}

#[test]
fn slots_of_this_process_hold_what_the_loader_put_there() {
    assert!(compare_all() > 0);
}

#[test]
fn slots_are_found_however_a_library_was_linked() {
    for flags in compiled::LINKINGS {
        let Some(library) = compiled::Library::new(flags) else { return };
        let before = compare_all();
        let found = library.with_module(|module| {
            let slots = module.slots(&Names::new(["open", "connect", "creat"])).unwrap();
            slots.iter().map(|slot| slot.wanted).collect::<Vec<_>>()
        });
        assert!(found.contains(&0) && found.contains(&1), "{flags:?} {found:?}");
        assert!(!found.contains(&2), "it defines creat itself: {flags:?}");
        assert!(before > 0);
    }
}

/// A library's file, where a loader would have put it, between pages that cannot be read.
struct Copied {
    start: usize,
    length: usize,
    headers: Vec<Elf64_Phdr>,
}

impl Copied {
    fn new(file: &[u8]) -> Self {
        let headers: Vec<Elf64_Phdr> = headers_of(file).collect();
        let loads = || headers.iter().filter(|header| header.p_type == PT_LOAD);
        let end = loads().map(|load| (load.p_vaddr + load.p_memsz) as usize).max().unwrap();
        let length = end.next_multiple_of(PAGE) + 2 * PAGE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: new memory.
        let start =
            unsafe { libc::mmap(std::ptr::null_mut(), length, libc::PROT_NONE, flags, -1, 0) } as usize;
        let copied = Self { start, length, headers };
        for load in copied.headers.iter().filter(|header| header.p_type == PT_LOAD) {
            let (from, to) = (load.p_vaddr as usize, (load.p_vaddr + load.p_memsz) as usize);
            let (first, last) = (from / PAGE * PAGE, to.next_multiple_of(PAGE));
            let bytes = &file[load.p_offset as usize..][..load.p_filesz as usize];
            // SAFETY: pages of the mapping; the library's own bytes fit in.
            unsafe {
                let pages = (copied.base() + first) as *mut c_void;
                assert_eq!(libc::mprotect(pages, last - first, libc::PROT_READ | libc::PROT_WRITE), 0);
                std::ptr::copy_nonoverlapping(bytes.as_ptr(), (copied.base() + from) as *mut u8, bytes.len());
            }
        }
        copied
    }

    fn base(&self) -> usize {
        self.start + PAGE
    }

    fn module(&self) -> Result<Module<'_>, Surprise> {
        // SAFETY: the headers are those of the copy.
        unsafe { Module::mapped(self.base(), &self.headers, Machine::HERE.unwrap()) }
    }

    /// Where the reader looks: the dynamic section, and the start of each table.
    fn places(&self) -> Vec<usize> {
        let Ok(module) = self.module() else { return Vec::new() };
        let dynamic =
            module.image.of_type(PT_DYNAMIC).next().map(|header| self.base() + header.p_vaddr as usize);
        let notes = module.image.of_type(PT_NOTE).map(|header| self.base() + header.p_vaddr as usize);
        let tables = module.dynamic.tables().into_iter().chain([module.dynamic.symbols]);
        tables.chain(dynamic).chain(notes).filter(|place| *place != 0).collect()
    }

    /// Changes eight bytes, where there is memory.
    fn put(&self, address: usize, value: u64) {
        let is_there = |load: &Elf64_Phdr| {
            let start = self.base() + load.p_vaddr as usize;
            address >= start && address + 8 <= start + load.p_memsz as usize
        };
        if self.headers.iter().any(|header| header.p_type == PT_LOAD && is_there(header)) {
            // SAFETY: memory of the copy.
            unsafe { (address as *mut u64).write_unaligned(value) };
        }
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        // SAFETY: the mapping is the copy's own.
        unsafe { libc::munmap(self.start as *mut c_void, self.length) };
    }
}

/// The program headers of a file.
fn headers_of(file: &[u8]) -> impl Iterator<Item = Elf64_Phdr> {
    let [start] = words::<1>(&file[32..40]);
    let count = usize::from(u16::from_le_bytes([file[56], file[57]]));
    file[start as usize..].as_chunks::<56>().0[..count].iter().map(|header| {
        let [kind, offset, address, _, in_file, in_memory, alignment] = words::<7>(header);
        Elf64_Phdr {
            p_type: kind as u32,
            p_flags: (kind >> 32) as u32,
            p_offset: offset,
            p_vaddr: address,
            p_paddr: 0,
            p_filesz: in_file,
            p_memsz: in_memory,
            p_align: alignment,
        }
    })
}

/// The files of libraries that this process has, none of them large.
fn real_files() -> Vec<Vec<u8>> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mut paths: Vec<&str> = maps.lines().filter_map(|line| line.find('/').map(|at| &line[at..])).collect();
    paths.dedup();
    let paths = paths.into_iter().filter(|path| path.contains(".so"));
    paths.filter_map(|path| std::fs::read(path).ok()).filter(|file| file.len() < 3 << 20).collect()
}

proptest! {
    /// As above, of libraries as linkers make them. `PROPTEST_CASES` makes it as long as one likes.
    #[test]
    fn changed_bytes_of_real_libraries_lead_nowhere(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), 0_usize..0x400, prop_oneof![any::<u64>(), 0..0x2_0000_u64, Just(0), Just(u64::MAX)]),
            1..12,
        ),
    ) {
        let files = real_files();
        let copied = Copied::new(which.get::<Vec<u8>>(&files));
        let places = copied.places();
        for (place, offset, value) in changes {
            copied.put(place.get(&places) + offset, value);
        }
        let Ok(module) = copied.module() else { return Ok(()) };
        let memory = copied.start..copied.start + copied.length;
        for slot in module.slots(&Names::new(REAL)).unwrap_or_default() {
            prop_assert!(memory.contains(&slot.address));
        }
        let _ = (module.build_id(), module.relro(), module.span());
        let _ = crate::redirect::blind::is_go(module.notes(), module.code_bytes());
    }
}
