"""CPython's own tests come out the same, armed and bare."""

from __future__ import annotations

import concurrent.futures
import signal
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from signal import SIGHUP

import pytest

from obeying import policy
from watching import Kept, armed_environment, environment, program

SHORT = ("test_audit", "test_import", "test_pathlib", "test_runpy", "test_fileio")
UNDER_A_POLICY = (*SHORT, "test_shutil")
_MORE = """
    test_os test_subprocess test_threading test_fork1 test_io test_site test_posix test_socket test_ssl
    test_multiprocessing_main_handling test_concurrent_futures test_asyncio test_selectors test_tempfile
    test_shutil test_glob test_file test_mmap test_pty test_popen test_eintr test_wait3 test_wait4
    test_signal test_threadsignals test_thread test_faulthandler test_script_helper test_platform
    test_ensurepip test_cmd_line test_cmd_line_script test_capi test_embed test_atexit test_finalization
    test_sys test_gc test_sys_settrace test_sys_setprofile test_monitoring test_tracemalloc test_trace
    test_builtin test_repl test_exceptions test_traceback test_warnings test_utf8_mode
    test_c_locale_coercion test_linecache test_sqlite test_sqlite3 test_pickle test_marshal test_ctypes
    test_compileall test_frozen test_getpath test_httplib test_urllib2_localnet test_zipimport test_zipapp
    test_pkgutil test_importlib test_interpreters test__xxsubinterpreters test_venv
"""
MULTIPROCESSING = (
    "test_multiprocessing_fork",
    "test_multiprocessing_spawn",
    "test_multiprocessing_forkserver",
)
LONG = (*SHORT, *MULTIPROCESSING, *_MORE.split())
HOPELESS = (
    # Waits for ever in a virtual machine whose hypervisor has a /dev/vsock and loops nothing back.
    "ThreadedVSOCKSocketStreamTest",
    # Waits for ever now and then, in every release before 3.12.8 and 3.13.1 (gh-125451).
    "test_processes_terminate",
    # Sleeps through ten thousand seconds of tasks now and then: on a busy 3.12.1 bare in 4 of 60 runs.
    "*.WithThreadsTestPool.test_terminate",
)
# What may be used: no network (which leaves test_socketserver with nothing to do), no gigabytes.
RESOURCES = "all,-network,-urlfetch,-gui,-audio,-largefile"
# Most of the tests sleep most of the time.
AT_ONCE = 4
# Of one file of tests. A watched one that hangs is a difference like any other.
TIMEOUT_S = 420


def outcomes(report: Path) -> dict[str, str]:
    """The outcome of each test, by its full name."""
    found = {}
    for test in ElementTree.parse(report).iter("testcase"):
        problems = sorted({child.tag for child in test} & {"failure", "error", "skipped"})
        found[test.attrib["name"]] = "+".join(problems) or test.attrib["result"]
    return found


@dataclass(frozen=True)
class Job:
    """Some of CPython's tests, by the names that regrtest knows them by."""

    python: str
    names: Sequence[str]
    workers: int = 1
    """How many of them run at once."""
    directory: Path | None = None
    """Where they are, if not among those of `python`."""

    def command(self) -> list[str]:
        options = [f"-j{self.workers}", f"-u{RESOURCES}", f"--timeout={TIMEOUT_S}"]
        options += [f"--ignore={name}" for name in HOPELESS]
        if self.directory:
            options += ["--testdir", str(self.directory)]
        return [self.python, "-m", "test", *options, *self.names]

    def of(self, tests: Iterable[str]) -> Job:
        """The part that has `tests`, which are full names, one file after the other."""
        parts = {part for name in tests for part in name.split(".")[:2]}
        return replace(self, names=[name for name in self.names if name in parts] or self.names, workers=1)


def run(job: Job, folder: Path, variables: Mapping[str, str]) -> dict[str, str]:
    folder.mkdir()
    report = folder / "report.xml"
    command = [*job.command(), "--junit-xml", str(report), "--tempdir", str(folder)]
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
    job: Job, folder: Path, spool: Path, *, at_once: bool, has_search_path: bool, **variables: str
) -> dict[str, Outcomes]:
    """The tests whose outcomes armed and bare differ, with both."""
    folder.mkdir()
    empty = folder / "empty"
    empty.mkdir()
    bare = environment(PYTHONPATH=str(empty)) if has_search_path else environment()
    watched = armed_environment(spool, **variables)
    with concurrent.futures.ThreadPoolExecutor(2 if at_once else 1) as runs:
        first = runs.submit(run, job, folder / "armed", watched).result
        if not at_once:
            first()
        second = runs.submit(run, job, folder / "bare", bare).result
        armed_outcomes, bare_outcomes = first(), second()
    assert bare_outcomes
    pairs = {
        name: (armed_outcomes.get(name, "not run"), bare_outcomes.get(name, "not run"))
        for name in sorted(armed_outcomes.keys() | bare_outcomes.keys())
    }
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def lasting_differences(
    job: Job, folder: Path, spool: Path, *, at_once: bool, **variables: str
) -> dict[str, Outcomes]:
    # A search path alone changes some results (of test_site, for one), so the bare run has one too. The
    # second time it has none, as ours is gone from sys.path by then: one of both must be like the armed run.
    # Some of CPython's tests also measure time or use fixed ports; what is the hook's doing happens again.
    found = differences(job, folder / "first", spool, at_once=at_once, has_search_path=True, **variables)
    if found:
        again = differences(
            job.of(found), folder / "second", spool, at_once=False, has_search_path=False, **variables
        )
        found = {name: pair for name, pair in found.items() if again.get(name) == pair}
    return found


@pytest.fixture
def signals_count() -> Iterator[None]:
    """What `nohup` starts ignores it, so would CPython, and its tests would wait for ever."""
    is_ignored = signal.getsignal(SIGHUP) is signal.SIG_IGN
    if is_ignored:
        signal.signal(SIGHUP, signal.SIG_DFL)
    yield
    if is_ignored:
        signal.signal(SIGHUP, signal.SIG_IGN)


@pytest.mark.usefixtures("signals_count")
def test_cpythons_own_tests(a_python: str, tmp_path: Path, spool: Path, is_long: bool) -> None:
    names = existing(a_python, LONG if is_long else SHORT)
    assert names
    job = Job(a_python, names, workers=AT_ONCE if is_long else 1)
    assert lasting_differences(job, tmp_path, spool, at_once=not is_long) == {}, "armed and bare"
    assert not Kept(spool).damage()


# Every kind of event is decided on, and every path resolved.
ALLOWS = """
[[rule]]
id = "files"
path = "/**"
action = "allow"

[[rule]]
id = "all"
action = "allow"
"""


@pytest.mark.usefixtures("signals_count")
def test_cpythons_own_tests_under_a_policy_that_allows_all(
    a_python: str, tmp_path: Path, spool: Path, is_long: bool
) -> None:
    names = existing(a_python, LONG if is_long else UNDER_A_POLICY)
    assert names
    job = Job(a_python, names, workers=AT_ONCE if is_long else 1)
    allows = policy(ALLOWS, tmp_path)
    assert lasting_differences(job, tmp_path, spool, at_once=not is_long, GNOMON_POLICY=allows) == {}
    assert not Kept(spool).damage()
    assert {record.verdict for record in Kept(spool).records("open")} == {"allow"}


@pytest.mark.usefixtures("signals_count")
def test_multiprocessings_own_tests_where_they_were_left_out(
    a_python: str, tmp_path: Path, spool: Path, is_long: bool
) -> None:
    """Python 3.11.7 and 3.12.1 came without, by an error in their makefiles."""
    if not is_long or existing(a_python, MULTIPROCESSING):
        pytest.skip("these are part of test_cpythons_own_tests, or this is no long run")
    assert existing(a_python, ["_test_multiprocessing"])
    folder = Path(program("left_out"))
    names = sorted(path.stem for path in folder.glob("test_*.py"))
    job = Job(a_python, names, workers=AT_ONCE, directory=folder)
    assert lasting_differences(job, tmp_path, spool, at_once=False) == {}, "armed and bare"
    assert not Kept(spool).damage()
