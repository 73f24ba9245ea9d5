"""The views over the golden recording of the demonstration's week hold what its story says."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from gnomon.analysis import Analysis
from gnomon.cli import main
from gnomon.report.gather import gather
from weeks import Week, golden

# What SQLite does for the script that reconciles: its database, and the directory of its journal.
_OF_SQLITE = re.compile(r"/srv/finance(/reconcile[.]db(-journal)?)?$")


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Week:
    return golden(tmp_path_factory.mktemp("week"))


@pytest.fixture(scope="module")
def analysis(week: Week) -> Iterator[Analysis]:
    found = Analysis([week.spool], leavers=week.beside / "leavers.csv")
    yield found
    found.connection.close()


def _counted(analysis: Analysis, query: str) -> dict[Any, int]:
    """Rows of keys and a number at the end."""
    rows = analysis.sql(query).fetchall()
    return {(row[0] if len(row) == 2 else tuple(row[:-1])): row[-1] for row in rows}


def test_processes(week: Week, analysis: Analysis) -> None:
    expected = week.expected["processes"]
    assert _counted(analysis, "select user, count(*) from processes group by all") == expected["by_user"]
    assert (
        _counted(analysis, "select machine, count(*) from processes group by all") == expected["by_machine"]
    )
    days = "select strftime(started, '%a'), count(*) from processes where parent is null group by all"
    assert _counted(analysis, days) == expected["by_day"]
    failed = "select count(*) filter (status <> 0), count(*) filter (ended is null) from processes"
    assert analysis.sql(failed).fetchall() == [(expected["failed"], expected["without_end"])]


def test_scripts(week: Week, analysis: Analysis) -> None:
    """One row for each content; what stood at one path before and after a change is one script, too."""
    expected: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for entry in week.expected["scripts"]:
        expected[tuple(entry["paths"])].append(entry)
    rows = analysis.rows("select * from scripts")
    assert sorted(_paths(row) for row in rows) == sorted(expected)
    for row in rows:
        versions = expected[_paths(row)]
        assert row["versions"] == len(versions)
        assert row["sha256"] in {entry["sha256"] for entry in versions}
        assert sorted(row["users"]) == versions[0]["users"]
        assert sorted(row["machines"]) == versions[0]["machines"]
        assert row["owner_uid"] in (*versions[0]["owners"], None)
        days = [entry["first"] for entry in versions], [entry["last"] for entry in versions]
        assert week.when(_nanoseconds(row["first_seen"])) in days[0]
        assert week.when(_nanoseconds(row["last_seen"])) in days[1]


def _paths(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(sorted(row["paths"] or ()))


def _nanoseconds(time: datetime) -> int:
    return int((time - datetime(1970, 1, 1)).total_seconds() * 1_000_000) * 1_000


def test_runs_of_scripts(week: Week, analysis: Analysis) -> None:
    """What forks is one run with its children."""
    expected: Counter[str] = Counter()
    for entry in week.expected["scripts"]:
        expected[next(iter(entry["paths"]), "")] += entry["runs"]
    query = "select coalesce(list_min(paths), ''), runs from scripts"
    assert {
        key.replace("vat_report_final2", "vat_report"): n for key, n in _counted(analysis, query).items()
    } == {key.replace("vat_report_final2", "vat_report"): n for key, n in expected.items()}


def test_schedules(week: Week, analysis: Analysis) -> None:
    daily = {
        (entry["paths"][0], f"{entry['starters'][0]}, daily at {entry['first'][4:]} (UTC)")
        for entry in week.expected["scripts"]
        if entry["starters"][0] in ("cron", "systemd") and entry["runs"] == 7
    }
    query = (
        "select path, schedule from scripts where starts_with(schedule, 'cron,') or schedule like 'systemd%'"
    )
    assert set(analysis.sql(query).fetchall()) == daily


def test_orphans(week: Week, analysis: Analysis) -> None:
    query = "select path, owner_exists, is_leaver from scripts where not owner_exists or is_leaver"
    found = {path: (exists, left) for path, exists, left in analysis.sql(query).fetchall()}
    orphans = {path for path, finding in week.expected["findings"] if finding == "orphaned-script"}
    assert set(found) == orphans
    assert found["/srv/operations/inventory_sync.py"][0] is False
    assert found["/srv/operations/labels.py"] == (True, True)


def test_libraries(week: Week, analysis: Analysis) -> None:
    query = (
        "select distribution || ' ' || version, sum(runs)::int from libraries where is_imported group by all"
    )
    assert _counted(analysis, query) == week.expected["libraries"]


RULES_OF_THE_INDEX = ("library-yanked", "library-unindexed")


def test_vulnerabilities(week: Week, tmp_path: Path) -> None:
    database = tmp_path / "osv.sqlite"
    assert main(["osv", "import", "-o", str(database), str(week.beside / "osv")]) == 0
    analysis = Analysis([week.spool], vulnerabilities=database)
    rows = analysis.rows("select * from libraries where state = 'vulnerable'")
    found = {
        f"{row['distribution']} {row['version']}": {
            "advisories": sorted(row["advisories"]),
            "fixed": row["fixed"],
        }
        for row in rows
    }
    assert found == week.expected["vulnerable"]
    analysis.connection.close()


def test_what_the_package_index_says(week: Week, tmp_path: Path) -> None:
    names = sorted({key.rpartition(" ")[0] for key in week.expected["libraries"]})
    withdrawn, missing = (
        next(key for key in week.expected["libraries"] if key.startswith("requests ")),
        "idna",
    )
    index, database = tmp_path / "names.txt", tmp_path / "osv.sqlite"
    lines = [*(name for name in names if name != missing), f"{withdrawn.replace(' ', '==')} leaks"]
    index.write_text("\n".join(lines))
    assert main(["osv", "import", "-o", str(database), "--index", str(index), str(week.beside / "osv")]) == 0
    with Analysis([week.spool], vulnerabilities=database) as analysis:
        report = gather(analysis)
    says = {row.distribution: row.package_index for row in report.libraries if row.package_index}
    assert says == {"requests": "withdrawn: leaks", missing: "not there"}
    told = {(found.rule, found.subject) for found in report.findings if found.rule in RULES_OF_THE_INDEX}
    assert told == {("library-yanked", withdrawn), ("library-unindexed", missing)}
    for page in report.scripts:
        for library in page.libraries:
            assert library["package_index"] == says.get(library["distribution"])


def test_connections(week: Week, analysis: Analysis) -> None:
    query = """
        select coalesce(s.path, ''), c.host, c.port, sum(c.connects)::int
        from connections c join scripts s using (script) where c.connects > 0 group by all
    """
    expected = {(c["script"], c["host"], c["port"]): c["connections"] for c in week.expected["connections"]}
    assert _counted(analysis, query) == expected


def test_requests(week: Week, analysis: Analysis) -> None:
    query = """
        select host, sum(requests)::int from connections
        where protocol in ('http', 'https') and requests > 0 group by all
    """
    arrived: Counter[str] = Counter()
    for entry in week.expected["arrived"]:
        if entry["scheme"] in ("http", "https", "ollama"):
            arrived[entry["host"]] += entry["count"]
    assert _counted(analysis, query) == arrived


def test_plain_text(week: Week, analysis: Analysis) -> None:
    query = """
        select distinct s.path from connections join scripts s using (script) where is_plain and not is_local
    """
    plain = {path for path, finding in week.expected["findings"] if finding == "plain-text-protocol"}
    assert {path for (path,) in analysis.sql(query).fetchall()} == plain


def test_files(week: Week, analysis: Analysis) -> None:
    query = """
        select coalesce(s.path, ''), f.path, sum(f.reads)::int, sum(f.writes)::int
        from files f join scripts s using (script)
        where (f.path like '/srv/%' or f.path like '/home/%') and f.reads + f.writes > 0 group by all
    """
    found = {
        (script.replace("/home/bob/Documents/vat_report_final2.py", "vat"), path): (reads, writes)
        for script, path, reads, writes in analysis.sql(query).fetchall()
        if "venv/" not in path and not _OF_SQLITE.search(path)
    }
    expected: Counter[tuple[str, str, str]] = Counter()
    for file in week.expected["files"]:
        if file["path"] == file["script"]:  # which a traceback reads
            continue
        script = "vat" if "vat_report" in file["script"] else file["script"]
        expected[script, file["path"], "read"] += file["reads"]
        expected[script, file["path"], "write"] += file["runs_that_wrote"]
    assert set(found) == {key[:2] for key in expected}
    differing = {
        key: counts
        for key, counts in found.items()
        if counts != (expected[(*key, "read")], expected[(*key, "write")])
    }
    assert differing == {}


def test_gaps(week: Week, analysis: Analysis) -> None:
    query = "select kind, script_name, subject from gaps where kind <> 'no end'"
    found = {(kind, name) for kind, name, _ in analysis.sql(query).fetchall()}
    wanted = {"silent-child": "silent child", "blind-library": "blind library"}
    assert found == {
        (wanted[finding], path.rpartition("/")[2])
        for path, finding in week.expected["findings"]
        if finding in wanted
    }
    endless = analysis.sql(
        "select count(*) from gaps where kind = 'no end' and script is not null"
    ).fetchone()
    assert endless == (week.expected["processes"]["without_end"],)


def test_verdicts(week: Week, analysis: Analysis) -> None:
    query = "select verdict, rule, sum(count)::int from events where rule is not null group by all"
    expected: Counter[tuple[str, str]] = Counter()
    for entry in week.expected["verdicts"]:
        if entry["rule"]:
            expected[entry["verdict"], entry["rule"]] += entry["count"]
    assert _counted(analysis, query) == expected


def test_bytes_of_files(week: Week, analysis: Analysis) -> None:
    """Inputs are read as a whole, and outputs written at once: their sizes tell how much that was."""
    query = """
        select path, sum(reads)::int, sum(writes)::int, sum(bytes_read)::int, sum(bytes_written)::int
        from files group by path
    """
    found = {path: figures for path, *figures in analysis.sql(query).fetchall()}
    files = {file["path"]: file for file in week.expected["files"]}
    written = {path for path, file in files.items() if file["runs_that_wrote"]}
    # Not counted: what the C library's streams read (OpenSSL), maps and copies within the kernel; a
    # zip archive's writer goes back and corrects.
    uncounted = re.compile(r"ca[.]pem|[.]gguf|/backup/|warehouse[.]db|welcome[.]txt|[.]zip|[.]pickle|/bank/")
    for path, file in files.items():
        if not uncounted.search(path) and path != file["script"]:
            reads, writes, bytes_read, bytes_written = found[path]
            assert path in written or bytes_read == reads * file["size"], path
            assert bytes_written == writes * file["size"], path


def test_since_leaves_out_runs_that_were_over(week: Week) -> None:
    """What was before is no run that did without a host, and so makes no host of later runs new."""
    moment = datetime.fromisoformat(week.expected["monday"]).replace(tzinfo=timezone.utc)
    since = int((moment + timedelta(days=2, hours=12)).timestamp()) * 10**9
    later = {
        process.id
        for process in week.processes.values()
        if process.role == "python" and max(process.last_seen, process.ended or 0) >= since
    }
    assert 0 < len(later) < len(week.processes)
    new = "select script_name, subject from findings where rule = 'host-new'"
    with Analysis([week.spool], since=since) as some, Analysis([week.spool]) as all_of_it:
        assert {row["process"] for row in some.rows("select process from processes")} == later
        gaps = {row["process"] for row in some.rows("select process from gaps where process is not null")}
        assert gaps <= later
        assert {tuple(row.values()) for row in some.rows(new)} <= {
            tuple(row.values()) for row in all_of_it.rows(new)
        }
