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
    open exec import os.remove os.rmdir os.rename os.mkdir os.link os.symlink os.chmod os.truncate
    socket.connect socket.bind socket.getaddrinfo socket.gethostbyname subprocess.Popen os.system os.exec
    os.posix_spawn _posixsubprocess.fork_exec pty.spawn os.fork os.forkpty cpython.run_module
    cpython.run_command cpython.run_stdin gnomon.canary os.chdir
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
