"""Rules find what they say, and not what looks like it; what they find adds up to a score."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import stat
import sys
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb", reason="DuckDB answers the questions")
from hypothesis import given
from hypothesis import strategies as some

from gnomon import Spool, findings
from gnomon.analysis import Analysis
from gnomon.findings import FindingsError, WorkingHours, execute
from gnomon.findings.credentials import found_in
from gnomon.findings.documented import with_table
from gnomon.findings.execute import Found, finding_id
from gnomon.findings.hours import time
from gnomon.findings.risk import judged
from gnomon.findings.rules import POINTS, SEVERITIES, read, shipped
from gnomon.findings.sentences import rendered
from gnomon.findings.suppressions import Suppression
from gnomon.findings.suppressions import load as load_suppressions
from scenes import MONDAY, Scene
from watching import armed

DOCS = Path(__file__).resolve().parents[1] / "docs" / "findings.md"


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path, working_hours=WorkingHours(zone="UTC"))
    yield made
    made.analysis.close()


# ---- AI and hosts


def test_an_ai_service_is_told_unless_it_is_sanctioned(scene: Scene) -> None:
    cases = [
        ("a.example", None, False, "medium"),
        ("b.example", False, False, "high"),
        ("c.example", None, True, "medium"),
        ("d.example", True, False, None),
    ]
    runs = scene.days(3)
    for host, is_sanctioned, is_internal, _ in cases:
        for day, process in enumerate(runs):
            scene.contact(process, host, bytes_out=800_000, at=MONDAY + timedelta(days=day))
        scene.host(
            host, is_ai=True, service_name="OpenAI", is_sanctioned=is_sanctioned, is_internal=is_internal
        )
    scene.contact(runs[0], "example.org", bytes_out=1)
    scene.host("example.org")

    found = {row["subject"]: row for row in scene.found("ai-unapproved")}

    assert {host: row["severity"] for host, row in found.items()} == {
        host: severity for host, _, _, severity in cases if severity
    }
    assert found["a.example"]["sentence"] == (
        "a.py sent 2.4 MB to a.example (OpenAI), which the organisation is not known to have approved, "
        "on 3 days."
    )
    assert found["a.example"]["records"] == [{"process": process, "seq": 7} for process in runs]


def test_an_unknown_ai_service_is_graver_once_the_organisation_has_judged_others(scene: Scene) -> None:
    scene.contact(scene.run(), "api.openai.com")
    scene.host("api.openai.com", is_ai=True, service_name="OpenAI")
    catalog = scene.analysis.catalog
    judged_service = type(catalog.services[0])
    others = [one for one in catalog.services if one.id != "openai"]
    values = {name: getattr(others[0], name) for name in judged_service.__dataclass_fields__}
    approved = judged_service(**{**values, "is_sanctioned": True})
    scene.analysis.__dict__["catalog"] = type(catalog)(services=(approved,))

    found = scene.one("ai-unapproved")

    assert found["severity"] == "high"
    assert "which the organisation has not approved, on 1 day" in found["sentence"]


def test_a_host_that_was_only_looked_up_or_not_reached_is_no_contact(scene: Scene) -> None:
    process = scene.run()
    scene.contact(process, "paste.example", connects=None, resolves=3)
    scene.contact(process, "down.example", connects=None, requests=2, failed=2)
    for host in ("paste.example", "down.example"):
        scene.host(host, category="paste site", severity="high", attack="T1567.003")

    assert scene.found("host-risky") == []


def test_a_host_was_asked_as_often_as_requests_say_else_connections(scene: Scene) -> None:
    process = scene.run()
    scene.contact(process, "asked.example", connects=2, requests=12)
    scene.contact(process, "talked.example", connects=3)
    for host in ("asked.example", "talked.example"):
        scene.host(host, category="paste site", severity="high")

    assert {row["subject"]: row["count"] for row in scene.found("host-risky")} == {
        "asked.example": 12, "talked.example": 3,
    }  # fmt: skip


def test_a_category_is_as_grave_as_the_catalogue_says(scene: Scene) -> None:
    process = scene.run()
    for severity in ("high", "medium", "low", "info"):
        scene.contact(process, f"{severity}.example")
        scene.host(f"{severity}.example", category="paste site", severity=severity, attack="T1567.003")

    scene.contact(process, "mail.inside")
    scene.host("mail.inside", category="mail service", severity="medium", is_internal=True)

    found = {(row["subject"], row["severity"], row["attack"]) for row in scene.found("host-risky")}

    outside = {(f"{severity}.example", severity, "T1567.003") for severity in SEVERITIES}
    assert found == outside


PLAIN = [
    ({"schemes": ["http"]}, {"port_protocol": "http"}, "medium"),
    ({"schemes": ["http"]}, {"port_protocol": "http", "is_internal": True}, "low"),
    ({"schemes": ["ftp"], "methods": ["PASS", "STOR"]}, {"port_protocol": "ftp"}, "high"),
    ({"schemes": ["ftp"], "methods": ["RETR"]}, {"port_protocol": "ftp"}, "medium"),
    ({}, {"port_protocol": "telnet"}, "high"),
    ({}, {"port_protocol": "smtp"}, "low"),
    ({"schemes": ["https"]}, {"port_protocol": "http"}, None),
    ({}, {"port_protocol": "https"}, None),
    ({}, {"port_protocol": "postgresql"}, None),
    ({"schemes": ["http"]}, {"port_protocol": "http", "is_local": True}, None),
    ({"port": 8080}, {"port": 8080, "port_protocol": "http"}, None),  # a guess
]


def test_a_protocol_in_plain_text_is_told(scene: Scene) -> None:
    process = scene.run()
    for number, (contact, facts, _) in enumerate(PLAIN):
        scene.contact(process, f"h{number}.example", **{"port": 80, **contact})
        scene.host(f"h{number}.example", **{"port": 80, **facts})

    found = {row["subject"].partition("://")[2]: row["severity"] for row in scene.found("host-plain")}

    assert found == {f"h{number}.example": case[2] for number, case in enumerate(PLAIN) if case[2]}


def test_a_host_is_new_to_a_script_that_is_known(scene: Scene) -> None:
    runs = scene.days(8)
    for day, process in enumerate(runs):
        scene.contact(process, "old.example", at=MONDAY + timedelta(days=day, hours=1))
        scene.run(started=MONDAY + timedelta(days=day), parent=process, is_start=False)  # a worker
    scene.contact(runs[-1], "new.example", at=MONDAY + timedelta(days=8, hours=1), bytes_out=5000)
    (stranger,) = scene.days(1, "b", script_name="b.py")
    scene.contact(stranger, "new.example", at=MONDAY + timedelta(days=8))
    for host in ("old.example", "new.example"):
        scene.host(host)

    found = scene.one("host-new")

    assert found["script"] == "a"
    assert found["sentence"] == (
        "a.py sent 5.0 kB to new.example for the first time on 2026-11-24, after 8 runs without."
    )


def test_a_script_of_two_days_is_not_known_yet(scene: Scene) -> None:
    for process, host in zip(scene.days(2), ("old.example", "new.example")):
        scene.contact(process, host, at=MONDAY + timedelta(days=5))
    for host in ("old.example", "new.example"):
        scene.host(host)

    assert scene.found("host-new") == []


def test_many_new_hosts_are_one_finding(scene: Scene) -> None:
    runs = scene.days(8)
    for number in range(40):
        host = f"h{number}.example"
        scene.contact(runs[-1], host, at=MONDAY + timedelta(days=7, hours=6))
        scene.host(host)

    assert scene.one("host-new")["subject"] == "(many hosts)"


# ---- data


def _flow(scene: Scene, process: str, **more: Any) -> None:
    flow = {
        "script": "a", "script_name": "a.py", "user": "ann", "machine": "desk-1",
        "path": "/srv/customers.csv",
        "sensitivity": "customer", "label": "customer data", "category": "customer", "severity": "high",
        "first_read": MONDAY, "host": "files.example", "port": 443, "is_ai": False, "is_internal": False,
        "bytes_out": 5000, "requests": 0, "last_sent": MONDAY + timedelta(minutes=1),
        "read_evidence": {"process": process, "seq": 1}, "sent_evidence": {"process": process, "seq": 2},
    }  # fmt: skip
    scene.add("flows", process=process, **{**flow, **more})


FLOWS = [
    ({"is_ai": True}, {}, "high"),
    ({"is_ai": True, "is_sanctioned": True}, {}, "medium"),
    ({}, {"category": "paste site", "severity": "high"}, "high"),
    ({}, {"category": "package index", "severity": "info"}, "medium"),
    ({}, {}, "medium"),
    ({"is_internal": True}, {"is_internal": True}, "low"),
    ({"category": "credentials"}, {}, "low"),
    ({"category": "credentials", "is_ai": True}, {}, "medium"),
    ({"bytes_out": 700, "methods": ["GET"]}, {}, "low"),
    ({"bytes_out": 700, "methods": ["GET", "POST"]}, {}, "medium"),
]


def test_what_the_catalogue_merely_tells_of_is_no_sensitive_data(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.mkdir(mode=0o700)
    names = ("small.gguf", "customers.csv")
    for name in names:
        (tmp_path / name).write_text("x")
    code = f"for name in {names!r}: open(name).read()"
    armed([sys.executable, "-c", code], spool, cwd=tmp_path).checked()

    with Analysis([spool]) as analysis:
        files = dict(analysis.sql("select name, severity from files where severity is not null").fetchall())
        read = analysis.sql("select distinct path from base.sensitive_reads").fetchall()

    assert files == {"small.gguf": "info", "customers.csv": "high"}
    assert [os.path.basename(path) for (path,) in read] == ["customers.csv"]


def test_sensitive_data_before_an_upload_weighs_by_where_it_may_have_gone(scene: Scene) -> None:
    process = scene.run()
    for number, (flow, facts, _) in enumerate(FLOWS):
        _flow(scene, process, **{"host": f"h{number}.example", **flow})
        scene.host(f"h{number}.example", **facts)

    found = {row["subject"]: row["severity"] for row in scene.found("data-before-upload")}

    assert found == {f"customer data to h{number}.example": case[2] for number, case in enumerate(FLOWS)}


def test_a_flow_says_that_it_is_no_proof_and_counts_bytes_once(scene: Scene) -> None:
    process = scene.run()
    for name in ("one", "two"):
        _flow(scene, process, path=f"/srv/{name}.csv")
    scene.host("files.example")

    found = scene.one("data-before-upload")

    assert found["sentence"] == (
        "a.py read customer data (one.csv, two.csv) and then sent 5.0 kB to files.example in 1 run, last on "
        "2026-11-16. That both happened in one run is no proof that this data was sent."
    )
    assert {record["seq"] for record in found["records"]} == {1, 2}


@pytest.mark.parametrize("is_in_repository, count", [(False, 1), (True, 0), (None, 0)])
def test_sensitive_data_outside_a_repository(scene: Scene, is_in_repository: bool | None, count: int) -> None:
    process = scene.run()
    scene.add(
        "sensitive_reads",
        process=process,
        path="/srv/hr.xlsx",
        id="hr",
        label="HR data",
        category="hr",
        severity="high",
        first_read=MONDAY,
        last_read=MONDAY,
        evidence={"process": process, "seq": 4},
    )
    scene.analysis.ensure(["script_facts"])
    scene.analysis.connection.execute("update base.script_facts set is_in_repository = ?", [is_in_repository])

    assert len(scene.found("data-unreviewed")) == count


# ---- libraries


def _library(scene: Scene, *, actor: int | None = 1, **more: Any) -> None:
    known = {"modules": ["requests"], "runs": 2, "first_seen": MONDAY, "last_seen": MONDAY,
             "is_imported": actor is not None, "evidence": {"process": "p0001", "seq": 3}}  # fmt: skip
    scene.add("library_uses", **{**known, "actor": actor, **more})


def _actor(scene: Scene) -> None:
    scene.add(
        "actors",
        actor=1,
        script="a",
        script_name="a.py",
        user="ann",
        uid=1000,
        machine="desk-1",
        machine_id="m1",
    )


@pytest.mark.parametrize("fixed", ["2.31.0", None])
def test_a_vulnerable_library_counts_where_it_was_imported(scene: Scene, fixed: str | None) -> None:
    scene.run()
    _actor(scene)
    _library(scene, distribution="requests", version="2.19.0")
    _library(scene, distribution="django", version="2.0", actor=None)
    for name, version in (("requests", "2.19.0"), ("django", "2.0")):
        scene.add("advisory_rows", distribution=name, version=version, severity="medium",
                  advisories=["CVE-2018-18074", "PYSEC-2023-74"], fixed=fixed)  # fmt: skip

    found = scene.one("library-vulnerable")

    assert found["severity"] == "medium"
    assert found["sentence"] == (
        "a.py imports requests 2.19.0, which has 2 known vulnerabilities (CVE-2018-18074, PYSEC-2023-74)."
    )
    assert ("2.31.0" in found["remedy"]) == (fixed is not None)
    assert scene.found("library-malicious") == []


def test_a_malicious_library_is_always_high(scene: Scene) -> None:
    scene.run()
    _actor(scene)
    _library(scene, distribution="reqeusts", version="1.0")
    scene.add(
        "advisory_rows", distribution="reqeusts", version="1.0", severity="low", advisories=["MAL-2024-1001"]
    )

    found = scene.one("library-malicious")

    assert (found["severity"], found["points"]) == ("high", 100)
    assert scene.found("library-vulnerable") == []


def test_a_module_of_no_distribution_is_told(scene: Scene) -> None:
    scene.run()
    _actor(scene)
    _library(scene, distribution=None, version=None, modules=["copied"])
    _library(scene, distribution="requests", version="2.32.0")

    assert scene.one("library-unknown")["subject"] == "copied"


@pytest.mark.parametrize(("reason", "words"), [("leaks", " (leaks)"), ("", "")])
def test_a_withdrawn_version_is_told(scene: Scene, reason: str, words: str) -> None:
    scene.run()
    _actor(scene)
    for name, yanked in (("fastparse", reason), ("ours", None)):
        _library(scene, distribution=name, version="1.0")
        scene.add("index_rows", distribution=name, version="1.0", is_known=bool(yanked), yanked=yanked)
    _library(scene, distribution="unused", version="1.0", actor=None)
    scene.add("index_rows", distribution="unused", version="1.0", yanked="leaks")

    assert scene.one("library-yanked")["sentence"] == (
        f"a.py imports fastparse 1.0, which its authors withdrew from the package index{words}."
    )


def test_a_library_that_the_index_does_not_have_is_told_where_there_is_an_index(scene: Scene) -> None:
    scene.run()
    _actor(scene)
    for name, is_known in (("ours", False), ("requests", True), ("unasked", None)):
        _library(scene, distribution=name, version="1.0")
        scene.add("index_rows", distribution=name, version="1.0", is_known=is_known, yanked="leaks")

    assert scene.one("library-unindexed")["subject"] == "ours"


def test_native_code_that_can_act_unseen_is_told(scene: Scene) -> None:
    process = scene.run()
    for target, detail in (
        ("/lib/polars.so", "system calls: io_uring_setup"),
        ("/lib/libc.so", "not examined: 9"),
    ):
        scene.add(
            "acts",
            process=process,
            kind="blind",
            target=target,
            detail=detail,
            count=1,
            first_seen=MONDAY,
            last_seen=MONDAY,
            is_denied=False,
            evidence={"process": process, "seq": 2},
        )

    found = {row["subject"]: row["sentence"] for row in scene.found("library-blind")}

    assert "a.py loaded polars.so, which can act unseen" in found["/lib/polars.so"]
    assert set(found) == {"/lib/polars.so", "/lib/libc.so"}, "the second is not here to be examined"


def test_a_large_library_that_can_do_nothing_unseen_is_not_told(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gnomon.blindness.came_to", lambda target, detail, loaded: None)
    process = scene.run()
    evidence = {"process": process, "seq": 2}
    scene.add("acts", process=process, kind="blind", target="/lib/large.so", detail="not examined: 9",
              count=1, first_seen=MONDAY, last_seen=MONDAY, evidence=evidence)  # fmt: skip

    assert scene.found("library-blind") == []


# ---- credentials

ARGUMENTS = [
    (["job", "--token", "***"], "token"),
    (["job", "--password=***"], "password"),
    (["env", "PGPASSWORD=***", "psql"], "PGPASSWORD"),
    (["psql", "postgres://ann:***@db.example/sales"], "an address"),
    (["mysql", "-p***"], "an argument"),
    (["python", "-c", "connect(password='***')"], "password"),
    (["curl", "-H", "Authorization: Bearer ***"], "Authorization"),
    (["job", "--pattern", "src/***/x"], None),
    (["job", "****"], None),
    (["job", "--token-file", "/run/token"], None),
]


def test_the_name_before_a_masked_secret_is_told(scene: Scene) -> None:
    for number, (argv, _) in enumerate(ARGUMENTS):
        scene.run(f"s{number}", argv=argv)

    found = {row["script"]: row["subject"] for row in scene.found("credential-in-arguments")}

    assert found == {f"s{number}": name for number, (_, name) in enumerate(ARGUMENTS) if name}


def test_a_secret_for_a_child_counts_for_the_script(scene: Scene) -> None:
    process = scene.run()
    scene.add(
        "acts",
        process=process,
        kind="spawn",
        target="curl",
        argv=["curl", "-u", "ann:***"],
        count=1,
        first_seen=MONDAY,
        last_seen=MONDAY,
        is_denied=False,
        evidence={"process": process, "seq": 9},
    )

    found = scene.one("credential-in-arguments")

    assert found["script"] == "a"
    assert found["records"] == [{"process": process, "seq": 9}]


def _letters(count: int) -> str:
    return "".join(itertools.islice(itertools.cycle("a8Kd0fGh3jLm5nPq"), count))


SECRETS = [
    f'key = "sk-ant-{_letters(40)}"', f"aws = 'AKIA{_letters(16).upper()}'", f'token = "ghp_{_letters(36)}"',
    '-----BEGIN RSA PRIVATE KEY-----', f"url = 'postgres://ann:{_letters(12)}@db/sales'",
    f'password = "{_letters(10)}"', f"login(user='ann', password='{_letters(10)}')",
    f"os.environ['DB_PASSWORD'] = '{_letters(10)}'", f'{{"api_key": "{_letters(24)}"}}',
    f"CLIENT_SECRET = b'{_letters(20)}'", f"requests.get(u, headers={{'auth_token': '{_letters(20)}'}})",
]  # fmt: skip
HARMLESS = [
    'password = getpass.getpass("Your password: ")', 'password = os.environ["DB_PASSWORD"]', "password = ''",
    'api_key = "<your key here>"', "token = '${TOKEN}'", 'secret = "/run/secrets/db"',
    "password = 'changeme'",
    'PASSWORD = "DB_PASSWORD"', "sk-learn-models-2024-report-quarterly", "password: str = field()",
    "url = 'postgres://ann:{password}@db/sales'", "if password == 'x': pass", "monkey = 'abcdefgh12'",
    "label = 'Password: '", "url = f'https://{user}:{token}@host/'", "error = 'the password is wrong'",
]  # fmt: skip


@pytest.mark.parametrize("line", SECRETS)
def test_a_credential_in_a_text_is_found(line: str) -> None:
    assert [number for number, _ in found_in(f"import os\n{line}\nprint(1)\n")] == [2]


def test_a_key_is_a_key_whatever_it_is_assigned_to() -> None:
    key = "sk-proj-" + "a1B2" * 8
    assert list(found_in(f'API_KEY = "{key}"\nurl = "https://ann:{key}@host"\n')) == [(1, "key"), (2, "key")]


@pytest.mark.parametrize("line", HARMLESS)
def test_what_says_where_a_credential_comes_from_is_none(line: str) -> None:
    assert list(found_in(f"import os\n{line}\n")) == []


# ---- people, hours, owners


NIGHT = MONDAY.replace(hour=3)
STARTS = [
    (MONDAY, {}, False),
    (MONDAY.replace(hour=6, minute=59), {}, True),
    (MONDAY.replace(hour=19), {}, True),
    (MONDAY + timedelta(days=5), {}, True),
    (NIGHT, {"started_by": "cron"}, False),
    (NIGHT, {"started_by": "systemd"}, False),
    (NIGHT, {"started_by": "script"}, False),
    (NIGHT, {"uid": 33}, False),
    (NIGHT, {"uid": 0}, True),
]


def test_after_hours(scene: Scene) -> None:
    for number, (started, more, _) in enumerate(STARTS):
        scene.run(f"s{number}", started, **more)

    found = {row["script"] for row in scene.found("after-hours")}

    assert found == {f"s{number}" for number, case in enumerate(STARTS) if case[2]}


def test_what_comes_at_regular_times_is_not_after_hours(scene: Scene) -> None:
    for day in range(5):
        scene.run(started=NIGHT + timedelta(days=day))

    assert scene.found("after-hours") == []


def test_hours_are_those_of_the_zone_on_that_day(tmp_path: Path) -> None:
    pytest.importorskip("zoneinfo")
    hours = WorkingHours.parse("Mon-Fri 08:00-17:00 Europe/Berlin")
    made = Scene(tmp_path, working_hours=hours)
    # 07:30 in UTC is 09:30 in summer and 08:30 in winter; 15:30 is 17:30 in summer and 16:30 in winter.
    summer, winter = datetime(2026, 7, 1), datetime(2026, 12, 1)
    for day, hour in itertools.product((summer, winter), (7, 15)):
        made.run(f"{day.month}-{hour}", day.replace(hour=hour, minute=30))

    found = made.found("after-hours")

    assert [row["script"] for row in found] == ["7-15"]
    assert "last on Wednesday 2026-07-01 at 17:30 (Europe/Berlin)" in found[0]["sentence"]


@pytest.mark.parametrize(
    "text", ["always", "mon-fri", "fri-mon 08:00-17:00", "mon-fri 17:00-08:00", "mon-fri 25:00-26:00"]
)
def test_hours_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(FindingsError, match="working hours"):
        WorkingHours.parse(text)


def test_a_zone_that_is_none_is_refused() -> None:
    with pytest.raises(FindingsError, match="time zone"):
        WorkingHours.parse("mon-fri 07:00-19:00 Middle/Earth")


@given(some.datetimes(datetime(2020, 1, 1), datetime(2027, 1, 1)), some.integers(1, 700))
def test_spans_of_the_clocks_are_gapless(first: datetime, days: int) -> None:
    first = first.replace(microsecond=0)
    last = first + timedelta(days=days)

    spans = list(WorkingHours(begin=time(7), zone="UTC").shifts(first, last))

    assert spans[0][0] == first
    assert spans[-1][1] > last
    assert all(one[1] == other[0] for one, other in zip(spans, spans[1:]))


OWNERS = [
    ({"owner_exists": False, "owner": None, "owner_uid": 1017}, "medium", "has no account (“uid 1017”)"),
    (
        {"owner_exists": True, "is_leaver": True, "is_owner_leaver": True},
        "medium",
        "the owner of its file is on the list of leavers (ann)",
    ),
    (
        {"owner_exists": True, "owner": "root", "is_leaver": True, "is_owner_leaver": False},
        "medium",
        "everybody who ran it is on the list of leavers (ann)",
    ),
    ({"owner_exists": False, "schedule": "cron, daily at 06:00 (UTC)"}, "high", "cron, daily at 06:00 (UTC)"),
    ({"owner_exists": True, "is_leaver": False}, None, ""),
    ({"owner_exists": None, "is_leaver": None}, None, ""),
]


def test_an_orphaned_script(scene: Scene) -> None:
    for number in range(len(OWNERS)):
        scene.days(2, f"s{number}")
    scene.analysis.ensure(["script_facts"])
    scene.analysis.connection.execute("update base.script_facts set owner_exists = true")
    for number, (facts, _, _) in enumerate(OWNERS):
        for name, value in facts.items():
            scene.analysis.connection.execute(
                f"update base.script_facts set {name} = ? where script = 's{number}'", [value]
            )

    found = {row["script"]: row for row in scene.found("script-orphaned")}

    for number, (_, severity, words) in enumerate(OWNERS):
        row = found.pop(f"s{number}", None)
        assert (row and row["severity"]) == severity
        assert row is None or (words in row["sentence"] and "twice" in row["sentence"])
    assert not found


def test_an_owner_whose_account_went_is_not_the_one_that_there_was(scene: Scene) -> None:
    scene.run(machine_id="elsewhere")
    scene.run(started=MONDAY + timedelta(days=1), machine_id="elsewhere", script_owner=None)
    scene.run("kept", machine_id="elsewhere", script_owner=None)
    scene.run("kept", started=MONDAY + timedelta(days=1), machine_id="elsewhere")

    found = scene.one("script-orphaned")

    assert (found["script"], found["subject"]) == ("a", "uid 1000")


@pytest.mark.parametrize(
    "rule, column", [("user-forged", "is_forged"), ("recording-unproven", "hook_proven")]
)
def test_runs_that_cannot_be_believed(scene: Scene, rule: str, column: str) -> None:
    is_bad = column == "is_forged"
    scene.run(**{column: is_bad})
    scene.run("b", **{column: not is_bad})

    assert scene.one(rule)["script"] == "a"


def test_denials_that_repeat(scene: Scene) -> None:
    cases = [
        (3, "deny", True, "was stopped"),
        (3, "allow", False, "would have been stopped"),
        (2, "deny", True, None),
    ]
    for number, (count, verdict, is_denied, _) in enumerate(cases):
        process = scene.run(f"s{number}")
        shadow = {} if verdict == "deny" else {"shadow_verdict": "deny", "shadow_rule": "finance/hr"}
        evidence = {"process": process, "seq": 2}
        scene.add("verdicts", process=process, kind="open", target="/srv/hr.csv", verdict=verdict,
                  rule="finance/hr", is_denied=is_denied, count=count, first_seen=MONDAY, last_seen=MONDAY,
                  evidence=evidence, **shadow)  # fmt: skip

    found = {row["script"]: row["sentence"] for row in scene.found("policy-denied")}

    assert found == {
        f"s{number}": f"a.py {words} by the rule finance/hr 3 times (/srv/hr.csv)."
        for number, (_, _, _, words) in enumerate(cases)
        if words
    }


# ---- what hides


def test_signs_of_evasion_and_silent_children(scene: Scene) -> None:
    process = scene.run()
    for target, detail in (("sys.settrace", None), ("audit hook gone", None), ("process memory", "1 read")):
        scene.add(
            "acts",
            process=process,
            kind="tamper",
            target=target,
            detail=detail,
            count=2,
            first_seen=MONDAY,
            last_seen=MONDAY,
            is_denied=False,
            evidence={"process": process, "seq": 5},
            caused_by={"file": "/home/ann/a.py", "line": 3, "function": "f"},
        )
    for command, is_evasive in (("python3 -S b.py", True), ("python3 c.py", False)):
        scene.add(
            "silent_rows",
            process=process,
            command=command,
            reason="",
            is_evasive=is_evasive,
            count=1,
            time=MONDAY,
        )

    found = {row["subject"]: row for row in scene.found("evasion")}

    assert set(found) == {"hook-gone", "python-kept-out"}
    assert found["hook-gone"]["severity"] == "high"
    assert found["hook-gone"]["sentence"] == (
        "a.py: the audit hook was taken out of the interpreter, by /home/ann/a.py line 3, twice."
    )
    assert scene.one("child-silent")["subject"] == "python3 c.py"


# ---- sentences and ids

HOSTILE = [
    "a\x1b[2Jb.py",
    "a\nb.py",
    "a\u202eyp.exe",
    "x” sent nothing. “",
    "<img onerror=alert(1)>.py",
    "n" * 5000,
    "{count}",
    "[[x]]",
]


def test_a_name_cannot_speak_in_a_sentence(scene: Scene) -> None:
    for number, name in enumerate(HOSTILE):
        scene.contact(scene.run(f"s{number}", script_name=name), "paste.example")
    scene.host("paste.example", category="paste site", severity="high")

    found = scene.found("host-risky")

    assert len(found) == len(HOSTILE)
    for row in found:
        sentence = row["sentence"]
        assert sentence.isprintable() and len(sentence) < 300
        assert re.fullmatch(r"(?:“[^“”]*”|\S+) talked to paste.example [(]category: .*", sentence), sentence


@given(some.text(), some.integers(0), some.lists(some.text(), max_size=5))
def test_any_value_makes_one_printable_line(text: str, number: int, texts: list[str]) -> None:
    template = "{text} {number:count file} {number:bytes} {number:sent} {texts}[[, {text:name}]]"

    sentence = rendered(template, {"text": text, "number": number, "texts": texts})

    assert sentence.isprintable()
    assert len(sentence) <= 1000


def test_an_id_is_the_same_tomorrow() -> None:
    assert finding_id("host-new", "c2d0", "example.org") == "d2d45726c28d"


# ---- risk


def _finding(number: int, rule: str, severity: str, script: str | None) -> Found:
    most = POINTS[severity]
    return Found(
        f"{number:012}",
        rule,
        severity,
        rule,
        "s",
        "r",
        script,
        script,
        str(number),
        [],
        [],
        None,
        1,
        None,
        None,
        [],
        most,
        [],
    )


_one = some.tuples(
    some.sampled_from(["r1", "r2", "r3"]),
    some.sampled_from(SEVERITIES),
    some.sampled_from(["a", "b", None]),
    some.booleans(),
)


@given(some.lists(_one, max_size=40))
def test_risk_can_be_recomputed_from_the_listed_findings(
    drawn: list[tuple[str, str, str | None, bool]],
) -> None:
    accepted = Suppression("*", None, None, "ann", "because", date(2027, 1, 1), "f.toml", 1)
    found = [_finding(number, *one[:3]) for number, one in enumerate(drawn)]

    judgement = judged([(one, accepted if drawn[number][3] else None) for number, one in enumerate(found)])

    assert len(judgement.findings) == len(drawn), "nothing is hidden"
    risks = {risk.script: risk for risk in judgement.risks}
    for script in ("a", "b"):
        listed = [one for one in judgement.findings if one.script == script and not one.is_suppressed]
        by_rule: dict[str, list[int]] = {}
        for one in listed:
            by_rule.setdefault(one.rule, []).append({"high": 40, "medium": 15, "low": 5}[one.severity])
        total = sum(
            points // 2**place
            for all_points in by_rule.values()
            for place, points in enumerate(sorted(all_points, reverse=True))
        )
        lines = [line.points for line in judgement.points if line.script == script]
        assert sum(lines) == sum(one.points for one in listed) == total
        assert (risks[script].risk if script in risks else 0) == min(100, total)
        assert len(lines) == len(listed)
    assert all(one.points == 0 for one in judgement.findings if one.is_suppressed or one.script is None)


def test_the_score_is_in_the_view_of_scripts_with_its_account(scene: Scene) -> None:
    process = scene.run()
    for host in ("one.example", "two.example", "three.example"):
        scene.contact(process, host)
        scene.host(host, category="paste site", severity="high")

    (script,) = scene.analysis.rows("select findings, severity, risk from scripts")
    lines = scene.analysis.rows("select points, because from risk_points order by points desc")

    assert script == {"findings": 3, "severity": "high", "risk": 70}
    assert [line["points"] for line in lines] == [40, 20, 10]
    assert (
        lines[2]["because"] == "Host that data often leaves by (high): the third of its rule, a quarter of 40"
    )


# ---- suppressions


def _suppress(directory: Path, *entries: str) -> Path:
    path = directory / "accepted.toml"
    path.write_text("".join(f"[[suppress]]\n{entry}\n" for entry in entries))
    return path


def _until(days: int) -> date:
    return datetime.now(timezone.utc).date() + timedelta(days=days)


SUPPRESSED = [
    ('rule = "host-risky"', True),
    ('rule = "host-*"', True),
    ('rule = "host-plain"', False),
    ('script = "a"', True),
    ('script = "a.py"', True),
    ('script = "/home/ann/*"', True),
    ('script = "/home/bob/*"', False),
    ('script = "A.PY"', False),
    ('subject = "*.example"', True),
    ('subject = "example"', False),
    ('rule = "host-risky"\nscript = "b"', False),
    ('rule = "host-risky"\nscript = "a"\nsubject = "paste.*"', True),
]


@pytest.mark.parametrize("words, is_covered", SUPPRESSED)
def test_a_suppression_covers_what_it_says(tmp_path: Path, words: str, is_covered: bool) -> None:
    path = _suppress(tmp_path, f'{words}\nowner = "bo"\nreason = "contract"\nuntil = {_until(9)}')
    (entry,) = load_suppressions([path], today=_until(0))

    assert entry.covers("host-risky", "a", ["a.py", "/home/ann/a.py"], "paste.example") == is_covered


@pytest.mark.parametrize("days, is_expired", [(-1, True), (0, False), (300, False)])
def test_a_suppression_applies_until_its_day(days: int, is_expired: bool) -> None:
    assert Suppression("r", None, None, "bo", "b", _until(days), "f", 1).is_expired(_until(0)) == is_expired


def test_what_is_suppressed_is_shown_and_adds_nothing(tmp_path: Path) -> None:
    reason = 'owner = "bo"\nreason = "contract"\nuntil = '
    path = _suppress(
        tmp_path,
        f'script = "kept"\n{reason}{_until(9)}',
        f'script = "lapsed"\n{reason}{_until(-1)}',
        f'script = "unknown"\n{reason}{_until(9)}',
    )
    made = Scene(tmp_path, suppressions=[path])
    for script in ("kept", "lapsed"):
        made.contact(made.run(script), "paste.example")
    made.host("paste.example", category="paste site", severity="high")

    found = {row["script"]: row for row in made.found("host-risky")}

    kept = found["kept"]
    assert kept["is_suppressed"] and kept["points"] == 0
    assert (kept["suppressed_by"], kept["suppressed_because"]) == ("bo", "contract")
    assert kept["suppressed_until"] == _until(9)
    assert not found["lapsed"]["is_suppressed"] and found["lapsed"]["points"] == 40
    assert made.one("suppression-expired")["subject"] == "script lapsed"
    (note,) = [one for one in findings.notes(made.analysis) if one.about == "suppression"]
    assert "script unknown" in note.sentence
    risks = {row["script"]: row["risk"] for row in made.analysis.rows("select script, risk from scripts")}
    assert risks == {"kept": 0, "lapsed": 40}


GOOD = 'rule = "r"\nowner = "a"\nreason = "b"\nuntil = 2026-12-01'


@pytest.mark.parametrize(
    "text, words",
    [
        (GOOD.replace('owner = "a"\n', ""), "no `owner`"),
        (GOOD.replace('reason = "b"\n', ""), "no `reason`"),
        (GOOD.replace("until = 2026-12-01", ""), "no `until`"),
        (GOOD.replace("2026-12-01", "2099-12-01"), "a year ahead"),
        (GOOD.replace("2026-12-01", '"soon"'), "until = 'soon'"),
        (GOOD.replace('rule = "r"\n', ""), "every finding"),
        (GOOD.replace('"a"', '" "'), "owner = ' '"),
        (GOOD.replace("rule", "role"), "no key `role`"),
        (GOOD + "\nx =", "TOML"),
    ],
)
def test_a_suppression_that_says_too_little_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = _suppress(tmp_path, GOOD, text)

    with pytest.raises(FindingsError) as caught:
        load_suppressions([path], today=date(2026, 11, 23))

    assert words in str(caught.value)
    assert caught.value.hint


# ---- rules of one's own

OWN = """-- id: own-rule
-- title: A rule of ours
-- severity: low
-- sentence: {script} was run by {subject}, {count:count time}.
-- remedy: Ask.
-- needs: runs
--
-- It finds whoever ran something.
select script, user as subject, count(*) as count
from base.runs
group by script, user;
"""


def _own(directory: Path, text: str) -> Path:
    rules = directory / "rules"
    rules.mkdir(exist_ok=True)
    (rules / "own.sql").write_text(text)
    return rules


def test_an_organisation_adds_rules(tmp_path: Path) -> None:
    made = Scene(tmp_path, rules=[_own(tmp_path, OWN)])
    made.run()

    assert made.one("own-rule")["sentence"] == "a.py was run by ann, once."


def test_an_organisation_replaces_a_rule(tmp_path: Path) -> None:
    made = Scene(tmp_path, rules=[_own(tmp_path, OWN.replace("own-rule", "after-hours"))])
    made.run(started=MONDAY.replace(hour=3))

    assert made.one("after-hours")["title"] == "A rule of ours"


WRONG = [
    (OWN.replace("-- severity: low", "-- severity: grave"), "line 3: severity"),
    (OWN.replace("-- title", "-- titel"), "line 2: there is no key `titel`"),
    (OWN.replace("-- needs: runs", "-- needs: findings"), "line 6: needs"),
    (OWN.replace("-- remedy: Ask.\n", ""), "no `remedy`"),
    (OWN.replace("{count:count time}", "{count:times}"), "line 4: sentence"),
    (OWN.replace("{count:count time}", "{often}"), "no column `often`"),
    (OWN.replace("from base.runs", "from base.rnus"), "line 10"),
    (OWN.replace("select script", "select skript, script"), "line 9"),
    (OWN.replace("group by", "grup by"), "line 11"),
    (OWN.replace("user;", "user; drop table base.runs"), "not one query"),
    (f"{OWN[: OWN.index('select')]}copy (select 1) to 'x'", "not one query"),
    (OWN.replace("severity: low", "severity: by row"), "no column `severity`"),
]


def test_a_rule_that_is_wrong_is_told_with_its_place(scene: Scene, tmp_path: Path) -> None:
    scene.run()
    scene.analysis.ensure(["script_facts"])
    for text, words in WRONG:
        path = _own(tmp_path, text)

        with pytest.raises(FindingsError) as caught:
            execute.found(scene.analysis, [read(path / "own.sql")])

        assert words in str(caught.value)
        assert "own.sql" in str(caught.value)
        assert caught.value.hint


def test_each_rule_that_is_shipped_is_whole() -> None:
    for rule in shipped():
        assert Path(rule.path).stem == rule.id
        assert rule.about and rule.remedy.endswith(".") and rule.sentence.endswith((".", "sent."))
        words = set(re.findall(r"\w+", rule.sql.split("\n\n")[-1]))
        named = set(re.findall(r"(?:from|join)\s+(?:base\.)?(\w+)", rule.sql))
        assert set(rule.needs) <= words, rule.id
        assert {name for name in named if name.endswith("_rows")} - {"advisory_rows"} <= set(rule.needs), (
            rule.id
        )


def test_the_table_of_the_documentation_is_that_of_the_rules() -> None:
    text = DOCS.read_text(encoding="utf-8")

    assert text == with_table(text), "python -m gnomon.findings.documented docs/findings.md"


def test_the_rule_of_the_documentation_works(tmp_path: Path) -> None:
    (example,) = re.findall(r"```sql\n(.*?)```", DOCS.read_text(), re.DOTALL)
    made = Scene(tmp_path, rules=[_own(tmp_path, example)])
    made.run(directory="/tmp/x")
    rule = read(tmp_path / "rules" / "own.sql")

    assert len(made.found(rule.id)) == 1


# ---- as recorded

JOB = """
import subprocess, sys
for event, args in (
    ("socket.getaddrinfo", ("files.example", 80, 0, 0, 0)),
    ("socket.connect", (None, ("192.0.2.7", 80))),
    ("gc.get_objects", (0,)),
):
    sys.audit(event, *args)
subprocess.run([sys.executable, "-S", "-c", "pass"])
sys._getframe(0).f_back
"""


def test_a_recording_is_judged(tmp_path: Path) -> None:
    """From the program to the sentence: a secret among arguments, a host in plain text, a Python kept out."""
    spool, home = tmp_path / "spool", tmp_path / "home"
    home.mkdir()
    spool.mkdir(mode=0o700)
    (home / "job.py").write_text(JOB)
    (home / "quiet.py").write_text("print(1)\n")
    armed([sys.executable, str(home / "job.py"), "--token", _letters(24)], spool, cwd=home).checked()
    armed([sys.executable, str(home / "quiet.py")], spool, cwd=home).checked()

    with Analysis([spool], working_hours=WorkingHours(1, 7, time(0), time(23, 59, 59))) as analysis:
        found = analysis.rows("select * from findings where script is not null")
        risks = dict(analysis.sql("select name, risk from scripts").fetchall())

    by_rule = {row["rule"]: row for row in found}
    assert by_rule["credential-in-arguments"]["sentence"].startswith(
        "job.py has a password or key on a command line (“token” of python"
    )
    assert by_rule["host-plain"]["subject"] == "http://files.example"
    assert by_rule["evasion"]["subject"] == "python-kept-out"
    assert {row["script_name"] for row in found} == {"job.py"}
    assert _letters(24) not in json.dumps(found, default=str)
    records = {(record.process, record.seq) for record in Spool(spool).records()}
    (shown,) = by_rule["host-plain"]["records"]
    assert (shown["process"], shown["seq"]) in records
    assert risks == {"job.py": sum(row["points"] for row in found), "quiet.py": 0}


# ---- bandit

FAKE = """#!/bin/sh
test "$1" = --version && exit 0
for path; do :; done
grep -q shell "$path" || exit 2
cat <<END
{"results": [{"filename": "$path", "line_number": 3, "test_id": "B602", "test_name": "subprocess_popen",
 "issue_severity": "HIGH", "issue_confidence": "LOW", "issue_text": "hunter2"}]}
END
exit 1
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A script, and a spool in which this machine ran it."""
    script = tmp_path / "job.py"
    script.write_text(f'import subprocess\npassword = "{_letters(12)}"\nsubprocess.run("ls", shell=True)\n')
    return script


def _ran(tmp_path: Path, script: Path, **options: Any) -> Scene:
    from gnomon.analysis import marks

    made = Scene(tmp_path, **options)
    digest = hashlib.sha256(script.read_bytes()).hexdigest()
    made.run(
        script_path=str(script),
        script_name=script.name,
        script_sha256=digest,
        machine_id=marks.machine_id() or "",
    )
    if marks.machine_id() is None:
        pytest.skip("this machine has no id")
    return made


def test_a_script_is_searched_while_it_is_as_it_ran(tmp_path: Path, here: Path) -> None:
    found = _ran(tmp_path, here, reads_scripts=True).one("credential-in-script")

    assert found["severity"] == "medium"
    assert found["sentence"] == f"job.py holds what looks like a password in 1 line of {here}: line 2."
    assert _letters(12) not in json.dumps(found, default=str)


@pytest.mark.parametrize("change", ["changed", "gone", "a pipe", "not asked for"])
def test_a_script_is_not_searched_otherwise(tmp_path: Path, here: Path, change: str) -> None:
    made = _ran(tmp_path, here, reads_scripts=change != "not asked for")
    if change == "changed":
        here.write_text(here.read_text() + "\n")
    elif change != "not asked for":
        here.unlink()
    if change == "a pipe":
        os.mkfifo(here)

    assert made.found("credential-in-script") == []


def test_bandit_tells_test_and_line(tmp_path: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "bandit"
    program.parent.mkdir()
    program.write_text(FAKE)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    found = _ran(tmp_path, here, uses_bandit=True).one("static-B602")

    assert (found["severity"], found["points"], found["subject"]) == ("medium", 6, str(here))
    assert "(B602) in 1 line of" in found["sentence"] and "line 3" in found["sentence"]
    assert "hunter2" not in json.dumps(found, default=str)


def test_bandit_that_is_not_there_is_noted(
    tmp_path: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gnomon.findings.bandit.command", lambda: None)

    made = _ran(tmp_path, here, uses_bandit=True)
    (note,) = [one for one in findings.notes(made.analysis) if one.about == "bandit"]

    assert note.hint == "pip install bandit"


def test_bandit_as_it_is(tmp_path: Path, here: Path) -> None:
    pytest.importorskip("bandit", reason="bandit is not installed")

    made = _ran(tmp_path, here, uses_bandit=True)

    assert made.one("static-B602")["severity"] in SEVERITIES
    assert not [note for note in findings.notes(made.analysis) if note.about == "bandit"]


def test_nothing_recorded_is_nothing_found(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir(mode=0o700)

    with Analysis([tmp_path / "empty"]) as analysis:
        assert analysis.rows("select * from findings") == []
