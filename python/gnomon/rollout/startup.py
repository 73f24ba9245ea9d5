"""The sitecustomize of one library directory: looked at, replaced and put back.

Runs in a process that has the rights of the directory's owner and no more. Every name is opened relative to
the directory, and no link is followed. At each moment there is a whole sitecustomize: ours or what was.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from typing import Any

NAME = "sitecustomize.py"
KEPT = "_gnomon_kept_sitecustomize.py"
CACHE = "__pycache__"
MARKER = b"# gnomon:"
_UNFINISHED = ".gnomon-unfinished-"

MAX_BYTES = 1 << 20
_OWN_BYTECODE = re.compile(r"sitecustomize\.[^/]*\.pyc")
_KEPT_BYTECODE = re.compile(r"_gnomon_kept_sitecustomize\.[^/]*\.pyc")

Facts = dict[str, Any]


@contextlib.contextmanager
def _directory(path: str, within: int | None = None) -> Iterator[int]:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, dir_fd=within)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _unnoticed(descriptor: int) -> Iterator[None]:
    """Changes in a directory, which keeps its times."""
    before = os.fstat(descriptor)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.utime(descriptor, ns=(before.st_atime_ns, before.st_mtime_ns))


def look(library: str) -> Facts:
    """What there is: as JSON, as it comes from another process.

    `file` and `kept` are facts or `None`; `root` is where the payload of our loader is, if it is ours.
    """
    with _directory(library) as at:
        entries = sorted(os.listdir(at))
        found: Facts = {
            "mtime_ns": os.fstat(at).st_mtime_ns,
            "file": _facts(at, NAME),
            "kept": _facts(at, KEPT),
            "root": _root_of(at),
            "shadow": _shadow(at, entries),
            "writable": os.access(".", os.W_OK, dir_fd=at),
            "cache": None,
        }
        if CACHE in entries:
            with _directory(CACHE, at) as cache:
                names = os.listdir(cache)
                found["cache"] = {
                    "mtime_ns": os.fstat(cache).st_mtime_ns,
                    "files": sorted(filter(_OWN_BYTECODE.fullmatch, names)),
                    "kept": sorted(filter(_KEPT_BYTECODE.fullmatch, names)),
                    "others": _digest_of_others(names),
                }
        return found


def _facts(at: int, name: str) -> Facts | None:
    try:
        status = os.stat(name, dir_fd=at, follow_symlinks=False)
    except FileNotFoundError:
        return None
    facts: Facts = {
        "mode": status.st_mode,
        "uid": status.st_uid,
        "gid": status.st_gid,
        "mtime_ns": status.st_mtime_ns,
        "inode": [status.st_dev, status.st_ino],
    }
    if stat.S_ISLNK(status.st_mode):
        facts["target"] = os.readlink(name, dir_fd=at)
    elif stat.S_ISREG(status.st_mode):
        facts["sha256"] = hashlib.sha256(_content(at, name)).hexdigest()
    return facts


def _content(at: int, name: str) -> bytes:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"`{name}` is no file")
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise OSError(f"`{name}` is longer than {MAX_BYTES:,} bytes")
    return data


def _root_of(at: int) -> str | None:
    """The root that our loader names; `None` where it is not ours, or nothing."""
    try:
        text = _content(at, NAME)
    except OSError:
        return None
    if not text.startswith(MARKER):
        return None
    line = re.search(rb"^ROOT = [\"'](.*)[\"']$", text, re.MULTILINE)
    return os.fsdecode(line[1]) if line else ""


def _shadow(at: int, entries: list[str]) -> str | None:
    """What the interpreter would find before a sitecustomize.py here, or instead of none."""
    for name in entries:
        if re.fullmatch(r"sitecustomize\.(.+\.)?so", name):
            return name
    if "sitecustomize.pyc" in entries and NAME not in entries:
        return "sitecustomize.pyc"
    if "sitecustomize" in entries:
        with contextlib.suppress(OSError):
            os.stat("sitecustomize/__init__.py", dir_fd=at)
            return "sitecustomize/"
    return None


def _digest_of_others(names: list[str]) -> str:
    """Tells whether a directory of bytecode holds other names than before; ours do not count."""
    others = (n for n in names if not _OWN_BYTECODE.fullmatch(n) and not _KEPT_BYTECODE.fullmatch(n))
    return hashlib.sha256("\n".join(sorted(others)).encode("utf-8", "surrogateescape")).hexdigest()


def keep(library: str, file: Facts | None, bytecode: list[str]) -> None:
    """Gives what was there its second name, and its bytecode its new one, by which it stays valid.

    Can be called again where it was interrupted.
    """
    with _directory(library) as at, _unnoticed(at):
        if file is not None:
            _second_name(at, file)
        if bytecode:
            with _directory(CACHE, at) as cache, _unnoticed(cache):
                for name in bytecode:
                    with contextlib.suppress(FileNotFoundError):
                        os.rename(name, f"_gnomon_kept_{name}", src_dir_fd=cache, dst_dir_fd=cache)


def _second_name(at: int, file: Facts) -> None:
    kept = _facts(at, KEPT)
    if kept is not None:
        if _is_same(kept, file):
            return
        raise OSError(f"`{KEPT}` is there already, and is something else")
    try:
        os.link(NAME, KEPT, src_dir_fd=at, dst_dir_fd=at, follow_symlinks=False)
        return
    except FileNotFoundError:
        raise
    except OSError:
        pass  # no hard links here, or none to what belongs to somebody else
    name = _unfinished()
    if "target" in file:
        os.symlink(file["target"], name, dir_fd=at)
    else:
        _write(at, name, _content(at, NAME), stat.S_IMODE(file["mode"]))
    with contextlib.suppress(PermissionError):
        os.chown(name, file["uid"], file["gid"], dir_fd=at, follow_symlinks=False)
    os.utime(name, ns=(file["mtime_ns"], file["mtime_ns"]), dir_fd=at, follow_symlinks=False)
    os.rename(name, KEPT, src_dir_fd=at, dst_dir_fd=at)


def _is_same(one: Facts, other: Facts) -> bool:
    if one["inode"] == other["inode"]:
        return True
    keys = ("mode", "mtime_ns", "sha256", "target")
    return all(one.get(key) == other.get(key) for key in keys)


def _unfinished() -> str:
    return f"{_UNFINISHED}{os.urandom(8).hex()}"


def _write(at: int, name: str, data: bytes, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, 0o600, dir_fd=at)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            os.fchmod(descriptor, mode)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        os.unlink(name, dir_fd=at)
        raise


def place(library: str, text: str) -> None:
    """Puts our loader where sitecustomize.py is looked for, in one step."""
    with _directory(library) as at, _unnoticed(at):
        name = _unfinished()
        _write(at, name, text.encode(), 0o644)
        try:
            os.replace(name, NAME, src_dir_fd=at, dst_dir_fd=at)
        except BaseException:
            os.unlink(name, dir_fd=at)
            raise
        os.fsync(at)


def put_bytecode(library: str, name: str, data: bytes) -> None:
    """Writes bytecode, so that no start has to compile.

    Raises:
        OSError: It cannot be written.
    """
    if not _OWN_BYTECODE.fullmatch(name) and not _KEPT_BYTECODE.fullmatch(name):
        raise OSError(f"`{name}` is no name for our bytecode")
    with _directory(library) as at, _unnoticed(at):
        with contextlib.suppress(FileExistsError):
            os.mkdir(CACHE, 0o755, dir_fd=at)
        with _directory(CACHE, at) as cache, _unnoticed(cache):
            if _KEPT_BYTECODE.fullmatch(name) and _facts(cache, name) is not None:
                return  # what was moved aside is valid, and goes back as it is
            unfinished = _unfinished()
            _write(cache, unfinished, data, 0o644)
            os.replace(unfinished, name, src_dir_fd=cache, dst_dir_fd=cache)


def settle(library: str, mtime_ns: int, cache_mtime_ns: int | None) -> None:
    """Gives the directories the times that they had before all changes."""
    with _directory(library) as at:
        if cache_mtime_ns is not None:
            with _directory(CACHE, at) as cache:
                _date(cache, cache_mtime_ns)
        _date(at, mtime_ns)


def _date(descriptor: int, mtime_ns: int) -> None:
    os.utime(descriptor, ns=(os.fstat(descriptor).st_atime_ns, mtime_ns))


def put_back(library: str, before: Facts, ours: list[str]) -> tuple[list[str], bool]:
    """Undoes all of it, however far it got; what there is to say, and whether nothing of ours is left.

    Args:
        library: The directory.
        before: What `look` found before the change; `mtime_ns` is what the directory gets.
        ours: The hashes of the loaders that we put there.
    """
    with _directory(library) as at:
        for name in os.listdir(at):
            if name.startswith(_UNFINISHED):
                os.unlink(name, dir_fd=at)
        remarks, is_original = _put_back_file(at, before, ours)
        if is_original is not None:
            with contextlib.suppress(FileNotFoundError):
                _put_back_bytecode(at, before["cache"], is_original)
        os.fsync(at)
        _date(at, before["mtime_ns"])
        return remarks, is_original is not None


def _put_back_file(at: int, before: Facts, ours: list[str]) -> tuple[list[str], bool | None]:
    """What to say, and whether the original is back; `None`: ours was changed, and stays."""
    now, kept = _facts(at, NAME), _facts(at, KEPT)
    had = before["file"]
    if now is not None and now.get("sha256") not in ours:
        if _root_of(at) is not None:
            return ([f"somebody changed `{NAME}`, which stays: it does nothing without gnomon"], None)
        if had is not None and _is_same(now, had):  # it never came to the replacement
            _remove(at, KEPT)
            return ([], True)
        _remove(at, KEPT)
        return ([f"`{NAME}` is somebody else's by now, and stays as it is"], False)
    if kept is not None:
        os.replace(KEPT, NAME, src_dir_fd=at, dst_dir_fd=at)
        is_as_before = had is not None and _is_same(kept, had)
        return ([] if is_as_before else [f"`{NAME}` was replaced meanwhile: the new one is in place"], True)
    _remove(at, NAME)
    return ([] if had is None else [f"the `{NAME}` of before was removed by somebody meanwhile"], had is None)


def _remove(at: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=at)


def _put_back_bytecode(at: int, before: Facts | None, is_original: bool) -> None:
    with _directory(CACHE, at) as cache:
        mtime_ns = os.fstat(cache).st_mtime_ns
        for name in os.listdir(cache):
            if name.startswith(_UNFINISHED):
                os.unlink(name, dir_fd=cache)
        for name in filter(_KEPT_BYTECODE.fullmatch, os.listdir(cache)):
            own = name[len("_gnomon_kept_") :]
            if is_original and before is not None and own in before["files"]:
                os.replace(name, own, src_dir_fd=cache, dst_dir_fd=cache)
            else:
                _remove(cache, name)
        known = before["files"] if before is not None and is_original else []
        for name in filter(_OWN_BYTECODE.fullmatch, os.listdir(cache)):
            if name not in known:
                _remove(cache, name)
        names = os.listdir(cache)
        if before is not None:
            is_as_before = _digest_of_others(names) == before["others"]
            _date(cache, before["mtime_ns"] if is_as_before else mtime_ns)
    if before is None and not names:
        os.rmdir(CACHE, dir_fd=at)
