"""The rows of ci/fleet.py: which happening, behind which proxy, with what changed in the page's files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Callable

from ci.fleet_parts import happenings
from ci.fleet_parts.clients import Clients
from ci.fleet_parts.shops import Shops

NO_RETRIES = {"retries 3": "retries 0", "proxy_next_upstream error timeout": "proxy_next_upstream off"}
CONNECTING = {"retry-on conn-failure empty-response": "retry-on conn-failure"}
AS_IT_IS: Mapping[str, str] = {}
SOON = {**NO_RETRIES, "TimeoutStartSec=20": "TimeoutStartSec=5"}
TCP = {  # a balancer of connections, which knows nothing of requests, as a cloud's network balancer or kube-proxy
    **NO_RETRIES,
    "mode http": "mode tcp",
    'log-format "%HM %HU %ST %s %tsc %rc %ID"': "option tcplog",
    "    option idle-close-on-response\n": "",
    "    option forwardfor\n": "",
    "    http-request disable-l7-retry unless METH_GET\n": "",
    "    http-request set-header X-Forwarded-Proto http\n": "",
    "    unique-id-format %[uuid()]\n    unique-id-header X-Request-ID\n": "",
}
ENCRYPTED = {**NO_RETRIES, "default-server check": "default-server ssl verify required ca-file /etc/haproxy/ca.pem "
    "verifyhost shop send-proxy-v2 check-send-proxy check"}
SERVICE = """
certfile = "/srv/shop/shop.pem"
keyfile = "/srv/shop/shop.key"
proxy-protocol = "required"
proxy-allow-from = "10.0.0.10,127.0.0.1"
"""


@dataclass
class Row:
    """A line of the table.

    Attributes:
        name: for the command line.
        happening: what happens; its docstring is the line's beginning.
        note: for the table, how the proxy's file differs from the page's.
        changes, service: those differences, as of Shops.
        lost: what may be: "" nothing, "post" requests that are no GET, "kept" those that met a connection which the
            proxy was closing, "all" any.
        quick: whether CI has it.
        logged: whether the proxy knows of requests.
        far: whether the clients are 20 ms away.
    """

    name: str
    happening: Callable[[Shops, Clients], str]
    note: str = "no retries"
    changes: Mapping[str, str] = field(default_factory=lambda: NO_RETRIES)
    service: str = ""
    lost: str = ""
    quick: bool = False
    logged: bool = True
    far: bool = False

    @property
    def proxy(self) -> str:
        """haproxy or nginx."""
        return self.name.partition("-")[0]


ROWS = (
    Row("haproxy-term", happenings.term, quick=True),
    Row("haproxy-term-tcp", happenings.term, "`mode tcp`, no retries; clients 20 ms away", TCP, logged=False, far=True),
    Row("haproxy-told", happenings.told),
    Row("haproxy-told-tls", happenings.encrypted, "no retries", ENCRYPTED, SERVICE),
    Row("haproxy-reloaded", happenings.reloaded, "the file as it is; clients 20 ms away", AS_IT_IS, far=True),
    Row("haproxy-reloaded-off", happenings.reloaded, "no retries; clients 20 ms away", lost="all", far=True),
    Row("haproxy-hup", happenings.hup, quick=True),
    Row("haproxy-usr2", happenings.usr2, quick=True),
    Row("haproxy-bad-code", happenings.bad_code, quick=True),
    Row("haproxy-bad-start", happenings.bad_start, "no retries, `TimeoutStartSec=5`", SOON),
    Row("haproxy-bad-answers", happenings.bad_answers),
    Row("haproxy-kill", happenings.kill, lost="all"),
    Row("haproxy-kill-connecting", happenings.kill, "`retry-on conn-failure` alone", CONNECTING, lost="all"),
    Row("haproxy-kill-retries", happenings.kill, "the file as it is", AS_IT_IS, lost="post", quick=True),
    Row("haproxy-cut", happenings.cut, "the file as it is", AS_IT_IS),
    Row("haproxy-slow", happenings.slow),
    Row("nginx-listed", happenings.listed, lost="kept"),
    Row("nginx-term", happenings.term, "the file as it is", AS_IT_IS, quick=True),
    Row("nginx-term-far", happenings.term, "the file as it is; clients 20 ms away", AS_IT_IS, far=True),
    Row("nginx-term-off", happenings.term, lost="all"),
    Row("nginx-listed-far", happenings.listed, "no retries; clients 20 ms away", lost="kept", far=True),
    Row("nginx-hup", happenings.hup),
    Row("nginx-usr2", happenings.usr2),
    Row("nginx-bad-code", happenings.bad_code, "the file as it is", AS_IT_IS),
    Row("nginx-bad-answers", happenings.bad_answers, lost="kept"),
    Row("nginx-kill", happenings.kill, "the file as it is", AS_IT_IS, lost="post"),
    Row("nginx-cut", happenings.cut, "the file as it is", AS_IT_IS),
)
