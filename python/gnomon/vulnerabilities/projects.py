"""What a package index says, from files: which projects it has, and which releases were yanked.

Two forms: the JSON of PEP 691 (the list of all projects, or the page of one), and plain lists, with a name a
line, and `name==version` for a yanked release, which may be followed by the reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)

from ..libraries import normalised
from .ranges import parsed, release
from .source import SourceError, opened

MAX_INDEX_BYTES = 512 << 20  # the list of all of PyPI has some 30 MB
_LINE = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:==\s*(\S+)\s*(.*?))?\s*(?:#.*)?")


@dataclass
class Projects:
    """What index files said.

    Attributes:
        names: Normalised names of the projects that there are.
        yanked: Name and version, both normalised, with the reason, which may be empty.
        is_list: Whether a list of all names was among the files, so that what is not in it is unknown.
    """

    names: set[str] = field(default_factory=set)
    yanked: dict[tuple[str, str], str] = field(default_factory=dict)
    is_list: bool = False

    def read(self, path: str) -> None:
        """Adds what a file says.

        Raises:
            SourceError: It cannot be read, or is of no known form.
        """
        with opened(path) as file:
            content = file.read(MAX_INDEX_BYTES + 1)
        if len(content) > MAX_INDEX_BYTES:
            raise SourceError(f"cannot read `{path}`: it is larger than {MAX_INDEX_BYTES >> 20} MiB")
        text = content.decode("utf-8", "replace")
        if text.lstrip().startswith("{"):
            self._read_json(path, text)
        else:
            self._read_lines(path, text)

    def _read_json(self, path: str, text: str) -> None:
        try:
            page = json.loads(text, parse_int=float)
        except (ValueError, RecursionError) as error:
            raise SourceError(f"cannot read `{path}`: {error}") from None
        if isinstance(page.get("projects"), list):
            self.names |= {normalised(one["name"]) for one in _named(page["projects"])}
            self.is_list = True
        elif isinstance(page.get("name"), str) and isinstance(page.get("files"), list):
            name = normalised(page["name"])
            self.names.add(name)
            for version, reason in _yanked(page["files"]):
                self.yanked[name, version] = reason
        else:
            raise SourceError(
                f"cannot read `{path}`: it is no answer of a package index (PEP 691)",
                hint="or give a list with a name in each line",
            )

    def _read_lines(self, path: str, text: str) -> None:
        for number, line in enumerate(text.splitlines(), 1):
            if not line.partition("#")[0].strip():
                continue
            found = _LINE.fullmatch(line)
            version = parsed(found[2]) if found and found[2] else None
            if found is None or (found[2] and version is None):
                raise SourceError(
                    f"cannot read line {number} of `{path}`", hint="`name`, or `name==version` if yanked"
                )
            if version is None:
                self.is_list = True
            else:
                self.yanked[normalised(found[1]), release(version)] = found[3] or ""
            self.names.add(normalised(found[1]))


def _named(projects: list[Any]) -> Iterator[Mapping[str, str]]:
    return (one for one in projects if isinstance(one, Mapping) and isinstance(one.get("name"), str))


def _yanked(files: list[Any]) -> Iterator[tuple[str, str]]:
    """The versions of which every file is yanked (PEP 592)."""
    versions: dict[str, list[object]] = {}
    for file in files:
        version = _version(str(file.get("filename", ""))) if isinstance(file, Mapping) else None
        if version is not None:
            versions.setdefault(version, []).append(file.get("yanked") or False)
    for version, marks in versions.items():
        if all(mark is not False for mark in marks):
            yield version, next((mark for mark in marks if isinstance(mark, str)), "")


def _version(filename: str) -> str | None:
    try:
        if filename.endswith(".whl"):
            return release(parse_wheel_filename(filename)[1])
        return release(parse_sdist_filename(filename)[1])
    except (InvalidWheelFilename, InvalidSdistFilename, ValueError):
        return None
