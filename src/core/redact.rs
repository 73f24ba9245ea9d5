//! What must not be stored: passwords, tokens, keys. Pure functions on bytes, called where a record is built.
//!
//! A secret is known by the name before it (`password=…`), by its own shape (`ghp_…`), or by where it stands
//! (`://user:…@`). It becomes `***`; its name stays. Looking costs one pass over the text, and text without
//! anything to look at, as nearly all paths are, is known by its letters alone.
//!
//! Not promised: a secret without a name and of no known shape, or one that was encoded or put together.

use std::borrow::Cow;
use std::ops::Range;

/// What stands for a secret.
const MASK: &[u8] = b"***";
/// How far beyond a cut is looked, so that no half of a secret is left before it.
const LOOKAHEAD: usize = 1024;
/// The shortest secret that is known by its shape alone.
const MIN_SHAPE: usize = 20;
/// Longer names are not looked at further.
const MAX_NAME: usize = 64;

/// `text` with its secrets masked; borrowed where there are none.
#[must_use]
pub fn redacted(text: &[u8]) -> Cow<'_, [u8]> {
    until(text, usize::MAX)
}

/// The first `length` bytes of `text` with their secrets masked, also one that goes on beyond.
#[must_use]
pub fn until(text: &[u8], length: usize) -> Cow<'_, [u8]> {
    let kept = text.get(..length).unwrap_or(text);
    let seen = text.get(..length.saturating_add(LOOKAHEAD)).unwrap_or(text);
    if is_plain(seen) {
        return Cow::Borrowed(kept);
    }
    let mut result = masked(kept, Scan::new(seen).masks());
    // What is left may read differently without what was masked. Real text is stable at once.
    for _ in 0..4 {
        let Cow::Owned(text) = &result else { break };
        let Cow::Owned(again) = masked(text, Scan::new(text).masks()) else { break };
        if again == *text {
            break;
        }
        result = Cow::Owned(again);
    }
    result
}

/// [`until`], and marked where it was cut.
#[must_use]
pub fn cut(text: &[u8], length: usize) -> Cow<'_, [u8]> {
    let kept = until(text, length);
    if text.len() > length { Cow::Owned([&kept, "…".as_bytes()].concat()) } else { kept }
}

/// Masks the secrets of a command line, argument by argument: also those in an argument of their own.
#[derive(Default)]
pub struct Command<'a> {
    before: Cow<'a, [u8]>,
    tool: Tool,
}

impl<'a> Command<'a> {
    /// The next argument with its secrets masked, not longer than `length`, and marked where it was cut.
    pub fn next(&mut self, argument: Cow<'a, [u8]>, length: usize) -> Cow<'a, [u8]> {
        let secret = argument_secret(&self.before, &argument, self.tool);
        self.tool = Tool::named(&argument).unwrap_or(self.tool);
        self.before = argument.clone();
        let stored = match secret {
            Some(secret) if argument.len() <= length => masked(&argument, vec![secret]),
            Some(secret) => {
                Cow::Owned([argument.get(..secret.start.min(length)).unwrap_or_default(), MASK].concat())
            }
            None => cut(&argument, length),
        };
        let changed = match stored {
            Cow::Borrowed(_) => None,
            Cow::Owned(stored) => Some(stored),
        };
        changed.map_or(argument, Cow::Owned)
    }
}

fn masked(text: &[u8], masks: Vec<Range<usize>>) -> Cow<'_, [u8]> {
    if masks.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut result = Vec::with_capacity(text.len());
    let mut at = 0;
    for mask in masks {
        if mask.start >= text.len() {
            break;
        }
        result.extend_from_slice(text.get(at..mask.start).unwrap_or_default());
        result.extend_from_slice(MASK);
        at = mask.end;
    }
    result.extend_from_slice(text.get(at..).unwrap_or_default());
    Cow::Owned(result)
}

/// Set in [`CLASSES`] for the letters of a word.
const WORD: u8 = 1;

#[expect(clippy::indexing_slicing, reason = "checked when it is compiled")]
static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let letter = byte as u8;
        if letter.is_ascii_alphanumeric() || matches!(letter, b'_' | b'-' | b'.') {
            classes[byte] = WORD;
        }
        byte += 1;
    }
    classes
};

fn class(byte: u8) -> u8 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(0)
}

/// Whether nothing in `text` can be a secret: no name with a value, and no word as long as a key.
fn is_plain(text: &[u8]) -> bool {
    memchr::memchr3(b'=', b':', b'%', text).is_none()
        && memchr::memchr3(b' ', b'\t', b'\n', text).is_none()
        && !has_long_word(text)
}

/// Whether there is a word as long as a key. Looks at where it would end first, so that it skips most bytes.
fn has_long_word(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(window) = rest.get(..MIN_SHAPE) {
        let Some(gap) = window.iter().rposition(|byte| class(*byte) != WORD) else {
            return true;
        };
        rest = rest.get(gap + 1..).unwrap_or_default();
    }
    false
}

/// One pass over a text.
struct Scan<'t> {
    text: &'t [u8],
    /// In a path a value ends with its component.
    is_path: bool,
    /// Where the last secret ended: nothing before it is a name for what comes.
    floor: usize,
}

impl<'t> Scan<'t> {
    fn new(text: &'t [u8]) -> Self {
        let is_path = text.first() == Some(&b'/') && memchr::memmem::find(text, b"://").is_none();
        Self { text, is_path, floor: 0 }
    }

    fn masks(mut self) -> Vec<Range<usize>> {
        let mut masks = Vec::new();
        let mut tool = Tool::None;
        let mut at = 0;
        while at < self.text.len() {
            let is_start = at == self.floor || !self.byte(at - 1).is_ascii_alphanumeric();
            let found = match self.byte(at) {
                b'=' => self.assigned(at, at + 1),
                b'%' if self.is_at(at, b"%3D") => self.assigned(at, at + 3),
                b':' if self.is_at(at, b"://") => self.user(at + 3).or_else(|| self.webhook(at + 3)),
                // A URL that was opened as a file, whose two slashes are one.
                b':' if self.is_path && self.is_at(at, b":/") => {
                    self.user(at + 2).or_else(|| self.webhook(at + 2))
                }
                b':' => self.header(at),
                b' ' | b'\t' | b'\n' => {
                    let (known, secret) = self.in_command(at, tool);
                    tool = known;
                    secret.or_else(|| if self.byte(at) == b' ' { self.option(at) } else { None })
                }
                b'-' if self.is_at(at, b"-----BEGIN ") => self.private_key(at),
                byte if is_start && byte.is_ascii_alphanumeric() => self.shape(at),
                _ => None,
            };
            match found {
                Some(mask) if !mask.is_empty() => {
                    at = mask.end;
                    self.floor = at;
                    masks.push(mask);
                }
                _ => at += 1,
            }
        }
        masks
    }

    fn byte(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(0)
    }

    fn from(&self, at: usize) -> &'t [u8] {
        self.text.get(at..).unwrap_or_default()
    }

    fn slice(&self, range: Range<usize>) -> &'t [u8] {
        self.text.get(range).unwrap_or_default()
    }

    fn is_at(&self, at: usize, word: &[u8]) -> bool {
        self.text.get(at..at + word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word))
    }

    /// From `at` to the first byte that `ends`, or the end of the text.
    fn end(&self, at: usize, ends: impl Fn(u8) -> bool) -> usize {
        self.from(at).iter().position(|byte| ends(*byte)).map_or(self.text.len(), |length| at + length)
    }

    fn skip(&self, at: usize, most: usize, is_skipped: impl Fn(u8) -> bool) -> usize {
        at + self.from(at).iter().take(most).take_while(|byte| is_skipped(**byte)).count()
    }

    /// The name that ends before `at`, where a separator stands.
    fn name_before(&self, at: usize) -> Range<usize> {
        let back = |mut end: usize, most: usize, is_skipped: &dyn Fn(u8) -> bool| {
            let start = end.saturating_sub(most).max(self.floor);
            while end > start && is_skipped(self.byte(end - 1)) {
                end -= 1;
            }
            end
        };
        let end = back(at, 3, &|byte| byte == b' ');
        let end = back(end, 4, &|byte| matches!(byte, b'"' | b'\'' | b']' | b'\\'));
        back(end, MAX_NAME, &|byte| class(byte) == WORD)..end
    }

    /// `name=value`, where `name` tells that the value is a secret, or the value of a query looks like one.
    fn assigned(&self, at: usize, value: usize) -> Option<Range<usize>> {
        let name = self.name_before(at);
        let value = if matches!(self.byte(value), b'=' | b'>') { value + 1 } else { value }; // `==`, `=>`
        match Name::of(self.slice(name.clone())) {
            // A component of a path is a value of its own: `s3://bucket/key=1/part.csv`.
            Some(known) if name.start > self.floor && self.byte(name.start - 1) == b'/' => {
                Self { is_path: true, ..*self }.value(known, value)
            }
            Some(known) => self.value(known, value),
            None if name.start > self.floor && matches!(self.byte(name.start - 1), b'?' | b'&') => {
                let end = self.end(value, |byte| matches!(byte, b'&' | b'#') || is_gap(byte));
                looks_random(self.slice(value..end)).then_some(value..end)
            }
            None => None,
        }
    }

    /// `Authorization: value`, `"password": "value"`, `password:value`.
    fn header(&self, at: usize) -> Option<Range<usize>> {
        let name = self.name_before(at);
        let known = Name::of(self.slice(name.clone()))?;
        let is_quoted = name.end < at;
        let is_spaced = matches!(self.byte(at + 1), b' ' | b'\t' | b'"' | b'\'') || is_quoted;
        let start = self.skip(at + 1, 3, |byte| byte == b' ');
        // `input('Password: ')`: the text that the name is in ends here.
        if !is_quoted
            && name.start > 0
            && is_quote(self.byte(start))
            && self.byte(name.start - 1) == self.byte(start)
        {
            return None;
        }
        if known == Name::Header && !is_quoted {
            let start = start + usize::from(is_quote(self.byte(start)));
            let end = self.end(start, |byte| is_quote(byte) || matches!(byte, b'\r' | b'\n'));
            let start = start + self.scheme(start).unwrap_or(0);
            return known.hides(self.slice(start..end)).then_some(start..end);
        }
        if known == Name::Header && !is_quote(self.byte(self.skip(start, 1, |byte| byte == b'f'))) {
            return None; // a variable
        }
        let is_port = || self.from(at + 1).iter().take_while(|byte| !is_gap(**byte)).all(u8::is_ascii_digit);
        match known {
            _ if is_spaced => self.value(known, at + 1),
            Name::Password if self.byte(at + 1) != b'/' && !is_port() => self.value(known, at + 1),
            _ => None,
        }
    }

    /// ` --password value`: the gap at `at` is before the value.
    fn option(&self, at: usize) -> Option<Range<usize>> {
        let name = self.name_before(at);
        let known = Name::of_option(self.slice(name))?;
        (self.byte(at + 1) != b'-').then(|| self.value(known, at + 1))?
    }

    /// Length of a word that says how a secret is used, with the gap after it.
    fn scheme(&self, at: usize) -> Option<usize> {
        const SCHEMES: [&[u8]; 8] =
            [b"bearer ", b"basic ", b"token ", b"digest ", b"apikey ", b"negotiate ", b"bot ", b"key "];
        SCHEMES.into_iter().find(|scheme| self.is_at(at, scheme)).map(<[u8]>::len)
    }

    /// The secret that starts at or soon after `at`; `None` where it is a word, a reference or code.
    fn value(&self, name: Name, at: usize) -> Option<Range<usize>> {
        let at = self.skip(at, 3, |byte| byte == b' ');
        let quote = self.skip(at, 2, |byte| matches!(byte, b'b' | b'r' | b'f' | b'u' | b'\\'));
        if matches!(self.byte(quote), b'"' | b'\'') {
            return self.quoted(name, quote);
        }
        if matches!(self.byte(at), b'(' | b'[' | b'{') {
            // The first text in it is not far, or it is code.
            let start = self.slice(self.group(at, at + MAX_NAME));
            return start.iter().any(|byte| is_quote(*byte)).then(|| self.group(at, usize::MAX));
        }
        let start = at + self.scheme(at).unwrap_or(0);
        if let Some(open) = called(self.slice(start..self.text.len().min(start + MAX_NAME))) {
            // `auth=HTTPBasicAuth("ann", "…")`; all else that is called or looked up is no secret itself.
            return if name == Name::Auth { self.value(name, start + open) } else { None };
        }
        let mut end = self.end(start, |byte| is_end(byte) || (self.is_path && byte == b'/'));
        if let Some(encoded) = self.slice(start..end).windows(3).position(|three| three == b"%26") {
            end = start + encoded;
        }
        while end > start && matches!(self.byte(end - 1), b')' | b']' | b'}' | b',' | b'\\') {
            end -= 1;
        }
        let value = self.slice(start..end);
        name.hides(value).then_some(start..end)
    }

    /// The inside of the quotes that start at `quote`.
    fn quoted(&self, name: Name, quote: usize) -> Option<Range<usize>> {
        let mark = self.byte(quote);
        let width = self.skip(quote, 3, |byte| byte == mark);
        let start = if width - quote == 3 { width } else { quote + 1 };
        let mut end = start;
        let is_escaped = quote > 0 && self.byte(quote - 1) == b'\\';
        while end < self.text.len() && self.byte(end) != mark {
            // Within a text that is itself quoted, the closing quote is the escaped one.
            let closes = is_escaped && self.byte(end + 1) == mark;
            if self.byte(end) == b'\\' && closes {
                break;
            }
            end += if self.byte(end) == b'\\' { 2 } else { 1 };
        }
        let end = end.min(self.text.len());
        let start = start + self.scheme(start).unwrap_or(0);
        (start < end && name.hides(self.slice(start..end))).then_some(start..end)
    }

    /// What is between an opening bracket and the one that closes it, not looking at those in quotes.
    /// Looks no further than `last`.
    fn group(&self, open: usize, last: usize) -> Range<usize> {
        let last = self.text.len().min(last);
        let (mut depth, mut quote, mut at) = (0_u32, 0, open);
        while at < last {
            let byte = self.byte(at);
            match byte {
                b'\\' if quote != 0 => at += 1,
                _ if quote != 0 => quote = if byte == quote { 0 } else { quote },
                b'"' | b'\'' => quote = byte,
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            at += 1;
        }
        open + 1..at.min(last)
    }

    /// The password in `user:password@host`, and a user that is no name but a key.
    fn user(&self, start: usize) -> Option<Range<usize>> {
        let authority = self.end(start, |byte| matches!(byte, b'/' | b'?' | b'#') || is_gap(byte));
        let at_sign =
            |end| self.slice(start..end).iter().rposition(|byte| *byte == b'@').map(|at| start + at);
        let colon =
            |end| self.slice(start..end).iter().position(|byte| *byte == b':').map(|at| start + at + 1);
        if let Some(at) = at_sign(authority) {
            return match colon(at) {
                Some(password) if password - start <= MIN_SHAPE => Some(password..at),
                _ if at - start >= MIN_SHAPE => Some(start..at),
                _ => None,
            };
        }
        // A password with a slash in it: what stands before is no host and port.
        let password = colon(authority)?;
        let is_host =
            self.slice(password..authority).iter().all(u8::is_ascii_digit) || self.byte(start) == b'[';
        if is_host {
            return None;
        }
        let window = self.slice(password..self.text.len().min(password + 256));
        let end = window.iter().position(|byte| is_gap(*byte)).unwrap_or(window.len());
        Some(password..at_sign(password + end)?).filter(|found| found.start < found.end)
    }

    /// The path of a web hook, which is all that it takes to use it.
    fn webhook(&self, start: usize) -> Option<Range<usize>> {
        const HOOKS: [(&[u8], &[u8]); 6] = [
            (b"hooks.slack.com", b"/services/"),
            (b"hooks.slack.com", b"/workflows/"),
            (b"discord.com", b"/api/webhooks/"),
            (b"discordapp.com", b"/api/webhooks/"),
            (b"api.telegram.org", b"/bot"),
            (b"webhook.office.com", b"/webhookb2/"),
        ];
        let path = self.end(start, |byte| byte == b'/' || is_gap(byte));
        let host = self.slice(start..path);
        let (_, prefix) = HOOKS.into_iter().find(|(name, prefix)| {
            host.len() >= name.len()
                && host.get(host.len() - name.len()..).is_some_and(|end| end.eq_ignore_ascii_case(name))
                && self.is_at(path, prefix)
        })?;
        let secret = path + prefix.len();
        let is_bot = prefix == b"/bot";
        Some(secret..self.end(secret, |byte| is_gap(byte) || (is_bot && byte == b'/')))
    }

    /// What stands between the lines of a private key.
    fn private_key(&self, at: usize) -> Option<Range<usize>> {
        let label = at + b"-----BEGIN ".len();
        let end = label + self.from(label).iter().take(MAX_NAME).position(|byte| *byte == b'-')?;
        let is_private = self.slice(label..end).windows(11).any(|word| word == b"PRIVATE KEY");
        let start = self.skip(end, 5, |byte| byte == b'-');
        let close =
            memchr::memmem::find(self.from(start), b"-----END").map_or(self.text.len(), |at| start + at);
        (is_private && start < close).then_some(start..close)
    }

    /// A well-known key that starts at `at`.
    fn shape(&self, at: usize) -> Option<Range<usize>> {
        let rest = self.from(at);
        let [first, second, third, ..] = rest else { return None };
        // Few words start like a key; this is asked of each word.
        if !matches!(
            [first, second, third],
            [b'A', b'K' | b'S' | b'B', b'I']
                | [b'A', b'R', b'O']
                | [b'A', b'C', b'C']
                | [b'A', b'I', b'z']
                | [b'B' | b'b', b'E' | b'e', b'A' | b'a']
                | [b'G', b'O', b'C']
                | [b'N', b'R', b'A']
                | [b'S', b'G', b'.']
                | [b'd', b'a' | b'o', b'p']
                | [b'e', b'y', b'J']
                | [b'g', b'h' | b'i' | b'l' | b's', _]
                | [b'h', b'f', b'_']
                | [b'h', b'v', b's']
                | [b'l', b'i', b'n']
                | [b'n', b'p', b'm']
                | [b'p', b'y', b'p']
                | [b'r', b'8' | b'k', b'_']
                | [b's', b'k', b'-' | b'_']
                | [b's', b'h', b'p']
                | [b't', b'v', b'l']
                | [b'w', b'h', b's']
                | [b'x', b'o', b'x']
                | [b'x', b'a', b'p' | b'i']
                | [b'y', b'a', b'2']
        ) {
            return None;
        }
        if self.is_at(at, b"bearer ") {
            let start = at + b"bearer ".len();
            let end = self.end(start, |byte| is_end(byte) || byte == b',');
            let is_key = end - start >= MIN_SHAPE || self.slice(start..end).iter().any(u8::is_ascii_digit);
            return (is_key && end - start >= 8).then_some(start..end);
        }
        SHAPES.iter().find_map(|shape| shape.length(rest)).map(|length| at..at + length)
    }

    /// What the tools that take a password as `-pPASSWORD` and the like are given; `at` is a gap between words.
    fn in_command(&self, at: usize, tool: Tool) -> (Tool, Option<Range<usize>>) {
        let word = |at: usize| at..self.end(at, |byte| byte.is_ascii_whitespace());
        let start = at.saturating_sub(MAX_NAME).max(self.floor);
        let before = self
            .slice(start..at)
            .iter()
            .rposition(u8::is_ascii_whitespace)
            .map_or(start, |gap| start + gap + 1);
        let before = self.slice(before..at);
        let tool = match before {
            b"|" | b"||" | b"&&" | b"&" => Tool::None,
            _ if before.ends_with(b";") => Tool::None,
            _ => Tool::named(before).unwrap_or(tool),
        };
        let next = word(at + 1);
        let secret = tool.secret(before, trimmed(self.slice(next.clone())));
        (tool, secret.map(|secret| next.start + secret.start..next.start + secret.end))
    }
}

/// A word of code without the quotes and brackets that end it.
fn trimmed(word: &[u8]) -> &[u8] {
    let end = word.iter().rposition(|byte| !matches!(byte, b'"' | b'\'' | b')' | b',' | b']' | b';'));
    word.get(..end.map_or(0, |end| end + 1)).unwrap_or_default()
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'')
}

fn is_gap(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>')
}

fn is_end(byte: u8) -> bool {
    is_gap(byte) || matches!(byte, b'&' | b';' | b'|')
}

/// Where the bracket is in `name.name(…`, `name[…`: code, and no secret.
fn called(value: &[u8]) -> Option<usize> {
    let open = value.iter().position(|byte| matches!(byte, b'(' | b'['))?;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    let starts = value.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
    (starts && value.get(..open)?.iter().all(is_name)).then_some(open)
}

/// What a name says of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    /// A secret whatever it looks like.
    Password,
    /// A secret, or where one is kept.
    Token,
    /// As [`Name::Token`]; in code also a pair or a call.
    Auth,
    /// A whole line of HTTP.
    Header,
    /// `key`: a secret if it looks like one.
    Key,
}

impl Name {
    fn of(name: &[u8]) -> Option<Self> {
        // What these end with, whatever stands before.
        const PASSWORDS: &str = "password passwd passphrase sshpass";
        const TOKENS: &str = "secret secretkey token apikey accesskey accountkey privatekey sharedaccesskey \
            secretaccesskey authkey";
        // What these end with as a word of its own.
        const PASSWORD_WORDS: &str = "pass passcode";
        const TOKEN_WORDS: &str = "pwd credential credentials signature sig jwt bearer sessionid session_id otp \
            sharedaccesssignature";
        const HEADERS: &str = "authorization proxy-authorization cookie set-cookie";
        let digits = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let name = name.get(..name.len() - digits)?;
        // Few names end like one of these; this is asked of each name.
        let end: [u8; 3] = std::array::from_fn(|at| {
            name.len().checked_sub(3 - at).and_then(|at| name.get(at)).map_or(0, u8::to_ascii_lowercase)
        });
        const ENDS: [&[u8; 3]; 21] = [
            b"ord", b"swd", b"ase", b"ass", b"ret", b"key", b"ken", b"ode", b"pwd", b"ial", b"als", b"ure",
            b"sig", b"jwt", b"rer", b"nid", b"_id", b"otp", b"ion", b"kie", b"uth",
        ];
        if !ENDS.contains(&&end) {
            return None;
        }
        let ends = |words: &str| words.split(' ').any(|word| ends_with(name, word.as_bytes()));
        let ends_in_word = |words: &str| words.split(' ').any(|word| ends_with_word(name, word.as_bytes()));
        if ends(PASSWORDS) || ends_in_word(PASSWORD_WORDS) {
            Some(Self::Password)
        } else if ends(TOKENS) || ends_in_word(TOKEN_WORDS) {
            Some(Self::Token)
        } else if ends_in_word(HEADERS) {
            Some(Self::Header)
        } else if ends_in_word("auth oauth") {
            Some(Self::Auth)
        } else {
            Self::of_key(name)
        }
    }

    /// `api_key`, `X-Functions-Key`, `accessKey`: a key by the word before.
    fn of_key(name: &[u8]) -> Option<Self> {
        const WHOSE: &str = "api access secret private account auth encryption signing master session storage \
            subscription functions function shared license service consumer app client hmac aes \
            deploy admin";
        if !ends_with_word(name, b"key") {
            return None;
        }
        let whose = name.get(..name.len() - 3)?;
        let whose = whose.strip_suffix(b"_").or_else(|| whose.strip_suffix(b"-")).unwrap_or(whose);
        if WHOSE.split(' ').any(|word| ends_with_word(whose, word.as_bytes())) {
            Some(Self::Token)
        } else {
            whose.iter().all(|byte| *byte == b'-').then_some(Self::Key)
        }
    }

    /// The name of an option that takes a secret: `--password`.
    fn of_option(word: &[u8]) -> Option<Self> {
        word.strip_prefix(b"-").filter(|name| name.iter().all(|byte| class(*byte) == WORD)).and_then(Self::of)
    }

    /// Whether `value` is hidden.
    fn hides(self, value: &[u8]) -> bool {
        if value.is_empty() || is_reference(value) || is_word(value) {
            return false;
        }
        let has_digit = value.iter().any(u8::is_ascii_digit);
        match self {
            // `ffmpeg -pass 1`
            Self::Password => value.len() > 1 || !has_digit,
            Self::Token | Self::Auth | Self::Header => !is_path(value),
            Self::Key => {
                ((has_digit && value.len() >= 6) || value.len() >= 16)
                    && !is_path(value)
                    && !is_file_name(value)
            }
        }
    }
}

fn ends_with(name: &[u8], word: &[u8]) -> bool {
    name.len()
        .checked_sub(word.len())
        .and_then(|at| name.get(at..))
        .is_some_and(|end| end.eq_ignore_ascii_case(word))
}

/// Whether the last word of `name` is `word`: after `_`, `-` or `.`, or written as in `dbPass`.
fn ends_with_word(name: &[u8], word: &[u8]) -> bool {
    if !ends_with(name, word) {
        return false;
    }
    let at = name.len() - word.len();
    let Some(before) = at.checked_sub(1).and_then(|before| name.get(before)) else {
        return true;
    };
    !before.is_ascii_alphanumeric()
        || (!before.is_ascii_uppercase() && name.get(at).is_some_and(u8::is_ascii_uppercase))
}

/// A word that says there is no secret, or which kind.
fn is_word(value: &[u8]) -> bool {
    const WORDS: &str = "none null nil true false yes no on off str bytes int bool any object optional string \
            basic digest bearer ntlm kerberos prompt required disabled enabled auto default stdin \
            env return pass raise break continue";
    value.len() <= 8 && WORDS.split(' ').any(|word| word.as_bytes().eq_ignore_ascii_case(value))
}

/// A place to be filled in: `$NAME`, `${NAME}`, `$(…)`, `%NAME%`, `{name}`, `%s`, `%(name)s`.
fn is_reference(value: &[u8]) -> bool {
    let is_name = |name: &[u8]| {
        !name.is_empty()
            && name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
    };
    let inside = |start: &[u8], end: &[u8]| value.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
    let is_variable = |name: &[u8]| is_name(name) && !name.iter().any(u8::is_ascii_lowercase);
    value == b"%s"
        || value.starts_with(b"$(")
        || value.strip_prefix(b"$").is_some_and(is_variable)
        || inside(b"${", b"}").is_some_and(is_name)
        || inside(b"${", b"").is_some_and(is_name)
        || inside(b"%", b"%").is_some_and(is_variable)
        || inside(b"{", b"}").is_some_and(is_name)
        || inside(b"{", b"").is_some_and(is_name)
        || inside(b"%(", b")s").is_some_and(is_name)
}

/// Where a secret is kept: a path, and no base64 that starts with a slash.
fn is_path(value: &[u8]) -> bool {
    let rest = [&b"./"[..], b"../", b"~/", b"/"].into_iter().find_map(|start| value.strip_prefix(start));
    let is_name = |byte: &u8| class(*byte) == WORD || *byte == b'/';
    rest.is_some_and(|rest| {
        rest.iter().all(is_name) && (rest.contains(&b'/') || rest.contains(&b'.')) && !looks_random(rest)
    })
}

fn is_file_name(value: &[u8]) -> bool {
    const ENDINGS: &str = ".pem .key .crt .json .txt .pub";
    ENDINGS.split(' ').any(|ending| value.ends_with(ending.as_bytes()))
}

/// Whether some of `text` has the look of a random key: long, with capitals, small letters and digits.
fn looks_random(text: &[u8]) -> bool {
    text.len() >= 32
        && text.split(|byte| !byte.is_ascii_alphanumeric()).any(|part| {
            let count = |is: fn(&u8) -> bool| part.iter().filter(|byte| is(byte)).count();
            part.len() >= MIN_SHAPE
                && count(u8::is_ascii_uppercase) >= 3
                && count(u8::is_ascii_lowercase) >= 3
                && count(u8::is_ascii_digit) >= 3
        })
}

/// A key that is known by how it starts.
struct Shape {
    prefix: &'static [u8],
    /// How many letters follow at least.
    least: usize,
    /// Whether `-`, `_` and `.` may be among them.
    letters: Letters,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Letters {
    /// Capitals and digits.
    Capitals,
    /// Letters and digits.
    Plain,
    /// Also `-` and `_`.
    Url,
    /// Also `.`.
    Dotted,
    /// As [`Letters::Url`], with a stretch of letters and digits that no name has.
    Mixed,
}

const fn shape(prefix: &'static [u8], least: usize, letters: Letters) -> Shape {
    Shape { prefix, least, letters }
}

static SHAPES: [Shape; 52] = [
    shape(b"sk-ant-", 16, Letters::Url),
    shape(b"sk-proj-", 20, Letters::Url),
    shape(b"sk-svcacct-", 20, Letters::Url),
    shape(b"sk-or-v1-", 20, Letters::Url),
    shape(b"sk-", 20, Letters::Mixed),
    shape(b"sk_live_", 16, Letters::Plain),
    shape(b"sk_test_", 16, Letters::Plain),
    shape(b"rk_live_", 16, Letters::Plain),
    shape(b"rk_test_", 16, Letters::Plain),
    shape(b"whsec_", 16, Letters::Plain),
    shape(b"AKIA", 16, Letters::Capitals),
    shape(b"ASIA", 16, Letters::Capitals),
    shape(b"AROA", 16, Letters::Capitals),
    shape(b"ABIA", 16, Letters::Capitals),
    shape(b"ACCA", 16, Letters::Capitals),
    shape(b"ghp_", 30, Letters::Plain),
    shape(b"gho_", 30, Letters::Plain),
    shape(b"ghu_", 30, Letters::Plain),
    shape(b"ghs_", 30, Letters::Plain),
    shape(b"ghr_", 30, Letters::Plain),
    shape(b"github_pat_", 22, Letters::Url),
    shape(b"glpat-", 20, Letters::Dotted),
    shape(b"gldt-", 20, Letters::Dotted),
    shape(b"glrt-", 20, Letters::Dotted),
    shape(b"glsa_", 20, Letters::Url),
    shape(b"gsk_", 30, Letters::Plain),
    shape(b"xoxa-", 15, Letters::Url),
    shape(b"xoxb-", 15, Letters::Url),
    shape(b"xoxe-", 15, Letters::Url),
    shape(b"xoxe.", 15, Letters::Dotted),
    shape(b"xoxp-", 15, Letters::Url),
    shape(b"xoxr-", 15, Letters::Url),
    shape(b"xoxs-", 15, Letters::Url),
    shape(b"xapp-", 15, Letters::Url),
    shape(b"xai-", 40, Letters::Plain),
    shape(b"AIza", 30, Letters::Url),
    shape(b"ya29.", 20, Letters::Dotted),
    shape(b"GOCSPX-", 20, Letters::Url),
    shape(b"hf_", 30, Letters::Plain),
    shape(b"npm_", 30, Letters::Plain),
    shape(b"pypi-AgE", 30, Letters::Url),
    shape(b"eyJ", 30, Letters::Dotted),
    shape(b"SG.", 40, Letters::Dotted),
    shape(b"shpat_", 30, Letters::Plain),
    shape(b"shpss_", 30, Letters::Plain),
    shape(b"dop_v1_", 40, Letters::Plain),
    shape(b"dapi", 32, Letters::Plain),
    shape(b"lin_api_", 30, Letters::Plain),
    shape(b"r8_", 36, Letters::Plain),
    shape(b"hvs.", 20, Letters::Url),
    shape(b"tvly-", 20, Letters::Url),
    shape(b"NRAK-", 20, Letters::Capitals),
];

impl Shape {
    /// The length of such a key at the start of `text`.
    fn length(&self, text: &[u8]) -> Option<usize> {
        let rest = text.strip_prefix(self.prefix)?;
        let is_letter = |byte: &&u8| match self.letters {
            Letters::Capitals => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Letters::Plain => byte.is_ascii_alphanumeric(),
            Letters::Url | Letters::Mixed => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
            Letters::Dotted => class(**byte) == WORD,
        };
        // Enough to decide by; a text of many beginnings shall cost no more than others.
        let found = rest.get(..rest.iter().take(LOOKAHEAD / 8).take_while(is_letter).count())?;
        let count = found.len();
        let is_key = match self.letters {
            Letters::Mixed => found.split(|byte| !byte.is_ascii_alphanumeric()).any(|part| {
                part.len() >= 16
                    && part.iter().any(u8::is_ascii_digit)
                    && part.iter().any(u8::is_ascii_alphabetic)
            }),
            // A JSON web token has three parts.
            Letters::Dotted if self.prefix == b"eyJ" => found.contains(&b'.'),
            Letters::Capitals => count == self.least,
            _ => true,
        };
        let all = || rest.iter().take_while(is_letter).count();
        (count >= self.least && is_key).then(|| self.prefix.len() + all())
    }
}

/// A program that takes a password in an option without a telling name.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Tool {
    #[default]
    None,
    /// `-pPASSWORD`
    Mysql,
    /// `-pPASSWORD`, `-p PASSWORD`
    Sshpass,
    /// `-a PASSWORD`
    Redis,
    /// `-u USER:PASSWORD`
    Curl,
    /// `-w PASSWORD`
    Ldap,
    /// `-U USER%PASSWORD`
    Samba,
}

impl Tool {
    fn named(word: &[u8]) -> Option<Self> {
        let start =
            word.iter().rposition(|byte| matches!(byte, b'/' | b'"' | b'\'' | b'(')).map_or(0, |at| at + 1);
        Some(match word.get(start..)? {
            b"mysql" | b"mysqldump" | b"mysqladmin" | b"mysqlimport" | b"mysqlshow" | b"mariadb"
            | b"mariadb-dump" | b"mariadb-admin" => Self::Mysql,
            b"sshpass" => Self::Sshpass,
            b"redis-cli" => Self::Redis,
            b"curl" => Self::Curl,
            b"ldapsearch" | b"ldapmodify" | b"ldapadd" | b"ldapwhoami" => Self::Ldap,
            b"smbclient" => Self::Samba,
            b"ssh" | b"scp" | b"docker" | b"podman" | b"python" | b"python3" => Self::None,
            _ => return None,
        })
    }

    /// The secret in `word`, after the word `before`.
    fn secret(self, before: &[u8], word: &[u8]) -> Option<Range<usize>> {
        let attached = |option: &[u8]| word.starts_with(option) && word.len() > option.len();
        let after = |mark: u8, from: usize| {
            let at = word.get(from..)?.iter().position(|byte| *byte == mark)?;
            Some(from + at + 1..word.len()).filter(|secret| !secret.is_empty())
        };
        let is_next = |option: &[u8]| before == option && !word.is_empty();
        match self {
            Self::None => None,
            Self::Mysql | Self::Sshpass if attached(b"-p") && !is_port_mapping(word) => Some(2..word.len()),
            Self::Sshpass if is_next(b"-p") => Some(0..word.len()),
            Self::Redis if is_next(b"-a") => Some(0..word.len()),
            Self::Ldap if is_next(b"-w") => Some(0..word.len()),
            Self::Curl if attached(b"-u") => after(b':', 2),
            Self::Curl if is_next(b"-u") || is_next(b"--user") || is_next(b"--proxy-user") => after(b':', 0),
            Self::Curl if attached(b"--user=") => after(b':', 0),
            Self::Samba if is_next(b"-U") => after(b'%', 0),
            Self::Samba if attached(b"-U") => after(b'%', 2),
            _ => None,
        }
    }
}

/// `-p3306:3306`, as containers take it.
fn is_port_mapping(word: &[u8]) -> bool {
    word.get(2..).is_some_and(|rest| {
        rest.contains(&b':') && rest.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.'))
    })
}

/// The secret that is an argument, or that an argument ends with.
fn argument_secret(before: &[u8], argument: &[u8], tool: Tool) -> Option<Range<usize>> {
    if let Some(secret) = tool.secret(before, argument) {
        return Some(secret);
    }
    let is_option = argument.first() == Some(&b'-');
    if !is_option && let Some(name) = Name::of_option(before) {
        return name.hides(argument).then_some(0..argument.len());
    }
    // `--password=…`, `PASSWORD=…`: all of the rest, unless it is a script, or one of many values.
    let equals = argument.iter().take(MAX_NAME).position(|byte| *byte == b'=')?;
    let (name, value) = (argument.get(..equals)?, argument.get(equals + 1..)?);
    let is_name = name.iter().all(|byte| class(*byte) == WORD);
    let is_one_of_many = !is_option
        && (before == b"-c"
            || (value.contains(&b'=') && value.iter().any(|byte| matches!(byte, b';' | b'&'))));
    if !is_name || is_one_of_many || memchr::memchr(b'\n', value).is_some() {
        return None;
    }
    let name = Name::of(name)?;
    (name != Name::Header && name.hides(value)).then_some(equals + 1..argument.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        String::from_utf8(redacted(text.as_bytes()).into_owned()).unwrap()
    }

    fn command(argv: &[&str]) -> Vec<String> {
        let mut command = Command::default();
        let arguments = argv.iter().map(|text| command.next(Cow::Borrowed(text.as_bytes()), 4096));
        arguments.map(|text| String::from_utf8(text.into_owned()).unwrap()).collect()
    }

    #[test]
    fn the_name_stays_and_the_secret_goes() {
        for (text, stored) in [
            ("password=hunter2", "password=***"),
            ("f(password=hunter2)", "f(password=***)"),
            ("DB_PASSWORD=a,b c", "DB_PASSWORD=*** c"),
            ("password = 'a b' + x", "password = '***' + x"),
            (r#"{"password": "a\"b", "x": 1}"#, r#"{"password": "***", "x": 1}"#),
            (r#"{\"token\": \"abc\"}"#, r#"{\"token\": \"***\"}"#),
            ("os.environ['API_TOKEN'] = 'abc'", "os.environ['API_TOKEN'] = '***'"),
            ("get(u, auth=('ann', 'a)b'))", "get(u, auth=(***))"),
            ("get(u, auth=Basic('ann', 'x'))", "get(u, auth=Basic(***))"),
            ("Authorization: Bearer abc", "Authorization: Bearer ***"),
            ("{'Authorization': 'Basic abc'}", "{'Authorization': 'Basic ***'}"),
            ("auth=token abc", "auth=token ***"),
            ("https://ann:a@b@host/x", "https://ann:***@host/x"),
            ("postgres://ann:a/b@host/x?sslmode=off", "postgres://ann:***@host/x?sslmode=off"),
            ("https://h/x?page=2&sig=a%2Fb&x=1#y", "https://h/x?page=2&sig=***&x=1#y"),
            ("next=%2Fx%3Ftoken%3Dabc%26y", "next=%2Fx%3Ftoken%3D***%26y"),
            ("sh -c 'mysql -uann -phunter2 db'", "sh -c 'mysql -uann -p*** db'"),
            ("run --password hunter2 --x", "run --password *** --x"),
            ("/data/token=abc/part.csv", "/data/token=***/part.csv"),
            ("-----BEGIN PRIVATE KEY-----\nabc\n-----END", "-----BEGIN PRIVATE KEY-----***-----END"),
        ] {
            assert_eq!(shown(text), stored);
            assert_eq!(shown(stored), stored);
        }
    }

    #[test]
    fn what_is_no_secret_is_borrowed() {
        for text in [
            "",
            "/home/ann/token_report.csv",
            "/home/ann/2024/q3/0f9c0c1b7c1d4b0e9f5a6c7d8e9f0a1b2c3d4e5f.json",
            "--keyword=x monkey=1 ?page=2",
            "https://host:8443/a?id=3fa85f64-5717-4562-b3fc-2c963f66afa6",
            "password=$PASSWORD token=${TOKEN} key={key}",
            "sorted(x, key=lambda p: p.name)",
            "def f(password: str, token: str | None = None): return",
            "password=getpass(), token=os.environ[name]",
            "docker run --name mysql -p3306:3306 mysql",
            "max_tokens=100, --sort-key=name1, primary_key=id1",
        ] {
            assert!(matches!(redacted(text.as_bytes()), Cow::Borrowed(_)), "{text}: {}", shown(text));
        }
    }

    #[test]
    fn an_argument_may_be_the_secret_of_the_one_before() {
        for (argv, stored) in [
            (&["x", "--password", "a b"][..], &["x", "--password", "***"][..]),
            (&["x", "--password", "--verbose"], &["x", "--password", "--verbose"]),
            (&["x", "--token=a b&c"], &["x", "--token=***"]),
            (&["env", "PGPASSWORD=a b", "psql"], &["env", "PGPASSWORD=***", "psql"]),
            (&["sh", "-c", "PGPASSWORD=a psql b"], &["sh", "-c", "PGPASSWORD=*** psql b"]),
            (&["/usr/bin/mysql", "-u", "ann", "-pa"], &["/usr/bin/mysql", "-u", "ann", "-p***"]),
            (&["sshpass", "-p", "a", "ssh", "-p", "22"], &["sshpass", "-p", "***", "ssh", "-p", "22"]),
            (&["curl", "-u", "ann:a", "https://h"], &["curl", "-u", "ann:***", "https://h"]),
            (&["python3", "-u", "a:b"], &["python3", "-u", "a:b"]),
            (&["x", "--key", "server.pem"], &["x", "--key", "server.pem"]),
        ] {
            assert_eq!(command(argv), stored);
        }
    }

    #[test]
    fn a_cut_leaves_no_half_of_a_secret() {
        let key = format!("ghp_{}", "a1".repeat(18));
        for before in 0..60 {
            let text = format!("{} {key} {}", "x".repeat(before), "y".repeat(50));
            let stored = cut(text.as_bytes(), 50);
            assert!(!String::from_utf8_lossy(&stored).contains("ghp_"), "{before}");
        }
        let text = [&b"password="[..], &[b'x'; 9000]].concat();
        assert_eq!(cut(&text, 8192).as_ref(), "password=***…".as_bytes());
        assert_eq!(cut(b"abcdef", 3).as_ref(), "abc…".as_bytes());
    }

    fn pieces() -> impl Strategy<Value = String> {
        let words = prop::sample::select(vec![
            "password",
            "token",
            "key",
            "api_key",
            "auth",
            "=",
            ":",
            ": ",
            "://",
            "@",
            "/",
            "&",
            "?",
            ";",
            " ",
            "\"",
            "'",
            "\\",
            "(",
            ")",
            "{",
            "}",
            ",",
            "%3D",
            "%26",
            "Bearer ",
            "Authorization",
            "--",
            "-p",
            "mysql",
            "sk-",
            "eyJ",
            ".",
            "-----BEGIN ",
            "PRIVATE KEY-----",
            "-----END",
            "\n",
            "x",
            "1",
            "A",
            "$",
            "***",
            "hooks.slack.com",
            "/services/",
            "curl -u ",
            "ghp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ]);
        prop::collection::vec(prop_oneof![9 => words.prop_map(str::to_owned), 1 => ".{0,3}"], 0..24)
            .prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..200), length in 0_usize..100) {
            let _ = redacted(&bytes);
            prop_assert!(cut(&bytes, length).len() <= length + 3 * bytes.len() + 3);
        }

        #[test]
        fn what_was_masked_stays_as_it_is(text in pieces()) {
            let once = shown(&text);
            prop_assert_eq!(shown(&once), once);
        }

        #[test]
        fn no_planted_secret_survives(before in pieces(), after in "[ -~]{0,20}", place in 0_usize..5) {
            let secret = "Zq8vK2mX7pL4wT9r";
            let text = match place {
                0 => format!("{before}\n--password={secret} {after}"),
                1 => format!("{before}\n'token': '{secret}' {after}"),
                2 => format!("{before}\nhttps://user:{secret}@host/ {after}"),
                3 => format!("{before}\nsk-ant-api03-{secret}{secret} {after}"),
                _ => format!("{before}\nhttps://host/?a=b&sig={secret}&{after}"),
            };
            prop_assert!(!shown(&text).contains(secret), "{}", shown(&text));
        }
    }
}
