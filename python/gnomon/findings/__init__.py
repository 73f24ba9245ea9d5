"""Findings: what a person should look at, by rules in SQL over the views (docs/findings.md)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .errors import FindingsError
from .hours import WorkingHours
from .note import Note, make_table, notes
from .rules import Rule, load

if TYPE_CHECKING:
    from ..analysis import Analysis

__all__ = ["FindingsError", "Note", "Rule", "WorkingHours", "install", "load", "notes"]

_FINDINGS = (
    "finding VARCHAR, rule VARCHAR, severity VARCHAR, title VARCHAR, sentence VARCHAR, remedy VARCHAR, "
    "script VARCHAR, script_name VARCHAR, subject VARCHAR, users VARCHAR[], machines VARCHAR[], "
    "attack VARCHAR, count BIGINT, first_seen TIMESTAMP, last_seen TIMESTAMP, points INTEGER, "
    "is_suppressed BOOLEAN, suppressed_by VARCHAR, suppressed_because VARCHAR, suppressed_until DATE"
)


def install(analysis: Analysis) -> None:
    """Makes the tables `finding_rows`, `risk_rows`, `risk_points` and `note_rows`.

    Raises:
        FindingsError: A rule or suppression is wrong.
    """
    from ..rows import load_rows
    from .execute import found
    from .risk import judged
    from .suppressions import apply

    make_table(analysis)
    rules = load(analysis.rules)
    _bring(analysis, ["script_facts", "suppression_rows", *(name for rule in rules for name in rule.needs)])
    _note_doubts(analysis)
    judgement = judged(apply(analysis, found(analysis, rules)))
    connection = analysis.connection
    records = (
        {"finding": finding.finding, "place": place, "process": process, "seq": seq}
        for finding in judgement.findings
        for place, (process, seq) in enumerate(finding.records)
    )
    columns = "finding VARCHAR, place INTEGER, process VARCHAR, seq UBIGINT"
    load_rows(connection, "finding_records", columns, records)
    load_rows(connection, "finding_plain", _FINDINGS, map(vars, judgement.findings))
    connection.execute(
        "create or replace temp table finding_rows as select f.*, coalesce(r.records, []) as records "
        "from finding_plain f left join (select finding, "
        "list({'process': process, 'seq': seq} order by place) as records from finding_records "
        "group by finding) r using (finding)"
    )
    points = "script VARCHAR, finding VARCHAR, points INTEGER, because VARCHAR"
    load_rows(connection, "risk_points", points, map(vars, judgement.points))
    risks = "script VARCHAR, findings BIGINT, severity VARCHAR, risk INTEGER"
    load_rows(connection, "risk_rows", risks, map(vars, judgement.risks))


def _note_doubts(analysis: Analysis) -> None:
    """Says why what was not found in the vulnerability database may be vulnerable all the same."""
    from .note import add

    analysis.ensure(["checked_rows"])
    for (sentence,) in analysis.connection.execute("select sentence from doubt_rows").fetchall():
        add(analysis, "vulnerabilities", sentence)


def _bring(analysis: Analysis, names: Iterable[str]) -> None:
    """Makes the tables and views that rules read."""
    from .material import MATERIAL

    for name in dict.fromkeys(names):
        if name in MATERIAL:
            MATERIAL[name](analysis)
        else:
            analysis.ensure([name])
