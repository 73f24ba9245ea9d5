"""The golden week's report says the same in every form, and `gnomon` answers what is asked about it."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from gnomon.analysis import Analysis
from gnomon.cli import main
from gnomon.report.documents import as_csv, as_json
from gnomon.report.gather import gather
from gnomon.report.html import as_html
from gnomon.report.markdown import as_markdown
from gnomon.report.model import Report
from gnomon.report.pseudonyms import People, Pseudonyms, people
from gnomon.report.sarif import as_sarif
from gnomon.report.terminal import as_text
from gnomon.text import bytes_in_words
from weeks import Week, golden, osv

TABLES = ("findings", "scripts", "libraries", "hosts", "ai", "data", "flows", "gaps", "timeline")


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Week:
    return golden(tmp_path_factory.mktemp("week"))


@pytest.fixture(scope="module")
def database(week: Week) -> Path:
    return osv(week)


@pytest.fixture(scope="module")
def gathered(week: Week, database: Path) -> tuple[Report, People]:
    with Analysis([week.spool], **week.knowledge(database)) as analysis:
        return gather(analysis), people(analysis)


@pytest.fixture(scope="module")
def report(gathered: tuple[Report, People]) -> Report:
    return gathered[0]


@pytest.fixture
def told(week: Week, database: Path) -> list[str]:
    """What the command line is given besides the verb."""
    beside = week.beside
    return [
        str(week.spool),
        f"--catalog={beside / 'catalog.toml'}",
        f"--leavers={beside / 'leavers.csv'}",
        f"--osv={database}",
    ]


def _unwrapped(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def test_json_is_the_model(report: Report) -> None:
    assert json.loads(as_json(report)) == json.loads(json.dumps(report.as_dict()))


def test_html_has_the_same_data(report: Report) -> None:
    page = as_html(report)
    blocks = re.findall(r'<script type="application/json" id="([^"]+)">(.*?)</script>', page, re.S)
    found = {name: _unpacked(json.loads(text)) for name, text in blocks}
    whole = _unpacked(json.loads(as_json(report)))
    shown = found["report"]
    assert found["pages-0"] == whole["scripts"]
    for row, script in zip(shown.pop("scripts"), whole.pop("scripts")):
        assert (row["script"], row["risk"]) == (script["script"], script["risk"])
        assert row["hosts"] == len(script.get("hosts", ()))
    assert {name: shown[name] for name in whole} == whole
    assert len(page) < 2_000_000


def _unpacked(value: Any) -> Any:
    """Plain rows of what is laid out by columns; without what a page takes for missing."""
    if isinstance(value, list):
        return [_unpacked(one) for one in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"columns", "rows"}:
        return [_unpacked(dict(zip(value["columns"], row))) for row in value["rows"]]
    items = {name: _unpacked(one) for name, one in value.items()}
    return {name: one for name, one in items.items() if one is not None and one not in ([], {})}


def test_csv_has_a_line_for_each(report: Report) -> None:
    for part in TABLES:
        rows = list(csv.DictReader(io.StringIO(as_csv(report, part))))
        wanted = [*getattr(report, part), *(report.suppressed if part == "findings" else ())]
        assert len(rows) == len(wanted), part
        for row, one in zip(rows, wanted):
            for name, cell in row.items():
                value = getattr(one, name)
                if isinstance(value, int) and not isinstance(value, bool):
                    assert int(cell) == value, (part, name)
                if isinstance(value, str) and name in ("sentence", "service", "host", "folder", "name"):
                    assert cell.lstrip("'") == value, (part, name)


def test_sarif_has_each_finding(report: Report) -> None:
    (run,) = json.loads(as_sarif(report))["runs"]
    found = {result["partialFingerprints"]["gnomonFinding/v1"]: result for result in run["results"]}
    findings = [*report.findings, *report.suppressed]
    assert len(run["results"]) == len(found) == len(findings)
    for finding in findings:
        result = found[finding.finding]
        assert result["level"] == {"high": "error", "medium": "warning", "low": "note"}[finding.severity]
        assert result["message"]["text"].startswith(finding.sentence)
        assert ("suppressions" in result) == finding.is_suppressed


@pytest.mark.parametrize("form", ["terminal", "markdown"])
def test_what_people_read_says_the_same(report: Report, form: str) -> None:
    if form == "terminal":
        text = _unwrapped(as_text(report, width=200))
    else:
        text = _unwrapped(re.sub(r"\\(.)", r"\1", as_markdown(report)))
    summary = report.summary
    for figure in (
        "16 to 22 November 2026",
        f"{summary.scripts} scripts, {summary.users} accounts, {summary.machines} machines",
        f"{summary.runs} runs",
        f"{summary.records:,} records",
        bytes_in_words(summary.bytes_out),
    ):
        assert figure in text
    for sentence in (*report.headlines, *(gap.sentence for gap in report.gaps)):
        assert _unwrapped(sentence) in text
    for host in report.hosts:
        assert host.host in text and bytes_in_words(host.bytes_out) in text
    for line in report.ai:
        assert line.name in text
    for library in report.libraries:
        is_told = f"{library.distribution} {library.version}" in text
        assert is_told == (library.state == "vulnerable")
    for row in report.data:
        assert row.folder in text and row.label in text
    for page in report.scripts:
        assert page.name[:30] in text or not page.risk
    if form == "markdown":
        assert all(finding.sentence in text for finding in report.findings)


@pytest.mark.parametrize("form", ["json", "terminal", "markdown", "html", "sarif", "csv"])
def test_pseudonymised_reports_name_nobody(week: Week, gathered: tuple[Report, People], form: str) -> None:
    report, known = gathered
    hidden = Pseudonyms(b"a key of the works council", known).report(report)
    text = {
        "json": as_json,
        "terminal": lambda one: as_text(one, width=160),
        "markdown": lambda one: as_markdown(one).replace("\\", ""),
        "html": lambda one: as_html(one).partition('<script type="application/json"')[2],
        "sarif": as_sarif,
        "csv": lambda one: "".join(as_csv(one, part) for part in TABLES),
    }[form](hidden)
    for name in (*week.expected["processes"]["by_user"], "peggy", "ivan"):
        assert not re.search(rf"(?<![a-z]){name}(?![a-z])", text, re.IGNORECASE), name
    for machine in week.expected["processes"]["by_machine"]:
        assert machine not in text
    assert "enrich_customers.py" in text and (form in ("csv", "sarif") or "pseudonym" in text.lower())
    assert hidden.summary == report.summary


@pytest.mark.parametrize(("fails", "status"), [(["--fail-on=high"], 1), ([], 0)])
def test_exit_codes(told: list[str], tmp_path: Path, fails: list[str], status: int) -> None:
    assert main(["report", *told, *fails, "-o", str(tmp_path / "risk.txt")]) == status
    assert "enrich_customers.py" in (tmp_path / "risk.txt").read_text()


def test_nothing_fails_where_everything_grave_is_accepted(
    told: list[str], tmp_path: Path, week: Week
) -> None:
    accepted = tmp_path / "accepted.toml"
    until = re.findall(r"until = (\S+)", (week.beside / "suppressions.toml").read_text())[0]
    accepted.write_text(f'[[suppress]]\nrule = "*"\nowner = "eve"\nreason = "a test"\nuntil = {until}\n')
    options = ["--suppressions", str(accepted), "--format", "json", "-o", str(tmp_path / "risk.json")]
    assert main(["report", *told, "--fail-on", "low", *options]) == 0
    found = json.loads((tmp_path / "risk.json").read_text())
    assert found["findings"] == [] and found["summary"]["high"] == 0
    assert all(script["risk"] == 0 for script in found["scripts"])


def test_a_passport(told: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["script", "enrich_customers.py", *told, "--format", "json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    page = answer.get("script_page", answer)
    assert (page["name"], page["risk"], page["severity"]) == ("enrich_customers.py", 100, "high")
    assert (page["users"], page["machines"], page["runs"]) == (["carol"], ["ws-mkt-01"], 4)
    assert [(host["host"], host["requests"]) for host in page["hosts"]] == [("api.openai.com", 12)]
    (customers,) = [file for file in page["files"] if file["label"] == "customer data"]
    assert (customers["path"], customers["reads"]) == ("/srv/marketing/customers.csv", 4)
    (verdict,) = [one for one in page["verdicts"] if one["verdict"] == "warn"]
    assert (verdict["rule"], verdict["count"]) == ("meridian/ai-without-contract", 12)


@pytest.mark.parametrize("asked", ["*customers.csv", "customers.csv", "/srv/marketing/customers.csv"])
def test_who_read_the_customers(
    week: Week, told: list[str], asked: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["who", asked, *told, "--format", "json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    wanted = {
        (file["script"], file["reads"])
        for file in week.expected["files"]
        if file["path"].endswith("customers.csv")
    }
    found: dict[str, int] = {}
    for row in answer["accesses"]:
        if row["kind"] == "open":
            found[row["script_path"]] = found.get(row["script_path"], 0) + row["count"]
    assert set(found.items()) == wanted
    assert answer["people"] == ["carol", "dave"] and not answer["is_host"]


def test_who_talked_to_a_host(told: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["who", "api.openai.com", *told, "--format", "json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["people"] == ["carol"] and answer["is_host"]
    assert sum(row["count"] for row in answer["accesses"] if row["kind"] == "http") == 12


def test_a_host_with_a_name_is_found_by_its_address(
    told: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["who", "203.0.113.51", *told, "--format", "json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["people"] == ["carol"]
    assert {(row["kind"], row["subject"]) for row in answer["accesses"]} >= {("connect", "api.openai.com")}


def test_everything_about_a_person(week: Week, told: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["who", "--person", "carol", *told, "--format", "json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    own = [entry for entry in week.expected["scripts"] if "carol" in entry["users"]]
    assert len(answer["runs"]) == week.expected["processes"]["by_user"]["carol"]
    assert {script["name"]: script["runs"] for script in answer["scripts"]} == {
        entry["paths"][0].rpartition("/")[2]: entry["runs"] for entry in own
    }
    paths = {path for entry in own for path in entry["paths"]}
    assert {file["path"] for file in answer["files"]} >= {
        file["path"] for file in week.expected["files"] if file["script"] in paths
    }
    assert {host["host"] for host in answer["hosts"]} == {
        entry["host"] for entry in week.expected["connections"] if entry["script"] in paths
    }
    assert not re.search(r"\b(alice|bob|dave|erin|frank|grace|heidi)\b", json.dumps(answer))


def test_bill_of_materials(week: Week, database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sbom", str(week.spool), "--osv", str(database)]) == 0
    bill = json.loads(capsys.readouterr().out)
    libraries = {
        f"{one['name']} {one['version']}"
        for one in bill["components"]
        if one.get("purl", "").startswith("pkg:pypi/")
    }
    assert libraries == set(week.expected["libraries"])
    assert not {"<process>", "io_uring"} & {one["name"] for one in bill["components"]}
    advisories = {one["id"] for one in bill["vulnerabilities"]}
    named = {name for one in week.expected["vulnerable"].values() for name in one["advisories"]}
    aliases = {r["id"] for one in bill["vulnerabilities"] for r in one.get("references", ())}
    assert named <= advisories | aliases
    said = json.dumps(bill["services"])
    assert "api.openai.com" in said and "api.anthropic.com" in said
