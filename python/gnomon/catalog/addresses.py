"""Hosts as they are compared: what src/core/hosts.rs makes of them before they are recorded."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from typing import Union

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


def plain_host(host: str) -> str:
    """`host` in lower case, without its final dot, in ASCII (IDNA); an address in its shortest form."""
    bare = host.strip().rstrip(".")
    found = address_of(bare)
    if found is not None:
        return str(found)
    if bare.isascii():
        return bare.lower()
    try:
        return bare.encode("idna").decode("ascii").lower().rstrip(".")
    except UnicodeError:
        return bare.lower()


def address_of(host: str) -> Address | None:
    """The address that `host` spells out, also as `0x7f.1` or `[::1]`; a mapped one is the IPv4 address."""
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    bare = bare.partition("%")[0]
    try:
        found = ipaddress.ip_address(bare)
    except ValueError:
        return _numbers_and_dots(bare)
    mapped = getattr(found, "ipv4_mapped", None)
    return found if mapped is None else ipaddress.IPv4Address(mapped)


def _numbers_and_dots(text: str) -> Address | None:
    if not text[:1].isdigit() or not text.isascii() or " " in text or not text.isprintable():
        return None
    try:
        return ipaddress.IPv4Address(socket.inet_aton(text))
    except OSError:
        return None


def key_of(address: Address) -> str:
    """The address as 32 hexadecimal digits, so that networks are ranges of text."""
    value = int(address) if address.version == 6 else int(address) | 0xFFFF << 32
    return f"{value:032x}"


def range_of(network: str) -> tuple[str, str]:
    """The first and last key of a network such as `10.0.0.0/8`.

    Raises:
        ValueError: It is no network.
    """
    parsed = ipaddress.ip_network(network, strict=False)
    return key_of(parsed[0]), key_of(parsed[-1])


def is_within(host: str, networks: Sequence[tuple[str, str]]) -> bool:
    """Whether the plain `host` is an address of one of the networks, given by their ranges."""
    found = address_of(host)
    return found is not None and any(low <= key_of(found) <= high for low, high in networks)
