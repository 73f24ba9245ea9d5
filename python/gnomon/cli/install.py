"""`gnomon install`: brings gnomon into the interpreters of a machine, or into one environment."""

from __future__ import annotations

import argparse


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb."""
    from ..rollout import command

    parser = verbs.add_parser(
        "install", help="have all that interpreters run recorded", description=command.INSTALL
    )
    command.configure_install(parser)
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Runs the verb."""
    from ..rollout import command
    from .rolled import as_failures

    with as_failures():
        return command.install(options)
