"""What starts `keep` each hour: systemd where it runs, else cron, else nobody, which is said."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess

from . import tools
from .layout import Layout
from .ledger import Change, Ledger, unnoticed, write_file
from .outcome import Outcome

_SERVICE = """\
# Made by `gnomon install`; `gnomon uninstall --all` removes it.
[Unit]
Description=gnomon keeps the machine's records in bounds

[Service]
Type=oneshot
ExecStart={command}
Nice=10
IOSchedulingClass=idle
"""
_TIMER = """\
# Made by `gnomon install`; `gnomon uninstall --all` removes it.
[Unit]
Description=gnomon keeps the machine's records in bounds, each hour

[Timer]
OnCalendar=hourly
RandomizedDelaySec=10min
Persistent=true

[Install]
WantedBy=timers.target
"""
_CRON = """\
# Made by `gnomon install`; `gnomon uninstall --all` removes it.
{minute} * * * * root {command} >/dev/null 2>&1
"""
UNIT = "gnomon-keep"


def command(layout: Layout, python: str) -> list[str]:
    """What runs `keep`."""
    return [python, "-I", f"{layout.current}/rollout.pyz", "keep"]


def ensure(layout: Layout, ledger: Ledger, python: str | None) -> Outcome:
    """Has `keep` run each hour."""
    if python is None:
        return Outcome(
            "timer", "failed", ("no Python from 3.9 on, which only root can change, to run `keep` with",)
        )
    line = command(layout, python)
    if _has_systemd(layout):
        quoted = " ".join(f'"{word}"' for word in (one.replace("%", "%%") for one in line))
        files = dict(zip(_places(layout), (_SERVICE.format(command=quoted), _TIMER)))
        return _ensure_files(ledger, files, is_systemd=True)
    if _has_cron(layout):
        minute = sum(os.uname().nodename.encode()) % 60  # not every machine of a company at once
        text = _CRON.format(minute=minute, command=shlex.join(line).replace("%", "\\%"))
        return _ensure_files(ledger, {_places(layout)[0]: text}, is_systemd=False)
    remark = f"there is neither systemd nor cron: run `{shlex.join(line)}` each hour"
    return Outcome("timer", "cannot", (remark,))


def planned(layout: Layout, ledger: Ledger) -> Outcome:
    """What `ensure` would come to, as far as looking tells."""
    if ledger.of_kind("timer"):
        return Outcome("timer", "unchanged")
    files = _places(layout)
    if files:
        return Outcome("timer", "would be made", tuple(files))
    return Outcome("timer", "cannot", ("there is neither systemd nor cron here to run `gnomon keep`",))


def _places(layout: Layout) -> list[str]:
    if _has_systemd(layout):
        return [f"{layout.units}/{UNIT}.service", f"{layout.units}/{UNIT}.timer"]
    return [f"{layout.cron}/{UNIT}"] if _has_cron(layout) else []


def _has_systemd(layout: Layout) -> bool:
    return os.path.isdir(layout.systemd) and tools.find("systemctl") is not None


def _has_cron(layout: Layout) -> bool:
    return os.path.isdir(layout.cron) and any(map(tools.find, ("cron", "crond")))


def _ensure_files(ledger: Ledger, files: dict[str, str], *, is_systemd: bool) -> Outcome:
    known = {path for change in ledger.of_kind("timer") for path in change["files"]}
    foreign = [path for path in files if path not in known and os.path.lexists(path)]
    if foreign:
        return Outcome("timer", "failed", (f"`{foreign[0]}` is there already, and not gnomon's",))
    if known == set(files) and all(_text(path) == text for path, text in files.items()):
        return Outcome("timer", "unchanged")
    for change in ledger.of_kind("timer"):
        remove(change)
        ledger.drop(change)
    change = ledger.add({"kind": "timer", "files": sorted(files), "systemd": is_systemd})
    try:
        for path, text in files.items():
            with unnoticed(os.path.dirname(path)):
                write_file(path, text.encode())
    except OSError as error:
        remove(change)
        ledger.drop(change)
        return Outcome("timer", "failed", (f"`{error.filename}`: {error.strerror}",))
    if is_systemd:
        problem = _systemctl("daemon-reload") or _systemctl("enable", "--now", f"{UNIT}.timer")
        if problem:
            return Outcome("timer", "failed", (problem,))
    return Outcome("timer", "done", ("runs `gnomon keep` each hour", *files))


def remove(change: Change) -> list[str]:
    """Removes what runs `keep`."""
    problem = None
    if change["systemd"] and any(map(os.path.lexists, change["files"])):
        problem = _systemctl("disable", "--now", f"{UNIT}.timer")
    for path in change["files"]:
        with contextlib.suppress(FileNotFoundError), unnoticed(os.path.dirname(path)):
            os.unlink(path)
    if change["systemd"]:
        _systemctl("daemon-reload")
    return [problem] if problem else []


def _systemctl(*arguments: str) -> str | None:
    found = tools.find("systemctl")
    if found is None:
        return "there is no systemctl"
    done = subprocess.run([found, *arguments], capture_output=True, text=True, check=False)
    return (done.stderr.strip() or f"systemctl ended with {done.returncode}") if done.returncode else None


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, ValueError):
        return None
