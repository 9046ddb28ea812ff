"""A request past its deadline: its client gets one 504 or a cut response, and nothing that the application does then.

In a server another thread calls Connection.expire(), at any moment of the application's. Here the moment is the test's:
the application itself makes the call, or its observer, or an iterable between two pieces.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import pytest

from tests.helpers.memory import Bench, Client
from tests.helpers.site_app import GET, POST, statuses

HEAD = GET.replace(b"GET", b"HEAD")
EXPIRE = GET % b"/expire"
TEXT = b"504 Gateway Timeout\n"


class Observer:
    """Notes the end of each response, as code and bytes; *on_head* is called when a head is made."""

    def __init__(self) -> None:
        self.ends: list[tuple[int, int]] = []
        self.on_head: Callable[[Any], object] = lambda exchange: None

    def response_started(self, exchange: Any, head: bytes) -> None:
        self.on_head(exchange)

    def response_ended(self, exchange: Any) -> None:
        self.ends.append((exchange.code, exchange.sent))


def expire(exchange: Any) -> bool:
    """What the watchdog does; whether there was something to give up."""
    return bool(exchange.connection.expire(exchange))


def give_up(exchange: Any) -> None:
    """What the pool does with the stream that is the furthest behind."""
    exchange.connection.given_up = True


# Ways of an application to answer, once its time is over; start_response is the exchange


def a_list(environ: dict[str, Any], start_response: Any) -> Any:
    start_response("200 OK", [])
    return [b"late"]


def nothing(environ: dict[str, Any], start_response: Any) -> Any:
    start_response("204 No Content", [])
    return []


def a_stream(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [])
    yield from [b"late"] * 3


def a_write(environ: dict[str, Any], start_response: Any) -> Any:
    write = start_response("200 OK", [])
    write(b"late")
    write(b"later")
    return [b"latest"]


def a_file(environ: dict[str, Any], start_response: Any) -> Any:
    start_response("200 OK", [])
    return environ["wsgi.file_wrapper"](Path(__file__).open("rb"))


def an_early_hint(environ: dict[str, Any], start_response: Any) -> Any:
    environ["wsgi.early_hints"]([("Link", "</a.css>")])
    return a_list(environ, start_response)


def an_error(environ: dict[str, Any], start_response: Any) -> Any:
    raise LookupError


def a_breach(environ: dict[str, Any], start_response: Any) -> Any:
    return [b"without a head"]


WAYS = [a_list, nothing, a_stream, a_write, a_file, an_early_hint, an_error, a_breach]


class Expiring:
    """An application that answers "whole"; /expire: its time is over first, and then it answers in that *way*."""

    def __init__(self, way: Callable[..., Any]) -> None:
        self.way = way
        self.given_up: list[bool] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/expire":
            self.given_up.append(expire(start_response))
            return self.way(environ, start_response)
        start_response("200 OK", [])
        return [b"whole"]


def ended_by_504(client: Client) -> bool:
    """Whether nothing else came behind it, so that the client can read it."""
    return client.finished and not client.reset and client.connection.state == "closed"


# Nothing of the response is out yet


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_client_gets_one_504_and_nothing_else(build: SimpleNamespace, way: Callable[..., Any]) -> None:
    app, observer = Expiring(way), Observer()
    client = Bench(build, app, observer).connect(EXPIRE + GET % b"/never")
    (answer,) = client.responses()
    assert (answer.status, answer.body, answer.whole) == (504, TEXT, True)
    assert answer.field("Connection") == "close"
    assert answer.field("Content-Type") == "text/plain"
    assert answer.field("Date") is not None
    assert app.given_up == [True]
    assert observer.ends == [(504, len(TEXT))]
    assert ended_by_504(client)


def test_to_head_there_is_no_body(build: SimpleNamespace) -> None:
    observer = Observer()
    client = Bench(build, Expiring(a_list), observer).connect(HEAD % b"/expire")
    assert client.received.endswith(b"\r\n\r\n")
    (answer,) = client.responses(["HEAD"])
    assert (answer.status, answer.field("Content-Length")) == (504, str(len(TEXT)))
    assert observer.ends == [(504, 0)]


def test_a_request_with_a_body(build: SimpleNamespace) -> None:
    client = Bench(build, Expiring(a_list)).connect((POST % 5).replace(b"/post", b"/expire") + b"hello")
    assert statuses(client) == [504]
    assert ended_by_504(client)


@pytest.mark.parametrize("before", [1, 2, 40])
def test_answers_that_were_gathered_come_first(build: SimpleNamespace, before: int) -> None:
    observer = Observer()
    client = Bench(build, Expiring(a_list), observer).connect(GET % b"/" * before + EXPIRE)
    answers = client.responses()
    assert [(one.status, one.body, one.whole) for one in answers] == [(200, b"whole", True)] * before + [
        (504, TEXT, True)
    ]
    assert observer.ends == [(200, 5)] * before + [(504, len(TEXT))]
    assert ended_by_504(client)


@pytest.mark.parametrize("room", [0, 10, 200])
def test_where_those_do_not_fit_the_connection_is_cut(build: SimpleNamespace, room: int) -> None:
    """To wait for the client would hold up the thread that looks after the deadlines."""
    observer = Observer()
    client = Bench(build, Expiring(a_list), observer).connect(GET % b"/" * 3 + EXPIRE, capacity=room)
    assert b"504" not in client.received
    assert len(client.received) == room
    assert (client.closed, client.reset) == (True, True)
    assert len(observer.ends) == 4


def test_between_start_response_and_the_first_piece(build: SimpleNamespace) -> None:
    """The head is held back until then."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("X-Late", "yes")])
        yield b""
        assert expire(start_response)
        yield b"late"

    observer = Observer()
    client = Bench(build, app, observer).connect(GET % b"/")
    assert [(one.status, one.body) for one in client.responses()] == [(504, TEXT)]
    assert observer.ends == [(504, len(TEXT))]


def test_the_iterable_is_closed_all_the_same(build: SimpleNamespace) -> None:
    closed: list[str] = []

    class Pieces:
        def __iter__(self) -> Iterator[bytes]:
            yield b"late"

        def close(self) -> None:
            closed.append("closed")

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        expire(start_response)
        start_response("200 OK", [])
        return Pieces()

    client = Bench(build, app).connect(GET % b"/")
    assert statuses(client) == [504]
    assert closed == ["closed"]


# The head leaves this very moment


FINISHED = {"list": a_list, "stream": a_stream, "write": a_write, "file": a_file, "nothing": nothing}


@pytest.mark.parametrize("way", FINISHED.values(), ids=FINISHED)
@pytest.mark.parametrize("before", [0, 1])
def test_a_head_that_is_being_finished_is_cut(build: SimpleNamespace, way: Callable[..., Any], before: int) -> None:
    """Neither a 504 behind a head that left, nor two heads: that would be the answer to a request that nobody sent."""
    observer = Observer()
    given_up: list[bool] = []

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/first":
            start_response("200 OK", [])
            return [b"whole"]
        observer.on_head = lambda exchange: given_up.append(expire(exchange))
        return way(environ, start_response)

    client = Bench(build, app, observer).connect(GET % b"/first" * before + GET % b"/")
    assert given_up == [True]
    assert [one.body for one in client.responses()] in ([], [b"whole"] * before)  # what is before it may have left
    assert (client.closed, client.reset) == (True, True)
    assert len(observer.ends) == before + 1
    assert observer.ends[-1][0] in (200, 204)


def test_bytes_that_are_being_sent_are_not_sent_twice(build: SimpleNamespace) -> None:
    """The thread of the call is sending what was gathered before it, and another one finds the time over."""
    given_up: list[bool] = []

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        if environ["PATH_INFO"] == "/first":
            return [b"whole"]
        client.during_send = lambda: given_up or given_up.append(expire(start_response))
        return iter([b"late"])

    client = Bench(build, app).connect()
    client.send(GET % b"/first" + GET % b"/")
    assert given_up == [True]
    assert [one.body for one in client.responses()] == [b"whole"]
    assert (client.closed, client.reset) == (True, True)


def test_a_stream_that_is_out_in_part_is_cut(build: SimpleNamespace) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", "8")])
        yield b"half"
        assert expire(start_response)
        yield b"late"

    observer = Observer()
    client = Bench(build, app, observer).connect(GET % b"/")
    (answer,) = client.responses()
    assert (answer.status, answer.body, answer.whole) == (200, b"half", False)
    assert (client.closed, client.reset) == (True, True)
    assert observer.ends == [(200, 4)]


# It has ended before


def test_a_response_that_has_just_ended_is_left_alone(build: SimpleNamespace) -> None:
    observer = Observer()
    ended: list[Any] = []

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        ended.append(start_response)
        start_response("200 OK", [])
        return [b"whole"]

    client = Bench(build, app, observer).connect(GET % b"/")
    assert not client.connection.expire(ended[0])
    client.send(GET % b"/")
    assert not client.connection.expire(ended[0])  # another request's time would not be over
    assert [one.body for one in client.responses()] == [b"whole"] * 2
    assert client.is_open
    assert observer.ends == [(200, 5)] * 2


def test_the_time_of_an_earlier_request_is_not_that_of_the_next(build: SimpleNamespace) -> None:
    calls: list[Any] = []

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        calls.append(start_response)
        assert len(calls) == 1 or not start_response.connection.expire(calls[0])
        start_response("200 OK", [])
        return [b"whole"]

    client = Bench(build, app).connect(GET % b"/" * 2)
    assert [one.body for one in client.responses()] == [b"whole"] * 2
    assert client.is_open


def test_a_stream_that_waits_for_its_client_is_not_the_applications_fault(build: SimpleNamespace) -> None:
    """Its deadline is another: write_timeout."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield from [b"piece"] * 100

    client = Bench(build, app).connect(GET % b"/", capacity=200)
    assert client.connection.state == "sending"
    assert not client.connection.expire(client.connection.exchange)
    client.read(10**6)
    assert client.responses()[0].body == b"piece" * 100


# Given up: looked at before bytes are sent


def by_pieces(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [])
    yield b"first"
    give_up(start_response)
    yield b"second"


def by_write(environ: dict[str, Any], start_response: Any) -> Any:
    write = start_response("200 OK", [])
    write(b"first")
    give_up(start_response)
    write(b"second")
    return [b"second"]


def by_list_behind_write(environ: dict[str, Any], start_response: Any) -> Any:
    start_response("200 OK", [])(b"first")
    give_up(start_response)
    return [b"second"]


@pytest.mark.parametrize("way", [by_pieces, by_write, by_list_behind_write], ids=lambda way: way.__name__)
def test_not_a_byte_of_what_comes_after(build: SimpleNamespace, way: Callable[..., Any]) -> None:
    client = Bench(build, way).connect(GET % b"/")
    assert b"first" in client.received
    assert b"second" not in client.received
    assert client.responses()[0].whole is False
    assert client.closed


@pytest.mark.parametrize("way", FINISHED.values(), ids=FINISHED)
def test_nor_of_a_response_that_was_not_begun(build: SimpleNamespace, way: Callable[..., Any]) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        give_up(start_response)
        return way(environ, start_response)

    client = Bench(build, app).connect(GET % b"/")
    assert client.received == b""
    assert client.closed


def test_nor_of_a_file(build: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 10**6)

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](path.open("rb"))

    client = Bench(build, app).connect(GET % b"/", capacity=1000)
    assert client.connection.state == "sending"
    client.connection.given_up = True
    client.read(10**6)
    assert len(client.received) == 1000
    assert client.closed


def test_nor_of_a_piece_that_waits_in_the_buffer(build: SimpleNamespace) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        return [b"x" * 10**6]

    client = Bench(build, app).connect(GET % b"/", capacity=1000)
    client.connection.given_up = True
    client.read(10**6)
    assert len(client.received) == 1000
    assert client.closed
