"""Who caused something, as people say it: the line of the script, and through which library."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from . import Record

# IPython puts itself between a cell and `open`: that is nobody's library.
_TRANSPARENT = frozenset(("ipython", "ipykernel"))
# Distributions that are the native half of another, by how their names begin: people know the whole.
_HALVES = (("polars_runtime", "polars"), ("psycopg_binary", "psycopg"), ("psycopg_c", "psycopg"))


def whole_of(distribution: str) -> str:
    """`polars` for `polars_runtime_32`; other names as they are."""
    name = distribution.replace("-", "_").lower()
    return next((whole for half, whole in _HALVES if name.startswith(half)), distribution)


@dataclass(frozen=True, order=True)
class Cause:
    """The user's line, and the libraries between it and what happened. Empty where it is not known.

    Attributes:
        distribution: The installed distribution closest to the call.
        via: The one that the user's code called, where that is another.
    """

    file: str = ""
    line: int = 0
    function: str = ""
    distribution: str = ""
    via: str = ""

    @classmethod
    def of(cls, record: Record) -> Cause | None:
        """The cause of a record; `None` where nothing is known of it."""
        if record.file is None and record.distribution is None:
            return None
        distribution = whole_of(record.distribution or "")
        via = record.via or ""
        return cls(
            record.file or "",
            record.line or 0,
            record.function or "",
            distribution,
            via if via != distribution else "",
        )

    def as_dict(self) -> dict[str, object]:
        """Plain data for JSON; what is not known is null."""
        return {name: value or None for name, value in asdict(self).items()}

    @property
    def libraries(self) -> str:
        """`through urllib3 via requests`, or nothing."""
        names = [name for name in (self.distribution, self.via) if name and name not in _TRANSPARENT]
        return f"through {' via '.join(names)}" if names else ""


def in_words(causes: Iterable[Cause], shown: int = 2) -> str:
    """`report.py:12 through openpyxl via pandas`; lines of one file and library are put together."""
    places: dict[tuple[str, str], list[int]] = {}
    known = set(causes)
    # A library's own threads have no line of the script: the one that another has is it, most likely.
    with_line = {cause.libraries for cause in known if cause.file}
    for cause in sorted(cause for cause in known if cause.file or cause.libraries not in with_line):
        lines = places.setdefault((os.path.basename(cause.file), cause.libraries), [])
        if cause.line and cause.line not in lines:
            lines.append(cause.line)
    words = []
    for (name, libraries), lines in places.items():
        numbers = ", ".join(map(str, lines[:3])) + (" …" if len(lines) > 3 else "")
        place = f"{name}:{numbers}" if name and numbers else name
        words.append(" ".join(filter(None, (place, libraries))))
    others = len(words) - shown
    more = f"; and {others} more place{'s' if others > 1 else ''}" if others > 0 else ""
    return "; ".join(words[:shown]) + more
