"""Findings: what a person should look at, by rules in SQL over the views."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..analysis import Analysis


def install(analysis: Analysis) -> None:
    """Makes the tables `finding_rows` and `risk_rows`."""
    analysis.connection.execute(
        "create temp table finding_rows (finding varchar, rule varchar, severity varchar, title varchar, "
        "sentence varchar, remedy varchar, script varchar, script_name varchar, subject varchar, "
        "users varchar[], "
        "machines varchar[], attack varchar, count bigint, first_seen timestamp, last_seen timestamp, "
        "records struct(process varchar, seq ubigint)[], points integer, is_suppressed boolean, "
        "suppressed_by varchar, suppressed_because varchar, suppressed_until date)"
    )
    analysis.connection.execute(
        "create temp table risk_rows (script varchar, findings bigint, severity varchar, risk integer)"
    )
