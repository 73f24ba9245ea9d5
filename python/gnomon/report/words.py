"""How reports say counts, times and names, in every form that people read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ..text import printable
from .model import AiRow, Report, ScriptPage

# Plain words for the severities, gravest first.
SEVERITIES = ("high", "medium", "low")
# Kinds of lines of the AI ledger that nothing leaves the machine for.
_ON_THE_MACHINE = ("local", "local runtime", "model files")


class Names:
    """Names of scripts by their ids; of two that are called the same, with the id."""

    def __init__(self, pages: Iterable[ScriptPage]) -> None:
        self._names = {page.script: page.name for page in pages}
        self._counts = Counter(self._names.values())

    def of(self, script: str | None, limit: int = 60) -> str:
        """The name, safe for people to see."""
        name = self._names.get(script or "", script or "")
        shown = printable(name, limit)
        return f"{shown} ({script})" if self._counts[name] > 1 else shown

    def some(self, scripts: Sequence[str], shown: int = 3) -> str:
        """The first of them by name, and how many more."""
        return some(sorted(self.of(script) for script in scripts), shown)


def stopped(pages: Iterable[ScriptPage]) -> list[tuple[ScriptPage, dict[str, Any]]]:
    """What policy stopped, or asked a reason for, and in which script; observed rules last."""
    found = [
        (page, said) for page in pages for said in page.verdicts if said["verdict"] in ("deny", "justify")
    ]
    order = ("deny", "justify")
    return sorted(found, key=lambda row: (row[1]["is_observed"], order.index(row[1]["verdict"])))


def judged(said: Mapping[str, Any]) -> str:
    """`deny`, or `would deny` where the rule is only observed."""
    return f"would {said['verdict']}" if said["is_observed"] else str(said["verdict"])


def some(names: Sequence[str], shown: int = 3, limit: int = 60) -> str:
    """`a, b and 3 more`."""
    first = [printable(name, limit) for name in names[:shown]]
    more = len(names) - len(first)
    if more:
        return f"{', '.join(first)} and {more:,} more"
    return ", ".join(first)


def counted(count: int, what: str, many: str | None = None) -> str:
    """`1 script`, `3 scripts`."""
    return f"{count:,} {what if count == 1 else many or what + 's'}"


def period(first: str | None, last: str | None) -> str:
    """`16 to 22 November 2026`."""
    if not first or not last:
        return "nothing recorded"
    one, other = day(first), day(last)
    if one == other:
        return other
    here, there = one.split(" "), other.split(" ")
    while here and there and here[-1] == there[-1]:
        here.pop()
        there.pop()
    return f"{' '.join(here)} to {other}"


def day(text: str) -> str:
    """`16 November 2026`, of an ISO 8601 text."""
    moment = datetime.fromisoformat(text[:10])
    return f"{moment.day} {moment:%B %Y}"


def minute(text: str | None) -> str:
    """`2026-11-16 09:40`."""
    return text[:16].replace("T", " ") if text else "?"


def approved(line: AiRow) -> str:
    """Whether the organisation has approved a line of the AI ledger, in a word or two."""
    if line.is_sanctioned is not None:
        return "yes" if line.is_sanctioned else "no"
    return "on the machine" if line.kind in _ON_THE_MACHINE else "not said"


def nothing_found(report: Report) -> str:
    """What stands where the gravest findings would, if there are none: of nothing, nothing can be said."""
    if not report.first:
        return "Nothing was recorded, so there was nothing to look at."
    return "No rule found anything that a person should look at."


def looked_at(report: Report) -> str:
    """What the report is about, in words."""
    summary = report.summary
    return ", ".join(
        (
            counted(summary.scripts, "script"),
            counted(summary.users, "account"),
            counted(summary.machines, "machine"),
            counted(summary.runs, "run"),
            counted(summary.records, "record"),
        )
    )


def checked(report: Report) -> list[str]:
    """How it was checked, as sentences."""
    database = report.vulnerability_database
    if database is None:
        said = [
            "Libraries were not checked for known vulnerabilities: there is no database "
            "(`gnomon osv import` brings one in)."
        ]
    else:
        date = str(database.get("source_date") or database.get("imported") or "")[:10]
        when = f" of {day(date)}" if date else ""
        said = [
            f"Libraries were checked against the OSV database{when} "
            f"({counted(database.get('advisories') or 0, 'advisory', 'advisories')})."
        ]
    said.append("What a file holds was judged by its path and name; its content was not read.")
    said.append(
        "Data that was read before something was sent in the same run need not be what was sent: "
        "it is a reason to ask."
    )
    if report.is_pseudonymous:
        said.append("People and machines are told by pseudonyms; who holds the key can tell who is meant.")
    return said
