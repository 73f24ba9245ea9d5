"""The analysis: answers SQL, and loads what a question needs before it is asked."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .. import Spool
from .._native import doubles
from ..catalog import macros
from ..findings.hours import WorkingHours
from . import folding, schema
from .engine import MEMORY_BYTES, can_scan_again, connect
from .overflow import Overflow
from .tables import NEEDS, TABLES, Loading

if TYPE_CHECKING:
    import duckdb

    from .. import RecordStream
    from ..catalog import Catalog
    from .sources import Stream


class Analysis:
    """Spools as they were when a question first needed them, for SQL.

    Args:
        spools: The directories or segments. A process that stands in two of them counts once.
        since: Only records last repeated at or after this time, in nanoseconds since 1970, and runs that were
            not over by then.
        catalog: What is known of services, hosts and paths; by default what gnomon ships, and the machine's
            and user's own.
        vulnerabilities: The OSV database that was imported; by default where `gnomon osv import` puts it.
        leavers: A CSV of people who left.
        suppressions: TOML files with accepted findings.
        rules: More rules for findings: directories of `.sql` files, or such files.
        working_hours: When people are expected to be at work; by default Monday to Friday, 07:00 to 19:00,
            local time.
        reads_scripts: Whether scripts that are here as they ran are searched for passwords and keys.
        uses_bandit: Whether an installed `bandit` looks at them, too.
        memory_bytes: How much memory DuckDB may use before it goes to disk.

    Raises:
        MissingLibrary: DuckDB is not installed.
        OSError: A spool or file cannot be read.
        ValueError: A file is not what it should be.
    """

    def __init__(
        self,
        spools: Sequence[str | os.PathLike[str]],
        *,
        since: int | None = None,
        catalog: Catalog | None = None,
        vulnerabilities: str | os.PathLike[str] | None = None,
        leavers: str | os.PathLike[str] | None = None,
        suppressions: Sequence[str | os.PathLike[str]] = (),
        rules: Sequence[str | os.PathLike[str]] = (),
        working_hours: WorkingHours | None = None,
        reads_scripts: bool = True,
        uses_bandit: bool = False,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self.paths = tuple(os.fspath(path) for path in spools)
        self.since = since
        self._catalog = catalog
        self.vulnerabilities = vulnerabilities
        self.leavers = leavers
        self.suppressions = tuple(suppressions)
        self.rules = tuple(rules)
        self.working_hours = working_hours or WorkingHours()
        self.reads_scripts = reads_scripts
        self.uses_bandit = uses_bandit
        for path in self.paths:
            Spool(path)  # that it can be read is said now
        # Nobody else may read, or foresee, where records go that memory does not hold.
        self._directory = Overflow()
        self.connection = connect(memory_bytes=memory_bytes, directory=self._directory.path)
        self._made: set[str] = set()
        self._fold: dict[str, Stream] | None = None
        self._events: frozenset[str] = frozenset()
        self._event_streams: list[RecordStream] = []
        self.connection.execute("create schema base")

    @cached_property
    def catalog(self) -> Catalog:
        """What is known of services, hosts and paths."""
        from ..catalog import Catalog

        return self._catalog or Catalog.load()

    def spools(self, **filters: Any) -> list[Spool]:
        """The spools, with these filters."""
        pairs = zip(self.paths, self._doubles)
        return [Spool(path, since=self.since, without=names, **filters) for path, names in pairs]

    @cached_property
    def _doubles(self) -> list[set[str]]:
        """By spool the segments that another has, too: what was copied counts once."""
        return doubles(self.paths) if len(self.paths) > 1 else [set()]

    def unread(self) -> int:
        """How many files or directories could not be read in full, as far as a question needed processes."""
        if "process_rows" not in self._made:
            return 0
        (row,) = self.rows("select count(distinct path) as count from fault_rows")
        return int(row["count"])

    def folded(self, part: str) -> list[Stream]:
        """That part of what the records come to, given out once, so that it is freed. Needs `base.runs`."""
        if self._fold is None:
            fold = folding.fold(self)
            self._fold = {name: getattr(fold, name) for name in folding.PARTS}
        return [self._fold.pop(part)]

    def sql(
        self, query: str, parameters: Sequence[object] | Mapping[str, object] = ()
    ) -> duckdb.DuckDBPyConnection:
        """Executes `query` after loading what it reads; fetch the rows from what is returned."""
        self.prepare(query)
        return self.connection.execute(query, parameters or None)

    def rows(
        self, query: str, parameters: Sequence[object] | Mapping[str, object] = ()
    ) -> list[dict[str, Any]]:
        """The rows of `query` by name."""
        done = self.sql(query, parameters)
        names = [column[0] for column in done.description or ()]
        return [dict(zip(names, row)) for row in done.fetchall()]

    def prepare(self, query: str) -> None:
        """Loads what `query` reads."""
        names = self.named(query)
        if not macros.NAMES.isdisjoint(re.findall(r"(\w+)\s*\(", query.lower())):
            self.ensure(["catalog_macros"])
        if "events" in names:
            self._bring_events(query)
        self.ensure(name for name in (*schema.NAMES, *TABLES) if name in names and name != "events")

    def named(self, query: str) -> set[str]:
        """The tables that `query` names; all its words, where it is no single `select`."""
        import duckdb

        try:
            asked = self.connection.execute("select json_serialize_sql(?::varchar)", [query])
            ((told,),) = asked.fetchall()
        except duckdb.Error:  # without the extension `json`, which DuckDB's own builds have
            told = None
        parsed = json.loads(told or "{}")
        if parsed.get("error", True):
            return set(re.findall(r"\w+", query.lower()))
        return set(_tables(parsed))

    def ensure(self, names: Iterable[str]) -> None:
        """Makes the tables and views called `names`, after those that they need."""
        for name in names:
            if name in self._made:
                continue
            self._made.add(name)
            self.ensure(NEEDS.get(name, ()))
            if name in TABLES:
                TABLES[name](Loading(self))
            else:
                self.connection.execute(f"create view {name} as {schema.view(name).sql}")

    def _bring_events(self, query: str) -> None:
        """The view `events`, which reads the spools again, with no more columns than the query can mean."""
        from .sources import register

        self.ensure(["runs"])
        words = set(re.findall(r"\w+", query.lower()))
        known = [column.name for column in schema.view("events").columns]
        own = known[: known.index("script")]
        has_star = (
            re.search(r"(?<!count\()\*|columns\s*\(|\bdescribe\b|\bsummarize\b", query.lower()) is not None
        )
        wanted = frozenset(own if has_star else words.intersection(own)) | {"process"} | self._events
        if wanted == self._events:
            return
        self._events = wanted
        chosen = [name for name in own if name in wanted]
        form = "view" if can_scan_again(self.connection) else "table"
        self.connection.execute(f"drop {form} if exists events")
        self._event_streams = [spool.stream(chosen) for spool in self.spools()]
        register(self.connection, "event_stream", self._event_streams)
        self.connection.execute(f"create {form} events as {schema.view('events').sql}")

    @property
    def events_read(self) -> int:
        """How many records the view `events` has read so far."""
        return sum(stream.given for stream in self._event_streams)

    def close(self) -> None:
        """Ends the connection. What went to disk is gone."""
        self.connection.close()
        self._directory.remove()

    def __enter__(self) -> Analysis:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _tables(parsed: Any) -> Iterator[str]:
    """The names of tables in what DuckDB's parser makes of a query."""
    if isinstance(parsed, dict):
        if parsed.get("type") == "BASE_TABLE":
            yield str(parsed["table_name"]).lower()
        for part in parsed.values():
            yield from _tables(part)
    elif isinstance(parsed, list):
        for part in parsed:
            yield from _tables(part)
