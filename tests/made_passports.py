"""Passports of made-up scripts, with what was found about each."""

from __future__ import annotations

import random
from typing import Any

from gnomon.report.model import FindingRow, Point, ProcessNode, ScriptPage
from made_facts import DAYS, HOSTS, LIBRARIES, MACHINES, REMEDIES, RULES, SENSITIVE, SENTENCES, TEAMS, USERS


def made_page(number: int, scripts: int, chance: random.Random, findings: list[FindingRow]) -> ScriptPage:
    team = list(TEAMS)[number % len(TEAMS)]
    names = TEAMS[team]
    again = number // (len(TEAMS) * len(names))
    name = names[number // len(TEAMS) % len(names)] + (f"_{again}" if again else "") + ".py"
    script = f"{chance.getrandbits(48):012x}"
    user = USERS[number % len(USERS)]
    users = sorted({user, chance.choice(USERS)})
    if scripts > 500:
        users = [f"user{chance.randrange(scripts // 8):04d}"]
    machines = sorted({chance.choice(MACHINES) for _ in users})
    runs = int(chance.paretovariate(0.9)) + 1
    path = f"/home/{user}/{team}/tools/{name}"
    hosts = _script_hosts(chance, number)
    found = _findings(script, name, users, machines, runs, hosts, chance, number)
    findings += found
    points = [
        Point(one.finding, one.points, f"{one.title}: {one.subject}")
        for one in found
        if one.rule != "after-hours"
    ]
    risk = min(100, sum(point.points for point in points))
    severities = [one.severity for one in found if one.rule != "after-hours"]
    severity = next((one for one in ("high", "medium", "low") if one in severities), None)
    seen = [f"2026-06-{day + 1:02d}" for day in sorted(chance.sample(range(DAYS), min(DAYS, runs)))]
    return ScriptPage(
        script=script,
        name=name,
        form="file" if number % 9 else "kernel",
        paths=[path] if number % 4 else [f"/home/{user}/Desktop/{name}", path],
        sha256=f"{chance.getrandbits(256):064x}",
        versions=1 + number % 3,
        users=users,
        machines=machines,
        runs=runs,
        failed_runs=runs // 9,
        days=len(seen),
        first_seen=f"{seen[0]}T06:12:00",
        last_seen=f"{seen[-1]}T21:00:00",
        schedule="cron, daily at 06:00 (UTC)" if number % 5 == 1 else None,
        owner=None if number % 11 == 10 else user,
        owner_exists=number % 11 != 10,
        is_leaver=None,
        repository=f"/home/{user}/{team}" if number % 3 == 0 else None,
        is_in_repository=number % 3 == 0,
        risk=risk,
        severity=severity,  # type: ignore[arg-type]
        points=points,
        ai_services=[host["service"] for host in hosts if host["service"]],
        libraries=_script_libraries(chance, seen),
        hosts=hosts,
        files=_script_files(chance, path, seen),
        children=[
            {
                "command": "/usr/bin/git status",
                "program": "git",
                "count": 3,
                "denied": 0,
                "failed": 0,
                "caused_by": {"file": path, "line": 12, "function": "main"},
                "last_seen": f"{seen[-1]}T20:00:00",
                "silent_because": None,
            }
        ]
        if number % 4 == 0
        else [],
        verdicts=[
            {
                "verdict": "warn",
                "rule": "no-uploads",
                "is_observed": True,
                "kind": "connect",
                "target": hosts[0]["host"],
                "count": 2,
                "is_stopped": False,
                "reason": None,
                "caused_by": {"file": path, "line": 40, "function": "send"},
                "last_seen": f"{seen[-1]}T20:00:00",
            }
        ]
        if hosts and number % 3 == 0
        else [],
        changes=[f"New host: {hosts[0]['host']}."] if hosts and number % 3 == 0 else [],
        runs_by_day=dict.fromkeys(seen, max(1, runs // len(seen))),
        bytes_out=sum(host["bytes_out"] for host in hosts),
        bytes_in=sum(host["bytes_in"] for host in hosts),
        tree=[_tree(name, script, user, seen)] if number % 4 == 0 else [],
        more_files=number % 7 * 3,
    )


def _script_hosts(chance: random.Random, number: int) -> list[dict[str, Any]]:
    chosen = chance.sample(HOSTS, number % 4)
    return [
        {
            "host": host,
            "port": port,
            "protocol": protocol,
            "is_local": False,
            "is_internal": internal,
            "service": service,
            "is_ai": bool(service),
            "category": category,
            "runs": 3,
            "connects": 4,
            "requests": chance.randrange(1, 90),
            "bytes_out": int(chance.paretovariate(0.5) * 2000) % 40_000_000,
            "bytes_in": chance.randrange(100, 90_000),
            "failed": 0,
            "denied": 0,
            "urls": [f"{protocol}://{host}/v1/items"],
            "caused_by": {"file": "/home/x/tools/a.py", "line": 31, "function": "send"},
            "first_seen": "2026-06-01T06:12:00",
            "last_seen": "2026-06-06T06:12:00",
            "evidence": {"process": "0019-4f2a-77", "seq": 412},
        }
        for host, port, protocol, plain, internal, service, category, severity in chosen
    ]


def _script_libraries(chance: random.Random, seen: list[str]) -> list[dict[str, Any]]:
    chosen = chance.sample(LIBRARIES, chance.randrange(1, 6))
    return [
        {
            "distribution": name,
            "version": version,
            "modules": [name],
            "runs": 4,
            "state": "vulnerable" if advisories else "no known vulnerability",
            "severity": severity,
            "advisories": advisories,
            "fixed": fixed,
            "package_index": "withdrawn: broken" if name == "numpy" else None,
            "first_seen": seen[0],
            "last_seen": seen[-1],
        }
        for name, version, severity, advisories, fixed in chosen
    ]


def _script_files(chance: random.Random, path: str, seen: list[str]) -> list[dict[str, Any]]:
    folder = path.rpartition("/")[0]
    sensitive = chance.sample(SENSITIVE, chance.randrange(0, 3))
    rows: list[dict[str, Any]] = [
        {
            "path": f"{folder}/{name}",
            "runs": 3,
            "reads": 5,
            "writes": 0,
            "deletes": 0,
            "denied": 0,
            "bytes_read": 48213,
            "bytes_written": 0,
            "first_seen": seen[0],
            "last_seen": seen[-1],
            "evidence": {"process": "0019-4f2a-77", "seq": 40},
            "sensitivity": sensitivity,
            "label": label,
            "category": category,
            "severity": severity,
            "attack": attack,
        }
        for sensitivity, label, category, severity, name, attack in sensitive
    ]
    plain = dict.fromkeys(("sensitivity", "label", "category", "severity", "attack"))
    return rows + [
        {
            "path": f"{folder}/out/result_{number}.csv",
            "runs": 3,
            "reads": 0,
            "writes": 1,
            "deletes": 0,
            "denied": 0,
            "bytes_read": 0,
            "bytes_written": 5120,
            "first_seen": seen[0],
            "last_seen": seen[-1],
            "evidence": {"process": "0019-4f2a-77", "seq": 50 + number},
            **plain,
        }
        for number in range(chance.randrange(0, 4))
    ]


def _findings(
    script: str,
    name: str,
    users: list[str],
    machines: list[str],
    runs: int,
    hosts: list[dict[str, Any]],
    chance: random.Random,
    number: int,
) -> list[FindingRow]:
    chosen = [rule for rule in RULES if chance.random() < 0.17]
    host = hosts[0]["host"] if hosts else "api.openai.com"
    words = {
        "script": name,
        "file": "customers_2026.csv",
        "size": "1.2 MB",
        "host": host,
        "runs": runs,
        "user": users[0],
    }
    return [
        FindingRow(
            finding=f"{rule}-{script}",
            rule=rule,
            severity=severity,  # type: ignore[arg-type]
            title=title,  # type: ignore[arg-type]
            sentence=SENTENCES[rule].format(**words),
            remedy=REMEDIES[rule].format(**words),
            script=script,
            script_name=name,
            subject=host,
            users=users,
            machines=machines,
            attack="T1567" if rule.startswith("ai") else None,
            count=runs,
            first_seen="2026-06-01T06:12:00",
            last_seen="2026-06-06T21:00:00",
            records=[(f"0019{number:04x}-4f2a-77", 40 + step) for step in range(min(runs, 5))],
            points=points,
            is_suppressed=False,
        )
        for rule, severity, title, points in chosen
    ]


def _tree(name: str, script: str, user: str, seen: list[str]) -> ProcessNode:
    started = f"{seen[-1]}T20:00:00"
    git = ProcessNode(
        "git",
        "/usr/bin/git status --short",
        "no Python, so it leaves no record",
        None,
        None,
        None,
        started,
        None,
    )
    worker = ProcessNode(
        "worker.py", "python worker.py --part 1", "recorded", "0019-4f2a-78", None, user, started, 1
    )
    pool = ProcessNode(
        "worker.py", "python worker.py --part 2", "recorded", "0019-4f2a-79", None, user, started, 0, [git]
    )
    return ProcessNode(
        name, f"python {name} --all", "recorded", "0019-4f2a-77", script, user, started, 0, [worker, pool]
    )
