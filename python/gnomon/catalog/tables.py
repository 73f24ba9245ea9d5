"""A catalogue as tables and macros of a DuckDB connection; docs/catalog.md documents them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..libraries import normalised
from ..rows import load_rows
from . import macros, patterns
from .catalog import Catalog
from .entries import Sensitivity

if TYPE_CHECKING:
    import duckdb

_Row = tuple[Any, ...]


NAMES = (
    "catalog_services", "catalog_hosts", "catalog_paths", "catalog_types", "catalog_modules",
    "catalog_techniques",
)  # fmt: skip


def install(connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Creates the tables and macros in `connection`, in place of those that are there."""
    install_tables(connection, catalog)
    install_macros(connection, catalog)


def install_tables(connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Creates the tables alone."""
    for name, (columns, rows) in tables_of(catalog).items():
        types = dict(column.split() for column in columns)
        load_rows(connection, name, types, (dict(zip(types, row)) for row in rows), form="table")


def install_macros(connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Creates the macros alone, some of which ask the tables."""
    for signature, body in macros.of(catalog):
        connection.execute(f"create or replace macro {signature} as {body}")


def tables_of(catalog: Catalog) -> dict[str, tuple[tuple[str, ...], list[_Row]]]:
    """The tables of `catalog`, by their `NAMES`: columns, rows."""
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
