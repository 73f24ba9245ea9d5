"""Spools as streams for DuckDB: only the kinds and columns that a table is made of are decoded."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from .. import Spool

if TYPE_CHECKING:
    import duckdb

_TIMES = ("time", "last_time")


def register(
    connection: duckdb.DuckDBPyConnection, name: str, spools: Sequence[Spool], columns: Sequence[str]
) -> None:
    """Records as the view `name`: `columns` of all `spools`, times in UTC. Each use reads them again."""
    parts = []
    for number, spool in enumerate(spools):
        part = f"{name}_{number}"
        connection.register(part, spool.stream(columns))
        parts.append(f"select {', '.join(_column(column) for column in columns)} from {part}")
    connection.execute(f"create or replace temp view {name} as {' union all '.join(parts)}")


@contextmanager
def stream(
    connection: duckdb.DuckDBPyConnection, name: str, spools: Sequence[Spool], columns: Sequence[str]
) -> Iterator[None]:
    """The same while the block runs."""
    register(connection, name, spools, columns)
    try:
        yield
    finally:
        connection.execute(f"drop view if exists {name}")
        for number in range(len(spools)):
            connection.unregister(f"{name}_{number}")


def _column(name: str) -> str:
    # From nanoseconds: DuckDB 1.4 and 2.0 differ in what they make of the stream, and a cast would take
    # the session's time zone.
    return f"make_timestamp_ns(epoch_ns({name}))::timestamp as {name}" if name in _TIMES else f'"{name}"'


def load_rows(
    connection: duckdb.DuckDBPyConnection, name: str, columns: str, found: Iterable[dict[str, Any]]
) -> None:
    """Makes the temporary table `name` of `found`, by way of JSON lines: quick, and without other libraries.

    Args:
        connection: Where to.
        name: Of the table.
        columns: Their names and types, as in `process VARCHAR, count BIGINT`.
        found: The rows.
    """
    descriptor, path = tempfile.mkstemp(prefix="gnomon-rows-", suffix=".ndjson")
    try:
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            for row in found:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
        types = ", ".join(
            f"'{column}': '{kind}'" for column, kind in (word.split() for word in columns.split(","))
        )
        connection.execute(
            f"create or replace temp table {name} as select * from read_json(?, format='newline_delimited', "
            f"columns={{{types}}}, maximum_object_size=16777216)",
            [path],
        )
    finally:
        os.unlink(path)


def moment(nanoseconds: int | None) -> str | None:
    """A time as DuckDB reads it, to the microsecond."""
    if nanoseconds is None:
        return None
    moment = datetime(1970, 1, 1) + timedelta(microseconds=nanoseconds // 1000)
    return moment.isoformat(sep=" ")


PROCESS_COLUMNS = """
    id VARCHAR, role VARCHAR, parent VARCHAR, run VARCHAR, pid UINTEGER, parent_pid UINTEGER,
    parent_name VARCHAR, forked BOOLEAN, hook_proven BOOLEAN, native VARCHAR, startup VARCHAR, managed
    BOOLEAN, uid UINTEGER, user VARCHAR, host VARCHAR, machine VARCHAR, boot VARCHAR, executable
    VARCHAR, python VARCHAR, implementation VARCHAR, environment VARCHAR, argv VARCHAR[], directory
    VARCHAR, started TIMESTAMP, ended TIMESTAMP, last_seen TIMESTAMP, status INTEGER, script_form
    VARCHAR, script VARCHAR, script_file VARCHAR, script_sha256 VARCHAR, script_size UBIGINT,
    script_owner VARCHAR, script_owner_uid UINTEGER, script_modified TIMESTAMP, segments UBIGINT,
    records UBIGINT, gnomon VARCHAR, owner_uid UINTEGER, is_forged BOOLEAN, inventory VARCHAR
"""
