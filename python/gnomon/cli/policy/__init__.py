"""`gnomon policy`: what IT says that scripts may do; one file a verb."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import Failure

if TYPE_CHECKING:
    from ..._native import Problem


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb, and those below it."""
    from . import check, compile, explain, learn, replay, request, test

    parser = verbs.add_parser(
        "policy",
        help="write, check and try policies",
        description="Works with policies: what scripts may do, and what happens when they do something else.",
    )
    below = parser.add_subparsers(metavar="VERB")
    for verb in (check, compile, explain, learn, replay, request, test):
        verb.add_parser(below)

    def show_help(_: argparse.Namespace) -> int:
        parser.print_help()
        return 2

    parser.set_defaults(main=show_help)


def load(files: Sequence[str], *, observe: bool = False) -> bytes:
    """The compiled form of policy files, with `observe` only to be observed; what is wrong goes to stderr.

    Raises:
        Failure: One of them is wrong.
    """
    from ..._native import compile_policy

    data, problems = compile_policy(files, observe)
    tell(problems)
    if data is None:
        raise unusable(problems)
    return data


def tell(problems: list[Problem]) -> None:
    """Says on stderr what is wrong with policy files, and where."""
    from ...policy import as_text

    for problem in problems:
        print(as_text(problem), file=sys.stderr)


def unusable(problems: list[Problem]) -> Failure:
    """What to raise where policies have errors, which were told."""
    which = ", ".join(sorted({problem.file for problem in problems if problem.severity == "error"}))
    return Failure(f"cannot use the policy `{which}`: it has errors", hint="mend what is named above")
