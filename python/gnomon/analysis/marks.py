"""What this machine and lists can say of a script's file: its owner, its repository, its schedule."""

from __future__ import annotations

import csv
import os
import statistics
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .sources import load_rows

if TYPE_CHECKING:
    import duckdb

_TIMERS = {"cron": "cron", "systemd": "systemd", "task scheduler": "Task Scheduler"}
_MIN_RUNS = 3
_MAX_TIMES = 500
_SPREAD = timedelta(minutes=10)
_SPREAD_WITHOUT_TIMER = timedelta(minutes=1)


_COLUMNS = """
    script VARCHAR, owner_exists BOOLEAN, is_leaver BOOLEAN, repository VARCHAR, is_in_repository BOOLEAN,
    schedule VARCHAR
"""


def install(connection: duckdb.DuckDBPyConnection, leavers: str | os.PathLike[str] | None) -> None:
    """Makes the table `script_marks`, one row for each script of `base.runs`.

    Args:
        connection: The database.
        leavers: The file for `read_leavers`.
    """
    gone = read_leavers(leavers) if leavers is not None else None
    here = machine_id()
    found = connection.execute(
        """
        select script, list(distinct started_by), list(distinct user),
            list(started order by started) filter (started_by <> 'script'),
            arg_max(script_path, started), arg_max(machine_id, started),
            arg_max(script_owner, started) filter (script_owner_uid is not null),
            arg_max(script_owner_uid, started)
        from base.runs group by script
        """
    ).fetchall()
    load_rows(connection, "script_marks", _COLUMNS, (_marks(row, here, gone) for row in found))


def _marks(row: tuple[Any, ...], here: str | None, leavers: Collection[str] | None) -> dict[str, Any]:
    script, started_by, users, times, path, machine, owner, uid = row
    is_here = machine == here
    is_there = is_here and (path or "").startswith("/") and os.path.exists(path)
    repository = repository_of(path) if is_there else None
    return {
        "script": script,
        "owner_exists": owner_exists(owner, uid, is_here=is_here),
        "is_leaver": is_leaver(owner, uid, users, leavers),
        "repository": repository,
        "is_in_repository": repository is not None if is_there else None,
        "schedule": schedule(started_by, (times or [])[-_MAX_TIMES:]),
    }


def machine_id() -> str | None:
    """This machine's, as processes on it record theirs."""
    try:
        return Path("/etc/machine-id").read_text(encoding="ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def owner_exists(owner: str | None, uid: int | None, *, is_here: bool) -> bool | None:
    """Whether the account is there: by this machine's own list, else by what the record says."""
    if uid is None:
        return None
    if owner is None:
        return False
    if not is_here:
        return True
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name == owner
    except KeyError:
        return False


def repository_of(path: str | None) -> str | None:
    """The git repository that `path` lies in, looked for on this machine."""
    directory = os.path.dirname(path or "")
    while directory and directory != "/":
        if os.path.exists(f"{directory}/.git"):
            return directory
        directory = os.path.dirname(directory)
    return None


def read_leavers(path: str | os.PathLike[str]) -> frozenset[str]:
    """The accounts of a list of people who left: the column `user`, `account` or `login`, else the first.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no list.
    """
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    if not rows:
        raise ValueError("it is empty")
    head = [cell.strip().lower() for cell in rows[0]]
    known = [name for name in ("user", "account", "login", "username", "uid") if name in head]
    column = head.index(known[0]) if known else 0
    cells = (row[column].strip() for row in (rows[1:] if known else rows) if len(row) > column)
    return frozenset(cell.rpartition("\\")[2].partition("@")[0] for cell in cells if cell)


def is_leaver(
    owner: str | None, uid: int | None, users: Collection[str], leavers: Collection[str] | None
) -> bool | None:
    """Whether the owner left, or all who ran it did."""
    if leavers is None:
        return None
    if owner in leavers or (uid is not None and str(uid) in leavers):
        return True
    return bool(users) and all(user in leavers for user in users)


def schedule(started_by: Collection[str], times: Sequence[datetime]) -> str | None:
    """How it is started, in words, by its parents and the times of its starts (UTC); `None` for by hand."""
    timers = [name for key, name in _TIMERS.items() if key in started_by]
    if timers:
        rhythm = _rhythm(sorted(times), runs=_MIN_RUNS, spread=_SPREAD)
        return f"{timers[0]}, {rhythm}" if rhythm else timers[0]
    # People are regular too, but not to the minute.
    rhythm = _rhythm(sorted(times), runs=_MIN_RUNS + 2, spread=_SPREAD_WITHOUT_TIMER)
    return f"at regular times, {rhythm}" if rhythm else None


def _rhythm(times: Sequence[datetime], *, runs: int, spread: timedelta) -> str | None:
    days = sorted({time.date() for time in times})
    if len(times) < runs:
        return None
    if len(days) >= runs and len(times) == len(days):
        minutes = [time.hour * 60 + time.minute + time.second / 60 for time in times]
        if max(minutes) - min(minutes) <= spread.total_seconds() / 60:
            at = round(statistics.median(minutes))
            return f"{_days(days)} at {at // 60 % 24:02}:{at % 60:02} (UTC)"
    steps = [(later - earlier).total_seconds() for earlier, later in zip(times, times[1:])]
    step = statistics.median(steps)
    if len(steps) >= 2 * runs and step >= 30 and max(abs(one - step) for one in steps) <= max(2, step / 20):
        return f"every {_span(step)}"
    return None


def _days(days: Sequence[object]) -> str:
    gaps = {(later - earlier).days for earlier, later in zip(days, days[1:])}  # type: ignore[operator]
    return {frozenset({1}): "daily", frozenset({7}): "weekly"}.get(frozenset(gaps), "on some days")


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{round(seconds)} seconds"
    if seconds < 5400:
        return f"{round(seconds / 60)} minutes"
    return f"{round(seconds / 3600)} hours"
