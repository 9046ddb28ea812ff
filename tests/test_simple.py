"""make_server() and WSGIServer do what wsgiref's do, in both builds: their whole interface, over sockets."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import socket
import socketserver
import sys
import threading
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from wsgiref import simple_server as wsgiref_server
from wsgiref.validate import validator

import pytest
from serving import GET, PATIENCE, Answer, Client, answering, chunked, request

from fastwsgi import WSGIRequestHandler, WSGIServer, make_server
from fastwsgi.http import backend
from fastwsgi.server import simple

HELLO = answering(b"hello", headers=[("Content-Type", "text/plain")])
LOCAL = "127.0.0.1"


@pytest.fixture(autouse=True)
def _in_build(build: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the servers of each test run in the build of the parameter."""
    monkeypatch.setattr(backend, "NAME", build.name)


class QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


def quiet_server(app: Any = HELLO, server_class: type[Any] = WSGIServer, host: str = LOCAL) -> Any:
    return make_server(host, 0, app, server_class, QuietHandler)


@contextlib.contextmanager
def served(server: Any, poll_interval: float = 0.5) -> Iterator[Any]:
    """Serve in a thread; what serve_forever raises is raised at the end."""
    raised: list[BaseException] = []

    def serve() -> None:
        try:
            server.serve_forever(poll_interval)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        server.server_close()
    if raised:
        raise raised[0]


@contextlib.contextmanager
def handling(server: Any) -> Iterator[threading.Thread]:
    """One handle_request() in a thread."""
    thread = threading.Thread(target=server.handle_request, daemon=True)
    thread.start()
    yield thread
    thread.join(PATIENCE)
    assert not thread.is_alive()


def connect(server: Any) -> Client:
    return Client(server.server_address[:2])


def ask(server: Any, data: bytes = GET) -> Answer:
    with connect(server) as client:
        return client.send(data).answer()


def environ_of(server: Any, data: bytes = GET) -> dict[str, Any]:
    """The environ that the application of *server* gets for the request *data*."""
    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        seen.update(environ)
        return HELLO(environ, start_response)

    server.set_app(app)
    with server, handling(server):
        assert ask(server, data).body == b"hello"
    return seen


# Making


def test_both_forms_of_make_server() -> None:
    makers = (
        lambda: make_server(LOCAL, 0, HELLO),
        lambda: make_server((LOCAL, 0), HELLO),
        lambda: make_server((LOCAL, 0), app=HELLO),
        lambda: make_server(host=LOCAL, port=0, app=HELLO, server_class=WSGIServer),
        lambda: make_server((LOCAL, 0), HELLO, handler_class=QuietHandler),
    )
    for make in makers:
        with make() as server:
            assert server.get_app() is server.application is HELLO
            assert isinstance(server, wsgiref_server.WSGIServer)


def test_attributes() -> None:
    with quiet_server() as server:
        assert server.server_address == server.socket.getsockname() == (LOCAL, server.server_port)
        assert server.fileno() == server.socket.fileno()
        assert server.timeout is None
        assert server.RequestHandlerClass is QuietHandler
        assert server.base_environ["SERVER_PORT"] == str(server.server_port)
        assert (server.multithread, server.multiprocess) == (False, False)
    assert server.fileno() == -1


@pytest.mark.parametrize(
    ("host", "name"), [(LOCAL, "localhost"), ("localhost", "localhost"), ("", socket.gethostname())]
)
def test_the_server_is_named_without_dns(host: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("DNS was asked")

    monkeypatch.setattr(socket, "getfqdn", refuse)
    monkeypatch.setattr(socket, "gethostbyaddr", refuse)
    with quiet_server(host=host) as server:
        assert server.server_name == server.base_environ["SERVER_NAME"] == name


def test_a_port_that_is_taken() -> None:
    with quiet_server() as first, pytest.raises(OSError, match="Address already in use"):
        make_server(LOCAL, first.server_port, HELLO)


def test_a_tls_socket_is_refused() -> None:
    with quiet_server() as server:
        plain = server.socket
        server.socket = SimpleNamespace(do_handshake=None, close=plain.close)
        with pytest.raises(NotImplementedError, match="TLS"):
            server.serve_forever()


# serve_forever and shutdown


def test_serve_forever_keeps_connections_until_it_ends() -> None:
    with served(quiet_server()) as server, connect(server) as client:
        for _ in range(3):
            assert client.send(GET).answer().body == b"hello"
        server.shutdown()
        assert client.rest() == b""
        assert client.end == "closed"


def test_shutdown_answers_what_is_in_flight() -> None:
    entered, leave = threading.Event(), threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        entered.set()
        assert leave.wait(PATIENCE)
        return HELLO(environ, start_response)

    with served(quiet_server(app)) as server, connect(server) as client:
        client.send(GET)
        assert entered.wait(PATIENCE)
        stopper = threading.Thread(target=server.shutdown)
        stopper.start()
        leave.set()
        assert client.answer().body == b"hello"
        stopper.join(PATIENCE)
        assert not stopper.is_alive()


def test_shutdown_does_not_wait_for_a_silent_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simple, "PATIENCE", 1000.0)
    with served(quiet_server()) as server, connect(server) as silent:
        ask(server)  # the silent one was accepted before
        server.shutdown()
        assert silent.rest() == b""


def test_what_stays_too_long_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simple, "PATIENCE", 0.0)
    with served(quiet_server()) as server, connect(server) as slow:
        slow.send(GET[:-1])
        ask(server)
        server.shutdown()
        assert slow.rest() == b""


def test_shutdown_before_serving_ends_it_at_once() -> None:
    with quiet_server() as server:
        server.shutdown()
        server.serve_forever()


def test_serving_again_after_shutdown() -> None:
    server = quiet_server()
    for _ in range(3):
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        assert ask(server).body == b"hello"
        server.shutdown()
        thread.join(PATIENCE)
        assert not thread.is_alive()
    server.server_close()


def test_shutdown_by_the_application() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        server.shutdown()
        return HELLO(environ, start_response)

    server = quiet_server(app)
    with server, served(server):
        assert ask(server).body == b"hello"
        assert server._ended.wait(PATIENCE)


def test_service_actions_are_called_without_requests() -> None:
    enough = threading.Event()

    class Server(WSGIServer):
        calls = 0

        def service_actions(self) -> None:
            self.calls += 1
            if self.calls == 3:
                enough.set()

    with served(quiet_server(server_class=Server), poll_interval=0.01):
        assert enough.wait(PATIENCE)


def test_what_service_actions_raise_ends_the_serving() -> None:
    class Server(WSGIServer):
        def service_actions(self) -> None:
            raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"), quiet_server(server_class=Server) as server:
        server.serve_forever(0.0)


def test_servers_in_many_threads() -> None:
    with contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(served(quiet_server(answering(b"%d" % number)))) for number in range(5)
        ]
        for _ in range(10):
            assert [ask(server).body for server in servers] == [b"0", b"1", b"2", b"3", b"4"]


@pytest.mark.skipif(sys.platform != "linux", reason="/proc lists the descriptors")
def test_nothing_is_left_open() -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    with quiet_server() as server:
        before = count()
        for _ in range(3):
            with handling(server):
                ask(server)
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            ask(server)
            server.shutdown()
            thread.join(PATIENCE)
        assert count() == before


# handle_request


def test_handle_request_answers_one_request_and_closes() -> None:
    with quiet_server() as server, connect(server) as first, connect(server) as second:
        for client in (first, second):
            client.send(GET)
        for client in (first, second):
            server.handle_request()
            answer = client.answer()
            assert answer.body == b"hello"
            assert answer.get("Connection") == "close"
            assert client.rest() == b""


def test_handle_request_leaves_pipelined_requests_alone() -> None:
    with quiet_server() as server, handling(server), connect(server) as client:
        assert client.send(GET + GET).answer().body == b"hello"
        assert client.rest() == b""


def test_handle_request_waits_for_the_request() -> None:
    with quiet_server() as server, connect(server) as client, handling(server) as thread:
        client.send(GET[:20])
        assert thread.is_alive()
        assert client.send(GET[20:]).answer().body == b"hello"


def test_handle_request_ends_with_a_client_that_asks_nothing() -> None:
    with quiet_server() as server:
        connect(server).socket.close()
        server.handle_request()


def test_handle_request_sends_a_whole_large_response() -> None:
    large = b"x" * 5_000_000
    with quiet_server(answering(large)) as server, handling(server):
        assert ask(server).body == large


@pytest.mark.parametrize("limited", ["server", "socket"])
def test_handle_request_calls_handle_timeout(limited: str) -> None:
    class Server(WSGIServer):
        timed_out = 0

        def handle_timeout(self) -> None:
            self.timed_out += 1

    with quiet_server(server_class=Server) as server:
        if limited == "server":
            server.timeout = 0.01
        else:
            server.socket.settimeout(0.01)
        server.handle_request()
        assert server.timed_out == 1
        server.timeout = PATIENCE
        with connect(server) as client:
            client.send(GET)
            server.socket.settimeout(PATIENCE)
            server.handle_request()
            assert client.answer().body == b"hello"
        assert server.timed_out == 1


# Ctrl-C


def interrupting(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """An application that Ctrl-C finds at work."""
    signal.raise_signal(signal.SIGINT)
    return HELLO(environ, start_response)


@pytest.mark.parametrize("serve", ["serve_forever", "handle_request"])
def test_ctrl_c_answers_what_is_in_flight_and_raises(serve: str) -> None:
    with quiet_server(interrupting) as server, connect(server) as client:
        client.send(GET)
        with pytest.raises(KeyboardInterrupt):
            getattr(server, serve)()
        assert client.answer().body == b"hello"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_while_nothing_happens() -> None:
    class Server(WSGIServer):
        def service_actions(self) -> None:
            signal.raise_signal(signal.SIGINT)

    with quiet_server(server_class=Server) as server, pytest.raises(KeyboardInterrupt):
        server.serve_forever(0.0)


def test_a_second_ctrl_c_stops_the_application() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("not reached")

    with quiet_server(app) as server, connect(server) as client:
        client.send(GET)
        with pytest.raises(KeyboardInterrupt):
            server.serve_forever()
        assert client.answer().status == 500


def test_a_sigint_handler_of_the_program_stays() -> None:
    def handler(number: int, frame: Any) -> None:
        server.shutdown()

    before = signal.signal(signal.SIGINT, handler)
    try:
        with quiet_server(interrupting) as server, connect(server) as client:
            client.send(GET)
            server.serve_forever()
            assert client.answer().body == b"hello"
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_what_an_application_raises_is_its_own(error: type[BaseException], capsys: Any) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise error("of the application")

    with served(quiet_server(app)) as server:
        assert ask(server).status == 500
        assert ask(server).status == 500
    assert re.search(rf"Traceback .*\n{error.__name__}: of the application", capsys.readouterr().err, re.S)


# Subclasses


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
