"""The system's own programs that root calls: by their places, whatever a PATH says and whoever wrote it."""

from __future__ import annotations

import os
import shutil

_PLACES = ("/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin")


def find(name: str) -> str | None:
    """The path of the program `name`, where the system has it."""
    return shutil.which(name, path=os.pathsep.join(_PLACES))
