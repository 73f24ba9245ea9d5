"""`gnomon report` over the golden week: its figures against the records themselves, without SQL."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from commands import events, gnomon, here
from scenes import MONDAY, Scene
from watching import armed
from weeks import Week, golden

pytest.importorskip("duckdb")
pytest.importorskip("rich")

from gnomon.analysis import Analysis
from gnomon.catalog import Catalog
from gnomon.cli.errors import Failure
from gnomon.cli.report import _fails
from gnomon.cli.script import chosen
from gnomon.report.access import person, subject
from gnomon.report.documents import as_csv
from gnomon.report.gaps import gaps
from gnomon.report.gather import gather
from gnomon.report.html import as_html
from gnomon.report.ledger import ledger
from gnomon.report.markdown import as_markdown, page_as_markdown
from gnomon.report.model import Report
from gnomon.report.pseudonyms import People, Pseudonyms, people
from gnomon.report.questions import ask, by_script
from gnomon.report.sarif import as_sarif
from gnomon.report.terminal import as_text
from gnomon.text import bytes_in_words

PEOPLE = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "peggy", "svc-jobs")
SUPPRESSION = """
[[suppress]]
rule = "host-plain"
script = "partner_upload.py"
owner = "frank"
reason = "The partner moves to SFTP."
until = {until}
"""


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Week:
    return golden(tmp_path_factory.mktemp("week"))


@pytest.fixture(scope="module")
def knowledge(week: Week) -> tuple[str, ...]:
    """What goes with the week, but for an OSV database: none of this machine's is to be found either."""
    beside = week.beside
    return ("--catalog", str(beside / "catalog.toml"), "--leavers", str(beside / "leavers.csv"))


@pytest.fixture(scope="module")
def report(week: Week, knowledge: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_report(week, knowledge, "--format", "json"))
    return found


@pytest.fixture(scope="module")
def records(week: Week) -> list[dict[str, Any]]:
    return events(week.spool)


@pytest.fixture(scope="module")
def gathered(week: Week) -> Iterator[Report]:
    """What every form shows, and the analysis while it lasts."""
    with _analysis(week) as analysis:
        yield gather(analysis)


def _analysis(week: Week, **more: Any) -> Analysis:
    catalog = Catalog.load([week.beside / "catalog.toml"], own=False)
    return Analysis([week.spool], catalog=catalog, leavers=week.beside / "leavers.csv", **more)


def _report(week: Week, knowledge: tuple[str, ...], *options: str, home: str = "/nonexistent") -> bytes:
    return here("report", week.spool, *knowledge, *options, HOME=home).checked().stdout


def _of(report: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [page for page in report["scripts"] if page["name"] == name]
    return found


def test_summary_counts_what_the_records_say(
    week: Week, report: dict[str, Any], records: list[dict[str, Any]]
) -> None:
    runs = [process for process in week.processes.values() if process.role == "python"]
    summary = report["summary"]
    assert summary["users"] == len({run.user for run in runs})
    assert summary["machines"] == len({run.host for run in runs})
    assert summary["records"] == sum(run.records for run in runs)
    verdicts = Counter(record["verdict"] for record in records for _ in range(record["count"]))
    assert (summary["denied"], summary["warned"], summary["justified"]) == (
        verdicts["deny"],
        verdicts["warn"],
        verdicts["justify"],
    )
    talked = {
        record["host"] or record["address"]
        for record in records
        if record["kind"] in ("connect", "http") and record["outcome"] != "denied" and record["port"]
    }
    named = {host for host in talked if host and not host.startswith("127.")}
    assert {row["host"] for row in report["hosts"] if row["requests"] or row["bytes_out"]} <= named
    assert summary["hosts"] == len(named)
    assert summary["scripts"] == len(report["scripts"])


def test_what_policy_stopped_is_told_with_its_script(week: Week, knowledge: tuple[str, ...]) -> None:
    text = _report(week, knowledge).decode()
    section = text.partition("What policy stopped, or asked a reason for\n")[2].partition("\n\n")[0]
    rows = [line.split() for line in section.splitlines()[1:]]
    assert rows[0][:6] == [
        "deny", "meridian/hr-data", "open", "/srv/hr/salaries.csv", "bonus_check.py", "alice"
    ]  # fmt: skip
    assert ["would", "deny", "meridian/unpickle"] in [row[:3] for row in rows]
    markdown = _report(week, knowledge, "--format", "markdown").decode()
    assert (
        "| deny | meridian/hr-data | open /srv/hr/salaries.csv | bonus\\_check.py | alice | 1 |" in markdown
    )


def test_what_an_observed_rule_would_have_said_is_in_the_passport(report: dict[str, Any]) -> None:
    said = _of(report, "train_forecast.py")["verdicts"]
    assert {(one["verdict"], one["rule"], one["is_observed"]) for one in said} == {
        ("deny", "meridian/unpickle", True)
    }


def test_libraries_that_were_not_examined_are_one_gap(week: Week) -> None:
    with _analysis(week) as analysis:
        analysis.prepare("select * from gaps")
        rows = [
            ("blind library", f"not examined: {size} MB of code", "p", f"/lib/{size}.so", 1, None)
            for size in range(1, 6)
        ]
        analysis.connection.executemany("insert into base.gap_rows values (?, ?, ?, ?, ?, ?)", rows)
        (found,) = [gap for gap in gaps(analysis) if gap.reason == "not examined"]
    assert found.count == 5
    assert found.sentence == (
        "1.so, 2.so, 3.so and 2 more native libraries were not examined, and can act unseen in 1 run."
    )


def test_an_empty_report_says_that_nothing_is_recorded(tmp_path: Path) -> None:
    text = here("report", tmp_path).checked().stdout.decode()
    assert "No run is recorded here" in text and "Scripts by risk" not in text


def test_files_of_scripts_are_counted_as_recorded(
    week: Week, report: dict[str, Any], records: list[dict[str, Any]]
) -> None:
    reads: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        if record["kind"] == "open" and "read" in (record["access"] or "") and record["outcome"] != "denied":
            name = (week.processes[record["process"]].script_file or "").rpartition("/")[2]
            reads[name][record["target"]] += record["count"] - (record["failed"] or 0)
    for name in ("enrich_customers.py", "share_salaries.py", "month_end_close.py"):
        listed = {file["path"]: file["reads"] for file in _of(report, name)["files"] if file["reads"]}
        assert listed == {path: count for path, count in reads[name].items() if count}


def test_the_ai_ledger_has_calls_bytes_people_and_what_was_read_before(
    report: dict[str, Any], records: list[dict[str, Any]]
) -> None:
    services = {row["service"]: row for row in report["ai"]}
    openai = services["openai"]
    asked = [record for record in records if record["kind"] == "http" and record["host"] == "api.openai.com"]
    sent = [record for record in records if record["host"] == "api.openai.com"]
    assert openai["calls"] == sum(record["count"] for record in asked)
    assert openai["bytes_out"] == sum(record["bytes_out"] or 0 for record in sent)
    assert openai["users"] == ["carol"]
    assert openai["endpoints"] == ["/v1/chat/completions"]
    assert openai["data_before"] == ["customer data"]
    assert any(row["kind"] == "model files" for row in report["ai"])


def test_findings_and_risk_add_up(report: dict[str, Any]) -> None:
    summary = report["summary"]
    severities = Counter(finding["severity"] for finding in report["findings"])
    assert (summary["high"], summary["medium"], summary["low"]) == tuple(
        severities[name] for name in ("high", "medium", "low")
    )
    for page in report["scripts"]:
        assert page["risk"] == sum(point["points"] for point in page["points"]) <= 100
    risks = [page["risk"] for page in report["scripts"]]
    assert risks == sorted(risks, reverse=True)
    assert report["headlines"][0].startswith("enrich_customers.py read ")


def test_the_timeline_adds_up(week: Week, report: dict[str, Any]) -> None:
    runs = Counter(week.when(run.started)[:3] for run in week.processes.values() if run.parent is None)
    assert [day["day"] for day in report["timeline"]] == sorted({day["day"] for day in report["timeline"]})
    assert sum(day["runs"] for day in report["timeline"]) == report["summary"]["runs"]
    assert len(report["timeline"]) == len(runs)


def test_text_says_the_same_without_colours_and_fits(gathered: Report, report: dict[str, Any]) -> None:
    for columns in (60, 80, 120):
        text = as_text(gathered, width=columns)
        assert "\x1b" not in text
        assert max(map(len, text.splitlines())) <= columns
        assert not any(line != line.rstrip() for line in text.splitlines())
        for heading in (
            "What matters most",
            "Scripts by risk",
            "What this cannot tell",
            "How it was checked",
        ):
            assert f"\n{heading}\n" in text
        assert "enrich_customers.py read " in text.replace("\n    ", " ")
        assert f"{report['summary']['high']} high" in text
    assert "\x1b[" in as_text(gathered, colour=True)


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_text_loses_no_column_to_long_names(gathered: Report, columns: int) -> None:
    name = "reconciliation_of_customer_accounts_v2.py"
    host = "bucket-of-exports.s3.eu-central-1.amazonaws.com"
    long = replace(
        gathered,
        scripts=[replace(page, name=name) for page in gathered.scripts],
        flows=[replace(flow, host=host, service=None) for flow in gathered.flows],
        hosts=[replace(row, host=host) for row in gathered.hosts],
    )
    text = as_text(long, width=columns)
    assert max(map(len, text.splitlines())) <= columns
    for heading, rows in (("Data read, then something sent", long.flows), ("Hosts", long.hosts)):
        section = text.split(f"\n{heading}")[1].split("\n\n\n")[0]
        for row in rows:
            assert bytes_in_words(row.bytes_out) in section
        assert "amazonaws" in re.sub(r"[\s…]", "", section)


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_text_of_any_width_says_which_ai_service_nobody_approved(gathered: Report, columns: int) -> None:
    ledger_lines = as_text(gathered, width=columns).split("\nAI services and models\n")[1].split("\n\n")[0]
    assert re.search(r"^  OpenAI +no\b", ledger_lines, re.MULTILINE)


def _below_head(lines: list[str]) -> list[str]:
    """What follows the title, when it was made, and of which spool."""
    return lines[next(number for number, line in enumerate(lines) if line.startswith("  findings ")) :]


def test_the_command_says_it_in_plain_text(week: Week, knowledge: tuple[str, ...], gathered: Report) -> None:
    said = _report(week, knowledge).decode().splitlines()
    assert _below_head(said) == _below_head(as_text(gathered).splitlines())


def test_fail_on_is_about_what_nobody_accepted(week: Week, gathered: Report, tmp_path: Path) -> None:
    from dataclasses import replace

    assert [_fails(gathered, name) for name in (None, "high", "medium", "low")] == [False, True, True, True]
    lows = [finding for finding in gathered.findings if finding.severity == "low"]
    assert [_fails(replace(gathered, findings=lows), name) for name in ("high", "medium", "low")] == [0, 0, 1]
    accepted = tmp_path / "accepted.toml"
    accepted.write_text(
        '[[suppress]]\nrule = "*"\nowner = "ciso"\nreason = "known"\nuntil = ' + _soon() + "\n"
    )
    done = here("report", week.spool, "--fail-on", "low", "--suppressions", accepted, HOME="/nonexistent")
    assert done.status == 0
    assert here("report", week.spool, "--fail-on", "medium", HOME="/nonexistent").status == 1
    assert gnomon("report", week.spool, "--fail-on", "grave").status == 2


def _soon() -> str:
    from datetime import date, timedelta

    return (date.today() + timedelta(days=30)).isoformat()


def test_sarif_is_valid_and_keeps_what_was_accepted(week: Week, gathered: Report, tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    accepted = tmp_path / "accepted.toml"
    accepted.write_text(SUPPRESSION.format(until=_soon()))
    with _analysis(week, suppressions=[accepted]) as analysis:
        document = json.loads(as_sarif(gather(analysis)))
    schema = json.loads((Path(__file__).parent / "sarif-2.1.0.json").read_text())
    jsonschema.Draft7Validator(schema).validate(document)
    results = document["runs"][0]["results"]
    assert len(results) == len(gathered.findings)
    (suppressed,) = [result for result in results if "suppressions" in result]
    assert suppressed["suppressions"][0]["justification"] == "The partner moves to SFTP."
    uris = {
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for result in results
        if "physicalLocation" in result["locations"][0]
    }
    assert "file:///home/carol/scripts/enrich_customers.py" in uris


def test_csv_has_every_row_of_its_part(gathered: Report, report: dict[str, Any]) -> None:
    for part in ("findings", "scripts", "libraries", "hosts", "ai", "data", "flows", "gaps", "timeline"):
        rows = list(csv.DictReader(io.StringIO(as_csv(gathered, part))))
        assert len(rows) == len(report[part])


def test_pseudonyms_leave_no_name_in_any_form(
    week: Week, knowledge: tuple[str, ...], gathered: Report, tmp_path: Path
) -> None:
    key, html = tmp_path / "key", tmp_path / "report.html"
    key.write_bytes(bytes(range(64, 96)))
    with _analysis(week) as analysis:
        told = Pseudonyms(key.read_bytes(), people(analysis)).report(gathered)
    options = ("--pseudonyms", str(key), "--html", str(html), "--format", "json")
    texts = [_report(week, knowledge, *options).decode(), html.read_text(), as_text(told, width=200)]
    texts += [
        as_markdown(told),
        as_csv(told, "scripts"),
        as_csv(told, "findings"),
        as_sarif(told),
        as_html(told),
    ]
    machines = {process.host for process in week.processes.values()}
    numbers = {str(process.uid) for process in week.processes.values()}
    for text in texts:
        for name in (*PEOPLE, *machines):
            assert not re.search(rf"(?<![A-Za-z]){re.escape(name)}(?![A-Za-z])", text, re.IGNORECASE), name
        assert not re.search(rf"(?:uid|number|user) (?:{'|'.join(numbers)})\b", text)
    found = json.loads(texts[0])
    assert found["is_pseudonymous"]
    (page,) = [page for page in found["scripts"] if page["name"] == "enrich_customers.py"]
    (pseudonym,) = page["users"]
    assert page["paths"] == [f"/home/{pseudonym}/scripts/enrich_customers.py"]
    done = here("report", week.spool, "--pseudonyms", key, "--reveal", pseudonym[:9]).checked()
    assert f"{pseudonym}  carol" in done.stdout.decode().splitlines()


def test_a_short_key_and_none_are_refused(week: Week, tmp_path: Path) -> None:
    key = tmp_path / "key"
    for prepared in (False, True):
        if prepared:
            key.write_bytes(b"short")
        done = here("report", week.spool, "--pseudonyms", key)
        assert done.status == 1
        assert b"/dev/urandom" in done.stderr


def test_names_stay_where_they_are_part_of_another_word() -> None:
    known = People(frozenset(("mark", "ab", "user")), ((1007, "mark"),), frozenset(("ws-1",)))
    told = Pseudonyms(b"k" * 32, known)
    mark, ab = told.user("mark"), told.user("ab")
    assert told.text("/srv/marketing/mark_budget.xlsx") == f"/srv/marketing/{mark}_budget.xlsx"
    assert told.text("MarkBudget.xlsx, mark2, MARK") == f"{mark}Budget.xlsx, {mark}2, {mark}"
    assert (
        told.text("/home/mark/x on ws-1, uid 1007") == f"/home/{mark}/x on {told.machine('ws-1')}, uid {mark}"
    )
    assert told.text("mail mark@corp.example") == f"mail {mark}@corp.example"
    assert told.text(ab) == ab, "a pseudonym stays, though a person is called `user`"
    assert told.text(told.text("ab saw mark")) == f"{ab} saw {mark}"
    assert told.revealed(mark) == [(mark, "mark")]


HOSTILE = ("<img src=x onerror=alert(1)>.py", "=cmd|' !A0'.py", "a\x1b[31m|b`c`\n# d.py")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scripts with names that somebody chose to do harm with."""
    place = tmp_path_factory.mktemp("hostile")
    spool = place / "spool"
    spool.mkdir(mode=0o700)
    for name in HOSTILE:
        script = place / name
        script.write_text(f"open({str(place / ('customers ' + name + '.csv'))!r}, 'w').write({name!r})\n")
        armed([sys.executable, str(script)], spool).checked()
    return spool


def test_hostile_names_move_no_cursor_and_calculate_nothing(hostile: Path) -> None:
    def said(*options: str) -> str:
        return here("report", hostile, *options, HOME="/nonexistent").checked().stdout.decode()

    text = said()
    assert "\x1b" not in text and "\\x1b[31m" in text
    markdown = said("--format", "markdown")
    assert "<img" not in markdown and "&lt;img" in markdown and "\n# d.py" not in markdown
    assert all(re.search(r"(?<!\\)\|$", line) for line in markdown.splitlines() if line.startswith("|"))
    rows = list(csv.DictReader(io.StringIO(said("--csv-of", "scripts"))))
    written_out = HOSTILE[2].replace("\x1b", "\\x1b").replace("\n", "\\n")
    assert {row["name"] for row in rows} == {HOSTILE[0], "'" + HOSTILE[1], written_out}
    assert {page["name"] for page in json.loads(said("--format", "json"))["scripts"]} == set(HOSTILE)


def test_a_passport_is_found_by_name_path_and_hash(gathered: Report) -> None:
    pages = gathered.scripts
    page = chosen(pages, "enrich_customers.py")
    assert page.name == "enrich_customers.py"
    for wanted in (
        "/home/carol/scripts/enrich_customers.py",
        (page.sha256 or "")[:10],
        page.script,
        "enrich",
    ):
        assert chosen(pages, wanted) is page
    with pytest.raises(Failure, match="fit") as several:
        chosen(pages, "srv/finance")
    assert "say one of these" in (several.value.hint or "") and "reconcile.py" in (several.value.hint or "")
    with pytest.raises(Failure, match="cannot find"):
        chosen(pages, "no such")


def test_a_passport_is_told_as_text_and_json(week: Week, knowledge: tuple[str, ...]) -> None:
    def said(*options: str) -> str:
        done = here("script", "enrich", week.spool, *knowledge, *options, HOME="/nonexistent")
        return done.checked().stdout.decode()

    text, page = said(), json.loads(said("--format", "json"))
    assert page["runs"] == 4 and page["findings"]
    assert "Why this risk" in text and f"risk {page['risk']} of 100, high" in text
    assert f"{page['runs']} runs on {page['days']} days" in text


@pytest.mark.parametrize(
    ("asked", "path", "is_meant"),
    [
        ("/srv/**/*customer*", "/srv/customers.csv", True),
        ("/srv/**/*customer*", "/srv/a/b/old_customers.csv", True),
        ("/srv/**/*customer*", "/srvx/customers.csv", False),
        ("/srv/*.csv", "/srv/a/b.csv", False),
        ("/srv/hr", "/srv/hr/a/b.csv", True),
        ("/srv/hr", "/srv/hr.csv", False),
    ],
)
def test_a_glob_means_the_same_as_in_the_catalogue(asked: str, path: str, is_meant: bool) -> None:
    assert bool(re.fullmatch(subject(asked).pattern, path, re.DOTALL)) == is_meant


def test_a_name_does_not_stand_for_its_number_on_another_machine(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    own = scene.run(user="ann", uid=1000)
    other = scene.run(user="bob", uid=1000, machine="desk-2", machine_id="m2", script_owner="bob")

    by_name, by_number = person(scene.analysis, "ann"), person(scene.analysis, "1000")

    assert [run["process"] for run in by_name["runs"]] == [own] and by_name["others"] == []
    assert {run["process"] for run in by_number["runs"]} == {own, other}


def test_what_only_speaks_as_an_ai_service_is_told_with_the_sdks_of_others(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    process = scene.run(script="a")
    scene.add("actors", actor=1, script="a", script_name="a.py", user="ann", machine="desk-1")
    known = {"is_imported": True, "runs": 1, "first_seen": MONDAY, "last_seen": MONDAY, "actor": 1}
    scene.add("library_uses", distribution="openai", version="1.0", modules=["openai"], **known)
    for host, service in (("llm.example", "self-hosted:llm.example"), ("api.anthropic.com", "anthropic")):
        scene.contact(process, host)
        scene.host(host, is_ai=True, service=service, service_name=service)

    lines = {line.service: (line.kind, line.sdks) for line in ledger(scene.analysis)}

    assert lines["self-hosted:llm.example"] == ("self-hosted", ["openai 1.0"])
    assert lines["anthropic"] == ("api", [])


def test_what_only_failed_is_no_call(tmp_path: Path) -> None:
    """A request is recorded before its connection is made."""
    scene = Scene(tmp_path)
    tried = {"connects": 0, "requests": 3, "failed": 3}
    for host, more in (("api.refused.example", tried), ("api.reached.example", {"requests": 2})):
        scene.contact(scene.run(), host, **more)
        scene.host(host, is_ai=True, service=host, service_name=host)

    assert {line.service: line.calls for line in ledger(scene.analysis)} == {"api.reached.example": 2}
    (day,) = ask(scene.analysis, "timeline")
    assert (day["connections"], day["ai_requests"]) == (1, 2)


def test_programs_count_as_started_where_they_did_and_long_ones_may_be_silent(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    process = scene.run()
    argv = ["python3", "-c", "x" * 2000]
    seen = {"first_seen": MONDAY, "last_seen": MONDAY, "is_denied": False}
    for number, (program, failed) in enumerate((("python3", 0), ("missing", 2), ("unheard", None))):
        given = argv if number == 0 else [program]
        scene.add(
            "acts", process=process, kind="spawn", target=program, argv=given, count=2, failed=failed, **seen
        )
    cut = " ".join(argv)[:1000]
    scene.add(
        "silent_rows", process=process, command=cut, reason="-S", is_evasive=False, count=2, time=MONDAY
    )

    children = by_script(scene.analysis, "script_children", top=9)["a"]

    assert scene.analysis.sql("select children from scripts").fetchone() == (4,)
    assert [row["silent_because"] for row in children] == ["-S", None, None]


def test_markdown_says_what_it_leaves_out_and_what_was_only_observed(gathered: Report) -> None:
    (page,) = [page for page in gathered.scripts if page.name == "train_forecast.py"]
    many = replace(gathered, hosts=gathered.hosts * 5)

    assert f"And {len(many.hosts) - 50} more hosts." in as_markdown(many)
    passport = page_as_markdown(replace(page, more_files=7), [])
    assert "And 7 more files." in passport and "would deny" in passport
    assert "And 8 more files." in page_as_markdown(replace(page, files=page.files[:1] * 51, more_files=7), [])


def test_changes_are_told_against_what_was_before(tmp_path: Path) -> None:
    from gnomon.report.passports import _changes

    rows = [
        {"kind": "host", "name": "a.example"},
        {"kind": "host", "name": "b.example"},
        {"kind": "version", "name": "1"},
        {"kind": "user", "name": "bob"},
    ]
    assert _changes(rows) == [
        "Its content changed once.",
        "New hosts: a.example, b.example.",
        "New user: bob.",
    ]
    assert _changes([{"kind": "script", "name": "x"}]) == [
        "It ran for the first time in the last seven days."
    ]


def test_an_empty_spool_and_a_missing_one_have_an_answer(tmp_path: Path) -> None:
    empty = tmp_path / "spool"
    empty.mkdir(mode=0o700)
    text = here("report", empty, HOME="/nonexistent").checked().stdout.decode()
    assert "nothing recorded" in text
    missing = here("report", tmp_path / "none")
    assert missing.status == 1 and b"hint:" in missing.stderr
