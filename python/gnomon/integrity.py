"""What is missing from a spool, or is not what it was.

Three witnesses: the ledger of sealed segments, which no user can write; the numbers of a process's segments;
and what each segment says of the one before it. A user owns their segments until they are sealed: what was
changed with care before that is not found.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from . import Segment
from .rollout import seals

KINDS = DELETED, CHANGED, TRUNCATED, GAP, FORGED = "deleted", "changed", "truncated", "gap", "forged"


@dataclass(frozen=True)
class Finding:
    """One segment, and what is wrong with it.

    Attributes:
        path: Where it is, or was.
        kind: `deleted`, `changed`, `truncated`: of a sealed segment, or by what the next one says of it.
            `gap`: a process had it, and it is not there. `forged`: it says to be of another user than it is.
        detail: A word more.
        owner: Whom the file belonged to, where that is known.
    """

    path: str
    kind: str
    detail: str = ""
    owner: int | None = None


def verified(spool: str, segments: Iterable[Segment]) -> list[Finding]:
    """What is wrong with the `segments` of the spool, which were read from end to end."""
    ledger = ledger_of(spool)
    there = {os.path.relpath(segment.path, spool): segment for segment in segments}
    unread = [name for name, segment in there.items() if segment.faults and segment.sha256 is None]
    found = [*_forged(there), *_chained(spool, there)]
    found += _sealed(spool, ledger, there, unread)
    found += _gaps(spool, ledger, there, {finding.path for finding in found})
    return found


def missing(spool: str) -> list[Finding]:
    """The same without reading a segment: what is gone or shorter than it was."""
    ledger = ledger_of(spool)
    found = []
    for one in ledger.sealed.values() if ledger else ():
        path = f"{spool}/{one.name}"
        size = _size(path)
        if size is None and _is_gone(path):
            found.append(Finding(path, DELETED, owner=one.owner))
        elif size is not None and size < one.bytes:
            found.append(Finding(path, TRUNCATED, owner=one.owner))
    return found


def _is_gone(path: str) -> bool:
    """Whether nothing is there; what may not be looked at counts as there."""
    try:
        os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def ledger_of(spool: str) -> seals.Ledger | None:
    """The ledger of a spool, where it has one that may be read."""
    try:
        directory = os.open(spool, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return seals.read(directory)
    except OSError:
        return None
    finally:
        os.close(directory)


def _forged(there: dict[str, Segment]) -> Iterator[Finding]:
    for segment in there.values():
        if segment.is_forged:
            detail = f"says to be of user {segment.uid}, and belongs to user {segment.owner_uid}"
            yield Finding(str(segment.path), FORGED, detail, segment.owner_uid)


def _chained(spool: str, there: dict[str, Segment]) -> Iterator[Finding]:
    for name, segment in there.items():
        if segment.follows in (TRUNCATED, CHANGED):
            before = f"{name.rpartition('-')[0]}-{segment.number - 1:04}.gnomon"
            yield Finding(
                f"{spool}/{before}", segment.follows, "by what the next segment says of it", segment.owner_uid
            )


def _sealed(
    spool: str, ledger: seals.Ledger | None, there: dict[str, Segment], unread: list[str]
) -> Iterator[Finding]:
    for one in ledger.sealed.values() if ledger else ():
        path, segment = f"{spool}/{one.name}", there.get(one.name)
        if segment is None:
            if not any(one.name.startswith(f"{name}/") for name in unread) and _is_gone(path):
                yield Finding(path, DELETED, f"{one.records:,} records", one.owner)
        elif segment.sha256 != one.sha256:
            now = _size(path)
            is_cut = now is not None and now < one.bytes
            detail = f"{now:,} bytes of {one.bytes:,}" if is_cut else "after it was sealed"
            yield Finding(path, TRUNCATED if is_cut else CHANGED, detail, one.owner)


def _size(path: str) -> int | None:
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _gaps(
    spool: str, ledger: seals.Ledger | None, there: dict[str, Segment], known: set[str]
) -> Iterator[Finding]:
    """Numbers that a process must have used, and of which nothing is known."""
    numbers: dict[str, dict[int, str]] = {}
    names = [name for name, segment in there.items() if segment.process is not None]
    names += [*ledger.sealed, *ledger.evicted] if ledger else []
    for name in names:
        parts = seals.SEGMENT.fullmatch(name)
        if parts:
            numbers.setdefault(parts[1], {})[int(parts[2])] = name
    for process, had in numbers.items():
        last = max(had)
        # What one file claims is no reason to name a million others.
        gone = [number for number in range(min(last, 10_000)) if number not in had]
        if gone:
            folder = os.path.dirname(had[last])
            path = os.path.join(spool, folder, f"{process}-{gone[0]:04}.gnomon")
            if path not in known:
                yield Finding(
                    path, GAP, f"{len(gone):,} of {last + 1:,} segments of this process are not there"
                )
