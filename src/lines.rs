//! A place in a piece of code to its line, by the table that the code keeps: bytes that never change.
//!
//! `PyCode_Addr2Line` reads the same table, but since 3.11 it prefers one that tracing adds to the code: it is
//! there before it is filled, which only a thread with the GIL may not notice.

/// How a table says what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// Steps of bytes and lines (3.9, Objects/lnotab_notes.txt).
    Steps,
    /// The same by ranges, of which some have no line (3.10, Objects/lnotab_notes.txt).
    Ranges,
    /// Ranges with columns (since 3.11, Objects/locations.md, later InternalDocs/code_objects.md).
    Locations,
}

/// The size of an instruction.
const UNIT: i32 = 2;

impl Lines {
    /// What Python 3.`minor` has.
    pub fn of(minor: usize) -> Self {
        match minor {
            ..=9 => Self::Steps,
            10 => Self::Ranges,
            _ => Self::Locations,
        }
    }

    /// The line of the instruction `position` bytes into the code whose first line is `first`; -1 where it has none.
    pub fn line_at(self, table: &[u8], first: i32, position: i32) -> i32 {
        match self {
            _ if position < 0 => first,
            Self::Steps => by_steps(table, first, position),
            Self::Ranges => by_ranges(table, first, position),
            Self::Locations => by_locations(table, first, position),
        }
    }
}

fn by_steps(table: &[u8], first: i32, position: i32) -> i32 {
    let (mut line, mut start) = (first, 0);
    for &[bytes, lines] in pairs(table) {
        start += i32::from(bytes);
        if start > position {
            break;
        }
        line += i32::from(lines.cast_signed());
    }
    line
}

fn by_ranges(table: &[u8], first: i32, position: i32) -> i32 {
    const NO_LINE: i8 = -128;
    let (mut line, mut end) = (first, 0);
    for &[bytes, lines] in pairs(table) {
        let lines = lines.cast_signed();
        end += i32::from(bytes);
        if lines != NO_LINE {
            line += i32::from(lines);
        }
        if end > position {
            return if lines == NO_LINE { -1 } else { line };
        }
    }
    -1
}

fn pairs(table: &[u8]) -> &[[u8; 2]] {
    table.as_chunks().0
}

/// An entry starts with a byte whose highest bit is set: four bits for its kind, three for its length in units.
fn by_locations(table: &[u8], first: i32, position: i32) -> i32 {
    const NO_LINE: u8 = 15;
    let (mut line, mut end) = (first, 0);
    let mut left = table;
    while let Some((&entry, rest)) = left.split_first() {
        let kind = entry >> 3 & 15;
        line = line.wrapping_add(match kind {
            11 => 1,
            12 => 2,
            13 | 14 => signed_number(rest),
            _ => 0,
        });
        end += (i32::from(entry & 7) + 1) * UNIT;
        if end > position {
            return if kind == NO_LINE { -1 } else { line };
        }
        let length = rest.iter().position(|byte| byte & 128 != 0).unwrap_or(rest.len());
        left = rest.get(length..).unwrap_or_default();
    }
    -1
}

/// A number in groups of six bits, the lowest first; its lowest bit is its sign.
fn signed_number(bytes: &[u8]) -> i32 {
    let mut number: u32 = 0;
    for (index, byte) in (0..6).zip(bytes) {
        number |= u32::from(byte & 63) << (6 * index);
        if byte & 64 == 0 {
            break;
        }
    }
    let size = (number >> 1).cast_signed();
    if number & 1 == 0 { size } else { -size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_in_each_kind_of_table_has_its_line() {
        let steps = |position| Lines::Steps.line_at(&[4, 1, 6, 255, 2, 7], 10, position);
        assert_eq!([-1, 0, 3, 4, 9, 10, 11, 12].map(steps), [10, 10, 10, 11, 11, 10, 10, 17]);
        let ranges = |position| Lines::Ranges.line_at(&[4, 1, 2, 128, 2, 255], 10, position);
        assert_eq!([-1, 0, 3, 4, 6, 8].map(ranges), [10, 11, 11, -1, 10, -1]);
        // Two units one line on, one without a line, one of 70 lines back in the long form.
        let locations = [128 | 11 << 3 | 1, 1, 2, 128 | 15 << 3, 128 | 13 << 3, 64 | 13, 2];
        let located = |position| Lines::Locations.line_at(&locations, 100, position);
        assert_eq!([-1, 0, 2, 4, 6, 8].map(located), [100, 101, 101, -1, 31, -1]);
    }

    #[test]
    fn no_table_makes_it_fail() {
        for table in
            [&[][..], &[1], &[255; 9], &[127; 9], &[128; 3], &[128 | 14 << 3, 127, 127, 127, 127, 127, 127]]
        {
            for lines in [Lines::Steps, Lines::Ranges, Lines::Locations] {
                for position in [0, 2, 1000] {
                    let _ = lines.line_at(table, 1, position);
                }
            }
        }
    }
}
