"""What is known of the hosts that were seen: `base.host_facts`, one row for each host and port."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..catalog.addresses import address_of
from ..catalog.catalog import is_loopback
from ..catalog.entries import Service
from ..rows import load_rows

if TYPE_CHECKING:
    import duckdb

    from ..catalog import Catalog
    from ..catalog.entries import Server

# Well-known ports (IANA) of protocols that a business asks about.
_PROTOCOLS = {
    20: "ftp", 21: "ftp", 22: "ssh", 23: "telnet", 25: "smtp", 53: "dns", 69: "tftp", 80: "http",
    110: "pop3", 119: "nntp", 143: "imap", 389: "ldap", 443: "https", 445: "smb", 465: "smtps",
    587: "smtp", 636: "ldaps", 853: "dns over tls", 873: "rsync", 990: "ftps", 993: "imaps",
    995: "pop3s", 1433: "sql server", 1521: "oracle", 2049: "nfs", 3306: "mysql", 5432: "postgresql",
    5671: "amqps", 5672: "amqp", 6379: "redis", 8080: "http", 9092: "kafka", 9200: "elasticsearch",
    27017: "mongodb",
}  # fmt: skip
# URLs that programs for language models ask for, whatever the host is called: OpenAI's, which most copy,
# Anthropic's, Google's, Ollama's and KServe's.
_SPOKEN = (
    r"^[a-z]+://[^?]*/(v\d+\w*/(chat/completions|completions|embeddings|responses|messages)"
    r"|v\d+\w*/models/[^/]+:(generate|stream|embed)\w+|openai/deployments/[^?]+"
    r"|api/(generate|chat|embed|embeddings)|v2/models/[^?]+/(infer|generate))/?$"
)
_COLUMNS = """
    host VARCHAR, port USMALLINT, is_local BOOLEAN, is_internal BOOLEAN, port_protocol VARCHAR,
    service VARCHAR, service_name VARCHAR, is_ai BOOLEAN, is_sanctioned BOOLEAN,
    category VARCHAR, severity VARCHAR, attack VARCHAR
"""


def install(connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Makes the table of what `base.contacts` has."""
    machines = connection.execute("select distinct lower(machine) from base.runs").fetchall()
    names = {"localhost", *(name for (name,) in machines if name)}
    found = connection.execute(
        """
        select host, port, list_distinct(flatten(list(coalesce(addresses, [])))),
            list_distinct(flatten(list(coalesce(urls, []))))
        from base.contacts group by host, port
        """
    ).fetchall()
    rows = (_facts(catalog, names, *row) for row in found)
    load_rows(connection, "host_rows", _COLUMNS, rows)
    connection.execute("create table base.host_facts as from host_rows")


def _facts(
    catalog: Catalog, own_names: set[str], host: str, port: int | None, addresses: list[str], urls: list[str]
) -> dict[str, Any]:
    service = _service(catalog, host, port, urls)
    egresses = catalog.egress_of(host, port)
    egress = egresses[0] if egresses else None
    is_own = is_local(host, own_names)
    is_known = service is not None or egress is not None
    return {
        "host": host,
        "port": port,
        "is_local": is_own,
        # What is known by its name is outside, wherever a forwarder on this network leads it.
        "is_internal": is_own
        or catalog.is_internal(host)
        or (not is_known and _is_inside(catalog, addresses)),
        "port_protocol": _PROTOCOLS.get(port or 0),
        "service": service.id if service else None,
        "service_name": service.name if service else None,
        "is_ai": service is not None,
        "is_sanctioned": service.is_sanctioned if service else None,
        "category": egress.label if egress else None,
        "severity": egress.severity if egress else None,
        "attack": ", ".join(egress.attack) if egress else None,
    }


def _service(catalog: Catalog, host: str, port: int | None, urls: list[str]) -> Service | Server | None:
    """The AI service that it is, by its name, its port, or what was asked of it."""
    paths = sorted({urlsplit(url).path for url in urls}) if catalog.may_offer(host) else []
    for path in (None, *paths):
        found = catalog.service_of(host, path, port=port)
        if found is not None:
            return found
    if any(re.match(_SPOKEN, url) for url in urls):
        return Service(id=f"self-hosted:{host}", name=f"AI service at {host}")
    return None


def is_local(host: str, own_names: set[str]) -> bool:
    """Whether `host` is the machine itself, by its name: a forwarder on loopback may stand for anybody."""
    name = host.lower().rstrip(".")
    if host.startswith(("/", "\0", "@")) or name in own_names or name.endswith(".localhost"):
        return True
    address = address_of(host)
    return address is not None and (address.is_loopback or address.is_unspecified)


def _is_inside(catalog: Catalog, addresses: list[str]) -> bool:
    """Whether these are addresses of the organisation's own networks."""
    return bool(addresses) and all(not is_loopback(text) and catalog.is_internal(text) for text in addresses)
