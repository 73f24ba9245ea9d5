"""Tries what a policy can stop by functions of the C library, in the current directory."""

import ctypes
import multiprocessing
import os
import socket
import subprocess
import sys

import outcomes
from functions_of_c import (
    AT_FDCWD,
    SYS_CONNECT,
    SYS_EXECVE,
    SYS_MKDIRAT,
    SYS_OPENAT,
    SYS_RENAMEAT2,
    SYS_UNLINKAT,
    address_of,
    address_of_file,
    answer,
    refused,
    resolved,
    texts,
)
from outcomes import attempt

ROOT = os.getcwd()
FOLDER = f"{ROOT}/protected"
SECRET = f"{FOLDER}/secret.txt"
PUBLIC = f"{ROOT}/public.txt"
NEW = f"{FOLDER}/new"
CREATE = os.O_WRONLY | os.O_CREAT
TOOL = f"{ROOT}/forbidden"

# Name, arguments, and what it returns besides -1 where it is refused.
CALLS = {
    "open": ("open", SECRET, os.O_RDONLY),
    "open64": ("open64", SECRET, os.O_RDONLY),
    "open to create": ("open", NEW, CREATE, 0o600),
    "open relative": ("open", "protected/secret.txt", os.O_RDONLY),
    "open through a link": ("open", "link", os.O_RDONLY),
    "open through a folder": ("open", "folder/secret.txt", os.O_RDONLY),
    "open of the checked kind": ("__open_2", SECRET, os.O_RDONLY),
    "openat": ("openat", AT_FDCWD, SECRET, os.O_RDONLY),
    "openat64": ("openat64", AT_FDCWD, SECRET, os.O_RDONLY),
    "creat": ("creat", SECRET, 0o600),
    "unlink": ("unlink", SECRET),
    "unlinkat": ("unlinkat", AT_FDCWD, SECRET, 0),
    "remove": ("remove", SECRET),
    "rmdir": ("rmdir", f"{FOLDER}/empty"),
    "rename from": ("rename", SECRET, f"{ROOT}/out"),
    "rename to": ("rename", PUBLIC, NEW),
    "renameat": ("renameat", AT_FDCWD, SECRET, AT_FDCWD, f"{ROOT}/out"),
    "mkdir": ("mkdir", NEW, 0o700),
    "mkdirat": ("mkdirat", AT_FDCWD, NEW, 0o700),
    "link": ("link", SECRET, f"{ROOT}/out"),
    "linkat": ("linkat", AT_FDCWD, SECRET, AT_FDCWD, f"{ROOT}/out", 0),
    "symlink to": ("symlink", SECRET, f"{ROOT}/out"),
    "symlink in": ("symlink", PUBLIC, NEW),
    "chmod": ("chmod", SECRET, 0o777),
    "fchmodat": ("fchmodat", AT_FDCWD, SECRET, 0o777, 0),
    "chown": ("chown", SECRET, 0, 0),
    "truncate": ("truncate", SECRET, 0),
    "utimensat": ("utimensat", AT_FDCWD, SECRET, 0, 0),
    "setxattr": ("setxattr", SECRET, "user.x", "x", 1, 0),
    "mkfifo": ("mkfifo", NEW, 0o600),
    "scandir": ("scandir", FOLDER, ctypes.byref(ctypes.c_void_p()), 0, 0),
    "syscall openat": ("syscall", SYS_OPENAT, AT_FDCWD, SECRET, os.O_RDONLY),
    "syscall unlinkat": ("syscall", SYS_UNLINKAT, AT_FDCWD, SECRET, 0),
    "syscall mkdirat": ("syscall", SYS_MKDIRAT, AT_FDCWD, NEW, 0o700),
    "syscall renameat2 from": ("syscall", SYS_RENAMEAT2, AT_FDCWD, SECRET, AT_FDCWD, f"{ROOT}/out", 0),
    "syscall renameat2 to": ("syscall", SYS_RENAMEAT2, AT_FDCWD, PUBLIC, AT_FDCWD, NEW, 0),
    "syscall execve": ("syscall", SYS_EXECVE, TOOL, texts(TOOL), 0),
    "execv": ("execv", TOOL, texts(TOOL)),
    "execve": ("execve", TOOL, texts(TOOL), 0),
    "execvp": ("execvp", TOOL, texts(TOOL)),
    "execl": ("execl", TOOL, TOOL, 0),
    "system": ("system", f"{TOOL} x"),
}
for name, call in CALLS.items():
    outcomes.ATTEMPTS[name] = lambda call=call: refused(*call)

POINTERS = {
    "fopen": ("fopen", SECRET, "r"),
    "fopen64": ("fopen64", SECRET, "r"),
    "fopen to write": ("fopen", NEW, "w"),
    "opendir": ("opendir", FOLDER),
    "popen": ("popen", f"{TOOL} x", "r"),
}
for name, call in POINTERS.items():
    outcomes.ATTEMPTS[name] = lambda call=call: refused(*call, pointer=True)


@attempt
def openat_below_a_descriptor():
    above = os.open(ROOT, os.O_RDONLY)
    return refused("openat", above, "protected/secret.txt", os.O_RDONLY)


@attempt
def freopen():
    stream, _ = answer("fopen", PUBLIC, "r", pointer=True)
    return refused("freopen", SECRET, "r", ctypes.c_void_p(stream), pointer=True)


@attempt
def mkstemp():
    return refused("mkstemp", ctypes.create_string_buffer(f"{FOLDER}/XXXXXX".encode()))


@attempt
def mkostemp():
    return refused("mkostemp", ctypes.create_string_buffer(f"{FOLDER}/XXXXXX".encode()), os.O_CLOEXEC)


@attempt
def mkdtemp():
    return refused("mkdtemp", ctypes.create_string_buffer(f"{FOLDER}/XXXXXX".encode()), pointer=True)


def spawned(name):
    child = ctypes.c_int()
    result, _ = answer(name, ctypes.byref(child), TOOL, 0, 0, texts(TOOL), 0)
    return "refused" if result == 13 else str(result)


@attempt
def posix_spawn():
    return spawned("posix_spawn")


@attempt
def posix_spawnp():
    return spawned("posix_spawnp")


@attempt
def fexecve():
    return refused("fexecve", os.open(TOOL, os.O_RDONLY), texts(TOOL), texts())


def connecting(host, family=socket.AF_INET):
    """To a server that is there, so that only a policy can refuse it."""
    with socket.socket(family) as server, socket.socket(family) as client:
        server.bind(("127.0.0.2" if family == socket.AF_INET else "::", 0))
        server.listen()
        port = server.getsockname()[1]
        return refused("connect", client.fileno(), *address_of(host, port))


@attempt
def after_another_address_with_the_same_port():
    with socket.create_server(("127.0.0.2", 0)) as server, socket.socket() as client:
        port = server.getsockname()[1]
        sys.addaudithook(lambda event, _: 1 / 0 if event == "socket.connect" else None)
        found = outcomes.outcome(lambda: client.connect(("127.0.0.5", port)))
        assert "ZeroDivisionError" in found, found
        return refused("connect", client.fileno(), *address_of("127.0.0.2", port))


@attempt
def connect():
    return connecting("127.0.0.2")


@attempt
def connect_to_a_mapped_address():
    return connecting("::ffff:127.0.0.2", socket.AF_INET6)


@attempt
def connect_by_syscall():
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.2", 0))
        server.listen()
        address = address_of("127.0.0.2", server.getsockname()[1])
        return refused("syscall", SYS_CONNECT, client.fileno(), *address)


@attempt
def connect_to_a_socket_s_file():
    with socket.socket(socket.AF_UNIX) as client:
        return refused("connect", client.fileno(), *address_of_file(f"{FOLDER}/socket"))


@attempt
def connect_to_a_name():
    """Which getaddrinfo found: the call names its address alone."""
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen()
        address = resolved("localhost", server.getsockname()[1])
        return refused("connect", client.fileno(), *address)


@attempt
def sendto():
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        return refused("sendto", client.fileno(), "x", 1, 0, *address_of("127.0.0.2", 9))


@attempt
def bind():
    with socket.socket() as server:
        return refused("bind", server.fileno(), *address_of("127.0.0.3", 0))


@attempt
def getaddrinfo():
    error = resolved("api.denied.example", 443)
    return "refused" if error == -4 else str(error)  # EAI_FAIL: not to be tried again


@attempt
def gethostbyname():
    return refused("gethostbyname", "api.denied.example", pointer=True)


@attempt
def by_cffi():
    try:
        import cffi
    except ImportError:
        return "refused"
    ffi = cffi.FFI()
    ffi.cdef("int open(const char *path, int flags, ...);")
    result = ffi.dlopen(None).open(SECRET.encode(), os.O_RDONLY)
    return "refused" if (result, ffi.errno) == (-1, 13) else f"{result} {ffi.errno}"


@attempt
def attached_database():
    import sqlite3

    try:
        return sqlite3.connect(":memory:").execute(f"attach '{FOLDER}/data.db' as other").fetchall()
    except sqlite3.OperationalError as error:
        return "refused" if "unable to open database" in str(error) else str(error)


@attempt
def certificates():
    import ssl

    try:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(SECRET)
    except PermissionError:
        return "refused"


@attempt
def private_key():
    import ssl

    try:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(SECRET)
    except PermissionError:
        return "refused"


@attempt
def started_by_multiprocessing():
    """Before Python 3.14 it does not ask whether the program could be started: the child's status says it."""
    child = multiprocessing.get_context("spawn").Process(target=print)
    try:
        child.start()
    except PermissionError:
        return "refused"
    child.join()
    return "refused" if child.exitcode == 255 and sys.version_info < (3, 14) else str(child.exitcode)


@attempt
def after_what_was_stopped_before():
    """The audit event of the same operation was stopped, and leaves nothing behind."""
    told = [
        lambda: open(SECRET),
        lambda: os.remove(SECRET),
        lambda: os.mkdir(NEW),
        lambda: os.posix_spawn(TOOL, [TOOL], {}),
        lambda: socket.socket().connect(("127.0.0.2", 9)),
    ]
    found = [outcomes.outcome(act) for act in told]
    assert found == ["denied as PermissionError"] * len(told), found
    with socket.socket() as client:
        again = [
            refused("open", SECRET, os.O_RDONLY),
            refused("unlink", SECRET),
            refused("mkdir", NEW, 0o777),
            spawned("posix_spawn"),
            refused("connect", client.fileno(), *address_of("127.0.0.2", 9)),
        ]
    return "refused" if set(again) == {"refused"} else str(again)


@attempt
def after_another_program_with_the_same_arguments():
    subprocess.run(["true", "x"], check=True)
    result, _ = answer("posix_spawn", ctypes.byref(ctypes.c_int()), TOOL, 0, 0, texts("true", "x"), 0)
    return "refused" if result == 13 else str(result)


if __name__ == "__main__":
    outcomes.print_all()
