"""make_server() with socketserver.ThreadingMixIn and its like: a thread a connection, and their methods called."""

from __future__ import annotations

import contextlib
import os
import socketserver
import sys
import threading
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any
from wsgiref import simple_server as wsgiref_server

import pytest

from fastwsgi import WSGIServer, backend
from tests.helpers.serving import GET, PATIENCE, request
from tests.helpers.simple_servers import HELLO, ask, connect, handling, quiet_server, served

CLOSE = request(fields=[("Connection", "close")])


class Threaded(socketserver.ThreadingMixIn, WSGIServer):
    pass


class Daemonic(Threaded):
    daemon_threads = True


@pytest.fixture(autouse=True)
def _in_build(build: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "NAME", build.name)


OF_WSGIREF = type("WSGIServer", (socketserver.ThreadingMixIn, wsgiref_server.WSGIServer), {})
AS_RUNSERVER = type("WSGIServer", (socketserver.ThreadingMixIn, WSGIServer), {})
CLASSES = pytest.mark.parametrize("kind", [Threaded, Daemonic, AS_RUNSERVER, OF_WSGIREF])


@CLASSES
def test_requests_run_side_by_side(kind: Any) -> None:
    both = threading.Barrier(6)
    seen: set[int] = set()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        assert environ["wsgi.multithread"] is True
        seen.add(threading.get_ident())
        both.wait(PATIENCE)
        return HELLO(environ, start_response)

    with served(quiet_server(app, kind)) as server, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in range(6)]
        for client in clients:
            client.send(GET)
        for client in clients:
            assert client.answer().body == b"hello"
    assert len(seen) == 6


@CLASSES
def test_a_view_calls_its_own_server(kind: Any) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        depth = int(environ["PATH_INFO"][1:])
        if depth:
            assert ask(server, request(target=f"/{depth - 1}")).body == b"hello"
        return HELLO(environ, start_response)

    with served(quiet_server(app, kind)) as server:
        assert ask(server, request(target="/20")).body == b"hello"


def test_a_connection_is_kept_and_has_one_thread() -> None:
    threads = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        threads.append(threading.current_thread())
        return HELLO(environ, start_response)

    with served(quiet_server(app, Threaded)) as server, connect(server) as client:
        for _ in range(3):
            assert client.send(GET).answer().body == b"hello"
        server.shutdown()
        assert client.rest() == b""
        assert client.end == "closed"
    assert len(set(threads)) == 1


class Held:
    """An application that is in the middle of a request."""

    def __init__(self) -> None:
        self.entered, self.leave = threading.Event(), threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.entered.set()
        assert self.leave.wait(PATIENCE)
        return HELLO(environ, start_response)


def test_server_close_waits_for_requests_in_flight() -> None:
    app, closed = Held(), threading.Event()
    with served(quiet_server(app, Threaded)) as server, connect(server) as client, connect(server) as idle:
        client.send(GET)
        assert app.entered.wait(PATIENCE)
        server.shutdown()
        closer = threading.Thread(target=lambda: (server.server_close(), closed.set()))
        closer.start()
        assert idle.rest() == b""  # which nobody waits for
        assert not closed.is_set()
        app.leave.set()
        assert client.answer().body == b"hello"
        assert closed.wait(PATIENCE)
        closer.join()


@pytest.mark.parametrize("attributes", [{"daemon_threads": True}, {"block_on_close": False}])
def test_server_close_does_not_wait_if_the_class_says_so(attributes: dict[str, Any]) -> None:
    app = Held()
    with served(quiet_server(app, type("Server", (Threaded,), attributes))) as server, connect(server) as client:
        client.send(GET)
        assert app.entered.wait(PATIENCE)
        server.shutdown()
        server.server_close()
        app.leave.set()
        assert client.answer().body == b"hello"


def test_the_methods_that_hand_a_connection_on_are_called() -> None:
    calls: list[tuple[str, bool]] = []
    ended = threading.Event()

    class Server(Threaded):
        def note(self, name: str) -> None:
            calls.append((name, threading.current_thread() is accepting))

        def get_request(self) -> Any:
            self.note("get")
            return super().get_request()

        def verify_request(self, request: Any, client_address: Any) -> bool:
            self.note("verify")
            return True

        def process_request_thread(self, request: Any, client_address: Any) -> None:
            self.note("thread")
            super().process_request_thread(request, client_address)

        def finish_request(self, request: Any, client_address: Any) -> None:
            self.note("finish")
            super().finish_request(request, client_address)

        def shutdown_request(self, request: Any) -> None:
            self.note("shutdown")
            super().shutdown_request(request)

        def close_request(self, request: Any) -> None:
            self.note("close")
            super().close_request(request)
            ended.set()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        server.note("app")
        return HELLO(environ, start_response)

    with quiet_server(app, Server) as server, handling(server) as accepting, connect(server) as client:
        assert client.send(CLOSE).answer().body == b"hello"
        assert client.rest() == b""
        assert ended.wait(PATIENCE)
    here = [("get", True), ("verify", True)]
    assert calls == here + [(name, False) for name in ("thread", "finish", "app", "shutdown", "close")]


def test_what_is_not_verified_is_not_served() -> None:
    class Choosy(WSGIServer):
        """Without a thread: one connection after the other, each for one request."""

        def verify_request(self, request: Any, client_address: Any) -> bool:
            return bool(answers.pop())

    answers = [True, False]
    with served(quiet_server(server_class=Choosy)) as server:
        with connect(server) as refused:
            assert refused.rest() == b""
        with connect(server) as client:
            assert client.send(GET).answer().get("Connection") == "close"
            assert client.rest() == b""


def test_what_fails_there_is_told_and_costs_one_connection(capsys: pytest.CaptureFixture[str]) -> None:
    class Server(Threaded):
        def finish_request(self, request: Any, client_address: Any) -> None:
            if failures:
                raise failures.pop()
            super().finish_request(request, client_address)

    failures = [LookupError("once")]
    with served(quiet_server(server_class=Server)) as server:
        with connect(server) as refused:
            assert refused.rest() == b""
        assert ask(server).body == b"hello"
    assert "LookupError: once" in capsys.readouterr().err


def test_serving_again_after_shutdown() -> None:
    server = quiet_server(server_class=Threaded)
    for _ in range(3):
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        assert ask(server, CLOSE).body == b"hello"
        server.shutdown()
        thread.join(PATIENCE)
        assert not thread.is_alive()
    server.server_close()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc lists the descriptors")
def test_nothing_is_left_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with served(quiet_server(server_class=Threaded)) as server, connect(server) as idle:
            idle.send(GET).answer()
            ask(server)
    assert len(os.listdir("/proc/self/fd")) <= before


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_for_each_connection() -> None:
    class Forking(socketserver.ForkingMixIn, WSGIServer):
        pass

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        assert environ["wsgi.multiprocess"] is True
        start_response("200 OK", [])
        return [str(os.getpid()).encode()]

    with served(quiet_server(app, Forking), poll_interval=0.01) as server:
        pids = {ask(server, CLOSE).body for _ in range(3)}
    assert len(pids) == 3
    assert str(os.getpid()).encode() not in pids
