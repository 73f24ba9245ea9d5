"""A native call that has let go of the GIL knows the line of the user's code as an audit event does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import gnomon._native
from watching import Kept, armed, program

LIBRARY = gnomon._native.__file__ or ""
INNER = """
def call(function, *arguments): return function(*arguments)
class Caller:
    def __init__(self, function, *arguments): self.length = function(*arguments)
"""
OUTER = """
import inner
def call(function, *arguments): return inner.call(function, *arguments)
def calls_back(function): return function()
"""

has_probe = b"gnomon_origin_probe" in Path(LIBRARY).read_bytes()
pytestmark = pytest.mark.skipif(not has_probe, reason="a release build has no probe")


@pytest.fixture
def site_packages(tmp_path: Path) -> Path:
    """Two installed distributions; one is called otherwise than its module."""
    folder = tmp_path / "lib" / "site-packages"
    for name, source, distribution in (("inner", INNER, "Inner_Thing"), ("outer", OUTER, "outer")):
        metadata = folder / f"{distribution}-1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "RECORD").write_text(f"{distribution}-1.0.dist-info/RECORD,,\n{name}.py,,\n")
        (folder / f"{name}.py").write_text(source)
    return folder


@pytest.mark.parametrize(
    "name", [b"plain.py", "d\u00e9j\u00e0.py".encode(), "\U0001f40d\u0416.py".encode(), b"a\xff.py"]
)
def test_a_call_without_the_gil_has_the_origin_that_an_audit_event_has(
    name: bytes, python: str, spool: Path, tmp_path: Path, site_packages: Path
) -> None:
    subject = os.fsdecode(os.fsencode(tmp_path) + b"/" + name)
    shutil.copy(program("unlocked.py"), subject)
    done = armed(
        [python, subject], spool, cwd=tmp_path, PYTHONPATH=str(site_packages), LIBRARY=LIBRARY
    ).checked()
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(path, found) for path, found, right in rows if found != right] == []
    told = {(path, found[1]): found for path, found, _ in rows if path}
    # The audit event is of the line itself, and not of a library that it calls.
    recorded = {(str(r.target), r.line): [r.file, r.line, r.function] for r in Kept(spool).records("open")}
    wrong = {key: (recorded.get(key), found) for key, found in told.items() if recorded.get(key) != found[:3]}
    assert not wrong
    assert rows[-1] == [None, 1, 1], "the thread that ends the interpreter has its frames to the last"
    assert len(rows) > 100


def test_no_frames_are_read_where_their_layout_was_not_learned(
    python: str, spool: Path, tmp_path: Path, site_packages: Path
) -> None:
    question = (
        "import ctypes, os; library = ctypes.CDLL(os.environ['LIBRARY']);"
        "print(library.gnomon_origin_probe(ctypes.create_string_buffer(99), ctypes.c_size_t(99)))"
    )
    done = armed([python, "-c", question], spool, LIBRARY=LIBRARY, GNOMON_FRAMES="ask").checked()
    assert done.stdout == b"-1\n"


def test_a_thread_that_outlives_the_interpreter_is_told_nothing(
    python: str, spool: Path, request: pytest.FixtureRequest
) -> None:
    for run in range(200 if request.config.option.long else 5):
        armed([python, program("endless.py"), str(run % 3 * 40)], spool, LIBRARY=LIBRARY).checked()


def test_lines_are_what_cpython_says(python: str) -> None:
    done = subprocess.run(
        [python, program("tables.py")], env={"LIBRARY": LIBRARY}, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) > 20_000
