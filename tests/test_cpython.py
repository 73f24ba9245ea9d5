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
LONG = (
    *SHORT,
    *("test_os", "test_subprocess", "test_threading", "test_fork1", "test_io", "test_site", "test_posix"),
    *(
        "test_socket",
        "test_multiprocessing_fork",
        "test_multiprocessing_spawn",
        "test_multiprocessing_forkserver",
    ),
    *(
        "test_tempfile",
        "test_shutil",
        "test_pty",
        "test_signal",
        "test_faulthandler",
        "test_cmd_line",
        "test_venv",
    ),
    *(
        "test_cmd_line_script",
        "test_capi",
        "test_embed",
        "test_atexit",
        "test_sys",
        "test_sqlite3",
        "test_gc",
    ),
    *(
        "test_httplib",
        "test_urllib2_localnet",
        "test_zipimport",
        "test_importlib",
        "test_interpreters",
        "test_mmap",
    ),
    *("test__xxsubinterpreters", "test_warnings", "test_ctypes", "test_asyncio", "test_concurrent_futures"),
)

#: Tests that look at the environment variables which arm, or at what stands in them.
EXPECTED: dict[str, str] = {}


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


def test_cpythons_own_tests(a_python: str, tmp_path: Path, spool: Path, is_long: bool) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    # A search path alone changes some results (of test_site, for one): so the bare run has one too.
    bare, watched = environment(PYTHONPATH=str(empty)), armed_environment(spool)
    names = existing(a_python, LONG if is_long else SHORT)
    with concurrent.futures.ThreadPoolExecutor(2) as both:
        first = both.submit(run, a_python, names, tmp_path / "armed", watched)
        second = both.submit(run, a_python, names, tmp_path / "bare", bare)
    armed_outcomes, bare_outcomes = first.result(), second.result()
    differences = {
        name: (armed_outcomes.get(name, "not run"), bare_outcomes.get(name, "not run"))
        for name in sorted(armed_outcomes.keys() | bare_outcomes.keys())
        if armed_outcomes.get(name) != bare_outcomes.get(name) and name not in EXPECTED
    }
    assert len(bare_outcomes) > 100
    assert differences == {}, "armed and bare"
    assert not Kept(spool).damage()
