"""`gnomon osv`: what is imported, and what is never called clean. tests/osv is made by hand."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("packaging", reason="the extra `report` is not installed")

from commands import gnomon
from gnomon.vulnerabilities import Database, DatabaseError, check
from gnomon.vulnerabilities import source as sources
from gnomon.vulnerabilities.importing import make_database
from gnomon.vulnerabilities.source import SourceError

RECORDS = Path(__file__).resolve().parent / "osv"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("osv") / "osv.sqlite"
    make_database([str(RECORDS)], str(path))
    return path


def _asked(database: Path, *names: str) -> tuple[int, list[dict[str, Any]]]:
    done = gnomon("osv", "check", "--database", database, "--json", *names)
    return done.status, json.loads(done.stdout)["checked"]


def test_advisories_of_one_vulnerability_are_one_row(database: Path) -> None:
    status, (requests,) = _asked(database, "requests==2.19.0")
    assert (status, requests["state"]) == (1, "vulnerable")
    first, second = requests["vulnerabilities"]
    assert first == {
        "advisory": "PYSEC-2018-28",
        "aliases": ["CVE-2018-18074", "GHSA-x84v-xcm2-53pg"],
        "severity": "high",
        "is_rated": True,
        "score": 7.5,
        "vector": "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N",
        "summary": "Insufficiently Protected Credentials in Requests",
        "fixed": "2.20.0",
        "published": "2018-10-09T17:29:00",
        "is_malicious": False,
        "url": "https://osv.dev/vulnerability/PYSEC-2018-28",
    }
    assert (second["aliases"][0], second["severity"], second["score"]) == ("CVE-2023-32681", "medium", 6.1)
    assert requests["fixed"] == "2.31.0"


@pytest.mark.parametrize(
    ("name", "state", "fixed"),
    [
        ("Requests==2.32.3", "no known vulnerability", ""),
        ("requests==2.20.0rc1", "vulnerable", "2.31.0"),
        ("urllib3==1.25", "vulnerable", "1.26.18"),
        ("urllib3==1.26.18", "no known vulnerability", ""),
        ("urllib3==2.0.1", "vulnerable", "2.0.7"),
        ("urllib3==2.0.0a1", "no known vulnerability", ""),
        ("old_reports==1.4.2", "vulnerable", ""),
        ("old.reports==1.4.2+acme.1", "vulnerable", ""),  # as somebody built it, and no newer for that
        ("old-reports==1.4.3", "no known vulnerability", ""),
        ("old-reports==1.1", "no known vulnerability", ""),
        ("odd-versions==1.0.0", "vulnerable", ""),  # as 1.0, which is listed
        ("odd-versions==2004d", "vulnerable", ""),
        ("odd-versions==2004e", "not checked", ""),
        ("REQEUSTS.async==5", "vulnerable", ""),
        ("reqeusts-async==what", "vulnerable", ""),  # all versions are malicious
        ("nobody-has-advisories==what", "no known vulnerability", ""),
        ("requests", "not checked", ""),
        ("nobody-has-advisories", "not checked", ""),
    ],
)
def test_versions_are_compared_as_pep_440_says(database: Path, name: str, state: str, fixed: str) -> None:
    distribution, _, version = name.partition("==")
    with Database(database) as opened:
        (found,) = check(opened, [(distribution, version)])
    assert (found.state, found.fixed) == (state, fixed)
    assert "8 advisories of 2024-10-10" in found.reason or state == "not checked"


def test_severity_is_the_score_else_the_word_else_medium(database: Path) -> None:
    with Database(database) as opened:
        names = [
            ("old-reports", "1.3"),
            ("odd-versions", "1.0"),
            ("reqeusts-async", "1"),
            ("urllib3", "1.25"),
        ]
        rows = [found.vulnerabilities[0] for found in check(opened, names)]
    assert [(row.severity, row.score, row.is_malicious) for row in rows] == [
        ("medium", None, False),
        ("high", None, False),
        ("high", None, True),
        ("medium", 4.2, False),
    ]
    assert rows[1].vector.startswith("CVSS:4.0/")


def test_what_is_not_checked_is_no_success(database: Path, tmp_path: Path) -> None:
    assert _asked(database, "requests==2.32.3")[0] == 0
    assert _asked(database, "requests==2.32.3", "requests")[0] == 3
    assert _asked(database, "requests==2.19.0", "requests")[0] == 1
    if os.path.exists("/var/lib/gnomon/osv.sqlite"):
        pytest.skip("this machine has a database of its own")
    done = gnomon("osv", "check", "requests==2.32.3", XDG_DATA_HOME=str(tmp_path))
    assert done.status == 3
    assert done.stdout.decode().startswith("requests 2.32.3: not checked (there is no vulnerability database")
    status = gnomon("osv", "status", XDG_DATA_HOME=str(tmp_path))
    assert status.status == 1 and b"hint: `gnomon osv import" in status.stderr


def test_an_old_or_small_database_says_so(database: Path) -> None:
    done = gnomon("osv", "check", "--database", database, "requests==2.32.3")
    assert b"days old: newer vulnerabilities are not known to it" in done.stderr
    assert b"holds 8 advisories of 6 packages only" in done.stderr
    status = gnomon("osv", "status", "--database", database, "--json").checked()
    said = json.loads(status.stdout)
    assert len(said["warnings"]) == 2
    assert said["source_date"] == "2024-10-10T08:00:00"
    shown = gnomon("osv", "status", "--database", database).checked().stdout.decode()
    assert "CC-BY 4.0" in shown and "Apache-2.0" in shown


def test_every_record_is_imported_or_counted(tmp_path: Path) -> None:
    shutil.copytree(RECORDS, tmp_path / "osv")
    (tmp_path / "osv" / "README.md").write_text("no record")
    (tmp_path / "osv" / "torn.json").write_text('{"id": "PYSEC-1"')
    (tmp_path / "osv" / "deep.json").write_text("[" * 100_000)
    (tmp_path / "osv" / "list.json").write_text("[]")
    old = json.loads((RECORDS / "PYSEC-2023-74.json").read_text())
    (tmp_path / "osv" / "copy.json").write_text(
        json.dumps({**old, "modified": "2020-01-01T00:00:00Z", "affected": []})
    )
    (tmp_path / "osv" / "again.json").write_text(json.dumps({**old, "modified": "2020-01-01T00:00:00Z"}))
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in sorted((tmp_path / "osv").iterdir()):
            archive.write(path, path.name)
    done = gnomon(
        "osv", "import", tmp_path / "all.zip", "-o", tmp_path / "new" / "osv.sqlite", "--json"
    ).checked()
    said = json.loads(done.stdout)
    assert said["skipped"] == {
        "unreadable": 3,
        "not PyPI": 2,
        "withdrawn": 1,
        "no .json or .yaml file": 1,
        "older copies of others": 1,
    }
    assert said["advisories"] + sum(said["skipped"].values()) == len(list((tmp_path / "osv").iterdir()))
    assert said["origins"] == {"PYSEC": 4, "GHSA": 2, "MAL": 1, "OSV": 1}
    assert b"unreadable: all.zip/torn.json" in done.stderr
    assert _asked(tmp_path / "new" / "osv.sqlite", "requests==2.19.0")[0] == 1


def test_yaml_is_read_as_the_pypa_writes_it(tmp_path: Path) -> None:
    pytest.importorskip("yaml", reason="PyYAML is not installed")
    (tmp_path / "vulns" / "ansi").mkdir(parents=True)
    (tmp_path / "vulns" / "ansi" / "PYSEC-2024-1.yaml").write_text(
        "id: PYSEC-2024-1\nmodified: 2024-05-05T10:00:00.5Z\nwithdrawn: null\naffected:\n- package:\n"
        "    name: Ansi.Thing\n    ecosystem: PyPI\n  ranges:\n  - type: ECOSYSTEM\n    events:\n"
        "    - introduced: '0'\n    - fixed: 1.10\n"
    )
    make_database([str(tmp_path / "vulns")], str(tmp_path / "osv.sqlite"))
    with Database(tmp_path / "osv.sqlite") as opened:
        (found,) = check(opened, [("ansi-thing", "1.9")])
    assert (found.state, found.fixed) == ("vulnerable", "1.10")


def _refused(path: Path, tmp_path: Path) -> str:
    with pytest.raises(SourceError) as error:
        make_database([str(path)], str(tmp_path / "osv.sqlite"))
    assert not (tmp_path / "osv.sqlite").exists()
    return str(error.value)


def test_what_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "huge.json").open("wb") as file:
        file.truncate(1 << 30)
    assert "is larger than 16 MiB" in _refused(tmp_path / "huge.json", tmp_path)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", bytes(sources.MAX_RECORD_BYTES + 1))
    assert "a.json`: it is larger" in _refused(tmp_path / "bomb.zip", tmp_path)


def test_a_zip_that_lies_about_sizes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_RECORD_BYTES", 1000)
    path = tmp_path / "lie.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", bytes(100_000))
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<I", 5)
    path.write_bytes(content)
    assert _refused(path, tmp_path)
    monkeypatch.setattr(sources, "MAX_RECORD_BYTES", 1 << 20)
    monkeypatch.setattr(sources, "MAX_TOTAL_BYTES", 100_000)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"{number}.json", bytes(50_000))
    assert "unpacks to more than" in _refused(path, tmp_path)


def test_names_in_a_zip_are_no_paths(tmp_path: Path) -> None:
    record = (RECORDS / "PYSEC-2018-28.json").read_bytes()
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("../../escaped.json", record)
        archive.writestr("/absolute.json", record)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    make_database([str(tmp_path / "all.zip")], str(below / "osv.sqlite"))
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["all.zip", "osv.sqlite"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", zlib.compress(b"x")])
def test_what_is_no_export_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "all.zip").write_bytes(content)
    assert "it is no whole zip file" in _refused(tmp_path / "all.zip", tmp_path)
    (tmp_path / "empty").mkdir()
    assert "holds no advisory about a PyPI package" in _refused(tmp_path / "empty", tmp_path)
    os.mkfifo(tmp_path / "fifo.json")
    assert "it is no file" in _refused(tmp_path / "fifo.json", tmp_path)


def test_an_import_that_fails_leaves_the_database_that_was_there(tmp_path: Path) -> None:
    output = tmp_path / "osv.sqlite"
    make_database([str(RECORDS)], str(output))
    before = output.read_bytes()
    (tmp_path / "all.zip").write_bytes(b"torn")
    done = gnomon("osv", "import", tmp_path / "all.zip", "-o", output)
    assert done.status == 1 and done.stderr.startswith(b"error: cannot read `")
    assert output.read_bytes() == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".osv-")]
    assert output.stat().st_mode & 0o777 == 0o644


def test_what_is_no_database_is_an_error_and_no_answer(tmp_path: Path, database: Path) -> None:
    path = tmp_path / "osv.sqlite"
    for content in (b"", b"text", database.read_bytes()[:5000], b"SQLite format 3\x00" + bytes(5000)):
        path.write_bytes(content)
        with pytest.raises(DatabaseError), Database(path) as opened:
            check(opened, [("requests", "2.19.0"), ("urllib3", "1")])
    sqlite3.connect(tmp_path / "other.sqlite").execute("create table facts (name, value)").connection.close()
    done = gnomon("osv", "check", "--database", tmp_path / "other.sqlite", "requests==1")
    assert done.status == 1 and b"it is no vulnerability database of gnomon" in done.stderr


def test_an_index_tells_unknown_projects_and_yanked_releases(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("requests\nUrllib3  # a comment\nold.reports==1.3 broken metadata\n")
    page = {
        "meta": {"api-version": "1.1"},
        "name": "fastparse",
        "files": [
            {"filename": "fastparse-1.0.tar.gz", "yanked": "leaks"},
            {"filename": "fastparse-1.0-py3-none-any.whl", "yanked": True},
            {"filename": "fastparse-1.1.tar.gz", "yanked": True},
            {"filename": "fastparse-1.1-py3-none-any.whl", "yanked": False},
        ],
    }
    (tmp_path / "page.json").write_text(json.dumps(page))
    index = ["--index", tmp_path / "names.txt", "--index", tmp_path / "page.json"]
    gnomon("osv", "import", RECORDS, "-o", tmp_path / "osv.sqlite", *index).checked()
    names = ["requests==2.32.3", "acme-internal==1", "old-reports==1.3.0", "fastparse==1.0", "fastparse==1.1"]
    _, found = _asked(tmp_path / "osv.sqlite", *names)
    assert [(one["is_known"], one["yanked"]) for one in found] == [
        (True, None),
        (False, None),
        (True, "broken metadata"),
        (True, "leaks"),
        (True, None),
    ]


def test_what_an_advisory_says_cannot_move_the_cursor(tmp_path: Path) -> None:
    record = json.loads((RECORDS / "PYSEC-2018-28.json").read_text())
    record["details"] = "red \x1b[31m and \u202e turned"
    record["aliases"].append("CVE-\x1b[2J")
    record["affected"][0]["ranges"][1]["events"][1]["fixed"] = "2.20\x1b[0m"
    (tmp_path / "a.json").write_text(json.dumps(record))
    make_database([str(tmp_path / "a.json")], str(tmp_path / "osv.sqlite"))
    done = gnomon("osv", "check", "--database", tmp_path / "osv.sqlite", "requests==2.19.0")
    assert done.status == 1
    assert b"\x1b" not in done.stdout and "\u202e" not in done.stdout.decode()
