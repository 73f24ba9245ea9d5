"""An OSV record, which anybody may have written, as plain data about one PyPI package each.

Schema: ossf.github.io/osv-schema. Only what is needed to match and to tell a person is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..libraries import normalised
from .ranges import Interval, NotComparable, intervals, is_inside, parsed
from .severity import base_score, known_word

WITHDRAWN, NOT_PYPI, UNREADABLE = "withdrawn", "not PyPI", "unreadable"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,198}[a-z0-9])?")  # normalised, as packaging.python.org has it
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_MAX_SUMMARY = 300
_NOTHING = ("", "null", "~")  # YAML is read without types, so that versions stay what they are


class Skipped(Exception):
    """A record that is of no use here.

    Attributes:
        reason: The kind, to be counted.
        detail: What exactly, for a person.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class Advisory:
    """What one record says of one package.

    Attributes:
        modified: As `2024-10-10T12:00:00`, in UTC, like `published`, which may be empty.
        severity: `high`, `medium`, `low`, or empty where nothing says so.
        score: The CVSS 3 base score, computed from `vector`.
        vector: The CVSS vector that the record has; of version 4 where it has no other.
        intervals: Versions that are affected.
        versions: Those that are, besides; texts of any form.
        unclear: Ranges that cannot be compared: what they mean is not known.
    """

    id: str
    aliases: tuple[str, ...]
    summary: str
    severity: str
    score: float | None
    vector: str
    published: str
    modified: str
    intervals: tuple[Interval, ...]
    versions: tuple[str, ...]
    unclear: int = 0

    @property
    def is_malicious(self) -> bool:
        """Whether the package was made to do harm (github.com/ossf/malicious-packages)."""
        return self.id.startswith("MAL-")

    @property
    def is_matchable(self) -> bool:
        """Whether it names any version; some name commits only."""
        return bool(self.intervals or self.versions)


def advisories(record: object) -> Iterator[tuple[str, Advisory]]:
    """The normalised name of each PyPI package that the record is about, with what it says of it.

    Raises:
        Skipped: It is withdrawn, about other things than PyPI, or no OSV record.
    """
    if not isinstance(record, Mapping):
        raise Skipped(UNREADABLE, "it is no OSV record")
    identity = _text(record, "id")
    if not _ID.fullmatch(identity) or not _time(record, "modified"):
        raise Skipped(UNREADABLE, "it has no id, or no time when it was modified")
    if _text(record, "withdrawn") not in _NOTHING:
        raise Skipped(WITHDRAWN)
    affected: dict[str, list[Mapping[str, Any]]] = {}
    for one in _mappings(record, "affected"):
        package = one.get("package")
        if isinstance(package, Mapping) and _text(package, "ecosystem").partition(":")[0] == "PyPI":
            name = normalised(_text(package, "name").strip())
            if not _NAME.fullmatch(name):
                raise Skipped(UNREADABLE, "it names a package as no package is called")
            affected.setdefault(name, []).append(one)
    if not affected:
        raise Skipped(NOT_PYPI)
    for name, parts in affected.items():
        yield name, _advisory(identity, record, parts)


def _advisory(identity: str, record: Mapping[str, Any], parts: list[Mapping[str, Any]]) -> Advisory:
    spans, unclear = _spans(parts)
    vector, score = _rating([*_severities(parts), *_severities([record])])
    word = next((word for word in map(_word, [*parts, record]) if word), "")
    return Advisory(
        id=identity,
        aliases=tuple(sorted({alias for alias in _texts(record, "aliases") if _ID.fullmatch(alias)})),
        summary=_summary(record),
        severity=word,
        score=score,
        vector=vector,
        published=_time(record, "published"),
        modified=_time(record, "modified"),
        intervals=tuple(spans),
        versions=tuple(_outside([text for part in parts for text in _texts(part, "versions")], spans)),
        unclear=unclear,
    )


def _spans(parts: Iterable[Mapping[str, Any]]) -> tuple[list[Interval], int]:
    found: dict[Interval, None] = {}
    unclear = 0
    for span in (span for part in parts for span in _mappings(part, "ranges")):
        if _text(span, "type") != "ECOSYSTEM":
            continue
        try:
            events = [
                {kind: text.strip() for kind, text in event.items() if isinstance(text, str)}
                for event in _mappings(span, "events")
            ]
            found.update(dict.fromkeys(intervals(events)))
        except NotComparable:
            unclear += 1
    return list(found), unclear


def _outside(versions: Iterable[str], spans: list[Interval]) -> Iterator[str]:
    """The versions that the intervals do not say already: most lists are long and say nothing new."""
    for text in dict.fromkeys(versions):
        version = parsed(text)
        if version is None or not any(is_inside(version, span) for span in spans):
            yield text


def _rating(severities: Iterable[tuple[str, str]]) -> tuple[str, float | None]:
    other = ""
    for kind, vector in severities:
        score = base_score(vector) if kind == "CVSS_V3" else None
        if score is not None:
            return vector, score
        other = other or vector
    return other, None


def _severities(parts: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for part in parts:
        for one in _mappings(part, "severity"):
            yield _text(one, "type"), _text(one, "score")[:200]


def _word(part: Mapping[str, Any]) -> str | None:
    own = part.get("database_specific")
    return known_word(_text(own, "severity")) if isinstance(own, Mapping) else None


def _summary(record: Mapping[str, Any]) -> str:
    """The summary; else how the details begin, which is all that PYSEC records have."""
    text = _text(record, "summary").strip() or _text(record, "details")
    text = " ".join(text[: 4 * _MAX_SUMMARY].split())
    return text if len(text) <= _MAX_SUMMARY else text[: _MAX_SUMMARY - 1] + "…"


def _time(record: Mapping[str, Any], key: str) -> str:
    found = _TIME.match(_text(record, key).replace(" ", "T"))
    try:
        return datetime.fromisoformat(found[0]).isoformat() if found else ""
    except ValueError:
        return ""


def _text(record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    return value if isinstance(value, str) else ""


def _texts(record: Mapping[str, Any], key: str) -> list[str]:
    value = record.get(key)
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _mappings(record: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = record.get(key)
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
