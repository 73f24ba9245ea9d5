"""No event leaves a reference behind: counted by debug builds of CPython, which tests/chroots gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from watching import Kept, armed, bare, program

# Caches of CPython and ours fill up in fits and starts. One in a thousand events would be a hundred.
FITS_AND_STARTS = 500
ROUNDS = 100_000


def test_no_event_leaves_a_reference_behind(python: str, spool: Path, tmp_path: Path) -> None:
    if bare([python, "-c", "import sys; sys.gettotalrefcount()"]).status:
        pytest.skip("not a debug build of CPython, which counts references: tests/chroots gets one")
    work = tmp_path / "work"
    work.mkdir()
    command = [python, "-W", "ignore", program("counts_references.py"), str(ROUNDS)]
    done = armed(command, spool, cwd=work, seconds=600).checked()
    left = dict(line.split() for line in done.stdout.decode().splitlines())
    assert len(left) == 11
    assert {name: count for name, count in left.items() if int(count) > FITS_AND_STARTS} == {}
    assert Kept(spool).faults() == []
