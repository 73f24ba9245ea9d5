"""`gnomon policy test`: asks policies what the examples beside their rules expect."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from . import tell, unusable

if TYPE_CHECKING:
    from ..._native import ExampleOutcome


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb."""
    parser = verbs.add_parser(
        "test",
        help="try the examples written beside the rules",
        description=(
            "Asks each policy what its examples (`[[rule.example]]`) expect of it. Observed rules answer as "
            "if they were enforced. Exit code 1 when an answer is another."
        ),
    )
    parser.add_argument("files", nargs="+", metavar="POLICY", help="a policy file")
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Runs the verb."""
    from ..._native import test_policy
    from ...text import printable

    failed = tried = 0
    for file in options.files:
        outcomes, problems = test_policy(file, os.path.expanduser("~"))
        if outcomes is None:
            tell(problems)
            raise unusable(problems)
        for outcome in outcomes:
            is_right = outcome.got == outcome.expected
            print(f"{printable(file)}:{outcome.line}: {_ok(outcome) if is_right else _failed(outcome)}")
            failed += not is_right
        tried += len(outcomes)
        if not outcomes:
            print(f"{printable(file)}: no examples; write some beside its rules, as `[[rule.example]]`")
    if tried:
        print(f"{tried:,} example{'' if tried == 1 else 's'}, {f'{failed:,} failed' if failed else 'all ok'}")
    return 1 if failed else 0


def _ok(outcome: ExampleOutcome) -> str:
    return f"ok: {_question(outcome)}: {outcome.expected}"


def _failed(outcome: ExampleOutcome) -> str:
    if outcome.problem is not None:
        cause, hint = outcome.problem
        return f"FAILED: {_question(outcome)}: {cause}\n  hint: {hint}"
    by = f"by `{outcome.by.id}` in line {outcome.by.line}" if outcome.by else "as no rule matches"
    return f"FAILED: {_question(outcome)}: expected {outcome.expected}, got {outcome.got}, {by}"


def _question(outcome: ExampleOutcome) -> str:
    from ...text import printable

    pairs = "".join(f" {key}={value}" for key, value in outcome.who)
    return printable(outcome.event + (f" ({pairs.strip()})" if pairs else ""))
