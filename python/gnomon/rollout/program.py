"""What the payload's program does: `python3 -I rollout.pyz VERB ...`, without the `gnomon` command."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from . import command, payload
from .errors import RolloutError

# Verbs that have a `main(argv)` of their own here.
_OTHERS = ("keep", "doctor", "pythons")


def main(argv: Sequence[str]) -> int:
    """Runs a verb and returns the exit code."""
    try:
        payload.load_library()
    except Exception as error:  # uninstall needs none
        print(f"warning: the library cannot be loaded: {error}", file=sys.stderr)
    try:
        if argv and argv[0] in _OTHERS:
            return int(importlib.import_module(f".{argv[0]}", __package__).main(list(argv[1:])))
        options = _parser().parse_args(argv)
        return int(options.main(options))
    except RolloutError as failure:
        print(f"error: {failure}", file=sys.stderr)
        if failure.hint:
            print(f"hint: {failure.hint}", file=sys.stderr)
        return failure.exit_code
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rollout.pyz", description="Brings gnomon onto a machine, and off it."
    )
    parser.add_argument("--version", action="version", version=f"gnomon {payload.version()}")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    install = verbs.add_parser("install", description=command.INSTALL, help="bring gnomon into interpreters")
    command.configure_install(install)
    install.set_defaults(main=command.install)
    uninstall = verbs.add_parser("uninstall", description=command.UNINSTALL, help="take gnomon out again")
    command.configure_uninstall(uninstall)
    uninstall.set_defaults(main=command.uninstall)
    for name in _OTHERS:
        verbs.add_parser(name, help=f"as `gnomon {name}`")
    return parser
