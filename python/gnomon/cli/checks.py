"""What `gnomon run` does for CI once the program has ended: SARIF, annotations, and a failure by verdict."""

from __future__ import annotations

import argparse
import os
import sys

from ..answer import Answer
from ..text import printable
from ..verdicts import ACTIONS, counted

# Neither a failure of gnomon (1, 2) nor one that programs often have.
EXIT_CODE = 3


def check(answer: Answer, options: argparse.Namespace, status: int) -> int:
    """Does what is asked for, and returns the status to end with: the program's own, unless it succeeded."""
    if options.annotations:
        _annotate(answer, is_after_text=not options.quiet)
    is_told = not options.sarif or _write_sarif(answer, options.sarif)
    reason = _objection(answer, options) if options.fail_on else None
    if status != 0:
        return status
    if reason is not None:
        print(f"gnomon: exit code {EXIT_CODE} by --fail-on {options.fail_on}: {reason}", file=sys.stderr)
        return EXIT_CODE
    return 0 if is_told else 1


def _objection(answer: Answer, options: argparse.Namespace) -> str | None:
    """Why the run fails though the program succeeded."""
    least = ACTIONS.index(options.fail_on)
    found = [
        decision
        for decision in answer.verdicts
        if ACTIONS.index(decision.effect) >= least and (options.observe or not decision.is_observed)
    ]
    if found:
        rules = list(dict.fromkeys(decision.rule or "no policy" for decision in found))
        more = f" and {len(rules) - 3} more" if len(rules) > 3 else ""
        words = ", ".join(f"{count:,} {word}" for word, count in counted(found).items())
        return f"{words} ({', '.join(map(printable, rules[:3]))}{more})"
    # A check that could not be made has not been passed.
    unenforced = answer.coverage.unenforced
    return unenforced[0].sentence() if unenforced else None


def _annotate(answer: Answer, *, is_after_text: bool) -> None:
    from ..annotations import github

    here, root = os.getcwd(), os.environ.get("GITHUB_WORKSPACE") or "/"
    is_within = root != "/" and os.path.commonpath([os.path.realpath(root), here]) == os.path.realpath(root)
    lines = list(github(answer, directory=root if is_within else here))
    if lines and not is_after_text:
        lines.insert(0, "")  # the program may not have ended its last line
    # The program's output is its own; GitHub reads both streams.
    for line in lines:
        print(line, file=sys.stderr)


def _write_sarif(answer: Answer, path: str) -> bool:
    from importlib.metadata import version

    from ..sarif import as_sarif

    text = as_sarif(answer, directory=os.getcwd(), version=version("gnomon"))
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(text + "\n")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        print(f"error: cannot write `{path}`: {reason}", file=sys.stderr)
        print("hint: name another file with --sarif FILE", file=sys.stderr)
        return False
    return True
