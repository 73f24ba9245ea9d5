"""What gnomon notes of a thread lies beside the thread's own words: nothing has to be allocated for it."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from watching import Kept, armed, program

# The room for all libraries that were loaded late, and what the C library itself keeps of a thread.
NEAR = 16 * 1024

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="how glibc places thread-locals"
)


def distances(python: str, spool: Path, **more: str) -> list[int]:
    done = armed([python, program("thread_words.py")], spool, **more).checked()
    (record,) = [record for record in Kept(spool).records("open") if str(record.target) == "/no such file"]
    assert record.count == 2
    return [int(word) for word in done.stdout.split()]


def test_words_of_a_thread_are_not_allocated(python: str, spool: Path) -> None:
    near = distances(python, spool)
    assert len(near) == 2
    assert max(near) < NEAR


def test_a_library_loads_where_there_is_no_room_for_words(python: str, spool: Path) -> None:
    assert len(distances(python, spool, GLIBC_TUNABLES="glibc.rtld.optional_static_tls=0")) == 2
