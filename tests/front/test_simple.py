"""make_server(), serve_forever(), handle_request(), shutdown() do what wsgiref's do, over sockets, in both builds."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any
from wsgiref import simple_server as wsgiref_server

import pytest

from fastwsgi import WSGIServer, backend, make_server, simple_loops
from tests.helpers.serving import GET, PATIENCE, answering, request
from tests.helpers.simple_servers import HELLO, LOCAL, QuietHandler, ask, connect, handling, quiet_server, served


@pytest.fixture(autouse=True)
def _in_build(build: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the servers of each test run in the build of the parameter."""
    monkeypatch.setattr(backend, "NAME", build.name)


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
    monkeypatch.setattr(simple_loops, "PATIENCE", 1000.0)
    with served(quiet_server()) as server, connect(server) as silent:
        ask(server)  # the silent one was accepted before
        server.shutdown()
        assert silent.rest() == b""


def test_what_stays_too_long_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simple_loops, "PATIENCE", 0.0)
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
        servers = [stack.enter_context(served(quiet_server(answering(b"%d" % number)))) for number in range(5)]
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


def test_ctrl_c_while_serve_forever_waits() -> None:
    def interrupt() -> None:
        ask(server)
        os.kill(os.getpid(), signal.SIGINT)

    with quiet_server() as server:
        threading.Thread(target=interrupt, daemon=True).start()
        with pytest.raises(KeyboardInterrupt):
            server.serve_forever()


def test_ctrl_c_while_handle_request_waits() -> None:
    def wait() -> None:
        threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT), daemon=True).start()
        server.handle_request()

    with quiet_server() as server, pytest.raises(KeyboardInterrupt):
        wait()


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


def test_sigint_that_is_ignored_stays_ignored() -> None:
    """As in the background job of a script, which Ctrl-C shall not end: Python leaves it so, too."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with quiet_server(interrupting) as server, connect(server) as client:
            client.send(GET)
            server.handle_request()
            assert client.answer().body == b"hello"
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
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


# A process that the application changes


def closed_stream() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize(
    "stream", [None, closed_stream(), SimpleNamespace(write=None)], ids=["none", "closed", "broken"]
)
def test_a_standard_error_that_is_gone_fails_no_request(stream: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/fail":
            raise ArithmeticError
        return HELLO(environ, start_response)

    with served(make_server(LOCAL, 0, app)) as server:
        monkeypatch.setattr(sys, "stderr", stream)
        for path, status in (("/", 200), ("/fail", 500), ("/", 200)):
            assert ask(server, request(target=path)).status == status
        assert ask(server, b"BAD\r\n\r\n").status == 400

