"""What was recorded, as far as a policy can be learned from it; `learned` writes that.

Only what is distinct counts, never how often: the text is the same when it is learned again from the same
spool, from two of the same, or from one that was made under the policy that was learned.
"""

from __future__ import annotations

import ipaddress
import os
import posixpath
import re
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from .folding import fold, fold_path, fold_port
from .generalise import Evidence, Seen

if TYPE_CHECKING:
    from . import Process, Record

FAMILIES = ("write", "read", "network", "process", "import")
DEFAULT = ("write", "read", "network", "process")

# What Python reads and writes for itself, as `learned.MACHINERY` allows it.
_MACHINERY = {
    "read": re.compile(
        r".*/lib(64)?/python3[^/]*(/.*)?|.*/(site|dist)-packages(/.*)?|.*/__pycache__(/.*)?|/proc/[^/]+(/.*)?"
        r"|/dev/null",
        re.DOTALL,
    ),
    "write": re.compile(r".*/__pycache__(/.*)?|/dev/null", re.DOTALL),
}
_HOME = re.compile(r"(?:/home/[^/]+|/Users/[^/]+|/root|~[0-9a-f]{8})(/.*)?", re.DOTALL)
_FILES = frozenset(
    (
        *("open", "delete", "rename", "mkdir", "link", "symlink", "chmod", "truncate", "copy", "chown"),
        *("utime", "xattr", "list", "map", "database"),
    )
)
_NETWORK = frozenset(("resolve", "connect", "bind", "http", "request", "send"))
_ACT_ON_NAMES = frozenset(("delete", "rename", "mkdir", "symlink"))
_HOST = re.compile(r"[\w*-]*[\w-][\w*-]*(\.[\w*-]+)*")


@dataclass(frozen=True)
class _Process:
    script: str
    directory: str
    home: str | None
    is_here: bool


class Learner:
    """Collects what was seen, record by record."""

    def __init__(self, families: Iterable[str] = DEFAULT) -> None:
        self.families = frozenset(families)
        self.files: dict[str, Seen] = {"read": {}, "write": {}}
        self.sockets: Seen = {}
        self.hosts: Seen = {}
        self.addresses: Seen = {}
        self.urls: Seen = {}
        self.programs: Seen = {}
        self.forks: Seen = {}
        self.distributions: Seen = {}
        self.modules: Seen = {}
        self.scripts: set[str] = set()
        self.untold: set[str] = set()
        self._processes: dict[str, _Process] = {}
        self._libraries: dict[str, Mapping[str, list[tuple[str, str]]]] = {}
        self._known: set[tuple[object, ...]] = set()
        self._folders: dict[str, str] = {}

    def know(self, processes: Iterable[Process]) -> None:
        """Takes note of who ran what, and what was installed."""
        machine = _machine()
        homes: dict[int, str | None] = {}
        for process in processes:
            is_here = bool(machine) and process.machine == machine
            if is_here and process.uid not in homes:
                homes[process.uid] = _home(process.uid)
            self._libraries[process.id] = process.distributions
            self._processes[process.id] = _Process(
                script_name(process), process.directory, homes.get(process.uid) if is_here else None, is_here
            )

    def add(self, record: Record) -> None:
        """Takes note of one record, unless it tells of what a policy stopped: that was not meant to be.

        What failed counts: a script that looks for a file which is not there must go on hearing that, and not
        that it is denied. Only what the system refused is left out, as a denial says the same.
        """
        if record.outcome == "denied" or (record.outcome == "failed" and record.errno in ("EACCES", "EPERM")):
            return
        process = self._processes.get(record.process) or _Process("", "/", None, False)
        key = (
            process,
            record.kind,
            record.access,
            record.target,
            record.destination,
            record.requested,
            record.host,
            record.address,
            record.port,
        )
        if key in self._known:
            return
        self._known.add(key)
        kind = record.kind
        if kind in _FILES and self.families & {"read", "write"}:
            self._add_file(record, process)
        elif kind in _NETWORK and "network" in self.families:
            self._add_endpoint(record, process)
        elif kind in ("spawn", "exec", "fork") and "process" in self.families:
            self._add_child(record, process)
        elif kind == "import" and "import" in self.families:
            self._add_import(record, process)
        else:
            return
        self.scripts.add(process.script)

    def _add_file(self, record: Record, process: _Process) -> None:
        for used, requested, families in _uses(record):
            is_database = record.kind == "database"
            path = _database_file(used, process.directory) if is_database else used
            for family in families:
                if family in self.families:
                    for one in self._spellings(path, requested, record.kind, process):
                        self._note_path(self.files[family], one, process, _MACHINERY[family])

    def _note_path(self, seen: Seen, path: str, process: _Process, left_out: re.Pattern[str] | None) -> None:
        if left_out is not None and left_out.fullmatch(path):
            return
        if not path.startswith("/") and not _HOME.fullmatch(path):
            return  # no file, or one of which the folder is not known: what denies the rest leaves it alone
        if path == "/" or ".." in path.split("/"):
            self.untold.add(path)
            return
        name = fold_path(_at_home(path, process.home))
        _note(seen, name, name, process)

    def _spellings(self, path: str, requested: str | None, kind: str, process: _Process) -> Iterator[str]:
        """The path as it was recorded, and as symbolic links resolve it.

        Records under a policy hold the second with what was asked for, others the first.
        """
        yield path
        if not process.is_here or not path.startswith("/"):
            return
        follows = kind not in _ACT_ON_NAMES
        real = self._real(path, follows)
        if real != path:
            yield real
        if requested:
            asked = posixpath.normpath(posixpath.join(process.directory, requested))
            if asked != path and self._real(asked, follows) == path:
                yield asked

    def _real(self, path: str, follows: bool) -> str:
        folder, name = posixpath.split(path)
        real = self._folders.get(folder)
        if real is None:
            real = self._folders[folder] = os.path.realpath(folder) if "\0" not in folder else folder
        found = posixpath.join(real, name)
        # Most names are no links, and of a folder that is not there, none is.
        return os.path.realpath(found) if follows and "\0" not in name and os.path.islink(found) else found

    def _add_endpoint(self, record: Record, process: _Process) -> None:
        is_socket = record.kind in ("connect", "bind", "send") and not record.host and not record.address
        if is_socket and record.target is not None:
            if not record.target.startswith(("/", "~")):
                _note(self.addresses, "unix", "an abstract socket", process)
            else:
                for path in self._spellings(record.target, record.requested, record.kind, process):
                    self._note_path(self.sockets, path, process, None)
            return
        port = "*" if record.port is None else fold_port(record.port)
        address = record.address
        if record.host:
            found = _address(record.host)
            if found is None:
                host = _folded_host(record.host.rstrip(".").lower())
                if _HOST.fullmatch(host):
                    _note(self.hosts, host, host, process)
                else:
                    self.untold.add(record.host)
                return
            address = address or found
        if address:
            word = _word(address, record.kind)
            place = f"{address}, any port" if port == "*" else f"{address} port {port}"
            _note(self.addresses, word, place, process, port)
        elif record.kind in ("http", "request") and record.target:
            url = re.split(r"[?#]", record.target, maxsplit=1)[0]
            _note(self.urls, fold(url), url, process)

    def _add_child(self, record: Record, process: _Process) -> None:
        if record.kind == "fork":
            _note(self.forks, "fork", "fork", process)
            return
        program = record.requested or record.target
        if program:
            name = fold(posixpath.basename(program))
            if not name.strip("*"):
                name = posixpath.basename(program)  # any name would do otherwise
            if not name.strip("*"):
                self.untold.add(program)
                return
            _note(self.programs, name, name, process)

    def _add_import(self, record: Record, process: _Process) -> None:
        from .libraries import libraries, normalised

        if not record.target:
            return
        installed = self._libraries.get(record.process, {})
        module, file = record.target, record.destination or ""
        found = libraries([(module, file, 1)], installed)
        if found and found[0].version:
            _note(self.distributions, normalised(found[0].name), module, process)
        elif module.partition(".")[0] not in standard_library():
            _note(self.modules, module.partition(".")[0], module, process)


def script_name(process: Process) -> str:
    """What a process's script goes by."""
    option = {"module": "-m", "command": "-c"}.get(process.script_form or "")
    if option:
        return f"{option} {process.script}"
    return process.script_file or process.script or process.executable


def _note(seen: Seen, name: str, thing: str, process: _Process, port: str | None = None) -> None:
    evidence = seen.get(name)
    if evidence is None:
        evidence = seen[name] = Evidence()
    evidence.things.add(thing)
    evidence.scripts.add(process.script)
    if port is not None:
        evidence.ports.add(port)


def _uses(record: Record) -> Iterator[tuple[str, str | None, tuple[str, ...]]]:
    """The paths that rules see of a record, as asked for, and what happens to each (see `observed.rs`)."""
    kind, access = record.kind, record.access or ""
    target, destination = record.target, record.destination
    if kind in ("open", "map"):
        words = access.split("+")
        families: tuple[str, ...] = ("read",) if "read" in words else ()
        if {"write", "append", "create"} & set(words):
            families = ("write", *families)
    elif kind in ("list", "copy", "link", "symlink"):
        families = ("read",)
    elif kind == "database":
        families = ("write", "read")
    else:
        families = ("write",)
    if target is not None:
        if kind == "symlink" and destination:
            target = posixpath.normpath(posixpath.join("/", posixpath.dirname(destination), target))
        yield target, record.requested, families
    if destination is not None:
        yield destination, None, ("write",)


def _database_file(target: str, directory: str) -> str:
    """The file that SQLite opens for `file:data.db?mode=ro`."""
    if not target.startswith("file:"):
        return target
    path = re.split(r"[?#]", target[len("file:") :], maxsplit=1)[0]
    if path.startswith("//"):
        path = path[path.find("/", 2) :] if "/" in path[2:] else ""
    if not path or path.startswith(":"):
        return target
    return posixpath.normpath(posixpath.join(directory, os.fsdecode(unquote_to_bytes(path))))


def _folded_host(host: str) -> str:
    """`host` with a `*` for what differs, but never in what somebody registered."""
    folded = fold(host)
    return host if "*" in ".".join(folded.split(".")[-2:]) else folded


def _address(host: str) -> str | None:
    """The address that `host` spells, also as the C library reads it (`127.1`, `0x7f.1`)."""
    bare = host.strip("[]").partition("%")[0]
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        pass
    if re.fullmatch(r"(0x[0-9a-f]+|\d+)(\.(0x[0-9a-f]+|\d+)){0,3}", bare.lower()):
        try:
            return socket.inet_ntoa(socket.inet_aton(bare))
        except OSError:
            return None
    return None


def _word(text: str, kind: str) -> str:
    """The word for an address, or the address itself where that is a public one."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if address.is_loopback or (address.is_unspecified and kind != "bind"):
        return "loopback"
    private = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
    networks = [ipaddress.ip_network(network) for network in private]
    if any(address in network for network in networks if network.version == address.version):
        return "private"
    if address.is_link_local:
        return "link-local"
    return f"{address}/{address.max_prefixlen}"


def _machine() -> str:
    try:
        with open("/etc/machine-id", encoding="ascii") as file:
            return file.readline().strip()
    except (OSError, ValueError):
        return ""


def _home(uid: int) -> str | None:
    try:
        import pwd

        home = os.path.realpath(pwd.getpwuid(uid).pw_dir)
    except (ImportError, KeyError):
        return None
    return home if len(home) > 1 else None


def _at_home(path: str, home: str | None) -> str:
    if home is not None and (path == home or path.startswith(home + "/")):
        return "~" + path[len(home) :]
    found = _HOME.fullmatch(path)
    return "~" + (found[1] or "") if found else path


def standard_library() -> frozenset[str]:
    """The modules of Python itself; 3.9 does not know."""
    names: Iterable[str] = getattr(sys, "stdlib_module_names", ())
    return frozenset(names)
