"""Handshakes that are none, are not whole, or come slowly: what a client gets, and when it is cut off."""

from __future__ import annotations

import ssl
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.observers import RefusedConnections
from tests.helpers.pki import Pki, client_hello
from tests.helpers.serving import GET, Client, answering, serving

HELLO = answering(b"hello")


def test_plain_http_is_told_to_use_https(build: SimpleNamespace, pki: Pki) -> None:
    with serving(build, HELLO, **pki.settings) as server:
        answer = server.ask(GET)
        assert answer.status == 400
        assert answer.body == b"400 Bad Request: this port speaks TLS: use https://\n"
        assert answer.whole
        with server.connect() as client:  # a byte is enough, and the rest is read, lest the answer be lost
            client.send(b"P")
            assert client.answer().status == 400
            client.send(b"OST / HTTP/1.1\r\n\r\n" + b"x" * 100_000).finish()
            assert client.rest() == b""
            assert client.end == "closed"


@pytest.mark.parametrize(
    "data", [b"\0" * 100, b"\x80\x2e\x01\x03\x01" + b"\0" * 60, b"\r\n\r\n", b"\x15\x03\x01\0\x02\x02\x28"]
)
def test_garbage_is_closed(build: SimpleNamespace, pki: Pki, data: bytes) -> None:
    with serving(build, HELLO, **pki.settings) as server, server.connect() as client:
        assert client.send(data).rest() == b""


def test_broken_tls_gets_an_alert(build: SimpleNamespace, pki: Pki) -> None:
    with serving(build, HELLO, **pki.settings) as server, server.connect() as client:
        found = client.send(b"\x16\x03\x01\x00\x04\x01\x00\x00\x00").rest()
        assert found[:3] == b"\x15\x03\x03"  # an alert
        assert client.end == "closed"


def test_tls_on_a_plain_port_gets_400(build: SimpleNamespace, pki: Pki) -> None:
    with serving(build, HELLO) as server, server.connect() as client:
        assert client.send(client_hello(pki.context())).answer().status == 400
        with pytest.raises(ssl.SSLError):
            pki.connect(server.address)


def test_a_handshake_byte_by_byte(build: SimpleNamespace, pki: Pki) -> None:
    context = pki.context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with serving(build, HELLO, **pki.settings) as server, server.connect() as client:

        def go_on(step: Any) -> Any:
            while True:
                try:
                    result = step()
                except ssl.SSLWantReadError:
                    result = None
                for byte in outgoing.read():
                    client.send(bytes([byte]))
                    server.settle()
                if result is not None:
                    return result
                incoming.write(client.take(1) + bytes(client.buffer))
                client.buffer.clear()

        go_on(lambda: tls.do_handshake() or True)
        tls.write(GET)
        assert go_on(lambda: tls.read(65536)).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("begun", [0, 1, 50, 10_000])
def test_a_handshake_has_a_deadline(build: SimpleNamespace, pki: Pki, threads: int, begun: int) -> None:
    """Silent, in the middle of the ClientHello, and after it: ended without an answer, however it dribbles."""
    with serving(build, HELLO, threads=threads, header_timeout=5, **pki.settings) as server:
        with server.connect() as client:
            client.send(client_hello(pki.context())[:begun])
            if begun == 10_000:
                assert client.more()  # the answer of the server
                client.buffer.clear()
            assert server.connections() == 1
            server.advance(3)
            assert server.connections() == 1
            client.send(b"\x16")
            server.advance(3)
            assert client.rest() == b""
            assert server.connections() == 0


def test_resets_at_every_point_of_the_handshake(build: SimpleNamespace, pki: Pki) -> None:
    hello = client_hello(pki.context())
    with serving(build, HELLO, **pki.settings) as server:
        for count in (0, 1, 5, 6, 60, len(hello) - 1, len(hello)):
            for end in (Client.reset, lambda client: client.finish().rest()):
                client = server.connect()
                client.send(hello[:count])
                server.settle()
                end(client)
                client.socket.close()
        with pki.connect(server.address) as client:
            client.reset()
        with pki.connect(server.address) as client:
            client.send(GET)
            client.reset()
        assert server.connections() == 0
        with pki.connect(server.address) as client:
            assert client.send(GET).answer().body == b"hello"


def test_a_handshake_under_way_is_finished_when_the_server_stops(build: SimpleNamespace, pki: Pki) -> None:
    context = pki.context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with serving(build, HELLO, **pki.settings) as server, server.connect() as client:
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        client.send(outgoing.read())
        server.connections()
        server.stop()
        client.more()
        incoming.write(client.take(len(client.buffer)))
        tls.do_handshake()
        tls.write(GET)
        client.send(outgoing.read())
        incoming.write(client.rest())
        answer = tls.read(65536)
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b"Connection: close" in answer


def test_failures_are_told_to_the_observer(build: SimpleNamespace, pki: Pki) -> None:
    observer = RefusedConnections()
    with serving(build, HELLO, observer, **pki.settings) as server:
        for sent in (b"\0", b"", b"\x16\x03", b"\0"):  # who connects and says nothing checks health, say
            with server.connect() as client:
                client.send(sent).finish().rest()
    reasons = ["not TLS", "the client has closed the connection", "not TLS"]
    assert observer.refused == [("127.0.0.1", f"TLS: {reason}") for reason in reasons]
