"""Keeps a spool in bounds: seals what dead processes left, removes what is too old or too much, counts it.

Runs as root over directories that users write to, so nothing there is believed: each is opened by one name
relative to the spool's descriptor and never through a link, what is removed is what was looked at, and what
users can make others wait for (pipes, devices) is not opened.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import seals
from .amounts import parse_period, parse_size
from .layout import Layout
from .payload import own_archive, prune
from .settings import read_lines

if TYPE_CHECKING:
    from .._native import Examined, Keeper

QUOTA_USER = 200_000_000
QUOTA_MACHINE = 2_000_000_000
RETENTION_S = 90 * 86400

_DAY = 86400 * 10**9
# A file that is no segment yet may be one in a moment.
_MOMENT = 600 * 10**9
_USER_FOLDER = re.compile(r"\d{1,10}(?:-[0-9a-f]{1,32})?")
# What several segments refer to, and what a process put there to run under.
_SHARED = re.compile(r"(?:distributions|startup|policy)-[0-9a-f]{32}\.[a-z]+")
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# What the group of a spool of many users may do in users' directories, and with their files.
_OF_FOLDERS = stat.S_ISGID | stat.S_IRGRP | stat.S_IXGRP
_OF_FILES = stat.S_IRGRP
_MAPPED = re.compile(rb"^\S+ \S+ \S+ \S+ (\d+) +\S.*\.gnomon(?: \(deleted\))?$", re.MULTILINE)


@dataclass(frozen=True)
class Removed:
    """Files removed from one directory, for one reason."""

    directory: str
    reason: str
    files: int
    bytes: int


@dataclass(frozen=True)
class Held:
    """More than a quota allows, which could not be removed.

    Attributes:
        owner: The user's number; `None` for the machine.
        bytes: How much more.
        pids: Live processes that write there; their segments are left alone.
    """

    owner: int | None
    bytes: int
    pids: tuple[int, ...]


@dataclass
class Kept:
    """What was done, and what is left. Sizes are in bytes on the disk.

    Attributes:
        sealed: Segments that were sealed now, and `given_back` bytes that their processes had not used.
        bytes: What is left, of all users.
        problems: What could not be done, one sentence each.
        is_busy: Another keeper is at work: nothing was done.
    """

    spool: str
    is_dry_run: bool = False
    is_busy: bool = False
    sealed: int = 0
    given_back: int = 0
    removed: list[Removed] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    bytes: int = 0
    users: int = 0
    problems: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        from dataclasses import asdict

        return asdict(self)


@dataclass(frozen=True)
class _Folder:
    """A directory of segments: the spool's own, called `.`, or a user's."""

    name: str
    owner: int
    identity: tuple[int, int]

    def path(self, name: str) -> str:
        return name if self.name == "." else f"{self.name}/{name}"


@dataclass
class _Item:
    """One entry of a directory, as it was when it was looked at.

    Attributes:
        state: `live`, `ended`, `garbage`, or `shared` for what segments refer to.
        first: When what it tells of began and ended: nanoseconds since 1970.
    """

    folder: _Folder
    name: str
    owner: int
    identity: tuple[int, int]
    bytes: int
    size: int
    changed: int
    is_file: bool
    is_closed_to_group: bool = False
    state: str = "garbage"
    first: int = 0
    last: int = 0
    pid: int = 0
    needs: tuple[str, ...] | None = None

    @property
    def path(self) -> str:
        return self.folder.path(self.name)

    @property
    def age_mark(self) -> int:
        """What is oldest goes first. A time in the future is no reason to stay."""
        return min(self.last or self.changed, self.changed)


def keep(
    spool: str | os.PathLike[str],
    *,
    quota_user: int = QUOTA_USER,
    quota_machine: int = QUOTA_MACHINE,
    retention: float = RETENTION_S,
    now: int | None = None,
    is_dry_run: bool = False,
) -> Kept:
    """Seals, evicts and counts, once over.

    Args:
        spool: The directory.
        quota_user: Bytes that a user's files may take.
        quota_machine: Bytes that all users' files may take together.
        retention: Seconds after which a segment goes.
        now: Nanoseconds since 1970; the current time by default.
        is_dry_run: Only say what would be done.

    Raises:
        OSError: The spool cannot be opened, or its ledger not be written.
    """
    path = os.fspath(spool)
    kept = Kept(path, is_dry_run=is_dry_run)
    top = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(top, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            kept.is_busy = True
            return kept
        keeper = _Keeper(top, kept, time.time_ns() if now is None else now)
        try:
            keeper.run(quota_user, quota_machine, int(retention * 1e9))
        finally:
            keeper.close()
    finally:
        os.close(top)
    return kept


class _Keeper:
    """One pass over a spool."""

    def __init__(self, top: int, kept: Kept, now: int) -> None:
        self.top, self.kept, self.now = top, kept, now
        found = os.fstat(top)
        self.own = _Folder(".", found.st_uid, (found.st_dev, found.st_ino))
        self.writer = None if kept.is_dry_run else seals.Writer(top)
        self.ledger = self.writer.ledger if self.writer else seals.read(top) or seals.Ledger()
        if self.writer and self.writer.was_taken:
            kept.problems.append(f"somebody else had made `{seals.NAME}`; it was put aside")
        self.mapped = _mapped_inodes()
        self.items: list[_Item] = []
        self.evicted: dict[int, str] = {}

    def close(self) -> None:
        if self.writer:
            self.writer.close()

    def run(self, quota_user: int, quota_machine: int, retention: int) -> None:
        for folder in self._folders():
            self._look(folder)
        self._evict_garbage(_DAY)
        for item in self._ended():
            if self.now - item.age_mark > retention:
                self._evict(item, "age")
        by_owner: dict[int, list[_Item]] = {}
        for item in self.items:
            by_owner.setdefault(item.owner, []).append(item)
        for owner, items in by_owner.items():
            self._keep_user(owner, items, quota_user)
        self._keep_machine(by_owner, quota_machine)
        self._drop_unneeded(retention)
        self._remove()
        left = [item for item in self.items if id(item) not in self.evicted]
        self.kept.bytes = sum(item.bytes for item in left)
        self.kept.users = len({item.owner for item in left})

    # Looking

    def _folders(self) -> Iterator[_Folder]:
        yield self.own
        for name in sorted(os.listdir(self.top)):
            if _USER_FOLDER.fullmatch(name):
                try:
                    descriptor = os.open(name, _DIRECTORY, dir_fd=self.top)
                except OSError as error:
                    if error.errno not in (errno.ENOTDIR, errno.ELOOP, errno.ENOENT):
                        self._problem(f"cannot open `{name}`", error)
                    continue
                found = os.fstat(descriptor)
                if self._is_to_be_mended(found, self.own.identity[0]):
                    _open_to_group(descriptor, found, _OF_FOLDERS)
                os.close(descriptor)
                if found.st_dev != self.own.identity[0]:
                    self.kept.problems.append(f"`{name}` is another file system: it is left alone")
                    continue
                yield _Folder(name, found.st_uid, (found.st_dev, found.st_ino))

    def _is_to_be_mended(self, found: os.stat_result, device: int) -> bool:
        """Whether the spool's group is to read it, and this may change who does."""
        top = os.fstat(self.top)
        is_shared = bool(top.st_mode & stat.S_ISGID) and found.st_gid == top.st_gid
        return self.writer is not None and is_shared and os.geteuid() == 0 and found.st_dev == device

    def _mend(self, descriptor: int, item: _Item) -> None:
        """Lets the spool's group read a segment that a strict umask kept from it."""
        try:
            opened = os.open(item.name, _FILE, dir_fd=descriptor)
        except OSError:
            return
        try:
            found = os.fstat(opened)
            is_same = (found.st_dev, found.st_ino) == item.identity and found.st_nlink == 1
            is_of_group = found.st_gid == os.fstat(self.top).st_gid
            if is_same and is_of_group and found.st_uid == item.folder.owner:
                _open_to_group(opened, found, _OF_FILES)
        finally:
            os.close(opened)

    @contextlib.contextmanager
    def _opened(self, folder: _Folder) -> Iterator[int]:
        """The directory that was looked at, if its name still leads there."""
        if folder is self.own:
            yield self.top
            return
        descriptor = os.open(folder.name, _DIRECTORY, dir_fd=self.top)
        try:
            found = os.fstat(descriptor)
            if (found.st_dev, found.st_ino, found.st_uid) != (*folder.identity, folder.owner):
                raise OSError(errno.ESTALE, "it was replaced meanwhile")
            yield descriptor
        finally:
            os.close(descriptor)

    def _look(self, folder: _Folder) -> None:
        try:
            with self._opened(folder) as descriptor:
                sealed: list[seals.Sealed] = []
                is_mended = folder is not self.own and self._is_to_be_mended(
                    os.fstat(descriptor), self.own.identity[0]
                )
                for item in _entries(descriptor, folder, is_top=folder is self.own):
                    self.items.append(item)
                    if is_mended and item.is_closed_to_group:
                        self._mend(descriptor, item)
                    found = self._judge(descriptor, item)
                    if found is not None:
                        sealed.append(found)
                if self.writer:
                    self.writer.append([one.line() for one in sealed])
                self.kept.sealed += len(sealed)
        except OSError as error:
            self._problem(f"cannot look into `{folder.name}`", error)

    def _judge(self, descriptor: int, item: _Item) -> seals.Sealed | None:
        """Finds out what an entry is; says of a segment that is sealed now what is in it."""
        if _SHARED.fullmatch(item.name) and item.is_file:
            item.state = "shared"
            return None
        if not item.is_file or not item.name.endswith(".gnomon"):
            return None
        known = self.ledger.sealed.get(item.path)
        if known is not None and known.bytes == item.size and known.owner == item.owner:
            item.state, item.first, item.last = "ended", known.first, known.last
            return None
        examined = self._examined(descriptor, item)
        if examined is None:
            return None
        item.first, item.last = examined.created, min(examined.last_time, self.now)
        item.pid, item.needs = examined.pid, tuple(map(str, examined.needs))
        item.state = "live" if self._is_live(item, examined) else "ended"
        if examined.sha256 is None or not seals.SEGMENT.fullmatch(item.path):
            return None
        item.bytes = max(0, item.bytes - examined.cut_bytes)
        self.kept.given_back += examined.cut_bytes
        numbers = (examined.bytes, examined.records, item.owner, item.first, item.last)
        return seals.Sealed(item.path, examined.sha256, *numbers)

    def _examined(self, descriptor: int, item: _Item) -> Examined | None:
        """What is in a segment, which is sealed if its process is gone; `None` where it is none."""
        from .._native import examine_segment

        may_seal = self.writer is not None and item.identity[1] not in self.mapped
        try:
            found = examine_segment(descriptor, item.name, may_seal)
        except OSError as error:
            if error.errno != errno.ENOENT:
                self._problem(f"cannot seal `{_shown(item.path)}`", error)
            item.state = "live"  # it may be anything: it is left alone
            return None
        if found is None or (found.device, found.inode) != item.identity:
            item.state = "live"
            return None
        return None if found.fault is not None or found.process is None else found

    def _is_live(self, item: _Item, examined: Examined) -> bool:
        """Whether its process may still write.

        What a user's file says of a process that is not theirs is no reason to keep it.
        """
        if item.identity[1] in self.mapped:
            return True
        if examined.life == "unknown":
            return self.now - item.changed < _DAY
        if examined.life != "running":
            return False
        return item.owner in (0, self.own.owner) or item.owner in _users_of(examined.pid)

    # Choosing

    def _ended(self, items: Iterable[_Item] | None = None) -> list[_Item]:
        """The segments that may go, the oldest first."""
        chosen = self.items if items is None else items
        ended = [item for item in chosen if item.state == "ended" and id(item) not in self.evicted]
        return sorted(ended, key=lambda item: item.age_mark)

    def _evict(self, item: _Item, reason: str) -> None:
        self.evicted[id(item)] = reason

    def _evict_garbage(self, age: int) -> None:
        for item in self.items:
            if item.state == "garbage" and self.now - item.changed > age:
                self._evict(item, "no segment")

    def _left(self, items: Iterable[_Item]) -> int:
        return sum(item.bytes for item in items if id(item) not in self.evicted)

    def _keep_user(self, owner: int, items: list[_Item], quota: int) -> None:
        over = self._left(items) - quota
        garbage = [item for item in items if item.state == "garbage" and self.now - item.changed > _MOMENT]
        for item in [*garbage, *self._ended(items)]:
            if over <= 0:
                return
            if id(item) not in self.evicted:
                self._evict(item, "no segment" if item.state == "garbage" else "user quota")
                over -= item.bytes
        if over > 0:
            self.kept.held.append(Held(owner, over, _pids(items)))

    def _keep_machine(self, by_owner: dict[int, list[_Item]], quota: int) -> None:
        """The oldest segments go, of those users who have more than an equal share.

        Who floods the spool pushes nobody else out.
        """
        left = {owner: self._left(items) for owner, items in by_owner.items()}
        share = quota // max(1, len(left))
        over = sum(left.values()) - quota
        for item in self._ended():
            if over <= 0:
                return
            if left[item.owner] > share:
                self._evict(item, "machine quota")
                left[item.owner] -= item.bytes
                over -= item.bytes
        if over > 0:
            self.kept.held.append(Held(None, over, _pids(self.items)))

    def _drop_unneeded(self, retention: int) -> None:
        """What segments refer to goes when none does any more."""
        lost_some = {item.folder for item in self.items if id(item) in self.evicted}
        by_folder: dict[_Folder, list[_Item]] = {}
        for item in self.items:
            by_folder.setdefault(item.folder, []).append(item)
        for folder, items in by_folder.items():
            age = _DAY if folder in lost_some else retention
            old = [item for item in items if item.state == "shared" and self.now - item.changed > age]
            if old:
                needed = self._needed(folder, items)
                for item in old:
                    is_policy = item.name.startswith("policy-") and self.now - item.changed <= retention
                    if needed is not None and item.name not in needed and not is_policy:
                        self._evict(item, "no segment")

    def _needed(self, folder: _Folder, items: list[_Item]) -> set[str] | None:
        """The names that the segments of a directory refer to; `None` where that cannot be told."""
        needed: set[str] = set()
        try:
            with self._opened(folder) as descriptor:
                for item in items:
                    if item.state in ("live", "ended") and id(item) not in self.evicted:
                        needed.update(item.needs if item.needs is not None else self._asked(descriptor, item))
        except OSError as error:
            self._problem(f"cannot look into `{folder.name}`", error)
            return None
        return needed

    def _asked(self, descriptor: int, item: _Item) -> list[str]:
        from .._native import examine_segment

        found = examine_segment(descriptor, item.name, False)
        return [str(name) for name in found.needs] if found else []

    # Removing

    def _remove(self) -> None:
        """Removes what was chosen, directory by directory, and counts it in a record of the keeper's own."""
        chosen = [item for item in self.items if id(item) in self.evicted]
        if self.writer is None:
            self._count([(item, self.evicted[id(item)]) for item in chosen], None)
            return
        names = [(item, self.evicted[id(item)]) for item in chosen if seals.SEGMENT.fullmatch(item.path)]
        # First said, then done: who is killed in between finds it said, and counts it the next time.
        unfinished = list(self.ledger.uncounted.values())
        self.writer.append(
            [
                seals.Evicted(item.path, reason, item.bytes, item.first, item.last).line()
                for item, reason in names
            ]
        )
        gone = [
            item for folder in dict.fromkeys(item.folder for item in chosen) for item in self._emptied(folder)
        ]
        if not gone and not unfinished:
            return
        from .._native import Keeper

        record: Keeper | None = None
        try:
            record = Keeper(self.kept.spool, list(getattr(sys, "orig_argv", sys.argv)))
        except OSError as error:
            self._problem("cannot record what was removed, which the next keeper will", error)
        self._count_unfinished(unfinished, record)
        self._count([(item, self.evicted[id(item)]) for item in gone], record)
        if record is not None:
            record.end(0)
            self.writer.counted()

    def _emptied(self, folder: _Folder) -> list[_Item]:
        """Removes what was chosen in one directory; gives what is gone now."""
        chosen = [item for item in self.items if item.folder == folder and id(item) in self.evicted]
        gone = []
        try:
            with self._opened(folder) as descriptor:
                for item in chosen:
                    try:
                        if _unlink(descriptor, item):
                            gone.append(item)
                    except OSError as error:
                        del self.evicted[id(item)]
                        self._problem(f"cannot remove `{_shown(item.path)}`", error)
        except OSError as error:
            self._problem(f"cannot look into `{folder.name}`", error)
        return gone

    def _count(self, gone: list[tuple[_Item, str]], record: Keeper | None) -> None:
        groups: dict[tuple[str, str], list[_Item]] = {}
        for item, reason in gone:
            groups.setdefault((item.folder.name, reason), []).append(item)
        for (folder, reason), items in groups.items():
            size = sum(item.bytes for item in items)
            first = min(item.first or item.changed for item in items)
            last = max(item.last or item.changed for item in items)
            self._told(record, folder, reason, len(items), size, first, last)

    def _count_unfinished(self, unfinished: list[seals.Evicted], record: Keeper | None) -> None:
        """What an earlier keeper removed, and was killed before it could count it."""
        there = {item.path for item in self.items}
        groups: dict[tuple[str, str], list[seals.Evicted]] = {}
        for one in unfinished:
            if one.name not in there:
                groups.setdefault((one.name.rpartition("/")[0] or ".", one.reason), []).append(one)
        for (folder, reason), ones in groups.items():
            size = sum(one.bytes for one in ones)
            times = min(one.first for one in ones), max(one.last for one in ones)
            self._told(record, folder, reason, len(ones), size, *times)

    def _told(
        self, record: Keeper | None, folder: str, reason: str, files: int, size: int, first: int, last: int
    ) -> None:
        self.kept.removed.append(Removed(folder, reason, files, size))
        if record is not None:
            path = self.kept.spool if folder == "." else f"{self.kept.spool}/{folder}"
            record.evicted(path, reason, files, size, first, last)

    def _problem(self, what: str, error: OSError) -> None:
        self.kept.problems.append(f"{what}: {(error.strerror or str(error)).lower()}")


def _entries(descriptor: int, folder: _Folder, *, is_top: bool) -> Iterator[_Item]:
    """What lies in an open directory. What the spool's owner put there besides segments is not looked at."""
    with os.scandir(descriptor) as entries:
        for entry in entries:
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            is_directory = stat.S_ISDIR(found.st_mode)
            is_own = is_top and found.st_uid in (0, folder.owner)
            if is_top and is_directory and (is_own or _USER_FOLDER.fullmatch(entry.name)):
                continue
            if is_own and not entry.name.endswith(".gnomon") and not _SHARED.fullmatch(entry.name):
                continue
            yield _Item(
                folder,
                entry.name,
                found.st_uid,
                (found.st_dev, found.st_ino),
                found.st_blocks * 512,
                found.st_size,
                found.st_ctime_ns,
                stat.S_ISREG(found.st_mode),
                entry.name.endswith(".gnomon") and found.st_mode & _OF_FILES != _OF_FILES,
            )


def _open_to_group(descriptor: int, found: os.stat_result, mode: int) -> None:
    """Adds what is missing of `mode` to an open file or directory, and takes nothing away."""
    if found.st_mode & mode != mode:
        with contextlib.suppress(OSError):
            os.fchmod(descriptor, stat.S_IMODE(found.st_mode) | mode)


def _unlink(descriptor: int, item: _Item) -> bool:
    """Removes an entry if it is still what was looked at."""
    try:
        opened = os.open(item.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=descriptor)
    except FileNotFoundError:
        return False
    try:
        found = os.fstat(opened)
    finally:
        os.close(opened)
    if (found.st_dev, found.st_ino) != item.identity:
        return False
    if stat.S_ISDIR(found.st_mode):
        os.rmdir(item.name, dir_fd=descriptor)
    else:
        os.unlink(item.name, dir_fd=descriptor)
    return True


def _mapped_inodes() -> set[int]:
    """The numbers of the segments that live processes have mapped, as far as one may see.

    Of whatever disk: one too many does no harm.
    """
    found: set[int] = set()
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/maps", "rb") as file:
                found.update(int(number) for number in _MAPPED.findall(file.read()))
    return found


def _users_of(pid: int) -> set[int]:
    """The users that a process is, really and effectively."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            found = re.search(rb"^Uid:\s+(\d+)\s+(\d+)", file.read(), re.MULTILINE)
    except OSError:
        return set()
    return {int(found[1]), int(found[2])} if found else set()


def _pids(items: Iterable[_Item]) -> tuple[int, ...]:
    return tuple(sorted({item.pid for item in items if item.state == "live" and item.pid}))


def _shown(text: str) -> str:
    """What a user chose as a name, safe to print."""
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)


# The command


def own_layout() -> Layout:
    """The installation that this is part of; otherwise the machine's."""
    archive = own_archive()
    versions, root = "", ""
    if archive:
        versions = os.path.dirname(os.path.dirname(archive))
        root = os.path.dirname(versions)
    return Layout.at(root if os.path.basename(versions) == "versions" else None)


def settings(path: str) -> dict[str, str]:
    """What the machine's settings say, where a key says one thing; empty where there are none."""
    return {key: values[-1] for key, values in read_lines(path).items()}


def main(argv: Sequence[str]) -> int:
    """Runs `keep` as a command: from a timer, on the machine's spool.

    Exit code 1 when something could not be done.
    """
    import argparse

    layout = own_layout()
    known = settings(layout.settings)
    parser = argparse.ArgumentParser(
        prog="gnomon keep",
        description="Seals what ended processes left in a spool, and removes what is too old or too much, "
        "the oldest first. What is removed is counted in a record. Meant to be run every hour.",
    )
    parser.add_argument(
        "spool", nargs="?", metavar="SPOOL", default=known.get("spool"), help="default: the machine's"
    )
    for name, default, words in (
        ("quota-user", QUOTA_USER, "what the files of one user may take, such as 200MB"),
        ("quota-machine", QUOTA_MACHINE, "what the files of all users may take together"),
    ):
        parser.add_argument(f"--{name}", type=_of(parse_size), metavar="SIZE", help=words)
        parser.set_defaults(**{name.replace("-", "_"): _number(known, name.replace("-", "_"), default)})
    parser.add_argument(
        "--retention",
        type=_of(parse_period),
        metavar="TIME",
        default=_number(known, "retention", RETENTION_S),
        help="how long a segment stays, such as 90d",
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    parser.add_argument("--json", action="store_true", help="say it as JSON")
    options = parser.parse_args(argv)
    if options.spool is None:
        print("error: cannot tell which spool is meant", file=sys.stderr)
        print("hint: `gnomon keep SPOOL`, as this machine has no settings", file=sys.stderr)
        return 2
    try:
        kept = keep(
            options.spool,
            quota_user=options.quota_user,
            quota_machine=options.quota_machine,
            retention=options.retention,
            is_dry_run=options.dry_run,
        )
    except OSError as error:
        print(
            f"error: cannot keep spool `{options.spool}`: {(error.strerror or str(error)).lower()}",
            file=sys.stderr,
        )
        return 1
    if options.spool == known.get("spool") and not options.dry_run:
        prune(layout)
    return _say(kept, as_json=options.json)


def _number(known: dict[str, str], key: str, default: int) -> int:
    text = known.get(key, "")
    return int(text) if text.isdecimal() else default


def _of(parse: Callable[[str], int]) -> Callable[[str], int]:
    """`parse` as argparse wants it: its error is shown as it is."""
    import argparse

    def parsed(text: str) -> int:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parsed


def _say(kept: Kept, *, as_json: bool) -> int:
    if as_json:
        import json

        print(json.dumps(kept.as_dict(), ensure_ascii=True))
    else:
        for line in _sentences(kept):
            print(line)
    for problem in kept.problems:
        print(f"warning: {problem}", file=sys.stderr)
    return 1 if kept.problems else 0


def _sentences(kept: Kept) -> Iterator[str]:
    if kept.is_busy:
        yield "another `gnomon keep` is at work in this spool"
        return
    would = "would remove" if kept.is_dry_run else "removed"
    if not kept.is_dry_run:
        yield f"sealed {_count(kept.sealed, 'segment')}, which gave {_megabytes(kept.given_back)} back"
    for removed in kept.removed:
        which = "of the spool itself" if removed.directory == "." else f"of {removed.directory}"
        files = f"{_count(removed.files, 'file')} {which}, {_megabytes(removed.bytes)}"
        yield f"{would} {files}: {removed.reason}"
    for held in kept.held:
        who = "the machine" if held.owner is None else f"user {held.owner}"
        pids = ", ".join(map(str, held.pids[:6])) + (" …" if len(held.pids) > 6 else "")
        why = f": processes that still run hold them (pid {pids})" if pids else ""
        yield f"{who} is {_megabytes(held.bytes)} over the quota, which could not be removed{why}"
    yield f"{_megabytes(kept.bytes)} are left, of {_count(kept.users, 'user')}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size / 1e3:,.0f} kB"
