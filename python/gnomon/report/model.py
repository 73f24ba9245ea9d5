"""What the standard report says, as plain data: every form of it shows this.

Its JSON (`Report.as_dict`) is part of the data contract: docs/report.md. Times are ISO 8601 texts in UTC,
bytes are integers, lists are complete unless a field beside them says how many were left out. Lists called
`scripts` hold ids: `ScriptPage.script`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from ..finding import Severity
from ..findings.risk import Finding

SCHEMA = 1


@dataclass(frozen=True)
class Summary:
    """The figures at the top. Counts are of distinct things."""

    runs: int
    scripts: int
    users: int
    machines: int
    libraries: int
    vulnerable_libraries: int
    hosts: int
    ai_services: int
    sensitive_files: int
    records: int
    bytes_out: int
    denied: int
    warned: int
    justified: int
    high: int
    medium: int
    low: int
    suppressed: int


@dataclass(frozen=True)
class Day:
    """One day (UTC) of the timeline."""

    day: str
    runs: int
    scripts: int
    users: int
    connections: int
    ai_requests: int
    bytes_out: int
    denied: int


@dataclass(frozen=True)
class Point:
    """A line of the account of a risk score: what a finding adds. They add up to the score, at most 100."""

    finding: str
    points: int
    because: str


FindingRow = Finding


@dataclass(frozen=True)
class LibraryRow:
    """A distribution and version that was imported.

    Attributes:
        package_index: What the index says against it, if one was imported: `withdrawn`, with the reason, or
            `not there`.
    """

    distribution: str
    version: str | None
    scripts: list[str]
    machines: list[str]
    runs: int
    state: str
    severity: str | None
    advisories: list[str]
    fixed: str | None
    package_index: str | None
    first_seen: str
    last_seen: str


@dataclass(frozen=True)
class HostRow:
    """A host beyond the machines, and what was exchanged with it. `port` is the one used most."""

    host: str
    port: int | None
    protocol: str | None
    is_plain: bool
    is_internal: bool
    service: str | None
    category: str | None
    severity: str | None
    scripts: list[str]
    users: list[str]
    runs: int
    requests: int
    bytes_out: int
    bytes_in: int
    failed: int
    denied: int
    first_seen: str
    last_seen: str


@dataclass(frozen=True)
class AiRow:
    """A line of the AI ledger: one service or local model.

    `data_before` are labels of data that runs read before they talked to it: no proof that it was sent.
    """

    service: str
    name: str
    kind: str
    is_sanctioned: bool | None
    hosts: list[str]
    sdks: list[str]
    endpoints: list[str]
    scripts: list[str]
    users: list[str]
    machines: list[str]
    runs: int
    calls: int
    bytes_out: int
    bytes_in: int
    data_before: list[str]
    first_seen: str
    last_seen: str


@dataclass(frozen=True)
class DataRow:
    """Files of one sensitivity in one folder."""

    folder: str
    sensitivity: str
    label: str
    category: str
    severity: str
    attack: str | None
    files: int
    types: list[str]
    reads: int
    writes: int
    deletes: int
    scripts: list[str]
    users: list[str]
    last_seen: str
    examples: list[str]


@dataclass(frozen=True)
class Flow:
    """Sensitive data read before a connection of the same run: co-occurrence, no proof."""

    script: str
    script_name: str
    label: str
    category: str
    severity: str
    files: int
    examples: list[str]
    host: str
    service: str | None
    is_ai: bool
    is_internal: bool
    runs: int
    bytes_out: int
    users: list[str]
    last_seen: str


@dataclass(frozen=True)
class ProcessNode:
    """A program in a run's tree. `process` is `None` where it was not recorded, and `state` says why."""

    name: str
    command: str
    state: str
    process: str | None
    script: str | None
    user: str | None
    started: str | None
    status: int | None
    children: list[ProcessNode] = field(default_factory=list)


@dataclass(frozen=True)
class ScriptPage:
    """A script's passport. Lists of files and hosts are the first by weight; `more_…` count the others.

    Attributes:
        paths: Every path that it had, the newest last.
        points: They add up to `risk`; one without a `finding` says what is beyond the score's end.
        libraries: `distribution, version, modules, runs, state, severity, advisories, fixed, package_index,
            first_seen, last_seen`, the vulnerable first.
        hosts: `host, port, protocol, is_local, is_internal, service, is_ai, category, runs, connects,
            requests, bytes_out, bytes_in, failed, denied, urls, caused_by, first_seen, last_seen, evidence`,
            AI services first. `caused_by` has `file, line, function`, `evidence` has `process, seq`.
        files: `path, runs, reads, writes, deletes, denied, bytes_read, bytes_written, first_seen, last_seen,
            evidence, sensitivity, label, category, severity, attack`, the sensitive first.
        children: `command, program, count, denied, failed, caused_by, last_seen, silent_because`, those first
            that left no record.
        verdicts: `verdict, rule, is_observed, kind, target, count, is_stopped, reason, caused_by, last_seen`.
        changes: Sentences on what is new in the last seven days of the period.
        tree: Of the last run that had children.
    """

    script: str
    name: str
    form: str
    paths: list[str]
    sha256: str | None
    versions: int
    users: list[str]
    machines: list[str]
    runs: int
    failed_runs: int
    days: int
    first_seen: str
    last_seen: str
    schedule: str | None
    owner: str | None
    owner_exists: bool | None
    is_leaver: bool | None
    repository: str | None
    is_in_repository: bool | None
    risk: int
    severity: Severity | None
    points: list[Point]
    ai_services: list[str]
    libraries: list[dict[str, Any]]
    hosts: list[dict[str, Any]]
    files: list[dict[str, Any]]
    children: list[dict[str, Any]]
    verdicts: list[dict[str, Any]]
    changes: list[str]
    runs_by_day: dict[str, int]
    bytes_out: int
    bytes_in: int
    tree: list[ProcessNode] = field(default_factory=list)
    is_owner_leaver: bool | None = None
    more_libraries: int = 0
    more_hosts: int = 0
    more_files: int = 0
    more_children: int = 0


@dataclass(frozen=True)
class Gap:
    """Something that was not seen: what of it, how often, and what that means."""

    kind: str
    reason: str
    count: int
    scripts: list[str]
    machines: list[str]
    sentence: str


@dataclass(frozen=True)
class Report:
    """The whole of it.

    Attributes:
        made: When it was made.
        first: The time of the first record that it is about.
        is_pseudonymous: People and machines of people are told by pseudonyms.
        vulnerability_database: Path, date and sizes of the OSV database; `None` where there was none, so
            nothing was checked.
        headlines: The gravest things in one sentence each, in order.
        scripts: By risk, then by name.
    """

    schema: int
    title: str
    made: str
    gnomon: str
    spools: list[str]
    first: str | None
    last: str | None
    is_pseudonymous: bool
    vulnerability_database: dict[str, Any] | None
    summary: Summary
    headlines: list[str]
    timeline: list[Day]
    scripts: list[ScriptPage]
    findings: list[FindingRow]
    suppressed: list[FindingRow]
    libraries: list[LibraryRow]
    hosts: list[HostRow]
    ai: list[AiRow]
    data: list[DataRow]
    flows: list[Flow]
    gaps: list[Gap]

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)
