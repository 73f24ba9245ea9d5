"""Examines large shared objects for the records: they were not searched while a program waited for them."""

from __future__ import annotations

import os

from . import Record

_BUILD_ID = ", build id "
# By file: one that many processes loaded is examined once.
_FOUND: dict[tuple[str, str | None, int, int], str | None] = {}


def examined(record: Record) -> str | None:
    """What a record of kind `blind` comes to, in its own words; `None` where the file can do nothing unseen.

    It stays `not examined` where the file is gone, or is not the one that was loaded.
    """
    return came_to(record.target or "", record.detail or "", record.time)


def came_to(target: str, detail: str, loaded: int) -> str | None:
    """The same of such a record's target and detail; `loaded` is its time."""
    if not detail.startswith("not examined"):
        return detail
    said, _, build_id = detail.partition(_BUILD_ID)
    try:
        return _examined(target, build_id or None, loaded)
    except (OSError, ValueError):
        return said


def _examined(path: str, build_id: str | None, loaded: int) -> str | None:
    try:
        from ._native import examine
    except ImportError:  # a system on which nothing is redirected
        raise ValueError(path) from None
    found = os.stat(path)
    if build_id is None and found.st_mtime_ns > loaded:
        raise ValueError(path)
    key = (path, build_id, found.st_mtime_ns, found.st_size)
    if key not in _FOUND:
        _FOUND[key] = examine(path, build_id)
    return _FOUND[key]
