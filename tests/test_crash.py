"""However a process dies, what it had done is in the spool, and the spool is sound."""

from __future__ import annotations

import collections
import json
import os
import random
import signal
import subprocess
from pathlib import Path

import pytest

from watching import Kept, armed, armed_environment, program

DEATHS = ("kill", "exit", "abort", "segfault", "exec")
ENDS = {
    "kill": {-signal.SIGKILL},
    "exit": {7},
    "abort": {-signal.SIGABRT},
    "segfault": {-signal.SIGSEGV},
    "exec": {0},
}
RUNS = 200


def killed_at_random(
    python: str, spool: Path, folder: Path, death: str, chance: random.Random
) -> collections.Counter[tuple[str, str]]:
    """Ends `announces.py` after a random number of operations; returns what it had announced by then."""
    announced: collections.Counter[tuple[str, str]] = collections.Counter()
    # Most die young; some after several segments.
    patience = int(10 ** chance.uniform(0, 3.4))
    readable, writable = os.pipe()
    child = subprocess.Popen(
        [python, program("announces.py"), str(folder), str(writable), str(chance.random())],
        env=armed_environment(spool),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[writable],
    )
    os.close(writable)
    with child, os.fdopen(readable) as announcements:
        for number, line in enumerate(announcements):
            kind, target = json.loads(line)
            announced[kind, target] += 1
            if number == patience and death == "kill":
                child.kill()
            elif number == patience:
                child.stdin.write(death.encode() + b"\n")
                child.stdin.close()
    assert child.returncode in ENDS[death], death
    announced.pop(("exec", str(folder)), None)
    return announced


def test_whatever_was_announced_is_in_the_spool(a_python: str, tmp_path: Path, chance: random.Random) -> None:
    total = 0
    for run in range(RUNS):
        death = DEATHS[run % len(DEATHS)]
        spool, folder = tmp_path / f"spool-{run}", tmp_path / f"work-{run}"
        spool.mkdir(mode=0o700)
        folder.mkdir()
        announced = killed_at_random(a_python, spool, folder, death, chance)
        kept = Kept(spool)
        missing = announced - kept.operations()
        assert announced and not missing, f"run {run}, {death}: {missing}"
        assert not kept.damage() and not kept.lost(), f"run {run}, {death}"
        assert len(kept.processes()) == 1
        total += sum(announced.values())
    assert total > RUNS


def test_exec_ends_one_process_and_starts_another(python: str, spool: Path) -> None:
    done = armed([python, program("execs_itself.py")], spool).checked()
    first, second = Kept(spool).processes()
    assert first.pid == second.pid == int(done.stdout) and first.id != second.id
    assert first.ended is None and first.status is None and second.status == 0
    assert [record.kind for record in Kept(spool).records("exec", process=first.id)] == ["exec"]


@pytest.mark.parametrize("death", ["exit", "abort", "segfault"])
def test_a_process_that_dies_leaves_no_end(a_python: str, spool: Path, death: str) -> None:
    ended = armed([a_python, program("dies.py"), death], spool)
    assert ended.status in ENDS[death]
    (process,) = Kept(spool).processes()
    assert process.ended is None and process.status is None
