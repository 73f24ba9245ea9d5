"""Events whose arguments are not as expected, from objects that tell when they are touched."""

import os
import pathlib
import subprocess
import sys


class Telltale:
    def __getattribute__(self, name):
        print("touched", name)
        return object.__getattribute__(self, name)

    def __getattr__(self, name):
        raise AttributeError(name)

    def __len__(self):
        print("measured")
        return 3

    def __getitem__(self, index):
        print("indexed")
        raise IndexError

    def __iter__(self):
        print("iterated")
        return iter(())

    def __index__(self):
        print("counted")
        return 3

    def __del__(self):
        print("dropped")


class Text(str):
    def __getattribute__(self, name):
        print("text touched", name)
        return str.__getattribute__(self, name)

    def encode(self, *args):
        print("encoded")
        return str.encode(self, *args)

    __str__ = __fspath__ = encode


class Number(int):
    def __index__(self):
        print("number asked")
        return 1

    __int__ = __index__


class Several(list):
    def __iter__(self):
        print("list iterated")
        return list.__iter__(self)

    def __len__(self):
        print("list measured")
        return list.__len__(self)

    def __getitem__(self, index):
        print("list indexed")
        return list.__getitem__(self, index)


class Meta(type):
    def __getattribute__(self, name):
        print("class touched", name)
        return type.__getattribute__(self, name)


class Path(metaclass=Meta):
    def __fspath__(self):
        print("path asked")
        return "/nowhere/path"


class FalsePath:
    __module__ = "pathlib"

    @property
    def _str(self):
        print("false path touched")
        return "/nowhere/false"

    def __fspath__(self):
        print("false path asked")
        return "/nowhere/false"


EVENTS = """open exec import os.remove os.rmdir os.rename os.mkdir os.link os.symlink os.chmod os.truncate
os.chdir socket.connect socket.bind socket.getaddrinfo socket.gethostbyname subprocess.Popen os.system os.exec
os.posix_spawn _posixsubprocess.fork_exec pty.spawn os.fork os.forkpty cpython.run_file cpython.run_module
cpython.run_command cpython.run_stdin gnomon.canary nobody.knows""".split()

values = [
    None,
    0,
    -1,
    1 << 100,
    True,
    1.5,
    "",
    "\0",
    "\ud800",
    b"\xff",
    "x" * 100_000,
    (),
    [],
    ("a", 1),
    ["x"] * 5000,
    Telltale(),
    Text("text"),
    Number(7),
    Several(["a", "b"]),
    Path(),
    FalsePath(),
    bytearray(b"x"),
    memoryview(b"x"),
    type,
    print,
    sys,
    pathlib.Path("a") / "b",
    sys._getframe().f_code,
    ("host", "port"),
    ("::1", -5, 0, 0),
    float("nan"),
]
for event in EVENTS:
    sys.audit(event)
    for value in values:
        sys.audit(event, value)
        sys.audit(event, value, value)
        sys.audit(event, value, value, value, value)
        sys.audit(event, [value], (value,), [value, value])
    print(event)

for path in (
    Path(),
    FalsePath(),
    Text("/nowhere/text"),
    pathlib.Path("/nowhere/pathlib"),
    b"/nowhere/\xff",
    "/nowhere/\udcff",
):
    for operation in (
        open,
        os.remove,
        os.mkdir,
        os.listdir,
        lambda path: os.open(path, 0),
        lambda path: os.chmod(path, 0),
    ):
        try:
            operation(path)
        except OSError as error:
            print(type(error).__name__, error.errno, ascii(error.filename))
for path in ("\0", "x" * 5000, "", -1, 99999, True, 1 << 70, None, 1.5, "\ud800", Telltale()):
    for operation in (open, os.remove, os.rmdir, lambda path: os.rename(path, path), os.chdir):
        try:
            opened = operation(path, closefd=False) if operation is open else operation(path)
            print("opened", type(opened))
        except Exception as error:
            print(type(error).__name__, ascii(str(error))[:200])
print(subprocess.Popen(Several(["/bin/echo", "hello"]), stdout=subprocess.PIPE).communicate())
del values, value
