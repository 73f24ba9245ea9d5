"""One table: what a program does besides files, network and children, and the records that it leaves."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from test_events import assert_leaves

from watching import Kept, Record, armed, program

Row = tuple[object, ...]

FOLDER = ("open", "read", "folder", None, 1)
MADE = ("open", "write+create", "made", None, 1)

# Each row as in test_events.py, where the second column may also be the detail. Where versions differ, the
# records by the first version that leaves them.
TABLE: list[tuple[str, list[Row] | dict[str, list[Row]]]] = [
    # code
    ("executes_text", [("code", "exec", "*<string>", None, 1)]),
    ("evaluates_text", [("code", "exec", "*<string>", None, 1)]),
    ("evaluates_in_a_loop", [("code", "exec", "*<string>", None, 100)]),
    ("compiles_only", [("code", "compile", "*<rule>", None, 1), ("open", "write+create", "after", None, 1)]),
    ("compiles_last", [("code", "compile", "*<rule>", None, 1)]),
    ("compiles_then_executes", [("code", "exec", "*<rule>", None, 1)]),
    (
        "compiles_and_executes_later",
        [
            ("code", "compile", "*<rule>", None, 1),
            ("open", "write+create", "after", None, 1),
            ("code", "exec", "*<rule>", None, 1),
        ],
    ),
    (
        "executes_text_that_executes",
        [("code", "exec", "*<string>", None, 1), ("code", "exec", "*<string>", None, 1)],
    ),
    ("executes_text_in_a_thread", [("code", "exec", "*<string>", None, 1)]),
    ("executes_a_tree", [("code", "exec", "*<tree>", None, 1)]),
    ("executes_a_cell", [("code", "cell", None, None, 1)]),
    ("types_into_a_console", [("code", "interactive", "*<console>", None, 1)]),
    ("executes_text_named_as_a_file", [("code", "exec", "*/no/such/file.py", None, 1)]),
    (
        "unmarshals",
        [
            ("code", "compile", "*<rule>", None, 1),
            ("code", "marshal", "*<marshal>", None, 1),
            ("code", "exec", "*<rule>", None, 1),
        ],
    ),
    (
        "unmarshals_a_file",
        [
            MADE,
            ("code", "compile", "*<rule>", None, 1),
            ("open", "read", "made", None, 1),
            ("code", "marshal", "*<marshal>", None, 1),
        ],
    ),
    (
        "makes_a_function",
        [("code", "compile", "*<rule>", None, 1), ("code", "function", "*<rule>", None, 1)],
    ),
    ("replaces_code", [("code", "compile", "*<rule>", None, 1), ("code", "code", "*<other>", None, 1)]),
    ("swaps_code", [("tamper", program("more_operations.py"), "*function.__code__", None, 1)]),
    ("unpickles_a_class", [("unpickle", None, "*__main__.Report", None, 1)]),
    ("unpickles_a_call", [("unpickle", None, "*builtins.len", None, 1)]),
    ("unpickles_data", []),
    # native code
    ("loads_a_library", [("native", "load", "*libc.so.6", None, 1)]),
    (
        "looks_into_the_process",
        [("native", "load", "*<process>", None, 1), ("native", "symbol", "*<process>:getpid", None, 1)],
    ),
    (
        "calls_a_function",
        {
            "3.9": [
                ("native", "load", "*libc.so.6", None, 1),
                ("native", "symbol", "*libc.so.6:getpid", None, 1),
            ],
            "3.14": [
                ("native", "load", "*libc.so.6", None, 1),
                ("native", "symbol", "*libc.so.6:getpid", None, 1),
                ("native", "call", "*<functions>", None, 1000),
            ],
        },
    ),
    (
        "looks_up_by_handle",
        [("native", "load", "*libc.so.6", None, 1), ("native", "symbol", "*?:getpid", None, 1)],
    ),
    # databases
    # What SQLite does on its own is told by its calls: it keeps a journal, and makes its directory lasting.
    (
        "sqlite",
        [
            ("database", "connect", "data.db", None, 1),
            ("open", "read+write+create", "data.db-journal", None, 1),
            ("open", "read", ".", None, 1),
            ("delete", None, "data.db-journal", None, 1),
        ],
    ),
    ("sqlite_path", [("database", "connect", "data.db", None, 1)]),
    ("sqlite_memory", [("database", "connect", "*:memory:", None, 1)]),
    ("sqlite_uri", [("database", "connect", "data.db", None, 1)]),
    # Many builds of Python cannot load extensions, and 3.9 raises no event for it.
    ("sqlite_extension", [("database", None, None, None, None)]),
    # files by the standard library
    ("copies", [("copy", None, "made", "copied", 1)]),
    ("copies_with_state", [("copy", None, "made", "copied", 1)]),
    ("copies_into_a_directory", [("copy", None, "made", "empty/made", 1)]),
    (
        "copies_twice_and_opens",
        [
            ("copy", None, "made", "copied", 1),
            ("copy", None, "made", "copied", 1),
            ("open", "read", "made", None, 1),
        ],
    ),
    (
        "copies_what_is_missing",
        [("copy", None, "missing", "copied", 1), ("open", "write+create", "copied", None, 1)],
    ),
    (
        "copies_a_tree",
        [("mkdir", None, "other", None, 1), ("copy", None, "folder/inside", "other/inside", 1)],
    ),
    ("copies_state", [("utime", None, "folder", None, 1), ("chmod", None, "folder", None, 1)]),
    ("moves", [("rename", None, "made", "moved", 1)]),
    ("removes_a_tree", [("delete", None, "folder/inside", None, 1), ("delete", None, "folder", None, 1)]),
    (
        "zips",
        [
            ("open", "write+create", "archive.zip", None, 1),
            ("open", "read", "made", None, 1),
            ("open", "read", "archive.zip", None, 1),
            ("mkdir", None, "out", None, 1),
            ("open", "write+create", "out/made", None, 1),
        ],
    ),
    (
        "tars",
        [
            ("open", "write+create", "archive.tar", None, 1),
            ("open", "read", "made", None, 1),
            ("open", "read", "archive.tar", None, None),  # once for each compression that is tried
            ("open", "write+create", "empty/made", None, 1),
            ("chown", None, "empty/made", None, 1),
            ("chmod", None, "empty/made", None, 1),
        ],
    ),
    (
        "makes_an_archive",
        {
            "3.9": [
                ("open", "write+create", "archive.zip", None, 1),
                ("list", None, "folder", None, 1),
                ("open", "read", "folder/inside", None, 1),
            ],
        },
    ),
    (
        "unpacks_an_archive",
        [
            ("open", "write+create", "archive.zip", None, 1),
            ("open", "read", "archive.zip", None, None),
            ("open", "write+create", "empty/inner", None, 1),
        ],
    ),
    ("temporary_directory", [("mkdir", None, "t-*", None, 1), ("delete", None, "t-*", None, 1)]),
    # files by os
    ("chown", [("chown", None, "made", None, 1)]),
    ("chown_by_shutil", [("chown", None, "made", None, 1)]),
    ("utime", [("utime", None, "made", None, 1)]),
    ("utime_descriptor", [("open", "read+write", "made", None, 1), ("utime", None, "made", None, 1)]),
    ("touch", [("utime", None, "made", None, 1)]),
    ("listdir", [("list", None, "folder", None, 1)]),
    ("listdir_here", [("list", None, ".", None, 1)]),
    ("scandir", [("list", None, "folder", None, 1)]),
    ("iterdir", [("list", None, "folder", None, 1)]),
    ("walk", [("list", None, "folder", None, 1)]),
    ("glob_glob", [("list", None, "folder", None, 1)]),
    ("glob_path", [("list", None, "folder", None, 1)]),
    ("lists_machinery", []),
    ("maps", [("open", "read+write", "filled", None, 1), ("map", "read+write", "filled", None, 1)]),
    ("maps_for_reading", [("open", "read", "filled", None, 1), ("map", "read", "filled", None, None)]),
    ("maps_memory", []),
    # processes and settings
    ("kills", [("kill", "none", None, None, 1)]),
    ("kills_a_group", [("kill", "none", None, None, 1)]),
    ("kills_a_thread", [("kill", "SIGUSR1", None, None, 1)]),
    ("limits", [("limit", None, "*RLIMIT_CORE", None, 1)]),
    (
        "sets_variables",
        [
            ("setenv", "http://proxy:8080", "*HTTPS_PROXY", None, 1),
            ("setenv", "/bin", "*PATH", None, 1),
            ("setenv", None, "*HTTPS_PROXY", None, 1),
        ],
    ),
    # tampering
    ("adds_a_hook", [("tamper", None, "*sys.addaudithook", None, 1)]),
    ("traces", [("tamper", None, "*sys.settrace", None, 1), ("tamper", None, "*sys.setprofile", None, 1)]),
    ("monitors", {"3.9": [], "3.12": [("tamper", None, "*sys.monitoring.register_callback", None, 1)]}),
    (
        "looks_at_objects",
        [
            ("tamper", None, "*gc.get_objects", None, 1),
            ("tamper", None, "*gc.get_referrers", None, 1),
            ("tamper", None, "*gc.get_referents", None, 1),
            ("tamper", None, "*sys._current_frames", None, 1),
        ],
    ),
    (
        "opens_its_memory",
        [
            ("tamper", "/proc/self/mem read+write", "*process memory", None, 1),
            ("tamper", "/proc/self/mem read", "*process memory", None, 1),
        ],
    ),
    ("opens_its_memory_by_the_way", [("tamper", "mem read+write", "*process memory", None, 1)]),
    ("changes_the_spool", [("tamper", None, "*gnomon's own files", None, None)]),
    ("hides_its_children", [("tamper", "GNOMON_SPOOL", "*os.unsetenv", None, 1)]),
    # Before 3.12 nothing tells.
    (
        "replaces_audit",
        {
            "3.9": [],
            "3.12": [
                ("tamper", None, "*sys.audit replaced", None, 1),
                ("tamper", None, "*sys.audit replaced", None, 1),
            ],
        },
    ),
    ("deletes_audit", {"3.9": [], "3.12": [("tamper", None, "*sys.audit replaced", None, 1)]}),
    (
        "runs_in_another",
        {
            "3.9": [],
            "3.14": [
                ("open", "write+create", "script.py", None, 1),
                ("tamper", None, "*sys.remote_exec", None, 1),
                ("tamper", None, "*cpython.remote_debugger_script", None, 1),
                ("open", "read", "script.py", None, 1),
                ("code", "exec", "*<string>", None, 1),
            ],
        },
    ),
    (
        "starts_directly",
        {
            "3.9": [],  # it forks, and between fork and exec no process is begun
            "3.10": [("spawn", ["true"], "*/bin/true", None, 1)],  # told by the call
            "3.14": [("spawn", "_posixsubprocess.fork_exec", "*/bin/true", None, 1)],
        },
    ),
    (
        "windows",
        [
            ("registry", "open", "*HKEY_LOCAL_MACHINE\\Software\\Python", None, 1),
            ("registry", "set", "*handle 500\\Run", None, 1),
            ("registry", "delete value", "*handle 500\\Run", None, 1),
            ("registry", "query", "*handle 500\\Run", None, 1),
            ("registry", "enumerate", "*handle 500", None, 1),
            ("registry", "save C:\\hive", "*handle 500", None, 1),
            ("registry", "connect", "*\\\\server", None, 1),
            ("spawn", ["x.exe /a"], "*C:\\x.exe", None, 1),
            ("open", "read", "*C:\\data.csv", None, 1),
            ("open", "write+create", "*C:\\new.csv", None, 1),
            ("symlink", None, "*C:\\a", "C:\\b", 1),
            ("copy", None, "*C:\\a", "C:\\b", 1),
            ("kill", "terminate", "*handle 88", None, 1),
            ("spawn", ["C:\\sheet.xlsx"], "*C:\\sheet.xlsx", None, 1),
        ],
    ),
    ("windows_popen", [("spawn", ["x.exe /a"], "*x.exe /a", None, 1)]),
]


def version_of(request: pytest.FixtureRequest) -> tuple[int, int]:
    major, minor = request.node.callspec.params["python"].split(".")
    return int(major), int(minor)


@pytest.mark.parametrize(("operation", "expected"), TABLE, ids=[row[0] for row in TABLE])
def test_an_operation_leaves_these_records(
    operation: str,
    expected: list[Row] | dict[str, list[Row]],
    python: str,
    request: pytest.FixtureRequest,
    spool: Path,
    tmp_path: Path,
) -> None:
    if isinstance(expected, dict):
        known = [since for since in expected if int(since.split(".")[1]) <= version_of(request)[1]]
        expected = expected[known[-1]]
    assert_leaves(expected, [python, program("more_operations.py"), operation], spool, tmp_path)


def code_of(spool: Path) -> list[Record]:
    return list(Kept(spool).records("code"))


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_executed_text_is_known_by_its_hash(python: str, spool: Path, tmp_path: Path) -> None:
    armed([python, program("more_operations.py"), "executes_text"], spool, cwd=tmp_path).checked()
    (record,) = code_of(spool)
    text = "value = 6 * 7"
    assert (record.detail, record.size, record.sha256) == ("exec", len(text), sha256(text))


def test_a_program_that_makes_text_without_end_does_not_fill_the_spool(
    a_python: str, spool: Path, tmp_path: Path
) -> None:
    done = armed([a_python, program("more_operations.py"), "executes_many_texts"], spool, cwd=tmp_path)
    done.checked()
    *told_apart, rest = code_of(spool)
    assert len(told_apart) == len({record.sha256 for record in told_apart}) == 1000
    assert (rest.sha256, rest.size, rest.count) == (None, None, 2000)


def test_the_main_program_as_text_is_code(python: str, spool: Path, tmp_path: Path) -> None:
    text = "value = 1\nexec('value = 2')"
    armed([python, "-c", text], spool, cwd=tmp_path).checked()
    command, executed = code_of(spool)
    # CPython adds the end of the last line.
    assert (command.detail, command.target, command.sha256) == ("command", "<string>", sha256(text + "\n"))
    assert (executed.detail, executed.sha256) == ("exec", sha256("value = 2"))


def test_standard_input_is_code_without_a_hash(python: str, spool: Path, tmp_path: Path) -> None:
    armed([python], spool, stdin=b"value = 1\n", cwd=tmp_path).checked()
    (record,) = code_of(spool)
    assert (record.detail, record.target, record.sha256) == ("stdin", "<stdin>", None)


def test_a_traceback_is_no_code(python: str, spool: Path, tmp_path: Path) -> None:
    (tmp_path / "fails.py").write_text("value = 1\nvalue.nothing + value.no_such\n")
    assert armed([python, "fails.py"], spool, cwd=tmp_path).status == 1
    assert code_of(spool) == []


def test_a_class_of_the_program_is_not_asked(python: str, spool: Path, tmp_path: Path) -> None:
    """`dlsym` gives the library's object, whose class may be the program's."""
    argv = [python, program("more_operations.py"), "looks_up_in_a_class_of_its_own"]
    watched = armed(argv, spool, cwd=tmp_path).checked().stdout
    assert watched.count(b"asked for _name") <= 1  # what ctypes itself asks for
    assert any(record.target == "libc.so.6:getpid" for record in Kept(spool).records("native"))


def test_what_a_library_makes_of_text_is_neither_code_nor_a_module(
    python: str, spool: Path, tmp_path: Path
) -> None:
    library = tmp_path / "site-packages"
    library.mkdir()
    (library / "templating.py").write_text(
        "def render(text, name):\n    exec(compile(text, name, 'exec'), {})\n    exec(text)\n"
    )
    (tmp_path / "page.html").write_text("hello")
    program = "import templating; templating.render('value = 1', 'page.html')"
    armed([python, "-c", program], spool, cwd=tmp_path, PYTHONPATH=str(library)).checked()
    kept = Kept(spool)
    assert [record.detail for record in code_of(spool)] == ["command"]
    assert not [record for record in kept.records("import") if (record.destination or "").endswith(".html")]


def test_ordinary_programs_leave_no_false_records(python: str, spool: Path, tmp_path: Path) -> None:
    armed([python, program("ordinary.py")], spool, cwd=tmp_path).checked()
    kept = Kept(spool)
    quiet = ("code", "unpickle", "native", "copy", "chown", "utime", "xattr", "list", "map", "kill", "limit")
    records = [*kept.records(*quiet, "setenv", "registry", "tamper", "send", "http", "request")]
    assert [(record.kind, record.target, record.detail) for record in records] == []
    assert [record.target for record in kept.records("database")] == [":memory:"]
    assert kept.lost() == {}


def test_importing_pandas_leaves_no_false_records(spool: Path, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    import sys

    armed([sys.executable, "-c", "import pandas"], spool, cwd=tmp_path).checked()
    assert pandas
    kinds = {record.kind for record in Kept(spool).records()}
    assert kinds <= {"process", "script", "import", "code", "distributions", "open", "native", "blind"}
    # Its libraries may be too large to be looked into; none is said to go past the C library.
    assert {str(record.detail).split(":")[0] for record in Kept(spool).records("blind")} <= {"not examined"}
    assert [record.detail for record in code_of(spool)] == ["command"]
