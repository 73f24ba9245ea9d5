"""Policy files to the compiled form that processes read; for the command line and `gnomon.enforce`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ._native import Problem, compile_policy

if TYPE_CHECKING:
    from ._native import StrPath

SUFFIX = ".gnomon-policy"
# A message may name all lists of a file, or all kinds of events.
_MAX_LENGTH = 1000


class PolicyError(ValueError):
    """A policy file says something wrongly.

    Attributes:
        problems: What, and where; warnings are among them.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        errors = [problem for problem in problems if problem.severity == "error"]
        super().__init__("\n".join(as_text(problem) for problem in errors))


def as_text(problem: Problem) -> str:
    """A problem as compilers show it, the hint on a line of its own."""
    from .text import printable

    place = f"{printable(problem.file)}:{problem.line}:{problem.column}"
    text = f"{place}: {problem.severity}: {printable(problem.message, _MAX_LENGTH)}"
    return f"{text}\n  hint: {printable(problem.hint, _MAX_LENGTH)}" if problem.hint else text


def compiled(paths: Sequence[StrPath], *, observe: bool = False, text: str | None = None) -> bytes:
    """The compiled form of the policy files at `paths`, which combine by the strictest verdict.

    Args:
        paths: The files.
        observe: No rule of it acts.
        text: One more, as a file would hold it.

    Raises:
        PolicyError: One of the files is wrong.
    """
    more = None if text is None else ("policy", os.getcwd(), text)
    data, problems = compile_policy(list(paths), observe, more)
    if data is None:
        raise PolicyError(problems)
    return data


def write(data: bytes, path: StrPath) -> None:
    """Writes a compiled policy to `path`: readers see all of it or the one before.

    Raises:
        OSError: It cannot be written.
    """
    from .replacing import replaced

    with (
        replaced(path, mode=0o644, is_durable=True) as new,
        open(new.descriptor, "wb", closefd=False) as file,
    ):
        file.write(data)
