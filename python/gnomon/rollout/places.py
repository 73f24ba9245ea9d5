"""Where interpreters are looked for on a machine. Finds paths; what they are is not known here.

Links are followed only to what is on this machine; directories and their entries are bounded in number.
"""

from __future__ import annotations

import fnmatch
import itertools
import os
import pwd
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from . import files

PYTHON_NAME = re.compile(r"(?:python|pypy|graalpy)(?:\d(?:\.\d+)?)?[dmtu]{0,2}(?:-dbg|-intel64)?")

_SYSTEM_FOLDERS = (
    "usr/bin",
    "usr/local/bin",
    "bin",
    "usr/sbin",
    "sbin",
    "opt/*/bin",
    "opt/rh/*/root/usr/bin",
    "snap/bin",
)
# Folders that hold an interpreter or an environment each, below the system's root, with the layout that the
# place tells.
_SYSTEM_PREFIXES = (
    ("pyenv", "opt/pyenv/versions/*"),
    ("pyenv", "usr/local/pyenv/versions/*"),
    ("conda", "opt/*"),
    ("conda", "usr/local/*conda*"),
    ("conda", "usr/local/*forge*"),
    ("uv", "opt/uv/python/*"),
    ("uv", "usr/local/share/uv/python/*"),
    ("pipx", "opt/pipx/venvs/*"),
    ("pipx", "opt/pipx/shared"),
    ("pipx", "usr/local/share/pipx/venvs/*"),
    ("homebrew", "opt/homebrew"),
    ("homebrew", "opt/homebrew/Cellar/python@*/*"),
    ("homebrew", "usr/local/Cellar/python@*/*"),
    ("homebrew", "home/linuxbrew/.linuxbrew/Cellar/python@*/*"),
    ("homebrew", "home/linuxbrew/.linuxbrew"),
    ("python.org", "Library/Frameworks/Python.framework/Versions/*"),
    ("python.org", "Library/Frameworks/PythonT.framework/Versions/*"),
)
_HOME_PREFIXES = (
    ("pyenv", ".pyenv/versions/*"),
    ("uv", ".local/share/uv/python/*"),
    ("uv tool", ".local/share/uv/tools/*"),
    ("pipx", ".local/share/pipx/venvs/*"),
    ("pipx", ".local/share/pipx/shared"),
    ("pipx", ".local/pipx/venvs/*"),
    ("pipx", ".local/pipx/shared"),
    ("conda", "*conda3"),
    ("conda", "*conda"),
    ("conda", "*forge"),
    ("conda", "*forge3"),
    ("conda", "micromamba"),
    ("conda", ".conda/envs/*"),
    ("conda", ".mamba/envs/*"),
    ("conda", ".local/share/mamba/envs/*"),
    ("conda", ".pixi/envs/*"),
    ("other", ".asdf/installs/python/*"),
    ("other", ".local/share/mise/installs/python/*"),
    ("other", ".rye/py/*"),
    ("other", ".local/share/hatch/pythons/*/python"),
    ("other", ".local"),
    ("venv", ".cache/pypoetry/virtualenvs/*"),
    ("venv", ".local/share/virtualenvs/*"),
    ("venv", ".virtualenvs/*"),
    ("venv", ".local/share/hatch/env/virtual/*/*/*"),
    ("venv", ".local/share/hatch/env/virtual/*"),
)
_TREES = ("srv", "opt", "var/www", "data")
# Homes that accounts of the system have, which are no homes.
_NO_HOMES = frozenset(
    "/ /bin /sbin /usr /usr/bin /usr/sbin /dev /proc /sys /etc /run /var /var/run /tmp /boot".split()  # noqa: SIM905
)
# Large, and never the place of an environment.
_LEFT_OUT = frozenset(
    "node_modules __pycache__ site-packages dist-packages .git .hg .svn .cache .cargo .rustup .npm "  # noqa: SIM905
    ".mypy_cache .pytest_cache .ruff_cache lost+found .Trash share include".split()
)
_DEPTH = 6
_MAX_DIRECTORIES = 20_000
_MAX_ENTRIES = 20_000  # of one directory


@dataclass(frozen=True)
class Candidate:
    """A place that may be an interpreter's.

    Attributes:
        path: A prefix (a directory with `bin/`), or an executable.
        layout: What the place tells; empty where it tells nothing.
        is_prefix: Which of both.
    """

    path: str
    layout: str = ""
    is_prefix: bool = False


@dataclass(frozen=True)
class Places:
    """Where to look.

    Attributes:
        root: What the system's own directories are below.
        homes: Home directories.
        environ: Where `PATH`, `PYENV_ROOT` and their like are taken from.
        with_processes: Whether what runs now is looked at, too.
        max_directories: How many directories each tree of a search may have.
    """

    root: str = "/"
    homes: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    with_processes: bool = False
    max_directories: int = _MAX_DIRECTORIES

    @classmethod
    def of_machine(cls) -> Places:
        """This machine: the homes of all users, and what runs."""
        return cls("/", tuple(_homes()), dict(os.environ), with_processes=True)

    def candidates(self, skipped: list[str]) -> Iterator[Candidate]:
        """All places, the system's first. What is not looked into is added to `skipped`, in words."""
        yield from self._folders()
        yield from self._prefixes()
        seen: set[tuple[int, int]] = set()
        for tree in (*self.homes, *map(self._below, _TREES)):
            yield from _searched(tree, self.max_directories, seen, skipped)

    def _below(self, path: str) -> str:
        return os.path.join(self.root, path)

    def _folders(self) -> Iterator[Candidate]:
        search_path = self.environ.get("PATH", "").split(os.pathsep)
        folders = [place for pattern in _SYSTEM_FOLDERS for place in matching(self.root, pattern)]
        for folder in dict.fromkeys([*folders, *search_path]):
            # pyenv's shims are scripts that start a Python of their own choice.
            if folder.startswith("/") and os.path.basename(folder) != "shims":
                yield from map(Candidate, pythons_in(folder))

    def _prefixes(self) -> Iterator[Candidate]:
        for layout, base, pattern in self._patterns():
            for place in matching(base, pattern):
                is_conda = is_conda_prefix(place)
                if layout != "conda" or is_conda:
                    yield Candidate(place, layout, is_prefix=True)
                if is_conda:
                    yield from (Candidate(found, "conda", True) for found in matching(place, "envs/*"))
        for home in self.homes:
            text = files.read_regular(f"{home}/.conda/environments.txt") or b""
            for line in text.decode("utf-8", "surrogateescape").splitlines()[:500]:
                if line.startswith("/") and is_conda_prefix(line.rstrip()):
                    yield Candidate(line.rstrip(), "conda", is_prefix=True)

    def _patterns(self) -> Iterator[tuple[str, str, str]]:
        """(layout, where, pattern) of all prefixes."""
        for layout, variable, pattern in (
            ("pyenv", "PYENV_ROOT", "versions/*"),
            ("uv", "UV_PYTHON_INSTALL_DIR", "*"),
            ("uv tool", "UV_TOOL_DIR", "*"),
            ("pipx", "PIPX_HOME", "venvs/*"),
            ("conda", "MAMBA_ROOT_PREFIX", "."),
            ("venv", "WORKON_HOME", "*"),
        ):
            base = self.environ.get(variable, "")
            if base.startswith("/"):
                yield layout, base, pattern
        for layout, pattern in _SYSTEM_PREFIXES:
            yield layout, self.root, pattern
        for home in self.homes:
            for layout, pattern in _HOME_PREFIXES:
                yield layout, home, pattern


def pythons_in(folder: str) -> list[str]:
    """The programs in `folder` that are named as interpreters are."""
    names = [name for name in files.names_in(folder, limit=20_000) if PYTHON_NAME.fullmatch(name)]
    return [f"{folder}/{name}" for name in names if files.is_program(f"{folder}/{name}")]


def is_conda_prefix(place: str) -> bool:
    """Whether conda, mamba or pixi made the prefix at `place`."""
    return files.is_directory(f"{place}/conda-meta")


def matching(base: str, pattern: str) -> list[str]:
    """The directories below `base` that `pattern` names, part by part."""
    places = [base.rstrip("/")]
    for part in pattern.split("/"):
        if part == ".":
            continue
        found = []
        for place in places:
            names = files.names_in(place or "/") if "*" in part else [part]
            found += [f"{place}/{name}" for name in names if fnmatch.fnmatchcase(name, part)]
        places = [place for place in found if files.is_directory(place)]
    return places


def _homes() -> Iterator[str]:
    found = [user.pw_dir for user in pwd.getpwall()]
    # Users that a directory server knows are not listed; their homes are mostly here.
    for folder in ("/home", "/Users"):
        found += [f"{folder}/{name}" for name in files.names_in(folder)]
    for home in dict.fromkeys(os.path.normpath(place) for place in found if place.startswith("/")):
        if home not in _NO_HOMES and (files.is_directory(home) or files.distant_mount(home)):
            yield home


def _searched(
    tree: str, max_directories: int, seen: set[tuple[int, int]], skipped: list[str]
) -> Iterator[Candidate]:
    """Environments and prefixes anywhere in `tree`, breadth first; no link is followed."""
    start = files.resolve(tree)
    if start is None:
        point = files.distant_mount(tree)
        if point:
            skipped.append(f"{point} is on a file system of type {files.distant_mounts()[point]}")
        return
    if not os.access(start, os.R_OK | os.X_OK):
        skipped.append(f"{tree} may only be read by others")
        return
    level, count = [start], 0
    for _ in range(_DEPTH):
        below: list[str] = []
        for directory in level:
            if count == max_directories:
                skipped.append(f"{tree}, beyond its first {max_directories:,} directories")
                return
            count += 1
            found, further = _examined(directory, seen, skipped)
            yield from found
            below += further
        level = below
    if level:
        skipped.append(f"{tree}, what is more than {_DEPTH} levels below it (places: {len(level):,})")


def _examined(
    directory: str, seen: set[tuple[int, int]], skipped: list[str]
) -> tuple[list[Candidate], list[str]]:
    """What `directory` is, and which of its directories to look into."""
    try:
        status = os.lstat(directory)
        if (status.st_dev, status.st_ino) in seen:
            return [], []
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(directory) as entries:
            some = itertools.islice(entries, _MAX_ENTRIES)
            names = {entry.name: entry.is_dir(follow_symlinks=False) for entry in some}
    except OSError:
        return [], []
    if "pyvenv.cfg" in names:
        return [Candidate(directory, "", is_prefix=True)], []
    found = [Candidate(directory, "conda", is_prefix=True)] if names.get("conda-meta") else []
    if os.path.basename(directory) == "bin":
        found += map(Candidate, pythons_in(directory))
    further = [f"{directory}/{name}" for name, is_directory in sorted(names.items()) if is_directory]
    return found, [place for place in further if _is_searched(place, names, skipped)]


def _is_searched(place: str, siblings: Mapping[str, bool], skipped: list[str]) -> bool:
    name = os.path.basename(place)
    if place in files.distant_mounts():
        skipped.append(f"{place} is on a file system of type {files.distant_mounts()[place]}")
        return False
    # The libraries of a prefix are large, and hold no other prefix.
    is_library = name.startswith(("lib", "share", "include")) and "bin" in siblings
    return name not in _LEFT_OUT and not is_library
