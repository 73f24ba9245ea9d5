"""Opening the spool that a command line names, with errors that say what to do."""

from __future__ import annotations

import argparse
import os
import re
import time
from datetime import datetime, timezone

from .. import Spool
from ..places import default_spool, machine_spool
from .errors import Failure, UsageError


def add_spool(parser: argparse.ArgumentParser) -> None:
    """Adds the positional SPOOL."""
    parser.add_argument(
        "spool", nargs="?", metavar="SPOOL", help="directory or segment file (default: your own spool)"
    )


def open_spool(path: str | None, **filters: object) -> Spool:
    """The spool at `path`; or that of the machine for whoever may read it, or the user's own.

    Raises:
        Failure: It is not there, cannot be read, or holds nothing of ours.
    """
    shared = machine_spool()
    place = path or (shared if shared and os.access(shared, os.R_OK) else default_spool())
    try:
        return Spool(place, **filters)  # type: ignore[arg-type]
    except FileNotFoundError:
        hint = (
            "`gnomon run script.py` makes one" if path is None else "look at what you typed, or leave it out"
        )
        raise Failure(f"cannot read spool `{place}`: there is none", hint=hint) from None
    except OSError as error:
        raise Failure(error.strerror or str(error), hint=f"see `ls -ld {place}`") from None
    except ValueError as error:
        raise UsageError(str(error)) from None


def parse_since(text: str) -> int:
    """`90s`, `10m`, `2h`, `7d` ago, or a date and time (local where it names no zone), as nanoseconds.

    Raises:
        UsageError: It is neither.
    """
    ago = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdw])", text)
    if ago:
        seconds = float(ago[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}[ago[2]]
        return int((time.time() - seconds) * 1e9)
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise UsageError(
            f"cannot understand the time `{text}`", hint="say `10m`, `2h`, `7d` or `2026-11-22T09:00`"
        ) from None
    return int(moment.timestamp() * 1_000_000_000)


def iso_time(nanoseconds: int) -> str:
    """As in `2026-11-22T09:00:00.123456789Z`."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def is_terminal(stream: object) -> bool:
    """Whether colours make sense there: a terminal, and `NO_COLOR` (no-color.org) is not set."""
    return not os.environ.get("NO_COLOR") and bool(getattr(stream, "isatty", lambda: False)())
