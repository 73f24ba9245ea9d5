"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gnomon.replacing import replaced


def _write(path: Path, data: bytes, mode: int | None = None) -> None:
    with replaced(path, mode=mode, is_durable=True) as unfinished:
        os.write(unfinished.descriptor, data)


def test_a_file_keeps_its_mode_and_a_link_its_target(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"before")
    file.chmod(0o640)
    link.symlink_to("file")
    _write(link, b"after")
    assert link.is_symlink() and file.read_bytes() == b"after"
    assert file.stat().st_mode & 0o777 == 0o640
    _write(file, b"open", mode=0o604)
    assert file.stat().st_mode & 0o777 == 0o604


def test_a_new_file_gets_the_mode_that_others_get(tmp_path: Path) -> None:
    umask = os.umask(0o027)
    try:
        _write(tmp_path / "new", b"")
    finally:
        os.umask(umask)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640


def test_what_fails_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"before")
    with pytest.raises(KeyboardInterrupt), replaced(file) as unfinished:
        os.write(unfinished.descriptor, b"half")
        raise KeyboardInterrupt
    assert file.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["file"]


def test_nothing_takes_the_place_of_a_pipe_or_directory(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    for name in ("pipe", "directory"):
        with pytest.raises(OSError, match="no file"), replaced(tmp_path / name):
            pass
    assert (tmp_path / "pipe").is_fifo() and sorted(os.listdir(tmp_path)) == ["directory", "pipe"]
