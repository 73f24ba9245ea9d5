"""The rules about startup hooks, over environments that were really recorded."""

from __future__ import annotations

import base64
import hashlib
import os
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("duckdb", reason="DuckDB answers the questions")
from test_startup import Env

from gnomon.analysis import Analysis
from watching import armed

HOOK = "import sys; sys.{name} = 1\n"


def _installed(env: Env, name: str, *, is_as_installed: bool) -> None:
    """A hook of a distribution that says what it installed."""
    content = HOOK.format(name=name)
    digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).decode().rstrip("=")
    env.write(f"{name}.pth", content if is_as_installed else content.replace("1", "2"))
    env.write(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    env.write(f"{name}-1.0.dist-info/RECORD", f"{name}.pth,sha256={digest},{len(content)}\n")


def test_each_rule_about_hooks_finds_its_own_and_nothing_else(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.mkdir(mode=0o700)
    env, flooded = Env(sys.executable, tmp_path / "env"), Env(sys.executable, tmp_path / "flooded")
    _installed(env, "kept", is_as_installed=True)
    _installed(env, "patched", is_as_installed=False)
    env.write("paths.pth", "/nowhere\n")  # executes nothing
    env.write("odd.pth", HOOK.format(name="odd"))
    for number in range(250):
        flooded.write(f"p{number}.pth", "/nowhere\n")
    for one in (env, flooded):
        armed([one.python, "-c", "pass"], spool).checked()
    changed = time.time_ns()
    env.write("odd.pth", HOOK.format(name="odder"))
    env.write("late.pth", HOOK.format(name="late"))
    armed([env.python, "-c", "pass"], spool).checked()

    with Analysis([spool]) as analysis:
        query = "select rule, subject, severity, script from findings where rule like 'startup-%'"
        rows = analysis.rows(query)
    with Analysis([spool], since=changed) as analysis:
        lately = {row["rule"] for row in analysis.rows(query)}
    with Analysis([spool], since=time.time_ns()) as analysis:
        assert not analysis.rows(query)

    # Nobody started the flooded one since.
    assert lately == {
        "startup-hook-unowned", "startup-hook-differs", "startup-hook-changed", "startup-hook-new",
    }  # fmt: skip
    assert all(row["script"] is None for row in rows)
    assert {(row["rule"], os.path.basename(row["subject"]), row["severity"]) for row in rows} == {
        ("startup-hook-unowned", "odd.pth", "high"),
        ("startup-hook-differs", "patched.pth", "high"),
        ("startup-hook-changed", "odd.pth", "high"),
        ("startup-hook-new", "late.pth", "high"),
        ("startup-hooks-unseen", "flooded", "high"),
    }
