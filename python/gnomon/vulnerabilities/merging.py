"""Which advisories are one vulnerability: databases describe the same one, and name each other as aliases."""

from __future__ import annotations

from .advisory import Advisory


def groups(advisories: list[Advisory]) -> list[list[Advisory]]:
    """The advisories of one package, those together that share an id or an alias, also by way of others."""
    leader: dict[str, str] = {}

    def find(name: str) -> str:
        while leader.setdefault(name, name) != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    for one in advisories:
        for alias in one.aliases:
            leader[find(alias)] = find(one.id)
    found: dict[str, list[Advisory]] = {}
    for one in advisories:
        found.setdefault(find(one.id), []).append(one)
    return list(found.values())
