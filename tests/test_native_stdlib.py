"""What the standard library does without an audit event is told by native code, with the user's line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from servers import certificate
from watching import Ended, Kept, Record, armed, bare, program

PROGRAM = program("keeps_files.py")


def _line(function: str, text: str) -> int:
    """The line of `function` in the program that begins with `text`."""
    lines = Path(PROGRAM).read_text().splitlines()
    start = lines.index(f"def {function}():")
    return next(
        number for number, line in enumerate(lines[start:], start + 1) if line.strip().startswith(text)
    )


def _done(python: str, spool: Path, *argv: str) -> tuple[Ended, Path]:
    folder = spool.parent / "folder"
    folder.mkdir()
    return armed([python, PROGRAM, *argv], spool, cwd=folder).checked(), folder


def _has(module: str, python: str) -> bool:
    return bare([python, "-c", f"import {module}"]).status == 0


def _native(spool: Path, *kinds: str) -> dict[str, Record]:
    """The records by target that only native code told."""
    kept = Kept(spool)
    assert (kept.faults(), kept.lost()) == ([], {})
    return {str(one.target): one for one in kept.records(*kinds) if one.source == "native"}


def test_certificates_and_keys_are_files_that_are_read(python: str, spool: Path) -> None:
    files = certificate()
    _done(python, spool, "certificates", *files)
    found = _native(spool, "open")
    assert [found[file].access for file in files] == ["read", "read"]
    lines = {_line("certificates", text) for text in ("context.load_cert_chain", "context.load_verify")}
    assert {found[file].line for file in files} <= lines
    assert {found[file].file for file in files} == {PROGRAM}
    (keys,) = [one for one in Kept(spool).records("open") if str(one.target).endswith("/keys.log")]
    assert (keys.access, keys.line) == ("append+create", _line("certificates", "context.keylog"))


def test_databases_that_others_lead_to_are_files(python: str, spool: Path) -> None:
    _, folder = _done(python, spool, "databases")
    found = _native(spool, "open", "delete")
    for name, text in (
        ("first.db-journal", 'connection.execute("CREATE TABLE one'),
        ("second.db", 'connection.execute("ATTACH'),
        ("third.db", 'connection.execute("VACUUM'),
    ):
        record = found[str(folder / name)]
        assert (record.file, record.outcome) == (PROGRAM, "done")
        if not name.endswith("-journal"):
            assert record.line == _line("databases", text)
            assert record.bytes_out


def test_the_history_of_a_prompt_is_a_file(python: str, spool: Path) -> None:
    if not _has("readline", python):
        pytest.skip("this Python has no readline")
    _, folder = _done(python, spool, "history")
    found = _native(spool, "open")
    for name, access, text in (
        ("typed", "read", "readline.read_history"),
        ("kept", "write+create", "readline.write_history"),
    ):
        record = found[str(folder / name)]
        assert (record.access, record.file, record.line) == (access, PROGRAM, _line("history", text))


def test_a_fifo_is_made(python: str, spool: Path) -> None:
    _, folder = _done(python, spool, "fifo")
    record = _native(spool)[str(folder / "fifo")]
    assert (record.file, record.line) == (PROGRAM, _line("fifo", "os.mkfifo"))


def test_shared_memory_is_a_file(python: str, spool: Path) -> None:
    done, _ = _done(python, spool, "memory")
    name = f"/dev/shm/{done.stdout.decode().strip()}"
    for kind, text in (("open", "block = "), ("delete", "block.unlink")):
        record = _native(spool, kind)[name]
        assert (record.file, record.line) == (PROGRAM, _line("memory", text))


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_children_of_multiprocessing_are_started(method: str, python: str, spool: Path) -> None:
    _done(python, spool, "processes", method)
    kept = Kept(spool)
    started = [one for one in kept.records("spawn") if one.source == "native"]
    helper = "multiprocessing-fork" if method == "spawn" else "multiprocessing.forkserver"
    helpers = ["multiprocessing.resource_tracker", helper]
    # They are Python, and say whose they are.
    (parent,) = [one for one in kept.processes() if PROGRAM in one.argv and one.parent is None]
    children = [" ".join(one.argv) for one in kept.processes() if one.parent == parent.id]
    assert all(any(text in child for child in children) for text in helpers), children
    # Before 3.10 they are forked, and a fork's child is no process of its own up to its exec.
    if "3.9" not in python:
        texts = [" ".join(one.argv or ()) for one in started]
        assert all(any(text in one for one in texts) for text in helpers), texts
        assert {one.file for one in started} == {PROGRAM}
        assert {one.line for one in started} == {_line("processes", "with multiprocessing")}


def test_a_child_of_uvloop_is_started(spool: Path) -> None:
    pytest.importorskip("uvloop")
    _done(sys.executable, spool, "loop")
    (record,) = [one for one in Kept(spool).records("spawn", "exec") if one.argv and "pass" in one.argv]
    assert (record.source, record.distribution, record.file) == ("native", "uvloop", PROGRAM)
    assert record.line in (
        _line("loop", "asyncio.run"),
        _line("loop", "child = "),
        _line("loop", "child = ") - 1,
    )
