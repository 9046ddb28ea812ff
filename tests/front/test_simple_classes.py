"""Subclasses of WSGIServer and WSGIRequestHandler, ours and wsgiref's: their attributes, environ and hooks count."""

from __future__ import annotations

import io
import re
import socket
import socketserver
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from wsgiref import simple_server as wsgiref_server
from wsgiref.validate import validator

import pytest

from fastwsgi import WSGIRequestHandler, WSGIServer, backend, make_server
from tests.helpers.machine import IPV6
from tests.helpers.serving import GET, PATIENCE, Client, answering, chunked, request
from tests.helpers.simple_servers import (
    HELLO,
    LOCAL,
    QuietHandler,
    ask,
    connect,
    environ_of,
    handling,
    quiet_server,
    served,
)


@pytest.fixture(autouse=True)
def _in_build(build: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the servers of each test run in the build of the parameter."""
    monkeypatch.setattr(backend, "NAME", build.name)


# Subclasses


@IPV6
def test_ipv6() -> None:
    class Server(WSGIServer):
        address_family = socket.AF_INET6

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [environ["SERVER_NAME"].encode(), b" to ", environ["REMOTE_ADDR"].encode()]

    for server_class in (WSGIServer, Server):
        with quiet_server(app, server_class, "::1") as server, handling(server):
            assert server.socket.family == server.address_family == socket.AF_INET6
            with urllib.request.urlopen(f"http://[::1]:{server.server_port}/", timeout=PATIENCE) as answer:
                assert answer.read() == b"localhost to ::1"


def test_unix_socket(tmp_path: Path) -> None:
    class Server(WSGIServer):
        address_family = socket.AF_UNIX

    path = str(tmp_path / "http.sock")
    with Server(path, QuietHandler) as server:
        server.set_app(HELLO)
        with Client(path) as client:
            client.send(GET)
            server.handle_request()
            assert client.answer().body == b"hello"


def test_class_attributes_are_honoured() -> None:
    class Server(WSGIServer):
        allow_reuse_address = False
        request_queue_size = 77
        multithread = True
        timeout = 0.0

        def server_activate(self) -> None:
            super().server_activate()
            self.calls = ["server_activate"]

        def handle_timeout(self) -> None:
            self.calls.append("handle_timeout")

    with quiet_server(server_class=Server) as server:
        assert server.socket.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) == 0
        server.handle_request()
        server.timeout = None
        assert server.calls == ["server_activate", "handle_timeout"]
        assert environ_of(server)["wsgi.multithread"] is True


@pytest.mark.parametrize("base", [WSGIServer, wsgiref_server.WSGIServer])
def test_server_bind_of_a_subclass(base: Any) -> None:
    class Server(base):  # type: ignore[misc]
        def server_bind(self) -> None:
            socketserver.TCPServer.server_bind(self)
            self.server_name, self.server_port = "named.test", self.server_address[1]
            self.setup_environ()

        def setup_environ(self) -> None:
            super().setup_environ()
            self.base_environ["shop.name"] = "Elm"

    environ = environ_of(quiet_server(server_class=Server))
    assert environ["SERVER_NAME"] == "named.test"
    assert environ["shop.name"] == "Elm"


def test_bind_and_activate_later() -> None:
    server = WSGIServer((LOCAL, 0), QuietHandler, bind_and_activate=False)
    server.server_bind()
    server.server_activate()
    assert environ_of(server)["SERVER_PORT"] == str(server.server_port)


def test_classes_made_from_wsgirefs_alone_are_served_by_ours() -> None:
    lines: list[str] = []

    class Handler(wsgiref_server.WSGIRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            lines.append(format % args)

    class Server(socketserver.ThreadingMixIn, wsgiref_server.WSGIServer):
        daemon_threads = True

    with served(make_server(LOCAL, 0, HELLO, Server, Handler)) as server:
        assert isinstance(server, Server)
        assert ask(server).get("Server") == "fastwsgi"
    assert lines == ['"GET / HTTP/1.1" 200 5']


def test_the_handler_serves_sockets_for_other_servers() -> None:
    with served(wsgiref_server.make_server(LOCAL, 0, HELLO, handler_class=QuietHandler)) as server:
        with connect(server) as client:
            answer = client.send(GET).rest()
    assert answer.startswith(b"HTTP/1.0 200 OK")
    assert answer.endswith(b"hello")


def test_get_app_is_asked_for_each_request() -> None:
    class Server(WSGIServer):
        def get_app(self) -> Any:
            return answering(self.text)

    with served(quiet_server(server_class=Server)) as server:
        for server.text in (b"one", b"two"):
            assert ask(server).body == server.text
    with served(quiet_server()) as server:
        server.set_app(answering(b"another"))
        assert ask(server).body == b"another"


# environ


def test_environ_has_what_wsgiref_gives() -> None:
    environ = environ_of(quiet_server(), request(target="/a%20b?c=d"))
    expected = {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "CONTENT_LENGTH": "",
        "REMOTE_HOST": "",
        "REMOTE_ADDR": LOCAL,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "localhost",
        "PATH_INFO": "/a b",
        "QUERY_STRING": "c=d",
        "wsgi.url_scheme": "http",
        "wsgi.multithread": False,
    }
    assert {key: environ[key] for key in expected} == expected


def test_base_environ_is_in_every_environ() -> None:
    server = quiet_server()
    server.base_environ.update({"HTTPS": "on", "SCRIPT_NAME": "/shop"})
    environ = environ_of(server)
    assert environ["wsgi.url_scheme"] == "https"
    assert environ["SCRIPT_NAME"] == "/shop"


def test_lengths_of_bodies() -> None:
    assert environ_of(quiet_server(), request("POST", body=b"123"))["CONTENT_LENGTH"] == "3"
    data = request("POST", fields=[("Transfer-Encoding", "chunked")]) + chunked(b"12", b"345")
    assert environ_of(quiet_server(), data)["CONTENT_LENGTH"] == "5"


def test_the_validator_has_no_complaints() -> None:
    with served(quiet_server(validator(HELLO))) as server:
        for data in (GET, request("POST", body=b"123"), request("HEAD")):
            with connect(server) as client:
                assert client.send(data).answer(data.startswith(b"HEAD")).status == 200


# Request handlers


def test_requests_are_logged_as_wsgiref_does(capsys: Any) -> None:
    with make_server(LOCAL, 0, HELLO) as server, handling(server):
        ask(server, request(target="/a%20b"))
    line = r'127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4} \d\d:\d\d:\d\d\] "GET /a%20b HTTP/1\.1" 200 5\n'
    assert re.fullmatch(line, capsys.readouterr().err)


@pytest.mark.parametrize("base", [WSGIRequestHandler, wsgiref_server.WSGIRequestHandler])
def test_the_hooks_of_a_handler(base: Any) -> None:
    seen: list[Any] = []
    errors = io.StringIO()

    class Handler(base):  # type: ignore[misc]
        def __init__(self, *arguments: Any) -> None:
            self.mark = "made"
            super().__init__(*arguments)

        def get_environ(self) -> dict[str, Any]:
            environ: dict[str, Any] = super().get_environ()
            environ["REMOTE_ADDR"] = self.headers["X-Forwarded-For"]
            environ["shop.mark"] = self.mark
            return dict(environ)

        def get_stderr(self) -> Any:
            return errors

        def address_string(self) -> str:
            return f"client {self.client_address[0]}"

        def log_request(self, code: Any = "-", size: Any = "-") -> None:
            seen.append((self.command, self.path, self.request_version, self.requestline, code, size))
            super().log_request(code, size)

        def log_message(self, format: str, *args: Any) -> None:
            seen.append((self.address_string(), format % args, self.server.server_port))

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["wsgi.errors"].write("told\n")
        start_response("201 Created", [])
        return [environ["REMOTE_ADDR"].encode(), environ["shop.mark"].encode(), environ["wsgi.input"].read()]

    with make_server(LOCAL, 0, app, handler_class=Handler) as server, handling(server):
        answer = ask(server, request("POST", "/x?y", [("X-Forwarded-For", "192.0.2.7")], b"body"))
    assert answer.body == b"192.0.2.7madebody"
    assert errors.getvalue() == "told\n"
    assert seen == [
        ("POST", "/x?y", "HTTP/1.1", "POST /x?y HTTP/1.1", "201", 17),
        ("client 127.0.0.1", '"POST /x?y HTTP/1.1" 201 17', server.server_port),
    ]


def test_each_request_of_a_connection_has_its_handler() -> None:
    lines: list[str] = []

    class Handler(WSGIRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            lines.append(f"{self.headers['X-Id']} {format % args}")

    with served(make_server(LOCAL, 0, HELLO, handler_class=Handler)) as server, connect(server) as client:
        client.send(b"".join(request(target=f"/{n}", fields=[("X-Id", str(n))]) for n in range(3)))
        assert [client.answer().status for _ in range(3)] == [200, 200, 200]
    assert lines == [f'{n} "GET /{n} HTTP/1.1" 200 5' for n in range(3)]


def test_a_refusal_is_logged_as_an_error() -> None:
    errors: list[str] = []

    class Handler(QuietHandler):
        def log_error(self, format: str, *args: Any) -> None:
            errors.append(format % args)

    with make_server(LOCAL, 0, HELLO, handler_class=Handler) as server, handling(server):
        assert ask(server, b"GET / HTTP/1.1\r\n\r\n").status == 400
    assert len(errors) == 1
    assert errors[0].startswith("code 400, message ")


def test_a_log_that_fails_costs_no_response(capsys: Any) -> None:
    class Handler(WSGIRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            raise LookupError("no log")

    with served(make_server(LOCAL, 0, HELLO, handler_class=Handler)) as server, connect(server) as client:
        for _ in range(2):
            assert client.send(GET).answer().body == b"hello"
    assert "LookupError: no log" in capsys.readouterr().err


def test_a_handler_that_cannot_be_made_costs_one_connection(capsys: Any) -> None:
    class Handler(WSGIRequestHandler):
        def __init__(self, request: Any, client_address: Any, server: Any) -> None:
            if request.head.startswith(b"POST"):
                raise LookupError("no handler")
            super().__init__(request, client_address, server)

    with served(make_server(LOCAL, 0, HELLO, handler_class=Handler)) as server, connect(server) as client:
        assert client.send(request("POST", body=b"1")).rest() == b""
        assert ask(server).body == b"hello"
    assert "LookupError: no handler" in capsys.readouterr().err


def test_a_client_that_leaves_is_forgotten() -> None:
    with quiet_server() as server:
        with connect(server) as client:
            client.send(request("POST", fields=[("Content-Length", "10")]) + b"123")
        server.handle_request()
        with handling(server):
            assert ask(server).body == b"hello"
