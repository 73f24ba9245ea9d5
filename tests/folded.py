"""What the native fold must give: the same by SQL over all records, and what differs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from gnomon.analysis import Analysis
from gnomon.analysis.sources import stream

ORACLE = Path(__file__).parent / "oracle"
# Tables in the order in which they are made: the streams that each reads, by kinds and columns.
_TIMES = "time last_time count process seq"
_FILES = "open delete rename link symlink mkdir chmod truncate utime copy chown xattr map transfer database"
STREAMS: dict[str, dict[str, tuple[str, str]]] = {
    "file_uses": {
        "file_stream": (
            _FILES,
            f"{_TIMES} kind access target destination detail distribution outcome failed bytes_out bytes_in",
        ),
        "made_stream": ("rename copy", f"{_TIMES} destination distribution outcome failed"),
    },
    "imports": {"import_stream": ("import", f"{_TIMES} target destination outcome")},
    "contacts": {
        "contact_stream": (
            "connect resolve http request send transfer",
            f"{_TIMES} kind target host port address detail file line function distribution outcome failed "
            "bytes_out bytes_in",
        )
    },
    "path_facts": {},
    "sensitive_reads": {
        "read_stream": (
            "open copy map database", f"{_TIMES} kind access target detail outcome failed bytes_in",
        )
    },
}  # fmt: skip


def make_oracle(analysis: Analysis) -> None:
    """Makes the tables by SQL, in the schema `oracle`."""
    analysis.ensure(["runs", "catalog_macros", *STREAMS])
    analysis.connection.execute("create schema oracle")
    for table, streams in STREAMS.items():
        text = (ORACLE / f"{table}.sql").read_text(encoding="utf-8")
        for other in STREAMS:
            text = text.replace(f"base.{other}", f"oracle.{other}")
        with ExitStack() as stack:
            for name, (kinds, columns) in streams.items():
                spools = analysis.spools(kinds=kinds.split())
                read = [spool.stream(columns.split()) for spool in spools]
                stack.enter_context(stream(analysis.connection, name, read))
            analysis.connection.execute(text)


def differing(analysis: Analysis, table: str) -> list[dict[str, Any]]:
    """Rows that only one of both has. Of records at the same moment either is the first."""
    sql = f"""
        with mine as (select {_columns(analysis, table)} from base.{table}),
        theirs as (select {_columns(analysis, table)} from oracle.{table})
        (from mine except all from theirs) union all (from theirs except all from mine)
    """
    return analysis.rows(f"{sql} limit 10")


def _columns(analysis: Analysis, table: str) -> str:
    described = analysis.connection.execute(f"describe oracle.{table}").fetchall()
    return ", ".join(_comparable(*row[:2]) for row in described)


def _comparable(name: str, kind: str) -> str:
    if kind.startswith("STRUCT"):
        return f"{name} is null as {name}"
    return f"list_sort({name}) as {name}" if kind.endswith("[]") else name


def wrong_evidence(analysis: Analysis, table: str, *, of: str = "first_seen") -> Iterator[Any]:
    """Evidence of rows that is of no record of the row's first moment."""
    times = {
        (record.process, record.seq): record.time // 1000
        for spool in analysis.spools()
        for record in spool.records()
    }
    query = f"select evidence.process, evidence.seq, epoch_us({of}) from base.{table}"
    for process, seq, first in analysis.sql(query).fetchall():
        if abs(times[process, seq] - first) > 1:  # rounded
            yield process, seq
