"""Something that a person should look at, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

Severity = Literal["high", "medium", "low"]


@dataclass(frozen=True)
class Finding:
    """One of them.

    Attributes:
        id: A name that does not change, as `hook-gone`.
        severity: How much it matters.
        sentence: What is the matter, as the end of a sentence.
        remedy: What to do.
        records: The records that say so: process and `seq` of each.
    """

    id: str
    severity: Severity
    sentence: str
    remedy: str
    records: tuple[tuple[str, int], ...] = ()

    def as_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return asdict(self)
