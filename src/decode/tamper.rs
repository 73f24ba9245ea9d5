//! What could hide from a recorder, or look into the interpreter from within. Debuggers, coverage and test
//! runners do such things with good reason: these are facts, not accusations.

use std::borrow::Cow;

use gnomon_core::event::{Access, Event, Kind, Target};

use super::Decoded;
use crate::capi::Object;

/// A record of tampering by a name that does not change.
pub fn event<'a>(name: &'static str, detail: impl Into<Cow<'a, [u8]>>) -> Event<'a> {
    let name = Cow::Borrowed(name.as_bytes());
    Event::new(Kind::Tamper, Target::Named { name, detail: detail.into() })
}

pub fn with_detail<'a>(name: &'static str, detail: impl Into<Cow<'a, [u8]>>) -> Decoded<'a> {
    Decoded::Event(event(name, detail))
}

fn plain<'a>(name: &'static str) -> Decoded<'a> {
    with_detail(name, &b""[..])
}

pub fn addaudithook(_args: Object<'_>) -> Decoded<'_> {
    plain("sys.addaudithook")
}

pub fn settrace(_args: Object<'_>) -> Decoded<'_> {
    plain("sys.settrace")
}

pub fn setprofile(_args: Object<'_>) -> Decoded<'_> {
    plain("sys.setprofile")
}

pub fn monitoring(_args: Object<'_>) -> Decoded<'_> {
    plain("sys.monitoring.register_callback")
}

pub fn get_objects(_args: Object<'_>) -> Decoded<'_> {
    plain("gc.get_objects")
}

pub fn get_referrers(_args: Object<'_>) -> Decoded<'_> {
    plain("gc.get_referrers")
}

pub fn get_referents(_args: Object<'_>) -> Decoded<'_> {
    plain("gc.get_referents")
}

pub fn current_frames(_args: Object<'_>) -> Decoded<'_> {
    plain("sys._current_frames")
}

pub fn setopencodehook(_args: Object<'_>) -> Decoded<'_> {
    plain("setopencodehook")
}

/// `os._clearenv()`, since 3.15: also what makes children report.
pub fn clearenv(_args: Object<'_>) -> Decoded<'_> {
    plain("os._clearenv")
}

/// `sys.remote_exec(pid, script)`, in the process that asks.
pub fn remote_exec(args: Object<'_>) -> Decoded<'_> {
    let (Some(pid), Some(script)) =
        (args.item(0).and_then(Object::integer), args.item(1).and_then(Object::path))
    else {
        return Decoded::Odd;
    };
    with_detail("sys.remote_exec", [pid.to_string().as_bytes(), b" ", &script].concat())
}

/// `cpython.remote_debugger_script(path)`, in the process that is about to run it.
pub fn remote_script(args: Object<'_>) -> Decoded<'_> {
    match args.item(0).and_then(Object::path) {
        Some(path) => with_detail("cpython.remote_debugger_script", path),
        None => Decoded::Odd,
    }
}

/// Our hook is no longer in CPython's list.
pub fn hook_gone<'a>() -> Event<'a> {
    event("audit hook gone", &b""[..])
}

/// Calls of functions called `names` no longer come to us, but to what `object` has there.
pub fn undone<'a>(object: &[u8], names: &[&str]) -> Event<'a> {
    event("redirected calls undone", [names.join(", ").as_bytes(), b": ", object].concat())
}

/// ctypes reaches into the interpreter: `what` is a function that is looked up, or what is at an address.
pub fn reach<'a>(what: Vec<u8>) -> Event<'a> {
    event("ctypes", what)
}

/// A Python is about to be started in which the sitecustomize at `path` stands before gnomon's.
pub fn shadowed<'a>(path: Vec<u8>) -> Event<'a> {
    event("sitecustomize shadowed", path)
}

/// Functions by which ctypes reaches into the interpreter, or makes its memory writable.
pub fn is_reach(symbol: &[u8]) -> bool {
    const NAMES: [&[u8]; 12] = [
        b"_PyRuntime",
        b"_PySys_ClearAuditHooks",
        b"PySys_AddAuditHook",
        b"Py_AddAuditHook",
        b"Py_Finalize",
        b"Py_FinalizeEx",
        b"mprotect",
        b"pkey_mprotect",
        b"mremap",
        b"ptrace",
        b"process_vm_writev",
        b"process_madvise",
    ];
    NAMES.contains(&symbol)
}

/// What opening `path` means, if it is the memory of a process: `/proc/PID/mem`, or a `mem` that is to be written
/// and may well be that one, as `os.open` does not tell relative to what.
pub fn process_memory<'a>(path: &[u8], access: Access) -> Option<Event<'a>> {
    let directory = path.strip_suffix(b"/kmem").or_else(|| path.strip_suffix(b"mem"))?;
    let is_memory = match directory {
        b"" => access.changes(),
        b"/dev/" | b"/dev" => true,
        [.., b'/'] if directory.first() != Some(&b'/') => access.changes(),
        [.., b'/'] => directory.windows(6).any(|part| part == b"/proc/"),
        _ => false,
    };
    is_memory.then(|| event("process memory", [path, b" ", access.name().as_bytes()].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_a_process_is_known_by_its_path() {
        let both = Access::READ.with(Access::WRITE);
        for (path, access, expected) in [
            ("/proc/self/mem", Access::READ, true),
            ("/proc/self/mem", both, true),
            ("/proc/4711/mem", Access::READ, true),
            ("/proc/self/task/1/mem", both, true),
            ("/dev/../proc/self/mem", both, true),
            ("/proc/self/../thread-self/mem", both, true),
            ("//proc/self/mem", both, true),
            ("/dev/mem", Access::READ, true),
            ("/dev/kmem", Access::READ, true),
            ("mem", both, true),
            ("self/mem", both, true),
            ("mem", Access::READ, false),
            ("/home/ann/mem", both, false),
            ("/home/ann/items.mem", both, false),
            ("/proc/meminfo", Access::READ, false),
        ] {
            assert_eq!(process_memory(path.as_bytes(), access).is_some(), expected, "{path}");
        }
    }
}
