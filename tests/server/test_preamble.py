"""PROXY headers on real sockets: who may send them, how they may arrive, what HTTP and the application see of them."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import pytest

from fastwsgi.observe.logs import Logs
from tests.helpers.deployments import deployed
from tests.helpers.pki import Pki
from tests.helpers.serving import GET, PATIENCE, Client, Ended, Server, request, serving
from tests.http.test_proxy_protocol import UNIX, V4, V6, binary, tlv

LINE = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"
KEYS = ("REMOTE_ADDR", "REMOTE_PORT", "fastwsgi.peer_addr", "wsgi.url_scheme", "PATH_INFO")


def telling(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answers with what it was told of the client, and with the body."""
    start_response("200 OK", [])
    told = [str(environ.get(key)) for key in KEYS] + [environ["wsgi.input"].read().decode()]
    return [" ".join(told).encode()]


def ask(server: Server, data: bytes) -> str:
    """What the application was told, or the status of a refusal."""
    answer = server.ask(data)
    return answer.body.decode().strip() if answer.status == 200 else str(answer.status)


class Doorman:
    """An observer that notes who was not let in, and why."""

    def __init__(self) -> None:
        self.refused: list[tuple[str, str]] = []

    def connection_refused(self, host: str, reason: str) -> None:
        self.refused.append((host, reason))

    def request_refused(self, connection: Any, refusal: Any) -> None:
        pass

    def tick(self) -> None:
        pass


def is_closed(server: Server, data: bytes) -> bool:
    """Whether the server ends the connection without an answer."""
    with server.connect() as client:
        with contextlib.suppress(BrokenPipeError):  # it was faster
            client.send(data)
        return client.rest() == b""


TOLD = "192.0.2.7 56324 127.0.0.1 http /"


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


def test_an_incomplete_header_does_not_wake_the_loop(build: SimpleNamespace) -> None:
    with serving(build, telling, proxy_protocol="required") as server, server.connect() as client:
        client.send(LINE[:20])
        server.settle()
        (preamble,) = server.call(lambda: list(server.loop.connections.values()))
        asked = []
        preamble.on_ready = lambda: asked.append(1)
        server.settle()
        assert asked == []


def test_without_a_header(build: SimpleNamespace) -> None:
    told = "127.0.0.1 {} 127.0.0.1 http / "
    with serving(build, telling, proxy_protocol="optional") as server, server.connect() as client:
        port = client.socket.getsockname()[1]
        assert client.send(GET).answer().body.decode() == told.format(port)
    door = Doorman()
    with serving(build, telling, door, proxy_protocol="required") as server:
        assert is_closed(server, GET)
    assert door.refused == [("127.0.0.1", "no PROXY header")]


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
    door = Doorman()
    with serving(build, telling, door, proxy_protocol=mode) as server:
        assert is_closed(server, header + GET)
        assert server.connections() == 0
        assert server.log == ""
    assert len(door.refused) == 1


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
    door = Doorman()
    with serving(build, telling, door, proxy_protocol="required", proxy_allow_ips="192.0.2.1") as server:
        assert is_closed(server, LINE + GET)
        assert is_closed(server, b"")
    assert door.refused == [("127.0.0.1", "not in --proxy-allow-from")] * 2


def test_off_it_is_no_request(build: SimpleNamespace) -> None:
    with serving(build, telling) as server:
        assert ask(server, LINE + GET) == "400"


@pytest.mark.parametrize("sent", [b"", LINE[:9], LINE, binary(b"", 0, 0x20)], ids=repr)
@pytest.mark.parametrize("how", ["finish", "reset"])
def test_a_health_check_that_hangs_up_is_no_error(build: SimpleNamespace, sent: bytes, how: str) -> None:
    door = Doorman()
    with serving(build, telling, door, proxy_protocol="required") as server:
        client = server.connect()
        client.send(sent)
        server.settle()
        getattr(client, how)()
        while server.connections():
            pass
        client.socket.close()
        assert server.log == ""
    assert door.refused == []


@pytest.mark.parametrize("sent", [b"", LINE[:9]])
def test_the_deadline_of_a_header(build: SimpleNamespace, sent: bytes) -> None:
    with serving(build, telling, proxy_protocol="required") as server, server.connect() as client:
        client.send(sent)
        server.advance(9)
        assert server.connections() == 1
        server.advance(1.5)
        assert client.rest() == b""
        assert server.connections() == 0


def test_header_and_head_have_one_deadline(build: SimpleNamespace) -> None:
    with serving(build, telling, proxy_protocol="required") as server, server.connect() as client:
        server.advance(6)
        client.send(LINE + GET[:20])
        server.advance(3)
        assert not client.is_readable(0.01)
        server.advance(1.5)
        assert client.answer().status == 408


def test_a_stop(build: SimpleNamespace) -> None:
    """Who has said nothing is not waited for; a header that has begun is."""
    with serving(build, telling, proxy_protocol="required") as server:
        silent, announced, begun = server.connect(), server.connect(), server.connect()
        announced.send(LINE)
        begun.send(LINE[:9])
        server.settle()
        server.call(server.loop.stop)
        assert (silent.rest(), announced.rest()) == (b"", b"")
        assert begun.send(LINE[9:] + GET).answer().body.decode() == TOLD + " "
        server.thread.join(PATIENCE)
        assert not server.thread.is_alive()
        for client in (silent, announced, begun):
            client.socket.close()


def test_a_header_that_waits_in_the_socket_when_a_stop_begins(build: SimpleNamespace) -> None:
    with serving(build, telling, proxy_protocol="required") as server, server.connect() as client:
        server.settle()

        def stop() -> None:
            client.send(LINE)
            server.loop.stop()

        server.call(stop)
        assert client.rest() == b"", "it makes way for a connection that is idle"
        server.thread.join(PATIENCE)
        assert not server.thread.is_alive()


def test_with_threads(build: SimpleNamespace) -> None:
    both = threading.Barrier(2, timeout=PATIENCE)

    def meeting(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        both.wait()
        return telling(environ, start_response)

    with serving(build, meeting, proxy_protocol="required", threads=2) as server:
        with server.connect() as one, server.connect() as two:
            one.send(LINE + GET)
            two.send(binary(V6, 0x21) + GET)
            assert one.answer().body.decode() == TOLD + " "
            assert two.answer().body.startswith(b"2001:db8::7 ")


def test_over_a_unix_socket(build: SimpleNamespace, tmp_path: Path) -> None:
    path = f"unix:{tmp_path}/s"
    with serving(build, telling, proxy_protocol="required", bind=[path]) as server:
        assert ask(server, LINE + GET) == "192.0.2.7 56324  http /"
        assert ask(server, binary() + GET) == "192.0.2.7 56324  http /"
    with serving(build, telling, proxy_protocol="required", bind=[path], proxy_allow_ips="127.0.0.1") as server:
        assert is_closed(server, LINE + GET)


@pytest.mark.parametrize("defer", [True, False])
def test_deferred_accept(build: SimpleNamespace, defer: bool) -> None:
    with serving(build, telling, proxy_protocol="required", defer_accept=defer) as server:
        assert ask(server, LINE + GET) == TOLD


def test_it_decides_whose_fields_are_believed(build: SimpleNamespace) -> None:
    """The address announced counts, and not that of who announced it."""
    get = request(fields=[("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "https")])
    with serving(build, telling, proxy_protocol="required", forwarded_allow_ips="192.0.2.7") as server:
        assert ask(server, LINE + get) == "203.0.113.9  127.0.0.1 https /"
        assert ask(server, LINE.replace(b"192.0.2.7", b"192.0.2.8") + get) == "192.0.2.8 56324 127.0.0.1 http /"
    with serving(build, telling, proxy_protocol="required", forwarded_allow_ips="127.0.0.1") as server:
        assert ask(server, LINE + get) == TOLD


def test_tlvs_are_the_applications_own(build: SimpleNamespace) -> None:
    seen = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        seen.append(environ["fastwsgi.proxy_tlvs"].pop(2))
        return telling(environ, start_response)

    with serving(build, app, proxy_protocol="required") as server, server.connect() as client:
        client.send(binary(V4 + tlv(2, b"shop")) + GET + GET)
        assert (client.answer().status, client.answer().status) == (200, 200)
    assert seen == [b"shop", b"shop"]


# Forwarding fields, end to end


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
    logs = Logs(SimpleNamespace(log_config=None, trace=False, **settings), build)
    with serving(build, telling, logs.observer, **settings) as server:
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


def test_workers(build: SimpleNamespace, tmp_path: Path) -> None:
    """What waits in the queue when the listeners close is announced, too."""
    source = """
import time
def app(environ, start_response):
    start_response("200 OK", [])
    if environ["PATH_INFO"] == "/wait":
        print("entered", flush=True)
        time.sleep(0.3)
    return [environ["REMOTE_ADDR"].encode()]
"""
    with deployed(tmp_path, build.name, source, workers=1, threads=1, proxy_protocol="required") as server:
        with Client(server.address) as first, Client(server.address) as waiting:
            first.send(LINE + request(target="/wait"))
            server.line("entered")
            waiting.send(LINE + GET)
            server.signal()
            assert first.answer().body == b"192.0.2.7"
            assert waiting.answer().body == b"192.0.2.7"
        assert server.wait() == 0


def test_who_has_said_nothing_makes_room(build: SimpleNamespace) -> None:
    with serving(build, telling, proxy_protocol="required", max_connections=2) as server:
        with server.connect() as silent, server.connect() as begun:
            begun.send(LINE[:9])
            server.advance(2)
            assert ask(server, LINE + GET) == TOLD
            assert silent.rest() == b""
            assert begun.send(LINE[9:] + GET).answer().body.decode() == TOLD + " "


# Below TLS


@pytest.mark.parametrize("mode", ["optional", "required"])
@pytest.mark.parametrize("header", [LINE, binary(V4 + tlv(0x20, b"\0\0\0\0\0"))], ids=["v1", "v2"])
@pytest.mark.parametrize("pieces", [False, True])
def test_it_comes_before_the_handshake(
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


def test_tls_alone_where_a_header_may_come(build: SimpleNamespace, pki: Pki) -> None:
    fields = [("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "http")]
    settings: dict[str, Any] = {"proxy_protocol": "optional", "forwarded_allow_ips": "127.0.0.1", **pki.settings}
    with serving(build, telling, **settings) as server:
        with pki.connect(server.address) as client:
            port = client.socket.getsockname()[1]
            assert client.send(GET).answer().body.decode() == f"127.0.0.1 {port} 127.0.0.1 https / "
            assert client.send(request(fields=fields)).answer().body.decode() == "203.0.113.9  127.0.0.1 http / "
        assert ask(server, LINE + GET) == "400", "plain HTTP behind the header"
