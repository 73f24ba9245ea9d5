"""Does the one operation that its argument names, in the current directory."""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path


def file(name, text="x"):
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT)
    os.write(descriptor, text.encode())
    os.close(descriptor)


def listening():
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    return server, server.getsockname()[1]


# files


def open_read():
    open("made").close()


def open_write():
    open("new", "w").close()


def open_exclusive():
    open("new", "x").close()


def open_append():
    open("made", "a").close()


def open_update():
    open("made", "r+").close()


def open_bytes_path():
    open(b"made", "rb").close()


def open_undecodable():
    open(b"odd-\xff", "w").close()


def open_pathlib():
    Path("made").read_text()


def open_above():
    open("../above", "w").close()


def open_code():
    import io

    io.open_code(os.path.abspath("made")).close()


def open_descriptor():
    descriptor = os.open("made", os.O_RDONLY)
    os.fdopen(descriptor).close()


def open_pipe():
    reader, writer = os.pipe()
    os.fdopen(reader).close()
    os.close(writer)


def os_open_read():
    os.close(os.open("made", os.O_RDONLY))


def os_open_write():
    os.close(os.open("new", os.O_RDWR | os.O_CREAT | os.O_TRUNC))


def os_open_append():
    os.close(os.open("made", os.O_WRONLY | os.O_APPEND))


def os_open_below_descriptor():
    folder = os.open("folder", os.O_RDONLY)
    os.close(os.open("inside", os.O_RDONLY, dir_fd=folder))


def after_chdir():
    os.chdir("folder")
    open("inside").close()


def null_device():
    open(os.devnull, "w").close()


def repeats():
    for _ in range(1000):
        open("made").close()


def temporary():
    import tempfile

    with tempfile.NamedTemporaryFile(dir=".", prefix="t-"):
        pass


def temporary_without_name():
    os.close(os.open(".", os.O_TMPFILE | os.O_RDWR))


def loader_reads_for_the_program():
    import importlib.machinery

    loader = importlib.machinery.SourceFileLoader("made", os.path.abspath("made"))
    loader.get_data(os.path.abspath("made"))


def executes_a_file():
    exec(compile("x = 1", os.path.abspath("own/part.py"), "exec"))


def executes_a_relative_file():
    exec(compile("x = 1", "own/part.py", "exec"))


def executes_a_cell():
    exec(compile("x = 1", "/no/such/cell.py", "exec"))


def remove():
    os.remove("made")


def remove_pathlib():
    os.remove(Path("made"))


def remove_entry():
    with os.scandir() as entries:
        for entry in entries:
            if entry.name == "made":
                os.remove(entry)


def remove_below_descriptor():
    folder = os.open("folder", os.O_RDONLY)
    os.remove("inside", dir_fd=folder)


def rmdir():
    os.rmdir("empty")


def rename():
    os.rename("made", "renamed")


def replace():
    os.replace("made", "renamed")


def mkdir():
    os.mkdir("new")


def mkdir_of_what_is_there():
    os.makedirs("folder", exist_ok=True)


def remove_what_is_missing():
    try:
        os.remove("missing")
    except FileNotFoundError:
        pass


def link():
    os.link("made", "linked")


def symlink():
    os.symlink("made", "linked")


def chmod():
    os.chmod("made", 0o600)


def truncate():
    os.truncate("made", 0)


def truncate_descriptor():
    descriptor = os.open("made", os.O_RDWR)
    os.ftruncate(descriptor, 0)


# imports


def import_own():
    sys.path.insert(0, os.getcwd())
    import own  # noqa: F401


def import_from_current_directory():
    sys.path.insert(0, "")
    import other  # noqa: F401
    import own.part  # noqa: F401


def import_from_archive():
    import zipfile

    with zipfile.ZipFile("made", "w") as archive:
        archive.writestr("zipped.py", "")
    sys.path.insert(0, "made")
    import zipped  # noqa: F401


def import_by_name():
    import importlib

    sys.path.insert(0, os.getcwd())
    importlib.import_module("own.part")


def import_missing():
    try:
        import does_not_exist  # noqa: F401
    except ImportError:
        pass


# network


def connect():
    server, port = listening()
    socket.create_connection(("127.0.0.1", port)).close()
    print(port)


def connect_by_name():
    server, port = listening()
    socket.create_connection(("localhost", port)).close()
    print(port)


def connect_mapped():
    server, port = listening()
    client = socket.socket(socket.AF_INET6)
    client.connect_ex(("::ffff:127.0.0.1", port))
    print(port)


def connect_asyncio():
    import asyncio

    server, port = listening()

    async def main():
        _, writer = await asyncio.open_connection("localhost", port)
        writer.close()

    asyncio.run(main())
    print(port)


def connect_unix():
    server = socket.socket(socket.AF_UNIX)
    server.bind("socket")
    server.listen()
    socket.socket(socket.AF_UNIX).connect("socket")


def resolve():
    try:
        socket.gethostbyname("name.invalid")
    except OSError:
        pass


# processes


def popen():
    subprocess.run(["true", "argument"])


def popen_path():
    subprocess.run([Path("/bin/true"), "argument"])


def popen_shell():
    subprocess.run("exit 0", shell=True)


def popen_without_closing():
    subprocess.run(["/bin/true"], close_fds=False)


def system():
    os.system("true")


def posix_spawn():
    os.waitpid(os.posix_spawn("/bin/true", ["true", "argument"], os.environ), 0)


def spawn_and_wait():
    os.spawnv(os.P_WAIT, "/bin/true", ["true"])


def fork():
    if os.fork() == 0:
        os._exit(0)
    os.wait()


def execute():
    os.execv("/bin/true", ["true", "argument"])


def pty_spawn():
    import pty

    pty.spawn(["/bin/true"])


def in_a_thread():
    thread = threading.Thread(target=open_read)
    thread.start()
    thread.join()


for folder in ("folder", "empty", "own"):
    os.mkdir(folder)
for name in ("made", "folder/inside", "own/__init__.py", "own/part.py", "other.py"):
    file(name, "")
file("started")
globals()[sys.argv[1]]()
