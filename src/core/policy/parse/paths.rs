//! Patterns for files, scripts and programs: what people write, as the absolute patterns that it stands for.

use std::path::Path;

use super::diagnostics::Wrong;
use crate::policy::glob::{self, Glob};

/// Where the homes of people are.
const HOMES: [&str; 3] = ["/home/*", "/root", "/Users/*"];

/// What a pattern without a slash means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    /// A name in any folder.
    AnyFolder,
    /// The value as a whole: the name of a program.
    Whole,
}

/// The patterns that `text` stands for; what starts with `./` is below `directory`.
pub(super) fn globs(text: &str, directory: &Path, plain: Plain) -> Result<Vec<Glob>, Wrong> {
    let mut globs = Vec::new();
    for alternative in expanded(text)? {
        for pattern in absolute(&alternative, directory, plain)? {
            globs.extend(parsed(text, &pattern, Some(b'/'))?);
        }
    }
    Ok(globs)
}

/// `text` without braces.
pub(super) fn expanded(text: &str) -> Result<Vec<String>, Wrong> {
    glob::expand(text).map_err(|cause| unreadable(text, &cause))
}

/// `pattern` as a glob that says it was written as `text`.
pub(super) fn parsed(text: &str, pattern: &str, separator: Option<u8>) -> Result<Vec<Glob>, Wrong> {
    let globs = Glob::parse(pattern, separator).map_err(|cause| unreadable(text, &cause))?;
    Ok(globs.into_iter().map(|glob| Glob { text: text.to_owned(), ..glob }).collect())
}

fn unreadable(text: &str, cause: &str) -> Wrong {
    Wrong::new(format!("cannot read the pattern `{text}`: {cause}"))
        .hint("write a `\\` before a character that means itself (in TOML: '\\[' in single quotes)")
}

fn absolute(written: &str, directory: &Path, plain: Plain) -> Result<Vec<String>, Wrong> {
    if written.split('/').any(|part| part == "..") {
        return Err(Wrong::new(format!("`{written}` holds `..`, which no resolved path does"))
            .hint("write the path that it leads to"));
    }
    let (pattern, is_folder) = tidy(written);
    let bases = match pattern.as_str() {
        "" if !is_folder => return Err(Wrong::new("a pattern for paths is empty")),
        "~" => homes(""),
        "." => vec![escaped(directory)?],
        pattern if pattern.starts_with("~/") => homes(pattern.trim_start_matches('~')),
        pattern if pattern.starts_with("./") => {
            vec![escaped(directory)? + pattern.trim_start_matches('.')]
        }
        pattern if pattern.starts_with(['/', '~', '$']) || pattern.is_empty() => rooted(pattern)?,
        pattern if pattern.starts_with("**/") || pattern == "**" => vec![pattern.to_owned()],
        pattern if !pattern.contains('/') => match plain {
            Plain::Whole if !is_folder => vec![pattern.to_owned()],
            _ => vec![format!("**/{pattern}")],
        },
        pattern => {
            return Err(Wrong::new(format!("`{pattern}` has a slash but does not start with one")).hint(format!(
                "write \"**/{pattern}\" for any folder, \"./{pattern}\" beside the policy file, or an absolute path"
            )));
        }
    };
    let end = if is_folder { "/**" } else { "" };
    Ok(bases.into_iter().map(|base| base + end).collect())
}

/// `written` without what says nothing (`//`, `/./`), and whether a final slash makes it a folder.
fn tidy(written: &str) -> (String, bool) {
    let mut pattern = written.to_owned();
    while pattern.contains("//") || pattern.contains("/./") {
        pattern = pattern.replace("/./", "/").replace("//", "/");
    }
    if pattern.ends_with("/.") {
        pattern.pop();
    }
    match pattern.strip_suffix('/') {
        Some(folder) => (folder.to_owned(), true),
        None => (pattern, false),
    }
}

fn homes(below: &str) -> Vec<String> {
    // What an event says of the home of its own account starts with `~/`, wherever that home is.
    let own = std::iter::once("~");
    own.chain(HOMES).map(|home| format!("{home}{below}")).collect()
}

fn rooted(pattern: &str) -> Result<Vec<String>, Wrong> {
    if let Some(rest) = pattern.strip_prefix('~') {
        return Err(Wrong::new(format!(
            "`{pattern}` names the home of one person in a way that is not known"
        ))
        .hint(format!("write \"/home/{rest}\", or \"~/…\" for everybody's home")));
    }
    if pattern.starts_with('$') {
        return Err(Wrong::new(format!("`{pattern}` names a variable, and policies know none"))
            .hint("write an absolute path, or \"~/…\" for the home directory"));
    }
    Ok(vec![pattern.to_owned()])
}

/// `directory` as a pattern that matches itself only.
fn escaped(directory: &Path) -> Result<String, Wrong> {
    let Some(text) = directory.to_str() else {
        return Err(Wrong::new("`./` cannot be used: the policy's directory has a name that is not UTF-8"));
    };
    let mut pattern = String::with_capacity(text.len());
    for letter in text.trim_end_matches('/').chars() {
        if "*?[]{}\\".contains(letter) {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    Ok(pattern)
}
