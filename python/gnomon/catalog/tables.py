"""A catalogue as tables and macros of a DuckDB connection; docs/catalog.md documents them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ..libraries import normalised
from ..rows import load_rows
from . import macros, patterns
from .catalog import Catalog
from .entries import Sensitivity

if TYPE_CHECKING:
    import duckdb

_Row = tuple[Any, ...]
COLUMNS = {
    "catalog_services": "id varchar, name varchar, kind varchar, is_sanctioned boolean, "
    "otel_provider varchar, endpoints varchar[]",
    "catalog_hosts": "pattern varchar, regex varchar, service varchar, category varchar, label varchar, "
    "severity varchar, attack varchar[], port integer, paths varchar[]",
    "catalog_paths": "id varchar, label varchar, category varchar, severity varchar, attack varchar[], "
    "regex varchar, except_regex varchar, access varchar",
    "catalog_types": "extension varchar, id varchar, label varchar",
    "catalog_modules": "module varchar, distribution varchar, role varchar, service varchar, id varchar, "
    "label varchar, severity varchar, attack varchar[]",
    "catalog_techniques": "id varchar, name varchar",
}


def install(connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Creates the tables and macros in `connection`, in place of those that are there."""
    for name in COLUMNS:
        install_table(connection, catalog, name)
    install_macros(connection, catalog)


def install_table(connection: duckdb.DuckDBPyConnection, catalog: Catalog, name: str) -> None:
    """Creates one of the tables (`COLUMNS`) alone."""
    types = dict(column.split() for column in COLUMNS[name].split(", "))
    rows = (dict(zip(types, row)) for row in _ROWS[name](catalog))
    load_rows(connection, name, types, rows, form="table")


def install_macros(connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Creates the macros alone, some of which ask the tables."""
    for signature, body in macros.of(catalog):
        connection.execute(f"create or replace macro {signature} as {body}")


def _services(catalog: Catalog) -> list[_Row]:
    services = [
        (one.id, one.name, one.kind, one.is_sanctioned, one.otel_provider, one.endpoints)
        for one in catalog.services
    ]
    servers = [(one.id, one.name, one.kind, one.is_sanctioned, None, ()) for one in catalog.servers]
    return [*services, *servers]


def _service_hosts(catalog: Catalog) -> Iterable[_Row]:
    for host, service in catalog.service_order:
        yield host, patterns.of_host(host), service.id, "ai", service.name, None, (), None, service.only_paths
    for server in catalog.servers:
        for port in server.ports:
            yield None, None, server.id, "ai", server.name, None, (), port, ()


def _egress_hosts(catalog: Catalog) -> Iterable[_Row]:
    for one in catalog.egresses:
        facts = (None, one.id, one.label, one.severity, one.attack)
        for host in one.hosts:
            yield host, patterns.of_host(host), *facts, None, ()
        for port in one.ports:
            yield None, None, *facts, port, ()
        for port in one.local_ports:
            yield "localhost", patterns.of_host("localhost"), *facts, port, ()


def _internal_hosts(catalog: Catalog) -> Iterable[_Row]:
    for host in catalog.internal.hosts:
        yield host, patterns.of_host(host), None, "internal", "inside", None, (), None, ()
    for network in catalog.internal.networks:
        yield network, None, None, "internal", "inside", None, (), None, ()


def _path_row(catalog: Catalog, one: Sensitivity) -> _Row:
    """A row whose expressions say all: paths, and words in files of the types that count."""
    found = [regex for regex in (one.paths_regex,) if regex]
    if one.words_regex:
        found.append(f"{one.words_regex}(?s:.)*{catalog.words.types_regex}")
    regex = patterns.alternatives(found) if found else None
    return one.id, one.label, one.category, one.severity, one.attack, regex, one.except_regex, one.access


def _ai_modules(catalog: Catalog) -> Iterable[_Row]:
    for one, modules, distributions in catalog.ai_libraries:
        facts = (one.role, one.service, one.id, one.name, None, ())
        for module in modules:
            yield module, None, *facts
        for name in distributions:
            yield None, normalised(name), *facts


def _capabilities(catalog: Catalog) -> Iterable[_Row]:
    for one in catalog.capabilities:
        for module in one.modules:
            yield module, None, "capability", None, one.id, one.label, one.severity, one.attack


def _paths(catalog: Catalog) -> Iterable[_Row]:
    return (_path_row(catalog, one) for one in catalog.sensitivities)


def _hosts(catalog: Catalog) -> Iterable[_Row]:
    return (*_service_hosts(catalog), *_egress_hosts(catalog), *_internal_hosts(catalog))


def _types(catalog: Catalog) -> Iterable[_Row]:
    return ((extension.lower(), one.id, one.label) for one in catalog.types for extension in one.extensions)


def _modules(catalog: Catalog) -> Iterable[_Row]:
    return (*_ai_modules(catalog), *_capabilities(catalog))


_ROWS: dict[str, Callable[[Catalog], Iterable[_Row]]] = {
    "catalog_services": _services,
    "catalog_hosts": _hosts,
    "catalog_paths": _paths,
    "catalog_types": _types,
    "catalog_modules": _modules,
    "catalog_techniques": lambda catalog: catalog.techniques,
}
