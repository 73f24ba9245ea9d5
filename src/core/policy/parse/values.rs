//! One value of a condition, as the patterns that it stands for: each field has its own language.

use std::path::Path;
use std::str::FromStr as _;

use pep440_rs::VersionSpecifiers;

use super::diagnostics::Wrong;
use super::network;
use super::paths::{self, Plain, expanded, parsed};
use crate::distributions::normalised;
use crate::policy::field::Field;
use crate::policy::glob::Glob;
use crate::policy::rule::Pattern;

/// The patterns that `text` stands for as a value of `field`, in a policy file in `directory`.
pub(super) fn patterns(field: Field, text: &str, directory: &Path) -> Result<Vec<Pattern>, Wrong> {
    if text.trim().is_empty() {
        return Err(Wrong::new(format!("a value of `{}` is empty", field.name())));
    }
    let globs = match field {
        Field::Address => return network::addresses(text).map(|pattern| vec![pattern]),
        Field::Port => return network::ports(text).map(|pattern| vec![pattern]),
        Field::Distribution => return requirement(text).map(|pattern| vec![pattern]),
        Field::Path => paths::globs(text, directory, Plain::AnyFolder),
        Field::Program => paths::globs(text, directory, Plain::Whole),
        Field::Script => script(text, directory),
        Field::Host => network::hosts(text),
        Field::Url => network::urls(text),
        Field::Module => modules(text),
        Field::Origin => origins(text),
        Field::ScriptSha256 => digest(text),
        Field::Argv | Field::User | Field::Group => parsed(text, text, None),
    };
    Ok(globs?.into_iter().map(Pattern::Glob).collect())
}

/// A file, or how a program is given without one.
fn script(text: &str, directory: &Path) -> Result<Vec<Glob>, Wrong> {
    match text {
        "-c" | "-" | "-i" => Ok(vec![Glob::literal(text)]),
        _ if text.strip_prefix("-m ").is_some_and(|module| !module.trim().is_empty()) => {
            parsed(text, text, None)
        }
        _ if text.starts_with('-') => Err(Wrong::new(format!("`{text}` is no script"))
            .hint("write `-c`, `-` (standard input), `-i` (a prompt), `-m NAME`, or a path")),
        _ => paths::globs(text, directory, Plain::AnyFolder),
    }
}

/// A module by its dotted name: itself and all below it.
fn modules(text: &str) -> Result<Vec<Glob>, Wrong> {
    let mut globs = Vec::new();
    for name in expanded(text)? {
        module_name(&name)?;
        globs.extend(parsed(text, &name, None)?);
        if !name.ends_with('*') {
            globs.extend(parsed(text, &format!("{name}.*"), None)?);
        }
    }
    Ok(globs)
}

fn module_name(name: &str) -> Result<(), Wrong> {
    let no_module = || Wrong::new(format!("`{name}` is no name of a module"));
    if name.starts_with('.') || name.ends_with('.') || name.contains("..") {
        return Err(no_module().hint("write it as `import` does, in full: \"google.cloud\""));
    }
    let is_set = name.contains('[');
    let is_known = |letter: char| {
        letter.is_alphanumeric() || "_.*?\\".contains(letter) || (is_set && "[]!^-".contains(letter))
    };
    match name.chars().find(|letter| !is_known(*letter)) {
        None => Ok(()),
        Some('-' | '<' | '>' | '=' | '~' | '!') => {
            Err(no_module().hint(format!("write `distribution = \"{name}\"` for what pip installs")))
        }
        Some('/') => {
            Err(no_module().hint(format!("write \"{}\"", name.replace('/', ".").replace(".py", ""))))
        }
        Some(letter) => Err(no_module().hint(format!("a module's name cannot hold `{letter}`"))),
    }
}

/// An installed distribution, and which versions of it: `pyyaml<5.4`.
fn requirement(text: &str) -> Result<Pattern, Wrong> {
    let end = text.find(|letter: char| !is_of_name(letter)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let rest = rest.trim();
    let no_requirement = |why: &str| {
        Wrong::new(format!("cannot read the distribution `{text}`: {why}"))
            .hint("write a name, and versions if need be: \"pyyaml\", \"pyyaml<5.4\", \"pyyaml>=5,<5.4\"")
    };
    if name.is_empty() || !name.starts_with(char::is_alphanumeric) || !name.ends_with(char::is_alphanumeric) {
        return Err(no_requirement("it does not start with a name"));
    }
    match rest.chars().next() {
        Some('[') => return Err(no_requirement("extras are not looked at")),
        Some(';') => return Err(no_requirement("environment markers are not looked at")),
        Some('@') => return Err(no_requirement("where it comes from is not looked at")),
        _ => {}
    }
    let inner = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(rest);
    let specifiers = VersionSpecifiers::from_str(inner).map_err(|error| no_requirement(&why(&error)))?;
    Ok(Pattern::Requirement { name: normalised(name), specifiers: specifiers.to_string() })
}

fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.')
}

/// The first line of what the parser of versions says, which goes on with a drawing.
fn why(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    let line = line.strip_prefix("Failed to parse version: ").unwrap_or(line).trim_end_matches(':');
    let mut letters = line.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// A distribution that makes calls, by the name that PEP 503 gives it.
fn origins(text: &str) -> Result<Vec<Glob>, Wrong> {
    let mut globs = Vec::new();
    for name in expanded(text)? {
        let is_known = |letter: char| is_of_name(letter) || "*?[]!^\\".contains(letter);
        if let Some(letter) = name.chars().find(|letter| !is_known(*letter)) {
            let bare = name.split(|letter| !is_of_name(letter)).next().unwrap_or_default();
            return Err(Wrong::new(format!("`{name}` is no name of a distribution: it holds `{letter}`"))
                .hint(format!("write the name alone, without a version: \"{bare}\"")));
        }
        // In a set a `-` stands for a range.
        let pattern = if name.contains('[') { name.to_ascii_lowercase() } else { normalised(&name) };
        globs.extend(parsed(text, &pattern, None)?);
    }
    Ok(globs)
}

fn digest(text: &str) -> Result<Vec<Glob>, Wrong> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Wrong::new(format!("`{text}` is no SHA-256: that is 64 hexadecimal digits"))
            .hint("`sha256sum SCRIPT` prints it"));
    }
    Ok(vec![Glob { text: text.to_owned(), ..Glob::literal(&text.to_ascii_lowercase()) }])
}
