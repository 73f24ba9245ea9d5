"""Rows that Python has as tables of DuckDB, without libraries in between."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from . import Table

if TYPE_CHECKING:
    import duckdb

# How DuckDB's types stand in Arrow; it reads times from text itself.
_KINDS = {
    "varchar": "text", "varchar[]": "texts", "usmallint": "integer", "integer": "integer",
    "bigint": "integer", "ubigint": "unsigned", "double": "real", "boolean": "boolean", "date": "text",
    "time": "text", "timestamp": "text",
}  # fmt: skip


def load_rows(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    columns: str | Mapping[str, str],
    found: Iterable[Mapping[str, object]],
    *,
    form: str = "temp table",
) -> None:
    """Makes the table `name` of `found`.

    Args:
        connection: Where to.
        name: Of the table.
        columns: Their names and types, also as in `process VARCHAR, count BIGINT`. Times are given as text.
        found: The rows; what one does not have is null.
        form: What is created.

    Raises:
        TypeError: A value is not of its column's type.
    """
    if isinstance(columns, str):
        columns = dict(column.split() for column in columns.split(","))
    table = Table.of([(column, _KINDS[kind.lower()]) for column, kind in columns.items()], found)
    selected = ", ".join(f'"{column}"::{kind} as "{column}"' for column, kind in columns.items())
    connection.register(f"{name}_given", table)
    try:
        connection.execute(f"create or replace {form} {name} as select {selected} from {name}_given")
    finally:
        connection.unregister(f"{name}_given")
