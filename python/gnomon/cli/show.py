"""`gnomon show`: the one-screen answer again, for the last run, a named one, or a whole spool."""

from __future__ import annotations

import argparse
import sys

from .errors import Failure
from .spools import add_spool, is_terminal, open_spool


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb."""
    parser = verbs.add_parser(
        "show",
        help="what the last run did, or a whole spool",
        description="Says on one screen what the last `gnomon run` in a spool did.",
    )
    add_spool(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--run", metavar="ID", help="the run with this id")
    which.add_argument("--all", action="store_true", help="everything in the spool")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Runs the verb."""
    from ..answer import Answer, as_json
    from ..screen import as_text

    spool = open_spool(options.spool)
    run = None if options.all else (options.run or spool.last_run())
    answer = Answer.of(open_spool(options.spool, run=run), run_id=run)
    if not answer.processes and options.run:
        answer = Answer.of(open_spool(options.spool), run_id=run)  # it may be a part of another
    is_named = any(options.run == process.id for process in (answer.run, *answer.processes) if process)
    if not answer.processes or (options.run and not is_named):
        hint = "`gnomon events` lists what is there" if run else "`gnomon run script.py` records something"
        what = f"run {run}" if options.run else "anything"
        raise Failure(f"cannot find {what} in spool `{spool.path}`", hint=hint)
    print(as_json(answer) if options.format == "json" else as_text(answer, colour=is_terminal(sys.stdout)))
    return 0
