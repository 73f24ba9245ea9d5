"""The report's questions to the views: SQL files beside this one, and rows as JSON has them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..analysis import Analysis

Row = dict[str, Any]

# Types whose values are plain, and lists of them.
_PLAIN = frozenset({"VARCHAR", "BOOLEAN", "TINYINT", "USMALLINT", "INTEGER", "BIGINT", "UBIGINT", "DOUBLE"})
_DIRECTORY = Path(__file__).parent / "queries"


@cache
def query(name: str) -> str:
    """The query `name`."""
    return (_DIRECTORY / f"{name}.sql").read_text(encoding="utf-8")


def ask(analysis: Analysis, name: str, /, **parameters: object) -> list[Row]:
    """The rows of the query `name`: times as ISO 8601 texts in UTC, plain data otherwise."""
    analysis.ensure(["severity_rank"])
    done = analysis.sql(query(name), parameters)
    columns = [(column, str(kind)) for column, kind, *_ in done.description or ()]
    names = [column for column, _ in columns]
    others = [column for column, kind in columns if kind.split("[")[0] not in _PLAIN]
    rows = [dict(zip(names, row)) for row in done.fetchall()]
    for column in others:
        for row in rows:
            row[column] = plain(row[column])
    return rows


def by_script(analysis: Analysis, name: str, /, **parameters: object) -> Mapping[str, list[Row]]:
    """The same for a query whose rows are ordered by script, without that column."""
    found = ask(analysis, name, **parameters)
    scripts = [str(row.pop("script")) for row in found]
    return {
        script: [row for _, row in rows]
        for script, rows in groupby(zip(scripts, found), lambda pair: pair[0])
    }


def plain(value: Any, *, timespec: str = "seconds") -> Any:
    """`value` as JSON has it, times to the precision that `datetime.isoformat` calls `timespec`."""
    if isinstance(value, datetime):
        return f"{value.replace(tzinfo=None).isoformat(timespec=timespec)}Z"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: plain(one, timespec=timespec) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one, timespec=timespec) for one in value]
    return value
