//! What the stubs of aarch64 are in assembly, given to its assembler where there is one: no compiler for it is at hand.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// Where there is any.
const SOURCES: [&str; 3] =
    [include_str!("stubs.rs"), include_str!("functions/raw.rs"), include_str!("../thread.rs")];

/// The lines of each text for aarch64, with its operands filled in.
fn texts() -> Vec<String> {
    let sources = SOURCES.iter().flat_map(|source| source.split("target_arch = \"aarch64\"))]").skip(1));
    let sources = sources
        .chain(SOURCES.iter().flat_map(|source| source.split("[cfg(target_arch = \"aarch64\")]").skip(1)));
    let bodies = sources.filter_map(|source| {
        let (_, text) = source.split_once("asm!(")?;
        let end = ["= sym", "out("].iter().filter_map(|word| text.find(word)).min()?;
        text.get(..end)
    });
    let lines = |text: &str| text.split('"').skip(1).step_by(2).map(filled_in).collect::<Vec<_>>().join("\n");
    bodies.map(lines).collect()
}

fn filled_in(line: &str) -> String {
    ["body", "function", "is_of_interest"]
        .iter()
        .fold(line.replace("{real}", "24"), |line, name| line.replace(&format!("{{{name}}}"), name))
}

/// What an assembler says of a text; `None` where there is none.
fn assemble(text: &str) -> Option<Vec<u8>> {
    let mut command = Command::new("aarch64-linux-gnu-as");
    command.args(["-o", "/dev/null", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut assembler = command.spawn().ok()?;
    writeln!(assembler.stdin.take()?, "{text}").ok()?;
    let done = assembler.wait_with_output().ok()?;
    Some(if done.status.success() { Vec::new() } else { [b"refused: ", &done.stderr[..]].concat() })
}

#[test]
fn the_stubs_of_aarch64_are_instructions_of_it() {
    let texts = texts();
    // Of up to five arguments, of six, looked at first; syscall(2); where a thread's words are.
    assert_eq!(texts.len(), 5);
    for text in texts {
        assert!(text.lines().count() >= 3, "{text}");
        match assemble(&text) {
            Some(said) => assert!(said.is_empty(), "{}\n{text}", String::from_utf8_lossy(&said)),
            None => return,
        }
    }
}

#[test]
fn an_assembler_refuses_what_is_no_instruction() {
    assert!(assemble("movq x0").is_none_or(|said| !said.is_empty()));
}
