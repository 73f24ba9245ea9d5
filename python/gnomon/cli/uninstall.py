"""`gnomon uninstall`: takes gnomon out of interpreters, without a trace."""

from __future__ import annotations

import argparse


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb."""
    from ..rollout import command

    parser = verbs.add_parser(
        "uninstall", help="take gnomon out of interpreters", description=command.UNINSTALL
    )
    command.configure_uninstall(parser)
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Runs the verb."""
    from ..rollout import command
    from .rolled import as_failures

    with as_failures():
        return command.uninstall(options)
