"""Which runs are runs of the same script: by content across names and machines, by place across changes.

Two runs belong together where they ran the same content, or what stood at the same path of the same
machine. A place that anybody writes to (a temporary directory) joins nothing, and neither does empty content.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

_TEMPORARY = re.compile(r"/(?:tmp|var/tmp|dev/shm|run)/|.*/(?:AppData/Local/Temp|\.cache)/", re.IGNORECASE)
# Processes that multiprocessing starts by itself, to run the functions of the script that asked for them.
_WORKER = re.compile(r"from multiprocessing\.\w+ import|.*\bspawn_main\(|.*multiprocessing.*resource_tracker")
_ID_DIGITS = 12


@dataclass(frozen=True)
class Run:
    """What is known of what a process ran; in the order they started, parents first."""

    process: str
    parent: str | None
    forked: bool
    form: str | None
    name: str | None
    file: str | None
    sha256: str | None
    size: int | None
    machine_id: str
    user: str


class Identity(NamedTuple):
    """Which script a process belongs to.

    Attributes:
        script: The script's id.
        name: The script's name as this run has it.
        is_worker: Whether the process began with a command of multiprocessing's own. Its content is none of
            the script's, and another each time, as it holds the numbers of pipes.
    """

    script: str
    name: str
    is_worker: bool


def scripts(runs: Iterable[Run]) -> dict[str, Identity]:
    """For each process which script it belongs to."""
    groups = _Groups()
    workers: set[str] = set()
    keys: dict[str, str] = {}
    names: dict[str, str] = {}
    first: dict[str, str] = {}
    for run in runs:
        if run.parent in keys and (run.forked or _is_worker(run)):
            if not run.forked or run.parent in workers:
                workers.add(run.process)
            keys[run.process], names[run.process] = keys[run.parent], names[run.parent]
            continue
        named = _keys(run)
        for key in named:
            groups.join(named[0], key)
        keys[run.process], names[run.process] = named[0], shown_name(run)
        for key in named:
            first.setdefault(key, (run.sha256 if run.size else None) or _digest(named[0]))
    ids: dict[str, str] = {}
    for key, digest in first.items():  # in the order of their first run
        ids.setdefault(groups.find(key), digest[:_ID_DIGITS])
    return {
        process: Identity(ids[groups.find(key)], names[process], process in workers)
        for process, key in keys.items()
    }


def shown_name(run: Run) -> str:
    """What a person would call it."""
    if run.form in ("file", "archive", "directory", "kernel") and (run.file or run.name):
        return os.path.basename((run.file or run.name or "").rstrip("/")) or "?"
    if run.form == "module" and run.name:
        return f"-m {run.name}"
    if run.form == "command" and run.name:
        return f"-c {run.name.strip()}"[:80]
    return run.name or run.form or "?"


def _is_worker(run: Run) -> bool:
    return run.form == "command" and _WORKER.match(run.name or "") is not None


def _keys(run: Run) -> list[str]:
    keys = []
    if run.sha256 and run.size != 0:
        keys.append(f"content {run.sha256}")
    if run.file and not _TEMPORARY.match(run.file):
        keys.append(f"place {run.machine_id} {run.file}")
    return keys or [f"{run.form} {run.machine_id} {run.user} {run.file or run.name or ''}"]


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


class _Groups:
    """Union-find."""

    def __init__(self) -> None:
        self.above: dict[str, str] = {}

    def find(self, key: str) -> str:
        root = key
        while self.above.setdefault(root, root) != root:
            root = self.above[root]
        while key != root:
            self.above[key], key = root, self.above[key]
        return root

    def join(self, one: str, other: str) -> None:
        self.above[self.find(other)] = self.find(one)
