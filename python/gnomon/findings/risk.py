"""What findings make of a script's risk, so that anybody can do the sum again.

The points of a finding are those of its rule and severity. Of one rule the first finding of a script
counts in full, the second half, the third a quarter, rounded down: ten hosts are worse than one, and not ten
times as bad. The risk is the sum, at most 100. Suppressed findings and those about machines add nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from .execute import Found
from .rules import SEVERITIES
from .suppressions import Suppression

MAX_RISK = 100


@dataclass(frozen=True)
class Finding:
    """A finding, as the view `findings` has it. `records` are (process, seq)."""

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
    points: int
    is_suppressed: bool
    suppressed_by: str | None = None
    suppressed_because: str | None = None
    suppressed_until: str | None = None


@dataclass(frozen=True)
class Points:
    """What one finding adds, and why so much."""

    script: str
    finding: str
    points: int
    because: str


@dataclass(frozen=True)
class Risk:
    """A script's score, of how many findings, and the gravest severity."""

    script: str
    findings: int
    severity: str
    risk: int


@dataclass(frozen=True)
class Judgement:
    """All of it."""

    findings: list[Finding]
    points: list[Points]
    risks: list[Risk]


def judged(found: Iterable[tuple[Found, Suppression | None]]) -> Judgement:
    """Points for each finding, and a score for each script."""
    order = sorted(found, key=lambda pair: (-pair[0].most, pair[0].finding))
    places: dict[tuple[str, str], int] = {}
    findings, points = [], []
    for one, suppression in order:
        own = 0
        if suppression is None and one.script is not None:
            key = (one.script, one.rule)
            places[key] = place = places.get(key, 0) + 1
            own = one.most >> (place - 1)
            points.append(Points(one.script, one.finding, own, _because(one, place)))
        findings.append(_finding(one, own, suppression))
    findings.sort(key=_by_weight)
    return Judgement(findings, points, _risks(findings))


def _finding(one: Found, points: int, suppression: Suppression | None) -> Finding:
    shared = {field.name: getattr(one, field.name) for field in fields(Finding) if hasattr(one, field.name)}
    return Finding(
        **shared,
        points=points,
        is_suppressed=suppression is not None,
        suppressed_by=suppression.owner if suppression else None,
        suppressed_because=suppression.reason if suppression else None,
        suppressed_until=str(suppression.until) if suppression else None,
    )


def _because(one: Found, place: int) -> str:
    words = {2: "the second of its rule, half of", 3: "the third of its rule, a quarter of"}
    if place == 1:
        return f"{one.title} ({one.severity})"
    part = words.get(place, f"number {place} of its rule, one {1 << (place - 1)}th of")
    return f"{one.title} ({one.severity}): {part} {one.most}"


def _by_weight(finding: Finding) -> tuple[int, int, str, str, str]:
    severity = SEVERITIES.index(finding.severity)
    return severity, -finding.points, finding.rule, finding.script_name or "", finding.subject


def _risks(findings: Iterable[Finding]) -> list[Risk]:
    of_script: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.script is not None and not finding.is_suppressed:
            of_script.setdefault(finding.script, []).append(finding)
    return [
        Risk(
            script,
            len(found),
            min((finding.severity for finding in found), key=SEVERITIES.index),
            min(MAX_RISK, sum(finding.points for finding in found)),
        )
        for script, found in of_script.items()
    ]
