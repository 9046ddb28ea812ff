"""PROXY headers before the handshake: the client is named below TLS."""

from __future__ import annotations

import contextlib
import ssl
from types import SimpleNamespace
from typing import Any, Callable

import pytest

from tests.helpers.pki import Pki
from tests.helpers.proxied import LINE, ask, telling
from tests.helpers.proxy_headers import V4, binary, tlv
from tests.helpers.serving import GET, request, serving


@pytest.mark.parametrize("mode", ["optional", "required"])
@pytest.mark.parametrize("header", [LINE, binary(V4 + tlv(0x20, b"\0\0\0\0\0"))], ids=["v1", "v2"])
@pytest.mark.parametrize("pieces", [False, True])
def test_a_proxy_header_comes_before_the_handshake(
    build: SimpleNamespace, pki: Pki, mode: str, header: bytes, pieces: bool
) -> None:
    """Also where the client's hello comes in one packet with it."""
    settings: dict[str, Any] = {"proxy_protocol": mode, **pki.settings}
    with serving(build, telling, **settings) as server, server.connect() as plain:
        context = pki.context()
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        for piece in [header[:7], header[7:]] if pieces else []:
            plain.send(piece)
            server.settle()
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        plain.send((b"" if pieces else header) + outgoing.read())

        def exchange(step: Callable[[], Any]) -> Any:
            while True:
                try:
                    result = step()
                    plain.send(outgoing.read())
                    return result
                except ssl.SSLWantReadError:
                    plain.send(outgoing.read())
                    incoming.write(plain.socket.recv(65536))

        exchange(tls.do_handshake)
        for _ in range(2):
            exchange(lambda: tls.write(GET))
            assert exchange(lambda: tls.read(65536)).endswith(b"192.0.2.7 56324 127.0.0.1 https / ")


def test_an_https_url_needs_tls_up_to_the_client(build: SimpleNamespace, pki: Pki) -> None:
    """RFC 9110 7.4: by our own TLS, or where a trusted proxy says so; an http URL by TLS is served as https."""
    get = request(target="https://localhost/")
    http = request(fields=[("X-Forwarded-Proto", "http")], target="https://localhost/")
    settings: dict[str, Any] = {"forwarded_allow_ips": "127.0.0.1", **pki.settings}
    with serving(build, telling, **settings) as server, pki.connect(server.address) as client:
        for data in (get, request(target="http://localhost/")):
            assert client.send(data).answer().body.decode().endswith(" https / ")
        assert client.send(http).answer().status == 421


@pytest.mark.parametrize(("flags", "answer"), [(1, "192.0.2.7 56324 127.0.0.1 https /"), (0, "421")])
def test_an_https_url_behind_a_proxy_header(build: SimpleNamespace, flags: int, answer: str) -> None:
    header = binary(V4 + tlv(0x20, bytes([flags, 0, 0, 0, 0])))
    with serving(build, telling, proxy_protocol="required") as server:
        assert ask(server, header + request(target="https://localhost/")) == answer


def test_tls_alone_where_a_header_may_come(build: SimpleNamespace, pki: Pki) -> None:
    fields = [("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "http")]
    settings: dict[str, Any] = {"proxy_protocol": "optional", "forwarded_allow_ips": "127.0.0.1", **pki.settings}
    with serving(build, telling, **settings) as server:
        with pki.connect(server.address) as client:
            port = client.socket.getsockname()[1]
            assert client.send(GET).answer().body.decode() == f"127.0.0.1 {port} 127.0.0.1 https / "
            assert client.send(request(fields=fields)).answer().body.decode() == "203.0.113.9  127.0.0.1 http / "
        assert ask(server, LINE + GET) == "400", "plain HTTP behind the header"
