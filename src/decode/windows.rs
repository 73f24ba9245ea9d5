//! What only Windows raises: the registry, and `_winapi`. Decoded everywhere, as nothing here needs Windows.

use std::borrow::Cow;

use gnomon_core::event::{Access, Base, Event, FilePath, Kind, Target};

use super::Decoded;
use crate::capi::Object;

fn registry<'a>(key: Option<Vec<u8>>, how: impl Into<Cow<'a, [u8]>>) -> Decoded<'a> {
    match key {
        Some(name) => {
            let target = Target::Named { name: Cow::Owned(name), detail: how.into() };
            Decoded::Event(Event::new(Kind::Registry, target))
        }
        None => Decoded::Odd,
    }
}

/// `HKEY_CURRENT_USER\Software`: the handle's name where it is one of the roots, its number where it is not.
fn key_of(args: Object<'_>) -> Option<Vec<u8>> {
    let handle = args.item(0)?.integer()?;
    let root = match handle & 0xFFFF_FFFF {
        0x8000_0000 => "HKEY_CLASSES_ROOT".to_owned(),
        0x8000_0001 => "HKEY_CURRENT_USER".to_owned(),
        0x8000_0002 => "HKEY_LOCAL_MACHINE".to_owned(),
        0x8000_0003 => "HKEY_USERS".to_owned(),
        0x8000_0005 => "HKEY_CURRENT_CONFIG".to_owned(),
        other => format!("handle {other}"),
    };
    // A key below, or the name of a value: where the second argument is none, the third one.
    let named = |index| args.item(index).and_then(Object::path).filter(|name| !name.is_empty());
    let rest = named(1).or_else(|| args.item(1).filter(|key| key.is_none()).and_then(|_| named(2)));
    Some(match rest {
        Some(rest) => [root.as_bytes(), b"\\", &rest].concat(),
        None => root.into_bytes(),
    })
}

/// The events of `winreg` by what they do; what they read or write is not stored.
macro_rules! registry_decoders {
    ($($name:ident $how:literal),* $(,)?) => {
        $(pub fn $name(args: Object<'_>) -> Decoded<'_> { registry(key_of(args), &$how[..]) })*
    };
}

registry_decoders! {
    create_key b"create", delete_key b"delete", delete_value b"delete value", enumerate b"enumerate",
    open_key b"open", query b"query", set_value b"set", reflection b"reflection",
}

/// `winreg.ConnectRegistry(computer, key)`.
pub fn connect_registry(args: Object<'_>) -> Decoded<'_> {
    let computer = args.item(0).and_then(Object::path).unwrap_or_default().into_owned();
    registry(Some(computer), &b"connect"[..])
}

/// `winreg.LoadKey(key, sub_key, file)`.
pub fn load_key(args: Object<'_>) -> Decoded<'_> {
    registry(key_of(args), with_file(b"load ", args.item(2)))
}

/// `winreg.SaveKey(key, file)`.
pub fn save_key(args: Object<'_>) -> Decoded<'_> {
    let handle = args.item(0).and_then(Object::integer);
    registry(handle.map(|handle| format!("handle {handle}").into_bytes()), with_file(b"save ", args.item(1)))
}

fn with_file(how: &[u8], file: Option<Object<'_>>) -> Vec<u8> {
    [how, &file.and_then(Object::path).unwrap_or_default()].concat()
}

/// A path of Windows is stored as it is given.
fn verbatim(path: Option<Object<'_>>) -> Option<FilePath<'_>> {
    Some(FilePath { given: path?.path()?, base: Base::Verbatim })
}

/// `_winapi.CreateFile(name, access, share, disposition, flags)`.
pub fn create_file(args: Object<'_>) -> Decoded<'_> {
    let number = |index| args.item(index).and_then(Object::integer);
    let (Some(path), Some(wanted), Some(disposition)) = (verbatim(args.item(0)), number(1), number(3)) else {
        return Decoded::Odd;
    };
    let (generic_read, generic_write, truncate_existing) = (0x8000_0000, 0x4000_0000, 5);
    let mut access = Access::default();
    for (holds, meaning) in [
        (wanted & generic_read != 0, Access::READ),
        (wanted & generic_write != 0 || disposition == truncate_existing, Access::WRITE),
        (matches!(disposition, 1 | 2 | 4), Access::CREATE), // CREATE_NEW, CREATE_ALWAYS, OPEN_ALWAYS
    ] {
        if holds {
            access = access.with(meaning);
        }
    }
    let target = Target::Path { path, destination: None };
    Decoded::Event(Event { access, ..Event::new(Kind::Open, target) })
}

fn from_to<'a>(kind: Kind, args: Object<'a>) -> Decoded<'a> {
    let (Some(path), Some(destination)) = (verbatim(args.item(0)), verbatim(args.item(1))) else {
        return Decoded::Odd;
    };
    Decoded::Event(Event::new(kind, Target::Path { path, destination: Some(destination) }))
}

/// `_winapi.CopyFile2(existing, new, flags)`.
pub fn copy_file(args: Object<'_>) -> Decoded<'_> {
    from_to(Kind::Copy, args)
}

/// `_winapi.CreateJunction(source, junction)`.
pub fn create_junction(args: Object<'_>) -> Decoded<'_> {
    from_to(Kind::Symlink, args)
}

/// `_winapi.TerminateProcess(handle, exit code)`: which process is not at hand.
pub fn terminate_process(args: Object<'_>) -> Decoded<'_> {
    let Some(handle) = args.item(0).and_then(Object::integer) else {
        return Decoded::Odd;
    };
    let name = Cow::Owned(format!("handle {handle}").into_bytes());
    Decoded::Event(Event::new(Kind::Kill, Target::Named { name, detail: Cow::Borrowed(b"terminate") }))
}
