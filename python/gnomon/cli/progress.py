"""A line on a terminal's standard error that says how far a long question is; not at once."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..analysis import Analysis

_PATIENCE_SECONDS = 0.7
_EACH_SECONDS = 0.2
_BAR = 24
# All records take longer than the tables of processes and scripts.
_RECORDS_WEIGHT = 8
# What tables are called while they are made.
_WORDS = {
    "process_rows": "processes", "runs": "scripts", "imports": "imports", "library_uses": "libraries",
    "checked_rows": "known vulnerabilities", "contacts": "connections", "host_facts": "hosts",
    "notable_files": "files", "file_counts": "files", "file_uses": "files",
    "path_facts": "what files may hold", "sensitive_reads": "sensitive files",
    "verdicts": "verdicts", "acts": "programs", "starts": "programs", "silent_rows": "children",
    "finding_rows": "findings",
}  # fmt: skip


def _unknown() -> float:
    return 0.0


class Progress:
    """The line. `step` says what is done now."""

    def __init__(self, steps: int) -> None:
        self._steps = max(1, steps)
        self._done = 0
        self._what = "reading"
        self._started = time.monotonic()
        self._end = threading.Event()
        self._has_shown = False
        self._within: Callable[[], float] = _unknown
        self._weight = 1
        self._thread = threading.Thread(target=self._show, daemon=True)

    def step(self, what: str, *, within: Callable[[], float] = _unknown, weight: int = 1) -> None:
        """Begins the next step, which counts as `weight`; `within` tells what part of it is done (0 to 1)."""
        self._what, self._done, self._within, self._weight = what, self._done + 1, within, weight

    def __enter__(self) -> Progress:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        if self._has_shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def _show(self) -> None:
        if self._end.wait(_PATIENCE_SECONDS):
            return
        self._has_shown = True
        while True:
            sys.stderr.write(f"\r\x1b[K{self.line()}")
            sys.stderr.flush()
            if self._end.wait(_EACH_SECONDS):
                return

    def line(self) -> str:
        """What is on the screen."""
        full = round(_BAR * self._fraction())
        seconds = time.monotonic() - self._started
        return f"{'█' * full}{'░' * (_BAR - full)} {self._what} · {seconds:.0f} s"

    def _fraction(self) -> float:
        done = self._done - 1 + min(1.0, max(0.0, self._within())) * self._weight
        return min(1.0, max(0.0, done / self._steps))


@contextmanager
def loading(analysis: Analysis, query: str) -> Iterator[None]:
    """Loads what `query` reads, and tells how far that is and the block in it."""
    if not sys.stderr.isatty():
        yield
        return
    wanted = steps(analysis, query)
    last = _RECORDS_WEIGHT if "events" in analysis.named(query) else 1
    with Progress(len(wanted) + last) as progress:
        for table in wanted:
            progress.step(f"reading {_WORDS.get(table, table.replace('_', ' '))}")
            analysis.ensure([table])
        if "events" in analysis.named(query):
            _reading(analysis, progress)
        else:
            progress.step("putting together", within=lambda: analysis.connection.query_progress() / 100)
        yield


def _reading(analysis: Analysis, progress: Progress) -> None:
    """The step in which records are read, once or more often: the bar is that of the first time."""
    (found,) = analysis.rows("select coalesce(sum(records), 0)::bigint as records from base.runs")
    records, before = found["records"], analysis.events_read
    progress.step(
        f"reading {records:,} records",
        within=lambda: (analysis.events_read - before) / max(records, 1),
        weight=_RECORDS_WEIGHT,
    )


def steps(analysis: Analysis, query: str) -> Sequence[str]:
    """The tables that `query` needs, in the order in which they are made."""
    from ..analysis.tables import NEEDS, TABLES

    found: list[str] = []

    def add(name: str) -> None:
        for needed in NEEDS.get(name, ()):
            add(needed)
        if name in TABLES and name not in found:
            found.append(name)

    named = analysis.named(query)
    for name in (*NEEDS, *TABLES):
        if name in named:
            add(name)
    return found
