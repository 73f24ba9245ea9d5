"""The demonstration's week is recorded as its story tells it, and its golden recording stays readable.

`expected.json` is made of what the scripts were told to do and of what the services noted, never of records.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import gnomon
from gnomon._native import Process
from watching import environment
from weeks import Week, golden

DEMO = Path(__file__).resolve().parents[1] / "examples" / "demo_week.py"
# What SQLite does for the script that reconciles: its database, and the directory of its journal.
_OF_SQLITE = re.compile(r"/srv/finance(/reconcile[.]db(-journal)?)?$")


@pytest.fixture(scope="module", params=["golden", "recorded now", "recorded now, plain"])
def week(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Week:
    folder = tmp_path_factory.mktemp("week")
    if request.param == "golden":
        return golden(folder)
    options = ["--plain"] if "plain" in request.param else []
    if options and os.geteuid() != 0:
        pytest.skip("without root's rights it is plain anyhow")
    command = [sys.executable, str(DEMO), str(folder / "spool"), "--quick", "--offline", *options]
    path = str(Path(gnomon.__file__).resolve().parents[1])
    done = subprocess.run(
        command, env=environment(PYTHONPATH=path), capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Week(folder / "spool", folder / "spool.d")


def test_nothing_of_it_is_damaged(week: Week) -> None:
    checked = gnomon.Spool(week.spool).verify()
    assert [(segment.path, segment.faults) for segment in checked if segment.faults] == []
    assert {segment.follows for segment in checked} <= {None, "same"}
    assert not any(process.is_forged for process in week.processes.values())


def test_processes_are_those_of_the_story(week: Week) -> None:
    expected, processes = week.expected["processes"], week.processes.values()
    assert len(processes) == expected["total"]
    assert sum(process.forked for process in processes) == expected["forks"]
    assert sum(process.ended is None for process in processes) == expected["without_end"]
    assert sum(bool(process.status) for process in processes) == expected["failed"]
    days = Counter(week.when(process.started)[:3] for process in processes if not process.forked)
    assert days == expected["by_day"]


def test_users_machines_and_starters_are_those_of_the_story(week: Week) -> None:
    if not week.expected["is_private"]:
        pytest.skip("the demonstration has accounts and machines of its own only where root runs it on Linux")
    expected, processes = week.expected["processes"], week.processes.values()
    assert Counter(process.user for process in processes) == expected["by_user"]
    assert Counter(process.host for process in processes) == expected["by_machine"]
    identities = {(process.host, process.machine, process.boot) for process in processes}
    assert len(identities) == len(expected["by_machine"])
    by_script = defaultdict(set)
    for process in processes:
        if not process.forked:
            by_script[process.script_sha256].add(process.parent_name)
    assert {sha256: sorted(names) for sha256, names in by_script.items()} == {
        script["sha256"]: script["starters"] for script in week.expected["scripts"]
    }


def test_scripts_are_known_by_their_content(week: Week) -> None:
    found: dict[str | None, list[Process]] = defaultdict(list)
    for process in week.processes.values():
        if not process.forked:
            found[process.script_sha256].append(process)
    entries = [
        {
            "sha256": sha256,
            "paths": sorted({process.script_file for process in runs if process.script_file}),
            "runs": len(runs),
            "first": week.when(min(process.started for process in runs)),
            "last": week.when(max(process.started for process in runs)),
        }
        for sha256, runs in found.items()
    ]
    keys = ("sha256", "paths", "runs", "first", "last")
    expected = [{key: script[key] for key in keys} for script in week.expected["scripts"]]
    assert sorted(entries, key=lambda entry: str(entry["sha256"])) == expected


def test_owners_are_there_or_gone(week: Week) -> None:
    if not week.expected["is_private"]:
        pytest.skip("all files belong to the caller where the demonstration has no accounts of its own")
    owners = {(Path(p.script_file).name, p.script_owner) for p in week.processes.values() if p.script_file}
    assert ("inventory_sync.py", None) in owners
    assert ("labels.py", "peggy") in owners
    assert {name for name, owner in owners if owner is None} == {"inventory_sync.py"}


def test_libraries_are_those_that_were_imported(week: Week) -> None:
    runs: Counter[str] = Counter()
    versions = {}
    for process in week.processes.values():
        for listed in process.distributions.values():
            versions.update(dict(listed))
    for record in week.records:
        if record.kind == "import" and "site-packages" in (record.destination or ""):
            runs[record.target or ""] += 1
    runs.pop("meridian_defaults", None)
    assert {f"{name} {versions[name]}": count for name, count in runs.items()} == week.expected["libraries"]


def test_requests_are_those_that_arrived(week: Week) -> None:
    found: Counter[tuple[str, str, str, str]] = Counter()
    sizes: Counter[tuple[str, str, str, str]] = Counter()
    for record in week.records:
        if record.kind == "http" and record.detail != "CONNECT":
            url = urlsplit(record.target or "")
            key = (url.scheme, url.hostname or "", record.detail or "", url.path)
            found[key] += record.count
            sizes[key] += (record.size or 0) * record.count
    arrived = [entry for entry in week.expected["arrived"] if entry["scheme"] in ("http", "https", "ollama")]

    def key_of(entry: dict[str, Any]) -> tuple[str, str, str, str]:
        scheme = entry["scheme"].replace("ollama", "http")
        return (scheme, entry["host"], entry["method"], entry["path"])

    assert found == {key_of(entry): entry["count"] for entry in arrived}
    assert +sizes == {key_of(entry): entry["bytes"] for entry in arrived if entry["bytes"]}


def test_connections_go_where_the_story_says(week: Week) -> None:
    if not week.expected["is_private"]:
        pytest.skip("connections go to a proxy where the demonstration has no network of its own")
    found: Counter[tuple[str, str, int]] = Counter()
    for record in week.records:
        if record.kind == "connect" and record.port and record.failed != record.count:
            found[week.script(record), record.host or record.address or "", record.port] += record.count
    expected = {(c["script"], c["host"], c["port"]): c["connections"] for c in week.expected["connections"]}
    assert found == expected


def test_files_are_read_and_written_in_as_many_runs_as_the_story_says(week: Week) -> None:
    reads: dict[tuple[str, str], set[str]] = defaultdict(set)
    writes: dict[tuple[str, str], set[str]] = defaultdict(set)
    for script, process, path, is_read, is_written in _used(week):
        # A fork belongs to the run of its parent.
        run = week.processes[process].parent or process if week.processes[process].forked else process
        if is_read:
            reads[script, path].add(run)
        if is_written:
            writes[script, path].add(run)
    found = {key: (len(reads[key]), len(writes[key])) for key in {*reads, *writes}}
    expected = {
        (file["script"], file["path"]): (file["runs_that_read"], file["runs_that_wrote"])
        for file in week.expected["files"]
    }
    assert found == expected


def _used(week: Week) -> Iterator[tuple[str, str, str, bool, bool]]:
    """Script, process and path of each file of the company that was used with success, and how."""
    tops = tuple(week.beside.joinpath("files", top).as_posix() + "/" for top in ("srv", "home"))
    tops = ("/srv/", "/home/") if week.expected["is_private"] else tops
    for record in week.records:
        if record.outcome in ("denied", "failed") or not (record.target or "").startswith(tops):
            continue
        path, script = record.target or "", week.script(record)
        if "venv/" in path or _OF_SQLITE.search(path):
            continue
        if record.kind == "open":
            access = record.access or ""
            yield script, record.process, path, "read" in access, bool(re.search("write|append", access))
        elif record.kind == "copy":
            yield script, record.process, path, True, False
            yield script, record.process, record.destination or "", False, True


def test_verdicts_are_those_of_the_story(week: Week) -> None:
    found: Counter[tuple[object, ...]] = Counter()
    for record in week.records:
        if record.verdict and record.kind != "script":
            shadow = f"{record.shadow_verdict} {record.shadow_rule}" if record.shadow_verdict else None
            stopped = record.outcome == "denied"
            key = (week.script(record), record.verdict, record.rule, record.kind, stopped, shadow)
            found[key] += record.count
    names = ("script", "verdict", "rule", "kind", "is_stopped", "shadow")
    expected = {tuple(entry[name] for name in names): entry["count"] for entry in week.expected["verdicts"]}
    assert found == expected


def test_what_could_not_be_seen_is_told(week: Week) -> None:
    command = [
        sys.executable,
        "-m",
        "gnomon",
        "events",
        str(week.spool),
        "--format",
        "jsonl",
        "--kind",
        "receipt",
    ]
    path = str(Path(gnomon.__file__).resolve().parents[1])
    done = subprocess.run(
        command, env=environment(PYTHONPATH=path), capture_output=True, check=True, timeout=120
    )
    receipt = json.loads(done.stdout.splitlines()[-1])["receipt"]
    silent = sorted(" ".join(entry["argv"][1:]) for entry in receipt["silent"])
    assert silent == sorted(c["command"] for c in week.expected["children"] if not c["is_recorded"])
    if "on" in receipt["native_source"]:
        assert [entry["reason"] for entry in receipt["blind"]] == ["io_uring"]
    evasion = [tuple(found) for found in week.expected["findings"] if found[1] == "evasion"]
    assert len(receipt["evasion"]) == len(evasion)


def test_a_startup_file_changed_on_wednesday(week: Week) -> None:
    startups, faults = gnomon.Spool(week.spool).startups()
    assert faults == []
    states = {
        (hook.file.sha256, tuple(hook.lines))
        for startup in startups.values()
        for hook in startup.hooks
        if str(hook.file.path).endswith("meridian_defaults.pth")
    }
    is_whole = "Wed" in {week.when(p.started)[:3] for p in week.processes.values() if p.environment}
    assert len(states) == (2 if is_whole else 1)


def test_passwords_are_found_in_scripts_that_are_here(week: Week) -> None:
    """Only lines are told; where the company had file systems of its own its scripts are not here."""
    pytest.importorskip("duckdb")
    from gnomon.analysis import Analysis

    with Analysis([week.spool]) as analysis:
        rows = analysis.rows(
            "select s.path, f.* from findings f join scripts s using (script) "
            "where rule = 'credential-in-script'"
        )
    ran = {process.script_file for process in week.processes.values()}
    wanted = {path for path, name in week.expected["findings"] if name == "credential-in-script"}
    if week.expected["is_private"]:
        assert rows == []
    else:
        assert {week.story_path(row["path"]) for row in rows} == {
            path for path in wanted if f"{week.beside}/files{path}" in ran
        }
        assert any("line" in row["sentence"] for row in rows)


def test_no_time_lies_outside_of_the_week(week: Week) -> None:
    for record in week.records:
        assert week.when(record.time) and record.time <= record.last_time + 10_000_000
    for process in week.processes.values():
        # The id tells when the process started, to the millisecond.
        assert abs(int(process.id.replace("-", "")[:12], 16) - process.started // 1_000_000) < 1000


def test_nothing_of_the_recording_machine_is_in_the_golden_one(tmp_path: Path) -> None:
    week = golden(tmp_path)
    foreign = re.compile(
        rb"/root/|/tmp/|/home/(?!alice|bob|carol|dave|erin|frank|grace|heidi|peggy|svc-jobs)"
    )
    for path in week.spool.rglob("*"):
        if path.is_file():
            assert not foreign.search(path.read_bytes()), path
