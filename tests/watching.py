"""Starts programs armed or bare, waits for their end, and reads what the armed ones left.

Audit hooks cannot be removed, so a program always runs in an interpreter of its own.
"""

from __future__ import annotations

import collections
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import gnomon

# The one place that says where the read side is.
from gnomon._native import Fault, Process, Record, Spool, process_id  # noqa: F401

BOOTSTRAP = Path(gnomon.__file__).resolve().parent / "bootstrap"
PROGRAMS = Path(__file__).resolve().parent / "programs"


@dataclass(frozen=True)
class Ended:
    """How a program ended. The status is negative for the signal that ended it."""

    status: int
    stdout: bytes
    stderr: bytes

    def checked(self) -> Ended:
        """The same, of a program that must have succeeded."""
        assert self.status == 0, f"status {self.status}\n{self.stdout.decode()}\n{self.stderr.decode()}"
        return self


@dataclass(frozen=True)
class Kept:
    """What a spool holds."""

    spool: Path

    def processes(self) -> list[Process]:
        return Spool(self.spool).processes()[0]

    def process(self, pid: int) -> Process:
        """The only process with `pid`."""
        (found,) = [process for process in self.processes() if process.pid == pid]
        return found

    def records(self, *kinds: str, process: str | None = None) -> Iterator[Record]:
        yield from Spool(self.spool, kinds=list(kinds) or None, process=process).records()

    def operations(self, process: str | None = None) -> collections.Counter[tuple[str, str]]:
        """How often each (kind, target) happened; a child's start has its last argument as target."""
        counted: collections.Counter[tuple[str, str]] = collections.Counter()
        for record in self.records(process=process):
            target = record.argv[-1] if record.kind in ("spawn", "exec") else record.target
            counted[record.kind, str(target)] += record.count
        return counted

    def faults(self) -> list[Fault]:
        spool = Spool(self.spool)
        records = spool.records()
        collections.deque(records, maxlen=0)
        return spool.processes()[1] + records.faults

    def damage(self) -> list[Fault]:
        """Faults but for a record that was being written when its process died."""
        return [fault for fault in self.faults() if fault.severity != "torn"]

    def lost(self) -> dict[str, int]:
        """Losses by reason, over all processes."""
        total: collections.Counter[str] = collections.Counter()
        for process in self.processes():
            total.update(process.lost)
        return dict(total)


def environment(**more: str) -> dict[str, str]:
    """This process's environment without what steers Python, gnomon or pytest, and with `more`."""
    unwanted = ("PYTHON", "GNOMON", "PYTEST", "COVERAGE", "COLUMNS", "LINES")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return {**kept, **more}


def armed_environment(spool: Path, **more: str) -> dict[str, str]:
    """The environment in which every Python records into `spool`: what `gnomon run` sets."""
    search_path = os.pathsep.join(filter(None, [str(BOOTSTRAP), more.pop("PYTHONPATH", "")]))
    return environment(**{"PYTHONPATH": search_path, "GNOMON_SPOOL": str(spool), **more})


def program(name: str) -> str:
    """The path of one of the tiny subjects."""
    return str(PROGRAMS / name)


def _run(
    argv: Sequence[str], env: Mapping[str, str], stdin: bytes, cwd: Path | None, seconds: int = 60
) -> Ended:
    done = subprocess.run(
        argv, env=env, input=stdin, cwd=cwd, capture_output=True, check=False, timeout=seconds
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def bare(argv: Sequence[str], *, stdin: bytes = b"", cwd: Path | None = None, **more: str) -> Ended:
    """Runs `argv` to its end, unwatched. `more` goes into its environment."""
    return _run(argv, environment(**more), stdin, cwd)


def armed(
    argv: Sequence[str],
    spool: Path,
    *,
    stdin: bytes = b"",
    cwd: Path | None = None,
    seconds: int = 60,
    **more: str,
) -> Ended:
    """Runs `argv` to its end, recording into `spool`. `more` goes into its environment."""
    return _run(argv, armed_environment(spool, **more), stdin, cwd, seconds)
