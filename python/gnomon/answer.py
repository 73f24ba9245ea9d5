"""The answer: what a run did, gathered from its records. How it looks on a screen is in `screen`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from . import Fault, Process, Record, Spool
from .causes import Cause
from .coverage import Blindness, Receipt, is_attachment, native_state, receipt
from .descent import Node, Start, below, tree
from .evasion import Evasion
from .libraries import Library, libraries
from .rollout.seals import NAME as LEDGER
from .startup import noted
from .verdicts import Decision, Decisions, Rule

CHANGES = frozenset(
    ("delete", "rename", "mkdir", "link", "symlink", "chmod", "truncate", "copy", "chown", "utime", "xattr")
)
# Of two names these change or make the second.
_MAKES_SECOND = frozenset(("link", "symlink", "copy"))
_REQUESTS = frozenset(("http", "request"))
_ACTS = frozenset(
    ("code", "unpickle", "native", "database", "list", "map", "send", "kill", "limit", "setenv")
) | {"registry", "tamper"}


@dataclass
class FileUse:
    """What was done with one file. Counts are operations, without those that failed.

    Attributes:
        bytes_read: As far as native code told.
        bytes_written: Likewise.
        is_part_of_database: Only SQLite used it, for a database that is among the acts.
    """

    path: str
    reads: int = 0
    writes: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    is_part_of_database: bool = False
    changes: dict[str, int] = field(default_factory=dict)
    read_by: list[Cause] = field(default_factory=list)
    written_by: list[Cause] = field(default_factory=list)
    changed_by: list[Cause] = field(default_factory=list)

    @property
    def is_temporary(self) -> bool:
        """Written and removed again, by the same run."""
        return self.writes > 0 and ("delete" in self.changes or "rename" in self.changes)


@dataclass
class Contact:
    """One other end that was connected to, or only looked up."""

    host: str | None
    port: int | None
    addresses: list[str] = field(default_factory=list)
    connects: int = 0
    resolves: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    by: list[Cause] = field(default_factory=list)

    @property
    def is_this_machine(self) -> bool:
        """Loopback, or a Unix socket."""
        if self.port is None and self.host and self.host.startswith(("/", "\0")):
            return True
        known = self.addresses or [self.host or ""]
        return all(address.startswith("127.") or address in ("::1", "localhost") for address in known)


@dataclass
class Failure:
    """Something that was asked of the system, and that it did not do.

    Attributes:
        kind: As in records.
        doing: `read` or `write` of a file that was to be opened; otherwise the kind.
        target: The file, or the host and port.
        errno: Why, as in `ENOENT`; of several that failed together, why the last one did.
    """

    kind: str
    doing: str
    target: str
    errno: str
    host: str | None = None
    port: int | None = None
    count: int = 0
    by: list[Cause] = field(default_factory=list)


@dataclass
class Request:
    """A URL that was called. `size` is that of one request's body in bytes, where it is known."""

    method: str
    url: str
    host: str | None
    port: int | None
    size: int | None
    count: int = 0
    by: list[Cause] = field(default_factory=list)


@dataclass
class Act:
    """Something else that was done: which `kind`, on what, and a word more."""

    kind: str
    target: str
    detail: str | None
    size: int | None
    sha256: str | None
    count: int = 0
    by: list[Cause] = field(default_factory=list)


@dataclass(frozen=True)
class Answer:
    """What a run did.

    Attributes:
        run: The run's own process, if the records are of one run.
        processes: The recorded interpreters, in the order they started.
        started: Each start of a program, as its record says it.
        tree: What became of them: the programs that were started, below those that started them.
        coverage: What could not be seen.
        failed: What was asked for and did not happen, as far as native code told: it is nowhere else, but for
            programs that could not be started.
        verdicts: What policy said; what it stopped did not happen, and is nowhere else.
        rules: What the rules say that spoke, by name, where their policies are still there.
        began: When it began, where that is not the start of its first process; nanoseconds since 1970.
        ended: When it ended, likewise.
    """

    run: Process | None
    processes: list[Process]
    status: int | None
    libraries: list[Library]
    standard_modules: list[str]
    own_modules: list[str]
    files: list[FileUse]
    contacts: list[Contact]
    requests: list[Request]
    acts: list[Act]
    listens: list[str]
    started: list[Start]
    tree: list[Node]
    coverage: Receipt
    failed: list[Failure] = field(default_factory=list)
    verdicts: list[Decision] = field(default_factory=list)
    rules: dict[str, Rule] = field(default_factory=dict)
    began: int | None = None
    ended: int | None = None

    def __str__(self) -> str:
        from .screen import as_text

        return as_text(self)

    @classmethod
    def of(cls, spool: Spool, *, run_id: str | None = None) -> Answer:
        """Gathers the answer from the records of `spool`, which are read once.

        Args:
            spool: The records, filtered to one run where the answer is about one.
            run_id: The run, if it is about one. Of a run within a run, only that part.
        """
        found, faults = spool.processes()
        path = os.fspath(spool.path)
        folder = path if os.path.isdir(path) else os.path.dirname(path)
        run = next((process for process in found if process.id == run_id), None)
        if run is None or run.run == run.id:
            return cls.gathered(found, spool.records(), faults, run_id=run_id, folder=folder)
        found = below(found, run)
        known = {process.id for process in found}
        records = (record for record in spool.records() if record.process in known)
        return cls.gathered(found, records, faults, run_id=run_id, folder=folder)

    @classmethod
    def gathered(
        cls,
        found: list[Process],
        records: Iterable[Record],
        faults: list[Fault],
        *,
        run_id: str | None = None,
        folder: str | None = None,
    ) -> Answer:
        """The same from what was read already.

        Args:
            found: The processes that the answer is about.
            records: Their records.
            faults: What could not be read.
            run_id: The run, if it is about one.
            folder: The directory of the spool, where the policies are that the run was under.
        """
        gathered = Gathered(found)
        for record in records:
            gathered.add(record)
        return gathered.answer(found, faults, run_id=run_id, folder=folder)


class Gathered:
    """Fills the parts of an answer, record by record."""

    def __init__(self, processes: Iterable[Process]) -> None:
        processes = [process for process in processes if process.role != "keep"]
        self.prefixes = tuple({prefix(process) + "/" for process in processes})
        self.unwatched = {process.id for process in processes if native_state(process) != "on"}
        self.scripts = {process.script_file for process in processes}
        self.sources = {file for file in self.scripts if file}
        self.files: dict[str, FileUse] = {}
        self.contacts: dict[tuple[str | None, int | None], Contact] = {}
        self.by_host: dict[str | None, Contact] = {}
        self.requests: dict[tuple[object, ...], Request] = {}
        self.acts: dict[tuple[object, ...], Act] = {}
        self.installed: list[tuple[str, str, int]] = []
        self.failures: dict[tuple[str, str, str, str], Failure] = {}
        self.databases: set[str] = set()
        self.with_events: set[str] = set()
        self.modules: set[str] = set()
        self.unwatched_modules: set[str] = set()
        self.blindness = Blindness()
        self.evasion = Evasion()
        self.standard: set[str] = set()
        self.own: set[str] = set()
        self.listens: set[str] = set()
        self.connected_by: dict[tuple[str | None, int | None], set[str]] = {}
        self.started: list[Start] = []
        self.executed: dict[str, int] = {}
        self.ends: dict[str, int] = {}
        self.decisions = Decisions()
        self.transfers: list[Record] = []
        self.evicted: dict[str, int] = {}
        self.attached: set[str] = set()

    def add(self, record: Record) -> None:
        """Takes one more record."""
        kind = record.kind
        if record.verdict is not None:
            self.decisions.add(record)
            if record.outcome == "denied":
                return  # it did not happen
        if record.failed:
            self._add_failure(record)
            if record.outcome == "failed" and kind not in ("spawn", "exec"):
                return  # nor did this
        if kind == "import":
            self._add_import(record)
        elif kind == "open" or kind in CHANGES:
            self._add_file(record)
        elif kind in ("connect", "resolve"):
            self._add_contact(record)
        elif kind in _REQUESTS:
            self._add_request(record)
        elif kind in _ACTS:
            self._add_act(record)
            if kind == "tamper":
                self.evasion.add(record)
            if is_attachment(record):
                self.attached.add(record.process)
        elif kind == "bind" and record.target:
            if not _is_probe(record):
                self.listens.add(record.target)
        elif kind in ("spawn", "exec"):
            self._add_start(record)
        elif kind == "exit" and record.status is not None:
            self.ends[record.process] = record.status
        elif kind == "policy":
            self.decisions.add_policy(record)
        elif kind == "blind":
            self.blindness.add(record)
        elif kind == "transfer":
            self.transfers.append(record)
        elif kind == "evict":
            reason = record.detail or "?"
            self.evicted[reason] = self.evicted.get(reason, 0) + record.count

    def answer(
        self,
        found: list[Process],
        faults: list[Fault],
        *,
        run_id: str | None = None,
        folder: str | None = None,
    ) -> Answer:
        """The answer, when all records were added."""
        found = [process for process in found if process.role != "keep"]  # it only tidies the spool
        run = next((process for process in found if process.role == "run" and process.id == run_id), None)
        processes = [process for process in found if process.role != "run"]
        status = run.status if run is not None else None
        if run is not None and run.id in self.ends:
            status = self.ends[run.id]
        installed = {
            directory: names for process in processes for directory, names in process.distributions.items()
        }
        nodes = tree(found, self.started)
        self._add_transfers()
        for use in self.files.values():
            use.is_part_of_database = self._is_part_of_database(use)
        return Answer(
            run=run,
            processes=processes,
            status=status,
            libraries=libraries(self.installed, installed),
            standard_modules=sorted(self.standard),
            own_modules=sorted(self.own),
            files=[use for use in self.files.values() if not self._is_own_source(use)],
            contacts=list(self.contacts.values()),
            requests=list(self.requests.values()),
            acts=list(self.acts.values()),
            listens=sorted(self.listens),
            started=self.started,
            tree=nodes,
            coverage=receipt(
                processes,
                modules=self.modules,
                unwatched_modules=self.unwatched_modules,
                blind=self.blindness.found(),
                connected_by=self._connected_without_request(),
                nodes=nodes,
                executed={
                    process.id
                    for process in processes
                    if process.last_seen <= self.executed.get(process.id, 0)  # or the exec failed
                },
                faults=faults,
                policies=self.decisions.states(),
                evasion=self.evasion.findings(nodes),
                missing=_missing(folder),
                evicted=self.evicted,
                attached=self.attached,
                startup=noted(processes, Spool(folder).startups()[0]) if folder else [],
            ),
            failed=list(self.failures.values()),
            verdicts=self.decisions.decisions(),
            rules=self.decisions.rules(folder),
        )

    def _add_import(self, record: Record) -> None:
        module, file = record.target or "", record.destination or ""
        self.modules.add(module)
        if record.process in self.unwatched:
            self.unwatched_modules.add(module)
        if "/site-packages/" in file or "/dist-packages/" in file:
            self.installed.append((module, file, record.count))
        elif file.startswith(self.prefixes) or file.startswith(("/usr/lib/python", "/usr/lib64/python")):
            self.standard.add(module)
        elif file not in self.scripts:
            self.own.add(module)
            self.sources.add(file)

    def _add_start(self, record: Record) -> None:
        argv = record.argv or [record.target or "?"]
        times = (record.time, record.last_time)
        self.started.append(
            Start(
                argv,
                record.count,
                record.kind,
                record.process,
                *times,
                record.target,
                Cause.of(record),
                has_failed=record.outcome == "failed",
            )
        )
        if record.kind == "exec" and record.outcome != "failed":
            self.executed[record.process] = max(self.executed.get(record.process, 0), record.last_time)

    def _is_own_source(self, use: FileUse) -> bool:
        """Whether a program's own code was read and no more: for a traceback, or to inspect it."""
        return use.path in self.sources and not use.writes and not use.changes

    def _is_part_of_database(self, use: FileUse) -> bool:
        """Whether it is a database that SQLite was asked for, or what it keeps beside one."""
        if use.path in self.with_events:
            return False
        database = database_of(use.path)
        return use.path in self.databases or (database in self.databases or database in self.files)

    def _connected_without_request(self) -> set[str]:
        """The distributions that connected to where no request went, as far as is known."""
        asked = {(request.host, request.port) for request in self.requests.values()}
        found = [names for end, names in self.connected_by.items() if end not in asked]
        return set().union(*found)

    def _add_failure(self, record: Record) -> None:
        words = set((record.access or "").split("+"))
        doing = record.kind
        if record.kind in ("open", "map"):
            doing = "write" if {"write", "append", "create"} & words else "read"
        target = record.target or ""
        if record.kind in _MAKES_SECOND and record.destination:
            target = record.destination
        errno = record.errno or "?"
        failure = self.failures.setdefault(
            (record.kind, doing, target, errno), Failure(record.kind, doing, target, errno)
        )
        failure.host, failure.port = record.host or record.address or record.target, record.port
        failure.count += record.failed or 0
        _note(failure.by, Cause.of(record))

    def _file(self, path: str) -> FileUse:
        return self.files.setdefault(path, FileUse(path))

    def _add_file(self, record: Record) -> None:
        target, cause, count = record.target or "", Cause.of(record), _done(record)
        if record.source != "native":
            self.with_events.add(target)
        if record.kind == "open":
            words = (record.access or "").split("+")
            use = self._file(target)
            use.bytes_read += record.bytes_in or 0
            use.bytes_written += record.bytes_out or 0
            if {"write", "append", "create"} & set(words):
                use.writes += count
                _note(use.written_by, cause)
            if "read" in words:
                use.reads += count
                _note(use.read_by, cause)
            return
        if record.kind in ("rename", "copy") and record.destination is not None:
            made = self._file(record.destination)
            made.writes += count
            _note(made.written_by, cause)
            if record.kind == "copy":
                source = self._file(target)
                source.reads += count
                _note(source.read_by, cause)
                return
        subject = record.destination if record.kind in _MAKES_SECOND else target
        use = self._file(subject or target)
        use.changes[record.kind] = use.changes.get(record.kind, 0) + count
        _note(use.changed_by, cause)

    def _add_contact(self, record: Record) -> None:
        name = record.host or record.address or record.target
        if record.kind == "resolve":
            same = self.by_host.get(name)
            if same is not None:
                same.resolves += _done(record)
                return
        contact = self.contacts.get((name, None)) if record.kind == "connect" else None
        if contact is not None and contact.connects == 0:  # looked up before without a port
            self.contacts[(name, record.port)] = self.contacts.pop((name, None))
            contact.port = record.port
        contact = self.contacts.setdefault((name, record.port), Contact(name, record.port))
        self.by_host.setdefault(name, contact)
        if record.kind == "connect":
            contact.connects += _done(record)
            contact.bytes_out += record.bytes_out or 0
            contact.bytes_in += record.bytes_in or 0
            names = self.connected_by.setdefault((name, record.port), set())
            names.update({record.distribution or "", record.via or record.distribution or ""})
        else:
            contact.resolves += _done(record)
        _note(contact.by, Cause.of(record))
        if record.address and record.address not in contact.addresses:
            contact.addresses.append(record.address)

    def _add_transfers(self) -> None:
        """Adds bytes to those of the connections and files, which other records tell of."""
        ends: dict[tuple[str | None, int | None], Contact] = {}
        for contact in self.contacts.values() if self.transfers else ():
            for name in (contact.host, *contact.addresses):
                ends.setdefault((name, contact.port), contact)
        for record in self.transfers:
            bytes_out, bytes_in = record.bytes_out or 0, record.bytes_in or 0
            names = (record.host, record.address, record.target)
            end = next((ends[name, record.port] for name in names if (name, record.port) in ends), None)
            use = self.files.get(record.target or "")
            if end is not None:
                end.bytes_out += bytes_out
                end.bytes_in += bytes_in
            elif use is not None:
                use.bytes_written += bytes_out
                use.bytes_read += bytes_in

    def _add_request(self, record: Record) -> None:
        method, url = record.detail or "", record.target or ""
        found = self.requests.setdefault(
            (method, url, record.size), Request(method, url, record.host, record.port, record.size)
        )
        found.count += record.count
        _note(found.by, Cause.of(record))

    def _add_act(self, record: Record) -> None:
        key = (record.kind, record.target, record.detail, record.size, record.sha256)
        target = record.target or ""
        found = self.acts.setdefault(key, Act(record.kind, target, record.detail, record.size, record.sha256))
        found.count += _done(record)
        _note(found.by, Cause.of(record))
        if record.kind == "database":
            self.databases.add(file_of(target))


def _missing(folder: str | None) -> dict[str, int]:
    """How many segments of the spool `folder` are not as they were sealed, by what happened to them."""
    if folder is None or not os.path.exists(f"{folder}/{LEDGER}"):
        return {}
    from collections import Counter

    from .integrity import missing

    return dict(Counter(finding.kind for finding in missing(folder)))


def _done(record: Record) -> int:
    """How many of a record's operations did not fail, as far as is known."""
    return max(record.count - (record.failed or 0), 1)


def database_of(path: str) -> str | None:
    """The file beside which SQLite keeps `x.db-journal`; `None` where it is no such name."""
    name, dash, what = path.rpartition("-")
    return name if dash and what in ("journal", "wal", "shm") else None


def file_of(database: str) -> str:
    """The file that SQLite is asked for by `file:///data/x.db?mode=ro`."""
    if not database.startswith("file:"):
        return database
    from urllib.parse import unquote, urlsplit

    try:
        return unquote(urlsplit(database).path)
    except ValueError:
        return database


def _is_probe(record: Record) -> bool:
    """Whether a library only looks if the machine has IPv6, and listens nowhere."""
    return record.distribution == "urllib3" and record.target == "[::1]:0"


def _note(causes: list[Cause], cause: Cause | None) -> None:
    if cause is not None and cause not in causes:
        causes.append(cause)


def prefix(process: Process) -> str:
    """Where the interpreter is installed: above `bin`, links followed where they still exist."""
    return os.path.dirname(os.path.dirname(os.path.realpath(process.executable)))


def as_json(answer: Answer) -> str:
    """The answer as one JSON object; docs/records.md describes it."""
    import json

    def process(found: Process | None) -> dict[str, object] | None:
        if found is None:
            return None
        names = [name for name in dir(found) if not name.startswith("_") and name != "distributions"]
        return {name: getattr(found, name) for name in names}

    fields = {
        "run": process(answer.run),
        "status": answer.status,
        "processes": [process(found) for found in answer.processes],
        "libraries": [asdict(library) for library in answer.libraries],
        "standard_modules": answer.standard_modules,
        "own_modules": answer.own_modules,
        "files": [asdict(use) for use in answer.files],
        "contacts": [
            {**asdict(contact), "is_this_machine": contact.is_this_machine} for contact in answer.contacts
        ],
        "requests": [asdict(request) for request in answer.requests],
        "failed": [asdict(failure) for failure in answer.failed],
        "acts": [asdict(act) for act in answer.acts],
        "listens": answer.listens,
        "started": [asdict(start) for start in answer.started],
        "tree": [node.as_dict() for node in answer.tree],
        "verdicts": [found.as_dict() for found in answer.verdicts],
        "rules": {name: asdict(rule) for name, rule in answer.rules.items()},
        "coverage": answer.coverage.as_dict(),
        "began": answer.began,
        "ended": answer.ended,
    }
    return json.dumps(fields, ensure_ascii=True, indent=2)
