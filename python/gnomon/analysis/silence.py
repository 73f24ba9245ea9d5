"""Pythons that were started and never reported: what `descent` finds, as rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..causes import Cause
from ..descent import Node, Start, tree
from .sources import moment

if TYPE_CHECKING:
    from .questions import Analysis


def silent(analysis: Analysis) -> Iterator[dict[str, Any]]:
    """One row for each start that led to nobody."""
    known = {process.id for process in analysis.processes[0]}
    starts = [
        Start(
            argv=record.argv or ([record.target] if record.target else []),
            count=record.count,
            kind=record.kind,
            process=record.process,
            time=record.time,
            last_time=record.last_time,
            program=record.target,
            cause=Cause.of(record),
            has_failed=record.outcome == "failed",
        )
        for spool in analysis.spools(kinds=["spawn", "exec"])
        for record in spool.records()
        if record.outcome != "denied" and record.process in known
    ]
    yield from _rows(tree(analysis.processes[0], starts), None)


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
