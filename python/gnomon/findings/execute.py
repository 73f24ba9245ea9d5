"""Rules to findings: each query is executed, and each of its rows becomes a sentence."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .errors import FindingsError
from .rules import BY_ROW, SEVERITIES, Rule, shipped
from .sentences import fields, rendered

if TYPE_CHECKING:
    from ..analysis import Analysis

MAX_RECORDS = 20
_ID_DIGITS = 12
_OWN = frozenset(rule.path for rule in shipped())


@dataclass(frozen=True)
class Found:
    """A finding before it is judged.

    Attributes:
        most: What it adds to the risk where it is the first of its rule.
        names: The script's name and paths.
    """

    finding: str
    rule: str
    severity: str
    title: str
    sentence: str
    remedy: str
    script: str | None
    script_name: str | None
    subject: str
    users: list[str]
    machines: list[str]
    attack: str | None
    count: int
    first_seen: str | None
    last_seen: str | None
    records: list[tuple[str, int]]
    most: int
    names: list[str]


def finding_id(rule: str, script: str | None, subject: str) -> str:
    """The same tomorrow for the same rule, script and subject."""
    text = "\n".join((rule, script or "", subject))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:_ID_DIGITS]


def found(analysis: Analysis, rules: Iterable[Rule]) -> list[Found]:
    """What the rules find: one for each rule, script and subject, the graver one where there are two.

    Raises:
        FindingsError: A query cannot be executed, or yields something else than it should.
    """
    known = {
        row["script"]: row
        for row in analysis.rows("select script, name, users, machines, paths from base.script_facts")
    }
    best: dict[str, Found] = {}
    rules = list(rules)
    empty = _empty(analysis, (rule.needs[0] for rule in rules if rule.path in _OWN))
    for rule in rules:
        if rule.path in _OWN and rule.needs[0] in empty:
            continue
        for row in _rows(analysis, rule):
            one = _made(rule, row, known)
            other = best.get(one.finding)
            if other is None or SEVERITIES.index(one.severity) < SEVERITIES.index(other.severity):
                best[one.finding] = one
    return list(best.values())


def _rows(analysis: Analysis, rule: Rule) -> Iterator[dict[str, Any]]:
    import duckdb

    connection = analysis.connection
    try:
        if rule.path not in _OWN:
            statements = connection.extract_statements(rule.sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise FindingsError(
                    f"cannot use rule `{rule.path}`: it is not one query", hint="write one `select`"
                )
        done = connection.execute(rule.sql)
        columns = [column[0] for column in done.description or ()]
        _check(columns, rule)
        rows = done.fetchall()
    except duckdb.Error as error:
        raise _wrong(rule, error) from None
    for row in rows:
        yield dict(zip(columns, row))


def _empty(analysis: Analysis, names: Iterable[str]) -> frozenset[str]:
    """Those of the tables called `names` that hold nothing: planning a query takes longer than asking."""
    known = analysis.connection.execute("select table_name, schema_name from duckdb_tables()").fetchall()
    schemas = {table: "base." if schema == "base" else "" for table, schema in known}
    asked = [name for name in dict.fromkeys(names) if name in schemas]
    parts = [f"(select '{name}' where not exists (from {schemas[name]}{name}))" for name in asked]
    if not parts:
        return frozenset()
    return frozenset(name for (name,) in analysis.connection.execute(" union all ".join(parts)).fetchall())


def _check(columns: Sequence[str], rule: Rule) -> None:
    needed = ["script", "subject", *(["severity"] if rule.severity == BY_ROW else [])]
    needed += [name for name, _ in fields(rule.sentence) if name not in ("script", "subject")]
    for name in needed:
        if name not in columns:
            raise FindingsError(
                f"cannot use rule `{rule.path}`: its query has no column `{name}`",
                hint=f"it needs {', '.join(f'`{one}`' for one in dict.fromkeys(needed))}",
            )


def _made(rule: Rule, row: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> Found:
    severity = row["severity"] if rule.severity == BY_ROW else rule.severity
    if severity not in SEVERITIES:
        raise FindingsError(
            f"cannot use rule `{rule.path}`: it yields the severity `{severity}`",
            hint="say high, medium or low",
        )
    script, subject, name = row["script"], str(row["subject"] or ""), row.get("rule") or rule.id
    facts = known.get(script, {})
    records = [(record["process"], record["seq"]) for record in row.get("records") or () if record]
    return Found(
        finding=finding_id(name, script, subject),
        rule=name,
        severity=severity,
        title=row.get("title") or rule.title,
        sentence=rendered(rule.sentence, {**row, "script": facts.get("name")}),
        remedy=row.get("remedy") or rule.remedy,
        script=script,
        script_name=facts.get("name"),
        subject=subject,
        users=sorted(row.get("users") or facts.get("users") or ()),
        machines=sorted(row.get("machines") or facts.get("machines") or ()),
        attack=row.get("attack") or rule.attack,
        count=int(row.get("count") or len(records) or 1),
        first_seen=_moment(row.get("first_seen")),
        last_seen=_moment(row.get("last_seen")),
        records=records[:MAX_RECORDS],
        most=rule.points[severity],
        names=list(dict.fromkeys(filter(None, [facts.get("name"), *(facts.get("paths") or ())]))),
    )


def _moment(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat(sep=" ")


def _wrong(rule: Rule, error: Exception) -> FindingsError:
    """DuckDB's words, with the line of the file as far as they tell it."""
    text = str(error)
    said = text.splitlines()[0]
    line = _line(rule.sql, text, said)
    return FindingsError(
        f"cannot use rule `{rule.path}`: {f'line {line}: ' if line else ''}{said}",
        hint="name what it reads in `-- needs:`; `gnomon query --schema` has the columns of the views",
    )


def _line(sql: str, text: str, said: str) -> int | None:
    """Where it is. DuckDB 2.0 numbers lines from the first word or from the first line, or does not say."""
    part = re.search(r"^LINE \d+: (.*)$", text, re.MULTILINE)
    word = re.search(r'"([^"]+)"|with name (\w+)', said)
    for wanted in (part and part[1].strip(". "), word and (word[1] or word[2])):
        for number, line in enumerate(sql.splitlines(), 1):
            if wanted and wanted in line and not line.startswith("--"):
                return number
    return None
