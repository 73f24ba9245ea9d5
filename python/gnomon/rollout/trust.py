"""Whose hands a directory is in, and how root acts there: as that user, who gains nothing by preparing it.

Root never writes into a directory that another user could have prepared, and never runs what another user
could have written.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from . import files
from .asking import group_of, who_may_ask
from .errors import RolloutError

# What a child may answer, in bytes: a user could stand in for it.
_MAX_ANSWER = 1 << 20
_SECONDS = 60


class Untrusted(RolloutError):
    """More than one user could change what is there."""


def actor(path: str) -> int | None:
    """As whom to write into the directory at `path`: a user's id, or `None` for as we are.

    Raises:
        Untrusted: More than one other user could have prepared it, so that no single one can be trusted.
        OSError: It is not there.
    """
    if os.geteuid() != 0:
        return None
    others = files.writers(path)
    if len(others) > 1 or files.ANYBODY in others:
        raise Untrusted("more than one user can change its library, or a directory above it")
    return next(iter(others), None)


def act(user: int | None, function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls `function` as `user`, in a child that has given up all else; `None`: here, as we are.

    The answer must be one that JSON holds.

    Raises:
        OSError: As the function did.
        RolloutError: As the function did, or the child ended early.
    """
    if user is None:
        return function(*arguments)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _answer(writing, user, function, arguments)
    os.close(writing)
    with open(reading, "rb") as pipe:
        data = pipe.read(_MAX_ANSWER)
    os.waitpid(child, 0)
    try:
        kind, *values = json.loads(data)
    except ValueError:
        raise RolloutError(f"the process that acts as user {user} ended early") from None
    if kind == "os":
        raise OSError(*values)
    if kind != "done":
        raise RolloutError(str(values[0]))
    return values[0]


def _answer(writing: int, user: int, function: Callable[..., Any], arguments: tuple[Any, ...]) -> NoReturn:
    answer: list[Any] = ["error", "it could not become that user"]
    try:
        group = group_of(user)
        os.setgroups([])
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)
        os.chdir("/")
        answer = ["done", function(*arguments)]
    except OSError as error:
        answer = [
            "os",
            error.errno,
            error.strerror or str(error),
            error.filename and os.fsdecode(error.filename),
        ]
    except BaseException as error:
        answer = ["error", str(error) or repr(error)]
    try:
        with open(writing, "wb") as pipe:
            pipe.write(json.dumps(answer).encode())
    finally:
        os._exit(0)


def run(
    program: str, arguments: Sequence[str], **environment: str
) -> subprocess.CompletedProcess[bytes] | None:
    """Runs the interpreter `program` as somebody who may; `None` where nobody can.

    As root that is the user who could have written it; else nobody, or root where all of it is root's.
    """
    real = os.path.realpath(program)
    for user in who_may_ask(real):
        identity: dict[str, Any] = {}
        if user != os.geteuid():
            identity = {"user": user, "group": group_of(user), "extra_groups": []}
        try:
            done = subprocess.run(
                [program, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                cwd="/",
                env={"PATH": "/usr/bin:/bin", **environment},
                timeout=_SECONDS,
                check=False,
                **identity,
            )
        except (OSError, ValueError, subprocess.SubprocessError):
            continue
        if done.returncode == 0:
            return done
    return None
