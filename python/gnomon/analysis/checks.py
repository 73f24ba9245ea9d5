"""What the OSV database says of the distributions that were seen: `checked_rows` and `advisory_rows`.

Beside them stand what they are made of: `advisories`, `checked_distributions`, `vulnerability_database`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .engine import MissingLibrary

if TYPE_CHECKING:
    from .questions import Analysis

_CHECKED = (
    "create temp table checked_rows as select distribution, version, state, reason from checked_distributions"
)
_ADVISORIES = """
create temp table advisory_rows as
select
    a.distribution,
    a.version,
    case max(case a.severity when 'high' then 3 when 'medium' then 2 else 1 end)
        when 3 then 'high' when 2 then 'medium' else 'low' end as severity,
    list(coalesce(list_filter(a.aliases, lambda id: starts_with(id, 'CVE-'))[1], a.advisory)
        order by a.severity = 'high' desc, a.score desc nulls last, a.advisory) as advisories,
    nullif(any_value(c.fixed), '') as fixed
from advisories a
join checked_distributions c on c.distribution = a.distribution and c.version is not distinct from a.version
group by a.distribution, a.version
"""


def install(analysis: Analysis) -> None:
    """Makes the tables, one row for each distribution and version.

    Raises:
        MissingLibrary: The library that compares versions is not installed.
        ValueError: The database cannot be read.
    """
    try:
        from .. import vulnerabilities
    except ModuleNotFoundError as error:
        raise MissingLibrary(f"cannot compare versions: {error}", name=error.name) from error
    pairs = analysis.connection.execute(
        "select distinct distribution, version from base.library_uses where distribution is not null "
        "order by all"
    ).fetchall()
    place = analysis.vulnerabilities or vulnerabilities.find_database()
    if place is None:
        vulnerabilities.install(analysis.connection, pairs, None)
    else:
        with vulnerabilities.Database(place) as database:
            vulnerabilities.install(analysis.connection, pairs, database)
    analysis.connection.execute(_CHECKED)
    analysis.connection.execute(_ADVISORIES)
