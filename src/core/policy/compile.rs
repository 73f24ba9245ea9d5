//! Layers of rules to the compiled form: classes, keys, postings. [`super::image`] says how the bytes lie, and
//! [`super::decide`] reads them.

#![expect(
    clippy::indexing_slicing,
    reason = "sections, classes and bits are indexed by numbers that were made here"
)]

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use sha2::{Digest as _, Sha256};

use super::decide::access;
use super::field::{AddressWord, Field};
use super::glob::{Glob, Token};
use super::image::{
    GRAM_BITS, Gram, HEADER_BYTES, KINDS, Key, KeyHash, MAGIC, MAX_ENDS, MAX_PROBES, Part, SECTIONS,
    SLOT_BYTES, Section, VERSION, begins_end, crc, ends_start,
};
use super::rule::{Condition, Layer, Pattern, Rule};

/// Patterns that may share a key before another one is better, whatever it is.
const FEW: u32 = 64;

/// The compiled form of `layers`, of which there may be up to 256.
#[must_use]
pub fn compile(layers: &[Layer]) -> Vec<u8> {
    let mut compiler = Compiler::default();
    for (number, layer) in layers.iter().enumerate() {
        let name = compiler.strings.place(&layer.name);
        compiler.out.push(Section::Layers, name);
        for rule in &layer.rules {
            compiler.add_rule(number as u8, layer, rule);
        }
    }
    compiler.post();
    compiler.plain(layers);
    compiler.fields();
    compiler.indexes();
    compiler.ranges();
    compiler.out.sections[Section::Strings as usize] = compiler.strings.bytes;
    compiler.out.assembled()
}

/// What one rule became.
struct Compiled {
    kinds: u64,
    classes: Vec<(Field, u32)>,
}

/// A pattern of a text field: how it is matched.
type Program = (Field, Vec<u8>);

#[derive(Default)]
struct Compiler {
    out: Sections,
    strings: Strings,
    rules: Vec<Compiled>,
    /// By the list's address, which is cheap to look up, and by its content.
    known_lists: HashMap<(Field, usize, usize), u32>,
    classes: HashMap<(Field, Vec<Pattern>), u32>,
    class_count: u32,
    /// The classes that each pattern belongs to, and a glob that it came from.
    patterns: BTreeMap<Program, (Vec<u32>, Glob)>,
    /// First and last address, class.
    networks4: Vec<(u128, u128, u32)>,
    networks6: Vec<(u128, u128, u32)>,
    ports: Vec<(u128, u128, u32)>,
    words: Vec<(AddressWord, u32)>,
    class_lists: HashMap<Vec<u32>, (u32, u32)>,
}

impl Compiler {
    fn add_rule(&mut self, layer: u8, of: &Layer, rule: &Rule) {
        let classes: Vec<(Field, u32)> =
            rule.conditions.iter().map(|condition| (condition.field, self.class(condition))).collect();
        let name = self.strings.place(&format!("{}/{}", of.name, rule.id));
        let texts = [&rule.message, &rule.link, &rule.owner];
        let texts = texts.map(|text| self.strings.place(text.as_deref().unwrap_or_default()));
        let wanted_at = self.out.numbers(Section::Wanted);
        classes.iter().for_each(|(_, class)| self.out.push(Section::Wanted, *class));
        let rules = &mut self.out.sections[Section::Rules as usize];
        let access = u8::from(rule.access.read) * access::READ + u8::from(rule.access.write) * access::WRITE;
        let is_observed = u8::from(rule.mode == super::rule::Mode::Observe);
        rules.extend(rule.kinds.0.to_le_bytes());
        rules.extend(rule.until.unwrap_or(u64::MAX).to_le_bytes());
        rules.extend([access, rule.action as u8, is_observed, layer]);
        for number in [wanted_at, classes.len() as u32, name, texts[0], texts[1], texts[2]] {
            rules.extend(number.to_le_bytes());
        }
        self.rules.push(Compiled { kinds: rule.kinds.0, classes });
    }

    /// The class of what `condition` lists.
    fn class(&mut self, condition: &Condition) -> u32 {
        let list = &condition.patterns;
        let place = (condition.field, list.as_ptr().addr(), list.len());
        if let Some(class) = self.known_lists.get(&place) {
            return *class;
        }
        let key = (condition.field, list.to_vec());
        let class = match self.classes.get(&key) {
            Some(class) => *class,
            None => {
                let class = self.class_count;
                self.class_count += 1;
                list.iter().for_each(|pattern| self.add_pattern(condition.field, pattern, class));
                self.classes.insert(key, class);
                class
            }
        };
        self.known_lists.insert(place, class);
        class
    }

    fn add_pattern(&mut self, field: Field, pattern: &Pattern, class: u32) {
        match pattern {
            Pattern::Glob(glob) => self.add_program((field, glob.program()), glob.clone(), class),
            Pattern::Requirement { name, specifiers } => {
                let program = [name.as_bytes(), b"\0", specifiers.as_bytes()].concat();
                self.add_program((field, program), Glob::literal(name), class);
            }
            Pattern::Word(word) => self.words.push((*word, class)),
            Pattern::Ports(first, last) => self.ports.push(((*first).into(), (*last).into(), class)),
            Pattern::Network(address, bits) => match address {
                IpAddr::V4(address) => {
                    let (first, last) = network(u32::from(*address).into(), *bits, 32);
                    self.networks4.push((first, last, class));
                }
                IpAddr::V6(address) => {
                    let (first, last) = network((*address).into(), *bits, 128);
                    self.networks6.push((first, last, class));
                }
            },
        }
    }

    fn add_program(&mut self, program: Program, glob: Glob, class: u32) {
        let (classes, _) = self.patterns.entry(program).or_insert_with(|| (Vec::new(), glob));
        if !classes.contains(&class) {
            classes.push(class);
        }
    }

    /// Posts each rule under the rarest of the classes that it wants.
    fn post(&mut self) {
        let mut counts = vec![0_u32; self.class_count as usize];
        for rule in &self.rules {
            rule.classes.iter().for_each(|(_, class)| counts[*class as usize] += 1);
        }
        let mut posted: Vec<Vec<u32>> = vec![Vec::new(); counts.len()];
        for (number, rule) in self.rules.iter().enumerate() {
            let rarest = rule.classes.iter().min_by_key(|(_, class)| counts[*class as usize]);
            if let Some((_, class)) = rarest {
                posted[*class as usize].push(number as u32);
            }
        }
        for rules in posted {
            let start = self.out.numbers(Section::PostedRules);
            self.out.pair(Section::Postings, (start, rules.len() as u32));
            rules.iter().for_each(|rule| self.out.push(Section::PostedRules, *rule));
        }
    }

    /// Lists the rules without conditions by kind, without those that an earlier one of their layer always precedes.
    fn plain(&mut self, layers: &[Layer]) {
        for kind in 0..KINDS {
            let start = self.out.numbers(Section::PlainRules);
            let mut number = 0;
            for layer in layers {
                let mut is_decided = false;
                for rule in &layer.rules {
                    if !is_decided && rule.conditions.is_empty() && rule.kinds.0 & 1 << kind != 0 {
                        self.out.push(Section::PlainRules, number);
                        is_decided = rule.access.is_any()
                            && rule.until.is_none()
                            && rule.mode == super::rule::Mode::Enforce;
                    }
                    number += 1;
                }
            }
            let count = self.out.numbers(Section::PlainRules) - start;
            self.out.pair(Section::Plain, (start, count));
        }
    }

    fn fields(&mut self) {
        for kind in 0..KINDS {
            let about = self.rules.iter().filter(|rule| rule.kinds & 1 << kind != 0);
            let bits = about.flat_map(|rule| {
                let plain = rule.classes.is_empty().then_some(1 << 31);
                rule.classes.iter().map(|(field, _)| 1 << *field as u32).chain(plain)
            });
            let bits = bits.fold(0, |all: u32, bit: u32| all | bit);
            self.out.push(Section::Fields, bits);
        }
    }

    /// Stores the patterns, and how they are found.
    fn indexes(&mut self) {
        let patterns = std::mem::take(&mut self.patterns);
        let mut by_field: BTreeMap<Field, Vec<(u32, Keys)>> = BTreeMap::new();
        for (number, ((field, program), (classes, glob))) in patterns.into_iter().enumerate() {
            let (start, count) = self.class_list(classes);
            let at = self.out.sections[Section::Programs as usize].len() as u32;
            for value in [at, program.len() as u32, start, count] {
                self.out.push(Section::Patterns, value);
            }
            self.out.sections[Section::Programs as usize].extend(program);
            by_field.entry(field).or_default().push((number as u32, keys(field, &glob)));
        }
        for (field, patterns) in by_field {
            self.index(field, patterns);
        }
    }

    fn index(&mut self, field: Field, patterns: Vec<(u32, Keys)>) {
        let mut frequency: HashMap<u64, u32> = HashMap::new();
        for key in patterns.iter().flat_map(|(_, keys)| keys) {
            *frequency.entry(key.hash).or_default() += 1;
        }
        let mut entries: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
        let mut grams = Vec::new();
        for (number, keys) in patterns {
            let best = keys.iter().min_by_key(|key| {
                let count = frequency.get(&key.hash).copied().unwrap_or_default();
                // Digits are in all sorts of names, and each text that has them is matched in vain.
                (count.max(FEW), key.is_in_numbers, count, key.kind)
            });
            match best {
                Some(key) => {
                    entries.entry(key.hash).or_default().push(number);
                    grams.extend(key.gram);
                }
                None => self.out.push_to(Section::of_field(field, Part::Always), number),
            }
        }
        if !grams.is_empty() {
            let mut bits = vec![0_u8; GRAM_BITS / 8];
            for gram in grams {
                bits[gram.bit() / 8] |= 1 << (gram.bit() % 8);
            }
            self.out.sections[Section::of_field(field, Part::Grams)] = bits;
        }
        if !entries.is_empty() {
            self.table(field, &entries);
        }
    }

    fn table(&mut self, field: Field, entries: &BTreeMap<u64, Vec<u32>>) {
        let mut slots = Vec::new();
        for (hash, patterns) in entries {
            let start = self.out.sections[Section::of_field(field, Part::Entries)].len() as u32 / 4;
            patterns.iter().for_each(|number| {
                self.out.push_to(Section::of_field(field, Part::Entries), *number);
            });
            slots.push((*hash, start, patterns.len() as u32));
        }
        let mut size = (2 * slots.len()).next_power_of_two().max(4);
        let bytes = loop {
            match hash_table(&slots, size) {
                Some(bytes) => break bytes,
                None => size *= 2,
            }
        };
        self.out.sections[Section::of_field(field, Part::Slots)] = bytes;
    }

    /// Where the list of `classes` stands.
    fn class_list(&mut self, mut classes: Vec<u32>) -> (u32, u32) {
        classes.sort_unstable();
        classes.dedup();
        if let Some(place) = self.class_lists.get(&classes) {
            return *place;
        }
        let place = (self.out.numbers(Section::Classes), classes.len() as u32);
        classes.iter().for_each(|class| self.out.push(Section::Classes, *class));
        self.class_lists.insert(classes, place);
        place
    }

    fn ranges(&mut self) {
        let networks = (std::mem::take(&mut self.networks4), std::mem::take(&mut self.networks6));
        for (first, classes) in disjoint(&networks.0) {
            // What begins after the last address would be stored as the first one.
            if let Ok(first) = u32::try_from(first) {
                self.range(Section::Networks4, &first.to_le_bytes(), classes);
            }
        }
        for (first, classes) in disjoint(&networks.1) {
            self.range(Section::Networks6, &first.to_le_bytes(), classes);
        }
        for (first, classes) in disjoint(&std::mem::take(&mut self.ports)) {
            self.range(Section::Ports, &(first as u32).to_le_bytes(), classes);
        }
        let words = std::mem::take(&mut self.words);
        for word in AddressWord::ALL {
            let of_word = words.iter().filter(|(own, _)| *own == word).map(|(_, class)| *class).collect();
            let list = self.class_list(of_word);
            self.out.pair(Section::Words, list);
        }
    }

    fn range(&mut self, section: Section, first: &[u8], classes: Vec<u32>) {
        let list = self.class_list(classes);
        self.out.sections[section as usize].extend_from_slice(first);
        self.out.pair(section, list);
    }
}

/// First and last address of a network.
fn network(address: u128, bits: u8, all: u8) -> (u128, u128) {
    let free = u32::from(all.saturating_sub(bits));
    let mask = u128::MAX.checked_shl(free).unwrap_or(0);
    let whole = if all >= 128 { u128::MAX } else { (1 << all) - 1 };
    (address & mask & whole, (address | !mask) & whole)
}

/// Ranges that may overlap, as ranges that do not: the first number of each, and the classes in it, in order.
fn disjoint(ranges: &[(u128, u128, u32)]) -> Vec<(u128, Vec<u32>)> {
    let mut changes: BTreeMap<u128, Vec<(u32, bool)>> = BTreeMap::new();
    for (first, last, class) in ranges {
        changes.entry(*first).or_default().push((*class, true));
        if let Some(after) = last.checked_add(1) {
            changes.entry(after).or_default().push((*class, false));
        }
    }
    let mut active: BTreeMap<u32, u32> = BTreeMap::new();
    let mut found = Vec::new();
    for (first, changes) in changes {
        for (class, begins) in changes {
            let count = active.entry(class).or_default();
            *count = if begins { *count + 1 } else { count.saturating_sub(1) };
        }
        active.retain(|_, count| *count > 0);
        found.push((first, active.keys().copied().collect()));
    }
    found
}

/// What a pattern can be found by.
type Keys = Vec<PatternKey>;

struct PatternKey {
    kind: Key,
    hash: u64,
    gram: Option<Gram>,
    /// Whether numbers have it.
    is_in_numbers: bool,
}

impl PatternKey {
    fn new(kind: Key, field: Field, text: &[u8]) -> Self {
        Self { kind, hash: KeyHash::of(kind, field, text).value(), gram: None, is_in_numbers: false }
    }

    fn of_gram(bytes: [u8; 3]) -> Self {
        let gram = bytes.into_iter().fold(Gram::default(), Gram::followed_by);
        let is_in_numbers = bytes.iter().all(u8::is_ascii_digit);
        Self { kind: Key::Gram, hash: KeyHash::of_gram(gram).value(), gram: Some(gram), is_in_numbers }
    }
}

/// Everything that each text which `glob` matches is looked up by.
fn keys(field: Field, glob: &Glob) -> Keys {
    if let [Token::Literal(text)] = &glob.tokens[..] {
        return vec![PatternKey::new(Key::Start, field, text)];
    }
    let mut found = Vec::new();
    found.extend(start_key(field, &glob.tokens));
    found.extend(end_key(field, &glob.tokens));
    for (at, token) in glob.tokens.iter().enumerate() {
        let Token::Literal(text) = token else { continue };
        // What follows whole components follows a slash, as every path starts with one; or is that slash itself.
        let follows_folders = field == Field::Path
            && at > 0
            && glob.tokens.get(at - 1) == Some(&Token::Folders)
            && text.first() != Some(&b'/');
        let text = if follows_folders { [b"/", &text[..]].concat() } else { text.clone() };
        let grams = text.windows(3).filter_map(|gram| gram.first_chunk());
        found.extend(grams.map(|gram| PatternKey::of_gram(*gram)));
    }
    found
}

fn start_key(field: Field, tokens: &[Token]) -> Option<PatternKey> {
    let start = match tokens {
        [Token::Literal(text), Token::Below] => &text[..],
        [Token::Below] => &[],
        [Token::Literal(text), ..] => {
            text.get(..text.iter().rposition(|byte| ends_start(field) == Some(*byte))?)?
        }
        _ => return None,
    };
    Some(PatternKey::new(Key::Start, field, start))
}

fn end_key(field: Field, tokens: &[Token]) -> Option<PatternKey> {
    let Some(Token::Literal(text)) = tokens.last() else {
        return None;
    };
    let begins = text.iter().enumerate().rev().filter(|(_, byte)| begins_end(field).contains(byte));
    let (at, _) = begins.take(MAX_ENDS).last()?;
    Some(PatternKey::new(Key::End, field, text.get(at..)?))
}

/// A table of `size` slots; `None` where some slot would be too far from where its hash points.
fn hash_table(slots: &[(u64, u32, u32)], size: usize) -> Option<Vec<u8>> {
    let mut table: Vec<Option<(u64, u32, u32)>> = vec![None; size];
    for slot in slots {
        let free = (0..MAX_PROBES)
            .map(|step| (slot.0 as usize).wrapping_add(step) & (size - 1))
            .find(|at| table[*at].is_none())?;
        table[free] = Some(*slot);
    }
    let mut bytes = Vec::with_capacity(size * SLOT_BYTES);
    for slot in table {
        let (hash, start, count) = slot.unwrap_or_default();
        bytes.extend(hash.to_le_bytes());
        bytes.extend(start.to_le_bytes());
        bytes.extend(count.to_le_bytes());
    }
    Some(bytes)
}

/// Texts, each once. The empty one is at 0.
struct Strings {
    bytes: Vec<u8>,
    places: HashMap<String, u32>,
}

impl Default for Strings {
    fn default() -> Self {
        Self { bytes: vec![0; 4], places: HashMap::from([(String::new(), 0)]) }
    }
}

impl Strings {
    fn place(&mut self, text: &str) -> u32 {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let place = self.bytes.len() as u32;
        self.bytes.extend((text.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(text.as_bytes());
        self.places.insert(text.to_owned(), place);
        place
    }
}

/// The sections as they fill.
struct Sections {
    sections: Vec<Vec<u8>>,
}

impl Default for Sections {
    fn default() -> Self {
        Self { sections: vec![Vec::new(); SECTIONS] }
    }
}

impl Sections {
    fn push(&mut self, section: Section, number: u32) {
        self.push_to(section as usize, number);
    }

    fn push_to(&mut self, section: usize, number: u32) {
        self.sections[section].extend(number.to_le_bytes());
    }

    fn pair(&mut self, section: Section, (first, second): (u32, u32)) {
        self.push(section, first);
        self.push(section, second);
    }

    /// How many numbers are in `section`.
    fn numbers(&self, section: Section) -> u32 {
        self.sections[section as usize].len() as u32 / 4
    }

    fn assembled(&self) -> Vec<u8> {
        let body = self.sections.concat();
        let mut at = (HEADER_BYTES + 8 * self.sections.len()) as u32;
        let mut table = Vec::new();
        for section in &self.sections {
            table.extend(at.to_le_bytes());
            table.extend((section.len() as u32).to_le_bytes());
            at += section.len() as u32;
        }
        let mut start = MAGIC.to_vec();
        start.extend(VERSION.to_le_bytes());
        start.extend((self.sections.len() as u32).to_le_bytes());
        start.extend(u64::from(at).to_le_bytes());
        let checks = [crc(&[&start, &table]), crc(&[&body])];
        start.extend(checks.iter().flat_map(|check| check.to_le_bytes()));
        start.extend(Sha256::digest(&body));
        [start, table, body].concat()
    }
}
