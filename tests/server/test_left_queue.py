"""The queue is left to the loop's thread where calls only compute, and each request in it is answered, once, in order.

The monitor's verdict is planted, so that no test waits for one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.monitors import plant
from tests.helpers.serving import PATIENCE, Client, Server, await_loop, request, serving

THREADS = 2
TARGETS = ["/held", "/1", "/2", "/3", "/4"]


class App:
    """Notes what it is called for. Requests for /busy and for /held stay until those are let go."""

    def __init__(self) -> None:
        self.called: list[str] = []
        self.threads: list[int] = []
        self.entered = {"/busy": threading.Semaphore(0), "/held": threading.Semaphore(0)}
        self.let_go = {path: threading.Event() for path in self.entered}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        path = environ["PATH_INFO"]
        if path != "/busy":
            self.called.append(path)
            self.threads.append(threading.get_ident())
        if path in self.entered:
            self.entered[path].release()
            assert self.let_go[path].wait(PATIENCE)
        start_response("200 OK", [])
        return [path.encode()]

    def await_entered(self, path: str) -> None:
        """Return when one more request for *path* stays."""
        assert self.entered[path].acquire(timeout=PATIENCE)


@pytest.fixture
def app() -> Iterator[App]:
    app = App()
    yield app
    for event in app.let_go.values():
        event.set()


@pytest.fixture
def planted(build: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Any:
    return plant(build, monkeypatch)


class Queue:
    """A server with a queue for TARGETS, all of whose threads are busy; *clients* wait for the answers."""

    def __init__(self, build: SimpleNamespace, app: App, stack: ExitStack) -> None:
        self.app = app
        self.server: Server = stack.enter_context(serving(build, app, threads=THREADS))
        for _ in range(THREADS):
            stack.enter_context(self.server.connect()).send(request(target="/busy"))
            app.await_entered("/busy")
        self.clients: list[Client] = []
        for number, target in enumerate(TARGETS):
            self.clients.append(stack.enter_context(self.server.connect()).send(request(target=target)))
            await_loop(self.server, lambda loop, waiting=number + 1: len(loop.pool.queued_requests) == waiting)

    def begin(self) -> None:
        """Let the threads go; the first request of the queue is held."""
        self.app.let_go["/busy"].set()
        self.app.await_entered("/held")

    def answers(self, numbers: slice = slice(None)) -> list[bytes]:
        """The bodies that the clients with these *numbers* get."""
        return [client.answer().body for client in self.clients[numbers]]

    def await_end(self) -> None:
        """Return when the server has ended."""
        self.server.thread.join(PATIENCE)
        assert not self.server.thread.is_alive()


@pytest.fixture
def waiting(build: SimpleNamespace, planted: Any, app: App) -> Iterator[Queue]:
    with ExitStack() as stack:
        yield Queue(build, app, stack)
        for event in app.let_go.values():
            event.set()


def test_one_thread_answers_all_in_order(waiting: Queue, planted: Any, app: App) -> None:
    planted.hands_on = False
    waiting.begin()
    assert waiting.server.loop.pool is not None
    assert waiting.server.loop.pool.left_to_loop
    app.let_go["/held"].set()
    assert waiting.answers() == [target.encode() for target in TARGETS]
    assert app.called == TARGETS
    assert set(app.threads) == {waiting.server.loop.thread}
    await_loop(waiting.server, lambda loop: not (loop.pool.left_to_loop or loop.service.full or loop.pool.running))


def test_where_calls_wait_other_threads_answer(waiting: Queue, planted: Any, app: App) -> None:
    """The one that is held does not hold up the others, though nobody can take the loop out of its call."""
    planted.calm = False
    waiting.begin()
    assert waiting.answers(slice(1, None)) == [target.encode() for target in TARGETS[1:]]
    app.let_go["/held"].set()
    assert waiting.answers(slice(1)) == [b"/held"]
    assert sorted(app.called) == sorted(TARGETS)


def test_who_takes_the_loop_goes_on_with_the_queue(waiting: Queue, app: App) -> None:
    waiting.begin()
    assert waiting.answers(slice(1, None)) == [target.encode() for target in TARGETS[1:]]
    assert app.called == TARGETS
    app.let_go["/held"].set()
    assert waiting.answers(slice(1)) == [b"/held"]
    await_loop(waiting.server, lambda loop: not (loop.pool.left_to_loop or loop.service.full or loop.pool.running))


def test_requests_that_come_meanwhile_queue_behind(waiting: Queue, planted: Any, app: App) -> None:
    planted.hands_on = False
    waiting.begin()
    with waiting.server.connect() as late:
        late.send(request(target="/late"))
        app.let_go["/held"].set()
        assert late.answer().body == b"/late"
        assert waiting.answers() == [target.encode() for target in TARGETS]
    assert [one for one in app.called if one != "/late"] == TARGETS


def test_a_stop_answers_what_is_left_to_the_loop(waiting: Queue, planted: Any, app: App) -> None:
    planted.hands_on = False
    waiting.begin()
    waiting.server.loop.stop()
    app.let_go["/held"].set()
    for client in waiting.clients:
        answer = client.answer()
        assert (answer.status, answer.get("Connection")) == (200, "close")
    waiting.await_end()
    assert app.called == TARGETS


def test_after_a_halt_nothing_of_it_is_begun(waiting: Queue, planted: Any, app: App) -> None:
    planted.hands_on = False
    waiting.begin()
    waiting.server.loop.halt()
    app.let_go["/held"].set()
    waiting.await_end()
    assert app.called == ["/held"]


def test_after_a_halt_no_thread_goes_on_with_the_queue(waiting: Queue, planted: Any, app: App) -> None:
    planted.hands_on = planted.calm = False
    waiting.server.loop.halt()
    app.let_go["/busy"].set()
    waiting.await_end()
    assert app.called == []


def test_a_call_that_is_given_up_meanwhile_holds_up_nobody(waiting: Queue, planted: Any, app: App) -> None:
    planted.hands_on = False
    waiting.begin()
    loop = waiting.server.loop
    ((thread, connection),) = [one for one in loop.calls() if one[0] == loop.thread]
    assert connection.exchange is not None
    assert loop.give_up(thread, connection, connection.exchange)
    assert waiting.clients[0].answer().status == 504
    assert waiting.answers(slice(1, None)) == [target.encode() for target in TARGETS[1:]]
    assert app.called == TARGETS
    app.let_go["/held"].set()


def test_a_client_that_has_left_is_not_answered(waiting: Queue, planted: Any, app: App) -> None:
    planted.hands_on = False
    waiting.begin()
    waiting.clients[1].reset()
    app.let_go["/held"].set()
    assert waiting.answers(slice(2, None)) == [target.encode() for target in TARGETS[2:]]
    assert app.called == [TARGETS[0], *TARGETS[2:]]
