"""One table: an operation, and the records that it leaves, on every version of Python."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from watching import Kept, Record, armed, program

# Each row: operation, then its records as (kind, access, target, destination, count); paths are relative to
# the program's directory, PORT is what it printed. None matches anything; a count of None, several records.
TABLE: list[tuple[str, list[tuple[object, ...]]]] = [
    ("open_read", [("open", "read", "made", None, 1)]),
    ("open_write", [("open", "write+create", "new", None, 1)]),
    ("open_exclusive", [("open", "write+create", "new", None, 1)]),
    ("open_append", [("open", "write+append+create", "made", None, 1)]),
    ("open_update", [("open", "read+write", "made", None, 1)]),
    ("open_bytes_path", [("open", "read", "made", None, 1)]),
    ("open_undecodable", [("open", "write+create", os.fsdecode(b"odd-\xff"), None, 1)]),
    ("open_pathlib", [("open", "read", "made", None, 1)]),
    ("open_above", [("open", "write+create", "../above", None, 1)]),
    ("open_code", [("open", "read", "made", None, 1)]),
    ("open_descriptor", [("open", "read", "made", None, 1), ("open", "read", "made", None, 1)]),
    ("open_pipe", []),
    ("os_open_read", [("open", "read", "made", None, 1)]),
    ("os_open_write", [("open", "write+create", "new", None, 1)]),
    ("os_open_append", [("open", "write+append", "made", None, 1)]),
    # The event drops dir_fd: where no such file is in the current directory, the path stays as it was given.
    ("os_open_below_descriptor", [("open", "read", "folder", None, 1), ("open", "read", "*inside", None, 1)]),
    ("after_chdir", [("open", "read", "folder/inside", None, 1)]),
    ("null_device", []),
    ("repeats", [("open", "read", "made", None, 1000)]),
    ("temporary", [("open", "write+create", "t-*", None, None), ("delete", None, "t-*", None, 1)]),
    ("temporary_without_name", []),
    ("remove", [("delete", None, "made", None, 1)]),
    ("remove_pathlib", [("delete", None, "made", None, 1)]),
    ("remove_entry", [("list", None, ".", None, 1), ("delete", None, "made", None, 1)]),
    (
        "remove_below_descriptor",
        [("open", "read", "folder", None, 1), ("delete", None, "folder/inside", None, 1)],
    ),
    ("rmdir", [("delete", None, "empty", None, 1)]),
    ("rename", [("rename", None, "made", "renamed", 1)]),
    ("replace", [("rename", None, "made", "renamed", 1)]),
    ("mkdir", [("mkdir", None, "new", None, 1)]),
    # Neither can change anything.
    ("mkdir_of_what_is_there", []),
    ("remove_what_is_missing", []),
    ("link", [("link", None, "made", "linked", 1)]),
    ("symlink", [("symlink", None, "*made", "linked", 1)]),
    ("chmod", [("chmod", None, "made", None, 1)]),
    ("truncate", [("truncate", None, "made", None, 1)]),
    (
        "truncate_descriptor",
        [("open", "read+write", "made", None, 1), ("truncate", None, "made", None, 1)],
    ),
    ("import_own", [("import", None, "*own", "own/__init__.py", 1)]),
    ("import_by_name", [("import", None, "*own", "own/__init__.py", 2)]),
    (
        "import_from_current_directory",
        [("import", None, "*other", "other.py", 1), ("import", None, "*own", "own/__init__.py", 2)],
    ),
    (
        "import_from_archive",
        [("open", "write+create", "made", None, 1), ("import", None, "*zipped", "made/zipped.py", 1)],
    ),
    ("import_missing", []),
    # Reading by way of the import system's own functions hides nothing.
    ("loader_reads_for_the_program", [("open", "read", "made", None, 1)]),
    ("executes_a_file", [("import", None, "*part", "own/part.py", 1)]),
    ("executes_a_relative_file", [("import", None, "*part", "own/part.py", 1)]),
    ("executes_a_cell", [("code", "exec", "*/no/such/cell.py", None, 1)]),
    ("connect", [("bind", None, "*127.0.0.1:0", None, 1), ("connect", None, "*127.0.0.1:PORT", None, 1)]),
    (
        "connect_by_name",
        [
            ("bind", None, "*127.0.0.1:0", None, 1),
            ("resolve", None, "*localhost:PORT", None, 1),
            ("connect", None, "*localhost:PORT", None, None),
        ],
    ),
    (
        "connect_mapped",
        [("bind", None, "*127.0.0.1:0", None, 1), ("connect", None, "*127.0.0.1:PORT", None, 1)],
    ),
    (
        "connect_asyncio",
        [
            ("bind", None, "*127.0.0.1:0", None, 1),
            ("resolve", None, "*localhost:PORT", None, 1),
            ("connect", None, "*localhost:PORT", None, None),
        ],
    ),
    ("connect_unix", [("bind", None, "socket", None, 1), ("connect", None, "socket", None, 1)]),
    ("resolve", [("resolve", None, "*name.invalid", None, 1)]),
    ("popen", [("spawn", ["true", "argument"], "*true", None, 1)]),
    ("popen_path", [("spawn", ["/bin/true", "argument"], "*/bin/true", None, 1)]),
    ("popen_shell", [("spawn", ["/bin/sh", "-c", "exit 0"], "*/bin/sh", None, 1)]),
    ("popen_without_closing", [("spawn", ["/bin/true"], "*/bin/true", None, 1)]),
    ("system", [("spawn", ["sh", "-c", "true"], "*/bin/sh", None, 1)]),
    ("posix_spawn", [("spawn", ["true", "argument"], "*/bin/true", None, 1)]),
    ("fork", [("fork", None, None, None, 1)]),
    ("execute", [("exec", ["true", "argument"], "*/bin/true", None, 1)]),
    # The child of a pty is a process of its own, which executes the program.
    (
        "pty_spawn",
        [("spawn", ["/bin/true"], "*/bin/true", None, 1), ("exec", ["/bin/true"], "*/bin/true", None, 1)],
    ),
    ("spawn_and_wait", [("fork", None, None, None, 1), ("exec", ["true"], "*/bin/true", None, 1)]),
    ("in_a_thread", [("open", "read", "made", None, 1)]),
]


def _relative(path: str | None, folder: Path) -> str | None:
    return os.path.relpath(path, folder) if path and path.startswith("/") and path != "/bin/sh" else path


def _is_noise(record: Record, folder: Path) -> bool:
    """What the interpreter and the system's name service do elsewhere, which differs by version."""
    if record.kind not in ("import", "open"):
        return record.kind in ("process", "script")
    place = (record.destination if record.kind == "import" else record.target) or ""
    return place.startswith("/") and not place.startswith(str(folder))


def _matches(record: Record, expected: tuple[object, ...], folder: Path, port: str) -> bool:
    kind, detail, target, destination, count = expected
    found = _relative(record.target, folder)
    if isinstance(target, str):
        target = target.replace("PORT", port)
        if target == "t-*":
            is_target = (found or "").startswith("t-")
        elif target.startswith("*"):
            is_target = record.target == target[1:]
        else:
            is_target = found == target
    else:
        is_target = True
    return (
        record.kind == kind
        and (detail is None or detail in (record.access, record.argv, record.detail))
        and is_target
        and (destination is None or _relative(record.destination, folder) == destination)
        and (count is None or record.count == count)
    )


@pytest.mark.parametrize(("operation", "expected"), TABLE, ids=[row[0] for row in TABLE])
def test_an_operation_leaves_these_records(
    operation: str, expected: list[tuple[object, ...]], python: str, spool: Path, tmp_path: Path
) -> None:
    assert_leaves(expected, [python, program("operations.py"), operation], spool, tmp_path)


def assert_leaves(expected: list[tuple[object, ...]], argv: list[str], spool: Path, tmp_path: Path) -> None:
    """Runs a program that makes the file `started` and then does what `expected` tells, and nothing else."""
    folder = tmp_path / "cwd" / "deeper"
    folder.mkdir(parents=True)
    done = armed(argv, spool, cwd=folder).checked()
    port = done.stdout.decode().strip()
    kept = Kept(spool)
    records = list(kept.records())
    # The subject makes its files first; what counts comes after the last of them.
    begun = next(at for at, record in enumerate(records) if record.target == str(folder / "started"))
    rest = [record for record in records[begun + 1 :] if not _is_noise(record, folder.parent)]
    found = [
        (
            record.kind,
            record.argv or record.access or record.detail,
            record.target,
            record.destination,
            record.count,
        )
        for record in rest
    ]
    unmatched = list(rest)
    for row in expected:
        matching = [record for record in unmatched if _matches(record, row, folder, port)]
        assert matching, f"{row} is not among {found}"
        for record in matching if row[4] is None else matching[:1]:
            unmatched.remove(record)
    assert not unmatched, f"more than expected: {found}"
    assert kept.faults() == []
    assert kept.lost() == {}


def test_odd_events_break_nothing(python: str, spool: Path, tmp_path: Path) -> None:
    done = armed([python, program("raises_odd_events.py")], spool, cwd=tmp_path)
    assert (done.status, done.stdout, done.stderr) == (0, b"done (None, None, None)\n", b"")
    kept = Kept(spool)
    # Still recording after all that, and what could not be read is counted.
    assert any(record.target == str(tmp_path / "after") for record in kept.records("open"))
    assert set(kept.lost()) == {"undecodable event"}
    assert kept.faults() == []


def test_a_notebook_kernel_is_named_by_its_notebook(a_python: str, spool: Path, tmp_path: Path) -> None:
    (tmp_path / "ipykernel_launcher.py").write_text("open('cell', 'w')")
    (tmp_path / "sales.ipynb").write_text("{}")
    notebook = str(tmp_path / "sales.ipynb")
    armed([a_python, "-m", "ipykernel_launcher"], spool, cwd=tmp_path, JPY_SESSION_NAME=notebook).checked()
    (process,) = Kept(spool).processes()
    assert (process.script_form, process.script, process.script_size) == ("kernel", notebook, 2)
    assert process.script_sha256 is not None
