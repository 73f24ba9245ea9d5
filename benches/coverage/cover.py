"""Measures how much of what real libraries do gnomon sees, and what it says of the rest.

    python benches/coverage/cover.py [--only WORD] [--write] [--python PATH]

Needs strace, the network once (the libraries, a gigabyte, go into benches/coverage/.venv) and a PostgreSQL,
which is fetched where none is installed. Exits with 1 where an operation failed or did nothing, and where a
gnomon with its native source misses the goal or does not flag what it misses.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import loopback  # noqa: E402
from acts import Act, Names  # noqa: E402
from operations import OPERATIONS, Operation  # noqa: E402
from seen import Seen, seen  # noqa: E402
from truth import SYSTEM, Failed, truth  # noqa: E402

import gnomon  # noqa: E402
from interpreters import interpreter  # noqa: E402
from postgres import postgres  # noqa: E402

GOAL = 0.98
_DOCUMENT = ROOT / "docs" / "coverage.md"
_GNOMON = Path(gnomon.__file__).resolve().parent
# What a native source would be asked to tell that no audit event does.
_PROBE = "ctypes_calls"


@dataclass
class Row:
    """What was found of one operation."""

    operation: Operation
    true: set[Act]
    by: dict[str, Seen] = field(default_factory=dict)

    def missed(self, way: str) -> list[Act]:
        return sorted(self.true - self.by[way].acts)

    def is_flagged(self, way: str) -> bool:
        """Whether the receipt names the library."""
        return not self.by[way].flagged.isdisjoint(self.operation.modules)


@dataclass(frozen=True)
class Bench:
    """What all operations share: the libraries' interpreter, the servers, the files."""

    python: str
    folder: Path
    servers: dict[str, object]
    names: Names

    @property
    def place(self) -> Path:
        """Where the operations run. The same folder for each, made anew."""
        return self.folder / "place"

    def argv(self, operation: Operation) -> list[str]:
        return [self.python, str(HERE / "subject.py"), operation.name, json.dumps(self.servers)]

    def environment(self, **more: str) -> dict[str, str]:
        """Nothing of whoever runs this: no settings, no proxies, no home with files."""
        kept = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder / "home"),
            "LC_ALL": "C.UTF-8",
        }
        kept["MPLCONFIGDIR"] = str(self.folder / "settings")
        return {**kept, "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(self.folder / "tmp"), **more}

    def empty_place(self) -> None:
        for name in ("place", "home", "tmp"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / name).mkdir()
        shutil.copytree(self.folder / "template", self.place, dirs_exist_ok=True)

    def own(self) -> list[Path]:
        """What the interpreter reads of itself and its libraries, and how it comes to."""
        said = "import sys; print(sys.prefix); print(sys.base_prefix)"
        done = subprocess.run([self.python, "-c", said], capture_output=True, text=True, check=True)
        return [*map(Path, done.stdout.split()), HERE, _GNOMON, self.folder / "settings"]


def main() -> int:
    options = parse()
    python = libraries(options.python)
    chosen = [
        one
        for one in OPERATIONS.values()
        if not options.only or re.search(options.only, f"{one.library} {one.name}")
    ]
    with bench(python) as shared:
        ways = {"audit": "off"}
        if has_native(shared):
            ways["gnomon"] = "auto"
        rows = list(measured(shared, chosen, ways))
    about = conditions(python, list(ways))
    text = as_markdown(about, rows, list(ways))
    if options.write:
        _DOCUMENT.write_text(text)
        _DOCUMENT.with_suffix(".json").write_text(as_json(about, rows))
    print(as_json(about, rows) if options.json else text, end="")
    return verdict(rows, list(ways), len(chosen))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure how much of what real libraries do gnomon sees.")
    parser.add_argument("--only", metavar="PATTERN", help="operations whose library or name has this in it")
    parser.add_argument("--write", action="store_true", help="write docs/coverage.md and docs/coverage.json")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--python", metavar="PATH", help="a CPython 3.11 or 3.12 for the libraries")
    return parser.parse_args()


def libraries(python: str | None) -> str:
    """The interpreter of an environment that has the pinned libraries."""
    wanted = HERE / "requirements.txt"
    place = HERE / ".venv"
    found, stamp = place / "bin" / "python", place / "requirements.sha256"
    digest = hashlib.sha256(wanted.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return str(found)
    base = python or interpreter("3.11") or interpreter("3.12")
    if base is None:
        raise SystemExit("cannot install the libraries: no CPython 3.11 or 3.12 here\nhint: --python PATH")
    subprocess.run([base, "-m", "venv", "--clear", str(place)], check=True)
    install = [str(found), "-m", "pip", "install", "--quiet", "--only-binary", ":all:", "-r", str(wanted)]
    subprocess.run(install, check=True)
    stamp.write_text(digest)
    return str(found)


@contextlib.contextmanager
def bench(python: str) -> Iterator[Bench]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gnomon-coverage-")))
        (folder / "settings").mkdir()
        template = folder / "template"
        environment = {**os.environ, "MPLCONFIGDIR": str(folder / "settings")}
        subprocess.run([python, str(HERE / "place.py"), str(template)], check=True, env=environment)
        database = stack.enter_context(postgres())
        pair = {"certificate": template / "server.pem", "key": template / "server.key"}
        plain = stack.enter_context(loopback.files(template))
        secure = stack.enter_context(loopback.files(template, **pair))
        closing = stack.enter_context(loopback.hangs_up())
        servers: dict[str, object] = {
            "http": f"http://127.0.0.1:{plain}",
            "https": f"https://127.0.0.1:{secure}",
            "closing": closing,
            "pg_url": database.url,
            "pg_socket_folder": str(database.socket_folder),
        }
        ports = {plain: "http", secure: "https", closing: "closing", database.port: "postgresql"}
        folders = {folder / "place": "", folder / "home": "~/", folder / "tmp": "$TMPDIR/"}
        folders |= {database.socket_folder: "$PGHOST/"}
        yield Bench(python, folder, servers, Names(folders, ports))


def has_native(shared: Bench) -> bool:
    """Whether this gnomon has its native source."""
    shared.empty_place()
    found = recorded(shared, OPERATIONS[_PROBE], "auto", set())
    return "native" in found.sources


def measured(shared: Bench, chosen: list[Operation], ways: dict[str, str]) -> Iterator[Row]:
    own = shared.own()
    for number, operation in enumerate(chosen, 1):
        if sys.stderr.isatty():
            print(f"\r\033[K{number}/{len(chosen)} {operation.name}", end="", file=sys.stderr, flush=True)
        try:
            yield one_row(shared, operation, ways, own)
        except (Failed, subprocess.TimeoutExpired) as failure:
            print(f"\n{operation.name}: {failure}", file=sys.stderr)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)


def one_row(shared: Bench, operation: Operation, ways: dict[str, str], own: list[Path]) -> Row:
    shared.empty_place()
    with tempfile.TemporaryDirectory(dir=shared.folder) as traces:
        argv = shared.argv(operation)
        row = Row(operation, truth(argv, shared.place, shared.environment(), Path(traces), own, shared.names))
    for way, native in ways.items():
        shared.empty_place()
        row.by[way] = recorded(shared, operation, native, row.true)
    return row


def recorded(shared: Bench, operation: Operation, native: str, true: set[Act]) -> Seen:
    with tempfile.TemporaryDirectory(dir=shared.folder) as spool:
        environment = shared.environment(
            PYTHONPATH=str(_GNOMON / "bootstrap"), GNOMON_SPOOL=spool, GNOMON_NATIVE=native
        )
        done = subprocess.run(
            shared.argv(operation),
            cwd=shared.place,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if done.returncode:
            raise Failed(done.stderr.strip()[-600:])
        return seen(Path(spool), true, shared.place, shared.names)


def conditions(python: str, ways: list[str]) -> dict[str, str]:
    version = subprocess.run([python, "--version"], capture_output=True, text=True, check=True)
    return {
        "gnomon": importlib.metadata.version("gnomon"),
        "Python": version.stdout.split()[-1],
        "system": f"{platform.system()} {platform.machine()}, {' '.join(platform.libc_ver())}",
        "date": f"{datetime.date.today():%Y-%m-%d}",
        "sources": "audit and native" if "gnomon" in ways else "audit",
    }


@dataclass(frozen=True)
class Totals:
    """Sums over rows."""

    true: int
    seen: int
    flagged: int

    @property
    def missed(self) -> int:
        return self.true - self.seen

    @property
    def share(self) -> float:
        return self.seen / self.true if self.true else 1.0

    @staticmethod
    def of(rows: list[Row], way: str) -> Totals:
        flagged = sum(len(row.missed(way)) for row in rows if row.is_flagged(way))
        return Totals(sum(len(row.true) for row in rows), sum(len(row.by[way].acts) for row in rows), flagged)


_TITLES = {"audit": "audit events alone", "gnomon": "gnomon"}


def as_markdown(about: dict[str, str], rows: list[Row], ways: list[str]) -> str:
    last = ways[-1]
    lines = [
        "# What is seen of native libraries",
        "",
        "<!-- Written by benches/coverage/cover.py --write. -->",
        "",
        f"Measured on {about['date']}: gnomon {about['gnomon']}, CPython {about['Python']},",
        f"{about['system']}. Each operation ran in a fresh interpreter. The truth is what strace saw of it,",
        "without gnomon: files opened, listed, made, removed, renamed or linked, addresses connected to,",
        "bound or sent to, programs started, names looked up. What was done repeatedly counts once.",
        "",
        *summary(rows, ways),
        "",
        f"| library | operation | truth | {' | '.join(_TITLES[way] for way in ways)} | receipt flags |",
        f"|---|---|---|{'---|' * len(ways)}---|",
    ]
    for row in rows:
        counts = [str(len(row.by[way].acts)) for way in ways]
        flags = "yes" if row.is_flagged(last) else "**no**" if row.missed(last) else ""
        cells = [row.operation.library, row.operation.title, str(len(row.true)), *counts, flags]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", *missed(rows, last), "", *left_out(), "", *versions()]
    return "\n".join(lines) + "\n"


def summary(rows: list[Row], ways: list[str]) -> list[str]:
    lines = ["| | seen | of | | missed and flagged by the receipt |", "|---|---|---|---|---|"]
    for way in ways:
        all_of = Totals.of(rows, way)
        part = f"{all_of.flagged} of {all_of.missed}"
        lines.append(f"| {_TITLES[way]} | {all_of.seen} | {all_of.true} | {all_of.share:.1%} | {part} |")
    needless = sum(row.is_flagged(ways[-1]) and not row.missed(ways[-1]) for row in rows)
    return [*lines, "", f"The receipt also flags {needless} operations of which all was seen."]


def missed(rows: list[Row], way: str) -> list[str]:
    lines = [f"## What {_TITLES[way].replace('events alone', 'events do')} not see", ""]
    if way == "gnomon":
        lines[0] = "## What is not seen"
    for row in rows:
        if row.missed(way):
            acts = ", ".join(f"`{act}`" for act in row.missed(way))
            lines.append(f"- {row.operation.library}, {row.operation.title}: {acts}")
    return lines if len(lines) > 2 else [*lines, "Nothing of these operations."]


def left_out() -> list[str]:
    return [
        "## What does not count",
        "",
        "- What happens before the operation: the start of the interpreter, imports.",
        "- What the interpreter reads of itself and of its libraries.",
        "- Files that could not be opened: most are guesses at where something may be.",
        "- What the C library, the loader and the kernel's files are for, by these patterns:",
        *(f"  - `{pattern}`" for pattern in SYSTEM),
        "- The listing of the current folder, in which a Python that is started looks for modules.",
        "- The opening of a folder that is emptied and removed: its removal counts.",
        "- Connections of UDP sockets, by which the C library sorts the addresses of a name.",
        "- Changes of modes and times; bytes read and written.",
        "- What programs do that are not Python: that they were started counts.",
        "",
        "A name that is looked up shows to strace only as the reading of `/etc/hosts`: a record of a look-up",
        "or of that file counts as having seen it. What differs from run to run (ports, random parts of",
        "names) is put alike, and so are the certificates of the system.",
    ]


def versions() -> list[str]:
    pinned = (HERE / "requirements.txt").read_text().split()
    return ["## Versions", "", ", ".join(one.replace("==", " ") for one in pinned) + "."]


def as_json(about: dict[str, str], rows: list[Row]) -> str:
    told = [
        {
            "library": row.operation.library,
            "operation": row.operation.title,
            "name": row.operation.name,
            "truth": list(map(str, sorted(row.true))),
            **{
                way: {
                    "seen": len(found.acts),
                    "missed": list(map(str, row.missed(way))),
                    "is_flagged": row.is_flagged(way),
                }
                for way, found in row.by.items()
            },
        }
        for row in rows
    ]
    return json.dumps({"conditions": about, "operations": told}, indent=1) + "\n"


def verdict(rows: list[Row], ways: list[str], expected: int) -> int:
    """The exit code: what must hold, where there is a native source to hold it."""
    problems = [f"{row.operation.name} did nothing that counts" for row in rows if not row.true]
    if len(rows) != expected:
        problems.append(f"{expected - len(rows)} operations failed")
    if "gnomon" in ways:
        found = Totals.of(rows, "gnomon")
        if found.share < GOAL:
            problems.append(f"{found.share:.1%} seen, and the goal is {GOAL:.0%}")
        problems += [
            f"{row.operation.name} is not all seen and not flagged"
            for row in rows
            if row.missed("gnomon") and not row.is_flagged("gnomon")
        ]
    for problem in problems:
        print(f"coverage: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
