"""Who may look at the status: the peers of --status-allow, and on this machine nobody by way of a name of others.

The status says which requests run and from where it is served, so it is no business of a page of the internet, which a
browser on this machine may show (http/host_names.py). So a client on this machine, by whichever of its addresses, has
to ask for an address, for localhost, or for the host that --status-bind names. Clients on other machines may ask by any
name: an address that they reach is open to them anyway.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from fastwsgi.http.host_names import is_localhost, name_in
from fastwsgi.http.peers import LOOPBACK, Trusted
from fastwsgi.originals import socket
from fastwsgi.server.addresses import Tcp, parse_address

if TYPE_CHECKING:
    from fastwsgi.settings.settings import Settings

ANY_PORT = 9  # discard

class Visitors:
    """Those who are let in.

    Args:
        settings: status_bind and status_allow are read.
    """

    def __init__(self, settings: Settings) -> None:
        self._allowed = Trusted(settings.status_allow)
        address = parse_address(settings.status_bind) if settings.status_bind else None
        self._own = address.host.lower() if isinstance(address, Tcp) else ""

    def may_look(self, peer: str) -> bool:
        """Whether *peer*, an address or "" by a unix socket, may see anything."""
        return peer in self._allowed

    def may_name(self, peer: str, host: str) -> bool:
        """Whether *peer* may ask for *host*, the Host field, which is "" if there is none."""
        name = name_in(host)
        if not peer or name in ("", self._own) or is_localhost(name) or _is_address(name):
            return True
        return peer not in LOOPBACK and not is_of_this_machine(peer)


def is_of_this_machine(peer: str) -> bool:
    """Whether *peer* is an address of this machine: one asks such an address from itself. Nothing is sent."""
    family = socket.AF_INET6 if ":" in peer else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(socket.getaddrinfo(peer, ANY_PORT, family, flags=socket.AI_NUMERICHOST)[0][4])
            own: str = probe.getsockname()[0]
        except OSError:  # there is no way to it
            return False
    return ip_address(own.partition("%")[0]) == ip_address(peer.partition("%")[0])


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
