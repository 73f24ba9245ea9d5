"""The example of native libraries: every file, host and child is told, with the library that did it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from commands import gnomon
from postgres import NoPostgres, Postgres, postgres
from watching import Ended, Kept, Record, bare

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "native.py"
ORDERS = ROOT / "examples" / "data" / "orders.parquet"


@dataclass(frozen=True)
class Watched:
    """One run of the example, and what it left."""

    done: Ended
    kept: Kept
    folder: Path
    database: Postgres

    def records(self, kind: str, library: str) -> list[Record]:
        """Those that a distribution caused: polars is two of them, psycopg three."""
        return [
            record for record in self.kept.records(kind) if (record.distribution or "").startswith(library)
        ]

    def answer(self) -> dict[str, Any]:
        return dict(json.loads(gnomon("show", self.kept.spool, "--format", "json").checked().stdout))


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    try:
        with postgres() as server:
            yield server
    except NoPostgres as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def watched(database: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    for module in ("duckdb", "polars", "psycopg", "pycurl"):
        pytest.importorskip(module, reason=f"{module} is not installed: pip install --group libraries")
    spool, folder = (tmp_path_factory.mktemp(name) for name in ("spool", "folder"))
    done = gnomon("run", "--spool", spool, EXAMPLE, folder, **_variables(database)).checked()
    return Watched(done, Kept(spool), folder, database)


def _variables(database: Postgres) -> dict[str, str]:
    # By name, so that a look-up comes before the connection. No proxy of whoever runs the tests.
    empty = dict.fromkeys(("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"), "")
    return {**empty, **database.variables(), "PGHOST": "localhost"}


def test_it_does_the_same_unwatched(watched: Watched) -> None:
    done = bare([sys.executable, str(EXAMPLE), str(watched.folder)], **_variables(watched.database)).checked()
    assert done.stdout.decode() in watched.done.stdout.decode() + watched.done.stderr.decode()
    assert (watched.kept.faults(), watched.kept.lost()) == ([], {})


@pytest.mark.parametrize("library", ["polars", "duckdb"])
def test_a_read_of_parquet_names_the_library(watched: Watched, library: str) -> None:
    # Also once more by threads of the library's own, which have no line.
    found = [one for one in watched.records("open", library) if one.target == str(ORDERS)]
    assert {(one.access, one.source) for one in found} == {("read", "native")}
    assert str(EXAMPLE) in {one.file for one in found}


def test_a_table_that_duckdb_writes_is_a_file_written(watched: Watched) -> None:
    path = str(watched.folder / "regions.csv")
    (record,) = [one for one in watched.records("open", "duckdb") if one.target == path]
    assert "write" in (record.access or "")
    (file,) = [file for file in watched.answer()["files"] if file["path"] == path]
    assert {cause["distribution"] for cause in file["written_by"]} == {"duckdb"}


def test_the_database_is_a_host_with_name_and_address(watched: Watched) -> None:
    port = watched.database.port
    found = [one for one in watched.records("connect", "psycopg") if one.port == port]
    assert "127.0.0.1" in {record.address for record in found}
    assert {record.host for record in found} == {"localhost"}
    (contact,) = [one for one in watched.answer()["contacts"] if str(port) in json.dumps(one)]
    assert "localhost" in json.dumps(contact)


def test_a_download_is_a_host_with_its_address(watched: Watched) -> None:
    # libcurl knows what localhost is and looks no name up.
    (one,) = [one for one in watched.records("connect", "pycurl") if one.address == "127.0.0.1"]
    assert (one.outcome, one.source, one.function) == ("done", "native", "download")


def test_a_child_of_multiprocessing_was_started_by_its_parent(watched: Watched) -> None:
    (child,) = [one for one in watched.kept.processes() if "--multiprocessing-fork" in one.argv]
    (record,) = [one for one in watched.kept.records("spawn") if "--multiprocessing-fork" in (one.argv or ())]
    assert (record.process, record.target) == (child.parent, sys.executable)
    assert record.file == str(EXAMPLE)


def test_what_the_child_did_is_in_the_answer(watched: Watched) -> None:
    (child,) = [one for one in watched.kept.processes() if "--multiprocessing-fork" in one.argv]
    path = str(watched.folder / "downloaded.csv")
    reads = [one for one in watched.kept.records("open", process=child.id) if one.target == path]
    assert [(one.access, one.file, one.function) for one in reads] == [("read", str(EXAMPLE), "count_lines")]


def test_the_answer_for_a_person_names_all_of_it(watched: Watched) -> None:
    said = re.sub(r"\n {15}", " ", watched.done.stderr.decode() + watched.done.stdout.decode())
    for thing in (r"orders\.parquet\s.*polars", r"orders\.parquet\s.*duckdb", r"localhost.*psycopg"):
        assert re.search(thing, said)
    assert "no host" not in said


@pytest.mark.skipif(sys.version_info[:2] in ((3, 9), (3, 14)), reason="other lines than the document shows")
def test_the_document_shows_what_it_prints(watched: Watched) -> None:
    (shown,) = re.findall(r"```text\n(.*?)```", (ROOT / "docs" / "native.md").read_text(), re.DOTALL)
    said = gnomon("show", watched.kept.spool).checked().stdout.decode()
    labels, through = r"^  ([A-Z][a-z]+) ", r"through \w+"
    for name in ("Read", "Wrote", "Called", "Contacted", "Started", "Coverage"):
        assert name in re.findall(labels, said, re.MULTILINE)
        assert name in re.findall(labels, shown, re.MULTILINE)
    assert set(re.findall(through, said)) == set(re.findall(through, shown))
    for line in (
        "GET http://localhost:",
        "can act unseen: polars (system calls of its own: socket connect sendmsg)",
    ):
        assert line in said and line in shown
