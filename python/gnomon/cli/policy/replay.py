"""`gnomon policy replay`: what a policy would have done to everything recorded."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..spools import parse_since

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..._native import Replay, ReplayFinding, ReplayScript

# Scripts that are shown of a rule; JSON has all.
MAX_SCRIPTS = 8
_STRICTNESS = {"deny": 0, "justify": 1, "warn": 2, "allow": 3}
_HEADINGS = {
    "deny": "would have been stopped",
    "justify": "would have needed a reason",
    "warn": "would have been warned of",
}


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb."""
    parser = verbs.add_parser(
        "replay",
        help="see what a policy would have done to everything recorded",
        description=(
            "Asks a policy about everything recorded, and says what it would have warned of or stopped: how "
            "many runs, scripts and people, and the first line of each script. Rules that are observed are "
            "shown as observed. docs/policy.md says what a replay cannot know."
        ),
    )
    parser.add_argument(
        "files",
        nargs="+",
        metavar="POLICY... SPOOL",
        help="policy files (NAME.toml; the strictest verdict counts), then spools (default: your own)",
    )
    parser.add_argument("--since", metavar="WHEN", help="only since then: 10m, 2h, 7d, or a date and time")
    parser.add_argument("--process", metavar="ID", help="only this process: its pid, or how its id starts")
    parser.add_argument("--run", metavar="ID", help="only this run")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Runs the verb. Exit code 1 when something could not be read."""
    from ..events import _tell
    from . import load

    policies, spools = divided(options.files)
    policy = load(policies)
    found = replayed(policy, spools, options.since, options.process, options.run)
    if options.format == "json":
        import json

        print(json.dumps(_as_json(found, policies), ensure_ascii=True))
    else:
        print("\n".join(_as_text(found)))
    return _tell(found.faults)


def divided(files: Sequence[str]) -> tuple[list[str], list[str]]:
    """The first of `files` and all others that are called as policies are; and the spools."""
    policies = [file for number, file in enumerate(files) if number == 0 or file.endswith(".toml")]
    return policies, [file for file in files[1:] if not file.endswith(".toml")]


def replayed(
    policy: bytes,
    spools: Sequence[str],
    since: str | None = None,
    process: str | None = None,
    run: str | None = None,
) -> Replay:
    """What the compiled `policy` would have said of the records in `spools`, or the user's own.

    Raises:
        Failure: A spool cannot be read.
    """
    from ..._native import replay_policy
    from ..errors import UsageError
    from ..spools import open_spool

    places = [open_spool(spool).path for spool in (spools or [None])]  # type: ignore[list-item]
    moment = parse_since(since) if since else None
    try:
        return replay_policy(policy, places, since=moment, process=process, run=run)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _as_text(found: Replay) -> Iterable[str]:
    if found.first_time is None or found.last_time is None:
        yield "Nothing is recorded that a policy could speak of."
        return
    yield (
        f"Looked at {_counted(found.events, 'event')} in {_measure(found.runs, found.scripts, found.users)}, "
        f"{_days(found.first_time, found.last_time)}."
    )
    spoken = [finding for finding in found.findings if finding.action != "allow"]
    spoken.sort(key=lambda finding: (_STRICTNESS[finding.action], -finding.events, finding.rule))
    if not spoken:
        yield "The policy would have warned of nothing and stopped nothing."
    for action, heading in _HEADINGS.items():
        for is_observed in (False, True):
            group = [one for one in spoken if one.action == action and one.is_observed == is_observed]
            if group:
                yield ""
                yield from _section(group, heading, is_observed=is_observed)
    yield ""
    yield from _notes(found)
    if any(finding.action in ("deny", "justify") and not finding.is_observed for finding in spoken):
        yield "What scripts would have done after they were stopped, nobody knows."
    if found.without_groups:
        count = _counted(found.without_groups, "process", "processes")
        yield (
            f"{count} did not record the groups of their account: no rule that asks for a group "
            "matched there."
        )


def _section(group: list[ReplayFinding], heading: str, *, is_observed: bool) -> Iterable[str]:
    runs = {run for finding in group for run in finding.runs}
    scripts = {script.script for finding in group for script in finding.scripts}
    users = {user for finding in group for user in finding.users}
    events = sum(finding.events for finding in group)
    if is_observed:
        heading = f"{heading}, were it enforced"
    yield f"{_counted(events, 'event')} {heading}, in {_measure(len(runs), scripts, users)}:"
    for finding in group:
        yield ""
        yield from _rule(finding)


def _rule(finding: ReplayFinding) -> Iterable[str]:
    from ...text import printable

    scripts = [script.script for script in finding.scripts]
    counts = f"{finding.events:,}× in {_measure(len(finding.runs), scripts, finding.users)}"
    mode = " (observed)" if finding.is_observed else ""
    yield f"  {printable(finding.rule)}{mode}: {counts}"
    if finding.message:
        yield f"    {printable(finding.message)}"
    listed = sorted(finding.scripts, key=lambda script: (-script.events, script.script))
    for script in listed[:MAX_SCRIPTS]:
        yield from _script(script)
    if len(listed) > MAX_SCRIPTS:
        yield f"    and {_counted(len(listed) - MAX_SCRIPTS, 'more script')}; --format json has them all"


def _script(script: ReplayScript) -> Iterable[str]:
    from ...text import printable, short_path

    times = "once" if script.events == 1 else f"{script.events:,}×"
    yield f"    {printable(short_path(script.script))}: {times}"
    yield f"      first at {_moment(script.time)}: {place_of(script)}{printable(script.doing)}"


def place_of(script: ReplayScript) -> str:
    """As in `report.py:12 `; empty where no file caused it."""
    from ...text import printable

    if script.file is None:
        return ""
    name = printable(script.file.rpartition("/")[2])
    return f"{name}:{script.line} " if script.line else f"{name} "


def _notes(found: Replay) -> Iterable[str]:
    names = {finding.rule for finding in found.findings}
    silent = found.rules - len(names)
    if silent and found.rules > 1:
        yield f"{_counted(silent, 'rule')} of {found.rules:,} matched nothing."
    allowing = [finding for finding in found.findings if finding.action == "allow"]
    if allowing:
        events = sum(finding.events for finding in allowing if not finding.is_observed)
        if events:
            yield f"{_counted(events, 'event')} would have been allowed by a rule."


def _measure(runs: int, scripts: Iterable[str], users: Iterable[str]) -> str:
    return (
        f"{_counted(runs, 'run')} of {_counted(len(list(scripts)), 'script')} by "
        f"{_counted(len(list(users)), 'person', 'people')}"
    )


def _counted(count: int, noun: str, plural: str | None = None) -> str:
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def _days(first: int, last: int) -> str:
    days = list(dict.fromkeys((_moment(first)[:10], _moment(last)[:10])))
    return " to ".join(days) if len(days) > 1 else f"on {days[0]}"


def _moment(nanoseconds: int) -> str:
    from datetime import datetime

    return f"{datetime.fromtimestamp(nanoseconds // 1_000_000_000):%Y-%m-%d %H:%M}"


def _as_json(found: Replay, policies: list[str]) -> dict[str, Any]:
    from ..spools import iso_time

    def script(one: ReplayScript) -> dict[str, Any]:
        return {
            "script": one.script,
            "events": one.events,
            "runs": one.runs,
            "users": one.users,
            "first": {"time": iso_time(one.time), "file": one.file, "line": one.line, "doing": one.doing},
        }

    fields = (
        "rule",
        "action",
        "is_observed",
        "message",
        "link",
        "owner",
        "events",
        "records",
        "runs",
        "users",
    )
    findings = [
        {
            **{name: getattr(finding, name) for name in fields},
            "scripts": [script(one) for one in finding.scripts],
        }
        for finding in found.findings
    ]
    moments = (found.first_time, found.last_time)
    first, last = (None if time is None else iso_time(time) for time in moments)
    return {
        "policies": policies,
        "events": found.events,
        "records": found.records,
        "runs": found.runs,
        "scripts": found.scripts,
        "users": found.users,
        "first_time": first,
        "last_time": last,
        "rules": found.rules,
        "processes_without_groups": found.without_groups,
        "findings": findings,
    }
