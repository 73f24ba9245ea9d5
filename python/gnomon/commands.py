"""What a command line leads to: which Pythons, and what in it would keep gnomon out of them.

Pure but for one look into a program's first and last bytes. A doubt is no Python: nobody is accused of hiding
who did not.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from .rollout.elf import frozen

_PYTHON = re.compile(r"(?P<name>python|pythonw|pypy)(?P<version>\d(?:\.\d+)?)?[dmtw]{0,2}(?:-dbg)?(?:\.exe)?")
_SHELLS = frozenset(("sh", "bash", "dash", "zsh", "ksh", "busybox"))
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
# Options of wrappers that take a value of their own.
_WRAPPERS = {
    "nohup": "",
    "nice": "n",
    "ionice": "cnpPu",
    "setsid": "",
    "timeout": "ks",
    "time": "fo",
    "stdbuf": "ioe",
    "sudo": "ugpChDRrtT",
}
_DEPTH = 6

How = Literal["start", "environment", "account", "kind"]


@dataclass(frozen=True)
class Python:
    """A Python that a command line leads to.

    Attributes:
        argv: Its own command line.
        kept_out: What keeps gnomon out of it, as far as the command line tells.
        how: By what: a `start` that leaves something out, another `environment`, another `account`, or
            because of what `kind` of Python it is.
    """

    argv: list[str]
    kept_out: str | None = None
    how: How | None = field(default=None, compare=False)

    @property
    def is_evasive(self) -> bool:
        """Whether somebody chose to start it so that gnomon stays out, for whatever reason."""
        return self.how in ("start", "environment")


def pythons(
    argv: list[str],
    *,
    program: str | None = None,
    folders: tuple[str, ...] = (),
    managed: bool = False,
) -> list[Python]:
    """The Pythons that certainly start when `argv` is executed.

    Args:
        argv: The command line.
        program: The file that is executed, where that is known better than by `argv[0]`.
        folders: Where a program named without a slash may be looked for, to read its first line.
        managed: gnomon is installed for the whole machine: no environment keeps it out.
    """
    found = _follow(argv, program or (argv[0] if argv else ""), folders, _DEPTH)
    if not managed:
        return list(found)
    return [
        replace(python, kept_out=None, how=None) if python.how in ("environment", "account") else python
        for python in found
    ]


def may_start_python(program: str, folders: tuple[str, ...] = ()) -> bool:
    """Whether some command line of `program` may lead to a Python: for most, one look answers for all.

    Args:
        program: The file that is executed.
        folders: As for `pythons`.
    """
    name = os.path.basename(program)
    if _PYTHON.fullmatch(name) or name == "env" or name in _WRAPPERS or name in _SHELLS:
        return True
    return any(_may_be_python(place) for place in _places(program, folders))


def _may_be_python(place: str) -> bool:
    if _PYTHON.fullmatch(os.path.basename(os.path.realpath(place))):
        return True
    try:
        with open(place, "rb") as file:
            start = file.read(4)
    except OSError:
        return False
    return start.startswith(b"#!") or (start == b"\x7fELF" and frozen(place) is not None)


def _places(program: str, folders: tuple[str, ...]) -> list[str]:
    return [program] if program.startswith("/") else [f"{folder}/{program}" for folder in folders]


def _follow(argv: list[str], program: str, folders: tuple[str, ...], depth: int) -> Iterator[Python]:
    if not argv or depth == 0:
        return
    name = os.path.basename(program)
    found = _PYTHON.fullmatch(name)
    if found:
        yield from _python(argv, program, found)
    elif name == "env":
        yield from _env(argv[1:], folders, depth)
    elif name in _WRAPPERS:
        yield from _wrapped(name, argv[1:], folders, depth)
    elif name in _SHELLS:
        yield from _shell(argv[1:], folders, depth)
    else:
        yield from _script(argv, program, folders, depth)


def _next(argv: list[str], folders: tuple[str, ...], depth: int) -> Iterator[Python]:
    yield from _follow(argv, argv[0] if argv else "", folders, depth - 1)


def _python(argv: list[str], program: str, name: re.Match[str]) -> Iterator[Python]:
    letters = _options(argv)
    if letters & set("Vh?"):
        return  # it says something and leaves before anything of ours could start
    version = tuple(int(number) for number in (name["version"] or "3").split("."))
    reason: str | None = None
    how: How | None = None
    if name["name"] == "pypy":
        reason, how = "it is no CPython", "kind"
    elif version < (3,) or (len(version) > 1 and version < (3, 9)):
        reason, how = f"Python {name['version']} is too old for gnomon", "kind"
    elif "S" in letters:
        reason, how = "-S leaves out what starts gnomon", "start"
    elif program.startswith("/") and os.path.exists(f"{program}._pth"):
        reason, how = f"{os.path.basename(program)}._pth beside it leaves out what starts gnomon", "start"
    elif letters & set("IE"):
        reason, how = f"-{'I' if 'I' in letters else 'E'} makes it ignore its environment", "environment"
    yield Python(argv, reason, how)


def _kept_out(python: Python, reason: str | None, how: How = "environment") -> Python:
    """`python`, which `reason` keeps gnomon out of where nothing else does."""
    return python if python.kept_out or not reason else replace(python, kept_out=reason, how=how)


def _options(argv: list[str]) -> set[str]:
    """The letters among Python's own options."""
    letters: set[str] = set()
    words = iter(argv[1:])
    for word in words:
        if word.startswith("--"):
            letters |= {"V"} if word == "--version" else {"h"} if word.startswith("--help") else set()
            if word == "--check-hash-based-pycs":
                next(words, None)
            continue
        if not word.startswith("-") or word == "-":
            break
        for at, letter in enumerate(word[1:], 2):
            if letter in "cm":
                return letters
            if letter in "WX":
                if at == len(word):
                    next(words, None)
                break
            letters.add(letter)
    return letters


def _env(words: list[str], folders: tuple[str, ...], depth: int) -> Iterator[Python]:
    reason = None
    while words:
        word, *rest = words
        if word in ("-i", "-", "--ignore-environment"):
            reason = "it was started with an empty environment"
        elif word in ("-u", "--unset", "-C", "--chdir") and rest:
            reason = _unsets(rest[0]) or reason
            rest = rest[1:]
        elif word.startswith("--unset="):
            reason = _unsets(word.partition("=")[2]) or reason
        elif word in ("-S", "--split-string") and rest:
            rest = [*_words(rest[0]), *rest[1:]]
        elif word.startswith("-S"):
            rest = [*_words(word[2:]), *rest]  # as the first line of a script gives it
        elif _ASSIGNMENT.match(word):
            reason = _assigns(word) or reason
        elif not word.startswith("-"):
            break
        words = rest
    for python in _next(words, folders, depth):
        yield _kept_out(python, reason)


def _unsets(name: str) -> str | None:
    return f"{name} was taken from its environment" if name in ("PYTHONPATH", "GNOMON_SPOOL") else None


def _assigns(word: str) -> str | None:
    name = word.partition("=")[0]
    return f"it was given another {name}" if name in ("PYTHONPATH", "GNOMON_SPOOL") else None


def _wrapped(name: str, words: list[str], folders: tuple[str, ...], depth: int) -> Iterator[Python]:
    valued = _WRAPPERS[name]
    while words and words[0].startswith("-"):
        takes_next = len(words[0]) == 2 and words[0][1] in valued
        words = words[2 if takes_next else 1 :]
    if name == "timeout":
        words = words[1:]
    reason = "sudo gives it another environment" if name == "sudo" else None
    for python in _next(words, folders, depth):
        yield _kept_out(python, reason, "account")


def _shell(words: list[str], folders: tuple[str, ...], depth: int) -> Iterator[Python]:
    """Of `-c` only: what a script of its own does is not looked into."""
    while words and words[0].startswith("-") and not words[0].startswith("--"):
        option, *words = words
        if "c" in option and words:
            for command in _commands(words[0], words[2:]):
                at = 0
                while at < len(command) and (_ASSIGNMENT.match(command[at]) or command[at] == "exec"):
                    at += 1
                reason = next(filter(None, map(_assigns, command[:at])), None)
                for python in _next(command[at:], folders, depth):
                    yield _kept_out(python, reason)
            return


def _commands(line: str, arguments: list[str]) -> Iterator[list[str]]:
    """The commands of a shell's `line` that run whatever the others come to."""
    try:
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        lexer.whitespace = " \t\r"
        lexer.commenters = ""
        words = list(lexer)
    except ValueError:
        return
    command: list[str] = []
    skip = False
    for word in [*words, ";"]:
        if skip:
            skip = False
        elif word == "$@":
            command.extend(arguments)
        elif word in (";", "|", "&", "&&", "||", "\n"):
            if command[:1] != ["cd"]:
                yield command
                if word in ("&&", "||"):
                    return
            command = []
        elif word and set(word) <= set("();"):
            return  # groups and functions are for shells to understand
        elif word and set(word) <= set("<>&|"):
            skip = True
            if command and command[-1].isdigit():
                command.pop()
        elif not command and word in ("if", "for", "while", "until", "case", "{", "!", "[", "[["):
            return
        else:
            command.append(word)


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return []


def _script(argv: list[str], program: str, folders: tuple[str, ...], depth: int) -> Iterator[Python]:
    """A script that names its interpreter in its first line."""
    for place in _places(program, folders):
        renamed = _PYTHON.fullmatch(os.path.basename(os.path.realpath(place)))
        if renamed:  # a link under another name
            yield from _python(argv, place, renamed)
            return
        try:
            with open(place, "rb") as file:
                start = file.read(512)
        except OSError:
            continue
        if start.startswith(b"#!"):
            words = start[2:].split(b"\n")[0].decode(errors="replace").strip().split(None, 1)
            yield from _next([*words, place, *argv[1:]], folders, depth)
        elif start.startswith(b"\x7fELF"):
            maker = frozen(place)
            if maker:
                yield Python(argv, f"{maker} froze it, with a Python of its own", "kind")
        return
