"""People by pseudonyms: one person has the same one in every field and report made with the same key.

Who holds the key can tell who is meant, by trying accounts; who does not, cannot. Not promised: names that
are no account's, home directory's or e-mail address's (a customer's name in a file's name), and what a reader
knows besides (who starts at five in the morning).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from ..analysis import Analysis
    from .model import Report

_MIN_KEY = 16
_DIGITS = 8
_PSEUDONYM = re.compile(r"(?:user|machine)-[0-9a-f]{1,8}")
# Accounts that are nobody's.
_SYSTEM = frozenset(
    ("root", "nobody", "daemon", "SYSTEM", "Administrator", "Public", "Default", "shared", "")
)
_HOME = re.compile(
    r"(?:/home/|/Users/|[A-Za-z]:[\\/]Users[\\/]|/var/home/|/export/home/)([^/\\\s\"'`;,:<>|]+)"
)
_MAIL = re.compile(r"(?<![\w.+-])([A-Za-z0-9_][\w.+-]{0,63})@(?=[\w-]+(?:\.[\w-]+)+)")
_NUMBER = re.compile(r"\b(uid|user|owner|gid)([ =:]+)(\d{1,10})\b|(/run/user/)(\d{1,10})\b")

_Anything = TypeVar("_Anything")


@dataclass(frozen=True)
class People:
    """Who is in the records: names of accounts, their numbers, and names of machines."""

    names: frozenset[str] = frozenset()
    uids: tuple[tuple[int, str], ...] = ()
    machines: frozenset[str] = frozenset()


def read_key(path: str | os.PathLike[str]) -> bytes:
    """The key in the file `path`.

    Raises:
        OSError: It cannot be read.
        ValueError: It is too short to keep anything secret.
    """
    with open(path, "rb") as file:
        key = file.read(1 << 16).strip()
    if len(key) < _MIN_KEY:
        raise ValueError(f"it has {len(key)} bytes, and needs at least {_MIN_KEY}")
    return key


def people(analysis: Analysis) -> People:
    """Those of the records."""
    rows = analysis.rows(
        "select distinct user, uid, script_owner, script_owner_uid, owner_uid, machine from base.runs"
    )
    analysis.ensure(["script_facts"])
    owners = analysis.rows("select distinct owner, owner_uid from base.script_facts")
    pairs = [(row["uid"], row["user"]) for row in rows]
    pairs += [(row["script_owner_uid"], row["script_owner"]) for row in rows]
    # The list of leavers may know whose number it was.
    pairs += [(row["owner_uid"], row["owner"]) for row in owners]
    named = {(uid, name) for uid, name in pairs if uid is not None and name and not name.isdigit()}
    names = {name for _, name in pairs if name and name not in _SYSTEM and not name.isdigit()}
    machines = {row["machine"] for row in rows if row["machine"] and row["machine"] != "localhost"}
    return People(frozenset(names), tuple(sorted(named)), frozenset(machines))


def accounts() -> Iterator[str]:
    """The names of the accounts that this machine knows."""
    import pwd

    for account in pwd.getpwall():
        yield account.pw_name
        yield from re.split(r"[,\s]+", account.pw_gecos)


class Pseudonyms:
    """Tells people by pseudonyms.

    Args:
        key: What the organisation holds.
        known: Who is in the records; others are found by their home directories and e-mail addresses.
    """

    def __init__(self, key: bytes, known: People) -> None:
        self._key = key
        self._known = known
        self._uids = {uid: name for uid, name in known.uids}
        self._names = _expression(known.names)
        self._machines = _expression(known.machines)

    def user(self, name: str) -> str:
        """The pseudonym of an account."""
        return f"user-{self._digest('user', name)}"

    def machine(self, name: str) -> str:
        """The pseudonym of a machine."""
        return f"machine-{self._digest('machine', name)}"

    def _digest(self, kind: str, name: str) -> str:
        said = f"{kind}\0{name.casefold()}".encode("utf-8", "surrogateescape")
        return hmac.new(self._key, said, hashlib.sha256).hexdigest()[:_DIGITS]

    def report(self, report: Report) -> Report:
        """`report` without a name of a person."""
        whole = self._with_found(report)
        return replace(whole.anything(report), is_pseudonymous=True)

    def anything(self, value: _Anything) -> _Anything:
        """`value`, plain data, with every name in every text of it told by its pseudonym."""
        return _mapped(value, self.text)  # type: ignore[no-any-return]

    def _with_found(self, value: object) -> Pseudonyms:
        """The same, which also knows whose home directories and addresses are in `value`."""
        found = {name for text in _texts(value) for name in _found(text)}
        known = replace(self._known, names=self._known.names | found)
        return Pseudonyms(self._key, known)

    def text(self, text: str) -> str:
        """`text` with pseudonyms for names."""
        if text.isdigit() and len(text) <= 10:
            return self._number(int(text)) if int(text) in self._uids else text
        changed = _MAIL.sub(lambda match: f"{self._person(match[1])}@", text)
        changed = _HOME.sub(self._home, changed)
        if self._machines:
            changed = self._machines.sub(lambda match: match[1] or self.machine(match[0]), changed)
        if self._names:
            changed = self._names.sub(lambda match: match[1] or self.user(match[0]), changed)
        return _NUMBER.sub(self._numbered, changed)

    def _person(self, name: str) -> str:
        return name if name in _SYSTEM or _PSEUDONYM.fullmatch(name) else self.user(name)

    def _home(self, match: re.Match[str]) -> str:
        return match[0][: match.start(1) - match.start()] + self._person(match[1])

    def _numbered(self, match: re.Match[str]) -> str:
        if match[4]:
            return match[4] + self._number(int(match[5]))
        return f"{match[1]}{match[2]}{self._number(int(match[3]))}"

    def _number(self, uid: int) -> str:
        if uid == 0:
            return "0"
        return self.user(self._uids.get(uid, f"uid {uid}"))

    def revealed(self, pseudonym: str, more: Iterable[str] = ()) -> list[tuple[str, str]]:
        """Who `pseudonym`, or one that starts like it, is: all pairs of a pseudonym and a name that fit."""
        kind, _, start = pseudonym.partition("-")
        names = {*self._known.names, *(f"uid {uid}" for uid, _ in self._known.uids), *more} - {""}
        tried = [(self.user(name), name) for name in names] if kind == "user" else []
        if kind == "machine":
            tried = [(self.machine(name), name) for name in self._known.machines]
        return sorted(pair for pair in tried if start and pair[0].startswith(pseudonym.rstrip("…")))


def _expression(names: Iterable[str]) -> re.Pattern[str] | None:
    """What finds the names as words, whatever their case, also in `alice_budget` and `AliceBudget`."""
    wanted = sorted((name for name in names if len(name) > 1), key=lambda name: (-len(name), name))
    if not wanted:
        return None
    parts = []
    for name in wanted:
        plain = re.escape(name)
        parts.append(rf"(?<![^\W\d_])(?i:{plain})(?![^\W\d_])")
        if name.isalpha():
            # CamelCase: `AliceBudget`, `budgetAlice`.
            title = re.escape(name.capitalize())
            parts.append(rf"(?<![A-Z]){title}(?=[A-Z])|(?<=[a-z]){title}(?![a-z])")
    # What is a pseudonym already stays: a person may be called `user`, or `ab`.
    return re.compile(rf"((?:user|machine)-[0-9a-f]{{{_DIGITS}}})|{'|'.join(parts)}")


def _found(text: str) -> Iterator[str]:
    for name in _HOME.findall(text):
        if name not in _SYSTEM:
            yield name
    for name in _MAIL.findall(text):
        if name not in _SYSTEM and len(name) > 3:
            yield name


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _texts(key)
            yield from _texts(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _texts(one)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _texts(getattr(value, field.name))


def _mapped(value: Any, change: Any) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {_mapped(key, change): _mapped(one, change) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_mapped(one, change) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        return type(value)(
            **{field.name: _mapped(getattr(value, field.name), change) for field in fields(value)}
        )
    return value
