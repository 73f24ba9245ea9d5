"""Strong mode: the library that the dynamic linker loads into every program, by the system's own file."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import Any

from . import payload
from .layout import Layout
from .ledger import Change, Ledger, unnoticed, write_file
from .outcome import Outcome

KIND = "preload"


def line(layout: Layout) -> str:
    """The path that is preloaded."""
    return f"{layout.current}/{payload.PRELOAD}"


def advise(layout: Layout) -> Outcome:
    """What to write into an image, where nothing of the system is changed."""
    if not os.path.exists(line(layout)):
        return Outcome("strong mode", "failed", ("this gnomon has no library to preload",))
    return Outcome("strong mode", "done", (f"put into the image: ENV LD_PRELOAD={line(layout)}",))


def ensure(layout: Layout, ledger: Ledger) -> Outcome:
    """Has every program of the machine start with the library."""
    if not os.path.exists(line(layout)):
        return Outcome("strong mode", "failed", ("this gnomon has no library to preload",))
    before = _before(layout.preload)
    if before is not None and before.get("data") is None:
        return Outcome("strong mode", "failed", (f"`{layout.preload}` is no file",))
    data = before["data"].encode("utf-8", "surrogateescape") if before else b""
    if line(layout).encode() in data.split():
        return Outcome("strong mode", "unchanged")
    separator = b"" if not data or data.endswith(b"\n") else b"\n"
    changed = data + separator + line(layout).encode() + b"\n"
    for stale in ledger.of_kind(KIND):
        ledger.drop(stale)
    ledger.add(
        {
            "kind": KIND,
            "path": layout.preload,
            "line": line(layout),
            "before": before,
            "sha256": hashlib.sha256(changed).hexdigest(),
        }
    )
    with unnoticed(os.path.dirname(layout.preload)):
        write_file(layout.preload, changed, before["mode"] if before else 0o644)
    if before:
        os.chown(layout.preload, before["uid"], before["gid"])
    return Outcome("strong mode", "done", (f"`{layout.preload}` names the library for every program",))


def _before(path: str) -> dict[str, Any] | None:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    found: dict[str, Any] = {
        "mode": stat.S_IMODE(status.st_mode),
        "uid": status.st_uid,
        "gid": status.st_gid,
        "mtime_ns": status.st_mtime_ns,
    }
    if stat.S_ISREG(status.st_mode):
        with open(path, "rb") as file:
            found["data"] = file.read().decode("utf-8", "surrogateescape")
    return found


def remove(change: Change) -> list[str]:
    """Takes the line out; where nobody else changed the file it is exactly as it was."""
    with unnoticed(os.path.dirname(change["path"])):
        return _removed(change)


def _removed(change: Change) -> list[str]:
    path, before = change["path"], change["before"]
    try:
        with open(path, "rb") as file:
            now = file.read()
    except FileNotFoundError:
        return []
    if hashlib.sha256(now).hexdigest() == change["sha256"]:
        if before is None:
            os.unlink(path)
            return []
        write_file(path, before["data"].encode("utf-8", "surrogateescape"), before["mode"])
        os.chown(path, before["uid"], before["gid"])
        os.utime(path, ns=(before["mtime_ns"], before["mtime_ns"]))
        return []
    own = change["line"].encode()
    lines = [one for one in now.splitlines(keepends=True) if one.strip() != own]
    if b"".join(lines) == now:
        return []
    write_file(path, b"".join(lines), stat.S_IMODE(os.stat(path).st_mode))
    return [f"somebody changed `{path}` meanwhile: only gnomon's line was taken out"]
