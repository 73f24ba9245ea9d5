"""`gnomon watch` on real spools: what it counts while programs run, and what a person sees and does."""

from __future__ import annotations

import collections
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import gnomon
from gnomon import Live, Look
from obeying import policy
from watching import armed, armed_environment, environment, program

pytest.importorskip("rich", reason="gnomon[report] is not installed")
pytest.importorskip("pyte", reason="pyte, which stands for the terminal, is not installed")

from terminals import Seat

_PATIENCE_SECONDS = 60
PACKAGE = str(Path(gnomon.__file__).resolve().parent.parent)


class Worker:
    """A recorded program that opens what it is told to."""

    def __init__(self, spool: Path, path: str | None = None, **more: str) -> None:
        self.program = subprocess.Popen(
            [sys.executable, path or program("works_on_request.py")],
            env=armed_environment(spool, **more),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def open(self, path: object, times: int = 1) -> None:
        """Opens `path` so often, and returns when that is done."""
        assert self.program.stdin and self.program.stdout
        self.program.stdin.write(f"{times} {path}\n")
        self.program.stdin.flush()
        assert self.program.stdout.readline() == "done\n"

    def end(self) -> None:
        """Lets it end."""
        self.program.communicate()


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    folder = tmp_path / "spool"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def worker(spool: Path) -> Iterator[Worker]:
    started = Worker(spool)
    yield started
    started.program.kill()
    started.program.communicate()


class Counted:
    """All that a `Live` told so far."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.records: collections.Counter[str] = collections.Counter()
        self.events: collections.Counter[str] = collections.Counter()
        self.targets: collections.Counter[str] = collections.Counter()
        self.lives: dict[int, str] = {}
        self.faults: list[str] = []
        self.waiting = 0

    def look(self) -> Look:
        found = self.live.look(40)
        for _, kind, records, events, _ in found.counts:
            self.records[kind] += records
            self.events[kind] += events
        for _, record in found.newest:
            self.targets[str(record.target)] = record.count
        self.lives.update((process.pid, process.life) for process in found.processes)
        self.faults += [str(fault.path) for fault in found.faults]
        self.waiting = found.waiting
        return found

    def until(self, fact: Callable[[Counted], bool]) -> None:
        end = time.monotonic() + _PATIENCE_SECONDS
        while not fact(self):
            self.look()
            assert time.monotonic() < end, (self.events, self.lives, self.faults)


def test_repeats_and_rotation_are_counted_exactly_while_a_program_runs(spool: Path, worker: Worker) -> None:
    counted = Counted(gnomon.Spool(spool).live())
    worker.open("/nowhere/first.csv", 5)
    counted.until(lambda it: it.targets["/nowhere/first.csv"] == 5)
    worker.open("/nowhere/first.csv", 1000)
    counted.until(lambda it: it.targets["/nowhere/first.csv"] == 1005)
    for number in range(300):
        worker.open(f"/nowhere/{'x' * 200}{number}.csv", 3)  # more than the first segment holds
        if number % 50 == 0:
            counted.look()
    worker.end()
    pid = worker.program.pid
    counted.until(lambda it: it.lives.get(pid) == "gone")
    assert len(list(spool.glob("*.gnomon"))) > 2
    records = list(gnomon.Spool(spool).records())
    expected: collections.Counter[str] = collections.Counter()
    for record in records:
        expected[record.kind] += record.count
    counted.until(lambda it: it.events == expected)
    for _ in range(20):  # and no more
        counted.look()
    assert counted.events == expected and expected["open"] >= 1905
    assert counted.records == collections.Counter(record.kind for record in records)
    assert counted.faults == []


def test_what_was_there_before_is_read_in_parts_the_newest_first(spool: Path) -> None:
    for number in range(4):
        armed(
            [sys.executable, "-c", f"open('/dev/null'); open({str(spool)!r} + '/none-{number}', 'w')"], spool
        )
    counted = Counted(gnomon.Spool(spool).live())
    found = counted.live.look(0)
    assert found.waiting == found.files > 3 and not found.counts
    counted.waiting = found.waiting
    counted.until(lambda it: not it.waiting)
    assert counted.records == collections.Counter(record.kind for record in gnomon.Spool(spool).records())


def test_what_is_asked_for_is_shown_among_much_else(spool: Path, worker: Worker) -> None:
    live = gnomon.Spool(spool).live()
    counted = Counted(live)
    live.ask(kinds=["open"], text="NEEDLE")
    worker.open("/nowhere/Needle.csv")
    for number in range(400):
        worker.open(f"/nowhere/{number}.csv")
    counted.until(lambda it: "/nowhere/399.csv" in it.targets)
    assert counted.targets["/nowhere/Needle.csv"] == 1
    with pytest.raises(ValueError, match="no kind of event"):
        live.ask(kinds=["nonsense"])


def test_a_spool_may_go_away_and_come_back(spool: Path, worker: Worker) -> None:
    live = gnomon.Spool(spool).live()
    counted = Counted(live)
    counted.until(lambda it: it.events["process"] == 1)
    worker.end()
    shutil.rmtree(spool)
    with pytest.raises(FileNotFoundError):
        while True:
            live.look(40)
    spool.mkdir(mode=0o700)
    again = Worker(spool)
    counted.until(lambda it: it.events["process"] == 2)
    again.end()


def may_run(python: str) -> bool:
    """Whether another user can run it, with this gnomon."""
    try:
        argv = [python, "-c", "import gnomon._native"]
        done = subprocess.run(
            argv, env=environment(PYTHONPATH=PACKAGE), user=65534, capture_output=True, check=False
        )
    except OSError:
        return False
    return done.returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's directory needs root")
def test_directories_of_users_are_followed_and_those_that_cannot_be_read_are_named() -> None:
    with tempfile.TemporaryDirectory() as folder:
        spool = Path(folder)
        spool.chmod(0o755)
        for uid, mode in ((65534, 0o755), (65533, 0o700)):
            (spool / str(uid)).mkdir()
            os.chown(spool / str(uid), uid, uid)
            (spool / str(uid)).chmod(mode)
        armed([sys.executable, "-c", "pass"], spool / "65534")
        for file in (spool / "65534").iterdir():
            os.chown(file, 65534, 65534)
        code = "import gnomon, sys; it = gnomon.Spool(sys.argv[1]).live(); found = it.look(1000)"
        code += (
            "; print(sum(row[3] for row in found.counts) > 0, [str(fault.path) for fault in found.faults])"
        )
        python = next(filter(may_run, [sys.executable, "/usr/bin/python3"]), None)
        if python is None:
            pytest.skip("that user can run no Python with this gnomon")
        done = subprocess.run(
            [python, "-c", code, str(spool)],
            env=environment(PYTHONPATH=PACKAGE),
            user=65534,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == ["True", f"['{spool}/65533']"]


def command(spool: Path) -> list[str]:
    return [sys.executable, "-m", "gnomon", "watch", str(spool)]


def seat(spool: Path, columns: int = 120, lines: int = 36, **more: str) -> Seat:
    return Seat(command(spool), environment(PYTHONPATH=PACKAGE, **more), columns, lines)


def test_a_person_filters_pauses_and_leaves(spool: Path, worker: Worker) -> None:
    with seat(spool) as before:
        worker.open("/nowhere/plans.csv", 7)
        before.until_shown("works_on_request.py", "running", "/nowhere/plans.csv", "×7", "live")
        before.type("/")
        before.until_shown("text:")
        before.type("budget\r")
        before.until(lambda text: "esc: everything" in text and "plans.csv" not in text)
        worker.open("/nowhere/budget.csv")
        before.until_shown("/nowhere/budget.csv")
        before.type("\x1b")
        before.until_shown("plans.csv", "budget.csv")
        before.type("k")
        before.until_shown("Which kind of event?", "every kind")
        before.type("\x1b[B\r")
        before.until_shown("kind open", "esc: everything")
        before.type("\x1b")
        before.until(lambda text: "esc: everything" not in text)
        before.type(" ")
        before.until_shown("paused")
        worker.open("/nowhere/unseen.csv", 40)
        before.until_shown("paused: 40 events since")
        assert "unseen.csv" not in before.text
        before.type(" ")
        before.until_shown("live", "unseen.csv")
        before.type("1\r")
        before.until_shown("esc: everything", f"process {worker.program.pid}")
        before.type("?")
        before.until_shown("Help", "another pane")
        before.type("x2\r")
        before.until_shown("Event", "seen by")
        before.type("xq")
        assert before.ended() == 0 and before.is_as_before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_any_way_out_restores_the_terminal(spool: Path, number: signal.Signals) -> None:
    with seat(spool) as before:
        before.until_shown("gnomon watch", "live")
        assert not before.is_as_before
        before.signal(number)
        assert before.ended() in (130, 128 + number)
        assert before.is_as_before and "Traceback" not in before.text


@pytest.mark.skipif(shutil.which("bash") is None, reason="a shell with job control is needed")
def test_stopped_it_gives_the_terminal_back_and_goes_on_later(spool: Path) -> None:
    shell = ["bash", "-mc", '"$@"; echo back in the shell; read line; fg; echo left', "bash", *command(spool)]
    with Seat(shell, environment(PYTHONPATH=PACKAGE)) as before:
        before.until_shown("live", "quit")
        before.type("\x1a")
        before.until_shown("back in the shell")
        assert 1049 not in before.screen.private and not before.screen.cursor.hidden
        before.screen.reset()
        before.type("\n")
        before.until_shown("gnomon watch", "live", "quit")
        before.type("q")
        assert before.ended() == 0 and before.is_as_before


def test_nothing_is_written_to_the_spool_and_its_end_is_survived(spool: Path, worker: Worker) -> None:
    with seat(spool, 80, 24) as before:
        before.until_shown("works_on_request.py")
        worker.end()
        before.until_shown("0 of 1 processes running", "ended")
        files = {path: path.stat().st_mtime_ns for path in spool.iterdir()}
        before.type("s")
        before.until_shown("by events")
        assert {path: path.stat().st_mtime_ns for path in spool.iterdir()} == files
        shutil.rmtree(spool)
        before.until_shown("spool not readable", "waiting for it")
        spool.mkdir(mode=0o700)
        before.until(lambda text: "not readable" not in text)
        before.type("q")
        assert before.ended() == 0


@pytest.mark.parametrize("size", [(40, 10), (80, 24), (300, 100)])
def test_hostile_names_do_not_break_the_screen(spool: Path, tmp_path: Path, size: tuple[int, int]) -> None:
    script = tmp_path / "\x1b[2J\x1b[31mevil\n\u202egnp\u200d世界e\u0301\x07.py"
    shutil.copy(program("works_on_request.py"), script)
    hostile = Worker(spool, str(script))
    with seat(spool, *size) as before:
        before.type("1")
        before.until_shown("\\x1b[2J")
        hostile.open(f"/nowhere/\x1b[H\x1b]0;title\x07\u2066{'界' * 60}.csv")
        before.type("2")
        before.until(lambda text: "界.csv" in text.replace(" ", ""))
        assert "gnomon watch" in before.screen.display[0] and "q" in before.screen.display[-1]
        assert before.screen.title == ""
        before.resize(40, 10)
        before.until(lambda text: "gnomon watch" in text.split("\n")[0] and "2 Newest" in text.split("\n")[2])
        before.type("q")
        assert before.ended() == 0
    hostile.end()


def test_verdicts_are_coloured_or_only_words(spool: Path, tmp_path: Path) -> None:
    rules = policy('name = "finance"\n[[rule]]\nid = "hr"\npath = "**/hr.csv"\naction = "deny"\n', tmp_path)
    denied = Worker(spool, GNOMON_POLICY=rules)
    denied.open("/nowhere/hr.csv", 3)
    for more in ({}, {"NO_COLOR": "1"}):
        with seat(spool, **more) as before:
            before.until_shown("deny finance/hr", "3 deny", "/nowhere/hr.csv")
            rows = [number for number, line in enumerate(before.screen.display) if "/nowhere/hr.csv" in line]
            colours = {cell.fg for row in rows for cell in before.screen.buffer[row].values()}
            assert ("red" in colours) == (not more)
            assert more == {} or colours == {"default"}
            before.type("v")
            before.until_shown("what policy spoke of", "/nowhere/hr.csv")
            before.type("3\r")
            before.until_shown("verdict deny", "finance/hr")
            before.type("q")
            assert before.ended() == 0
    denied.end()


def test_once_prints_what_is_there_and_a_pipe_is_no_terminal(spool: Path) -> None:
    armed([sys.executable, "-c", "open('/nowhere/x.csv') if 0 else None"], spool)
    argv = command(spool)
    env = environment(PYTHONPATH=PACKAGE)
    done = subprocess.run([*argv, "--once"], env=env, capture_output=True, text=True, check=True)
    assert "0 of 1 processes running" in done.stdout and "\x1b" not in done.stdout
    failed = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert failed.returncode == 1 and failed.stdout == ""
    assert "no terminal" in failed.stderr and "hint: `gnomon watch --once`" in failed.stderr
