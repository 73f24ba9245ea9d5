"""Functions of the C library, called past Python: by ctypes."""

import ctypes
import errno
import os
import socket
import struct

LIBRARY = ctypes.CDLL(None, use_errno=True)
AT_FDCWD = -100
NUMBERS = {"x86_64": (257, 42, 59, 263, 258, 316), "aarch64": (56, 203, 221, 35, 34, 276)}
SYS_OPENAT, SYS_CONNECT, SYS_EXECVE, SYS_UNLINKAT, SYS_MKDIRAT, SYS_RENAMEAT2 = NUMBERS[os.uname().machine]


def given(argument):
    """What ctypes hands on as C has it: paths as bytes, numbers as words."""
    if isinstance(argument, str):
        return os.fsencode(argument)
    return ctypes.c_long(argument) if isinstance(argument, int) else argument


def answer(name, *arguments, pointer=False):
    """What the function returns, and errno as a word; that is 0 before."""
    function = getattr(LIBRARY, name)
    function.restype = ctypes.c_void_p if pointer else ctypes.c_int
    ctypes.set_errno(0)
    result = function(*map(given, arguments))
    return result, errno.errorcode.get(ctypes.get_errno(), "no error")


def refused(name, *arguments, by=-1, pointer=False):
    """`refused` where the function fails as it does when the system forbids it, or else what it said."""
    by = None if pointer else by
    result, error = answer(name, *arguments, pointer=pointer)
    return "refused" if (result, error) == (by, "EACCES") else f"{result} {error}"


def texts(*words):
    """A table of texts that ends with a null pointer."""
    return (ctypes.c_char_p * (len(words) + 1))(*map(os.fsencode, words))


def address_of(host, port):
    """An address as connect(2) takes it, with its length."""
    if ":" in host:
        packed = socket.inet_pton(socket.AF_INET6, host)
        data = struct.pack("=H", socket.AF_INET6) + struct.pack("!HI16sI", port, 0, packed, 0)
    else:
        data = struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", port, socket.inet_aton(host))
    return data, len(data)


def address_of_file(path):
    data = struct.pack("=H", socket.AF_UNIX) + os.fsencode(path) + b"\0"
    return data, len(data)


class Addresses(ctypes.Structure):
    pass


Addresses._fields_ = [
    ("flags", ctypes.c_int),
    ("family", ctypes.c_int),
    ("kind", ctypes.c_int),
    ("protocol", ctypes.c_int),
    ("length", ctypes.c_uint),
    ("address", ctypes.c_void_p),
    ("name", ctypes.c_char_p),
    ("next", ctypes.POINTER(Addresses)),
]


def resolved(host, port):
    """What getaddrinfo finds first, as connect(2) takes it; or its error."""
    hints = Addresses(family=socket.AF_INET, kind=socket.SOCK_STREAM)
    found = ctypes.POINTER(Addresses)()
    error, _ = answer(
        "getaddrinfo", host, str(port), ctypes.addressof(hints), ctypes.c_void_p(ctypes.addressof(found))
    )
    if error:
        return error
    return ctypes.string_at(found[0].address, found[0].length), found[0].length
