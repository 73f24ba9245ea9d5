"""A forked child is a process of its own, from its first operation on, whoever forked it and how."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from watching import Ended, Kept, armed, bare, program

WAYS = ("os", "ctypes", "forkpty", "exit", "preexec", "daemon")
METHODS = ("fork", "spawn", "forkserver")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "work"
    path.mkdir()
    return path


def owners(kept: Kept, folder: Path) -> dict[str, int]:
    """The pid of the process that opened each file in `folder`; every file must be opened once."""
    found: dict[str, int] = {}
    for record in kept.records("open"):
        path = Path(str(record.target))
        if path.parent == folder:
            assert record.count == 1 and path.name not in found, path.name
            found[path.name] = record.pid
    return found


def assert_each_has_its_own(kept: Kept, folder: Path) -> None:
    """Files carry the pid of who opened them in their name; all must be in the spool, under that process."""
    found = owners(kept, folder)
    assert sorted(found) == sorted(path.name for path in folder.iterdir())
    for name, pid in found.items():
        assert name.startswith(f"{pid}-") or name.endswith(f"-{pid}"), f"{name} is recorded under {pid}"
    assert not kept.damage() and not kept.lost()
    ids = [process.id for process in kept.processes()]
    assert len(ids) == len(set(ids))


def warnings_of(ended: Ended) -> set[str]:
    return set(re.sub(r"pid=\d+", "pid=N", ended.stderr.decode()).splitlines())


def test_threads_open_files_while_others_fork(python: str, spool: Path, folder: Path, is_long: bool) -> None:
    forks = 100 if is_long else 15
    storm = ["-W", "always", program("fork_storm.py"), str(folder), str(forks)]
    done = armed([python, *storm], spool).checked()
    kept = Kept(spool)
    assert_each_has_its_own(kept, folder)
    by_id = {process.id: process for process in kept.processes()}
    (storming,) = [process for process in by_id.values() if not process.forked]
    names = {process.pid: "" for process in by_id.values()}
    names.update((pid, name) for name, pid in owners(kept, folder).items())
    for process in by_id.values():
        if process is storming:
            continue
        parent = by_id[process.parent]
        assert process.parent_pid == parent.pid
        assert (parent is storming) != ("grandchild" in names[process.pid])
    assert len(by_id) == 1 + 3 * forks + 3 * (forks // 2)
    assert kept.operations(process=storming.id)["fork", "None"] == 3 * forks
    for path in folder.iterdir():
        path.unlink()
    assert warnings_of(done) == warnings_of(bare([python, *storm]).checked())


@pytest.mark.parametrize("way", WAYS)
def test_a_fork_is_a_new_process(python: str, spool: Path, folder: Path, way: str) -> None:
    forking = ["-W", "always", program("forks.py"), str(folder), way]
    done = armed([python, *forking], spool).checked()
    kept = Kept(spool)
    assert_each_has_its_own(kept, folder)
    found = owners(kept, folder)
    (name,) = [name for name in found if name.startswith("child")]
    parent, child = kept.process(int(done.stdout)), kept.process(found[name])
    assert child.forked and not parent.forked and child.started >= parent.started
    assert child.script_file == parent.script_file == program("forks.py")
    if way != "daemon":
        assert child.parent == parent.id and child.parent_pid == parent.pid
    assert warnings_of(done) == warnings_of(bare([python, *forking]).checked())


@pytest.mark.parametrize("method", METHODS)
def test_multiprocessing(python: str, spool: Path, folder: Path, method: str) -> None:
    starting = ["-W", "always", program("multiprocesses.py"), method, str(folder)]
    done = armed([python, *starting], spool).checked()
    main_pid, *children = map(int, done.stdout.split())
    kept = Kept(spool)
    assert_each_has_its_own(kept, folder)
    by_id = {process.id: process for process in kept.processes()}
    main = kept.process(main_pid)
    for pid in children:
        child = kept.process(pid)
        assert child.forked == (method != "spawn")
        parent = by_id[child.parent]
        assert child.parent_pid == parent.pid
        # The fork server is a process in between, and a child of the program.
        ancestor = by_id[parent.parent] if method == "forkserver" else parent
        assert ancestor.id == main.id
    assert warnings_of(done) == warnings_of(bare([python, *starting]).checked())
