"""What is shown above the tables: the help, and all that is known of one event."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from ..text import command_line
from .cells import Line, fit, safe
from .tables import moment, verdict_of

if TYPE_CHECKING:
    from .state import Event, Watched

_HELP = (
    ("tab, 1–4", "another pane"),
    ("↑ ↓, page up, page down", "another row"),
    ("enter", "only this process, verdict or host; of an event all that is known"),
    ("esc", "everything again"),
    ("/", "only what has a text: path, host, rule, script, user"),
    ("k", "only one kind of event"),
    ("v", "only what policy spoke of; again: deny, justify, warn"),
    ("s", "another order of the pane"),
    ("space", "look at it as it is now, while counting goes on; again: go on"),
    ("q", "leave"),
    ("", ""),
    (
        "",
        "Everything is counted, repeats too. Of the events only the newest are kept and listed, by when "
        "they last happened: the newest 500, and of each kind and of verdicts some more. Rates are those of "
        "the last four seconds.",
    ),
)


def help_lines(width: int) -> list[Line]:
    """What the keys do."""
    named = 24 if width >= 60 else 12
    lines: list[Line] = []
    for key, meaning in _HELP:
        indent = named + 1 if key else 1
        words = textwrap.wrap(meaning, max(8, width - indent - 1)) or [""]
        lines.append([(fit(f" {key}", indent), "key"), (fit(words[0], width - indent), "")])
        lines += [[(" " * indent, ""), (fit(more, width - indent), "")] for more in words[1:]]
    return lines


def details(event: Event, watched: Watched | None, width: int) -> list[Line]:
    """All that is known of an event."""
    record = event.record
    process = watched.process if watched else None
    place = f"{record.file}:{record.line}" if record.file else None
    said: list[tuple[str, object]] = [
        ("kind", record.kind),
        ("target", record.target),
        ("leads to", record.destination),
        ("requested", record.requested),
        ("command", command_line(record.argv) if record.argv else None),
        ("host", record.host),
        ("address", record.address),
        ("access", record.access),
        ("detail", record.detail),
        ("times", f"{record.count:,}"),
        ("first, last", f"{moment(record.time)}, {moment(record.last_time)}"),
        ("outcome", record.outcome),
        ("failed", f"{record.failed:,}, {record.errno}" if record.failed else None),
        ("bytes out, in", f"{record.bytes_out or 0:,}, {record.bytes_in or 0:,}" if _moved(event) else None),
        ("policy", verdict_of(record)[0]),
        ("reason", record.reason),
        ("code", place),
        ("function", record.function),
        ("library", " via ".join(filter(None, [record.distribution, record.via])) or record.object),
        ("seen by", record.source),
        ("process", f"{record.pid}, {process.user or process.uid}" if process else record.pid),
        ("script", process.script if process else None),
    ]
    lines: list[Line] = []
    for name, value in said:
        if value in (None, ""):
            continue
        words = _wrapped(safe(str(value), 600), max(4, width - 16))
        lines.append([(fit(f" {name}", 15), "dim"), (fit(words[0], width - 15), "")])
        lines += [[(" " * 15, ""), (fit(more, width - 15), "")] for more in words[1:4]]
    return lines


def _moved(event: Event) -> bool:
    return bool(event.record.bytes_out or event.record.bytes_in)


def _wrapped(text: str, width: int) -> list[str]:
    return [text[at : at + width] for at in range(0, len(text), width)] or [""]
