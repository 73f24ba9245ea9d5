"""The machine's spool, in which each user gets a directory, and the group that may read them all."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess

from . import tools
from .errors import RolloutError
from .ledger import Change, Ledger, unnoticed
from .outcome import Outcome

# Everybody makes a directory in it, nobody lists or removes those of others; what is made has its group.
MODE = 0o3773


def ensure_group(ledger: Ledger, group: str) -> tuple[int, Outcome | None]:
    """The id of the group that reads records, made where it is not there; root's where that cannot be."""
    known = _group_id(group)
    if known is not None:
        return known, None
    command = tools.find("groupadd")
    if os.geteuid() != 0 or command is None:
        reason = "there is no groupadd here" if command is None else "only root can make it"
        return os.getegid(), Outcome(f"group {group}", "cannot", (f"{reason}: only you can read records",))
    change = ledger.add({"kind": "group", "name": group})
    done = subprocess.run([command, "-r", group], capture_output=True, text=True, check=False)
    made = _group_id(group)
    if made is None:
        ledger.drop(change)
        remark = done.stderr.strip() or f"groupadd ended with {done.returncode}"
        return 0, Outcome(f"group {group}", "failed", (remark, "only root can read records"))
    return made, Outcome(f"group {group}", "done", ("made: its members can read records",))


def is_group(group: str) -> bool:
    """Whether the machine has the group."""
    return _group_id(group) is not None


def _group_id(group: str) -> int | None:
    import grp

    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        return None


def remove_group(change: Change, *, is_needed: bool) -> tuple[list[str], bool]:
    """Removes the group that install made, unless records are its own; what to say, and whether it went."""
    if is_needed:
        return ["the records that stay are its own"], False
    command = tools.find("groupdel")
    if command is None or _group_id(change["name"]) is None:
        return [], True
    done = subprocess.run([command, change["name"]], capture_output=True, text=True, check=False)
    return ([done.stderr.strip()], False) if done.returncode else ([], True)


def ensure_spool(ledger: Ledger, path: str, group: int) -> Outcome | None:
    """Makes the spool, or sees that the one that is there is ours.

    Raises:
        RolloutError: It cannot be one.
    """
    is_new = False
    if not os.path.lexists(path):
        ledger.add({"kind": "spool", "path": path})
        try:
            with unnoticed(os.path.dirname(path)):
                os.mkdir(path, 0o700)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise RolloutError(
                f"cannot make the spool `{path}`: {reason}", hint="name another one with --spool"
            ) from None
        is_new = True
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid():
            raise RolloutError(
                f"cannot use the spool `{path}`: it is somebody else's", hint="name another with --spool"
            )
        if is_new or any(one["path"] == path for one in ledger.of_kind("spool")):
            os.fchown(descriptor, -1, group)
            os.fchmod(descriptor, MODE)
        elif stat.S_IMODE(status.st_mode) != MODE:
            raise RolloutError(
                f"cannot use the spool `{path}`: its mode is {stat.S_IMODE(status.st_mode):04o}",
                hint=f"say `chmod {MODE:o} {path}` if it is meant for all users",
            )
    finally:
        os.close(descriptor)
    return Outcome("spool", "done", (path,)) if is_new else None


def has_records(path: str) -> bool:
    """Whether anything is in the spool, or may be."""
    try:
        return bool(os.listdir(path))
    except OSError:
        return os.path.lexists(path)


def remove_spool(path: str, *, is_purged: bool) -> list[str]:
    """Removes the spool; with records in it only if that was asked for."""
    if not os.path.isdir(path):
        return []
    with unnoticed(os.path.dirname(path)):
        if is_purged:
            shutil.rmtree(path, ignore_errors=True)  # follows no links
        else:
            with contextlib.suppress(OSError):
                os.rmdir(path)
    if os.path.isdir(path):
        return [f"`{path}` stays: records are evidence, and --purge removes them"]
    return []
