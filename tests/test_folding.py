"""What the native fold counts is what SQL counts over all records."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import gnomon
from commands import run
from folded import STREAMS, differing, make_oracle, wrong_evidence
from gnomon.analysis import Analysis
from weeks import golden

# One script that is run by two names, reads itself, and does what paths can be odd by.
PROGRAM = r"""
import os, shutil, socket, sys
odd = b"data-\xff-\xc3\xa9"
open(odd, "wb").write(b"x"); open(odd, "rb").read()
open(__file__).read(); open(__file__, "a").close()
os.makedirs("customers/2026", exist_ok=True)
for number in range(40):
    with open(f"customers/2026/customer-list-{number % 13}.csv", "a+") as file:
        file.write("name\n" * number)
    open(f"customers/2026/customer-list-{number % 13}.csv").read()
try:
    open("missing.gguf")
except OSError:
    pass
open("small.gguf", "w").close(); open("small.gguf").close()
os.rename("small.gguf", "other.gguf")
shutil.copy("customers/2026/customer-list-1.csv", "copied.csv")
for make in (os.link, os.symlink):
    make("copied.csv", f"{make.__name__}.csv")
    os.remove(f"{make.__name__}.csv")
os.chmod("copied.csv", 0o600); os.utime("copied.csv"); os.truncate("copied.csv", 0)
os.chdir("customers"); open("../copied.csv").close(); os.chdir("..")
import json, urllib.request
for port in (1, 1, 2):
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/a?b#c", timeout=2)
    except OSError:
        pass
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    sender.sendto(b"x", ("127.0.0.1", 9))
if sys.argv[1:] == ["fork"] and os.fork() == 0:
    open("copied.csv").close()
    os._exit(0)
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("folding")
    for name in ("program.py", "same.py"):
        (folder / name).write_text(PROGRAM)
    run(folder / "spool", "program.py", cwd=folder).checked()
    run(folder / "spool", "same.py", "fork", cwd=folder).checked()
    run(folder / "spool", "program.py", cwd=folder).checked()
    return folder / "spool"


def _check(analysis: Analysis) -> None:
    make_oracle(analysis)
    for table in STREAMS:
        assert differing(analysis, table) == [], table
        counted = analysis.rows(f"select count(*) as count from base.{table}")
        assert counted[0]["count"] or analysis.since, table
    for table in ("file_uses", "notable_files", "imports", "contacts"):
        assert list(wrong_evidence(analysis, table)) == [], table
    assert list(wrong_evidence(analysis, "sensitive_reads", of="first_read")) == []


def test_the_demonstrations_week_comes_to_the_same(tmp_path: Path) -> None:
    week = golden(tmp_path)
    with Analysis([week.spool]) as analysis:
        _check(analysis)


def test_odd_paths_come_to_the_same(recorded: Path) -> None:
    with Analysis([recorded]) as analysis:
        _check(analysis)
        paths = {row["path"] for row in analysis.rows("select path from base.file_uses")}
        assert any(path.endswith("data-\\xff-é") for path in paths)
        assert os.path.join(os.path.dirname(recorded), "copied.csv") in paths


def test_records_of_two_spools_count_twice_and_old_ones_do_not(recorded: Path, tmp_path: Path) -> None:
    middle = sorted(record.last_time for record in gnomon.Spool(recorded).records())[300]
    with Analysis([recorded, recorded], since=middle) as analysis:
        _check(analysis)


def test_what_a_script_used_most_is_notable(recorded: Path) -> None:
    with Analysis([recorded]) as analysis:
        analysis.ensure(["file_uses", "actors"])
        heaviest = analysis.rows(
            """
            with used as (
                select script, path,
                    sum(coalesce(reads, 0) + coalesce(writes, 0) + coalesce(deletes, 0)) as weight
                from base.file_uses join base.actors using (actor) group by all
            )
            from used qualify row_number() over (partition by script order by weight desc, path) <= 100
            """
        )
        analysis.ensure(["notable_files"])
        chosen = analysis.rows(
            "select distinct script, path from base.notable_files join base.actors using (actor)"
        )
        found = {(row["script"], row["path"]) for row in chosen}
        assert {(row["script"], row["path"]) for row in heaviest} <= found
        uses = "from {} where path in (select path from base.notable_files) order by actor, path"
        assert analysis.rows(uses.format("base.file_uses")) == analysis.rows(
            uses.format("base.notable_files")
        )
        counts = """
            select script, count(distinct path) as files,
                count(distinct path) filter (reads > 0) as files_read,
                count(distinct path) filter (writes > 0) as files_written,
                count(distinct path) filter (deletes > 0) as files_deleted
            from base.file_uses join base.actors using (actor) group by script order by script
        """
        assert analysis.rows("from base.file_counts order by script") == analysis.rows(counts)


def test_an_expression_or_an_id_that_is_none_is_named(recorded: Path) -> None:
    spools = [gnomon.Spool(recorded)]
    with pytest.raises(ValueError, match="cannot read the expression of `odd`"):
        gnomon.Fold(spools, [], places=[("odd", "(", None)])
    with pytest.raises(ValueError, match="`p1` is no process's id"):
        gnomon.Fold(spools, [("p1", 1, "s", None)])
    assert len(gnomon.Fold(spools, []).files) == 0
