"""What a recording has of an operation: which of the acts that truly happened are in its spool."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from acts import Act, Names
from subject import BEGIN, END

import gnomon

# A repeated record's last time is exact to the kernel's tick.
_TICK_NS = 10_000_000
# The kinds of records that say so of an act of this kind; a record must also name the act's target.
_KINDS = {
    "open": ("open", "copy", "database", "map", "list", "link"),
    "list": ("list", "open"),
    "delete": ("delete",),
    "rename": ("rename",),
    "link": ("link", "symlink"),
    "connect": ("connect",),
    "bind": ("bind",),
    "send": ("send",),
    "start": ("spawn", "exec"),
    "name": ("resolve",),
}


@dataclass(frozen=True)
class Seen:
    """What a recording tells of an operation.

    Attributes:
        acts: Those of the true acts that it has.
        sources: What saw anything: `audit`, `native`.
        flagged: The modules of which the receipt says that they may have acted unseen.
    """

    acts: frozenset[Act]
    sources: frozenset[str]
    flagged: frozenset[str]


def seen(spool: Path, true: set[Act], place: Path, names: Names) -> Seen:
    records = list(_between_marks(spool))
    told = [(record, _targets(record, place, names)) for record in records]
    return Seen(
        acts=frozenset(act for act in true if any(_tells(record, targets, act) for record, targets in told)),
        sources=frozenset(source for record in records for source in (record.source or "").split("+")),
        flagged=frozenset(_flagged(spool)),
    )


def _between_marks(spool: Path) -> Iterator[gnomon.Record]:
    records = list(gnomon.Spool(spool).records())
    times = {record.target: record.time for record in records if record.target in (BEGIN, END)}
    if len(times) != 2:
        raise SystemExit(f"the recording has {len(times)} of its two marks")
    for record in records:
        if record.last_time + _TICK_NS >= times[BEGIN] and record.time <= times[END]:
            yield record


def _targets(record: gnomon.Record, place: Path, names: Names) -> set[str]:
    """What a record names, as acts do."""
    if record.kind in ("spawn", "exec"):
        programs = [record.target, *(record.argv or [])[:1]]
        return {os.path.basename(program) for program in programs if program}
    if record.port is not None:
        # A client that connects by name leaves the look-up to Python, and its record has the name.
        known = [record.address] if record.address else ["127.0.0.1", "::1"]
        return {names.address(address, record.port) for address in known}
    paths = [
        path.partition("?")[0].removeprefix("file:") for path in (record.target, record.destination) if path
    ]
    return {names.path(os.path.normpath(place / path)) for path in paths}


def _tells(record: gnomon.Record, targets: set[str], act: Act) -> bool:
    if act.kind == "name":
        return record.kind == "resolve" or record.target == "/etc/hosts"
    kinds = _KINDS.get(act.kind)
    return (kinds is None or record.kind in kinds) and act.target in targets


def _flagged(spool: Path) -> Iterator[str]:
    """Every name that the receipt says in a sentence of this recording, however it comes to say so."""
    command = [sys.executable, "-m", "gnomon", "events", str(spool), "--kind", "receipt", "--format", "jsonl"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    receipt = json.loads(done.stdout.splitlines()[-1])["receipt"]
    for field, said in receipt.items():
        if field not in ("never_raised", "not_raised", "pythons", "connections_only", "lost"):
            yield from re.findall(r"\w+", json.dumps(said))
