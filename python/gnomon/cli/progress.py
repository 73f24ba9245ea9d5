"""A line on a terminal's standard error that says how far a long question is; not at once."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..analysis import Analysis

_PATIENCE_SECONDS = 0.7
_EACH_SECONDS = 0.2
_BAR = 24
# What tables are called while they are made.
_WORDS = {
    "process_rows": "processes", "runs": "scripts", "imports": "imports", "library_uses": "libraries",
    "checked_rows": "known vulnerabilities", "contacts": "connections", "host_facts": "hosts",
    "notable_files": "files", "file_counts": "files", "file_uses": "files",
    "path_facts": "what files may hold", "sensitive_reads": "sensitive files",
    "verdicts": "verdicts", "acts": "programs", "starts": "programs", "silent_rows": "children",
    "finding_rows": "findings",
}  # fmt: skip


class Progress:
    """The line. `step` says what is done now."""

    def __init__(self, steps: int) -> None:
        self._steps = max(1, steps)
        self._done = 0
        self._what = ""
        self._started = time.monotonic()
        self._end = threading.Event()
        self._has_shown = False
        self._connection: Analysis | None = None
        self._thread = threading.Thread(target=self._show, daemon=True)

    def step(self, what: str, *, within: Analysis | None = None) -> None:
        """Begins the next step; DuckDB may know how far it is `within` it."""
        self._what, self._done, self._connection = what, self._done + 1, within

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
        inside = self._connection.connection.query_progress() if self._connection else -1.0
        done = self._done - 1 + max(0.0, inside) / 100
        return min(1.0, max(0.0, done / self._steps))


@contextmanager
def loading(analysis: Analysis, query: str) -> Iterator[None]:
    """Loads what `query` reads, and tells how far that is and the block in it."""
    if not sys.stderr.isatty():
        yield
        return
    wanted = steps(analysis, query)
    with Progress(len(wanted) + 1) as progress:
        for table in wanted:
            progress.step(f"reading {_WORDS.get(table, table.replace('_', ' '))}")
            analysis.ensure([table])
        progress.step(_last_step(analysis, query), within=analysis)
        yield


def _last_step(analysis: Analysis, query: str) -> str:
    if "events" not in analysis.named(query):
        return "putting together"
    (found,) = analysis.rows("select coalesce(sum(records), 0)::bigint as records from base.runs")
    return f"reading {found['records']:,} records"


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
