"""`gnomon diff`: what one run does that another did not, and that a program does the same as itself."""

from __future__ import annotations

import json
import re
import shutil
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import gnomon as package
from commands import gnomon, run
from gnomon.difference import Behaviour, compare
from gnomon.folding import are_random, fold, fold_path, fold_port, guesses
from watching import Ended

COURIER = {
    "1.4.0": """
        def send(order):
            return open(order).read()
    """,
    "1.5.0": """
        import json, os, socket, subprocess
        import trackr

        def send(order):
            open(os.path.join(os.path.dirname(order), "credentials.ini")).close()
            try:
                socket.create_connection(("localhost", 4711), 5)
            except OSError:
                pass
            subprocess.run(["true", "--collect"])
            return trackr.track(open(order).read())
    """,
}


def _install(folder: Path, name: str, version: str, code: str) -> None:
    """A package as pip leaves it."""
    libraries = folder / "site-packages"
    (libraries / name).mkdir(parents=True)
    (libraries / name / "__init__.py").write_text(textwrap.dedent(code))
    metadata = libraries / f"{name}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def _diff(*arguments: str | Path, **more: Any) -> dict[str, Any]:
    done = gnomon("diff", *arguments, "--format", "json", **more).checked()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _names(things: list[dict[str, Any]], kind: str) -> list[str]:
    return [thing["name"] for thing in things if thing["kind"] == kind]


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the spools `before` and `after` the upgrade of courier."""
    folder = tmp_path_factory.mktemp("upgraded")
    for version, place in (("1.4.0", "old"), ("1.5.0", "new")):
        _install(folder / place, "courier", version, COURIER[version])
        _install(folder / place, "stamps", "2.0", "")
    _install(folder / "new", "trackr", "0.1", "def track(text): return text\n")
    (folder / "order.txt").write_text("one pair of shoes\n")
    (folder / "credentials.ini").write_text("")
    (folder / "shop.py").write_text(
        "import os, stamps, courier\n"
        "def main():\n"
        "    courier.send(os.path.abspath('order.txt'))\n"
        "    open('receipt.txt', 'w').close()\n"
        "main()\n"
    )
    for spool, place in (("before", "old"), ("after", "new")):
        search_path = str(folder / place / "site-packages")
        run(folder / spool, "shop.py", cwd=folder, PYTHONPATH=search_path).checked()
    return folder


def test_an_upgrade_shows_what_the_new_version_does(upgraded: Path) -> None:
    found = _diff("before", "after", cwd=upgraded)
    (changed,) = found["changed"]
    assert changed["kind"] == "library" and changed["name"] == "courier"
    assert (changed["before"], changed["after"]) == (["1.4.0"], ["1.5.0"])
    assert _names(found["new"], "library") == ["trackr"]
    assert _names(found["new"], "read") == ["credentials.ini"]
    # Nobody listens there; that it was tried is news all the same.
    assert _names(found["new"], "tried") == ["connect localhost:4711"]
    assert _names(found["new"], "contact") == _names(found["new"], "lookup") == []
    assert _names(found["new"], "start") == ["true --collect"]
    assert found["gone"] == []
    assert found["same"]["write"] == 1 and found["same"]["library"] == 1
    (contact,) = (thing for thing in found["new"] if thing["kind"] == "tried")
    by = contact["by"]
    assert (Path(by["file"]).name, by["line"], by["distribution"]) == ("shop.py", 3, "courier")


def test_the_screen_names_line_and_library_new_first(upgraded: Path) -> None:
    text = gnomon("diff", "before", "after", cwd=upgraded, COLUMNS="100").checked().stdout.decode()
    assert re.search(r"^\+ In vain +connect localhost:4711 +shop.py:3 through courier$", text, re.MULTILINE)
    assert re.search(r"^\+ Read +credentials.ini +shop.py:3 through courier$", text, re.MULTILINE)
    assert re.search(r"^~ Libraries +courier 1.4.0 → 1.5.0$", text, re.MULTILINE)
    back = gnomon("diff", "after", "before", cwd=upgraded, COLUMNS="100").checked().stdout.decode()
    assert re.search(r"^- In vain +connect localhost:4711 +shop.py:3 through courier$", back, re.MULTILINE)
    assert text.index("New in B") < text.index("Changed from A to B") and "Gone" not in text
    assert "\x1b" not in text


def test_the_exit_code_tells_of_new_things_alone(upgraded: Path) -> None:
    def status(a: str, b: str, *options: str) -> int:
        return gnomon("diff", a, b, *options, cwd=upgraded).status

    assert status("before", "after", "--exit-code") == 1
    assert status("before", "after") == 0
    assert status("after", "before", "--exit-code") == 0
    assert status("before", "before", "--exit-code") == 0


def test_another_version_alone_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("import courier; courier.send('shop.py')\n")
    for version in ("1.4.0", "1.4.1"):
        _install(tmp_path / version, "courier", version, COURIER["1.4.0"])
        run(
            tmp_path / f"spool-{version}",
            "shop.py",
            cwd=tmp_path,
            PYTHONPATH=str(tmp_path / version / "site-packages"),
        ).checked()
    done = gnomon("diff", "./spool-1.4.0", "./spool-1.4.1", "--exit-code", cwd=tmp_path)
    assert done.status == 0 and "courier 1.4.0 → 1.4.1" in done.stdout.decode()
    assert "New" not in done.stdout.decode() and "Gone" not in done.stdout.decode()


# Each does what differs from run to run in its own way.
PROGRAMS = {
    "temporary": """
        import os, shutil, tempfile
        with tempfile.TemporaryDirectory() as folder:
            open(os.path.join(folder, "x"), "w").close()
            shutil.copy(os.path.join(folder, "x"), os.path.join(folder, "y"))
        tempfile.NamedTemporaryFile(dir=".").close()
        # One such name in five looks like any other word, but not all of a dozen.
        for prefix in ("work-", "report_") * 12:
            with tempfile.TemporaryDirectory(prefix=prefix) as folder:
                open(os.path.join(folder, "x"), "w").close()
            tempfile.NamedTemporaryFile(prefix=prefix, suffix=".csv").close()
            tempfile.NamedTemporaryFile(prefix=prefix, dir=".").close()
        tempfile.TemporaryFile().close()
    """,
    "names": """
        import datetime, hashlib, os, secrets, time, uuid
        now = datetime.datetime.now()
        names = [f"log-{os.getpid()}", f"worker{os.getpid()}.log"]
        names += [f"{now:%Y%m%d-%H%M%S}.csv", f"{now.isoformat()}.txt"]
        names += [str(uuid.uuid4()), uuid.uuid4().hex, f"run-{time.time()}", f"run-{time.time_ns()}.json"]
        names += [secrets.token_hex(8), hashlib.sha256(os.urandom(9)).hexdigest()]
        names += [f"at {now:%H:%M:%S}", f"{id(object()):#x}.bin"]
        for name in names:
            open(name, "w").close()
        os.makedirs(f"{now:%Y/%m/%d}", exist_ok=True)
        open(f"{now:%Y/%m/%d}/part.csv", "w").close()
        open("scratch", "w").close()
        os.replace("scratch", "result.csv")
    """,
    "children": """
        import os, subprocess, sys, tempfile
        with tempfile.NamedTemporaryFile(suffix=".txt") as file:
            subprocess.run([sys.executable, "-c", "import os; open(f'{os.getpid()}.log', 'w')", file.name])
            subprocess.run(f"echo {os.getpid()} > {file.name}", shell=True)
            subprocess.run(["true", f"--parent={os.getpid()}", f"--out={file.name}"])
        if os.fork() == 0:
            open(f"child-{os.getpid()}", "w").close()
            os._exit(0)
        os.wait()
    """,
    "pool": """
        import multiprocessing, os
        def work(at):
            open(f"part-{at}-{os.getpid()}.csv", "w").close()
        if __name__ == "__main__":
            for way in ("fork", "spawn"):
                with multiprocessing.get_context(way).Pool(2) as pool:
                    pool.map(work, range(8))
    """,
    "loopback": """
        import http.server, os, socket, tempfile, threading, urllib.request, uuid
        server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        for host in ("127.0.0.1", "localhost"):
            address = f"http://{host}:{server.server_port}"
            urllib.request.urlopen(f"{address}/program.py").close()
            urllib.request.urlopen(f"{address}/program.py?run={uuid.uuid4()}").close()
        server.shutdown()
        with tempfile.TemporaryDirectory() as folder:
            with socket.socket(socket.AF_UNIX) as end:
                end.bind(f"{folder}/socket")
    """,
    "state": """
        import os, shutil, sqlite3
        os.makedirs("made/deep", exist_ok=True)
        if os.path.exists("made/deep/old.txt"):
            os.remove("made/deep/old.txt")
        open("made/deep/old.txt", "w").close()
        sqlite3.connect("cache.db").execute("create table if not exists x (y)")
        exec("answer = 42")
        import helper
    """,
}


def _twice(spool: Path, folder: Path, *command: str | Path, **more: Any) -> dict[str, Any]:
    """The same command two times, and the difference."""
    for _ in range(2):
        run(spool, *command, cwd=folder, **more).checked()
    return _diff("last~1", "last", "--spool", spool, cwd=folder)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_does_the_same_as_itself(name: str, spool: Path, tmp_path: Path, python: str) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "program.py").write_text(textwrap.dedent(PROGRAMS[name]))
    (work / "helper.py").write_text("")
    found = _twice(spool, work, python, "program.py")
    assert (found["new"], found["changed"], found["gone"]) == ([], [], [])
    assert found["is_same"] and found["same"]


def test_pandas_does_the_same_as_itself(spool: Path, tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    (tmp_path / "program.py").write_text(
        "import pandas, tempfile, os\n"
        "table = pandas.DataFrame({'a': [1, 2]})\n"
        "with tempfile.TemporaryDirectory(prefix='pandas-') as folder:\n"
        "    table.to_csv(f'{folder}/a.csv')\n"
        "    table.to_pickle(f'{folder}/{os.getpid()}.pickle')\n"
        "    pandas.read_csv(f'{folder}/a.csv')\n"
    )
    found = _twice(spool, tmp_path, "program.py")
    assert (found["new"], found["changed"], found["gone"]) == ([], [], [])
    assert found["same"]["library"] >= 2


def _behaviour(pid: int, *records: dict[str, Any]) -> Behaviour:
    """What a process with this pid did, from records made for the purpose."""
    null = (
        "access target destination host port address argv detail sha256 file line function distribution via "
        "object outcome errno"
    )
    known = {"id": "p", "role": "python", "parent": None, "run": None, "pid": pid, "parent_pid": 1}
    known |= {"directory": "/desk", "user": "ann", "uid": 1000, "executable": "/usr/bin/python3"}
    known |= {"environment": None, "implementation": "cpython", "python": "3.12.1", "script": None}
    known |= {"script_file": None, "distributions": {}, "native": "on", "lost": {}, "hook_proven": True}
    behaviour = Behaviour([SimpleNamespace(**known)])  # type: ignore[list-item]
    for record in records:
        fields = {**dict.fromkeys(null.split()), "process": "p", "time": 1, "source": "audit", **record}
        behaviour.add(SimpleNamespace(**fields))  # type: ignore[arg-type]
    return behaviour


def test_short_pids_as_in_a_container_count_as_the_same() -> None:
    def did(pid: int, other: int) -> Behaviour:
        return _behaviour(
            pid,
            {"kind": "open", "access": "write", "target": f"/desk/worker{pid}.log"},
            {"kind": "open", "access": "read", "target": "/desk/part-7.csv"},
            {"kind": "open", "access": "read", "target": f"/desk/month-{other}.csv"},
            {"kind": "spawn", "target": "true", "argv": ["true", f"--parent={pid}"]},
        )

    assert compare(did(7, 3), did(19, 3)).is_empty
    found = compare(did(7, 3), did(19, 4))
    assert [thing.name for thing in found.new] == ["month-4.csv"]
    assert [thing.name for thing in found.gone] == ["month-3.csv"]


def test_what_failed_or_was_stopped_was_not_done() -> None:
    def did(outcome: str, errno: str | None = None) -> Behaviour:
        more = {"outcome": outcome, "errno": errno, "source": "audit+native"}
        return _behaviour(
            7,
            {"kind": "open", "access": "read", "target": "/data/x.csv", **more},
            {
                "kind": "connect",
                "host": "db",
                "address": "10.0.0.7",
                "port": 5432,
                "target": "db:5432",
                **more,
            },
            {"kind": "spawn", "target": "true", "argv": ["true"], **more},
        )

    def named(before: Behaviour, after: Behaviour) -> tuple[list[str], list[str]]:
        found = compare(before, after)
        return [str(thing.name) for thing in found.new], [str(thing.name) for thing in found.gone]

    done = ["db:5432", "/data/x.csv", "true"]
    assert named(did("failed", "ENOENT"), did("done")) == (done, ["connect db:5432", "start true"])
    # That a file is not there depends on earlier runs; that one is refused does not.
    assert named(did("done"), did("failed", "EACCES"))[0][0] == "read /data/x.csv"
    assert named(did("done"), did("denied"))[0] == ["read /data/x.csv", "connect db:5432", "start true"]
    assert named(did("denied"), did("denied")) == ([], [])


def test_what_sqlite_does_for_its_database_is_no_news() -> None:
    native = {"source": "native", "outcome": "done"}
    database = {"kind": "database", "detail": "connect", "target": "/desk/x.db"}
    journal = {"kind": "open", "access": "read+write+create", "target": "/desk/x.db-journal", **native}
    itself = {**journal, "target": "/desk/x.db"}
    folder = {"kind": "open", "access": "read", "target": "/desk", **native}
    removed = {"kind": "delete", "target": "/desk/x.db-journal", **native}
    found = compare(_behaviour(7, database), _behaviour(7, database, itself, journal, folder, removed))
    assert found.is_empty
    other = {**itself, "target": "/desk/attached.db"}
    found = compare(_behaviour(7, database), _behaviour(7, database, itself, other))
    assert [(thing.kind, thing.name) for thing in found.new] == [
        ("read", "attached.db"),
        ("write", "attached.db"),
    ]


def test_a_side_that_could_not_see_says_so(spool: Path, a_python: str) -> None:
    for name, native in (("off", "off"), ("auto", "auto")):
        code = "open('/dev/zero')"
        gnomon(
            "run", "--quiet", "--native", native, "--spool", spool.parent / name, a_python, "-c", code
        ).checked()
    found = _diff("off/", "auto/", cwd=spool.parent)
    (said,) = found["a"]["incomplete"]
    assert said.startswith("native code was not watched in 1 Python:")
    assert found["b"]["incomplete"] == []


def test_a_connection_without_a_name_has_that_of_its_address() -> None:
    named = {"kind": "connect", "host": "db.example", "address": "10.0.0.7", "port": 5432, "target": "x"}
    bare = {**named, "host": None}
    assert compare(_behaviour(7, named), _behaviour(8, bare)).is_empty
    other = {**bare, "address": "10.0.0.8"}
    assert [thing.name for thing in compare(_behaviour(7, named), _behaviour(8, other)).new] == [
        "10.0.0.8:5432"
    ]


def test_a_checkout_elsewhere_does_the_same(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "data").mkdir(parents=True)
        (tmp_path / name / "program.py").write_text(
            "import subprocess\nopen('data/x', 'w').close()\nsubprocess.run(['true', __file__])\n"
        )
        run(tmp_path / f"of-{name}", "program.py", cwd=tmp_path / name).checked()
    found = _diff(tmp_path / "of-one", tmp_path / "of-two")
    assert found["is_same"], found


def test_one_more_of_a_series_is_no_news_and_a_new_number_is(spool: Path, tmp_path: Path) -> None:
    program = "import sys\nfor name in sys.argv[1:]: open(name, 'w').close()\n"
    (tmp_path / "program.py").write_text(program)
    parts = [f"part-{at}.csv" for at in range(12)]
    run(spool, "program.py", "data1.csv", *parts[:10], cwd=tmp_path).checked()
    run(spool, "program.py", "data2.csv", *parts, cwd=tmp_path).checked()
    found = _diff("last~1", "last", "--spool", spool)
    assert _names(found["new"], "write") == ["data2.csv"]
    assert _names(found["gone"], "write") == ["data1.csv"]


def test_a_variable_with_another_value_counts_as_new(spool: Path, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("import os, sys; os.environ['HTTPS_PROXY'] = sys.argv[1]\n")
    for value in ("http://proxy:3128", "http://proxy:8080"):
        run(spool, "program.py", value, cwd=tmp_path).checked()
    done = gnomon("diff", "last~1", "last", "--spool", spool, "--exit-code")
    assert done.status == 1
    assert re.search(r"~ Set +HTTPS_PROXY http://proxy:3128 → http://proxy:8080", done.stdout.decode())


def test_a_changed_script_is_told_and_is_no_failure(spool: Path, tmp_path: Path) -> None:
    for text in ("pass", "pass  # again"):
        (tmp_path / "program.py").write_text(text)
        run(spool, "program.py", cwd=tmp_path).checked()
    done = gnomon("diff", "last~1", "last", "--spool", spool, "--exit-code").checked()
    assert re.search(r"~ Script +program.py  sha256 \w{12}… → \w{12}…", done.stdout.decode())


def test_runs_are_chosen_by_id_by_age_and_by_time(spool: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        run(spool, "-c", f"open({name!r}, 'w')", cwd=tmp_path).checked()
    first, second = (process.id for process in package.Spool(spool).processes()[0] if process.role == "run")
    expected = _diff("last~1", "last", "--spool", spool)
    assert _names(expected["new"], "write") == ["b"]
    by_id = _diff(first, second[: _unique(first, second)], "--spool", spool)
    assert by_id["new"] == expected["new"] and by_id["gone"] == expected["gone"]
    for window in ("1d", "1d..", "2020-01-01..", "2020-01-01..2100-01-01T00:00"):
        by_time = _diff(first, window, "--spool", spool)
        assert _names(by_time["new"], "write") == ["b"] and by_time["gone"] == []
    assert _names(_diff("last", spool, "--spool", spool)["new"], "write") == ["a"]


def _unique(one: str, other: str) -> int:
    return next(at for at in range(len(one)) if one[at] != other[at]) + 1


@pytest.mark.parametrize(
    ("name", "message", "status"),
    [
        ("last~9", "cannot find `last~9`: there are 2 runs in", 1),
        ("0000abcd", "cannot find run `0000abcd` in", 1),
        ("01", "cannot compare `01`: it is no spool, run or time", 1),
        ("nonsense", "cannot compare `nonsense`: it is no spool, run or time", 1),
        ("./missing", "cannot read spool `./missing`: there is none", 1),
        ("2020-02-01..2020-01-01", "cannot compare `2020-02-01..2020-01-01`: it ends before it begins", 2),
        ("2020-02-31", "cannot understand the time `2020-02-31`", 2),
        ("x..7d", "cannot understand the time `x`", 2),
        ("2020-01-01", "cannot compare `2020-01-01`: nothing is recorded there", 1),
    ],
)
def test_what_cannot_be_found_is_an_error_with_a_hint(
    upgraded: Path, tmp_path: Path, name: str, message: str, status: int
) -> None:
    spool = tmp_path / "spool"
    shutil.copytree(upgraded / "before", spool)
    for segment in (upgraded / "after").iterdir():
        shutil.copy(segment, spool)
    done = gnomon("diff", name, "last", "--spool", spool, cwd=tmp_path)
    assert done.status == status and done.stdout == b""
    error = done.stderr.decode()
    assert f"error: {message}" in error and "hint: " in error
    if name in ("last~9", "0000abcd", "2020-01-01"):
        assert error.count("shop.py") == 2  # the newest runs, to copy an id from


def test_what_a_program_chose_is_escaped(spool: Path, tmp_path: Path) -> None:
    run(spool, "-c", "pass", cwd=tmp_path).checked()
    run(spool, "-c", "open('red \\x1b[31m\\n\\u202e', 'w'); open(b'odd-\\xff', 'w')", cwd=tmp_path).checked()
    done: Ended = gnomon("diff", "last~1", "last", "--spool", spool).checked()
    text = done.stdout.decode()
    assert "\x1b" not in text and "\u202e" not in text
    assert "red \\x1b[31m\\n" in text and "odd-\\xff" in text
    assert (
        "odd-\\udcff"
        in gnomon("diff", "last~1", "last", "--spool", spool, "--format", "json").stdout.decode()
    )


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("tmpab12cd34", "tmp*"),
        ("analyst-gyzjz1p1", "analyst-*"),
        ("x-4711.log", "x-*.log"),
        ("out-20261122-152844.csv", "out-*.csv"),
        ("2026-11-22T09:30:00.123456+00:00", "*"),
        ("22.11.2026", "*"),
        ("report-Nov-2026", "report-*"),
        ("2026-W47", "*"),
        ("d41d8cd98f00b204e9800998ecf8427e", "*"),
        ("3f2a9c1e-0000-4000-8000-00805f9b34fb", "*"),
        ("1763800000.123", "*"),
        ("backup1763800000", "backup*"),
        ("object at 0x7f12ab", "object at *"),
        ("Xk3_9aZQ-pLm2Wv7RtYb0c", "*"),
        # These tell things apart.
        ("v2", "v2"),
        ("data2.csv", "data2.csv"),
        ("report-7.csv", "report-7.csv"),
        ("python3.11", "python3.11"),
        ("manylinux2014_x86_64", "manylinux2014_x86_64"),
        ("requests-2.31.0", "requests-2.31.0"),
        ("my_file1", "my_file1"),
        ("utf-8", "utf-8"),
        ("libssl.so.3", "libssl.so.3"),
        ("customer.csv", "customer.csv"),
        ("My-Long-CamelCase-File-Name2", "My-Long-CamelCase-File-Name2"),
        ("report_q3_fy26_v2_final_2", "report_q3_fy26_v2_final_2"),
        ("report_final-Version-A1", "report_final-Version-A1"),
        ("internationalization", "internationalization"),
        ("x86_64-linux-gnu", "x86_64-linux-gnu"),
        ("decimal32", "decimal32"),
    ],
)
def test_names_are_folded(name: str, folded: str) -> None:
    assert fold(name) == folded
    assert fold(folded) == folded


@pytest.mark.parametrize(
    ("path", "folded"),
    [
        ("/tmp/qeviiayl", "/tmp/*"),
        ("/tmp/customer.csv", "/tmp/customer.csv"),
        ("/tmp/pytest-of-ann/pytest-3/test_x0/out.csv", "/tmp/pytest-of-*/pytest-*/test_x0/out.csv"),
        ("/proc/47/status", "/proc/*/status"),
        ("/data/2026/11/22/x.csv", "/data/*/x.csv"),
        ("/data/year=2026/month=3/x", "/data/year=*/month=*/x"),
        ("/etc/passwd", "/etc/passwd"),
    ],
)
def test_paths_are_folded(path: str, folded: str) -> None:
    assert fold_path(path) == folded


def test_a_port_that_the_system_chose_is_any_port() -> None:
    assert [fold_port(port) for port in (None, 0, 443, 8080, 32767, 32768, 60999)] == [
        *("*", "*", "443", "8080", "32767", "*", "*")
    ]


def test_a_word_like_any_other_is_random_only_beside_another() -> None:
    assert list(guesses("dump-customer.csv")) == [("dump-*.csv", "customer")]
    assert are_random("gyzjzapq", "kbmwuqhe")
    assert not are_random("my_file1", "my_file2")
