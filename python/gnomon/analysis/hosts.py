"""What is known of the hosts that were seen: `base.host_facts`, one row for each host and port."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from .sources import load_rows

if TYPE_CHECKING:
    import duckdb

    from ..catalog import Catalog

# Well-known ports (IANA) of protocols that a business asks about.
_PROTOCOLS = {
    20: "ftp", 21: "ftp", 22: "ssh", 23: "telnet", 25: "smtp", 53: "dns", 69: "tftp", 80: "http", 110: "pop3",
    119: "nntp", 143: "imap", 389: "ldap", 443: "https", 445: "smb", 465: "smtps", 587: "smtp", 636: "ldaps",
    853: "dns over tls", 873: "rsync", 990: "ftps", 993: "imaps", 995: "pop3s", 1433: "sql server", 1521: "oracle",
    2049: "nfs", 3306: "mysql", 5432: "postgresql", 5671: "amqps", 5672: "amqp", 6379: "redis", 8080: "http",
    9092: "kafka", 9200: "elasticsearch", 27017: "mongodb",
}  # fmt: skip
_COLUMNS = {
    "host": "VARCHAR", "port": "USMALLINT", "is_local": "BOOLEAN", "is_internal": "BOOLEAN",
    "port_protocol": "VARCHAR", "service": "VARCHAR", "service_name": "VARCHAR", "is_ai": "BOOLEAN",
    "is_sanctioned": "BOOLEAN", "category": "VARCHAR", "severity": "VARCHAR", "attack": "VARCHAR",
}  # fmt: skip


def install(connection: duckdb.DuckDBPyConnection, catalog: Catalog | None) -> None:
    """Makes the table of what `base.contacts` has."""
    found = connection.execute(
        "select host, port, list(distinct address) filter (address is not null) "
        "from (select host, port, unnest(if(len(addresses) > 0, addresses, [null])) as address from base.contacts) "
        "group by host, port"
    ).fetchall()
    load_rows(connection, "host_rows", _COLUMNS, (_facts(*row, catalog) for row in found))
    connection.execute("create table base.host_facts as from host_rows")


def _facts(
    host: str, port: int | None, addresses: list[str] | None, catalog: Catalog | None
) -> dict[str, Any]:
    facts = dict.fromkeys(_COLUMNS)
    known = addresses or [host]
    return {
        **facts,
        "host": host,
        "port": port,
        "is_local": host.startswith(("/", "\0", "@")) or host == "localhost" or all(map(_is_loopback, known)),
        "is_internal": all(map(_is_private, known)) or (host or "").endswith((".local", ".internal", ".lan")),
        "port_protocol": _PROTOCOLS.get(port or 0),
        "is_ai": False,
    }


def _is_loopback(text: str) -> bool:
    address = _address(text)
    return address is not None and (address.is_loopback or address.is_unspecified)


def _is_private(text: str) -> bool:
    address = _address(text)
    return address is not None and (address.is_private or address.is_link_local)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
