"""Does the one operation that its argument names, in the current directory: those that no other table has."""

import os
import socket
import stat
import sys
import threading


def file(name, text="x"):
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT)
    os.write(descriptor, text.encode())
    os.close(descriptor)


def listening(kind=socket.SOCK_STREAM):
    server = socket.socket(type=kind)
    server.bind(("127.0.0.1", 0))
    if kind == socket.SOCK_STREAM:
        server.listen()
    return server, server.getsockname()[1]


def folder():
    return os.open("folder", os.O_RDONLY)


def attempt(act, *arguments, **options):
    try:
        act(*arguments, **options)
    except (OSError, NotImplementedError, UnicodeError):
        pass


# files


def fails_to_open():
    attempt(open, "missing")


def opens_descriptor_twice():
    descriptor = os.open("made", os.O_RDONLY)
    for _ in range(2):
        os.fdopen(os.dup(descriptor)).close()
    os.close(descriptor)


def opens_by_both():
    """What an event told of an open file, or of another start, is not about these calls."""
    import ctypes

    c = ctypes.CDLL(None)
    descriptor = os.open("made", os.O_RDONLY)
    os.fdopen(os.dup(descriptor)).close()
    c.open(os.path.abspath("made").encode(), os.O_RDONLY)
    os.system("true")
    c.system(b"true")


def opens_by_opener():
    open("made", opener=lambda path, flags: os.open(path, flags)).close()


def opens_elsewhere_by_opener():
    descriptor = folder()
    open("inside", opener=lambda path, flags: os.open(path, flags, dir_fd=descriptor)).close()


def truncates_descriptor():
    with open("made", "r+") as stream:
        stream.truncate(0)


def makes_fifo():
    os.mkfifo("fifo")


def makes_node():
    attempt(os.mknod, "node", stat.S_IFREG | 0o600)


def makes_below():
    descriptor = folder()
    os.mkfifo("fifo", dir_fd=descriptor)


def makes_directories():
    os.makedirs("a/b/c", exist_ok=True)


def changes_below():
    descriptor = folder()
    os.chmod("inside", 0o600, dir_fd=descriptor)
    os.utime("inside", dir_fd=descriptor)
    os.chown("inside", os.getuid(), -1, dir_fd=descriptor)
    os.rename("inside", "other", src_dir_fd=descriptor, dst_dir_fd=descriptor)
    os.link("other", "linked", src_dir_fd=descriptor, dst_dir_fd=descriptor)
    os.symlink("other", "symbolic", dir_fd=descriptor)
    os.mkdir("below", dir_fd=descriptor)
    os.rmdir("below", dir_fd=descriptor)
    os.unlink("linked", dir_fd=descriptor)


def changes_links():
    os.symlink("made", "link")
    attempt(os.chmod, "link", 0o600, follow_symlinks=False)
    attempt(os.lchown, "link", os.getuid(), -1)
    attempt(os.chown, "link", os.getuid(), -1, follow_symlinks=False)
    attempt(os.utime, "link", follow_symlinks=False)
    attempt(os.setxattr, "link", "trusted.gnomon", b"x", follow_symlinks=False)
    attempt(os.removexattr, "link", "trusted.gnomon", follow_symlinks=False)
    attempt(os.link, "link", "second", follow_symlinks=False)


def changes_descriptors():
    with open("made", "r+") as stream:
        number = stream.fileno()
        os.chmod(number, 0o600)
        os.fchmod(number, 0o600)
        os.chown(number, os.getuid(), -1)
        os.fchown(number, os.getuid(), -1)
        os.utime(number)
        os.truncate(number, 0)
        attempt(os.setxattr, number, "user.gnomon", b"x")
        attempt(os.removexattr, number, "user.gnomon")


def fails_to_change():
    for change in (
        lambda: os.remove("missing/x"),
        lambda: os.rename("missing", "other"),
        lambda: os.mkdir("missing/x"),
        lambda: os.rmdir("missing"),
        lambda: os.link("missing", "other"),
        lambda: os.symlink("x", "missing/x"),
        lambda: os.chmod("missing", 0),
        lambda: os.truncate("missing", 0),
        lambda: os.listdir("missing"),
        lambda: os.scandir("missing"),
        lambda: os.utime("missing"),
        lambda: os.chown("missing", 0, 0),
    ):
        attempt(change)


def lists_descriptor():
    descriptor = folder()
    os.listdir(descriptor)
    os.scandir(descriptor).close()


def walks_by_descriptor():
    list(os.fwalk("folder"))


def makes_temporary():
    import tempfile

    with (
        tempfile.NamedTemporaryFile(dir="."),
        tempfile.TemporaryFile(dir="."),
        tempfile.TemporaryDirectory(dir="."),
    ):
        pass
    with tempfile.SpooledTemporaryFile(1, dir=".") as stream:
        stream.write(b"more")


def reads_lines():
    import fileinput
    import linecache
    import tokenize

    linecache.getline("made", 1)
    list(fileinput.input("made"))
    tokenize.open("made").close()


def reads_configuration():
    import configparser
    import mimetypes
    import netrc

    configparser.ConfigParser().read("made.ini")
    mimetypes.init()
    attempt(netrc.netrc, "made.ini")


def logs():
    import logging.handlers

    logging.basicConfig(filename="log")
    logging.warning("x")
    logging.handlers.RotatingFileHandler("rotated", maxBytes=1).close()


def compresses():
    import bz2
    import gzip
    import lzma

    for module in (bz2, gzip, lzma):
        with module.open("archive", "w") as stream:
            stream.write(b"x")


def maps_a_file():
    import mmap

    with open("made", "r+b") as stream:
        mmap.mmap(stream.fileno(), 0).close()


def shelves():
    import dbm.dumb

    with dbm.dumb.open("shelf", "c") as database:
        database["a"] = "b"


def system_databases():
    for name in ("dbm.gnu", "dbm.ndbm", "dbm.sqlite3"):
        try:
            module = __import__(name, fromlist=["open"])
        except ImportError:
            continue
        with module.open(name, "c") as database:
            database["a"] = "b"


def remembers_lines():
    try:
        import readline
    except ImportError:
        return
    readline.add_history("x")
    readline.write_history_file("history")
    readline.read_history_file("history")
    readline.append_history_file(1, "history")
    readline.read_init_file("own.py")


def sqlite_attaches():
    import sqlite3

    connection = sqlite3.connect("one.db")
    connection.execute("create table t (x)")
    connection.execute("attach 'two.db' as two")
    connection.execute("create table two.t (x)")
    connection.commit()
    connection.execute("vacuum into 'three.db'")
    connection.close()


def sqlite_by_link():
    import sqlite3

    os.mkdir("real")
    os.symlink("real", "linked")
    sqlite3.connect("linked/../linked/./data.db").close()


def sqlite_fails():
    import sqlite3

    try:
        sqlite3.connect("missing/data.db")
    except sqlite3.OperationalError:
        pass


def sqlite_backs_up():
    import sqlite3

    source, target = sqlite3.connect("one.db"), sqlite3.connect("file:two.db?mode=rwc", uri=True)
    source.execute("create table t (x)")
    source.backup(target)


# the network


def resolves_in_every_way():
    for name in (
        "localhost",
        "name.invalid",
        "xn--mnchen-3ya.invalid",
        "münchen.invalid",
        "Name.Invalid.",
        "127.0.0.1",
    ):
        attempt(socket.getaddrinfo, name, 80)
        attempt(socket.gethostbyname, name)
        attempt(socket.gethostbyname_ex, name)
        attempt(socket.gethostbyaddr, name)
    attempt(socket.getaddrinfo, b"name.invalid", "http")
    attempt(socket.getaddrinfo, None, 80)
    attempt(socket.getaddrinfo, "", 80)
    attempt(socket.getnameinfo, ("127.0.0.1", 80), 0)
    attempt(socket.getnameinfo, ("::1", 80), 0)
    attempt(socket.getfqdn)


def connects_by_name_only():
    server, port = listening()
    socket.socket().connect(("localhost", port))


def connects_many_times():
    server, port = listening()
    for _ in range(3):
        socket.create_connection(("127.0.0.1", port)).close()
        socket.socket().connect_ex(("127.0.0.1", port))
    server.close()
    attempt(socket.create_connection, ("127.0.0.1", port))


def connects_without_waiting():
    server, port = listening()
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(("127.0.0.1", port))


def connects_abstractly():
    server = socket.socket(socket.AF_UNIX)
    server.bind("\0gnomon" + str(os.getpid()))
    server.listen()
    socket.socket(socket.AF_UNIX).connect("\0gnomon" + str(os.getpid()))


def connects_to_bytes():
    server = socket.socket(socket.AF_UNIX)
    server.bind(b"socket")
    server.listen()
    socket.socket(socket.AF_UNIX).connect(b"socket")


def binds_in_every_way():
    socket.socket().bind(("", 0))
    socket.socket().bind(("0.0.0.0", 0))
    socket.socket(socket.AF_INET6).bind(("::", 0))
    socket.socket(socket.AF_INET6).bind(("::1", 0, 0, 0))
    socket.socket(socket.AF_UNIX).bind("")
    attempt(socket.socket().bind, ("localhost", 0))
    socket.create_server(("127.0.0.1", 0)).close()
    try:
        netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)
        netlink.bind((0, 0))
    except OSError:
        pass


def sends_datagrams():
    server, port = listening(socket.SOCK_DGRAM)
    client = socket.socket(type=socket.SOCK_DGRAM)
    client.sendto(b"x", ("127.0.0.1", port))
    client.sendto(b"x", 0, ("127.0.0.1", port))
    client.sendmsg([b"x"], [], 0, ("127.0.0.1", port))
    client.sendto(b"x", ("localhost", port))
    client.connect(("127.0.0.1", port))
    client.send(b"x")
    client.sendmsg([b"x"])


def passes_descriptors():
    if sys.version_info < (3, 9):
        return
    one, two = socket.socketpair()
    socket.send_fds(one, [b"x"], [0])


def asyncio_streams():
    import asyncio

    async def main():
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=("127.0.0.1", port)
        )
        transport.sendto(b"x")
        transport.close()
        child = await asyncio.create_subprocess_exec("true")
        await child.wait()
        child = await asyncio.create_subprocess_shell("true")
        await child.wait()
        server.close()

    asyncio.run(main())


def served(head=b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", speaks_first=False, times=1):
    server, port = listening()

    def serve():
        for _ in range(times):
            connection, _ = server.accept()
            if speaks_first:
                connection.sendall(head)
            connection.recv(65536)
            if not speaks_first:
                connection.sendall(head)
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    return port


def urls():
    import urllib.request

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.open(f"http://127.0.0.1:{served()}/path").close()
    opener.open(f"http://127.0.0.1:{served()}").close()
    opener.open(f"http://127.0.0.1:{served()}?a=b#c").close()
    opener.open(f"http://localhost:{served()}/path?q=%20", data=b"x").close()


def urls_by_proxy():
    import urllib.request

    handler = urllib.request.ProxyHandler({"http": f"http://127.0.0.1:{served()}"})
    urllib.request.build_opener(handler).open("http://name.invalid/path").close()


def urls_by_tunnel():
    import urllib.request

    refused = served(b"HTTP/1.0 403 Forbidden\r\n\r\n")
    handler = urllib.request.ProxyHandler({"https": f"http://127.0.0.1:{refused}"})
    attempt(urllib.request.build_opener(handler).open, "https://name.invalid/path")


def urls_redirected():
    import urllib.request

    target = served()
    head = f"HTTP/1.0 302 Found\r\nLocation: http://127.0.0.1:{target}/second\r\nContent-Length: 0\r\n\r\n"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.open(f"http://127.0.0.1:{served(head.encode())}/first").close()


def http_requests():
    import http.client

    for method, path, body in (
        ("GET", "/", None),
        ("POST", "/a?b=c", b"x" * 100_000),
        ("PUT", "/x", iter([b"a", b"b"])),
    ):
        connection = http.client.HTTPConnection("127.0.0.1", served())
        attempt(connection.request, method, path, body)
        connection.close()


def mail():
    import smtplib

    attempt(smtplib.SMTP, "127.0.0.1", served(b"421 no\r\n", True))


def contexts():
    import ssl

    ssl.create_default_context()


# processes


def starts_in_every_way():
    import subprocess

    for options in (
        {},
        {"close_fds": False},
        {"start_new_session": True},
        {"preexec_fn": lambda: None},
        {"cwd": "folder"},
    ):
        subprocess.run(["true", "argument"], **options)
    subprocess.run(["true", "argument"], executable="/bin/true")
    subprocess.run([b"true", b"argument"])
    subprocess.run("true", shell=True)
    subprocess.run("true", env={"PATH": os.environ["PATH"]})
    attempt(subprocess.run, ["no-such-program"])
    attempt(subprocess.run, ["/no/such/program"])
    os.popen("true").close()


def starts_what_is_no_text():
    import subprocess

    class Named:
        def __fspath__(self):
            return "another"

    subprocess.run(["/bin/true", Named()])


def spawns_in_every_way():
    for spawn in (os.spawnl, os.spawnlp):
        spawn(os.P_WAIT, "/bin/true", "true", "argument")
    os.spawnvp(os.P_WAIT, "true", ["true"])
    os.waitpid(os.posix_spawn("/bin/true", ["true"], os.environ), 0)
    os.waitpid(os.posix_spawnp("true", ["true"], os.environ), 0)
    attempt(os.posix_spawn, "/no/such/program", ["x"], os.environ)


def executes_by_search():
    attempt(os.execvp, "no-such-program", ["x"])
    os.execvp("true", ["true", "argument"])


def executes_a_descriptor():
    descriptor = os.open("/bin/true", os.O_RDONLY)
    os.execve(descriptor, ["true"], os.environ)


def shares_memory():
    from multiprocessing import shared_memory

    memory = shared_memory.SharedMemory(create=True, size=100)
    memory.close()
    memory.unlink()


def locks():
    import multiprocessing

    multiprocessing.get_context("fork").Lock()


def work():
    pass


def starts_by_method(method):
    import multiprocessing

    child = multiprocessing.get_context(method).Process(target=work)
    child.start()
    child.join()


def starts_by_fork():
    starts_by_method("fork")


def starts_by_spawn():
    starts_by_method("spawn")


def starts_by_server():
    starts_by_method("forkserver")


# the rest


def asks_the_system():
    import getpass
    import locale
    import platform
    import random
    import time
    import uuid

    locale.setlocale(locale.LC_ALL, "")
    time.localtime()
    time.tzset()
    random.SystemRandom().random()
    os.urandom(10)
    uuid.uuid4()
    platform.platform()
    os.cpu_count()
    os.getloadavg()
    attempt(getpass.getuser)


def asks_for_unique_names():
    import uuid

    uuid.uuid1()


def opens_terminals():
    for number in os.openpty():
        os.ttyname(number)


def writes_to_the_log():
    import syslog

    syslog.syslog("x")


def loads_extensions():
    import array, decimal, _ctypes, unicodedata, zlib  # noqa: E401


def loads_from_archive():
    import zipfile

    with zipfile.ZipFile("made.zip", "w") as archive:
        archive.writestr("zipped.py", "")
    sys.path.insert(0, "made.zip")
    import zipped  # noqa: F401


def writes_bytecode():
    import compileall
    import py_compile

    py_compile.compile("own.py")
    compileall.compile_dir("folder", quiet=2)


def runs_modules():
    import runpy

    runpy.run_path("own.py")
    sys.path.insert(0, "")
    runpy.run_module("own")


def makes_environments():
    import venv

    venv.create("environment", with_pip=False)


if __name__ == "__main__":
    os.mkdir("folder")
    for name in ("made", "made.ini", "folder/inside", "own.py", "folder/own.py"):
        file(name, "" if name != "made" else "x\n")
    file("started")
    globals()[sys.argv[1]]()
