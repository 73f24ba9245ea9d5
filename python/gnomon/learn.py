"""What was recorded, as a small policy that permits it: folders for files, domains for hosts, program names.

Only what is distinct counts, never how often: the text is the same when it is learned again from the same
spool, from two of the same, or from one that was made under the policy that was learned.
"""

from __future__ import annotations

import ipaddress
import json
import os
import posixpath
import re
import shlex
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .folding import fold, fold_path, fold_port
from .text import printable

if TYPE_CHECKING:
    from . import Process, Record

FAMILIES = ("write", "read", "network", "process", "import")
DEFAULT = ("write", "read", "network", "process")

# Files of a folder from which on the folder stands for them; where it says too little, its direct files do.
SEVERAL = 2
MANY = 5
# Folders of a folder from which on that stands for them.
MANY_FOLDERS = 4
# The same of a folder that only this machine has: `/data`.
MANY_FOLDERS_OF_DATA = 20
# Hosts of a domain from which on the domain stands for them.
MANY_HOSTS = 3

# What Python reads and writes for itself: records leave most of it out.
MACHINERY = {
    "read": (
        "**/lib/python3*/",
        "**/lib64/python3*/",
        "**/lib/python3*.zip",
        "**/site-packages/",
        "**/dist-packages/",
        "**/__pycache__/",
        "/proc/*/",
        "/dev/null",
    ),
    "write": ("**/__pycache__/", "/dev/null"),
}
_MACHINERY = {
    "read": re.compile(
        r".*/lib(64)?/python3[^/]*(/.*)?|.*/(site|dist)-packages(/.*)?|.*/__pycache__(/.*)?|/proc/[^/]+(/.*)?"
        r"|/dev/null",
        re.DOTALL,
    ),
    "write": re.compile(r".*/__pycache__(/.*)?|/dev/null", re.DOTALL),
}
# Folders of the system and of everybody: a rule about one of these would say nothing.
_SHALLOW = re.compile(
    r"~|/[^/]*|/(usr|var|mnt|media|home|Users|Volumes|proc|sys|dev|run|net|nfs|private|System)/[^/]+"
    r"|/usr/local/[^/]+|/run/user/[^/]+|/var/(lib|spool)/[^/]+"
)
_OF_SYSTEM = re.compile(
    r"~|/(home|bin|boot|dev|etc|lib[^/]*|media|mnt|net|opt|proc|root|run|sbin|srv|sys|tmp|usr|var|nfs|private"
    r"|Applications|Library|System|Users|Volumes)?"
)
_TEMPORARY = re.compile(r"(/tmp|/var/tmp|/private/tmp|/dev/shm|(?:/private)?/var/folders)(/.*)?", re.DOTALL)
_HOME = re.compile(r"(?:/home/[^/]+|/Users/[^/]+|/root|~[0-9a-f]{8})(/.*)?", re.DOTALL)
_FILES = frozenset(
    (
        *("open", "delete", "rename", "mkdir", "link", "symlink", "chmod", "truncate", "copy", "chown"),
        *("utime", "xattr", "list", "map", "database"),
    )
)
_NETWORK = frozenset(("resolve", "connect", "bind", "http", "request", "send"))
_ACT_ON_NAMES = frozenset(("delete", "rename", "mkdir", "symlink"))
# Names below which everybody may have one: hosts there have nothing in common.
_SHARED_SUFFIX = re.compile(
    r"([a-z]{2,3}\.)?[a-z]{2}|[a-z0-9-]+|.*\b(amazonaws\.com|cloudfront\.net|azurewebsites\.net|windows\.net"
    r"|azure\.com|cloudapp\.net|github\.io|githubusercontent\.com|gitlab\.io|herokuapp\.com|appspot\.com"
    r"|web\.app|firebaseio\.com|run\.app|vercel\.app|netlify\.app|pages\.dev|workers\.dev|cloudflarestorage\.com"
    r"|digitaloceanspaces\.com|r2\.dev|sharepoint\.com|duckdns\.org|ngrok\.io|ngrok-free\.app|readthedocs\.io)"
)
_ODD = re.compile(r"[\[\]{}?\\\x00-\x1f\x7f\ud800-\udfff]")
_HOST = re.compile(r"[\w*-]*[\w-][\w*-]*(\.[\w*-]+)*")
_WORDS = ("loopback", "unix", "private", "link-local", "public")


@dataclass(slots=True)
class Evidence:
    """What speaks for a pattern: the things that were seen, and the scripts that used them."""

    things: set[str] = field(default_factory=set)
    scripts: set[str] = field(default_factory=set)
    ports: set[str] = field(default_factory=set)

    def add(self, other: Evidence) -> None:
        """Takes what speaks for another pattern."""
        self.things |= other.things
        self.scripts |= other.scripts
        self.ports |= other.ports


Seen = dict[str, Evidence]


@dataclass(frozen=True, slots=True)
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
        """Takes note of one record."""
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
        for path, requested, families in _uses(record):
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
        from .libraries import libraries

        if not record.target:
            return
        installed = self._libraries.get(record.process, {})
        module, file = record.target, record.destination or ""
        found = libraries([(module, file, 1)], installed)
        if found and found[0].version:
            name = re.sub(r"[-_.]+", "-", found[0].name).lower()
            _note(self.distributions, name, module, process)
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


# Generalising


def folders(seen: Seen) -> Seen:
    """Patterns for `seen` paths: a folder where several of its files were, never one that says nothing."""
    found: Seen = {}
    groups: dict[str, Seen] = {}
    for path, evidence in seen.items():
        temporary = _TEMPORARY.fullmatch(path)
        if temporary:
            _merge(found, f"{temporary[1]}/**", evidence)
        elif path == "~":
            _merge(found, path, evidence)
        else:
            groups.setdefault(posixpath.dirname(path), {})[path] = evidence
    kept: dict[str, Evidence] = {}
    for folder, files in groups.items():
        if len(files) < SEVERAL or (_is_shallow(folder) and len(files) < MANY):
            kept.update({escaped(path): evidence for path, evidence in files.items()})
        else:
            end = "/*" if _is_shallow(folder) else "/"
            for evidence in files.values():
                _merge(kept, escaped(folder) + end, evidence)
    for pattern, evidence in _without_covered(_collapsed(kept)).items():
        _merge(found, pattern, evidence)
    return found


def _is_shallow(folder: str) -> bool:
    return _SHALLOW.fullmatch(folder) is not None


def _collapsed(patterns: Seen) -> Seen:
    """A folder where many of its folders would be named, the deepest first."""
    patterns = dict(patterns)
    depth = max((pattern.count("/") for pattern in patterns), default=0)
    for level in range(depth, 0, -1):
        children: dict[str, set[str]] = {}
        for pattern in patterns:
            parts = pattern.rstrip("/").split("/")
            if pattern.endswith("/*") or len(parts) <= level:
                continue
            if len(parts) > level + 1 or pattern.endswith("/"):
                children.setdefault("/".join(parts[:level]), set()).add(parts[level])
        for folder, names in children.items():
            is_data = folder.startswith("/") and folder.count("/") == 1 and not _OF_SYSTEM.fullmatch(folder)
            many = MANY_FOLDERS_OF_DATA if is_data else MANY_FOLDERS
            if len(names) >= many and folder and (is_data or not _is_shallow(folder)):
                for pattern in [one for one in patterns if one.startswith(folder + "/")]:
                    _merge(patterns, folder + "/", patterns.pop(pattern))
    return patterns


def _without_covered(patterns: Seen) -> Seen:
    """Without what is below a folder that is named too."""
    found: Seen = {}
    above = {pattern for pattern in patterns if pattern.endswith("/")}
    for pattern in sorted(patterns, key=lambda pattern: (pattern.count("/"), pattern)):
        parts = pattern.rstrip("/").split("/")
        whole = ["/".join(parts[:count]) + "/" for count in range(1, len(parts) + 1)]
        covering = next((one for one in whole if one in above), pattern)
        direct = "/".join(parts[:-1]) + "/*"
        if covering == pattern and not pattern.endswith(("/", "/*")) and direct in patterns:
            covering = direct
        _merge(found, covering, patterns[pattern])
    return found


def domains(seen: Seen) -> Seen:
    """Patterns for `seen` hosts: a domain where several of its hosts were."""
    found = dict(seen)
    depth = max((host.count(".") for host in seen), default=0)
    for level in range(depth, 0, -1):
        groups: dict[str, set[str]] = {}
        for host in found:
            labels = host.split(".")
            if len(labels) > level:
                groups.setdefault(".".join(labels[-level:]), set()).add(host)
        for domain, hosts in groups.items():
            if len(hosts) >= MANY_HOSTS and not _SHARED_SUFFIX.fullmatch(domain):
                for host in hosts:
                    _merge(found, f"*.{domain}", found.pop(host))
    return found


def _merge(seen: Seen, name: str, evidence: Evidence) -> None:
    seen.setdefault(name, Evidence()).add(evidence)


def escaped(path: str) -> str:
    """`path`, in which a `*` stands for what differs, as a pattern."""
    return "".join(map(_escaped_letter, path)) if _ODD.search(path) else path


def _escaped_letter(letter: str) -> str:
    if 0xD800 <= ord(letter) <= 0xDFFF:
        return "*"  # a byte that is no UTF-8, which TOML cannot hold
    if letter < " " or letter == "\x7f":
        return "?"
    return f"\\{letter}" if letter in "[]{}?\\" else letter


# Writing


@dataclass(frozen=True, slots=True)
class _Rule:
    id: str
    title: str
    event: str
    key: str
    patterns: Seen
    noun: tuple[str, str]
    more: str = ""


def policy(learner: Learner, *, name: str = "learned", mode: str = "observe") -> str:
    """The text of the policy that permits what `learner` has seen, and denies the rest of those families."""
    sections = []
    for family in FAMILIES:
        if family in learner.families:
            sections.append(_SECTIONS[family](learner))
    scripts = _counted(len(learner.scripts), ("script", "scripts"))
    head = [
        f"# What {scripts} did, found by `gnomon policy learn`: what was seen is allowed, the rest denied.",
        "# Rules are tried from the top, and the first that matches decides. Read them, strike out what must",
        '# not be, and say mode = "enforce" once `gnomon policy replay` shows nothing that surprises you.',
        f"name = {_text(name)}",
        f'mode = "{mode}"',
    ]
    if learner.untold:
        head.insert(3, f"# No pattern stands for these, which were seen too: {_listed(learner.untold)}")
    text = "\n".join("\n".join(part) + "\n" for part in (head, *sections))
    return re.sub(r"\n{3,}", "\n\n", text).rstrip("\n") + "\n"


def _files_section(learner: Learner, family: str) -> list[str]:
    verb = {"read": "Reading", "write": "Writing"}[family]
    access = f'access = "{family}"'
    patterns = folders(learner.files[family])
    lines = [f"# {verb} files", ""]
    lines += _block(
        [f"# What Python itself {family}s; records leave most of it out."],
        [
            f'id = "{family}-by-python"',
            'event = "file"',
            access,
            *_array("path", [(one, "") for one in MACHINERY[family]]),
            'action = "allow"',
        ],
        [(f"open:{family} /dev/null", "allow")],
    )
    if patterns:
        example = _path_example(patterns)
        lines += _block(
            [],
            [
                f'id = "{family}"',
                'event = "file"',
                access,
                *_array("path", _commented(patterns, ("file", "files"))),
                'action = "allow"',
            ],
            [(f"open:{family} {shlex.quote(example)}", "allow")] if example else [],
        )
    return lines + _block(
        [],
        [
            f'id = "no-other-{family}s"',
            'event = "file"',
            access,
            'path = ["/", "~/"]',
            'action = "deny"',
            f'message = "No script has {"read" if family == "read" else "written"} here so far."',
        ],
        [(f"open:{family} /not/seen/before", "deny")],
    )


def _network_section(learner: Learner) -> list[str]:
    lines = ["# Network", ""]
    hosts = domains(learner.hosts)
    if hosts:
        example = min(hosts, key=lambda host: ("*" in host, host)).replace("*", "x")
        lines += _block(
            [],
            [
                'id = "hosts"',
                'event = "network"',
                *_array("host", _commented(hosts, ("host", "hosts"))),
                'action = "allow"',
            ],
            [(f"connect {example}:443", "allow")],
        )
    if learner.urls:
        lines += _block(
            [],
            [
                'id = "urls"',
                'event = ["http", "request"]',
                *_array(
                    "url", _commented({escaped(url): one for url, one in learner.urls.items()}, ("", ""))
                ),
                'action = "allow"',
            ],
            [],
        )
    lines += _address_rules(learner.addresses)
    sockets = folders(learner.sockets)
    if sockets:
        socket_example = _path_example(sockets)
        lines += _block(
            [],
            [
                'id = "sockets"',
                'event = ["connect", "bind", "send"]',
                *_array("path", _commented(sockets, ("socket", "sockets"))),
                'action = "allow"',
            ],
            [(f"connect {shlex.quote('unix:' + socket_example)}", "allow")] if socket_example else [],
        )
    lines += _block(
        [],
        [
            'id = "no-other-hosts"',
            'event = "network"',
            'host = "*"',
            'action = "deny"',
            'message = "No script has talked to this host so far."',
        ],
        [("connect not-seen-before.example:443", "deny")],
    )
    return lines + _block(
        [],
        [
            'id = "no-other-addresses"',
            'event = "network"',
            f"address = {json.dumps(list(_WORDS))}",
            'action = "deny"',
            'message = "No script has talked to this address so far."',
        ],
        [],
    )


def _address_rules(addresses: Seen) -> list[str]:
    """A rule for each set of ports, as a rule's conditions hold together."""
    groups: dict[tuple[str, ...], Seen] = {}
    for word, evidence in addresses.items():
        ports = () if "*" in evidence.ports or not evidence.ports else tuple(sorted(evidence.ports, key=int))
        groups.setdefault(ports, {})[word] = evidence
    lines: list[str] = []
    for number, (ports, group) in enumerate(sorted(groups.items()), 1):
        is_bare = any("/" in word for word in group)
        lines += _block(
            ["# An address without a name: who is that?"] if is_bare else [],
            [
                f'id = "addresses-{number}"' if len(groups) > 1 else 'id = "addresses"',
                'event = ["connect", "bind", "send", "http", "request"]',
                *_array("address", _commented(group, ("address", "addresses"))),
                *([f"port = [{', '.join(ports)}]"] if ports else []),
                'action = "allow"',
            ],
            _address_examples(group, ports),
        )
    return lines


def _address_examples(group: Seen, ports: tuple[str, ...]) -> list[tuple[str, str]]:
    usual = {"loopback": "127.0.0.1", "private": "10.0.0.1", "link-local": "169.254.1.1"}
    word = min(group)
    if word == "unix":
        return [("connect unix:@abstract", "allow")]
    address = usual.get(word, word.partition("/")[0])
    spelled = f"[{address}]" if ":" in address else address
    return [(f"connect {spelled}:{ports[0] if ports else 8080}", "allow")]


def _process_section(learner: Learner) -> list[str]:
    lines = ["# Other programs", ""]
    programs = {_program(name): evidence for name, evidence in learner.programs.items()}
    if programs:
        shells = sorted({"sh", "bash", "dash", "zsh", "cmd.exe"} & programs.keys())
        warning = [f"# {', '.join(shells)}: a shell can start everything else. Can the script do without?"]
        name = min(programs, key=lambda name: (not re.fullmatch(r"[A-Za-z0-9._+-]+", name), name))
        lines += _block(
            warning if shells else [],
            [
                'id = "programs"',
                'event = ["spawn", "exec"]',
                *_array("program", _commented(programs, ("", ""))),
                'action = "allow"',
            ],
            [(f"spawn {name}", "allow")] if re.fullmatch(r"[A-Za-z0-9._+-]+", name) else [],
        )
    if learner.forks:
        lines += _block([], ['id = "forks"', 'event = "fork"', 'action = "allow"'], [("fork", "allow")])
    event = '["spawn", "exec"]' if learner.forks else '"process"'
    return lines + _block(
        [],
        [
            'id = "no-other-programs"',
            f"event = {event}",
            'action = "deny"',
            'message = "No script has started this program so far."',
        ],
        [("spawn not-seen-before", "deny")],
    )


def _program(name: str) -> str:
    """A name that starts as a place would is no place."""
    is_name = "/" not in name and name[:1] in ("~", "$", ".")
    return f"[{name[0]}]{escaped(name[1:])}" if is_name else escaped(name)


def _import_section(learner: Learner) -> list[str]:
    lines = ["# Libraries", ""]
    if learner.distributions:
        name = min(learner.distributions)
        lines += _block(
            [],
            [
                'id = "libraries"',
                *_array("distribution", _commented(learner.distributions, ("module", "modules"))),
                'action = "allow"',
            ],
            [(f"import a_module from {name}==1.0", "allow")],
        )
    modules = {name: evidence for name, evidence in learner.modules.items() if name.isidentifier()}
    if modules:
        lines += _block(
            ["# Modules that no installed library has: the scripts' own, mostly."],
            [
                'id = "own-modules"',
                *_array("module", _commented(modules, ("module", "modules"))),
                'action = "allow"',
            ],
            [],
        )
    names = sorted(standard_library() | {"__main__", "__mp_main__"})
    lines += _block(
        ["# Python's own modules."],
        [
            'id = "standard-library"',
            *_wrapped("module", [*names, "_sysconfigdata_*", "__editable__*"]),
            'action = "allow"',
        ],
        [("import json", "allow")],
    )
    return lines + _block(
        [],
        [
            'id = "no-other-libraries"',
            'event = "import"',
            'action = "deny"',
            'message = "No script has used this library so far."',
        ],
        [("import not_seen_before", "deny")],
    )


_SECTIONS = {
    "read": lambda learner: _files_section(learner, "read"),
    "write": lambda learner: _files_section(learner, "write"),
    "network": _network_section,
    "process": _process_section,
    "import": _import_section,
}


def _block(comments: list[str], lines: list[str], examples: list[tuple[str, str]]) -> list[str]:
    block = [*comments, "[[rule]]", *lines, ""]
    for event, expected in examples:
        block += ["[[rule.example]]", f"event = {_text(event)}", f'expect = "{expected}"', ""]
    return block


def _commented(patterns: Seen, noun: tuple[str, str]) -> list[tuple[str, str]]:
    """Each pattern with what speaks for it, sorted."""
    return [(pattern, _evidence(pattern, patterns[pattern], noun)) for pattern in sorted(patterns)]


def _evidence(pattern: str, evidence: Evidence, noun: tuple[str, str]) -> str:
    scripts = _counted(len(evidence.scripts), ("script", "scripts"))
    things = sorted(evidence.things)
    if len(things) == 1 and (things[0] == pattern or not noun[0]):
        return f"by {scripts}"
    example = printable(things[0], 60)
    if len(things) == 1:
        return f"{example}, by {scripts}"
    return f"{_counted(len(things), noun)} by {scripts}, as {example}"


def _array(key: str, values: list[tuple[str, str]]) -> list[str]:
    if len(values) == 1 and not values[0][1]:
        return [f"{key} = {_text(values[0][0])}"]
    texts = [f"{_text(value)}," for value, _ in values]
    width = min(max(map(len, texts)), 48)
    lines = (
        f"    {text.ljust(width)}  # {comment}" if comment else f"    {text}"
        for text, (_, comment) in zip(texts, values)
    )
    return [f"{key} = [", *lines, "]"]


def _wrapped(key: str, values: list[str]) -> list[str]:
    import textwrap

    text = ", ".join(map(_text, values))
    lines = textwrap.wrap(text, 104, break_long_words=False, break_on_hyphens=False)
    return [f"{key} = [", *(f"    {line}" for line in lines), "]"]


def _text(value: str) -> str:
    if "\\" in value and "'" not in value:
        return f"'{value}'"
    return json.dumps(value, ensure_ascii=False)


def _path_example(patterns: Seen) -> str | None:
    """A path that one of the patterns matches and that can be written without doubt."""
    plain = [one for one in patterns if re.fullmatch(r"[~A-Za-z0-9/._ *-]+", one)]
    if not plain:
        return None
    pattern = min(plain, key=lambda one: (one.count("*"), one.startswith("**"), one))
    path = pattern + "x" if pattern.endswith("/") else pattern
    path = re.sub(r"\*+", "x", path)
    return path if path.startswith(("/", "~/")) else None


def _counted(count: int, noun: tuple[str, str]) -> str:
    return f"{count:,} {noun[0] if count == 1 else noun[1]}"


def _listed(things: Iterable[str]) -> str:
    shown = sorted(things)
    more = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
    return ", ".join(printable(thing, 60) for thing in shown[:5]) + more
