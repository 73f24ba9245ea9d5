"""Asking an interpreter what it is, which means to execute it.

As root nothing is executed that anybody else could have written, unless as that user, who can then do nothing
that could not be done anyway. What an interpreter says may be a lie.
"""

from __future__ import annotations

import collections
import contextlib
import glob
import json
import os
import pwd
import re
import selectors
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import Any

from . import files
from .elf import read_elf

_SECONDS = 20.0
_MAX_BYTES = 64 * 1024
_MAX_PATH = 4096
# All the interpreters of one user together may take as long as this many that do not answer: a user can make
# any number of them, each as slow as is allowed.
_PATIENCE = 2
# Runs on every Python from 2.7 on. `site` is only imported: with -S it does nothing by itself.
_QUESTION = """
import sys, os, json
def listed():
    import site
    return list(getattr(site, "getsitepackages", list)())
def suffix():
    import _imp
    return _imp.extension_suffixes()[0]
def safely(ask, otherwise):
    try:
        return ask()
    except Exception:
        return otherwise
flags = getattr(sys, "abiflags", "")
print(json.dumps({
    "implementation": getattr(getattr(sys, "implementation", None), "name", "cpython"),
    "version": "%d.%d.%d" % tuple(sys.version_info[:3]),
    "stage": "" if sys.version_info[3] == "final" else "%s%d" % (sys.version_info[3][0], sys.version_info[4]),
    "prefix": sys.prefix,
    "base_prefix": getattr(sys, "base_prefix", sys.prefix),
    "library": os.path.dirname(os.__file__),
    "site": safely(listed, []),
    "suffix": safely(suffix, ""),
    "free_threaded": "t" in flags,
    "debug": "d" in flags or hasattr(sys, "gettotalrefcount"),
}))
"""


class Unanswered(Exception):
    """It could not be asked, or said nothing that makes sense."""


@dataclass(frozen=True)
class Answer:
    """What an interpreter says of itself.

    Attributes:
        asked_as: The user it ran as.
    """

    implementation: str
    version: str
    prefix: str
    base_prefix: str
    library: str
    site: tuple[str, ...]
    suffix: str
    free_threaded: bool
    debug: bool
    asked_as: int


class Asker:
    """Asks interpreters, and remembers whose took long."""

    def __init__(self, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._spent: collections.defaultdict[int, float] = collections.defaultdict(float)

    def ask(self, program: str) -> Answer:
        """What the executable `program`, a path without links, says of itself.

        Raises:
            Unanswered: With the reason.
        """
        reason = "it may be changed by several users"
        for user in who_may_ask(program):
            if self._spent[user] >= _PATIENCE * self._seconds:
                raise Unanswered(f"others of {_name(user)} took too long")
            begun = time.monotonic()
            try:
                return self._ask_as(user, program)
            except Unanswered as error:
                reason = str(error)
            finally:
                self._spent[user] += time.monotonic() - begun
        raise Unanswered(reason)

    def _ask_as(self, user: int, program: str) -> Answer:
        said = self._run([program, "-I", "-S", "-B", "-c", _QUESTION], user)
        if not said:  # older than 3.4
            said = self._run([program, "-E", "-s", "-S", "-B", "-c", _QUESTION], user)
        if not said:
            raise Unanswered("it said nothing")
        return _parse(said, user)

    def _run(self, argv: list[str], user: int) -> bytes:
        identity: dict[str, Any] = {}
        if user != os.geteuid():
            identity = {"user": user, "group": group_of(user), "extra_groups": []}
        try:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={},
                start_new_session=True,
                **identity,
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise Unanswered(getattr(error, "strerror", None) or "it cannot be started") from None
        try:
            return self._line(process)
        finally:
            _end(process)

    def _line(self, process: subprocess.Popen[bytes]) -> bytes:
        """What it prints up to the end of the first line; its children may keep the pipe open after it."""
        assert process.stdout is not None
        pipe, said, until = process.stdout.fileno(), b"", time.monotonic() + self._seconds
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while b"\n" not in said and len(said) < _MAX_BYTES:
                if not selector.select(max(0.0, until - time.monotonic())):
                    raise Unanswered(f"it did not answer within {self._seconds:g} seconds")
                piece = os.read(pipe, _MAX_BYTES)
                if not piece:
                    break
                said += piece
        return said.split(b"\n")[0]


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kills it with what it started, unless that left its session."""
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5)  # longer than that the kernel holds it
    if process.stdout:
        process.stdout.close()


def who_may_ask(program: str) -> list[int]:
    """As whom it may be executed, the best first."""
    me = os.geteuid()
    if me != 0:
        return [me]
    try:
        users = files.writers(program)
    except OSError:
        return []
    if len(users) == 1 and files.ANYBODY not in users:
        return list(users)
    # Even what only root could have written is rather run by nobody, but nobody may not get there.
    return [_nobody()] if users else [_nobody(), *([0] if _is_all_roots(program) else [])]


def _is_all_roots(program: str) -> bool:
    """Whether all that `program` runs with `-I -S` could be written by root alone."""
    prefix = os.path.dirname(os.path.dirname(program))
    libraries = [
        place for name in ("lib", "lib64") for place in glob.glob(f"{glob.escape(prefix)}/{name}/*py*[0-9]*")
    ]
    elf = read_elf(program)
    folders = elf.folders if elf else ()
    origin = os.path.dirname(program)
    beside = [folder.replace("$ORIGIN", origin).replace("${ORIGIN}", origin) for folder in folders]
    if elf is None or not any(map(os.path.isdir, libraries)):
        return False
    try:
        return not any(map(_others, [*libraries, *filter(os.path.isdir, beside)]))
    except OSError:
        return False


def _others(place: str) -> frozenset[int]:
    found = files.writers(place)
    if os.path.isdir(place) and os.path.exists(f"{place}/os.py"):
        found |= files.writers_below(place, 2, frozenset(("site-packages", "dist-packages", "test")))
    return found


def _nobody() -> int:
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        return 65534


def group_of(user: int) -> int:
    """The first group of `user`; that of nobody where the account is not known, or it would be root's."""
    try:
        return pwd.getpwuid(user).pw_gid or 65534
    except KeyError:
        return 65534


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"


def _parse(said: bytes, user: int) -> Answer:
    try:
        found = json.loads(said.decode("utf-8"))
        return Answer(
            implementation=_matching(r"[a-z][a-z0-9_]{0,30}", found["implementation"]),
            version=_matching(r"\d{1,3}\.\d{1,3}\.\d{1,3}", found["version"])
            + _matching(r"([abrcd]{1,2}\d{1,3})?", found["stage"]),
            prefix=_path(found["prefix"]),
            base_prefix=_path(found["base_prefix"]),
            library=_path(found["library"]),
            site=tuple(map(_path, found["site"][:20])),
            suffix=_matching(r"(\.[A-Za-z0-9_.-]{1,100})?", found["suffix"]),
            free_threaded=found["free_threaded"] is True,
            debug=found["debug"] is True,
            asked_as=user,
        )
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        raise Unanswered("what it said makes no sense") from None


def _matching(pattern: str, value: object) -> str:
    if isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII):
        return value
    raise ValueError(pattern)


def _path(value: object) -> str:
    if not isinstance(value, str) or len(value) > _MAX_PATH or not value.startswith("/"):
        raise ValueError("no absolute path")
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
        raise ValueError("control characters in a path")
    return os.path.normpath(value)
