//! Patterns with `*`, `**`, `?` and `[…]`: as tokens on the side that writes policies, as bytes on the one that
//! matches them.
//!
//! ```text
//! *     any run of bytes, up to a separator        **/   any number of whole components, also none
//! ?     one character, not a separator             /**   at the end: the folder itself, and all below it
//! **    any run of bytes                           [a-z] [!a-z]   one character of a set
//! \*    the character itself                       {a,b}  either
//! ```

/// A pattern, parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Glob {
    /// As written.
    pub text: String,
    pub tokens: Vec<Token>,
}

/// One piece of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Token {
    Literal(Vec<u8>),
    /// `?`
    One,
    /// `*` where there is a separator to stop at.
    Run,
    /// `**`, and `*` where there is none.
    Any,
    /// `**/`
    Folders,
    /// `/**` at the end.
    Below,
    /// `[…]`, of ASCII characters.
    Set {
        is_negated: bool,
        ranges: Vec<(u8, u8)>,
    },
}

/// Numbers of tokens in the compiled form.
mod op {
    pub const LITERAL: u8 = 0;
    pub const ONE: u8 = 1;
    pub const RUN: u8 = 2;
    pub const ANY: u8 = 3;
    pub const FOLDERS: u8 = 4;
    pub const BELOW: u8 = 5;
    pub const SET: u8 = 6;
}

/// Most patterns that one text with braces may stand for.
const MAX_ALTERNATIVES: usize = 1000;

impl Glob {
    /// A pattern that matches `text` only.
    #[must_use]
    pub fn literal(text: &str) -> Self {
        let tokens =
            if text.is_empty() { Vec::new() } else { vec![Token::Literal(text.as_bytes().to_vec())] };
        Self { text: text.to_owned(), tokens }
    }

    /// The patterns that `text` stands for: one, or more where it has braces. `separator` stops `*` and `?`.
    ///
    /// # Errors
    /// What is wrong with it, in a few words.
    pub fn parse(text: &str, separator: Option<u8>) -> Result<Vec<Self>, String> {
        let alternatives = expand(text)?;
        alternatives
            .into_iter()
            .map(|alternative| {
                Ok(Self { tokens: tokens(alternative.as_bytes(), separator)?, text: text.to_owned() })
            })
            .collect()
    }

    /// The compiled form that [`matches`] reads.
    #[must_use]
    pub fn program(&self) -> Vec<u8> {
        let mut program = Vec::new();
        for token in &self.tokens {
            match token {
                Token::Literal(bytes) => {
                    for piece in bytes.chunks(255) {
                        program.extend([op::LITERAL, piece.len() as u8]);
                        program.extend_from_slice(piece);
                    }
                }
                Token::One => program.push(op::ONE),
                Token::Run => program.push(op::RUN),
                Token::Any => program.push(op::ANY),
                Token::Folders => program.push(op::FOLDERS),
                Token::Below => program.push(op::BELOW),
                Token::Set { is_negated, ranges } => {
                    let ranges = ranges.get(..ranges.len().min(255)).unwrap_or_default();
                    program.extend([op::SET, u8::from(*is_negated), ranges.len() as u8]);
                    program.extend(ranges.iter().flat_map(|(first, last)| [*first, *last]));
                }
            }
        }
        program
    }
}

/// `text` without braces: each of the texts that it stands for.
pub(super) fn expand(text: &str) -> Result<Vec<String>, String> {
    let mut done = Vec::new();
    let mut waiting = vec![text.to_owned()];
    while let Some(text) = waiting.pop() {
        match first_braces(&text)? {
            None => done.push(text),
            Some((start, end)) => {
                let (before, after) = (text.get(..start), text.get(end + 1..));
                let inner = text.get(start + 1..end).unwrap_or_default();
                for choice in choices(inner).into_iter().rev() {
                    waiting.push([before.unwrap_or_default(), choice, after.unwrap_or_default()].concat());
                }
            }
        }
        if done.len() + waiting.len() > MAX_ALTERNATIVES {
            return Err(format!("its braces stand for more than {MAX_ALTERNATIVES} patterns"));
        }
    }
    Ok(done)
}

/// Where the first `{` that is not escaped stands, and its `}`.
fn first_braces(text: &str) -> Result<Option<(usize, usize)>, String> {
    let (mut start, mut depth, mut is_escaped) = (None, 0, false);
    for (at, byte) in text.bytes().enumerate() {
        if std::mem::take(&mut is_escaped) {
            continue;
        }
        match byte {
            b'\\' => is_escaped = true,
            b'{' => {
                start.get_or_insert(at);
                depth += 1;
            }
            b'}' if depth > 0 => {
                depth -= 1;
                if let (0, Some(start)) = (depth, start) {
                    return Ok(Some((start, at)));
                }
            }
            _ => {}
        }
    }
    if start.is_some() { Err("a `{` has no `}`".to_owned()) } else { Ok(None) }
}

/// The alternatives between braces; braces within them stay.
fn choices(inner: &str) -> Vec<&str> {
    let (mut found, mut depth, mut from) = (Vec::new(), 0, 0);
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            b',' if depth == 0 => {
                found.extend(inner.get(from..at));
                from = at + 1;
            }
            _ => {}
        }
    }
    found.extend(inner.get(from..));
    found
}

fn tokens(text: &[u8], separator: Option<u8>) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        let starts_component = at == 0 || separator.is_some_and(|byte| text.get(at - 1) == Some(&byte));
        let (token, length) = match (byte, separator) {
            (b'/', Some(b'/')) if rest == b"/**" => (Token::Below, 3),
            (b'*', Some(b'/')) if rest.starts_with(b"**/") && starts_component => (Token::Folders, 3),
            (b'*', _) if rest.starts_with(b"**") => (Token::Any, 2),
            (b'*', None) => (Token::Any, 1),
            (b'*', Some(_)) => (Token::Run, 1),
            (b'?', _) => (Token::One, 1),
            (b'[', _) => set(rest)?,
            (b'\\', _) => match rest.get(1) {
                Some(byte) => (Token::Literal(vec![*byte]), 2),
                None => return Err("a `\\` stands at its end".to_owned()),
            },
            (byte, _) => (Token::Literal(vec![*byte]), 1),
        };
        push(&mut tokens, token);
        at += length;
    }
    Ok(tokens)
}

/// Adds `token`, joined to the one before where both are literal or mean the same.
fn push(tokens: &mut Vec<Token>, token: Token) {
    match (tokens.last_mut(), token) {
        (Some(Token::Literal(before)), Token::Literal(bytes)) => before.extend(bytes),
        (Some(Token::Any), Token::Any | Token::Run) | (Some(Token::Run), Token::Run) => {}
        (_, token) => tokens.push(token),
    }
}

/// The set that `text` starts with, and its length.
fn set(text: &[u8]) -> Result<(Token, usize), String> {
    let is_negated = matches!(text.get(1), Some(b'!' | b'^'));
    let start = if is_negated { 2 } else { 1 };
    // A `]` that comes first is one of the set.
    let end = text.iter().skip(start + 1).position(|byte| *byte == b']').map(|found| found + start + 1);
    let Some(members) = end.and_then(|end| text.get(start..end)) else {
        return Err("a `[` has no `]`".to_owned());
    };
    if !members.is_ascii() {
        return Err("a set in `[…]` may hold ASCII characters only".to_owned());
    }
    let mut ranges = Vec::new();
    let mut at = 0;
    while let Some(first) = members.get(at) {
        match (members.get(at + 1), members.get(at + 2)) {
            (Some(b'-'), Some(last)) if first <= last => {
                ranges.push((*first, *last));
                at += 3;
            }
            (Some(b'-'), Some(_)) => return Err("a range in `[…]` runs backwards".to_owned()),
            _ => {
                ranges.push((*first, *first));
                at += 1;
            }
        }
    }
    Ok((Token::Set { is_negated, ranges }, end.unwrap_or(0) + 1))
}

/// One token of a program, and where the next one starts.
enum Step<'a> {
    Literal(&'a [u8]),
    One,
    Run,
    Any,
    Folders,
    Below,
    Set(bool, &'a [u8]),
    End,
    /// Not the bytes that [`Glob::program`] makes.
    Broken,
}

fn step(program: &[u8], at: usize) -> (Step<'_>, usize) {
    let Some(code) = program.get(at) else {
        return (Step::End, at);
    };
    match *code {
        op::LITERAL => {
            let length = program.get(at + 1).map_or(0, |length| usize::from(*length));
            match program.get(at + 2..at + 2 + length) {
                Some(bytes) => (Step::Literal(bytes), at + 2 + length),
                None => (Step::Broken, at),
            }
        }
        op::ONE => (Step::One, at + 1),
        op::RUN => (Step::Run, at + 1),
        op::ANY => (Step::Any, at + 1),
        op::FOLDERS => (Step::Folders, at + 1),
        op::BELOW => (Step::Below, at + 1),
        op::SET => {
            let is_negated = program.get(at + 1) == Some(&1);
            let length = program.get(at + 2).map_or(0, |pairs| 2 * usize::from(*pairs));
            match program.get(at + 3..at + 3 + length) {
                Some(ranges) => (Step::Set(is_negated, ranges), at + 3 + length),
                None => (Step::Broken, at),
            }
        }
        _ => (Step::Broken, at),
    }
}

/// Whether the compiled pattern `program` matches the whole of `text`. `separator` is the one it was parsed with;
/// `folds` makes ASCII letters equal in both cases. Never panics, and takes at most quadratic time.
#[must_use]
pub fn matches(program: &[u8], text: &[u8], separator: Option<u8>, folds: bool) -> bool {
    let is_separator = |byte: u8| separator == Some(byte);
    let (mut next, mut at) = (0, 0);
    // Where to go on after a mismatch: the last run may take a byte more, or else the last free run may.
    let mut run: Option<(usize, usize)> = None;
    let mut free: Option<(usize, usize, bool)> = None;
    loop {
        let (token, after) = step(program, next);
        let rest = text.get(at..).unwrap_or_default();
        let taken = match token {
            Step::Literal(bytes) => starts_with(rest, bytes, folds).then_some(bytes.len()),
            Step::One => one(rest).filter(|_| rest.first().is_some_and(|byte| !is_separator(*byte))),
            Step::Set(is_negated, ranges) => rest
                .first()
                .filter(|byte| !is_separator(**byte) && in_ranges(**byte, ranges, folds) != is_negated)
                .and_then(|_| one(rest)),
            Step::Run => {
                run = Some((after, at));
                Some(0)
            }
            Step::Any | Step::Folders => {
                free = Some((after, at, matches!(token, Step::Folders)));
                run = None;
                Some(0)
            }
            Step::Below if rest.is_empty() || rest.first() == Some(&b'/') => return true,
            Step::End if rest.is_empty() => return true,
            Step::Broken => return false,
            Step::Below | Step::End => None,
        };
        if let Some(taken) = taken {
            (next, at) = (after, at + taken);
            continue;
        }
        if let Some((after, from)) = run
            && text.get(from).is_some_and(|byte| !is_separator(*byte))
        {
            run = Some((after, from + 1));
            (next, at) = (after, from + 1);
            continue;
        }
        let Some((after, from, is_folders)) = free else {
            return false;
        };
        let Some(from) = retry(text, from, is_folders) else {
            return false;
        };
        (run, free) = (None, Some((after, from, is_folders)));
        (next, at) = (after, from);
    }
}

/// Where a free run that ended at `from` may end next.
fn retry(text: &[u8], from: usize, is_folders: bool) -> Option<usize> {
    let rest = text.get(from..).filter(|rest| !rest.is_empty())?;
    if is_folders { memchr::memchr(b'/', rest).map(|slash| from + slash + 1) } else { Some(from + 1) }
}

fn starts_with(text: &[u8], bytes: &[u8], folds: bool) -> bool {
    text.get(..bytes.len())
        .is_some_and(|start| if folds { start.eq_ignore_ascii_case(bytes) } else { start == bytes })
}

/// Bytes of the first character.
fn one(text: &[u8]) -> Option<usize> {
    let first = *text.first()?;
    let length = match first {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return Some(1),
    };
    let is_whole = text.get(1..length).is_some_and(|rest| rest.iter().all(|byte| byte & 0xC0 == 0x80));
    Some(if is_whole { length } else { 1 })
}

fn in_ranges(byte: u8, ranges: &[u8], folds: bool) -> bool {
    let is_in = |byte: u8| {
        ranges.chunks_exact(2).any(|pair| matches!(pair, [first, last] if (*first..=*last).contains(&byte)))
    };
    is_in(byte) || folds && (is_in(byte.to_ascii_lowercase()) || is_in(byte.to_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(pattern: &str, text: &str) -> bool {
        let globs = Glob::parse(pattern, Some(b'/')).unwrap();
        globs.iter().any(|glob| matches(&glob.program(), text.as_bytes(), Some(b'/'), false))
    }

    #[test]
    fn a_path_pattern_matches_what_people_expect() {
        for (pattern, text, expected) in [
            ("/data/hr/**", "/data/hr", true),
            ("/data/hr/**", "/data/hr/", true),
            ("/data/hr/**", "/data/hr/x/y.csv", true),
            ("/data/hr/**", "/data/hrx", false),
            ("/data/*.csv", "/data/x.csv", true),
            ("/data/*.csv", "/data/a/x.csv", false),
            ("/data/**/*.csv", "/data/x.csv", true),
            ("/data/**/*.csv", "/data/a/b/x.csv", true),
            ("/data/**/b/**", "/data/a/b", true),
            ("/data/**/b/**", "/data/ab/c", false),
            ("**/.ssh/**", "/home/ann/.ssh/id_rsa", true),
            ("**/.ssh/**", "/home/ann/.sshx/id_rsa", false),
            ("**/*.parquet", "/a.parquet", true),
            ("/data/report-??.csv", "/data/report-07.csv", true),
            ("/data/report-??.csv", "/data/report-é7.csv", true),
            ("/data/report-??.csv", "/data/report-7.csv", false),
            ("/data/?/x", "/data///x", false),
            ("/data/[a-c]x", "/data/bx", true),
            ("/data/[!a-c]x", "/data/bx", false),
            ("/data/[!a-c]x", "/data//x", false),
            ("/data/{a,b{1,2}}.csv", "/data/b2.csv", true),
            ("/data/{a,b{1,2}}.csv", "/data/b.csv", false),
            ("/data/\\*", "/data/*", true),
            ("/data/\\*", "/data/x", false),
            ("**", "/anything/at\nall", true),
            ("/**", "/anything", true),
            ("/a*b*c/d", "/aXbXbXc/d", true),
            ("/a*b*c/d", "/aXb/Xc/d", false),
            ("", "", true),
        ] {
            assert_eq!(path(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn without_a_separator_a_star_is_any_run() {
        let glob = Glob::parse("pip install *", None).unwrap();
        assert!(matches(&glob[0].program(), b"pip install /a/b c", None, false));
        assert!(!matches(&glob[0].program(), b"pip download x", None, false));
    }

    #[test]
    fn letters_fold_where_the_file_system_does() {
        let program = Glob::parse("/Data/[a-c]*.CSV", Some(b'/')).unwrap()[0].program();
        assert!(matches(&program, b"/dATA/Bx.csv", Some(b'/'), true));
        assert!(!matches(&program, b"/dATA/Bx.csv", Some(b'/'), false));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for pattern in [
            "/a/[x",
            "/a/{b",
            "/a\\",
            "/[z-a]",
            "{0,1,2,3,4,5,6,7,8,9}{0,1,2,3,4,5,6,7,8,9}{0,1,2,3,4,5,6,7,8,9}{0,1}",
        ] {
            assert!(Glob::parse(pattern, Some(b'/')).is_err(), "{pattern}");
        }
    }

    /// The meaning of a pattern, as slowly and plainly as it can be said.
    fn means(tokens: &[Token], text: &[u8]) -> bool {
        let Some((token, others)) = tokens.split_first() else {
            return text.is_empty();
        };
        match token {
            Token::Literal(bytes) => text.strip_prefix(&bytes[..]).is_some_and(|rest| means(others, rest)),
            Token::One => text.first().is_some_and(|byte| *byte != b'/') && means(others, &text[1..]),
            Token::Set { is_negated, ranges } => text.first().is_some_and(|byte| {
                *byte != b'/'
                    && ranges.iter().any(|(first, last)| (first..=last).contains(&byte)) != *is_negated
                    && means(others, &text[1..])
            }),
            Token::Run => (0..=text.len())
                .take_while(|end| !text[..*end].contains(&b'/'))
                .any(|end| means(others, &text[end..])),
            Token::Any => (0..=text.len()).any(|end| means(others, &text[end..])),
            Token::Folders => (0..=text.len())
                .filter(|end| *end == 0 || text[*end - 1] == b'/')
                .any(|end| means(others, &text[end..])),
            Token::Below => others.is_empty() && (text.is_empty() || text[0] == b'/'),
        }
    }

    proptest! {
        #[test]
        fn matching_is_what_the_pattern_means(pattern in r"[ab/*?]{0,10}", text in "[ab/]{0,12}") {
            let glob = &Glob::parse(&pattern, Some(b'/')).unwrap()[0];
            let found = matches(&glob.program(), text.as_bytes(), Some(b'/'), false);
            prop_assert_eq!(found, means(&glob.tokens, text.as_bytes()), "{:?}", glob.tokens);
        }

        #[test]
        fn any_bytes_are_matched_without_harm(program: Vec<u8>, text: Vec<u8>) {
            let _ = matches(&program, &text, Some(b'/'), true);
        }
    }
}
