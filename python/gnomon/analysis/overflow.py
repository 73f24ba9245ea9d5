"""Where DuckDB puts what memory does not hold: a directory of one process, and of nobody else.

A process that is killed leaves its directory, and there may be records in it. Each is held by a lock while
its process lives, in whatever container that is, and the next analysis of the same user removes those that
nobody holds.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from contextlib import suppress

try:
    import fcntl
except ImportError:  # Windows: directories of killed processes stay
    fcntl = None  # type: ignore[assignment]

_PREFIX = "gnomon-views-"
_LOCK = "held"


class Overflow:
    """The directory, until `remove`."""

    def __init__(self) -> None:
        parent = tempfile.gettempdir()
        sweep(parent)
        self.path = tempfile.mkdtemp(prefix=_PREFIX, dir=parent)
        self._lock = _hold(self.path)

    def remove(self) -> None:
        """Removes it with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _hold(path: str) -> int | None:
    """A lock that ends with this process; the file gets its name once it is locked, so none is found free."""
    if fcntl is None:
        return None
    place = os.path.join(path, _LOCK)
    try:
        descriptor = os.open(f"{place}.new", os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:  # a full disk; then it is not found either
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.rename(f"{place}.new", place)
    except OSError:  # a file system without locks
        os.close(descriptor)
        return None
    return descriptor


def sweep(parent: str) -> None:
    """Removes the directories that processes of this user left in `parent` when they were killed."""
    if fcntl is None:
        return
    with suppress(OSError), os.scandir(parent) as entries:
        left = [entry.path for entry in entries if entry.name.startswith(_PREFIX)]
        for path in left:
            with suppress(OSError):
                _remove_unless_held(path)


def _remove_unless_held(path: str) -> None:
    found = os.lstat(path)
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
    if not is_ours:
        return
    descriptor = os.open(os.path.join(path, _LOCK), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(descriptor)
