"""Which installed distribution a loaded module belongs to: pure look-ups in what the spool and disk say.

The spool knows the names and versions of what is installed in a library directory, and the modules that
were loaded from it. A module mostly has its distribution's name; for the others the distribution's own list
of files says, where the directory is still there, and last a short list of well-known differences.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

# Top-level modules of distributions that are called otherwise; used only if that distribution is installed.
_KNOWN = {
    "PIL": "pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "fitz": "pymupdf",
    "google.protobuf": "protobuf",
    "jwt": "pyjwt",
    "pkg_resources": "setuptools",
    "pptx": "python-pptx",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    "zmq": "pyzmq",
}


@dataclass(frozen=True)
class Library:
    """An installed distribution of which something was loaded.

    Attributes:
        name: As its metadata directory spells it.
        version: Empty where it is not known.
        modules: The top-level modules that were loaded, and how many modules in all.
    """

    name: str
    version: str
    modules: dict[str, int]


@lru_cache(maxsize=8192)
def normalised(name: str) -> str:
    """The name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def libraries(
    loaded: Iterable[tuple[str, str, int]], installed: Mapping[str, list[tuple[str, str]]]
) -> list[Library]:
    """The distributions that `loaded` modules belong to, sorted by name.

    Args:
        loaded: Module, file it came from, number of modules below it.
        installed: For each library directory the names and versions of what is installed there.
    """
    found: dict[tuple[str, str], dict[str, int]] = {}
    for module, file, count in loaded:
        directory = _directory(file, installed)
        if directory is None:
            continue
        name, version = _distribution(module, directory, installed[directory])
        modules = found.setdefault((name, version), {})
        modules[module] = modules.get(module, 0) + count
    return [
        Library(name, version, modules)
        for (name, version), modules in sorted(found.items(), key=lambda item: item[0][0].lower())
    ]


def owner_of(
    module: str, file: str, installed: Mapping[str, list[tuple[str, str]]]
) -> tuple[str, str] | None:
    """The name and version of the distribution that `module`, loaded from `file`, belongs to.

    The version is empty, and the name that of the module, where no installed distribution has it. `None`
    where it was not loaded from a library directory: the standard library, or code of one's own.
    """
    directory = _directory(file, installed)
    return None if directory is None else _distribution(module, directory, installed[directory])


def _directory(file: str, installed: Mapping[str, object]) -> str | None:
    holding = [directory for directory in installed if file.startswith(directory + "/")]
    return max(holding, key=len, default=None)


def _distribution(module: str, directory: str, names: list[tuple[str, str]]) -> tuple[str, str]:
    by_name = {normalised(name): (name, version) for name, version in names}
    owner = by_name.get(normalised(module)) or by_name.get(normalised(_KNOWN.get(module, "")))
    if owner is None:
        stem = _owners(directory).get(module) or _owners(directory).get(module.partition(".")[0], "")
        owner = by_name.get(normalised(stem))
    return owner or (module, "")


_CACHE: dict[str, dict[str, str]] = {}


def _owners(directory: str) -> dict[str, str]:
    """Top-level module to distribution, from the `RECORD` files in `directory` (PEP 376)."""
    if directory not in _CACHE:
        _CACHE[directory] = dict(_read_owners(directory))
    return _CACHE[directory]


def _read_owners(directory: str) -> Iterable[tuple[str, str]]:
    try:
        entries = sorted(os.listdir(directory))
    except OSError:
        return
    for entry in entries:
        stem, dot, _ = entry.rpartition(".dist-info")
        if not dot:
            continue
        try:
            with open(f"{directory}/{entry}/RECORD", encoding="utf-8", errors="replace") as file:
                paths = [line.partition(",")[0] for line in file]
        except OSError:
            continue
        name = stem.partition("-")[0]
        for path in paths:
            top, slash, rest = path.partition("/")
            if top.endswith((".dist-info", ".data")) or top in ("..", "__pycache__"):
                continue
            yield (top if slash else top.partition(".")[0]), name
            if slash and "/" in rest:
                yield f"{top}.{rest.partition('/')[0]}", name
