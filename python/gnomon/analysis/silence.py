"""Pythons that were started and never reported: what `descent` finds, as rows.

Of the programs that were started most can be no Python, and what they were needs no further look.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ..commands import may_start_python
from ..descent import Node, Start, folders, tree
from ..rows import load_rows
from .sources import moment

if TYPE_CHECKING:
    from .. import Process
    from .questions import Analysis

# Programs, by the installations that started them: one look into each tells for all of its command lines.
_PROGRAMS = """
select distinct coalesce(s.program, s.argv[1], ''), p.environment, p.executable
from base.starts s join process_stream p on p.id = s.process
"""
# What a process became is told by the last program that it was replaced with, whatever that is.
_STARTS = """
select s.argv, s.count, s.kind, s.process, s.time, s.last_time, s.program, null, s.has_failed
from base.starts s
join (select distinct on (id) id, environment, executable from process_stream) p on p.id = s.process
left join python_programs q
    on q.environment is not distinct from p.environment and q.executable is not distinct from p.executable
    and q.program = coalesce(s.program, s.argv[1], '')
where s.kind = 'exec' or q.program is not null
order by s.process, s.seq
"""
# Processes that started such, and their children.
_PROCESSES = """
with parents as (
    select id from process_stream where role = 'run' or id in (select unnest(?::varchar[]))
)
select distinct on (id) id, parent, role, run, pid, started_ticks, boot, forked, managed, executable,
    environment, argv, started_ns, ended_ns, last_seen_ns
from process_stream
where id in (select id from parents) or parent in (select id from parents)
order by started_ns, id
"""


@dataclass(frozen=True)
class _Known:
    """What `descent` asks of a process."""

    id: str
    parent: str | None
    role: str
    run: str | None
    pid: int
    started_ticks: int
    boot: str
    forked: bool
    managed: bool
    executable: str
    environment: str | None
    argv: list[str]
    started: int
    ended: int | None
    last_seen: int


def silent(analysis: Analysis) -> Iterator[dict[str, Any]]:
    """One row for each start that led to nobody. `base.starts` must be there."""
    connection = analysis.connection
    asked = connection.execute(_PROGRAMS).fetchall()
    load_rows(
        connection,
        "python_programs",
        "program VARCHAR, environment VARCHAR, executable VARCHAR",
        (
            {"program": program, "environment": environment, "executable": executable}
            for program, environment, executable in asked
            if may_start_python(program, folders(environment, executable or ""))
        ),
    )
    starts = [Start(*row) for row in connection.execute(_STARTS).fetchall()]
    concerned = sorted({start.process for start in starts})
    processes = [_Known(*row) for row in connection.execute(_PROCESSES, [concerned]).fetchall()]
    yield from _rows(tree(cast("list[Process]", processes), starts), None)


def _rows(nodes: list[Node], parent: str | None) -> Iterator[dict[str, Any]]:
    for node in nodes:
        if node.state == "silent":
            yield {
                "process": parent,
                "command": " ".join(node.argv)[:1000],
                "reason": node.reason or "",
                "is_evasive": node.is_evasive,
                "count": node.count,
                "time": moment(node.time),
            }
        yield from _rows(node.children, node.process.id if node.process else parent)
