//! Whether a module's code can act without libc, so that nothing here sees it: pure functions of its bytes.
//!
//! Go brings its own system calls, and says that it is Go. Other code is searched for the instruction that enters
//! the kernel, with the number of a call that opens, changes, connects or starts something. Two bytes are found
//! in much that is no such instruction, so the number is believed only where the instructions after it, read
//! one by one, end at the call.
//!
//! Measured over the 557 shared objects of some 50 native wheels (1,024 MB of code): five are reported, all rightly.
//! Two are Go (ADBC's flightsql, tls-client); three are Rust crates that link `rustix` with its own system calls: polars
//! (`socket connect sendmsg`), deltalake (`socket connect`), safetensors (`unlinkat renameat renameat2`). The
//! number alone, without the instructions after it, was in 39, of which numpy, pandas, pyarrow, DuckDB and lxml
//! are some.
//!
//! Cost: 0.04 ms a MB of code that is in memory and mapped, 0.13 to 0.15 where it was not touched before, for its
//! pages are mapped one after the other: 15 ms for polars (111 MB) and for pandas with pyarrow (113 MB), which
//! is over what an import may lose, and counts in the process's resident memory. So at load time only
//! modules of site-packages with up to 1 MB of code are to be searched (pandas and pyarrow: 54 of 66 modules, 13 MB,
//! 2 to 4 ms), beside the notes of all; larger ones are for the read side, by path and build id.
//!
//! Not found: a number that comes from elsewhere (`syscall(number, …)` of one's own), code made at run time.

use memchr::memmem::Finder;

use super::elf::{Machine, Note};

/// What a module may do unseen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unseen {
    /// It holds a Go runtime, whose calls are not listed.
    pub is_go: bool,
    /// The numbers of the calls that it makes itself, in their order.
    pub calls: Vec<u16>,
}

/// How many bytes before a system call its number is looked for: instructions are 3 to 7 bytes.
const NUMBER_WITHIN: usize = 48;

/// The same on aarch64, in instructions.
const NUMBER_WITHIN_INSTRUCTIONS: usize = 16;

/// `\xff Go build ID: "`, where code begins that Go's own linker wrote.
const GO_TEXT: &[u8] = b"\xff Go build ID: \"";
const GO_TEXT_WITHIN: usize = 4096;

const SYSCALL: [u8; 2] = [0x0f, 0x05];
/// `svc #0`
const SVC: u32 = 0xd400_0001;

/// Calls by name, with their numbers on x86_64 (and aarch64 where it has them).
const CALLS: [(&str, u16, Option<u16>); 42] = [
    ("open", 2, None),
    ("socket", 41, Some(198)),
    ("connect", 42, Some(203)),
    ("accept", 43, Some(202)),
    ("sendto", 44, Some(206)),
    ("sendmsg", 46, Some(211)),
    ("bind", 49, Some(200)),
    ("listen", 50, Some(201)),
    ("fork", 57, None),
    ("vfork", 58, None),
    ("execve", 59, Some(221)),
    ("truncate", 76, Some(45)),
    ("rename", 82, None),
    ("mkdir", 83, None),
    ("rmdir", 84, None),
    ("creat", 85, None),
    ("link", 86, None),
    ("unlink", 87, None),
    ("symlink", 88, None),
    ("chmod", 90, None),
    ("chown", 92, None),
    ("lchown", 94, None),
    ("mknod", 133, None),
    ("openat", 257, Some(56)),
    ("mkdirat", 258, Some(34)),
    ("mknodat", 259, Some(33)),
    ("fchownat", 260, Some(54)),
    ("unlinkat", 263, Some(35)),
    ("renameat", 264, Some(38)),
    ("linkat", 265, Some(37)),
    ("symlinkat", 266, Some(36)),
    ("fchmodat", 268, Some(53)),
    ("accept4", 288, Some(242)),
    ("open_by_handle_at", 304, Some(265)),
    ("sendmmsg", 307, Some(269)),
    ("renameat2", 316, Some(276)),
    ("execveat", 322, Some(281)),
    ("io_uring_setup", 425, Some(425)),
    ("io_uring_enter", 426, Some(426)),
    ("open_tree", 428, Some(428)),
    ("openat2", 437, Some(437)),
    ("fchmodat2", 452, Some(452)),
];

impl Unseen {
    /// Why a module is blind, as records say it; `None` where it is not.
    pub fn words(&self, machine: Machine) -> Option<String> {
        if self.is_go {
            return Some("go".to_owned());
        }
        let calls: Vec<&str> = self.names(machine).collect();
        (!calls.is_empty()).then(|| format!("system calls: {}", calls.join(" ")))
    }

    /// The names of the calls.
    fn names(&self, machine: Machine) -> impl Iterator<Item = &'static str> {
        self.calls.iter().filter_map(move |number| {
            CALLS.iter().find(|call| number_of(call, machine) == Some(*number)).map(|call| call.0)
        })
    }
}

/// How much of the code before a piece belongs to the next piece, so that a call is found wherever the pieces end. Whole
/// instructions on aarch64.
pub const BEFORE: usize = 4 * (NUMBER_WITHIN_INSTRUCTIONS + 1);

/// A search of a module's code, which may come in pieces.
pub struct Search {
    machine: Machine,
    unseen: Unseen,
}

impl Search {
    /// Begins with the notes.
    pub fn new<'a>(notes: impl IntoIterator<Item = Note<'a>>, machine: Machine) -> Self {
        let is_go = notes.into_iter().any(|note| is_go_note(&note));
        Self { machine, unseen: Unseen { is_go, calls: Vec::new() } }
    }

    /// Whether nothing that is still to come can change what was found.
    pub fn is_over(&self) -> bool {
        self.unseen.is_go
    }

    /// Takes a segment, or a piece of one; `is_first` where that begins with it.
    pub fn add(&mut self, code: &[u8], is_first: bool) {
        self.unseen.is_go |= is_first && begins_as_go(code);
        if !self.is_over() {
            add_calls(code, self.machine, &mut self.unseen.calls);
        }
    }

    /// What was found.
    pub fn found(mut self) -> Unseen {
        if self.unseen.is_go {
            self.unseen.calls.clear();
        }
        self.unseen.calls.sort_unstable();
        self.unseen
    }
}

/// What a module may do unseen, by its notes and its machine code.
pub fn unseen<'a>(
    notes: impl IntoIterator<Item = Note<'a>>,
    code: impl IntoIterator<Item = &'a [u8]>,
    machine: Machine,
) -> Unseen {
    let mut search = Search::new(notes, machine);
    code.into_iter().for_each(|code| search.add(code, true));
    search.found()
}

/// Whether a module holds a Go runtime, which costs nothing to find out.
pub fn is_go<'a>(
    notes: impl IntoIterator<Item = Note<'a>>,
    code: impl IntoIterator<Item = &'a [u8]>,
) -> bool {
    notes.into_iter().any(|note| is_go_note(&note)) || code.into_iter().any(begins_as_go)
}

fn is_go_note(note: &Note) -> bool {
    note.name == b"Go\0\0" && note.kind == 4
}

fn begins_as_go(code: &[u8]) -> bool {
    let head = code.get(..GO_TEXT_WITHIN).unwrap_or(code);
    memchr::memmem::find(head, GO_TEXT).is_some()
}

fn number_of(call: &(&str, u16, Option<u16>), machine: Machine) -> Option<u16> {
    match machine {
        Machine::X86_64 => Some(call.1),
        Machine::Aarch64 => call.2,
    }
}

fn acts(number: u32, machine: Machine) -> Option<u16> {
    let number = u16::try_from(number).ok()?;
    CALLS.iter().any(|call| number_of(call, machine) == Some(number)).then_some(number)
}

fn add_calls(code: &[u8], machine: Machine, calls: &mut Vec<u16>) {
    let found = |number: u16| {
        if !calls.contains(&number) {
            calls.push(number);
        }
    };
    match machine {
        Machine::X86_64 => intel_calls(code).for_each(found),
        Machine::Aarch64 => arm_calls(code).for_each(found),
    }
}

/// The numbers of the calls that x86_64 code makes.
fn intel_calls(code: &[u8]) -> impl Iterator<Item = u16> {
    let finder = Finder::new(&SYSCALL).into_owned();
    let mut from = 0;
    let places = std::iter::from_fn(move || {
        let place = from + finder.find(code.get(from..)?)?;
        from = place + 1;
        Some(place)
    });
    places.filter_map(|place| {
        let before = code.get(place.saturating_sub(NUMBER_WITHIN)..place)?;
        acts(intel_number(before)?, Machine::X86_64)
    })
}

/// The number that is in `eax` after some instructions: the last one that is put there, so that the instructions
/// from there on end where these bytes do.
fn intel_number(before: &[u8]) -> Option<u32> {
    (0..before.len()).rev().find_map(|start| {
        let rest = before.get(start..)?;
        let (number, rest) = match rest {
            // mov eax, number
            [0xb8, a, b, c, d, rest @ ..] => ([*a, *b, *c, *d], rest),
            // mov rax, number
            [0x48, 0xc7, 0xc0, a, b, c, d, rest @ ..] => ([*a, *b, *c, *d], rest),
            // push number; pop rax
            [0x6a, number, 0x58, rest @ ..] => ([*number, 0, 0, 0], rest),
            _ => return None,
        };
        is_straight(rest).then_some(u32::from_le_bytes(number))
    })
}

/// Whether some bytes are instructions that come one after the other, to the last byte.
fn is_straight(mut code: &[u8]) -> bool {
    while !code.is_empty() {
        let Some(rest) = instruction_bytes(code).and_then(|bytes| code.get(bytes..)) else { return false };
        code = rest;
    }
    true
}

/// How long the first instruction is: of those that compilers put between a call's number and the call, so no
/// calls, returns and jumps for good.
fn instruction_bytes(code: &[u8]) -> Option<usize> {
    let mut at = 0;
    let mut is_short = false;
    while let prefix @ (0x66 | 0xf2 | 0xf3) = *code.get(at)? {
        is_short |= prefix == 0x66;
        at += 1;
    }
    let is_wide = matches!(code.get(at)?, 0x48..=0x4f);
    if matches!(code.get(at)?, 0x40..=0x4f) {
        at += 1;
    }
    let opcode = *code.get(at)?;
    let operands = code.get(at + 1..)?;
    let immediate = if is_short { 2 } else { 4 };
    let length = match opcode {
        0x50..=0x5f | 0x90 | 0x98 | 0x99 => 0,
        0x6a | 0xb0..=0xb7 | 0x70..=0x7f => 1,
        0x68 => 4,
        0xb8..=0xbf if is_wide => 8,
        0xb8..=0xbf => immediate,
        0x0f => return Some(at + 1 + two_byte_operands(operands)?),
        0x00..=0x3f => match opcode & 7 {
            0..=3 => memory_bytes(operands)?,
            4 => 1,
            5 => immediate,
            _ => return None,
        },
        0x63 | 0x84..=0x8b | 0x8d | 0xd0..=0xd3 => memory_bytes(operands)?,
        0x80 | 0x83 | 0xc0 | 0xc1 | 0xc6 | 0x6b => memory_bytes(operands)? + 1,
        0x81 | 0xc7 | 0x69 => memory_bytes(operands)? + immediate,
        0xf6 | 0xf7 if operands.first()? & 0x38 >= 0x10 => memory_bytes(operands)?,
        _ => return None,
    };
    Some(at + 1 + length)
}

/// What follows `0f`, its own byte counted: moves, conditions, jumps on one, and no system call.
fn two_byte_operands(code: &[u8]) -> Option<usize> {
    let (opcode, operands) = code.split_first()?;
    let length = match opcode {
        0x80..=0x8f => 4,
        0x10..=0x17 | 0x1e..=0x1f | 0x28..=0x29 | 0x40..=0x4f | 0x54..=0x57 | 0x6e..=0x6f => {
            memory_bytes(operands)?
        }
        0x7e..=0x7f | 0x90..=0x9f | 0xaf | 0xb6..=0xb7 | 0xbe..=0xbf | 0xd6 | 0xef => memory_bytes(operands)?,
        _ => return None,
    };
    Some(1 + length)
}

/// How long the description of an operand in memory or a register is.
fn memory_bytes(code: &[u8]) -> Option<usize> {
    let (mode, place) = (code.first()? >> 6, code.first()? & 7);
    let is_scaled = mode != 3 && place == 4;
    let has_no_base = is_scaled && code.get(1)? & 7 == 5;
    let displacement = match mode {
        0 if place == 5 || has_no_base => 4,
        1 => 1,
        2 => 4,
        _ => 0,
    };
    Some(1 + usize::from(is_scaled) + displacement)
}

/// The numbers of the calls that aarch64 code makes.
fn arm_calls(code: &[u8]) -> impl Iterator<Item = u16> {
    let (words, _) = code.as_chunks::<4>();
    let calls = words.iter().enumerate().filter(|(_, word)| u32::from_le_bytes(**word) == SVC);
    calls.filter_map(|(place, _)| {
        let before = words.get(place.saturating_sub(NUMBER_WITHIN_INSTRUCTIONS)..place)?;
        acts(arm_number(before)?, Machine::Aarch64)
    })
}

/// The number that is in `x8` after some instructions, none of which goes elsewhere.
fn arm_number(before: &[[u8; 4]]) -> Option<u32> {
    let words = before.iter().rev().map(|word| u32::from_le_bytes(*word));
    words.take_while(|word| !leaves(*word)).find_map(|word| {
        // movz x8, number; movz w8, number
        let is_number = word & 0x7fe0_001f == 0x5280_0008;
        is_number.then_some(word >> 5 & 0xffff)
    })
}

/// `b`, `bl`, and `br`, `blr`, `ret`.
fn leaves(word: u32) -> bool {
    word & 0x7c00_0000 == 0x1400_0000 || word & 0xfe00_0000 == 0xd600_0000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intel(code: &[u8]) -> Vec<&'static str> {
        let unseen = unseen([], [code], Machine::X86_64);
        unseen.names(Machine::X86_64).collect()
    }

    fn arm(words: &[u32]) -> Vec<&'static str> {
        let code: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        unseen([], [&code[..]], Machine::Aarch64).names(Machine::Aarch64).collect()
    }

    fn bytes(text: &str) -> Vec<u8> {
        let pairs = text.as_bytes().as_chunks::<2>().0;
        pairs.iter().map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    #[test]
    fn system_calls_of_real_libraries_are_found() {
        let cases = [
            ("b808010000bf9cffffffba9cffffff4c89f60f05", "renameat"),
            ("b807010000bf9cffffff31d20f05", "unlinkat"),
            ("b829000000bf01000000be0100080031d20f05", "socket"),
            ("b82a0000004c89e7488db424d40100000f05", "connect"),
            ("b82e00000031d20f05", "sendmsg"),
            ("48c7c0010100000f05", "openat"),
            ("6a29580f05", "socket"),
            ("b8a90100000f05", "io_uring_setup"),
        ];
        for (code, name) in cases {
            assert_eq!(intel(&bytes(code)), [name], "{code}");
        }
    }

    #[test]
    fn what_only_looks_like_a_system_call_is_not_one() {
        let cases = [
            "b802000000e9ca01000041f6c4410f850603000041f6c4020f05",
            "b80200000031d231f6488d0d15bb06004c89e7e80f05",
            "b80200000031f64154ba080000005031c06a006a006a00e82a0f05",
            "b829000000488d0d11de0f05",
            "b8020000000f840f050000",
            "b8080000004c89e731d24531d20f05",
            "0f05",
        ];
        for code in cases {
            assert!(intel(&bytes(code)).is_empty(), "{code}");
        }
    }

    #[test]
    fn several_calls_are_each_named_once() {
        let code = bytes("b8010100000f05b8010100000f05b8020000000f05");
        assert_eq!(intel(&code), ["open", "openat"]);
    }

    #[test]
    fn calls_of_aarch64_are_found_where_nothing_goes_elsewhere() {
        let (number, other) = (0xd280_0708, 0xaa01_03e0);
        assert_eq!(arm(&[number, other, SVC]), ["openat"]);
        assert_eq!(arm(&[0x5280_0708, SVC]), ["openat"]);
        let (branch, ret) = (0x9400_0010, 0xd65f_03c0);
        assert!(arm(&[number, branch, SVC]).is_empty());
        assert!(arm(&[number, ret, SVC]).is_empty());
        assert!(arm(&[0xd280_0808, SVC]).is_empty(), "write");
    }

    #[test]
    fn go_is_known_by_its_note_or_by_how_its_code_begins() {
        let note = Note { name: b"Go\0\0", kind: 4, description: b"" };
        let call = bytes("b8010100000f05");
        assert!(unseen([note], [&call[..]], Machine::X86_64).is_go);
        assert!(unseen([], [&b"..\xff Go build ID: \"x\""[..]], Machine::X86_64).is_go);
        let other = Note { name: b"GNU\0", kind: 4, description: b"" };
        assert_eq!(unseen([other], [], Machine::X86_64), Unseen::default());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_can_be_asked(code in proptest::collection::vec(proptest::sample::select(
            &[0x0f_u8, 0x05, 0xb8, 0x01, 0x00, 0x48, 0xc7, 0xc0, 0x6a, 0x58, 0x84, 0x24, 0x66, 0xf7, 0x83, 0xd4][..]
        ), 0..300)) {
            for machine in [Machine::X86_64, Machine::Aarch64] {
                unseen([], [&code[..]], machine);
            }
        }
    }
}
