"""Says which versions of CPython are missing here, and that the suite's own interpreter is not watched."""

from __future__ import annotations

from pathlib import Path

import pytest

from interpreters import VERSIONS, needed, present
from watching import Kept, armed, process_id, program


@pytest.mark.parametrize("version", VERSIONS)
def test_this_version_is_on_the_machine(version: str) -> None:
    assert needed(version)


def test_there_is_something_to_test_with() -> None:
    assert present()


def test_the_suite_itself_is_not_watched() -> None:
    assert process_id() is None


def test_a_program_that_starts_like_this_is_watched(python: str, spool: Path) -> None:
    """Without it, every comparison of an armed run with a bare one would hold for nothing."""
    done = armed([python, program("does_nothing.py")], spool, GNOMON_DEBUG="1")
    assert (done.status, done.stdout, done.stderr) == (0, b"", b"")
    (process,) = Kept(spool).processes()
    assert process.script_file == program("does_nothing.py") and process.status == 0
