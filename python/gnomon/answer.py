"""The answer: what a run did, gathered from its records. How it looks on a screen is in `screen`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from . import Process, Record, Spool
from .libraries import Library, libraries
from .text import printable

_SHOWN = 8
_FILE_KINDS = frozenset(
    ("open", "delete", "rename", "mkdir", "link", "symlink", "chmod", "truncate"),
)


@dataclass
class FileUse:
    """What was done with one file. Counts are operations."""

    path: str
    reads: int = 0
    writes: int = 0
    changes: dict[str, int] = field(default_factory=dict)

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

    @property
    def is_this_machine(self) -> bool:
        """Loopback, or a Unix socket."""
        if self.port is None and self.host and self.host.startswith(("/", "\0")):
            return True
        known = self.addresses or [self.host or ""]
        return all(address.startswith("127.") or address in ("::1", "localhost") for address in known)


@dataclass(frozen=True)
class Started:
    """A program that was started, and the recorded processes that came of it."""

    argv: list[str]
    count: int
    kind: str


@dataclass(frozen=True)
class Answer:
    """What a run did.

    Attributes:
        run: The run's own process, if the records are of one run.
        processes: The recorded interpreters, in the order they started.
        gaps: What is not known, in sentences.
    """

    run: Process | None
    processes: list[Process]
    status: int | None
    libraries: list[Library]
    standard_modules: list[str]
    own_modules: list[str]
    files: list[FileUse]
    contacts: list[Contact]
    listens: list[str]
    started: list[Started]
    gaps: list[str]

    @classmethod
    def of(cls, spool: Spool, *, run_id: str | None = None, still_running: bool = False) -> Answer:
        """Gathers the answer from the records of `spool`, which are read once.

        Args:
            spool: The records, filtered to one run where the answer is about one.
            run_id: The run, if it is about one.
            still_running: The run ends just now: its missing end is no gap.
        """
        found, faults = spool.processes()
        run = next((process for process in found if process.role == "run" and process.id == run_id), None)
        processes = [process for process in found if process.role != "run"]
        gathered = _Gathered(processes)
        for record in spool.records():
            gathered.add(record)
        status = run.status if run is not None else None
        if run is not None and run.id in gathered.ends:
            status = gathered.ends[run.id]
        lost = [
            f"{count} records lost: {reason}" for process in found for reason, count in process.lost.items()
        ]
        broken = [
            f"{printable(str(fault.path))}:{fault.offset}: {fault.kind}"
            for fault in faults
            if fault.severity != "torn"
        ]
        installed = {
            directory: names for process in processes for directory, names in process.distributions.items()
        }
        return cls(
            run=run,
            processes=processes,
            status=status,
            libraries=libraries(gathered.installed, installed),
            standard_modules=sorted(gathered.standard),
            own_modules=sorted(gathered.own),
            files=list(gathered.files.values()),
            contacts=list(gathered.contacts.values()),
            listens=sorted(gathered.listens),
            started=gathered.started,
            gaps=[*lost, *broken, *_silent(processes, gathered, is_over=run is not None)],
        )


class _Gathered:
    """Fills the parts of an answer, record by record."""

    def __init__(self, processes: Iterable[Process]) -> None:
        self.prefixes = tuple({prefix(process) + "/" for process in processes})
        self.scripts = {process.script_file for process in processes}
        self.files: dict[str, FileUse] = {}
        self.contacts: dict[tuple[str | None, int | None], Contact] = {}
        self.installed: list[tuple[str, str, int]] = []
        self.standard: set[str] = set()
        self.own: set[str] = set()
        self.listens: set[str] = set()
        self.started: list[Started] = []
        self.executed: set[str] = set()
        self.ends: dict[str, int] = {}

    def add(self, record: Record) -> None:
        if record.kind == "import":
            self._add_import(record)
        elif record.kind in _FILE_KINDS:
            self._add_file(record)
        elif record.kind in ("connect", "resolve"):
            self._add_contact(record)
        elif record.kind == "bind" and record.target:
            self.listens.add(record.target)
        elif record.kind in ("spawn", "exec"):
            self.started.append(Started(record.argv or [record.target or "?"], record.count, record.kind))
            if record.kind == "exec":
                self.executed.add(record.process)
        elif record.kind == "exit" and record.status is not None:
            self.ends[record.process] = record.status

    def _add_import(self, record: Record) -> None:
        module, file = record.target or "", record.destination or ""
        if "/site-packages/" in file or "/dist-packages/" in file:
            self.installed.append((module, file, record.count))
        elif file.startswith(self.prefixes) or file.startswith(("/usr/lib/python", "/usr/lib64/python")):
            self.standard.add(module)
        elif file not in self.scripts:
            self.own.add(module)

    def _file(self, path: str) -> FileUse:
        return self.files.setdefault(path, FileUse(path))

    def _add_file(self, record: Record) -> None:
        target = record.target or ""
        if record.kind == "open":
            words = (record.access or "").split("+")
            use = self._file(target)
            if {"write", "append", "create"} & set(words):
                use.writes += record.count
            if "read" in words:
                use.reads += record.count
            return
        if record.kind == "rename" and record.destination is not None:
            self._file(record.destination).writes += record.count
        subject = record.destination if record.kind in ("link", "symlink") else target
        changes = self._file(subject or target).changes
        changes[record.kind] = changes.get(record.kind, 0) + record.count

    def _add_contact(self, record: Record) -> None:
        name = record.host or record.address or record.target
        if record.kind == "resolve":
            same = [contact for contact in self.contacts.values() if contact.host == name]
            if same:
                same[0].resolves += record.count
                return
        contact = self.contacts.get((name, None)) if record.kind == "connect" else None
        if contact is not None and contact.connects == 0:  # looked up before without a port
            self.contacts[(name, record.port)] = self.contacts.pop((name, None))
            contact.port = record.port
        contact = self.contacts.setdefault((name, record.port), Contact(name, record.port))
        if record.kind == "connect":
            contact.connects += record.count
        else:
            contact.resolves += record.count
        if record.address and record.address not in contact.addresses:
            contact.addresses.append(record.address)


def prefix(process: Process) -> str:
    """Where the interpreter is installed: above `bin`, links followed where they still exist."""
    return os.path.dirname(os.path.dirname(os.path.realpath(process.executable)))


def _silent(processes: list[Process], gathered: _Gathered, *, is_over: bool) -> list[str]:
    """Interpreters that ended without saying so: killed, crashed, or left by `os._exit`."""
    silent = [
        process
        for process in processes
        if process.ended is None and not process.forked and process.id not in gathered.executed
    ]
    if not silent or not is_over:
        return []
    names = ", ".join(f"pid {process.pid}" for process in silent[:_SHOWN])
    return [f"killed, crashed, left by os._exit or still running: {names}"]


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
        "listens": answer.listens,
        "started": [asdict(started) for started in answer.started],
        "gaps": answer.gaps,
    }
    return json.dumps(fields, ensure_ascii=True, indent=2)
