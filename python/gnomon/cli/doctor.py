"""`gnomon doctor`: whether a machine is recorded as it should be, and what to do where it is not."""

from __future__ import annotations

import argparse


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb."""
    from ..rollout import doctor

    parser = verbs.add_parser(
        "doctor", help="check that this machine is recorded as it should be", description=doctor.DESCRIPTION
    )
    doctor.configure(parser)
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Runs the verb."""
    from ..rollout import doctor
    from .rolled import as_failures

    with as_failures():
        return doctor.run(options)
