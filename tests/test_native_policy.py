"""Policies hold for what native code does: live, in interpreters of every version."""

from __future__ import annotations

import collections
import json
import os
import select
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from commands import gnomon
from obeying import policy, under
from watching import Kept, Record, armed_environment, program

DENIES = """
[[rule]]
id = "files"
path = "{root}/protected/"
action = "deny"

[[rule]]
id = "commands"
argv = ["*/forbidden*", "*multiprocessing*"]
action = "deny"

[[rule]]
id = "programs"
program = "{root}/forbidden"
action = "deny"

[[rule]]
id = "names"
event = "connect"
host = "localhost"
action = "deny"

[[rule]]
id = "hosts"
host = ".denied.example"
action = "deny"

[[rule]]
id = "addresses"
event = ["connect", "send"]
address = "127.0.0.2"
action = "deny"

[[rule]]
id = "listening"
event = "bind"
address = "127.0.0.3"
action = "deny"
"""


def protected(root: Path) -> Path:
    """A folder for the subjects, with something that a policy protects."""
    (root / "protected/empty").mkdir(parents=True)
    (root / "protected/secret.txt").write_text("secret")
    (root / "public.txt").write_text("public")
    (root / "link").symlink_to(root / "protected/secret.txt")
    (root / "folder").symlink_to(root / "protected")
    (root / "forbidden").write_text(f"#!/bin/sh\ntouch {root}/protected/mark\n")
    (root / "forbidden").chmod(0o755)
    sqlite3.connect(root / "protected/data.db").execute("create table t (x)").connection.close()
    return root


def contents(root: Path) -> list[tuple[str, int, int]]:
    return sorted(
        (str(path), path.lstat().st_mode, path.lstat().st_size)
        for path in root.rglob("*")
        if "__pycache__" not in path.parts
    )


def rule(action: str, path: Path | str, more: str = "") -> str:
    return f'[[rule]]\nid = "{action}"\npath = "{path}"\naction = "{action}"\n{more}\n'


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.txt"
    path.write_text("secret")
    return path


def native(spool: Path, *kinds: str) -> list[Record]:
    return [record for record in Kept(spool).records(*kinds) if record.source == "native" and record.rule]


def test_a_refused_call_fails_as_the_function_does(python: str, tmp_path: Path, spool: Path) -> None:
    root = protected(tmp_path / "subject")
    before = contents(root)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "protected/socket"))
        server.listen()
        done = under(
            policy(DENIES.format(root=root), tmp_path),
            [python, program("is_denied_natively.py")],
            spool,
            cwd=root,
        ).checked()
    (root / "protected/socket").unlink()
    unlike = {name: found for name, found in json.loads(done.stdout).items() if found != "done: refused"}
    assert (unlike, done.stderr) == ({}, b"")
    assert contents(root) == before
    records = native(spool)
    assert {(record.outcome, record.verdict) for record in records} == {("denied", "deny")}
    assert not Kept(spool).damage() and not Kept(spool).lost()


def test_what_is_observed_happens(a_python: str, tmp_path: Path, spool: Path) -> None:
    root = protected(tmp_path / "subject")
    harmless = ["open", "fopen", "opendir", "chmod", "connect", "bind", "system", "mkstemp"]
    command = [a_python, program("is_denied_natively.py"), *harmless]
    observed = 'mode = "observe"\n' + DENIES.format(root=root)
    done = under(policy(observed, tmp_path), command, spool, cwd=root).checked()
    assert "refused" not in done.stdout.decode() and done.stderr == b""
    records = [record for record in Kept(spool).records() if record.verdict and record.source == "native"]
    found = {(record.verdict, record.shadow_verdict, record.outcome == "denied") for record in records}
    assert found == {("allow", "deny", False)}
    assert {record.kind for record in records} == {"open", "list", "chmod", "connect", "bind", "spawn"}


def test_a_refused_call_is_recorded_with_its_rule(
    a_python: str, tmp_path: Path, spool: Path, secret: Path
) -> None:
    done = under(
        policy(rule("deny", secret), tmp_path), [a_python, program("opens_natively.py"), str(secret)], spool
    )
    assert (done.checked().stdout, done.stderr) == (b"EACCES\n", b"")
    records = native(spool, "open")
    assert sum(record.count for record in records) == 501
    for record in records:
        assert (record.verdict, record.rule, record.outcome) == ("deny", "test/deny", "denied")
        assert (record.target, record.failed, record.errno) == (str(secret), 0, None)
    assert {(record.file, record.line) for record in records} == {(program("functions_of_c.py"), 27)}


def test_a_warning_comes_once_for_each_place(python: str, tmp_path: Path, spool: Path, secret: Path) -> None:
    """From any thread, and without the GIL: the place is known all the same."""
    rules = rule("warn", secret, 'message = "Careful."')
    command = [python, program("opens_natively.py"), str(secret)]
    done = under(policy(rules, tmp_path), command, spool).checked()
    assert done.stdout == b"done\n"
    (warning,) = done.stderr.decode().splitlines()
    assert warning.startswith(f"gnomon: warning: reading {secret} at functions_of_c.py:27: Careful.")
    records = native(spool, "open")
    assert sum(record.count for record in records) == 501
    assert {(record.verdict, record.outcome) for record in records} == {("warn", "done")}


def test_a_reason_lets_native_code_go_on(a_python: str, tmp_path: Path, spool: Path, secret: Path) -> None:
    rules = policy(rule("justify", secret), tmp_path)
    command = [a_python, program("opens_natively.py"), str(secret)]
    assert under(rules, command, spool, GNOMON_JUSTIFY=" ticket 4711 ").checked().stdout == b"done\n"
    assert under(rules, command, spool).checked().stdout == b"EACCES\n"
    found = {(record.verdict, record.reason, record.outcome) for record in native(spool, "open")}
    assert found == {("justify", "ticket 4711", "done"), ("justify", None, "denied")}


def test_nobody_is_asked_from_native_code(a_python: str, tmp_path: Path, spool: Path, secret: Path) -> None:
    """Whoever calls may hold any lock: so it is stopped, terminal or not."""
    path = policy(rule("justify", secret), tmp_path)
    command = f"{a_python} {program('opens_natively.py')} {secret}"
    done = subprocess.run(
        ["script", "-qec", command, "/dev/null"],
        env=armed_environment(spool, GNOMON_POLICY=path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == b"EACCES\r\n"


def test_enforced_and_shadow_verdicts(a_python: str, tmp_path: Path, spool: Path, secret: Path) -> None:
    enforced = policy(rule("warn", secret), tmp_path, "enforced")
    shadow = policy('mode = "observe"\n' + rule("deny", secret), tmp_path, "shadow")
    under([enforced, shadow], [a_python, program("opens_natively.py"), str(secret)], spool).checked()
    for record in native(spool, "open"):
        found = (record.verdict, record.rule, record.shadow_verdict, record.shadow_rule, record.outcome)
        assert found == ("warn", "enforced/warn", "deny", "shadow/deny", "done")


def test_the_interpreter_s_own_reads_are_decided_by_its_events(
    python: str, tmp_path: Path, spool: Path
) -> None:
    """A rule about all that is called `secret…` is no rule about the module `secrets`."""
    modules = tmp_path / "modules"
    (modules / "secret_package").mkdir(parents=True)
    (modules / "secret_package/__init__.py").write_text("value = 1\n")
    (modules / "secret_module.py").write_text("value = 1\n")
    (modules / "secret.txt").write_text("secret")
    code = (
        "import secrets, secret_package, secret_module, functions_of_c;"
        "print(functions_of_c.refused('open', 'secret.txt', 0))"
    )
    for _ in range(2):  # without bytecode, and with it
        done = under(
            policy(rule("deny", "**/secret*"), tmp_path),
            [python, "-c", code],
            spool,
            cwd=modules,
            PYTHONPATH=os.pathsep.join([str(modules), str(Path(program("x")).parent)]),
        ).checked()
        assert (done.stdout, done.stderr) == (b"refused\n", b"")


def test_what_libraries_ask_of_the_machine_is_not_stopped(a_python: str, tmp_path: Path, spool: Path) -> None:
    """Nobody has a rule for it, as no record tells of it; and DuckDB ends the program where it is refused."""
    rules = '[[rule]]\nid = "no"\nevent = "open"\npath = "/"\naction = "deny"\n'
    files = ["/proc/meminfo", "/proc/self/status", "/dev/urandom", "/etc/hostname", "/proc/self/environ"]
    code = (
        "import sys, functions_of_c\n"
        "print(*(functions_of_c.answer('open', file, 0)[1] for file in sys.argv[1:]))"
    )
    path = str(Path(program("functions_of_c.py")).parent)
    done = under(policy(rules, tmp_path), [a_python, "-c", code, *files], spool, PYTHONPATH=path).checked()
    assert done.stdout.decode().split() == ["no", "error"] * 3 + ["EACCES"] * 2
    assert {Path(str(record.target)).name for record in native(spool)} == {"hostname", "environ"}


CONTEXTS = {
    "forked": b'"refused"\n',
    "forked_twice": b'"refused"\n',
    "forked_by_c": b'"refused"\n',
    "in_a_signal": b'"refused"\n',
    "sorted_by_callback": b'"refused"\n',
    "in_a_thread_of_c": b"false\n",
    "at_the_end": b'"registered"\nrefused\n',
    "at_the_very_end": b'"kept"\nrefused\n',
    "daemon": b'"begun"\n',
}


@pytest.mark.parametrize("context", CONTEXTS)
def test_odd_contexts(python: str, tmp_path: Path, spool: Path, secret: Path, context: str) -> None:
    path = policy(rule("deny", secret), tmp_path)
    command = [python, program("natively_in_contexts.py"), context, str(secret)]
    done = under(path, command, spool).checked()
    assert (done.stdout, done.stderr) == (CONTEXTS[context], b"")
    assert {record.outcome for record in native(spool)} == {"denied"}
    assert secret.exists() and not Kept(spool).damage()


@pytest.mark.parametrize("closed", ["", "closed"])
def test_many_threads_are_refused_at_once(
    python: str, tmp_path: Path, spool: Path, secret: Path, closed: str
) -> None:
    path = policy(rule("deny", secret), tmp_path)
    command = [python, program("natively_in_contexts.py"), "many", str(secret)]
    done = under(path, command, spool, GNOMON_POLICY_FAIL=closed).checked()
    assert (done.stdout, done.stderr) == (b"[]\n", b"")
    counted: collections.Counter[str] = collections.Counter()
    for record in Kept(spool).records("open"):
        if record.outcome == "denied":
            counted[record.source] += record.count
    assert counted == {"native": 8000, "audit": 800} and not Kept(spool).lost()


def test_without_a_policy_that_must_be_there_nothing_runs(
    a_python: str, tmp_path: Path, spool: Path, secret: Path
) -> None:
    missing = str(tmp_path / "missing")
    command = [a_python, program("opens_natively.py"), str(secret)]
    assert under(missing, command, spool).checked().stdout == b"done\n"
    closed = under(missing, command, spool, GNOMON_POLICY_FAIL="closed")
    assert (closed.status, closed.stdout) == (1, b"")


def test_a_policy_is_replaced_while_native_code_runs(
    a_python: str, tmp_path: Path, spool: Path, secret: Path
) -> None:
    path = policy(rule("warn", tmp_path / "other"), tmp_path)
    source = tmp_path / "new.toml"
    with subprocess.Popen(
        [a_python, program("tries_natively.py"), str(secret)],
        env=armed_environment(spool, GNOMON_POLICY=path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as subject:
        assert subject.stdout and subject.stdin
        for expected, action in (
            ("done\n", "deny"),
            ("EACCES\n", "allow"),
            ("done\n", "deny"),
            ("EACCES\n", ""),
        ):
            assert select.select([subject.stdout], [], [], 60)[0], "it says nothing new for a minute"
            assert subject.stdout.readline() == expected
            if action:
                source.write_text(rule(action, secret))
                gnomon("policy", "compile", source, "-o", path).checked()
        out, _ = subject.communicate()
    assert (out, subject.returncode) == ("", 0)
    assert {record.rule for record in native(spool, "open") if record.outcome == "denied"} == {"new/deny"}


LIBRARY_DENIES = """
[[rule]]
id = "files"
path = "{folder}/"
action = "deny"

[[rule]]
id = "programs"
program = "{folder}/tool"
action = "deny"

[[rule]]
id = "addresses"
event = "connect"
address = "127.0.0.1"
action = "deny"

[[rule]]
id = "names"
event = "resolve"
host = ".denied.example"
action = "deny"
"""

# What each attempt of tests/programs/libraries_denied.py ends with.
PERMISSION = "PermissionError: "
LIBRARIES: dict[str, Sequence[str]] = {
    "aiohttp": ("ClientConnectorError: ", "ClientConnectorDNSError: "),
    "cffi": (PERMISSION,),
    "curl_cffi": ("ConnectionError: ", "DNSError: "),
    "duckdb": ("IOException: ",) * 3,
    "grpc": ("_InactiveRpcError: ",) * 2,
    "h5py": (PERMISSION,) * 2,
    "httpx": ("ConnectError: ",) * 2,
    "lxml": ("OSError: ", PERMISSION),
    "pandas": ("PolicyDenied: ", PERMISSION),
    "polars": (PERMISSION,) * 5,
    "primp": ("ConnectError: ",),
    "psycopg": ("OperationalError: ",) * 2,
    "pyarrow": (PERMISSION,) * 4,
    "pycurl": ("error: (7, ", "error: (6, ", "error: (37, "),
    "requests": ("ConnectionError: ",) * 2,
    "urllib3": ("NewConnectionError: ",),
    "uvloop": (PERMISSION, "gaierror: [Errno -4]", PERMISSION),
    "zmq": ("ZMQError: Permission denied",),
}
DISTRIBUTIONS = {
    "grpc": "grpcio",
    "pandas": "pyarrow",
    "polars": "polars_runtime_32",
    "psycopg": "psycopg_binary",
    "zmq": "pyzmq",
}
BY_PYTHON = ("aiohttp", "httpx", "requests", "urllib3")


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_raises_its_usual_error(library: str, tmp_path: Path, spool: Path) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed: pip install --group libraries")
    folder = tmp_path / "protected"
    folder.mkdir()
    (folder / "data.csv").write_text("a\n1\n")
    (folder / "data.xml").write_text("<a/>")
    (folder / "data.parquet").write_bytes(b"")
    (folder / "tool").write_text(f"#!/bin/sh\ntouch {folder}/mark\n")
    (folder / "tool").chmod(0o755)
    before = contents(folder)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = str(server.getsockname()[1])
        rules = policy(LIBRARY_DENIES.format(folder=folder), tmp_path)
        command = [sys.executable, program("libraries_denied.py"), library, str(folder), port]
        done = under(rules, command, spool).checked()
        with pytest.raises(BlockingIOError):
            server.accept()
    errors = json.loads(done.stdout)
    assert len(errors) == len(LIBRARIES[library])
    for error, expected in zip(errors, LIBRARIES[library]):
        assert error.startswith(expected), errors
    assert contents(folder) == before
    if library not in BY_PYTHON:
        assert {record.outcome for record in native(spool)} == {"denied"}
        assert {record.distribution for record in native(spool)} == {DISTRIBUTIONS.get(library, library)}


@pytest.mark.parametrize("origin, status", [("polars", 1), ("polars-runtime-*", 1), ("pandas", 0)])
def test_a_rule_about_a_library_is_about_its_native_code(
    tmp_path: Path, spool: Path, origin: str, status: int
) -> None:
    pytest.importorskip("polars", reason="polars is not installed: pip install --group dev")
    data = tmp_path / "data.csv"
    data.write_text("a\n1\n")
    rules = f'[[rule]]\nid = "no"\npath = "{tmp_path}/**"\norigin = "{origin}"\naction = "deny"\n'
    code = f"import polars; open({str(data)!r}).close(); polars.scan_csv({str(data)!r}).collect()"
    done = under(policy(rules, tmp_path), [sys.executable, "-c", code], spool)
    assert done.status == status, done.stderr.decode()
    found = {
        (record.distribution, record.via, record.outcome, record.rule)
        for record in Kept(spool).records("open")
        if record.source == "native" and record.target == str(data)
    }
    denied = ("denied", "test/no") if status else ("done", None)
    assert found == {("polars_runtime_32", "polars", *denied)}


def test_the_workers_of_polars_are_refused_too(tmp_path: Path, spool: Path) -> None:
    """On threads that Python never heard of: one file of many is refused, by whichever it is read."""
    pytest.importorskip("polars", reason="polars is not installed: pip install --group dev")
    for number in range(200):
        (tmp_path / f"{number}.csv").write_text("a\n1\n")
    rules = policy(rule("deny", f"{tmp_path}/199.csv"), tmp_path)
    code = (
        "import polars, sys\n"
        "files = [polars.scan_csv(f'{sys.argv[1]}/{number}.csv') for number in range(200)]\n"
        "polars.collect_all(files[:199])\n"
        "try:\n    polars.collect_all(files)\nexcept PermissionError:\n    print('refused')\n"
    )
    done = under(rules, [sys.executable, "-c", code, str(tmp_path)], spool).checked()
    assert (done.stdout, done.stderr) == (b"refused\n", b"")
    assert {record.target for record in native(spool)} == {str(tmp_path / "199.csv")}
