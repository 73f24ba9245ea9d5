"""Which Pythons a machine has, and whether gnomon can come into them.

A base interpreter has a standard library of its own: what lies there starts with each of its environments,
too. An environment is never executed, its base is (see `asking`). Nothing is changed here, and nothing raised
for what others made: a broken or hostile interpreter is one with an obstacle.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from . import files
from .asking import Answer, Asker, Unanswered
from .elf import Elf, frozen, read_elf
from .environments import Environment, directory_of, read_environment
from .places import Candidate, Places, is_conda_prefix, pythons_in

MARKER = b"# gnomon:"
_OLDEST = (3, 9)
_MAX_BASES_OF_ENVIRONMENTS = 3  # environments made from environments
_PROPER_NAMES = {"pypy": "PyPy", "graalpy": "GraalPy", "jython": "Jython", "ironpython": "IronPython"}
_LAYOUTS = (
    ("pyenv", r"/\.?pyenv/versions/[^/]+$"),
    ("uv", r"/uv/python/[^/]+$"),
    ("homebrew", r"/Cellar/python|^/opt/homebrew|/\.?linuxbrew/"),
    ("python.org", r"^/Library/Frameworks/PythonT?\.framework/"),
    ("pipx", r"/pipx/(?:venvs/[^/]+|shared)$"),
    ("uv tool", r"/uv/tools/[^/]+$"),
)


@dataclass(frozen=True)
class Interpreter:
    """One Python, or an environment of one.

    Attributes:
        executable: Its path as it was found first.
        names: Other paths that lead to the same one.
        layout: `distribution`, `pyenv`, `uv`, `conda`, `pipx`, `uv tool`, `homebrew`, `python.org`, `venv`,
            `virtualenv`, `embedded`, `frozen` or `other`.
        implementation: `cpython`, `pypy` …; empty where it could not be asked.
        version: As in `3.11.7`; empty where it could not be asked.
        prefix: Of the interpreter, or the environment's directory.
        base_prefix: Of its base.
        library: The standard library of its base, where `sitecustomize.py` goes; empty where it is not known.
        site: Its own site-packages directories.
        suffix: Of its extension modules.
        free_threaded: Whether it has no GIL.
        debug: Whether it is a debug build.
        machine: The processor it is made for, from its file; empty where that does not tell.
        base: The executable of its base, `None` for a base itself.
        owner: The user who owns the library; -1 where it is not known.
        obstacle: Why it cannot be covered; `None` where it can.
    """

    executable: str
    names: tuple[str, ...] = ()
    layout: str = "other"
    implementation: str = ""
    version: str = ""
    prefix: str = ""
    base_prefix: str = ""
    library: str = ""
    site: tuple[str, ...] = ()
    suffix: str = ""
    free_threaded: bool = False
    debug: bool = False
    machine: str = ""
    base: str | None = None
    owner: int = -1
    obstacle: str | None = None

    @property
    def is_environment(self) -> bool:
        """Whether it starts with the library of another interpreter."""
        return self.base is not None or self.layout in ("venv", "virtualenv", "pipx", "uv tool")

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**dataclasses.asdict(self), "is_environment": self.is_environment}


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Attributes:
        interpreters: Bases, each followed by its environments; last what belongs to none.
        skipped: What was not searched, in words.
    """

    interpreters: list[Interpreter]
    skipped: list[str]


def find(
    paths: Iterable[str] = (), *, everywhere: bool = True, places: Places | None = None
) -> list[Interpreter]:
    """The interpreters at `paths`, and those of this machine: bases, each followed by its environments.

    Args:
        paths: Executables, or directories of environments and installations.
        everywhere: Whether to look anywhere but at `paths`.
        places: Where to look; by default all of this machine.
    """
    return search(paths, everywhere=everywhere, places=places).interpreters


def search(paths: Iterable[str] = (), *, everywhere: bool = True, places: Places | None = None) -> Found:
    """As `find`, and says what was not searched."""
    files.distant_mounts.cache_clear()
    files.members.cache_clear()
    skipped: list[str] = []
    collection = _Collection()
    for path in paths:
        collection.add_named(os.path.abspath(path))
    if everywhere:
        places = places or Places.of_machine()
        for candidate in places.candidates(skipped):
            collection.add(candidate)
        if places.with_processes:
            _add_running(collection)
    return Found(collection.in_order(), list(dict.fromkeys(skipped)))


def covered(interpreter: Interpreter) -> bool:
    """Whether what starts gnomon lies in the interpreter's library."""
    return bool(interpreter.library) and is_covered(interpreter.library)


def is_covered(library: str) -> bool:
    """Whether what starts gnomon lies in the standard library at `library`."""
    place = f"{library}/sitecustomize.py"
    return (files.read_regular(place, len(MARKER)) or b"") == MARKER


class _Collection:
    """Each interpreter once, however many paths lead to it."""

    def __init__(self) -> None:
        self._asker = Asker()
        self._bases: dict[str, Interpreter | None] = {}  # by path without links
        self._environments: dict[str, Interpreter] = {}  # by directory without links
        self._others: dict[str, Interpreter] = {}

    def add_named(self, path: str) -> None:
        """What a person named: whatever it is, it is told."""
        place = files.resolve(path)
        if place and os.path.isdir(place):
            before = len(self._bases), len(self._environments)
            self.add(Candidate(path, is_prefix=True))
            if before != (len(self._bases), len(self._environments)) or self._knows(path):
                return
            self._others[path] = Interpreter(
                path, obstacle="could not be asked: there is no interpreter in it"
            )
        elif self._executable(path, "") is None:
            reason = "it is no program of this machine" if place else "it does not lead to a file"
            self._others[path] = Interpreter(path, obstacle=f"could not be asked: {reason}")

    def add(self, candidate: Candidate) -> None:
        """A place that may be an interpreter's: where it is none, nothing is said."""
        if not candidate.is_prefix:
            self._executable(candidate.path, candidate.layout)
            return
        if self._environment(candidate.path, candidate.layout) is None:
            for folder in (f"{candidate.path}/bin", candidate.path):
                for path in pythons_in(folder):
                    self._executable(path, candidate.layout)

    def add_embedded(self, program: str, libpython: str) -> None:
        """A program that is no Python but carries one, as a running process showed."""
        real = files.resolve(program)
        if real is None or real in self._bases or program in self._others:
            return
        self._others[program] = _embedded(program, libpython, [base for base in self._bases.values() if base])

    def in_order(self) -> list[Interpreter]:
        """Bases, each followed by its environments; last what belongs to none."""
        bases = _merged([base for base in self._bases.values() if base])
        libraries = {base.library: base for base in bases if base.library and not base.obstacle}
        bases = [self._checked(base, libraries) for base in bases]
        rest = [*self._environments.values(), *self._others.values()]
        ordered: list[Interpreter] = []
        for base in bases:
            ordered.append(base)
            own = {base.executable, *base.names, files.resolve(base.executable)}
            ordered += [dataclasses.replace(one, base=base.executable) for one in rest if one.base in own]
            rest = [one for one in rest if one.base not in own]
        return ordered + rest

    def _knows(self, path: str) -> bool:
        place = files.resolve(path)
        return place in self._environments or any(
            base and base.prefix == place for base in self._bases.values()
        )

    def _checked(self, base: Interpreter, libraries: dict[str, Interpreter]) -> Interpreter:
        """A copy of an interpreter may have the library of a known one, and of no other."""
        if base.obstacle != _FOREIGN_LIBRARY:
            return base
        owner = libraries.get(base.library)
        if owner is None or owner.version != base.version:
            return dataclasses.replace(base, library="", owner=-1)
        return dataclasses.replace(base, base=owner.executable, owner=owner.owner, obstacle=None)

    def _executable(self, path: str, layout: str) -> Interpreter | None:
        if not files.is_program(path):
            return None
        directory = directory_of(path)
        if directory is not None:
            return self._environment(directory, layout, path)
        real = files.resolve(path) or path
        known = self._bases.get(real)
        if known is not None and path not in (known.executable, *known.names):
            self._bases[real] = dataclasses.replace(known, names=(*known.names, path))
        if real not in self._bases:
            self._bases[real] = _base(path, real, layout, self._asker)
        return self._bases[real]

    def _environment(self, directory: str, layout: str, path: str = "", depth: int = 0) -> Interpreter | None:
        real = files.resolve(directory)
        if real is None:
            return None
        if real in self._environments:
            return self._environments[real]
        config = read_environment(directory)
        if config is None:
            return None
        base = self._base_of(config, depth)
        found = _of_environment(config, base, layout, path)
        self._environments[real] = found
        return found

    def _base_of(self, config: Environment, depth: int) -> Interpreter | None:
        for path in config.base_candidates():
            if not files.is_program(path):
                continue
            directory = directory_of(path)
            if directory is None:
                return self._executable(path, "")
            if depth < _MAX_BASES_OF_ENVIRONMENTS and directory != config.directory:
                further = read_environment(directory)
                return self._base_of(further, depth + 1) if further else None
        return None


_FOREIGN_LIBRARY = "could not be asked: it names a library that is not its owner's"


def _base(path: str, real: str, layout: str, asker: Asker) -> Interpreter | None:
    """What the program at `path` is; `None` where it is no program for a processor, such as a script."""
    elf = read_elf(real)
    if elf is None and not _is_other_program(real):
        return None
    found = Interpreter(path, machine=elf.machine if elf else "")
    maker = frozen(real)
    if maker:
        return dataclasses.replace(found, layout="frozen", obstacle=f"frozen by {maker}")
    wrong = _wrong_program(elf)
    if wrong:
        return dataclasses.replace(found, layout=_layout("", real, layout), obstacle=wrong)
    try:
        answer = asker.ask(real)
    except Unanswered as reason:
        # The name is all that is known then; the place tells the layout.
        prefix = os.path.dirname(os.path.dirname(real))
        obstacle = f"could not be asked: {reason}"
        return dataclasses.replace(found, layout=_layout(prefix, real, layout), obstacle=obstacle)
    return _answered(found, real, answer, layout)


def _answered(found: Interpreter, real: str, answer: Answer, layout: str) -> Interpreter:
    owner = _owner(answer.library)
    obstacle = _obstacle(answer) or _switched_off([found.executable, real], answer.version)
    # What it says is written to as root: it must be its own, or one that others vouch for.
    if owner == -1 or (os.geteuid() == 0 and owner not in _owners(real, answer.asked_as)):
        obstacle = obstacle or _FOREIGN_LIBRARY
    return dataclasses.replace(
        found,
        layout=_layout(answer.prefix, real, layout),
        implementation=answer.implementation,
        version=answer.version,
        prefix=answer.prefix,
        base_prefix=answer.base_prefix,
        library=answer.library,
        site=answer.site,
        suffix=answer.suffix,
        free_threaded=answer.free_threaded,
        debug=answer.debug,
        owner=owner,
        obstacle=obstacle,
    )


def _owners(real: str, asked_as: int) -> frozenset[int]:
    """Whose library an interpreter may name: where only root can write it, root's."""
    try:
        return frozenset({0} if not files.writers(real) else {asked_as})
    except OSError:
        return frozenset()


def _owner(library: str) -> int:
    """Who owns `library`, if that is a standard library at all."""
    if not files.is_file(f"{library}/os.py") and not files.is_file(f"{library}/os.pyc"):
        return -1
    try:
        return os.stat(library).st_uid
    except OSError:
        return -1


def _obstacle(answer: Answer) -> str | None:
    if answer.implementation != "cpython":
        name = _PROPER_NAMES.get(answer.implementation, answer.implementation)
        return f"{name} is no CPython"
    version = tuple(int(number) for number in answer.version.split(".")[:2])
    if version < _OLDEST:
        return f"Python {version[0]}.{version[1]} is older than {_OLDEST[0]}.{_OLDEST[1]}"
    return None


def _switched_off(executables: Iterable[str], version: str) -> str | None:
    """A file beside an executable, named as it is, makes it leave out `site` (on Linux since 3.11)."""
    for executable in executables:
        text = files.read_regular(f"{executable}._pth")
        if text is not None and b"import site" not in [line.strip() for line in text.splitlines()]:
            return f"{os.path.basename(executable)}._pth beside it switches site off"
    return None


def _wrong_program(elf: Elf | None) -> str | None:
    ours = _our_elf()
    if elf is None or ours is None:
        return None
    if elf.machine != ours.machine:
        return f"wrong processor: it is made for {elf.machine}, this machine is {ours.machine}"
    if not elf.loader:
        return "it is linked statically, and loads no library"
    if elf.is_musl != ours.is_musl:
        return f"its C library is {'musl' if elf.is_musl else 'glibc'}, and not this machine's"
    return None


@functools.lru_cache(maxsize=1)
def _our_elf() -> Elf | None:
    return read_elf(os.path.realpath(sys.executable)) if sys.executable else None


def _is_other_program(real: str) -> bool:
    """Whether it is a program as macOS has them."""
    start = files.read_regular(real, 4) or b""
    return sys.platform == "darwin" and start in (
        b"\xcf\xfa\xed\xfe",
        b"\xce\xfa\xed\xfe",
        b"\xca\xfe\xba\xbe",
    )


def _layout(prefix: str, real: str, layout: str) -> str:
    """What the prefix is; else what the place where it was found said."""
    if prefix and is_conda_prefix(prefix):
        return "conda"
    for name, pattern in _LAYOUTS:
        if re.search(pattern, prefix):
            return name
    if layout not in ("", "conda", "venv", "pipx", "uv tool"):
        return layout
    return "distribution" if real.startswith(("/usr/bin/", "/opt/rh/")) else "other"


def _of_environment(config: Environment, base: Interpreter | None, layout: str, path: str) -> Interpreter:
    known = tuple(dict.fromkeys([*([path] if path else []), *config.executables]))
    executable = known[0] if known else f"{config.directory}/bin/python"
    kind = next((name for name, pattern in _LAYOUTS[-2:] if re.search(pattern, config.directory)), None)
    if kind is None:
        kind = layout if layout in ("pipx", "uv tool") else "virtualenv" if config.is_virtualenv else "venv"
    own = Interpreter(executable, names=known[1:], layout=kind, prefix=config.directory, site=config.site)
    if base is None:
        obstacle = f"could not be asked: its base interpreter is not in {config.home or 'any place'}"
        return dataclasses.replace(own, version=config.version, base_prefix="", obstacle=obstacle)
    return dataclasses.replace(
        base,
        executable=executable,
        names=known[1:],
        layout=kind,
        prefix=config.directory,
        site=config.site,
        base=base.executable,
        obstacle=base.obstacle or _switched_off(known, base.version),
    )


def _merged(bases: list[Interpreter]) -> list[Interpreter]:
    """Executables of one installation that differ by name only: copies and hard links."""
    merged: dict[object, Interpreter] = {}
    for base in bases:
        facts = (base.prefix, base.library, base.version, base.suffix, base.machine, base.obstacle)
        key: object = facts if base.library else base.executable
        known = merged.get(key)
        if known is None:
            merged[key] = base
        else:
            names = (*known.names, base.executable, *base.names)
            merged[key] = dataclasses.replace(known, names=names)
    return list(merged.values())


def _embedded(program: str, libpython: str, bases: list[Interpreter]) -> Interpreter:
    """A program with a Python inside starts with the library of the base whose libpython it has loaded."""
    elf = read_elf(program)
    found = Interpreter(program, layout="embedded", machine=elf.machine if elf else "")
    maker = frozen(program)
    if maker:
        return dataclasses.replace(found, layout="frozen", obstacle=f"frozen by {maker}")
    if not libpython:
        return dataclasses.replace(found, obstacle="its Python is built in, and its library is not known")
    for base in bases:
        if base.version and not base.obstacle and is_library_of(libpython, base.base_prefix, base.version):
            return dataclasses.replace(
                base,
                executable=program,
                names=(),
                layout="embedded",
                base=base.executable,
                machine=found.machine,
            )
    return dataclasses.replace(found, obstacle=f"its {libpython} belongs to no interpreter that was found")


def is_library_of(libpython: str, prefix: str, version: str) -> bool:
    """Whether `libpython` is the one of the installation at `prefix`."""
    named = re.match(r"libpython(\d+\.\d+)", os.path.basename(libpython))
    if named is None or not version.startswith(f"{named[1]}."):
        return False
    folder = os.path.dirname(libpython)
    return any(
        folder == f"{prefix}/{lib}" or folder.startswith(f"{prefix}/{lib}/") for lib in ("lib", "lib64")
    )


def _add_running(collection: _Collection) -> None:
    from .running import running  # which needs to know what is covered

    for process in running():
        if process.is_elsewhere or not process.executable:
            continue
        if process.is_embedded:
            collection.add_embedded(process.executable, process.libpython)
            continue
        for path in dict.fromkeys([process.executable, *process.argv[:1]]):
            if os.path.isabs(path):
                collection.add(Candidate(path))
