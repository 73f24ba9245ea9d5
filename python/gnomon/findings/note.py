"""What a person should know of how findings were made: a suppression without effect, a look not taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..analysis import Analysis


@dataclass(frozen=True)
class Note:
    """One of them; `about` is `suppression`, `scripts`, `bandit` or `vulnerabilities`."""

    about: str
    sentence: str
    hint: str | None


def make_table(analysis: Analysis) -> None:
    """Makes the table `note_rows`, empty."""
    analysis.connection.execute(
        "create or replace temp table note_rows (about varchar, sentence varchar, hint varchar)"
    )


def add(analysis: Analysis, about: str, sentence: str, hint: str | None = None) -> None:
    """Notes something."""
    analysis.connection.execute("insert into note_rows values (?, ?, ?)", [about, sentence, hint])


def notes(analysis: Analysis) -> list[Note]:
    """Those of an analysis, for stderr and for the gaps of a report."""
    return [Note(**row) for row in analysis.rows("select about, sentence, hint from note_rows")]
