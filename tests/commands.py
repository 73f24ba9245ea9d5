"""Runs the command `gnomon` as a user does, and reads what it says."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from watching import Ended, environment


def gnomon(*arguments: str | Path, stdin: bytes = b"", cwd: Path | None = None, **more: str) -> Ended:
    """`gnomon` with these arguments, to its end."""
    command = [sys.executable, "-m", "gnomon", *map(str, arguments)]
    done = subprocess.run(
        command, env=environment(**more), input=stdin, cwd=cwd, capture_output=True, check=False, timeout=300
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def here(*arguments: str | Path, **more: str) -> Ended:
    """The same in this process, for verbs that only read: it starts no interpreter."""
    from gnomon.cli import main

    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2)]
    with contextlib.ExitStack() as stack:
        changed = stack.enter_context(pytest.MonkeyPatch.context())
        stack.enter_context(contextlib.redirect_stdout(streams[0]))
        stack.enter_context(contextlib.redirect_stderr(streams[1]))
        # pytest-xdist has its own idea of the screen.
        changed.delenv("COLUMNS", raising=False)
        for name, value in more.items():
            changed.setenv(name, value)
        status = main([*map(str, arguments)])
    out, err = (stream.buffer.getvalue() for stream in streams)  # type: ignore[attr-defined]
    return Ended(status, out, err)


def run(spool: Path, *program: str | Path, **options: Any) -> Ended:
    """`gnomon run` of a program, without the answer."""
    return gnomon("run", "--quiet", "--spool", spool, "--", *program, **options)


def events(spool: Path, *arguments: str) -> list[dict[str, Any]]:
    """The records that `gnomon events` lists, as objects; the receipt at the end is left out."""
    done = gnomon("events", spool, "--format", "jsonl", *arguments).checked()
    listed = [json.loads(line) for line in done.stdout.splitlines()]
    return [event for event in listed if event["kind"] != "receipt"]
