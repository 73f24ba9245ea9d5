"""The report as JSON inside the page, laid out so that a page with ten thousand scripts opens at once.

The first block is what every screen needs. The passports follow in blocks of a hundred, each parsed when one of its
scripts is looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from ..model import Report, ScriptPage

BLOCK = 100

# What the list of scripts shows and filters by. The last six are counts or the first of a list.
COLUMNS = (
    "script",
    "name",
    "form",
    "path",
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
    "libraries",
    "hosts",
    "files",
)


def data_blocks(report: Report) -> Iterator[str]:
    """`<script type="application/json">` elements: the report, then its passports in blocks."""
    pages = report.scripts
    shared = {**vars(report), "scripts": _index(pages), "block": BLOCK}
    yield _element("report", shared)
    for number, first in enumerate(range(0, len(pages), BLOCK)):
        yield _element(f"pages-{number}", [_brief(page) for page in pages[first : first + BLOCK]])


def safe_json(value: Any) -> str:
    """JSON in ASCII that ends no element, opens no comment and starts no entity wherever it stands in HTML."""
    text = json.dumps(value, default=_plain, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _element(name: str, value: Any) -> str:
    return f'<script type="application/json" id="{name}">{safe_json(value)}</script>'


def _plain(value: Any) -> Any:
    """A dataclass as its fields, without the deep copies of `dataclasses.asdict`; anything else as its text."""
    return _brief(value) if hasattr(value, "__dataclass_fields__") else str(value)


def _brief(value: Any) -> dict[str, Any]:
    """The fields that say something: the page takes a missing one for null or empty."""
    return {name: said for name, said in vars(value).items() if said is not None and said != [] and said != {}}


def _index(pages: Sequence[ScriptPage]) -> dict[str, Any]:
    """The list of scripts by columns, as names repeated ten thousand times would be most of it."""
    return {"columns": COLUMNS, "rows": [[_cell(page, name) for name in COLUMNS] for page in pages]}


def _cell(page: ScriptPage, name: str) -> Any:
    if name == "path":
        return page.paths[-1] if page.paths else None
    if name in ("libraries", "hosts", "files"):
        return len(getattr(page, name)) + getattr(page, f"more_{name}")
    return getattr(page, name)
