"""What a person and a program see when a policy speaks: the exception, the warning, the question.

Until policies can be enforced, the subjects call the library's own functions (`gnomon_rehearse_…`), which
releases do not have. Each subject does so in one place.
"""

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
from gnomon import _native
from watching import Ended, bare, environment, program

PACKAGE = str(Path(gnomon.__file__).resolve().parent.parent)
NATIVE = str(_native.__file__)
MESSAGE = (
    "line 3 of report.py may not read `/protected/pay.csv`: salaries stay with HR\nhint: ask it@example.org"
)
WARNING = rb"gnomon: warning: report.py:3 sends to api.example.com \x1b[31m\nred" + b"\n"


def _does(python: str, subject: str, *arguments: str, cwd: Path | None = None, **more: str) -> Ended:
    command = [python, "-X", "dev", "-W", "ignore", program(subject), *arguments]
    return bare(command, cwd=cwd, NATIVE=NATIVE, **more)


@pytest.mark.parametrize(
    "behaviour",
    ["file", "module", "handlers", "representation", "copies", "pools", "quiet", "subinterpreters", "many"],
)
def test_a_denial_is_the_natural_error(python: str, behaviour: str) -> None:
    done = _does(python, "denials.py", behaviour).checked()
    assert (done.stdout, done.stderr) == (b"", b"")


def test_a_denial_is_gnomon_s_own_error_too(python: str) -> None:
    done = _does(python, "denials.py", "classes", PYTHONPATH=PACKAGE).checked()
    assert (done.stdout, done.stderr) == (b"", b"")


def test_an_operation_is_stopped_even_where_there_is_no_memory(python: str) -> None:
    if bare([python, "-c", "import _testcapi"]).status:
        pytest.skip("this CPython has no _testcapi, which takes memory away")
    done = _does(python, "denials.py", "memory").checked()
    assert (done.stdout, done.stderr) == (b"", b"")


@pytest.mark.parametrize("behaviour", ["uncaught_file", "uncaught_module"])
def test_a_traceback_ends_with_the_message_and_nothing_else(python: str, behaviour: str) -> None:
    done = _does(python, "denials.py", behaviour)
    assert done.status == 1
    assert done.stderr.decode().endswith(f"\ngnomon.PolicyDenied: {MESSAGE}\n")


def test_a_denial_is_read_where_no_gnomon_is(python: str) -> None:
    pickled = _does(python, "denials.py", "to_stdout").checked().stdout
    code = (
        "import pickle, sys\n"
        "for error in pickle.load(sys.stdin.buffer):\n"
        "    print(type(error).__name__, getattr(error, 'errno', None), error.rule)\n"
    )
    done = bare([python, "-I", "-S", "-c", code], stdin=pickled).checked()
    assert done.stdout.decode().splitlines() == [
        f"PermissionError {errno.EACCES} finance/no-hr",
        "ImportError None finance/no-hr",
    ]


def test_a_warning_is_one_line(python: str) -> None:
    assert _does(python, "is_warned.py", "plainly") == Ended(0, b"", WARNING)


@pytest.mark.parametrize(
    "behaviour, stdout, stderr",
    [
        ("before_arming", b"", b""),
        ("to_data", b"0\n", b""),
        ("to_data_from_the_start", b"0\n", b""),
        ("closed", b"", b""),
        ("restored", b"", b"gnomon: warning: seen\n"),
        ("nobody_reads", b"alive\n", b""),
        ("handler_of_the_program", b"[]\n", b""),
        ("too_large", b"alive\n", b""),
        ("full", b"alive\n", b""),
        ("quiet", b"[]\n", b"gnomon: warning: x\n"),
    ],
)
def test_a_warning_harms_no_program(
    a_python: str, behaviour: str, stdout: bytes, stderr: bytes, tmp_path: Path
) -> None:
    assert _does(a_python, "is_warned.py", behaviour, cwd=tmp_path) == Ended(0, stdout, stderr)


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


def _await(*files: object) -> list[object]:
    """Those of `files` that have something to read, once there are any."""
    ready = select.select(files, [], [], 60)[0]
    assert ready, "nothing came for a minute"
    return list(ready)


@pytest.fixture
def sits_down(tmp_path: Path) -> Iterator[SitsDown]:
    """Starts a subject on a terminal of its own. Its standard input is a file that must not be read."""
    started: list[Person] = []
    stdin = tmp_path / "stdin"
    stdin.write_text("from standard input\n")

    def start(python: str, behaviour: str, **more: str) -> Person:
        master, slave = pty.openpty()

        def take_terminal() -> None:
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        with stdin.open() as unread:
            process = subprocess.Popen(
                [python, "-W", "ignore", program("asks.py"), behaviour],
                env=environment(NATIVE=NATIVE, **more),
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


SHOWN = rb"report.py:3 reads `/protected/\x1b[2Jpay.csv`." + b"\r\nWhy? "


@pytest.mark.parametrize(
    "keys, answer",
    [
        (b"ticket 4711\n", "'ticket 4711'"),
        ("für Müller 🎉\n".encode(), "'für Müller 🎉'"),
        (b"wrpng\x7f\x7f\x7f\x7fong\n", "'wong'"),
        (b"a\x16\x1b[2Jb\n", "'a[2Jb'"),
        (b"\n", "refused"),
        (b"  \n", "refused"),
        (b"\x04", "refused"),
        (b"half\x04\x04", "'half'"),
        (b"x" * 1000 + b"\n", repr("x" * 500)),
        (b"\x03", "interrupted"),
    ],
)
def test_a_person_answers_at_the_terminal(
    a_python: str, sits_down: SitsDown, keys: bytes, answer: str
) -> None:
    person = sits_down(a_python, "once")
    person.reads(SHOWN)
    person.types(keys)
    assert person.hears() == answer
    assert person.leaves() == 0


def test_every_python_asks(python: str, sits_down: SitsDown) -> None:
    person = sits_down(python, "once")
    person.reads(SHOWN)
    person.types(b"ticket 4711\n")
    assert (person.hears(), person.leaves()) == ("'ticket 4711'", 0)


@pytest.mark.parametrize("behaviour", ["background", "without_lines", "without_echo"])
def test_who_is_not_there_is_not_asked(a_python: str, sits_down: SitsDown, behaviour: str) -> None:
    person = sits_down(a_python, behaviour)
    assert (person.hears(), person.leaves(), person.seen) == ("no terminal", 0, b"")


def test_without_a_terminal_nobody_is_asked(a_python: str) -> None:
    command = ["setsid", "--wait", a_python, program("asks.py"), "once"]
    assert bare(command, stdin=b"yes\n", NATIVE=NATIVE).checked().stdout == b"no terminal\n"


def test_a_signal_that_the_program_handles_does_not_end_the_question(
    a_python: str, sits_down: SitsDown
) -> None:
    person = sits_down(a_python, "handled")
    person.reads(SHOWN)
    person.types(b"\x03")
    assert person.hears() == "handled"
    person.types(b"ticket\n")
    assert (person.hears(), person.leaves()) == ("'ticket'", 0)


def test_a_handler_may_end_the_program(a_python: str, sits_down: SitsDown) -> None:
    person = sits_down(a_python, "handled_by_exit")
    person.reads(SHOWN)
    person.types(b"\x03")
    assert person.leaves() == 7


def test_what_was_typed_before_is_no_answer(a_python: str, sits_down: SitsDown) -> None:
    person = sits_down(a_python, "typed_ahead")
    person.types(b"typed ahead\n")
    person.reads(SHOWN)
    person.types(b"ticket\n")
    assert person.hears() == "'ticket'"


def test_other_threads_run_while_a_person_thinks(a_python: str, sits_down: SitsDown) -> None:
    person = sits_down(a_python, "others_run")
    person.reads(SHOWN)
    assert person.hears() == "other thread ran"
    person.types(b"ticket\n")
    assert person.hears() == "'ticket'"


def test_threads_ask_one_at_a_time_and_share_the_answer_to_one_question(
    a_python: str, sits_down: SitsDown
) -> None:
    person = sits_down(a_python, "threads")
    # Mostly it is one. Who comes after the answer asks anew.
    assert 1 <= person.answers_until_it_speaks(SHOWN, b"ticket\n") <= 4
    assert person.hears() == " ".join(["'ticket'"] * 4)


@pytest.mark.parametrize("behaviour", ["main_waits", "forked"])
def test_nobody_waits_for_ever(a_python: str, sits_down: SitsDown, tmp_path: Path, behaviour: str) -> None:
    seen = tmp_path / "seen"
    os.mkfifo(seen)
    person = sits_down(a_python, behaviour, SEEN=str(seen))
    person.reads(b"First? ")
    seen.write_text("the first question")
    if behaviour == "main_waits":
        assert person.hears() == "asks"
        person.types(b"\x03")
        assert person.hears() == "interrupted"
        person.types(b"one\n")
        assert person.hears() == "'one'"
    else:
        person.reads(b"Second? ")
        person.types(b"one\n")
        person.types(b"two\n")
        assert sorted([person.hears(), person.hears()]) == ["'one'", "'two'"]
    assert person.leaves() == 0


def test_the_question_raises_no_event(a_python: str, sits_down: SitsDown) -> None:
    person = sits_down(a_python, "quiet")
    person.reads(SHOWN)
    person.types(b"x\n")
    assert person.hears() == "[]"
