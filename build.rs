//! Takes the unwinder into the library, and the small library that is preloaded: neither is a file of its own.
//!
//! To load libgcc_s for the unwinder costs each watched process 0.2 ms. On GNU systems rustc links with `-lgcc_s`. What the linker finds first under that name is a script of ours,
//! which stands for the archive of the same code. The one thing that needs the unwinder shared is an exception
//! that passes from library to library, and no panic leaves this one.
//!
//! What is preloaded stands in programs that are no Python, so it is compiled without any of this crate's parts, and
//! handed out by `preload_library()`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The source of the library that is preloaded.
const PRELOAD: &str = "src/preload/preload.rs";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={PRELOAD}");
    println!("cargo::rustc-check-cfg=cfg(redirects)");
    if can_redirect().unwrap_or(false) {
        println!("cargo::rustc-cfg=redirects");
    }
    if let Some(folder) = unwinder_script() {
        println!("cargo::rustc-link-arg-cdylib=-L{}", folder.display());
    }
    let Some(folder) = env::var_os("OUT_DIR").map(PathBuf::from) else { return };
    let preload = folder.join("libgnomon_preload.so");
    let is_there = can_preload().unwrap_or(false) && compile_preload(&preload).unwrap_or(false);
    if !is_there && let Err(error) = fs::write(&preload, b"") {
        println!("cargo::error=cannot write `{}`: {error}", preload.display());
    }
}

/// Whether there is something to preload on the target: Linux, on the processors whose file names of extension modules
/// it knows.
fn can_preload() -> Option<bool> {
    let target = |what: &str| env::var(format!("CARGO_CFG_TARGET_{what}")).ok();
    Some(target("OS")? == "linux" && matches!(target("ARCH")?.as_str(), "x86_64" | "aarch64"))
}

/// Compiles the library that is preloaded, first as small as linkers of GNU and LLVM can make it; others refuse the
/// options. The target's `core` has to be installed, which it is not where cargo builds the standard library itself.
fn compile_preload(to: &Path) -> Option<bool> {
    let small = "link-arg=-Wl,--build-id=none,-z,noseparate-code,-z,now";
    let mut answer = None;
    for more in [&["-C", small][..], &[]] {
        let mut rustc = Command::new(env::var_os("RUSTC")?);
        rustc.args(["--edition=2024", "--crate-name=gnomon_preload", "--crate-type=cdylib", PRELOAD]);
        rustc.args(["-Cpanic=abort", "-Copt-level=s", "-Cstrip=symbols"]).args(more);
        rustc.args(["-Clink-arg=-nostartfiles", "-Clink-arg=-nostdlib"]);
        rustc.arg("--target").arg(env::var_os("TARGET")?).arg("-o").arg(to);
        if let Some(linker) = env::var_os("RUSTC_LINKER") {
            rustc.arg(format!("-Clinker={}", linker.display()));
        }
        let done = rustc.output().ok()?;
        if done.status.success() {
            return Some(true);
        }
        answer.get_or_insert(done.stderr);
    }
    let said = String::from_utf8(answer?).ok()?;
    let why = said.lines().find(|line| line.starts_with("error")).unwrap_or("rustc does not say why");
    println!("cargo::warning=no library to preload (docs/strong-mode.md): {why}");
    Some(false)
}

/// Whether there is a redirection for the target: Linux with glibc, on the processors that the stubs are written for.
fn can_redirect() -> Option<bool> {
    let target = |what: &str| env::var(format!("CARGO_CFG_TARGET_{what}")).ok();
    let is_glibc = target("OS")? == "linux" && target("ENV")? == "gnu" && target("POINTER_WIDTH")? == "64";
    Some(
        is_glibc && target("ENDIAN")? == "little" && matches!(target("ARCH")?.as_str(), "x86_64" | "aarch64"),
    )
}

/// The folder of the script; `None` where the shared library has to do.
fn unwinder_script() -> Option<PathBuf> {
    let is_gnu =
        env::var("CARGO_CFG_TARGET_ENV").ok()? == "gnu" && env::var("CARGO_CFG_TARGET_OS").ok()? == "linux";
    let linker = env::var_os("RUSTC_LINKER");
    if !is_gnu || (linker.is_none() && env::var_os("HOST") != env::var_os("TARGET")) {
        return None;
    }
    let asked =
        Command::new(linker.unwrap_or("cc".into())).arg("-print-file-name=libgcc_eh.a").output().ok()?;
    let archive = PathBuf::from(String::from_utf8(asked.stdout).ok()?.trim_end());
    if !archive.is_absolute() {
        return None; // a compiler that has no such file repeats its name
    }
    let folder = PathBuf::from(env::var_os("OUT_DIR")?);
    fs::write(folder.join("libgcc_s.so"), format!("INPUT(\"{}\")\n", archive.display())).ok()?;
    Some(folder)
}
