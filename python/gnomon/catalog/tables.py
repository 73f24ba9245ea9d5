"""A catalogue as tables and macros of a DuckDB connection; docs/catalog.md documents them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..libraries import normalised
from . import macros, patterns
from .catalog import Catalog
from .entries import Sensitivity

if TYPE_CHECKING:
    import duckdb

_Row = tuple[Any, ...]


def install(connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Creates the tables and macros in `connection`, in place of those that are there."""
    for name, (columns, rows) in tables_of(catalog).items():
        connection.execute(f"create or replace table {name} ({', '.join(columns)})")
        _insert(connection, name, columns, rows)
    for signature, body in macros.of(catalog):
        connection.execute(f"create or replace macro {signature} as {body}")


def _insert(
    connection: duckdb.DuckDBPyConnection, name: str, columns: Sequence[str], rows: list[_Row]
) -> None:
    """All rows by one statement, a list for each column: parsing them as text takes ten times as long."""
    if rows:
        types = [column.split()[1] for column in columns]
        selected = ", ".join(f"unnest(?::{type}[])" for type in types)
        values = [[_plain(value) for value in column] for column in zip(*rows)]
        connection.execute(f"insert into {name} select {selected}", values)


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def tables_of(catalog: Catalog) -> dict[str, tuple[tuple[str, ...], list[_Row]]]:
    """The tables of `catalog`, by name: columns, rows."""
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
