"""What one set of records says that another does not: things that were done, not how often or when.

Records go in one by one and only distinct things are kept. How a thing is named, so that two runs of one
program give the same names, is in `folding`; how a difference looks is in `difference_screen`.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from . import Fault, Process, Record
from .answer import database_of, file_of, prefix
from .causes import Cause
from .coverage import Blind, Blindness, native_state
from .folding import (
    HOLE,
    are_random,
    fold,
    fold_numbers,
    fold_path,
    fold_port,
    guesses,
    is_temporary,
    series,
)
from .libraries import libraries, normalised
from .text import command_line

# In the order in which they are told. Of the first ones versions are compared: what a program consists of.
KINDS = (
    "python",
    "script",
    "library",
    "request",
    "contact",
    "lookup",
    "listen",
    "send",
    "read",
    "write",
    "change",
    "list",
    "database",
    "code",
    "unpickle",
    "native",
    "kill",
    "limit",
    "setenv",
    "registry",
    "tamper",
    "start",
    "tried",
    "module",
    "standard_module",
)
# What did not happen, and is told all the same: that it was tried. Whether a file that is looked for is there
# depends on what earlier runs left.
_TRIED = frozenset(("connect", "resolve", "bind", "send", "http", "request", "spawn", "exec"))
_REFUSED = frozenset(("EACCES", "EPERM"))
_OF_WHAT_IT_CONSISTS = frozenset(("python", "script", "library"))
_CHANGES = frozenset(
    ("delete", "rename", "mkdir", "link", "symlink", "chmod", "truncate", "chown", "utime", "xattr")
)
# Part of writing a file, where the same program also writes it, or something below.
_OF_WRITING = frozenset(("delete", "rename", "mkdir", "truncate", "utime"))
_NUMBERED = frozenset(("read", "write", "change", "list", "request"))
# So many members on both sides make a numbered series: one more is no news.
_SERIES = 3
# A line that makes up more names than this had one that is certainly random.
_CANDIDATES = 10
_ACTS = frozenset(
    ("list", "database", "code", "unpickle", "native", "kill", "limit", "setenv", "registry", "tamper")
)
_ITSELF = frozenset(("command", "stdin", "interactive", "cell"))
_NUMBER = re.compile(r"\d+")
_PORT = re.compile(r":(\d{1,5})(?=/|$)")
_HERE = frozenset(("localhost", "::1", "0:0:0:0:0:0:0:1"))
_PYTHON = re.compile(r"python\d?(?:\.\d+)?t?")
# For each library directory, the names and versions of what is installed there.
_Installed = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
_STANDARD = re.compile(r"/lib(?:64)?/python3?[.\d]*t?/")
_VERSIONED = re.compile(r"(?<=/)python\d\.\d+t?(?=/)")


_NO_VALUES: frozenset[str] = frozenset()


class Thing:
    """One thing that was done, however often.

    Attributes:
        kind: One of `KINDS`.
        names: How a person would call it, with `*` for what differs from run to run, and what else it may
            be called: both sides did it where one of the names is the same.
        example: One of its real names.
        values: Versions, hashes or values that it had, for kinds that have them.
        time: When it was first done, in nanoseconds since 1970.
        cause: Who did it then.
        is_implied: Part of something else that is told.
    """

    # There may be a million: no dictionary and no set in each.
    __slots__ = ("cause", "example", "is_implied", "kind", "names", "time", "values")

    def __init__(self, kind: str, names: tuple[str, ...], example: str) -> None:
        self.kind = kind
        self.names = names
        self.example = example
        self.values: frozenset[str] = _NO_VALUES
        self.time = 0
        self.cause: Cause | None = None
        self.is_implied = False

    def also_called(self, names: Iterable[str]) -> None:
        """Adds names that it is compared by."""
        self.names += tuple(name for name in dict.fromkeys(names) if name not in self.names)

    def seen(self, time: int, cause: Cause | None) -> None:
        """Keeps who did it first."""
        if not self.time or time < self.time:
            self.time, self.cause = time, cause

    @property
    def name(self) -> str:
        """How a person would call it."""
        return self.names[0]

    @property
    def origin(self) -> tuple[str, str, str]:
        """Who did it, in words that a changed line number does not change."""
        cause = self.cause or Cause()
        return os.path.basename(cause.file), cause.function, cause.distribution


@dataclass(frozen=True)
class Change:
    """One thing of which both sides had other versions or values."""

    before: Thing
    after: Thing

    @property
    def is_doing(self) -> bool:
        """Whether the second side did something that the first did not, and is not just another version."""
        if self.after.kind in _OF_WHAT_IT_CONSISTS:
            return False
        return bool(self.after.values - self.before.values)


@dataclass(frozen=True)
class Difference:
    """What the second set of records says otherwise than the first. `same` counts things by kind."""

    new: list[Thing]
    changed: list[Change]
    gone: list[Thing]
    same: dict[str, int]

    @property
    def is_empty(self) -> bool:
        """Whether both did the same."""
        return not (self.new or self.changed or self.gone)

    @property
    def is_more(self) -> bool:
        """Whether the second did something that the first did not."""
        return bool(self.new) or any(change.is_doing for change in self.changed)


class _Place:
    """Where a process ran: names below its directory and its environment are told from there."""

    def __init__(self, process: Process, directory: str, pids: frozenset[int]) -> None:
        self.directory = directory.rstrip("/")
        self.is_temporary = is_temporary(f"{directory}/x")
        self.pids = pids
        self.homes = tuple(
            f"{home}/" for home in (f"/home/{process.user}", f"/Users/{process.user}", f"~{process.user}")
        )
        if process.uid == 0:
            self.homes += ("/root/",)
        roots = {os.path.dirname(os.path.dirname(process.executable)), process.environment, prefix(process)}
        self.roots = tuple(
            sorted((f"{root}/" for root in roots if root and root not in ("/", "/usr")), key=len)
        )

    def names(self, path: str) -> tuple[str, ...]:
        """All that it may be called in another run, and first how a person would call it."""
        relative = self._relative(path)
        if relative is None:
            found = [fold_path(self._from_home(path))]
        else:
            found = ["/".join(map(fold, relative.split("/")))]
        within = self._from_root(path)
        if within or (relative is not None and not self.is_temporary):
            found.append(fold_path(within or self._from_home(path)))
        if _NUMBER.search(path):
            found += self.without_pids(found, path)
        return tuple(found)

    def program(self, word: str) -> str:
        """A word of a command line: a program of the environment by its name, a path as from here."""
        name = os.path.basename(word)
        if _PYTHON.fullmatch(name):
            return "python"
        if word.startswith(tuple(f"{root}bin/" for root in self.roots)):
            return name
        return self.word(word)

    def word(self, word: str) -> str:
        """A word of a command line."""
        if "multiprocessing" in word:
            return fold_numbers(word)  # numbers of open files
        option, equals, value = word.partition("=")
        if value.startswith("/"):
            return f"{option}{equals}{self.word(value)}"
        if not word.startswith("/") or "\n" in word:
            return fold(word)
        within = self._from_root(word)
        return fold_path(within) if within else self.names(word)[0]

    def _relative(self, path: str) -> str | None:
        if path == self.directory:
            return "."
        below = f"{self.directory}/"
        if not self.directory or not path.startswith(below) or self._from_root(path):
            return None
        return path[len(below) :]

    def _from_root(self, path: str) -> str | None:
        if not path.startswith(self.roots):
            return None
        root = max((root for root in self.roots if path.startswith(root)), key=len)
        return f"python:/{_VERSIONED.sub('python' + HOLE, '/' + path[len(root) :])[1:]}"

    def _from_home(self, path: str) -> str:
        for home in self.homes:
            if path.startswith(home):
                return f"~/{path[len(home) :]}"
        return path

    def without_pids(self, names: list[str], text: str) -> list[str]:
        """The names without short pids, as a container has them, and pids that are part of a word."""
        numbers = set(_NUMBER.findall(text))
        found = [number for number in numbers if len(number) < 10 and int(number) in self.pids]
        if not found:
            return []
        pattern = re.compile(rf"(?<!\d)(?:{'|'.join(found)})(?!\d)")
        return [without for name in names if (without := pattern.sub(HOLE, name)) != name]


class Behaviour:
    """What a set of records says, distinct things only.

    Args:
        processes: The processes whose records are added, and those above them.
    """

    def __init__(self, processes: list[Process]) -> None:
        self.processes = processes
        self.pythons = [process for process in processes if process.role not in ("run", "keep")]
        self.records = 0
        self.faults: list[Fault] = []
        self.blindness = Blindness()
        self.unwatched = sum(native_state(process) != "on" for process in self.pythons)
        # Set while a record is added that tells of what did not happen.
        self._is_in_vain = False
        self.things: dict[str, dict[str, Thing]] = {kind: {} for kind in KINDS}
        self._aliases: dict[tuple[str, str], Thing] = {}
        self._causes: dict[Cause | None, Cause | None] = {}
        self.addresses: dict[str, set[str]] = defaultdict(set)
        self.statuses: dict[str, int] = {}
        self._places = self._find_places()
        self._prefixes = {process.id: f"{prefix(process)}/" for process in self.pythons}
        self._scripts = {process.script_file for process in self.pythons if process.script_file}
        self._sources: set[str] = set(self._scripts)
        self._databases: set[str] = set()
        # Files of which an audit event told: SQLite uses its own without one.
        self._with_events: set[str] = set()
        self._installed = {process.id: _signature(process) for process in self.pythons}
        self._loaded: dict[_Installed, dict[tuple[str, str], Thing]] = defaultdict(dict)
        for process in self.pythons:
            self._add_process(process)

    def add(self, record: Record) -> None:
        """Takes one more record."""
        self.records += 1
        if record.kind == "blind":
            self.blindness.add(record)
            return
        self._is_in_vain = record.outcome in ("denied", "failed")
        if self._is_in_vain and not _is_told(record):
            return
        kind = record.kind
        if kind in ("open", "map"):
            self._add_open(record)
        elif kind == "import":
            self._add_import(record)
        elif kind in _CHANGES or kind == "copy":
            self._add_change(record)
        elif kind in ("connect", "resolve", "bind", "send"):
            self._add_contact(record)
        elif kind in ("http", "request"):
            self._add_request(record)
        elif kind in ("spawn", "exec", "fork"):
            self._add_start(record)
        elif kind == "exit" and record.status is not None:
            self.statuses[record.process] = record.status
        elif kind in _ACTS:
            self._add_act(record)

    def finish(self) -> None:
        """To be called when all records were added."""
        for signature, loaded in self._loaded.items():
            self._add_libraries(signature, loaded)
        self._loaded.clear()
        self._mark_implied()

    def of_kind(self, *kinds: str) -> Iterator[Thing]:
        """Its things of these kinds."""
        return (thing for kind in kinds for thing in self.things[kind].values())

    def all(self) -> Iterator[Thing]:
        """All its things."""
        return self.of_kind(*KINDS)

    def index(self) -> None:
        """To be called when no name is added any more, before `find`."""
        self._aliases = {(thing.kind, name): thing for thing in self.all() for name in thing.names[1:]}
        for thing in self.of_kind("contact", "request"):
            self._aliases.setdefault(("lookup", _name_of(thing)), thing)

    def find(self, thing: Thing) -> Thing | None:
        """The same thing, as this side did it."""
        for name in thing.names:
            found = self.things[thing.kind].get(name) or self._aliases.get((thing.kind, name))
            if found is not None:
                return found
        return None

    def _find_places(self) -> dict[str, _Place]:
        """Each process with the directory in which the first of its ancestors started."""
        by_id = {process.id: process for process in self.processes}
        pids = frozenset(pid for process in self.processes for pid in (process.pid, process.parent_pid))
        directories: dict[str, str] = {}
        for process in self.processes:  # parents come before their children
            above = by_id.get(process.parent or "") or by_id.get(process.run or "")
            directories[process.id] = directories.get(above.id if above else "", process.directory)
        return {process.id: _Place(process, directories[process.id], pids) for process in self.processes}

    @property
    def blind(self) -> list[Blind]:
        """What could act unseen."""
        return self.blindness.found()

    def _note(self, kind: str, names: tuple[str, ...], example: str, record: Record | None = None) -> Thing:
        if record is not None and self._is_in_vain:
            kind, names = "tried", tuple(f"{_ATTEMPTS.get(kind, kind)} {name}".strip() for name in names)
        things = self.things[kind]
        thing = things.get(names[0])
        if thing is None:
            thing = things[names[0]] = Thing(kind, names, example)
        elif thing.names != names:
            thing.also_called(names)
        if record is not None and (not thing.time or record.time < thing.time):
            cause = Cause.of(record)
            thing.seen(record.time, self._causes.setdefault(cause, cause))
        return thing

    def _add_process(self, process: Process) -> None:
        python = process.implementation if process.implementation != "cpython" else "Python"
        self._note("python", (python,), python).values |= {process.python}
        if process.script is None or process.forked or process.parent in self._prefixes:
            return  # how a child was started says what it runs
        place = self._places[process.id]
        words = {"module": f"-m {process.script}", "command": f"-c {fold(process.script)}"}
        names: tuple[str, ...] = (words.get(process.script_form or "", process.script_form or ""),)
        if process.script_file and process.script_form not in words:
            names = place.names(process.script_file)
        script = self._note("script", names, process.script_file or process.script)
        if process.script_sha256:
            script.values |= {process.script_sha256}

    def _path(self, kind: str, path: str, record: Record, *, verb: str = "") -> Thing:
        names = self._places[record.process].names(path)
        if verb:
            names = tuple(f"{verb} {name}" for name in names)
        return self._note(kind, names, path, record)

    def _add_open(self, record: Record) -> None:
        self._note_event(record)
        words = (record.access or "").split("+")
        if {"write", "append", "create"} & set(words):
            self._path("write", record.target or "", record)
        if "read" in words or (record.kind == "map" and not record.access):
            self._path("read", record.target or "", record)

    def _note_event(self, record: Record) -> None:
        if record.source != "native":
            self._with_events.add(record.target or "")

    def _add_change(self, record: Record) -> None:
        self._note_event(record)
        target, kind = record.target or "", record.kind
        if kind == "copy":
            self._path("read", target, record)
            self._path("write", record.destination or "", record)
            return
        if kind == "rename":
            self._path("write", record.destination or "", record)
        subject = record.destination if kind in ("link", "symlink") else target
        verb = f"{kind} {fold(record.detail)}" if kind == "xattr" and record.detail else kind
        self._path("change", subject or target, record, verb=verb)

    def _add_contact(self, record: Record) -> None:
        kind, host = record.kind, _host(record.host or record.address or "")
        if kind == "bind" and record.distribution == "urllib3" and record.target == "[::1]:0":
            return  # it only looks if the machine has IPv6
        kind = {"connect": "contact", "resolve": "lookup", "bind": "listen"}.get(kind, kind)
        if kind == "lookup":
            self._note(kind, (host,), record.target or host, record)
        elif record.port is None:
            self._path(kind, record.target or "", record)
        else:
            name = _endpoint(host, record.port)
            self._note(kind, (name,), record.target or name, record)
            if record.host and record.address:
                self.addresses[_host(record.address)].add(host)

    def _add_request(self, record: Record) -> None:
        method, url = record.detail or "", record.target or ""
        try:
            parts = urlsplit(url)
        except ValueError:
            parts = urlsplit("")
        host = _endpoint(_host(record.host or parts.hostname or ""), record.port, parts.scheme)
        path = "/".join(HOLE if part.isdigit() else fold(part) for part in parts.path.split("/"))
        name = f"{method} {parts.scheme}://{host}{path}".strip() if parts.scheme else f"{method} {fold(url)}"
        self._note("request", (name,), f"{method} {url}".strip(), record)

    def _add_act(self, record: Record) -> None:
        kind, target, detail = record.kind, record.target or "", record.detail
        place = self._places[record.process]
        if kind == "database":
            self._databases.add(file_of(target))
        if kind == "setenv":
            value = "(removed)" if detail is None else _folded_value(detail, place)
            self._note(kind, (target,), target, record).values |= {value}
        elif kind == "kill":
            self._note(kind, (f"{detail} {fold_numbers(target)}",), target, record)
        elif kind != "code":
            self._add_described(record, place)
        elif detail not in _ITSELF:
            thing = self._add_described(record, place)
            thing.values |= {record.sha256} if record.sha256 else _NO_VALUES

    def _add_described(self, record: Record, place: _Place) -> Thing:
        target, detail = record.target or "", fold(record.detail or "")
        names = place.names(target) if target.startswith("/") else (fold(target),)
        names = tuple(f"{name}  {detail}".rstrip() for name in names)
        return self._note(record.kind, names, target, record)

    def _add_start(self, record: Record) -> None:
        if record.kind == "fork":
            self._note("start", ("a copy of itself, by fork",), "fork", record)
            return
        place, argv = self._places[record.process], record.argv or [record.target or "?"]
        words = [place.program(argv[0]), *map(place.word, argv[1:])]
        line = command_line(argv)
        names = [_shell(words)]
        self._note("start", (*names, *place.without_pids(names, line)), line, record)

    def _add_import(self, record: Record) -> None:
        module, file = record.target or "", record.destination or ""
        if "/site-packages/" in file or "/dist-packages/" in file:
            if self._is_in_vain:
                self._note("library", (module,), module, record)
                return
            loaded = self._loaded[self._installed.get(record.process, ())]
            thing = loaded.setdefault((module, file), Thing("library", (module,), module))
            thing.seen(record.time, Cause.of(record))
            return
        if file.startswith(self._prefixes.get(record.process, "/usr/lib/python")) or _STANDARD.search(file):
            self._note("standard_module", (module,), module, record)
        elif file not in self._scripts:
            self._sources.add(file)
            self._note("module", (fold(module),), module, record)

    def _add_libraries(self, installed: _Installed, loaded: dict[tuple[str, str], Thing]) -> None:
        lists = {directory: list(names) for directory, names in installed}
        for (module, file), seen in loaded.items():
            for library in libraries([(module, file, 1)], lists):
                thing = self._note("library", (normalised(library.name), library.name), library.name)
                thing.values |= {library.version or "?"}
                thing.seen(seen.time, seen.cause)

    def _mark_implied(self) -> None:
        """What is part of something else that is told, and may depend on what an earlier run left."""
        written = {name for thing in self.of_kind("write") for name in thing.names}
        above = {name[:at] for name in written for at in _slashes(name)}
        made = {name[6:] for thing in self.of_kind("change") for name in thing.names if name[:6] == "mkdir "}
        for thing in self.of_kind("change"):
            verb = thing.name.partition(" ")[0]
            subjects = {name[len(verb) + 1 :] for name in thing.names}
            below = above if verb in ("mkdir", "delete") else set()
            thing.is_implied = verb in _OF_WRITING and bool(
                subjects & written or subjects & below or (verb == "delete" and subjects & made)
            )
        paths = {thing.example for thing in self.of_kind("read", "write", "change")}
        folders = {os.path.dirname(path) for path in paths}
        for thing in self.of_kind("read"):
            # A program's own code, for a traceback or to inspect it; a folder that is opened.
            thing.is_implied = thing.example in self._sources or thing.example in folders
        for thing in self.of_kind("read", "write", "change"):
            if thing.example not in self._with_events and not thing.is_implied:
                beside = database_of(thing.example)
                # What SQLite does for a database that is told of.
                thing.is_implied = (
                    thing.example in self._databases or beside in paths or beside in self._databases
                )
        hosts = {_name_of(thing) for thing in self.of_kind("contact", "request")}
        # A name that is looked up for a connection which fails is told with that.
        hosts |= {_name_of(thing) for thing in self.of_kind("tried")}
        for thing in self.of_kind("lookup"):
            thing.is_implied = thing.name in hosts


# What was tried, in a word before its name.
_ATTEMPTS = {
    "contact": "connect",
    "lookup": "look up",
    "listen": "listen on",
    "send": "send to",
    "request": "",
    "change": "",
    "start": "start",
    "standard_module": "import",
    "module": "import",
    "library": "import",
}


def _is_told(record: Record) -> bool:
    """Whether it is told that this was tried in vain."""
    return record.outcome == "denied" or record.kind in _TRIED or record.errno in _REFUSED


def compare(before: Behaviour, after: Behaviour) -> Difference:
    """What `after` did that `before` did not, what it did otherwise, and what it no longer did."""
    addresses = {
        address: before.addresses.get(address, set()) | after.addresses.get(address, set())
        for address in {*before.addresses, *after.addresses}
    }
    for side in (before, after):
        side.finish()
        _name_addresses(side, addresses)
    _unify((before, after))
    before.index()
    after.index()
    changed, same = _compare_values(before, after)
    new, gone = _missing(after, before), _missing(before, after)
    new, gone = _without_series(new, after, before), _without_series(gone, before, after)
    new, gone = _without_pairs(new, gone)
    if _versions(before) != _versions(after):
        # Another Python has another standard library.
        new, gone = ([thing for thing in things if thing.kind != "standard_module"] for things in (new, gone))
    return Difference(sorted(new, key=_order), changed, sorted(gone, key=_order), same)


def _order(thing: Thing) -> tuple[int, int]:
    return KINDS.index(thing.kind), thing.time


def _missing(one: Behaviour, other: Behaviour) -> list[Thing]:
    """What only `one` did."""
    return [thing for thing in one.all() if not thing.is_implied and other.find(thing) is None]


def _compare_values(before: Behaviour, after: Behaviour) -> tuple[list[Change], dict[str, int]]:
    """Things of both sides: those whose versions or values differ, and how many there are by kind."""
    changed: list[Change] = []
    same: dict[str, int] = {}
    for thing in after.all():
        other = before.find(thing)
        if other is None:
            continue
        if thing.values != other.values and other.kind == thing.kind:
            changed.append(Change(other, thing))
        elif not thing.is_implied:
            same[thing.kind] = same.get(thing.kind, 0) + 1
    changed.sort(key=lambda change: (KINDS.index(change.after.kind), change.after.name.lower()))
    return changed, {kind: same[kind] for kind in KINDS if kind in same}


def _name_addresses(side: Behaviour, addresses: dict[str, set[str]]) -> None:
    """A connection whose name is not known has those that its address has elsewhere."""
    for thing in side.of_kind("contact"):
        host, colon, port = thing.name.rpartition(":")
        for name in addresses.get(host.strip("[]"), ()):
            thing.also_called([f"{name}{colon}{port}"])


def _without_series(things: list[Thing], one: Behaviour, other: Behaviour) -> list[Thing]:
    """Without further members of a numbered series that both sides have."""
    suspects = {(thing.kind, shape) for thing in things if (shape := _shape(thing))}
    if not suspects:
        return things
    common = suspects & _series(one, suspects) & _series(other, suspects)
    return [thing for thing in things if (thing.kind, _shape(thing)) not in common]


def _series(side: Behaviour, suspects: set[tuple[str, str]]) -> set[tuple[str, str]]:
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for thing in side.all():
        shape = _shape(thing)
        if shape and (thing.kind, shape) in suspects:
            counts[thing.kind, shape] += 1
    return {key for key, count in counts.items() if count >= _SERIES}


def _shape(thing: Thing) -> str | None:
    return series(thing.name) if thing.kind in _NUMBERED else None


def _unify(sides: tuple[Behaviour, Behaviour]) -> None:
    """Names that may be random are so where one that certainly is stands in their place, by the same line."""
    certain = [
        {(thing.kind, name): thing for thing in side.all() for name in thing.names if HOLE in name}
        for side in sides
    ]
    if not any(certain):
        return
    for side, own in zip(sides, certain):
        for thing in list(side.all()):
            keys = [(thing.kind, guess) for name in thing.names for guess, _ in guesses(name)]
            alike = [
                found
                for found in keys
                if any(found in names and _is_of_same(names[found], thing) for names in certain)
            ]
            if not alike:
                continue
            thing.also_called(name for _, name in alike)
            into = next((own[found] for found in alike if own.get(found, thing) is not thing), None)
            if into is not None:
                into.also_called(thing.names)
                del side.things[thing.kind][thing.name]


def _is_of_same(one: Thing, other: Thing) -> bool:
    """Whether the same line did both, as far as it is known."""
    return one.cause is None or other.cause is None or one.origin == other.origin


def _without_pairs(new: list[Thing], gone: list[Thing]) -> tuple[list[Thing], list[Thing]]:
    """Without names of the same line that differ in one word, where that is random on both sides."""
    places: dict[tuple[object, ...], list[tuple[Thing, str]]] = defaultdict(list)
    for thing in gone:
        for name in thing.names:
            for guess, word in guesses(name):
                places[thing.kind, guess, thing.origin].append((thing, word))
    paired: set[int] = set()
    for thing in new:
        for guess, word in (found for name in thing.names for found in guesses(name)):
            candidates = places.get((thing.kind, guess, thing.origin), [])
            for other, another in candidates[:_CANDIDATES]:
                is_clear = is_temporary(thing.example) or not (word.isalpha() and another.isalpha())
                if is_clear and are_random(word, another):
                    paired.update((id(thing), id(other)))
                    candidates.remove((other, another))
                    break
    return (
        [thing for thing in new if id(thing) not in paired],
        [thing for thing in gone if id(thing) not in paired],
    )


def _versions(side: Behaviour) -> set[str]:
    return {process.python.rpartition(".")[0] for process in side.pythons}


def _signature(process: Process) -> _Installed:
    """What is installed where it looked: the same for most processes, and kept once."""
    return tuple(sorted((directory, tuple(names)) for directory, names in process.distributions.items()))


def _folded_value(value: str, place: _Place) -> str:
    """A variable's value: a URL, or paths."""
    if "://" in value:
        return _PORT.sub(lambda found: f":{fold_port(int(found[1]))}", value)
    return ":".join(map(place.word, value.split(":")))


def _host(name: str) -> str:
    name = name.lower().rstrip(".")
    return "localhost" if name in _HERE or name.startswith("127.") else name


def _endpoint(host: str, port: int | None, scheme: str = "") -> str:
    host = f"[{host}]" if ":" in host else host
    if port is None or (scheme, port) in (("http", 80), ("https", 443)):
        return host
    return f"{host}:{fold_port(port)}"


def _name_of(thing: Thing) -> str:
    """The host of a contact or a request."""
    name = thing.name
    if thing.kind == "tried":
        name = name.removeprefix("connect ")
    if thing.kind == "request":
        name = name.partition("://")[2].partition("/")[0]
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.rpartition(":")[0] if ":" in name else name


def _slashes(name: str) -> Iterable[int]:
    return (at for at, letter in enumerate(name) if letter == "/" and at)


def _shell(words: list[str]) -> str:
    """As a shell would take it, but that a `*` needs no quotes."""
    plain = [word.replace(HOLE, "x") for word in words]
    return " ".join(
        word if command_line([without]) == without else command_line([word])
        for word, without in zip(words, plain)
    )
