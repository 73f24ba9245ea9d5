"""`gnomon watch`: a spool as it grows, live in the terminal."""

from __future__ import annotations

import argparse
import os
import sys
from importlib.util import find_spec

from .errors import Failure
from .spools import add_spool, open_spool


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb."""
    parser = verbs.add_parser(
        "watch",
        help="watch a spool live",
        description=(
            "Shows a spool as it grows: processes, newest events, what policy said, hosts. It only reads. "
            "Press ? for the keys, q to leave. Needs `pip install 'gnomon[report]'`."
        ),
    )
    add_spool(parser)
    parser.add_argument("--once", action="store_true", help="print what is there now, and leave")
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Runs the verb."""
    if find_spec("rich") is None:
        raise Failure(
            "cannot show the spool: the library rich is missing", hint="pip install 'gnomon[report]'"
        )
    if not options.once and (not sys.stdout.isatty() or os.environ.get("TERM", "dumb") == "dumb"):
        raise Failure(
            "cannot watch: standard output is no terminal that can move its cursor",
            hint="`gnomon watch --once` prints what is there, `gnomon events --follow` what comes",
        )
    spool = open_spool(options.spool)
    from ..watch.loop import show_once, watch

    if options.once:
        return show_once(spool)
    return watch(spool)
