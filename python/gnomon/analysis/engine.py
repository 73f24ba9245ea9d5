"""DuckDB, as gnomon uses it: imported late, with a limit on memory, and room on disk beyond that."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

MEMORY_BYTES = 640 << 20


class MissingLibrary(ImportError):
    """A library of the extra `gnomon[report]` is not installed."""


def connect(*, memory_bytes: int, directory: str) -> duckdb.DuckDBPyConnection:
    """A database in memory that goes to `directory` rather than beyond its limit.

    Raises:
        MissingLibrary: DuckDB is not installed.
    """
    try:
        import duckdb
    except ImportError as error:
        raise MissingLibrary(f"cannot import duckdb: {error}", name="duckdb") from error
    return duckdb.connect(
        config={
            "memory_limit": f"{memory_bytes >> 20}MiB",
            "temp_directory": directory,
            "preserve_insertion_order": False,
            # Nothing is fetched, on a machine that may have no network.
            "autoinstall_known_extensions": False,
        }
    )


def can_scan_again(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether a registered stream may be read by more than one query: DuckDB before 1.5 takes it once."""
    (version,) = connection.execute("select version()").fetchone() or ("v0",)
    major, minor = version.lstrip("v").split(".")[:2]
    return (int(major), int(minor)) >= (1, 5)
