"""The table of rules in docs/findings.md.

`python -m gnomon.findings.documented docs/findings.md` writes it anew.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from .rules import POINTS, SEVERITIES, Rule, shipped

BEGIN, END = "<!-- rules -->\n", "<!-- end of rules -->"


def as_markdown(rules: Iterable[Rule]) -> str:
    """The table."""
    rows = ["| rule | severity | what it finds |", "|---|---|---|"]
    for rule in rules:
        levels = SEVERITIES if rule.severity == "by row" else (rule.severity,)
        points = ", ".join(f"{name} {rule.points[name]}" for name in levels)
        points = "" if dict(rule.points) == dict(POINTS) else f"; points: {points}"
        attack = f" {rule.attack}." if rule.attack else ""
        rows.append(f"| `{rule.id}` | {rule.severity}{points} | **{rule.title}.** {rule.about}{attack} |")
    return "\n".join(rows) + "\n"


def with_table(text: str) -> str:
    """`text` with the table between its marks."""
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}{as_markdown(shipped())}{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(with_table(page.read_text(encoding="utf-8")), encoding="utf-8")
