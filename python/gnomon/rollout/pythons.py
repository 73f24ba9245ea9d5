"""Which Pythons this machine has, or runs now, and which of them start with gnomon, to be read."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence

from ..text import command_line, printable, short_path
from .errors import RolloutUsageError
from .interpreters import Interpreter, covered, find, search
from .running import Running, running

DESCRIPTION = (
    "Lists the Python interpreters of this machine with their environments, or the Python processes that run "
    "now. As root it sees those of all users; interpreters that are not root's are asked as their owner."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="look at these interpreters or environments only"
    )
    parser.add_argument(
        "--running", action="store_true", help="the Python processes, and whether each is recorded"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document")


def run(options: argparse.Namespace) -> int:
    """Looks, and says what was found."""
    if options.running and options.paths:
        raise RolloutUsageError("--running looks at all processes", hint="leave the paths out")
    return _running(options.json) if options.running else _interpreters(options.paths, options.json)


def main(argv: Sequence[str]) -> int:
    """The verb of the payload's own program."""
    parser = argparse.ArgumentParser(prog="pythons", description=DESCRIPTION)
    configure(parser)
    return run(parser.parse_args(argv))


def _interpreters(paths: list[str], is_json: bool) -> int:
    found = search(paths, everywhere=not paths)
    if is_json:
        listed = [{**one.as_dict(), "covered": covered(one)} for one in found.interpreters]
        print(json.dumps({"interpreters": listed, "skipped": found.skipped}, indent=2))
        return 0
    rows = list(_interpreter_rows(found.interpreters, is_brief=not paths))
    _print_table(("interpreter", "version", "layout", "environments", "gnomon"), rows)
    for words in found.skipped:
        print(f"not searched: {printable(words)}", file=sys.stderr)
    _hint_at_root("the interpreters of other users")
    return 0


def _interpreter_rows(interpreters: list[Interpreter], *, is_brief: bool) -> Iterator[tuple[str, ...]]:
    """A row for each base and environment; if brief, of environments only for those not as their base is."""
    known = {one.executable: one for one in interpreters}
    for one in interpreters:
        base = known.get(one.base or "")
        is_as_base = base is not None and one.obstacle == base.obstacle and one.layout != "embedded"
        if is_brief and is_as_base:
            continue
        count = sum(other.base == one.executable for other in interpreters)
        state = f"cannot: {one.obstacle}" if one.obstacle else "covered" if covered(one) else "not covered"
        name = ("  " if base is not None else "") + printable(short_path(one.executable))
        yield name, one.version or "?", one.layout, str(count) if count else "", printable(state)


def _running(is_json: bool) -> int:
    found = running(find())
    if is_json:
        print(json.dumps([process.as_dict() for process in found], indent=2))
        return 0
    _print_table(("pid", "user", "program", "interpreter", "gnomon"), list(map(_process_row, found)))
    _hint_at_root("what the processes of other users do")
    return 0


def _process_row(process: Running) -> tuple[str, ...]:
    program = process.script or command_line(list(process.argv[:3])) or "?"
    state = f"recorded into {process.spool}" if process.is_recorded else f"not recorded: {process.reason}"
    return (
        str(process.pid),
        printable(process.user, 20),
        printable(short_path(program), 60),
        printable(short_path(process.executable), 60),
        printable(state),
    )


def _print_table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[at]) for row in (heads, *rows)) for at in range(len(heads))]
    is_bold = sys.stdout.isatty() and not os.environ.get("NO_COLOR")  # no-color.org
    # A few long paths shall not push everything else off the screen.
    widths = [min(width, 60) for width in widths]
    for row in (heads, *rows):
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths)).rstrip()
        print(f"\x1b[1m{line}\x1b[0m" if row is heads and is_bold else line)


def _hint_at_root(what: str) -> None:
    if os.geteuid() != 0:
        print(f"hint: as root this also sees {what}", file=sys.stderr)
