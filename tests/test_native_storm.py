"""Threads open files and fork while native libraries are loaded: nothing is lost, breaks or hangs."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path

import pytest

from commands import gnomon
from watching import Kept, armed, program

MODULES = (
    "numpy",
    "pandas",
    "pyarrow.dataset",
    "polars",
    "duckdb",
    "psycopg",
    "pycurl",
    "zmq",
    "aiohttp",
    "pydantic_core",
    "jiter",
)


@pytest.mark.parametrize("way", ["python", "libc"])
def test_libraries_are_loaded_while_threads_open_and_fork(
    way: str, spool: Path, tmp_path: Path, is_long: bool
) -> None:
    if not hasattr(os, "pidfd_open"):
        pytest.skip("no pidfd_open here, by which the program waits for its children")
    missing = [module for module in MODULES if importlib.util.find_spec(module.partition(".")[0]) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}: pip install --group libraries")
    for number in range(5 if is_long else 1):
        folder, one_spool = tmp_path / f"folder-{number}", spool / str(number)
        folder.mkdir()
        one_spool.mkdir(mode=0o700)
        storm = ["-W", "ignore", program("imports_in_a_storm.py"), str(folder), way, *MODULES]
        done = armed([sys.executable, *storm], one_spool, seconds=120).checked()
        _assert_all_is_kept(one_spool, folder, json.loads(done.stdout))


def _assert_all_is_kept(spool: Path, folder: Path, told: dict[str, dict[str, int]]) -> None:
    assert told["failed"] == []
    kept = Kept(spool)
    # Each in the recording of its own process: a name begins with the pid.
    pids = {process.id: process.pid for process in kept.processes()}
    found: dict[str, int] = {}
    for record in kept.records("open"):
        where, _, name = (record.target or "").rpartition("/")
        if where == str(folder):
            assert name.startswith(f"{pids[record.process]}-")
            found[name] = found.get(name, 0) + record.count
    assert found == told["opened"]
    assert (kept.faults(), kept.lost()) == ([], {})
    gnomon("verify", spool).checked()
