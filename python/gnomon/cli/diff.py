"""`gnomon diff`: what one run, or one week, does that another did not."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from .errors import Failure, UsageError
from .spools import is_terminal, open_spool, parse_since

if TYPE_CHECKING:
    from .. import Fault, Process, Spool
    from ..difference import Behaviour

_EPILOG = """\
A and B each name a set of records:

  before/                    a spool: all that is in this directory
  last, last~1               the newest run of the spool, and the one before it
  019abf3c                   a run, by how its id starts
  2026-11-01..2026-11-08     a time: from the one to before the other; either may be left out
  7d, 14d..7d, 2026-11-22    the last seven days, the seven before them, one day
"""
_PREFIX = re.compile(r"[0-9a-f][0-9a-f-]{3,35}")
_LAST = re.compile(r"last(?:~(\d{1,6}))?")
_AGO = re.compile(r"\d+(?:\.\d+)?\s*[smhdw]")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class _Choice:
    """The records that one side is about: those of one run, or of a time, or all of a spool."""

    spool: Spool
    run: str | None = None
    since: int = 0
    until: int | None = None


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb."""
    parser = verbs.add_parser(
        "diff",
        help="what one run or week does that another did not",
        description=(
            "Says what B does that A did not, what changed, and what is gone: libraries, hosts, files, "
            "programs. Temporary names, dates, numbers of processes and the like count as the same."
        ),
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("a", metavar="A", help="what to compare with")
    parser.add_argument("b", metavar="B", help="what is compared")
    parser.add_argument(
        "--spool", metavar="DIR", help="where runs and times are looked up (default: your own)"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.add_argument(
        "--exit-code", action="store_true", help="exit code 1 where B does something that A did not"
    )
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Runs the verb."""
    from ..difference import compare
    from ..difference_screen import Side, as_json, as_text

    chosen = [(name, _choose(name, options.spool)) for name in (options.a, options.b)]
    before, after = (Side(name, _behaviour(name, choice)) for name, choice in chosen)
    difference = compare(before.behaviour, after.behaviour)
    if options.format == "json":
        print(as_json(before, after, difference))
    else:
        print(as_text(before, after, difference, colour=is_terminal(sys.stdout)))
    return 1 if options.exit_code and difference.is_more else 0


def _choose(name: str, spool: str | None) -> _Choice:
    """What `name` means."""
    last = _LAST.fullmatch(name)
    if last:
        return _choose_last(name, int(last[1] or 0), open_spool(spool))
    if "/" in name or os.path.exists(name):
        return _Choice(open_spool(name))
    if ".." in name or _AGO.fullmatch(name) or _DAY.fullmatch(name):
        return _choose_time(name, spool)
    if not _PREFIX.fullmatch(name.lower()):
        raise Failure(
            f"cannot compare `{name}`: it is no spool, run or time",
            hint="say `last`, the id of a run, a directory, or `2026-11-01..2026-11-08`",
        )
    return _choose_run(name.lower(), open_spool(spool))


def _choose_last(name: str, back: int, spool: Spool) -> _Choice:
    runs = [process for process in _runs(spool) if process.run == process.id]
    if back >= len(runs):
        have = {0: "is no run", 1: "is one run"}.get(len(runs), f"are {len(runs)} runs")
        raise Failure(f"cannot find `{name}`: there {have} in `{spool.path}`", hint=_newest(runs))
    return _Choice(spool, run=runs[-1 - back].id)


def _choose_run(start: str, spool: Spool) -> _Choice:
    runs = _runs(spool)
    found = [process for process in runs if process.id.startswith(start)]
    if len(found) == 1:
        return _Choice(spool, run=found[0].id)
    if found:
        raise Failure(
            f"cannot tell which run `{start}` is: {len(found)} start like that", hint=_newest(found)
        )
    raise Failure(f"cannot find run `{start}` in `{spool.path}`", hint=_newest(runs))


def _choose_time(name: str, spool: str | None) -> _Choice:
    if ".." in name:
        start, _, end = name.partition("..")
        since = parse_since(start) if start else 0
        until = parse_since(end) if end else None
    elif _DAY.fullmatch(name):
        since, until = parse_since(name), parse_since(f"{_next_day(name)}")
    else:
        since, until = parse_since(name), None
    if since >= (until or time.time_ns()):
        raise UsageError(
            f"cannot compare `{name}`: it ends before it begins", hint="say `2026-11-01..2026-11-08`"
        )
    return _Choice(open_spool(spool, since=since or None), since=since, until=until)


def _next_day(day: str) -> date:
    return datetime.fromisoformat(day).date() + timedelta(days=1)


def _runs(spool: Spool) -> list[Process]:
    return [process for process in spool.processes()[0] if process.role == "run"]


def _newest(runs: list[Process], shown: int = 5) -> str:
    """A hint that names the newest runs, so that one can be copied."""
    from ..text import command_line, printable

    if not runs:
        return "`gnomon run script.py` records one"
    lines = [
        f"  {process.id}  {datetime.fromtimestamp(process.started / 1e9):%Y-%m-%d %H:%M:%S}  "
        f"{printable(command_line(process.argv), 60)}"
        for process in reversed(runs[-shown:])
    ]
    return "\n".join(["the newest runs are", *lines])


def _behaviour(name: str, choice: _Choice) -> Behaviour:
    from ..difference import Behaviour

    spool, processes, faults = _processes(choice)
    behaviour = Behaviour(processes)
    known = {process.id for process in processes}
    records = spool.records()
    for record in records:
        is_in_time = choice.until is None or record.time < choice.until
        if is_in_time and record.process in known:
            behaviour.add(record)
    behaviour.faults = [*faults, *records.faults]
    if not behaviour.pythons:
        raise Failure(
            f"cannot compare `{name}`: nothing is recorded there",
            hint=_newest(_runs(open_spool(str(spool.path)))),
        )
    return behaviour


def _processes(choice: _Choice) -> tuple[Spool, list[Process], list[Fault]]:
    """The records to read, and the processes that are meant."""
    from ..descent import below

    spool = choice.spool
    if choice.run is None:
        found, faults = spool.processes()
        until = choice.until
        inside = [
            process
            for process in found
            if process.last_seen >= choice.since and (until is None or process.started < until)
        ]
        return spool, inside, faults
    spool = open_spool(str(spool.path), run=choice.run)
    found, faults = spool.processes()
    if found:
        return spool, found, faults
    # A part of another run: what descends from it.
    spool = open_spool(str(choice.spool.path))
    found, faults = spool.processes()
    root = next(process for process in found if process.id == choice.run)
    return spool, below(found, root), faults
