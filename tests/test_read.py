"""`gnomon show`, `events` and `verify`, and what other tools read of a spool."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import gnomon as package
from commands import events, gnomon, run
from gnomon import _native
from watching import environment, program


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spool with one run: files, a connection, a child, names that are meant to confuse."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "program.py").write_text(
        "import json, os, socket, subprocess\n"
        "for _ in range(3): open('data.csv', 'w')\n"
        "open('data.csv').close()\n"
        "open('red \\x1b[31m name\\n', 'w')\n"
        "open(b'odd-\\xff', 'w')\n"
        "open('right-to-left \\u202e', 'w')\n"
        "server = socket.socket(); server.bind(('127.0.0.1', 0)); server.listen()\n"
        "socket.create_connection(('localhost', server.getsockname()[1]))\n"
        "subprocess.run(['true', 'an argument'])\n"
    )
    run(folder / "spool", "program.py", cwd=folder).checked()
    return folder / "spool"


def test_json_fields_are_the_arrow_columns(recorded: Path) -> None:
    words = (
        "time last_time count process seq pid kind access target destination requested host port address",
        "argv detail size sha256 file line function distribution via object source outcome failed errno",
        "bytes_out bytes_in verdict rule reason shadow_verdict shadow_rule",
    )
    expected = " ".join(words).split()
    assert package.columns() == expected
    for event in events(recorded):
        assert list(event) == expected
        assert event["time"].endswith("Z") and event["time"] <= event["last_time"]


@pytest.mark.parametrize(
    ("arguments", "targets"),
    [
        (["--kind", "spawn"], {"true"}),
        (["--kind", "spawn,fork", "--kind", "exec"], {"true"}),
        (["--path", "data.csv", "--kind", "open"], {"data.csv"}),
        (["--path", "*/data.*", "--kind", "open"], {"data.csv"}),
        (["--host", "localhost", "--kind", "connect"], None),
        (["--host", "127.0.0.1", "--kind", "connect"], None),
        (["--host", "example.com"], set()),
        (["--since", "1h", "--kind", "spawn"], {"true"}),
        (["--since", "2100-01-01"], set()),
        (["--process", "999999999"], set()),
    ],
)
def test_filters_choose_records(recorded: Path, arguments: list[str], targets: set[str] | None) -> None:
    found = {Path(event["target"]).name for event in events(recorded, *arguments)}
    if targets is None:
        assert found and all(name.startswith("localhost:") for name in found)
    else:
        assert found == targets


def test_a_process_is_chosen_by_pid_and_by_id(recorded: Path) -> None:
    (spawn,) = events(recorded, "--kind", "spawn")
    for name in (str(spawn["pid"]), spawn["process"], spawn["process"][:20]):
        assert events(recorded, "--kind", "spawn", "--process", name) == [spawn]


def test_exact_bytes_survive(recorded: Path) -> None:
    names = {os.fsencode(event["target"].rpartition("/")[2]) for event in events(recorded, "--kind", "open")}
    assert {b"odd-\xff", b"red \x1b[31m name\n", "right-to-left \u202e".encode()} <= names


def test_nothing_a_program_chose_reaches_a_terminal_unescaped(recorded: Path) -> None:
    for verb in ("events", "show"):
        text = gnomon(verb, recorded).checked().stdout.decode()
        assert "\x1b" not in text and "\u202e" not in text and "\udcff" not in text
        assert "red \\x1b[31m name\\n" in text and "odd-\\xff" in text


def test_show_tells_a_run_on_one_screen(recorded: Path) -> None:
    text = gnomon("show", recorded, COLUMNS="100").checked().stdout.decode()
    assert len(text.splitlines()) <= 40
    for expected in ("program.py", "exit code 0", "data.csv", "localhost:", "true 'an argument'"):
        assert expected in text
    answer = json.loads(gnomon("show", recorded, "--format", "json").checked().stdout)
    assert gnomon("show", recorded, "--run", answer["run"]["id"]).checked().stdout.decode() == text


def test_show_of_a_whole_spool_has_every_run(spool: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        run(spool, "-c", f"open({name!r}, 'w')", cwd=tmp_path).checked()
    last = gnomon("show", spool).checked().stdout.decode()
    assert "second" in last and "first" not in last
    everything = gnomon("show", "--all", spool).checked().stdout.decode()
    assert "first" in everything and "second" in everything


def test_the_default_spool_follows_the_platform(tmp_path: Path) -> None:
    home = {"XDG_STATE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    gnomon("run", "--quiet", "-c", "pass", **home).checked()
    assert gnomon("show", **home).checked().stdout
    place = tmp_path / "gnomon" / "spool"
    assert place.stat().st_mode & 0o777 == 0o700


def test_follow_shows_what_comes(spool: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gnomon", "events", str(spool), "--follow", "--kind", "mkdir"]
    with subprocess.Popen(
        [*command, "--format", "jsonl"], env=environment(), stdout=subprocess.PIPE
    ) as follower:
        assert follower.stdout is not None
        # The follower may start before or after these: it shows at least those that come later.
        for at in range(200):
            run(spool, "-c", f"import os; os.mkdir('d{at}')", cwd=tmp_path).checked()
            if _has_line(follower):
                break
        event = json.loads(follower.stdout.readline())
        assert event["kind"] == "mkdir"
        follower.terminate()


def _has_line(follower: subprocess.Popen[bytes]) -> bool:
    import select

    return bool(select.select([follower.stdout], [], [], 0)[0])


def test_verify_names_damage_with_file_and_offset(recorded: Path, tmp_path: Path) -> None:
    assert gnomon("verify", recorded).checked().stdout.rstrip().endswith(b"0 corrupt, 0 unreadable")
    broken = tmp_path / "broken"
    shutil.copytree(recorded, broken)
    (broken / "foreign.gnomon").write_bytes(b"PAR1" + bytes(100))
    segment = max(package.Spool(broken).verify(), key=lambda segment: segment.records)
    victim = Path(segment.path)
    content = bytearray(victim.read_bytes())
    content[segment.used_bytes - 12 - 32] ^= 0xFF  # before the tally, which no checksum covers
    victim.write_bytes(content)
    done = gnomon("verify", broken)
    assert done.status == 1
    lines = done.stdout.decode().splitlines()
    assert any(line.startswith(f"{victim}:") and "corrupt: bad checksum" in line for line in lines)
    assert any("foreign.gnomon:0: corrupt: not a segment" in line for line in lines)
    report = json.loads(gnomon("verify", broken, "--format", "json").stdout)
    assert report["corrupt"] == 2 and report["torn"] == 0
    assert gnomon("events", broken).status == 1


def test_bad_input_is_an_error_with_a_hint(tmp_path: Path, recorded: Path) -> None:
    for arguments, code in (
        (["show", tmp_path / "none"], 1),
        (["show", tmp_path], 1),
        (["show", recorded, "--run", "x"], 2),
        (["events", recorded, "--kind", "opne"], 2),
        (["events", recorded, "--verdict", "denied"], 2),
        (["events", recorded, "--since", "yesterday"], 2),
        (["events", recorded, "--colour"], 2),
        (["fly"], 2),
    ):
        done = gnomon(*arguments)
        assert done.status == code, (arguments, done)
        assert done.stderr.startswith(b"error: ") and b"Traceback" not in done.stderr
    assert b"hint:" in gnomon("show", tmp_path / "none").stderr


def test_output_may_be_cut_off(recorded: Path) -> None:
    command = f"{sys.executable} -m gnomon events {recorded} | head -n 1"
    done = subprocess.run(["sh", "-c", command], env=environment(), capture_output=True, check=True)
    assert done.stderr == b"" and done.stdout.count(b"\n") == 1


def test_arrow_readers_see_every_record(recorded: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    polars = pytest.importorskip("polars")
    pyarrow = pytest.importorskip("pyarrow")
    listed = events(recorded)
    spool = package.Spool(recorded)
    table = pyarrow.table(spool)
    assert table.column_names == package.columns()
    assert table.num_rows == len(listed)
    assert table["seq"].to_pylist() == [event["seq"] for event in listed]
    assert duckdb.sql("select count(*), sum(count) from spool").fetchall() == [
        (len(listed), sum(event["count"] for event in listed))
    ]
    # A new stream at each use.
    assert duckdb.sql("select argv from spool where kind = 'spawn'").fetchall() == [
        (["true", "an argument"],)
    ]
    assert polars.DataFrame(spool).height == len(listed)
    only = package.Spool(recorded, kinds=["spawn"])
    assert pyarrow.table(only).num_rows == 1


# One record of every shape that a verdict has: the golden spool of the format.
VERDICTS = Path(__file__).parent.parent / "src" / "core" / "tests" / "golden" / "v1-verdicts.gnomon"


def test_a_verdict_has_the_same_names_everywhere() -> None:
    names = ("outcome", "verdict", "rule", "reason", "shadow_verdict", "shadow_rule")
    leaves = ("deny", "organisation/nothing-leaves")
    expected = {
        "/data/hr/salaries.csv": ("denied", "deny", "finance/hr-data", None, None, None),
        "/data/public.csv": (None, "allow", "a/b", None, None, None),
        "/data/unspoken.csv": (None, None, None, None, None, None),
        "https://api.example.com/v1/upload": (None, "warn", "finance/uploads", None, *leaves),
        "/data/pay/1": (None, "justify", "finance/payments", "ticket 4711, password=***", None, None),
        "/data/pay/2": ("denied", "justify", "finance/payments", None, None, None),
        "/data/pay/3": (None, "justify", "finance/payments", "as ever", *leaves),
        "/data/observed.csv": (None, "allow", None, None, *leaves),
    }
    records = {record.target: record for record in package.Spool(VERDICTS).records()}
    listed = {event["target"]: event for event in events(VERDICTS)}
    for target, values in expected.items():
        assert tuple(getattr(records[target], name) for name in names) == values
        assert tuple(listed[target][name] for name in names) == values
    pyarrow = pytest.importorskip("pyarrow")
    rows = {row["target"]: row for row in pyarrow.table(package.Spool(VERDICTS)).to_pylist()}
    for target, values in expected.items():
        assert tuple(rows[target][name] for name in names) == values


@pytest.mark.parametrize(
    ("arguments", "targets"),
    [
        (["--verdict", "warn"], {"upload", None}),
        (["--verdict", "deny", "--rule", "finance"], {"salaries.csv", "bonuses.csv"}),
        (["--verdict", "deny", "--kind", "http"], {"upload"}),
        (["--verdict", "warn,deny", "--rule", "nothing-leaves"], {"upload", "3", "observed.csv"}),
        (["--verdict", "warn", "--verdict", "allow"], {"upload", None, "public.csv", "observed.csv"}),
        (["--rule", "finance/payments"], {"1", "2", "3"}),
        (["--rule", "organisation"], {"upload", "3", "observed.csv"}),
        (["--rule", "pay"], set()),
    ],
)
def test_records_are_chosen_by_verdict_and_rule(arguments: list[str], targets: set[str | None]) -> None:
    found = events(VERDICTS, *arguments)
    assert {event["target"] and Path(event["target"]).name for event in found} == targets


def test_lines_end_with_what_policy_said() -> None:
    lines = gnomon("events", VERDICTS).checked().stdout.decode().splitlines()
    for end in (
        " policy         loaded /etc/gnomon/finance.policy",
        "/data/hr/salaries.csv [deny finance/hr-data]",
        "/data/public.csv",
        "/data/unspoken.csv",
        "/upload [warn finance/uploads] [would deny organisation/nothing-leaves]",
        "/data/pay/1 [justify finance/payments: ticket 4711, password=***]",
        "/data/pay/2 [justify finance/payments, stopped]",
        "/data/observed.csv [would deny organisation/nothing-leaves]",
    ):
        assert any(line.endswith(end) for line in lines), (end, lines)


def test_the_outcome_of_an_exit_is_its_status(recorded: Path) -> None:
    (exit_,) = package.Spool(recorded, kinds=["exit"]).records()
    (listed,) = events(recorded, "--kind", "exit")
    assert (exit_.status, exit_.outcome, listed["outcome"]) == (0, "0", "0")
    assert listed["pid"] == exit_.child
    pyarrow = pytest.importorskip("pyarrow")
    assert pyarrow.table(package.Spool(recorded, kinds=["exit"]))["outcome"].to_pylist() == ["0"]


def test_a_live_process_can_be_read(spool: Path) -> None:
    command = [sys.executable, "-m", "gnomon", "run", "--quiet", "--spool", str(spool), "--"]
    with subprocess.Popen(
        [*command, program("is_signalled.py"), "SIGTERM"], env=environment(), stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None and child.stdout.readline() == b"ready\n"
        assert len(events(spool, "--kind", "script")) == 1
        segments = package.Spool(spool).verify()
        assert {segment.is_running for segment in segments if segment.process} == {True}
        child.terminate()
        child.wait(timeout=60)
    assert child.returncode == 7


def test_the_host_of_a_connect_is_the_name_that_was_resolved(recorded: Path) -> None:
    (connect,) = [event for event in events(recorded, "--kind", "connect") if event["address"] == "127.0.0.1"]
    assert connect["host"] == "localhost"
    assert connect["target"] == f"localhost:{connect['port']}"
    assert socket.inet_pton(socket.AF_INET, connect["address"])


def test_toml_is_read_as_plain_objects() -> None:
    text = 'a = 1\n[b]\nc = ["x", 1.5, true]\nd = 2026-01-01\n[[r]]\nz = {q = 1}\n[[r]]\n'
    assert _native.read_toml(text) == {
        "a": 1,
        "b": {"c": ["x", 1.5, True], "d": "2026-01-01"},
        "r": [{"z": {"q": 1}}, {}],
    }
    with pytest.raises(ValueError, match="line 1"):
        _native.read_toml("a =\n")
