"""The end of a server: what is in flight is answered, what is idle is closed, a second signal ends it at once."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.processes import ISOLATED, Process, running
from tests.helpers.serving import GET, PATIENCE, Client, Server, request, serving

POST = request("POST", body=b"hello")

# Loop.stop()


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [environ["wsgi.input"].read() or b"hello"]


def ends(server: Server) -> bool:
    """Whether the loop ends now."""
    server.thread.join(PATIENCE)
    return not server.thread.is_alive()


def test_idle_connections_are_closed(build: SimpleNamespace) -> None:
    with serving(build, echo) as server, server.connect() as silent, server.connect() as used:
        assert used.send(GET).answer().status == 200
        server.settle()
        server.stop()
        assert ends(server)
        assert [(one.rest(), one.end) for one in (silent, used)] == [(b"", "closed")] * 2


@pytest.mark.parametrize("sent", [GET, POST], ids=["head", "body"])
def test_a_request_that_was_begun_is_answered(build: SimpleNamespace, sent: bytes) -> None:
    with serving(build, echo) as server, server.connect() as client:
        client.send(sent[:-3])
        server.settle()
        server.stop()
        answer = client.send(sent[-3:]).answer()
        assert (answer.body, answer.get("Connection")) == (b"hello", "close")
        assert (client.rest(), client.end) == (b"", "closed")
        assert ends(server)


def test_a_running_request_is_answered_and_so_are_those_that_wait(build: SimpleNamespace) -> None:
    """Also those that the application's call kept the server from accepting."""
    entered, go_on = threading.Event(), threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/slow":
            entered.set()
            assert go_on.wait(PATIENCE)
            server.loop.stop()  # as a signal that came meanwhile
        return echo(environ, start_response)

    with serving(build, app) as server, server.connect() as known, server.connect() as slow:
        assert known.send(GET).answer().get("Connection") is None
        slow.send(request(target="/slow"))
        assert entered.wait(PATIENCE)
        known.send(GET)
        with server.connect() as queued:
            queued.send(GET)
            go_on.set()
            for client in (slow, known, queued):
                answer = client.answer()
                assert (answer.body, answer.get("Connection")) == (b"hello", "close")
                assert (client.rest(), client.end) == (b"", "closed")
        assert ends(server)


def test_who_connects_while_the_last_requests_are_answered_is_answered(build: SimpleNamespace) -> None:
    """They may take long; then the listeners are closed."""
    entered, go_on = threading.Event(), threading.Event()
    late: list[Client] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/slow":
            entered.set()
            assert go_on.wait(PATIENCE)
            server.loop.stop()
        elif environ["PATH_INFO"] == "/last":
            late.append(stack.enter_context(server.connect()).send(GET))
        return echo(environ, start_response)

    with serving(build, app) as server, server.connect() as known, server.connect() as slow, ExitStack() as stack:
        server.loop.stopped_accepting = server.listener.close
        known.send(GET).answer()
        slow.send(request(target="/slow"))
        assert entered.wait(PATIENCE)
        known.send(request(target="/last"))
        go_on.set()
        assert slow.answer().body == known.answer().body == b"hello"
        assert late[0].answer().body == b"hello"
        assert ends(server)


@pytest.mark.parametrize("kind", ["stream", "list"])
def test_a_response_that_was_begun_is_finished(build: SimpleNamespace, kind: str) -> None:
    pieces = [b"%07d\n" % number * 8192 for number in range(128)]

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        return iter(pieces) if kind == "stream" else pieces

    with serving(build, app) as server, server.connect(receive_buffer=65536) as client:
        client.send(GET + GET)
        assert client.is_readable(PATIENCE)
        server.stop()
        for said in (None, "close"):  # the second request was here before the stop
            answer = client.answer()
            assert (answer.whole, answer.body, answer.get("Connection")) == (True, b"".join(pieces), said)
        assert (client.rest(), client.end) == (b"", "closed")
        client.socket.close()  # else we read on for a while
        assert ends(server)


def test_abort_resets_what_is_not_whole(build: SimpleNamespace) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        return (b"x" * 65536 for _ in range(1000))

    with serving(build, app) as server, server.connect(receive_buffer=4096) as client:
        client.send(GET).until(b"\r\n\r\n")
        server.settle()
        server.stop()
        assert server.thread.is_alive()
        server.call(server.loop.abort)
        assert ends(server)
        client.rest()
        assert client.end == "reset"


# Signals


BOTH = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])


@pytest.fixture
def server(build: SimpleNamespace, request: pytest.FixtureRequest) -> Iterator[Process]:
    settings = getattr(request, "param", [])
    with running([str(ISOLATED / "applications.py"), "waiting", *settings], build.name) as process:
        yield process


def begin(server: Process, target: str = "/wait") -> Client:
    """A client whose request waits in the application."""
    client = server.connect()
    client.send(request(target=target))
    server.line("entered")
    return client


@BOTH
def test_a_signal_ends_an_idle_server(server: Process, number: signal.Signals) -> None:
    with server.connect() as client:
        assert client.send(GET).answer().status == 200
        server.signal(number)
        assert server.wait() == 0
        assert (client.rest(), client.end) == (b"", "closed")
    assert not any("Traceback" in line for line in server.seen)


@BOTH
def test_a_signal_lets_the_running_request_end(server: Process, number: signal.Signals) -> None:
    with begin(server) as client, server.connect() as queued:
        queued.send(GET)
        server.signal(number)
        server.signal(signal.SIGUSR1)  # what /wait waits for
        for one in (client, queued):
            answer = one.answer()
            assert (answer.status, answer.get("Connection")) == (200, "close")
        assert server.wait() == 0


def is_accepted(server: Process) -> bool:
    """Whether a new connection is."""
    try:
        server.connect().socket.close()
    except (ConnectionRefusedError, ConnectionResetError):  # the listener closed before, or just now
        return False
    return True


def test_nobody_is_accepted_after_the_signal(server: Process) -> None:
    """Newcomers are refused while the last answers go out: they go to another server at once."""
    with begin(server, "/stream") as client:
        client.until(b"begun")
        server.signal()
        deadline = time.monotonic() + PATIENCE
        while is_accepted(server):
            assert time.monotonic() < deadline
            assert client.take(100)  # else its answers fill the buffers, and it waits for us
        server.signal(signal.SIGUSR1)
        client.until(b"ended")
        assert server.wait() == 0


@BOTH
@pytest.mark.parametrize("server", [["threads=1"], ["threads=4"]], ids=["1", "4"], indirect=True)
@pytest.mark.parametrize("target", ["/wait", "/stream", "/spin"])
def test_a_second_signal_ends_at_once(server: Process, number: signal.Signals, target: str) -> None:
    with begin(server, target) as client:
        assert any(server.ends_by(number) for _ in range(200))
        client.rest()


@pytest.mark.parametrize(
    "server",
    [["graceful_timeout=0.3"], ["graceful_timeout=0.3", "threads=4"]],
    ids=["1", "4"],
    indirect=True,
)
@pytest.mark.parametrize("target", ["/wait", "/stream", "/spin"])
def test_a_stop_waits_for_its_time_only(server: Process, target: str) -> None:
    with begin(server, target) as client:
        server.signal()
        server.wait()
        client.rest()


def test_a_connection_that_a_thread_gives_back_late_is_closed(build: SimpleNamespace) -> None:
    """Its response has begun before the stop, so the client may keep it; the stop finds it with another thread."""
    with serving(build, echo) as server, server.connect() as client:
        assert client.send(GET).answer().status == 200
        found = server.loop.all_connections
        hidden = iter([True])
        server.loop.all_connections = lambda: [] if next(hidden, False) else found()
        server.loop.is_done = lambda: not found()
        server.loop.stop()
        assert client.rest() == b""
        assert ends(server)


# fastwsgi.serve()


SERVE = """
import signal, fastwsgi
def app(environ, start_response):
    start_response("200 OK", [])
    return [b"hello"]
before = signal.getsignal(signal.SIGTERM)
fastwsgi.serve(app, bind=BIND, keep_alive=5)
assert signal.getsignal(signal.SIGTERM) is before
print("returned")
"""


@BOTH
def test_serve_says_where_it_listens_and_returns(build: SimpleNamespace, number: signal.Signals) -> None:
    program = SERVE.replace("BIND", '"127.0.0.1:0"')
    with running(["-c", program], build.name) as process:
        with process.connect() as client:
            assert client.send(GET).answer().body == b"hello"
            process.signal(number)
            process.line("returned")
            assert process.wait() == 0


STUCK = """
import sys, threading, fastwsgi
def app(environ, start_response):
    print("called", flush=True)
    while not threading.Event().wait(0.05):  # in parts: a signal just before a wait is seen behind it
        pass
fastwsgi.serve(app, bind="127.0.0.1:0", threads=1, graceful_timeout=float(sys.argv[1]))
"""


@pytest.mark.parametrize(("patience", "signals"), [(0.2, 1), (60, 2)], ids=["its time is over", "a second signal"])
def test_requests_that_wait_are_not_called_any_more(build: SimpleNamespace, patience: float, signals: int) -> None:
    """A process that serves alone ends behind the request that runs, though others were accepted or wait."""
    with running(["-c", STUCK, str(patience)], build.name) as process, contextlib.ExitStack() as clients:
        for _ in range(3):
            clients.enter_context(process.connect()).send(GET)
        process.line("called")
        for number in (signal.SIGTERM, signal.SIGINT)[:signals]:  # two of a kind could be taken for one
            process.signal(number)
        assert process.wait() == 0
        seen = "\n".join(process.seen)
        assert process.seen.count("called") == 1  # as a line: a traceback may show the source
        assert seen.count("given up at the stop") == 1


def test_serve_listens_on_several_addresses(build: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "sock"
    program = SERVE.replace("BIND", f'["127.0.0.1:0", "unix:{path}"]')
    with running(["-c", program], build.name) as process:
        with process.connect() as client, Client(str(path)) as local:
            assert client.send(GET).answer().body == b"hello"
            assert local.send(GET).answer().body == b"hello"
        process.signal()
        assert process.wait() == 0
    assert not path.exists()
