"""What an installed `bandit` says of scripts, without running them: test and line, never their text."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import note
from .errors import FindingsError
from .present import Present, present

if TYPE_CHECKING:
    from ..analysis import Analysis

_TIMEOUT_SECONDS = 300
_AT_ONCE = 200


@dataclass(frozen=True)
class Issue:
    """What bandit found: its test, how grave it calls it, and where."""

    path: str
    line: int
    test_id: str
    test_name: str
    severity: str


def command() -> list[str] | None:
    """How to run bandit; `None` where it is not installed."""
    program = shutil.which("bandit")
    if program is not None:
        return [program]
    return [sys.executable, "-m", "bandit"] if importlib.util.find_spec("bandit") else None


def scan(scripts: Sequence[Present]) -> list[Issue]:
    """What bandit finds in `scripts`. It is given copies: a file may change, or have an odd name.

    Raises:
        FindingsError: It is not installed, or did not answer.
    """
    program = command()
    if program is None:
        raise FindingsError("cannot run bandit: it is not installed", hint="pip install bandit")
    found: list[Issue] = []
    with tempfile.TemporaryDirectory(prefix="gnomon-bandit-") as directory:
        for start in range(0, len(scripts), _AT_ONCE):
            copies = {}
            for number, one in enumerate(scripts[start : start + _AT_ONCE], start):
                copy = os.path.join(directory, f"{number}.py")
                with open(copy, "wb") as file:
                    file.write(one.content)
                copies[copy] = one.path
            found += _issues(_answer(program, list(copies), directory), copies)
    return found


def _answer(program: Sequence[str], paths: Sequence[str], directory: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GNOMON")}
    try:
        done = subprocess.run(
            [*program, "-q", "-f", "json", *paths],
            capture_output=True, text=True, check=False, timeout=_TIMEOUT_SECONDS, cwd=directory, env=kept,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FindingsError(f"cannot run bandit: {error}", hint=f"try `{program[0]} --version`") from None
    if done.returncode not in (0, 1):
        lines = done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"]
        raise FindingsError(f"cannot use bandit: {lines[-1]}", hint=f"try `{program[0]} --version`")
    return done.stdout


def _issues(answer: str, copies: dict[str, str]) -> Iterable[Issue]:
    try:
        results = json.loads(answer)["results"]
        for result in results:
            severity = str(result["issue_severity"]).lower()
            if result["filename"] in copies and severity in ("high", "medium", "low"):
                yield Issue(
                    path=copies[result["filename"]],
                    line=int(result["line_number"]),
                    test_id=str(result["test_id"]),
                    test_name=str(result["test_name"]),
                    severity=_lowered(severity) if result["issue_confidence"] == "LOW" else severity,
                )
    except (ValueError, KeyError, TypeError):
        raise FindingsError(
            "cannot use bandit: its answer is not what bandit 1.7 gives", hint="pip install -U bandit"
        ) from None


def _lowered(severity: str) -> str:
    return {"high": "medium"}.get(severity, "low")


def rows(analysis: Analysis) -> Iterator[dict[str, Any]]:
    """One row for each issue; none, and a note, where bandit cannot be run."""
    scripts = list(present(analysis))
    by_path = {one.path: one for one in scripts}
    try:
        issues = scan(scripts) if scripts else []
    except FindingsError as error:
        note.add(analysis, "bandit", f"No script was looked at by bandit: {error}.", error.hint)
        return
    for issue in issues:
        one = by_path[issue.path]
        yield {
            "script": one.script, "path": one.path, "process": one.process, "line": issue.line,
            "test_id": issue.test_id, "test_name": issue.test_name, "severity": issue.severity,
        }  # fmt: skip
