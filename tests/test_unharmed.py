"""Observing changes nothing: what a program prints and how it ends is the same armed and bare."""

from __future__ import annotations

import concurrent.futures
import os
import re
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from watching import BOOTSTRAP, PROGRAMS, Ended, Kept, armed, armed_environment, bare, environment, program


@dataclass(frozen=True)
class Case:
    """One way to start Python. `{tests}` in an argument is the directory of the programs."""

    arguments: tuple[str, ...]
    stdin: bytes = b""
    variables: dict[str, str] = field(default_factory=dict)
    #: With -I, -E or -S nobody is recorded: sitecustomize does not run.
    is_recorded: bool = True

    def argv(self, python: str) -> list[str]:
        return [python, *(text.replace("{tests}", str(PROGRAMS)) for text in self.arguments)]


def case(*arguments: str, stdin: bytes = b"", is_recorded: bool = True, **variables: str) -> Case:
    return Case(arguments, stdin, variables, is_recorded)


def subject(name: str, *arguments: str) -> Case:
    return case("{tests}/" + name, *arguments)


STATE = "{tests}/shows_state.py"
EXITS = (
    "0", "5", "256", "text", "none", "exception", "chained", "import", "bad import", "syntax", "recursion",
    "group", "interrupt", "thread", "signal SIGTERM", "signal SIGKILL", "signal SIGSEGV", "signal SIGPIPE",
    "_exit",
)  # fmt: skip

CASES = {
    "argv": subject("shows_argv.py", "a", "b c", "--x=y", "", "-c"),
    "argv of a module": case("-m", "shows_argv", "a", PYTHONPATH=str(PROGRAMS)),
    "argv of a command": case("-c", "import sys; print(sys.argv)", "a", "-b"),
    "script from stdin": case("-", "a", stdin=b"import sys; print(sys.argv, __name__); 1/0\n"),
    "script from stdin unasked": case(stdin=b"print(dir())\nopen('/nowhere')\n"),
    "no such script": case("/nowhere/script.py"),
    "no such module": case("-m", "no_such_module"),
    "a directory that is no program": case("{tests}"),
    "syntax error": case("-c", "if:"),
    "stdin": Case(("{tests}/reads_stdin.py",), stdin=b"one\ntwo\n" * 1000),
    "interactive": case("-i", "-q", stdin=b"print(1)\nimport sys\nsys.exit(4)\n"),
    "interactive after a script": case("-i", "{tests}/does_nothing.py", stdin=b"print(__name__)\n1/0\n"),
    "start-up file": case(
        "-i", stdin=b"print('then')\n", PYTHONSTARTUP=str(PROGRAMS / "does_nothing.py"), PYTHONINSPECT="1"
    ),
    "state": case(STATE),
    "state with -W error": case("-W", "error", STATE),
    "state with -X dev": case("-X", "dev", STATE),
    "state with -I": case("-I", STATE, is_recorded=False),
    "state with -S": case("-S", STATE, is_recorded=False),
    "state with -E": case("-E", STATE, is_recorded=False),
    "state with -s -B -OO -u": case("-s", "-B", "-OO", "-u", STATE),
    "state with options": case("-X", "utf8", "-X", "faulthandler", "-X", "tracemalloc=3", "-bb", STATE),
    "state with a search path": case(STATE, PYTHONPATH=os.pathsep.join(["/nowhere", str(PROGRAMS)])),
    "state with an empty search path": case(STATE, PYTHONPATH=os.pathsep),
    "state with LC_ALL=C": case(STATE, LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0"),
    "state with C.UTF-8": case(STATE, LC_ALL="C.UTF-8"),
    "state in debug malloc": case(STATE, PYTHONMALLOC="debug"),
    "warnings": subject("warns.py"),
    "warnings as errors": case("-W", "error", "{tests}/warns.py"),
    "warnings in development mode": case("-X", "dev", "{tests}/warns.py"),
    "odd arguments": subject("odd_arguments.py"),
    "odd arguments in development mode": case("-X", "dev", "{tests}/odd_arguments.py"),
    "finalisation": subject("opens_at_the_end.py"),
    "all descriptors closed": subject("closes_everything.py"),
    "recursion": subject("recurses.py"),
    "another hook": subject("denies.py"),
    "events within exceptions": subject("in_exceptions.py"),
    "interpreters": subject("many_interpreters.py"),
    "removed and odd directories": subject("lost_directory.py"),
    "signals": subject("signals.py"),
    "typical": subject("typical.py"),
    "environment": subject("clears_environment.py"),
    "daemon": subject("daemonises.py"),
    **{f"exit {way}": subject("exits.py", way) for way in EXITS},
}


def without_chance(text: bytes) -> str:
    """What may differ: addresses, the names of temporary files, and the search path of -S."""
    # In development mode, 3.9 and 3.10 import this when they load any extension module.
    text = text.replace(b"'encodings.ascii', ", b"")
    # Without site, nobody takes our directory off the search path.
    text = text.replace(f"'{BOOTSTRAP}', ".encode(), b"")
    plain = re.sub(r"0x[0-9a-f]{6,}", "0x…", text.decode(errors="backslashreplace"))
    # Warnings that name a pid; a debug build shows them unasked.
    plain = re.sub(r"(subprocess |\(pid=)\d+", r"\1…", plain)
    return re.sub(r"/tmp/tmp[a-z0-9_]{8}", "/tmp/tmp…", plain)


def comparable(ended: Ended) -> list[str]:
    return [
        f"status {ended.status}",
        *without_chance(ended.stdout).splitlines(),
        "--- stderr",
        *without_chance(ended.stderr).splitlines(),
    ]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_result_is_the_same(python: str, spool: Path, tmp_path: Path, case: Case) -> None:
    argv = case.argv(python)
    with concurrent.futures.ThreadPoolExecutor(2) as both:
        watched = both.submit(armed, argv, spool, stdin=case.stdin, cwd=tmp_path, **case.variables)
        unwatched = both.submit(bare, argv, stdin=case.stdin, cwd=tmp_path, **case.variables)
    assert comparable(watched.result()) == comparable(unwatched.result())
    kept = Kept(spool)
    assert bool(kept.processes()) == case.is_recorded
    assert not kept.damage()
    # Events with arguments that make no sense, and those for which no descriptor was left.
    assert set(kept.lost()) <= {"undecodable event", "record too long", "spool unavailable"}


def test_a_terminal_stays_one(python: str, spool: Path) -> None:
    """A program at a terminal reads, echoes and is asked in the same way."""

    def at_terminal(environment: dict[str, str]) -> list[str]:
        controlling, terminal = os.openpty()
        output: list[bytes] = []

        def collect() -> None:
            try:
                while chunk := os.read(controlling, 4096):
                    output.append(chunk)
            except OSError:  # the last one closed it
                pass

        reader = threading.Thread(target=collect)
        with subprocess.Popen(
            [python, "-q"],
            env={**environment, "TERM": "dumb", "PYTHON_BASIC_REPL": "1", "PYTHON_HISTORY": "/dev/null"},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        ):
            os.close(terminal)
            reader.start()
            os.write(controlling, b"import sys; print(sys.stdin.isatty(), sys.ps1)\nraise SystemExit(3)\n")
        reader.join()
        os.close(controlling)
        return [line for line in b"".join(output).decode().splitlines() if "import" not in line]

    assert at_terminal(armed_environment(spool)) == at_terminal(environment())


def test_a_script_that_is_a_pipe(python: str, spool: Path, tmp_path: Path) -> None:
    """Looking at the script must not take the place of the reader that its writer waits for."""
    pipe = tmp_path / "script.py"
    for _ in range(5):
        os.mkfifo(pipe)
        writing = threading.Thread(target=pipe.write_text, args=("import sys; print(sys.argv)\n",))
        writing.start()
        done = armed([python, str(pipe), "a"], spool).checked()
        writing.join()
        assert done.stdout.decode() == f"['{pipe}', 'a']\n"
        pipe.unlink()


def test_every_program_is_used() -> None:
    """A subject that no test names proves nothing."""
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert [
        path.name for path in PROGRAMS.glob("*.py") if path.name not in tests and path.stem not in tests
    ] == []
    assert program("does_nothing.py")
