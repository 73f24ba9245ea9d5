"""What the policies said in a pytest run, over all its processes, for the end of the terminal's output."""

from __future__ import annotations

from typing import Any

import pytest

# What a report carries from the process that ran the test to the one that prints: counts by words.
ATTRIBUTE = "gnomon"
# The strictest first.
WORDS = ("denied", "justified", "warned", "observed")


class Tally:
    """Counts what reports say."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(WORDS, 0)
        self.tests: set[str] = set()
        self.is_used = False
        # What belongs to no test: texts.
        self.outside: list[str] = []
        self.outside_fails = False
        # What could not be seen: sentences, each once.
        self.unseen: dict[str, None] = {}

    def add(self, counts: dict[str, int], test: str | None = None) -> None:
        """Adds what was found, in `test` or outside of tests."""
        self.is_used = True
        for word, count in counts.items():
            self.counts[word] += count
        if test is not None and any(counts.values()):
            self.tests.add(test)

    def add_outside(self, found: dict[str, Any]) -> None:
        """Adds what a process found outside of its tests."""
        self.add(found["counts"])
        self.outside += found["texts"]
        self.unseen.update(dict.fromkeys(found.get("unseen", ())))
        self.outside_fails = self.outside_fails or found["fails"]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Counts what a test did."""
        counts = getattr(report, ATTRIBUTE, None)
        if counts is not None:
            self.add(counts, report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Counts what importing a file of tests did."""
        counts = getattr(report, ATTRIBUTE, None)
        if counts is not None:
            self.add(counts)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Takes what a worker of pytest-xdist found outside of its tests."""
        found = getattr(node, "workeroutput", {}).get(ATTRIBUTE)
        if found is not None:
            self.add_outside(found)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A run in which something else than a test did it has failed too."""
        passing = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        if self.outside_fails and session.exitstatus in passing:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Says it."""
        if not self.is_used:
            return
        if self.outside:
            terminalreporter.write_sep("=", "gnomon: outside of tests", red=self.outside_fails)
            for text in self.outside:
                terminalreporter.write_line(text)
        counted = [f"{count} {word}" for word, count in self.counts.items() if count]
        number = len(self.tests)
        where = f" in {number} test{'s' if number > 1 else ''}" if number else ""
        line = f"gnomon: {', '.join(counted) or 'nothing denied, nothing warned of'}{where}"
        terminalreporter.write_line(line)
        for sentence in self.unseen:
            terminalreporter.write_line(f"gnomon: {sentence}")
