"""What a report cannot tell, as sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..coverage import absence
from ..findings import notes
from ..text import printable
from .model import Gap
from .questions import Row, ask
from .words import counted

if TYPE_CHECKING:
    from ..analysis import Analysis


def gaps(analysis: Analysis) -> list[Gap]:
    """One for each kind and reason, those first that may hide the most."""
    found = [_gap(row) for row in ask(analysis, "gaps")]
    if not analysis.rows("select 1 from base.runs limit 1"):
        nothing = "No run is recorded here in this time: that nothing was found says nothing of any script."
        found.append(Gap("nothing", "", 1, [], [], nothing))
    found += [Gap("note", note.about, 1, [], [], _note(note.sentence)) for note in notes(analysis)]
    order = list(_SENTENCES)
    return sorted(found, key=lambda gap: order.index(gap.kind) if gap.kind in order else len(order))


def _note(sentence: str) -> str:
    """What was noted while findings were made, as a sentence of its own."""
    text = printable(sentence, 500).rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."


def _gap(row: Row) -> Gap:
    say = _SENTENCES.get(row["kind"], _other)
    return Gap(row["kind"], row["reason"] or "", row["count"], row["scripts"], row["machines"], say(row))


def _silent(row: Row) -> str:
    which = f"`{_shown(row)}`"
    many = which if row["count"] == 1 else f"{row['count']:,} Pythons, as {which},"
    return (
        f"{many} left no record of what it did: {_reason(row)}."
        if row["count"] == 1
        else (f"{many} left no record of what they did: {_reason(row)}.")
    )


def _unproven(row: Row) -> str:
    return f"In {_runs(row['runs'])} it is not proven that gnomon saw what happened: {_reason(row)}."


def _unwatched(row: Row) -> str:
    why = absence(row["reason"] or "unknown")
    return (
        f"In {_runs(row['runs'])} native code was not watched ({why}): "
        "bytes, and what native libraries do by themselves, are not known there."
    )


def _forged(row: Row) -> str:
    return f"{_runs(row['runs']).capitalize()} of {_shown(row)} may be forged: {_reason(row)}."


def _evicted(row: Row) -> str:
    return f"{row['count']:,} files of records were removed by `gnomon keep`: {_reason(row)}."


def _lost(row: Row) -> str:
    return f"{counted(row['count'], 'record')} of {_runs(row['runs'])} lost: {_reason(row)}."


def _fault(row: Row) -> str:
    many = counted(row["things"] or row["count"], "file or directory", "files or directories")
    return f"{many} could not be read in full: {_reason(row)}."


def _blind(row: Row) -> str:
    reason = row["reason"] or ""
    if reason == "not examined":
        return _not_examined(row)
    kind, _, detail = reason.partition(": ")
    words = {
        "go": "a Go runtime acts without the C library",
        "system calls": f"it makes system calls of its own ({detail})",
        "not redirected": f"its calls could not be redirected ({detail})",
        "io_uring": "operations that are queued there pass by",
    }
    why = printable(words.get(kind, reason), 120)
    return f"{_shown(row)} can act unseen in {_runs(row['runs'])}: {why}."


def _endless(row: Row) -> str:
    has = "has" if row["count"] == 1 else "have"
    return (
        f"{counted(row['count'], 'process', 'processes')} {has} no end in the records, as what was killed or "
        "still goes on: what happened last may be missing."
    )


def _not_examined(row: Row) -> str:
    more = row["things"] - len(row["subjects"] or ())
    which = f"{_shown(row)} and {more:,} more native libraries" if more > 0 else _shown(row)
    were = "was" if row["things"] == 1 else "were"
    return f"{which} {were} not examined, and can act unseen in {_runs(row['runs'])}."


def _other(row: Row) -> str:
    return f"{row['kind']}: {_reason(row)} ({row['count']:,} times)."


_SENTENCES: dict[str, Callable[[Row], str]] = {
    "unproven hook": _unproven,
    "forged": _forged,
    "silent child": _silent,
    "native code unwatched": _unwatched,
    "blind library": _blind,
    "lost": _lost,
    "fault": _fault,
    "evicted": _evicted,
    "no end": _endless,
}


def _shown(row: Row) -> str:
    names = [
        printable(name if " " in name else name.rpartition("/")[2] or name, 60)
        for name in row["subjects"] or ()
    ]
    return ", ".join(names) or "something"


def _reason(row: Row) -> str:
    return printable(row["reason"] or "the reason is not known", 200)


def _runs(count: int) -> str:
    return counted(count, "run")
