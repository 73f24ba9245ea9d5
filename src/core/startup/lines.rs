//! What a `.pth` or `.start` file executes, as `site.py` reads it.
//!
//! Versions differ: only 3.15 executes an import line that is indented, only 3.13 and later end a line where
//! `str.splitlines` does. What some version executes counts as executed.

/// Names asked for at most.
const MAX_MODULES: usize = 8;
/// Longest name of a module that is looked for.
const MAX_NAME: usize = 128;
/// What nearly every import line asks for too, and no file in a site directory provides: it is loaded by then.
const LOADED: [&str; 6] = ["os", "sys", "types", "importlib", "site", "builtins"];

/// What is executed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Executed {
    /// The import lines, or the entry points.
    pub lines: Vec<String>,
    /// The modules that they name, in the order they do.
    pub modules: Vec<String>,
}

/// What the `.pth` file of this content executes: its import lines.
#[must_use]
pub fn of_pth(content: &[u8]) -> Executed {
    if memchr::memmem::find(content, b"import").is_none() {
        return Executed::default(); // paths alone, as most are
    }
    let is_import = |line: &&str| line.starts_with("import ") || line.starts_with("import\t");
    let text = String::from_utf8_lossy(content);
    let lines: Vec<String> = rows(&text).filter(is_import).map(str::to_owned).collect();
    let modules = distinct(lines.iter().flat_map(|line| line.split(';').flat_map(named_in)));
    Executed { lines, modules }
}

/// What the `.start` file of this content executes (PEP 829): its entry points, `package.module:callable`.
#[must_use]
pub fn of_start(content: &[u8]) -> Executed {
    let text = String::from_utf8_lossy(content);
    let lines: Vec<String> = rows(&text).map(str::to_owned).collect();
    let modules = distinct(lines.iter().filter_map(|line| name(line.split(':').next()?)));
    Executed { lines, modules }
}

/// The lines that say something, without the blanks around them.
fn rows(text: &str) -> impl Iterator<Item = &str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text.split(|letter: char| {
        matches!(letter, '\n'..='\r' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
    });
    lines.map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The modules that a statement names as such.
fn named_in(statement: &str) -> Vec<String> {
    let statement = statement.trim();
    let words = |rest: &str| rest.split(',').filter_map(name).collect();
    let mut found: Vec<String> = statement
        .strip_prefix("import")
        .filter(|rest| rest.starts_with([' ', '\t']))
        .map(words)
        .unwrap_or_default();
    found.extend(statement.strip_prefix("from ").and_then(name));
    for call in ["__import__(", "import_module("] {
        let calls = memchr::memmem::find_iter(statement.as_bytes(), call);
        found.extend(calls.filter_map(|at| quoted(statement.get(at + call.len()..)?)));
    }
    found
}

/// The text between the quotes that `text` starts with, if that can be a module's name.
fn quoted(text: &str) -> Option<String> {
    let text = text.trim_start();
    let quote = text.chars().next().filter(|letter| matches!(letter, '\'' | '"'))?;
    name(text.get(1..)?.split(quote).next()?)
}

/// The dotted name that `text` starts with.
fn name(text: &str) -> Option<String> {
    let is_of_name = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '.');
    let text = text.trim_start();
    let name = text.get(..text.find(|letter| !is_of_name(letter)).unwrap_or(text.len()))?;
    let parts_are_names = name.split('.').all(|part| !part.is_empty());
    (parts_are_names && name.len() <= MAX_NAME).then(|| name.to_owned())
}

fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for name in names.filter(|name| !LOADED.contains(&name.as_str())) {
        if found.len() < MAX_MODULES && !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn import_lines_are_executed_and_name_modules() {
        for (line, modules) in [
            ("import a", &["a"][..]),
            ("import\ta.b as c, d", &["a.b", "d"]),
            (
                "import os; var = 'X'; enabled = 1; enabled and __import__('_distutils_hack').add_shim();",
                &["_distutils_hack"],
            ),
            ("import os, sys;from x.y import z; z()", &["x.y"]),
            ("import importlib; importlib.import_module( \"m.n\" )", &["m.n"]),
            ("import base64; exec(base64.b64decode('eA=='))", &["base64"]),
            ("import a, a, ../b, ''", &["a"]),
        ] {
            let found = of_pth(line.as_bytes());
            assert_eq!(found.lines, [line]);
            assert_eq!(found.modules, modules, "{line}");
        }
    }

    #[test]
    fn paths_and_comments_are_not_executed() {
        for line in
            ["/opt/lib", "# import a", "", "importlib", "import", "important", "x import a", "import;a"]
        {
            assert_eq!(of_pth(line.as_bytes()), Executed::default(), "{line}");
        }
    }

    #[test]
    fn a_line_ends_wherever_some_version_ends_it() {
        for end in [
            "\n", "\r", "\r\n", "\u{b}", "\u{c}", "\u{1c}", "\u{1d}", "\u{1e}", "\u{85}", "\u{2028}",
            "\u{2029}",
        ] {
            let content = format!("/a/path{end}import evil");
            assert_eq!(of_pth(content.as_bytes()).modules, ["evil"], "{end:?}");
        }
        assert_eq!(of_pth(b"\xef\xbb\xbfimport a").lines, ["import a"]);
        assert_eq!(of_pth(b"   import a").lines, ["import a"]);
        assert_eq!(of_pth(b"/caf\xe9\nimport a").lines, ["import a"]);
    }

    #[test]
    fn entry_points_are_executed() {
        let found = of_start(b"# why\n\n pkg.mod:main \nbroken\n");
        assert_eq!(found.lines, ["pkg.mod:main", "broken"]);
        assert_eq!(found.modules, ["pkg.mod", "broken"]);
    }

    #[test]
    fn there_is_an_end_to_it() {
        let many: String = (0..1000).map(|number| format!("import m{number}\n")).collect();
        let found = of_pth(many.as_bytes());
        assert_eq!((found.lines.len(), found.modules.len()), (1000, MAX_MODULES));
        assert_eq!(of_pth(format!("import {}", "x".repeat(200)).as_bytes()).modules, [""; 0]);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken(content in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let _ = (of_start(&content), of_pth(&[b"import ", &content[..]].concat()));
        }
    }
}
