//! (event name, arguments) to `Event`: one small function a family, chosen by name.
//!
//! Keyed on the name and never on the Python version: patch releases add events and arguments. What does
//! not look as expected is [`Decoded::Odd`], counted and otherwise ignored.

mod files;
mod imports;
mod network;
mod processes;

pub use processes::forget_last_start;

use gnomon_core::event::Event;
use gnomon_core::process::Script;

use crate::capi::Object;

/// What an audit event means to gnomon.
pub enum Decoded<'a> {
    /// Something the program does.
    Event(Event<'a>),
    /// The current directory is about to change.
    DirectoryChanges,
    /// The interpreter is about to run this.
    Runs(Script),
    /// A child's start that the event before it has told already.
    Told,
    /// Nothing of interest.
    Nothing,
    /// Arguments that do not look as expected.
    Odd,
}

impl<'a> Decoded<'a> {
    fn from_event(event: Option<Event<'a>>) -> Self {
        event.map_or(Self::Odd, Self::Event)
    }
}

/// Decodes the arguments of one event.
pub type Decoder = for<'a> fn(Object<'a>) -> Decoded<'a>;

/// The decoder for an event; `None` for the many that are not looked at. This is the hot path: most events
/// end here, so it is one comparison of lengths and at most a few of bytes.
#[inline]
pub fn decoder(name: &[u8]) -> Option<Decoder> {
    Some(match name {
        b"open" => files::open,
        b"exec" => imports::exec,
        b"import" => imports::import,
        b"os.remove" | b"os.rmdir" => files::remove,
        b"os.rename" => files::rename,
        b"os.mkdir" => files::mkdir,
        b"os.link" => files::link,
        b"os.symlink" => files::symlink,
        b"os.chmod" => files::chmod,
        b"os.truncate" => files::truncate,
        b"os.chdir" => |_| Decoded::DirectoryChanges,
        b"socket.connect" => network::connect,
        b"socket.bind" => network::bind,
        b"socket.getaddrinfo" => network::getaddrinfo,
        b"socket.gethostbyname" => network::gethostbyname,
        b"subprocess.Popen" => processes::popen,
        b"os.system" => processes::system,
        b"os.exec" => processes::exec,
        b"os.posix_spawn" => processes::posix_spawn,
        b"_posixsubprocess.fork_exec" => processes::fork_exec,
        b"pty.spawn" => processes::pty_spawn,
        b"os.fork" => processes::fork,
        b"os.forkpty" => processes::forkpty,
        b"cpython.run_file" => processes::run_file,
        b"cpython.run_module" => processes::run_module,
        b"cpython.run_command" => processes::run_command,
        b"cpython.run_stdin" => processes::run_stdin,
        _ => return None,
    })
}
