"""What dpkg knows of a file, and telling it where the file is now: an upgrade then goes there."""

from __future__ import annotations

import os
import re
import subprocess

from . import tools


def owner_of(path: str) -> str | None:
    """The dpkg package that owns the file at `path`."""
    done = _run("dpkg-query", "-S", path)
    if done is None or done.returncode != 0:
        return None
    for line in done.stdout.splitlines():
        match = re.fullmatch(r"([a-z0-9][a-z0-9+.:-]*): (/.*)", line)
        if match and match[2] == path:
            return match[1]
    return None


def divert(path: str, kept: str) -> str | None:
    """Has dpkg unpack to `kept` what it would unpack to `path`; what is wrong, or `None`."""
    return _problem(_run("dpkg-divert", "--local", "--no-rename", "--divert", kept, "--add", path))


def undivert(path: str, kept: str) -> str | None:
    """Takes `divert` back; what is wrong, or `None`. That there is no diversion is fine."""
    return _problem(_run("dpkg-divert", "--local", "--no-rename", "--divert", kept, "--remove", path))


def _problem(done: subprocess.CompletedProcess[str] | None) -> str | None:
    if done is None:
        return "there is no dpkg"
    if done.returncode == 0:
        return None
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f"dpkg-divert ended with {done.returncode}"


def _run(program: str, *arguments: str) -> subprocess.CompletedProcess[str] | None:
    found = tools.find(program)
    if found is None:
        return None
    environment = {**os.environ, "LC_ALL": "C", "PATH": tools.search_path()}
    return subprocess.run(
        [found, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
