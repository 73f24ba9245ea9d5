"""A difference as a screen of text, and as JSON."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from .causes import Cause, in_words
from .coverage import unseen
from .difference import KINDS, Behaviour, Change, Difference, Thing
from .screen import Part, Row, page
from .text import command_line, printable

_SHOWN = 12
_LABELS = {
    "python": "Python",
    "script": "Script",
    "library": "Libraries",
    "module": "Modules",
    "standard_module": "Standard",
    "request": "Called",
    "contact": "Contacted",
    "lookup": "Looked up",
    "listen": "Listened",
    "send": "Sent to",
    "read": "Read",
    "write": "Wrote",
    "change": "Changed",
    "list": "Listed",
    "database": "Database",
    "code": "Ran code",
    "unpickle": "Unpickled",
    "native": "Native",
    "kill": "Signalled",
    "limit": "Limited",
    "setenv": "Set",
    "registry": "Registry",
    "tamper": "Tampered",
    "start": "Started",
    "tried": "In vain",
}
_ONE_LINE = frozenset(("module", "standard_module"))


@dataclass(frozen=True)
class Side:
    """One of the two: what the user called it, and what it did."""

    name: str
    behaviour: Behaviour


def as_text(
    before: Side, after: Side, difference: Difference, *, colour: bool = False, width: int | None = None
) -> str:
    """The difference as a screen of text. What the programs chose is escaped."""
    parts = [Part([("A", _about(before)), ("B", _about(after))])]
    if difference.new:
        parts.append(Part(_sections(difference.new), "New in B", "+"))
    if difference.changed:
        parts.append(Part(_changed(difference.changed), "Changed from A to B", "~"))
    if difference.gone:
        parts.append(Part(_sections(difference.gone), "Gone from B", "-"))
    parts.append(Part([("The same", [Row(_same(difference))])]))
    verb = "did the same" if difference.is_empty else "did not do the same"
    headline = f"`{printable(before.name, 60)}` and `{printable(after.name, 60)}` {verb}"
    return page(headline, parts, colour=colour, width=width)


def as_json(before: Side, after: Side, difference: Difference) -> str:
    """The difference as one JSON object; docs/diff.md describes it."""
    import json

    fields = {
        "a": _side_as_dict(before),
        "b": _side_as_dict(after),
        "is_same": difference.is_empty,
        "is_more": difference.is_more,
        "new": [_thing_as_dict(thing) for thing in difference.new],
        "changed": [_change_as_dict(change) for change in difference.changed],
        "gone": [_thing_as_dict(thing) for thing in difference.gone],
        "same": difference.same,
    }
    return json.dumps(fields, ensure_ascii=True, indent=2)


def _commands(side: Behaviour) -> list[str]:
    """What was run, by people or machines: the command lines of runs, and of Pythons that nobody ran."""
    known = {process.id for process in side.processes}
    roots = [process for process in side.processes if process.parent not in known]
    return list(dict.fromkeys(command_line(process.argv) for process in roots))


def _about(side: Side) -> list[Row]:
    behaviour = side.behaviour
    commands = _commands(behaviour)
    others = len(commands) - 1
    more = f" and {others:,} other program{'s' if others > 1 else ''}" if others else ""
    began = min(process.started for process in behaviour.processes)
    words = [
        f"`{printable(commands[0], 60)}`{more}",
        f"{datetime.fromtimestamp(began / 1e9):%Y-%m-%d %H:%M:%S}",
    ]
    statuses = sorted({status for status in behaviour.statuses.values() if status})
    if statuses:
        words.append(f"exit code {', '.join(map(str, statuses))}")
    rows = [Row(", ".join(words))]
    rows += [Row(f"incomplete: {sentence}") for sentence in _losses(behaviour)]
    return rows


def _losses(side: Behaviour) -> Iterator[str]:
    """What may look gone or new only because it is missing in the records."""
    lost = sum(count for process in side.processes for count in process.lost.values())
    if lost:
        yield f"{lost:,} events were lost"
    bad = [fault for fault in side.faults if fault.severity != "torn"]
    if bad:
        yield f"{len(bad):,} places of the spool could not be read (`gnomon verify` names them)"
    unproven = sum(process.hook_proven is False for process in side.pythons)
    if unproven:
        yield f"{unproven:,} Pythons in which another audit hook may have refused gnomon's"
    if side.unwatched:
        pythons = f"{side.unwatched:,} Python{'s' if side.unwatched > 1 else ''}"
        yield f"native code was not watched in {pythons}: what libraries did there is not known"
    if side.blind:
        yield unseen(side.blind)


def _same(difference: Difference) -> str:
    words = [
        f"{count:,} {_noun(kind)}{'s' if count > 1 and not _noun(kind).endswith('s') else ''}"
        for kind, count in difference.same.items()
        if _noun(kind)
    ]
    return ", ".join(words) or "nothing"


def _noun(kind: str) -> str:
    nouns = {
        "library": "libraries",
        "module": "module",
        "standard_module": "standard module",
        "request": "request",
        "contact": "contact",
        "read": "file",
        "write": "written file",
        "start": "program",
    }
    return nouns.get(kind, "")


def _sections(things: list[Thing]) -> list[tuple[str, list[Row]]]:
    called = {_end_of(thing) for thing in things if thing.kind == "request"}
    found: list[tuple[str, list[Row]]] = []
    for kind in KINDS:
        members = [thing for thing in things if thing.kind == kind]
        if kind == "contact":
            members = [thing for thing in members if thing.name not in called]
        if members:
            found.append((_LABELS[kind], _rows(kind, members)))
    return found


def _end_of(thing: Thing) -> str:
    """The `host:port` of a request, as a contact is called."""
    scheme, _, rest = thing.name.partition(" ")[2].partition("://")
    host = rest.partition("/")[0]
    has_port = ":" in host.rpartition("]")[2]
    return host if has_port else f"{host}:{ {'http': 80, 'https': 443}.get(scheme, '') }"


def _rows(kind: str, things: list[Thing]) -> list[Row]:
    if kind in _ONE_LINE:
        names = sorted(printable(thing.name, 60) for thing in things)
        more = f" … and {len(names) - 30} more" if len(names) > 30 else ""
        return [Row(", ".join(names[:30]) + more)]
    rows = [Row(_what(thing), _by([thing.cause])) for thing in things]
    if kind in ("read", "write", "list", "change") and len(rows) > _SHOWN:
        rows = list(_by_folder(things))
    if len(rows) <= _SHOWN:
        return rows
    return [*rows[: _SHOWN - 1], Row(f"… and {len(rows) - _SHOWN + 1} more: --format json")]


def _by_folder(things: list[Thing]) -> Iterator[Row]:
    """Files of one folder with which the same line did the same are one row."""
    folders: dict[tuple[str, Cause | None], list[Thing]] = {}
    for thing in things:
        folders.setdefault((os.path.dirname(thing.name), thing.cause), []).append(thing)
    for (folder, cause), members in folders.items():
        if len(members) < 3:
            yield from (Row(_what(thing), _by([thing.cause])) for thing in members)
            continue
        names = sorted(printable(os.path.basename(thing.name), 40) for thing in members)
        place = printable(folder or ".")
        yield Row(f"{place}/  {len(names):,} files: {names[0]}, {names[1]} … {names[-1]}", _by([cause]))


def _what(thing: Thing) -> str:
    values = sorted(thing.values)
    if thing.kind in ("python", "library"):
        return printable(f"{thing.example} {', '.join(values)}".rstrip(" ?"))
    if thing.kind == "setenv":
        return printable(f"{thing.name}={', '.join(values)}", 160)
    if thing.kind == "code" and 0 < len(values) <= 2:
        return printable(f"{thing.name}  sha256 {', '.join(f'{value[:12]}…' for value in values)}")
    if thing.kind in ("start", "tried"):
        return printable(thing.name, 160)
    return printable(thing.name)


def _changed(changes: list[Change]) -> list[tuple[str, list[Row]]]:
    found: list[tuple[str, list[Row]]] = []
    for kind in KINDS:
        rows = [Row(_change(change), _why(change)) for change in changes if change.after.kind == kind]
        if len(rows) > 40:
            rows = [*rows[:39], Row(f"… and {len(rows) - 39} more: --format json")]
        if rows:
            found.append((_LABELS[kind], rows))
    return found


def _change(change: Change) -> str:
    before, after = sorted(change.before.values), sorted(change.after.values)
    if change.after.kind in ("script", "code"):
        before, after = ([f"{value[:12]}…" for value in values] for values in (before, after))
        if len(before) > 2 or len(after) > 2:
            fresh = len(change.after.values - change.before.values)
            return printable(f"{change.after.name}  {len(before)} texts → {len(after)}, {fresh} of them new")
        return printable(f"{change.after.name}  sha256 {', '.join(before)} → {', '.join(after)}")
    name = change.after.example if change.after.kind == "library" else change.after.name
    return printable(f"{name} {', '.join(before)} → {', '.join(after)}", 160)


def _why(change: Change) -> str:
    """A version has no line that caused it."""
    return _by([change.after.cause]) if change.after.kind in ("setenv", "code") else ""


def _by(causes: Iterable[Cause | None]) -> str:
    return printable(in_words(cause for cause in causes if cause is not None), 120)


def _side_as_dict(side: Side) -> dict[str, object]:
    behaviour = side.behaviour
    return {
        "name": side.name,
        "commands": _commands(behaviour),
        "began": min(process.started for process in behaviour.processes),
        "ended": max(process.last_seen for process in behaviour.processes),
        "runs": sum(process.role == "run" for process in behaviour.processes),
        "processes": len(behaviour.pythons),
        "records": behaviour.records,
        "statuses": sorted(set(behaviour.statuses.values())),
        "incomplete": list(_losses(behaviour)),
    }


def _thing_as_dict(thing: Thing) -> dict[str, object]:
    return {
        "kind": thing.kind,
        "name": thing.name,
        "example": thing.example,
        "values": sorted(thing.values),
        "time": thing.time or None,
        "by": thing.cause.as_dict() if thing.cause else None,
    }


def _change_as_dict(change: Change) -> dict[str, object]:
    return {
        "kind": change.after.kind,
        "name": change.after.name,
        "before": sorted(change.before.values),
        "after": sorted(change.after.values),
        "by": change.after.cause.as_dict() if change.after.cause else None,
    }
