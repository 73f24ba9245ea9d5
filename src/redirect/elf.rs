//! One loaded module, as `dl_iterate_phdr` tells of it, to the slots that hold the addresses of wanted functions.
//!
//! Only the loader's word for what is mapped is taken: a file says the rest, and every address in it must lie in
//! a readable `PT_LOAD`. What is not as it must be is a [`Surprise`]; the module is then left alone.
//!
//! The symbols are asked first, and few are: a GNU hash table says where the undefined ones end, and tells of the
//! others by name. Most modules want nothing, and of those that do, the relocations that name no symbol are
//! passed over in one step (`DT_RELACOUNT`). After `import pandas, pyarrow` that leaves a fraction of what
//! a look at every relocation costs.
#![expect(unsafe_code, reason = "reads what the loader mapped")]

use std::marker::PhantomData;
use std::ops::Range;

use libc::{Elf64_Phdr, PF_R, PF_W, PF_X, PT_DYNAMIC, PT_GNU_RELRO, PT_LOAD, PT_NOTE, dl_phdr_info};

use super::names::Names;

const DT_NULL: u64 = 0;
const DT_PLTRELSZ: u64 = 2;
const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_RELA: u64 = 7;
const DT_RELASZ: u64 = 8;
const DT_RELAENT: u64 = 9;
const DT_STRSZ: u64 = 10;
const DT_SYMENT: u64 = 11;
const DT_RELSZ: u64 = 18;
const DT_PLTREL: u64 = 20;
const DT_JMPREL: u64 = 23;
const DT_GNU_HASH: u64 = 0x6fff_fef5;
const DT_VERSYM: u64 = 0x6fff_fff0;
const DT_RELACOUNT: u64 = 0x6fff_fff9;

const STB_LOCAL: u8 = 0;
const STT_FUNC: u8 = 2;
/// In a symbol's version: it is not what its plain name means.
const IS_OLDER: u16 = 0x8000;

const SYMBOL_BYTES: usize = 24;
const RELOCATION_BYTES: usize = 24;
const HEADER_BYTES: usize = 64;

/// `\x7fELF`, 64 bits, little-endian.
pub const MAGIC: [u8; 6] = [0x7f, b'E', b'L', b'F', 2, 1];

/// Which processor a module is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    X86_64,
    Aarch64,
}

/// What a module is not expected to be, so that it is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Surprise {
    /// Its header is not that of a 64-bit little-endian file for this processor.
    Header,
    /// An address or a length leads out of what is mapped readable.
    OutOfRange,
    /// An entry of a table has not the size that it has everywhere.
    EntrySize,
    /// Relocations of the other form, without addends.
    RelocationForm,
    /// There are relocations, but no symbols or no names that they could mean.
    NoSymbols,
    /// A symbol's name lies beyond the names.
    Name,
    /// A slot is not where a pointer can be stored at once.
    Misaligned,
    /// A slot lies where the loader does not write: a relocation in machine code.
    TextRelocation,
}

/// A place that holds the address of a wanted function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    /// Where it is: eight writable, or once writable, bytes of the module.
    pub address: usize,
    /// Which function: its place in the list of [`Names`].
    pub wanted: usize,
}

/// One entry of a `PT_NOTE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note<'a> {
    /// With its NUL bytes.
    pub name: &'a [u8],
    pub kind: u32,
    pub description: &'a [u8],
}

/// One loaded module.
#[derive(Clone, Copy)]
pub struct Module<'a> {
    image: Image<'a>,
    machine: Machine,
    dynamic: Dynamic,
}

/// What of memory is the module's.
#[derive(Clone, Copy)]
struct Image<'a> {
    base: usize,
    headers: &'a [Elf64_Phdr],
    /// The memory is borrowed as long as the headers.
    memory: PhantomData<&'a [u8]>,
}

/// Memory of an [`Image`] from some address on, as far as it is readable.
#[derive(Clone, Copy)]
struct Window<'a> {
    start: usize,
    bytes: usize,
    memory: PhantomData<&'a [u8]>,
}

/// What `PT_DYNAMIC` says: addresses as in memory, 0 where it says nothing.
#[derive(Clone, Copy, Debug, Default)]
struct Dynamic {
    symbols: usize,
    strings: usize,
    strings_bytes: usize,
    versions: usize,
    hash: usize,
    gnu_hash: usize,
    relocations: usize,
    relocations_bytes: usize,
    relative_count: usize,
    plt: usize,
    plt_bytes: usize,
}

/// An undefined symbol of a wanted name.
#[derive(Clone, Copy)]
struct Import {
    symbol: u32,
    wanted: usize,
}

struct Symbol {
    name: usize,
    kind: u8,
    binding: u8,
    is_undefined: bool,
    /// Relative to where the module is; 0 where it has none.
    address: usize,
}

/// Where a module has a function that it defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Definition {
    At(usize),
    /// It is no plain function: the loader knows what becomes of it.
    Unclear,
}

struct Relocation {
    offset: usize,
    kind: u32,
    addend: u64,
}

impl Machine {
    /// The one that this is built for, where it is one of them.
    pub const HERE: Option<Self> = if cfg!(target_arch = "x86_64") {
        Some(Self::X86_64)
    } else if cfg!(target_arch = "aarch64") {
        Some(Self::Aarch64)
    } else {
        None
    };

    /// The one that ELF files call `number`.
    pub fn numbered(number: u16) -> Option<Self> {
        [Self::X86_64, Self::Aarch64].into_iter().find(|machine| machine.number() == number)
    }

    fn number(self) -> u16 {
        match self {
            Self::X86_64 => 62,
            Self::Aarch64 => 183,
        }
    }

    /// Whether a relocation stores a symbol's address, and nothing else.
    fn stores_address(self, relocation: &Relocation) -> bool {
        let (jump_slot, global, absolute) = match self {
            Self::X86_64 => (7, 6, 1),
            Self::Aarch64 => (1026, 1025, 257),
        };
        relocation.kind == jump_slot
            || relocation.kind == global
            || (relocation.kind == absolute && relocation.addend == 0)
    }
}

impl Surprise {
    /// One word for it, for a record.
    pub fn word(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::OutOfRange => "out-of-range",
            Self::EntrySize => "entry-size",
            Self::RelocationForm => "relocation-form",
            Self::NoSymbols => "no-symbols",
            Self::Name => "name",
            Self::Misaligned => "misaligned",
            Self::TextRelocation => "text-relocation",
        }
    }
}

impl<'a> Module<'a> {
    /// The module that the loader tells of.
    ///
    /// # Errors
    /// Its header or its dynamic section is not as it must be.
    ///
    /// # Safety
    /// `information` is what `dl_iterate_phdr` gave its callback, and the module stays loaded for `'a`: in the
    /// callback it does.
    pub unsafe fn loaded(information: &'a dl_phdr_info, machine: Machine) -> Result<Self, Surprise> {
        let (headers, count) = (information.dlpi_phdr, usize::from(information.dlpi_phnum));
        if headers.is_null() {
            return Err(Surprise::Header);
        }
        // SAFETY: the loader keeps that many headers there as long as the module is loaded.
        let headers = unsafe { std::slice::from_raw_parts(headers, count) };
        let base = usize::try_from(information.dlpi_addr).map_err(|_| Surprise::Header)?;
        // SAFETY: the loader mapped what these headers say.
        unsafe { Self::mapped(base, headers, machine) }
    }

    /// The module at `base`.
    ///
    /// # Errors
    /// As for [`Module::loaded`].
    ///
    /// # Safety
    /// What a readable `PT_LOAD` of `headers` spans, `base` added, is mapped readable for `'a`, and nobody changes
    /// in that time what the dynamic section points to: headers, tables, names, notes and machine code.
    pub unsafe fn mapped(base: usize, headers: &'a [Elf64_Phdr], machine: Machine) -> Result<Self, Surprise> {
        let image = Image { base, headers, memory: PhantomData };
        image.check_header(machine)?;
        Ok(Self { image, machine, dynamic: Dynamic::read(&image)? })
    }

    /// Every slot of a wanted function that this module does not define itself, in the order of addresses.
    ///
    /// # Errors
    /// Anything is not as it must be: then no slot is known.
    pub fn slots(&self, wanted: &Names) -> Result<Vec<Slot>, Surprise> {
        let mut slots = Vec::new();
        if self.dynamic.relocations_bytes + self.dynamic.plt_bytes == 0 {
            return Ok(slots);
        }
        let imports = self.imports(wanted)?;
        if let Some(meant) = Meant::by(&imports) {
            for table in self.relocations()? {
                self.add_slots(table, &meant, &mut slots)?;
            }
        }
        slots.sort_unstable();
        slots.dedup();
        Ok(slots)
    }

    /// The wanted functions that it has only an entry in its PLT for, and that entry's address everywhere.
    ///
    /// # Errors
    /// Its tables are not as they must be.
    pub fn stand_ins(&self, wanted: &Names) -> Result<Vec<usize>, Surprise> {
        let mut found = Vec::new();
        for import in self.imports(wanted)? {
            if self.symbol(import.symbol)?.address != 0 {
                found.push(import.wanted);
            }
        }
        Ok(found)
    }

    /// Calls `each` with the place of every wanted function that is still sought and that this module defines for
    /// others, and where it is.
    ///
    /// # Errors
    /// Its tables are not as they must be, or it has no GNU hash table.
    pub fn definitions(
        &self,
        wanted: &Names,
        is_sought: impl Fn(usize) -> bool,
        mut each: impl FnMut(usize, Definition),
    ) -> Result<(), Surprise> {
        let has_none = self.dynamic.symbols == 0 && self.dynamic.hash == 0;
        let Some(table) = GnuHash::read(&self.image, self.dynamic.gnu_hash)? else {
            return if self.dynamic.gnu_hash != 0 || has_none { Ok(()) } else { Err(Surprise::NoSymbols) };
        };
        let (names, span) = (self.names()?, self.span());
        let hashed = Hashed { table, names, symbols: self.image.from(self.dynamic.symbols)? };
        let versions = (self.dynamic.versions != 0).then(|| self.image.from(self.dynamic.versions));
        let versions = versions.transpose()?;
        for (hash, wanted, name) in wanted.hashed().filter(|(_, wanted, _)| is_sought(*wanted)) {
            let found = hashed.find(hash, name, |index, symbol| {
                let Some(versions) = versions.filter(|_| symbol.is_defined()) else {
                    return Ok(symbol.is_defined());
                };
                Ok(u16::from_le_bytes(versions.read(index as usize * 2)?) & IS_OLDER == 0)
            })?;
            let Some((_, symbol)) = found else { continue };
            let address = self.image.base.wrapping_add(symbol.address);
            let is_plain = symbol.kind == STT_FUNC && span.contains(&address);
            each(wanted, if is_plain { Definition::At(address) } else { Definition::Unclear });
        }
        Ok(())
    }

    /// The identity that the linker gave it.
    pub fn build_id(&self) -> Option<String> {
        build_id(self.notes())
    }

    /// Its notes, as far as they can be read.
    pub fn notes(&self) -> impl Iterator<Item = Note<'a>> + use<'a> {
        let image = self.image;
        image.of_type(PT_NOTE).flat_map(move |header| {
            // The kernel pads to four bytes whatever it says; only properties are padded to eight.
            let padding = if header.p_align == 8 { 8 } else { 4 };
            Note::all(image.part(header).unwrap_or_default(), padding)
        })
    }

    /// Where it is in memory: from its lowest to its highest byte.
    pub fn span(&self) -> Range<usize> {
        let loads = self.image.of_type(PT_LOAD).map(|header| self.image.range(header));
        loads
            .reduce(|all, next| all.start.min(next.start)..all.end.max(next.end))
            .unwrap_or(self.image.base..self.image.base)
    }

    /// Where its machine code is.
    pub fn code(&self) -> impl Iterator<Item = Range<usize>> {
        let loads = self.image.of_type(PT_LOAD).filter(|header| header.p_flags & PF_X != 0);
        loads.map(|header| self.image.range(header))
    }

    /// Its machine code, as far as it may be read: what the file holds, so no byte that is zeros for sure.
    pub fn code_bytes(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let image = self.image;
        let loads = image.of_type(PT_LOAD).filter(|header| header.p_flags & (PF_X | PF_W) == PF_X);
        loads.filter_map(move |header| image.part(header).ok())
    }

    /// What the loader made read-only after it had relocated it, by the byte (`PT_GNU_RELRO`).
    pub fn relro(&self) -> Option<Range<usize>> {
        self.image.of_type(PT_GNU_RELRO).next().map(|header| self.image.range(header))
    }

    /// Where the loader put it: what addresses of the file are relative to.
    pub fn base(&self) -> usize {
        self.image.base
    }

    fn names(&self) -> Result<&'a [u8], Surprise> {
        self.image.bytes(self.dynamic.strings, self.dynamic.strings_bytes)
    }

    /// The tables of relocations that name symbols.
    fn relocations(&self) -> Result<[&'a [[u8; RELOCATION_BYTES]]; 2], Surprise> {
        let all = self.image.table(self.dynamic.relocations, self.dynamic.relocations_bytes)?;
        // The first ones are relative: the loader itself takes the file's word for how many.
        let named = all.get(self.dynamic.relative_count..).ok_or(Surprise::OutOfRange)?;
        Ok([named, self.image.table(self.dynamic.plt, self.dynamic.plt_bytes)?])
    }

    fn add_slots(
        &self,
        table: &[[u8; RELOCATION_BYTES]],
        meant: &Meant,
        slots: &mut Vec<Slot>,
    ) -> Result<(), Surprise> {
        for entry in table {
            // Nearly all mean another symbol, and libpython has some 15,000 of them.
            let Some(wanted) = meant.get(Relocation::symbol_of(entry)) else { continue };
            let relocation = Relocation::read(entry);
            if self.machine.stores_address(&relocation) {
                slots.push(Slot { address: self.image.slot(relocation.offset)?, wanted });
            }
        }
        Ok(())
    }

    /// The undefined symbols of wanted names, in their order.
    fn imports(&self, wanted: &Names) -> Result<Vec<Import>, Surprise> {
        let names = self.names()?;
        if self.dynamic.symbols == 0 || names.is_empty() {
            return Err(Surprise::NoSymbols);
        }
        let hashed = GnuHash::read(&self.image, self.dynamic.gnu_hash)?;
        let count = match &hashed {
            Some(table) => table.first_symbol,
            None => self.symbol_count()?,
        };
        let mut imports = self.imports_among(count, names, wanted)?;
        if let Some(table) = hashed {
            self.add_hashed_imports(&table, names, wanted, &mut imports)?;
        }
        imports.sort_unstable_by_key(|import| import.symbol);
        Ok(imports)
    }

    fn imports_among(&self, count: usize, names: &[u8], wanted: &Names) -> Result<Vec<Import>, Surprise> {
        let bytes = count.checked_mul(SYMBOL_BYTES).ok_or(Surprise::OutOfRange)?;
        let mut imports = Vec::new();
        for (symbol, entry) in (0..).zip(self.image.table(self.dynamic.symbols, bytes)?) {
            let entry = Symbol::read(entry);
            if entry.is_undefined && entry.name != 0 {
                let name = names.get(entry.name..).ok_or(Surprise::Name)?;
                imports.extend(wanted.find(name).map(|wanted| Import { symbol, wanted }));
            }
        }
        Ok(imports)
    }

    /// An executable at a fixed address keeps undefined functions among the defined ones, when it compares their
    /// addresses: its PLT's entry is then the function's address everywhere.
    fn add_hashed_imports(
        &self,
        table: &GnuHash,
        names: &[u8],
        wanted: &Names,
        imports: &mut Vec<Import>,
    ) -> Result<(), Surprise> {
        let hashed = Hashed { table: *table, names, symbols: self.image.from(self.dynamic.symbols)? };
        for (hash, wanted, name) in wanted.hashed() {
            if let Some((symbol, found)) = hashed.find(hash, name, |_, _| Ok(true))?
                && found.is_undefined
            {
                imports.push(Import { symbol, wanted });
            }
        }
        Ok(())
    }

    fn symbol(&self, index: u32) -> Result<Symbol, Surprise> {
        let offset = (index as usize).checked_mul(SYMBOL_BYTES).ok_or(Surprise::OutOfRange)?;
        Ok(Symbol::read(&self.image.read(self.dynamic.symbols, offset)?))
    }

    /// How many symbols there are, where no GNU hash table tells: as many as the older table says, or as fit in
    /// before the next table, whichever a linker put there.
    fn symbol_count(&self) -> Result<usize, Surprise> {
        if self.dynamic.hash != 0 {
            return Ok(u32::from_le_bytes(self.image.read(self.dynamic.hash, 4)?) as usize);
        }
        let end = self.image.readable_to(self.dynamic.symbols).ok_or(Surprise::OutOfRange)?;
        let others = self.dynamic.tables().into_iter().filter(|table| *table > self.dynamic.symbols);
        let end = others.fold(end, usize::min);
        Ok((end - self.dynamic.symbols) / SYMBOL_BYTES)
    }
}

/// The identity that the linker gave a module, in hexadecimal digits, as tools show it.
pub fn build_id<'a>(notes: impl IntoIterator<Item = Note<'a>>) -> Option<String> {
    const MAX_BYTES: usize = 64;
    let is_identity = |note: &Note| note.name == b"GNU\0" && note.kind == 3;
    let note = notes.into_iter().find(is_identity).filter(|note| note.description.len() <= MAX_BYTES)?;
    Some(note.description.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The wanted functions that symbols mean, to be asked about every relocation.
struct Meant {
    first: u32,
    /// Places in the list of names, counted from 1, by what comes from the first symbol on.
    wanted: Vec<u16>,
}

impl Meant {
    /// By imports in the order of their symbols.
    fn by(imports: &[Import]) -> Option<Self> {
        let first = imports.first()?.symbol;
        let span = (imports.last()?.symbol - first) as usize + 1;
        let mut wanted = vec![0; span];
        for import in imports {
            *wanted.get_mut((import.symbol - first) as usize)? = u16::try_from(import.wanted + 1).ok()?;
        }
        Some(Self { first, wanted })
    }

    #[inline]
    fn get(&self, symbol: u32) -> Option<usize> {
        let wanted = *self.wanted.get(symbol.wrapping_sub(self.first) as usize)?;
        usize::from(wanted).checked_sub(1)
    }
}

impl<'a> Image<'a> {
    fn of_type(&self, kind: u32) -> impl Iterator<Item = &'a Elf64_Phdr> + use<'a> {
        self.headers.iter().filter(move |header| header.p_type == kind)
    }

    /// What a header spans in memory.
    fn range(&self, header: &Elf64_Phdr) -> Range<usize> {
        let start = self.base.wrapping_add(header.p_vaddr as usize);
        start..start.saturating_add(header.p_memsz as usize)
    }

    /// The bytes of a file that a header spans.
    fn part(&self, header: &Elf64_Phdr) -> Result<&'a [u8], Surprise> {
        let bytes = header.p_filesz.min(header.p_memsz) as usize;
        self.bytes(self.range(header).start, bytes)
    }

    /// Up to where memory is readable from `address` on.
    fn readable_to(&self, address: usize) -> Option<usize> {
        let loads = self.of_type(PT_LOAD).filter(|header| header.p_flags & PF_R != 0);
        loads.map(|header| self.range(header)).find(|range| range.contains(&address)).map(|range| range.end)
    }

    /// `length` bytes at `address`.
    fn bytes(&self, address: usize, length: usize) -> Result<&'a [u8], Surprise> {
        if length == 0 {
            return Ok(&[]);
        }
        let end = self.readable_to(address).ok_or(Surprise::OutOfRange)?;
        if end - address < length {
            return Err(Surprise::OutOfRange);
        }
        // SAFETY: the bytes lie in one readable PT_LOAD, which is mapped for `'a` and not changed where this reads
        // (`Module::mapped`).
        Ok(unsafe { std::slice::from_raw_parts(address as *const u8, length) })
    }

    /// `N` bytes at `offset` from `address`.
    fn read<const N: usize>(&self, address: usize, offset: usize) -> Result<[u8; N], Surprise> {
        let address = address.checked_add(offset).ok_or(Surprise::OutOfRange)?;
        self.bytes(address, N)?.try_into().map_err(|_| Surprise::OutOfRange)
    }

    /// What can be read from `address` on.
    fn from(&self, address: usize) -> Result<Window<'a>, Surprise> {
        let end = self.readable_to(address).ok_or(Surprise::OutOfRange)?;
        Ok(Window { start: address, bytes: end - address, memory: PhantomData })
    }

    /// As many entries of 24 bytes as `length` says: symbols or relocations.
    fn table(&self, address: usize, length: usize) -> Result<&'a [[u8; 24]], Surprise> {
        let (entries, rest) = self.bytes(address, length)?.as_chunks();
        if rest.is_empty() { Ok(entries) } else { Err(Surprise::EntrySize) }
    }

    /// The address of what a relocation changes.
    fn slot(&self, offset: usize) -> Result<usize, Surprise> {
        let address = self.base.wrapping_add(offset);
        let mut loads = self.of_type(PT_LOAD);
        let load = loads.find(|load| self.range(load).contains(&address)).ok_or(Surprise::OutOfRange)?;
        if !address.is_multiple_of(8) {
            return Err(Surprise::Misaligned);
        }
        if self.range(load).end - address < 8 {
            return Err(Surprise::OutOfRange);
        }
        let is_data = load.p_flags & (PF_R | PF_W | PF_X) == PF_R | PF_W;
        if is_data { Ok(address) } else { Err(Surprise::TextRelocation) }
    }

    /// The file's header, where the loader mapped it.
    fn check_header(&self, machine: Machine) -> Result<(), Surprise> {
        let mut loads = self.of_type(PT_LOAD);
        let first = loads.find(|load| load.p_offset == 0 && load.p_filesz >= HEADER_BYTES as u64);
        let Some(first) = first.filter(|load| load.p_flags & PF_R != 0) else { return Ok(()) };
        let header = self.read::<HEADER_BYTES>(self.range(first).start, 0)?;
        let is_for = [header[18], header[19]] == machine.number().to_le_bytes();
        if header.starts_with(&MAGIC) && is_for { Ok(()) } else { Err(Surprise::Header) }
    }
}

impl Window<'_> {
    /// `N` bytes at `offset`.
    #[inline]
    fn read<const N: usize>(&self, offset: usize) -> Result<[u8; N], Surprise> {
        if offset.checked_add(N).is_none_or(|end| end > self.bytes) {
            return Err(Surprise::OutOfRange);
        }
        // SAFETY: the bytes lie in one readable PT_LOAD, which is mapped for the window's life and not changed where
        // this reads (`Module::mapped`).
        Ok(unsafe { ((self.start + offset) as *const [u8; N]).read() })
    }
}

impl Dynamic {
    fn read(image: &Image) -> Result<Self, Surprise> {
        let mut dynamic = Self::default();
        let Some(header) = image.of_type(PT_DYNAMIC).next() else { return Ok(dynamic) };
        let range = image.range(header);
        let (entries, _) = image.bytes(range.start, range.len())?.as_chunks::<16>();
        for entry in entries {
            let (tag, value) = pair(entry);
            if tag == DT_NULL {
                break;
            }
            dynamic.take(tag, value, image.base)?;
        }
        Ok(dynamic)
    }

    fn tables(&self) -> [usize; 6] {
        [self.strings, self.versions, self.hash, self.gnu_hash, self.relocations, self.plt]
    }

    fn take(&mut self, tag: u64, value: u64, base: usize) -> Result<(), Surprise> {
        let value = value as usize;
        // glibc writes addresses in memory there, musl leaves the file's.
        let address = if value < base { value.wrapping_add(base) } else { value };
        match tag {
            DT_SYMTAB => self.symbols = address,
            DT_STRTAB => self.strings = address,
            DT_STRSZ => self.strings_bytes = value,
            DT_VERSYM => self.versions = address,
            DT_HASH => self.hash = address,
            DT_GNU_HASH => self.gnu_hash = address,
            DT_RELA => self.relocations = address,
            DT_RELASZ => self.relocations_bytes = bounded(value)?,
            DT_RELACOUNT => self.relative_count = value,
            DT_JMPREL => self.plt = address,
            DT_PLTRELSZ => self.plt_bytes = bounded(value)?,
            DT_SYMENT if value != SYMBOL_BYTES => return Err(Surprise::EntrySize),
            DT_RELAENT if value != RELOCATION_BYTES => return Err(Surprise::EntrySize),
            DT_PLTREL if value as u64 != DT_RELA => return Err(Surprise::RelocationForm),
            DT_RELSZ if value != 0 => return Err(Surprise::RelocationForm),
            _ => {}
        }
        Ok(())
    }
}

/// A length that two of can be added.
fn bounded(length: usize) -> Result<usize, Surprise> {
    if length <= isize::MAX as usize { Ok(length) } else { Err(Surprise::OutOfRange) }
}

fn pair(entry: &[u8; 16]) -> (u64, u64) {
    let [first, second] = words(entry);
    (first, second)
}

/// Little-endian words: both processors' order.
fn words<const N: usize>(bytes: &[u8]) -> [u64; N] {
    let (chunks, _) = bytes.as_chunks::<8>();
    let mut words = chunks.iter().map(|chunk| u64::from_le_bytes(*chunk));
    std::array::from_fn(|_| words.next().unwrap_or_default())
}

impl Symbol {
    /// `st_name: u32, st_info: u8, st_other: u8, st_shndx: u16, st_value: u64, st_size: u64`.
    #[inline]
    fn read(entry: &[u8; SYMBOL_BYTES]) -> Self {
        let [first, value, _] = words::<3>(entry);
        let information = (first >> 32) as u8;
        Self {
            name: first as u32 as usize,
            kind: information & 0xf,
            binding: information >> 4,
            is_undefined: first >> 48 == 0,
            address: value as usize,
        }
    }

    /// Whether others may mean it by its name.
    fn is_defined(&self) -> bool {
        !self.is_undefined && self.address != 0 && self.binding != STB_LOCAL
    }
}

impl Relocation {
    /// `r_offset: u64, r_info: type u32 and symbol u32, r_addend: u64`.
    #[inline]
    fn read(entry: &[u8; RELOCATION_BYTES]) -> Self {
        let [offset, information, addend] = words(entry);
        Self { offset: offset as usize, kind: information as u32, addend }
    }

    /// The symbol that it names.
    #[inline]
    fn symbol_of(entry: &[u8; RELOCATION_BYTES]) -> u32 {
        u32::from_le_bytes([entry[12], entry[13], entry[14], entry[15]])
    }
}

/// A hash table of defined symbols, and of the few undefined ones that have an address.
///
/// `buckets: u32, first_symbol: u32, bloom words: u32, bloom shift: u32`, then the bloom filter's words of 64 bits,
/// the buckets, and one hash a symbol, whose lowest bit ends a chain.
#[derive(Clone, Copy)]
struct GnuHash<'a> {
    first_symbol: usize,
    bloom: &'a [[u8; 8]],
    bloom_shift: u32,
    buckets: &'a [[u8; 4]],
    /// One hash a symbol, as far as memory goes: only the chains say how many there are.
    chains: Window<'a>,
}

impl<'a> GnuHash<'a> {
    /// The table at `address`; none where there is none, or an empty one: it then says nothing of how many
    /// symbols it leaves out.
    fn read(image: &Image<'a>, address: usize) -> Result<Option<Self>, Surprise> {
        if address == 0 {
            return Ok(None);
        }
        let [counts, bloom] = words::<2>(&image.read::<16>(address, 0)?);
        let (bucket_count, bloom_words) = (counts as u32 as usize, bloom as u32 as usize);
        let bloom_start = address.checked_add(16).ok_or(Surprise::OutOfRange)?;
        let buckets = bloom_start.checked_add(bloom_words * 8).ok_or(Surprise::OutOfRange)?;
        let chains = buckets.checked_add(bucket_count * 4).ok_or(Surprise::OutOfRange)?;
        let (bloom_filter, _) = image.bytes(bloom_start, bloom_words * 8)?.as_chunks();
        let (buckets, _) = image.bytes(buckets, bucket_count * 4)?.as_chunks();
        if bloom_words == 0 || buckets.iter().all(|bucket| *bucket == [0; 4]) {
            return Ok(None);
        }
        Ok(Some(Self {
            first_symbol: (counts >> 32) as usize,
            bloom: bloom_filter,
            bloom_shift: (bloom >> 32) as u32,
            buckets,
            chains: image.from(chains)?,
        }))
    }

    /// The first symbol of the chain that a name of this hash would be in.
    #[inline]
    fn first(&self, hash: u32) -> Option<u32> {
        let bloom = u64::from_le_bytes(*self.bloom.get((hash / 64) as usize % self.bloom.len().max(1))?);
        let second = hash.checked_shr(self.bloom_shift).unwrap_or(0);
        if bloom >> (hash % 64) & bloom >> (second % 64) & 1 == 0 {
            return None;
        }
        let first = u32::from_le_bytes(*self.buckets.get(hash as usize % self.buckets.len().max(1))?);
        (first as usize >= self.first_symbol && first != 0).then_some(first)
    }

    fn chain(&self, symbol: u32) -> Result<u32, Surprise> {
        let index = (symbol as usize).checked_sub(self.first_symbol).ok_or(Surprise::OutOfRange)?;
        Ok(u32::from_le_bytes(self.chains.read(index * 4)?))
    }
}

/// Symbols as a GNU hash table knows them.
struct Hashed<'a> {
    table: GnuHash<'a>,
    names: &'a [u8],
    symbols: Window<'a>,
}

impl Hashed<'_> {
    /// The first symbol of a name that is meant.
    fn find(
        &self,
        hash: u32,
        name: &[u8],
        is_meant: impl Fn(u32, &Symbol) -> Result<bool, Surprise>,
    ) -> Result<Option<(u32, Symbol)>, Surprise> {
        let Some(mut symbol) = self.table.first(hash) else { return Ok(None) };
        loop {
            let entry = self.table.chain(symbol)?;
            if entry | 1 == hash | 1 {
                let found = Symbol::read(&self.symbols.read(symbol as usize * SYMBOL_BYTES)?);
                let rest = self.names.get(found.name..).ok_or(Surprise::Name)?;
                let is_named = rest.strip_prefix(name).is_some_and(|rest| rest.first() == Some(&0));
                if is_named && is_meant(symbol, &found)? {
                    return Ok(Some((symbol, found)));
                }
            }
            if entry & 1 != 0 {
                return Ok(None);
            }
            symbol = symbol.checked_add(1).ok_or(Surprise::OutOfRange)?;
        }
    }
}

impl<'a> Note<'a> {
    /// Those in `bytes`, one after the other.
    pub fn all(bytes: &'a [u8], padding: usize) -> impl Iterator<Item = Self> + use<'a> {
        let mut rest = bytes;
        std::iter::from_fn(move || {
            let (note, length) = Self::first(rest, padding)?;
            rest = rest.get(length..).unwrap_or_default();
            Some(note)
        })
    }

    /// The first of some notes, and how many bytes it takes with its padding.
    fn first(bytes: &'a [u8], padding: usize) -> Option<(Self, usize)> {
        let (head, _) = bytes.first_chunk::<12>()?.as_chunks::<4>();
        let [name_bytes, description_bytes, kind] = *<&[[u8; 4]; 3]>::try_from(head).ok()?;
        let name_bytes = u32::from_le_bytes(name_bytes) as usize;
        let description_bytes = u32::from_le_bytes(description_bytes) as usize;
        let description = (12 + name_bytes).next_multiple_of(padding);
        let end = description + description_bytes;
        let note = Self {
            name: bytes.get(12..12 + name_bytes)?,
            kind: u32::from_le_bytes(kind),
            description: bytes.get(description..end)?,
        };
        Some((note, end.next_multiple_of(padding)))
    }
}

#[cfg(test)]
mod tests;
