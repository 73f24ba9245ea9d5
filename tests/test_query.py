"""`gnomon query`: the same rows in every form, errors that help, and no way to change anything."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from terminals import Seat

import watching
from commands import events, gnomon, here
from gnomon.analysis import Analysis, views
from gnomon.cli import main
from gnomon.cli.progress import Progress
from watching import environment
from weeks import Week, golden

duckdb = pytest.importorskip("duckdb")
pytest.importorskip("rich")

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "views.md"
HOSTS = "select host, sum(requests)::bigint as requests from connections group by host order by host"


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Week:
    return golden(tmp_path_factory.mktemp("week"))


def _query(week: Week, *arguments: str) -> str:
    return here("query", "--spool", week.spool, *arguments).checked().stdout.decode()


def test_parquet_goes_through_a_pipe_and_leaves_it_one(week: Week, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        _query(week, HOSTS, "--format", "parquet", "-o", str(pipe))
        got = reader.communicate()[0]
    assert pipe.is_fifo()
    assert got == here("query", "--spool", week.spool, HOSTS, "--format", "parquet").checked().stdout


def test_csv_obeys_no_name_on_a_terminal_and_keeps_it_elsewhere(week: Week) -> None:
    question = ("--format", "csv", "select 'a' || chr(27) || '[2Jb' as name")
    assert _query(week, *question) == "name\na\x1b[2Jb\n"
    command = [sys.executable, "-m", "gnomon", "query", "--spool", str(week.spool), *question]
    with Seat(command, environment()) as seat:
        assert seat.ended() == 0
        assert "a\\x1b[2Jb" in seat.text


def test_every_form_has_the_rows_that_the_records_give(week: Week, tmp_path: Path) -> None:
    expected: dict[str, int] = {}
    for record in events(week.spool, "--kind", "http,request"):
        expected[record["host"]] = expected.get(record["host"], 0) + record["count"]
    rows = json.loads(_query(week, HOSTS, "--format", "json"))
    assert {row["host"]: row["requests"] for row in rows if row["requests"]} == expected
    assert [json.loads(line) for line in _query(week, HOSTS, "--format", "jsonl").splitlines()] == rows
    read = list(csv.DictReader(io.StringIO(_query(week, HOSTS, "--format", "csv"))))
    assert [{"host": row["host"], "requests": int(row["requests"])} for row in read] == rows
    parquet = tmp_path / "hosts.parquet"
    _query(week, HOSTS + " -- all of them", "--format", "parquet", "-o", str(parquet))
    assert duckdb.sql(f"from '{parquet}'").fetchall() == [tuple(row.values()) for row in rows]
    assert not list(tmp_path.glob(".gnomon-*"))
    lines = _query(week, HOSTS).splitlines()
    assert len(lines) == len(rows) + 1 and lines[0].split() == ["host", "requests"]
    assert _query(week, HOSTS, "--format", "markdown").splitlines()[0] == "| host | requests |"


def test_a_question_from_standard_input_and_times_of_a_zone(week: Week) -> None:
    done = gnomon(
        "query", "--spool", week.spool, "--format", "json", "-", stdin=b"select now() as n, 1 as x;\n"
    )
    (row,) = json.loads(done.checked().stdout)
    assert row["x"] == 1 and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", row["n"])


def test_a_question_may_ask_the_catalogue(week: Week) -> None:
    """Its macros and tables are there without any view that needs them."""
    asked = "select service_of('api.openai.com') as service, sensitivities_of('/home/a/.ssh/id_rsa') as paths"
    (row,) = json.loads(_query(week, asked, "--format", "json"))
    assert row == {"service": "openai", "paths": ["ssh_private_key"]}
    (row,) = json.loads(
        _query(week, "select name from catalog_services where id = 'openai'", "--format", "json")
    )
    assert row == {"name": "OpenAI"}


def test_the_bar_follows_the_records_that_are_read(week: Week) -> None:
    with Analysis([week.spool]) as analysis, Progress(2) as progress:
        progress.step("reading records", within=lambda: analysis.events_read / records, weight=2)
        (records,) = analysis.sql("select count(*) from events").fetchall()[0]
        assert progress.line().startswith("█" * 24)
        assert analysis.events_read >= records > 0


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("select nam from scripts", "hint: the columns of `scripts` are script, name,"),
        ("select * from script", "hint: did you mean `scripts`?"),
        ("select * from conections", "hint: did you mean `connections`?"),
        ("select * from zzz", "hint: the views are processes, events,"),
        ("select name fro scripts", "LINE 1: select name fro scripts"),
        ("select 1; select 2", "one question at a time"),
        ("", "cannot ask without a question"),
    ],
)
def test_errors_say_where_and_what_would_help(
    week: Week, capsys: pytest.CaptureFixture[str], query: str, said: str
) -> None:
    assert main(["query", "--spool", str(week.spool), query]) != 0
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "query",
    [
        "copy (select 1) to '{place}/x.csv'",
        "export database '{place}/x'",
        "attach '{place}/x.db'",
        "create table x as select 1",
        "drop view scripts",
        "delete from scripts",
        "install httpfs",
        "set memory_limit = '1GB'",
        "pragma database_list",
        "select 1; copy (select 1) to '{place}/x.csv'",
        "explain analyze copy (select 1) to '{place}/x.csv'",
        "explain (analyze, format json) copy (select 1) to '{place}/x.csv'",
        "-- only a look\nexplain analyze copy (select 1) to '{place}/x.csv'",
        "explain analyze create table x as select 1",
    ],
)
def test_nothing_but_a_question_is_run(
    week: Week, capsys: pytest.CaptureFixture[str], tmp_path: Path, query: str
) -> None:
    assert main(["query", "--spool", str(week.spool), query.format(place=tmp_path)]) == 2
    assert "error: cannot run" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", ["explain", "EXPLAIN ANALYZE", "explain (format json)", "-- why\nexplain"])
def test_a_question_may_be_explained(week: Week, capsys: pytest.CaptureFixture[str], how: str) -> None:
    assert main(["query", "--spool", str(week.spool), f"{how} select count(*) from scripts"]) == 0
    assert "explain_value" in capsys.readouterr().out


def test_ctrl_c_ends_a_long_question(week: Week) -> None:
    endless = "select count(*) from range(1000000000) a, range(1000000) b, events"
    command = [sys.executable, "-m", "gnomon", "query", "--spool", str(week.spool), endless]
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    # It is within the question once DuckDB's threads work, or never: then this waits for its end in vain.
    deadline = time.monotonic() + 60
    while len(os.listdir(f"/proc/{process.pid}/task")) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    while process.poll() is None and time.monotonic() < deadline:
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
    assert process.wait(10) in (130, -signal.SIGINT)
    process.communicate()


def test_what_a_killed_question_left_is_removed_by_the_next_one(week: Week, tmp_path: Path) -> None:
    program = (
        "import sys; from gnomon.analysis import Analysis; held = Analysis([sys.argv[1]]); "
        "print(held._directory.path, flush=True); sys.stdin.read()"
    )
    more = environment(TMPDIR=str(tmp_path))
    living, killed = (
        subprocess.Popen(
            [sys.executable, "-c", program, str(week.spool)],
            env=more, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for _ in range(2)
    )  # fmt: skip
    with living, killed:
        assert living.stdout and killed.stdout
        theirs = [Path(one.stdout.readline().decode().strip()) for one in (living, killed) if one.stdout]
        killed.kill()
        killed.wait()
        others = tmp_path / "gnomon-views-of-somebody"
        others.mkdir()
        gnomon("query", "--spool", week.spool, "select 1", TMPDIR=str(tmp_path)).checked()
        assert sorted(tmp_path.iterdir()) == sorted([theirs[0], others])
        living.communicate()


def test_output_that_cannot_be_written_is_an_error_and_a_reader_who_leaves_is_none(week: Week) -> None:
    command = [sys.executable, "-m", "gnomon", "query", "--spool", str(week.spool), "--format", "csv"]
    command.append("select * from events")
    for target, status in ((" >&-", 1), (" > /dev/full", 1), (" | head -n 1", 0)):
        done = subprocess.run(
            ["bash", "-c", f'set -o pipefail; "$@"{target}', "bash", *command],
            env=environment(), capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == status, target
        said = done.stderr.decode()
        assert said.startswith("error: cannot write to standard output: ") if status else said == ""
        assert "Traceback" not in said


def test_a_file_is_written_whole_or_not_at_all(week: Week, tmp_path: Path) -> None:
    kept = tmp_path / "hosts.csv"
    kept.write_text("the one of yesterday")
    done = here(
        "query", "--spool", week.spool, "select error('no') from connections", "--format", "csv", "-o", kept
    )
    assert done.status == 1
    assert kept.read_text() == "the one of yesterday"
    kept.chmod(0o640)
    _query(week, HOSTS, "--format", "csv", "-o", str(kept))
    assert kept.read_text().startswith("host,requests")
    assert kept.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [kept]


def test_what_cannot_be_read_is_a_warning(week: Week, tmp_path: Path) -> None:
    shutil.copytree(week.spool, tmp_path / "spool")
    (first, *_) = (tmp_path / "spool").rglob("*.gnomon")
    first.write_bytes(b"no segment")
    done = here("query", "--spool", tmp_path / "spool", "select count(*) from processes").checked()
    assert done.stderr.startswith(b"warning: 1 file or directory could not be read in full")
    assert not here("query", "--spool", week.spool, "select count(*) from processes").stderr


def test_a_row_that_is_too_wide_is_shown_column_below_column(week: Week) -> None:
    text = _query(week, "select * from connections where host = 'api.openai.com' limit 1")
    lines = [line.split() for line in text.splitlines()]
    assert lines[0] == ["row", "1"]
    assert ["host", "api.openai.com"] in lines


def test_spools_may_stand_after_options(week: Week) -> None:
    said = here("who", "api.openai.com", "--format", "csv", week.spool).checked().stdout.decode()
    assert len(said.splitlines()) > 1
    found = here("script", "seo_check.py", "--format", "json", week.spool).checked().stdout
    assert json.loads(found)["name"] == "seo_check.py"
    assert b"unrecognized arguments: --nope" in here("who", "host", "--nope", week.spool).stderr


def test_schema_is_told_as_text_json_and_in_the_documentation() -> None:
    told = json.loads(here("query", "--schema", "--format", "json").checked().stdout)
    assert [view["name"] for view in told] == [view.name for view in views()]
    assert told[0]["columns"][0] == {
        "name": "process",
        "type": "VARCHAR",
        "meaning": views()[0].columns[0].meaning,
    }
    text = here("query", "--schema", "gaps").checked().stdout.decode()
    assert text.startswith("gaps\n") and "subject" in text
    missing = here("query", "--schema", "gap")
    assert missing.status == 2 and b"did you mean `gaps`?" in missing.stderr
    markdown = here("query", "--schema", "--format", "markdown").checked().stdout.decode()
    assert DOCUMENT.read_text().endswith(markdown), "`gnomon query --schema --format markdown` is its end"


def test_the_questions_of_the_documentation_have_answers(week: Week) -> None:
    from gnomon.analysis import Analysis

    questions = re.findall(r"```sql\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert len(questions) >= 12
    with Analysis([week.spool], leavers=week.beside / "leavers.csv") as analysis:
        found: dict[str, list[dict[str, Any]]] = {query: analysis.rows(query) for query in questions}
    silent = [query for query, rows in found.items() if not rows and "vulnerable" not in query]
    assert len(silent) <= 2, silent


def test_who_names_people_scripts_and_records(week: Week) -> None:
    path = "/srv/hr/salaries.csv"
    done = here("who", path, week.spool, "--format", "json", HOME="/nonexistent")
    found = json.loads(done.checked().stdout)
    expected = [record for record in events(week.spool) if path in (record["target"], record["destination"])]
    shown = {(row["process"], seq) for row in found["accesses"] for seq in row["records"]}
    assert shown == {(record["process"], record["seq"]) for record in expected}
    assert found["people"] == sorted({week.processes[record["process"]].user for record in expected})
    assert found["gaps"]
    text = here("who", "/srv/**/salar*", week.spool).checked().stdout.decode()
    assert "What this cannot tell" in text and path in text
    rows = csv.DictReader(
        io.StringIO(here("who", "openai.com", week.spool, "--format", "csv").stdout.decode())
    )
    assert {row["subject"] for row in rows} == {"api.openai.com"}
    short = here("who", "/srv/hr/salaries.csv", week.spool).checked().stdout.decode().splitlines()[1]
    assert short.startswith("1 person (erin); 1 more only tried (alice); 2 scripts")
    assert "Nobody" in here("who", "/srv/hr/salaries", week.spool).checked().stdout.decode()


def _accesses(*asked: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(here("who", *asked, "--format", "json").checked().stdout)[
        "accesses"
    ]
    return found


@pytest.mark.parametrize(
    "asked", ["https://user@API.openai.com/v1?x=1", "api.openai.com:443", "api.openai.com."]
)
def test_a_host_is_found_however_it_is_written(week: Week, asked: str) -> None:
    assert _accesses(asked, week.spool) == _accesses("api.openai.com", week.spool) != []


def test_a_file_is_found_by_whatever_path_it_was_opened(spool: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "x.csv").write_text("x")
    code = "open('x.csv'); open('a/../x.csv'); import socket; s = socket.socket(socket.AF_INET6)\n"
    code += "try:\n    s.connect(('::1', 9))\nexcept OSError:\n    pass"
    watching.armed([sys.executable, "-c", code], spool, cwd=tmp_path).checked()
    for asked in (tmp_path / "x.csv", tmp_path / "a/../x.csv"):
        assert {row["subject"] for row in _accesses(asked, spool)} == {
            f"{tmp_path}/x.csv", f"{tmp_path}/a/../x.csv",
        }  # fmt: skip
    assert _accesses("[::1]:9", spool) == _accesses("::1", spool)
    assert here("who", "", spool).status == 2


def test_scripts_that_accessed_a_file_are_counted_as_the_views_have_them(spool: Path, tmp_path: Path) -> None:
    for name in ("one.py", "same.py", "again.py", "other/one.py"):
        script = tmp_path / name
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"open(__file__ + '.txt', 'w')  # {script.parent.name}\n")
        watching.armed([sys.executable, str(script)], spool).checked()
    said = here("who", tmp_path / "**/*.txt", spool).checked().stdout.decode()
    assert "; 2 scripts," in said


def test_a_segment_is_asked_from_where_it_lies(week: Week) -> None:
    segment = next(path for path in week.spool.rglob("*-0000.gnomon"))
    asked = [
        sys.executable,
        "-m",
        "gnomon",
        "query",
        "--spool",
        segment.name,
        "select count(*) from findings",
    ]
    watching.bare(asked, cwd=segment.parent).checked()


def test_all_about_a_person_is_about_nobody_else(week: Week) -> None:
    done = here("who", "--person", "carol", week.spool, "--format", "json", HOME="/nonexistent")
    found = json.loads(done.checked().stdout)
    own = {process.id for process in week.processes.values() if process.user == "carol"}
    assert {run["process"] for run in found["runs"]} == own
    files = {record["target"] for record in events(week.spool, "--kind", "open") if record["process"] in own}
    assert files <= {file["path"] for file in found["files"]}
    assert not re.search(r"\b(alice|bob|erin|frank)\b", json.dumps(found))
    text = here("who", "--person", "carol", week.spool).checked().stdout.decode()
    assert text.startswith("What is recorded about carol\n")
    assert b"0 hosts beyond" in here("who", "--person", "grace", week.spool).stdout
    dave = here("who", "--person", "dave", week.spool).checked().stdout
    assert b"3 hosts beyond" in dave and b"ws-mkt-01    " not in dave.partition(b"\nHosts\n")[2]
    assert b"select distinct user" in here("who", "--person", "nobody-there", week.spool).stderr
