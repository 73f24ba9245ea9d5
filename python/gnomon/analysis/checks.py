"""What the OSV database says of the distributions that were seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..rows import load_rows

if TYPE_CHECKING:
    from .questions import Analysis


def install(analysis: Analysis) -> None:
    """Makes the tables, one row for each distribution and version; `advisories` has each by itself.

    `checked_rows` has all, `advisory_rows` those with advisories, `index_rows` those that were withdrawn from
    the package index, or are not there. `doubt_rows` says why the database may know less than it seems.
    """
    from ..vulnerabilities import Database, find_database, install

    connection = analysis.connection
    pairs = connection.execute(
        "select distinct distribution, coalesce(version, '') from base.library_uses "
        "where distribution is not null"
    ).fetchall()
    path = analysis.vulnerabilities or find_database()
    doubts: list[str] = []
    if path is None:
        install(connection, pairs, None)
    else:
        with Database(path) as database:
            install(connection, pairs, database)
            doubts = database.facts.warnings()
    load_rows(connection, "doubt_rows", "sentence VARCHAR", ({"sentence": doubt} for doubt in doubts))
    connection.execute("create temp table checked_rows as from checked_distributions")
    connection.execute(
        "create temp table index_rows as select distribution, version, is_known, yanked "
        "from checked_distributions where yanked is not null or not is_known"
    )
    connection.execute(
        """
        create temp table advisory_rows as
        select
            distribution,
            version,
            arg_min(severity, case severity when 'high' then 1 when 'medium' then 2 else 3 end) as severity,
            list(coalesce(list_filter(aliases, lambda name: starts_with(name, 'CVE-'))[1], advisory)
                order by score desc nulls last, advisory) as advisories,
            any_value(c.fixed) as fixed
        from advisories
        join checked_distributions c using (distribution, version)
        group by distribution, version
        """
    )
