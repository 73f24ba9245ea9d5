"""Moves bytes over sockets and files in the way that its first argument names; the rest are that way's own."""

import asyncio
import contextlib
import ctypes
import os
import select
import socket
import subprocess
import sys
import threading

WAY, *REST = sys.argv[1:]


def received(connection, size):
    while size > 0:
        size -= len(connection.recv(size))


def sockets():
    """1,120 out in four ways, 560 in in three."""
    with socket.create_connection(("127.0.0.1", int(REST[0]))) as connection:
        connection.sendall(b"a" * 1000)
        received(connection, 500)
        connection.sendmsg([b"x" * 10, b"y" * 10])
        assert connection.recv_into(bytearray(10)) == 10
        with open("file", "wb") as file:
            file.write(b"z" * 80)
        with open("file", "rb") as file:
            connection.sendfile(file)
        connection.send(b"1" * 20)
        assert connection.recvmsg(50, 0, socket.MSG_WAITALL)[0] == b"z" * 40 + b"1" * 10


async def over_streams():
    reader, writer = await asyncio.open_connection("127.0.0.1", int(REST[0]))
    writer.write(b"a" * 5000)
    await reader.readexactly(2500)
    writer.close()
    await writer.wait_closed()


def streams():
    asyncio.run(over_streams())


def uvloop():
    import uvloop

    uvloop.install()
    asyncio.run(over_streams())


def refused():
    """By a connect that returns at once, and says later how it ended."""
    with socket.socket() as connection:
        connection.setblocking(False)
        connection.connect_ex(("127.0.0.1", int(REST[0])))
        select.select([], [connection], [])
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def refused_streams():
    with contextlib.suppress(OSError):
        asyncio.run(over_streams())


def refused_uvloop():
    with contextlib.suppress(OSError):
        uvloop()


def files():
    """10,235 written in seven ways, 245 read in seven."""
    with open("buffered", "wb") as file:
        file.write(b"a" * 10_000)
    with open("buffered", "rb") as file:
        file.read(100)
        file.seek(0)
    descriptor = os.open("plain", os.O_RDWR | os.O_CREAT)
    os.write(descriptor, b"b" * 100)
    os.pwrite(descriptor, b"c" * 50, 0)
    os.writev(descriptor, [b"d" * 10, b"d" * 20])
    os.pwritev(descriptor, [b"e" * 5, b"e" * 5], 0)
    os.lseek(descriptor, 0, 0)
    os.read(descriptor, 10)
    os.pread(descriptor, 20, 0)
    os.readv(descriptor, [bytearray(10), bytearray(20)])
    os.preadv(descriptor, [bytearray(7)], 0)
    copy = os.dup(descriptor)
    os.close(descriptor)
    os.write(copy, b"f" * 40)
    os.dup2(copy, descriptor)
    os.close(copy)
    os.write(descriptor, b"g" * 5)


def reused():
    """What a closed number is given to counts for nobody."""
    libc = ctypes.CDLL(None)
    libc.fdopen.restype = ctypes.c_void_p
    libc.fclose.argtypes = [ctypes.c_void_p]

    def by_stream(descriptor):
        libc.fclose(libc.fdopen(descriptor, b"w"))

    def by_directory(descriptor):
        libc.fdopendir.restype = ctypes.c_void_p
        libc.closedir.argtypes = [ctypes.c_void_p]
        libc.closedir(libc.fdopendir(descriptor))

    def by_range(descriptor):
        os.closerange(descriptor, descriptor + 1)

    def by_duplicate(descriptor):
        source, other = os.pipe()
        os.dup2(source, descriptor)
        os.close(source)
        os.close(other)
        os.close(descriptor)

    for number, close in enumerate((os.close, by_stream, by_range, by_duplicate, by_directory)):
        is_directory = close is by_directory
        name = f"directory{number}" if is_directory else f"file{number}"
        if is_directory:
            os.mkdir(name)
        flags = os.O_DIRECTORY if is_directory else os.O_WRONLY | os.O_CREAT
        descriptor = os.open(name, flags)
        if not is_directory:
            os.write(descriptor, b"1234567")
        close(descriptor)
        ends = os.pipe()
        assert descriptor in ends
        os.write(ends[1], b"x" * 100)
        os.read(ends[0], 100)
        for end in ends:
            os.close(end)


def children():
    """A child that shares its parent's memory up to its exec closes and duplicates descriptors, but its own."""
    file = open("file", "wb", buffering=0)
    file.write(b"1" * 10)
    for close_fds in (True, False):
        with open("file", "rb") as given:
            subprocess.run([sys.executable, "-S", "-c", ""], stdin=given, close_fds=close_fds, check=True)
        file.write(b"2" * 10)


def many():
    """More descriptors than most programs have."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    files = [open(f"file{number % 10}", "wb", buffering=0) for number in range(int(REST[0]))]
    for file in files:
        file.write(b"1")


def churn():
    """Threads open, write and close while others do."""

    def work(name):
        for _ in range(300):
            with open(name, "ab", buffering=0) as file:
                file.write(b"12345")
            ends = os.pipe()
            os.write(ends[1], b"x" * 100)
            os.close(ends[0])
            os.close(ends[1])

    threads = [threading.Thread(target=work, args=(f"file{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def rotation():
    """The records between need a segment more."""
    connection = socket.create_connection(("localhost", int(REST[0])))
    file = open("file", "wb", buffering=0)
    connection.sendall(b"1" * 10)
    file.write(b"1" * 10)
    for number in range(int(REST[1])):
        with contextlib.suppress(OSError):
            os.open(f"missing{number}", os.O_RDONLY)
    for _ in range(2):
        connection.sendall(b"2" * 1000)
        received(connection, 500)
        file.write(b"2" * 1000)


def fork():
    connection = socket.create_connection(("localhost", int(REST[0])))
    file = open("file", "wb", buffering=0)
    file.write(b"1" * 10)
    child = os.fork()
    if not child:
        for _ in range(2):
            connection.sendall(b"2" * 500)
            file.write(b"2" * 1000)
        os._exit(0)
    os.waitpid(child, 0)
    file.write(b"3" * 7)


def look_up_by_cares():
    """Two names by a library that speaks DNS itself; then both are connected to."""
    import pycares

    server, is_tcp = REST
    channel = pycares.Channel(servers=[server], flags=pycares.ARES_FLAG_USEVC if is_tcp == "tcp" else None)
    found = []
    for host in ("one.example", "two.example"):
        done = threading.Event()

        def answered(result, error, done=done):
            found.append((result, error))
            done.set()

        channel.getaddrinfo(host, None, family=socket.AF_INET, callback=answered)
        done.wait(20)
    assert [error for _, error in found] == [None, None]
    for result, _ in found:
        with socket.socket() as connection:
            connection.connect_ex((result.nodes[0].addr[0].decode(), 1))


globals()[WAY]()
