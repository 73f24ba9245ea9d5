//! What a person is told when a rule stops or warns: what happened, where in their script, why, and what to do.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::active::Said;
use super::observed::Seen;
use crate::event::{Access, Kind};
use crate::origin::Origin;
use crate::paths;
use crate::text::{push_escaped, push_printable};

/// Longest name of a file or host that is shown whole.
const MAX_NAME_BYTES: usize = 300;

/// What an operation of `kind` does, as in `reading /data/x.csv`: by the name that the program used, and by the one
/// that was decided on where that is another.
#[must_use]
pub fn doing(kind: Kind, seen: &Seen<'_>) -> String {
    let verb = verb(kind, seen.access);
    let mut text = verb.to_owned();
    let name = name(seen);
    let asked = seen.requested.as_deref().unwrap_or(&name);
    if !asked.is_empty() {
        text.push(' ');
        push_shortened(asked, &mut text);
    }
    if !name.ends_with(asked) {
        text.push_str(" (which is ");
        push_shortened(&name, &mut text);
        text.push(')');
    }
    if let Some(destination) = &seen.destination
        && matches!(kind, Kind::Rename | Kind::Copy | Kind::Link | Kind::Symlink)
    {
        text.push_str(" to ");
        push_shortened(destination, &mut text);
    }
    text
}

fn verb(kind: Kind, access: Access) -> &'static str {
    match kind {
        Kind::Open | Kind::Map if access.changes() => "writing",
        Kind::Open | Kind::Map => "reading",
        Kind::Delete => "deleting",
        Kind::Rename => "moving",
        Kind::Mkdir => "making the folder",
        Kind::Link | Kind::Symlink => "linking",
        Kind::Chmod | Kind::Chown | Kind::Utime | Kind::Xattr => "changing the state of",
        Kind::Truncate => "cutting",
        Kind::Copy => "copying",
        Kind::List => "listing",
        Kind::Database => "opening the database",
        Kind::Resolve => "looking up",
        Kind::Connect => "connecting to",
        Kind::Bind => "listening on",
        Kind::Send => "sending to",
        Kind::Http | Kind::Request => "a request to",
        Kind::Spawn | Kind::Exec => "starting",
        Kind::Fork => "starting another process",
        Kind::Import => "importing",
        Kind::Script => "running",
        Kind::Code => "running code made from text",
        Kind::Unpickle => "unpickling",
        Kind::Native => "using the native library",
        Kind::Kill => "a signal to",
        Kind::Limit => "setting the limit",
        Kind::Setenv => "setting the variable",
        Kind::Registry => "using the registry key",
        Kind::Tamper => "a change to the interpreter:",
        _ => "this",
    }
}

fn name<'a>(seen: &'a Seen<'_>) -> Cow<'a, [u8]> {
    if let Some(target) = &seen.target {
        let end =
            memchr::memchr2(b'?', b'#', target).filter(|_| memchr::memmem::find(target, b"://").is_some());
        return Cow::Borrowed(target.get(..end.unwrap_or(target.len())).unwrap_or_default());
    }
    let host = match (&seen.host, seen.address) {
        (Some(host), _) => host.to_string(),
        (None, Some(address)) => address.to_string(),
        (None, None) => return Cow::Borrowed(b""),
    };
    let port = seen.port.map_or_else(String::new, |port| format!(":{port}"));
    Cow::Owned(format!("{host}{port}").into_bytes())
}

fn push_shortened(name: &[u8], text: &mut String) {
    push_shown(text, &crate::redact::cut(name, MAX_NAME_BYTES));
}

/// What the program chose, so that it can neither hide nor act on a terminal.
fn push_shown(text: &mut String, name: &[u8]) {
    let mut escaped = String::new();
    push_escaped(&mut escaped, name);
    push_printable(text, &escaped);
}

/// Where in the user's code, as in ` at report.py:12`; empty where that is not known.
#[must_use]
pub fn place(origin: Option<&Origin>) -> String {
    let Some(origin) = origin.filter(|origin| !origin.file.is_empty()) else {
        return String::new();
    };
    let mut text = " at ".to_owned();
    push_shown(&mut text, paths::split(&origin.file).1);
    // Writing to a String does not fail.
    let _ = write!(text, ":{}", origin.line);
    text
}

/// The text of a denial: a sentence first, then a line each for the reason, the rule and what can be done.
#[must_use]
pub fn denial(doing: &str, place: &str, said: &Said<'_>, is_to_be_justified: bool) -> String {
    let mut text = format!("{doing} was stopped{place} by the policy rule {}", said.name);
    if !said.message.is_empty() {
        let _ = write!(text, "\n  Why: {}", said.message);
    }
    if !said.link.is_empty() {
        let _ = write!(text, "\n  More: {}", said.link);
    }
    if !said.owner.is_empty() {
        let _ = write!(text, "\n  Ask: {}", said.owner);
    }
    if is_to_be_justified {
        text.push_str("\n  To go on, say why: gnomon run --justify \"the reason\" …, or set GNOMON_JUSTIFY");
    } else {
        let _ = write!(text, "\n  To ask for an exception: gnomon policy request {}", said.name);
    }
    text
}

/// The line of a warning.
#[must_use]
pub fn warning(doing: &str, place: &str, said: &Said<'_>) -> String {
    let mut text = format!("{doing}{place}");
    let why = if said.message.is_empty() { String::new() } else { format!(": {}", said.message) };
    let ask = if said.owner.is_empty() { String::new() } else { format!("; ask {}", said.owner) };
    let _ = write!(text, "{why} (policy rule {}{ask})", said.name);
    text
}

/// What is asked on a terminal before an operation that must be justified.
#[must_use]
pub fn question(doing: &str, place: &str, said: &Said<'_>) -> String {
    let mut text = format!("{doing}{place} needs a reason (policy rule {})", said.name);
    if !said.message.is_empty() {
        let _ = write!(text, ": {}", said.message);
    }
    text.push_str("\n  Your reason: ");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Action;

    const SAID: Said<'_> = Said {
        action: Action::Deny,
        name: "finance/hr",
        message: "Salaries are for HR only.",
        link: "",
        owner: "hr-it@example.com",
    };

    #[test]
    fn a_denial_says_what_where_why_and_what_to_do() {
        let seen =
            Seen { target: Some(b"/data/hr/\x1b[2Jx".into()), access: Access::READ, ..Seen::default() };
        let origin = Origin { file: b"/home/ann/report.py".to_vec(), line: 12, ..Origin::default() };
        let doing = doing(Kind::Open, &seen);
        let text = denial(&doing, &place(Some(&origin)), &SAID, false);
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "reading /data/hr/\\x1b[2Jx was stopped at report.py:12 by the policy rule finance/hr",
                "  Why: Salaries are for HR only.",
                "  Ask: hr-it@example.com",
                "  To ask for an exception: gnomon policy request finance/hr",
            ]
        );
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_shown_with_where() {
        let seen = Seen {
            target: Some(b"/data/hr/x".into()),
            requested: Some(b"innocent".into()),
            access: Access::READ,
            ..Seen::default()
        };
        assert_eq!(doing(Kind::Open, &seen), "reading innocent (which is /data/hr/x)");
        let below = Seen { requested: Some(b"hr/x".into()), ..seen };
        assert_eq!(doing(Kind::Open, &below), "reading hr/x");
    }

    #[test]
    fn a_query_is_not_shown() {
        let seen = Seen { target: Some(b"https://api.example.com/v1?key=secret".into()), ..Seen::default() };
        let text = warning(&doing(Kind::Http, &seen), "", &SAID);
        assert!(text.starts_with("a request to https://api.example.com/v1: Salaries"), "{text}");
    }
}
