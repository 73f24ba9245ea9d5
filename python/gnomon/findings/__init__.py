"""Findings: what a person should look at, by rules in SQL over the views (docs/findings.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import FindingsError
from .hours import WorkingHours
from .notes import Note, add, make_table, notes
from .rules import BY_ROW, OPTIONAL, REQUIRED, SEVERITIES, Rule, load, shipped

if TYPE_CHECKING:
    import duckdb

    from ..analysis import Analysis

__all__ = ["FindingsError", "Note", "Rule", "WorkingHours", "install", "load", "notes"]

_DIRECTORY = Path(__file__).parent
_FOUND_ROWS = (
    "create or replace temp table found_rows (rule varchar, title varchar, severity varchar, points integer, "
    "script varchar, subject varchar, sentence varchar, remedy varchar, attack varchar, users varchar[], "
    "machines varchar[], count bigint, first_seen timestamp, last_seen timestamp, "
    "records struct(process varchar, seq ubigint)[])"
)


def install(analysis: Analysis) -> None:
    """Makes the tables `finding_rows`, `risk_rows`, `risk_points` and `note_rows`.

    Raises:
        FindingsError: A rule or suppression is wrong.
    """
    make_table(analysis)
    found = load(analysis.rules)
    _bring(analysis, ["script_facts", "suppression_rows", *(name for rule in found for name in rule.needs)])
    for statement in (*_statements("macros.sql"), _FOUND_ROWS):
        analysis.connection.execute(statement)
    for rule in found:
        _find(analysis, rule)
    _suppress(analysis)
    for statement in (*_statements("finding_rows.sql"), *_statements("risk.sql")):
        analysis.connection.execute(statement)


def _statements(name: str) -> list[str]:
    return (_DIRECTORY / name).read_text(encoding="utf-8").split(";\n")


def _bring(analysis: Analysis, names: Iterable[str]) -> None:
    """Makes the tables and views that rules read."""
    from .material import MATERIAL

    for name in dict.fromkeys(names):
        if name in MATERIAL:
            MATERIAL[name](analysis)
        else:
            analysis.ensure([name])


def _find(analysis: Analysis, rule: Rule) -> None:
    """Adds what `rule` finds to `found_rows`.

    Raises:
        FindingsError: Its query cannot be executed, or yields something else than it should.
    """
    import duckdb

    connection = analysis.connection
    try:
        if rule.path not in _OWN:
            _check(connection.extract_statements(rule.sql), rule)
        connection.execute(f"create or replace temp table rule_rows as\n{rule.sql}")
        columns = [row[0] for row in connection.execute("describe rule_rows").fetchall()]
        _check_columns(columns, rule)
        connection.execute(_insert(columns, rule), _head(rule))
    except duckdb.Error as error:
        raise _wrong(rule, error) from None


_OWN = frozenset(rule.path for rule in shipped())


def _head(rule: Rule) -> list[object]:
    points = [rule.points[severity] for severity in SEVERITIES]
    return [rule.id, rule.title, rule.severity, rule.remedy, rule.attack, *points]


def _insert(columns: Sequence[str], rule: Rule) -> str:
    """The statement for rows of these columns; its parameters are the rule's head."""

    def or_else(name: str) -> str:
        return f"coalesce(q.{name}, h.{name})" if name in columns else f"h.{name}"

    severity = "if(q.severity in ('high', 'medium', 'low'), q.severity, error('a severity is not one'))"
    severity = severity if rule.severity == BY_ROW else "h.severity"
    plain = ", ".join(f"q.{name}" for name in columns if name in _PLAIN)
    return (
        f"insert into found_rows by name select {or_else('rule')} as rule, {or_else('title')} as title, "
        f"{severity} as severity, {or_else('remedy')} as remedy, {or_else('attack')} as attack, "
        f"case {severity} when 'high' then h.high when 'medium' then h.medium else h.low end as points, {plain} "
        "from (select ? as rule, ? as title, ? as severity, ? as remedy, ? as attack, ? as high, ? as medium, "
        "? as low) h, rule_rows q"
    )


_PLAIN = ("script", "subject", "sentence", "records", "count", "first_seen", "last_seen", "users", "machines")


def _check(statements: Sequence[duckdb.Statement], rule: Rule) -> None:
    import duckdb

    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise FindingsError(f"cannot use rule `{rule.path}`: it is not one query", hint="write one `select`")


def _check_columns(columns: Sequence[str], rule: Rule) -> None:
    needed = (*REQUIRED, "severity") if rule.severity == BY_ROW else REQUIRED
    for name in needed:
        if name not in columns:
            raise FindingsError(
                f"cannot use rule `{rule.path}`: its query has no column `{name}`",
                hint=f"it needs {', '.join(f'`{one}`' for one in needed)}",
            )
    for name in columns:
        if name not in (*REQUIRED, *OPTIONAL):
            raise FindingsError(
                f"cannot use rule `{rule.path}`: a finding has no column `{name}`",
                hint=f"there is {', '.join(f'`{one}`' for one in (*REQUIRED, *OPTIONAL))}",
            )


def _wrong(rule: Rule, error: Exception) -> FindingsError:
    """DuckDB's words, with the line of the file: the query follows one line of gnomon's own."""
    text = str(error)
    said = text.splitlines()[0]
    line = re.search(r"^LINE (\d+):", text, re.MULTILINE)
    where = f"line {int(line[1]) - 1}: " if line else ""
    return FindingsError(
        f"cannot use rule `{rule.path}`: {where}{said}",
        hint="name what it reads in `-- needs:`; `gnomon query --schema` has the columns of the views",
    )


def _suppress(analysis: Analysis) -> None:
    """Makes `suppressed_rows`, and notes suppressions that mean nothing."""
    from ..analysis.sources import load_rows
    from .suppressions import load

    today = datetime.now(timezone.utc).date()
    entries = [entry for entry in load(analysis.suppressions, today=today) if not entry.is_expired(today)]
    used: set[int] = set()
    rows: dict[str, dict[str, str]] = {}
    for finding, rule, script, names, subject in _candidates(analysis) if entries else ():
        for number, entry in enumerate(entries):
            if entry.covers(rule, script, names, subject):
                used.add(number)
                owner, reason, until = entry.owner, entry.reason, str(entry.until)
                rows.setdefault(
                    finding, {"finding": finding, "owner": owner, "reason": reason, "until": until}
                )
    for number, entry in enumerate(entries):
        if number not in used:
            add(
                analysis,
                "suppression",
                f"A suppression has no effect, as nothing was found that it means: {entry.in_words} "
                f"({entry.file}, number {entry.position}, of {entry.owner}).",
                "remove it, or look at how it spells the script or subject",
            )
    columns = "finding VARCHAR, owner VARCHAR, reason VARCHAR, until DATE"
    load_rows(analysis.connection, "suppressed_rows", columns, rows.values())


def _candidates(analysis: Analysis) -> list[tuple[str, str, str | None, list[str], str]]:
    return analysis.connection.execute(
        "select finding_id(f.rule, f.script, f.subject), f.rule, f.script, "
        "list_distinct(list_prepend(s.name, s.paths)), f.subject "
        "from found_rows f left join base.script_facts s using (script)"
    ).fetchall()
