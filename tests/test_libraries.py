"""Real libraries against real servers on loopback: what they do is recorded, and nothing that they do not.

The programs in tests/programs/libraries say themselves what is expected, below the line that causes it:

    # > kind [detail] target [-> destination] [(distribution [via distribution])]
    # ? the same, of what may be recorded and need not be [-- why]
    # ~ the same, of what is recorded, but of nobody's line

A `*` matches anything, PORT is the server's, `~` the home directory, `$TMP` that of temporary
files. What is not expected fails the test; only imports may be more, as a library's dependencies change.
"""

from __future__ import annotations

import base64
import collections
import contextlib
import importlib.metadata
import os
import re
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from servers import http_api, mysql_server, redis_server
from watching import PROGRAMS, Ended, Kept, Record, armed, bare

LIBRARIES = (
    "aiohttp",
    "anthropic",
    "boto3",
    "flask",
    "httpx",
    "openai",
    "openpyxl",
    "pandas",
    "pymysql",
    "redis",
    "requests",
    "urllib3",
)

# Every secret in the programs, and here, has this shape.
SECRET = re.compile(rb"[a-z]+-(?:key|password|secret)-[0-9]{4}")
SECRETS = {
    "OPENAI_API_KEY": "sk-proj-openai-key-2750",
    "ANTHROPIC_API_KEY": "sk-ant-api03-anthropic-key-8113",
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/aws-secret-2201/bPxRfiCYEXAMPLEKEY",
    "AWS_SESSION_TOKEN": "aws-key-7302",
    "MYSQL_PASSWORD": "mysql-password-6049",
    "REDIS_PASSWORD": "redis-password-3318",
}
OTHER_SECRETS = (
    SECRETS["AWS_ACCESS_KEY_ID"].encode(),
    base64.b64encode(b"ann:basic-password-5512"),
    base64.b64encode(b"basic-password-5512"),
)


@dataclass(frozen=True)
class Row:
    """What is recorded of something, as the programs spell it; the line is None where it is nobody's."""

    line: int | None
    text: str
    libraries: str | None

    def __str__(self) -> str:
        libraries = f" ({self.libraries})" if self.libraries else ""
        return f"{self.line}: {self.text}{libraries}"

    def matches(self, found: Row) -> bool:
        return (
            found.line == self.line
            and _fits(found.text, self.text)
            and _fits(found.libraries or "", self.libraries or "")
        )


def _fits(text: str, pattern: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), text) is not None


def _expected(program: Path, port: str) -> tuple[list[Row], list[Row]]:
    """The rows that must be there, and those that may be."""
    must: list[Row] = []
    may: list[Row] = []
    above = 0
    for number, line in enumerate(program.read_text().splitlines(), 1):
        found = re.fullmatch(r"\s*# ([>?~]) (.*?)(?: \(([\w.*-]+(?: via [\w.-]+)?)\))?(?: -- .*)?", line)
        if found:
            mark, text, libraries = found.groups()
            row = Row(None if mark == "~" else above, text.replace("PORT", port), libraries)
            (may if mark == "?" else must).append(row)
        elif line.strip() and not line.lstrip().startswith("#"):
            above = number
    return must, may


def _row(record: Record, program: Path, places: dict[str, str]) -> Row:
    def short(path: str | None) -> str:
        for place, name in places.items():
            if path and path.startswith(place):
                return name + path[len(place) :]
        return path or ""

    words: list[str | None] = [record.kind, record.detail, record.access, short(record.target)]
    if record.kind in ("spawn", "exec"):
        words = [record.kind, *(record.argv or ())]
    if record.destination and record.kind != "import":
        words += ["->", short(record.destination)]
    assert record.file in (None, str(program)), f"not the program's line: {record.file}"
    libraries = " via ".join(filter(None, (record.distribution, record.via)))
    return Row(record.line, " ".join(word for word in words if word), libraries or None)


def _is_of_this_machine(record: Record) -> bool:
    """Whether a native library read a file of the system: OpenSSL's settings, certificates, fonts."""
    is_read = record.kind in ("open", "list") and record.access in (None, "read")
    return (
        is_read
        and record.source == "native"
        and (record.target or "").startswith(("/usr/", "/etc/", "/sys/"))
    )


@contextlib.contextmanager
def _server(library: str, folder: Path) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The address of the server that a library needs, and the HTTP requests that came there."""
    if library == "pymysql":
        with mysql_server("analyst", SECRETS["MYSQL_PASSWORD"], folder) as address:
            yield address, []
    elif library == "redis":
        with redis_server(SECRETS["REDIS_PASSWORD"], folder) as address:
            yield address, []
    else:
        with http_api() as (address, requests):
            yield address, requests


def _place(folder: Path, name: str) -> tuple[Path, dict[str, Any]]:
    """A directory to run in, and an environment."""
    place = folder / name
    for below in ("cwd/templates", "home", "tmp"):
        (place / below).mkdir(parents=True)
    (place / "cwd/orders.csv").write_text("currency,amount\nEUR,3\nUSD,4\n")
    (place / "cwd/templates/index.html").write_text("<p>Hello {{ name }}{% if name %}!{% endif %}</p>")
    # The settings of whoever runs the tests, and what a proxy of theirs could change.
    empty = dict.fromkeys(("NETRC", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"), "")
    return place, {
        **empty,
        **SECRETS,
        "AWS_DEFAULT_REGION": "eu-north-1",
        "HOME": str(place / "home"),
        "TMPDIR": str(place / "tmp"),
    }


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_leaves_what_it_does_and_no_secret(library: str, spool: Path, tmp_path: Path) -> None:
    if sys.version_info < (3, 10):
        pytest.skip("Python 3.9 raises no event for a request, and its libraries are old ones")
    pytest.importorskip(library, reason=f"{library} is not installed: pip install --group libraries")
    program = PROGRAMS / "libraries" / f"with_{library}.py"
    results: list[Ended] = []
    with _server(library, tmp_path) as (address, requests):
        argv = [sys.executable, str(program), address]
        place, environment = _place(tmp_path, "bare")
        results.append(bare(argv, cwd=place / "cwd", **environment).checked())
        requests.clear()
        place, environment = _place(tmp_path, "armed")
        results.append(armed(argv, spool, cwd=place / "cwd", **environment).checked())
    assert results[0] == results[1]

    kept = Kept(spool)
    (process,) = kept.processes()
    records = [
        record
        for record in kept.records()
        if record.kind not in ("process", "script", "blind") and not _is_of_this_machine(record)
    ]
    places = {f"{place}/cwd/": "", f"{place}/home/": "~/", f"{place}/tmp/": "$TMP/", f"{place}/": "$PLACE/"}
    found = list(dict.fromkeys(_row(record, program, places) for record in records))
    must, may = _expected(program, address.rpartition(":")[2])
    missing = [row for row in must if not any(row.matches(one) for one in found)]
    more = [
        one
        for one in found
        if not one.text.startswith("import ") and not any(row.matches(one) for row in (*must, *may))
    ]
    assert ([*map(str, missing)], [*map(str, more)]) == ([], [])

    libraries = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    for record in kept.records("import"):
        assert record.destination and record.destination.startswith(tuple(libraries))
        assert record.destination.endswith((".py", ".so")), "a module of this name was never loaded"

    # One record for each request that the server saw, of the clients whose requests are seen at all.
    asked = collections.Counter[tuple[str, str]]()
    for record in kept.records("http"):
        if record.target and record.target.startswith(address):
            asked[record.detail or "", record.target.removeprefix(address)] += record.count
    assert not asked or sum(asked.values()) == len(requests)

    installed = {pair for pairs in process.distributions.values() for pair in pairs}
    for name in {record.distribution for record in records} - {None}:
        assert (name, importlib.metadata.version(str(name))) in installed
    assert (kept.faults(), kept.lost()) == ([], {})
    _assert_no_secret_in(spool)


def _assert_no_secret_in(spool: Path) -> None:
    for folder, _, names in os.walk(spool):
        for name in names:
            content = (Path(folder) / name).read_bytes()
            assert SECRET.findall(content) == []
            assert [secret for secret in OTHER_SECRETS if secret in content] == []
