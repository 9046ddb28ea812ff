"""What each request adds to the figures of its process, and what they tell of the call that runs."""

from __future__ import annotations

import os
import signal
import time
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi import figures
from fastwsgi.status.scoreboard import Scoreboard
from tests.helpers.figures import answered, call_at, codes, durations, histogram, refused
from tests.helpers.memory import Bench

OLD = 3.0  # seconds; the requests of these tests are as old as that when they are answered
IN_OLD = figures.DURATION_BOUNDS.index(5.0)  # their bucket
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


class App:
    """Answers, and looks at the call that it is in."""

    def __init__(self) -> None:
        self.status = "200 OK"
        self.calls: list[Any] = []
        self.look: Any = lambda: None
        self.error: BaseException | None = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.calls.append(self.look())
        if self.error is not None:
            raise self.error
        start_response(self.status, [])
        return [] if self.status[:3] in ("204", "304") else [b"hello"]


class Metered:
    """A server in memory, whose requests have begun OLD seconds ago."""

    def __init__(self, build: SimpleNamespace, app: Any = None, **settings: Any) -> None:
        self.app = App() if app is None else app
        self.bench = Bench(build, self.app, **settings)
        self.meter = self.bench.service.meter
        self.words = self.meter.view
        self.app.look = lambda: call_at(self.words)
        age(self.bench)


def age(bench: Bench) -> None:
    """Have the requests of *bench* be OLD seconds old."""
    bench.loop.clock = time.monotonic() - OLD
    bench.loop.renew_time(bench.service)


@pytest.fixture
def metered(build: SimpleNamespace) -> Metered:
    return Metered(build)


def test_a_response_is_counted_by_code_and_duration(metered: Metered) -> None:
    client = metered.bench.connect(GET)
    metered.app.status = "304 Not Modified"
    client.send(GET.replace(b"GET", b"HEAD"))
    metered.app.status = "599 Mine"
    client.send(GET)
    metered.app.status = "999 Mine"
    client.send(GET)
    assert codes(metered.words) == {200: 1, 304: 1, 599: 2}
    assert [durations(metered.words, kind)[IN_OLD] for kind in figures.CLASSES] == [1, 1, 0, 2]
    assert answered(metered.words) == 4
    total = metered.words[figures.DURATIONS + figures.HISTOGRAM - 1]
    assert OLD * 10**9 <= total < 2 * OLD * 10**9


def test_an_application_that_fails_is_a_500_and_an_error(metered: Metered) -> None:
    metered.app.error = RuntimeError("mine")
    metered.bench.connect(GET)
    metered.app.error = None
    metered.app.status = "100 Continue"
    metered.bench.connect(GET)
    assert codes(metered.words) == {500: 2}
    assert metered.words[figures.APPLICATION_ERRORS] == 2


def test_one_behind_another_has_waited(metered: Metered) -> None:
    client = metered.bench.connect(GET * 3)
    assert len(client.responses()) == 3
    waits = histogram(metered.words, figures.QUEUE_TIMES)
    assert waits[figures.QUEUE_BOUNDS.index(5.0)] == sum(waits) == 2
    assert metered.words[figures.BUSY_TIME] < 1.5 * OLD * 10**9  # they have not kept the thread busy meanwhile


def test_a_body_that_takes_its_time_keeps_no_thread_busy(metered: Metered) -> None:
    post = b"POST /up?secret HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"
    client = metered.bench.connect(post)
    metered.bench.connect(GET)
    metered.bench.loop.clock += OLD - 0.5
    busy = metered.words[figures.BUSY_TIME]
    client.send(b"hello")
    assert metered.app.calls[-1] == ("POST /up", "")
    assert metered.words[figures.BUSY_TIME] - busy < OLD / 2 * 10**9
    assert durations(metered.words, "2xx")[IN_OLD] == 2
    assert sum(histogram(metered.words, figures.QUEUE_TIMES)) <= 1


def test_what_is_refused_is_counted_apart(metered: Metered) -> None:
    metered.bench.connect(b"GET / HTTP/1.1\r\n\r\n")
    metered.bench.connect(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n")
    metered.bench.connect(b"GET / HTTP/2.0\r\nHost: h\r\n\r\n")
    assert (refused(metered.words, 400), refused(metered.words, 505)) == (2, 1)
    assert answered(metered.words) == metered.words[figures.ABANDONED] == metered.words[figures.BUSY_TIME] == 0


def test_a_client_that_leaves_is_counted_apart(metered: Metered) -> None:
    client = metered.bench.connect(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n")
    client.vanish()
    assert metered.words[figures.ABANDONED] == 1
    assert answered(metered.words) == metered.words[figures.BUSY_TIME] == 0


def test_a_response_that_is_cut_has_its_code(build: SimpleNamespace) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "10")])
        return [b"short"]

    bench = Bench(build, app)
    assert bench.connect(GET).reset is False
    assert codes(bench.service.meter.view) == {200: 1}
    assert bench.service.meter.view[figures.APPLICATION_ERRORS] == 1


def test_the_wait_for_a_slow_client_keeps_no_thread_busy(build: SimpleNamespace) -> None:
    class Slow(App):
        def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
            start_response("200 OK", [])
            return iter([b"x" * 100000, b"y" * 100000])

    metered = Metered(build, Slow())
    client = metered.bench.connect(GET, capacity=1000)
    began = time.monotonic()
    exchange = client.connection.exchange
    assert exchange.paused >= began - 1
    assert OLD <= metered.words[figures.BUSY_TIME] / 1e9 < 1.5 * OLD  # what it has worked is counted now
    assert metered.words[figures.CALL + figures.CALL_BEGAN] < 0
    exchange.started -= 100  # as if it had waited for so long
    client.read(1 << 20)
    assert metered.words[figures.BUSY_TIME] < 2 * OLD * 10**9
    assert codes(metered.words) == {200: 1}
    assert exchange.idle > OLD


def test_the_ring_of_durations(build: SimpleNamespace) -> None:
    view = figures.private_memory()
    bench = Bench(build, App())
    meter = build.meter.Meter(view, True)
    bench.service.meter = bench.service.turn.counter.meter = meter
    age(bench)
    view[figures.RING] = figures.RING_ENTRIES - 1
    bench.connect(GET * 2)
    ring = view.cast("B").cast("I")[2 * (figures.RING + 1) :][: figures.RING_ENTRIES]
    assert view[figures.RING] == figures.RING_ENTRIES + 1
    assert [place for place, value in enumerate(ring) if value] == [0, figures.RING_ENTRIES - 1]
    assert OLD * 10**6 <= ring[0] < 2 * OLD * 10**6


# The call that runs

PATHS = ["/" + "abcdefgh" * count + "x" * more for count in (0, 1, 2, 23, 50) for more in range(8)]
METHODS = ["GET", "POST", "PROPFIND"]


@pytest.mark.parametrize("blank", [b"", b"\r\n"])
@pytest.mark.parametrize("query", [b"", b"?token=secret&more=1234567890"])
def test_it_is_shown_without_its_query(metered: Metered, blank: bytes, query: bytes) -> None:
    for method in METHODS:
        for path in PATHS:
            head = f"{method} {path}".encode() + query + b" HTTP/1.1\r\nHost: h\r\nCookie: secret\r\n\r\n"
            metered.bench.connect(blank + head)
            assert metered.app.calls[-1] == (f"{method} {path}"[: figures.CALL_NAME_BYTES], "")
            assert b"secret" not in metered.words.tobytes()
    assert call_at(metered.words) is None


def test_each_has_another_number(metered: Metered) -> None:
    metered.app.look = lambda: metered.words[figures.CALL + figures.CALL_NUMBER]
    metered.bench.connect(GET * 3)
    numbers = metered.app.calls
    assert [number & 1 for number in numbers] == [1, 1, 1]
    assert sorted(set(numbers)) == numbers


def began_ago(words: memoryview, at: int = figures.CALL) -> float:
    """The seconds for which the call has run, as others see it."""
    return (time.monotonic_ns() - words[at + figures.CALL_BEGAN]) / 1e9


def test_its_time_runs_from_when_its_thread_began(metered: Metered) -> None:
    metered.app.look = lambda: began_ago(metered.words)
    metered.bench.connect(GET * 2)
    client = metered.bench.connect(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n")
    metered.meter.free_since = 0.0
    metered.bench.loop.clock = time.monotonic()
    client.send(b"hello")
    first, behind, after_its_body = metered.app.calls
    assert first >= OLD > behind + 1
    assert after_its_body < OLD - 1


def test_its_time_is_counted_once(metered: Metered) -> None:
    call = figures.CALL + figures.CALL_BEGAN

    class Looks(SimpleNamespace):
        def response_ended(self, exchange: Any) -> None:
            seen.append((metered.words[figures.CALL] & 1, metered.words[call] < 0))

    seen: list[Any] = []
    metered.bench.service.response_ended = Looks().response_ended
    metered.app.look = lambda: metered.words[call] > 0
    metered.bench.connect(GET * 2)
    assert metered.app.calls == [True, True]
    assert seen == [(1, True)] * 2  # it still runs, and is marked


def test_an_id_is_shown_with_its_call_alone(metered: Metered) -> None:
    def look() -> Any:
        if len(metered.app.calls) == 0:
            metered.meter.show_id("7" * 50)
        return call_at(metered.words)

    metered.app.look = look
    metered.bench.connect(GET * 2)
    assert metered.app.calls == [("GET /", "7" * figures.CALL_ID_BYTES), ("GET /", "")]


# The memory


def test_a_forked_child_counts_nothing(metered: Metered) -> None:
    before = metered.words.tolist()
    if (pid := os.fork()) == 0:
        metered.bench.service.disown()
        own = metered.meter.view
        metered.meter.add(figures.SENT, 5)
        metered.meter.end_call()
        os._exit(0 if own[figures.SENT] == 5 and metered.words.tolist() == before else 1)
    assert os.waitpid(pid, 0)[1] == 0


def test_the_successor_of_a_killed_worker_counts_on(build: SimpleNamespace) -> None:
    board = Scoreboard()
    for _ in range(2):
        slot = board.allocate()
        if (pid := os.fork()) == 0:
            bench = Bench(build, App())
            bench.service.meter = bench.service.turn.counter.meter = build.meter.Meter(slot.memory)
            bench.service.meter.set(figures.BUSY, 1)
            bench.connect(GET * 2)
            os.kill(os.getpid(), signal.SIGKILL)
        assert os.waitpid(pid, 0)[1] == signal.SIGKILL
        assert slot.busy == 1
        slot.clear()
        assert (slot.number, slot.busy) == (1, 0)
    assert codes(slot.memory) == {200: 4}
    assert answered(slot.memory) == 4


def test_memory_of_another_size_is_refused(build: SimpleNamespace) -> None:
    if build.name == "py":
        pytest.skip("Python checks each index")
    with pytest.raises(ValueError, match="not the memory"):
        build.meter.Meter(memoryview(bytearray(800)).cast("q"))
    with pytest.raises(IndexError):
        build.meter.Meter().add(figures.SIZE, 1)
