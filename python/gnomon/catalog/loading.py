"""TOML files of a catalogue to entries: read, checked, and laid over one another by id."""

from __future__ import annotations

import difflib
import os
import pkgutil
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import addresses, patterns
from .entries import Capability, Egress, FileType, Internal, Library, Sensitivity, Server, Service, Words
from .errors import CatalogError
from .patterns import PatternError

SHIPPED = ("ai.toml", "hosts.toml", "data.toml", "capabilities.toml")
SEVERITIES = ("high", "medium", "low", "info")

_Entry = dict[str, Any]


class _Wrong(Exception):
    """A value that cannot be used; what is said is the hint."""


@dataclass
class Entries:
    """The entries of all files so far, by table and id; what the tables hold that have no entries."""

    by_table: dict[str, dict[str, _Entry]] = field(default_factory=dict)
    internal: dict[str, tuple[str, ...]] = field(default_factory=dict)
    words: dict[str, tuple[str, ...]] = field(default_factory=dict)
    techniques: dict[str, str] = field(default_factory=dict)

    def made(self, table: str) -> tuple[Any, ...]:
        """The entries of a table, as what they are."""
        make = _TABLES[table].make
        return tuple(make(**entry) for entry in self.by_table.get(table, {}).values())


def shipped() -> Entries:
    """What gnomon brings."""
    entries = Entries()
    for name in SHIPPED:
        add(entries, (pkgutil.get_data(__package__, name) or b"").decode(), name)
    return entries


def own_paths() -> list[str]:
    """The machine's and the person's own catalogue, where they are."""
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    places = ["/etc/gnomon/catalog.toml", os.path.join(home, "gnomon", "catalog.toml")]
    return [place for place in places if os.path.lexists(place)]


def add_file(entries: Entries, path: str) -> None:
    """Lays the file at `path` over `entries`.

    Raises:
        CatalogError: It cannot be read, or says something wrong.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        raise CatalogError(f"cannot read `{path}`: there is no such file", hint="look at the path") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CatalogError(f"cannot read `{path}`: {reason}", hint="look at its owner and mode") from None
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise CatalogError(
            f"cannot use `{path}`: byte {error.start} is no UTF-8", hint="save it as UTF-8"
        ) from None
    add(entries, text, path)


def add(entries: Entries, text: str, path: str) -> None:
    """Lays the TOML `text` of the file at `path` over `entries`.

    Raises:
        CatalogError: It says something wrong.
    """
    from .._native import read_toml

    try:
        tables = read_toml(text)
    except ValueError as error:
        raise CatalogError(f"cannot use `{path}`: {str(error).strip()}", hint="mend the file") from None
    for name, value in _flat(tables, path):
        if name in _TABLES:
            _add_entries(entries, name, value, path)
        else:
            _add_table(entries, name, value, path)


def _flat(tables: Mapping[str, Any], path: str) -> Iterable[tuple[str, Any]]:
    known = [*_TABLES, *_SINGLE, "attack"]
    for name, value in tables.items():
        if name == "ai" and isinstance(value, dict):
            pairs = [(f"ai.{inner}", one) for inner, one in value.items()]
        else:
            pairs = [(name, value)]
        for full, one in pairs:
            if full not in known:
                raise _unknown(path, f"table `{full}`", full, known)
            yield full, one


def _add_entries(entries: Entries, table: str, value: object, path: str) -> None:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise CatalogError(
            f"cannot use `{path}`: `{table}` is no list of entries", hint=f"write [[{table}]] above each"
        )
    known = entries.by_table.setdefault(table, {})
    seen: set[str] = set()
    for position, raw in enumerate(value, 1):
        name = raw.get("id")
        if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9][a-z0-9_.-]*", name):
            raise CatalogError(
                f"cannot use `{path}`: entry {position} of [[{table}]] has no id",
                hint='give it one of its own: id = "finance_share" (small letters, digits, `_`, `-`, `.`)',
            )
        if name in seen:
            raise CatalogError(
                f"cannot use `{path}`: [[{table}]] `{name}` is there twice", hint="make it one entry"
            )
        seen.add(name)
        _lay(known, table, name, raw, path)


def _lay(known: dict[str, _Entry], table: str, name: str, raw: _Entry, path: str) -> None:
    """One entry over the one of the same id: keys that it does not name stay as they were."""
    given = {key: value for key, value in raw.items() if key != "disabled"}
    is_disabled = raw.get("disabled", False)
    where = f"[[{table}]] `{name}`"
    if not isinstance(is_disabled, bool):
        raise CatalogError(
            f"cannot use `{path}`: {where} disabled = {is_disabled!r}", hint="say true or false"
        )
    entry = {**known.get(name, {}), **_checked(given, _TABLES[table].keys, where, path)}
    if is_disabled:
        if name not in known:
            raise _unknown(path, f"entry {where} to disable", name, [*known])
        del known[name]
        return
    for key in _TABLES[table].required:
        if _TABLES[table].keys[key][0] not in entry:
            raise CatalogError(f"cannot use `{path}`: {where} has no `{key}`", hint=f"add `{key}`")
    known[name] = entry


def _add_table(entries: Entries, name: str, value: object, path: str) -> None:
    if not isinstance(value, dict):
        raise CatalogError(
            f"cannot use `{path}`: `{name}` is no table", hint=f"write [{name}] above its keys"
        )
    if name == "attack":
        keys = {key: (key, _technique_name(key)) for key in value}
        entries.techniques.update(_checked(value, keys, "[attack]", path))
    elif name == "internal":
        for key, more in _checked(value, _SINGLE[name], "[internal]", path).items():
            entries.internal[key] = tuple(dict.fromkeys((*entries.internal.get(key, ()), *more)))
    else:
        entries.words.update(_checked(value, _SINGLE[name], "[words]", path))


def _checked(given: Mapping[str, Any], known: _Keys, where: str, path: str) -> _Entry:
    values: _Entry = {}
    for key, value in given.items():
        if key not in known:
            raise _unknown(path, f"key `{key}` in {where}", key, [*known])
        name, check = known[key]
        try:
            values[name] = check(value)
        except (_Wrong, PatternError) as wrong:
            raise CatalogError(
                f"cannot use `{path}`: {where} {key} = {_shown(value)}", hint=str(wrong)
            ) from None
    return values


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:99]}…"


def _unknown(path: str, what: str, name: str, known: list[str]) -> CatalogError:
    close = difflib.get_close_matches(name, known, 1) or known
    shown = ", ".join(f"`{one}`" for one in close[:12]) + (", …" if len(close) > 12 else "")
    return CatalogError(f"cannot use `{path}`: there is no {what}", hint=f"there is {shown}")


# ---- values


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or any(letter in value for letter in "\n\r\0"):
        raise _Wrong('write a text on one line: "…"')
    return value


def _id(value: object) -> str:
    return _text(value)


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise _Wrong("say true or false")
    return value


def _one_of(*choices: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        if value not in choices:
            raise _Wrong("say " + " or ".join(f'"{choice}"' for choice in choices))
        return str(value)

    return check


def _list_of(check: Callable[[str], object]) -> Callable[[object], tuple[str, ...]]:
    """A list of texts of which each passes `check`, which raises `PatternError` or `_Wrong`."""

    def check_all(value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
            raise _Wrong('write a list of texts: ["one", "other"]')
        for one in value:
            try:
                check(one)
            except PatternError as wrong:
                raise _Wrong(f"for {one!r}: {wrong}") from None
        return tuple(value)

    return check_all


def _technique(value: str) -> None:
    if not re.fullmatch(r"T\d{4}([.]\d{3})?", value):
        raise PatternError('write the id of a MITRE ATT&CK technique: "T1005" or "T1552.001"')


def _technique_name(key: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        _technique(key)
        return _text(value)

    return check


def _module(value: str) -> None:
    if not re.fullmatch(r"[^\W\d]\w*([.][^\W\d]\w*)*", value):
        raise PatternError("write a module as it is imported: `google.genai`")


def _distribution(value: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", value):
        raise PatternError("write a distribution as pip names it: `google-genai`")


def _network(value: str) -> None:
    try:
        addresses.range_of(value)
    except ValueError:
        raise PatternError("write a network as `10.0.0.0/8` or `fd00::/8`") from None


def _url_path(value: str) -> None:
    if not value.startswith("/"):
        raise PatternError("write how the path of a URL starts: `/v1/chat/`")


def _extension(value: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", value):
        raise PatternError("write an extension without its dot: `csv`")


def _ports(value: object) -> tuple[int, ...]:
    is_port = [
        isinstance(one, int) and not isinstance(one, bool) and 0 < one < 65536 for one in _any_list(value)
    ]
    if not all(is_port):
        raise _Wrong("write ports as numbers: [11434]")
    return tuple(_any_list(value))


def _any_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [None]


_Keys = Mapping[str, tuple[str, Callable[[object], Any]]]


@dataclass(frozen=True)
class _Table:
    make: Callable[..., object]
    keys: _Keys
    required: tuple[str, ...]


def _library(role: str) -> Callable[..., Library]:
    def make(**values: Any) -> Library:
        return Library(role=role, **values)

    return make


_NAMED: _Keys = {"id": ("id", _id), "name": ("name", _text)}
_IMPORTED: _Keys = {
    "modules": ("modules", _list_of(_module)),
    "distributions": ("distributions", _list_of(_distribution)),
}
_RATED: _Keys = {
    "id": ("id", _id),
    "label": ("label", _text),
    "severity": ("severity", _one_of(*SEVERITIES)),
    "attack": ("attack", _list_of(_technique)),
}
_SANCTIONED: _Keys = {"sanctioned": ("is_sanctioned", _boolean)}
_PATHS = _list_of(patterns.of_path)
_WORDS = _list_of(lambda word: patterns.of_words([word]))
_HOSTS = _list_of(patterns.of_host)

_TABLES: dict[str, _Table] = {
    "ai.service": _Table(
        Service,
        {
            **_NAMED,
            "kind": ("kind", _text),
            "hosts": ("hosts", _HOSTS),
            "only_paths": ("only_paths", _list_of(_url_path)),
            "endpoints": ("endpoints", _list_of(_url_path)),
            **_IMPORTED,
            "otel_provider": ("otel_provider", _text),
            **_SANCTIONED,
        },
        ("name",),
    ),
    "ai.server": _Table(
        Server,
        {
            **_NAMED,
            "ports": ("ports", _ports),
            "is_telling": ("is_telling", _boolean),
            **_IMPORTED,
            **_SANCTIONED,
        },
        ("name", "ports"),
    ),
    "ai.framework": _Table(_library("ai framework"), {**_NAMED, **_IMPORTED}, ("name",)),
    "ai.runtime": _Table(_library("local runtime"), {**_NAMED, **_IMPORTED}, ("name",)),
    "egress": _Table(
        Egress,
        {
            **_RATED,
            "hosts": ("hosts", _HOSTS),
            "ports": ("ports", _ports),
            "local_ports": ("local_ports", _ports),
        },
        ("label", "severity"),
    ),
    "data": _Table(
        Sensitivity,
        {
            **_RATED,
            "category": ("category", _text),
            "access": ("access", _one_of("read", "write", "both")),
            "paths": ("paths", _PATHS),
            "words": ("words", _WORDS),
            "except": ("excepts", _PATHS),
        },
        ("label", "category", "severity"),
    ),
    "type": _Table(
        FileType,
        {
            "id": ("id", _id),
            "label": ("label", _text),
            "extensions": ("extensions", _list_of(_extension)),
        },
        ("label", "extensions"),
    ),
    "capability": _Table(
        Capability, {**_RATED, "modules": ("modules", _list_of(_module))}, ("label", "severity", "modules")
    ),
}
_SINGLE: dict[str, _Keys] = {
    "internal": {"hosts": ("hosts", _HOSTS), "networks": ("networks", _list_of(_network))},
    "words": {"types": ("types", _list_of(_extension)), "except": ("excepts", _PATHS)},
}


def internal_of(entries: Entries) -> Internal:
    """What the tables [internal] say together."""
    return Internal(**entries.internal)


def words_of(entries: Entries) -> Words:
    """What the last table [words] says."""
    return Words(**entries.words)
