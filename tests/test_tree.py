"""Who started whom, and who never reported."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands import gnomon, run
from watching import bare, program


def _tree(spool: Path) -> list[dict[str, Any]]:
    answer = json.loads(gnomon("show", "--format", "json", spool).checked().stdout)
    return list(answer["tree"])


def _walk(nodes: list[dict[str, Any]], depth: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
    for node in nodes:
        yield depth, node
        yield from _walk(node["children"], depth + 1)


def _states(nodes: list[dict[str, Any]]) -> dict[str, tuple[str, int]]:
    """State and count by the last word of the command line; what multiprocessing starts is left out."""
    found: dict[str, tuple[str, int]] = {}
    for _, node in _walk(nodes):
        name = node["argv"][-1]
        if "multiprocessing" in " ".join(node["argv"]):
            continue
        state, count = found.get(name, (node["state"], 0))
        assert state == node["state"]
        found[name] = (state, count + node["count"])
    return found


def test_silent_children_are_told_from_the_others(python: str, spool: Path, tmp_path: Path) -> None:
    run(spool, python, program("starts_silent_children.py"), cwd=tmp_path).checked()
    tree = _tree(spool)
    (top,) = tree
    assert (top["how"], top["state"]) == ("run", "recorded")
    assert _states(tree) == {
        program("starts_silent_children.py"): ("recorded", 1),
        "no_site = 1": ("silent", 1),
        "isolated = 1": ("silent", 1),
        "cleared = 1": ("silent", 1),
        "emptied = 1": ("silent", 1),
        "-V": ("other", 1),
        "job.sh": ("other", 1),
        "job = 1": ("recorded", 1),
        "true": ("other", 1),
        "heard = 1": ("recorded", 3),
        "raise SystemExit(3)": ("recorded", 1),
        "spawned = 1": ("recorded", 1),
        "replaced = 1": ("recorded", 1),
    }
    by_name = {node["argv"][-1]: node for _, node in _walk(tree)}
    assert by_name["job.sh"]["children"][0]["argv"][-1] == "job = 1"
    assert by_name["raise SystemExit(3)"]["status"] == 3
    assert "-S" in by_name["no_site = 1"]["reason"]
    assert "empty environment" in by_name["emptied = 1"]["reason"]
    assert by_name["replaced = 1"]["how"] == "exec"
    # Before 3.14 no event tells of it; the child's own record does.
    spawned = [node for _, node in _walk(tree) if "--multiprocessing-fork" in node["argv"]]
    assert [node["state"] for node in spawned] == ["recorded"]


def test_the_answer_shows_silence_and_why(spool: Path, tmp_path: Path) -> None:
    code = (
        "import subprocess, sys\n"
        "subprocess.run([sys.executable, '-S', '-c', 'pass'])\n"
        "subprocess.run([sys.executable, '-c', 'raise SystemExit(4)'])\n"
    )
    (tmp_path / "report.py").write_text(code)
    run(spool, "report.py", cwd=tmp_path).checked()
    text = gnomon("show", spool, COLUMNS="120").checked().stdout.decode()
    for expected in ("-S -c pass  — not recorded", "report.py:2", "exit code 4", "-S leaves out"):
        assert expected in text


def test_a_program_that_is_no_python_is_not_accused(spool: Path) -> None:
    done = gnomon("run", "--format", "json", "--spool", spool, "true").checked()
    (node,) = json.loads(done.stderr)["tree"]
    assert node["state"] == "other"


def test_a_run_of_a_silent_python_says_so(spool: Path) -> None:
    done = gnomon("run", "--format", "json", "--spool", spool, "-S", "-c", "pass").checked()
    answer = json.loads(done.stderr)
    (node,) = answer["tree"]
    assert node["state"] == "silent"
    assert answer["coverage"]["is_complete"] is False
    assert [silent["count"] for silent in answer["coverage"]["silent"]] == [1]


def test_forks_that_become_other_programs_are_those_programs(a_python: str, spool: Path) -> None:
    code = (
        "import os\n"
        "for _ in range(2):\n"
        "    if os.fork() == 0:\n"
        "        os.execvp('true', ['true', 'x'])\n"
        "    os.wait()\n"
    )
    run(spool, a_python, "-c", code).checked()
    (top,) = _tree(spool)
    assert [(node["argv"], node["how"]) for node in top["children"]] == [(["true", "x"], "exec")] * 2


# A `gnomon run` within another.


def test_a_run_within_a_run_stands_back(spool: Path, tmp_path: Path) -> None:
    (tmp_path / "inner.py").write_text("open('inner.txt', 'w')\nprint('hello')\nraise SystemExit(5)\n")
    inner = [sys.executable, "-m", "gnomon", "run", "--spool", str(tmp_path / "other"), "inner.py"]
    outer = ["bash", "-c", 'open=1; "$@"; echo $?; touch done', "bash", *inner]
    done = run(spool, *outer, cwd=tmp_path).checked()
    assert done.stdout == b"hello\n5\n"
    assert not (tmp_path / "other").exists()
    said = done.stderr.decode()
    assert said.startswith(f"gnomon: recorded already: the records are in `{spool}`, and not in ")
    assert "inner.txt" in said and "exit code 5" in said
    # One set of records: the outer answer has it all, and the inner one can be had again.
    answer = json.loads(gnomon("show", "--format", "json", spool).checked().stdout)
    assert answer["run"]["argv"] == outer
    depths = {node["argv"][-1]: depth for depth, node in _walk(answer["tree"]) if node["state"] == "recorded"}
    assert depths["inner.py"] >= 1
    assert sum(use["writes"] for use in answer["files"] if use["path"].endswith("inner.txt")) == 1
    script = str(tmp_path / "inner.py")
    (inner_run,) = [process["parent"] for process in answer["processes"] if process["script_file"] == script]
    again = gnomon("show", "--run", inner_run, spool).checked().stdout.decode()
    assert "inner.txt" in again and "what `inner.py` did" in again


def test_a_quiet_run_within_a_run_says_nothing(spool: Path) -> None:
    inner = [sys.executable, "-m", "gnomon", "run", "--quiet", "-c", "print(1)"]
    assert run(spool, *inner) == bare([sys.executable, "-c", "print(1)"])


@pytest.mark.parametrize("is_armed", [True, False])
def test_the_environment_alone_tells_of_the_run_around(is_armed: bool, spool: Path) -> None:
    # With -I the inner gnomon is not recorded itself.
    options = [] if is_armed else ["-I"]
    code = "import sys; from gnomon.cli import main; sys.exit(main(['run', '-c', 'open(\"seen\", \"w\")']))"
    done = run(spool, sys.executable, *options, "-c", code, cwd=spool.parent).checked()
    assert b"recorded already" in done.stderr and b"seen" in done.stderr
    answer = json.loads(gnomon("show", "--format", "json", spool).checked().stdout)
    assert [use["path"] for use in answer["files"] if use["writes"]] == [str(spool.parent / "seen")]
