//! Takes the unwinder into the library: to load libgcc_s for it costs each watched process 0.2 ms.
//!
//! On GNU systems rustc links with `-lgcc_s`. What the linker finds first under that name is a script of ours,
//! which stands for the archive of the same code. The one thing that needs the unwinder shared is an exception
//! that passes from library to library, and no panic leaves this one.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(redirects)");
    if can_redirect().unwrap_or(false) {
        println!("cargo::rustc-cfg=redirects");
    }
    if let Some(folder) = unwinder_script() {
        println!("cargo::rustc-link-arg-cdylib=-L{}", folder.display());
    }
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
