"""The answer on one screen, from records made for the purpose."""

from __future__ import annotations

import json
import re
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from gnomon.answer import Answer, Gathered, as_json
from gnomon.causes import Cause, in_words
from gnomon.descent import walk
from gnomon.screen import as_text

_NULL = """
    access target destination requested host port address argv detail size sha256 file line function
    distribution via object status child outcome failed errno bytes_out bytes_in verdict rule reason
    shadow_verdict shadow_rule
"""


def _record(kind: str, target: str | None = None, **more: Any) -> Any:
    """A record with these fields; the others are null."""
    fields: dict[str, Any] = dict.fromkeys(_NULL.split())
    fields.update(kind=kind, target=target, count=1, process="p", pid=7, time=1, last_time=1, seq=0)
    fields["source"] = "audit"
    return SimpleNamespace(**{**fields, **more})


def _process(**more: Any) -> Any:
    known = {
        "id": "p",
        "role": "python",
        "pid": 7,
        "hook_proven": True,
        "native": "on",
        "forked": False,
        "user": "ann",
        "host": "laptop",
        "executable": "/usr/bin/python3",
        "python": "3.12.1",
        "argv": ["python3", "report.py"],
        "directory": "/desk",
        "started": 1,
        "ended": 2,
        "last_seen": 2,
        "script_form": "file",
        "script": "report.py",
        "script_file": "/desk/report.py",
        "script_sha256": "ab" * 32,
        "distributions": {},
        "lost": {},
        "is_forged": False,
    }
    null = "parent run parent_name environment status script_owner script_modified started_ticks boot managed"
    return SimpleNamespace(**{**dict.fromkeys(null.split()), **known, **more})


def _answer(*records: Any, processes: list[Any] | None = None) -> Answer:
    found = processes or [_process()]
    gathered = Gathered(found)
    for record in records:
        gathered.add(record)
    return gathered.answer(found, [])


def _by(line: int, distribution: str | None = None, via: str | None = None) -> dict[str, Any]:
    return {"file": "/desk/report.py", "line": line, "distribution": distribution, "via": via}


def _section(text: str, label: str) -> list[str]:
    """The lines of a section, without their margin."""
    lines = text.splitlines()
    (first,) = [at for at, line in enumerate(lines) if line.startswith(f"  {label} ")]
    found = [lines[first][13:]]
    for line in lines[first + 1 :]:
        if not line.startswith(" " * 13):
            break
        found.append(line[13:])
    return found


def test_each_thing_names_the_line_and_the_libraries() -> None:
    text = as_text(
        _answer(
            _record("open", "/data/orders.xlsx", access="read", **_by(12, "openpyxl", "pandas")),
            _record("open", "/data/out.csv", access="write", **_by(14)),
            _record(
                "http",
                "http://127.0.0.1:80/report",
                detail="POST",
                size=1123,
                host="127.0.0.1",
                port=80,
                **_by(30, "urllib3", "requests"),
            ),
            _record("connect", "127.0.0.1:80", host=None, address="127.0.0.1", port=80, **_by(30, "urllib3")),
            _record("connect", "db:5432", host="db", address="10.0.0.7", port=5432, **_by(31, "pymysql")),
            _record("database", "/desk/sales.db", detail="sqlite", **_by(40)),
            _record("spawn", "/bin/true", argv=["true"], **_by(50)),
        ),
        width=110,
    )
    assert re.search(r"/data/orders.xlsx +report.py:12 through openpyxl via pandas", text)
    assert re.search(
        r"POST http://127.0.0.1:80/report \(1,123 bytes\) +report.py:30 through urllib3 via req", text
    )
    assert _section(text, "Contacted")[0].startswith("db:5432  (10.0.0.7)")  # the called one is said once
    assert len(_section(text, "Contacted")) == 1
    assert re.search(r"Database +sales.db  sqlite +report.py:40", text)
    assert re.search(r"Started +true +report.py:50", text)
    # One column for all of them.
    assert len({line.index("report.py:") for line in text.splitlines() if "report.py:" in line}) == 1


def test_what_is_not_known_is_left_out() -> None:
    text = as_text(_answer(_record("open", "/data/orders.xlsx", access="read")), width=100)
    assert _section(text, "Read") == ["/data/orders.xlsx"]


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_no_line_is_wider_than_the_screen(width: int) -> None:
    deep = "/desk/" + "a folder with a long name/" * 3 + "orders of the month.xlsx"
    text = as_text(
        _answer(
            _record("open", deep, access="read", **_by(12, "openpyxl", "pandas")),
            _record("open", "/data/a", access="write", **_by(14)),
            _record("spawn", "x", argv=["x", *["argument"] * 40], **_by(50)),
        ),
        width=width,
    )
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize("width", [80, 120])
def test_hundreds_of_files_are_a_few_lines(width: int) -> None:
    months = [
        _record("open", f"/data/2026/d{at}.csv", access="read", **_by(8, "pandas")) for at in range(300)
    ]
    odd = [_record("open", f"/data/odd{at}/x", access="read", **_by(9)) for at in range(50)]
    made = [_record("open", f"/desk/out/{at}.json", access="write", count=2, **_by(20)) for at in range(120)]
    text = as_text(_answer(*months, *odd, *made), width=width)
    read = _section(text, "Read")
    assert read[0].startswith("/data/2026/  300 files: d0.csv, d1.csv … d299.csv")
    assert "report.py:8 through pandas" in text
    assert read[-1].startswith("… and ") and len(read) <= 16
    assert _section(text, "Wrote")[0].startswith("out/  120 files, 240 times: 0.json, 1.json … 119.json")
    assert len(text.splitlines()) <= 40


def test_tampering_is_shown_and_a_librarys_own_code_is_not() -> None:
    text = as_text(
        _answer(
            _record("code", "<string>", detail="exec", size=120, sha256="cd" * 32, **_by(3)),
            _record("code", "<attrs>", detail="exec", size=99, **_by(4, "attrs")),
            _record("code", "<string>", detail="command", size=99),
            _record("tamper", "sys.settrace", **_by(5)),
            _record("list", "/data", **_by(6)),
        ),
        width=100,
    )
    assert _section(text, "Ran code")[0].startswith("<string>  exec  120 bytes  sha256 cdcdcdcdcdcd…")
    assert len(_section(text, "Ran code")) == 1
    assert _section(text, "Tampered")[0].startswith("sys.settrace")


def test_a_pickle_that_can_act_is_shown_whoever_loads_it() -> None:
    text = as_text(
        _answer(
            _record("unpickle", "posix.system", **_by(3, "pandas")),
            _record("unpickle", "builtins.eval", **_by(4, "joblib")),
            _record("unpickle", "sklearn.tree._tree.Tree", **_by(4, "joblib")),
        ),
        width=100,
    )
    first, second = _section(text, "Unpickled")
    assert first.startswith("posix.system") and "report.py:3 through pandas" in first
    assert second.startswith("builtins.eval")


def test_a_programs_own_sources_and_a_probe_for_ipv6_are_no_news() -> None:
    text = as_text(
        _answer(
            _record("import", "own", destination="/desk/own.py"),
            _record("open", "/desk/own.py", access="read"),
            _record("open", "/desk/report.py", access="read"),
            _record("bind", "[::1]:0", **_by(1, "urllib3", "requests")),
        ),
        width=100,
    )
    assert _section(text, "Read") == ["no file"]
    assert "Listened" not in text


def test_of_the_clients_that_were_loaded_the_one_that_connected_is_named() -> None:
    loaded = [
        _record("import", name, destination=f"/l/site-packages/{name}.py") for name in ("aiohttp", "httpx2")
    ]
    connect = _record("connect", "api:443", host="api", port=443, **_by(3, "httpcore2", "openai"))
    assert _answer(*loaded, connect).coverage.connections_only == ["httpx2"]
    unknown = _record("connect", "api:443", host="api", port=443)
    assert _answer(*loaded, connect, unknown).coverage.connections_only == ["aiohttp", "httpx2"]


def test_a_client_whose_requests_show_is_not_named() -> None:
    loaded = _record("import", "httpx", destination="/l/site-packages/httpx.py")
    connect = _record("connect", "api:443", host="api", port=443, **_by(3, "httpcore", "httpx"))
    asked = _record("http", "https://api/x", detail="GET", host="api", port=443, source="native")
    assert _answer(loaded, connect).coverage.connections_only == ["httpx"]
    assert _answer(loaded, connect, asked).coverage.connections_only == []


def _told(outcome: str, errno: str | None = None, **more: Any) -> dict[str, Any]:
    """What native code tells of an operation."""
    failed = int(outcome == "failed")
    return {"source": "audit+native", "outcome": outcome, "failed": failed, "errno": errno, **more}


def test_what_failed_is_told_apart() -> None:
    answer = _answer(
        _record("open", "/desk/a.csv", access="read", **_told("done"), **_by(1)),
        _record("open", "/desk/none.txt", access="read", **_told("failed", "ENOENT"), **_by(2)),
        _record("open", "/desk/hr.csv", access="read", **_told("failed", "EACCES"), **_by(3)),
        _record("open", "/desk/odd", access="read", **_told("failed", "ELOOP"), **_by(4)),
        _record("open", "/desk/x/y", access="write", **_told("failed", "ENOENT"), **_by(5)),
        _record("open", "/usr/share/none", access="read", **_told("failed", "ENOENT"), **_by(6)),
        _record("open", "/etc/hosts", access="write", **_told("failed", "EACCES"), **_by(6)),
        _record("mkdir", "/desk/made", **_told("failed", "EEXIST"), **_by(7)),
        _record("connect", "db:5432", host="db", port=5432, **_told("failed", "ECONNREFUSED"), **_by(8)),
        _record("resolve", "db:5432", host="db", port=5432, **_told("done"), **_by(8)),
        _record("resolve", "nobody:1", host="nobody", port=1, **_told("failed", "EAI_NONAME"), **_by(9)),
        _record("bind", "127.0.0.1:80", **_told("failed", "EADDRINUSE"), **_by(10)),
        _record("spawn", "/no/such", argv=["/no/such"], **_told("failed", "ENOENT"), **_by(11)),
        _record("database", "/no/x.db", detail="connect", **_told("failed", "ENOENT"), **_by(12)),
    )
    text = as_text(answer, width=100)
    assert [line.partition("  report")[0].rstrip() for line in _section(text, "Read")] == [
        "a.csv",
        "none.txt  not there",
        "hr.csv  refused",
        "odd  failed: ELOOP",
    ]
    assert _section(text, "Wrote")[0].startswith("x/y  failed: there is no such folder")
    assert _section(text, "Wrote")[1].startswith("/etc/hosts  refused")
    assert _section(text, "Changed")[0].startswith("mkdir made  there already")
    assert [line.partition(")")[0] for line in _section(text, "Contacted")] == [
        "db:5432  (refused",
        "nobody  (no such name",
    ]
    assert _section(text, "Listened") == ["127.0.0.1:80  failed: in use"]
    assert _section(text, "Started")[0].startswith("/no/such  — could not be started")
    assert _section(text, "Database")[0].startswith("/no/x.db  not there")
    assert [use.path for use in answer.files] == ["/desk/a.csv"]
    failed = json.loads(as_json(answer))["failed"]
    assert failed[0] == {
        **{"kind": "open", "doing": "read", "target": "/desk/none.txt", "errno": "ENOENT"},
        **{"host": "/desk/none.txt", "port": None, "count": 1},
        "by": [{"file": "/desk/report.py", "line": 2, "function": "", "distribution": "", "via": ""}],
    }


def test_some_of_several_may_have_failed() -> None:
    told = {"source": "audit+native", "outcome": "done", "failed": 2, "errno": "ENOENT", "count": 5}
    answer = _answer(_record("open", "/desk/a.csv", access="read", **told, **_by(1)))
    assert (answer.files[0].reads, answer.failed[0].count) == (3, 2)
    # It was there later: that is what counts for a person.
    assert _section(as_text(answer, width=100), "Read") == ["a.csv  ×3  report.py:1"]


def test_many_files_that_are_not_there_are_one_line() -> None:
    looked = [
        _record("open", f"/desk/.config{at}", access="read", **_told("failed", "ENOENT"), **_by(1, "rich"))
        for at in range(9)
    ]
    refused = _record("open", "/desk/hr.csv", access="read", **_told("failed", "EACCES"), **_by(3))
    rows = _section(as_text(_answer(*looked, refused), width=100), "Read")
    assert rows == [rows[0], "and looked for 9 files that are not there"]
    assert rows[0].startswith("hr.csv  refused")


def test_bytes_are_summed_by_host() -> None:
    moved = {"bytes_out": 6_150, "bytes_in": 2_050_000, "count": 1}
    db = [
        _record("connect", "db:5432", host="db", address="10.0.0.7", port=5432, **moved, **_by(at))
        for at in (3, 4)
    ]
    api = _record("connect", "api:443", host="api", port=443, bytes_out=1, bytes_in=999, **_by(5))
    call = _record("http", "https://api/x", detail="GET", host="api", port=443, **_by(5))
    text = as_text(_answer(*db, api, call), width=100)
    assert _section(text, "Contacted")[0].startswith("db:5432  (10.0.0.7, 12.3 kB out, 4.1 MB in)  ×2")
    assert _section(text, "Called")[1] == "api:443: in all 1 byte out, 999 bytes in"


def test_a_database_is_told_once() -> None:
    native = {"source": "native", "outcome": "done", "failed": 0}
    both = {"access": "read+write+create", **native}
    answer = _answer(
        _record("database", "file:///desk/x.db?mode=rw", detail="connect", **_by(1)),
        _record("open", "/desk/x.db", **both, **_by(2)),
        _record("open", "/desk/x.db-wal", **both, **_by(2)),
        _record("open", "/desk/attached.db", **both, **_by(3)),
        _record("open", "/desk/attached.db-journal", **both, **_by(3)),
        _record("open", "/desk", access="read", **native, **_by(3)),
    )
    text = as_text(answer, width=100)
    assert [line.split()[0] for line in _section(text, "Read")] == ["attached.db"]
    assert [line.split()[0] for line in _section(text, "Wrote")] == ["attached.db"]
    # The program's own look at the file is told.
    backup = _record("open", "/desk/x.db", access="read", **_by(9))
    answer = _answer(_record("database", "/desk/x.db", detail="connect", **_by(1)), backup)
    assert _section(as_text(answer, width=100), "Read")[0].startswith("x.db")


def test_the_native_half_of_a_library_has_the_name_of_the_whole() -> None:
    native = {"source": "native", "access": "read"}
    text = as_text(
        _answer(
            _record("open", "/desk/a", **native, **_by(1, "polars_runtime_32", "polars")),
            _record("open", "/desk/b", **native, distribution="polars_runtime_32"),
            _record("open", "/desk/b", **native, **_by(2, "polars-runtime-32", "polars")),
        ),
        width=100,
    )
    assert [re.sub(r" {2,}", " ", line) for line in _section(text, "Read")] == [
        "a report.py:1 through polars",
        "b ×2 report.py:2 through polars",
    ]


def test_a_chain_of_a_thousand_programs_is_told_to_its_end() -> None:
    chain = [_process(id=str(at), parent=str(at - 1), pid=7, started=at) for at in range(1, 1001)]
    answer = _answer(processes=chain)
    assert sum(node.state == "recorded" for node in walk(answer.tree)) == 1000
    assert as_text(answer) and as_json(answer)


def test_processes_that_claim_each_other_as_parents_are_both_there() -> None:
    answer = _answer(processes=[_process(id="a", parent="b", pid=1), _process(id="b", parent="a", pid=2)])
    assert sorted(node.process.id for node in walk(answer.tree) if node.process) == ["a", "b"]


def test_what_an_older_gnomon_recorded_is_not_called_proven() -> None:
    text = as_text(_answer(processes=[_process(hook_proven=None, native=None)]), width=140)
    assert _section(text, "Coverage") == [
        "recorded by an older gnomon, which did not prove its hook: 1 processes"
    ]


def test_colours_change_no_word() -> None:
    answer = _answer(
        _record("spawn", "python", argv=["python", "-S", "x.py"], **_by(3)),
        _record("open", "/data/a", access="read", **_by(1)),
    )
    coloured = as_text(answer, colour=True, width=100)
    assert "\x1b[1m— not recorded\x1b[0m" in coloured
    assert re.sub(r"\x1b\[\dm", "", coloured) == as_text(answer, width=100)


def test_copies_are_a_read_and_a_write() -> None:
    answer = _answer(_record("copy", "/data/a", destination="/data/b", **_by(1)))
    assert [(use.path, use.reads, use.writes) for use in answer.files] == [
        ("/data/b", 0, 1),
        ("/data/a", 1, 0),
    ]


def test_causes_of_one_file_are_put_together() -> None:
    causes = [Cause("/w/a.py", line, "f", "pandas") for line in (9, 3)]
    assert in_words([*causes, Cause("/w/b.py", 1)]) == "a.py:3, 9 through pandas; b.py:1"
    assert in_words([Cause("", 0, "", "openpyxl", "pandas")]) == "through openpyxl via pandas"
    assert in_words([Cause("/w/x.ipynb[3]", 2, "", "ipython", "pandas")]) == "x.ipynb[3]:2 through pandas"
    assert in_words([Cause(f"/w/{at}.py", 1) for at in range(9)]) == "0.py:1; 1.py:1; and 7 more places"
    assert in_words([]) == ""


def _steps(records: list[Any]) -> int:
    """How many steps the interpreter takes from these records to the screen."""
    count = 0

    def trace(frame: Any, event: str, _: object) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        as_text(Answer.gathered([_process()], records, []))
    finally:
        sys.settrace(before)
    return count


def test_what_comes_by_the_thousand_takes_as_many_steps() -> None:
    def records(count: int) -> list[Any]:
        missing = {"outcome": "failed", "failed": 1, "errno": "ENOENT", "access": "read"}
        numbers = range(count)
        return [
            *(_record("open", f"/data/{number}.csv", **missing) for number in numbers),
            *(_record("open", f"/data/{number}.txt", access="read") for number in numbers),
            *(_record("open", f"/data/{number}.new", access="write") for number in numbers),
            *(_record("resolve", host=f"host-{number}.example.com") for number in numbers),
            *(_record("connect", host=f"{number}.example.com", port=443) for number in numbers),
            *(_record("transfer", host=f"{number}.example.com", port=443) for number in numbers),
        ]

    assert _steps(records(400)) < 2.5 * _steps(records(200))
