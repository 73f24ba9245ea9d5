"""What the verbs that ask the views have in common: the spools, what is known beside them, and errors."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

from .errors import Failure
from .spools import open_spool, parse_since

if TYPE_CHECKING:
    from ..analysis import Analysis
    from ..findings import WorkingHours

_EXTRA = "pip install 'gnomon[report]'"


def add_knowledge(parser: argparse.ArgumentParser) -> None:
    """Adds the options that say what is known beside the records."""
    parser.add_argument("--since", metavar="WHEN", help="only since then: 10m, 2h, 7d, or a date and time")
    parser.add_argument("--leavers", metavar="CSV", help="people who left: a column `user`, or the first")
    parser.add_argument(
        "--catalog",
        metavar="FILE",
        action="append",
        default=[],
        help="your own facts about services, hosts and paths (TOML; again for more)",
    )
    parser.add_argument(
        "--suppressions",
        metavar="FILE",
        action="append",
        default=[],
        help="findings that somebody accepted (TOML; again for more)",
    )
    parser.add_argument(
        "--rules",
        metavar="PATH",
        action="append",
        default=[],
        help="your own rules for findings: a directory of .sql files, or one (again for more)",
    )
    parser.add_argument(
        "--working-hours",
        metavar="HOURS",
        help="as in `mon-fri 07:00-19:00` by this machine's clock, or `mon-fri 07:00-19:00 Europe/Berlin`",
    )
    parser.add_argument(
        "--no-scan", action="store_true", help="do not look for passwords and keys in the text of scripts"
    )
    parser.add_argument("--bandit", action="store_true", help="let an installed bandit look at the scripts")
    parser.add_argument("--osv", metavar="FILE", help="the database that `gnomon osv import` made")


def spool_paths(paths: list[str]) -> list[str]:
    """The spools that were named; that of the machine, or the user's own, where none was.

    Raises:
        Failure: One cannot be read.
    """
    return [str(open_spool(path).path) for path in paths or [None]]  # type: ignore[list-item]


@contextmanager
def analysis(options: argparse.Namespace, paths: list[str]) -> Iterator[Analysis]:
    """The views over `paths`, by the options of `add_knowledge` that the verb has.

    Raises:
        Failure: A library is missing, or a file cannot be read or says something wrong.
    """
    found = spool_paths(paths)
    since = getattr(options, "since", None)
    with known_errors():
        from ..analysis import Analysis

        catalogs = getattr(options, "catalog", [])
        catalog = None
        if catalogs:
            from ..catalog import Catalog

            catalog = Catalog.load(catalogs)
        with Analysis(
            found,
            since=parse_since(since) if since else None,
            catalog=catalog,
            vulnerabilities=getattr(options, "osv", None),
            leavers=getattr(options, "leavers", None),
            suppressions=getattr(options, "suppressions", []),
            rules=getattr(options, "rules", []),
            working_hours=_hours(getattr(options, "working_hours", None)),
            reads_scripts=not getattr(options, "no_scan", False),
            uses_bandit=getattr(options, "bandit", False),
        ) as made:
            yield made


def _hours(text: str | None) -> WorkingHours | None:
    if text is None:
        return None
    from ..findings import WorkingHours

    return WorkingHours.parse(text)


@contextmanager
def known_errors() -> Iterator[None]:
    """Turns what can go wrong while the views are made into a `Failure`."""
    try:
        yield
    except ImportError as error:
        if error.name and error.name.partition(".")[0] in ("duckdb", "rich", "packaging", "cyclonedx"):
            name = error.name.partition(".")[0]
            raise Failure(f"cannot import {name}, which this verb needs", hint=_EXTRA) from None
        raise
    except BrokenPipeError:
        raise  # whoever read our output has left, which is no error
    except OSError as error:
        if (error.strerror or "").startswith("cannot "):  # of a spool, which names itself
            raise Failure(str(error.strerror)) from None
        where = f" `{error.filename}`" if error.filename else ""
        raise Failure(f"cannot read{where}: {error.strerror or error}") from None
    except ValueError as error:  # of the catalogue, rules, suppressions and lists, which say what would help
        raise Failure(str(error), hint=getattr(error, "hint", None)) from None
    except Exception as error:
        if type(error).__name__ == "DatabaseError":
            raise Failure(str(error), hint=getattr(error, "hint", None)) from None
        raise


def write(text: str, path: str | None) -> None:
    """Writes a document to `path`, whole or not at all, or to standard output.

    Raises:
        Failure: It cannot be written.
    """
    text = text if text.endswith("\n") else text + "\n"
    if path is None or path == "-":
        to_stdout([text])
        return
    try:
        _to_file(text, os.path.realpath(path))
    except OSError as error:
        raise Failure(f"cannot write `{path}`: {error.strerror}") from None


def _to_file(text: str, path: str) -> None:
    if os.path.exists(path) and not os.path.isfile(path):  # a device or pipe
        _fill(path, text)
        return
    try:
        descriptor, unfinished = tempfile.mkstemp(prefix=".gnomon-", dir=os.path.dirname(path))
    except PermissionError:
        if not os.path.isfile(path):
            raise
        _fill(path, text)  # the file may be written, and its directory may not
        return
    try:
        _fill(descriptor, text)
        os.chmod(unfinished, _mode(path))
        os.replace(unfinished, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(unfinished)
        raise


def _fill(place: str | int, text: str) -> None:
    with open(place, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        file.write(text)


def _mode(path: str) -> int:
    """That of the file that is replaced; else what a new one would get."""
    try:
        return os.stat(path).st_mode & 0o777
    except OSError:
        umask = os.umask(0)
        os.umask(umask)
        return 0o666 & ~umask


def to_stdout(parts: Iterable[str | bytes], encoding: str | None = None) -> None:
    """Writes to standard output; what the encoding (by default its own) does not have as escapes.

    Raises:
        Failure: It cannot be written. That nobody reads it any more is none.
    """
    out = sys.stdout
    if out is None:
        raise Failure("cannot write to standard output: it is closed", hint="`-o FILE` writes to a file")
    with _written(out):
        out.flush()  # what was printed before stands before
    # Parts are made while they are written, and what fails there is not about the output.
    for part in parts:
        with _written(out):
            _put(out, part, encoding)
    with _written(out):
        out.flush()


@contextmanager
def _written(out: TextIO) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        _give_up(out)
        raise Failure(f"cannot write to standard output: {error.strerror}") from None


def _put(out: TextIO, part: str | bytes, encoding: str | None) -> None:
    buffer = getattr(out, "buffer", None)
    if buffer is None and isinstance(part, str):
        out.write(part)
        return
    if isinstance(part, str):
        part = part.encode(encoding or out.encoding or "utf-8", "backslashreplace")
    out.buffer.write(part)


def _give_up(out: TextIO) -> None:
    """What could not be written is dropped, or the interpreter would try again at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
