"""`gnomon policy learn`: a small policy that permits what was recorded."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from typing import TYPE_CHECKING

from ..spools import open_spool, parse_since

if TYPE_CHECKING:
    from ...learn import Learner


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb."""
    parser = verbs.add_parser(
        "learn",
        help="write a policy that permits what was recorded",
        description=(
            "Writes a small policy that allows what was recorded, in folders, domains and programs, and "
            "denies the rest of the same families. It only observes until you say otherwise."
        ),
    )
    parser.add_argument("spools", nargs="*", metavar="SPOOL", help="spools (default: your own)")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to write (default: on the screen)")
    parser.add_argument(
        "--deny",
        metavar="FAMILY",
        default="write,read,network,process",
        help="of what the rest is denied: write, read, network, process, import (default: %(default)s)",
    )
    parser.add_argument("--since", metavar="WHEN", help="only since then: 10m, 2h, 7d, or a date and time")
    parser.add_argument("--process", metavar="ID", help="only this process: its pid, or how its id starts")
    parser.add_argument("--run", metavar="ID", help="only this run")
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Runs the verb."""
    from ...learned import policy
    from ..errors import Failure

    learner = _learned(options)
    if not learner.scripts:
        raise Failure(
            "cannot learn a policy: nothing was recorded that it could be about",
            hint="record some runs first: `gnomon run script.py`",
        )
    stem = os.path.splitext(os.path.basename(options.output or ""))[0]
    text = policy(learner, name=stem or "learned")
    _tell_what_is_missing(text, options)
    if options.output is None:
        sys.stdout.write(text)
        return 0
    try:
        with open(options.output, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Failure(
            f"cannot write `{options.output}`: {reason}", hint="name another file with -o"
        ) from None
    scripts = "1 script" if len(learner.scripts) == 1 else f"{len(learner.scripts):,} scripts"
    print(f"{options.output}: learned from {scripts}, only observing", file=sys.stderr)
    return 0


def _learned(options: argparse.Namespace) -> Learner:
    from ...learn import FAMILIES, Learner
    from ..errors import UsageError

    families = [word for word in options.deny.replace(" ", "").split(",") if word]
    unknown = [word for word in families if word not in FAMILIES]
    if unknown or not families:
        known = ", ".join(FAMILIES)
        raise UsageError(f"there is no family `{', '.join(unknown)}`", hint=f"name some of {known}")
    learner = Learner(families)
    since = parse_since(options.since) if options.since else None
    filters = {"since": since, "process": options.process, "run": options.run}
    for place in options.spools or [None]:
        learner.know(open_spool(place).processes()[0])
        for record in open_spool(place, **filters).records():
            learner.add(record)
    return learner


def _tell_what_is_missing(text: str, options: argparse.Namespace) -> None:
    """Asks the policy about what it was made of: what it does not allow, it says."""
    from ...text import printable
    from . import load
    from .replay import replayed

    with tempfile.TemporaryDirectory(prefix="gnomon-") as folder:
        path = os.path.join(folder, "learned.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        found = replayed(load([path]), options.spools, options.since, options.process, options.run)
    for finding in found.findings:
        if finding.action == "allow":
            continue
        first = finding.scripts[0]
        print(
            f"warning: {finding.events:,} events that were seen are not allowed by it, as "
            f"{printable(first.doing)} ({finding.rule})",
            file=sys.stderr,
        )
