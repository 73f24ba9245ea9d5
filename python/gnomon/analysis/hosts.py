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
    20: "ftp", 21: "ftp", 22: "ssh", 23: "telnet", 25: "smtp", 53: "dns", 69: "tftp", 80: "http",
    110: "pop3", 119: "nntp", 143: "imap", 389: "ldap", 443: "https", 445: "smb", 465: "smtps",
    587: "smtp", 636: "ldaps", 853: "dns over tls", 873: "rsync", 990: "ftps", 993: "imaps",
    995: "pop3s", 1433: "sql server", 1521: "oracle", 2049: "nfs", 3306: "mysql", 5432: "postgresql",
    5671: "amqps", 5672: "amqp", 6379: "redis", 8080: "http", 9092: "kafka", 9200: "elasticsearch",
    27017: "mongodb",
}  # fmt: skip
_COLUMNS = """
    host VARCHAR, port USMALLINT, is_local BOOLEAN, is_internal BOOLEAN, port_protocol VARCHAR, service
    VARCHAR, service_name VARCHAR, is_ai BOOLEAN, is_sanctioned BOOLEAN, category VARCHAR, severity
    VARCHAR, attack VARCHAR
"""


def install(connection: duckdb.DuckDBPyConnection, catalog: Catalog | None) -> None:
    """Makes the table of what `base.contacts` has."""
    machines = connection.execute("select distinct lower(machine) from base.runs").fetchall()
    names = {"localhost", *(name for (name,) in machines if name)}
    found = connection.execute(
        "select host, port, list(distinct address) filter (address is not null) "
        "from (from base.contacts select host, port, unnest(coalesce(addresses, [null])) as address) "
        "group by host, port"
    ).fetchall()
    rows = (_facts(host, port, addresses or [], names) for host, port, addresses in found)
    load_rows(connection, "host_rows", _COLUMNS, rows)
    connection.execute("create table base.host_facts as from host_rows")


def _facts(host: str, port: int | None, addresses: list[str], own_names: set[str]) -> dict[str, Any]:
    return {
        "host": host,
        "port": port,
        "is_local": is_local(host, own_names),
        "is_internal": is_internal(host, addresses),
        "port_protocol": _PROTOCOLS.get(port or 0),
        "is_ai": False,
    }


def is_local(host: str, own_names: set[str]) -> bool:
    """Whether `host` is the machine itself, by its name: a forwarder on loopback may stand for anybody."""
    name = host.lower().rstrip(".")
    if host.startswith(("/", "\0", "@")) or name in own_names or name.endswith(".localhost"):
        return True
    address = _address(host)
    return address is not None and (address.is_loopback or address.is_unspecified)


def is_internal(host: str, addresses: list[str]) -> bool:
    """Whether `host` is on a private network, as far as names and addresses tell."""
    if host.lower().rstrip(".").endswith((".local", ".internal", ".lan", ".home.arpa")):
        return True
    known = [_address(text) for text in addresses or [host]]
    return all(address is not None and address.is_private and not address.is_loopback for address in known)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
