"""The clock of each request: 504 at the deadline, the stack in the log, and nobody else harmed."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import fastwsgi
from fastwsgi._guard_py import Guard
from fastwsgi.daemon import Daemon
from fastwsgi.gil import HAS_GIL
from fastwsgi.server.threads import Pool
from fastwsgi.server.watchdog import Watchdog, stack_of
from tests.helpers.serving import GET, PATIENCE, answering, await_loop, request, serving
from tests.helpers.waiting import until

THREADS = pytest.mark.parametrize("threads", [1, 4])
SOON = 0.3  # seconds; an application that does not wait takes less, on a busy machine too
PACKAGE = os.path.dirname(fastwsgi.__file__) + os.sep  # the clone may be named fastwsgi, too


class Stuck:
    """An application that gets stuck in several ways, until it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.returned = threading.Semaphore(0)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        try:
            if path == "/loop":
                while not self.let_go.is_set():
                    pass
            elif path == "/call":
                self.let_go.wait(PATIENCE)
            elif path == "/half":
                start_response("200 OK", [("Content-Length", "10")])(b"half")
                self.let_go.wait(PATIENCE)
            elif path == "/stream":
                start_response("200 OK", [])
                return self.stream()
        finally:
            if path != "/":
                self.returned.release()
        start_response("200 OK", [])
        return [path.encode()]

    def stream(self) -> Iterator[bytes]:
        yield b"half"
        self.let_go.wait(PATIENCE)
        yield b"whole"


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    app = Stuck()
    yield app
    app.let_go.set()


@THREADS
@pytest.mark.parametrize("target", ["/loop", "/call"])
def test_the_deadline_is_a_504(build: SimpleNamespace, stuck: Stuck, threads: int, target: str) -> None:
    expired = threading.Event()
    with serving(build, stuck, threads=threads, timeout=SOON) as server:
        server.loop.expired = lambda logged: expired.set()
        with server.connect() as client, server.connect() as other:
            answer = client.send(request(target=target)).answer()
            assert (answer.status, answer.get("Connection"), answer.whole) == (504, "close", True)
            assert client.rest() == b""
            assert expired.wait(PATIENCE)
            for _ in range(3):
                assert other.send(GET).answer().body == b"/"
            stuck.let_go.set()
            assert stuck.returned.acquire(timeout=PATIENCE)
            assert other.send(GET).answer().body == b"/"  # what comes of the late answer harms nobody
    (line,) = [message for message, _ in server.errors if "timeout" in message]
    assert re.match(rf"timeout: GET {target} from 127\.0\.0\.1 has run for [0-9.]+ s and is given up", line)
    assert "in __call__" in line
    assert PACKAGE not in line


@THREADS
@pytest.mark.parametrize("target", ["/half", "/stream"])
def test_a_response_that_was_begun_is_cut(build: SimpleNamespace, stuck: Stuck, threads: int, target: str) -> None:
    with serving(build, stuck, threads=threads, timeout=SOON) as server, server.connect() as client:
        answer = client.send(request(target=target)).answer()
        assert (answer.status, answer.whole) == (200, False)
        assert client.end == "reset"
        with server.connect() as other:
            assert other.send(GET).answer().body == b"/"
        stuck.let_go.set()
        assert stuck.returned.acquire(timeout=PATIENCE)
        server.settle()


@THREADS
def test_answers_before_it_come_first(build: SimpleNamespace, stuck: Stuck, threads: int) -> None:
    with serving(build, stuck, threads=threads, timeout=SOON) as server, server.connect() as client:
        client.send(GET + request("HEAD", "/call") + GET)
        assert client.answer().body == b"/"
        assert client.answer(to_head=True).status == 504
        assert client.rest() == b""
        stuck.let_go.set()


class EndsLate:
    """An observer of which the first response ends just as the watchdog gives it up: too late for that."""

    def __init__(self) -> None:
        self.server: Any = None
        self.given_up: list[bool] = []

    def response_ended(self, exchange: Any) -> None:
        if not self.given_up:
            self.given_up.append(self.server.loop.give_up(threading.get_ident(), exchange.connection, exchange))

    def tick(self) -> None:
        pass


@THREADS
def test_a_call_that_ends_as_it_is_given_up_keeps_no_place(build: SimpleNamespace, threads: int) -> None:
    observer = EndsLate()
    with serving(build, answering(b"whole"), observer, threads=threads, timeout=PATIENCE * 2) as server:
        observer.server = server
        for _ in range(threads + 1):
            assert server.ask().body == b"whole"
        assert observer.given_up == [False]
        await_loop(server, lambda loop: loop.pool.running == 0)


class Running:
    """A call that the watchdog sees; what of it is *seen* in the application, look by look."""

    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/"}

    def __init__(self, *seen: bool) -> None:
        self.seen = list(seen)

    def is_held_back(self) -> bool:
        return True

    def is_in_application(self) -> bool:
        return self.seen.pop(0) if self.seen else True


def looks_at(call: Running, *results: bool, times: tuple[float, ...]) -> list[str]:
    """What a watchdog tells that looks at *call* at these *times*, with a limit of a second; *results* of give_up()."""
    tries, told = iter(results), list[str]()
    loop: Any = SimpleNamespace(
        calls=lambda: [(0, SimpleNamespace(exchange=call))],
        give_up=lambda *call: next(tries),
        log_error=lambda message, error: None,
        guard=Guard(),
        keeps_interpreter=lambda thread: False,
    )
    watchdog = Watchdog(loop, 1.0, 0.0, told.append)
    for now in times:
        watchdog.look(now)
    return told


def test_a_call_that_changes_hands_meanwhile_is_given_up_at_the_next_look() -> None:
    told = looks_at(Running(), False, True, times=(0.0, 1.0, 2.0, 3.0, 4.0))
    assert told == ["timeout: GET ? from ? has run for 2.0 s and is given up"]


def test_so_is_one_that_the_server_has_but_not_for_ever() -> None:
    told = looks_at(Running(False, False), True, times=(0.0, 1.0, 1.1, 1.2, 1.3))
    assert told == ["timeout: GET ? from ? has run for 1.2 s and is given up"]
    told = looks_at(Running(*[False] * 9), True, times=(0.0, 1.0, 1.5, 1.9, 2.0, 2.1))
    assert told == ["timeout: GET ? from ? has run for 2.0 s and is given up"]


@pytest.mark.skipif(not HAS_GIL, reason="the guard of the loop keeps the watchdog out meanwhile")
def test_who_has_got_nothing_gets_504_even_if_the_server_has_the_call(
    build: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    if build.title != "pure Python":
        pytest.skip("the methods of the compiled wire cannot be replaced; its monitor answers without the thread")
    looks: list[float] = []
    look, presence = Watchdog.look, build.sockio.SocketWire.presence

    def presence_behind_the_deadline(self: Any, fd: int) -> int:
        if not looks:
            until(lambda: len(looks) > 1 and looks[-1] > looks[0] + 2 * SOON)
        return int(presence(self, fd))

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        while not told.wait(0.01):
            yield b""

    told = threading.Event()
    monkeypatch.setattr(build.sockio.SocketWire, "presence", presence_behind_the_deadline)
    monkeypatch.setattr(Watchdog, "look", lambda self, now: (look(self, now), looks.append(now)))
    with serving(build, app, threads=2, timeout=SOON) as server:
        server.loop.expired = lambda logged: told.set()
        assert server.ask().status == 504
        assert told.wait(PATIENCE)


def test_a_stack_is_read_again_whose_frame_has_ended_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a GIL, the thread goes on while its stack is read; a frame that has ended has no caller any more."""
    let_go = threading.Event()
    thread = Daemon(lambda: let_go.wait(PATIENCE) and None, "test")
    thread.start()
    idle = (number for number in "1")  # its frame has no caller either
    frames = iter([{thread.ident: idle.gi_frame}, sys._current_frames()])
    monkeypatch.setattr(sys, "_current_frames", lambda: next(frames))
    assert thread.ident is not None
    loop: Any = SimpleNamespace(keeps_interpreter=lambda thread: False)
    assert "in wait" in stack_of(loop, thread.ident)
    let_go.set()
    thread.join()


def test_calls_that_were_slow_before_there_was_a_pool_wake_nobody(
    build: SimpleNamespace, stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        number = server.loop.service.turn.counter.number
        while server.loop.monitor.stuck_call != number:  # type: ignore[union-attr]
            time.sleep(0)
        return stuck(environ, start_response)

    looks: list[int] = []
    wait = Pool._wait_as_spare
    monkeypatch.setattr(Pool, "_wait_as_spare", lambda pool: (looks.append(1), wait(pool))[1])
    with serving(build, app, timeout=SOON * 3) as server:  # of which none of these takes a part, if the machine is busy
        for _ in range(50):
            assert server.ask().status == 200
        assert server.ask(request(target="/call")).status == 504
        await_loop(server, lambda loop: loop.pool is not None)  # the monitor may have answered ahead of the watchdog
        stuck.let_go.set()
        await_loop(server, lambda loop: loop.pool.spares == 1 and len(looks) > 1)
        assert len(looks) < 25


def test_a_halt_behind_a_call_that_ended_before_it_was_given_up(build: SimpleNamespace) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        calls.extend(server.loop.calls())
        if environ["PATH_INFO"] == "/halt":
            server.loop.halt()
        start_response("200 OK", [])
        return []

    calls: list[Any] = []
    with serving(build, app, timeout=PATIENCE * 2) as server:
        server.ask()
        ((thread, connection),) = calls
        assert not server.call(lambda: server.loop.give_up(thread, connection, None))
        server.ask(request(target="/halt"))
        server.thread.join(PATIENCE)
        assert not server.thread.is_alive()


@THREADS
def test_slow_requests_are_logged_once(build: SimpleNamespace, threads: int) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/slow":
            before = len(server.errors)
            until(lambda: len(server.errors) > before)
            time.sleep(SOON)  # in which it would be logged again
        start_response("200 OK", [])
        return [b"hello"]

    with serving(build, app, threads=threads, slow_log=SOON) as server, server.connect() as client:
        for target in ("/slow", "/slow", "/"):
            assert client.send(request(target=target)).answer().body == b"hello"
    lines = [message for message, _ in server.errors]
    assert len(lines) == 2
    assert all(re.match(r"slow: GET /slow from 127\.0\.0\.1 has run for [0-9.]+ s", line) for line in lines)
    assert all("in app" in line for line in lines)


def test_all_threads_stuck_and_still_served(build: SimpleNamespace, stuck: Stuck) -> None:
    with serving(build, stuck, threads=2, timeout=SOON) as server:
        clients = [server.connect() for _ in range(5)]
        for client in clients:
            client.send(request(target="/call"))
        assert [client.answer().status for client in clients] == [504] * 5
        with server.connect() as other:
            assert other.send(GET).answer().body == b"/"
        for client in clients:
            client.socket.close()
