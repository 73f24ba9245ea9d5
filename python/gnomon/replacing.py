"""Files that are there whole or not at all: written beside their place, and renamed."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple


class Unfinished(NamedTuple):
    """A file that is being written, under a name that nobody foresees: root writes where others may, too."""

    path: str
    descriptor: int


@contextmanager
def replaced(
    path: str | os.PathLike[str], *, mode: int | None = None, is_durable: bool = False
) -> Iterator[Unfinished]:
    """What is written to the file given becomes `path`; if that fails, `path` stays as it was.

    Args:
        path: The place. A link is followed.
        mode: By default that of the file that is replaced, or what a new one would get.
        is_durable: Whether the content must be on disk before it is found there.

    Raises:
        OSError: It cannot be written, or is a directory, a device or a pipe, which is no file to replace.
    """
    target = os.path.realpath(path)
    if os.path.exists(target) and not os.path.isfile(target):
        raise OSError(errno.EINVAL, "it is no file", os.fspath(path))
    descriptor, unfinished = tempfile.mkstemp(prefix=".gnomon-", dir=os.path.dirname(target))
    try:
        try:
            yield Unfinished(unfinished, descriptor)
            mode = _mode(target) if mode is None else mode
            os.chmod(descriptor if os.chmod in os.supports_fd else unfinished, mode)
            if is_durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(unfinished, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(unfinished)
        raise


def _mode(path: str) -> int:
    try:
        return os.stat(path).st_mode & 0o777
    except OSError:
        umask = os.umask(0)
        os.umask(umask)
        return 0o666 & ~umask
