"""PROXY headers on real sockets: who may send them, how they may arrive, what HTTP and the application see of them."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.observers import RefusedConnections
from tests.helpers.proxied import LINE, TOLD, ask, is_closed, telling
from tests.helpers.proxy_headers import UNIX, V4, V6, binary, tlv
from tests.helpers.serving import GET, request, serving


@pytest.mark.parametrize("mode", ["optional", "required"])
@pytest.mark.parametrize(
    ("header", "told"),
    [
        (LINE, TOLD),
        (binary(), TOLD),
        (binary(V6, 0x21), "2001:db8::7 56324 127.0.0.1 http /"),
        (binary(UNIX, 0x31), "  127.0.0.1 http /"),
        (binary(V4 + tlv(0x20, b"\1\0\0\0\0")), "192.0.2.7 56324 127.0.0.1 https /"),
    ],
)
def test_the_client_is_who_the_header_says(build: SimpleNamespace, mode: str, header: bytes, told: str) -> None:
    with serving(build, telling, proxy_protocol=mode) as server, server.connect() as client:
        client.send(header + GET + request("POST", "/two", body=b"body"))
        assert client.answer().body.decode().rstrip() == told
        assert client.answer().body.decode() == f"{told}two body", "and so for all requests of the connection"
        assert server.log == ""


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", binary(b"", 0, 0x20), binary(b"", 0)], ids=repr)
def test_a_proxy_that_speaks_for_itself_is_the_client(build: SimpleNamespace, header: bytes) -> None:
    with serving(build, telling, proxy_protocol="required") as server, server.connect() as client:
        port = client.socket.getsockname()[1]
        assert client.send(header + GET).answer().body.decode() == f"127.0.0.1 {port} 127.0.0.1 http / "


@pytest.mark.parametrize("header", [LINE, binary(V4 + tlv(4, bytes(40)))], ids=["v1", "v2"])
def test_it_may_come_in_pieces(build: SimpleNamespace, header: bytes) -> None:
    """An incomplete header does not keep the loop busy, and what follows it stays whole."""
    data = header + request("POST", "/", body=b"body")
    with serving(build, telling, proxy_protocol="optional") as server, server.connect() as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in data[:-1]:
            client.send(bytes([byte]))
            server.settle()
            assert server.call(lambda: [one.waits for one in server.loop.connections.values()]) == ["read"]
        assert not client.is_readable(0.01)
        assert client.send(data[-1:]).answer().body.decode() == TOLD + " body"


def test_without_a_header(build: SimpleNamespace) -> None:
    told = "127.0.0.1 {} 127.0.0.1 http / "
    with serving(build, telling, proxy_protocol="optional") as server, server.connect() as client:
        port = client.socket.getsockname()[1]
        assert client.send(GET).answer().body.decode() == told.format(port)
    observer = RefusedConnections()
    with serving(build, telling, observer, proxy_protocol="required") as server:
        assert is_closed(server, GET)
    assert observer.refused == [("127.0.0.1", "no PROXY header")]


@pytest.mark.parametrize("method", ["POST", "PUT", "PROPFIND", "PROPPATCH"])
def test_a_method_that_begins_as_a_header_does(build: SimpleNamespace, method: str) -> None:
    data = request(method, "/", body=b"body")
    with serving(build, telling, proxy_protocol="optional") as server, server.connect() as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in data:
            client.send(bytes([byte]))
            server.settle()
        assert client.answer().body.endswith(b"/ body")


@pytest.mark.parametrize("data", [b"\r\n" + GET, b"\r\n\r\n" + GET], ids=["one", "two"])
def test_empty_lines_begin_as_a_header_does(build: SimpleNamespace, data: bytes) -> None:
    with serving(build, telling, proxy_protocol="optional") as server, server.connect() as client:
        for byte in data:
            client.send(bytes([byte]))
            server.settle()
        assert client.answer().status == 200


@pytest.mark.parametrize("mode", ["optional", "required"])
@pytest.mark.parametrize(
    "header",
    [LINE.replace(b"TCP4", b"TCP6"), binary(V4[:-1]), binary(V4 + b"\1\0\5"), b"PROXY / HTTP/1.1\r\nHost: a\r\n\r\n"],
    ids=repr,
)
def test_a_malformed_header_ends_the_connection(build: SimpleNamespace, mode: str, header: bytes) -> None:
    observer = RefusedConnections()
    with serving(build, telling, observer, proxy_protocol=mode) as server:
        assert is_closed(server, header + GET)
        assert server.connections() == 0
        assert server.log == ""
    assert len(observer.refused) == 1


def test_a_second_header_is_no_request(build: SimpleNamespace) -> None:
    with serving(build, telling, proxy_protocol="required") as server:
        assert ask(server, LINE + LINE + GET) == "400"
        assert ask(server, LINE + binary() + GET) == "400"


def test_strangers(build: SimpleNamespace) -> None:
    """Their header is none; where one is required they are not served."""
    with serving(build, telling, proxy_protocol="optional", proxy_allow_ips="192.0.2.1") as server:
        assert ask(server, LINE + GET) == "400"
        assert ask(server, binary() + GET) == "400"
        assert ask(server, GET).startswith("127.0.0.1 ")
    observer = RefusedConnections()
    with serving(build, telling, observer, proxy_protocol="required", proxy_allow_ips="192.0.2.1") as server:
        assert is_closed(server, LINE + GET)
        assert is_closed(server, b"")
    assert observer.refused == [("127.0.0.1", "not in --proxy-allow-from")] * 2


def test_off_it_is_no_request(build: SimpleNamespace) -> None:
    with serving(build, telling) as server:
        assert ask(server, LINE + GET) == "400"


def test_over_a_unix_socket(build: SimpleNamespace, tmp_path: Path) -> None:
    path = f"unix:{tmp_path}/s"
    with serving(build, telling, proxy_protocol="required", bind=[path]) as server:
        assert ask(server, LINE + GET) == "192.0.2.7 56324  http /"
        assert ask(server, binary() + GET) == "192.0.2.7 56324  http /"
    with serving(build, telling, proxy_protocol="required", bind=[path], proxy_allow_ips="127.0.0.1") as server:
        assert is_closed(server, LINE + GET)


def test_tlvs_are_the_applications_own(build: SimpleNamespace) -> None:
    seen = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        seen.append(environ["fastwsgi.proxy_tlvs"].pop(2))
        return telling(environ, start_response)

    with serving(build, app, proxy_protocol="required") as server, server.connect() as client:
        client.send(binary(V4 + tlv(2, b"shop")) + GET + GET)
        assert (client.answer().status, client.answer().status) == (200, 200)
    assert seen == [b"shop", b"shop"]
