"""Losing the loop cannot be forgotten: LoopLost passes through everything that belongs to the loop.

It is planted: each way by which the loop calls a connection lets it out, and what was left undone is there for the
thread that goes on. That nothing on its way catches everything is read from the sources in house/test_catches.py; what
real threads make of it is in test_threads.py and test_watchdog.py.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Callable

import pytest

from fastwsgi.http.errors import LoopLost
from fastwsgi.server import housekeeping
from fastwsgi.server import loop as loop_module
from fastwsgi.server.listener import Listener
from tests.helpers.clock import Clock
from tests.helpers.memory import Bench
from tests.helpers.serving import Server, answering
from tests.helpers.site_app import GET

# The loop


class Losing:
    """Stands in for a connection in the table of the loop; the next call of the *way* costs the loop.

    Args:
        loop: the one that serves it.
        way: the method that raises LoopLost, once; "" for none.
        late: whether its time is over.
    """

    def __init__(self, loop: Any, way: str = "", late: bool = False, fd: int | None = None) -> None:
        self.loop = loop
        self.way = way
        self.late = late
        self.called: list[str] = []
        self.pair = socket.socketpair()
        self.fd = self.pair[0].fileno() if fd is None else fd
        self.waits = ""
        loop.connections[self.fd] = self

    def close(self) -> None:
        for one in self.pair:
            one.close()

    def make_ready(self) -> None:
        """There is something to read."""
        self.waits = "read"
        self.loop.watch(self, "read", "")
        self.pair[1].send(b"x")

    def _call(self, method: str) -> None:
        self.called.append(method)
        way = self.way
        if method == way:
            self.way = ""
            raise LoopLost

    def on_ready(self) -> None:
        if self.waits:
            self.pair[0].recv(1)
            self.loop.unwatch(self, self.waits)
            self.waits = ""
        self._call("on_ready")

    def on_turn(self) -> None:
        self._call("on_turn")

    def on_deadline(self) -> None:
        self.late = False
        self._call("on_deadline")

    def wait_for_turn(self) -> None:
        self.loop.go_on_later(self)

    def take_over(self, waits: str, rest: bytes | None) -> None:
        self._call("take_over")

    def look(self, now: float) -> bool:
        return self.late

    def is_late(self, now: float) -> bool:
        return self.late

    def is_lingering(self) -> bool:
        return True

    def idle_since(self) -> float:
        return float("inf")

    def excuse(self, seconds: float) -> None: ...

    def hurry(self, until: float) -> None:
        self._call("hurry")

    def drop(self, reset: bool) -> None: ...
    def abort(self) -> None: ...


class Table:
    """A loop that this thread steps by hand, and what stands in its table."""

    def __init__(self, build: SimpleNamespace, **settings: Any) -> None:
        self.server = Server(build, answering(b"real"), **settings)
        self.loop = self.server.loop
        self.served: list[Losing] = []

    def add(self, way: str = "", late: bool = False, fd: int | None = None) -> Losing:
        self.served.append(Losing(self.loop, way, late, fd))
        return self.served[-1]

    def lose(self, step: Callable[[], None] | None = None) -> None:
        """The loop is lost in a step of it."""
        with pytest.raises(LoopLost):
            (step or (lambda: self.loop.step(0.0)))()

    def go_on(self) -> None:
        """Another thread has the loop; it ends as soon as what the last one has begun is done."""
        self.loop.aborted = True
        try:
            self.loop.serve()
        finally:
            self.loop.aborted = False

    def close(self) -> None:
        self.loop.connections.clear()
        self.server.end()
        for one in self.served:
            one.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(loop_module, "time", clock)
    monkeypatch.setattr(housekeeping, "time", clock)
    return clock


@pytest.fixture
def table(build: SimpleNamespace) -> Iterator[Table]:
    table = Table(build)
    yield table
    table.close()


def calls(table: Table) -> list[list[str]]:
    return [one.called for one in table.served]


def test_in_each_event_of_a_batch(table: Table) -> None:
    """The rest of the batch is the next thread's, to the last event."""
    for _ in range(3):
        table.add("on_ready").make_ready()
    table.lose()
    assert sorted(calls(table)) == [[], [], ["on_ready"]]
    table.lose(table.go_on)
    table.lose(table.go_on)
    table.go_on()
    assert calls(table) == [["on_ready"]] * 3


def test_in_an_owed_turn(table: Table) -> None:
    for way in ("", "on_turn", "", ""):
        table.add(way).wait_for_turn()
    table.lose()
    assert calls(table) == [["on_turn"], ["on_turn"], [], []]
    table.go_on()
    assert calls(table) == [["on_turn"]] * 4


def test_in_an_event_before_owed_turns(table: Table) -> None:
    table.add("on_ready").make_ready()
    table.add().wait_for_turn()
    table.lose()
    assert calls(table) == [["on_ready"], []]
    table.go_on()
    assert calls(table) == [["on_ready"], ["on_turn"]]


def test_the_next_thread_goes_on_with_the_queue_before_it_waits(table: Table) -> None:
    done: list[str] = []
    table.loop.pool = SimpleNamespace(end_step=lambda: done.append("queue"))  # type: ignore[assignment]
    table.add("on_ready").make_ready()
    table.lose()
    assert done == []
    table.go_on()
    assert done == ["queue"]


def test_at_a_deadline(table: Table, clock: Clock) -> None:
    for way in ("", "on_deadline", ""):
        table.add(way, late=True)
    clock.offset += 2.0
    table.lose()
    assert calls(table) == [["on_deadline"], ["on_deadline"], []]
    clock.offset += 2.0
    table.loop.step(0.0)
    assert calls(table) == [["on_deadline"]] * 3


def test_at_one_of_very_many_deadlines(table: Table, clock: Clock) -> None:
    """They are met a few at a time; the next thread goes on with them at once."""
    for number in range(150):
        table.add("on_deadline" if number == 3 else "", late=True)
    clock.offset += 2.0
    table.lose()
    for _ in range(3):
        table.loop.step(0.0)
    assert calls(table) == [["on_deadline"]] * 150


def test_in_a_stop(table: Table) -> None:
    """The next thread begins the stop again, so that nobody is left out."""
    stopped: list[str] = []
    table.loop.stopped_accepting = lambda: stopped.append("told")
    for way in ("", "on_ready", ""):
        table.add(way)
    table.loop.stop()
    table.lose()
    assert not table.loop.stopping
    assert stopped == []
    table.loop.step(0.0)
    assert calls(table) == [["on_ready", "hurry"] * 2, ["on_ready", "on_ready", "hurry"], ["on_ready", "hurry"]]
    assert table.loop.stopping
    assert stopped == ["told"]
    table.loop.serve()  # all of them linger: nothing is left to be waited for


# New connections


@pytest.fixture
def opened(table: Table, monkeypatch: pytest.MonkeyPatch) -> list[Losing]:
    """What stands for accepted connections; the first of them loses the loop."""
    opened: list[Losing] = []

    def open_losing(listener: Listener, fd: int, host: str, port: str) -> Losing:
        opened.append(table.add("" if opened else "on_ready", fd=fd))
        return opened[-1]

    monkeypatch.setattr(Listener, "open", open_losing)
    return opened


def step_until(table: Table, condition: Callable[[], bool]) -> None:
    for _ in range(100):
        table.loop.step(0.1)
        if condition():
            return
    raise AssertionError("it never held")


@pytest.mark.parametrize("stops", [False, True])
def test_in_an_accepted_connection(table: Table, opened: list[Losing], stops: bool) -> None:
    """The next one of the backlog is accepted by the next thread; so it is at a stop, which empties the backlog."""
    with table.server.connect(), table.server.connect():
        if stops:
            table.loop.stop()
        table.lose(lambda: table.loop.step(1.0))
        assert [one.called for one in opened] == [["on_ready"]]
        assert table.loop.connections[opened[0].fd] is opened[0]  # it is not lost with the loop
        step_until(table, lambda: len(opened) == 2)
        assert opened[1].called == (["on_ready", "on_ready", "hurry"] if stops else ["on_ready"])
        assert table.loop.stopping == stops
        for one in opened:
            os.close(one.fd)


@pytest.mark.parametrize("stops", [False, True])
def test_with_tls_a_connection_is_begun_in_a_turn_but_in_a_stop_at_once(
    table: Table, opened: list[Losing], stops: bool
) -> None:
    for listener in table.loop.acceptor.listeners.values():
        listener.tls = object()  # type: ignore[assignment]
    with table.server.connect():
        if stops:
            table.loop.stop()
            table.lose(lambda: table.loop.step(1.0))
        else:
            step_until(table, lambda: bool(opened))
        assert [one.called for one in opened] == [["on_ready"] if stops else ["on_turn"]]
        os.close(opened[0].fd)


def test_in_the_one_connection_that_is_accepted(table: Table, opened: list[Losing]) -> None:
    with table.server.connect(), table.server.connect():
        table.lose(table.loop.acceptor.accept_one)
        table.loop.step(0.0)
        assert [one.called for one in opened] == [["on_ready"]]  # never another
        os.close(opened[0].fd)


def test_in_a_connection_behind_its_preamble(build: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(build, proxy_protocol="required", proxy_allow_ips=["127.0.0.1"])
    made: list[Losing] = []

    def connect(listener: Listener, fd: int, *_: Any) -> Losing:
        made.append(table.add("on_ready", fd=fd))
        return made[-1]

    monkeypatch.setattr(Listener, "connect", connect)
    with table.server.connect() as client:
        client.send(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + GET % b"/")
        with pytest.raises(LoopLost):
            step_until(table, lambda: bool(made))
    assert made[0].called == ["take_over", "on_ready"]
    assert table.loop.connections == {made[0].fd: made[0]}
    os.close(made[0].fd)
    table.close()


# Connections


class Taken:
    """An application whose call another thread takes: *then* is what it goes on with."""

    def __init__(self) -> None:
        self.bench: Any = None
        self.then: Callable[[], Any] = lambda: [b"late"]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        service = self.bench.service
        connection = service.turn.take()
        service.turn = service.turn.successor()
        connection.detach()
        start_response("200 OK", [])
        return self.then()


@pytest.fixture
def taken(build: SimpleNamespace) -> Taken:
    app = Taken()
    app.bench = Bench(build, app)
    app.bench.service.pool = SimpleNamespace(await_taker=lambda: None)
    return app


def fail() -> Any:
    raise LookupError


@pytest.mark.parametrize("then", [lambda: [b"late"], lambda: (b"x" for _ in range(3)), fail], ids=["", "stream", "500"])
@pytest.mark.parametrize("way", ["on_ready", "on_turn", "on_deadline"])
def test_a_connection_says_so_to_each_that_calls_it(taken: Taken, way: str, then: Callable[[], Any]) -> None:
    client = taken.bench.connect()
    if way == "on_deadline":  # of an idle connection, which may have got a request this very moment
        taken.bench.service.app = answering(b"first")
        client.send(GET % b"/")
        taken.bench.service.app = taken
        taken.bench.pass_clock(1000)
    if way == "on_turn":
        client.connection.wait_for_turn()
        taken.bench.loop.turns.clear()
    taken.then = then
    client.incoming.append(GET % b"/")
    with pytest.raises(LoopLost):
        getattr(client.connection, way)()
    assert client.responses()[-1].whole
    assert client.connection.place == "loop"  # it came back
    taken.bench.service.app = answering(b"next")
    client.send(GET % b"/")
    assert client.responses()[-1].body == b"next"


def test_a_client_that_leaves_meanwhile_makes_no_difference(taken: Taken) -> None:
    client = taken.bench.connect()
    client.incoming.append(GET % b"/")

    def leave() -> list[bytes]:
        client.gone = True
        return [b"late"]

    taken.then = leave
    with pytest.raises(LoopLost):
        client.connection.on_ready()
    assert client.closed


def test_an_error_of_ours_meanwhile_makes_none_either(taken: Taken) -> None:
    failures: list[Exception] = []
    taken.bench.loop.fail = lambda connection, error: failures.append(error)
    taken.bench.wire.send = lambda *_: fail()
    client = taken.bench.connect()
    client.incoming.append(GET % b"/")
    with pytest.raises(LoopLost):
        client.connection.on_ready()
    assert [type(one) for one in failures] == [LookupError]
