"""What /proc tells of a process that `gnomon attach` was given, without executing anything of it.

A process chooses what it maps and what its program file holds, so all of this may be forged by a hostile one:
it can only lead to a refusal, or to something that it could do by itself.
"""

from __future__ import annotations

import mmap
import os
import pwd
import re
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_DELETED = " (deleted)"
_LIBPYTHON = re.compile(r"libpython(\d)\.(\d+)[a-z]*\.so[\d.]*")
_PYTHON = re.compile(r"python(\d)?(?:\.(\d+))?t?d?")
_SEGMENT = re.compile(r"([0-9a-f]{32})-\d+\.gnomon")
_RECORDER = re.compile(r"_native[^/]*\.so")
# CPython's Include/internal/pycore_debug_offsets.h: since 3.13 the runtime's state begins with them.
_COOKIE = b"xdebugpy"
_MAX_BYTES = 1 << 20
_MAX_MAPS = 16 << 20


class Gone(Exception):
    """There is no such process, or no longer."""


class Closed(Exception):
    """The kernel does not let us look into it."""


@dataclass(frozen=True)
class Version:
    """Of a Python, as in `3.14.0`; only builds of the same one can be attached to from each other."""

    major: int
    minor: int
    hexadecimal: int | None = None
    is_free_threaded: bool = False

    def __str__(self) -> str:
        if self.hexadecimal is None:
            return f"{self.major}.{self.minor}"
        return f"{self.major}.{self.minor}.{self.hexadecimal >> 8 & 0xFF}"

    @property
    def name(self) -> str:
        """What its executable is called: `python3.14`, `python3.14t`."""
        return f"python{self.major}.{self.minor}{'t' if self.is_free_threaded else ''}"


@dataclass(frozen=True)
class Target:
    """A process.

    Attributes:
        pid: Its number.
        uid: The user that it runs as.
        gid: The group.
        started: Clock ticks from boot: with the number unique until the next one.
        executable: Its program, without links.
        is_replaced: Whether that file is no longer the one that runs.
        is_python_named: Whether the program is called like Python's own.
        version: Of the Python in it; `None` where there is none.
        recorder: The copy of gnomon's library in it, if any.
        segment: The file that it writes its records to, if any.
        namespaces: In which of these it is elsewhere: `mnt`, `pid`, `user`.
        is_other_root: Whether its root directory is another than ours.
        environment: What it started with.
        is_traced: Whether a debugger holds it.
        is_stopped: Whether it was stopped by a signal.
    """

    pid: int
    uid: int
    gid: int
    started: int
    executable: str
    is_replaced: bool
    is_python_named: bool
    version: Version | None
    recorder: str | None
    segment: str | None
    namespaces: frozenset[str]
    is_other_root: bool
    environment: dict[str, str]
    is_traced: bool
    is_stopped: bool

    @property
    def user(self) -> str:
        """The name of its user; the number where there is none."""
        return user_name(self.uid)

    @property
    def process(self) -> str | None:
        """The id under which it is recorded."""
        found = _SEGMENT.fullmatch(os.path.basename(self.segment)) if self.segment else None
        if found is None:
            return None
        text = found[1]
        return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def user_name(uid: int) -> str:
    """The account's name; the number where there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def look_at(pid: int) -> Target:
    """What there is to know of a process.

    Raises:
        Gone: There is none with this number.
        Closed: It may not be looked into.
    """
    proc = f"/proc/{pid}"
    try:
        status = _status(proc)
        if status.get("Tgid", str(pid)) != str(pid):
            raise Gone(f"{pid} is a thread of process {status['Tgid']}")
        if status.get("State", "").startswith(("Z", "X")):
            raise Gone(f"process {pid} has ended")
        executable, maps = os.readlink(f"{proc}/exe"), _mapped(proc)
        environment = _environment(proc)
        namespaces = frozenset(_other_namespaces(proc))
        is_other_root = _identity(f"{proc}/root/") != _identity("/")
    except PermissionError:
        raise Closed(f"process {pid}") from None
    except (FileNotFoundError, ProcessLookupError):
        is_there = os.path.exists(f"{proc}/status")
        raise Gone(
            f"{pid} is one of the kernel's own" if is_there else f"there is no process {pid}"
        ) from None
    real = executable[: -len(_DELETED)] if executable.endswith(_DELETED) else executable
    return Target(
        pid=pid,
        uid=int(status["Uid"].split()[1]),
        gid=int(status["Gid"].split()[1]),
        started=_started(proc),
        executable=real,
        is_replaced=executable != real,
        is_python_named=_PYTHON.fullmatch(os.path.basename(real)) is not None,
        version=_version(proc, real, maps),
        recorder=next((path for path in maps if _RECORDER.fullmatch(os.path.basename(path))), None),
        segment=next(filter(_is_segment, maps), None) or _open_segment(proc),
        namespaces=namespaces,
        is_other_root=is_other_root,
        environment=environment,
        is_traced=status.get("TracerPid", "0") != "0",
        is_stopped=status.get("State", "").startswith(("T", "t")),
    )


def is_alive(target: Target) -> bool:
    """Whether it is still there, and no other has its number."""
    try:
        state = _status(f"/proc/{target.pid}").get("State", "")
        return not state.startswith(("Z", "X")) and _started(f"/proc/{target.pid}") == target.started
    except OSError:
        return False


def _status(proc: str) -> dict[str, str]:
    with open(f"{proc}/status", encoding="utf-8", errors="replace") as file:
        lines = (line.partition(":") for line in file)
        return {name: value.strip() for name, _, value in lines}


def _started(proc: str) -> int:
    with open(f"{proc}/stat", "rb") as file:
        # The name stands in brackets, and may itself have some.
        return int(file.read().rpartition(b")")[2].split()[19])


def _mapped(proc: str) -> list[str]:
    """The files that it has mapped, each once."""
    with open(f"{proc}/maps", "rb") as file:
        text = file.read(_MAX_MAPS).decode("utf-8", "surrogateescape")
    slashes = ((line, line.find("/")) for line in text.splitlines())
    return list(dict.fromkeys(line[slash:] for line, slash in slashes if slash > 0))


def _environment(proc: str) -> dict[str, str]:
    with open(f"{proc}/environ", "rb") as file:
        text = file.read(_MAX_BYTES).decode("utf-8", "surrogateescape")
    pairs = (entry.partition("=") for entry in text.split("\0") if "=" in entry)
    return {name: value for name, _, value in pairs}


def _other_namespaces(proc: str) -> Iterator[str]:
    for name in ("mnt", "pid", "user"):
        if os.readlink(f"{proc}/ns/{name}") != os.readlink(f"/proc/self/ns/{name}"):
            yield name


def _identity(path: str) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino


def _is_segment(path: str) -> bool:
    return _SEGMENT.fullmatch(os.path.basename(path)) is not None


def _open_segment(proc: str) -> str | None:
    """The segment that it writes where it cannot map it, as on network file systems."""
    try:
        for number in os.listdir(f"{proc}/fd"):
            path = os.readlink(f"{proc}/fd/{number}")
            if _is_segment(path):
                return path
    except OSError:
        pass
    return None


def _version(proc: str, executable: str, maps: list[str]) -> Version | None:
    """The version of the Python in it: of a library that is mapped, or else of its program."""
    libraries = [path for path in maps if _LIBPYTHON.fullmatch(os.path.basename(path))]
    for path in libraries:
        found = _version_in(f"{proc}/root{path}")
        if found:
            return found
        named = _LIBPYTHON.fullmatch(os.path.basename(path))
        if named:
            return Version(int(named[1]), int(named[2]))
    found = _version_in(f"{proc}/exe")
    if found:
        return found
    named = _PYTHON.fullmatch(os.path.basename(executable))
    return Version(int(named[1] or 3), int(named[2] or 0)) if named else None


def _version_in(path: str) -> Version | None:
    """What the file of an interpreter says of itself since 3.13; `None` for an older one, or none."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as data:
                return _read_version(data)
        finally:
            os.close(descriptor)
    except (OSError, ValueError):
        return None


def _read_version(data: mmap.mmap) -> Version | None:
    at = data.find(_COOKIE)
    while at >= 0:
        if at + 24 <= len(data):
            number, free = struct.unpack_from("=QQ", data, at + len(_COOKIE))
            # The code that compares the cookie has it, too, with anything behind it.
            if 0x030D0000 <= number < 0x04000000 and free in (0, 1):
                return Version(number >> 24, number >> 16 & 0xFF, number, bool(free))
        at = data.find(_COOKIE, at + 1)
    return None
