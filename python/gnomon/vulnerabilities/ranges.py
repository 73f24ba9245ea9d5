"""Which versions an advisory means: the events of an OSV range as intervals, compared as PEP 440 says."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from packaging.version import InvalidVersion, Version

BEGINNING = "0"  # as `introduced`: before every version, also before 0.dev0 (OSV schema, special values)
FIXED, LAST_AFFECTED, LIMIT = "fixed", "last_affected", "limit"


class Interval(NamedTuple):
    """Versions from `start` on, to `end` where there is one.

    Attributes:
        kind: What `end` is: `fixed` and `limit` lie outside, `last_affected` inside.
    """

    start: str
    end: str | None
    kind: str


class NotComparable(ValueError):
    """A range that names something that is no version of PEP 440."""


@functools.lru_cache(maxsize=1 << 17)
def parsed(text: str) -> Version | None:
    """The version, without a local label; `None` where it is none of PEP 440.

    `2.0.1+cu118` is 2.0.1 as somebody built it, and counts as no newer than that.
    """
    try:
        version = Version(text)
    except InvalidVersion:
        return None
    return Version(version.public) if version.local else version


def release(version: Version) -> str:
    """One spelling for all versions that are equal: `1.3` of 1.3.0."""
    from packaging.utils import canonicalize_version  # takes ten milliseconds to import

    return canonicalize_version(version)


def intervals(events: Iterable[Mapping[str, str]]) -> list[Interval]:
    """The events of an ECOSYSTEM range, which may come in any order, as intervals.

    Raises:
        NotComparable: An event names no version of PEP 440.
    """
    timeline = [(kind, version) for event in events for kind, version in event.items()]
    limit = _limit([version for kind, version in timeline if kind == LIMIT])
    # Where two events name one version, the order in which they are written counts: sorting keeps it.
    timeline = sorted((one for one in timeline if one[0] != LIMIT), key=lambda one: _place(*one))
    found: list[Interval] = []
    start: str | None = None
    for kind, version in timeline:
        if kind == "introduced":
            start = version if start is None else start
        elif start is not None and kind in (FIXED, LAST_AFFECTED):
            found.append(Interval(start, version, kind))
            start = None
    if start is not None:
        found.append(Interval(start, None, ""))
    return found if limit is None else [_limited(one, limit) for one in found]


def _place(kind: str, text: str) -> tuple[bool, Version]:
    if kind == "introduced" and text == BEGINNING:
        return False, Version("0")
    version = parsed(text)
    if version is None:
        raise NotComparable(text)
    return True, version


def _limit(limits: list[str]) -> str | None:
    if not limits or any("*" in text for text in limits):
        return None
    return max(limits, key=lambda text: _place(LIMIT, text))


def _limited(interval: Interval, limit: str) -> Interval:
    beyond = interval.end is None or _place(interval.kind, interval.end) >= _place(LIMIT, limit)
    return Interval(interval.start, limit, LIMIT) if beyond else interval


def is_inside(version: Version, interval: Interval) -> bool:
    """Whether `version` lies in the interval, whose own versions are all comparable."""
    start = parsed(interval.start)
    if interval.start != BEGINNING and (start is None or version < start):
        return False
    if interval.end is None:
        return True
    end = parsed(interval.end)
    if end is None:
        return True
    return version <= end if interval.kind == LAST_AFFECTED else version < end


def is_every_version(interval: Interval) -> bool:
    """Whether there is nothing to compare: all versions, as of most malicious packages."""
    return interval.start == BEGINNING and interval.end is None
