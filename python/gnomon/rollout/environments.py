"""What a virtual environment's own file says: read, never executed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from . import files

CONFIG = "pyvenv.cfg"
NAMES = ("python", "python3", "pypy3", "pypy")


@dataclass(frozen=True)
class Environment:
    """A directory with a pyvenv.cfg.

    Attributes:
        directory: What identifies it: its interpreter is mostly a link to another one.
        home: Where it says that its base interpreter is.
        version: As it says, such as `3.11`; empty where it does not.
        is_virtualenv: Whether virtualenv made it.
        executables: Its interpreters, the first one first.
    """

    directory: str
    home: str
    version: str
    is_virtualenv: bool
    executables: tuple[str, ...]

    @property
    def site(self) -> tuple[str, ...]:
        """Its site-packages directories."""
        found = []
        for name in ("lib", "lib64"):
            if os.path.islink(f"{self.directory}/{name}"):
                continue
            for python in files.names_in(f"{self.directory}/{name}"):
                place = f"{self.directory}/{name}/{python}/site-packages"
                if python.startswith(("python", "pypy")) and files.is_directory(place):
                    found.append(place)
        return tuple(found[:20])

    def base_candidates(self) -> Iterator[str]:
        """Where its base interpreter may be, the most certain first."""
        home = files.resolve(self.home)
        for executable in self.executables:
            real = files.resolve(executable)
            if real and os.path.dirname(real) == home:
                yield real
        for name in (
            *([f"python{self.version}"] if self.version else []),
            "python3",
            "python",
            "pypy3",
            "pypy",
        ):
            if self.home:
                yield f"{self.home}/{name}"


def directory_of(executable: str) -> str | None:
    """The environment that starting `executable` enters, as Python itself decides: by what is beside it."""
    beside = os.path.dirname(executable)
    for place in (beside, os.path.dirname(beside)):
        if files.is_file(f"{place}/{CONFIG}"):
            return place
    return None


def read_environment(directory: str) -> Environment | None:
    """The environment in `directory`; `None` where there is none."""
    text = files.read_regular(f"{directory}/{CONFIG}", 16 * 1024)
    if text is None:
        return None
    values: dict[str, str] = {}
    for line in text.decode("utf-8", "surrogateescape").splitlines():
        key, equals, value = line.partition("=")
        if equals:
            values.setdefault(key.strip().lower(), value.strip())
    home = values.get("home", "")
    version = values.get("version_info") or values.get("version") or ""
    return Environment(
        directory=directory,
        home=os.path.normpath(home) if home.startswith("/") and "\0" not in home else "",
        version=".".join(version.split(".")[:2]) if version.replace(".", "").isalnum() else "",
        is_virtualenv="virtualenv" in values,
        executables=tuple(_executables(directory)),
    )


def _executables(directory: str) -> Iterator[str]:
    names = files.names_in(f"{directory}/bin")
    versioned = [name for name in names if name.startswith(("python3.", "python2.", "pypy3."))]
    for name in (*NAMES, *versioned):
        if name in names and files.is_program(f"{directory}/bin/{name}"):
            yield f"{directory}/bin/{name}"
