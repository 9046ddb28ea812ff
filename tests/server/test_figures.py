"""The figures that a running loop writes: threads, queue, streams, calls by name, bytes, timeouts."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import pytest

from fastwsgi import figures
from fastwsgi.http.file_wrapper import FileWrapper
from fastwsgi.observe.request_id import RequestIds
from fastwsgi.server.request_start import seconds_since
from fastwsgi.server.stacks import running_stacks
from tests.helpers.figures import answered, call_at, codes, histogram, refused, rows, timeouts
from tests.helpers.pki import Pki
from tests.helpers.serving import GET, PATIENCE, Server, answering, request, serving
from tests.helpers.waiting import until

THREADS = pytest.mark.parametrize("threads", [1, 4])


class Gate:
    """An application whose requests for /wait stay until it is opened."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.opened = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"].startswith("/wait"):
            self.entered.release()
            assert self.opened.wait(PATIENCE)
        start_response("200 OK", [])
        if environ["PATH_INFO"] == "/stream":
            return iter([b"x" * 1000000] * 30)
        return [b"hello"]


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.opened.set()


def words_of(server: Server) -> memoryview:
    return server.loop.meter.view


def test_threads_and_queue(build: SimpleNamespace, gate: Gate) -> None:
    with serving(build, gate, threads=2) as server:
        words = words_of(server)
        clients = [server.connect() for _ in range(3)]
        for number, client in enumerate(clients):
            client.send(request(target=f"/wait/{number}?secret"))
            if number < 2:
                assert gate.entered.acquire(timeout=PATIENCE)
        until(lambda: words[figures.QUEUED] == 1)
        assert (words[figures.THREADS], words[figures.BUSY], words[figures.SATURATED]) == (2, 2, 1)
        assert 0 < words[figures.SATURATED_SINCE] <= words[figures.OLDEST_QUEUED] <= time.monotonic_ns()
        assert sorted(rows(words)) == ["GET /wait/0", "GET /wait/1"]
        gate.opened.set()
        for client in clients:
            assert client.answer().body == b"hello"
            client.socket.close()
        until(lambda: words[figures.BUSY] == words[figures.SATURATED] == 0 and not rows(words))
        assert words[figures.SATURATED_SINCE] == 0
        assert (words[figures.QUEUED], words[figures.OLDEST_QUEUED]) == (0, 0)
        assert sum(histogram(words, figures.QUEUE_TIMES)) >= 1
        assert codes(words) == {200: 3}


def test_a_queued_call_has_a_row_with_its_id(build: SimpleNamespace, gate: Gate) -> None:
    numbered = RequestIds(gate, True)
    with serving(build, numbered, threads=2) as server:
        words = words_of(server)
        numbered.show = server.loop.rows.show_id
        clients = [server.connect() for _ in range(2)]
        for number, client in enumerate(clients):
            client.send(request(target=f"/wait/{number}", fields=[("X-Request-ID", f"id-{number}")]))
            assert gate.entered.acquire(timeout=PATIENCE)
        begins = range(figures.ROWS, figures.RING, figures.CALL_WORDS)
        until(lambda: len(rows(words)) == 2)
        shown = {found for found in (call_at(words, row) for row in begins) if found is not None}
        assert shown == {("GET /wait/0", "id-0"), ("GET /wait/1", "id-1")}
        assert call_at(words) is None
        threads = {words[row + figures.CALL_THREAD] for row in begins if words[row] & 1}
        assert len(threads) == 2
        gate.opened.set()
        for client in clients:
            client.answer()
            client.socket.close()


@THREADS
def test_a_call_that_waited_in_the_queue_runs_from_when_it_left_it(build: SimpleNamespace, threads: int) -> None:
    gates = [threading.Event() for _ in range(threads + 1)]
    entered, began = threading.Semaphore(0), []

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        number = int(environ["PATH_INFO"][1:])
        if number == threads:
            began.append(time.monotonic_ns())
        entered.release()
        assert gates[number].wait(PATIENCE)
        start_response("200 OK", [])
        return [b"hello"]

    routes = {"/livez": answering(b"ok")}  # so that a single thread has a keeper
    with serving(build, app, threads=threads, routes=routes) as server:
        words = words_of(server)
        clients = [server.connect() for _ in gates]
        for number, client in enumerate(clients):
            client.send(request(target=f"/{number}"))
            if number < threads:
                assert entered.acquire(timeout=PATIENCE)
        until(lambda: words[figures.QUEUED] == 1)
        released = time.monotonic_ns()
        gates[0].set()
        assert entered.acquire(timeout=PATIENCE)
        last = f"GET /{threads}"
        places = (figures.CALL, *range(figures.ROWS, figures.RING, figures.CALL_WORDS))
        (row,) = [place for place in places if (call_at(words, place) or ("",))[0] == last]
        assert released <= words[row + figures.CALL_BEGAN] <= began[0]
        shown = {one["name"]: one["seconds"] for one in running_stacks([server.loop])}
        assert shown.get(last, 0.0) <= (time.monotonic_ns() - released) / 1e9  # without its wait
        for gate in gates:
            gate.set()
        for client in clients:
            client.answer()
            client.socket.close()


def test_a_stream_that_waits_for_its_client_is_no_running_request(build: SimpleNamespace, gate: Gate) -> None:
    with serving(build, gate, threads=2) as server, server.connect(receive_buffer=4096) as client:
        words = words_of(server)
        client.send(request(target="/stream"))
        until(lambda: words[figures.STREAMS_WAITING] == 1 and not rows(words))
        assert words[figures.BUSY] == 0
        assert client.answer().whole
        until(lambda: words[figures.STREAMS_WAITING] == 0)
        until(lambda: answered(words) == 1)
        assert not rows(words)


@THREADS
def test_a_request_past_its_deadline(build: SimpleNamespace, gate: Gate, threads: int) -> None:
    with serving(build, gate, threads=threads, timeout=0.2) as server:
        words = words_of(server)
        assert server.ask(request(target="/wait")).status == 504
        until(lambda: words[figures.ROWS + figures.CALL_BEGAN] < 0 < words[figures.BUSY_TIME])
        until(lambda: (codes(words), timeouts(words)) == ({504: 1}, {"application": 1}))
        assert rows(words) == ["GET /wait"]  # it still runs, and is counted
        busy = words[figures.BUSY_TIME]
        gate.opened.set()
        until(lambda: not rows(words))
        assert (codes(words), timeouts(words)) == ({504: 1}, {"application": 1})
        assert words[figures.BUSY_TIME] == busy


def test_timeouts_by_kind(build: SimpleNamespace) -> None:
    with serving(build, answering(b"x" * 30_000_000), threads=1, write_timeout=5) as server:
        words = words_of(server)
        with server.connect() as idle, server.connect() as head, server.connect() as body, server.connect(4096) as slow:
            idle.send(request("HEAD")).answer(to_head=True)
            head.send(b"GET / HTTP/1.1\r\nHo")
            body.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx")
            slow.send(GET)
            server.advance(300)
            assert head.answer().status == body.answer().status == 408
            assert idle.rest() == b""
        assert timeouts(words) == {"head": 1, "body": 1, "write": 1}
        assert refused(words, 408) == 2
        server.advance(1)
        assert words[figures.REQUESTS] == 3


def test_clients_below_the_least_rate_are_timeouts_of_their_own(build: SimpleNamespace) -> None:
    settings = {"body_timeout": 600, "write_timeout": 600, "min_rate": 1000}
    with serving(build, answering(b"x" * 30_000_000), threads=1, **settings) as server:
        with server.connect() as body, server.connect(4096) as slow:
            body.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx")
            slow.send(GET)
            server.advance(300)
            assert body.answer().status == 408
        assert timeouts(words_of(server)) == {"rate": 2}


def test_the_queue_is_full(build: SimpleNamespace, gate: Gate) -> None:
    with serving(build, gate, threads=2, max_queue=0) as server, server.connect() as one, server.connect() as two:
        for client in (one, two):
            client.send(request(target="/wait"))
            assert gate.entered.acquire(timeout=PATIENCE)
        until(lambda: words_of(server)[figures.SATURATED] == 1)
        assert server.ask().status == 503
        assert words_of(server)[figures.QUEUE_FULL] == refused(words_of(server), 503) == 1
        gate.opened.set()


# Bytes


def test_bytes_and_connections(build: SimpleNamespace) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        return FileWrapper(Path(__file__).open("rb"))

    with serving(build, app) as server:
        words = words_of(server)
        with server.connect() as client:
            client.send(GET)
            head = client.until(b"\r\n\r\n")
            body = client.take(Path(__file__).stat().st_size)
        with server.connect():
            server.settle()
        assert (words[figures.RECEIVED], words[figures.SENT]) == (len(GET), len(head) + len(body))
        assert words[figures.ACCEPTED] == 2


def test_bytes_of_tls_are_those_of_the_socket(build: SimpleNamespace, pki: Pki) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = pki.context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    sent = received = 0
    with serving(build, answering(b"hello"), **pki.settings) as server, server.connect() as client:
        words = words_of(server)

        def step(act: Callable[[], Any]) -> Any:
            nonlocal sent, received
            while True:
                try:
                    return act()
                except ssl.SSLWantReadError:
                    sent += outgoing.pending
                    client.send(outgoing.read())
                    data = client.socket.recv(1 << 16)
                    received += len(data)
                    incoming.write(data)

        step(tls.do_handshake)
        tls.write(request(fields=[("Connection", "close")]))
        assert step(lambda: tls.read(1 << 16)).startswith(b"HTTP/1.1 200 OK")
        received += len(client.rest())
        assert (words[figures.RECEIVED], words[figures.SENT]) == (sent, received)


# What a proxy says


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("t=1700000000.123", 0.877),
        ("1700000000", 1.0),
        ("1700000000123", 0.877),
        ("t=1700000000123456", 0.876544),
        (" 1700000000123456789 ", 0.876543211),
        ("1700000001.05", 0.0),  # its clock is a little ahead
        ("1700000002", None),
        ("1699990000", None),
        ("", None),
        ("-1700000000", None),
        ("t=17", None),
        ("17000000000000000000000", None),
        ("17000000000", None),
        ("t=1700000000,t=1700000000", None),
        ("\u0661" * 10, None),
        ("nan", None),
    ],
)
def test_the_start_of_a_request(value: str, seconds: float | None) -> None:
    found = seconds_since(value, 1700000001.0)
    assert found == (seconds if seconds is None else pytest.approx(seconds, abs=1e-6))


@pytest.mark.parametrize("field", ["X-Request-Start", "X-Queue-Start"])
@pytest.mark.parametrize("believed", [["127.0.0.1"], ["192.0.2.1"]])
def test_only_believed_peers_say_when_it_began(build: SimpleNamespace, field: str, believed: list[str]) -> None:
    with serving(build, answering(b"hello"), forwarded_allow_ips=believed) as server:
        server.ask(request(fields=[(field, f"t={time.time() - 2:.3f}")]))
        server.ask(request(fields=[(field, "nonsense")]))
        counts = histogram(words_of(server), figures.PROXY_QUEUE_TIMES)
        assert sum(counts) == (believed == ["127.0.0.1"])
        assert sum(counts[9:]) == sum(counts)
