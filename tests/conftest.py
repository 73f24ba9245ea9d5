"""What all tests share: the options, a spool of their own, an interpreter of each version."""

from __future__ import annotations

import functools
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from interpreters import VERSIONS, needed, present, wanted
from machines import Machine, machine, why_no_machine
from watching import process_id

# The subjects, some of which have the names of tests.
collect_ignore = ["programs"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long", action="store_true", help="every test on every version: an hour and not minutes"
    )
    parser.addoption(
        "--only", action="append", choices=VERSIONS, help="a version of CPython to test with; repeatable"
    )
    parser.addoption(
        "--seed", type=int, help="repeats the random choices of an earlier run, which printed it"
    )


def pytest_configure(config: pytest.Config) -> None:
    # A skip that nobody sees looks like a pass.
    if "s" not in config.option.reportchars:
        config.option.reportchars += "s"
    wanted.extend(config.option.only or ())
    if config.option.seed is None:
        config.option.seed = random.SystemRandom().randrange(1 << 32)
    # A shell's background job ignores these, and so would the programs that are started here.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGQUIT) is signal.SIG_IGN:
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"seed of this run: {terminalreporter.config.option.seed}")
    terminalreporter.write_line(f"CPython versions of this run: {', '.join(present())}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`python` is an interpreter of every version here, `a_python` the newest unless the run is long.

    The versions that are missing are skipped once, in test_interpreters.py.
    """
    if "python" in metafunc.fixturenames:
        metafunc.parametrize("python", present(), indirect=True)
    if "a_python" in metafunc.fixturenames:
        is_long = metafunc.config.option.long
        metafunc.parametrize("a_python", present() if is_long else present()[-1:], indirect=True)


@pytest.fixture
def python(request: pytest.FixtureRequest) -> str:
    return needed(request.param)


@pytest.fixture
def a_python(request: pytest.FixtureRequest) -> str:
    return needed(request.param)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """An empty spool."""
    path = tmp_path / "spool"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Random choices that `--seed` repeats, for each test its own."""
    return random.Random(f"{request.config.option.seed} {request.node.nodeid}")


@pytest.fixture
def is_long(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.option.long)


@pytest.fixture(autouse=True)
def suite_stays_clean() -> Iterator[None]:
    """The suite itself is never watched: a hook would stay for good, in every later test."""
    assert "GNOMON_SPOOL" not in os.environ
    yield
    assert process_id() is None


_why_no_machine = functools.cache(why_no_machine)


@pytest.fixture
def computer() -> Iterator[Machine]:
    """This machine under an overlay of its own."""
    reason = _why_no_machine()
    if reason:
        pytest.skip(reason)
    with machine() as found:
        yield found
