"""Who started whom: the tree of a run's programs, and the Pythons in it that never reported.

A start is an event of the parent, before the act; a recorded process says whose child it is. Both are put
together here, whatever way the child was started, so that what is left over is silence.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from . import Process
from .causes import Cause
from .commands import Python, pythons
from .program import is_python_file

State = Literal["recorded", "silent", "failed", "other"]

# Deeper ones stand at the top: a service may replace itself for years.
_MAX_DEPTH = 100


@dataclass(frozen=True)
class Start:
    """A program that a process started: a `spawn` or an `exec`. Times are nanoseconds since 1970."""

    argv: list[str]
    count: int
    kind: str
    process: str
    time: int
    last_time: int
    program: str | None = None
    cause: Cause | None = None
    has_failed: bool = False


@dataclass
class Node:
    """A program in the tree.

    Attributes:
        how: `run`, `spawn`, `exec` or `fork`; empty where no event told of it.
        state: `recorded`; `silent`, a Python that did not report; `failed`, which could not be started;
            `other`, which is no Python as far as its command line tells.
        reason: Why it is silent, as far as the command line tells.
        is_evasive: Whether somebody chose that.
        process: What it recorded.
        cause: The line that started it.
        time: When it started, in nanoseconds since 1970.
    """

    argv: list[str]
    how: str
    state: State
    count: int = 1
    reason: str | None = None
    process: Process | None = None
    cause: Cause | None = None
    time: int = 0
    is_evasive: bool = False
    children: list[Node] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            "argv": self.argv,
            "how": self.how,
            "state": self.state,
            "count": self.count,
            "reason": self.reason,
            "pid": self.process.pid if self.process else None,
            "process": self.process.id if self.process else None,
            "status": self.process.status if self.process else None,
            "cause": self.cause.as_dict() if self.cause else None,
            "children": [child.as_dict() for child in self.children],
        }


def walk(nodes: Iterable[Node]) -> Iterable[Node]:
    """All nodes, parents first."""
    for node in nodes:
        yield node
        yield from walk(node.children)


def below(processes: list[Process], root: Process) -> list[Process]:
    """`root` and all that descend from it, in the order they started."""
    known = {root.id}
    found = [root]
    for process in processes:  # parents come before their children
        if process.parent in known and process.id not in known:
            known.add(process.id)
            found.append(process)
    return found


def tree(processes: list[Process], starts: Iterable[Start]) -> list[Node]:
    """The programs that were started, below those that nobody recorded started.

    A `gnomon run` is itself no node: its program is.

    Args:
        processes: All that are recorded, in the order they started.
        starts: What they started.
    """
    known = {process.id for process in processes}
    by_parent: Mapping[str | None, list[Process]] = _grouped(processes, known)
    by_process: dict[str, list[Start]] = defaultdict(list)
    for start in starts:
        by_process[start.process].append(start)
    builder = _Builder(by_parent, by_process)
    roots: list[Node] = []
    for process in by_parent.get(None, []):
        if process.role == "run":
            roots.extend(builder.children(process))
        else:
            roots.append(builder.node(process, "run" if process.run is None else ""))
    # Too deep for a tree, or, in records that somebody made up, each other's parents.
    for process in processes:
        if process.role != "run" and process.id not in builder.seen:
            roots.append(builder.node(process, ""))
    return roots


def _grouped(processes: list[Process], known: set[str]) -> dict[str | None, list[Process]]:
    grouped: dict[str | None, list[Process]] = defaultdict(list)
    for process in processes:
        grouped[process.parent if process.parent in known else None].append(process)
    return grouped


def run_command(argv: list[str]) -> list[str]:
    """What `gnomon run` executes for the program it was given."""
    if argv and (argv[0].startswith("-") or is_python_file(argv[0])):
        return ["python", *argv]
    return argv


@dataclass
class _Expected:
    """A Python that a start leads to, and how many of it have not been found yet."""

    start: Start
    python: Python
    missing: int
    found: list[Process] = field(default_factory=list)


class _Builder:
    def __init__(
        self, by_parent: Mapping[str | None, list[Process]], by_process: Mapping[str, list[Start]]
    ) -> None:
        self.by_parent = by_parent
        self.by_process = by_process
        self.seen: set[str] = set()
        self.depth = 0

    def node(self, process: Process, how: str, cause: Cause | None = None) -> Node:
        node = Node(process.argv, how, "recorded", process=process, cause=cause, time=process.started)
        self.seen.add(process.id)
        if self.depth < _MAX_DEPTH:
            self.depth += 1
            node.children = self.children(process)
            self.depth -= 1
        return node

    def children(self, process: Process) -> list[Node]:
        below = [child for child in self.by_parent.get(process.id, []) if child.id not in self.seen]
        forked = [child for child in below if child.forked]
        after = [child for child in below if not child.forked and _is_same(child, process)]
        spawned = [child for child in below if not child.forked and not _is_same(child, process)]
        starts = self.by_process.get(process.id, [])
        if process.role == "run":
            # A program that gnomon started within another run is its child, in place of an event.
            command = run_command(process.argv)
            starts = [Start(command, 1, "spawn", process.id, process.started, process.started)]
        if any(child.role == "run" for child in after):
            starts = []  # a `gnomon run` within a run: its own account says the same
        nodes = self._spawned(process, spawned, [start for start in starts if start.kind == "spawn"])
        nodes += self._replaced(process, after, [start for start in starts if start.kind == "exec"])
        nodes += [self._folded(child) for child in forked]
        if process.role == "run":
            for node in nodes:
                node.how = "run"
        return sorted(nodes, key=lambda node: node.time)

    def _folded(self, child: Process) -> Node:
        """A fork whose only purpose was to become another program is that program."""
        node = self.node(child, "fork")
        if len(node.children) == 1 and node.children[0].how == "exec":
            return node.children[0]
        return node

    def _replaced(self, process: Process, after: list[Process], starts: list[Start]) -> list[Node]:
        if after:
            starts = [start for start in starts if not start.has_failed]
        cause = starts[-1].cause if starts else None
        if after:
            if after[0].role == "run":
                return [node for child in after for node in self.children(child)]
            return [self.node(child, "exec", cause) for child in after]
        if not starts:
            return []
        last = max(starts, key=lambda start: start.last_time)
        if last.has_failed or process.ended is not None or process.last_seen > last.last_time:
            return [Node(last.argv, "exec", "failed", cause=last.cause, time=last.time)]
        found = pythons(last.argv, program=last.program, folders=folders_of(process), managed=process.managed)
        if not found:
            return [Node(last.argv, "exec", "other", cause=last.cause, time=last.time)]
        node = Node(last.argv, "exec", "silent", cause=last.cause, time=last.time)
        node.reason, node.is_evasive = _reason(found[0], process), found[0].is_evasive
        return [node]

    def _spawned(self, process: Process, children: list[Process], starts: list[Start]) -> list[Node]:
        places = folders_of(process)
        failed = [start for start in starts if start.has_failed]
        starts = [start for start in starts if not start.has_failed]
        expected = [
            _Expected(start, python, start.count)
            for start in starts
            for python in pythons(start.argv, program=start.program, folders=places, managed=process.managed)
        ]
        leading = {id(entry.start) for entry in expected}
        others = [start for start in starts if id(start) not in leading]
        below: dict[int, list[Process]] = defaultdict(list)
        untold: list[Process] = []
        for child in _unmatched(children, expected):
            start = None if _is_of_multiprocessing(child) else _latest(others, child)
            below[id(start)].append(child) if start else untold.append(child)
        nodes = [
            Node(start.argv, "spawn", "failed", start.count, cause=start.cause, time=start.time)
            for start in failed
        ]
        for start in starts:
            for entry in (entry for entry in expected if entry.start is start):
                nodes += [self.node(child, "spawn", start.cause) for child in entry.found]
                if entry.missing:
                    node = Node(
                        start.argv, "spawn", "silent", entry.missing, cause=start.cause, time=start.time
                    )
                    node.reason, node.is_evasive = _reason(entry.python, process), entry.python.is_evasive
                    nodes.append(node)
            if id(start) not in leading:
                node = Node(start.argv, "spawn", "other", start.count, cause=start.cause, time=start.time)
                node.children = [self.node(child, "") for child in below[id(start)]]
                nodes.append(node)
        return nodes + [self.node(child, "") for child in untold]


def _unmatched(children: list[Process], expected: list[_Expected]) -> list[Process]:
    """Gives each child to the start that it came of; returns those that are left."""
    left = list(children)

    def match(is_it: Callable[[_Expected, Process], bool]) -> None:
        for child in list(left):
            entries = [
                entry
                for entry in expected
                if entry.missing and entry.start.time <= child.started and is_it(entry, child)
            ]
            if entries:
                entry = entries[-1]
                entry.missing -= 1
                entry.found.append(child)
                left.remove(child)

    match(lambda entry, child: entry.python.argv[1:] == child.argv[1:])
    # A launcher in between may have changed the command line, but not its end.
    match(
        lambda entry, child: (
            entry.python.kept_out is None and len(child.argv) > 1 and entry.python.argv[-1] == child.argv[-1]
        )
    )
    return left


def _latest(starts: list[Start], child: Process) -> Start | None:
    """The last program started before `child`, which may be the shell or tool that started it."""
    earlier = [start for start in starts if start.time <= child.started]
    return max(earlier, key=lambda start: start.time, default=None)


def _is_same(child: Process, process: Process) -> bool:
    """Whether `child` is what `process` became by an exec."""
    return (child.pid, child.started_ticks, child.boot) == (process.pid, process.started_ticks, process.boot)


def _is_of_multiprocessing(child: Process) -> bool:
    return any("multiprocessing" in word for word in child.argv[1:])


def folders_of(process: Process) -> tuple[str, ...]:
    """Where programs of the same installation are."""
    return folders(process.environment, process.executable)


def folders(environment: str | None, executable: str) -> tuple[str, ...]:
    """The same for an interpreter, and its virtual environment."""
    places = [f"{environment}/bin" if environment else None, os.path.dirname(executable) or None]
    return tuple(place for place in places if place)


def _reason(python: Python, process: Process) -> str:
    """Why a Python that `process` started is silent."""
    if process.managed:
        return (
            python.kept_out
            or "gnomon is not installed for it, another sitecustomize came first, or it did not start"
        )
    return python.kept_out or "its environment differs, it has no gnomon, or it did not start"
