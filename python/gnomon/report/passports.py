"""The passports of scripts: few queries for all scripts at once, put together by script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..text import printable
from .model import Point, ProcessNode, ScriptPage
from .questions import Row, ask, by_script

if TYPE_CHECKING:
    from ..analysis import Analysis

_MAX_RISK = 100
_LISTS = ("libraries", "hosts", "files", "children")
_PLAIN = (
    "script", "name", "form", "paths", "sha256", "versions", "users", "machines", "runs", "failed_runs",
    "days", "first_seen", "last_seen", "schedule", "owner", "owner_exists", "is_leaver", "is_owner_leaver",
    "repository", "is_in_repository", "risk", "severity", "ai_services", "bytes_out", "bytes_in",
)  # fmt: skip


def passports(analysis: Analysis, *, top: int) -> list[ScriptPage]:
    """Those of all scripts, the riskiest first."""
    lists = {name: by_script(analysis, f"script_{name}", top=top) for name in (*_LISTS, "verdicts")}
    days, changes = by_script(analysis, "script_days"), by_script(analysis, "script_changes")
    trees = _trees(analysis)
    points = by_script(analysis, "script_points")
    return [
        _page(
            row,
            {name: found.get(row["script"], []) for name, found in lists.items()},
            points=_capped([Point(**point) for point in points.get(row["script"], [])], row["risk"]),
            changes=_changes(changes.get(row["script"], [])),
            runs_by_day={day["day"]: day["runs"] for day in days.get(row["script"], [])},
            tree=trees.get(row["script"], []),
        )
        for row in ask(analysis, "scripts")
    ]


def lines(analysis: Analysis, *, top: int) -> list[ScriptPage]:
    """The same with no lists but what policy said, for whoever shows a line of each."""
    none: dict[str, list[Row]] = {name: [] for name in _LISTS}
    verdicts = by_script(analysis, "script_verdicts", top=top)
    return [
        _page(
            row,
            {**none, "verdicts": verdicts.get(row["script"], [])},
            points=[],
            changes=[],
            runs_by_day={},
        )
        for row in ask(analysis, "scripts")
    ]


def _page(row: Row, lists: Mapping[str, list[Row]], **more: Any) -> ScriptPage:
    known = {name: row[name] for name in _PLAIN}
    known["paths"] = sorted(row["paths"] or [], key=lambda path: (path == row["path"], path))
    known["users"], known["machines"] = sorted(row["users"] or []), sorted(row["machines"] or [])
    counts: dict[str, Any] = {f"more_{name}": _more(lists[name]) for name in _LISTS}
    return ScriptPage(**known, **dict[str, Any](lists), **counts, **more)


def _more(rows: list[Row]) -> int:
    """How many there are beyond `rows`, which tell of each how many there are in all."""
    return max([row.pop("of_all") for row in rows], default=len(rows)) - len(rows)


def _capped(points: list[Point], risk: int) -> list[Point]:
    """The points, with a line for what is beyond the score's end."""
    total = sum(point.points for point in points)
    if total > risk:
        return [*points, Point("", risk - total, f"the score ends at {_MAX_RISK}")]
    return points


def _changes(rows: Sequence[Row]) -> list[str]:
    """Sentences, one for each kind of thing that is new."""
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(row["kind"], []).append(row["name"])
    if "script" in names:
        return ["It ran for the first time in the last seven days."]
    versions = len(names.pop("version", ()))
    said = [f"Its content changed {_times(versions)}."] if versions else []
    plurals = {"host": "hosts", "library": "libraries", "user": "users", "machine": "machines"}
    for kind, plural in plurals.items():
        new = names.get(kind, [])
        if new:
            said.append(f"New {kind if len(new) == 1 else plural}: {_some(new)}.")
    return said


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _some(names: Sequence[str], shown: int = 6) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(printable(name, 80) for name in names[:shown]) + more


def _trees(analysis: Analysis) -> dict[str, list[ProcessNode]]:
    """By script the tree of its last run that had children."""
    trees: dict[str, list[ProcessNode]] = {}
    nodes: dict[tuple[str, str], ProcessNode] = {}
    for row in ask(analysis, "script_trees"):
        node = _node(row)
        nodes[row["root"], row["process"]] = node
        above = nodes.get((row["root"], row["parent"] or ""))
        (above.children if above else trees.setdefault(row["root"], [])).append(node)
    wanted = {process for _, process in nodes}
    for row in ask(analysis, "script_starts", processes=sorted(wanted)) if wanted else ():
        for (_, process), node in nodes.items():
            if process == row["process"]:
                node.children.append(_started(row))
    return trees


def _node(row: Row) -> ProcessNode:
    return ProcessNode(
        name=row["script_name"],
        command=(row["command"] or "")[:500],
        state="recorded",
        process=row["process"],
        script=row["script"],
        user=row["user"],
        started=row["started"],
        status=row["status"],
    )


def _started(row: Row) -> ProcessNode:
    words = row["command"].split(" ")
    name = words[0].rpartition("/")[2] or row["command"]
    command = row["command"][:500] + (f" (×{row['count']:,})" if row["count"] > 1 else "")
    return ProcessNode(name, command, row["state"], None, None, None, row["started"], None)
