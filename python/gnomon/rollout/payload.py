"""The payload: one directory with all that a managed machine needs, and the link that says which is in use.

It is made under a temporary name and renamed, so that a payload is whole or not there. A process that has
loaded an old one keeps it until it ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import stat
import sys
import time
import zipfile
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES

from .errors import RolloutError
from .layout import Layout
from .ledger import sync_directory, write_file

LOADER = "loader.py"
PRELOAD = "libgnomon_preload.so"
PROGRAM = "rollout.pyz"
VERSION = "version"

# What the program in the payload is made of, besides rollout/ itself.
_MODULES = ("__init__.py", "places.py", "policy.py", "text.py")
_UNFINISHED = ".unfinished-"
# A process that has just looked up `current` may still be about to load what it names.
_GRACE_SECONDS = 60

_MAIN = '''\
"""The program of a gnomon payload: `python3 -I rollout.pyz VERB ...`."""

import sys

from gnomon.rollout.program import main

sys.exit(main(sys.argv[1:]))
'''

Files = dict[str, bytes]


def own() -> Files:
    """The payload of the running gnomon: a package that pip installed, or the program of another payload."""
    archive = own_archive()
    return _of_payload(os.path.dirname(archive)) if archive else _of_package(_package())


def own_archive() -> str | None:
    """The archive that this runs from, if it does."""
    archive = getattr(globals().get("__loader__"), "archive", None)
    return os.path.realpath(archive) if archive else None


def _package() -> str:
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def _of_payload(directory: str) -> Files:
    """The files of a payload that is somewhere else: unpacked by IT's own tools, or installed already."""
    files: Files = {}
    for name in sorted(os.listdir(directory)):
        if name.startswith("_native.") or name in (LOADER, PRELOAD, PROGRAM, VERSION):
            files[name] = _read(f"{directory}/{name}")
    return files


def _of_package(package: str) -> Files:
    files: Files = {}
    for suffix in EXTENSION_SUFFIXES:
        with contextlib.suppress(FileNotFoundError):
            files[f"_native{suffix}"] = _read(f"{package}/_native{suffix}")
    if not files:
        raise RolloutError("cannot make the payload: this gnomon has no library", hint="install gnomon again")
    preload = _preload()
    if preload is not None:
        files[PRELOAD] = preload
    files[LOADER] = _read(f"{package}/rollout/{LOADER}")
    files[PROGRAM] = program(package)
    files[VERSION] = json.dumps({"version": version(), "library": _library(files)[0]}).encode() + b"\n"
    return files


def _preload() -> bytes | None:
    from .. import _native

    make = getattr(_native, "preload_library", None)
    given = make() if make else None
    return given if given is None or isinstance(given, bytes) else _read(os.fspath(given))


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def version() -> str:
    """The version of the running gnomon."""
    archive = own_archive()
    if archive:
        return str(json.loads(_read(f"{os.path.dirname(archive)}/{VERSION}"))["version"])
    from importlib.metadata import version as installed

    return installed("gnomon")


def program(package: str) -> bytes:
    """The rollout as an archive that Python runs; the same bytes from the same files."""
    names = [*_MODULES, *_files_below(package, "rollout")]
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "__main__.py", _MAIN.encode())
        for name in names:
            _add(archive, f"gnomon/{name}", _read(f"{package}/{name}"))
    return data.getvalue()


def _files_below(package: str, directory: str) -> Iterator[str]:
    for base, directories, names in os.walk(f"{package}/{directory}"):
        directories[:] = sorted(name for name in directories if name != "__pycache__")
        for name in sorted(names):
            yield os.path.relpath(f"{base}/{name}", package)


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name)  # of 1980, as it says when nothing is said
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = (stat.S_IFREG | 0o644) << 16
    archive.writestr(entry, data)


def _library(files: Files) -> tuple[str, bytes]:
    name = next(name for name in sorted(files) if name.startswith("_native."))
    return name, files[name]


def name_of(files: Files) -> str:
    """What the directory of a payload is called: its version, and a digest of its library."""
    said = json.loads(files[VERSION])["version"]
    return f"{said}-{hashlib.sha256(_library(files)[1]).hexdigest()[:8]}"


def put(layout: Layout, files: Files) -> str:
    """Writes the payload, if it is not there, and returns the name of its directory below `versions`."""
    os.makedirs(layout.versions, mode=0o755, exist_ok=True)
    base = name = name_of(files)
    number = 1
    while os.path.lexists(f"{layout.versions}/{name}"):
        if _is_there(f"{layout.versions}/{name}", files):
            return name
        number += 1  # the same library with another program: a developer's build
        name = f"{base}.{number}"
    unfinished = f"{layout.versions}/{_UNFINISHED}{os.urandom(8).hex()}"
    os.mkdir(unfinished, 0o755)
    try:
        for file, data in files.items():
            write_file(f"{unfinished}/{file}", data)
        os.chmod(unfinished, 0o755)
        os.rename(unfinished, f"{layout.versions}/{name}")
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    sync_directory(layout.versions)
    return name


def _is_there(directory: str, files: Files) -> bool:
    try:
        return sorted(os.listdir(directory)) == sorted(files) and all(
            _read(f"{directory}/{name}") == data for name, data in files.items()
        )
    except OSError:
        return False


def use(layout: Layout, name: str) -> None:
    """Has processes that start from now on take the payload `name`."""
    target = f"versions/{name}"
    with contextlib.suppress(OSError):
        before = os.readlink(layout.current)
        if before == target:
            return
        os.utime(f"{layout.root}/{before}")  # when it went out of use
    unfinished = f"{layout.root}/.current.{os.urandom(8).hex()}"
    os.symlink(target, unfinished)
    os.replace(unfinished, layout.current)
    sync_directory(layout.root)


def prune(layout: Layout, now: float | None = None) -> list[str]:
    """Removes the payloads that are out of use and that no process has loaded; returns their names."""
    try:
        names = sorted(os.listdir(layout.versions))
        current = os.path.basename(os.readlink(layout.current))
    except OSError:
        return []
    latest = (time.time() if now is None else now) - _GRACE_SECONDS
    old = [name for name in names if name != current and _is_older(f"{layout.versions}/{name}", latest)]
    mapped = _mapped() if old else set()
    removed = []
    for name in old:
        if not mapped.isdisjoint(_inodes(f"{layout.versions}/{name}")):
            continue
        shutil.rmtree(f"{layout.versions}/{name}", ignore_errors=True)
        removed.append(name)
    return removed


def _is_older(path: str, moment: float) -> bool:
    try:
        return os.lstat(path).st_mtime < moment
    except OSError:
        return False


def _inodes(directory: str) -> set[int]:
    with contextlib.suppress(OSError):
        return {entry.inode() for entry in os.scandir(directory) if entry.name.endswith(".so")}
    return set()


def _mapped() -> set[int]:
    """The inodes of all that processes have mapped: in a container the path of a file may be another."""
    found: set[int] = set()
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError), open(f"/proc/{name}/maps", "rb") as file:
            found |= {int(line.split(None, 5)[4]) for line in file if b".so" in line}
    return found


def remove(layout: Layout) -> list[str]:
    """Removes all payloads and what belongs to them; says what stays as it is not ours."""
    for name in (layout.current, layout.settings):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
    for directory in (layout.versions, layout.policies):
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(directory)
    for name in os.listdir(layout.root):
        if name.startswith((".current.", ".settings.", ".installed.json.")):
            os.unlink(f"{layout.root}/{name}")
    return sorted(set(os.listdir(layout.root)) - {os.path.basename(layout.ledger)})


def load_library() -> None:
    """Gives the package in an archive its library, which cannot be imported from there."""
    archive = own_archive()
    if archive is None or "gnomon._native" in sys.modules:
        return
    from importlib.util import module_from_spec, spec_from_file_location

    for suffix in EXTENSION_SUFFIXES:
        path = f"{os.path.dirname(archive)}/_native{suffix}"
        spec = spec_from_file_location("gnomon._native", path) if os.path.exists(path) else None
        if spec is not None and spec.loader is not None:
            module = module_from_spec(spec)
            spec.loader.exec_module(module)
            sys.modules["gnomon._native"] = module
            sys.modules["gnomon"]._native = module  # type: ignore[attr-defined]
            return
