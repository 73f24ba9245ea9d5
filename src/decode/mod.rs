//! (event name, arguments) to `Event`: one small function a family, chosen by name.
//!
//! Keyed on the name and never on the Python version: patch releases add events and arguments. What does
//! not look as expected is [`Decoded::Odd`], counted and otherwise ignored.

pub mod code;
mod copies;
mod databases;
mod files;
mod imports;
mod native;
mod network;
mod processes;
mod requests;
mod settings;
mod signals;
pub mod tamper;
mod windows;

pub use files::access_of;
pub use processes::forget_last_start;
pub use requests::url_event;

use gnomon_core::event::Event;
use gnomon_core::process::Script;

use crate::capi::Object;

/// Forgets what events before have told of those to come: the operation that they are part of is stopped.
pub fn forget_what_was_told() {
    forget_last_start();
    copies::forget();
    requests::forget();
}

/// What an audit event means to gnomon.
pub enum Decoded<'a> {
    /// Something the program does.
    Event(Event<'a>),
    /// The same, of a file that is open already: no call of the C library will name it.
    OfOpenFile(Event<'a>),
    /// The same, and before it what it may be for: [`tamper`].
    Reaching(Event<'a>, Event<'a>),
    /// The same, for what may come by the million: one record counts all of it.
    Counted(Event<'a>),
    /// Text that was compiled; what comes next tells what for.
    Compiled(code::Compiled),
    /// The current directory is about to change.
    DirectoryChanges,
    /// The interpreter is about to run this.
    Runs(Script),
    /// What an event before it has told already: a child's start, a request, the opens of a copy.
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
///
/// One long table on purpose: families that choose for themselves, by their first letters, made each event that is
/// not looked at some 5 to 25 instructions dearer.
#[inline]
pub fn decoder(name: &[u8], args: Option<Object<'_>>) -> Option<Decoder> {
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
        b"os.chflags" => files::chflags,
        b"os.chown" => files::chown,
        b"os.utime" => files::utime,
        b"os.setxattr" => files::setxattr,
        b"os.removexattr" => files::removexattr,
        b"os.listdir" | b"os.scandir" => files::list,
        b"mmap.__new__" => files::map,
        b"shutil.copyfile" => copies::copyfile,
        b"shutil.copystat" | b"shutil.copymode" => copies::copystat,
        b"shutil.copytree" | b"shutil.rmtree" => copies::tree,
        b"os.truncate" => files::truncate,
        b"os.chdir" => |_| Decoded::DirectoryChanges,
        b"compile" => code::compile,
        b"marshal.loads" => code::unmarshal,
        b"marshal.load" => code::unmarshal_file,
        b"function.__new__" => code::function,
        b"code.__new__" => code::code,
        b"object.__setattr__" if code::may_set_code(args) => code::set_attribute,
        b"pickle.find_class" => code::find_class,
        b"ctypes.dlopen" => native::dlopen,
        b"ctypes.dlsym" => native::dlsym,
        b"ctypes.dlsym/handle" => native::dlsym_in_handle,
        b"ctypes.call_function" => native::call,
        b"ctypes.cdata" => native::at_address,
        b"sqlite3.connect" => databases::connect,
        b"sqlite3.enable_load_extension" => databases::enable_extensions,
        b"sqlite3.load_extension" => databases::load_extension,
        b"socket.connect" => network::connect,
        b"socket.bind" => network::bind,
        b"socket.getaddrinfo" => network::getaddrinfo,
        b"socket.gethostbyname" => network::gethostbyname,
        b"socket.gethostbyaddr" => network::gethostbyaddr,
        b"socket.sendto" | b"socket.sendmsg" => network::send,
        b"urllib.Request" => requests::urllib_request,
        b"http.client.connect" => requests::http_connect,
        b"http.client.send" => requests::http_send,
        b"smtplib.connect" => requests::smtp_connect,
        b"smtplib.send" => requests::smtp_send,
        b"ftplib.connect" => requests::ftp_connect,
        b"ftplib.sendcmd" => requests::ftp_command,
        b"imaplib.open" => requests::imap_open,
        b"imaplib.send" => requests::imap_send,
        b"poplib.connect" => requests::pop_connect,
        b"poplib.putline" => requests::pop_command,
        b"nntplib.connect" => requests::news_connect,
        b"nntplib.putline" => requests::news_command,
        b"telnetlib.Telnet.open" => requests::telnet_open,
        b"webbrowser.open" => requests::browser,
        b"subprocess.Popen" => processes::popen,
        b"os.system" => processes::system,
        b"os.exec" => processes::exec,
        b"os.posix_spawn" => processes::posix_spawn,
        b"_posixsubprocess.fork_exec" => processes::fork_exec,
        b"pty.spawn" => processes::pty_spawn,
        b"os.spawn" => processes::spawn,
        b"os.startfile" => processes::startfile,
        b"_winapi.CreateProcess" => processes::create_process,
        b"os.fork" => processes::fork,
        b"os.forkpty" => processes::forkpty,
        b"cpython.run_file" => processes::run_file,
        b"cpython.run_module" => processes::run_module,
        b"cpython.run_command" => processes::run_command,
        b"cpython.run_stdin" => processes::run_stdin,
        b"os.kill" => signals::to_process,
        b"os.killpg" => signals::to_group,
        b"signal.pthread_kill" => signals::to_thread,
        b"resource.setrlimit" => settings::setrlimit,
        b"resource.prlimit" => settings::prlimit,
        b"os.putenv" => settings::putenv,
        b"os.unsetenv" => settings::unsetenv,
        b"os._clearenv" => tamper::clearenv,
        b"sys.addaudithook" => tamper::addaudithook,
        b"sys.settrace" => tamper::settrace,
        b"sys.setprofile" => tamper::setprofile,
        b"sys.monitoring.register_callback" => tamper::monitoring,
        b"sys._current_frames" => tamper::current_frames,
        b"sys.remote_exec" => tamper::remote_exec,
        b"cpython.remote_debugger_script" => tamper::remote_script,
        b"gc.get_objects" => tamper::get_objects,
        b"gc.get_referrers" => tamper::get_referrers,
        b"gc.get_referents" => tamper::get_referents,
        b"setopencodehook" => tamper::setopencodehook,
        b"_winapi.CreateFile" => windows::create_file,
        b"_winapi.CopyFile2" => windows::copy_file,
        b"_winapi.CreateJunction" => windows::create_junction,
        b"_winapi.TerminateProcess" => windows::terminate_process,
        b"winreg.ConnectRegistry" => windows::connect_registry,
        b"winreg.CreateKey" => windows::create_key,
        b"winreg.DeleteKey" => windows::delete_key,
        b"winreg.DeleteValue" => windows::delete_value,
        b"winreg.EnumKey" | b"winreg.EnumValue" | b"winreg.QueryInfoKey" => windows::enumerate,
        b"winreg.LoadKey" => windows::load_key,
        b"winreg.OpenKey" => windows::open_key,
        b"winreg.QueryValue" => windows::query,
        b"winreg.SaveKey" => windows::save_key,
        b"winreg.SetValue" => windows::set_value,
        b"winreg.DisableReflectionKey" | b"winreg.EnableReflectionKey" => windows::reflection,
        _ => return None,
    })
}
