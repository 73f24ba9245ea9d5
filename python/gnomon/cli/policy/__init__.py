"""`gnomon policy`: what IT says that scripts may do; one file a verb."""

from __future__ import annotations

import argparse


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb, and those below it."""
    from . import check

    parser = verbs.add_parser(
        "policy",
        help="write, check and try policies",
        description="Works with policies: what scripts may do, and what happens when they do something else.",
    )
    below = parser.add_subparsers(metavar="VERB")
    for verb in (check,):
        verb.add_parser(below)

    def show_help(_: argparse.Namespace) -> int:
        parser.print_help()
        return 2

    parser.set_defaults(main=show_help)
