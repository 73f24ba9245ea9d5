//! One pass over a text, from separator to separator: where secrets stand.

use std::ops::Range;

use super::names::{Name, looks_random};
use super::shapes::SHAPES;
use super::tools::Tool;
use super::{MAX_NAME, MIN_SHAPE, WORD, class};

/// One pass over a text.
pub(super) struct Scan<'t> {
    text: &'t [u8],
    /// In a path a value ends with its component.
    is_path: bool,
    /// Where the last secret ended: nothing before it is a name for what comes.
    floor: usize,
}

impl<'t> Scan<'t> {
    pub(super) fn new(text: &'t [u8]) -> Self {
        let is_path = text.first() == Some(&b'/') && memchr::memmem::find(text, b"://").is_none();
        Self { text, is_path, floor: 0 }
    }

    pub(super) fn masks(mut self) -> Vec<Range<usize>> {
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

    pub(super) fn byte(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(0)
    }

    pub(super) fn from(&self, at: usize) -> &'t [u8] {
        self.text.get(at..).unwrap_or_default()
    }

    pub(super) fn slice(&self, range: Range<usize>) -> &'t [u8] {
        self.text.get(range).unwrap_or_default()
    }

    pub(super) fn is_at(&self, at: usize, word: &[u8]) -> bool {
        self.text.get(at..at + word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word))
    }

    /// From `at` to the first byte that `ends`, or the end of the text.
    pub(super) fn end(&self, at: usize, ends: impl Fn(u8) -> bool) -> usize {
        self.from(at).iter().position(|byte| ends(*byte)).map_or(self.text.len(), |length| at + length)
    }

    pub(super) fn skip(&self, at: usize, most: usize, is_skipped: impl Fn(u8) -> bool) -> usize {
        at + self.from(at).iter().take(most).take_while(|byte| is_skipped(**byte)).count()
    }

    /// The name that ends before `at`, where a separator stands.
    pub(super) fn name_before(&self, at: usize) -> Range<usize> {
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
    pub(super) fn assigned(&self, at: usize, value: usize) -> Option<Range<usize>> {
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
    pub(super) fn header(&self, at: usize) -> Option<Range<usize>> {
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
    pub(super) fn option(&self, at: usize) -> Option<Range<usize>> {
        let name = self.name_before(at);
        let known = Name::of_option(self.slice(name))?;
        (self.byte(at + 1) != b'-').then(|| self.value(known, at + 1))?
    }

    /// Length of a word that says how a secret is used, with the gap after it.
    pub(super) fn scheme(&self, at: usize) -> Option<usize> {
        const SCHEMES: [&[u8]; 8] =
            [b"bearer ", b"basic ", b"token ", b"digest ", b"apikey ", b"negotiate ", b"bot ", b"key "];
        SCHEMES.into_iter().find(|scheme| self.is_at(at, scheme)).map(<[u8]>::len)
    }

    /// The secret that starts at or soon after `at`; `None` where it is a word, a reference or code.
    pub(super) fn value(&self, name: Name, at: usize) -> Option<Range<usize>> {
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
    pub(super) fn quoted(&self, name: Name, quote: usize) -> Option<Range<usize>> {
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
    pub(super) fn group(&self, open: usize, last: usize) -> Range<usize> {
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
    pub(super) fn user(&self, start: usize) -> Option<Range<usize>> {
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
    pub(super) fn webhook(&self, start: usize) -> Option<Range<usize>> {
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
    pub(super) fn private_key(&self, at: usize) -> Option<Range<usize>> {
        let label = at + b"-----BEGIN ".len();
        let end = label + self.from(label).iter().take(MAX_NAME).position(|byte| *byte == b'-')?;
        let is_private = self.slice(label..end).windows(11).any(|word| word == b"PRIVATE KEY");
        let start = self.skip(end, 5, |byte| byte == b'-');
        let close =
            memchr::memmem::find(self.from(start), b"-----END").map_or(self.text.len(), |at| start + at);
        (is_private && start < close).then_some(start..close)
    }

    /// A well-known key that starts at `at`.
    pub(super) fn shape(&self, at: usize) -> Option<Range<usize>> {
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
    pub(super) fn in_command(&self, at: usize, tool: Tool) -> (Tool, Option<Range<usize>>) {
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
pub(super) fn trimmed(word: &[u8]) -> &[u8] {
    let end = word.iter().rposition(|byte| !matches!(byte, b'"' | b'\'' | b')' | b',' | b']' | b';'));
    word.get(..end.map_or(0, |end| end + 1)).unwrap_or_default()
}

pub(super) fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'')
}

pub(super) fn is_gap(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>')
}

pub(super) fn is_end(byte: u8) -> bool {
    is_gap(byte) || matches!(byte, b'&' | b';' | b'|')
}

/// Where the bracket is in `name.name(…`, `name[…`: code, and no secret.
pub(super) fn called(value: &[u8]) -> Option<usize> {
    let open = value.iter().position(|byte| matches!(byte, b'(' | b'['))?;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    let starts = value.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
    (starts && value.get(..open)?.iter().all(is_name)).then_some(open)
}
