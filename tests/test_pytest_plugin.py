"""`pytest --gnomon-policy`: runs of pytest of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from commands import run
from watching import Ended, environment

POLICY = """\
name = "ci"

[[rule]]
id = "hr"
path = "**/hr.csv"
action = "deny"
message = "Salaries are for HR only."
owner = "hr-it@example.com"

[[rule]]
id = "draft"
path = "**/draft.csv"
action = "warn"
"""

BEGIN = """\
import pytest, subprocess, sys, threading
def read(name):
    with open(name + ".csv") as file: return file.read()
def swallow(name):
    try: read(name)
    except PermissionError: pass
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with a policy."""
    for name in ("hr", "draft", "only"):
        (tmp_path / f"{name}.csv").touch()
    (tmp_path / "p.toml").write_text(POLICY)
    (tmp_path / "only.toml").write_text('[[rule]]\nid = "only"\npath = "**/only.csv"\naction = "deny"\n')
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def _pytest(
    folder: Path, *arguments: str, policy: bool = True, name: str = "test_it.py", native: str = "auto"
) -> Ended:
    options = ["--gnomon-policy", "p.toml"] if policy else []
    command = [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", *options, *arguments]
    more = {"TMPDIR": str(folder / "tmp"), "GNOMON_NATIVE": native}
    (folder / "tmp").mkdir(exist_ok=True)
    done = subprocess.run(
        command, env=environment(**more), cwd=folder, capture_output=True, check=False, timeout=300
    )
    # Nothing is left behind.
    assert not list((folder / "tmp").glob("pytest-gnomon-*"))
    return Ended(done.returncode, done.stdout, done.stderr)


def _outcomes(done: Ended) -> dict[str, set[str]]:
    """By test, the words at the end."""
    found: dict[str, set[str]] = {}
    for line in done.stdout.decode().partition("short test summary info")[2].splitlines():
        word, _, rest = line.partition(" ")
        if "::" in rest:
            found.setdefault(rest.split(" ")[0].partition("::")[2], set()).add(word)
    return found


ALL = (
    BEGIN
    + """
def test_nothing(): pass
def test_raises(): read("hr")
def test_swallows(): swallow("hr")
def test_again(): swallow("hr")
def test_thread():
    thread = threading.Thread(target=swallow, args=["hr"])
    thread.start()
    thread.join()
def test_child():
    code = "try: open('hr.csv')\\nexcept PermissionError: pass"
    subprocess.run([sys.executable, "-c", code], check=True)
@pytest.fixture
def at_setup():
    swallow("hr")
@pytest.fixture
def at_teardown():
    yield
    swallow("hr")
def test_setup(at_setup): pass
def test_teardown(at_teardown): pass
@pytest.mark.xfail
def test_xfail(): read("hr")
@pytest.mark.gnomon_expected("ci/hr")
def test_expected():
    with pytest.raises(PermissionError): read("hr")
@pytest.mark.gnomon_expected("other")
def test_other_is_expected(): swallow("hr")
def test_skipped():
    swallow("hr")
    pytest.skip("no")
def test_no_files(monkeypatch):
    swallow("hr")
    import os, time
    def gone(*arguments, **options): raise FileNotFoundError
    monkeypatch.setattr(os, "stat", gone)
    monkeypatch.setattr(os, "scandir", gone)
    monkeypatch.setattr(time, "time_ns", None)
@pytest.mark.gnomon_policy("only.toml")
def test_marker(): swallow("only")
def test_after_marker(): swallow("only")
@pytest.mark.gnomon_policy("p.txt")
def test_wrong_policy(): pass
def test_warned(): read("draft")
def test_session(gnomon_session):
    swallow("draft")
    assert [one.rule for one in gnomon_session.warned] == ["ci/draft"]
    assert {one.kind for one in gnomon_session.records()} >= {"open"}
"""
)

FAILED = {
    "test_raises": {"FAILED"},
    "test_swallows": {"FAILED"},
    "test_again": {"FAILED"},
    "test_thread": {"FAILED"},
    "test_child": {"FAILED"},
    "test_setup": {"ERROR"},
    "test_teardown": {"PASSED", "ERROR"},
    "test_xfail": {"FAILED"},
    "test_other_is_expected": {"FAILED"},
    "test_skipped": {"FAILED"},
    "test_no_files": {"FAILED"},
    "test_marker": {"FAILED"},
    "test_wrong_policy": {"ERROR"},
}
PASSED = {"test_nothing", "test_expected", "test_after_marker", "test_warned", "test_session"}


def test_the_test_that_did_it_fails(folder: Path) -> None:
    (folder / "test_it.py").write_text(ALL)
    done = _pytest(folder, "--junitxml", "out.xml")
    outcomes = _outcomes(done)
    assert {test: outcomes.pop(test) for test in FAILED} == FAILED
    assert outcomes == {test: {"PASSED"} for test in PASSED}
    text = done.stdout.decode()
    assert text.count("\nAgainst a policy") == 0
    assert (
        "denied: open (read) hr.csv at test_it.py:3\n"
        "  rule: ci/hr\n"
        "  why: Salaries are for HR only.\n"
        "  ask: hr-it@example.com\n"
    ) in text
    assert "denied: open (read) only.csv at test_it.py:3\n  rule: only/only\n" in text
    assert "gnomon: 13 denied, 2 warned in 15 tests" in text
    assert done.status == 1
    (suite,) = ElementTree.parse(folder / "out.xml").getroot()
    assert suite.get("failures") == "10" and suite.get("errors") == "3"


def test_what_could_not_be_seen_is_said_once(folder: Path) -> None:
    (folder / "test_it.py").write_text(BEGIN + "def test_it(): read('only')\n")
    said = "gnomon: native code was not watched: switched off\n"
    assert said not in _pytest(folder).checked().stdout.decode()
    text = _pytest(folder, native="off").checked().stdout.decode()
    assert text.count(said) == 1
    assert text.index("gnomon: nothing denied") < text.index(said)


def test_several_processes_do_as_one(folder: Path) -> None:
    pytest.importorskip("xdist", reason="pytest-xdist is not installed: several processes were not tried")
    (folder / "test_it.py").write_text(ALL)
    (folder / "conftest.py").write_text("try: open('hr.csv')\nexcept OSError: pass\n")
    done = _pytest(folder, "-n", "2")
    outcomes = _outcomes(done)
    assert {test: outcomes.pop(test) for test in FAILED} == FAILED
    assert outcomes == {test: {"PASSED"} for test in PASSED}
    assert b"gnomon: 15 denied, 2 warned in 15 tests" in done.stdout  # each worker loads the conftest file
    assert b"before tests were collected: denied: open (read) hr.csv at conftest.py:1" in done.stdout


def test_what_fails_can_be_warnings_too(folder: Path) -> None:
    (folder / "test_it.py").write_text(BEGIN + "def test_warned(): read('draft')\n")
    assert _pytest(folder).status == 0
    assert _outcomes(_pytest(folder, "--gnomon-fail-on", "warn")) == {"test_warned": {"FAILED"}}
    (folder / "pytest.ini").write_text("[pytest]\ngnomon_policy = p.toml\ngnomon_fail_on = warn\n")
    below = folder / "below"
    below.mkdir()
    assert _pytest(folder, "-c", "pytest.ini", policy=False).status == 1
    (folder / "pytest.ini").write_text("[pytest]\ngnomon_policy = p.toml\ngnomon_fail_on = all\n")
    wrong = _pytest(folder, policy=False)
    assert wrong.status == 4 and b"gnomon_fail_on is `warn`, `justify` or `deny`" in wrong.stderr


def test_a_file_that_does_it_when_it_is_imported_is_an_error(folder: Path) -> None:
    (folder / "test_it.py").write_text(BEGIN + "swallow('hr')\ndef test_1(): pass\n")
    (folder / "test_other.py").write_text("def test_1(): pass\n")
    done = _pytest(folder)
    assert done.status == 2
    assert b"ERROR collecting test_it.py" in done.stdout and b"ERROR collecting test_other" not in done.stdout
    assert b"denied: open (read) hr.csv at test_it.py:3\n  rule: ci/hr" in done.stdout


def test_what_no_test_did_fails_the_run(folder: Path) -> None:
    (folder / "test_it.py").write_text("def test_1(): pass\n")
    (folder / "conftest.py").write_text(
        BEGIN + "swallow('hr')\ndef pytest_sessionfinish(): swallow('draft')\n"
    )
    done = _pytest(folder)
    assert done.status == 1
    assert b"before tests were collected: denied: open (read) hr.csv at conftest.py:3" in done.stdout
    assert b"1 passed" in done.stdout


def test_a_child_that_outlives_its_test_is_told_of_with_its_name(folder: Path) -> None:
    (folder / "test_it.py").write_text(
        BEGIN + "def test_starts():\n"
        "    global child\n"
        "    code = 'import sys; print(flush=True); sys.stdin.read()\\n'\n"
        "    code += 'try: open(\"hr.csv\")\\nexcept PermissionError: pass'\n"
        "    pipes = {'stdin': subprocess.PIPE, 'stdout': subprocess.PIPE}\n"
        "    child = subprocess.Popen([sys.executable, '-c', code], **pipes)\n"
        "    child.stdout.readline()\n"
        "def test_ends():\n"
        "    child.communicate(b'')\n"
    )
    done = _pytest(folder)
    assert _outcomes(done) == {"test_starts": {"PASSED"}, "test_ends": {"PASSED"}}
    assert done.status == 1
    assert b"by a child of test_it.py::test_starts, after its end: denied: open (read) hr.csv" in done.stdout


def test_in_a_recorded_run_it_stands_back(folder: Path, spool: Path) -> None:
    (folder / "test_it.py").write_text(BEGIN + "def test_1(): swallow('hr')\ndef test_2(): pass\n")
    arguments = ("-m", "pytest", "-rA", "-p", "no:cacheprovider", "--gnomon-policy", "p.toml")
    done = run(spool, *arguments, cwd=folder)
    assert _outcomes(done) == {"test_1": {"FAILED"}, "test_2": {"PASSED"}}
    (folder / "conftest.py").write_text("")
    done = run(spool, *arguments[:-2], "--gnomon-fail-on", "deny", cwd=folder)
    assert _outcomes(done) == {"test_1": {"PASSED"}, "test_2": {"PASSED"}}


def test_a_wrong_policy_ends_the_run(folder: Path) -> None:
    (folder / "p.toml").write_text("[[rule]]\nid = 1\n")
    done = _pytest(folder)
    assert done.status == 4
    assert b"ERROR: a policy is wrong\np.toml:" in done.stderr.replace(f"{folder}/".encode(), b"")


def test_unused_it_loads_nothing_and_can_be_left_out(folder: Path) -> None:
    (folder / "test_it.py").write_text(
        "import json, sys\n"
        "def test_1(): print(json.dumps([n for n in sys.modules if n.startswith('gnomon')]))\n"
    )
    done = _pytest(folder, "-s", policy=False)
    (line,) = [line for line in done.stdout.decode().splitlines() if line.startswith("test_it.py [")]
    assert json.loads(line.partition(" ")[2].rstrip(".")) == ["gnomon", "gnomon.pytest_plugin"]
    assert b"gnomon:" not in done.stdout
    done = _pytest(folder, "-s", "-p", "no:gnomon", policy=False)
    assert b"[]" in done.stdout and done.status == 0
    wrong = _pytest(folder, "-p", "no:gnomon")
    assert wrong.status == 4 and b"--gnomon-policy" in wrong.stderr


def test_a_session_can_be_asked_for_without_a_policy(folder: Path) -> None:
    (folder / "test_it.py").write_text(
        BEGIN + "def test_1(gnomon_session):\n"
        "    read('draft')\n"
        "    names = [one.target for one in gnomon_session.records(kinds=['open'])]\n"
        "    assert len(names) == 1 and names[0].endswith('/draft.csv')\n"
        "    assert 'draft.csv' in str(gnomon_session.answer())\n"
        "def test_2(gnomon_session):\n"
        "    assert list(gnomon_session.records(kinds=['open'])) == []\n"
    )
    assert _outcomes(_pytest(folder, policy=False)) == {"test_1": {"PASSED"}, "test_2": {"PASSED"}}
