"""Runs one operation, in the folder that it is about, between two marks: `python subject.py NAME SERVERS`.

The marks are files that do not exist. Opening them shows in strace and raises an audit event.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

BEGIN, END = "/gnomon-coverage/begin", "/gnomon-coverage/end"


class Place:
    """The folder, and the addresses of the servers: `place / "orders.csv"`, `place.http`."""

    def __init__(self, folder: str, servers: dict[str, Any]) -> None:
        self.folder = Path(folder)
        self.servers = servers

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def __fspath__(self) -> str:
        return str(self.folder)

    def __getattr__(self, name: str) -> Any:
        return self.servers[name]


def main() -> None:
    from operations import OPERATIONS

    steps = OPERATIONS[sys.argv[1]].run(Place(os.getcwd(), json.loads(sys.argv[2])))
    next(steps)
    mark(BEGIN)
    try:
        next(steps, None)
    finally:
        mark(END)
    sys.stdout.flush()
    # What libraries do at the interpreter's end is not the operation's, and some would wait for servers.
    os._exit(0)


def mark(path: str) -> None:
    with contextlib.suppress(OSError):
        os.open(path, os.O_RDONLY)


if __name__ == "__main__":
    main()
