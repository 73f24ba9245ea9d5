//! Tools that take a password as an argument of its own, or glued to an option that has another meaning elsewhere.

use std::ops::Range;

use super::names::Name;
use super::{MAX_NAME, WORD, class};

/// A program that takes a password in an option without a telling name.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Tool {
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
    pub(super) fn named(word: &[u8]) -> Option<Self> {
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
    pub(super) fn secret(self, before: &[u8], word: &[u8]) -> Option<Range<usize>> {
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
pub(super) fn is_port_mapping(word: &[u8]) -> bool {
    word.get(2..).is_some_and(|rest| {
        rest.contains(&b':') && rest.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.'))
    })
}

/// The secret that is an argument, or that an argument ends with.
pub(super) fn argument_secret(before: &[u8], argument: &[u8], tool: Tool) -> Option<Range<usize>> {
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
