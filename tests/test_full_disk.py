"""Where records cannot be stored the program does not notice, and the loss is counted."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from watching import Ended, Kept, armed, armed_environment, bare, program

MANY = 20_000
Mount = Callable[[str], Path]


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Mount]:
    """Mounts a small file system in memory, with the options given."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options: str) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", f"mode=700,{options}", "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"may not mount a small file system: {done.stderr.strip()}")
        return folder

    yield mount
    if folder.is_mount():
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def many(python: str, number: int = MANY) -> list[str]:
    return [python, program("many_operations.py"), str(number)]


def assert_unharmed(python: str, spool: Path, number: int = MANY) -> None:
    assert armed(many(python, number), spool) == bare(many(python, number))


def assert_all_accounted_for(kept: Kept, number: int = MANY) -> None:
    """Every operation is in the spool or counted as lost, and what is there is sound."""
    stored = sum(record.count for record in kept.records("open") if "/nowhere/" in str(record.target))
    assert not kept.damage()
    assert 0 < stored < number
    assert stored + sum(kept.lost().values()) >= number


def fill(disk: Path, *, leaving: int) -> None:
    """Takes all blocks of a disk but `leaving` bytes."""
    free = os.statvfs(disk)
    size = free.f_bavail * free.f_frsize - leaving
    with (disk / "filler").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)


def test_many_records_are_all_kept_in_order(python: str, spool: Path) -> None:
    number = 50_000
    done = armed(many(python, number), spool)
    assert done == Ended(3, b"%d 0\n" % number, b"done\n")
    kept = Kept(spool)
    targets = [str(record.target) for record in kept.records("open")]
    assert [target for target in targets if target.startswith("/nowhere/")] == [
        f"/nowhere/{n:06}" for n in range(number)
    ]
    (process,) = kept.processes()
    assert process.segments > 3 and not process.lost and not kept.faults()
    assert process.status == 3 and process.script_file == program("many_operations.py")


def test_a_disk_too_small_for_any_segment(python: str, mounted: Mount) -> None:
    disk = mounted("size=8k")
    fill(disk, leaving=0)
    assert_unharmed(python, disk)
    assert sorted(path.name for path in disk.iterdir()) == ["filler"]


def test_a_disk_with_room_for_a_few_records(python: str, mounted: Mount) -> None:
    """Too small for a segment whose blocks are allocated, not for one that is written as it grows."""
    disk = mounted("size=64k")
    fill(disk, leaving=16 * 1024)
    assert_unharmed(python, disk, 2_000)
    kept = Kept(disk)
    assert_all_accounted_for(kept, 2_000)
    assert set(kept.lost()) == {"no space"}


def test_a_disk_that_fills_up(python: str, mounted: Mount) -> None:
    disk = mounted("size=512k")
    assert_unharmed(python, disk)
    kept = Kept(disk)
    assert_all_accounted_for(kept)
    assert set(kept.lost()) == {"no space"}


def test_no_more_files(python: str, mounted: Mount) -> None:
    disk = mounted("size=8m,nr_inodes=2")
    assert_unharmed(python, disk)
    kept = Kept(disk)
    assert_all_accounted_for(kept)
    assert set(kept.lost()) == {"no space"}


@pytest.mark.parametrize("limit", [0, 10_000, 100_000, 1_000_000])
def test_a_limit_on_file_size(python: str, spool: Path, limit: int) -> None:
    """A process that reaches its limit is sent a signal, which is deadly unless it is ignored."""
    number = 3_000 if limit == 10_000 else MANY
    limited = [python, program("many_limited.py"), str(number), str(limit)]
    assert armed(limited, spool) == bare(limited)
    kept = Kept(spool)
    if limit == 0:
        # The segment that was open when the limit came is kept.
        assert_all_accounted_for(kept)
        assert set(kept.lost()) == {"no space"}
        return
    stored = [record.count for record in kept.records("open") if "/nowhere/" in str(record.target)]
    assert stored == [1] * number and not kept.lost() and not kept.damage()
    allowed = max(limit, 64 * 1024)  # the size of a first segment, which was there before the limit
    assert all(segment.stat().st_size <= allowed for segment in spool.iterdir())


def test_a_read_only_spool(python: str, spool: Path, request: pytest.FixtureRequest) -> None:
    if os.geteuid() == 0:  # to whom permissions mean nothing
        spool = request.getfixturevalue("mounted")("size=64k,ro")
    else:
        spool.chmod(0o500)
    assert_unharmed(python, spool)
    assert not list(spool.iterdir())


def test_a_missing_spool(python: str, tmp_path: Path) -> None:
    assert_unharmed(python, tmp_path / "nowhere" / "spool")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("kind", ["file", "dangling link", "link to itself", "fifo", "device", "too long"])
def test_a_spool_that_is_no_directory(a_python: str, tmp_path: Path, kind: str) -> None:
    spool = tmp_path / "spool"
    if kind == "file":
        spool.write_bytes(b"mine")
    elif kind == "dangling link":
        spool.symlink_to(tmp_path / "nowhere")
    elif kind == "link to itself":
        spool.symlink_to(spool)
    elif kind == "fifo":
        os.mkfifo(spool)
    elif kind == "device":
        spool = Path("/dev/null")
    else:
        spool = tmp_path / ("x" * 5000)
    assert_unharmed(a_python, spool)
    assert kind != "file" or spool.read_bytes() == b"mine"


@pytest.mark.parametrize("value", ["", "relative/spool", "\udcff\udcfe"])
def test_a_spool_that_makes_no_sense(a_python: str, tmp_path: Path, value: str) -> None:
    result = armed(many(a_python), Path(), cwd=tmp_path, GNOMON_SPOOL=value)
    assert result == bare(many(a_python), cwd=tmp_path)
    assert not list(tmp_path.iterdir())


def remove(spool: Path) -> None:
    shutil.rmtree(spool)


def replace_by_file(spool: Path) -> None:
    remove(spool)
    spool.write_bytes(b"mine")


def replace_by_link(spool: Path) -> None:
    remove(spool)
    spool.symlink_to("/nowhere")


def rename(spool: Path) -> None:
    spool.rename(spool.with_name("moved"))


def empty(spool: Path) -> None:
    for segment in spool.iterdir():
        segment.unlink()


@pytest.mark.parametrize("harm", [remove, replace_by_file, replace_by_link, rename, empty])
@pytest.mark.parametrize("number", [10, 5_000], ids=["few", "many"])
def test_a_spool_that_goes_away(
    a_python: str, spool: Path, harm: Callable[[Path], None], number: int
) -> None:
    waiting = [a_python, program("waits_between.py"), str(number)]
    expected = bare(waiting, stdin=b"line\n")
    with subprocess.Popen(
        waiting,
        env=armed_environment(spool),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        first = child.stdout.readline()
        harm(spool)
        rest, errors = child.communicate(b"line\n")
    assert Ended(child.returncode, first + rest, errors) == expected
    if harm is replace_by_file:
        assert spool.read_bytes() == b"mine"
    if harm is rename and number == 5_000:
        # The segment that was open goes on until it is full; then there is nowhere to go.
        kept = Kept(spool.with_name("moved"))
        assert not kept.damage() and set(kept.lost()) == {"spool unavailable"}
