"""Scripts that are still on this machine as they ran: the only ones whose text may be looked at."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..analysis import Analysis

MAX_BYTES = 1 << 20
MAX_SCRIPTS = 5000


@dataclass(frozen=True)
class Present:
    """A script's file, with the content that the last of its runs there had."""

    script: str
    path: str
    process: str
    content: bytes


def present(analysis: Analysis) -> Iterator[Present]:
    """Those of the analysis, the most recent first, at most `MAX_SCRIPTS`."""
    from ..analysis.marks import machine_id

    analysis.ensure(["runs"])
    found = analysis.connection.execute(
        "select script, script_path, arg_max(process, started), arg_max(script_sha256, started) "
        "from base.runs "
        "where machine_id = ? and script_sha256 is not null and script_path is not null "
        "and script_form in ('file', 'module') group by script, script_path "
        f"order by max(started) desc, script, script_path limit {MAX_SCRIPTS}",
        [machine_id() or ""],
    ).fetchall()
    for script, path, process, digest in found:
        content = _content(path)
        if content is not None and hashlib.sha256(content).hexdigest() == digest:
            yield Present(script, path, process, content)


def _content(path: str) -> bytes | None:
    """That of a plain file: whoever chose the path may have made it something that never ends."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    with open(descriptor, "rb") as file:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode) or state.st_size > MAX_BYTES:
            return None
        try:
            return file.read(MAX_BYTES + 1)
        except OSError:
            return None
