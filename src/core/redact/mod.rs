//! What must not be stored: passwords, tokens, keys. Pure functions on bytes, called where a record is built.
//!
//! A secret is known by the name before it (`password=…`), by its own shape (`ghp_…`), or by where it stands
//! (`://user:…@`). It becomes `***`; its name stays. Looking costs one pass over the text, and text without
//! anything to look at, as nearly all paths are, is known by its letters alone.
//!
//! Not promised: a secret without a name and of no known shape, or one that was encoded or put together.

mod names;
mod scan;
mod shapes;
mod tools;

use std::borrow::Cow;
use std::ops::Range;

use scan::Scan;
use tools::{Tool, argument_secret};

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
