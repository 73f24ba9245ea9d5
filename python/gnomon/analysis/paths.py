"""What the catalogue says of the files that were seen: `base.path_facts`, one row for each that it knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..catalog import tables
from . import schema

if TYPE_CHECKING:
    import duckdb

    from ..catalog import Catalog


def install(connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Makes the table of what `base.file_uses` has, and the catalogue's own."""
    tables.install(connection, catalog)
    connection.execute(schema.base("path_facts"))
