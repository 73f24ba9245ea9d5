//! What the hooks of a look hold: hashes, import lines, owners. Read once for each state of an environment, and stored
//! in the spool as a file of its own; and its mirror, which reads that file.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::files::{self, Seen, path_of};
use super::look::{Found, Kind, Look, MAX_HOOK_BYTES};
use super::owners::Owners;
use super::{Hook, HookFile, Inventory, lines};
use crate::event;
use crate::privacy::Privacy;
use crate::process::{capped, hex, hide};
use crate::record::encoded;
use crate::redact;
use crate::spool::listing;
#[cfg(feature = "read")]
use crate::spool::reader::SegmentFile;
#[cfg(feature = "read")]
use crate::spool::records::Raw;
use crate::text::Bytes;

/// How the sitecustomize begins that gnomon puts into an interpreter.
const OWN: &[u8] = b"# gnomon:";
/// How much of a module is read.
const MAX_MODULE_BYTES: u64 = 256 * 1024;
/// Lines kept of a hook, and how much of each.
const MAX_LINES: usize = 16;
const MAX_LINE_BYTES: usize = 200;
/// Bytes of hooks in one record, which may not be longer than 64 KB.
const PART_BYTES: usize = 48 * 1024;

/// Stores the inventory of `look` in `spool` under its `name`, if it is not there yet. `time` is in nanoseconds since 1970.
pub fn keep(look: &Look, name: &str, spool: &Path, privacy: Option<&Privacy>, time: u64) {
    if !spool.join(name).exists() {
        let parts = parts(Inventory::of(look).stored(privacy));
        listing::store_as(spool, name, event::Kind::Startup, &parts, time);
    }
}

/// Whether the file at `path` is called as an inventory.
#[cfg(feature = "read")]
#[must_use]
pub fn is_called_so(path: &Path) -> bool {
    let name = path.file_name().and_then(std::ffi::OsStr::to_str);
    name.is_some_and(|name| name.starts_with(event::Kind::Startup.name()))
}

/// The inventory in a file that [`keep`] wrote; `None` where it holds none.
#[cfg(feature = "read")]
#[must_use]
pub fn read(segment: &SegmentFile) -> Option<Inventory> {
    let of_kind = |raw: &Raw<'_>| raw.kind == event::Kind::Startup as u16;
    let mut found = segment.records().flatten().filter(of_kind);
    let mut all: Inventory = rmp_serde::from_slice(found.next()?.payload).ok()?;
    for raw in found {
        let part: Inventory = rmp_serde::from_slice(raw.payload).ok()?;
        all.hooks.extend(part.hooks);
    }
    Some(all)
}

/// The payloads of its records.
fn parts(mut inventory: Inventory) -> Vec<Vec<u8>> {
    let hooks = std::mem::take(&mut inventory.hooks);
    let (mut parts, mut size) = (Vec::new(), encoded(&inventory).len());
    for hook in hooks {
        let more = encoded(&hook).len();
        if size + more > PART_BYTES {
            parts.push(encoded(&std::mem::take(&mut inventory)));
            size = 0;
        }
        size += more;
        inventory.hooks.push(hook);
    }
    parts.push(encoded(&inventory));
    parts
}

impl Inventory {
    /// What the hooks of `look` hold now.
    #[must_use]
    pub fn of(look: &Look) -> Self {
        let mut hooks: Vec<Hook> = look.hooks.iter().map(|found| hook(found, look)).collect();
        for (at, directory) in look.directories.iter().enumerate() {
            let here = look.hooks.iter().zip(&mut hooks).filter(|(found, _)| found.directory == at);
            let files = here.flat_map(|(_, hook)| std::iter::once(&mut hook.file).chain(&mut hook.modules));
            Owners::of(directory).tell(files.collect());
        }
        Self {
            prefix: Bytes(look.prefix.clone()),
            has_user_site: look.has_user_site,
            directories: look.directories.iter().cloned().map(Bytes).collect(),
            hooks,
            unseen: look.unseen,
        }
    }

    /// The same as it may be stored: paths without secrets, homes under a pseudonym.
    fn stored(mut self, privacy: Option<&Privacy>) -> Self {
        let file = |file: &mut HookFile| store(&mut file.path, privacy);
        store(&mut self.prefix, privacy);
        self.directories.iter_mut().for_each(|directory| store(directory, privacy));
        for hook in &mut self.hooks {
            file(&mut hook.file);
            hook.target.iter_mut().for_each(|target| store(target, privacy));
            hook.lines.iter_mut().for_each(|line| hide(line, privacy));
            hook.modules.iter_mut().for_each(file);
        }
        self
    }
}

fn store(path: &mut Bytes, privacy: Option<&Privacy>) {
    *path = capped(&path.0);
    hide(path, privacy);
}

fn hook(found: &Found, look: &Look) -> Hook {
    let limit = match found.kind {
        Kind::Pth | Kind::Start => MAX_HOOK_BYTES,
        Kind::Sitecustomize | Kind::Usercustomize => MAX_MODULE_BYTES,
    };
    let (file, content) = file(&found.path, found.seen, limit);
    let executed = match found.kind {
        Kind::Pth => lines::of_pth(&content),
        Kind::Start => lines::of_start(&content),
        _ => lines::Executed::default(),
    };
    let target = found.is_link.then(|| std::fs::read_link(path_of(&found.path)).ok()).flatten();
    let line = |line: &String| Bytes(redact::cut(line.as_bytes(), MAX_LINE_BYTES).into_owned());
    Hook {
        kind: found.kind.name().to_owned(),
        target: target.map(|target| Bytes(target.into_os_string().into_encoded_bytes())),
        executed: executed.lines.len() as u64,
        lines: executed.lines.iter().take(MAX_LINES).map(line).collect(),
        modules: found
            .modules
            .iter()
            .map(|(path, seen)| self::file(path, Some(*seen), MAX_MODULE_BYTES).0)
            .collect(),
        is_own: found.kind == Kind::Sitecustomize
            && (content.starts_with(OWN) || look.directories.get(found.directory) == Some(&look.own)),
        file,
    }
}

/// The file at `path`, which a look saw as `seen`, and its start.
fn file(path: &[u8], seen: Option<Seen>, limit: u64) -> (HookFile, Vec<u8>) {
    const S_IFMT: u32 = 0o170_000;
    const S_IFREG: u32 = 0o100_000;
    let is_file = seen.is_some_and(|seen| seen.mode & S_IFMT == S_IFREG);
    let Seen { size, modified, changed, inode, mode, uid } = seen.unwrap_or_default();
    let mut file = HookFile { size, modified, changed, inode, mode, owner_uid: uid, ..HookFile::default() };
    file.path = Bytes(path.to_vec());
    if !is_file {
        let words = if seen.is_some() { "not a regular file" } else { "leads nowhere" };
        file.problem = Some(words.to_owned());
        return (file, Vec::new());
    }
    match files::start_of(path, limit) {
        Ok((content, true)) => {
            file.sha256 = Some(hex(&Sha256::digest(&content)));
            (file, content)
        }
        Ok((content, false)) => {
            file.problem = Some(format!("longer than {} KB", limit / 1024));
            (file, content)
        }
        Err(error) => {
            file.problem = Some(format!("cannot be read: {}", error.kind()));
            (file, Vec::new())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::PathBuf;

    use super::super::look::Places;
    use super::*;

    /// A search path of one site directory that holds these files.
    fn environment(files: &[(&str, &[u8])]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let site = folder.path().join("lib/site-packages");
        for (name, content) in files {
            let path = site.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        (folder, site)
    }

    fn look(site: &Path) -> Look {
        Look::at(Places { search_path: vec![site.as_os_str().as_bytes().to_vec()], ..Places::default() })
    }

    fn kept(look: &Look, spool: &Path) -> Inventory {
        keep(look, &look.name(), spool, None, 1);
        read(&SegmentFile::load(&spool.join(look.name())).unwrap()).unwrap()
    }

    fn names(inventory: &Inventory) -> Vec<String> {
        let name = |hook: &Hook| {
            String::from_utf8_lossy(hook.file.path.0.rsplit(|byte| *byte == b'/').next().unwrap())
                .into_owned()
        };
        inventory.hooks.iter().map(name).collect()
    }

    #[test]
    fn hooks_are_listed_with_what_they_execute_and_whose_they_are() {
        let (folder, site) = environment(&[
            ("a.pth", b"import a_hook; a_hook.password = 'hunter2'\n"),
            ("b.pth", b"/opt/lib\n"),
            ("c.start", b"a_hook:run\n"),
            ("d.py", b""),
            ("sitecustomize.py", b"# gnomon: x\n"),
            ("usercustomize/__init__.py", b""),
            ("a_hook.py", b"pass\n"),
            (
                "A_Hook-1.2.dist-info/RECORD",
                b"a.pth,sha256=wrong,3\na_hook.py,sha256=uPoWdfJARAwkFjxSj7i17MTqFo5ha9RW5QO2I0YU9rM,5\n",
            ),
        ]);
        let found = kept(&look(&site), folder.path());
        assert_eq!(names(&found), ["a.pth", "b.pth", "c.start", "sitecustomize.py", "__init__.py"]);
        let [a, b, c, own, user] = &found.hooks[..] else { panic!() };
        assert_eq!(a.lines[0].0, b"import a_hook; a_hook.password = '***'");
        assert_eq!((a.executed, b.executed, c.executed), (1, 0, 1));
        assert_eq!(a.file.distribution.as_deref(), Some("A_Hook"));
        assert_eq!((a.file.version.as_deref(), a.file.is_as_installed), (Some("1.2"), Some(false)));
        assert_eq!((b.file.distribution.as_deref(), b.file.is_as_installed), (None, None));
        assert!(a.modules[0].path.0.ends_with(b"/a_hook.py") && a.modules == c.modules);
        assert_eq!(a.modules[0].distribution.as_deref(), Some("A_Hook"));
        assert!(own.is_own && !user.is_own && user.kind == "usercustomize");
    }

    #[test]
    fn a_change_has_another_name_even_in_place_and_at_the_old_time() {
        let (_folder, site) = environment(&[("a.pth", b"import x\n"), ("x.py", b"1")]);
        let before = look(&site).name();
        assert_eq!(look(&site).name(), before);
        let modified = std::fs::metadata(site.join("x.py")).unwrap().modified().unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(site.join("x.py")).unwrap();
        loop {
            // The file system's clock ticks every few milliseconds.
            std::fs::write(site.join("x.py"), b"2").unwrap();
            file.set_modified(modified).unwrap();
            if look(&site).name() != before {
                break;
            }
        }
        std::fs::remove_file(site.join("x.py")).unwrap();
        assert!(look(&site).hooks[0].modules.is_empty());
    }

    #[test]
    fn what_is_no_plain_file_is_noted_and_not_waited_for() {
        let (folder, site) = environment(&[("real", b"import x\n"), ("z.pth", &[b' '; 70_000])]);
        std::os::unix::fs::symlink("real", site.join("link.pth")).unwrap();
        std::os::unix::fs::symlink("nowhere", site.join("lost.pth")).unwrap();
        std::fs::create_dir(site.join("folder.pth")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            site.join("pipe.pth"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        let found = kept(&look(&site), folder.path());
        assert_eq!(names(&found), ["folder.pth", "link.pth", "lost.pth", "pipe.pth", "z.pth"]);
        let problems: Vec<_> = found.hooks.iter().map(|hook| hook.file.problem.as_deref()).collect();
        let odd = Some("not a regular file");
        assert_eq!(problems, [odd, None, Some("leads nowhere"), odd, Some("longer than 64 KB")]);
        let link = &found.hooks[1];
        assert_eq!(link.target, Some(Bytes(b"real".to_vec())));
        assert!(link.executed == 1 && link.file.sha256.is_some());
    }

    #[test]
    fn a_flood_is_counted_and_what_is_kept_of_it_fits() {
        let (folder, site) = environment(&[("a.pth", b"")]);
        let line = format!("import os; {}\n", "x".repeat(300));
        for number in 0..300 {
            std::fs::write(site.join(format!("{number:04}.pth")), line.repeat(40)).unwrap();
        }
        let found = kept(&look(&site), folder.path());
        assert_eq!((found.hooks.len(), found.unseen), (200, 101));
        assert_eq!((found.hooks[0].executed, found.hooks[0].lines.len()), (40, MAX_LINES));
        assert_eq!(found.hooks[0].lines[0].0.len(), MAX_LINE_BYTES + 3);
    }

    #[test]
    fn homes_are_stored_under_their_pseudonym() {
        let file = || HookFile { path: Bytes(b"/home/ann/x.py".to_vec()), ..HookFile::default() };
        let hook = Hook {
            file: file(),
            target: Some(file().path),
            lines: vec![Bytes(b"import x; x.at('/home/ann/y')".to_vec())],
            modules: vec![file()],
            ..Hook::default()
        };
        let inventory = Inventory { prefix: file().path, hooks: vec![hook], ..Inventory::default() };
        let privacy = Privacy::new("salt", "ann", b"/home/ann");
        let bytes = encoded(&inventory.stored(Some(&privacy)));
        assert!(memchr::memmem::find(&bytes, b"ann").is_none());
    }

    #[test]
    fn no_search_path_is_too_odd() {
        let paths =
            [&b"relative"[..], b"/nowhere/site-packages", b"", b"/", b"/x.zip", b"/\xff/dist-packages"];
        let search_path = paths.map(<[u8]>::to_vec).to_vec();
        let look = Look::at(Places { search_path, ..Places::default() });
        assert!(look.hooks.is_empty() && look.directories.is_empty());
    }
}
