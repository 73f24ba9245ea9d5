"""The programs of an administrator, where the system has them, whatever a path says.

cron's path has no `/usr/sbin`, and root's may have a directory that others write to.
"""

from __future__ import annotations

import os
import shutil

_PLACES = (
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
    "/usr/local/sbin",
    "/usr/local/bin",
    "/run/current-system/sw/bin",  # NixOS has all of them there
)


def find(program: str) -> str | None:
    """Where `program` is; `None` where it is not."""
    return shutil.which(program, path=search_path())


def search_path() -> str:
    """The directories where such programs are."""
    return os.pathsep.join(_PLACES)
