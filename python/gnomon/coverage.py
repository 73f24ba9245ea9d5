"""The coverage receipt: what a recording proves, and what it could not see.

Tables of facts, and what the records say of them. A table names only what changes an answer: what CPython's
audit events leave out by version, native libraries that act without one, clients of which only the
connection shows. What watching native code closes counts only for the processes in which it was watched.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime

from . import Fault, Process, Record
from .blindness import examined
from .causes import whole_of
from .descent import Node, walk
from .finding import Finding
from .startup import HookFinding
from .text import command_line, printable
from .verdicts import PolicyState

_SHOWN = 6
# The script by which `gnomon attach` comes into a process: an event that the record begins with.
_ATTACHMENT = re.compile(r".*/gnomon-attach-\d+-\d+-[0-9a-f]{16}/attach\.py", re.DOTALL)


@dataclass(frozen=True)
class Limit:
    """An audit event that CPython raises only since some version.

    Attributes:
        event: Its name.
        since: The first version that raises it, as in `3.14`.
        means: What is not known where it is missing.
        is_seen_natively: It is known all the same where native code is watched.
    """

    event: str
    since: str
    means: str
    is_seen_natively: bool = False


# CPython's own table is in its documentation ("Audit events table"); these were looked for in the builds.
LIMITS = (
    Limit(
        "http.client.send",
        "3.10",
        "requests of http.client, urllib3 and requests show as connections only",
        is_seen_natively=True,
    ),
    Limit(
        "_posixsubprocess.fork_exec",
        "3.14",
        "children started by multiprocessing are known by their own records only",
        is_seen_natively=True,
    ),
    Limit(
        "ctypes.call_function",
        "3.14",
        "of ctypes, which library was loaded and which function looked up, and no call",
    ),
)

# What is not seen in any process.
NEVER_RAISED = (
    "connections that others make to a port that was opened here",
    "what programs that are no Python do: only their command line is known",
)
# What is not seen where native code is watched: code that is not recognised as such.
UNRECOGNISED = (
    "system calls of code that is made while the program runs, or takes their numbers from elsewhere",
)
# What is not seen where native code is not watched.
UNWATCHED = (
    "the bytes that are read, written, sent and received, and whether an operation succeeded",
    "files that OpenSSL, SQLite (ATTACH, VACUUM INTO) and readline open by themselves",
    "what native libraries do by themselves",
)

# Why native code is not watched, by what the process says of it.
_ABSENCES = {
    "off": "switched off",
    "unsupported": "not supported on this system",
    "failed": "the C library's calls could not be redirected",
    "unknown": "recorded by an older gnomon",
}

_FILES, _NETWORK, _PROGRAMS = "files", "network", "programs"
_ONLY_FILES = """
    apsw av cv2 datatable faiss fastavro fitz fiona h5py igraph lightgbm llama_cpp lmdb lxml netCDF4
    onnxruntime osgeo plyvel pymupdf pyogrio pypdfium2 pyreadstat python_calamine rasterio rdkit safetensors
    sentencepiece tables tokenizers vtk xgboost
"""
_ONLY_NETWORK = """
    MySQLdb _mysql_connector aiodns confluent_kafka curl_cffi cx_Oracle grpc gssapi ibm_db ldap primp
    psycopg_binary psycopg_c psycopg2 pycares pycurl pymqi pymssql tls_client uamqp zmq
"""
_FILES_AND_NETWORK = """
    adbc_driver_flightsql adbc_driver_postgresql adbc_driver_snowflake connectorx datafusion deltalake duckdb
    _duckdb lance polars pyarrow pygit2 pyodbc tensorflow torch turbodbc
"""
# Native libraries that can act without an audit event, by the module that loads them: where native code is
# watched, no names are needed.
_NATIVE: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_ONLY_FILES.split(), (_FILES,)),
    **dict.fromkeys(_ONLY_NETWORK.split(), (_NETWORK,)),
    **dict.fromkeys(_FILES_AND_NETWORK.split(), (_FILES, _NETWORK)),
    **dict.fromkeys(("uvloop", "gevent"), (_NETWORK, _PROGRAMS)),
    **dict.fromkeys(("cffi", "jpype", "ray"), (_FILES, _NETWORK, _PROGRAMS)),
}
# Clients that speak HTTP over sockets of their own.
_CONNECTIONS_ONLY = frozenset(
    ("aiohttp", "h2", "httpx", "httpx2", "tornado", "twisted", "websocket", "websockets")
)
# What makes their connections, where that is a distribution of its own.
_CLIENT_OF = {
    "aiohappyeyeballs": "aiohttp",
    "httpcore": "httpx",
    "httpcore2": "httpx2",
    "websocket_client": "websocket",
}
_CONNECTIONS_ONLY_39 = frozenset(("botocore", "requests", "urllib3"))


@dataclass(frozen=True)
class Late:
    """A process that ran already when its recording began, at `since`, in nanoseconds since 1970."""

    pid: int
    since: int

    def sentence(self) -> str:
        """For a person."""
        since = f"{datetime.fromtimestamp(self.since / 1e9):%Y-%m-%d %H:%M:%S}"
        return f"recorded since {since}, what it did before is not known: {_pids([self.pid])}"


@dataclass(frozen=True)
class Silent:
    """Pythons that were started and did not report."""

    argv: list[str]
    count: int
    reason: str


@dataclass(frozen=True)
class Blind:
    """Something that can act unseen, though native code is watched.

    Attributes:
        name: The library, as people call it, or the file's name; `io_uring`.
        paths: The shared objects.
        reason: `go` (a Go runtime), `system calls` (of its own), `not redirected`, `not examined`, or
            `io_uring`.
        detail: Which system calls; why it is not redirected; how much code it has; who set up the ring.
    """

    name: str
    paths: tuple[str, ...]
    reason: str
    detail: str

    def sentence(self) -> str:
        """The same for a person."""
        name, detail = printable(self.name, 60), printable(self.detail, 100)
        if self.reason == "io_uring":
            return f"an io_uring{f' set up by {detail}' if detail else ''}"
        words = {
            "go": "Go runtime",
            "system calls": f"system calls of its own: {detail}",
            "not redirected": f"its calls could not be redirected: {detail}",
            "not examined": f"not examined: {detail}",
        }
        return f"{name} ({words.get(self.reason, self.reason)})"


@dataclass(frozen=True)
class Forged:
    """A process that says to be of a user that its files do not belong to."""

    pid: int
    uid: int
    user: str
    owner_uid: int | None

    def sentence(self) -> str:
        """The same for a person."""
        who = f"user {self.uid}" + (f" ({printable(self.user, 40)})" if self.user else "")
        if self.uid == self.owner_uid:
            return f"pid {self.pid} of {who}: another user has segments of the same process"
        return f"pid {self.pid} says to be of {who}, and its files belong to user {self.owner_uid}"


class Blindness:
    """Gathers what can act unseen, record by record."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[dict[str, None], dict[str, None]]] = {}

    def add(self, record: Record) -> None:
        """Takes one more record of kind `blind`."""
        path, said = record.target or "?", examined(record)
        if said is None:
            return
        owner = whole_of(record.distribution) if record.distribution else ""
        reason, _, detail = said.partition(": ")
        if reason == "io_uring":
            name, detail = "io_uring", owner or os.path.basename(record.object or "")
        else:
            name = owner or os.path.basename(path)
        paths, details = self._found.setdefault((name, reason), ({}, {}))
        if reason != "io_uring":
            paths[path] = None
        for word in detail.split(" ") if reason == "system calls" else filter(None, [detail]):
            details[word] = None

    def found(self) -> list[Blind]:
        """What was gathered, by name."""
        return [
            Blind(name, tuple(paths), reason, (" " if reason == "system calls" else ", ").join(details))
            for (name, reason), (paths, details) in sorted(self._found.items())
        ]


@dataclass(frozen=True)
class Receipt:
    """What a recording proves and what it could not see.

    Attributes:
        hook_proven: Processes in which an event raised on purpose reached the hook.
        hook_refused: Pids of those in which it did not: nothing of them is recorded.
        hook_unknown: Processes that an older gnomon recorded, which did not say.
        pythons: Recorded interpreters by version.
        not_raised: For each version the events that it does not raise, and what is not known therefore.
        never_raised: What is not seen in any of these processes, or only in some of them.
        native_source: Processes by whether native code was watched in them: `on`, `off`, `unsupported`,
            `failed`, `unknown` where an older gnomon recorded.
        unwatched: Pids of those in which it was not, by the same words.
        blind: What can act unseen in the others.
        lost: Records lost, by reason.
        native: Native libraries that were loaded where native code was not watched, and what they can do.
        connections_only: Clients that were loaded, and made connections of which no request shows.
        silent: Pythons that were started and did not report.
        unended: Pids of those that ended without a word: killed, crashed, or left by `os._exit`.
        running: Pids of those that still run.
        faults: What could not be read of the spool.
        torn: Records that were being written when their process died.
        policies: Those that were not in force as they were meant to.
        evasion: Signs that a program got rid of gnomon, or tried to.
        startup: What is to be said of the files that ran before the programs: those that execute code and
            belong to no distribution, and those that are new or changed.
        forged: Who says to be of another user than its files belong to: pid, user, owner.
        missing: Segments that are missing from the spool or are not what they were, by what happened to them.
        evicted: Segments that `gnomon keep` removed, by reason.
        attached: Those that ran already when their recording began.
    """

    hook_proven: int = 0
    hook_refused: list[int] = field(default_factory=list)
    hook_unknown: int = 0
    pythons: dict[str, int] = field(default_factory=dict)
    not_raised: dict[str, dict[str, str]] = field(default_factory=dict)
    never_raised: tuple[str, ...] = NEVER_RAISED
    native_source: dict[str, int] = field(default_factory=dict)
    unwatched: dict[str, list[int]] = field(default_factory=dict)
    blind: list[Blind] = field(default_factory=list)
    lost: dict[str, int] = field(default_factory=dict)
    native: dict[str, tuple[str, ...]] = field(default_factory=dict)
    connections_only: list[str] = field(default_factory=list)
    silent: list[Silent] = field(default_factory=list)
    unended: list[int] = field(default_factory=list)
    running: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    torn: int = 0
    policies: list[PolicyState] = field(default_factory=list)
    evasion: list[Finding] = field(default_factory=list)
    startup: list[HookFinding] = field(default_factory=list)
    forged: list[Forged] = field(default_factory=list)
    missing: dict[str, int] = field(default_factory=dict)
    evicted: dict[str, int] = field(default_factory=dict)
    attached: list[Late] = field(default_factory=list)

    @property
    def unenforced(self) -> list[PolicyState]:
        """The policies that a process was not under, though it should have been."""
        return [policy for policy in self.policies if not policy.is_replacement]

    @property
    def is_complete(self) -> bool:
        """Whether nothing is known to be missing but what no recording has (`never_raised`)."""
        return not self._gaps()

    def as_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {"is_complete": self.is_complete, **asdict(self)}

    def sentences(self) -> list[str]:
        """The receipt for a person; one sentence where all is well."""
        gaps = self._gaps()
        if gaps:
            return gaps
        named = {1: "the one Python", 2: "both Pythons"}
        where = named.get(self.hook_proven, f"all {self.hook_proven} Pythons")
        return [f"complete: events and native calls were proven to arrive in {where}, and none was lost"]

    def _gaps(self) -> list[str]:
        said: list[str] = []
        if not self.pythons:
            said.append("nothing was recorded: no Python was started that gnomon could get into")
        if self.hook_refused:
            said.append(f"not recorded, as another audit hook refused gnomon's: {_pids(self.hook_refused)}")
        if self.hook_unknown:
            said.append(
                f"recorded by an older gnomon, which did not prove its hook: {self.hook_unknown} processes"
            )
        said += [policy.sentence() for policy in self.policies]
        if self.evasion:
            said.append(f"signs of evasion: {'; '.join(finding.sentence for finding in self.evasion)}")
        said += self._tampering()
        said += [late.sentence() for late in self.attached]
        said += self._silence()
        said += self._blindness()
        if self.connections_only:
            clients = _some(self.connections_only)
            said.append(f"seen as connections, without what was asked for: {clients}")
        said += [f"{count:,} records lost: {reason}" for reason, count in self.lost.items()]
        if self.unended:
            said.append(f"ended without a word, as a killed process does: {_pids(self.unended)}")
        if self.running:
            said.append(f"still running: {_pids(self.running)}")
        said += [f"could not be read: {printable(fault)}" for fault in self.faults[:_SHOWN]]
        if len(self.faults) > _SHOWN:
            said.append(f"could not be read: {len(self.faults) - _SHOWN:,} more files")
        return said

    def _tampering(self) -> list[str]:
        """What somebody may have done to the records."""
        said = []
        if self.forged:
            said.append(f"forged: {_some([forged.sentence() for forged in self.forged], '; ')}")
        if self.missing:
            words = _and([f"{count:,} {word}" for word, count in sorted(self.missing.items())])
            said.append(f"segments are not as they were sealed: {words} (`gnomon verify` names them)")
        if self.evicted:
            words = _and([f"{count:,} by {reason}" for reason, count in sorted(self.evicted.items())])
            said.append(f"removed by `gnomon keep`: {words}")
        return said

    def _blindness(self) -> list[str]:
        """What native code may have done unseen."""
        said = []
        for word, pids in self.unwatched.items():
            if word == "unknown" and self.hook_unknown:
                continue  # that has been said
            is_everywhere = len(pids) == sum(self.native_source.values())
            where = "" if is_everywhere else f" in {_pids(pids)}"
            said.append(f"native code was not watched{where}: {absence(word)}")
        if self.native:
            names = [f"{name} ({_and(can)})" for name, can in sorted(self.native.items())]
            said.append(f"may have acted unseen, being native: {_some(names)}")
        if self.blind:
            said.append(unseen(self.blind))
        return said

    def _silence(self) -> list[str]:
        """One sentence for each reason."""
        by_reason: dict[str, list[Silent]] = {}
        for silent in self.silent:
            by_reason.setdefault(silent.reason, []).append(silent)
        said = []
        for reason, silents in by_reason.items():
            count = sum(silent.count for silent in silents)
            argv = silents[0].argv
            line = printable(command_line([argv[0].rpartition("/")[2], *argv[1:]]), 50)
            which = f"`{line}`" if count == 1 else f"{count} Pythons, as `{line}`"
            said.append(f"not recorded: {which}: {printable(reason)}")
        return said


def _pids(pids: list[int]) -> str:
    return f"pid {_some([str(pid) for pid in pids])}"


def _some(names: list[str], between: str = ", ") -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return between.join(names[:_SHOWN]) + more


def _and(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def version_of(text: str) -> tuple[int, int]:
    """`3.12.1` as (3, 12)."""
    major, _, rest = text.partition(".")
    minor = rest.partition(".")[0]
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (3, 0)


def limits(python: str) -> list[Limit]:
    """What this version of CPython raises no event for, and later ones do."""
    return [limit for limit in LIMITS if version_of(python) < version_of(limit.since)]


def _clients(loaded: set[str], connected_by: set[str]) -> list[str]:
    """Those clients that connected; all that were loaded, where that cannot be told."""
    named = loaded & {_CLIENT_OF.get(name, name).lower() for name in connected_by}
    if not connected_by:
        return []
    return sorted(loaded if "" in connected_by or not named else named)


def is_attachment(record: Record) -> bool:
    """Whether it says that `gnomon attach` came into its process."""
    is_script = record.kind == "tamper" and record.target == "cpython.remote_debugger_script"
    return is_script and _ATTACHMENT.fullmatch(record.detail or "") is not None


def unseen(blind: list[Blind]) -> str:
    """A sentence that names what can act unseen."""
    return f"can act unseen: {_some([one.sentence() for one in blind])}"


def absence(state: str) -> str:
    """Why native code is not watched, for a person."""
    return _ABSENCES.get(state, printable(state))


def native_state(process: Process) -> str:
    """Whether native code is watched in it, in a word."""
    return process.native or "unknown"


def receipt(
    processes: list[Process],
    *,
    modules: set[str],
    unwatched_modules: set[str],
    blind: list[Blind],
    connected_by: set[str],
    nodes: Iterable[Node],
    executed: set[str],
    faults: list[Fault],
    policies: list[PolicyState],
    evasion: list[Finding],
    startup: list[HookFinding],
    missing: dict[str, int] | None = None,
    evicted: dict[str, int] | None = None,
    attached: set[str],
) -> Receipt:
    """Puts the receipt together.

    Args:
        processes: The recorded interpreters.
        modules: The modules that were loaded, as imports name them.
        unwatched_modules: Those of them that were loaded where native code was not watched.
        blind: What can act unseen.
        connected_by: The distributions that made connections of which no request shows, empty text for one of
            none; without a connection no client did anything.
        nodes: The tree of programs.
        executed: Ids of processes that became another program.
        faults: What could not be read.
        policies: Those that were not in force as they were meant to.
        evasion: Signs that a program got rid of gnomon, or tried to.
        startup: What is to be said of the files that ran before the programs.
        missing: Segments that are missing or are not what they were, by what happened to them.
        evicted: Segments that were removed, by reason.
        attached: Ids of processes that ran already when their recording began.
    """
    pythons: dict[str, int] = {}
    for process in processes:
        pythons[process.python] = pythons.get(process.python, 0) + 1
    watched = [process for process in processes if process.hook_proven is not False]
    unwatched: dict[str, list[int]] = {}
    native_source: dict[str, int] = {}
    for process in watched:
        state = native_state(process)
        native_source[state] = native_source.get(state, 0) + 1
        if state != "on":
            unwatched.setdefault(state, []).append(process.pid)
    blind_pythons = {process.python for process in processes if native_state(process) != "on"}
    not_raised = {
        version: {
            limit.event: limit.means
            for limit in limits(version)
            if version in blind_pythons or not limit.is_seen_natively
        }
        for version in sorted(pythons)
    }
    oldest = min(map(version_of, pythons), default=(3, 99))
    clients = _CONNECTIONS_ONLY | (_CONNECTIONS_ONLY_39 if oldest < (3, 10) else frozenset())
    loaded = unwatched_modules & _NATIVE.keys()
    native = {name: _NATIVE[name] for name in loaded if name.lstrip("_") not in loaded - {name}}
    lost: dict[str, int] = {}
    for process in processes:
        for reason, count in process.lost.items():
            lost[reason] = lost.get(reason, 0) + count
    refused = [process.pid for process in processes if process.hook_proven is False]
    without_end = [
        process
        for process in processes
        if process.ended is None and process.hook_proven is not False and process.id not in executed
    ]
    running = {process.id for process in without_end if is_running(process)}
    return Receipt(
        hook_proven=sum(process.hook_proven is True for process in processes),
        hook_refused=refused,
        hook_unknown=sum(process.hook_proven is None for process in processes),
        pythons=pythons,
        not_raised=not_raised,
        never_raised=(
            *NEVER_RAISED,
            *(UNRECOGNISED if "on" in native_source else ()),
            *(UNWATCHED if unwatched or not watched else ()),
        ),
        native_source=native_source,
        unwatched=unwatched,
        blind=blind,
        lost=lost,
        native=native,
        connections_only=_clients(modules & clients, connected_by),
        silent=[
            Silent(node.argv, node.count, node.reason or "") for node in walk(nodes) if node.state == "silent"
        ],
        unended=[
            process.pid
            for process in without_end
            if process.id not in running and not process.forked  # multiprocessing ends its children so
        ],
        running=[process.pid for process in without_end if process.id in running],
        faults=[f"{fault.path}:{fault.offset}: {fault.kind}" for fault in faults if fault.severity != "torn"],
        torn=sum(fault.severity == "torn" for fault in faults),
        policies=policies,
        evasion=evasion,
        startup=startup,
        forged=[
            Forged(process.pid, process.uid, process.user, process.owner_uid)
            for process in processes
            if process.is_forged
        ],
        missing=missing or {},
        evicted=evicted or {},
        attached=[Late(process.pid, process.started) for process in processes if process.id in attached],
    )


def is_running(process: Process) -> bool:
    """Whether the process still runs on this machine; false where that cannot be told."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            is_this_boot = file.read().strip() == process.boot
        with open(f"/proc/{process.pid}/stat", "rb") as file:
            # proc(5): the name in the second field may hold brackets; the start is the 22nd field.
            ticks = file.read().rpartition(b")")[2].split()[19]
    except (OSError, IndexError):
        return False
    return is_this_boot and int(ticks) == process.started_ticks
