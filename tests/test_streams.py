"""What query engines read of a spool: Arrow streams of some columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gnomon as package
from commands import run

PROGRAM = """
import os
for number in range(50):
    open(f'{number}.csv', 'w').close()
    if number % 5 == 0:
        os.remove(f'{number}.csv')
os.system('true')
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streams")
    (folder / "program.py").write_text(PROGRAM)
    run(folder / "spool", "program.py", cwd=folder).checked()
    return folder / "spool"


def test_a_stream_has_the_columns_that_were_asked_for(recorded: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    spool = package.Spool(recorded)
    everything = pyarrow.table(spool)
    stream = spool.stream(["file", "kind", "count"])
    assert stream.columns == ["count", "kind", "file"]
    some = pyarrow.table(stream)
    assert some.column_names == stream.columns
    assert spool.stream().columns == package.columns()
    for name in package.columns():
        alone = pyarrow.table(spool.stream([name]))
        assert alone[name].to_pylist() == everything[name].to_pylist(), name


def test_a_column_that_is_none_is_named(recorded: Path) -> None:
    with pytest.raises(ValueError, match="no column is called `colour`; there are: time, last_time,"):
        package.Spool(recorded).stream(["kind", "colour"])


def asked(query: str, stream: object) -> list[Any]:
    """What DuckDB answers, which finds the variable `stream` by itself."""
    duckdb = pytest.importorskip("duckdb")
    answer: list[Any] = duckdb.sql(query).fetchall()
    return answer


def test_duckdb_groups_what_the_stream_has(recorded: Path) -> None:
    spool = package.Spool(recorded)
    counted: dict[Any, int] = {}
    for record in spool.records():
        key = (record.kind, record.file, record.line, record.verdict, record.host)
        counted[key] = counted.get(key, 0) + record.count
    stream = spool.stream(["kind", "count", "file", "line", "verdict", "host"])
    query = "select kind, file, line, verdict, host, sum(count) from stream group by all"
    # Twice: each query reads a stream of its own.
    for _ in range(2):
        assert {row[:-1]: row[-1] for row in asked(query, stream)} == counted
    removed = package.Spool(recorded, kinds=["delete"]).stream(["target"])
    assert asked("select count(distinct target) from stream", removed) == [(10,)]
    typed = asked("select distinct typeof(kind), typeof(line) from stream", stream)
    assert typed == [("VARCHAR", "UINTEGER")]
