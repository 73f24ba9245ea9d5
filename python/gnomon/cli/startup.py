"""`gnomon startup`: what runs before programs do, and what of it is new."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from .spools import add_spool, is_terminal, open_spool

if TYPE_CHECKING:
    from ..startup import Environment, HookFinding, State

_EPILOG = """\
  known    it was there when the environment was first seen, and is the same
  new      it came later
  changed  it is not what it was, or the module that it imports is not
  gone     it was there
"""


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb."""
    parser = verbs.add_parser(
        "startup",
        help="what runs before programs do, and what of it is new",
        description=(
            "Lists the .pth and .start files, sitecustomize and usercustomize of each environment that was "
            "recorded: whose they are, what they execute, and whether they changed."
        ),
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_spool(parser)
    parser.add_argument("--json", action="store_true", help="the same as JSON, with hashes")
    parser.add_argument(
        "--fail-on-change",
        action="store_true",
        help="exit code 1 where a hook is new or changed since the environment was first seen",
    )
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Runs the verb."""
    from ..startup import as_dict, history
    from ..text import printable

    environments, problems = history(open_spool(options.spool))
    for problem in problems:
        print(f"warning: cannot read {printable(problem)}", file=sys.stderr)
    if options.json:
        import json

        print(json.dumps([as_dict(environment) for environment in environments], ensure_ascii=True))
    elif environments:
        colour = is_terminal(sys.stdout)
        print("\n\n".join(_shown(environment, colour=colour) for environment in environments))
    else:
        print("no inventory of startup hooks is in this spool")
    changes = [
        finding for environment in environments for finding in environment.findings if finding.is_change
    ]
    return 1 if options.fail_on_change and changes else 0


def _shown(environment: Environment, *, colour: bool) -> str:
    from ..text import printable

    count = environment.inventories
    states = f"{count} states" if count > 1 else "one state"
    since = _time(environment.first.time) if environment.first else ""
    lines = [f"{printable(environment.prefix)}: Python {environment.python}, {states} since {since}"]
    rows = [_row(state) for _, state in sorted(environment.hooks.items())]
    widths = [max((len(row[at]) for row in rows), default=0) for at in range(3)]
    for row, (_, state) in zip(rows, sorted(environment.hooks.items())):
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths))
        line = f"  {line}  {row[3]}".rstrip()
        lines.append(f"\x1b[1m{line}\x1b[0m" if colour and state.status in ("new", "changed") else line)
        lines += [f"  {'':<{widths[0]}}  {note}" for note in _notes(state)]
    lines += ["  no hooks"] if not rows else []
    for finding in environment.findings:
        lines += ["", *_told(finding)]
    return "\n".join(lines)


def _row(state: State) -> tuple[str, str, str, str]:
    from ..startup import executes, owner
    from ..text import printable

    hook = state.hook
    name = printable(os.path.basename(hook.file.path), 60)
    if name == "__init__.py":
        name = f"{hook.kind}/{name}"
    what = hook.file.problem or ("executes nothing" if not executes(hook) else "executes code")
    if hook.lines:
        more = f" (and {hook.executed - 1} more)" if hook.executed > 1 else ""
        what = f"{printable(hook.lines[0], 70)}{more}"
    return state.status, name, owner(hook) or "no distribution", what


def _notes(state: State) -> list[str]:
    """Where it lies, and since when it is what it is."""
    from ..text import printable

    notes = [printable(os.path.dirname(state.hook.file.path))]
    if state.hook.target:
        notes.append(f"leads to {printable(state.hook.target)}")
    if state.status != "known":
        seen = state.last
        script = f" with {printable(seen.script, 60)}" if seen.script else ""
        notes.append(f"{state.status} since {_time(seen.time)}, first seen by {printable(seen.user)}{script}")
    return notes


def _told(finding: HookFinding) -> list[str]:
    from ..text import printable

    return [
        f"  {finding.severity}: {finding.id}: {printable(finding.sentence, 400)}",
        f"  hint: {printable(finding.remedy)}",
    ]


def _time(nanoseconds: int) -> str:
    from datetime import datetime

    return f"{datetime.fromtimestamp(nanoseconds / 1e9):%Y-%m-%d %H:%M:%S}"
