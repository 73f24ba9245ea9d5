"""Working hours: when people are expected to be at work, and what a zone's clocks showed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone, tzinfo

from .errors import FindingsError

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class WorkingHours:
    """When people are expected to be at work.

    Attributes:
        first_day: The week's first working day, Monday being 1.
        last_day: Its last one.
        begin: When a working day begins, by the clocks of `zone`.
        end: When it ends.
        zone: The name of a time zone (`Europe/Berlin`); `None` for that of this machine.
    """

    first_day: int = 1
    last_day: int = 5
    begin: time = time(7)
    end: time = time(19)
    zone: str | None = None

    @classmethod
    def parse(cls, text: str) -> WorkingHours:
        """Hours as in `mon-fri 07:00-19:00`, or in `mon-fri 07:00-19:00 Europe/Berlin`.

        Raises:
            FindingsError: It says something else, or there is no such zone.
        """
        pattern = rf"({'|'.join(_DAYS)})-({'|'.join(_DAYS)}) (\d\d:\d\d)-(\d\d:\d\d)(?: (\S+))?"
        found = re.fullmatch(pattern, text.strip(), re.IGNORECASE)
        hint = "write for example `mon-fri 07:00-19:00`"
        if found is None:
            raise FindingsError(f"cannot use the working hours `{text}`", hint=hint)
        try:
            begin, end = time.fromisoformat(found[3]), time.fromisoformat(found[4])
        except ValueError:
            raise FindingsError(f"cannot use the working hours `{text}`", hint=hint) from None
        first, last = (_DAYS.index(found[day].lower()) + 1 for day in (1, 2))
        if first > last or begin >= end:
            raise FindingsError(
                f"cannot use the working hours `{text}`: they end before they begin", hint=hint
            )
        hours = cls(first, last, begin, end, found[5])
        hours.clocks()
        return hours

    def clocks(self) -> tzinfo | None:
        """The time zone; `None` is that of this machine.

        Raises:
            FindingsError: There is no such zone.
        """
        if self.zone is None:
            return None
        if self.zone.upper() == "UTC":
            return timezone.utc
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

        try:
            return ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise FindingsError(
                f"cannot use the time zone `{self.zone}`: it is not known here",
                hint="write one of the IANA database, as `Europe/Berlin`; `pip install tzdata` brings them",
            ) from None

    def offset(self, moment: datetime) -> timedelta:
        """By how much the clocks differ from `moment`, in UTC."""
        return timedelta(minutes=_minutes(moment, self.clocks()))

    def in_words(self) -> str:
        """As in `Monday to Friday, 07:00 to 19:00, Europe/Berlin`."""
        days = f"{_NAMES[self.first_day - 1]} to {_NAMES[self.last_day - 1]}"
        return f"{days}, {self.begin:%H:%M} to {self.end:%H:%M}, {self.zone or 'local time'}"

    def shifts(self, first: datetime, last: datetime) -> Iterator[tuple[datetime, datetime, int]]:
        """Spans of UTC in which the clocks differ from it by the same number of minutes.

        Args:
            first: Where the spans begin, in UTC.
            last: Which moment they reach at least.
        """
        zone = self.clocks()
        begin, minutes, moment = first, _minutes(first, zone), first
        while moment <= last:
            after = moment + timedelta(days=1)
            if _minutes(after, zone) != minutes:
                change = _change(moment, after, zone)
                yield begin, change, minutes
                begin, minutes = change, _minutes(after, zone)
            moment = after
        yield begin, moment, minutes


def _minutes(moment: datetime, zone: tzinfo | None) -> int:
    offset = moment.replace(tzinfo=timezone.utc).astimezone(zone).utcoffset() or timedelta()
    return int(offset.total_seconds() // 60)


def _change(low: datetime, high: datetime, zone: tzinfo | None) -> datetime:
    """To the minute, when the clocks are set between two moments."""
    before = _minutes(low, zone)
    low = low.replace(second=0, microsecond=0)
    while high - low > timedelta(minutes=1):
        middle = low + timedelta(minutes=(high - low) // timedelta(minutes=2))
        low, high = (middle, high) if _minutes(middle, zone) == before else (low, middle)
    return high.replace(second=0, microsecond=0)
