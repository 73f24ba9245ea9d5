"""Vulnerabilities as tables for DuckDB, beside the views of what ran; the columns are a contract."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..rows import load_rows
from .database import Database
from .matching import Checked, Vulnerability, check

if TYPE_CHECKING:
    import duckdb

ADVISORIES = {
    "distribution": "varchar",
    "version": "varchar",
    "advisory": "varchar",
    "aliases": "varchar[]",
    "severity": "varchar",
    "score": "double",
    "summary": "varchar",
    "fixed": "varchar",
    "published": "timestamp",
    "url": "varchar",
    "is_malicious": "boolean",
    "vector": "varchar",
    "is_rated": "boolean",
}
CHECKED = {
    "distribution": "varchar",
    "version": "varchar",
    "state": "varchar",
    "reason": "varchar",
    "is_known": "boolean",
    "yanked": "varchar",
    "fixed": "varchar",
}
DATABASE = {
    "path": "varchar",
    "imported": "timestamp",
    "source_date": "timestamp",
    "sha256": "varchar",
    "advisories": "bigint",
    "packages": "bigint",
}


def install(
    connection: duckdb.DuckDBPyConnection,
    pairs: Iterable[tuple[str, str | None]],
    database: Database | None,
) -> list[Checked]:
    """Creates `advisories`, `checked_distributions` and `vulnerability_database`, and says what is in them.

    Args:
        connection: Where; tables of these names are replaced.
        pairs: Distribution and version; a version that is not known is `None` or empty, and null in them.
        database: Without one every distribution is `not checked`, and `vulnerability_database` is empty.

    Raises:
        DatabaseError: The database cannot be read.
    """
    checked = check(database, pairs)
    rows = [_advisory(one, found) for one in checked for found in one.vulnerabilities]
    load_rows(connection, "advisories", ADVISORIES, rows, form="table")
    load_rows(connection, "checked_distributions", CHECKED, map(_checked, checked), form="table")
    facts = [] if database is None else [_facts(database)]
    load_rows(connection, "vulnerability_database", DATABASE, facts, form="table")
    return checked


def _advisory(one: Checked, found: Vulnerability) -> dict[str, Any]:
    return {
        "distribution": one.distribution,
        "version": one.version or None,
        "advisory": found.advisory,
        "aliases": found.aliases,
        "severity": found.severity,
        "score": found.score,
        "summary": found.summary,
        "fixed": found.fixed or None,
        "published": found.published or None,
        "url": found.url,
        "is_malicious": found.is_malicious,
        "vector": found.vector or None,
        "is_rated": found.is_rated,
    }


def _checked(one: Checked) -> dict[str, Any]:
    row = {name: getattr(one, name) for name in CHECKED}
    return {**row, "version": one.version or None, "fixed": one.fixed or None}


def _facts(database: Database) -> dict[str, Any]:
    facts = {name: getattr(database.facts, name) for name in DATABASE if name != "path"}
    return {**facts, "path": database.path, "source_date": facts["source_date"] or None}
