"""Every figure of the golden week's report is that of its story, or counted in plain Python over its records.

What is expected is computed here without SQL: of `expected.json`, and of `gnomon events --format jsonl`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

import gnomon
from gnomon.analysis import Analysis
from gnomon.report.gather import gather
from gnomon.report.model import Report
from watching import environment
from weeks import Week, golden, osv

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# What a person who knows the company says that its files hold.
_HOLDS = (
    ("/srv/finance/bonuses.csv", "personnel data"),
    ("/srv/hr/", "personnel data"),
    ("/srv/bank/", "bank details"),
    ("/srv/marketing/customers.csv", "customer data"),
    ("/srv/marketing/leads.json", "customer data"),
    ("/srv/finance/", "financial data"),
    ("/srv/operations/warehouse.db", "database"),
    ("/srv/operations/backup/", "database"),
)
_LOCAL = "127.0.0.1"


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Week:
    return golden(tmp_path_factory.mktemp("week"))


@pytest.fixture(scope="module")
def report(week: Week) -> Iterator[Report]:
    with Analysis([week.spool], **week.knowledge(osv(week))) as analysis:
        yield gather(analysis)


@pytest.fixture(scope="module")
def events(week: Week) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "gnomon", "events", str(week.spool), "--format", "jsonl"]
    path = str(Path(gnomon.__file__).resolve().parents[1])
    done = subprocess.run(
        command, env=environment(PYTHONPATH=path), capture_output=True, check=True, timeout=120
    )
    return [event for event in map(json.loads, done.stdout.splitlines()) if "kind" in event]


@pytest.fixture(scope="module")
def names(report: Report) -> dict[str, str]:
    """The story's names for scripts by their ids: the path, of several the last in the alphabet."""
    return {page.script: _story_name(page.paths) for page in report.scripts}


def _story_name(paths: list[str]) -> str:
    return max(paths, default="")


def _scripts(week: Week) -> dict[str, list[dict[str, Any]]]:
    """The story's scripts by that name, a version each."""
    found = defaultdict(list)
    for entry in week.expected["scripts"]:
        found[_story_name(entry["paths"])].append(entry)
    return dict(found)


def _label(path: str) -> str | None:
    return next((label for start, label in _HOLDS if path.startswith(start)), None)


def _sensitive(week: Week) -> list[dict[str, Any]]:
    files = [*week.expected["files"], _ledger(week)]
    return [file for file in files if _label(file["path"]) and not _is_code(file["path"])]


def _ledger(week: Week) -> dict[str, Any]:
    """The database of the script that reconciles, of which the story does not tell."""
    script = "/srv/finance/reconcile.py"
    (runs,) = (entry["runs"] for entry in week.expected["scripts"] if script in entry["paths"])
    path, used = "/srv/finance/reconcile.db", ("reads", "runs_that_read", "runs_that_wrote")
    return {"script": script, "path": path, **dict.fromkeys(used, runs)}


def _is_code(path: str) -> bool:
    return path.endswith(".py")


def _users(week: Week, script: str) -> set[str]:
    return {user for entry in week.expected["scripts"] if script in entry["paths"] for user in entry["users"]}


def _moved(events: list[dict[str, Any]], *keys: str) -> dict[tuple[str, ...], int]:
    """Bytes sent beyond the machine, by these fields of the records."""
    sent: Counter[tuple[str, ...]] = Counter()
    for event in events:
        if event["kind"] == "connect" and event["host"] and event["host"] != _LOCAL:
            sent[tuple(str(event[key])[:10] if key == "time" else event[key] for key in keys)] += event[
                "bytes_out"
            ]
    return sent


def test_summary(week: Week, report: Report, events: list[dict[str, Any]]) -> None:
    expected, found = week.expected, asdict(report.summary)
    processes = expected["processes"]
    verdicts: Counter[str] = Counter()
    for entry in expected["verdicts"]:
        verdicts[entry["verdict"]] += entry["count"]
    severities = Counter(finding.severity for finding in report.findings)
    assert found == {
        "runs": processes["total"] - processes["forks"],
        "scripts": len(_scripts(week)),
        "users": len(processes["by_user"]),
        "machines": len(processes["by_machine"]),
        "libraries": len(expected["libraries"]),
        "vulnerable_libraries": len(expected["vulnerable"]),
        "hosts": len({entry["host"] for entry in expected["connections"]} - {_LOCAL}),
        "ai_services": len({entry["host"] for entry in expected["ai"]}),
        "sensitive_files": len({file["path"] for file in _sensitive(week)}),
        "records": sum(process.records for process in week.processes.values()),
        "bytes_out": sum(_moved(events, "kind").values()),
        "denied": verdicts["deny"],
        "warned": verdicts["warn"],
        "justified": verdicts["justify"],
        "high": severities["high"],
        "medium": severities["medium"],
        "low": severities["low"],
        "suppressed": len(report.suppressed),
    }
    # The findings themselves are held against the story in test_demo_week_findings.py.
    assert severities["high"] and severities["medium"] and severities["low"]
    assert (report.first or "")[:10] == expected["monday"]


def test_days(week: Week, report: Report, events: list[dict[str, Any]]) -> None:
    starts: dict[str, list[Any]] = defaultdict(list)
    for process in week.processes.values():
        starts[week.when(process.started)[:3]].append(process)
    sent = _moved(events, "time")
    connects = Counter(
        event["time"][:10]
        for event in events
        if event["kind"] == "connect" and event["host"] != _LOCAL and event["host"]
        for _ in range(event["count"] - (event["failed"] or 0))
    )
    of_ai = {entry["host"] for entry in week.expected["ai"]}
    asked = Counter(
        event["time"][:10]
        for event in events
        if event["kind"] == "http" and event["host"] in of_ai and event["detail"] == "POST"
        for _ in range(event["count"])
    )
    stopped = Counter(event["time"][:10] for event in events if event["verdict"] == "deny")
    assert [day.runs for day in report.timeline] == [week.expected["processes"]["by_day"][d] for d in _DAYS]
    for name, day in zip(_DAYS, report.timeline):
        found = starts[name]
        assert day.users == len({process.user for process in found})
        assert day.bytes_out == sent[day.day,], day
        assert day.connections == connects[day.day], day
        assert day.ai_requests == asked[day.day], day
        assert day.denied == stopped[day.day], day
    summary = report.summary
    assert sum(day.runs for day in report.timeline) == summary.runs
    assert sum(day.bytes_out for day in report.timeline) == summary.bytes_out
    assert sum(day.ai_requests for day in report.timeline) == sum(e["requests"] for e in week.expected["ai"])
    assert sum(day.denied for day in report.timeline) == summary.denied


def test_hosts(week: Week, report: Report, events: list[dict[str, Any]], names: dict[str, str]) -> None:
    scripts: dict[str, set[str]] = defaultdict(set)
    for entry in week.expected["connections"]:
        scripts[entry["host"]].add(entry["script"])
    scripts.pop(_LOCAL)
    sent = _moved(events, "host")
    assert {host.host for host in report.hosts} == set(scripts)
    for host in report.hosts:
        assert {names[script] for script in host.scripts} == scripts[host.host]
        assert host.bytes_out == sent[host.host,]
        assert set(host.users) == {user for name in scripts[host.host] for user in _users(week, name)}
        assert host.is_internal == host.host.endswith(".meridian.example")
        assert host.is_plain == (
            host.host in ("pastebin.com", "mail.meridian.example", "ftp.partner.example")
        )
        assert (host.failed, host.denied) == (0, 0)
    arrived: Counter[str] = Counter()
    for entry in week.expected["arrived"]:
        if entry["scheme"] in ("http", "https"):
            arrived[entry["host"]] += entry["count"]
            assert sent[entry["host"],] > entry["bytes"]
    assert {host.host: host.requests for host in report.hosts if host.host in arrived} == arrived
    assert sum(host.bytes_out for host in report.hosts) == report.summary.bytes_out


def test_ai_ledger(week: Week, report: Report, events: list[dict[str, Any]], names: dict[str, str]) -> None:
    lines = {line.hosts[0]: line for line in report.ai if line.hosts}
    assert set(lines) == {entry["host"] for entry in week.expected["ai"]}
    sent = _moved(events, "host")
    paths = {entry["host"]: entry["path"] for entry in week.expected["arrived"] if entry["host"] in lines}
    for entry in week.expected["ai"]:
        line = lines[entry["host"]]
        assert [names[script] for script in line.scripts] == [entry["script"]]
        assert (line.is_sanctioned, line.calls) == (entry["is_sanctioned"], entry["requests"])
        assert set(line.users) == _users(week, entry["script"])
        assert line.endpoints == [paths[entry["host"]]]
        read = {file["path"] for file in _sensitive(week) if file["script"] == entry["script"]}
        labels = {_label(path) for path in read if "reminders.txt" not in path}
        assert set(line.data_before) == labels
        assert entry["host"] == _LOCAL or line.bytes_out == sent[entry["host"],]
    (weights,) = [line for line in report.ai if not line.hosts]
    (model,) = [file for file in week.expected["files"] if file["path"].endswith(".gguf")]
    assert (weights.kind, weights.endpoints, weights.calls) == (
        "model files",
        [model["path"]],
        model["reads"],
    )
    assert [names[script] for script in weights.scripts] == [model["script"]]


def test_flows(week: Week, report: Report, events: list[dict[str, Any]], names: dict[str, str]) -> None:
    """Who reads sensitive data and talks to a host: in this company every such script reads first."""
    talks: dict[str, set[str]] = defaultdict(set)
    for entry in week.expected["connections"]:
        if entry["host"] != _LOCAL:
            talks[entry["script"]].add(entry["host"])
    wanted: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for file in _sensitive(week):
        for host in talks[file["script"]] if file["runs_that_read"] else ():
            wanted[file["script"], _label(file["path"]) or "", host].add(file["path"])
    sent = _moved(events, "host")
    found = {(names[flow.script], flow.label, flow.host): flow for flow in report.flows}
    assert set(found) == set(wanted)
    for key, flow in found.items():
        assert set(flow.examples) == wanted[key] and flow.files == len(wanted[key])
        runs = sum(entry["runs"] for entry in _scripts(week)[key[0]])
        assert flow.runs == runs and set(flow.users) == _users(week, key[0])
        if key[2] != "crm.meridian.example":  # which two scripts talk to
            assert flow.bytes_out == sent[flow.host,]
        assert flow.is_ai == (flow.host in {entry["host"] for entry in week.expected["ai"]})


def test_data(week: Week, report: Report, names: dict[str, str]) -> None:
    wanted: dict[tuple[str, str], dict[str, Any]] = {}
    for file in _sensitive(week):
        key = (file["path"].rpartition("/")[0], _label(file["path"]) or "")
        row = wanted.setdefault(
            key, {"files": set(), "reads": 0, "writes": 0, "scripts": set(), "users": set()}
        )
        row["files"].add(file["path"])
        row["reads"] += file["reads"]
        row["writes"] += file["runs_that_wrote"]
        row["scripts"].add(_name_of(week, file["script"]))
        row["users"] |= _users_of_file(week, file["script"])
    found = {
        (row.folder, row.label): {
            "files": row.files,
            "reads": row.reads,
            "writes": row.writes,
            "scripts": {names[script] for script in row.scripts},
            "users": set(row.users),
        }
        for row in report.data
    }
    assert found == {key: {**row, "files": len(row["files"])} for key, row in wanted.items()}


def _name_of(week: Week, script: str) -> str:
    """Of a copy, the name of both."""
    return next(
        _story_name(e["paths"]) for e in week.expected["scripts"] if script in e["paths"] or not script
    )


def _users_of_file(week: Week, script: str) -> set[str]:
    users = _users(week, script)
    if "vat_report" in script:  # the original is alice's, the copy bob's
        return {"bob"} if script.startswith("/home/bob") else {"alice"}
    return users


def test_libraries(week: Week, report: Report, names: dict[str, str]) -> None:
    found = {f"{row.distribution} {row.version}": row for row in report.libraries}
    assert {name: row.runs for name, row in found.items()} == week.expected["libraries"]
    for name, row in found.items():
        known = week.expected["vulnerable"].get(name)
        assert row.state == ("vulnerable" if known else "no known vulnerability")
        assert (sorted(row.advisories), row.fixed) == (
            (known["advisories"], known["fixed"]) if known else ([], None)
        )
        assert [names[script] for script in row.scripts] == ["/srv/datascience/churn_api.py"]
    database = report.vulnerability_database or {}
    advisories = {path.name for path in (week.beside / "osv").rglob("*.json")}
    assert database["advisories"] == len(advisories)


def test_passports(week: Week, report: Report, events: list[dict[str, Any]], names: dict[str, str]) -> None:
    stories = _scripts(week)
    assert {names[page.script] for page in report.scripts} == set(stories)
    sent = defaultdict(int)
    for event in events:
        if event["kind"] == "connect" and event["host"] not in (_LOCAL, None):
            sent[_story_name([week.processes[event["process"]].script_file or ""])] += event["bytes_out"]
    for page in report.scripts:
        name, versions = names[page.script], stories[names[page.script]]
        assert page.versions == len(versions) and page.runs == sum(e["runs"] for e in versions), name
        assert page.users == versions[0]["users"] and page.machines == versions[0]["machines"], name
        assert page.sha256 in {entry["sha256"] for entry in versions}
        assert sum(page.runs_by_day.values()) == page.runs and page.days == len(page.runs_by_day)
        assert page.risk == sum(point.points for point in page.points), name
        assert page.bytes_out == sent[name], name
        _hosts_of(week, name, page)
        _files_of(week, name, page)
        told = week.expected["vulnerable"] if "churn_api" in name else {}
        assert {
            f"{x['distribution']} {x['version']}" for x in page.libraries if x["state"] == "vulnerable"
        } == set(told)
    failed = {names[page.script]: page.failed_runs for page in report.scripts if page.failed_runs}
    assert sum(failed.values()) == week.expected["processes"]["failed"]


def _hosts_of(week: Week, name: str, page: Any) -> None:
    wanted: Counter[str] = Counter()
    for entry in week.expected["connections"]:
        if entry["script"] == name:
            wanted[entry["host"]] += entry["connections"]
    assert {host["host"]: host["connects"] for host in page.hosts} == wanted


def _files_of(week: Week, name: str, page: Any) -> None:
    found = {file["path"]: (file["reads"], file["writes"]) for file in page.files}
    wanted: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for file in week.expected["files"]:
        if file["script"] in (page.paths or [""]) and file["path"] != file["script"]:
            wanted[file["path"]][0] += file["reads"]
            wanted[file["path"]][1] += file["runs_that_wrote"]
    for path, counts in wanted.items():
        assert found[path] == tuple(counts), (name, path)


def test_verdicts(week: Week, report: Report, names: dict[str, str]) -> None:
    found: Counter[tuple[str, str, bool]] = Counter()
    for page in report.scripts:
        for verdict in page.verdicts:
            said = f"{verdict['verdict']} {verdict['rule']}"
            found[names[page.script], said, verdict["is_observed"]] += verdict["count"]
    expected: Counter[tuple[str, str, bool]] = Counter()
    for entry in week.expected["verdicts"]:
        if entry["verdict"] != "allow":
            expected[entry["script"], f"{entry['verdict']} {entry['rule']}", False] += entry["count"]
        if entry["shadow"]:
            expected[entry["script"], entry["shadow"], True] += entry["count"]
    assert found == expected


def test_gaps(week: Week, report: Report, names: dict[str, str]) -> None:
    silent = [gap for gap in report.gaps if gap.kind == "silent child"]
    assert sum(gap.count for gap in silent) == week.expected["processes"]["silent"]
    assert {names[script] for gap in silent for script in gap.scripts} == {
        child["script"] for child in week.expected["children"] if not child["is_recorded"]
    }
    (ends,) = [gap for gap in report.gaps if gap.kind == "no end"]
    assert ends.count == week.expected["processes"]["without_end"]
    (blind,) = [gap for gap in report.gaps if gap.kind == "blind library"]
    assert [names[script] for script in blind.scripts] == ["/srv/operations/fast_copy.py"]
    (unread,) = [gap for gap in report.gaps if (gap.kind, gap.reason) == ("note", "scripts")]
    of_files = [entry for entry in _scripts(week).values() if entry[0]["paths"]]
    assert f"{len(of_files)} of {len(of_files)} scripts" in unread.sentence
    old, small = (gap.sentence for gap in report.gaps if gap.reason == "vulnerabilities")
    assert "days old: newer vulnerabilities are not known to it" in old and "6 advisories" in small


def test_headlines_name_what_the_issue_is_about(report: Report) -> None:
    said = "\n".join(report.headlines)
    assert "enrich_customers.py read customer data (customers.csv) and then sent" in said
    assert "api.openai.com (OpenAI), which the organisation has not approved" in said
    assert "churn_api.py imports requests 2.19.0, which has 2 known vulnerabilities" in said
    assert "inventory_sync.py still runs (7 times" in said and "ivan" in said
