"""The one-screen answer: what a run did, gathered from its records, said for people and for programs."""

from __future__ import annotations

import os
import signal
import textwrap
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime

from . import Process, Record, Spool
from .libraries import Library, libraries
from .text import command_line, printable, short_path

_SHOWN = 8
_SYSTEM = ("/etc/", "/usr/", "/lib", "/proc/", "/sys/", "/dev/", "/run/", "/bin/", "/sbin/", "/var/lib/")
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
        self.prefixes = tuple({_prefix(process) + "/" for process in processes})
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


def _prefix(process: Process) -> str:
    """Where the interpreter is installed: above `bin`, links followed where they still exist."""
    return os.path.dirname(os.path.dirname(os.path.realpath(process.executable)))


def _installation(process: Process) -> list[str]:
    """Where the interpreter and its environment are installed: what is read there is nobody's data."""
    places = [_prefix(process), process.environment or ""]
    return [f"{place}/" for place in places if place not in ("", "/", "/usr")]


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


def last_run(spool: Spool) -> str | None:
    """The id of the run in `spool` that started last; `None` where there is none."""
    processes, _ = spool.processes()
    return next((process.id for process in reversed(processes) if process.role == "run"), None)


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


def as_text(answer: Answer, *, colour: bool = False) -> str:
    """The answer as a screen of text. What the program chose is escaped."""
    lines = [f"gnomon: {_headline(answer)}", ""]
    for label, items in _sections(answer):
        for at, item in enumerate(items):
            name = f"{label:<10}" if at == 0 else " " * 10
            bold = f"\x1b[1m{name}\x1b[0m" if colour and at == 0 else name
            wrapped = textwrap.wrap(item, _width() - 13, break_on_hyphens=False, break_long_words=False) or [
                ""
            ]
            lines.append(f"  {bold} {wrapped[0]}")
            lines.extend(f"  {' ' * 10}   {rest}" for rest in wrapped[1:])
    return "\n".join(lines)


def _width() -> int:
    import shutil

    return max(60, min(shutil.get_terminal_size((100, 24)).columns, 140))


def _headline(answer: Answer) -> str:
    if answer.run is not None:
        return f"what `{printable(command_line(answer.run.argv), 80)}` did"
    return f"what {len(answer.processes)} recorded processes did"


def _sections(answer: Answer) -> Iterable[tuple[str, list[str]]]:
    main = answer.processes[0] if answer.processes else None
    directory = main.directory if main else None
    if main is not None:
        scripts = _scripts(answer.processes)
        yield "Script", _some(scripts, "gnomon events --kind script")
    yield "Run", _circumstances(answer)
    if main is not None:
        yield "Python", _pythons(answer.processes)
    yield "Libraries", _library_lines(answer)
    yield from _file_sections(answer, directory)
    contacts = [_contact(contact) for contact in answer.contacts]
    yield "Contacted", _some(contacts, "gnomon events --kind connect,resolve") or ["no host"]
    if answer.listens:
        listens = [
            printable(target.removesuffix(":0") + " (a free port)" if target.endswith(":0") else target)
            for target in answer.listens
        ]
        yield "Listened", _some(listens, "gnomon events --kind bind")
    yield "Started", _started(answer)
    yield "Gaps", _some([printable(gap) for gap in _gaps(answer)], "gnomon verify")


def _gaps(answer: Answer) -> list[str]:
    gaps = list(answer.gaps)
    if not answer.processes:
        gaps.append(
            "no Python process was recorded: none was started, or with -I, -E, -S or an empty environment"
        )
    return gaps or ["none known; what native libraries do by themselves raises no event and is not seen"]


def _some(items: list[str], command: str) -> list[str]:
    if len(items) <= _SHOWN:
        return items
    return [*items[: _SHOWN - 1], f"… and {len(items) - _SHOWN + 1} more: {command}"]


def _scripts(processes: list[Process]) -> list[str]:
    lines: list[str] = []
    for process in processes:
        if process.script is None or process.forked:
            continue
        name = short_path(process.script, process.directory)
        words = {"command": f"-c {process.script.splitlines()[0] if process.script else ''!r}"}
        text = words.get(process.script_form or "", name)
        if process.script_form == "module":
            text = f"-m {process.script}"
        facts = []
        if process.script_sha256:
            facts.append(f"sha256 {process.script_sha256[:12]}…")
        if process.script_owner:
            facts.append(f"owner {process.script_owner}")
        if process.script_modified:
            facts.append(f"changed {_local(process.script_modified)}")
        line = printable(text, 120) + (f"  ({', '.join(facts)})" if facts else "")
        if line not in lines:
            lines.append(line)
    return lines or ["none"]


def _circumstances(answer: Answer) -> list[str]:
    first = answer.run or (answer.processes[0] if answer.processes else None)
    if first is None:
        return ["nothing"]
    who = first.user or f"uid {first.uid}"
    ended = first.ended or (answer.processes[-1].last_seen if answer.processes else None)
    words = [f"by {printable(who)} on {printable(first.host)}"]
    if first.parent_name:
        words.append(f"from {printable(first.parent_name)}")
    words.append(_local(first.started))
    if ended:
        words.append(f"for {_duration(ended - first.started)}")
    if answer.run is not None and answer.status is not None:
        words.append(_status(answer.status))
    return [", ".join(words)]


def _status(status: int) -> str:
    if status >= 0:
        return f"exit code {status}"
    try:
        return f"ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"ended by signal {-status}"


def _duration(nanoseconds: int) -> str:
    seconds = nanoseconds / 1e9
    if seconds < 0.1:
        return f"{nanoseconds // 1_000_000} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _local(nanoseconds: int) -> str:
    return f"{datetime.fromtimestamp(nanoseconds / 1e9):%Y-%m-%d %H:%M:%S}"


def _pythons(processes: list[Process]) -> list[str]:
    places = {
        (process.python, process.environment or process.executable): None
        for process in processes
        if not process.forked
    }
    return _some([f"{version} ({printable(short_path(place))})" for version, place in places], "gnomon show")


def _library_lines(answer: Answer) -> list[str]:
    names = [printable(f"{library.name} {library.version}".rstrip()) for library in answer.libraries]
    shown = ", ".join(names[:40]) + (f" … and {len(names) - 40} more" if len(names) > 40 else "")
    lines = [shown] if names else []
    if answer.own_modules:
        own = [printable(name) for name in answer.own_modules]
        lines.append(f"its own modules: {', '.join(own[:12])}{' …' if len(own) > 12 else ''}")
    if answer.standard_modules:
        also = "and " if lines else ""
        lines.append(f"{also}{len(answer.standard_modules)} modules of the standard library")
    return lines or ["none"]


def _file_sections(answer: Answer, directory: str | None) -> Iterable[tuple[str, list[str]]]:
    temporary = [use for use in answer.files if use.is_temporary]
    lasting = [use for use in answer.files if not use.is_temporary]
    read = [use for use in lasting if use.reads]
    places = _SYSTEM + tuple({place for process in answer.processes for place in _installation(process)})
    system = [use for use in read if use.path.startswith(places)]
    vague = [use for use in read if not use.path.startswith("/")]
    mine = [use for use in read if use.path.startswith("/") and not use.path.startswith(places)]

    def name(use: FileUse, count: int) -> str:
        times = f"  ×{count}" if count > 1 else ""
        return printable(short_path(use.path, directory)) + times

    reads = _some([name(use, use.reads) for use in mine], "gnomon events --kind open")
    if system:
        reads.append(f"and {len(system)} system file{'s' if len(system) > 1 else ''}")
    if vague:
        reads.append(f"and {len(vague)} named relative to an open folder, which the event does not tell")
    yield "Read", reads or ["no file"]
    writes = [name(use, use.writes) for use in lasting if use.writes]
    writes = _some(writes, "gnomon events --kind open,rename")
    if temporary:
        writes.append(f"and {len(temporary)} temporary file{'s' if len(temporary) > 1 else ''}, gone again")
    yield "Wrote", writes or ["no file"]
    changed = [f"{', '.join(sorted(use.changes))} {name(use, 1)}" for use in lasting if use.changes]
    if changed:
        yield "Changed", _some(changed, "gnomon events --kind delete,mkdir,link,symlink,chmod,truncate")


def _contact(contact: Contact) -> str:
    name = contact.host or "?"
    if contact.port is not None:
        name = f"[{name}]:{contact.port}" if ":" in name else f"{name}:{contact.port}"
    words = [printable(name)]
    others = [address for address in contact.addresses if address != contact.host]
    if others:
        words.append(f"({', '.join(others[:3])}{' …' if len(others) > 3 else ''})")
    if contact.is_this_machine:
        words.append("this machine")
    if not contact.connects:
        words.append("only looked up")
    elif contact.connects > 1:
        words.append(f"×{contact.connects}")
    return "  ".join(words)


def _started(answer: Answer) -> list[str]:
    lines = [
        printable(command_line(started.argv), 160) + (f"  ×{started.count}" if started.count > 1 else "")
        for started in answer.started
    ]
    lines = _some(lines, "gnomon events --kind spawn,exec")
    children = len(answer.processes) - 1
    if children > 0:
        forked = sum(process.forked for process in answer.processes)
        how = f", {forked} of them by fork" if forked else ""
        lines.append(f"{children} more Python process{'es' if children > 1 else ''} recorded{how}")
    return lines or ["no program"]
