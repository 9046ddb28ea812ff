"""close() of what the application returned: called once, always, however the response ends (PEP 3333)."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any, Callable

import pytest

from tests.helpers.serving import GET, GET_1_0, HEAD, PATIENCE, Server, request, serving


class Counted:
    """An iterable that knows how often it was closed, and tells those who wait for it."""

    def __init__(self, pieces: Iterable[Any]) -> None:
        self.pieces = iter(pieces)
        self.closed = 0
        self.asked = 0
        self.is_closed = threading.Event()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        assert not self.closed, "asked after close()"
        self.asked += 1
        piece = next(self.pieces)
        if isinstance(piece, BaseException):
            raise piece
        return piece

    def close(self) -> None:
        self.closed += 1
        self.is_closed.set()


class CountedList(list):  # type: ignore[type-arg]
    """A list that can be closed."""

    closed = 0

    def close(self) -> None:
        self.closed += 1


def giving(result: Any, status: str = "200 OK", headers: Iterable[tuple[str, str]] = ()) -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/other":
            start_response("200 OK", [])
            return [b"other"]
        if status:
            start_response(status, list(headers))
        return result

    return app


OTHER = request(target="/other")
SHORT = [("Content-Length", "4")]


@pytest.mark.parametrize(
    ("pieces", "arguments", "sent"),
    [
        ([b"he", b"llo"], {}, GET),
        ([b"he", b"llo"], {}, GET_1_0),
        ([b"he", b"llo"], {}, HEAD),
        ([b"he", b"llo"], {"status": "204 No Content"}, GET),
        ([b"he", b"llo"], {"status": "205 Reset Content"}, GET),
        ([b"he", b"llo"], {"status": "304 Not Modified"}, GET),
        ([], {}, GET),
        ([b"", b""], {}, GET),
        ([b"he", b"llo"], {"headers": SHORT}, GET),
        ([b"he"], {"headers": SHORT}, GET),
        ([b"he", LookupError()], {"headers": SHORT}, GET),
        ([LookupError()], {}, GET),
        ([LookupError()], {}, HEAD),
        ([b"he", LookupError()], {}, GET),
        ([b"he", SystemExit()], {}, GET_1_0),
        ([b"he", "llo"], {}, GET),
        (["he"], {}, GET),
        ([b"he"], {"status": ""}, GET),
        ([], {"status": ""}, GET),
    ],
)
def test_close_is_called_once(build: SimpleNamespace, pieces: list[Any], arguments: Any, sent: bytes) -> None:
    result = Counted(pieces)
    with serving(build, giving(result, **arguments)) as server:
        with server.connect() as client:
            client.send(sent + OTHER.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")).rest()
            assert result.is_closed.wait(PATIENCE)
        server.settle()
    assert result.closed == 1


def test_a_list_with_close_is_closed(build: SimpleNamespace) -> None:
    result = CountedList([b"hello"])
    with serving(build, giving(result)) as server:
        assert server.ask().body == b"hello"
        server.settle()
    assert result.closed == 1


def test_what_cannot_be_iterated_is_closed(build: SimpleNamespace) -> None:
    class Broken:
        closed = 0

        def __iter__(self) -> Any:
            raise LookupError

        def close(self) -> None:
            self.closed += 1

    result = Broken()
    with serving(build, giving(result)) as server:
        assert server.ask().status == 500
    assert result.closed == 1


def test_close_that_raises_is_called_once_and_logged(build: SimpleNamespace) -> None:
    class Failing(Counted):
        def close(self) -> None:
            super().close()
            raise SystemExit("in close()")

    result = Failing([b"hello"])
    with serving(build, giving(result)) as server, server.connect() as client:
        assert client.send(GET).answer().whole
        assert client.send(OTHER).answer().body == b"other"
        assert "in close()" in server.log
    assert result.closed == 1


def test_close_is_called_after_the_last_piece_and_before_the_next_request(build: SimpleNamespace) -> None:
    events: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        events.append("called")
        start_response("200 OK", [])
        try:
            yield b"piece"
            events.append("last")
        finally:
            events.append("closed")

    with serving(build, app) as server, server.connect() as client:
        client.send(GET * 3)
        assert [client.answer().body for _ in range(3)] == [b"piece"] * 3
    assert events == ["called", "last", "closed"] * 3


# Streams that are left


BLOCK = b"x" * 65536


def endless() -> Iterator[bytes]:
    while True:
        yield BLOCK


def vanish(server: Server, client: Any) -> None:
    client.reset()


def leave(server: Server, client: Any) -> None:
    client.socket.close()


def stall(server: Server, client: Any) -> None:
    server.advance(31)


def stop(server: Server, client: Any) -> None:
    server.call(server.loop.abort)


@pytest.mark.parametrize("end", [vanish, leave, stall, stop])
@pytest.mark.parametrize("kind", ["iterable", "generator"])
def test_close_is_called_when_nobody_reads(build: SimpleNamespace, end: Callable[..., None], kind: str) -> None:
    result = Counted(endless())
    finished = threading.Event()

    def generator() -> Iterator[bytes]:
        try:
            yield from endless()
        finally:
            finished.set()

    app = giving(result if kind == "iterable" else generator())
    with serving(build, app) as server, server.connect(receive_buffer=4096) as client:
        client.send(GET).until(BLOCK[:4096])
        server.settle()
        end(server, client)
        assert (result.is_closed if kind == "iterable" else finished).wait(PATIENCE)
        assert server.connections() == 0
        assert server.errors == []
    assert result.closed == (kind == "iterable")


def test_close_is_called_when_the_client_left_between_two_pieces(build: SimpleNamespace) -> None:
    gone = threading.Event()
    result = Counted(endless())

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        assert gone.wait(PATIENCE)
        return result

    with serving(build, app) as server, server.connect() as client:
        client.send(GET).reset()
        gone.set()
        assert result.is_closed.wait(PATIENCE)
        server.settle()
        assert server.errors == []
    assert result.closed == 1


def test_a_client_that_left_is_told_to_write_and_to_nobody_else(build: SimpleNamespace) -> None:
    gone, told = threading.Event(), threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [])
        assert gone.wait(PATIENCE)
        try:
            while True:
                write(BLOCK)
        except ConnectionError:
            told.set()
            raise
        return []

    with serving(build, app) as server, server.connect() as client:
        client.send(GET).reset()
        gone.set()
        assert told.wait(PATIENCE)
        assert server.connections() == 0
        assert server.errors == []


@pytest.mark.parametrize("kind", ["HEAD", "204", "205", "304", "too long"])
def test_a_stream_without_end_is_not_run_for_a_response_that_is_over(build: SimpleNamespace, kind: str) -> None:
    result = Counted(endless())
    status = {"204": "204 No Content", "205": "205 Reset Content", "304": "304 Not Modified"}.get(kind, "200 OK")
    headers = SHORT if kind == "too long" else []
    with serving(build, giving(result, status, headers)) as server, server.connect() as client:
        client.send(HEAD if kind == "HEAD" else GET)
        answer = client.answer(to_head=kind == "HEAD")
        assert (answer.whole, answer.body) == (True, b"xxxx" if kind == "too long" else b"")
        assert result.is_closed.wait(PATIENCE)
        assert client.send(OTHER).answer().body == b"other"
    assert (result.asked, result.closed) == (1, 1)


@pytest.mark.parametrize("kind", ["chunked", "empty", "failing"])
def test_all_of_a_response_is_sent_before_close_is_called(build: SimpleNamespace, kind: str) -> None:
    """close() may take its time: frameworks run there what is to be done behind a request."""
    release = threading.Event()

    class Slow:
        def __iter__(self) -> Iterator[bytes]:
            if kind == "failing":
                raise ValueError("planted")
            return iter([b"hello"] if kind == "chunked" else [])

        def close(self) -> None:
            release.wait(PATIENCE)

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return Slow()

    with serving(build, app) as server, server.connect() as client:
        answer = client.send(GET).answer()
        assert not release.is_set()
        release.set()
        assert (answer.status, answer.whole) == (500 if kind == "failing" else 200, True)
        assert answer.body == {"chunked": b"hello", "empty": b""}.get(kind, answer.body)
