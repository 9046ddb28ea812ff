"""A deadline that passes in any gap: wherever the two threads stand, the client gets one head.

Each line of Python that the call executes from the application's first on is a gap, in which the pool gives the request
up. Then it is the other way round: the thread that gives up stands still at each line of its own, and the call goes on
as far as it can. In the compiled build the gaps are where C calls Python: application, observer, wire.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any, Callable

import pytest

from fastwsgi.http.errors import LoopLost
from fastwsgi.server.rows import Rows
from fastwsgi.server.threads import Pool
from tests.helpers.memory import Bench
from tests.helpers.responses import Response
from tests.helpers.site_app import GET

PATIENCE = 20.0  # seconds
HEAD = GET.replace(b"GET", b"HEAD")
ENOUGH = 3000  # gaps; there are some 250


def a_list(environ: dict[str, Any], start_response: Any) -> Any:
    start_response("200 OK", [])
    return [b"one ", b"two"]


def a_stream(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [])
    yield from [b"one ", b"", b"two"]


def a_write(environ: dict[str, Any], start_response: Any) -> Any:
    write = start_response("200 OK", [("Content-Length", "7")])
    write(b"one ")
    write(b"two")
    return []


def a_file(environ: dict[str, Any], start_response: Any) -> Any:
    start_response("200 OK", [])
    return environ["wsgi.file_wrapper"](Path(__file__).open("rb"))


def a_hint(environ: dict[str, Any], start_response: Any) -> Any:
    environ["wsgi.early_hints"]([("Link", "</a.css>")])
    return a_list(environ, start_response)


def an_error(environ: dict[str, Any], start_response: Any) -> Any:
    raise LookupError


WAYS = {"list": a_list, "stream": a_stream, "write": a_write, "file": a_file, "hint": a_hint, "error": an_error}
BODIES = {b"one two", Path(__file__).read_bytes(), b"500 Internal Server Error\n", b"504 Gateway Timeout\n", b""}


class Observer:
    """Notes the end of each response, as code and bytes."""

    def __init__(self) -> None:
        self.ends: list[tuple[int, int]] = []

    def response_started(self, exchange: Any, head: bytes) -> None:
        pass

    def response_ended(self, exchange: Any) -> None:
        self.ends.append((exchange.code, exchange.sent))


class Race:
    """One request, by the thread of its call, and the pool that gives it up; *before* requests are answered with it.

    In a *detached* call, the request has waited for a thread, so that the loop has nothing to do with it.
    """

    def __init__(
        self, build: SimpleNamespace, way: Callable[..., Any], before: int, detached: bool, method: str = "GET"
    ) -> None:
        self.way, self.before, self.detached, self.method = way, before, detached, method
        self.observer = Observer()
        self.bench = Bench(build, self.app, self.observer, threads=4)
        self.pool = self.make_pool()
        self.client = self.bench.connect()
        self.exchange: Any = None
        self.in_app: Callable[[], None] = lambda: None
        self.given_up: bool | None = None
        self.thread = 0

    def make_pool(self) -> Pool:
        service = self.bench.service
        loop: Any = SimpleNamespace(
            service=service,
            log_error=service.log_error,
            meter=service.meter,
            guard=service.guard,
            rows=Rows(service.meter),
            acceptor=SimpleNamespace(polled=True),
            aborted=False,
        )
        monitor: Any = SimpleNamespace(follow=lambda turn: None, post=lambda: None)
        pool = service.pool = Pool(loop, self.bench.settings, monitor)
        pool.spares = 1  # none is started
        return pool

    def app(self, environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/first":
            start_response("200 OK", [])
            return [b"whole"]
        self.exchange = start_response
        self.in_app()
        return self.way(environ, start_response)

    def run(self) -> None:
        """The thread of the call."""
        self.thread = self.pool.loop_thread = threading.get_ident()
        self.bench.service.full = self.detached
        last = (HEAD if self.method == "HEAD" else GET) % b"/"
        try:
            self.client.send(GET % b"/first" * self.before + last)
            while self.detached and self.pool.queued_requests:
                connection = self.pool.queued_requests.popleft()
                self.pool.detached[self.thread] = connection
                connection.run_alone()
                self.bench.settle()
        except LoopLost:
            self.bench.settle()

    def expire(self) -> None:
        """The watchdog's thread."""
        self.given_up = self.pool.give_up(self.thread, self.client.connection, self.exchange)

    def check(self) -> None:
        """One head for each request, or a visible cut; and the log says what the client saw."""
        assert self.client.closed == bool(self.client.finished or self.client.reset)
        found = [one for one in self.client.responses(["GET"] * self.before + [self.method]) if one.status >= 200]
        ends = self.observer.ends
        assert len(found) <= len(ends) == self.before + 1
        assert [one.body for one in found[: self.before]] == [b"whole"] * len(found[: self.before])
        if len(found) <= self.before:
            assert self.client.reset
        else:
            self.check_last(found[-1], *ends[-1])

    def check_last(self, response: Response, code: int, sent: int) -> None:
        assert response.status == code
        assert self.client.reset or response.whole
        assert sent >= len(response.body)
        if response.whole and self.method == "GET":
            assert response.body in BODIES
            assert sent == len(response.body)
        assert response.status != 504 or self.given_up


COUNTING = ("_meter_py.py", "server/rows.py")  # where a lock of their own is held, and nothing else happens


class Gaps:
    """Calls *act* when this thread comes to line number *at* from now on; *reached* tells whether there is one."""

    def __init__(self, at: int, act: Callable[[], None]) -> None:
        self.left = at
        self.act = act
        self.reached = False

    def trace(self, frame: FrameType, event: str, argument: object) -> Any:
        if frame.f_code.co_filename.endswith(COUNTING):
            return None
        if event == "line" and not self.reached:
            self.left -= 1
            if self.left < 0:
                self.reached = True
                self.act()
        return self.trace

    def begin(self) -> None:
        """Trace what this thread calls, and what it is in."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            frame.f_trace = self.trace
            frame = frame.f_back
        sys.settrace(self.trace)


@pytest.fixture(autouse=True)
def trace() -> Iterator[None]:
    before = sys.gettrace()  # of coverage, perhaps
    yield
    sys.settrace(before)


def race_through(make: Callable[[], Race]) -> int:
    """Let the deadline pass in each gap of the call; the number of gaps."""
    for at in range(ENOUGH):
        race = make()

        def expire(race: Race = race) -> None:
            if not race.pool.lock.locked():  # otherwise the other thread waits for it
                race.expire()

        gaps = Gaps(at, expire)
        race.in_app = gaps.begin
        race.run()
        sys.settrace(None)
        race.check()
        if not gaps.reached:
            return at
    raise AssertionError("no end")


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("kind", ["alone", "behind others", "detached"])
def test_the_deadline_passes_in_any_gap_of_the_call(
    build: SimpleNamespace, way: Callable[..., Any], kind: str
) -> None:
    before = 2 if kind == "behind others" else 0
    gaps = race_through(lambda: Race(build, way, before, kind == "detached"))
    assert gaps > (60 if build.name == "py" else 5)


def test_in_any_gap_of_an_answer_to_head(build: SimpleNamespace) -> None:
    race_through(lambda: Race(build, a_list, 1, False, "HEAD"))


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("detached", [False, True], ids=["", "detached"])
def test_the_call_goes_on_in_any_gap_of_giving_up(
    build: SimpleNamespace, way: Callable[..., Any], detached: bool
) -> None:
    for at in range(ENOUGH):
        race = Race(build, way, 1, detached)
        entered, expired, parked, as_far_as_it_can = (threading.Event() for _ in range(4))
        race.in_app = lambda entered=entered, parked=parked: (entered.set(), parked.wait(PATIENCE))  # type: ignore[misc]
        race.pool.lock = Lock(as_far_as_it_can)  # type: ignore[assignment]

        def call(race: Race = race, done: threading.Event = as_far_as_it_can) -> None:
            race.run()
            done.set()

        def stand_still(parked: threading.Event = parked, far: threading.Event = as_far_as_it_can) -> None:
            parked.set()
            assert far.wait(PATIENCE)

        gaps = Gaps(at, stand_still)

        def watch(race: Race = race, gaps: Gaps = gaps, expired: threading.Event = expired) -> None:
            sys.settrace(gaps.trace)
            race.expire()
            sys.settrace(None)
            expired.set()

        threads = [threading.Thread(target=one, daemon=True) for one in (call, watch)]
        threads[0].start()
        assert entered.wait(PATIENCE)
        threads[1].start()
        assert gaps.reached or expired.wait(PATIENCE)
        parked.set()
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        race.check()
        if not gaps.reached:
            return
    raise AssertionError("no end")


@pytest.mark.parametrize("by", ["write", "yield"])
def test_an_application_that_never_returns_is_reported(build: SimpleNamespace, by: str) -> None:
    """Its time passes while a piece is sent; what it does then, it would do for ever."""
    seen: list[int] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        write = start_response("200 OK", [])
        race.client.during_send = lambda: race.given_up or race.expire()
        if by == "write":
            try:
                write(b"one ")
            finally:
                seen.append(len(race.observer.ends))
        else:
            yield b"one "
            seen.append(-1)

    race = Race(build, app, 0, False)
    race.run()
    race.check()
    assert race.given_up
    assert seen == ([1] if by == "write" else [])


class Lock:
    """A lock that sets *waited* when a thread has to wait for it."""

    def __init__(self, waited: threading.Event) -> None:
        self.waited = waited
        self.lock = threading.Lock()

    def locked(self) -> bool:
        return self.lock.locked()

    def __enter__(self) -> None:
        if not self.lock.acquire(blocking=False):
            self.waited.set()
            self.lock.acquire()

    def __exit__(self, *_: object) -> None:
        self.lock.release()
