"""`gnomon pythons`: which Pythons this machine has, or runs now, and which of them start with gnomon."""

from __future__ import annotations

import argparse


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb."""
    from ..rollout import pythons

    parser = verbs.add_parser(
        "pythons",
        help="which Pythons this machine has, and which start with gnomon",
        description=pythons.DESCRIPTION,
    )
    pythons.configure(parser)
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Runs the verb."""
    from ..rollout import pythons
    from .rolled import as_failures

    with as_failures():
        return pythons.run(options)
