"""A batch of events, in both builds: who is called, and what is left to the thread that goes on with it."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Callable

import pytest

from fastwsgi.http.errors import LoopLost
from fastwsgi.server import disowned
from fastwsgi.server.poller import BATCH, open_poller
from tests.helpers.serving import PATIENCE


class Bench:
    """A poller, a table of connections that do what a test says, and descriptors that are ready."""

    def __init__(self, build: SimpleNamespace) -> None:
        self.poller = open_poller()
        self.connections: dict[int, Any] = {}
        self.served: list[int] = []
        self.guard = build.guard.Guard()
        self.batch = build.batch.Batch(self.connections, self.served.append, self.guard)
        self.pairs: list[tuple[socket.socket, socket.socket]] = []

    def add_ready(self) -> int:
        """A descriptor that can be written to."""
        self.pairs.append(socket.socketpair())
        fd = self.pairs[-1][0].fileno()
        self.poller.watch(fd, "write", "")
        return fd

    def connect(self, fd: int, on_ready: Callable[[], None]) -> None:
        self.connections[fd] = SimpleNamespace(on_ready=on_ready)

    def close(self) -> None:
        self.guard.let_go()
        self.poller.close()
        for one, other in self.pairs:
            one.close()
            other.close()


@pytest.fixture
def bench(build: SimpleNamespace) -> Iterator[Bench]:
    bench = Bench(build)
    yield bench
    bench.close()


def test_connections_are_called_and_others_are_the_loops(bench: Bench) -> None:
    mine, other = bench.add_ready(), bench.add_ready()
    bench.connect(mine, lambda: bench.served.append(-mine))
    assert bench.batch.take(bench.poller, 1.0) == 2
    bench.batch.serve()
    assert sorted(bench.served) == [-mine, other]
    bench.batch.serve()
    assert len(bench.served) == 2


def test_no_more_are_taken_than_a_batch_has(bench: Bench) -> None:
    expected = {bench.add_ready() for _ in range(BATCH + 6)}
    assert bench.batch.take(bench.poller, 1.0) == BATCH
    bench.batch.serve()
    assert len(bench.served) == BATCH == len(expected.intersection(bench.served))


def test_who_gets_the_loop_goes_on_with_the_rest(bench: Bench) -> None:
    def lose() -> None:
        raise LoopLost

    for _ in range(3):
        bench.connect(bench.add_ready(), lose)
    assert bench.batch.take(bench.poller, 1.0) == 3
    for _ in range(3):
        with pytest.raises(LoopLost):
            bench.batch.serve()
    bench.batch.serve()


def test_a_connection_closed_in_the_batch_is_not_called(bench: Bench) -> None:
    """Another with its descriptor is, as if something had come for it."""
    called: list[str] = []
    fds = [bench.add_ready() for _ in range(3)]

    def close_others(own: int) -> None:
        gone, replaced = (fd for fd in fds if fd != own)
        del bench.connections[gone]
        bench.connect(replaced, lambda: called.append("new"))
        called.append("old")

    for fd in fds:
        bench.connect(fd, lambda own=fd: close_others(own))  # type: ignore[misc]
    bench.batch.take(bench.poller, 1.0)
    bench.batch.serve()
    assert called == ["old", "new"]
    assert len(bench.served) == 1


def test_a_wait_lets_other_threads_run(bench: Bench) -> None:
    here, there = socket.socketpair()
    with here, there:
        bench.poller.watch(here.fileno(), "read", "")
        sender = threading.Timer(0.0, there.send, (b"x",))
        sender.start()
        assert bench.batch.take(bench.poller, PATIENCE) == 1
        sender.join()
        bench.poller.forget(here.fileno(), "read")


def test_the_handler_of_a_signal_runs_in_a_wait(bench: Bench) -> None:
    """What it raises ends the wait."""

    def handle(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, handle)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        with pytest.raises(KeyboardInterrupt):
            bench.batch.take(bench.poller, PATIENCE)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_closed_poller_has_no_events(bench: Bench) -> None:
    """So it is in a child forked by the handler of a signal; its next step ends it."""
    bench.add_ready()
    bench.poller.close()
    assert bench.batch.take(bench.poller, 1.0) == 0
    bench.batch.serve()
    assert bench.served == []


def test_a_forked_child_ends_where_it_asks_for_events(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ended(Exception):
        pass

    def leave() -> None:
        raise Ended

    monkeypatch.setattr(disowned, "leave", leave)
    with pytest.raises(Ended):
        bench.batch.take(disowned.NoPoller(), 1.0)


@pytest.mark.skipif(sys.platform != "linux", reason="epoll is Linux's")
def test_what_is_wrong_with_the_poller_is_said(bench: Bench) -> None:
    """Its descriptor was closed by the application."""
    os.close(bench.poller.epoll)
    with pytest.raises(OSError, match="Bad file descriptor"):
        bench.batch.take(bench.poller, 0.0)
    spare = select.epoll()
    os.dup2(spare.fileno(), bench.poller.epoll)  # for close()
    spare.close()
