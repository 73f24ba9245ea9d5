"""What the OSV database says of the distributions that were seen: `checked_rows` and `advisory_rows`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .questions import Analysis


def install(analysis: Analysis) -> None:
    """Makes the tables, one row for each distribution and version."""
    analysis.connection.execute(
        "create temp table checked_rows "
        "(distribution varchar, version varchar, state varchar, reason varchar)"
    )
    analysis.connection.execute(
        "create temp table advisory_rows "
        "(distribution varchar, version varchar, severity varchar, advisories varchar[], "
        "fixed varchar)"
    )
