"""Routes are answered ahead of the application and of its queue, and otherwise as any request is."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi import figures
from tests.helpers.figures import answered, codes, histogram
from tests.helpers.memory import Bench
from tests.helpers.responses import Response
from tests.helpers.serving import GET, GET_1_0, request

PROBE = request(target="/livez")


class App:
    """Notes who was called."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.called: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.called.append(environ["REQUEST_METHOD"] + environ["PATH_INFO"])
        body = environ["wsgi.input"].read()
        start_response("200 OK", [])
        return [self.name + body]


class FullPool:
    """A queue without room."""

    def has_room(self) -> bool:
        return False


class Routed:
    """A bench with a route at /livez."""

    def __init__(self, build: SimpleNamespace, **settings: Any) -> None:
        self.app, self.route = App(b"app"), App(b"route")
        self.bench = Bench(build, self.app, **settings)
        self.bench.service.routes = build.routes.Routes({"/livez": self.route, "/a/long/one": self.route})

    def fill(self) -> None:
        """Have all threads be busy, and the queue be full."""
        self.bench.service.full, self.bench.service.pool = True, FullPool()

    def ask(self, data: bytes, *methods: str) -> list[Response]:
        """The responses to *data*, each whole."""
        found = self.bench.connect(data).responses(list(methods))
        assert all(one.whole for one in found)
        return found


@pytest.fixture
def routed(build: SimpleNamespace) -> Routed:
    return Routed(build)


@pytest.mark.parametrize("path", ["/", "/livezz", "/LIVEZ", "/livez/", "/live", "//livez", "/a/long/One", "/abcde"])
def test_only_the_path_itself_is_a_route(routed: Routed, path: str) -> None:
    assert [one.body for one in routed.ask(request(target=path))] == [b"app"]
    assert (routed.route.called, routed.bench.service.served) == ([], 1)


@pytest.mark.parametrize("target", ["/livez", "/livez?a=b", "/l%69vez", "http://test/livez", "/a/long/one"])
def test_a_route_is_no_request_of_the_application(routed: Routed, target: str) -> None:
    """Nor does it bring a worker nearer to max_requests, however it is spelt."""
    routed.bench.service.quota = 1
    routed.bench.service.quota_reached = lambda: pytest.fail("counted")
    for data in (request(target=target), request("POST", target, body=b" body")):
        (found,) = routed.ask(data)
        assert (found.status, found.field("Connection")) == (200, None)
        assert found.field("Date") is not None
        assert found.field("Server") == "fastwsgi"
        assert found.body == (b"route body" if data.startswith(b"POST") else b"route")
    assert (routed.app.called, routed.bench.service.served) == ([], 0)


@pytest.mark.parametrize("status", ["200 OK", "503 Service Unavailable"])
def test_it_is_counted_apart(build: SimpleNamespace, status: str) -> None:
    routed = Routed(build)

    def ready(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response(status, [])
        yield from [b"x" * 50] * 20

    routed.bench.service.routes = build.routes.Routes({"/readyz": ready})
    routed.ask(GET)  # keeps the thread
    words = routed.bench.service.meter.view
    routed.bench.service.meter.free_since += 3600
    before = words.tolist()
    slow = routed.bench.connect(request(target="/readyz"), capacity=100)
    slow.read(5000)
    assert slow.responses()[0].whole
    routed.ask(request("POST", "/readyz", body=b"x"))
    gone = routed.bench.connect(request(target="/readyz"), capacity=100)
    gone.connection.drop(True)
    after = words.tolist()
    counted = figures.PROBE_ANSWERS + figures.PROBE_CODES.index(int(status[:3]))
    assert {index: after[index] - before[index] for index in range(figures.SIZE) if before[index] != after[index]} == {
        counted: 3
    }
    assert (answered(words), codes(words), sum(histogram(words, figures.QUEUE_TIMES))) == (1, {200: 1}, 0)


def test_a_failure_of_a_route_is_none_of_the_application(routed: Routed) -> None:
    routed.route.name = None  # type: ignore[assignment]
    routed.ask(PROBE)
    words = routed.bench.service.meter.view
    assert (words[figures.APPLICATION_ERRORS], answered(words)) == (0, 0)


@pytest.mark.parametrize("body", [b"", b"body"])
def test_a_probe_that_comes_byte_by_byte_while_all_is_busy(routed: Routed, body: bytes) -> None:
    routed.fill()
    data = request("POST", "/livez", body=body) if body else PROBE
    client = routed.bench.connect(data[:1])
    for place in range(1, len(data)):
        client.send(data[place : place + 1])
    assert [one.body for one in client.responses()] == [b"route" + body]


def test_a_probe_that_expects_100_continue_while_all_is_busy(routed: Routed) -> None:
    routed.fill()
    head = request("POST", "/livez", [("Content-Length", "4"), ("Expect", "100-continue")])
    client = routed.bench.connect(head)
    assert client.received.startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
    client.send(b"body")
    assert b"routebody" in client.received


def test_the_path_is_what_the_application_would_get(build: SimpleNamespace) -> None:
    routed = Routed(build, root_path="/shop")
    assert [one.body for one in routed.ask(request(target="/shop/livez") + PROBE)] == [b"route", b"route"]


@pytest.mark.parametrize(
    ("data", "method", "status", "body", "is_open"),
    [
        (request("HEAD", "/livez"), "HEAD", 200, b"", True),
        (request("OPTIONS", "/livez"), "OPTIONS", 200, b"route", True),
        (request(target="/livez", version="1.0"), "GET", 200, b"route", False),
        (request(target="/livez", fields=[("Connection", "close")]), "GET", 200, b"route", False),
        (request(target="/livez", fields=[("Host", "other")]), "GET", 400, b"400 Bad Request\n", False),
        (request(target="/livez", fields=[("Expect", "x")]), "GET", 417, b"417 Expectation Failed\n", False),
    ],
)
def test_it_is_framed_and_refused_as_any_request(
    routed: Routed, data: bytes, method: str, status: int, body: bytes, is_open: bool
) -> None:
    client = routed.bench.connect(data)
    (found,) = client.responses([method])
    assert (found.status, found.body, client.is_open) == (status, body, is_open)


def test_a_busy_service_answers_routes_alone(routed: Routed) -> None:
    routed.fill()
    slow = routed.bench.connect(PROBE[:20])
    slow.send(PROBE[20:])
    (found,) = slow.responses()
    assert found.body == b"route"
    assert [one.status for one in routed.ask(PROBE + PROBE + GET)] == [200, 200, 503]
    assert [one.status for one in routed.ask(request("POST", "/livez", body=b"x" * 9) + GET_1_0)] == [200, 503]
    (found,) = routed.ask(request("POST", "/livez", [("Transfer-Encoding", "chunked")]) + b"3\r\nabc\r\n0\r\n\r\n")
    assert found.body == b"routeabc"
    assert routed.app.called == []


def test_behind_and_before_requests_of_the_application(routed: Routed) -> None:
    assert [one.body for one in routed.ask(GET + PROBE + GET + PROBE)] == [b"app", b"route", b"app", b"route"]


def test_it_is_answered_during_a_stop(routed: Routed) -> None:
    routed.bench.service.draining = True
    (found,) = routed.ask(PROBE)
    assert (found.body, found.field("Connection")) == (b"route", "close")


def test_a_route_s_failure_is_a_500(routed: Routed) -> None:
    routed.route.name = None  # type: ignore[assignment]
    (found,) = routed.ask(PROBE)
    assert found.status == 500
    assert [message for message, _ in routed.bench.errors] == ["the application failed (GET /livez)"]


def test_a_route_that_gives_pieces_needs_no_thread(build: SimpleNamespace) -> None:
    """Also where the application's streams stay on their threads, and where the client is slow."""
    routed = Routed(build, threads=4)

    def pieces(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield from [b"x" * 50] * 20

    routed.bench.service.routes = build.routes.Routes({"/livez": pieces})
    client = routed.bench.connect(PROBE, capacity=100)
    assert client.is_awaited
    client.read(5000)
    (found,) = client.responses()
    assert (found.whole, found.body) == (True, b"x" * 1000)
