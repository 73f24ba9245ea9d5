//! Where this interpreter looked for the hooks that run before its program, as its `sys` says.

use std::os::unix::ffi::OsStringExt as _;

use gnomon_core::startup::look::{Look, Places};

use crate::capi::{self, sys_attribute};
use crate::environment;
use crate::session::sys_path;

/// The hooks that are there now; `is_private` where homes are stored under a pseudonym. `None` before the interpreter has a search path.
pub fn look(is_private: bool) -> Option<Look> {
    let search_path = sys_attribute(c"path")?;
    let entries =
        (0..search_path.length()?).filter_map(|index| Some(search_path.item(index)?.path()?.into_owned()));
    let version = capi::version();
    let mut numbers = version.split('.');
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    Some(Look::at(Places {
        prefix: sys_path(c"prefix").unwrap_or_default(),
        search_path: entries.collect(),
        library: format!("python{major}.{minor}").into_bytes(),
        has_user_site: has_user_site(),
        own: environment::bootstrap().map(|path| path.into_os_string().into_vec()).unwrap_or_default(),
        variant: if is_private { b"private".to_vec() } else { Vec::new() },
    }))
}

/// Whether nothing keeps the user's own site directory out: `-s`, `-I`, `PYTHONNOUSERSITE`.
fn has_user_site() -> bool {
    let no_user_site = sys_attribute(c"flags").and_then(|flags| flags.attribute(c"no_user_site"));
    no_user_site.and_then(|flag| flag.object().integer()) == Some(0)
}
