"""The Python processes of this machine, and whether each is recorded: from /proc, and nothing else.

A process chooses its own arguments and what it maps, so what is told of a hostile one may be forged: that its
records are there is for its spool to prove. It may be gone at any time.
"""

from __future__ import annotations

import os
import pwd
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from . import files
from .elf import frozen, read_elf
from .interpreters import Interpreter, is_covered
from .places import PYTHON_NAME

_LIBPYTHON = re.compile(r"libpython\d[\d.]*[a-z]*\.so")
_RECORDER = re.compile(r".*/(?:gnomon|versions/[^/]+)/_native[^/]*\.so")
_STDLIB = re.compile(r"(.*/lib(?:64)?/python3\.\d+t?)/lib-dynload/")
_SEGMENT = ".gnomon"
_DELETED = " (deleted)"
_TICKS = 0.02  # the start is told to a hundredth of a second, a file's time less exactly
_MAX_MAPS = 16 << 20
_MAX_ARGUMENTS = 1 << 20


@dataclass(frozen=True)
class Running:
    """A Python process.

    Attributes:
        pid: Its number, in this machine's counting.
        uid: The user it runs as.
        user: The user's name; the number where it has none.
        executable: Its program, without links; empty where that may not be known.
        argv: Its command line.
        script: What it runs, as far as its command line tells: a path, `-m module` or `-c`.
        started: When, in seconds since 1970.
        is_recorded: Whether gnomon's library is in it, and writes to a segment.
        library: Which copy of gnomon's library; `None` where there is none.
        spool: The directory of the segment that it writes.
        reason: Why it is not recorded; `None` where it is.
        libpython: The Python library that it has loaded; empty for none.
        is_embedded: Whether its program is no Python but carries one.
        is_elsewhere: Whether its paths are those of a container or of another root directory.
    """

    pid: int
    uid: int
    user: str
    executable: str
    argv: tuple[str, ...]
    script: str | None
    started: float
    is_recorded: bool = False
    library: str | None = None
    spool: str | None = None
    reason: str | None = None
    libpython: str = ""
    is_embedded: bool = False
    is_elsewhere: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "argv": list(self.argv)}


def running(interpreters: Iterable[Interpreter] = ()) -> list[Running]:
    """Every Python process of this machine but those of other users that only root may look into.

    Of those, the ones whose command line looks like Python's are listed with that reason.

    Args:
        interpreters: What is known of this machine's interpreters, for better reasons.
    """
    known: dict[str, Interpreter] = {}
    for interpreter in interpreters:
        for path in (interpreter.executable, *interpreter.names):
            known.setdefault(files.resolve(path) or path, interpreter)
    machine = _Machine(known)
    found = (machine.process(pid) for pid in _numbers())
    return [process for process in found if process is not None]


def _numbers() -> list[int]:
    try:
        return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    except OSError:
        return []  # no /proc: macOS


@dataclass
class _Maps:
    """What a process has mapped of interest."""

    libpython: str = ""
    recorder: str | None = None
    segment: str | None = None
    stdlib: str = ""


@dataclass
class _Machine:
    known: dict[str, Interpreter]
    starts: dict[tuple[int, int], bool] = field(default_factory=dict)

    def process(self, pid: int) -> Running | None:
        """The Python process with the number `pid`; `None` where it is none, or gone."""
        try:
            return self._process(pid, f"/proc/{pid}")
        except (OSError, ValueError, IndexError):
            return None

    def _process(self, pid: int, proc: str) -> Running | None:
        uid, argv = os.stat(proc).st_uid, _argv(proc)
        try:
            executable = os.readlink(f"{proc}/exe")
            maps = _maps(proc)
        except PermissionError:
            return self._closed(pid, uid, argv, proc)
        if executable.endswith(_DELETED):
            executable = executable[: -len(_DELETED)]
        is_named = PYTHON_NAME.fullmatch(os.path.basename(executable)) is not None
        if not (is_named or maps.libpython or self._starts_python(proc)):
            return None
        segment = maps.segment or (_open_segment(proc) if maps.recorder else None)
        is_recorded = bool(maps.recorder and segment and not segment.endswith(_DELETED))
        process = Running(
            pid=pid,
            uid=uid,
            user=_user(uid),
            executable=executable,
            argv=argv,
            script=script_of(argv, _directory(proc)) if is_named else None,
            started=_started(proc),
            is_recorded=is_recorded,
            library=maps.recorder,
            spool=os.path.dirname(segment) if segment else None,
            libpython=maps.libpython,
            is_embedded=not is_named,
            is_elsewhere=_is_elsewhere(proc),
        )
        if is_recorded:
            return process
        if not segment:
            reason = self._reason(process, maps, proc)
        elif process.is_elsewhere:
            reason = f"its segment was deleted, {_elsewhere(proc)}"
        else:
            reason = "its segment was deleted"
        return Running(**{**vars(process), "reason": reason})

    def _closed(self, pid: int, uid: int, argv: tuple[str, ...], proc: str) -> Running | None:
        if not argv or not PYTHON_NAME.fullmatch(os.path.basename(argv[0])):
            return None
        reason = "cannot be looked into (not root)"
        return Running(pid, uid, _user(uid), "", argv, script_of(argv), _started(proc), reason=reason)

    def _starts_python(self, proc: str) -> bool:
        """Whether its program has a Python built in."""
        status = os.stat(f"{proc}/exe")
        key = (status.st_dev, status.st_ino)
        if key not in self.starts:
            elf = read_elf(f"{proc}/exe")
            self.starts[key] = elf is not None and elf.starts_python
        return self.starts[key]

    def _reason(self, process: Running, maps: _Maps, proc: str) -> str:
        maker = frozen(f"{proc}/exe")
        if maker:
            return f"frozen by {maker}"
        if process.is_elsewhere:
            return _elsewhere(proc)
        if not process.is_embedded and "S" in options_of(process.argv)[0]:
            return "-S"
        for program in (process.executable, *process.argv[:1]):
            if os.path.isabs(program) and files.is_file(f"{program}._pth"):
                return "python._pth"
        interpreter = self.known.get(process.executable)
        if interpreter and interpreter.obstacle:
            return interpreter.obstacle
        library = (interpreter.library if interpreter else "") or maps.stdlib or _library(process)
        if not library or not is_covered(library):
            return "its interpreter is not covered"
        if process.started + _TICKS < os.stat(f"{library}/sitecustomize.py").st_ctime:
            return "started before the installation"
        if maps.recorder:
            return "gnomon's library is in it, but writes nothing"
        return "its interpreter is covered, but gnomon did not start in it"


def options_of(argv: tuple[str, ...]) -> tuple[set[str], int]:
    """The letters among Python's own options, and where what it runs stands in `argv`."""
    letters: set[str] = set()
    at = 1
    while at < len(argv):
        word = argv[at]
        if not word.startswith("-") or word == "-":
            break
        if word.startswith("--"):
            at += 2 if word == "--check-hash-based-pycs" else 1
            continue
        for place, letter in enumerate(word[1:], 2):
            letters.add(letter)
            if letter in "cm":
                return letters, at
            if letter in "WX":
                at += place == len(word)
                break
        at += 1
    return letters, at


def script_of(argv: tuple[str, ...], directory: str | None = None) -> str | None:
    """What the Python with the command line `argv` runs: a path, `-m module`, `-c`, or `None` for a prompt.

    Args:
        argv: Its command line.
        directory: Its working directory, which need not be the one that it started in.
    """
    letters, at = options_of(argv)
    if at >= len(argv):
        return None
    word = argv[at]
    if "c" in letters and word.startswith("-"):
        return "-c"
    if "m" in letters and word.startswith("-"):
        attached = word.partition("m")[2]
        return f"-m {attached or ''.join(argv[at + 1 : at + 2])}"
    if word == "-":
        return None
    if directory and not os.path.isabs(word):
        guess = os.path.normpath(f"{directory}/{word}")
        return guess if files.is_file(guess) else word
    return word


def _argv(proc: str) -> tuple[str, ...]:
    with open(f"{proc}/cmdline", "rb") as file:
        text = file.read(_MAX_ARGUMENTS).decode("utf-8", "surrogateescape")
    return tuple(text[:-1].split("\0")) if text else ()


def _maps(proc: str) -> _Maps:
    found = _Maps()
    with open(f"{proc}/maps", "rb") as file:
        text = file.read(_MAX_MAPS).decode("utf-8", "surrogateescape")
    for path in _mapped(text):
        name = os.path.basename(path)
        if _LIBPYTHON.match(name):
            found.libpython = found.libpython or path
        elif _SEGMENT in name and name.replace(_DELETED, "").endswith(_SEGMENT):
            if found.segment is None or found.segment.endswith(_DELETED):
                found.segment = path
        elif name.startswith("_native") and _RECORDER.fullmatch(path.replace(_DELETED, "")):
            found.recorder = found.recorder or path.replace(_DELETED, "")
        elif not found.stdlib and "/lib-dynload/" in path:
            stdlib = _STDLIB.match(path)
            found.stdlib = stdlib[1] if stdlib else ""
    return found


def _mapped(text: str) -> Iterator[str]:
    """The mapped files, each once, where they follow each other."""
    last = ""
    for line in text.splitlines():
        slash = line.find("/")
        if slash > 0 and line[slash:] != last:
            last = line[slash:]
            yield last


def _open_segment(proc: str) -> str | None:
    """The segment that it writes where it cannot map it, as on network file systems."""
    for number in os.listdir(f"{proc}/fd"):
        try:
            path = os.readlink(f"{proc}/fd/{number}")
        except OSError:
            continue
        if path.endswith((_SEGMENT, _SEGMENT + _DELETED)):
            return path
    return None


def _directory(proc: str) -> str | None:
    try:
        return os.readlink(f"{proc}/cwd")
    except OSError:
        return None


def _started(proc: str) -> float:
    with open(f"{proc}/stat", "rb") as file:
        # The name stands in brackets, and may itself have some.
        words = file.read().rpartition(b")")[2].split()
    # The kernel's own time of its start (btime) has no fractions.
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return booted + int(words[19]) / os.sysconf("SC_CLK_TCK")


def _is_elsewhere(proc: str) -> bool:
    """Whether its root directory is another one: its paths mean nothing here then."""
    try:
        theirs, ours = os.stat(f"{proc}/root/"), os.stat("/")
    except PermissionError:
        return True  # a file system that its user alone may look into
    return (theirs.st_dev, theirs.st_ino) != (ours.st_dev, ours.st_ino)


def _elsewhere(proc: str) -> str:
    is_other = os.readlink(f"{proc}/ns/pid") != os.readlink("/proc/self/ns/pid") or os.readlink(
        f"{proc}/ns/mnt"
    ) != os.readlink("/proc/self/ns/mnt")
    return "in another container" if is_other else "in another root directory (chroot)"


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _library(process: Running) -> str:
    """Where its standard library most likely is."""
    named = re.search(r"python(3\.\d+t?)", f"{os.path.basename(process.libpython)} {process.executable}")
    prefix = os.path.dirname(os.path.dirname(process.executable))
    for lib in ("lib", "lib64"):
        place = f"{prefix}/{lib}/python{named[1]}" if named else ""
        if place and files.is_file(f"{place}/os.py"):
            return place
    return ""
