"""Accepted findings: who accepted them, why, and until when. They are shown as suppressed, never hidden."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from . import note
from .errors import FindingsError

if TYPE_CHECKING:
    from .._native import StrPath
    from ..analysis import Analysis
    from .execute import Found

MAX_DAYS = 366
_PATTERNS = ("rule", "script", "subject")
_NEEDED = ("owner", "reason", "until")


@dataclass(frozen=True)
class Suppression:
    """One entry of a file.

    Attributes:
        rule: The id of a rule, or a glob of ids; `None` for all.
        script: The id of a script, or a glob for its name or one of its paths; `None` for all.
        subject: A glob; `None` for all.
        until: The last day on which it applies (UTC).
        file: Where it stands.
        position: Which entry it is there, from 1.
    """

    rule: str | None
    script: str | None
    subject: str | None
    owner: str
    reason: str
    until: date
    file: str
    position: int

    def is_expired(self, today: date) -> bool:
        """Whether it no longer applies."""
        return self.until < today

    def covers(self, rule: str, script: str | None, names: Sequence[str], subject: str) -> bool:
        """Whether a finding of `rule` is meant.

        Args:
            rule: The finding's rule.
            script: The id of its script.
            names: The script's name and paths.
            subject: What the finding is about.
        """
        if self.rule is not None and not fnmatch.fnmatchcase(rule, self.rule):
            return False
        if self.subject is not None and not fnmatch.fnmatchcase(subject, self.subject):
            return False
        if self.script is None:
            return True
        return script == self.script or any(fnmatch.fnmatchcase(name, self.script) for name in names)

    @property
    def in_words(self) -> str:
        """What it means, in the words of its file."""
        given = ((name, getattr(self, name)) for name in _PATTERNS)
        return ", ".join(f"{name} {value}" for name, value in given if value is not None)


def load(paths: Iterable[StrPath], *, today: date) -> list[Suppression]:
    """The suppressions of the TOML files at `paths`.

    Raises:
        FindingsError: A file cannot be read, or says something wrong.
    """
    return [entry for path in paths for entry in _read(os.fspath(path), today)]


def _read(path: str, today: date) -> list[Suppression]:
    from .._native import read_toml

    try:
        with open(path, encoding="utf-8") as file:
            tables = read_toml(file.read())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise FindingsError(f"cannot read `{path}`: {reason}", hint="look at the path") from None
    except ValueError as error:
        raise FindingsError(f"cannot use `{path}`: {str(error).strip()}", hint="mend the file") from None
    entries = tables.get("suppress", [])
    if set(tables) - {"suppress"} or not isinstance(entries, list):
        names = ", ".join(sorted(set(tables) - {"suppress"})) or "suppress"
        raise FindingsError(
            f"cannot use `{path}`: `{names}` is no list of suppressions", hint="write [[suppress]] above each"
        )
    return [_entry(raw, path, position, today) for position, raw in enumerate(entries, 1)]


def _entry(raw: object, path: str, position: int, today: date) -> Suppression:
    where = f"`{path}`: [[suppress]] number {position}"
    if not isinstance(raw, dict):
        raise FindingsError(f"cannot use {where}: it is no table", hint="write [[suppress]] above each")
    for key, value in raw.items():
        if key not in (*_PATTERNS, *_NEEDED):
            raise FindingsError(
                f"cannot use {where}: there is no key `{key}`",
                hint=f"there is {', '.join(f'`{one}`' for one in (*_PATTERNS, *_NEEDED))}",
            )
        if not isinstance(value, str) or not value.strip():
            raise FindingsError(f"cannot use {where}: {key} = {value!r}", hint="write a text")
    for key in _NEEDED:
        if key not in raw:
            raise FindingsError(f"cannot use {where}: it has no `{key}`", hint=_WHY[key])
    if not any(key in raw for key in _PATTERNS):
        raise FindingsError(
            f"cannot use {where}: it means every finding", hint="name a `rule`, a `script` or a `subject`"
        )
    named: dict[str, Any] = {key: raw.get(key) for key in _PATTERNS}
    until = _date(raw, where, today)
    return Suppression(
        **named, owner=raw["owner"], reason=raw["reason"], until=until, file=path, position=position
    )


_WHY: Mapping[str, str] = {
    "owner": 'say who accepts it: owner = "ann@example.com"',
    "reason": 'say why: reason = "contract of 2026-03, no personal data"',
    "until": "say until when, a year ahead at most: until = 2027-03-31",
}


def _date(raw: Mapping[str, Any], where: str, today: date) -> date:
    try:
        until = date.fromisoformat(raw["until"])
    except ValueError:
        raise FindingsError(
            f"cannot use {where}: until = {raw['until']!r}", hint="write a day: until = 2027-03-31"
        ) from None
    if until > today + timedelta(days=MAX_DAYS):
        raise FindingsError(
            f"cannot use {where}: until = {until} is more than a year ahead",
            hint=f"say {today + timedelta(days=365)} or earlier, and look at it again then",
        )
    return until


def apply(analysis: Analysis, found: Iterable[Found]) -> list[tuple[Found, Suppression | None]]:
    """Each finding with the first suppression that covers it; notes suppressions that cover nothing."""
    today = datetime.now(timezone.utc).date()
    entries = [one for one in load(analysis.suppressions, today=today) if not one.is_expired(today)]
    pairs: list[tuple[Found, Suppression | None]] = []
    used: set[Suppression] = set()
    for one in found:
        covering = [entry for entry in entries if entry.covers(one.rule, one.script, one.names, one.subject)]
        used.update(covering)
        pairs.append((one, covering[0] if covering else None))
    for entry in entries:
        if entry not in used:
            note.add(
                analysis,
                "suppression",
                f"A suppression has no effect, as nothing was found that it means: {entry.in_words} "
                f"({entry.file}, number {entry.position}, of {entry.owner}).",
                "remove it, or look at how it spells the script or subject",
            )
    return pairs
