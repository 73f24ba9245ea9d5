"""Which of many patterns mean a host: names and domains are looked up, as there are many of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property, lru_cache
from typing import Generic, TypeVar

from . import patterns

T = TypeVar("T")


class HostPatterns(Generic[T]):
    """Patterns such as `api.example.com` and `*.example.com`, each with what it stands for.

    Args:
        pairs: The patterns in the order in which `find` gives what they stand for.
    """

    def __init__(self, pairs: Iterable[tuple[str, T]]) -> None:
        self._names: dict[str, list[tuple[int, T]]] = {}
        self._domains: dict[str, list[tuple[int, T]]] = {}
        self._others: list[tuple[int, str, T]] = []
        for place, (pattern, value) in enumerate(pairs):
            bare = pattern[2:] if pattern.startswith("*.") else pattern
            if bare.isascii() and "*" not in bare:
                known = self._names if bare == pattern else self._domains
                known.setdefault(bare.lower().rstrip("."), []).append((place, value))
            else:
                self._others.append((place, patterns.of_host(pattern), value))

    def find(self, plain: str) -> list[T]:
        """What the plain host `plain` is meant by."""
        found = list(self._names.get(plain, ()))
        for domain in _domains(plain):
            found += self._domains.get(domain, ())
        if self._any_other is not None and self._any_other.search(plain):
            found += [(place, value) for place, regex, value in self._others if compiled(regex).search(plain)]
        return [value for _, value in sorted(found, key=lambda one: one[0])]

    @cached_property
    def _any_other(self) -> re.Pattern[str] | None:
        """All expressions as one: most hosts are meant by none."""
        regexes = [regex for _, regex, _ in self._others]
        return compiled(patterns.alternatives(regexes)) if regexes else None


def _domains(plain: str) -> Iterable[str]:
    """`b.c` and `c` of `a.b.c`."""
    label, dot, rest = plain.partition(".")
    while label and dot:
        yield rest
        label, dot, rest = rest.partition(".")


@lru_cache(maxsize=2048)
def compiled(regex: str) -> re.Pattern[str]:
    """`regex`, of those that DuckDB reads alike."""
    return re.compile(patterns.as_python(regex))
