"""One operation that both sources tell of is one record. What calls alone tell is here, with a reason."""

from __future__ import annotations

import fnmatch
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from watching import Kept, Record, armed, program

WAYS = re.findall(r"^def (\w+)\(\):$", Path(program("every_way.py")).read_text(), re.MULTILINE)
HELPERS = {"folder", "work"}

NO_EVENT = "Python raises no event for it"
BY_NAME = "an event tells the name, and not that it is looked up"
BY_SQLITE = "SQLite's own doing"
JOURNAL = [("open", "{}-journal"), ("open", "."), ("delete", "{}-journal")]
TRACKER = ("spawn", "*/python*")
# 3.9 forks, and between fork and exec no process is begun.
FORKED = "multiprocessing starts its children without an event before 3.14"

# What only the calls tell: the operation, the first and last version, why, and (kind, target).
Row = tuple[str, tuple[int, int], str, list[tuple[str, str]]]
ONLY_CALLS: list[Row] = [
    ("makes_fifo", (9, 99), NO_EVENT, [("open", "fifo")]),
    ("makes_node", (9, 99), NO_EVENT, [("open", "node")]),
    ("makes_below", (9, 99), NO_EVENT, [("open", "folder/fifo")]),
    ("connects_by_name_only", (9, 99), BY_NAME, [("resolve", "localhost")]),
    ("binds_in_every_way", (9, 99), BY_NAME, [("resolve", "localhost")]),
    ("sends_datagrams", (9, 99), BY_NAME, [("resolve", "localhost")]),
    (
        "http_requests",
        (9, 9),
        NO_EVENT,
        [("http", "http://*/"), ("http", "http://*/a?b=c"), ("http", "http://*/x")],
    ),
    ("urls_by_tunnel", (9, 9), NO_EVENT, [("http", "https://name.invalid")]),
    ("shares_memory", (9, 99), NO_EVENT, [("open", "/dev/shm/psm_*"), ("delete", "/dev/shm/psm_*")]),
    ("shares_memory", (10, 13), FORKED, [TRACKER]),
    ("opens_by_both", (9, 99), "ctypes calls what it likes", [("open", "made"), ("spawn", "/bin/sh")]),
    ("locks", (9, 99), NO_EVENT, [("open", "/dev/shm/sem.mp-*")]),
    ("starts_by_spawn", (10, 13), FORKED, [TRACKER]),
    ("starts_by_server", (10, 13), FORKED, [TRACKER]),
    (
        "starts_what_is_no_text",
        (10, 99),
        "an event tells of it before the object is asked for its path; 3.9 forks",
        [("spawn", "/bin/true")],
    ),
    (
        "sqlite_attaches",
        (9, 99),
        BY_SQLITE,
        [
            (kind, target.format(name))
            for name in ("one.db", "two.db", "three.db")
            for kind, target in (JOURNAL if name == "one.db" else [("open", "{}"), *JOURNAL])
        ],
    ),
    (
        "sqlite_backs_up",
        (9, 99),
        BY_SQLITE,
        [(kind, target.format(name)) for name in ("one.db", "two.db") for kind, target in JOURNAL],
    ),
    ("sqlite_fails", (9, 99), "SQLite tries once more, to read", [("open", "missing/data.db")]),
    (
        "system_databases",
        (13, 99),
        BY_SQLITE,
        [("open", "dbm.sqlite3-*"), ("open", "."), ("delete", "dbm.sqlite3-*")],
    ),
]
# Where the interpreter has these libraries, and the machine these files.
MAY_BE: dict[str, list[tuple[str, str]]] = {
    "*": [
        ("open", "*/openssl.cnf"),  # libcrypto, when it is loaded
        ("open", "*/cert*"),  # a TLS context reads whom it trusts
        ("list", "*/certs"),
        ("open", "*/ca-certificates.crt"),
        ("open", "/proc/*/maps"),  # libffi 3.4 and later looks for itself
        ("open", "*/libffi.so*"),
    ],
    "remembers_lines": [  # readline reads and writes by itself
        ("open", "*terminfo*"),
        ("open", "*inputrc"),
        ("open", "history"),
        ("open", "own.py"),
        ("chown", "history"),
        ("rename", "*history*"),
    ],
    "asks_for_unique_names": [  # libuuid
        ("connect", "/run/uuidd/request"),
        ("open", "/var/lib/libuuid/clock.txt"),
    ],
    "system_databases": [("open", "*dbm.*"), ("chown", "*dbm.*"), ("rename", "*dbm.*")],
}

# Why an operation that an audit event told, of a kind that calls tell too, may not have reached a call.
ONLY_EVENTS: dict[str, tuple[str, set[str]]] = {
    "opens_by_both": ("the file is open already", {"open"}),
    "opens_descriptor_twice": ("the file is open already", {"open"}),
    "opens_by_opener": ("the opener opens it", {"open"}),
    "opens_elsewhere_by_opener": ("the opener opens it", {"open"}),
    "changes_descriptors": ("by descriptor", {"chmod", "chown", "utime", "truncate", "xattr"}),
    "lists_descriptor": ("by descriptor", {"list"}),
    "walks_by_descriptor": ("by descriptor", {"list"}),
    "makes_temporary": ("the file is open already", {"open"}),
    "writes_bytecode": ("the file is open already", {"open"}),
    "shares_memory": ("by descriptor", {"truncate"}),
    "binds_in_every_way": ("an address without a name is no file", {"bind"}),
    "resolves_in_every_way": ("a name that cannot be encoded", {"resolve"}),
}
# A child that took another program's place cannot say what came of it; a request is told before it is sent.
NOT_ANSWERED = ("spawn", "exec", "http", "request", "copy", "database")


def _minor(python: str) -> int:
    return int(Path(python).name.rpartition(".")[2])


def _place(record: Record, folder: Path) -> tuple[str, str]:
    target = record.target or ""
    return record.kind, os.path.relpath(target, folder) if target.startswith(str(folder)) else target


def _is(found: tuple[str, str], expected: tuple[str, str]) -> bool:
    return found[0] == expected[0] and fnmatch.fnmatchcase(found[1], expected[1])


def _run(way: str, python: str, folder: Path) -> list[str]:
    """What is not as it is said here, in words."""
    spool, subject = folder / "spool", folder / "cwd/deeper"
    spool.mkdir(parents=True, mode=0o700)
    subject.mkdir(parents=True)
    # Debug builds warn of what is left open.
    done = armed([python, "-Wignore", program("every_way.py"), way], spool, cwd=subject)
    kept = Kept(spool)
    wrong = [f"{way}: {text}" for text in (done.stderr.decode(), kept.faults(), kept.lost()) if text]
    records = list(kept.records())
    begun = next(at for at, record in enumerate(records) if record.target == str(subject / "started"))
    by_calls = {_place(record, subject) for record in records[begun + 1 :] if record.source == "native"}
    by_calls -= {one for one in by_calls if one[0] == "blind"}
    rows = [row for row in ONLY_CALLS if row[0] == way and row[1][0] <= _minor(python) <= row[1][1]]
    expected = [one for row in rows for one in row[3]]
    allowed = [*expected, *MAY_BE["*"], *MAY_BE.get(way, [])]
    wrong += [
        f"{way}: {one} is told by a call alone" for one in by_calls if not any(_is(one, it) for it in allowed)
    ]
    wrong += [f"{way}: {it} is not told" for it in expected if not any(_is(one, it) for one in by_calls)]
    unanswered = {
        record.kind
        for record in records[begun + 1 :]
        if record.source == "audit" and record.kind not in NOT_ANSWERED and record.kind in ANSWERED
    }
    unanswered -= ONLY_EVENTS.get(way, ("", set()))[1]
    return wrong + [f"{way}: {kind} has not reached a call" for kind in unanswered]


ANSWERED = (
    *("open", "delete", "rename", "mkdir", "link", "symlink", "chmod", "truncate", "chown", "utime", "xattr"),
    *("list", "resolve", "connect", "bind", "send"),
)


def test_what_both_tell_is_one_record(python: str, tmp_path: Path) -> None:
    ways = [way for way in WAYS if way not in HELPERS]
    assert {row[0] for row in ONLY_CALLS} | set(ONLY_EVENTS) <= set(ways)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda way: _run(way, python, tmp_path / way), ways))
    wrong = [text for texts in found for text in texts]
    assert not wrong, "\n".join(wrong)
