"""What is counted: one thing that was done to a file, a peer or a program, however often.

Two runs of a program name some things at random; here these have one name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, order=True)
class Act:
    """One row of the truth.

    Attributes:
        kind: `open`, `list`, `make`, `delete`, `rename`, `link`, `connect`, `bind`, `send`, `start`, `name`.
        target: A path, `address:port`, a program's name; empty for `name`, as no system call tells which.
    """

    kind: str
    target: str

    def __str__(self) -> str:
        return f"{self.kind} {self.target}".strip()


_ALIKE = (
    # Some read the hundreds of authorities one by one, and which there are is the system's affair.
    (re.compile(r"^/etc/ssl/certs/.*"), "/etc/ssl/certs/*"),
    (re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"\b(psm|pymp|listener)([_-])\w+"), r"\1\2*"),
    (re.compile(r"\btmp[a-z0-9_]{8}\b"), "tmp*"),
    (re.compile(r"(downloaded\.csv)\.[0-9A-Za-z]{8}$"), r"\1.*"),
    (re.compile(r"\.tmp\w{6}$"), ".tmp*"),
    (re.compile(r"\$TMPDIR/(openpyxl\.)?[a-z0-9_]{8}\b"), r"$TMPDIR/\1*"),
)


@dataclass(frozen=True)
class Names:
    """The names of what differs from one measurement to the next: folders, and the servers' ports."""

    folders: dict[Path, str]
    ports: dict[int, str]

    def path(self, path: str) -> str:
        for folder, name in self.folders.items():
            if path == str(folder):
                path = name.rstrip("/") or "."
            elif path.startswith(f"{folder}/"):
                path = name + path[len(str(folder)) + 1 :]
        for pattern, replacement in _ALIKE:
            path = pattern.sub(replacement, path)
        return re.sub(r"\.s\.PGSQL\.\d+", ".s.PGSQL.PORT", path)

    def address(self, address: str, port: int) -> str:
        plain = address.removeprefix("::ffff:") if "." in address else address
        return f"[{plain}]:{self._port(port)}" if ":" in plain else f"{plain}:{self._port(port)}"

    def _port(self, port: int) -> str:
        # What the system chose for one run is another in the next.
        return self.ports.get(port) or ("PORT" if port >= 32768 else str(port))
