"""`pytest --gnomon-policy FILE`: fails the very test that did what a policy warns of or denies.

pytest loads this in every run of an environment that has gnomon in it. So here is only what says whether a
run asks for it; the work is done in `pytest_guard`, which only such a run imports.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .pytest_guard import Guard
    from .session import Recording

# A plugin must not break a pytest that it was not made for.
_IS_SUPPORTED = int(pytest.__version__.partition(".")[0]) >= 7

_NAME = "gnomon-guard"
_LEVELS = ("warn", "justify", "deny")
_MARKERS = (
    "gnomon_policy(file, ...): obey these policy files during the test, besides those of the whole run; "
    "relative to the rootdir.",
    "gnomon_expected(rule, ...): what these policy rules warn of or deny does not fail the test (all rules "
    "if none is named).",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options."""
    if not _IS_SUPPORTED:
        return
    group = parser.getgroup("gnomon", "policies for what tests do (gnomon)")
    group.addoption(
        "--gnomon-policy",
        action="append",
        default=[],
        metavar="FILE",
        type=os.path.abspath,
        help="a policy file to obey, and to fail tests by; repeatable",
    )
    group.addoption(
        "--gnomon-fail-on",
        choices=_LEVELS,
        default=None,
        metavar="LEVEL",
        help="what fails a test: what a policy says `deny` to (default), `justify` or `warn`, or is stricter",
    )
    parser.addini("gnomon_policy", "policy files to obey, relative to this file", type="paths", default=[])
    parser.addini("gnomon_fail_on", "as --gnomon-fail-on", default="")


@pytest.hookimpl(hookwrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    """Begins before conftest files are loaded, which may do what is denied."""
    if _IS_SUPPORTED and _is_asked_for(early_config) and not _is_distributing(early_config):
        _guard(early_config)
    yield


def pytest_configure(config: pytest.Config) -> None:
    """Begins where conftest files are not loaded early, and counts for those who do the work elsewhere."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    if not _IS_SUPPORTED:
        return
    if _is_distributing(config):
        _count(config)
    elif _is_asked_for(config):
        _guard(config)
        _count(config)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begins where only tests ask for it."""
    if not _IS_SUPPORTED or config.pluginmanager.has_plugin(_NAME):
        return
    if any(item.get_closest_marker("gnomon_policy") for item in items):
        _guard(config)
        _count(config)


@pytest.fixture
def gnomon_session(request: pytest.FixtureRequest) -> Iterator[Recording]:
    """What this test has done so far, with its set-up: `gnomon_session.records()`, `.denied`, `.answer()`."""
    recording = _guard(request.config).recording_of_test()
    _count(request.config)
    yield recording
    recording.stop()


def _is_asked_for(config: pytest.Config) -> bool:
    option = config.known_args_namespace
    return bool(
        option.gnomon_policy
        or option.gnomon_fail_on
        or config.getini("gnomon_policy")
        or config.getini("gnomon_fail_on")
    )


def _is_distributing(config: pytest.Config) -> bool:
    """Whether the tests run in other processes, which load this plugin too (pytest-xdist)."""
    if hasattr(config, "workerinput") or "PYTEST_XDIST_WORKER" in os.environ:
        return False
    option = config.known_args_namespace
    return bool(
        getattr(option, "numprocesses", None)
        or getattr(option, "tx", None)
        or getattr(option, "dist", "no") != "no"
    )


def _guard(config: pytest.Config) -> Guard:
    """Whoever watches this run; begins now, if not before."""
    known: Guard | None = config.pluginmanager.get_plugin(_NAME)
    if known is not None:
        return known
    try:
        from .pytest_guard import Guard
    except ImportError as error:
        raise pytest.UsageError(f"cannot use gnomon in this Python: {error}") from None
    option = config.known_args_namespace
    fail_on = option.gnomon_fail_on or config.getini("gnomon_fail_on") or "deny"
    if fail_on not in _LEVELS:
        raise pytest.UsageError(f"gnomon_fail_on is `warn`, `justify` or `deny`, and not `{fail_on}`")
    policies = [*map(str, config.getini("gnomon_policy")), *option.gnomon_policy]
    guard = Guard(config, policies, fail_on)
    config.pluginmanager.register(guard, _NAME)
    return guard


def _count(config: pytest.Config) -> None:
    """Has what was found counted here, unless the process that prints does it."""
    name = "gnomon-tally"
    if not hasattr(config, "workerinput") and not config.pluginmanager.has_plugin(name):
        from .pytest_tally import Tally

        config.pluginmanager.register(Tally(), name)
