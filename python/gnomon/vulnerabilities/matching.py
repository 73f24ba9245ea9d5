"""Versions held against the database: vulnerable, no known vulnerability, or not checked, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from packaging.version import Version

from ..libraries import normalised
from .advisory import Advisory
from .database import IMPORT_HINT, Database
from .merging import groups
from .ranges import FIXED, is_every_version, is_inside, parsed, release
from .severity import UNRATED, word_of

VULNERABLE, NO_KNOWN_VULNERABILITY, NOT_CHECKED = "vulnerable", "no known vulnerability", "not checked"
_PREFERRED = ("MAL-", "PYSEC-", "GHSA-", "CVE-")
_RANKS = {"high": 3, "medium": 2, "low": 1, "": 0}


@dataclass(frozen=True)
class Vulnerability:
    """One vulnerability of one version, however many databases describe it.

    Attributes:
        advisory: The id that it is called by.
        aliases: Its other ids, CVE first.
        severity: `high`, `medium` or `low`; `medium` where nobody rated it.
        is_rated: Whether somebody did.
        score: CVSS 3 base score, if there is one.
        fixed: The smallest version above this one that is not affected; empty where none is known.
        published: When it was first made public, as `2018-10-09T17:29:00`, in UTC; may be empty.
    """

    advisory: str
    aliases: tuple[str, ...]
    severity: str
    is_rated: bool
    score: float | None
    vector: str
    summary: str
    fixed: str
    published: str
    is_malicious: bool

    @property
    def url(self) -> str:
        """Where a person reads more."""
        return f"https://osv.dev/vulnerability/{self.advisory}"


@dataclass(frozen=True)
class Checked:
    """What is known of one version of one distribution.

    Attributes:
        state: `vulnerable`, `no known vulnerability` or `not checked`.
        reason: Why it was not checked, or what it was checked against.
        fixed: The smallest version above this one that has no known vulnerability; empty where none is known.
        is_known: Whether the package index has the project; `None` where no index was imported.
        yanked: Why the version was yanked, and `None` where it was not, as far as is known.
    """

    distribution: str
    version: str
    state: str
    reason: str
    vulnerabilities: tuple[Vulnerability, ...] = ()
    fixed: str = ""
    is_known: bool | None = None
    yanked: str | None = None


def check(database: Database | None, pairs: Iterable[tuple[str, str | None]]) -> list[Checked]:
    """Each pair of distribution and version once, in the order given; a version may be empty or `None`.

    Raises:
        DatabaseError: The database cannot be read.
    """
    wanted = dict.fromkeys((name, version or "") for name, version in pairs)
    if database is None:
        reason = f"there is no vulnerability database: {IMPORT_HINT}"
        return [Checked(name, version, NOT_CHECKED, reason) for name, version in wanted]
    return [_check(database, name, version) for name, version in wanted]


def _check(database: Database, name: str, text: str) -> Checked:
    key = normalised(name.strip())
    known = database.advisories(key)
    version = parsed(text)
    state, reason, found = _judged(database, known, version, text)
    yanked = database.yanked(key, release(version)) if version is not None else None
    fixed = _fixed(known, version) if found else ""
    return Checked(name, text, state, reason, tuple(found), fixed, database.is_known(key), yanked)


def _judged(
    database: Database, known: list[Advisory], version: Version | None, text: str
) -> tuple[str, str, list[Vulnerability]]:
    found = _vulnerabilities(known, version, text) if text else []
    if found:
        return VULNERABLE, _against(database), found
    named = f"; {_count(len(known))} the name" if known else ""
    if not text:
        return NOT_CHECKED, f"its version is not known{named}", []
    if version is None and known:
        return NOT_CHECKED, f"its version cannot be compared (PEP 440){named}", []
    unclear = [one.id for one in known if one.unclear and not one.intervals]
    if unclear:
        return NOT_CHECKED, f"the versions of {', '.join(unclear[:3])} cannot be compared (PEP 440)", []
    commits = [one.id for one in known if not one.is_matchable]
    left_out = f"; {', '.join(commits[:3])} of this name: no version given, only commits" if commits else ""
    return NO_KNOWN_VULNERABILITY, _against(database) + left_out, []


def _against(database: Database) -> str:
    facts = database.facts
    return f"checked against {facts.advisories:,} advisories of {facts.source_date[:10] or 'unknown date'}"


def _count(number: int) -> str:
    return "one advisory has" if number == 1 else f"{number} advisories have"


def _vulnerabilities(known: list[Advisory], version: Version | None, text: str) -> list[Vulnerability]:
    affecting = {one.id for one in known if _affects(one, version, text)}
    if not affecting:
        return []
    found = [
        _vulnerability(group, affecting, version)
        for group in groups(known)
        if any(one.id in affecting for one in group)
    ]
    return sorted(found, key=lambda one: (-_RANKS[one.severity], -(one.score or 0), one.advisory))


def _affects(advisory: Advisory, version: Version | None, text: str) -> bool:
    if text in advisory.versions:
        return True
    if version is None:
        return any(map(is_every_version, advisory.intervals))
    return any(is_inside(version, span) for span in advisory.intervals) or any(
        parsed(other) == version for other in advisory.versions
    )


def _vulnerability(group: list[Advisory], affecting: set[str], version: Version | None) -> Vulnerability:
    """One row of advisories that are aliases of one another, of which at least one affects the version."""
    ids = sorted({one.id for one in group} | {alias for one in group for alias in one.aliases}, key=_order)
    first = next(name for name in ids if any(one.id == name for one in group))
    is_malicious = any(one.is_malicious for one in group if one.id in affecting)
    rated = max(group, key=lambda one: -1.0 if one.score is None else one.score)
    word = max((one.severity for one in group), key=lambda one: _RANKS[one])
    severity = "high" if is_malicious else word_of(rated.score) if rated.score is not None else word
    return Vulnerability(
        advisory=first,
        aliases=tuple(sorted((name for name in ids if name != first), key=_cve_first)),
        severity=severity or UNRATED,
        is_rated=bool(severity),
        score=rated.score,
        vector=rated.vector or next((one.vector for one in group if one.vector), ""),
        summary=_summary(group),
        fixed=_fixed(group, version),
        published=min((one.published for one in group if one.published), default=""),
        is_malicious=is_malicious,
    )


def _order(name: str) -> tuple[int, str]:
    rank = next((at for at, start in enumerate(_PREFERRED) if name.startswith(start)), len(_PREFERRED))
    return rank, name


def _cve_first(name: str) -> tuple[bool, str]:
    return not name.startswith("CVE-"), name


def _summary(group: list[Advisory]) -> str:
    """That of GHSA where there is one: it was written to be one line."""
    texts = sorted((not one.id.startswith("GHSA-"), one.id, one.summary) for one in group if one.summary)
    return texts[0][2] if texts else ""


def _fixed(group: list[Advisory], version: Version | None) -> str:
    """The smallest version that is called fixed, is above `version`, and that none of the group affects."""
    if version is None:
        return ""
    candidates: dict[Version, str] = {}
    for text in (span.end for one in group for span in one.intervals if span.kind == FIXED):
        end = parsed(text or "")
        if end is not None and end > version:
            candidates.setdefault(end, text or "")
    for end, text in sorted(candidates.items()):
        if not any(_affects(one, end, text) for one in group):
            return text
    return ""
