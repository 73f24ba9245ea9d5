"""What came of one thing that install or uninstall had to do, as people and machines read it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..text import printable


@dataclass(frozen=True)
class Outcome:
    """One thing, and what came of it.

    Attributes:
        subject: An interpreter's path, or a thing of gnomon's own: `payload`, `spool`, `timer` …
        state: `covered`, `unchanged`, `removed`, `done`; `would …` when nothing is changed; `inherits`, of an
            environment; `cannot`, where nobody could; `failed`, where somebody should do something.
        remarks: What else there is to say.
        version: Of an interpreter.
    """

    subject: str
    state: str
    remarks: tuple[str, ...] = ()
    version: str = ""

    @property
    def is_failure(self) -> bool:
        """Whether something is not as it was asked for."""
        return self.state == "failed"


def as_lines(outcomes: Iterable[Outcome]) -> list[str]:
    """The outcomes for a person."""
    told = list(outcomes)
    width = max((len(printable(one.subject)) for one in told), default=0)
    lines = []
    for one in told:
        lines.append(f"{printable(one.subject):<{width}}  {one.version:<8}  {one.state}")
        lines += [f"    {printable(remark)}" for remark in one.remarks]
    return lines


def as_json(outcomes: Iterable[Outcome], **more: Any) -> str:
    """The outcomes for a program."""
    import json

    return json.dumps({"outcomes": [dataclasses.asdict(one) for one in outcomes], **more}, indent=1)
