"""What policy said, as lines that a CI service shows beside the code (`gnomon run --annotations github`).

https://docs.github.com/actions: "Workflow commands". GitHub shows ten of each level for a step: the strictest
verdicts come first.
"""

from __future__ import annotations

from collections.abc import Iterator

from .answer import Answer
from .text import printable
from .verdicts import Finding, findings, relative


def github(answer: Answer, *, directory: str) -> Iterator[str]:
    """A line for each verdict of each rule at each line of code.

    Args:
        answer: What to tell.
        directory: The root of the repository; what happened elsewhere is told without a file.
    """
    for finding in findings(answer.verdicts, answer.rules, answer.processes):
        title = f"{finding.outcome}: {finding.rule.name}"
        properties = {**_place(finding, directory), "title": printable(title)}
        words = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
        yield f"::{_level(finding)} {words}::{_data(finding.text(directory))}"


def _level(finding: Finding) -> str:
    if finding.is_observed:
        return "notice"
    return "error" if finding.effect == "deny" else "warning"


def _place(finding: Finding, directory: str) -> dict[str, str]:
    path = relative(finding.place.file, directory) if finding.place else None
    if finding.place is None or path is None:
        return {}
    # Lines of a notebook's cell are not those of its file.
    line = 1 if finding.place.cell else finding.place.line
    return {"file": printable(path, 4096), "line": str(line)}


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
