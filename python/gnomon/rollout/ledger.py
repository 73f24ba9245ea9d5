"""What install changed, and how it was before: written before each change, so that nothing is ever forgotten.

One JSON file in the payload's root. A change that was cut short is in it with all that undoing it needs.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from typing import Any

from .errors import RolloutError
from .layout import Layout

FORMAT = 1
_UNFINISHED = ".unfinished"

Change = dict[str, Any]


class Ledger:
    """The changes, oldest first; each is a dictionary with a `kind`."""

    def __init__(self, path: str, changes: list[Change] | None = None) -> None:
        self.path = path
        self.changes = changes or []

    @classmethod
    def read(cls, path: str) -> Ledger:
        """The ledger at `path`; an empty one where there is none.

        Raises:
            RolloutError: It cannot be read, or a newer gnomon wrote it.
        """
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                data = json.load(file)
            if data["format"] != FORMAT:
                raise RolloutError(f"cannot use `{path}`: a newer gnomon wrote it", hint="use that gnomon")
            return cls(path, list(data["changes"]))
        except FileNotFoundError:
            return cls(path)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RolloutError(
                f"cannot read `{path}`: {error}",
                hint="it says what uninstall has to undo: restore it from a copy",
            ) from None

    def save(self) -> None:
        """Writes it: who reads meets this one or the one before."""
        text = json.dumps({"format": FORMAT, "changes": self.changes}, indent=1, ensure_ascii=True)
        write_file(self.path, text.encode() + b"\n")

    def add(self, change: Change) -> Change:
        """Notes a change that is about to be made."""
        self.changes.append(change)
        self.save()
        return change

    def drop(self, change: Change) -> None:
        """Forgets a change that was undone."""
        self.changes = [one for one in self.changes if one is not change]
        self.save()

    def of_kind(self, kind: str) -> list[Change]:
        """The changes of one kind."""
        return [change for change in self.changes if change["kind"] == kind]


def write_file(path: str, data: bytes, mode: int = 0o644) -> None:
    """Writes a file in a directory that is ours alone, durably and in one step."""
    directory, name = os.path.split(path)
    unfinished = f"{directory}/.{name}.{os.urandom(8).hex()}"
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.replace(unfinished, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(unfinished)
        raise
    sync_directory(directory)


def make_root(layout: Layout) -> None:
    """Makes the payload's root, if it is not there, with a ledger that says so: both come in one step."""
    if os.path.isdir(layout.root):
        return
    missing = []
    parent = os.path.dirname(layout.root)
    while not os.path.isdir(parent):
        missing.append(parent)
        parent = os.path.dirname(parent)
    with unnoticed(parent):
        unfinished = layout.root + _UNFINISHED
        os.makedirs(unfinished, mode=0o755, exist_ok=True)
        ledger = Ledger(f"{unfinished}/{os.path.basename(layout.ledger)}")
        ledger.add({"kind": "root", "path": layout.root, "parents": missing})
        os.rename(unfinished, layout.root)


def remove_root(layout: Layout) -> None:
    """Removes the ledger, and what `make_root` made, as far as it is empty."""
    made = Ledger.read(layout.ledger).of_kind("root")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(layout.ledger)
    for path in [path for one in made for path in (one["path"], *one["parents"])]:
        with unnoticed(os.path.dirname(path)), contextlib.suppress(OSError):
            os.rmdir(path)


def remove_unfinished(layout: Layout) -> None:
    """Removes a root that was never finished."""
    unfinished = layout.root + _UNFINISHED
    if os.path.isdir(unfinished):
        with unnoticed(os.path.dirname(unfinished)):
            shutil.rmtree(unfinished)


@contextlib.contextmanager
def unnoticed(directory: str) -> Iterator[None]:
    """Changes in a directory that is not ours, which keeps its times."""
    before = os.stat(directory)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.utime(directory, ns=(before.st_atime_ns, before.st_mtime_ns))


def sync_directory(path: str) -> None:
    """Makes the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(directory: str) -> Iterator[None]:
    """One install or uninstall at a time; the lock goes with the process.

    Raises:
        RolloutError: Another one is at work.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise RolloutError(
            f"cannot change `{directory}`: another install or uninstall is at work", hint="wait for its end"
        ) from None
    try:
        yield
    finally:
        os.close(descriptor)
