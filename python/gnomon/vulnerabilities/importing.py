"""From an export to a database: every record is either in it or counted with the reason why not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from .advisory import Advisory, Skipped, advisories
from .database import Contents, Facts, write
from .projects import Projects
from .source import Source, SourceError

SUPERSEDED = "older copies of others"
_SHOWN = 5
LICENCES = {
    "PYSEC": "PyPA advisory database, CC-BY 4.0, github.com/pypa/advisory-database",
    "GHSA": "GitHub advisory database, CC-BY 4.0, github.com/github/advisory-database",
    "MAL": "OpenSSF malicious packages, Apache-2.0, github.com/ossf/malicious-packages",
}


@dataclass
class Imported:
    """What an import did.

    Attributes:
        examples: A few of the records that were left out: the reason, the name, the detail.
    """

    facts: Facts
    examples: list[tuple[str, str, str]]


@dataclass
class _Gathered:
    """Records on their way into a database: the newest of each id."""

    modified: dict[str, str] = field(default_factory=dict)
    records: dict[str, list[tuple[str, Advisory]]] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    examples: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, name: str, record: object) -> None:
        try:
            found = list(advisories(record))
        except Skipped as reason:
            self.skip(name, reason)
            return
        advisory = found[0][1]
        if advisory.id in self.records:
            self.skipped[SUPERSEDED] += 1
        if advisory.modified >= self.modified.get(advisory.id, ""):
            self.modified[advisory.id] = advisory.modified
            self.records[advisory.id] = found

    def skip(self, name: str, reason: Skipped) -> None:
        self.skipped[reason.reason] += 1
        if reason.detail and sum(one[0] == reason.reason for one in self.examples) < _SHOWN:
            self.examples.append((reason.reason, name, reason.detail))


def make_database(paths: Sequence[str], output: str, index_files: Iterable[str] = ()) -> Imported:
    """Reads what is at `paths` and writes the database at `output`.

    Raises:
        SourceError: It cannot be read, is refused, or holds no advisory at all.
        DatabaseError: The database cannot be written.
    """
    projects = Projects()
    for path in index_files:
        projects.read(path)
    source = Source(paths)
    gathered = _Gathered()
    for name, record in source:
        if isinstance(record, Skipped):
            gathered.skip(name, record)
        else:
            gathered.add(name, record)
    if not gathered.records:
        left_out = ", ".join(f"{count:,} {reason}" for reason, count in gathered.skipped.most_common())
        raise SourceError(
            f"cannot import `{paths[0]}`: it holds no advisory about a PyPI package"
            + (f" ({left_out})" if left_out else ""),
            hint="the export of PyPI is PyPI/all.zip; docs/vulnerabilities.md says where to get it",
        )
    contents = _contents(source, gathered, projects)
    write(contents, output)
    return Imported(contents.facts, gathered.examples)


def _contents(source: Source, gathered: _Gathered, projects: Projects) -> Contents:
    packages: dict[str, list[Advisory]] = {}
    for _, record in sorted(gathered.records.items()):
        for name, advisory in record:
            packages.setdefault(name, []).append(advisory)
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    # A date that is yet to come would make an old database look new.
    dates = [date for date in gathered.modified.values() if date <= (now + timedelta(days=1)).isoformat()]
    facts = Facts(
        imported=now.isoformat(timespec="seconds"),
        source=source.paths,
        sha256=source.sha256,
        source_date=max(dates, default=""),
        advisories=len(gathered.records),
        packages=len(packages),
        origins=dict(Counter(map(_origin, gathered.records)).most_common()),
        skipped=dict(gathered.skipped.most_common()),
        unmatchable=sum(
            not any(one.is_matchable for _, one in record) for record in gathered.records.values()
        ),
        projects=len(projects.names),
        lists_projects=projects.is_list,
    )
    return Contents(facts, packages, projects.names, projects.yanked)


def _origin(identity: str) -> str:
    return re.split(r"[-:_]", identity, maxsplit=1)[0]


def notices(facts: Facts) -> list[str]:
    """Whose data it is, and under which licence, as those licences ask to be said."""
    return [
        f"{count:,} {origin}: {LICENCES.get(origin, 'see osv.dev for the licence of this source')}"
        for origin, count in facts.origins.items()
    ]
