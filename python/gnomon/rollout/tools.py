"""The programs of an administrator, also where they are on nobody's path: cron's has no `/usr/sbin`."""

from __future__ import annotations

import os
import shutil

_MORE = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin")


def find(program: str) -> str | None:
    """Where `program` is; `None` where it is not."""
    return shutil.which(program, path=search_path())


def search_path() -> str:
    """The path of this process, and then the directories where such programs are."""
    own = os.environ.get("PATH", "").split(os.pathsep)
    return os.pathsep.join(dict.fromkeys([*filter(os.path.isabs, own), *_MORE]))
