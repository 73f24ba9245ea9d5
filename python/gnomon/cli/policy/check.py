"""`gnomon policy check`: says what is wrong with policy files, and where."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..._native import Problem


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb."""
    parser = verbs.add_parser(
        "check",
        help="find mistakes in policy files",
        description=(
            "Reads policy files and names each mistake with its line and column. Exit code 1 when something "
            "is an error; a warning is about what is allowed and hardly meant."
        ),
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a policy file")
    parser.add_argument("--strict", action="store_true", help="exit code 1 also for warnings")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Runs the verb."""
    from ..._native import check_policy

    checked = [(file, *check_policy(file)) for file in options.files]
    (_print_json if options.format == "json" else _print_text)(checked)
    found = {problem.severity for _, _, problems in checked for problem in problems}
    return 1 if "error" in found or (found and options.strict) else 0


def _print_text(checked: list[tuple[str, int | None, list[Problem]]]) -> None:
    from ...text import printable
    from . import tell

    for file, rules, problems in checked:
        tell(problems)
        counted = [
            _counted(sum(problem.severity == severity for problem in problems), severity)
            for severity in ("error", "warning")
        ]
        found = ", ".join(filter(None, counted)) or "no problems"
        size = "" if rules is None else (_counted(rules, "rule") or "no rules") + ", "
        sys.stderr.flush()
        print(f"{printable(file)}: {size}{found}", flush=True)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}" if count else ""


def _print_json(checked: list[tuple[str, int | None, list[Problem]]]) -> None:
    import json

    fields = ("file", "line", "column", "severity", "message", "hint")
    policies = [
        {
            "file": file,
            "rules": rules,
            "problems": [{field: getattr(problem, field) for field in fields} for problem in problems],
        }
        for file, rules, problems in checked
    ]
    print(json.dumps({"policies": policies}))
