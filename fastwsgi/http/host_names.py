"""The name in a Host field, for what is shown only to those who ask this machine for itself.

A page of the internet can have the name of its site come to mean 127.0.0.1 (DNS rebinding), and then read what a
browser on this machine gets from here. But the browser still sends that name in the Host field.
"""

from __future__ import annotations

import re

PORT = re.compile(r":[0-9]*\Z")


def name_in(host: str) -> str:
    """The name or address in *host*, a Host field, in lower case, without port and final dot."""
    return PORT.sub("", host).lower().rstrip(".")


def is_localhost(name: str) -> bool:
    """Whether *name* is this machine whoever is asked for it (RFC 6761 6.3)."""
    return name == "localhost" or name.endswith(".localhost")
