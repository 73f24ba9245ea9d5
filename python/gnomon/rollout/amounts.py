"""Sizes and times as people write them, on command lines and in gnomon.toml."""

from __future__ import annotations

import re

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def parse_size(text: str) -> int:
    """Bytes of `200MB`, `2 GB`, `1.5GiB`, or a number of them.

    Raises:
        ValueError: It is none.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", text.strip().lower())
    if not found or (found[3] and not found[2]):
        raise ValueError(f"cannot understand the size `{text}`: say `200MB` or `2GB`")
    return int(float(found[1]) * (1024 if found[3] else 1000) ** " kmgt".index(found[2] or " "))


def parse_period(text: str) -> int:
    """Seconds of `90d`, `12 hours`, `6w`, or a number of them.

    Raises:
        ValueError: It is none.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdw]|hours?|days?|weeks?)?", text.strip().lower())
    if not found:
        raise ValueError(f"cannot understand the time `{text}`: say `90d` or `12h`")
    return int(float(found[1]) * _SECONDS[(found[2] or "s")[0]])
