"""A catalogue as tables and macros of a DuckDB connection; docs/catalog.md documents them.

A pattern that is a column's value would be compiled for each row: so the macros hold every expression as a constant,
and ask for all at once before they ask for each. They take what records hold: plain paths, plain hosts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from . import patterns
from .addresses import range_of
from .catalog import Catalog, plain_distribution
from .entries import Egress, Sensitivity

if TYPE_CHECKING:
    import duckdb

# Entries that are asked for together before each is asked for.
_GROUP = 6
_NONE = "[]::varchar[]"


def install(connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Creates the tables and macros in `connection`, in place of those that are there."""
    for name, (columns, rows) in _tables(catalog).items():
        connection.execute(f"create or replace table {name} ({', '.join(columns)})")
        _insert(connection, name, rows)
    for signature, body in _macros(catalog):
        connection.execute(f"create or replace macro {signature} as {body}")


def _insert(connection: duckdb.DuckDBPyConnection, name: str, rows: list[tuple[Any, ...]]) -> None:
    """All rows by one statement: `executemany` takes a millisecond for each."""
    if rows:
        values = ", ".join(f"({', '.join(map(_quoted, row))})" for row in rows)
        connection.execute(f"insert into {name} values {values}")


def _quoted(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_quoted, value))}]::varchar[]"
    return "'" + str(value).replace("'", "''") + "'"


# ---- tables


def _tables(catalog: Catalog) -> dict[str, tuple[tuple[str, ...], list[tuple[Any, ...]]]]:
    return {
        "catalog_services": (
            (
                "id varchar",
                "name varchar",
                "kind varchar",
                "is_sanctioned boolean",
                "otel_provider varchar",
                "endpoints varchar[]",
            ),
            _services(catalog),
        ),
        "catalog_hosts": (
            (
                "pattern varchar",
                "regex varchar",
                "service varchar",
                "category varchar",
                "label varchar",
                "severity varchar",
                "attack varchar[]",
                "port integer",
                "paths varchar[]",
            ),
            [*_service_hosts(catalog), *_egress_hosts(catalog), *_internal_hosts(catalog)],
        ),
        "catalog_paths": (
            (
                "id varchar",
                "label varchar",
                "category varchar",
                "severity varchar",
                "attack varchar[]",
                "regex varchar",
                "except_regex varchar",
                "access varchar",
            ),
            [_path_row(catalog, one) for one in catalog.sensitivities],
        ),
        "catalog_types": (
            ("extension varchar", "id varchar", "label varchar"),
            [(extension.lower(), one.id, one.label) for one in catalog.types for extension in one.extensions],
        ),
        "catalog_modules": (
            (
                "module varchar",
                "distribution varchar",
                "role varchar",
                "service varchar",
                "id varchar",
                "label varchar",
                "severity varchar",
                "attack varchar[]",
            ),
            [*_ai_modules(catalog), *_capabilities(catalog)],
        ),
        "catalog_techniques": (("id varchar", "name varchar"), list(catalog.techniques)),
    }


def _services(catalog: Catalog) -> list[tuple[Any, ...]]:
    services = [
        (one.id, one.name, one.kind, one.is_sanctioned, one.otel_provider, one.endpoints)
        for one in catalog.services
    ]
    return [*services, *((one.id, one.name, one.kind, one.is_sanctioned, None, ()) for one in catalog.servers)]


def _service_hosts(catalog: Catalog) -> Iterable[tuple[Any, ...]]:
    for host, service in catalog.service_order:
        yield host, patterns.of_host(host), service.id, "ai", service.name, None, (), None, service.only_paths
    for server in catalog.servers:
        for port in server.ports:
            yield None, None, server.id, "ai", server.name, None, (), port, ()


def _egress_hosts(catalog: Catalog) -> Iterable[tuple[Any, ...]]:
    for one in catalog.egresses:
        facts = (None, one.id, one.label, one.severity, one.attack)
        for host in one.hosts:
            yield host, patterns.of_host(host), *facts, None, ()
        for port in one.ports:
            yield None, None, *facts, port, ()
        for port in one.local_ports:
            yield "localhost", patterns.of_host("localhost"), *facts, port, ()


def _internal_hosts(catalog: Catalog) -> Iterable[tuple[Any, ...]]:
    for host in catalog.internal.hosts:
        yield host, patterns.of_host(host), None, "internal", "inside", None, (), None, ()
    for network in catalog.internal.networks:
        yield network, None, None, "internal", "inside", None, (), None, ()


def _path_row(catalog: Catalog, one: Sensitivity) -> tuple[Any, ...]:
    """A row whose expressions say all: paths, and words in files of the types that count."""
    found = [regex for regex in (one.paths_regex,) if regex]
    if one.words_regex:
        found.append(f"{one.words_regex}(?s:.)*{catalog.words.types_regex}")
    regex = patterns.alternatives(found) if found else None
    return one.id, one.label, one.category, one.severity, one.attack, regex, one.except_regex, one.access


def _ai_modules(catalog: Catalog) -> Iterable[tuple[Any, ...]]:
    for one, modules, distributions in catalog.ai_libraries:
        facts = (one.role, one.service, one.id, one.name, None, ())
        for module in modules:
            yield module, None, *facts
        for name in distributions:
            yield None, plain_distribution(name), *facts


def _capabilities(catalog: Catalog) -> Iterable[tuple[Any, ...]]:
    for one in catalog.capabilities:
        for module in one.modules:
            yield module, None, "capability", None, one.id, one.label, one.severity, one.attack


# ---- macros


def _macros(catalog: Catalog) -> Iterable[tuple[str, str]]:
    yield "plain_host(host)", "lower(rtrim(host, '.'))"
    yield "plain_path(path)", _PLAIN_PATH
    yield "address_key(host)", _ADDRESS_KEY
    yield "is_internal(host)", _is_internal(catalog)
    yield "service_of(host, port := null, path := null)", _service_of(catalog)
    yield "egress_of(host, port := null)", _egress_of(catalog)
    yield "sensitivities_of(path)", _sensitivities_of(catalog)
    yield "extension_of(path)", r"lower(regexp_extract(path, '[^/\\][.]([^./\\]+)\z', 1))"
    yield "ai_library_of(name)", _AI_LIBRARY_OF
    yield "capability_of(name)", _CAPABILITY_OF


_PLAIN_PATH = r"""
case when not regexp_matches(path, '[/\\][.]{0,2}(?:[/\\]|\z)') then path
else case when regexp_matches(path, '^[/\\]{2}') then '/' when regexp_matches(path, '^[/\\]') then '' else '' end
  || substr(
    list_reduce(
      list_prepend('', string_split(replace(path, '\', '/'), '/')),
      lambda whole, part: case
        when part in ('', '.') then whole
        when part = '..' then regexp_replace(whole, '/?[^/]*\z', '')
        else whole || '/' || part end),
    case when regexp_matches(path, '^[/\\]') then 1 else 2 end)
end"""

_ADDRESS_KEY = r"""
case
  when regexp_matches(host, '^[0-9]+[.][0-9]+[.][0-9]+[.][0-9]+\z') then '00000000000000000000ffff' || list_aggregate(
    list_transform(string_split(host, '.'), lambda part: printf('%02x', least(part::integer, 255))), 'string_agg', '')
  when contains(host, ':') then list_aggregate(
    list_transform(
      string_split(
        replace(
          host, '::',
          case when starts_with(host, '::') then '' else ':' end
            || rtrim(repeat('0:', 9 - len(string_split(replace('x' || host || 'x', 'x::x', '::'), ':'))), ':')
            || case when ends_with(host, '::') then '' else ':' end),
        ':'),
      lambda part: lpad(part, 4, '0')),
    'string_agg', '')
end"""

_AI_LIBRARY_OF = """(
  select first(found.id order by found.module is null, length(found.module) desc)
  from catalog_modules as found
  where found.role <> 'capability'
    and (found.module = name or starts_with(name, found.module || '.')
      or found.distribution = lower(regexp_replace(name, '[-_.]+', '-', 'g')))
)"""

_CAPABILITY_OF = """(
  select first(found.id order by length(found.module) desc)
  from catalog_modules as found
  where found.role = 'capability' and (found.module = name or starts_with(name, found.module || '.'))
)"""


def _matches(text: str, regex: str) -> str:
    return f"regexp_matches({text}, {_quoted(regex)})"


def _any(conditions: Iterable[str]) -> str:
    found = list(conditions)
    return "(" + " or ".join(found) + ")" if found else "false"


def _within(ranges: Iterable[tuple[str, str]]) -> str:
    return _any(f"address_key(host) between '{low}' and '{high}'" for low, high in ranges)


def _is_internal(catalog: Catalog) -> str:
    names = [patterns.of_host(host) for host in catalog.internal.hosts]
    within = _within(range_of(network) for network in catalog.internal.networks)
    is_name = _any([_matches("host", regex) for regex in [patterns.alternatives(names)] if names] + [r"regexp_matches(host, '^[^.:]+[.]?\z')"])
    return f"case when host is null then null when {_IS_ADDRESS} then {within} else {is_name} end"


_IS_ADDRESS = r"regexp_matches(host, '^[0-9.]+\z|:')"


def _service_of(catalog: Catalog) -> str:
    order = catalog.service_order
    if not order:
        return "null::varchar"
    cases = "".join(f" when {_service_case(host, service.only_paths)} then {_quoted(service.id)}" for host, service in order)
    named = f"case{cases} end"
    hosts = patterns.alternatives(patterns.of_host(host) for host, _ in order)
    ports = "".join(
        f" when port = {port} then {_quoted(server.id)}"
        for server in catalog.servers
        if server.is_telling
        for port in server.ports
    )
    local = f"case when port is not null and is_internal(host) then case{ports} end end" if ports else "null"
    return f"coalesce(case when {_matches('host', hosts)} then {named} end, {local})"


def _service_case(host: str, only_paths: tuple[str, ...]) -> str:
    found = _matches("host", patterns.of_host(host))
    if not only_paths:
        return found
    paths = patterns.alternatives(patterns.of_url_path(path) for path in only_paths)
    return f"({found} and coalesce({_matches('path', paths)}, false))"


def _egress_of(catalog: Catalog) -> str:
    if not catalog.egresses:
        return _NONE
    order = catalog.by_severity(catalog.egresses)
    regexes = [patterns.of_host(host) for one in order for host in one.hosts]
    ports = sorted({port for one in order for port in (*one.ports, *one.local_ports)})
    gate = [_matches("host", patterns.alternatives(regexes))] if regexes else []
    gate += [f"port in ({', '.join(map(str, ports))})"] if ports else []
    each = ", ".join(f"case when {_egress_case(one)} then {_quoted(one.id)} end" for one in order)
    return f"case when {_any(gate)} then {_known(each)} else {_NONE} end"


def _egress_case(one: Egress) -> str:
    found = [_matches("host", patterns.alternatives(map(patterns.of_host, one.hosts)))] if one.hosts else []
    if one.ports:
        found.append(f"port in ({', '.join(map(str, one.ports))})")
    if one.local_ports:
        found.append(f"(port in ({', '.join(map(str, one.local_ports))}) and {_IS_LOOPBACK})")
    return _any(found)


_IS_LOOPBACK = r"regexp_matches(host, '(?i)^(127[.][0-9.]+|::1|(.+[.])?localhost[.]?)\z')"


def _known(values: str) -> str:
    return f"list_filter([{values}], lambda one: one is not null)"


def _sensitivities_of(catalog: Catalog) -> str:
    places = _found("paths", [one for one in catalog.sensitivities if one.paths])
    words = _found("words", [one for one in catalog.sensitivities if one.words])
    gate = _matches("path", catalog.words.types_regex)
    if catalog.words.except_regex:
        words = f"case when {_matches('path', catalog.words.except_regex)} then {_NONE} else {words} end"
    return f"list_concat({places}, case when {gate} then {words} else {_NONE} end)"


def _found(field: str, ones: Sequence[Sensitivity]) -> str:
    """The ids of those whose `paths` or `words` find `path`: all are asked for at once, then groups, then each."""
    if not ones:
        return _NONE
    if len(ones) > _GROUP:
        size = max(_GROUP, -(-len(ones) // _GROUP))
        groups = [ones[start : start + size] for start in range(0, len(ones), size)]
        inner = f"flatten([{', '.join(_found(field, group) for group in groups)}])"
    else:
        inner = _known(", ".join(_case(one, _regex(field, [one])) for one in ones))
    return f"case when {_matches('path', _regex(field, ones))} then {inner} else {_NONE} end"


def _regex(field: str, ones: Sequence[Sensitivity]) -> str:
    if field == "paths":
        return patterns.of_paths(glob for one in ones for glob in one.paths)
    return patterns.of_words([word for one in ones for word in one.words])


def _case(one: Sensitivity, regex: str) -> str:
    found = _matches("path", regex)
    if one.except_regex:
        found = f"{found} and not {_matches('path', one.except_regex)}"
    return f"case when {found} then {_quoted(one.id)} end"
