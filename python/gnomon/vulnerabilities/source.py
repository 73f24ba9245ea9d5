"""What OSV exports, read with distrust: the zip of an ecosystem, a directory of records, single files.

Every size is capped before anything is unpacked or parsed, nothing is written, and no name from within is
used as a path. What goes beyond a cap is refused as a whole: no honest export does.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, cast

from .advisory import UNREADABLE, Skipped

MAX_RECORD_BYTES = 16 << 20  # the largest of 2024 have some 300 kB
MAX_TOTAL_BYTES = 4 << 30  # all of PyPI has some 200 MB
MAX_RECORDS = 1_000_000
NOT_A_RECORD = "no .json or .yaml file"
NO_YAML = "YAML, and no PyYAML is installed"
_YAML = (".yaml", ".yml")


class SourceError(Exception):
    """What was given cannot be imported.

    Attributes:
        hint: What would help, or `None`.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class Source:
    """The records below some paths; iterating gives each one's name with what it parsed to, or why not."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = list(paths)
        self.names: list[str] = []
        self._digests: list[tuple[str, str]] = []
        self._bytes = 0

    @property
    def sha256(self) -> str:
        """Of the file; of several or a directory that of the lines `sha256sum` writes of them, sorted."""
        if len(self._digests) == 1 and os.path.isfile(self.paths[0]):
            return self._digests[0][1]
        listing = "".join(f"{digest}  {name}\n" for name, digest in sorted(self._digests))
        return hashlib.sha256(listing.encode("utf-8", "surrogateescape")).hexdigest()

    def __iter__(self) -> Iterator[tuple[str, object | Skipped]]:
        for path in self.paths:
            for name, file in _files(path):
                if name.endswith(".zip"):
                    yield from self._zip(name, file)
                else:
                    yield name, self._file(name, file)

    def _zip(self, name: str, path: str) -> Iterator[tuple[str, object | Skipped]]:
        with opened(path) as file:
            self._digests.append((name, _digest(file)))
            try:
                with zipfile.ZipFile(file) as archive:
                    members = _members(archive, path)
                    for member in members:
                        yield f"{name}/{member.filename}", self._member(archive, member, path)
            except (zipfile.BadZipFile, NotImplementedError, OverflowError, ValueError) as error:
                raise SourceError(
                    f"cannot read `{path}`: it is no whole zip file ({error})", hint="download it again"
                ) from None

    def _member(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: str) -> object | Skipped:
        parse = _parser(member.filename)
        if isinstance(parse, Skipped):
            return parse
        try:
            with archive.open(member) as file:
                content = file.read(MAX_RECORD_BYTES + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            return Skipped(UNREADABLE, str(error))
        return parse(self._counted(content, f"{path}/{member.filename}"))

    def _file(self, name: str, path: str) -> object | Skipped:
        parse = _parser(name)
        if isinstance(parse, Skipped):
            return parse
        with opened(path) as file:
            content = self._counted(file.read(MAX_RECORD_BYTES + 1), path)
        self._digests.append((name, hashlib.sha256(content).hexdigest()))
        return parse(content)

    def _counted(self, content: bytes, path: str) -> bytes:
        self._bytes += len(content)
        if len(content) > MAX_RECORD_BYTES:
            raise _too_large(path)
        if self._bytes > MAX_TOTAL_BYTES:
            raise SourceError(
                f"cannot import `{self.paths[0]}`: it unpacks to more than {MAX_TOTAL_BYTES >> 30} GiB",
                hint="the export of PyPI alone is much smaller: PyPI/all.zip",
            )
        return content


def _too_large(path: str) -> SourceError:
    return SourceError(
        f"cannot import `{path}`: it is larger than {MAX_RECORD_BYTES >> 20} MiB, and no advisory is",
        hint="import the zip file or the directory of the export, in which each advisory is a file",
    )


def _members(archive: zipfile.ZipFile, path: str) -> list[zipfile.ZipInfo]:
    """The members, none of which claims to be too large; what they really hold is counted when read."""
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) > MAX_RECORDS:
        raise SourceError(f"cannot import `{path}`: it holds more than {MAX_RECORDS:,} files")
    for member in members:
        if member.file_size > MAX_RECORD_BYTES and not isinstance(_parser(member.filename), Skipped):
            raise _too_large(f"{path}/{member.filename}")
    if sum(member.file_size for member in members) > MAX_TOTAL_BYTES:
        raise SourceError(
            f"cannot import `{path}`: it says that it unpacks to more than {MAX_TOTAL_BYTES >> 30} GiB"
        )
    return members


def _files(path: str) -> Iterator[tuple[str, str]]:
    """Each file at or below `path`: its name from there, and where it is; hidden directories are left out."""
    try:
        if not os.path.isdir(path):
            os.stat(path)
            yield os.path.basename(path), path
            return
        for directory, below, names in os.walk(path, onerror=_raise):
            below[:] = sorted(one for one in below if not one.startswith("."))
            for name in sorted(names):
                whole = os.path.join(directory, name)
                yield os.path.relpath(whole, path), whole
    except OSError as error:
        raise SourceError(f"cannot read `{error.filename or path}`: {_cause(error)}") from None


def _raise(error: OSError) -> None:
    raise error


def opened(path: str) -> BinaryIO:
    """The file, opened such that a FIFO blocks nobody.

    Raises:
        SourceError: It cannot be read, or is no file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise SourceError(f"cannot read `{path}`: {_cause(error)}") from None
    file = os.fdopen(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise SourceError(f"cannot read `{path}`: it is no file")
    return file


def _cause(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    file.seek(0)
    return digest.hexdigest()


def _parser(name: str) -> Callable[[bytes], object | Skipped] | Skipped:
    lower = name.lower()
    if lower.endswith(".json"):
        return _json
    if lower.endswith(_YAML):
        return Skipped(NO_YAML) if _yaml_loader() is None else _yaml
    return Skipped(NOT_A_RECORD)


def _json(content: bytes) -> object | Skipped:
    try:
        # No number in a record matters, and a number of a million digits takes minutes as an int.
        return cast(object, json.loads(content, parse_int=float))
    except (ValueError, RecursionError) as error:
        return Skipped(UNREADABLE, str(error))


def _yaml(content: bytes) -> object | Skipped:
    import yaml

    try:
        # All scalars as text: 1.10 is a version here, and no number.
        return cast(object, yaml.load(content, Loader=_yaml_loader()))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return Skipped(UNREADABLE, str(error))


def _yaml_loader() -> Any:
    """What reads YAML; `None` where PyYAML is not installed."""
    try:
        import yaml
    except ImportError:
        return None
    return getattr(yaml, "CBaseLoader", yaml.BaseLoader)
