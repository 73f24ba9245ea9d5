"""Moves what was recorded just now to the times of the story.

A week cannot be recorded in a minute. All times of one run are moved by the same span: those of its records,
of its segments, and those within the ids of its processes. The checksums are made anew. Everything else is as
gnomon wrote it. docs/segment-format.md describes the bytes.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

_HEADER = 256
_HEAD = 32
_TALLY = 32
_PROCESS, _STARTUP, _PREVIOUS = 2, 52, 55
_NIL = bytes(16)
# A key of MessagePack, and the mark of an unsigned number of 64 bits that follows.
_STARTED = b"\xa7started\xcf"
_CHANGED = b"\xa7changed\xcf"


class _Segment:
    """One file, to be changed in memory."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.owner = path.stat().st_uid
        self.bytes = bytearray(path.read_bytes())
        self.process = bytes(self.bytes[16:32])
        (self.number,) = struct.unpack_from("<I", self.bytes, 32)

    def records(self) -> Iterator[tuple[int, int, int, int]]:
        """Of each: where it starts, its length, kind and flags."""
        at = _HEADER
        while at + _HEAD <= len(self.bytes):
            (length,) = struct.unpack_from("<I", self.bytes, at)
            if length == 0:
                break
            if length >> 31:
                raise ValueError(f"`{self.name}` has a record that was not finished")
            kind, flags = struct.unpack_from("<HH", self.bytes, at + 20)
            yield at, length, kind, flags
            at += (length + 7 & ~7) + (_TALLY if flags & 1 else 0)
        del self.bytes[at:]

    def first_started(self) -> int | None:
        """When its process started, by its own word; None where it belongs to none."""
        for at, length, kind, _ in self.records():
            if kind == _PROCESS:
                place = self.bytes.index(_STARTED, at, at + length) + len(_STARTED)
                return int(struct.unpack_from(">Q", self.bytes, place)[0])
        return None


def _moved_id(process: bytes, span: int) -> bytes:
    """A UUIDv7 that starts with another time, in milliseconds."""
    if process == _NIL:
        return process
    milliseconds = int.from_bytes(process[:6], "big") + span // 1_000_000
    return milliseconds.to_bytes(6, "big") + process[6:]


def _move(data: bytearray, at: int, span: int, form: str = "<Q") -> None:
    (time,) = struct.unpack_from(form, data, at)
    if time:
        struct.pack_into(form, data, at, time + span)


def _move_keys(data: bytearray, key: bytes, start: int, end: int, span: int) -> None:
    at = data.find(key, start, end)
    while at >= 0:
        _move(data, at + len(key), span, ">Q")
        at = data.find(key, at + len(key), end)


def _move_segment(segment: _Segment, ids: dict[bytes, bytes], span: int) -> list[tuple[int, int]]:
    """Changes `segment`, and returns the place and the checksum of each record."""
    data, sums = segment.bytes, []
    data[16:32] = ids.get(segment.process, segment.process)
    _move(data, 40, span)
    struct.pack_into("<I", data, 56, zlib.crc32(data[:56]))
    _move(data, 64, span)
    for at, length, kind, _ in segment.records():
        _move(data, at + 8, span)
        _move(data, at + 24, span)
        end = at + length
        for old, new in ids.items():
            place = data.find(old, at + _HEAD, end)
            while place >= 0:
                data[place : place + 16] = new
                place = data.find(old, place + 16, end)
        if kind == _PROCESS:
            _move_keys(data, _STARTED, at + _HEAD, end, span)
        if kind == _STARTUP:
            _move_keys(data, _CHANGED, at + _HEAD, end, span)
        checksum = zlib.crc32(data[at + 20 : end])
        struct.pack_into("<I", data, at + 4, checksum)
        sums.append((at, checksum))
    return sums


def _mend_link(segment: _Segment, before: list[tuple[int, int]]) -> None:
    """Has the segment say what the one before it is now."""
    data = segment.bytes
    for at, length, kind, _ in segment.records():
        if kind == _PREVIOUS:
            (end,) = struct.unpack_from("<I", data, at + _HEAD + 4)
            digest = hashlib.sha256(
                b"".join(struct.pack("<II", *entry) for entry in before if entry[0] < end)
            )
            data[at + _HEAD + 8 : at + _HEAD + 40] = digest.digest()
            struct.pack_into("<I", data, at + 4, zlib.crc32(data[at + 20 : at + length]))


def move(recorded: Path, spool: Path, begin: int) -> int:
    """Moves the one run in the spool `recorded` so that it begins at `begin`, into `spool`.

    Args:
        recorded: A spool that holds the processes of this run and no others.
        spool: A directory; each user's segments come into one below it that is called by the user's number.
        begin: Nanoseconds since 1970.

    Returns:
        How many processes there were.

    Raises:
        ValueError: There is none, or a record was not finished.
    """
    segments = [_Segment(path) for path in sorted(recorded.glob("*.gnomon"))]
    starts = [start for start in (segment.first_started() for segment in segments) if start]
    if not starts:
        raise ValueError(f"nothing was recorded in `{recorded}`")
    # Whole milliseconds: a process's id holds no more.
    span = (begin - min(starts)) // 1_000_000 * 1_000_000
    ids = {s.process: _moved_id(s.process, span) for s in segments if s.process != _NIL}
    before: dict[bytes, list[tuple[int, int]]] = {}
    for segment in sorted(segments, key=lambda segment: (segment.process, segment.number)):
        old = segment.process
        sums = _move_segment(segment, ids, span)
        if segment.number and old != _NIL:
            _mend_link(segment, before[old])
            sums = [(at, struct.unpack_from("<I", segment.bytes, at + 4)[0]) for at, _ in sums]
        before[old] = sums
        _write(segment, ids.get(old, old), spool)
    return len(ids)


def _write(segment: _Segment, process: bytes, spool: Path) -> None:
    folder = spool / str(segment.owner)
    folder.mkdir(mode=0o700, exist_ok=True)
    name = f"{process.hex()}-{segment.number:04}.gnomon" if process != _NIL else segment.name
    path = folder / name
    if path.exists():  # what several processes refer to: the first run that wrote it tells its time
        return
    path.write_bytes(segment.bytes)
    path.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(path, segment.owner, segment.owner)
        os.chown(folder, segment.owner, segment.owner)
