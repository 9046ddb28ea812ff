"""Streams among several threads: each stays on its own, and a reader that stalls harms nobody."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

from tests.helpers.serving import GET, PATIENCE, Server, await_loop, request, serving


class Streams:
    """An application whose streams never end by themselves, and which notes on which threads they run."""

    def __init__(self) -> None:
        self.threads: dict[str, set[int]] = {}
        self.closed = threading.Semaphore(0)
        self.done: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        path = environ["PATH_INFO"]
        return self.stream(path) if path.startswith("/stream") else [b"hello"]

    def stream(self, path: str) -> Iterator[bytes]:
        threads = self.threads.setdefault(path, set())
        try:
            for _ in range(1000 if path == "/stream/whole" else 100000):
                threads.add(threading.get_ident())
                yield bytes(16384)
        finally:
            threads.add(threading.get_ident())
            self.done.append(path)
            self.closed.release()


def test_a_stream_stays_on_its_thread(build: SimpleNamespace) -> None:
    app = Streams()
    with serving(build, app, threads=2) as server, server.connect() as slow:
        slow.send(request(target="/stream/whole"))
        with server.connect() as other:
            for _ in range(100):
                assert other.send(GET).answer().body == b"hello"
                slow.more(65536)
        answer = slow.answer()
        assert (answer.whole, len(answer.body)) == (True, 16384 * 1000)
        assert slow.send(GET).answer().body == b"hello"
    assert len(app.threads["/stream/whole"]) == 1


def test_stalled_readers_harm_nobody(build: SimpleNamespace) -> None:
    app = Streams()
    with serving(build, app, threads=2) as server, ExitStack() as stack:
        for number in range(10):
            client = stack.enter_context(server.connect(receive_buffer=4096))
            client.send(request(target=f"/stream/{number}"))
        await_loop(server, lambda loop: len(loop.pool.waiting_streams) == 10)
        with server.connect() as other:
            for _ in range(50):
                assert other.send(GET).answer().body == b"hello"
    assert {len(threads) for threads in app.threads.values()} == {1}


def test_of_too_many_waiting_streams_the_one_furthest_behind_is_cut(build: SimpleNamespace) -> None:
    app = Streams()
    with serving(build, app, threads=2, max_waiting_streams=2) as server, ExitStack() as stack:
        clients = []
        for number in range(3):
            clients.append(stack.enter_context(server.connect(receive_buffer=4096)))
            clients[-1].send(request(target=f"/stream/{number}"))
            await_loop(server, lambda loop: len(loop.pool.waiting_streams) + len(app.done) >= len(clients))
        assert app.closed.acquire(timeout=PATIENCE)
        clients[0].rest()
        assert clients[0].end == "reset"
    assert "more than 2 streams wait" in server.log


def test_of_a_burst_as_many_are_cut_as_are_too_many(build: SimpleNamespace) -> None:
    app = Streams()
    with serving(build, app, threads=2, max_waiting_streams=1) as server, ExitStack() as stack:
        for number in range(6):
            client = stack.enter_context(server.connect(receive_buffer=4096))
            client.send(request(target=f"/stream/{number}"))
        await_loop(server, lambda loop: len(loop.pool.waiting_streams) == 1 and len(app.done) == 5)
    assert "more than 1 stream waits for its client: the one furthest behind is cut" in server.log


class Entries(list[tuple[str, "BaseException | None"]]):
    """An error log each of whose entries waits for the lock of the pool.

    Attributes:
        free: for each entry, whether it could have it.
    """

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.server = server
        self.free: list[bool] = []

    def append(self, entry: tuple[str, BaseException | None]) -> None:
        super().append(entry)
        assert self.server.loop.pool is not None
        lock = self.server.loop.pool.lock
        self.free.append(lock.acquire(timeout=PATIENCE))
        if self.free[-1]:
            lock.release()


def test_the_cut_of_a_stream_is_logged_without_the_lock_of_the_pool(build: SimpleNamespace) -> None:
    """Behind an entry a thread takes back the guard, which one may have that waits for the lock."""
    app = Streams()
    with serving(build, app, threads=2, max_waiting_streams=1) as server, ExitStack() as stack:
        entries = server.errors = Entries(server)
        for number in range(2):
            stack.enter_context(server.connect(receive_buffer=4096)).send(request(target=f"/stream/{number}"))
        assert app.closed.acquire(timeout=2 * PATIENCE)
    assert entries.free == [True]


def test_a_stream_whose_client_does_not_read_is_ended(build: SimpleNamespace) -> None:
    app = Streams()
    with serving(build, app, threads=2, write_timeout=0.01) as server, server.connect(receive_buffer=4096) as client:
        client.send(request(target="/stream/0"))
        assert app.closed.acquire(timeout=PATIENCE)
        client.rest()
        assert client.end == "reset"
