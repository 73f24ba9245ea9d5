"""What rules read beyond the views: made of what Python knows, when a rule first needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...analysis.sources import moment
from ...rows import load_rows
from .. import note

if TYPE_CHECKING:
    from ...analysis import Analysis
    from ..present import Present

_DIRECTORY = Path(__file__).parent


def _reach(analysis: Analysis) -> None:
    analysis.ensure(["runs", "contacts", "host_facts"])
    analysis.connection.execute((_DIRECTORY / "reach.sql").read_text(encoding="utf-8"))


def _organisation(analysis: Analysis) -> None:
    """What the organisation has said: one row."""
    has_judged = analysis.catalog.has_judged_services
    analysis.connection.execute(
        f"create or replace temp table organisation as select {has_judged} as has_judged_services"
    )


def _clock_rows(analysis: Analysis) -> None:
    """The working hours, for each span in which the clocks did not change."""
    analysis.ensure(["runs"])
    hours = analysis.working_hours
    first, last = analysis.connection.execute("select min(started), max(started) from base.runs").fetchall()[
        0
    ]
    spans = hours.shifts(first, last) if first is not None else ()
    load_rows(
        analysis.connection,
        "clock_rows",
        "begins TIMESTAMP, ends TIMESTAMP, minutes INTEGER, first_day INTEGER, last_day INTEGER, "
        "opens TIME, closes TIME, said VARCHAR, zone VARCHAR",
        (
            {
                "begins": str(begins), "ends": str(ends), "minutes": minutes, "first_day": hours.first_day,
                "last_day": hours.last_day, "opens": str(hours.begin), "closes": str(hours.end),
                "said": hours.in_words(), "zone": hours.zone or "local time",
            }
            for begins, ends, minutes in spans
        ),
    )  # fmt: skip


def _sign_rows(analysis: Analysis) -> None:
    """What each kind of tampering that was recorded is a sign of."""
    from ...evasion import KEPT_OUT, sign_of

    analysis.ensure(["acts"])
    found = analysis.connection.execute(
        "select distinct target, detail from base.acts where kind = 'tamper'"
    ).fetchall()
    signs = [(target, detail, sign_of(target or "", detail or "")) for target, detail in found]
    load_rows(
        analysis.connection,
        "sign_rows",
        "target VARCHAR, detail VARCHAR, id VARCHAR, severity VARCHAR, sentence VARCHAR, remedy VARCHAR",
        (
            {
                "target": target, "detail": detail, "id": sign.id, "severity": sign.severity,
                "sentence": sign.sentence, "remedy": sign.remedy,
            }
            for target, detail, sign in (*signs, (KEPT_OUT.id, None, KEPT_OUT))
            if sign is not None
        ),
    )  # fmt: skip


def _blind_rows(analysis: Analysis) -> None:
    """Native code that can act unseen, the large ones examined as far as they are here."""
    from ...blindness import came_to

    analysis.ensure(["acts"])
    found = analysis.connection.execute(
        "select target, detail, epoch_ns(min(first_seen)) from base.acts where kind = 'blind' group by all"
    ).fetchall()
    states = (
        (target, detail, came_to(target or "", detail or "", loaded)) for target, detail, loaded in found
    )
    load_rows(
        analysis.connection,
        "blind_rows",
        "target VARCHAR, detail VARCHAR, state VARCHAR",
        (
            {"target": target, "detail": detail, "state": state}
            for target, detail, state in states
            if state is not None
        ),
    )


def _hook_rows(analysis: Analysis) -> None:
    """What `gnomon startup` finds, over all spools."""
    from ...startup import Look, Sighting, environments

    analysis.ensure(["process_rows"])
    # Of the processes that found the same hooks the first of each user stands for all.
    found = analysis.connection.execute(
        """
        select startup, coalesce(nullif(machine, ''), host), host, arg_min(python, started),
            min(epoch_ns(started)), arg_min(id, started),
            coalesce(arg_min(script_file, started), arg_min(script, started), ''),
            user, uid, max(epoch_ns(started))
        from base.process_rows where startup is not null and not forked
        group by startup, machine, host, user, uid
        """
    ).fetchall()
    startups = {path: startup for spool in analysis.spools() for path, startup in spool.startups()[0].items()}
    uses: dict[tuple[str, str], set[str]] = {}
    last: dict[tuple[str, str], int] = {}
    looks = []
    for startup, machine, host, python, started, process, script, user, uid, again in found:
        looks.append(Look(startup, machine, host, python, Sighting(started, process, script, user, uid)))
        if startup in startups:
            key = (machine, startups[startup].prefix)
            uses.setdefault(key, set()).add(user)
            last[key] = max(again, last.get(key, 0))
    rows: list[dict[str, Any]] = []
    for key, environment in environments(looks, startups)[0].items():
        for finding in environment.findings:
            # What was there before the time that is asked about is told while interpreters start there.
            told = finding.seen.time if finding.is_change else last[key]
            if told < (analysis.since or 0):
                continue
            rows.append(
                {
                    "id": finding.id, "severity": finding.severity, "sentence": finding.sentence,
                    "remedy": finding.remedy, "machine": environment.host, "machine_id": key[0],
                    "path": finding.path, "users": sorted(uses[key]),
                    "process": finding.seen.process, "time": moment(finding.seen.time),
                }
            )  # fmt: skip
    load_rows(
        analysis.connection,
        "hook_rows",
        "id VARCHAR, severity VARCHAR, sentence VARCHAR, remedy VARCHAR, machine VARCHAR, "
        "machine_id VARCHAR, path VARCHAR, users VARCHAR[], process VARCHAR, time TIMESTAMP",
        rows,
    )


def _hook_findings(analysis: Analysis) -> None:
    _hook_rows(analysis)
    analysis.connection.execute((_DIRECTORY / "hook_findings.sql").read_text(encoding="utf-8"))


def _credential_rows(analysis: Analysis) -> None:
    from ..credentials import rows
    from ..present import present

    read: set[str] = set()

    def looked_at() -> Iterator[Present]:
        for one in present(analysis):
            read.add(one.script)
            yield one

    load_rows(
        analysis.connection,
        "credential_rows",
        "script VARCHAR, path VARCHAR, process VARCHAR, line INTEGER, kind VARCHAR",
        list(rows(looked_at())) if analysis.reads_scripts else (),
    )
    _note_unread(analysis, len(read))


def _note_unread(analysis: Analysis, read: int) -> None:
    """Says how many scripts were not looked into: no finding of a password there means nothing."""
    ((scripts,),) = analysis.connection.execute(
        "select count(distinct script) from base.runs where script_form in ('file', 'module')"
    ).fetchall()
    if read < scripts:
        which = f"{scripts - read:,} of {scripts:,} scripts"
        why = "which are not on this machine as they ran" if analysis.reads_scripts else "as was asked"
        sentence = f"passwords and keys were not looked for in the text of {which}, {why}"
        note.add(analysis, "scripts", sentence)


def _static_rows(analysis: Analysis) -> None:
    from ..bandit import rows

    load_rows(
        analysis.connection,
        "static_rows",
        "script VARCHAR, path VARCHAR, process VARCHAR, line INTEGER, test_id VARCHAR, test_name VARCHAR, "
        "severity VARCHAR",
        rows(analysis) if analysis.uses_bandit else (),
    )


def _suppression_rows(analysis: Analysis) -> None:
    """The suppressions, and whether they still apply."""
    from ..suppressions import load

    today = datetime.now(timezone.utc).date()
    load_rows(
        analysis.connection,
        "suppression_rows",
        "number INTEGER, file VARCHAR, position INTEGER, means VARCHAR, owner VARCHAR, reason VARCHAR, "
        "until DATE, is_expired BOOLEAN",
        (
            {
                "number": number, "file": entry.file, "position": entry.position, "means": entry.in_words,
                "owner": entry.owner, "reason": entry.reason, "until": str(entry.until),
                "is_expired": entry.is_expired(today),
            }
            for number, entry in enumerate(load(analysis.suppressions, today=today))
        ),
    )  # fmt: skip


MATERIAL: dict[str, Callable[[Analysis], None]] = {
    "reach": _reach,
    "organisation": _organisation,
    "clock_rows": _clock_rows,
    "sign_rows": _sign_rows,
    "blind_rows": _blind_rows,
    "hook_findings": _hook_findings,
    "credential_rows": _credential_rows,
    "static_rows": _static_rows,
    "suppression_rows": _suppression_rows,
}
