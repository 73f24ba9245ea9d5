"""Tries each operation that a policy can stop, in the current directory. An outcome says if it happened all the same."""

import ctypes
import http.client
import importlib
import mmap
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import urllib.request

import outcomes
from outcomes import attempt

FOLDER = os.path.join(os.getcwd(), "protected")
SECRET = os.path.join(FOLDER, "secret.txt")
NEW = os.path.join(FOLDER, "new")
MARK = os.path.join(os.getcwd(), "forbidden")
PUBLIC = os.path.join(os.getcwd(), "public.txt")


def unless(happened, act):
    """`act`, whose error comes through only if nothing `happened`."""
    try:
        act()
    finally:
        assert not happened(), "it happened"


def unless_there(path, act):
    unless(lambda: os.path.lexists(path), act)


def unless_gone(path, act):
    unless(lambda: not os.path.lexists(path), act)


def content():
    descriptor = os.open("protected-by-another-name", os.O_RDONLY)
    try:
        return os.read(descriptor, 100)
    finally:
        os.close(descriptor)


def unless_changed(act):
    before = content()
    unless(lambda: content() != before, act)


@attempt
def open_to_read():
    open(SECRET)


@attempt
def open_to_write():
    unless_changed(lambda: open(SECRET, "w"))


@attempt
def open_to_create():
    unless_there(NEW, lambda: open(NEW, "x"))


@attempt
def os_open():
    os.open(SECRET, os.O_RDONLY)


@attempt
def os_open_to_create():
    unless_there(NEW, lambda: os.open(NEW, os.O_WRONLY | os.O_CREAT))


@attempt
def listdir():
    os.listdir(FOLDER)


@attempt
def scandir():
    os.scandir(FOLDER)


@attempt
def remove():
    unless_gone(SECRET, lambda: os.remove(SECRET))


@attempt
def rmtree():
    unless_gone(SECRET, lambda: shutil.rmtree(FOLDER))


@attempt
def rename_from():
    unless_gone(SECRET, lambda: os.rename(SECRET, "elsewhere"))


@attempt
def rename_to():
    unless_there(NEW, lambda: os.rename(PUBLIC, NEW))


@attempt
def replace():
    unless_changed(lambda: os.replace(PUBLIC, SECRET))


@attempt
def mkdir():
    unless_there(NEW, lambda: os.mkdir(NEW))


@attempt
def rmdir():
    unless_gone(FOLDER + "/empty", lambda: os.rmdir(FOLDER + "/empty"))


@attempt
def copy_from():
    unless_there("copied", lambda: shutil.copy(SECRET, "copied"))


@attempt
def copy_to():
    unless_there(NEW, lambda: shutil.copyfile(PUBLIC, NEW))


@attempt
def move():
    unless_gone(SECRET, lambda: shutil.move(SECRET, "elsewhere"))


@attempt
def symlink_to():
    unless_there("link", lambda: os.symlink(SECRET, "link"))


@attempt
def symlink_in():
    unless_there(NEW, lambda: os.symlink(PUBLIC, NEW))


@attempt
def link():
    unless_there("link", lambda: os.link(SECRET, "link"))


@attempt
def chmod():
    before = os.stat(SECRET).st_mode
    unless(lambda: os.stat(SECRET).st_mode != before, lambda: os.chmod(SECRET, 0o600))


@attempt
def chown():
    os.chown(SECRET, os.getuid(), os.getgid())


@attempt
def utime():
    before = os.stat(SECRET).st_mtime
    unless(lambda: os.stat(SECRET).st_mtime != before, lambda: os.utime(SECRET, (1, 1)))


@attempt
def truncate():
    unless_changed(lambda: os.truncate(SECRET, 0))


@attempt
def setxattr():
    os.setxattr(SECRET, "user.x", b"")


@attempt
def temporary_file():
    unless(lambda: len(os.listdir(FOLDER + "/../listed")), lambda: tempfile.NamedTemporaryFile(dir="listed"))


@attempt
def sqlite():
    unless_there(NEW, lambda: sqlite3.connect(NEW).execute("create table t(x)"))


@attempt
def map_file():
    mmap.mmap(os.open("mapped", os.O_RDONLY), 0, prot=mmap.PROT_READ)


def listening(kind, host="127.0.0.2"):
    server = socket.socket(type=kind)
    server.bind((host, 0))
    if kind == socket.SOCK_STREAM:
        server.listen()
    server.setblocking(False)
    return server


def unless_reached(server, act):
    def was_reached():
        try:
            return server.recv(1) if server.type == socket.SOCK_DGRAM else server.accept()
        except BlockingIOError:
            return False

    with server:
        unless(was_reached, lambda: act(server.getsockname()))


@attempt
def connect():
    unless_reached(listening(socket.SOCK_STREAM), lambda address: socket.socket().connect(address))


@attempt
def connect_ex():
    unless_reached(listening(socket.SOCK_STREAM), lambda address: socket.socket().connect_ex(address))


@attempt
def create_connection():
    unless_reached(listening(socket.SOCK_STREAM), lambda address: socket.create_connection(address))


@attempt
def connect_to_unix_socket():
    socket.socket(socket.AF_UNIX).connect(FOLDER + "/socket")


@attempt
def sendto():
    def act(address):
        socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", address)

    unless_reached(listening(socket.SOCK_DGRAM), act)


@attempt
def sendmsg():
    def act(address):
        socket.socket(type=socket.SOCK_DGRAM).sendmsg([b"x"], [], 0, address)

    unless_reached(listening(socket.SOCK_DGRAM), act)


@attempt
def bind():
    socket.socket().bind(("127.0.0.3", 0))


@attempt
def getaddrinfo():
    socket.getaddrinfo("api.denied.example", 443)


@attempt
def gethostbyname():
    socket.gethostbyname("api.denied.example")


@attempt
def urlopen():
    act = lambda address: urllib.request.urlopen(f"http://127.0.0.1:{address[1]}/denied", timeout=1)
    unless_reached(listening(socket.SOCK_STREAM, "127.0.0.1"), act)


@attempt
def http_client():
    with listening(socket.SOCK_STREAM, "127.0.0.1") as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.getsockname()[1], timeout=5)
        try:
            connection.request("GET", "/denied")
        finally:
            server.setblocking(True)
            accepted, _ = server.accept()
            accepted.setblocking(False)
            connection.close()
            # It is connected before it sends, and only what it sends names a path.
            assert accepted.recv(100) == b"", "it was sent"


@attempt
def run():
    unless_there(MARK, lambda: subprocess.run(["touch", MARK]))


@attempt
def run_in_shell():
    unless_there(MARK, lambda: subprocess.run(f"touch {MARK}", shell=True))


@attempt
def popen():
    unless_there(MARK, lambda: os.popen(f"touch {MARK}").close())


@attempt
def system():
    unless_there(MARK, lambda: os.system(f"touch {MARK}"))


@attempt
def posix_spawn():
    unless_there(MARK, lambda: os.posix_spawn("/usr/bin/touch", ["touch", MARK], os.environ))


@attempt
def posix_spawn_after_popen():
    """What `Popen` tells, and what it uses to do it, are one start: but not where the first was denied."""
    for _ in range(2):
        try:
            subprocess.Popen(["/usr/bin/touch", MARK], close_fds=False)
        except OSError:
            pass
    posix_spawn()


@attempt
def exec_another():
    unless_there(MARK, lambda: os.execv("/usr/bin/touch", ["touch", MARK]))


@attempt
def exec_from_search_path():
    unless_there(MARK, lambda: os.execlp("touch", "touch", MARK))


@attempt
def fork():
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


@attempt
def fork_a_terminal():
    import pty

    child, _ = pty.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def unless_loaded(name):
    unless(lambda: name in sys.modules, lambda: importlib.import_module(name))


@attempt
def import_statement():
    try:
        import denied_module  # noqa: F401
    finally:
        assert "denied_module" not in sys.modules, "it is there"


@attempt
def import_module():
    unless_loaded("denied_module")


@attempt
def import_again():
    """It is stopped each time, and from other modules too."""
    try:
        unless_loaded("imports_denied_module")
    except ImportError:
        pass
    unless_loaded("imports_denied_module")


@attempt
def import_below():
    unless_loaded("denied_package.below")


@attempt
def import_extension():
    unless_loaded("_lsprof")


@attempt
def dlopen():
    ctypes.CDLL(FOLDER + "/library.so")


@attempt
def kill():
    unless(lambda: arrived, lambda: os.kill(os.getpid(), signal.SIGUSR1))


arrived = []
signal.signal(signal.SIGUSR1, lambda *_: arrived.append(1))

if __name__ == "__main__":
    outcomes.print_all()
