"""The vulnerability database: one SQLite file that holds, by package, what its advisories say.

It is written once, beside its place, and renamed into it; it is never changed. A reader asks for the
packages that it has seen and unpacks nothing else.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import sys
import urllib.parse
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from ..replacing import replaced
from .advisory import Advisory
from .ranges import Interval

APPLICATION = 0x676E6F73  # "gnos", in the file's header
FORMAT = 1
STALE_AFTER = timedelta(days=30)
SMALL = 1000  # the export of PyPI holds some twenty times as many
IMPORT_HINT = "`gnomon osv import all.zip` makes one; docs/vulnerabilities.md says where to get it"

_SCHEMA = """\
create table facts (name text primary key, value text not null) without rowid;
create table packages (name text primary key, advisories blob not null) without rowid;
create table projects (name text primary key) without rowid;
create table yanked (
    name text, version text, reason text not null, primary key (name, version)
) without rowid;
"""


class DatabaseError(ValueError):
    """The database cannot be read or written.

    Attributes:
        hint: What would help, or `None`.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class Facts:
    """What is known of a database as a whole.

    Attributes:
        imported: When, in UTC, as `2026-11-22T09:00:00`.
        source: The paths that it was made of.
        sha256: Of the source.
        source_date: When the newest advisory was modified; empty where there is none.
        advisories: How many there are.
        packages: How many packages they are about.
        origins: How many come from each database, by the start of their ids.
        skipped: How many records were left out, by reason.
        unmatchable: How many of the advisories name no version that could be compared.
        lists_projects: Whether the known names are all that the index has.
    """

    imported: str
    source: list[str]
    sha256: str
    source_date: str
    advisories: int
    packages: int
    origins: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)
    unmatchable: int = 0
    projects: int = 0
    lists_projects: bool = False

    def age(self, now: datetime | None = None) -> timedelta | None:
        """How long ago the newest advisory was modified."""
        if not self.source_date:
            return None
        now = now or datetime.now(timezone.utc)
        return now - datetime.fromisoformat(self.source_date).replace(tzinfo=timezone.utc)

    def warnings(self) -> list[str]:
        """Why an answer from this database may say less than it seems."""
        age, found = self.age(), []
        if age is None or age > STALE_AFTER:
            days = "of unknown age" if age is None else f"{age.days} days old"
            found.append(f"the vulnerability database is {days}: newer vulnerabilities are not known to it")
        if self.advisories < SMALL:
            found.append(
                f"the vulnerability database holds {self.advisories} advisories of {self.packages} packages "
                "only: the export of PyPI holds many thousands"
            )
        return found


@dataclass(frozen=True)
class Contents:
    """What a database is made of."""

    facts: Facts
    packages: Mapping[str, list[Advisory]]
    projects: Iterable[str] = ()
    yanked: Mapping[tuple[str, str], str] = field(default_factory=dict)


class Database:
    """A database, opened to be asked.

    Raises:
        DatabaseError: It is not there, or is no database of ours.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.abspath(path)
        if not os.path.isfile(self.path):
            raise DatabaseError(
                f"cannot read vulnerability database `{self.path}`: there is none", hint=IMPORT_HINT
            )
        uri = f"file:{urllib.parse.quote(self.path)}?mode=ro&immutable=1"
        with self._errors():
            self._connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
            self._check_format()
            values = dict(self._connection.execute("select name, value from facts"))
            self.facts = Facts(**{name: json.loads(value) for name, value in values.items()})

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def advisories(self, name: str) -> list[Advisory]:
        """What there is about the package of that normalised name."""
        with self._errors():
            row = self._connection.execute(
                "select advisories from packages where name = ?", (name,)
            ).fetchone()
            return _unpacked(row[0]) if row else []

    def is_known(self, name: str) -> bool | None:
        """Whether the index has a project of that normalised name; `None` where nobody said."""
        if not self.facts.projects:
            return None
        with self._errors():
            found = self._connection.execute("select 1 from projects where name = ?", (name,)).fetchone()
        if found:
            return True
        return False if self.facts.lists_projects else None

    def yanked(self, name: str, version: str) -> str | None:
        """Why the version, spelled as `ranges.release` does, was yanked; `None` where it was not."""
        if not self.facts.projects:
            return None
        with self._errors():
            row = self._connection.execute(
                "select reason from yanked where name = ? and version = ?", (name, version)
            ).fetchone()
        return str(row[0]) if row else None

    def _check_format(self) -> None:
        (application,) = self._connection.execute("pragma application_id").fetchone()
        (version,) = self._connection.execute("pragma user_version").fetchone()
        if application != APPLICATION:
            raise DatabaseError(
                f"cannot read `{self.path}`: it is no vulnerability database of gnomon", hint=IMPORT_HINT
            )
        if version != FORMAT:
            raise DatabaseError(
                f"cannot read `{self.path}`: another gnomon made it, in format {version}",
                hint="import the export again",
            )

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, zlib.error, ValueError, TypeError, KeyError) as error:
            raise DatabaseError(
                f"cannot read vulnerability database `{self.path}`: {error}", hint="import the export again"
            ) from None


def write(contents: Contents, path: str) -> None:
    """Writes a database to `path`, whole or not at all.

    Raises:
        DatabaseError: It cannot be written there.
    """
    try:
        os.makedirs(os.path.dirname(os.path.realpath(path)), exist_ok=True)
        # No secret, and every user of the machine may ask it.
        with replaced(path, mode=0o644, is_durable=True) as unfinished:
            _fill(unfinished.path, contents)
    except (OSError, sqlite3.Error) as error:
        cause = error.strerror if isinstance(error, OSError) else str(error)
        raise DatabaseError(
            f"cannot write vulnerability database `{path}`: {(cause or str(error)).lower()}",
            hint="`--output FILE` writes it elsewhere",
        ) from None


def _fill(path: str, contents: Contents) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("pragma journal_mode = off")  # the file has no name yet that anybody reads
        connection.execute("pragma synchronous = off")
        connection.execute(f"pragma application_id = {APPLICATION}")
        connection.execute(f"pragma user_version = {FORMAT}")
        connection.executescript(_SCHEMA)
        connection.execute("begin")
        facts = ((name, json.dumps(value)) for name, value in vars(contents.facts).items())
        connection.executemany("insert into facts values (?, ?)", facts)
        packages = ((name, _packed(found)) for name, found in sorted(contents.packages.items()))
        connection.executemany("insert into packages values (?, ?)", packages)
        names = ((name,) for name in sorted(set(contents.projects)))
        connection.executemany("insert into projects values (?)", names)
        yanked = ((*release, reason) for release, reason in sorted(contents.yanked.items()))
        connection.executemany("insert into yanked values (?, ?, ?)", yanked)
        connection.execute("commit")


def _packed(found: list[Advisory]) -> bytes:
    text = json.dumps([vars(one) for one in found], separators=(",", ":"))
    return zlib.compress(text.encode("ascii"), 6)


def _unpacked(blob: bytes) -> list[Advisory]:
    return [_advisory(one) for one in json.loads(zlib.decompress(blob))]


def _advisory(stored: dict[str, Any]) -> Advisory:
    lists = {name: tuple(stored[name]) for name in ("aliases", "versions")}
    return Advisory(**{**stored, **lists, "intervals": tuple(Interval(*one) for one in stored["intervals"])})


def default_database() -> str:
    """Where an import puts it: for root that of the machine, else the user's own.

    Linux: `$XDG_DATA_HOME/gnomon/osv.sqlite`, with `~/.local/share` where that is not set.
    """
    if _is_root():
        return _machine_database()
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or f"{home}/AppData/Local"
    elif sys.platform == "darwin":
        base = f"{home}/Library/Application Support"
    else:
        base = os.environ.get("XDG_DATA_HOME") or f"{home}/.local/share"
    return f"{base}/gnomon/osv.sqlite"


def find_database() -> str | None:
    """The database to ask: the user's own, else that of the machine; `None` where there is none."""
    places = (default_database(), _machine_database())
    return next((place for place in places if os.path.isfile(place)), None)


def _machine_database() -> str:
    return "/var/lib/gnomon/osv.sqlite"


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
