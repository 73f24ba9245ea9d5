"""What the views promise: each one's columns, read from the head of its own SQL file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_DIRECTORY = Path(__file__).parent
_COLUMN = re.compile(
    r"-- (?P<name>[a-z_0-9]+) (?P<type>[A-Z][A-Z0-9_]*(?:\(.*?\))?(?:\[\])?): (?P<meaning>.+)"
)

NAMES = ("processes", "events", "scripts", "libraries", "connections", "files", "findings", "gaps")


@dataclass(frozen=True)
class Column:
    """A column: its DuckDB type, and what it holds."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True)
class View:
    """A view: what one row of it is, its columns in order, and the query that it is."""

    name: str
    row: str
    columns: tuple[Column, ...]
    sql: str


@cache
def view(name: str) -> View:
    """The view called `name`, one of `NAMES`."""
    text = (_DIRECTORY / "views" / f"{name}.sql").read_text(encoding="utf-8")
    row, columns = [], []
    for line in text.splitlines():
        found = _COLUMN.fullmatch(line)
        if found:
            columns.append(Column(found["name"], found["type"], found["meaning"]))
        elif line.startswith("-- ") and not columns:
            row.append(line[3:])
        elif line.startswith("--   ") and columns:
            last = columns[-1]
            columns[-1] = Column(last.name, last.type, f"{last.meaning} {line[5:].strip()}")
    return View(name, " ".join(row), tuple(columns), text)


def views() -> tuple[View, ...]:
    """All of them, in the order of the documentation."""
    return tuple(view(name) for name in NAMES)


def base(name: str) -> str:
    """The statement that makes the base table `name`."""
    return (_DIRECTORY / "base" / f"{name}.sql").read_text(encoding="utf-8")
