"""Clients that send too much at once, or leave at any moment, and slow ones beside threads: nobody else notices, and
nothing is left of them. The same at full size, with figures: ci/abuse.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.endless import CHUNKED, ENDLESS
from tests.helpers.serving import GET, Client, Server, chunked, request, serving

POST = request("POST", fields=[("Content-Length", "1000")])
PIECE = b"x" * 65536
THREADS = pytest.mark.parametrize("threads", [1, 4])


@pytest.fixture
def site(tmp_path: Path) -> Any:
    """Answers with 50 MB as a list, a file or a stream; or with the body."""
    path = tmp_path / "file"
    path.write_bytes(PIECE)
    os.truncate(path, 800 * len(PIECE))

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        target = environ["PATH_INFO"]
        start_response("200 OK", [("Content-Length", str(800 * len(PIECE)))] if target == "/list" else [])
        if target == "/list":
            return [PIECE] * 800
        if target == "/file":
            return environ["wsgi.file_wrapper"](path.open("rb"))
        if target == "/stream":
            return (PIECE for _ in range(800))
        return [environ["wsgi.input"].read() or b"hello"]

    return app


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """As many files are open after the test as before."""
    before = len(os.listdir("/proc/self/fd"))
    yield
    assert len(os.listdir("/proc/self/fd")) <= before


# Too much at once


@THREADS
def test_a_burst_leaves_others_their_turn(build: SimpleNamespace, site: Any, threads: int) -> None:
    with serving(build, site, threads=threads) as server, server.connect() as flooding, server.connect() as other:
        flooding.send(GET * 5000)
        for _ in range(20):
            assert other.send(GET).answer().body == b"hello"
        assert [flooding.answer().body for _ in range(5000)] == [b"hello"] * 5000


@THREADS
def test_a_burst_of_bodies_and_refusals_in_order(build: SimpleNamespace, site: Any, threads: int) -> None:
    burst = b"".join(request("POST", body=b"%d" % number) for number in range(1000))
    with serving(build, site, threads=threads) as server, server.connect() as client:
        client.send(burst + b"nonsense\r\n\r\n" + GET)
        assert [client.answer().body for _ in range(1000)] == [b"%d" % number for number in range(1000)]
        assert client.answer().status == 400
        assert client.rest() == b""


@pytest.mark.parametrize("kind", ENDLESS)
def test_what_has_no_end_is_refused(build: SimpleNamespace, site: Any, nothing_left: None, kind: str) -> None:
    first, piece, status = ENDLESS[kind]
    with serving(build, site, limit_request_body=12_000) as server, server.connect() as client:
        client.send(first)
        for _ in range(1000):
            if client.is_readable(0.001):
                break
            try:
                client.send(piece)
            except OSError:
                break  # it has closed, and what it said is there
        assert client.answer().status == status
        client.reset()
        while server.connections():
            pass


# Who leaves


def leave_by_reset(client: Client) -> None:
    client.reset()


def leave_at_once(client: Client) -> None:
    client.socket.close()


def leave_half_way(client: Client) -> None:
    answer = client.finish().rest()
    assert answer[9:12] in (b"", b"200", b"400")


@THREADS
@pytest.mark.parametrize("leave", [leave_by_reset, leave_at_once, leave_half_way])
def test_who_leaves_behind_each_byte(
    build: SimpleNamespace, site: Any, nothing_left: None, threads: int, leave: Any
) -> None:
    with serving(build, site, threads=threads, linger_timeout=0) as server:
        for data in (GET, request("POST", body=b"x" * 9), CHUNKED + chunked(b"abc", b"defg")):
            for at in range(len(data) + 1):
                with server.connect() as client:
                    leave(client.send(data[:at]))
        assert server.ask().body == b"hello"
        while server.connections():
            pass
        assert server.errors == []


@pytest.mark.parametrize("target", ["/list", "/file", "/stream"])
@THREADS
def test_who_leaves_within_a_response(
    build: SimpleNamespace, site: Any, nothing_left: None, threads: int, target: str
) -> None:
    with serving(build, site, threads=threads) as server:
        for taken in (0, 1, 17, 1000, 100_000):
            with server.connect(4096) as client:
                client.send(request(target=target)).take(taken)
                client.reset()
        while server.connections():
            pass
        assert server.errors == []


# Who is slow, beside threads


@pytest.mark.parametrize("kind", ["head", "silent", "body", "chunks"])
def test_deadlines_of_requests_with_threads(build: SimpleNamespace, site: Any, kind: str) -> None:
    sent = {"head": GET[:9], "silent": b"", "body": POST + b"x", "chunks": CHUNKED + b"5\r\nx"}[kind]
    with serving(build, site, threads=4) as server, ExitStack() as stack:
        slow = [stack.enter_context(server.connect()).send(sent) for _ in range(100)]
        assert server.ask().body == b"hello"
        server.advance(31)
        assert [one.answer().status for one in slow] == [408] * 100
        assert server.ask().body == b"hello"


@pytest.mark.parametrize("target", ["/list", "/file", "/stream"])
def test_deadlines_of_responses_with_threads(build: SimpleNamespace, site: Any, target: str) -> None:
    """More than there are threads; in real time, since a thread waits with each stream."""
    with serving(build, site, threads=2, write_timeout=0.2) as server, ExitStack() as stack:
        stalled = [stack.enter_context(server.connect(4096)) for _ in range(6)]
        for client in stalled:
            client.send(request(target=target)).take(1)
        assert server.ask().body == b"hello"
        await_end(server)
        for client in stalled:
            assert len(client.rest()) < 40 * len(PIECE)
            assert client.end == "reset"


def await_end(server: Server) -> None:
    """Wait until all connections are ended; others are served meanwhile."""
    with server.connect() as other:
        while server.connections() > 1:
            assert other.send(GET).answer().body == b"hello"
