"""The report as JSON inside the page, laid out so that a page with ten thousand scripts opens at once.

The first block is what every screen needs. The passports follow in blocks of a hundred, each parsed when
one of its scripts is looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import is_dataclass
from typing import Any

from ..model import Report, ScriptPage

BLOCK = 100

# The report's lists, and a passport's, that travel by columns.
LISTS = ("timeline", "findings", "suppressed", "libraries", "hosts", "ai", "data", "flows", "gaps")
PASSPORT_LISTS = ("points", "libraries", "hosts", "files", "children", "verdicts")

# What the list of scripts shows and filters by, besides a path and counts.
INDEX = (
    "script",
    "name",
    "form",
    "users",
    "machines",
    "runs",
    "failed_runs",
    "days",
    "first_seen",
    "last_seen",
    "schedule",
    "owner",
    "owner_exists",
    "is_leaver",
    "is_in_repository",
    "risk",
    "severity",
    "ai_services",
    "bytes_out",
)


def data_blocks(report: Report) -> Iterator[str]:
    """`<script type="application/json">` elements: the report, then its passports in blocks."""
    pages = report.scripts
    lists = {name: _by_columns([vars(row) for row in getattr(report, name)]) for name in LISTS}
    shared = {**vars(report), **lists, "scripts": _by_columns(list(map(_index, pages))), "block": BLOCK}
    yield _element("report", shared)
    for number, first in enumerate(range(0, len(pages), BLOCK)):
        yield _element(f"pages-{number}", [_passport(page) for page in pages[first : first + BLOCK]])


def safe_json(value: Any) -> str:
    """JSON in ASCII that ends no element, opens no comment and starts no entity where it stands in HTML."""
    text = json.dumps(value, default=_plain, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _element(name: str, value: Any) -> str:
    return f'<script type="application/json" id="{name}">{safe_json(value)}</script>'


def _plain(value: Any) -> Any:
    """A dataclass as its fields, without the deep copies of `dataclasses.asdict`; else its text."""
    return _brief(value) if is_dataclass(value) else str(value)


def _brief(value: Any) -> dict[str, Any]:
    """The fields that say something: the page takes a missing one for null or empty."""
    return {
        name: said for name, said in vars(value).items() if said is not None and said != [] and said != {}
    }


def _passport(page: ScriptPage) -> dict[str, Any]:
    lists = {name: _by_columns([_row(row) for row in getattr(page, name)]) for name in PASSPORT_LISTS}
    return {**_brief(page), **{name: columns for name, columns in lists.items() if columns["rows"]}}


def _row(row: Any) -> dict[str, Any]:
    return row if isinstance(row, dict) else vars(row)


def _by_columns(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Rows without their keys, which repeated ten thousand times would be most of them."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return {"columns": columns, "rows": [[row.get(key) for key in columns] for row in rows]}


def _index(page: ScriptPage) -> dict[str, Any]:
    counts = {
        name: len(getattr(page, name)) + getattr(page, f"more_{name}")
        for name in ("libraries", "hosts", "files")
    }
    path = page.paths[-1] if page.paths else None
    enforced = {said["verdict"] for said in page.verdicts if not said["is_observed"]}
    verdict = next((one for one in ("deny", "justify", "warn") if one in enforced), None)
    return {**{name: getattr(page, name) for name in INDEX}, "path": path, "verdict": verdict, **counts}
