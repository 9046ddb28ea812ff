"""The status address of a service, as somebody beside it finds it: as it is given, or where the server finds its own.

What the service was given on its command line, nobody else can know.
"""

from __future__ import annotations

import re

from fastwsgi.mistakes import Finding, UsageError
from fastwsgi.originals import os
from fastwsgi.server.addresses import Address, BindError, Inherited, Tcp, Unix, parse_address
from fastwsgi.settings.files import OWN, PROJECT
from fastwsgi.settings.sources import Sources

GIVE_IT = "give the address that the service has as its --status-bind"
LOOPBACK = {"": "127.0.0.1", "*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where to connect to what listens on all addresses."""


def find(given: str | None, config: str | None, directory: str) -> Address:
    """The address to connect to.

    Args:
        given: on the command line; it may be a URL.
        config: the value of -c.
        directory: where the command was given.

    Raises:
        UsageError: there is none, or it is none that can be connected to.
    """
    if given is not None:
        return reachable(re.sub("^http://([^/]+)/.*$|^http://", r"\1", given), "")
    finding = Finding()
    read = Sources({}, None, config, directory).read(os.environ, finding)
    found = read.settings.status_bind
    if found is None:  # mistakes in other settings are the server's: in an incident they must not keep anybody out
        finding.end()
        places = ("FASTWSGI_STATUS_BIND", config) if config else ("FASTWSGI_STATUS_BIND", OWN, f"{PROJECT} here")
        raise UsageError(f"no status_bind in {', '.join(places[:-1])} or {places[-1]}: {GIVE_IT}")
    address = reachable(found, f"{read.origins['status_bind']} ")
    if isinstance(address, Unix) and not address.is_abstract:  # a path from where the server is
        return Unix(os.path.join(read.settings.chdir or directory, address.path))
    return address


def reachable(text: str, origin: str) -> Address:
    """The address *text*, on this machine if it is a wildcard; *origin* begins the line if it is none."""
    try:
        address = parse_address(text)
    except BindError as error:
        raise UsageError(f"{origin}{error}") from None
    if isinstance(address, Inherited) or (isinstance(address, Tcp) and not address.port):
        raise UsageError(f"{origin}{text} does not say where: {GIVE_IT}")
    return Tcp(LOOPBACK.get(address.host, address.host), address.port) if isinstance(address, Tcp) else address
