"""Looking at files that anybody may have made, as root: nothing blocks, nothing but files is opened.

A FIFO, a device, a loop of links, a dead network mount behind a link: each is answered with `None`, at once.
Knows nothing of Python interpreters.
"""

from __future__ import annotations

import functools
import os
import stat
from typing import BinaryIO

# File systems whose answers come from this machine's own kernel: others may take for ever to answer.
_LOCAL = frozenset(
    "ext2 ext3 ext4 xfs btrfs zfs overlay tmpfs ramfs rootfs f2fs jfs reiserfs bcachefs aufs vfat exfat "  # noqa: SIM905
    "ntfs3 squashfs erofs iso9660 nilfs2 udf hfsplus ufs".split()
)
_MAX_LINKS = 40  # as Linux
ANYBODY = -1


@functools.cache
def distant_mounts() -> dict[str, str]:
    """Mount points that are not looked into, with their file system: network, FUSE, the kernel's own."""
    try:
        with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as file:
            lines = [line.split(" ") for line in file]
    except OSError:
        return {}
    kinds = {_unescaped(words[1]): words[2] for words in lines if len(words) > 2}  # the last one is on top
    return {point: kind for point, kind in kinds.items() if kind not in _LOCAL and point != "/"}


def distant_mount(path: str) -> str | None:
    """The mount point above `path` that is not looked into, if there is one."""
    return next((point for point in distant_mounts() if f"{path}/".startswith(f"{point}/")), None)


def _unescaped(text: str) -> str:
    for code, letter in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, letter)
    return text


def follow(path: str) -> tuple[str, list[tuple[str, os.stat_result]]]:
    """What the absolute `path` leads to, and each place on the way, links included, from `/` on.

    Raises:
        OSError: The way ends: nothing is there, or a mount that is not looked into.
    """
    if not path.startswith("/") or "\0" in path:
        raise OSError(f"{path!r} is no absolute path")
    done, rest, links = "", [part for part in path.split("/") if part], 0
    way = [("/", os.lstat("/"))]
    while rest:
        part = rest.pop(0)
        if part == "..":
            done = done.rpartition("/")[0]
        if part in (".", ".."):
            continue
        place = f"{done}/{part}"
        if place in distant_mounts():
            raise OSError(f"{place} is not on this machine")
        found = os.lstat(place)
        way.append((place, found))
        if not stat.S_ISLNK(found.st_mode):
            done = place
            continue
        links += 1
        if links > _MAX_LINKS:
            raise OSError(f"{path} goes round in circles")
        target = os.readlink(place)
        done = "" if target.startswith("/") else done
        rest = [piece for piece in target.split("/") if piece] + rest
    return done or "/", way


def resolve(path: str) -> str | None:
    """What the absolute `path` leads to, without links; `None` where that may not be looked at."""
    try:
        return follow(path)[0]
    except OSError:
        return None


def is_directory(path: str) -> bool:
    """Whether `path` leads to a directory that may be looked into."""
    place = resolve(path)
    return place is not None and stat.S_ISDIR(_mode(place))


def is_file(path: str) -> bool:
    """Whether `path` leads to a regular file."""
    place = resolve(path)
    return place is not None and stat.S_ISREG(_mode(place))


def is_program(path: str) -> bool:
    """Whether `path` leads to a regular file that may be executed by somebody."""
    place = resolve(path)
    mode = _mode(place) if place else 0
    return stat.S_ISREG(mode) and bool(mode & 0o111)


def _mode(place: str) -> int:
    try:
        return os.lstat(place).st_mode
    except OSError:
        return 0


def open_regular(path: str) -> BinaryIO | None:
    """`path` for reading where it leads to a regular file: what else it may be is never opened."""
    flag = getattr(os, "O_PATH", None)
    try:
        if flag is None or not os.path.isdir("/proc/self/fd"):
            return open(path, "rb") if stat.S_ISREG(os.stat(path).st_mode) else None
        # Opening a device or a FIFO can do harm or wait; a handle to it cannot, and is not raced.
        handle = os.open(path, flag | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return None
            return open(f"/proc/self/fd/{handle}", "rb")
        finally:
            os.close(handle)
    except (OSError, ValueError):
        return None


def read_regular(path: str, limit: int = 64 * 1024) -> bytes | None:
    """The first `limit` bytes of the regular file at `path`."""
    file = open_regular(path) if resolve(path) else None
    if file is None:
        return None
    with file:
        try:
            return file.read(limit)
        except OSError:
            return None


def names_in(directory: str, limit: int = 2000) -> list[str]:
    """The names in `directory`, sorted; a bounded number of them."""
    names: list[str] = []
    if not is_directory(directory):
        return names
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                names.append(entry.name)
                if len(names) == limit:
                    break
    except OSError:
        pass
    return sorted(names)


def writers(path: str) -> frozenset[int]:
    """The users other than root who could change what `path` leads to; `ANYBODY` stands for all of them.

    Raises:
        OSError: Nothing is there.
    """
    found: set[int] = set()
    for place, entry in follow(path)[1]:
        found |= _writers(place, entry)
    return frozenset(found - {0})


def writers_below(directory: str, depth: int, leave_out: frozenset[str]) -> frozenset[int]:
    """The same for everything in `directory`, `depth` levels down."""
    found: set[int] = set()
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name in leave_out:
                continue
            found |= writers(entry.path) if entry.is_symlink() else _writers(entry.path, os.lstat(entry.path))
            if depth > 1 and entry.is_dir(follow_symlinks=False):
                found |= writers_below(entry.path, depth - 1, leave_out)
    return frozenset(found - {0})


def _writers(place: str, entry: os.stat_result) -> set[int]:
    found = {entry.st_uid}
    is_sticky = stat.S_ISDIR(entry.st_mode) and entry.st_mode & stat.S_ISVTX
    if stat.S_ISLNK(entry.st_mode) or is_sticky:
        return found  # what others put into a sticky directory is their own, and looked at for itself
    if entry.st_mode & stat.S_IWGRP:
        found |= {ANYBODY} if _has_list(place) else members(entry.st_gid)
    if entry.st_mode & stat.S_IWOTH:
        found.add(ANYBODY)
    return found


def _has_list(place: str) -> bool:
    """Whether an access control list says more than the group's bits do (which are its mask then)."""
    try:
        return bool(os.getxattr(place, "system.posix_acl_access", follow_symlinks=False))
    except (OSError, AttributeError):
        return False


@functools.cache
def members(group: int) -> frozenset[int]:
    """The users of `group`, as far as this machine lists them."""
    import grp  # neither is on Windows
    import pwd

    found = {user.pw_uid for user in pwd.getpwall() if user.pw_gid == group}
    try:
        names = grp.getgrgid(group).gr_mem
    except KeyError:
        return frozenset(found | {ANYBODY})  # nobody here knows who is in it
    for name in names:
        try:
            found.add(pwd.getpwnam(name).pw_uid)
        except KeyError:
            found.add(ANYBODY)
    return frozenset(found)
