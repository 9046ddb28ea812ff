"""Forwarding fields on real sockets: believed of named peers, for each request anew, also behind a PROXY header."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi.observe.logs import Logs
from tests.helpers.proxied import LINE, TOLD, ask, telling
from tests.helpers.serving import GET, Ended, request, serving


def test_a_proxy_header_decides_whose_fields_are_believed(build: SimpleNamespace) -> None:
    """The address announced counts, and not that of who announced it."""
    get = request(fields=[("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "https")])
    with serving(build, telling, proxy_protocol="required", forwarded_allow_ips="192.0.2.7") as server:
        assert ask(server, LINE + get) == "203.0.113.9  127.0.0.1 https /"
        assert ask(server, LINE.replace(b"192.0.2.7", b"192.0.2.8") + get) == "192.0.2.8 56324 127.0.0.1 http /"
    with serving(build, telling, proxy_protocol="required", forwarded_allow_ips="127.0.0.1") as server:
        assert ask(server, LINE + get) == TOLD


def test_fields_over_a_connection(build: SimpleNamespace) -> None:
    """Each request of a kept connection has its own client."""
    with serving(build, telling, forwarded_allow_ips="127.0.0.0/8", forwarded_hops=1) as server:
        with server.connect() as client:
            for number in range(3):
                field = ("X-Forwarded-For", f"6.6.6.6, 192.0.2.{number}")
                body = client.send(request(fields=[field])).answer().body.decode()
                assert body == f"192.0.2.{number}  127.0.0.1 http / "
            port = client.socket.getsockname()[1]
            assert client.send(GET).answer().body.decode() == f"127.0.0.1 {port} 127.0.0.1 http / "
        twice = request(fields=[("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "192.0.2.9")])
        assert ask(server, twice).startswith("192.0.2.9 ")
        assert ask(server, request(fields=[("X_Forwarded_For", "6.6.6.6")])).startswith("127.0.0.1 ")


def test_a_malformed_field_is_refused_before_the_body(build: SimpleNamespace) -> None:
    for threads in (1, 2):
        with serving(build, telling, forwarded_allow_ips="127.0.0.1", threads=threads) as server:
            fields = [("X-Forwarded-For", "somebody"), ("Expect", "100-continue"), ("Content-Length", "5")]
            with server.connect() as client:
                answer = client.send(request("POST", fields=fields)).answer()
                assert (answer.status, answer.get("Connection")) == (400, "close")
                with pytest.raises(Ended):
                    client.answer()
            assert ask(server, GET).startswith("127.0.0.1 ")


def test_the_access_log_names_the_client(build: SimpleNamespace, tmp_path: Path) -> None:
    log = tmp_path / "log"
    settings: dict[str, Any] = {
        "access_logfile": str(log),
        "access_log_format": "%(h)s %({fastwsgi.peer_addr}e)s %(s)s",
        "forwarded_allow_ips": ["127.0.0.1"],
        "proxy_protocol": "optional",
    }
    logs = Logs(SimpleNamespace(log_config=None, trace=False, request_id="off", **settings), build)
    with serving(build, telling, logs.for_loop().observer, **settings) as server:
        ask(server, request(fields=[("X-Forwarded-For", "192.0.2.7")]))
        ask(server, GET)
        ask(server, LINE + GET)
        ask(server, LINE + b"bad\r\n\r\n")
        ask(server, request(fields=[("X-Forwarded-For", "somebody")]))
    logs.close()
    assert log.read_text().splitlines() == [
        "192.0.2.7 127.0.0.1 200",
        "127.0.0.1 127.0.0.1 200",
        "192.0.2.7 127.0.0.1 200",
        "192.0.2.7 - 400",
        "127.0.0.1 - 400",
    ]
