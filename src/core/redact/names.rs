//! What a name says of the value after it, and which values are no secrets whatever they are called.

use super::{MIN_SHAPE, WORD, class};

/// What a name says of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
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
    pub(super) fn of(name: &[u8]) -> Option<Self> {
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
    pub(super) fn of_key(name: &[u8]) -> Option<Self> {
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
    pub(super) fn of_option(word: &[u8]) -> Option<Self> {
        word.strip_prefix(b"-").filter(|name| name.iter().all(|byte| class(*byte) == WORD)).and_then(Self::of)
    }

    /// Whether `value` is hidden.
    pub(super) fn hides(self, value: &[u8]) -> bool {
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

pub(super) fn ends_with(name: &[u8], word: &[u8]) -> bool {
    name.len()
        .checked_sub(word.len())
        .and_then(|at| name.get(at..))
        .is_some_and(|end| end.eq_ignore_ascii_case(word))
}

/// Whether the last word of `name` is `word`: after `_`, `-` or `.`, or written as in `dbPass`.
pub(super) fn ends_with_word(name: &[u8], word: &[u8]) -> bool {
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
pub(super) fn is_word(value: &[u8]) -> bool {
    const WORDS: &str = "none null nil true false yes no on off str bytes int bool any object optional string \
            basic digest bearer ntlm kerberos prompt required disabled enabled auto default stdin \
            env return pass raise break continue";
    value.len() <= 8 && WORDS.split(' ').any(|word| word.as_bytes().eq_ignore_ascii_case(value))
}

/// A place to be filled in: `$NAME`, `${NAME}`, `$(…)`, `%NAME%`, `{name}`, `%s`, `%(name)s`.
pub(super) fn is_reference(value: &[u8]) -> bool {
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
pub(super) fn is_path(value: &[u8]) -> bool {
    let rest = [&b"./"[..], b"../", b"~/", b"/"].into_iter().find_map(|start| value.strip_prefix(start));
    let is_name = |byte: &u8| class(*byte) == WORD || *byte == b'/';
    rest.is_some_and(|rest| {
        rest.iter().all(is_name) && (rest.contains(&b'/') || rest.contains(&b'.')) && !looks_random(rest)
    })
}

pub(super) fn is_file_name(value: &[u8]) -> bool {
    const ENDINGS: &str = ".pem .key .crt .json .txt .pub";
    ENDINGS.split(' ').any(|ending| value.ends_with(ending.as_bytes()))
}

/// Whether some of `text` has the look of a random key: long, with capitals, small letters and digits.
pub(super) fn looks_random(text: &[u8]) -> bool {
    text.len() >= 32
        && text.split(|byte| !byte.is_ascii_alphanumeric()).any(|part| {
            let count = |is: fn(&u8) -> bool| part.iter().filter(|byte| is(byte)).count();
            part.len() >= MIN_SHAPE
                && count(u8::is_ascii_uppercase) >= 3
                && count(u8::is_ascii_lowercase) >= 3
                && count(u8::is_ascii_digit) >= 3
        })
}
