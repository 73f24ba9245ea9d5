"""What a person and a program see when a policy speaks: the exception, the warning, the question."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import select
import subprocess
import termios
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import gnomon
from obeying import policy, under
from watching import Ended, Kept, armed_environment, bare, program

PACKAGE = str(Path(gnomon.__file__).resolve().parent.parent)
RULES = """
name = "finance"

[[rule]]
id = "no-hr"
path = "/protected/"
action = "deny"
message = "Salaries stay with HR."
owner = "it@example.org"

[[rule]]
id = "no-host"
host = "protected.example"
action = "deny"
message = "Salaries stay with HR."
owner = "it@example.org"

[[rule]]
id = "no-module"
module = "protected.pay"
action = "deny"
message = "Salaries stay with HR."
owner = "it@example.org"
"""


class Denied:
    """Runs the subject that is denied things."""

    def __init__(self, folder: Path, spool: Path) -> None:
        self._policy, self._spool = policy(RULES, folder), spool
        self._modules = folder / "modules"
        (self._modules / "protected").mkdir(parents=True)
        for name in ("__init__.py", "pay.py"):
            (self._modules / "protected" / name).write_text("")

    def does(self, python: str, behaviour: str, *search_path: str) -> Ended:
        command = [python, "-X", "dev", "-W", "ignore", program("denials.py"), behaviour]
        return under(
            self._policy,
            command,
            self._spool,
            PYTHONPATH=os.pathsep.join([str(self._modules), *search_path]),
            FILE_OF_MODULE=str(self._modules / "protected/pay.py"),
        )


@pytest.fixture
def denied(tmp_path: Path, spool: Path) -> Denied:
    return Denied(tmp_path, spool)


@pytest.mark.parametrize(
    "behaviour",
    ["file", "module", "handlers", "representation", "copies", "pools", "quiet", "subinterpreters", "many"],
)
def test_a_denial_is_the_natural_error(python: str, denied: Denied, behaviour: str) -> None:
    done = denied.does(python, behaviour).checked()
    assert (done.stdout, done.stderr) == (b"", b"")


def test_a_denial_is_gnomon_s_own_error_too(python: str, denied: Denied) -> None:
    done = denied.does(python, "classes", PACKAGE).checked()
    assert (done.stdout, done.stderr) == (b"", b"")


def test_an_operation_is_stopped_even_where_there_is_no_memory(python: str, denied: Denied) -> None:
    if bare([python, "-c", "import _testcapi"]).status:
        pytest.skip("this CPython has no _testcapi, which takes memory away")
    done = denied.does(python, "memory").checked()
    assert (done.stdout, done.stderr) == (b"", b"")


@pytest.mark.parametrize("behaviour, rule", [("uncaught_file", "no-hr"), ("uncaught_module", "no-module")])
def test_a_traceback_ends_with_the_message_and_nothing_else(
    python: str, denied: Denied, behaviour: str, rule: str
) -> None:
    done = denied.does(python, behaviour)
    assert done.status == 1
    told = done.stderr.decode().split("\ngnomon.PolicyDenied: ")[1].splitlines()
    assert told[0].endswith(f" by the policy rule finance/{rule}")
    assert told[1:] == [
        "  Why: Salaries stay with HR.",
        "  Ask: it@example.org",
        f"  To ask for an exception: gnomon policy request finance/{rule}",
    ]


def test_a_denial_is_read_where_no_gnomon_is(python: str, denied: Denied) -> None:
    pickled = denied.does(python, "to_stdout").checked().stdout
    code = (
        "import pickle, sys\n"
        "for error in pickle.load(sys.stdin.buffer):\n"
        "    print(type(error).__name__, getattr(error, 'errno', None), error.rule)\n"
    )
    done = bare([python, "-I", "-S", "-c", code], stdin=pickled).checked()
    assert done.stdout.decode().splitlines() == [
        f"PermissionError {errno.EACCES} finance/no-hr",
        "ImportError None finance/no-module",
    ]


WARNS = '[[rule]]\nid = "warns"\npath = "**/warned*"\naction = "warn"\nmessage = "Seen."\n'


def warning(name: bytes, line: int) -> bytes:
    return b"gnomon: warning: writing %b at is_warned.py:%d: Seen. (policy rule test/warns)\n" % (name, line)


WARNING = warning(rb"warned \x1b[31m\nred", 10)


def test_a_warning_is_one_line(python: str, tmp_path: Path, spool: Path) -> None:
    command = [python, program("is_warned.py"), "plainly"]
    assert under(policy(WARNS, tmp_path), command, spool, cwd=tmp_path) == Ended(0, b"", WARNING)


@pytest.mark.parametrize(
    "behaviour, stdout, stderr",
    [
        ("to_data", b"0\n", b""),
        ("to_data_from_the_start", b"0\n", b""),
        ("closed", b"", b""),
        ("restored", b"", b""),
        ("quiet", b"['open']\n", warning(b"warned", 10)),
    ],
)
def test_a_warning_harms_no_program(
    a_python: str, behaviour: str, stdout: bytes, stderr: bytes, tmp_path: Path, spool: Path
) -> None:
    command = [a_python, program("is_warned.py"), behaviour]
    if behaviour == "to_data_from_the_start":
        command = ["sh", "-c", 'exec "$@" 2>&-', "sh", *command]
    assert under(policy(WARNS, tmp_path), command, spool, cwd=tmp_path) == Ended(0, stdout, stderr)


@pytest.mark.parametrize(
    "behaviour, stdout",
    [
        ("nobody_reads", b"alive\n"),
        ("handler_of_the_program", b"[]\n"),
        ("too_large", b"alive\n"),
        ("full", b"alive\n"),
    ],
)
def test_a_warning_that_cannot_be_written_harms_no_program(
    a_python: str, behaviour: str, stdout: bytes, tmp_path: Path, spool: Path
) -> None:
    reader, writer = os.pipe()
    if behaviour == "too_large":
        os.close(writer)
        writer = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    child = subprocess.Popen(
        [a_python, program("is_warned.py"), behaviour],
        env=armed_environment(spool, GNOMON_POLICY=policy(WARNS, tmp_path)),
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=writer,
    )
    os.close(writer)
    if behaviour != "full":
        os.close(reader)
    told, _ = child.communicate(timeout=60)
    if behaviour == "full":
        os.close(reader)
    assert (child.returncode, told) == (0, stdout)
    records = [record for record in Kept(spool).records("open") if record.rule]
    assert records and {record.verdict for record in records} == {"warn"}


@dataclass
class Person:
    """Somebody at a terminal, with a program in the foreground."""

    program: subprocess.Popen[bytes]
    terminal: int
    seen: bytes = field(default=b"")

    def reads(self, text: bytes) -> None:
        """Waits until `text` is on the terminal, and looks at what comes next from there on."""
        while text not in self.seen:
            self._look()
        self.seen = self.seen.split(text, 1)[1]

    def types(self, keys: bytes) -> None:
        os.write(self.terminal, keys)

    def hears(self) -> str:
        """The next line that the program prints to its output, which is no terminal."""
        assert self.program.stdout is not None
        _await(self.program.stdout)
        return self.program.stdout.readline().decode().rstrip("\n")

    def leaves(self) -> int:
        """The program's status."""
        return self.program.wait(timeout=60)

    def answers_until_it_speaks(self, question: bytes, keys: bytes) -> int:
        """Answers each `question`; returns how many there were before the program printed a line."""
        asked = 0
        while self.program.stdout not in _await(self.program.stdout, self.terminal):
            self._look()
            asked += self.seen.count(question)
            self.types(keys * self.seen.count(question))
            self.seen = self.seen.rsplit(question, 1)[-1]
        return asked

    def _look(self) -> None:
        _await(self.terminal)
        self.seen += os.read(self.terminal, 4096)


SitsDown = Callable[..., Person]

ASKS = """
name = "asks"

[[rule]]
id = "why"
path = "**/why*"
action = "justify"
message = "Say"

[[rule]]
id = "first"
path = "**/first"
action = "justify"
message = "Say"

[[rule]]
id = "second"
path = "**/second"
action = "justify"
message = "Say"
"""


def _await(*files: object) -> list[object]:
    """Those of `files` that have something to read, once there are any."""
    ready = select.select(files, [], [], 60)[0]
    assert ready, "nothing came for a minute"
    return list(ready)


@pytest.fixture
def sits_down(tmp_path: Path, spool: Path) -> Iterator[SitsDown]:
    """Starts a subject on a terminal of its own. Its standard input is a file that must not be read."""
    started: list[Person] = []
    stdin = tmp_path / "stdin"
    stdin.write_text("from standard input\n")

    for name in ("why", "why-2", "first", "second"):
        (tmp_path / name).write_text("")
    rules = policy(ASKS, tmp_path)

    def start(python: str, behaviour: str, **more: str) -> Person:
        master, slave = pty.openpty()

        def take_terminal() -> None:
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        with stdin.open() as unread:
            process = subprocess.Popen(
                [python, "-W", "ignore", program("asks.py"), behaviour],
                env=armed_environment(spool, GNOMON_POLICY=rules, **more),
                cwd=tmp_path,
                stdin=unread,
                bufsize=0,
                stdout=subprocess.PIPE,
                stderr=slave,
                start_new_session=True,
                preexec_fn=take_terminal,  # noqa: PLW1509, the suite has one thread
            )
        os.close(slave)
        started.append(Person(process, master))
        return started[-1]

    yield start
    for person in started:
        person.program.kill()
        person.program.wait()
        if person.program.stdout is not None:
            person.program.stdout.close()
        os.close(person.terminal)


def shown(name: str, line: int = 14) -> bytes:
    rule = "why" if name.startswith("why") else name
    place = f"asks.py:{line}"
    return (
        f"reading {name} at {place} needs a reason (policy rule asks/{rule}): Say\r\n  Your reason: ".encode()
    )


def reasons(spool: Path) -> list[str | None]:
    """What was given for each thing that was asked about, and None for what was denied."""
    found = [record for record in Kept(spool).records("open") if record.verdict == "justify"]
    assert all((record.outcome == "denied") == (record.reason is None) for record in found)
    return [record.reason for record in found]


SHOWN = shown("why")


@pytest.mark.parametrize(
    "keys, outcome, reason",
    [
        (b"ticket 4711\n", "done", "ticket 4711"),
        ("für Müller 🎉\n".encode(), "done", "für Müller 🎉"),
        (b"wrpng\x7f\x7f\x7f\x7fong\n", "done", "wong"),
        (b"a\x16\x1b[2Jb\n", "done", "a[2Jb"),
        (b"\n", "denied", None),
        (b"  \n", "denied", None),
        (b"\x04", "denied", None),
        (b"half\x04\x04", "done", "half"),
        (b"x" * 1000 + b"\n", "done", "x" * 500),
        (b"\x03", "interrupted", None),
    ],
)
def test_a_person_answers_at_the_terminal(
    a_python: str, sits_down: SitsDown, spool: Path, keys: bytes, outcome: str, reason: str | None
) -> None:
    person = sits_down(a_python, "once")
    person.reads(SHOWN)
    person.types(keys)
    assert person.hears() == outcome
    assert person.leaves() == 0
    assert reasons(spool) == [reason]


def test_every_python_asks(python: str, sits_down: SitsDown, spool: Path) -> None:
    person = sits_down(python, "once")
    person.reads(SHOWN)
    person.types(b"ticket 4711\n")
    assert (person.hears(), person.leaves()) == ("done", 0)
    assert reasons(spool) == ["ticket 4711"]


@pytest.mark.parametrize("keys, outcome, reason", [(b"yes\n", "done", "yes"), (b"\n", "denied", None)])
def test_a_rule_asks_once(
    a_python: str, sits_down: SitsDown, spool: Path, keys: bytes, outcome: str, reason: str | None
) -> None:
    person = sits_down(a_python, "often")
    person.reads(SHOWN)
    person.types(keys)
    person.reads(shown("first"))
    person.types(b"first\n")
    assert person.hears() == f"{outcome} {outcome} done {outcome} done"
    assert b"Your reason" not in person.seen
    assert sorted(reasons(spool), key=str) == sorted([reason, reason, "first"], key=str)


def test_who_interrupts_is_asked_again(a_python: str, sits_down: SitsDown, spool: Path) -> None:
    person = sits_down(a_python, "interrupted_first")
    person.reads(SHOWN)
    person.types(b"\x03")
    assert person.hears() == "interrupted"
    person.reads(SHOWN)
    person.types(b"ticket\n")
    assert (person.hears(), person.leaves()) == ("done", 0)
    assert reasons(spool) == [None, "ticket"]


@pytest.mark.parametrize("behaviour", ["background", "without_lines", "without_echo"])
def test_who_is_not_there_is_not_asked(a_python: str, sits_down: SitsDown, behaviour: str) -> None:
    person = sits_down(a_python, behaviour)
    assert (person.hears(), person.leaves(), person.seen) == ("denied", 0, b"")


def test_without_a_terminal_nobody_is_asked(a_python: str, tmp_path: Path, spool: Path) -> None:
    command = ["setsid", "--wait", a_python, program("asks.py"), "once"]
    (tmp_path / "why").write_text("")
    done = under(policy(ASKS, tmp_path), command, spool, stdin=b"yes\n", cwd=tmp_path).checked()
    assert (done.stdout, done.stderr) == (b"denied\n", b"")


def test_a_signal_that_the_program_handles_does_not_end_the_question(
    a_python: str, sits_down: SitsDown
) -> None:
    person = sits_down(a_python, "handled")
    person.reads(SHOWN)
    person.types(b"\x03")
    assert person.hears() == "handled"
    person.types(b"ticket\n")
    assert (person.hears(), person.leaves()) == ("done", 0)


def test_a_handler_may_end_the_program(a_python: str, sits_down: SitsDown) -> None:
    person = sits_down(a_python, "handled_by_exit")
    person.reads(SHOWN)
    person.types(b"\x03")
    assert person.leaves() == 7


def test_what_was_typed_before_is_no_answer(a_python: str, sits_down: SitsDown, spool: Path) -> None:
    person = sits_down(a_python, "typed_ahead")
    person.types(b"typed ahead\n")
    person.reads(SHOWN)
    person.types(b"ticket\n")
    assert (person.hears(), person.leaves()) == ("done", 0)
    assert reasons(spool) == ["ticket"]


def test_other_threads_run_while_a_person_thinks(a_python: str, sits_down: SitsDown) -> None:
    person = sits_down(a_python, "others_run")
    person.reads(SHOWN)
    assert person.hears() == "other thread ran"
    person.types(b"ticket\n")
    assert person.hears() == "done"


def test_threads_share_the_answer_to_one_question(a_python: str, sits_down: SitsDown) -> None:
    person = sits_down(a_python, "threads")
    assert person.answers_until_it_speaks(SHOWN, b"ticket\n") == 1
    assert person.hears() == " ".join(["done"] * 4)


@pytest.mark.parametrize("behaviour", ["main_waits", "forked"])
def test_nobody_waits_for_ever(a_python: str, sits_down: SitsDown, tmp_path: Path, behaviour: str) -> None:
    seen = tmp_path / "seen"
    os.mkfifo(seen)
    person = sits_down(a_python, behaviour, SEEN=str(seen))
    person.reads(shown("first"))
    seen.write_text("the first question")
    if behaviour == "main_waits":
        assert person.hears() == "asks"
        person.types(b"\x03")
        assert person.hears() == "interrupted"
        person.types(b"one\n")
        assert person.hears() == "done"
    else:
        person.reads(shown("second"))
        person.types(b"one\n")
        person.types(b"two\n")
        assert [person.hears(), person.hears()] == ["done", "done"]
    assert person.leaves() == 0


def test_the_question_raises_no_event(a_python: str, sits_down: SitsDown) -> None:
    person = sits_down(a_python, "quiet")
    person.reads(SHOWN)
    person.types(b"x\n")
    assert person.hears() == "['open']"
