"""What the machine's owner decides: from gnomon.toml and options, to the lines that every process reads.

Everything is checked here, before anything is changed: a process only ever meets settings that are right.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .amounts import parse_period, parse_size
from .errors import RolloutError
from .layout import Layout

# src/core/machine.rs reads no more.
MAX_BYTES = 64 * 1024


@dataclass(frozen=True)
class Settings:
    """What holds for every process of a machine; sizes in bytes, times in seconds, `None`: not said."""

    spool: str
    imports: str = "top"
    native: str = "auto"
    privacy: bool = False
    policies: tuple[str, ...] = ()
    policy_fail: str = "open"
    skip: tuple[str, ...] = ()
    skips_default: bool = True
    quota_user: int | None = None
    quota_machine: int | None = None
    retention: int | None = None
    reserve: int = 200_000_000
    timer: bool = True

    def with_options(self, *, spool: str | None, policies: tuple[str, ...], timer: bool) -> Settings:
        """The same, with what the command line says besides."""
        known = tuple(dict.fromkeys((*self.policies, *map(os.path.abspath, policies))))
        place = self.spool if spool is None else _absolute(os.path.abspath(spool))
        return replace(self, spool=place, policies=known, timer=self.timer and timer)

    def skipped(self) -> tuple[str, ...]:
        """The programs that are left alone."""
        return tuple(dict.fromkeys((*(default_skip() if self.skips_default else ()), *self.skip)))

    def lines(self, compiled: tuple[str, ...], layout: Layout) -> bytes:
        """What the processes read; `compiled` are the compiled policies.

        Raises:
            RolloutError: It is longer than processes read.
        """
        pairs: list[tuple[str, object]] = [("spool", self.spool)]
        pairs += [("policy", path) for path in compiled]
        pairs += [
            ("policy_fail", self.policy_fail),
            ("native", self.native),
            ("imports", self.imports),
            ("privacy", int(self.privacy)),
            ("reserve", self.reserve),
        ]
        kept = ("quota_user", "quota_machine", "retention")
        pairs += [(key, getattr(self, key)) for key in kept if getattr(self, key) is not None]
        pairs += [
            ("skip", program) for program in (f"{layout.current}/*", f"{layout.versions}/*", *self.skipped())
        ]
        text = "# made by `gnomon install`: change gnomon.toml, and install again\n"
        data = os.fsencode(text + "".join(f"{key}={value}\n" for key, value in pairs))
        if len(data) > MAX_BYTES:
            raise RolloutError(
                f"cannot use these settings: they are {len(data):,} bytes, and processes read {MAX_BYTES:,}",
                hint="skip fewer programs, or more by one pattern that ends with *",
            )
        return data


def default_skip() -> tuple[str, ...]:
    """The programs that gnomon leaves alone unless told otherwise; skip.txt says why."""
    import pkgutil

    text = (pkgutil.get_data(__package__, "skip.txt") or b"").decode()
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def read_lines(path: str) -> dict[str, list[str]]:
    """What the lines of the settings at `path` say, by key; nothing where they cannot be read."""
    found: dict[str, list[str]] = {}
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read(MAX_BYTES).splitlines()
    except OSError:
        return found
    for line in lines:
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def skips(pattern: str, path: str) -> bool:
    """Whether a `skip` of the settings means the program at `path`, as src/core/machine.rs decides."""
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern


def read(path: str, spool: str, *, is_needed: bool = False) -> Settings:
    """The settings that the file at `path` says; those of an empty one where it is not there.

    Args:
        path: The gnomon.toml.
        spool: Where records go if the file does not say.
        is_needed: A file that is not there is an error.

    Raises:
        RolloutError: The file cannot be read, or says something wrong.
    """
    if not is_needed and not os.path.lexists(path):
        return Settings(spool=spool)
    return parse(tables(path), path, spool)


def tables(path: str) -> dict[str, Any]:
    """What the TOML file at `path` holds, unchecked.

    Raises:
        RolloutError: It cannot be read, or is no TOML.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        raise RolloutError(f"cannot read `{path}`: there is no such file", hint="look at the path") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RolloutError(f"cannot read `{path}`: {reason}", hint="look at its owner and mode") from None
    return _tables(data, path)


def _tables(data: bytes, path: str) -> dict[str, Any]:
    try:
        if sys.version_info >= (3, 11):
            import tomllib

            return tomllib.loads(data.decode())
        from .payload import load_library

        load_library()
        from .._native import read_toml

        return read_toml(data.decode())
    except ImportError as error:
        raise RolloutError(
            f"cannot read `{path}`: {error}",
            hint="install with Python 3.11 or later, or move the file away and say it with options",
        ) from None
    except ValueError as error:
        raise RolloutError(f"cannot use `{path}`: {error}", hint="mend the file") from None


class _Wrong(Exception):
    """A value that cannot be used; what is said is the hint."""


def parse(tables: Mapping[str, Any], path: str, spool: str) -> Settings:
    """The settings that the tables of gnomon.toml say.

    Raises:
        RolloutError: A table, key or value is wrong.
    """
    values: dict[str, Any] = {"spool": spool}
    for name, table in tables.items():
        known = _KEYS.get(name)
        if known is None:
            raise _unknown(path, f"table [{name}]", name, [*_KEYS])
        if not isinstance(table, dict):
            raise RolloutError(
                f"cannot use `{path}`: {name} is no table", hint=f"write [{name}] above its keys"
            )
        for key, value in table.items():
            if key not in known:
                raise _unknown(path, f"key {key} in [{name}]", key, [*known])
            field, check = known[key]
            try:
                values[field] = check(value)
            except _Wrong as wrong:
                raise RolloutError(
                    f"cannot use `{path}`: [{name}] {key} = {value!r}", hint=str(wrong)
                ) from None
    base = os.path.dirname(os.path.abspath(path))
    files = tuple(os.path.join(base, file) for file in values.get("policies", ()))
    return Settings(**{**values, "policies": files})


def _unknown(path: str, what: str, name: str, known: list[str]) -> RolloutError:
    import difflib

    close = difflib.get_close_matches(name, known, 1) or known
    return RolloutError(
        f"cannot use `{path}`: there is no {what}", hint="there is " + ", ".join(f"`{one}`" for one in close)
    )


def _one_of(*choices: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        if value not in choices:
            raise _Wrong("say " + " or ".join(f'"{choice}"' for choice in choices))
        return str(value)

    return check


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise _Wrong("say true or false")
    return value


def _negated(value: object) -> bool:
    return not _boolean(value)


def _absolute(value: object) -> str:
    if not isinstance(value, str) or not value.startswith("/") or not _is_line(value):
        raise _Wrong("name an absolute path")
    return os.path.normpath(value)


def _is_line(text: str) -> bool:
    return not any(letter in text for letter in "\n\r\0")


def _strings(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise _Wrong('write a list of texts: ["one", "two"]')
    return tuple(value)


def _programs(value: object) -> tuple[str, ...]:
    programs = _strings(value)
    for program in programs:
        if not program.startswith("/") or "*" in program[:-1] or not _is_line(program):
            raise _Wrong(f"write an absolute path, or one that ends with *, for {program!r}")
    return programs


def _size(value: object) -> int:
    """Bytes: 5000000, "5 MB", "1.5GiB"."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    try:
        return parse_size(value if isinstance(value, str) else "")
    except ValueError:
        raise _Wrong('say a size: 5000000, "500 MB" or "2 GiB"') from None


def _period(value: object) -> int:
    """Seconds: "12 hours", "90 days", "2 weeks"; a number alone is no time."""
    try:
        return parse_period(value if isinstance(value, str) and not value[-1:].isdigit() else "")
    except ValueError:
        raise _Wrong('say a time: "12 hours", "90 days" or "8 weeks"') from None


_KEYS: dict[str, dict[str, tuple[str, Callable[[object], Any]]]] = {
    "record": {
        "spool": ("spool", _absolute),
        "imports": ("imports", _one_of("top", "all")),
        "native": ("native", _one_of("auto", "off")),
        "privacy": ("privacy", _boolean),
    },
    "policy": {"files": ("policies", _strings), "fail": ("policy_fail", _one_of("open", "closed"))},
    "skip": {"programs": ("skip", _programs), "replace": ("skips_default", _negated)},
    "keep": {
        "quota_user": ("quota_user", _size),
        "quota_machine": ("quota_machine", _size),
        "retention": ("retention", _period),
        "reserve": ("reserve", _size),
        "timer": ("timer", _boolean),
    },
}
