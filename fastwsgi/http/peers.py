"""Addresses of peers: how environ spells them, which ones the operator trusts, and which count as one client."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Union

EVERYBODY = "*"
UNIX = "unix"  # all peers on unix sockets


def spell(address: Union[IPv4Address, IPv6Address]) -> str:
    """The canonical text of *address*; an IPv4-mapped IPv6 address (RFC 4291 2.5.5.2) as the IPv4 address."""
    return str(getattr(address, "ipv4_mapped", None) or address)


class Trusted:
    """A set of peers, for `host in trusted`; "" is a peer on a unix socket.

    Args:
        names: addresses, networks as ADDRESS/BITS, "unix", or "*" for all peers.

    Raises:
        ValueError: a name is none of these.
    """

    def __init__(self, names: list[str]) -> None:
        self._everybody = EVERYBODY in names
        self._unix = UNIX in names
        self._networks = [ip_network(name) for name in names if name not in (EVERYBODY, UNIX)]
        self._is_listed = lru_cache(maxsize=1024)(self._find)

    def __contains__(self, host: str) -> bool:
        return self._everybody or (self._is_listed(host) if host else self._unix)

    def _find(self, host: str) -> bool:
        address = ip_address(spell(ip_address(host.partition("%")[0])))
        return any(address in network for network in self._networks)


LOOPBACK = Trusted(["127.0.0.0/8", "::1"])
"""All peers on this machine that come by TCP."""


def client_network(host: str) -> str:
    """What counts as one client: an IPv4 address, or a /64, which an IPv6 subscriber has at least (RFC 6177 2).

    Args:
        host: an address as REMOTE_ADDR gives it.
    """
    if ":" not in host:
        return host
    address = IPv6Address(host.partition("%")[0])
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> 64 << 64)}/64"
