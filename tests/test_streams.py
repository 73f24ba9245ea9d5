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


def rows(table: object) -> list[dict[str, Any]]:
    pyarrow = pytest.importorskip("pyarrow")
    read = pyarrow.table(table)
    times = [name for name in read.column_names if pyarrow.types.is_timestamp(read.schema.field(name).type)]
    for name in times:
        read = read.set_column(read.column_names.index(name), name, read[name].cast(pyarrow.int64()))
    found: list[dict[str, Any]] = read.to_pylist()
    return found


def test_tables_say_what_the_processes_say(recorded: Path) -> None:
    spool = package.Spool(recorded)
    tables = spool.tables()
    processes, faults = spool.processes()
    assert len(tables.processes) == len(processes) == 2
    attributes = {name for name in dir(package.Process) if not name.startswith("_")}
    assert set(tables.processes.columns) == attributes - {"distributions", "lost"} | {"inventory"}
    installed: dict[str, dict[str, list[tuple[str, str]]]] = {}
    for row in rows(tables.distributions):
        listed = installed.setdefault(row["inventory"], {}).setdefault(row["directory"], [])
        listed.append((row["name"], row["version"]))
    for row, process in zip(rows(tables.processes), processes):
        inventory = row.pop("inventory")
        assert row == {name: getattr(process, name) for name in row}
        assert installed.get(inventory, {}) == {
            key: names for key, names in process.distributions.items() if names
        }
    assert rows(tables.losses) == [] and rows(tables.faults) == [] == faults
    assert asked("select count(*), max(ended) > min(started) from stream", tables.processes) == [(2, True)]


def test_tables_say_what_ran_before_the_programs(recorded: Path) -> None:
    spool = package.Spool(recorded)
    tables = spool.tables()
    startups, _ = spool.startups()
    assert {row["startup"]: row["prefix"] for row in rows(tables.startups)} == {
        path: startup.prefix for path, startup in startups.items()
    }
    hooks = [hook for startup in startups.values() for hook in startup.hooks]
    shown = [row for row in rows(tables.hooks) if row["kind"] != "module"]
    assert [(row["path"], row["sha256"], row["is_own"], row["lines"]) for row in shown] == [
        (hook.file.path, hook.file.sha256, hook.is_own, hook.lines) for hook in hooks
    ]
    modules = [module.path for hook in hooks for module in hook.modules]
    assert [row["path"] for row in rows(tables.hooks) if row["kind"] == "module"] == modules


def test_tables_name_what_was_lost_and_what_cannot_be_read(tmp_path: Path, recorded: Path) -> None:
    for path in map(Path, package.Spool(recorded).segments()):
        content = bytearray(path.read_bytes())
        if not path.name.startswith(("distributions", "startup")):
            content[80 + 8 * 3] = 9  # lost because another thread took too long
            content[-1] ^= 1
        (tmp_path / path.name).write_bytes(content)
    spool = package.Spool(tmp_path)
    processes, faults = spool.processes()
    tables = spool.tables()
    lost = [(process.id, "busy", 9) for process in processes]
    assert [(row["process"], row["reason"], row["count"]) for row in rows(tables.losses)] == lost
    expected = [(str(fault.path), fault.offset, fault.kind, fault.severity) for fault in faults]
    assert expected
    found = [(row["path"], row["offset"], row["kind"], row["severity"]) for row in rows(tables.faults)]
    assert found == expected


def test_processes_of_one_environment_share_an_inventory(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("import pytest")
    for _ in range(3):
        run(tmp_path / "spool", "program.py", cwd=tmp_path).checked()
    tables = package.Spool(tmp_path / "spool").tables()
    keys = {row["inventory"] for row in rows(tables.processes) if row["role"] == "python"}
    assert len(keys) == 1 and {row["inventory"] for row in rows(tables.distributions)} == keys
    assert "pytest" in {row["distribution"] for row in rows(tables.distributions)}
