"""`gnomon policy`: what IT says that scripts may do; one file a verb."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb, and those below it."""
    from . import check, compile, learn, replay

    parser = verbs.add_parser(
        "policy",
        help="write, check and try policies",
        description="Works with policies: what scripts may do, and what happens when they do something else.",
    )
    below = parser.add_subparsers(metavar="VERB")
    for verb in (check, compile, learn, replay):
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
    from ...policy import as_text
    from ..errors import Failure

    data, problems = compile_policy(files, observe)
    for problem in problems:
        print(as_text(problem), file=sys.stderr)
    if data is None:
        which = ", ".join(sorted({problem.file for problem in problems if problem.severity == "error"}))
        raise Failure(f"cannot use the policy `{which}`: it has errors", hint="mend what is named above")
    return data
