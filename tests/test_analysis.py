"""The views over what was really recorded, against figures that were worked out without SQL."""

from __future__ import annotations

import collections
import hashlib
import json
import os
import shutil
import sqlite3
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import gnomon
import watching

pytest.importorskip("duckdb")

from gnomon._native import doubles
from gnomon.analysis import Analysis, schema, views
from gnomon.analysis.identity import Run, scripts
from gnomon.analysis.marks import read_leavers, read_numbers, schedule
from gnomon.findings import WorkingHours

ANALYST = """
import json, os, sqlite3, subprocess, sys
os.chdir(sys.argv[1])
for name in ("customers.csv", "customers.csv", "rates.csv"):
    open(name).read()
with open("report.txt", "w") as file:
    file.write("figures")
os.rename("report.txt", "final.txt")
os.remove("old.txt")
try:
    open("missing.txt")
except OSError:
    pass
subprocess.run([sys.executable, "-S", "-c", "pass"], check=True)
"""
CALLER = """
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
connection.request("POST", "/v1/upload?token=1", body=b"x" * 1000)
connection.getresponse().read()
"""


WORKERS = """
import multiprocessing
def work(number):
    return number
if __name__ == "__main__":
    for method in ("spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            pool.map(work, [1])
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The spool of two scripts, one of them twice under two names and changed in between."""
    from servers import http_api

    place = tmp_path_factory.mktemp("analysis")
    spool = place / "spool"
    spool.mkdir(mode=0o700)
    work = place / "work"
    analyst, renamed, caller = (place / name for name in ("analyst.py", "renamed.py", "caller.py"))
    analyst.write_text(ANALYST)
    shutil.copy(analyst, renamed)
    caller.write_text(CALLER)
    for script in (analyst, renamed):
        _fill(work)
        watching.armed([sys.executable, str(script), str(work)], spool).checked()
    analyst.write_text(ANALYST + "# changed\n")
    _fill(work)
    watching.armed([sys.executable, str(analyst), str(work)], spool).checked()
    with http_api() as (base, _):
        watching.armed([sys.executable, str(caller), base.rpartition(":")[2].strip("/")], spool).checked()
    return spool


def _fill(work: Path) -> None:
    work.mkdir(exist_ok=True)
    for name in ("customers.csv", "rates.csv", "old.txt"):
        (work / name).write_text("a,b\n")


@pytest.fixture(scope="module")
def analysis(recorded: Path) -> Analysis:
    return Analysis([recorded])


def test_every_view_has_the_columns_that_it_promises(analysis: Analysis) -> None:
    for view in views():
        analysis.prepare(f"select * from {view.name}")
        found = analysis.sql(f"describe select * from {view.name}").fetchall()
        assert [(row[0], row[1]) for row in found] == [(column.name, column.type) for column in view.columns]
        assert view.row and all(column.meaning for column in view.columns)


def test_processes_are_those_that_the_reader_tells_of(analysis: Analysis, recorded: Path) -> None:
    expected = {process.id: process for process in gnomon.Spool(recorded).processes()[0]}
    found = {row["process"]: row for row in analysis.rows("select * from processes")}
    assert found.keys() == expected.keys()
    for key, process in expected.items():
        row = found[key]
        assert (row["pid"], row["user"], row["machine"], row["argv"], row["status"], row["records"]) == (
            process.pid, process.user, process.host, process.argv, process.status, process.records,
        )  # fmt: skip


def test_events_are_the_records(analysis: Analysis, recorded: Path) -> None:
    expected = collections.Counter(
        (record.kind, record.target, record.count) for record in gnomon.Spool(recorded).records()
    )
    found = analysis.sql("select kind, target, count from events").fetchall()
    assert collections.Counter(found) == expected
    (total,) = analysis.sql("select count(*) from events").fetchone() or ()
    assert total == expected.total() if hasattr(expected, "total") else sum(expected.values())
    assert analysis.sql("select sum(records) from processes").fetchone() == (total,)
    assert analysis.rows("select * from events limit 1")[0].keys() >= {"time", "shadow_rule", "machine_id"}


def test_a_script_is_one_under_two_names(analysis: Analysis) -> None:
    rows = {(row["name"], row["runs"]): row for row in analysis.rows("select * from scripts")}
    assert rows.keys() == {
        ("renamed.py", 2),
        ("analyst.py", 1),
        ("caller.py", 1),
    }  # it lies in /tmp: no place
    script = rows["renamed.py", 2]
    assert (script["versions"], sorted(map(os.path.basename, script["paths"]))) == (
        1,
        ["analyst.py", "renamed.py"],
    )
    assert (script["files_written"], script["files_deleted"], script["children"]) == (2, 1, 2)
    assert script["is_in_repository"] is False and script["owner_exists"] is True


def test_a_file_stands_once_for_a_script_of_two_names(analysis: Analysis) -> None:
    """A sum over rows is what was done, and not that once for each name."""
    rows = analysis.sql("select script_name, reads from files where name = 'customers.csv'").fetchall()
    assert sorted(rows) == [("analyst.py", 2), ("renamed.py", 4)]


def test_files_are_counted_as_they_were_used(analysis: Analysis, recorded: Path) -> None:
    # The two runs that are one script, under two names.
    query = """
        select * from files join (select script from scripts where name = 'renamed.py') using (script)
        where user is not null
    """
    rows = {row["name"]: row for row in analysis.rows(query)}
    customers, report, final = rows["customers.csv"], rows["report.txt"], rows["final.txt"]
    assert (customers["reads"], customers["writes"], customers["runs"], customers["type"]) == (4, 0, 2, "csv")
    assert (report["writes"], report["renames"]) == (2, 2)
    assert (final["writes"], final["reads"]) == (2, 0)
    assert (rows["old.txt"]["deletes"], rows["missing.txt"]["failed"], rows["missing.txt"]["reads"]) == (
        2,
        2,
        0,
    )
    work = str(recorded.parent / "work")
    assert {row["folder"] for row in rows.values() if row["name"] == "customers.csv"} == {work}


def test_connections_have_requests_and_bytes(analysis: Analysis) -> None:
    (row,) = analysis.rows("select * from connections where requests > 0")
    assert (row["host"], row["protocol"], row["is_plain"], row["is_local"]) == (
        "127.0.0.1",
        "http",
        True,
        True,
    )
    assert (row["connects"], row["requests"], row["methods"]) == (1, 1, ["POST"])
    assert row["urls"] == [f"http://127.0.0.1:{row['port']}/v1/upload"]
    assert row["bytes_out"] > 1000 and row["caused_by"]["line"] == 4


def test_a_database_is_a_file(spool: Path, tmp_path: Path) -> None:
    """What SQLite opens raises no event of a file."""
    connection = sqlite3.connect(tmp_path / "customers.db")
    with connection:
        connection.execute("create table customers (name)")
    connection.close()
    read = "c = sqlite3.connect('customers.db'); c.execute('select * from customers').fetchall(); c.close()"
    code = f"import sqlite3; sqlite3.connect(':memory:').close(); {read}; {read}"
    watching.armed([sys.executable, "-c", code], spool, cwd=tmp_path).checked()
    with Analysis([spool]) as analysis:
        rows = analysis.rows(
            "select name, folder, reads, writes, category from files where name like '%mer%'"
        )
        analysis.ensure(["sensitive_reads"])
        read_before = analysis.sql("select path, reads from base.sensitive_reads").fetchall()
    assert rows == [
        {"name": "customers.db", "folder": str(tmp_path), "reads": 2, "writes": 0, "category": "customer"}
    ]
    assert read_before == [(str(tmp_path / "customers.db"), 2)]


def test_workers_leave_the_script_what_it_is(spool: Path, tmp_path: Path) -> None:
    """What multiprocessing starts has a command of its own each time: that is no version of the script."""
    script = tmp_path / "workers.py"
    script.write_text(WORKERS)
    watching.armed([sys.executable, str(script)], spool).checked()
    with Analysis([spool]) as analysis:
        (row,) = analysis.rows("select form, sha256, versions, runs from scripts")
        (ran,) = analysis.rows("select count(*) as processes from processes")
    digest = hashlib.sha256(script.read_bytes()).hexdigest()
    assert (row["form"], row["sha256"], row["versions"], row["runs"]) == ("file", digest, 1, 1)
    assert ran["processes"] > 2


@pytest.mark.parametrize("user, uid, shown", [("ann", 1000, "ann"), ("", 54321, "uid 54321"), ("", None, "")])
def test_a_user_without_a_name_is_told_by_number(user: str, uid: int | None, shown: str) -> None:
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("create schema base")
        connection.execute(
            "create table process_stream as "
            "select 'p' as id, 1 as records, 'python' as role, ? as user, ?::uinteger as uid",
            [user, uid],
        )
        connection.execute(schema.base("process_rows"))
        assert connection.execute("select user from base.process_rows").fetchall() == [(shown,)]


def test_a_silent_child_is_a_gap(analysis: Analysis) -> None:
    rows = analysis.rows("select * from gaps where kind = 'silent child'")
    assert [row["script_name"] for row in rows] == ["analyst.py", "renamed.py", "analyst.py"] or len(
        rows
    ) == 3
    assert all("-S" in row["subject"] and row["count"] == 1 for row in rows)


def test_imported_is_told_apart_from_installed(analysis: Analysis, tmp_path: Path) -> None:
    site = tmp_path / "lib" / "site-packages"
    for name, version in (("used_thing", "1.5"), ("Idle.Thing", "2.0")):
        (site / f"{name}-{version}.dist-info").mkdir(parents=True)
        (site / f"{name}-{version}.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
    (site / "used_thing").mkdir()
    (site / "used_thing" / "__init__.py").write_text("")
    spool = tmp_path / "spool"
    spool.mkdir(mode=0o700)
    code = f"import sys; sys.path.insert(0, {str(site)!r}); import used_thing"
    watching.armed([sys.executable, "-c", code], spool).checked()
    with Analysis([spool]) as analysis:
        rows = analysis.rows("select * from libraries where distribution in ('used-thing', 'idle-thing')")
    assert {(row["distribution"], row["version"], row["is_imported"], row["state"]) for row in rows} == {
        ("used-thing", "1.5", True, "not checked"),
        ("idle-thing", "2.0", False, "not checked"),
    }


@pytest.mark.parametrize("is_shorter", [False, True], ids=["as it is", "an earlier copy"])
def test_a_process_of_two_spools_counts_once(recorded: Path, tmp_path: Path, is_shorter: bool) -> None:
    """All views have it once, from the spool that has more of it."""
    copy = shutil.copytree(recorded, tmp_path / "copy")
    if is_shorter:
        for path in copy.glob("*-0000.gnomon"):
            path.write_bytes(path.read_bytes()[:20_000])
    counts = [
        "select count(*), sum(records) from processes",
        "select count(*), sum(count) from events",
        "select count(*), sum(runs), sum(reads), sum(bytes_read) from files",
        "select count(*), sum(connects), sum(resolves) from connections",
        "select count(*), sum(runs) from libraries",
        "select count(*), sum(count) from gaps",
    ]
    with Analysis([copy, recorded]) as both, Analysis([recorded]) as one:
        for query in counts:
            assert both.rows(query) == one.rows(query), query


def test_segments_that_only_one_spool_has_count(recorded: Path, tmp_path: Path) -> None:
    """Also where another has more of the process."""
    name = max(recorded.glob("*.gnomon"), key=lambda path: path.stat().st_size).name
    (tmp_path / "other").mkdir()
    shutil.copy(recorded / name, tmp_path / "other" / name.replace("-0000.", "-0007."))
    assert doubles([recorded, tmp_path / "other"]) == [set(), set()]
    shutil.copy(recorded / name, tmp_path / "other")
    assert doubles([recorded, tmp_path / "other"]) == [{name}, set()]


def test_what_is_only_called_like_a_segment_of_another_spool_counts(recorded: Path, tmp_path: Path) -> None:
    """Nobody hides what they did behind another process's name."""
    theirs, *_, mine = sorted(recorded.glob("*-0000.gnomon"))
    (tmp_path / "other").mkdir()
    shutil.copy(mine, tmp_path / "other" / theirs.name)
    assert doubles([recorded, tmp_path / "other"]) == [set(), set()]


def test_an_empty_spool_has_empty_views(tmp_path: Path) -> None:
    with Analysis([tmp_path]) as analysis:
        for view in views():
            assert analysis.rows(f"select * from {view.name}") == []


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.mkdir(mode=0o700)
    name = os.fsdecode(b"it's \xff \"; drop table x; --\n.csv")
    (tmp_path / name).write_text("")
    code = f"open({name!r}).close()"
    watching.armed([sys.executable, "-c", code], spool, cwd=tmp_path).checked()
    with Analysis([spool]) as analysis:
        names = [row["name"] for row in analysis.rows("select name from files")]
    assert any("drop table" in found and "\\xff" in found for found in names)
    json.dumps(names).encode()


def _run(number: int, **more: object) -> Run:
    known: dict[str, object] = {
        "process": f"p{number}", "parent": None, "forked": False, "form": "file", "name": "a.py",
        "file": "/w/a.py", "sha256": "1" * 64, "size": 5, "machine_id": "m", "user": "u",
    }  # fmt: skip
    return Run(**{**known, **more})  # type: ignore[arg-type]


def test_scripts_are_told_apart_by_content_and_place() -> None:
    runs = [
        _run(1),
        _run(2, file="/else/b.py", name="b.py", machine_id="other"),  # the same content elsewhere
        _run(3, sha256="2" * 64),  # the same place, changed
        _run(4, file="/tmp/x.py", sha256="3" * 64),
        _run(5, file="/tmp/x.py", sha256="4" * 64),  # a place that anybody writes to
        _run(6, file="/a/empty.py", size=0, sha256="e" * 64),
        _run(7, file="/b/empty.py", size=0, sha256="e" * 64),  # no content
        _run(8, parent="p1", form="command", name="from multiprocessing.spawn import x; x()"),
        _run(9, parent="p5", forked=True),
        _run(10, parent="p8", forked=True, form="command", name="from multiprocessing.spawn import x; x()"),
    ]
    found = scripts(runs)
    assert [process for process, one in found.items() if one.is_worker] == ["p8", "p10"]
    ids = {process: one.script for process, one in found.items()}
    assert ids["p1"] == ids["p2"] == ids["p3"] == ids["p8"] == "1" * 12
    assert ids["p4"] != ids["p5"] == ids["p9"]
    assert ids["p6"] != ids["p7"]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        (
            "select 1 as files, findings from processes p join scripts using (script)",
            {"processes", "scripts"},
        ),
        ("from base.runs where process in (select process from Events)", {"runs", "events"}),
        ("with a as (select * from gaps) select $x::int from a", {"a", "gaps"}),
        ("describe libraries", {"libraries"}),
        ("pivot processes on user", {"pivot", "processes", "on", "user"}),
        ("explain from files", {"explain", "from", "files"}),
        ("select (", {"select"}),
    ],
)
def test_a_question_loads_the_tables_that_it_reads(tmp_path: Path, query: str, named: set[str]) -> None:
    with Analysis([tmp_path]) as analysis:
        assert analysis.named(query) == named


def _times(first: str, step: timedelta, count: int, late: float = 0) -> list[datetime]:
    begin = datetime.fromisoformat(first)
    return [begin + number * step + timedelta(seconds=late * (number % 3)) for number in range(count)]


DAY, BERLIN = timedelta(days=1), "Europe/Berlin"
# In Berlin the clocks were set back on the 25th of October 2026.
BY_BERLIN = [*_times("2026-10-21 04:00", DAY, 4), *_times("2026-10-25 05:00", DAY, 4)]


@pytest.mark.parametrize(
    ("starter", "times", "expected"),
    [
        ("cron", _times("2026-10-21 04:00", DAY, 8, late=90), "cron, daily at 04:01 (UTC)"),
        ("cron", _times("2026-10-05 04:00", DAY, 5), "cron, on working days at 04:00 (UTC)"),
        ("systemd", _times("2026-10-05 04:00", 7 * DAY, 3), "systemd, weekly at 04:00 (UTC)"),
        ("cron", BY_BERLIN, "cron, daily at 06:00 (Europe/Berlin)"),
        ("shell", BY_BERLIN, "at regular times, daily at 06:00 (Europe/Berlin)"),
        ("cron", _times("2026-10-21 04:00", timedelta(hours=1), 60), "cron, every 60 minutes"),
        ("cron", _times("2026-10-21 04:00", DAY, 2), "cron"),
        ("cron", _times("2026-10-21 04:00", timedelta(hours=5, minutes=7), 5), "cron"),
        ("shell", _times("2026-10-21 04:00", DAY, 8, late=90), None),
        ("shell", _times("2026-10-21 04:00", DAY, 4), None),
    ],
)
def test_what_a_schedule_is_called(starter: str, times: list[datetime], expected: str | None) -> None:
    assert schedule([starter], times, WorkingHours(zone=BERLIN)) == expected


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_leavers_are_read_however_a_spreadsheet_writes_them(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "leavers.csv"
    path.write_text(
        "".join(f"{separator.join(row)}\r\n" for row in (("left", "user", "uid"), ("today", "ann", "1001")))
    )
    assert (read_leavers(path), read_numbers(path)) == ({"ann"}, {1001: "ann"})


def test_a_list_of_leavers_without_columns_is_one_account_a_line(tmp_path: Path) -> None:
    path = tmp_path / "leavers.csv"
    path.write_text("ann\nCORP\\ben\n")
    assert read_leavers(path) == {"ann", "ben"}
