"""Watches the tests of one process: what each did, by the policies that it is under. Made by `pytest_plugin`.

After each phase of a test the records that came meanwhile are looked at. So it does not matter whether the
test, or the code under test, swallowed the exception; and what a thread or a fixture of the session does is
charged to the test during which it happens.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from . import _native
from ._native import Record, Spool
from .policy import PolicyError
from .pytest_tally import ATTRIBUTE, WORDS
from .session import Recording, enforce, record
from .text import printable

if TYPE_CHECKING:
    from pluggy import Result

_VERDICTS = ("warn", "justify", "deny")


class Guard:
    """Holds a pytest run to its policies."""

    def __init__(self, config: pytest.Config, policies: Sequence[str], fail_on: str) -> None:
        self.config = config
        self.policies = list(policies)
        self.fails = {"deny": WORDS[:1], "justify": WORDS[:2], "warn": WORDS[:3]}[fail_on]
        # Our own spool, unless this process is recorded already.
        self.folder = None if _native.recording() else tempfile.mkdtemp(prefix="pytest-gnomon-")
        try:
            self.recording = self._begin()
        except BaseException:
            self._remove_folder()
            raise
        self.tail = Spool(self.recording.spool, since=self.recording.began, verdicts=_VERDICTS).tail()
        # What the tail had seen: how often rules spoke, and when the spool was changed.
        self.seen = (-1, -1)
        self.has_children = False
        self.began = self.recording.began
        self.of_test: list[Recording] = []
        # Processes that we answer for: whose child each is, by when it started; `None` for those of others.
        self.started: dict[str, int | None] = {}
        # Tests in their order: when each began, and which it is.
        self.times: list[int] = []
        self.names: list[str] = []
        self.outside: dict[str, Any] = {"counts": dict.fromkeys(WORDS, 0), "texts": [], "fails": False}

    def _begin(self) -> Recording:
        try:
            return enforce(self.policies, spool=self.folder) if self.policies else record(self.folder)
        except PolicyError as error:
            raise pytest.UsageError(f"a policy is wrong\n{error}") from None
        except OSError as error:
            raise pytest.UsageError(f"cannot obey a policy: {error}") from None

    def _remove_folder(self) -> None:
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def recording_of_test(self) -> Recording:
        """Records from the beginning of the test that runs."""
        recording = record()
        recording.began = self.began
        return recording

    # Hooks of pytest, in the order of a run.

    def pytest_report_header(self) -> str | None:
        """Says which policies are obeyed."""
        names = [os.path.relpath(path, self.config.rootpath) for path in self.policies]
        return f"gnomon: policy {', '.join(map(printable, names))}" if names else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Looks at what conftest files and plugins did."""
        self._note_outside("before tests were collected")

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_make_collect_report(self) -> Iterator[None]:
        """Fails a file of tests by what importing it did."""
        outcome: Result[pytest.CollectReport] = yield  # type: ignore[misc, assignment]
        report = outcome.get_result()
        found = self._found(None)
        failing = [one for one in found if self._word(one) in self.fails]
        setattr(report, ATTRIBUTE, self._counts(found))
        if failing:
            text = "\n".join(map(self._described, failing))
            before = f"{report.longrepr}\n" if report.failed else ""
            report.outcome = "failed"
            report.longrepr = f"{before}{text}"

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Gives a test a part of the records for itself."""
        self._note_outside(f"after {self.names[-1]}" if self.names else "after tests were collected")
        self.began = _native.begin_part() or 0
        self.has_children = False
        self.times.append(self.began)
        self.names.append(item.nodeid)
        yield
        while self.of_test:
            self.of_test.pop().stop()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Puts a test under the policies that its markers name."""
        paths = [os.path.join(item.config.rootpath, path) for path in _arguments(item, "gnomon_policy")]
        wrong = None
        try:
            if paths:
                self.of_test.append(enforce(paths))
        except PolicyError as error:
            wrong = str(error)
        if wrong is not None:
            pytest.fail(f"a policy of this test is wrong\n{wrong}", pytrace=False)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Iterator[None]:
        """Fails a test by what it did, in the phase that did it."""
        outcome: Result[pytest.TestReport] = yield  # type: ignore[misc, assignment]
        report = outcome.get_result()
        found = self._found(item.nodeid)
        _native.begin_part()
        setattr(report, ATTRIBUTE, self._counts(found))
        failing = [one for one in found if self._word(one) in self.fails and not _is_expected(item, one)]
        if not failing:
            return
        texts = [self._described(one) for one in failing]
        report.sections.append(("gnomon policy", "\n".join(texts)))
        if not report.failed:
            _make_failed(report, item, texts[0].partition("\n")[0], len(texts))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Hands over what belongs to no test."""
        self.seen = (-1, -1)
        self._note_outside("after the last test")
        self.outside["unseen"] = self._unseen()
        tally: Any = self.config.pluginmanager.get_plugin("gnomon-tally")
        if tally is not None:
            tally.add_outside(self.outside)
        elif hasattr(self.config, "workeroutput"):
            self.config.workeroutput[ATTRIBUTE] = self.outside

    def pytest_unconfigure(self) -> None:
        """Ends it."""
        self.recording.stop()
        self._remove_folder()

    # What was done.

    def _found(self, test: str | None) -> list[Record]:
        """What `test` did since the last look; what children of other tests did is kept apart."""
        found: list[Record] = []
        if not self._has_news():
            return found
        for one in self.tail.poll()[0]:
            if one.process == _native.process_id():
                found.append(one)
                continue
            started = self._started(one.process)
            if started is None:
                continue
            name = self._test_at(started)
            if name == test:
                found.append(one)
            else:
                where = f"by a child of {name}, after its end" if name else "by a child that no test started"
                self._keep_outside([one], where)
        return found

    def _has_news(self) -> bool:
        """Whether there can be something: reading the spool after each test would be slow."""
        # Not by `os` and `time`: tests put others in their places (pyfakefs, freezegun).
        spoken, changed, now = _native.pulse()
        seen = (spoken, changed)
        # Children have segments of their own. A file system's clock may be coarse.
        if changed != self.seen[1] or abs(now - changed) < 2_000_000_000:
            self.has_children = True
        is_new = seen != self.seen or self.has_children
        self.seen = seen
        return is_new

    def _started(self, process: str) -> int | None:
        """When our child started that `process` is or comes from; `None` where it does not."""
        if process not in self.started:
            self.started[process] = None  # should it be its own ancestor
            described = [one for one in Spool(self.recording.spool, process=process).processes()[0]]
            parent = next((one.parent for one in described if one.id == process), None)
            if parent == _native.process_id():
                self.started[process] = _start(described[0])
            elif parent is not None:
                self.started[process] = self._started(parent)
        return self.started[process]

    def _test_at(self, when: int) -> str | None:
        at = bisect_right(self.times, when)
        return self.names[at - 1] if at else None

    def _note_outside(self, where: str) -> None:
        self._keep_outside(self._found(None), where)

    def _keep_outside(self, found: Sequence[Record], where: str) -> None:
        for word, count in self._counts(found).items():
            self.outside["counts"][word] += count
        failing = [one for one in found if self._word(one) in self.fails]
        self.outside["texts"] += [f"{where}: {self._described(one)}" for one in failing]
        self.outside["fails"] = self.outside["fails"] or bool(failing)

    def _unseen(self) -> list[str]:
        """What can have been done unseen, in sentences."""
        from .coverage import Blindness, absence, native_state, unseen

        spool, blindness, own = self.recording.spool, Blindness(), _native.process_id()
        for one in Spool(spool, kinds=["blind"]).records():
            if one.process == own or self._started(one.process) is not None:
                blindness.add(one)
        states = {native_state(one) for one in Spool(spool, process=own).processes()[0] if one.id == own}
        said = [f"native code was not watched: {absence(state)}" for state in states - {"on"}]
        return [*said, unseen(blindness.found())] if blindness.found() else said

    def _word(self, one: Record) -> str:
        if one.outcome == "denied":
            return "denied"
        return {"deny": "denied", "justify": "justified", "warn": "warned"}.get(one.verdict or "", "observed")

    def _counts(self, found: Sequence[Record]) -> dict[str, int]:
        counts = dict.fromkeys(WORDS, 0)
        for one in found:
            counts[self._word(one)] += 1
        return counts

    def _described(self, one: Record) -> str:
        """What happened, where, by which rule, and what that says."""
        how = f" ({one.access})" if one.access else ""
        lines = [f"{self._word(one)}: {one.kind}{how} {printable(_target(one))}{self._place(one)}"]
        message, link, owner = _native.rule_texts(one.rule or "") or ("", "", "")
        lines.append(f"  rule: {printable(one.rule or 'none')}")
        for name, text in (("why", message), ("more", link), ("ask", owner)):
            if text:
                lines.append(f"  {name}: {printable(text)}")
        return "\n".join(lines)

    def _place(self, one: Record) -> str:
        if one.file is None:
            return ""
        root = str(self.config.rootpath) + os.sep
        file = one.file[len(root) :] if one.file.startswith(root) else one.file
        by = f", by {one.distribution}" if one.distribution else ""
        where = "" if one.process == _native.process_id() else ", in a child process"
        return printable(f" at {file}:{one.line}{by}{where}")


def _start(process: _native.Process) -> int:
    """When a child was started: it says so a little late, and the kernel in hundredths of a second."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    if clock is None or not process.started_ticks:
        return process.started
    booted = time.clock_gettime_ns(time.CLOCK_REALTIME) - time.clock_gettime_ns(clock)
    tick = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    return min(process.started, booted + (process.started_ticks + 1) * tick)


def _target(one: Record) -> str:
    if one.argv:
        return " ".join(one.argv)
    if one.target is None and (one.host or one.address):
        port = f":{one.port}" if one.port is not None else ""
        return f"{one.host or one.address}{port}"
    return one.requested or one.target or ""


def _arguments(item: pytest.Item, marker: str) -> list[str]:
    return [str(path) for mark in item.iter_markers(marker) for path in mark.args]


def _is_expected(item: pytest.Item, one: Record) -> bool:
    rules = _arguments(item, "gnomon_expected")
    if not rules:
        return item.get_closest_marker("gnomon_expected") is not None
    return one.rule is not None and (one.rule in rules or one.rule.partition("/")[2] in rules)


def _make_failed(report: pytest.TestReport, item: pytest.Item, what: str, count: int) -> None:
    """Turns a report into that of a failure, also of a test that passed, was skipped or may fail."""
    others = f" (and {count - 1} more)" if count > 1 else ""
    try:
        pytest.fail(f"against a policy: {what}{others}", pytrace=False)
    except pytest.fail.Exception:
        excinfo: pytest.ExceptionInfo[BaseException] = pytest.ExceptionInfo.from_current()
    report.outcome = "failed"
    report.longrepr = item.repr_failure(excinfo)
    report.__dict__.pop("wasxfail", None)
