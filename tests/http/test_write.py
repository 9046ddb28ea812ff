"""write() (PEP 3333): what it is given is sent at once, in order, and without waiting for a slow client."""

from __future__ import annotations

import os
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi.http import write_ahead
from fastwsgi.http.errors import ClientDisconnected
from tests.helpers.memory import Bench
from tests.helpers.serving import GET, GET_1_0, HEAD, request, serving


def writing(*pieces: bytes, result: Any = (), headers: Iterable[tuple[str, str]] = ()) -> Any:
    """An application that writes *pieces* and returns *result*."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/other":
            start_response("200 OK", [])
            return [b"other"]
        write = start_response("200 OK", list(headers))
        for piece in pieces:
            assert write(piece) is None
        return result() if callable(result) else result

    return app


@pytest.mark.parametrize(
    ("pieces", "result", "body"),
    [
        ([b"he", b"llo"], [], b"hello"),
        ([b"he", b"", b"llo"], (), b"hello"),
        ([b"he"], [b"l", b"lo"], b"hello"),
        ([b"he"], (b"llo",), b"hello"),
        ([b"he"], lambda: iter([b"l", b"lo"]), b"hello"),
        ([b"he"], [b"x" * 200000], b"he" + b"x" * 200000),
        ([b"x" * 200000], [b"y"], b"x" * 200000 + b"y"),
        ([b""], [b"hello"], b"hello"),
        ([b""], [], b""),
    ],
)
@pytest.mark.parametrize("announced", [False, True], ids=["", "announced"])
@pytest.mark.parametrize("sent", [GET, GET_1_0], ids=["1.1", "1.0"])
def test_written_pieces_come_before_returned_ones(
    build: SimpleNamespace, pieces: list[bytes], result: Any, body: bytes, announced: bool, sent: bytes
) -> None:
    headers = [("Content-Length", str(len(body)))] if announced else []
    with serving(build, writing(*pieces, result=result, headers=headers)) as server:
        answer = server.ask(sent)
        assert (answer.status, answer.body, answer.whole) == (200, body, True)
        assert server.errors == []


def test_head_gets_no_written_bytes(build: SimpleNamespace) -> None:
    app = writing(b"hello", result=[b"world"], headers=[("Content-Length", "10")])
    with serving(build, app) as server, server.connect() as client:
        for _ in range(2):
            answer = client.send(HEAD).answer(to_head=True)
            assert (answer.status, answer.get("Content-Length")) == (200, "10")
        assert client.send(request(target="/other")).answer().body == b"other"


@pytest.mark.parametrize("piece", ["text", None, 1, bytearray(b"x"), [b"x"]], ids=repr)
def test_write_takes_bytes_only(build: SimpleNamespace, piece: Any) -> None:
    with serving(build, writing(piece)) as server:
        assert server.ask().status == 500
        assert "must be bytes" in server.log


def test_write_past_the_end_of_the_response_is_refused(build: SimpleNamespace) -> None:
    kept: list[Any] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        for write in kept:
            with pytest.raises(Exception, match="after the response ended"):
                write(b"stray")
        kept.append(start_response("200 OK", [("Content-Length", "5")]))
        return [b"hello"]

    with serving(build, app) as server, server.connect() as client:
        assert [client.send(GET).answer().body for _ in range(3)] == [b"hello"] * 3, server.log


def test_write_does_not_wait_for_a_slow_client(build: SimpleNamespace) -> None:
    """3 MB are taken while the client reads nothing; others are served; then all comes in order."""
    pieces = [b"%07d\n" % number * 128 for number in range(3000)]
    before = len(os.listdir("/proc/self/fd"))
    with serving(build, writing(*pieces, result=lambda: iter([b"and ", b"the rest"]))) as server:
        with server.connect(receive_buffer=8192) as client:
            client.send(GET)
            client.until(b"\r\n\r\n")
            assert server.ask(request(target="/other")).body == b"other"
            client.buffer[:0] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            answer = client.answer()
            assert answer.whole
            assert answer.body == b"".join(pieces) + b"and the rest"
            assert client.send(request(target="/other")).answer().body == b"other"
        assert server.connections() == 0
    assert len(os.listdir("/proc/self/fd")) <= before


def test_what_was_written_ahead_is_dropped_with_the_client(build: SimpleNamespace) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with serving(build, writing(*[b"x" * 65536] * 100)) as server:
        with server.connect(receive_buffer=8192) as client:
            client.send(GET).until(b"\r\n\r\n")
            client.reset()
        assert server.connections() == 0
    assert len(os.listdir("/proc/self/fd")) <= before


def test_write_from_within_the_iterable_keeps_the_order(build: SimpleNamespace) -> None:
    """PEP 3333 forbids it; if it is done nevertheless, nothing may be mixed up."""
    written = [b"%07d\n" % number * 512 for number in range(600)]

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        write = start_response("200 OK", [])
        for piece in written:
            write(piece)
        yield b"yielded"
        write(b"last")

    with serving(build, app) as server, server.connect(receive_buffer=8192) as client:
        client.send(GET).until(b"\r\n\r\n")
        server.settle()
        client.buffer[:0] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        answer = client.answer()
        assert answer.whole
        assert answer.body == b"".join(written) + b"yieldedlast"


def test_a_spoilt_piece_is_the_last(build: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary file that takes half a piece: what the client has is a beginning, and the connection is cut."""

    class Full:
        def __init__(self, *arguments: Any) -> None:
            raise OSError(28, "No space left on device")

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        write = start_response("200 OK", [])
        write(b"a" * 2_000_000)
        with pytest.raises(OSError, match="No space"):
            write(b"b" * 100)
        for _ in range(3):
            with pytest.raises(ClientDisconnected):
                write(b"c" * 100)
        return [b"d"]

    monkeypatch.setattr(write_ahead, "WriteAhead", Full)
    client = Bench(build, app).connect(GET, capacity=1000)
    client.capacity = None
    client.bench.settle()
    assert (client.closed, client.reset) == (True, True)
    assert not set(b"bcd") & set(client.received.split(b"\r\n\r\n")[1])
