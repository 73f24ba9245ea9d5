"""What must be in a report of the week: figures of the story and of the services, and none of the records."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import story

if TYPE_CHECKING:
    from .company import Company

Planned = tuple[story.Script, int, str]


def figures(
    runs: Sequence[Planned], company: Company, witness: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """All figures, as JSON has them.

    Args:
        runs: What ran: script, day and time.
        company: Where its files lie.
        witness: What the services noted.
    """
    return {
        "processes": _processes(runs),
        "scripts": _scripts(runs, company),
        "libraries": _libraries(runs),
        "vulnerable": {
            name: {"advisories": advisories, "fixed": fixed}
            for name, (advisories, fixed) in sorted(story.VULNERABLE.items())
        },
        "connections": _connections(runs),
        "ai": _ai(runs),
        "files": _files(runs, company),
        "verdicts": _verdicts(runs),
        "children": [
            {"script": script.path, "command": company.text(command), "is_recorded": is_recorded}
            for script, _, _ in runs
            for command, is_recorded in script.children
        ],
        "findings": sorted({(script.path or "-c", id) for script, _, _ in runs for id in script.findings}),
        "arrived": _arrived(witness),
    }


def _processes(runs: Sequence[Planned]) -> dict[str, Any]:
    def by(name: str) -> dict[str, int]:
        counted: Counter[str] = Counter()
        for script, _, _ in runs:
            counted[getattr(script, name)] += 1 + script.forks
        return dict(sorted(counted.items()))

    forks = sum(script.forks for script, _, _ in runs)
    return {
        "total": len(runs) + forks,
        "forks": forks,
        "by_user": by("user"),
        "by_machine": by("machine"),
        "by_day": dict(sorted(Counter(story.DAYS[day] for _, day, _ in runs).items())),
        # A pool's children leave without a word.
        "without_end": forks,
        "failed": sum(script.status != 0 for script, _, _ in runs),
        "silent": sum(not is_recorded for script, _, _ in runs for _, is_recorded in script.children),
    }


def _hash(script: story.Script, day: int, company: Company) -> str:
    """The SHA-256 of what lay in the script's place on that day."""
    if not script.path:
        return hashlib.sha256(company.text(script.arguments[1]).encode()).hexdigest()
    path = script.same_as or script.path
    when, source = story.CHANGED.get(path, (7, path))
    from pathlib import Path

    files = Path(__file__).resolve().parent / "files"
    text = (files / (source if day >= when else path).lstrip("/")).read_text()
    return hashlib.sha256(company.text(text).encode()).hexdigest()


def _scripts(runs: Sequence[Planned], company: Company) -> list[dict[str, Any]]:
    """One entry for each content: its names, machines, users, runs, and when it ran first and last."""
    found: dict[str, list[Planned]] = defaultdict(list)
    for script, day, time in runs:
        found[_hash(script, day, company)].append((script, day, time))
    entries = []
    for sha256, planned in sorted(found.items()):
        times = sorted((day, time) for _, day, time in planned)
        scripts = [script for script, _, _ in planned]
        entries.append(
            {
                "sha256": sha256,
                "paths": sorted({company.path(script.path) for script in scripts if script.path}),
                "machines": sorted({script.machine for script in scripts}),
                "users": sorted({script.user for script in scripts}),
                "owners": sorted({script.owner_uid or story.USERS[script.user].uid for script in scripts}),
                "starters": sorted({script.starter for script in scripts}),
                "runs": len(planned),
                "first": f"{story.DAYS[times[0][0]]} {times[0][1]}",
                "last": f"{story.DAYS[times[-1][0]]} {times[-1][1]}",
            }
        )
    return entries


def _libraries(runs: Sequence[Planned]) -> dict[str, int]:
    """How many runs imported each distribution."""
    return dict(sorted(Counter(name for script, _, _ in runs for name in script.libraries).items()))


def _connections(runs: Sequence[Planned]) -> list[dict[str, Any]]:
    """Connections and requests by script, host and port: each request has a connection of its own."""
    connections: Counter[tuple[str, str, int]] = Counter()
    requests: Counter[tuple[str, str, int]] = Counter()
    for script, _, _ in runs:
        for call in script.calls:
            connections[script.path, call.host, call.port] += call.count
            requests[script.path, call.host, call.port] += call.count
        for host, port, count in script.contacts:
            connections[script.path, host, port] += count
    return [
        {
            "script": script,
            "host": host,
            "port": port,
            "connections": count,
            "requests": requests[script, host, port],
        }
        for (script, host, port), count in sorted(connections.items())
    ]


def _ai(runs: Sequence[Planned]) -> list[dict[str, Any]]:
    """Requests to AI services by script and host."""
    counted: Counter[tuple[str, str]] = Counter()
    for script, _, _ in runs:
        for call in script.calls:
            if call.host in story.AI_HOSTS:
                counted[script.path, call.host] += call.count
    return [
        {"script": script, "host": host, "is_sanctioned": story.AI_HOSTS[host], "requests": count}
        for (script, host), count in sorted(counted.items())
    ]


def _files(runs: Sequence[Planned], company: Company) -> list[dict[str, Any]]:
    """Files by script: in how many runs each was read and written, how often, and its size in the end."""
    # What SQLite does to its database is its own.
    runs_that: dict[str, Counter[tuple[str, str]]] = {"read": Counter(), "wrote": Counter()}
    reads: Counter[tuple[str, str]] = Counter()
    for script, day, _ in runs:
        for path, times in _read_by(script):
            key = script.path, path.format(day=story.DAYS[day])
            runs_that["read"][key] += 1
            reads[key] += times
        for path in script.writes:
            runs_that["wrote"][script.path, path.format(day=story.DAYS[day])] += 1
    return [
        {
            "script": key[0],
            "path": company.path(key[1]),
            "runs_that_read": runs_that["read"][key],
            "runs_that_wrote": runs_that["wrote"][key],
            "reads": reads[key],
            "size": company.place(key[1]).stat().st_size,
        }
        for key in sorted({*runs_that["read"], *runs_that["wrote"]})
    ]


def _read_by(script: story.Script) -> Iterator[tuple[str, int]]:
    """What one run reads, and how often; a file that is opened and mapped counts twice."""
    for path in script.reads:
        yield path, 1 + (path in script.maps)
    if script.status:
        yield script.path, 1  # for the traceback
    secure = sum(call.count for call in script.calls if call.url.startswith("https:"))
    if secure:
        yield "/srv/ca.pem", secure  # each request has a context of its own


def _verdicts(runs: Sequence[Planned]) -> list[dict[str, Any]]:
    counted: Counter[tuple[str, story.Verdict]] = Counter()
    for script, _, _ in runs:
        for verdict in script.verdicts:
            counted[script.path, verdict] += verdict.count
    return [
        {
            "script": path,
            "verdict": verdict.verdict,
            "rule": verdict.rule or None,
            "kind": verdict.kind,
            "is_stopped": verdict.is_stopped,
            "shadow": verdict.shadow,
            "count": count,
        }
        for (path, verdict), count in sorted(counted.items(), key=lambda item: (item[0][0], item[0][1].rule))
    ]


def _arrived(witness: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the services noted, by server and path: requests, and bytes of their bodies."""
    requests: Counter[tuple[str, ...]] = Counter()
    bodies: Counter[tuple[str, ...]] = Counter()
    for line in witness:
        key = (line["scheme"], line["host"], line["method"], line.get("path", ""))
        requests[key] += 1
        bodies[key] += line["body"]
    return [
        {
            "scheme": key[0],
            "host": key[1],
            "method": key[2],
            "path": key[3],
            "count": count,
            "bytes": bodies[key],
        }
        for key, count in sorted(requests.items())
    ]
