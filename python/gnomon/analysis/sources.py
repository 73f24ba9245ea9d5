"""Spools as streams for DuckDB: only the kinds and columns that a table is made of are decoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import duckdb

RECORD_TIMES = (
    "time", "last_time", "first_seen", "last_seen", "first_connected", "last_connected", "first_read",
    "last_read",
)  # fmt: skip
PROCESS_TIMES = ("started", "ended", "last_seen", "script_modified")


class Stream(Protocol):
    """What an Arrow stream is made of."""

    columns: list[str]

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


def register(
    connection: duckdb.DuckDBPyConnection, name: str, streams: Sequence[Stream], *, is_exact: bool = False
) -> None:
    """All rows of `streams` as the view `name`, times in UTC. Each use reads them again.

    Where it `is_exact`, times are numbers of nanoseconds instead.
    """
    parts = []
    for number, one in enumerate(streams):
        part = f"{name}_{number}"
        connection.register(part, one)
        shown = _exact if is_exact else _column
        parts.append(f"select {', '.join(map(shown, one.columns))} from {part}")
    connection.execute(f"create or replace temp view {name} as {' union all '.join(parts)}")


def copy(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    streams: Sequence[object],
    columns: Sequence[str],
    *,
    times: Sequence[str] = (),
) -> None:
    """Makes the temporary table `name` of what `streams` have in these columns.

    Beside each of `times` is the same in nanoseconds, as `started_ns`.
    """
    parts = []
    for number, one in enumerate(streams):
        part = f"{name}_{number}"
        connection.register(part, one)
        selected = [_column(column, times) for column in columns]
        selected += [f"{_exact(column)}_ns" for column in times]
        parts.append(f"select {', '.join(selected)} from {part}")
    connection.execute(f"create or replace temp table {name} as {' union all '.join(parts)}")
    for number in range(len(streams)):
        connection.unregister(f"{name}_{number}")


@contextmanager
def stream(
    connection: duckdb.DuckDBPyConnection, name: str, streams: Sequence[Stream], *, is_exact: bool = False
) -> Iterator[None]:
    """The same while the block runs."""
    register(connection, name, streams, is_exact=is_exact)
    try:
        yield
    finally:
        connection.execute(f"drop view if exists {name}")
        for number in range(len(streams)):
            connection.unregister(f"{name}_{number}")


def _column(name: str, times: Sequence[str] = RECORD_TIMES) -> str:
    # From nanoseconds: DuckDB 1.4 and 2.0 differ in what they make of the stream, and a cast would take
    # the session's time zone.
    return f"make_timestamp_ns(epoch_ns({name}))::timestamp as {name}" if name in times else f'"{name}"'


def _exact(name: str) -> str:
    return f"epoch_ns({name}) as {name}" if name in (*RECORD_TIMES, *PROCESS_TIMES) else f'"{name}"'


def moment(nanoseconds: int | None) -> str | None:
    """A time as DuckDB reads it, to the microsecond."""
    if nanoseconds is None:
        return None
    moment = datetime(1970, 1, 1) + timedelta(microseconds=nanoseconds // 1000)
    return moment.isoformat(sep=" ")
