"""The ledger of sealed segments: which ones a spool had, and what was in them.

`gnomon keep` appends to it what it seals and what it removes; `gnomon verify` compares. It lies in the
spool's own directory and belongs to whom that belongs to, so that no user can change what was said of
their segments.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from dataclasses import dataclass, field

NAME = "sealed.ledger"
REASONS = ("age", "user quota", "machine quota", "no segment")

# Nothing that a user could choose gets into a line: names are those that segments give themselves.
SEGMENT = re.compile(r"(?:\d{1,10}(?:-[0-9a-f]{1,32})?/)?([0-9a-f]{32})-(\d{4,10})\.gnomon")
_SEALED = re.compile(r"(\S+) ([0-9a-f]{64}) (\d+) (\d+) (\d+) (\d+) (\d+)")
_EVICTED = re.compile(r"(\S+) evicted (\S+) (\d+) (\d+) (\d+)")
_COUNTED = "- counted"
# Nobody has as much to say; a ledger that was made larger is not read into memory.
_MAX_BYTES = 1 << 30
# From so many lines on that say nothing any more, the ledger is written anew without them.
_MAX_DEAD = 4096


@dataclass(frozen=True)
class Sealed:
    """A segment as it was when it was sealed. Times are nanoseconds since 1970."""

    name: str
    sha256: str
    bytes: int
    records: int
    owner: int
    first: int
    last: int

    def line(self) -> str:
        """Its line of the ledger."""
        numbers = f"{self.bytes} {self.records} {self.owner} {self.first} {self.last}"
        return f"{self.name} {self.sha256} {numbers}\n"


@dataclass(frozen=True)
class Evicted:
    """A segment that is removed, and why."""

    name: str
    reason: str
    bytes: int
    first: int
    last: int

    def line(self) -> str:
        """Its line of the ledger."""
        reason = self.reason.replace(" ", "-")
        return f"{self.name} evicted {reason} {self.bytes} {self.first} {self.last}\n"


@dataclass
class Ledger:
    """What the lines say.

    Attributes:
        sealed: The segments that should be there, by name.
        evicted: Those that were removed, by name: their numbers are not missing.
        uncounted: Those of them that no record counts yet, as the keeper was killed before it could.
        dead: Lines that say nothing any more.
    """

    sealed: dict[str, Sealed] = field(default_factory=dict)
    evicted: dict[str, Evicted] = field(default_factory=dict)
    uncounted: dict[str, Evicted] = field(default_factory=dict)
    dead: int = 0

    def add(self, line: str) -> None:
        """Takes one more line; what is torn or not understood is left out."""
        sealed, evicted = _SEALED.fullmatch(line), _EVICTED.fullmatch(line)
        if line == _COUNTED:
            self.uncounted.clear()
            self.dead += 1
        elif sealed and SEGMENT.fullmatch(sealed[1]):
            name, sha256, *numbers = sealed.groups()
            self.dead += name in self.sealed
            self.sealed[name] = Sealed(name, sha256, *map(int, numbers))
            self.evicted.pop(name, None)
        elif evicted and SEGMENT.fullmatch(evicted[1]):
            name, reason, *numbers = evicted.groups()
            self.dead += 1 + (self.sealed.pop(name, None) is not None)
            found = Evicted(name, reason.replace("-", " "), *map(int, numbers))
            self.evicted[name] = self.uncounted[name] = found

    @property
    def is_worth_rewriting(self) -> bool:
        """Whether most of its lines say nothing any more."""
        return self.dead > max(_MAX_DEAD, len(self.sealed))


def read(directory: int) -> Ledger | None:
    """The ledger of the open `directory`; `None` where there is none that one can believe.

    Raises:
        PermissionError: It may not be read.
    """
    found = _open(directory, os.O_RDONLY)
    if found is None:
        return None
    with os.fdopen(found, "rb") as file:
        return _parsed(file.read(_MAX_BYTES))


def _parsed(data: bytes) -> Ledger:
    ledger = Ledger()
    *lines, _torn = data.decode("ascii", "replace").split("\n")
    for line in lines:
        ledger.add(line)
    return ledger


def _open(directory: int, access: int) -> int | None:
    """Opens the ledger if it is a file of the directory's owner."""
    flags = access | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        if not stat.S_ISREG(os.stat(NAME, dir_fd=directory, follow_symlinks=False).st_mode):
            return None
        descriptor = os.open(NAME, flags, dir_fd=directory)
    except FileNotFoundError:
        return None
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_uid in (0, os.fstat(directory).st_uid):
        return descriptor
    os.close(descriptor)
    return None


class Writer:
    """Appends to the ledger of the open `directory`.

    Who may create files there may have taken its name: that is put aside, and `was_taken` says so.
    """

    def __init__(self, directory: int) -> None:
        self._directory = directory
        self.was_taken = False
        self._descriptor = self._opened()
        self.ledger = self._known()

    def _opened(self) -> int:
        found = _open(self._directory, os.O_RDWR | os.O_APPEND)
        if found is not None and os.fstat(found).st_uid == os.geteuid():
            return found
        if found is not None:
            os.close(found)
        aside = f"taken-{os.urandom(8).hex()}"
        with contextlib.suppress(FileNotFoundError):
            os.rename(NAME, aside, src_dir_fd=self._directory, dst_dir_fd=self._directory)
            self.was_taken = True
        return self._created(NAME)

    def _created(self, name: str) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(name, flags, 0o640, dir_fd=self._directory)
        os.fchmod(descriptor, 0o640)
        return descriptor

    def _known(self) -> Ledger:
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            data = file.read(_MAX_BYTES)
        if data and not data.endswith(b"\n"):
            os.write(self._descriptor, b"\n")  # whoever wrote the last line was killed at it
        return _parsed(data)

    def append(self, lines: list[str]) -> None:
        """Adds lines; they are on the disk when this returns."""
        if not lines:
            return
        data = "".join(lines).encode("ascii")
        while data:
            data = data[os.write(self._descriptor, data) :]
        os.fsync(self._descriptor)
        for line in lines:
            self.ledger.add(line.rstrip("\n"))

    def counted(self) -> None:
        """Notes that what was evicted stands in the records now."""
        if self.ledger.uncounted:
            self.append([f"{_COUNTED}\n"])
        if self.ledger.is_worth_rewriting:
            self._rewrite()

    def _rewrite(self) -> None:
        """Forgets the segments that are gone for good, but for processes of which some are there."""
        known = {name.rpartition("-")[0] for name in self.ledger.sealed}
        gone = [one for one in self.ledger.evicted.values() if one.name.rpartition("-")[0] in known]
        lines = [one.line() for one in self.ledger.sealed.values()] + [one.line() for one in gone]
        fresh = f".{NAME}-{os.urandom(8).hex()}"
        before, self._descriptor = self._descriptor, self._created(fresh)
        os.close(before)
        self.ledger = Ledger()
        self.append([*lines, f"{_COUNTED}\n"])
        os.rename(fresh, NAME, src_dir_fd=self._directory, dst_dir_fd=self._directory)

    def close(self) -> None:
        """Lets go of the file."""
        os.close(self._descriptor)
