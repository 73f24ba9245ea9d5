"""The report for programs: JSON, and its lists as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..text import printable
from .model import Report

# What a spreadsheet takes for the start of a formula (OWASP, "CSV injection").
_FORMULA = ("=", "+", "-", "@")
# What of a passport is no list of things of its own.
_SCRIPT_COLUMNS = (
    "script", "name", "form", "risk", "severity", "paths", "sha256", "versions", "users", "machines", "runs",
    "failed_runs", "days", "first_seen", "last_seen", "schedule", "owner", "owner_exists", "is_leaver",
    "repository", "is_in_repository", "ai_services", "bytes_out", "bytes_in", "changes",
)  # fmt: skip


def as_json(report: Report) -> str:
    """The whole model (docs/report.md)."""
    # Undecodable bytes are lone surrogates here, which JSON can hold when it is ASCII.
    return json.dumps(report.as_dict(), ensure_ascii=True, indent=2)


def as_csv(report: Report, part: str) -> str:
    """The list `part` of the report; suppressed findings are in it too, and say so.

    A cell that a spreadsheet would take for a formula has a `'` before it.
    """
    rows: Sequence[Any] = getattr(report, part)
    if part == "findings":
        rows = [*report.findings, *report.suppressed]
    columns = _SCRIPT_COLUMNS if part == "scripts" else _columns(part)
    return table([{name: getattr(row, name) for name in columns} for row in rows], columns)


def _columns(part: str) -> tuple[str, ...]:
    from dataclasses import fields

    from . import model

    kinds = {
        "findings": model.FindingRow, "libraries": model.LibraryRow, "hosts": model.HostRow,
        "ai": model.AiRow, "data": model.DataRow, "flows": model.Flow, "gaps": model.Gap,
        "timeline": model.Day,
    }  # fmt: skip
    return tuple(field.name for field in fields(kinds[part]))


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Rows as CSV (RFC 4180, but for the ends of lines)."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([cell(row[name]) for name in columns])
    return out.getvalue()


def cell(value: Any) -> str:
    """A value as one cell: lists joined by `; `, nothing for what is not known, controls escaped."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, (list, tuple)):
        value = "; ".join(_item(one) for one in value)
    elif isinstance(value, dict):
        value = json.dumps(value, ensure_ascii=False, default=str)
    text = str(value)
    text = printable(text, len(text))
    return f"'{text}" if text.startswith(_FORMULA) else text


def _item(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "/".join(map(str, value))
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict) else str(value)
