"""A request for an exception: what a rule stopped a script from doing, for whoever answers for that rule.

The rule at its end allows just that, to that script as it is now, to that person, for some time.
"""

from __future__ import annotations

import json
import posixpath
import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from .generalise import escaped
from .learn import script_name
from .text import printable
from .verdicts import Decision, Decisions, Rule

if TYPE_CHECKING:
    from . import Process, Record

# Things of one request; who needs more needs a conversation.
MAX_THINGS = 40
_NAMED = frozenset(("resolve", "connect", "bind", "http", "request", "send"))
_MASK = "***"


@dataclass
class Stopped:
    """What one rule stopped one script of one person from doing."""

    rule: str
    process: Process
    records: list[Record] = field(default_factory=list)

    @property
    def newest(self) -> int:
        """When it last happened, in nanoseconds since 1970."""
        return max(record.last_time for record in self.records)


def stopped(records: Iterable[Record], processes: Mapping[str, Process]) -> list[Stopped]:
    """What was stopped, by rule, script and person, the newest first."""
    found: dict[tuple[str, str, str], Stopped] = {}
    for record in records:
        process = processes.get(record.process)
        if record.outcome != "denied" or record.rule is None or process is None:
            continue
        key = (record.rule, process.script_sha256 or script_name(process), _user(process))
        found.setdefault(key, Stopped(record.rule, process)).records.append(record)
        if record.last_time >= found[key].newest:
            found[key].process = process
    return sorted(found.values(), key=lambda one: -one.newest)


def request(
    found: Stopped, rule: Rule | None, *, reason: str | None = None, days: int = 30, today: date | None = None
) -> str:
    """The text to send, with the rule that would allow it."""
    until = (today or date.today()) + timedelta(days=days)
    process = found.process
    lines = [f"Request for an exception to the policy rule {printable(found.rule)}", ""]
    lines += _line("To", printable(rule.owner) if rule and rule.owner else "whoever looks after this policy")
    lines += _line("From", f"{printable(_user(process))} on {printable(process.host)}")
    lines += _line("Script", printable(script_name(process)))
    lines += [_more(text) for text in _script_details(process)]
    lines += _line("Stopped", _what(found))
    if rule and rule.message:
        lines += _line("Rule says", printable(rule.message, 1000))
    if rule and rule.link:
        lines += _line("See", printable(rule.link))
    lines += _line("Reason", printable(reason, 2000) if reason else "(please say why the script needs this)")
    name = found.rule.partition("/")[2] or found.rule
    lines += [
        "",
        "If you agree: this rule allows just that, to this script as it is now and to this person, until",
        f"{until:%d %B %Y}. It belongs above `{printable(name)}` in the policy file.",
        "",
        *allowing(found, until, reason),
    ]
    return "\n".join(lines) + "\n"


def _line(label: str, text: str | list[str]) -> list[str]:
    texts = [text] if isinstance(text, str) else text
    wrapped = [part for text in texts for part in textwrap.wrap(text, 88, break_long_words=False) or [""]]
    return [f"  {label + ':':<11}{wrapped[0]}", *map(_more, wrapped[1:])]


def _more(text: str) -> str:
    return " " * 13 + text


def _user(process: Process) -> str:
    return process.user or str(process.uid)


def _script_details(process: Process) -> list[str]:
    details = []
    if process.script_sha256:
        details.append(f"sha256 {process.script_sha256}")
    if process.script_owner:
        owned = f"owned by {printable(process.script_owner)}"
        changed = f", changed {_moment(process.script_modified)}" if process.script_modified else ""
        details.append(owned + changed)
    return details


def _what(found: Stopped) -> list[str]:
    decisions = Decisions()
    times: dict[tuple[object, ...], int] = {}
    for record in found.records:
        decisions.add(record)
    for record in found.records:
        key = (record.kind, record.target)
        times[key] = max(times.get(key, 0), record.last_time)
    return [
        _sentence(decision, times.get((decision.kind, decision.target), 0))
        for decision in decisions.decisions()
        if decision.is_stopped
    ][:MAX_THINGS]


def _sentence(decision: Decision, time: int) -> str:
    place = next((cause for cause in decision.places if cause is not None), None)
    where = f" at {printable(posixpath.basename(place.file))}:{place.line}" if place and place.file else ""
    often = "once" if decision.count == 1 else f"{decision.count:,} times"
    last = f", last on {_moment(time)}" if time else ""
    return f"{decision.doing.text()}{where}: {often}{last}"


def _moment(nanoseconds: int) -> str:
    return f"{datetime.fromtimestamp(nanoseconds // 1_000_000_000):%Y-%m-%d %H:%M}"


# The rule


def allowing(found: Stopped, until: date, reason: str | None = None) -> list[str]:
    """The lines of the rule that allows what was stopped, and nothing else."""
    groups: dict[str, list[Record]] = {}
    for record in found.records:
        family = _family(record)
        groups.setdefault(family, []).append(record)
        if family == "url" and record.host:
            groups.setdefault("host", []).append(record)  # a request is more than one event
    lines: list[str] = []
    for number, (family, records) in enumerate(sorted(groups.items())):
        if lines:
            lines.append("")
        lines += [
            "[[rule]]",
            f'id = "{_id(found, number)}"',
            *_conditions(family, records),
            *_who(found.process),
            'action = "allow"',
            f"until = {until.isoformat()}",
        ]
        if reason:
            lines.append(f"message = {_text(reason)}")
    return lines


def _id(found: Stopped, number: int) -> str:
    rule = found.rule.partition("/")[2] or found.rule
    stem = posixpath.splitext(posixpath.basename(script_name(found.process)))[0]
    words = re.sub(r"[^a-z0-9]+", "-", f"{rule} for {stem}".lower()).strip("-")[:60]
    return f"{words}-{number + 1}" if number else words


def _family(record: Record) -> str:
    """Records that one rule can allow together: they have the same conditions."""
    if record.kind in _NAMED:
        if record.kind in ("connect", "bind", "send") and not record.host and not record.address:
            return "socket"
        if record.kind in ("http", "request"):
            return "url"
        return "host" if record.host else "address"
    if record.kind in ("spawn", "exec", "import", "script"):
        return record.kind
    has_path = (record.target or "").startswith("/") and record.kind in _WITH_PATHS
    return "file" if has_path else f"other {record.kind}"


_WITH_PATHS = frozenset(
    (
        *("open", "delete", "rename", "mkdir", "link", "symlink", "chmod", "truncate", "copy", "chown"),
        *("utime", "xattr", "list", "map", "database", "native"),
    )
)


def _conditions(family: str, records: list[Record]) -> list[str]:
    kinds = sorted({record.kind for record in records})
    if family == "host":
        # What was stopped at the first step would go on to the next.
        kinds = sorted({"resolve", "connect", *kinds} - {"http", "request"})
    lines = _values("event", kinds)
    targets = [record.target for record in records if record.target]
    ports = {record.port for record in records}
    if family in ("file", "socket"):
        accesses = {record.access for record in records}
        if set(kinds) <= {"open", "map"} and accesses == {"read"}:
            lines.append('access = "read"')
        places = {*targets, *(record.destination for record in records if record.destination)}
        lines += _values("path", [_pattern(path) for path in places])
    elif family == "host":
        lines += _values("host", [record.host or "" for record in records])
        if any(record.kind in ("http", "request") for record in records):
            ports = {None}  # a proxy may have another
    elif family == "address":
        lines += _values("address", [record.address or "" for record in records])
    elif family == "url":
        lines += _values("url", [_pattern(re.split(r"[?#]", target, maxsplit=1)[0]) for target in targets])
    elif family in ("spawn", "exec"):
        lines += _values("program", [_pattern(target) for target in targets])
        commands = [" ".join(record.argv or ()) for record in records]
        # What was masked or cut cannot be asked for again.
        if all(command and _MASK not in command and "…" not in command for command in commands):
            lines += _values("argv", [_pattern(command) for command in commands])
    elif family == "import":
        lines += _values("module", targets)
    if family in ("host", "address") and None not in ports:
        numbers = sorted(port for port in ports if port is not None)
        lines.append(f"port = {numbers[0] if len(numbers) == 1 else numbers}")
    return lines


def _who(process: Process) -> list[str]:
    lines = []
    if process.script_sha256:
        lines.append(f'script_sha256 = "{process.script_sha256}"')
    elif process.script_file:
        lines.append(f"script = {_text(_pattern(process.script_file))}")
    elif process.script_form in ("stdin", "interactive"):
        lines.append(f'script = "{"-" if process.script_form == "stdin" else "-i"}"')
    # An account under a pseudonym is known to nobody else.
    if not process.user.startswith("~"):
        lines.append(f"user = {_text(process.user) if process.user else process.uid}")
    return lines


def _pattern(text: str) -> str:
    return escaped(text).replace("*", "\\*") if "*" in text else escaped(text)


def _values(key: str, values: Iterable[str]) -> list[str]:
    distinct = sorted(set(values))[:MAX_THINGS]
    if len(distinct) == 1:
        return [f"{key} = {_text(distinct[0])}"]
    if sum(map(len, distinct)) < 80:
        return [f"{key} = [{', '.join(map(_text, distinct))}]"]
    return [f"{key} = [", *(f"    {_text(value)}," for value in distinct), "]"]


def _text(value: str) -> str:
    if "\\" in value and "'" not in value and value.isprintable():
        return f"'{value}'"
    return json.dumps(value, ensure_ascii=not value.isprintable())
