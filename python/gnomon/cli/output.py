"""Answers go out: to a file, whole or not at all, or to standard output, which may be full or left."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from ..replacing import replaced
from .errors import Failure


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
        with replaced(path) as unfinished:
            _fill(unfinished.descriptor, text)
    except PermissionError:
        if not os.path.isfile(path):
            raise
        _fill(path, text)  # the file may be written, and its directory may not


def _fill(place: str | int, text: str) -> None:
    is_path = isinstance(place, str)
    with open(place, "w", encoding="utf-8", errors="backslashreplace", newline="", closefd=is_path) as file:
        file.write(text)


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
