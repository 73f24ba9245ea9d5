"""Gathers the standard report once, by SQL over the views: every form of it shows this."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from .gaps import gaps
from .ledger import ledger
from .model import SCHEMA, DataRow, Day, FindingRow, Flow, HostRow, LibraryRow, Report, Summary
from .passports import lines, passports
from .questions import Row, ask, plain
from .words import counted

if TYPE_CHECKING:
    from ..analysis import Analysis
    from .model import AiRow

TITLE = "Shadow Python risk assessment"
TOP = 50
_HEADLINES = 8
_HOOKS = "startup-hook-"
# Kinds of lines of the ledger that are no service that anything was asked of.
_NO_SERVICES = ("ai sdk", "ai framework", "local runtime", "model files")


def gather(
    analysis: Analysis, *, title: str = TITLE, top: int = TOP, version: str = "", has_pages: bool = True
) -> Report:
    """The report of what `analysis` has.

    Args:
        analysis: The views.
        title: What stands above it.
        top: How many files, hosts, libraries and children a script's page lists at most; of files that hold
            nothing sensitive, no more than `folding.HEAVY_FILES`.
        version: That of gnomon.
        has_pages: Whether scripts have their lists; without them there is only what one line says of each.
    """
    (figures,) = ask(analysis, "summary")
    found = findings(analysis)
    shown = [finding for finding in found if not finding.is_suppressed]
    services = ledger(analysis)
    return Report(
        schema=SCHEMA,
        title=title,
        made=plain(datetime.now(timezone.utc)),
        gnomon=version,
        spools=list(analysis.paths),
        first=figures.pop("first"),
        last=figures.pop("last"),
        is_pseudonymous=False,
        vulnerability_database=_database(analysis),
        summary=Summary(**figures, ai_services=_services(services)),
        headlines=headlines(shown),
        timeline=[Day(**row) for row in ask(analysis, "timeline")],
        scripts=passports(analysis, top=top) if has_pages else lines(analysis, top=top),
        findings=shown,
        suppressed=[finding for finding in found if finding.is_suppressed],
        libraries=[LibraryRow(**row) for row in ask(analysis, "libraries")],
        hosts=[HostRow(**row) for row in ask(analysis, "hosts")],
        ai=services,
        data=[DataRow(**row) for row in ask(analysis, "data")],
        flows=[Flow(**row) for row in ask(analysis, "flows")],
        gaps=gaps(analysis),
    )


def findings(analysis: Analysis) -> list[FindingRow]:
    """All of them, the gravest first."""
    return [_finding(row) for row in ask(analysis, "findings")]


def _finding(row: Row) -> FindingRow:
    records = [(record["process"], record["seq"]) for record in row["records"] or ()]
    lists = {name: row[name] or [] for name in ("users", "machines")}
    return FindingRow(**{**row, **lists, "records": records, "points": row["points"] or 0})


def _services(lines: Sequence[AiRow]) -> int:
    return sum(line.kind not in _NO_SERVICES for line in lines)


def _database(analysis: Analysis) -> dict[str, Any] | None:
    analysis.ensure(["checked_rows"])
    found = analysis.rows("select * from vulnerability_database")
    return dict(plain(found[0])) if found else None


def headlines(found: Sequence[FindingRow]) -> list[str]:
    """One sentence for each of the gravest groups: what one rule found, told by its worst case."""
    groups: dict[str, list[FindingRow]] = {}
    for finding in found:
        # The rules about startup hooks look at the same files.
        kind = _HOOKS if finding.rule.startswith(_HOOKS) else finding.rule
        groups.setdefault(kind, []).append(finding)
    return [_headline(group) for group in list(groups.values())[:_HEADLINES]]


def _headline(group: Sequence[FindingRow]) -> str:
    first, others = group[0], len(group) - 1
    sentence = first.sentence.rstrip()
    sentence += "" if sentence.endswith((".", "!", "?")) else "."
    sentence = sentence[:1].upper() + sentence[1:] if not _is_named(first) else sentence
    if not others:
        return sentence
    scripts = {finding.script for finding in group} - {first.script, None}
    if scripts:
        have = "have" if len(scripts) > 1 else "has"
        return f"{sentence} {counted(len(scripts), 'more script')} {have} a finding of this kind."
    are = "are" if others > 1 else "is"
    return f"{sentence} There {are} {counted(others, 'more finding')} of this kind."


def _is_named(finding: FindingRow) -> bool:
    """Whether its sentence begins with a name, which stays as it is."""
    return any(name and finding.sentence.startswith(name) for name in (finding.script_name, finding.subject))
