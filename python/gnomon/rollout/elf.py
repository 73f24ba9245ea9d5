"""What an executable file says of itself: its processor, its loader, whether it starts a Python.

Nothing is executed. What the file says may be a lie: sizes are limited, and a broken file is `None`.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

from .files import open_regular

_MACHINES = {
    3: "i686",
    21: "ppc64le",
    22: "s390x",
    40: "armv7l",
    62: "x86_64",
    183: "aarch64",
    243: "riscv64",
    258: "loongarch64",
}
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NEEDED, _DT_STRTAB, _DT_STRSZ, _DT_RPATH, _DT_RUNPATH = 1, 5, 10, 15, 29
_MAX_STRINGS = 32 << 20
# By any of these a program starts an interpreter, its own or a library's.
_STARTS = (
    b"Py_BytesMain\0",
    b"Py_Main\0",
    b"Py_InitializeFromConfig\0",
    b"Py_InitializeEx\0",
    b"Py_Initialize\0",
)
# https://pyinstaller.org/en/stable/advanced-topics.html: the archive ends with this cookie.
_PYINSTALLER = b"MEI\x0c\x0b\x0a\x0b\x0e"


@dataclass(frozen=True)
class Elf:
    """The facts of one file.

    Attributes:
        machine: As `os.uname` would say it.
        loader: The program that loads it; empty where it is linked statically.
        needed: The libraries that it names.
        folders: Where it wants them looked for before the usual places.
        starts_python: Whether it speaks of the functions that start an interpreter.
    """

    machine: str
    loader: str = ""
    needed: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    starts_python: bool = False

    @property
    def is_musl(self) -> bool:
        """Whether its C library is musl: what was built for glibc cannot be loaded into it."""
        return os.path.basename(self.loader).startswith("ld-musl")


def read_elf(path: str) -> Elf | None:
    """The facts of the file at `path`, `None` where it is no ELF file."""
    file = open_regular(path)
    if file is None:
        return None
    with file:
        try:
            return _read(file)
        except (OSError, ValueError, struct.error, OverflowError):
            return None


def frozen(program: str) -> str | None:
    """What froze a Python into the executable `program`, as PyInstaller does; `None` where nothing did."""
    file = open_regular(program)
    if file is None:
        return None
    with file:
        try:
            if file.read(4) != b"\x7fELF":
                return None
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 64 * 1024))
            return "PyInstaller" if _PYINSTALLER in file.read(64 * 1024) else None
        except OSError:
            return None


def _read(file: BinaryIO) -> Elf | None:
    head = file.read(64)
    if len(head) < 52 or head[:4] != b"\x7fELF":
        return None
    order = ">" if head[5] == 2 else "<"
    is_wide = head[4] == 2
    machine = _MACHINES.get(struct.unpack_from(order + "H", head, 18)[0], "unknown")
    segments = _segments(file, head, order, is_wide)
    loader, dynamic = "", b""
    for kind, offset, _, size in segments:
        if kind == _PT_INTERP:
            loader = _at(file, offset, min(size, 4096)).split(b"\0")[0].decode(errors="replace")
        elif kind == _PT_DYNAMIC:
            dynamic = _at(file, offset, min(size, 64 * 1024))
    entries = list(_entries(dynamic, order, is_wide))
    strings = _strings(file, entries, segments)

    def named(*tags: int) -> list[str]:
        found = [strings[value : value + 4096] for tag, value in entries if tag in tags]
        return [text.split(b"\0")[0].decode(errors="surrogateescape") for text in found]

    folders = [folder for text in named(_DT_RPATH, _DT_RUNPATH) for folder in text.split(":")]
    starts = any(name in strings for name in _STARTS)
    return Elf(machine, loader, tuple(named(_DT_NEEDED)[:200]), tuple(folders[:200]), starts)


def _segments(file: BinaryIO, head: bytes, order: str, is_wide: bool) -> list[tuple[int, int, int, int]]:
    """(type, offset, address, bytes in the file) of each."""
    (start,) = struct.unpack_from(order + ("Q" if is_wide else "I"), head, 32 if is_wide else 28)
    size, count = struct.unpack_from(order + "HH", head, 54 if is_wide else 42)
    count, form = min(count, 256), order + ("IIQQQQ" if is_wide else "IIIIII")
    table = _at(file, start, size * count)
    found = []
    for at in range(0, len(table) - struct.calcsize(form) + 1, size or len(table) + 1):
        words = struct.unpack_from(form, table, at)
        kind, offset, address, length = (
            (words[0], words[2], words[3], words[5]) if is_wide else (words[0], words[1], words[2], words[4])
        )
        found.append((kind, offset, address, length))
    return found


def _entries(dynamic: bytes, order: str, is_wide: bool) -> list[tuple[int, int]]:
    form = order + ("QQ" if is_wide else "II")
    whole = len(dynamic) // struct.calcsize(form) * struct.calcsize(form)
    return list(struct.iter_unpack(form, dynamic[:whole]))


def _strings(
    file: BinaryIO, entries: list[tuple[int, int]], segments: list[tuple[int, int, int, int]]
) -> bytes:
    values = dict(reversed(entries))
    address, size = values.get(_DT_STRTAB, 0), min(values.get(_DT_STRSZ, 0), _MAX_STRINGS)
    for kind, offset, start, length in segments:
        if kind == _PT_LOAD and start <= address < start + length:
            return _at(file, offset + address - start, size)
    return b""


def _at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)
