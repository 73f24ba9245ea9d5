"""What the catalogue says of the files that were seen: `base.path_facts`, one row for each that it knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

    from ..catalog import Catalog


def install(connection: duckdb.DuckDBPyConnection, catalog: Catalog | None) -> None:
    """Makes the table of what `base.file_uses` has."""
    connection.execute(
        "create table base.path_facts "
        "(path varchar, id varchar, label varchar, category varchar, severity varchar, attack varchar)"
    )
