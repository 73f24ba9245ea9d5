"""How each base table is made: from the spools' streams by its SQL, or from what Python knows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ..catalog import tables as catalog
from ..libraries import normalised
from ..rows import load_rows
from . import schema
from .engine import can_scan_again
from .sources import PROCESS_TIMES, copy, register, stream

if TYPE_CHECKING:
    from .questions import Analysis


class Loading:
    """What a loader works with: the analysis and its connection."""

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        self.connection = analysis.connection

    def make(self, table: str) -> None:
        """Makes `base.table` by its SQL, of tables that there are."""
        self.connection.execute(schema.base(table))

    def make_of(self, table: str, **parts: str) -> None:
        """The same of parts of the fold, each under the name that the SQL has for it; then they are freed."""
        with ExitStack() as stack:
            for name, part in parts.items():
                stack.enter_context(stream(self.connection, name, self.analysis.folded(part)))
            self.make(table)


def _processes(loading: Loading) -> None:
    connection = loading.connection
    parts = [spool.tables() for spool in loading.analysis.spools()]
    for table, name in (
        ("processes", "process_stream"),
        ("distributions", "inventory_rows"),
        ("losses", "loss_rows"),
        ("faults", "fault_rows"),
    ):
        streams = [getattr(part, table) for part in parts]
        columns = streams[0].columns if streams else []
        times = [column for column in PROCESS_TIMES if column in columns]
        copy(connection, name, streams, columns, times=times)
    connection.execute(schema.base("process_rows"))


def _runs(loading: Loading) -> None:
    from .identity import Run, scripts

    since = loading.analysis.since or 0
    found = loading.connection.execute(
        "select id, parent, forked, script_form, script, script_file, script_sha256, script_size, machine, "
        "user "
        "from base.process_rows where greatest(last_seen_ns, ended_ns) >= ? order by started, id",
        [since],
    ).fetchall()
    # Which were over by then are no runs, and what they lost is no gap.
    loading.connection.execute(
        "delete from loss_rows where process in "
        "(select id from process_stream where greatest(last_seen_ns, ended_ns) < ?)",
        [since],
    )
    named = scripts(Run(*row) for row in found)
    load_rows(
        loading.connection,
        "script_rows",
        "process VARCHAR, script VARCHAR, name VARCHAR, is_worker BOOLEAN",
        ({"process": key, **found._asdict()} for key, found in named.items()),
    )
    loading.connection.execute(schema.base("runs"))


def _library_uses(loading: Loading) -> None:
    from ..libraries import owner_of

    connection = loading.connection
    installed: dict[str, dict[str, list[tuple[str, str]]]] = {}
    for inventory, directory, name, version in connection.execute(
        "select inventory, directory, name, version from inventory_rows"
    ).fetchall():
        installed.setdefault(inventory, {}).setdefault(directory, []).append((name, version))
    loaded = connection.execute(
        "select distinct a.inventory, i.module, i.file from base.imports i join base.actors a using (actor)"
    ).fetchall()
    rows = []
    for inventory, module, file in loaded:
        owner = owner_of(module or "", file or "", installed.get(inventory, {}))
        if owner is not None:
            name, version = owner
            is_known = bool(version)
            rows.append(
                {
                    "inventory": inventory, "module": module, "file": file,
                    "distribution": normalised(name) if is_known else None, "version": version or None,
                }
            )  # fmt: skip
    columns = "inventory VARCHAR, module VARCHAR, file VARCHAR, distribution VARCHAR, version VARCHAR"
    load_rows(connection, "library_rows", columns, rows)
    connection.execute(schema.base("library_uses"))


def _host_facts(loading: Loading) -> None:
    from .hosts import install

    install(loading.connection, loading.analysis.catalog)


def _file_uses(loading: Loading) -> None:
    """All files: each use folds the spools again, as there may be more of them than memory holds."""
    connection = loading.connection
    register(connection, "file_use_stream", loading.analysis.folded("all_files"))
    form = "view" if can_scan_again(connection) else "table"
    connection.execute(f"create {form} base.file_uses as {schema.base('file_uses')}")


def _path_facts(loading: Loading) -> None:
    streams = loading.analysis.folded("classes")
    copy(loading.connection, "class_rows", streams, streams[0].columns)
    loading.make("path_facts")


def _catalog(table: str) -> Callable[[Loading], None]:
    return lambda loading: catalog.install_table(loading.connection, loading.analysis.catalog, table)


def _catalog_macros(loading: Loading) -> None:
    catalog.install_macros(loading.connection, loading.analysis.catalog)


def _acts(loading: Loading) -> None:
    streams = loading.analysis.folded("acts")
    with stream(loading.connection, "act_stream", streams):
        loading.make("acts")
    with stream(loading.connection, "act_stream", streams, is_exact=True):
        loading.make("starts")


def _silent_rows(loading: Loading) -> None:
    from .silence import silent

    columns = (
        "process VARCHAR, command VARCHAR, reason VARCHAR, is_evasive BOOLEAN, count BIGINT, time TIMESTAMP"
    )
    load_rows(loading.connection, "silent_rows", columns, silent(loading.analysis))


def _script_marks(loading: Loading) -> None:
    from .marks import install

    install(loading.connection, loading.analysis.leavers, loading.analysis.working_hours)


def _checked(loading: Loading) -> None:
    from .checks import install

    install(loading.analysis)


def _finding_rows(loading: Loading) -> None:
    from ..findings import install

    install(loading.analysis)


def _severity_rank(loading: Loading) -> None:
    """A macro of gnomon's own queries: 0 for the gravest."""
    loading.connection.execute(
        "create temp macro severity_rank(said) as "
        "case said when 'high' then 0 when 'medium' then 1 when 'low' then 2 else 3 end"
    )


def _nothing(loading: Loading) -> None:
    del loading


def _plain(table: str) -> Callable[[Loading], None]:
    return lambda loading: loading.make(table)


def _folded(table: str, **parts: str) -> Callable[[Loading], None]:
    return lambda loading: loading.make_of(table, **parts)


TABLES: dict[str, Callable[[Loading], None]] = {
    "process_rows": _processes,
    "runs": _runs,
    "actors": _plain("actors"),
    "imports": _folded("imports", import_rows="imports"),
    "library_uses": _library_uses,
    "checked_rows": _checked,
    "advisory_rows": _nothing,  # these come with `checked_rows`
    "index_rows": _nothing,
    "advisories": _nothing,
    "checked_distributions": _nothing,
    "vulnerability_database": _nothing,
    "contacts": _folded("contacts", contact_rows="contacts"),
    "host_facts": _host_facts,
    "notable_files": _folded("notable_files", file_rows="files"),
    "file_counts": _folded("file_counts", count_rows="file_counts"),
    "file_uses": _file_uses,
    "path_facts": _path_facts,
    "sensitive_reads": _folded("sensitive_reads", read_rows="reads"),
    "flows": _plain("flows"),
    "verdicts": _folded("verdicts", verdict_stream="verdicts"),
    "spoken": _plain("spoken"),
    "acts": _acts,
    "starts": _nothing,  # these come with `acts`
    "silent_rows": _silent_rows,
    "script_marks": _script_marks,
    "script_facts": _plain("script_facts"),
    "gap_rows": _plain("gap_rows"),
    "finding_rows": _finding_rows,
    "risk_rows": _nothing,  # these come with `finding_rows`
    "risk_points": _nothing,
    "note_rows": _nothing,
    **{table: _catalog(table) for table in catalog.COLUMNS},
    "catalog_macros": _catalog_macros,
    "severity_rank": _severity_rank,
}

NEEDS: dict[str, tuple[str, ...]] = {
    "runs": ("process_rows",),
    "actors": ("runs",),
    "imports": ("runs",),
    "library_uses": ("imports", "actors"),
    "checked_rows": ("library_uses",),
    "advisory_rows": ("checked_rows",),
    "index_rows": ("checked_rows",),
    "advisories": ("checked_rows",),
    "checked_distributions": ("checked_rows",),
    "vulnerability_database": ("checked_rows",),
    "contacts": ("runs",),
    "host_facts": ("contacts",),
    "file_uses": ("runs",),
    "notable_files": ("runs",),
    "file_counts": ("runs",),
    "path_facts": ("notable_files", "catalog_paths"),
    "sensitive_reads": ("runs", "path_facts"),
    "flows": ("sensitive_reads", "contacts", "host_facts", "runs"),
    "verdicts": ("runs",),
    "spoken": ("verdicts",),
    "acts": ("runs",),
    "starts": ("acts",),
    "silent_rows": ("runs", "starts"),
    "script_marks": ("runs",),
    "script_facts": (
        "actors", "library_uses", "contacts", "host_facts", "file_counts", "acts", "verdicts", "script_marks",
    ),
    "gap_rows": ("process_rows", "runs", "acts", "silent_rows"),
    "risk_rows": ("finding_rows",),
    "risk_points": ("finding_rows",),
    "note_rows": ("finding_rows",),
    "catalog_macros": tuple(catalog.COLUMNS),
    "processes": ("runs",),
    "scripts": ("script_facts", "finding_rows"),
    "libraries": ("library_uses", "actors", "checked_rows"),
    "connections": ("contacts", "host_facts", "runs"),
    "files": ("file_uses", "actors", "path_facts"),
    "findings": ("finding_rows",),
    "gaps": ("gap_rows", "runs"),
}  # fmt: skip
