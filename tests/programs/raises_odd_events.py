"""Raises every event that gnomon decodes, with arguments that CPython would never give."""

import itertools
import os
import sys
from pathlib import Path


class Hostile:
    """Says so whenever its code is run: gnomon must not."""

    def _shout(self, *args, **kwargs):
        print("the hook ran the program's code", flush=True)
        raise ZeroDivisionError

    __fspath__ = __str__ = __repr__ = __index__ = __int__ = __len__ = __iter__ = __hash__ = __eq__ = _shout
    __getattr__ = __getitem__ = __bool__ = _shout


itself = []
itself.append(itself)
VALUES = [
    None,
    True,
    -1,
    3,
    1 << 80,
    1.5,
    "",
    "text",
    "nul\0",
    "\udcff",
    "\ud800",
    "x" * 100_000,
    b"",
    b"\xff\0",
    bytearray(b"x"),
    (),
    [],
    {},
    ("host", 80),
    ("host", "80"),
    ("::1", 80, 0, 0),
    (b"\xff", -5),
    ("only",),
    [None, Hostile()],
    ["a"] * 10_000,
    itself,
    Path("x"),
    Hostile(),
    Hostile,
    sys,
    (lambda: 0).__code__,
    os.scandir,
]
NAMES = """
    urllib.Request http.client.connect http.client.send smtplib.connect smtplib.send ftplib.connect ftplib.sendcmd
    imaplib.open imaplib.send poplib.connect poplib.putline nntplib.connect nntplib.putline telnetlib.Telnet.open
    webbrowser.open socket.sendto socket.sendmsg socket.gethostbyaddr
    open exec import os.remove os.rmdir os.rename os.mkdir os.link os.symlink os.chmod os.truncate
    socket.connect socket.bind socket.getaddrinfo socket.gethostbyname subprocess.Popen os.system os.exec
    os.posix_spawn _posixsubprocess.fork_exec pty.spawn os.fork os.forkpty cpython.run_module
    cpython.run_command cpython.run_stdin gnomon.canary os.chdir
    compile marshal.loads marshal.load function.__new__ code.__new__ object.__setattr__ pickle.find_class
    ctypes.dlopen ctypes.dlsym ctypes.dlsym/handle ctypes.call_function sqlite3.connect
    sqlite3.enable_load_extension sqlite3.load_extension os.chflags os.chown os.utime os.setxattr
    os.removexattr os.listdir os.scandir mmap.__new__ shutil.copyfile shutil.copystat shutil.copytree
    os.spawn os.startfile os.kill os.killpg signal.pthread_kill resource.setrlimit resource.prlimit os.putenv
    os.unsetenv os._clearenv sys.addaudithook sys.settrace sys.monitoring.register_callback sys.remote_exec
    cpython.remote_debugger_script gc.get_objects setopencodehook _winapi.CreateProcess _winapi.CreateFile
    _winapi.CopyFile2 _winapi.CreateJunction _winapi.TerminateProcess winreg.ConnectRegistry winreg.CreateKey
    winreg.DeleteValue winreg.LoadKey winreg.QueryValue winreg.SaveKey winreg.SetValue
""".split()

for name in NAMES:
    sys.audit(name)
    for value in VALUES:
        sys.audit(name, value)
    for values in itertools.product(VALUES, repeat=2):
        sys.audit(name, *values)
    for value in VALUES:
        sys.audit(name, value, value, value, value, value)
        sys.audit(name, "path", value, 0)
        sys.audit(name, value, "r", value)
try:
    raise KeyError("pending")
except KeyError:
    sys.audit("open", "\udcff", "r", 0)
print("done", sys.exc_info())
open("after", "w").close()
