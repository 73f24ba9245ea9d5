"""What this machine and lists can say of a script's file: its owner, its repository, its schedule."""

from __future__ import annotations

import csv
import os
import statistics
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..rows import load_rows

if TYPE_CHECKING:
    import duckdb

    from ..findings.hours import WorkingHours

_TIMERS = {"cron": "cron", "systemd": "systemd", "task scheduler": "Task Scheduler"}
_MIN_RUNS = 3
_MAX_TIMES = 500
_SPREAD = timedelta(minutes=10)
_SPREAD_WITHOUT_TIMER = timedelta(minutes=1)
_NAMES = ("user", "account", "login", "username", "uid")


_COLUMNS = """
    script VARCHAR, owner_exists BOOLEAN, former_owner VARCHAR, is_leaver BOOLEAN,
    is_owner_leaver BOOLEAN, repository VARCHAR,
    is_in_repository BOOLEAN, schedule VARCHAR
"""


def install(
    connection: duckdb.DuckDBPyConnection, leavers: str | os.PathLike[str] | None, hours: WorkingHours
) -> None:
    """Makes the table `script_marks`, one row for each script of `base.runs`.

    Args:
        connection: The database.
        leavers: The file for `read_leavers`.
        hours: By whose clocks schedules go.
    """
    gone = read_leavers(leavers) if leavers is not None else None
    numbers = read_numbers(leavers) if leavers is not None else {}
    here = machine_id()
    found = connection.execute(
        """
        select script, list(distinct started_by), list(distinct user),
            list(started order by started) filter (started_by <> 'script'),
            arg_max(script_path, started), arg_max(machine_id, started),
            arg_max_null(script_owner, started) filter (script_owner_uid is not null),
            arg_max(script_owner_uid, started)
        from base.runs group by script
        """
    ).fetchall()
    load_rows(
        connection, "script_marks", _COLUMNS, (_marks(row, here, gone, numbers, hours) for row in found)
    )


def _marks(
    row: tuple[Any, ...],
    here: str | None,
    leavers: Collection[str] | None,
    numbers: Mapping[int, str],
    hours: WorkingHours,
) -> dict[str, Any]:
    script, started_by, users, times, path, machine, owner, uid = row
    is_here = machine == here
    is_there = is_here and (path or "").startswith("/") and os.path.exists(path)
    repository = repository_of(path) if is_there else None
    # A number is used again for another account; one without an account tells who had it.
    former = numbers.get(uid) if owner is None and uid is not None else None
    return {
        "script": script,
        "owner_exists": owner_exists(owner, uid, is_here=is_here),
        "former_owner": former,
        "is_leaver": is_leaver(owner or former, uid, users, leavers),
        "is_owner_leaver": is_owner_leaver(owner or former, uid, leavers),
        "repository": repository,
        "is_in_repository": repository is not None if is_there else None,
        "schedule": schedule(started_by, (times or [])[-_MAX_TIMES:], hours),
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
    head, rows = _table(path)
    known = [name for name in _NAMES if name in head]
    column = head.index(known[0]) if known else 0
    cells = (row[column].strip() for row in (rows[1:] if known else rows) if len(row) > column)
    return frozenset(_account(cell) for cell in cells if cell)


def read_numbers(path: str | os.PathLike[str]) -> dict[int, str]:
    """The accounts of such a list by their numbers, where it has a column `uid` beside the one for accounts.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no list.
    """
    head, rows = _table(path)
    known = [name for name in _NAMES[:-1] if name in head]
    if not known or "uid" not in head:
        return {}
    name, number = head.index(known[0]), head.index("uid")
    pairs = [(row[number].strip(), row[name].strip()) for row in rows[1:] if len(row) > max(name, number)]
    return {int(uid): _account(cell) for uid, cell in pairs if uid.isdecimal() and cell}


def _table(path: str | os.PathLike[str]) -> tuple[list[str], list[list[str]]]:
    """What may be the names of columns, and all rows."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        text = file.read()
    # Spreadsheets write semicolons where a comma stands in numbers; no account has either in its name.
    separator = max(",;\t", key=text.partition("\n")[0].count)
    lines = csv.reader(text.splitlines(keepends=True), delimiter=separator)
    rows = [row for row in lines if any(cell.strip() for cell in row)]
    if not rows:
        raise ValueError("it is empty")
    return [cell.strip().lower() for cell in rows[0]], rows


def _account(cell: str) -> str:
    """The account's name, without what says where it is."""
    return cell.rpartition("\\")[2].partition("@")[0]


def is_leaver(
    owner: str | None, uid: int | None, users: Collection[str], leavers: Collection[str] | None
) -> bool | None:
    """Whether the owner left, or all who ran it did."""
    if leavers is None:
        return None
    if is_owner_leaver(owner, uid, leavers):
        return True
    return bool(users) and all(user in leavers for user in users)


def is_owner_leaver(owner: str | None, uid: int | None, leavers: Collection[str] | None) -> bool | None:
    """Whether the owner left."""
    if leavers is None:
        return None
    return owner in leavers or (uid is not None and str(uid) in leavers)


def schedule(started_by: Collection[str], times: Sequence[datetime], hours: WorkingHours) -> str | None:
    """How it is started, in words, by its parents and the times of its starts; `None` for by hand.

    Args:
        started_by: What started it.
        times: When it was started, in UTC.
        hours: By whose clocks it may go, where they were set meanwhile.
    """
    timers = [name for key, name in _TIMERS.items() if key in started_by]
    if timers:
        rhythm = _rhythm(sorted(times), hours, runs=_MIN_RUNS, spread=_SPREAD)
        return f"{timers[0]}, {rhythm}" if rhythm else timers[0]
    # People are regular too, but not to the minute.
    rhythm = _rhythm(sorted(times), hours, runs=_MIN_RUNS + 2, spread=_SPREAD_WITHOUT_TIMER)
    return f"at regular times, {rhythm}" if rhythm else None


def _rhythm(times: Sequence[datetime], hours: WorkingHours, *, runs: int, spread: timedelta) -> str | None:
    if len(times) < runs:
        return None
    daily = _daily(times, runs, spread)
    if daily:
        return f"{daily} (UTC)"
    if hours.offset(times[0]) != hours.offset(times[-1]):
        daily = _daily([time + hours.offset(time) for time in times], runs, spread)
        if daily:
            return f"{daily} ({hours.zone or 'local time'})"
    steps = [(later - earlier).total_seconds() for earlier, later in zip(times, times[1:])]
    step = statistics.median(steps)
    if len(steps) >= 2 * runs and step >= 30 and max(abs(one - step) for one in steps) <= max(2, step / 20):
        return f"every {_span(step)}"
    return None


def _daily(times: Sequence[datetime], runs: int, spread: timedelta) -> str | None:
    days = sorted({time.date() for time in times})
    if len(days) < runs or len(times) != len(days):
        return None
    minutes = [time.hour * 60 + time.minute + time.second / 60 for time in times]
    if max(minutes) - min(minutes) > spread.total_seconds() / 60:
        return None
    at = int(statistics.median(minutes))
    return f"{_days(days)} at {at // 60 % 24:02}:{at % 60:02}"


def _days(days: Sequence[date]) -> str:
    gaps = {(later - earlier).days for earlier, later in zip(days, days[1:])}
    if gaps == {1} and len(days) == 5 and days[0].weekday() == 0:
        return "on working days"
    if gaps == {1, 3} and all(day.weekday() < 5 for day in days):
        return "on working days"
    return {frozenset({1}): "daily", frozenset({7}): "weekly"}.get(frozenset(gaps), "on some days")


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{round(seconds)} seconds"
    if seconds < 5400:
        return f"{round(seconds / 60)} minutes"
    return f"{round(seconds / 3600)} hours"
