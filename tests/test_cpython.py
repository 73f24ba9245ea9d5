"""CPython's own tests come out the same, armed and bare."""

from __future__ import annotations

import concurrent.futures
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from watching import Kept, armed_environment, environment, program

SHORT = ("test_audit", "test_import", "test_pathlib", "test_runpy", "test_fileio")
_MORE = """
    test_os test_subprocess test_threading test_fork1 test_io test_site test_posix test_socket
    test_multiprocessing_fork test_multiprocessing_spawn test_multiprocessing_forkserver
    test_concurrent_futures test_asyncio test_tempfile test_shutil test_pty test_signal test_faulthandler
    test_cmd_line test_cmd_line_script test_capi test_embed test_atexit test_sys test_gc test_sqlite3
    test_httplib test_urllib2_localnet test_zipimport test_importlib test_interpreters
    test__xxsubinterpreters test_venv test_warnings test_ctypes test_mmap
"""
LONG = (*SHORT, *_MORE.split())


def outcomes(report: Path) -> dict[str, str]:
    """The outcome of each test, by its full name."""
    found = {}
    for test in ElementTree.parse(report).iter("testcase"):
        problems = sorted({child.tag for child in test} & {"failure", "error", "skipped"})
        found[test.attrib["name"]] = "+".join(problems) or test.attrib["result"]
    return found


def run(python: str, names: Sequence[str], folder: Path, variables: Mapping[str, str]) -> dict[str, str]:
    folder.mkdir()
    report = folder / "report.xml"
    command = [python, "-m", "test", "-j1", "--junit-xml", str(report), "--tempdir", str(folder), *names]
    log = folder / "log.txt"
    with log.open("wb") as output:
        subprocess.run(
            command, env=variables, stdout=output, stderr=output, stdin=subprocess.DEVNULL, check=False
        )
    assert report.exists(), log.read_text(errors="replace")[-4000:]
    return outcomes(report)


def existing(python: str, names: Sequence[str]) -> list[str]:
    command = [python, program("names_cpython_tests.py"), *names]
    answer = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    if answer.returncode:
        pytest.skip(f"{python} came without CPython's tests")
    return answer.stdout.split()


Outcomes = tuple[str, str]


def differences(
    python: str, names: Sequence[str], folder: Path, spool: Path, *, at_once: bool, has_search_path: bool
) -> dict[str, Outcomes]:
    """The tests whose outcomes armed and bare differ, with both."""
    folder.mkdir()
    empty = folder / "empty"
    empty.mkdir()
    bare = environment(PYTHONPATH=str(empty)) if has_search_path else environment()
    watched = armed_environment(spool)
    with concurrent.futures.ThreadPoolExecutor(2 if at_once else 1) as runs:
        first = runs.submit(run, python, names, folder / "armed", watched).result
        if not at_once:
            first()
        second = runs.submit(run, python, names, folder / "bare", bare).result
        armed_outcomes, bare_outcomes = first(), second()
    assert bare_outcomes
    pairs = {
        name: (armed_outcomes.get(name, "not run"), bare_outcomes.get(name, "not run"))
        for name in sorted(armed_outcomes.keys() | bare_outcomes.keys())
    }
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def test_cpythons_own_tests(a_python: str, tmp_path: Path, spool: Path, is_long: bool) -> None:
    names = existing(a_python, LONG if is_long else SHORT)
    assert names
    # A search path alone changes some results (of test_site, for one), so the bare run has one too. The
    # second time it has none, as ours is gone from sys.path by then: one of both must be like the armed run.
    # Some of CPython's tests also measure time or use fixed ports; what is the hook's doing happens again.
    found = differences(a_python, names, tmp_path / "first", spool, at_once=not is_long, has_search_path=True)
    if found:
        files = sorted({name.split(".")[1] for name in found} & set(names)) or names
        again = differences(a_python, files, tmp_path / "second", spool, at_once=False, has_search_path=False)
        found = {name: pair for name, pair in found.items() if again.get(name) == pair}
    assert found == {}, "armed and bare"
    assert not Kept(spool).damage()
