"""Moving the times of a recording changes the times, and nothing else."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import gnomon
from gnomon._native import Record
from watching import armed

_HOUR = 3600 * 1_000_000_000
_CODE = """
import os, subprocess, sys
for number in range(4000):
    try:
        open(f"/no/such/place/{number}")
    except OSError:
        pass
if len(sys.argv) == 1:
    subprocess.run([sys.executable, __file__, "child"])
    if not os.fork():
        open("/dev/zero").close()
"""


@pytest.fixture
def move(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[1] / "examples"))
    from demo.history import move

    return move


def _without_times(record: Record, numbers: dict[str, int]) -> tuple[object, ...]:
    names = (
        "kind",
        "access",
        "target",
        "argv",
        "count",
        "failed",
        "errno",
        "file",
        "line",
        "bytes_in",
        "seq",
    )
    return (numbers[record.process], *(str(getattr(record, name)) for name in names))


def test_only_times_are_moved(spool: Path, tmp_path: Path, move: Any) -> None:
    script = tmp_path / "many.py"
    script.write_text(_CODE)
    armed([sys.executable, str(script)], spool).checked()
    before, (first, *_) = gnomon.Spool(spool), gnomon.Spool(spool).processes()[0]
    target = tmp_path / "moved"
    target.mkdir()
    assert move(spool, target, first.started - 100 * _HOUR) == 3

    after = gnomon.Spool(target)
    checked = after.verify()
    assert [segment.faults for segment in checked if segment.faults] == []
    links = [Counter(segment.follows for segment in found) for found in (before.verify(), checked)]
    assert links[0] == links[1] and set(links[0]) == {"same", None}
    old, new = before.processes()[0], after.processes()[0]
    assert len(new) == len(old) == 3
    numbers = {process.id: number for found in (old, new) for number, process in enumerate(found)}
    parents = [[numbers.get(process.parent or "") for process in found] for found in (old, new)]
    assert parents[0] == parents[1]
    kept = [[_without_times(record, numbers) for record in spool.records()] for spool in (before, after)]
    assert kept[0] == kept[1]
    spans = {one.time - other.time for one, other in zip(before.records(), after.records())}
    assert spans == {old[0].started - new[0].started}
    assert abs(spans.pop() - 100 * _HOUR) < 1_000_000
