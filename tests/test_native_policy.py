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
from pathlib import Path

import pytest

from commands import gnomon
from obeying import policy, under
from watching import Kept, Record, armed_environment, bare, program

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
