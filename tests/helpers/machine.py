"""What a machine may lack, as marks of the tests that need it."""

from __future__ import annotations

import socket

import pytest


def has_ipv6() -> bool:
    """Whether an IPv6 address can be listened on; in many containers none can."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


IPV6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
