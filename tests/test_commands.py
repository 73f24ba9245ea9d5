"""What a command line leads to. A doubt is no Python: nobody is accused who did not hide."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gnomon.commands import Python, frozen, pythons


def _words(argv: list[str]) -> list[str]:
    return [" ".join(found.argv) for found in pythons(argv)]


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["python", "x.py"], "python x.py"),
        (["/usr/bin/python3.12", "-c", "pass"], "/usr/bin/python3.12 -c pass"),
        (["python3.11-dbg", "x.py"], "python3.11-dbg x.py"),
        (["env", "A=b", "python", "x.py"], "python x.py"),
        (["env", "-u", "A", "-S", "python -u x.py"], "python -u x.py"),
        (["nice", "-n", "5", "python", "x.py"], "python x.py"),
        (["nohup", "timeout", "-k", "5", "10", "python", "x.py"], "python x.py"),
        (["sh", "-c", "python x.py"], "python x.py"),
        (["bash", "-lc", "cd /tmp && A=b exec python x.py > out 2>&1"], "python x.py"),
        (["sh", "-c", '"$@"', "sh", "python", "x.py"], "python x.py"),
        (["sh", "-c", "python a.py | tee log; sleep 1"], "python a.py"),
    ],
)
def test_a_python_is_found_behind_what_starts_it(argv: list[str], expected: str) -> None:
    assert _words(argv) == [expected]


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["true"],
        ["python", "-V"],
        ["python", "-IVV"],
        ["python", "--help"],
        ["python3-config", "--libs"],
        ["pythonista", "x.py"],
        ["ls", "python"],
        ["echo", "python", "-S"],
        ["bash", "python.sh"],
        ["sh", "-c", "true && python x.py"],
        ["sh", "-c", "false || python x.py"],
        ["sh", "-c", "if true; then python x.py; fi"],
        ["sh", "-c", "(python x.py)"],
        ["sh", "-c", "echo 'unbalanced"],
        ["sh", "-c", "echo python x.py"],
        ["env"],
        ["timeout", "5"],
        ["./no-such-script"],
    ],
)
def test_what_is_no_python_for_certain_is_none(argv: list[str]) -> None:
    assert _words(argv) == []


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["python", "-S", "x.py"], "-S"),
        (["python", "-uSB", "x.py"], "-S"),
        (["python", "-I", "-W", "error", "x.py"], "-I"),
        (["python", "-E", "-Xdev", "x.py"], "-E"),
        (["python2.7", "x.py"], "too old"),
        (["python3.8", "x.py"], "too old"),
        (["pypy3", "x.py"], "no CPython"),
        (["env", "-i", "python", "x.py"], "empty environment"),
        (["env", "-u", "PYTHONPATH", "python", "x.py"], "PYTHONPATH"),
        (["sh", "-c", "PYTHONPATH=/x python x.py"], "PYTHONPATH"),
        (["sudo", "-u", "ann", "python", "x.py"], "sudo"),
    ],
)
def test_the_command_line_says_what_keeps_gnomon_out(argv: list[str], why: str) -> None:
    (found,) = pythons(argv)
    assert found.kept_out is not None and why in found.kept_out


@pytest.mark.parametrize(
    "argv",
    [["python", "x.py", "-S"], ["python", "-c", "pass", "-I"], ["python", "-m", "x", "-E"], ["python", "-P"]],
)
def test_options_of_the_program_are_not_pythons(argv: list[str]) -> None:
    assert [found.kept_out for found in pythons(argv)] == [None]


def test_a_script_names_its_interpreter(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/usr/bin/env -S python3 -S\n")
    assert pythons([str(script), "x"]) == [
        Python(["python3", "-S", str(script), "x"], "-S leaves out what starts gnomon")
    ]
    assert pythons(["script"], folders=(str(tmp_path),))[0].argv == ["python3", "-S", str(script)]
    script.write_text("#!/bin/sh\npython x.py\n")
    assert pythons([str(script)]) == []


def test_a_program_that_pyinstaller_made_is_a_python(tmp_path: Path) -> None:
    program = tmp_path / "report"
    program.write_bytes(b"\x7fELF" + bytes(100_000) + b"MEI\x0c\x0b\x0a\x0b\x0e" + bytes(80))
    assert frozen(str(program)) == "PyInstaller"
    (found,) = pythons([str(program), "x"])
    assert found.argv == [str(program), "x"] and found.kept_out
    assert frozen(sys.executable) is None
    assert frozen("/no/such/file") is None
