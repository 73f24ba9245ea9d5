"""The four tables: what a row says of a process, an event, a verdict, a host."""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING

from ..text import bytes_in_words, command_line
from .cells import Column, Line, Span, laid_out, row, safe
from .state import OTHERS

if TYPE_CHECKING:
    from .. import LiveProcess, Record
    from .state import Event, Said, Spoken, State, Traffic, Watched

_WIDE = 90
_MEDIUM = 56


def table(pane: str, rows: list[tuple[object, object]], state: State, width: int) -> tuple[Line, list[Line]]:
    """The heading and the lines of a pane's table."""
    columns = _COLUMNS[pane](width)
    if pane != "verdicts" and not state.verdicts:
        columns = [column for column in columns if column.title not in ("verdict", "policy")]
    columns = laid_out(columns, width)
    heading = row(columns, [(column.title, "heading") for column in columns], width)
    cells = _CELLS[pane]
    lines = []
    for about, known in rows:
        said = cells(about, known, state)
        lines.append(row(columns, [said[column.title] for column in columns], width))
    return heading, lines


def count(number: float) -> str:
    """A number in at most seven cells: `12,345`, `1.2 M`."""
    if number < 100_000:
        return f"{number:,.0f}"
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            found = number / size
            return f"{found:,.0f} {unit}" if found >= 100 else f"{found:.1f} {unit}"
    return "0"


def age(seconds: float) -> str:
    """As in `12s`, `3m`, `2h`, `4d`."""
    for size, unit, limit in ((1, "s", 120), (60, "m", 7200), (3600, "h", 172_800)):
        if seconds < limit:
            return f"{max(0, seconds) / size:.0f}{unit}"
    return f"{seconds / 86400:,.0f}d"


def script_of(process: LiveProcess | None) -> str:
    """What a process runs, in a word or two."""
    if process is None:
        return "?"
    if process.role != "python":
        return f"gnomon {process.role}"
    script = process.script or ""
    if process.script_form in ("file", "archive", "directory"):
        return os.path.basename(script.rstrip("/")) or script
    if process.script_form == "command":
        return f"-c {script}"
    if process.script_form == "module":
        return f"-m {script}"
    return script or process.script_form or "python"


def state_of(process: LiveProcess) -> Span:
    """Whether a process runs, and how it ended."""
    if process.ended is None:
        if process.life == "running":
            return "running", "good"
        return ("killed?", "warn") if process.life == "gone" else ("elsewhere", "dim")
    if process.status is None or process.status == 0:
        return "ended", "dim"
    if process.status < 0:
        return f"signal {-process.status}", "warn"
    return f"exit {process.status}", "warn"


def said_of(verdict: str, rule: str, effect: str) -> Span:
    """What policy said, in words."""
    if effect == "would":
        return f"would {verdict} {safe(rule)}", "would"
    stopped = ", stopped" if effect == "stopped" and verdict != "deny" else ""
    return f"{verdict} {safe(rule)}{stopped}".strip(), verdict


def verdict_of(record: Record) -> Span:
    """The verdict of a record, in words; empty where policy said nothing."""
    if record.verdict not in (None, "allow"):
        effect = "stopped" if record.outcome == "denied" else ""
        return said_of(str(record.verdict), record.rule or "", effect)
    if record.shadow_verdict:
        return said_of(record.shadow_verdict, record.shadow_rule or "", "would")
    return ("allow", "dim") if record.verdict else ("", "")


def target_of(record: Record) -> str:
    """What a record acts on."""
    if record.argv:
        return safe(command_line(record.argv))
    if record.kind == "exit":
        return f"pid {record.child}, status {record.status}"
    target = safe(record.target or "")
    if record.kind == "import":
        return target
    words = [target]
    if record.destination is not None:
        words.append(f"→ {safe(record.destination)}")
    if record.failed:
        words.append(f"({record.errno})")
    return " ".join(words)


def clock(nanoseconds: int, *, milliseconds: bool = True) -> str:
    """The time of day here."""
    found = datetime.fromtimestamp(nanoseconds / 1e9)
    return f"{found:%H:%M:%S}.{found.microsecond // 1000:03d}" if milliseconds else f"{found:%H:%M:%S}"


def _process_columns(width: int) -> list[Column]:
    short = [
        Column("pid", 7, "right"),
        Column("script", 0),
        Column("events/s", 8, "right"),
        Column("state", 9),
    ]
    if width < _MEDIUM:
        return short
    columns = [
        Column("pid", 7, "right"),
        Column("user", 9),
        Column("script", 0),
        Column("age", 4, "right"),
        Column("events/s", 8, "right"),
        Column("events", 7, "right"),
        Column("state", 9),
    ]
    if width >= _WIDE:
        columns.insert(6, Column("policy", 14))
    return columns


def _process_cells(_: object, known: object, state: State) -> dict[str, Span]:
    watched: Watched = known  # type: ignore[assignment]
    process = watched.process
    until = process.ended / 1e9 if process.ended else state.now
    rate = watched.rate.value(state.now)
    user = process.user or str(process.uid)
    if process.is_forged:
        user = f"{user}!"
    return {
        "pid": (str(process.pid), "number"),
        "user": (safe(user), "deny" if process.is_forged else ""),
        "script": (safe(script_of(process)), "name" if watched.may_run else "dim"),
        "age": (age(until - process.started / 1e9), "dim"),
        "events/s": (count(rate) if rate else "", "number"),
        "events": (count(watched.events), "number"),
        "policy": _policy(watched),
        "state": state_of(process),
    }


def _policy(watched: Watched) -> Span:
    stopped = {verdict: 0 for verdict in ("deny", "justify", "warn")}
    for (verdict, _, effect), spoken in watched.verdicts.items():
        if effect != "would" and verdict in stopped:
            stopped[verdict] += spoken.events
    words = [f"{count(number)} {verdict}" for verdict, number in stopped.items() if number]
    strictest = next((verdict for verdict, number in stopped.items() if number), "")
    return ", ".join(words), strictest


def _event_columns(width: int) -> list[Column]:
    if width < _MEDIUM:
        return [Column("at", 8), Column("kind", 7), Column("target", 0, "end")]
    columns = [Column("time", 12), Column("script", 18), Column("kind", 8), Column("target", 0, "end")]
    if width >= _WIDE:
        columns += [Column("times", 7, "right"), Column("verdict", max(20, width // 5))]
    else:
        columns += [Column("verdict", 14)]
    return columns


def _event_cells(_: object, known: object, state: State) -> dict[str, Span]:
    event: Event = known  # type: ignore[assignment]
    record = event.record
    watched = state.processes.get(event.key)
    verdict = verdict_of(record)
    is_stopped = record.outcome == "denied"
    return {
        "time": (clock(record.last_time), "dim"),
        "at": (clock(record.last_time, milliseconds=False), "dim"),
        "script": (safe(script_of(watched.process if watched else None)), "name"),
        "kind": (record.kind, "kind"),
        "target": (target_of(record), verdict[1] if is_stopped else ""),
        "times": (f"×{count(record.count)}" if record.count > 1 else "", "number"),
        "verdict": verdict,
    }


def _verdict_columns(width: int) -> list[Column]:
    columns = [Column("events", 7, "right"), Column("verdict", 0)]
    return [*columns, Column("last", 8)] if width >= 32 else columns


def _verdict_cells(about: object, known: object, _: State) -> dict[str, Span]:
    said: Said = about  # type: ignore[assignment]
    spoken: Spoken = known  # type: ignore[assignment]
    return {
        "events": (count(spoken.events), "number"),
        "verdict": said_of(*said) if said[0] else (OTHERS, "dim"),
        "last": (clock(spoken.last_time, milliseconds=False), "dim"),
    }


def _host_columns(width: int) -> list[Column]:
    columns = [Column("host", 0)]
    if width >= 30:
        columns.append(Column("connects", 8, "right"))
    return [*columns, Column("out", 9, "right"), Column("in", 9, "right")]


def _host_cells(about: object, known: object, _: State) -> dict[str, Span]:
    traffic: Traffic = known  # type: ignore[assignment]
    return {
        "host": (safe(str(about)), "name"),
        "connects": (count(traffic.connections), "number"),
        "out": _bytes(traffic.bytes_out),
        "in": _bytes(traffic.bytes_in),
    }


def _bytes(number: int) -> Span:
    return (
        (bytes_in_words(number).replace("bytes", "B").replace("byte", "B"), "number") if number else ("", "")
    )


_COLUMNS = {
    "processes": _process_columns,
    "events": _event_columns,
    "verdicts": _verdict_columns,
    "hosts": _host_columns,
}
_CELLS = {
    "processes": _process_cells,
    "events": _event_cells,
    "verdicts": _verdict_cells,
    "hosts": _host_cells,
}
