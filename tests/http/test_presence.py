"""environ["fastwsgi.client_disconnected"], and the empty pieces by which a response learns that its client has left."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import pytest

from tests.helpers.pki import Pki
from tests.helpers.serving import GET, Client, Server, request, serving

SOON = 4.0  # seconds, half of what the applications below wait for at most
KEY = "fastwsgi.client_disconnected"
LEAVES: dict[str, Callable[[Client], object]] = {
    "reset": Client.reset,
    "close": lambda client: client.socket.close(),
    "finish": Client.finish,
}


def until(condition: Callable[[], bool]) -> bool:
    """Whether *condition* holds in time."""
    end = time.monotonic() + 2 * SOON
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


class Waiting:
    """An application that waits for its client to leave, and notes what it was told before and after."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.left = threading.Event()
        self.first: bool | None = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        is_gone = environ[KEY]
        self.first = is_gone()
        self.entered.set()
        if until(is_gone):
            self.left.set()
        return [b"left"]


class Beating:
    """An application whose response goes on with empty pieces."""

    def __init__(self, *first: bytes, write: bool = False) -> None:
        self.first = first
        self.write = write
        self.beaten = threading.Event()
        self.closed = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        write = start_response("200 OK", [])
        if self.write:
            write(b"begun")
            try:
                until(lambda: write(b"") is not None or self.beaten.set() is not None)
            finally:
                self.closed.set()
        return self.beat()

    def beat(self) -> Iterator[bytes]:
        try:
            yield from self.first
            end = time.monotonic() + 2 * SOON
            while time.monotonic() < end:
                yield b""
                self.beaten.set()
                time.sleep(0.005)
        finally:
            self.closed.set()


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("leave", LEAVES)
def test_an_application_learns_that_its_client_has_left(build: SimpleNamespace, leave: str, threads: int) -> None:
    app = Waiting()
    with serving(build, app, threads=threads) as server, server.connect() as client:
        client.send(GET)
        assert app.entered.wait(SOON)
        assert app.first is False
        LEAVES[leave](client)
        assert app.left.wait(SOON)
        if leave == "finish":
            assert client.answer().body == b"left"  # it is answered all the same


def test_a_pipelined_request_behind_does_not_hide_the_end(build: SimpleNamespace) -> None:
    app = Waiting()
    with serving(build, app) as server, server.connect() as client:
        client.send(GET)
        assert app.entered.wait(SOON)
        client.send(GET).socket.close()
        assert app.left.wait(SOON)


def test_behind_the_queue(build: SimpleNamespace) -> None:
    held = threading.Event()
    waiting = Waiting()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/hold":
            held.wait(SOON)
            start_response("200 OK", [])
            return []
        return waiting(environ, start_response)

    with serving(build, app, threads=1, timeout=0) as one, one.connect() as client:
        client.send(GET)
        assert waiting.entered.wait(SOON)
        client.reset()
        assert waiting.left.wait(SOON)
    waiting.__init__()  # type: ignore[misc]
    with serving(build, app, threads=2) as server:
        clients = [server.connect().send(request(target="/hold")) for _ in range(2)]
        assert until(lambda: server.call(lambda: server.loop.service.full))
        with server.connect() as client:
            client.send(GET)
            assert until(lambda: server.call(lambda: bool(server.loop.pool.queued_requests)))  # type: ignore[union-attr]
            held.set()
            assert waiting.entered.wait(SOON)
            client.socket.close()
            assert waiting.left.wait(SOON)
        for one_client in clients:
            one_client.socket.close()


def test_it_can_be_asked_after_the_response_and_after_the_connection(build: SimpleNamespace) -> None:
    kept: list[Callable[[], bool]] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        kept.append(environ[KEY])
        start_response("200 OK", [])
        return [b"x"]

    with serving(build, app) as server:
        with server.connect() as client:
            client.send(GET).answer()
            client.send(GET).answer()
            assert [one() for one in kept] == [False, False]
            server.call(lambda: [one() for one in kept])
        assert until(lambda: server.connections() == 0)
        with server.connect() as other:  # which has the descriptor now
            other.send(GET).answer()
            assert [one() for one in kept] == [True, True, False]


def test_with_tls(build: SimpleNamespace, pki: Pki) -> None:
    app = Waiting()
    certificate, key = pki.pair
    with serving(build, app, certfile=[certificate], keyfile=[key]) as server:
        with pki.connect(server.address) as client:
            client.send(GET)
            assert app.entered.wait(SOON)
            assert app.first is False
        assert app.left.wait(SOON)


def test_on_a_unix_socket(build: SimpleNamespace, tmp_path: Path) -> None:
    app = Waiting()
    with serving(build, app, bind=[f"unix:{tmp_path}/s"]), Client(str(tmp_path / "s")) as client:
        client.send(GET)
        assert app.entered.wait(SOON)
        client.socket.close()
        assert app.left.wait(SOON)


def test_a_call_that_was_given_up_is_told_so(build: SimpleNamespace) -> None:
    app = Waiting()
    with serving(build, app, threads=2, timeout=0.05) as server, server.connect() as client:
        assert client.send(GET).answer().status == 504
        assert app.left.wait(SOON)


# Empty pieces


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("leave", LEAVES)
@pytest.mark.parametrize("first", [(), (b"begun",)], ids=["nothing", "something"])
def test_empty_pieces_show_that_the_client_has_left(
    build: SimpleNamespace, leave: str, threads: int, first: tuple[bytes, ...]
) -> None:
    app = Beating(*first)
    with serving(build, app, threads=threads) as server, server.connect() as client:
        client.send(GET)
        assert app.beaten.wait(SOON)
        LEAVES[leave](client)
        assert app.closed.wait(SOON)
        if leave == "finish":  # a response that was begun is not to look whole
            client.rest()
            assert client.end == ("reset" if server.errors == [] else "")


def test_a_client_that_closes_at_once_is_noticed(build: SimpleNamespace) -> None:
    app = Beating()
    with serving(build, app) as server:
        server.connect().send(GET).socket.close()
        assert app.closed.wait(SOON)


def test_empty_writes_show_it_too(build: SimpleNamespace) -> None:
    app = Beating(write=True)
    with serving(build, app, threads=2) as server, server.connect() as client:
        client.send(GET)
        assert app.beaten.wait(SOON)
        client.reset()
        assert app.closed.wait(SOON)


def test_empty_pieces_end_when_the_call_was_given_up(build: SimpleNamespace) -> None:
    app = Beating()
    with serving(build, app, threads=2, timeout=0.05) as server, server.connect() as client:
        assert client.send(GET).answer().status == 504
        assert app.closed.wait(SOON)


def test_a_client_that_half_closes_gets_a_response_with_empty_pieces(build: SimpleNamespace) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield from (b"", b"", b"one", b"", b"two", b"")

    with serving(build, app) as server, server.connect() as client:
        answer = client.send(GET).finish().answer()
        assert (answer.body, answer.whole) == (b"onetwo", True)


def test_only_empty_pieces_cost_a_look(build: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    if build.title != "pure Python":
        pytest.skip("the methods of the compiled wire cannot be replaced")
    looks: list[int] = []
    wire = build.sockio.SocketWire
    monkeypatch.setattr(wire, "presence", lambda self, fd: looks.append(fd) or 0)
    served: list[Iterator[bytes]] = [iter([b"a", b"b"]), iter([b"a", b"", b"b"])]

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        return served.pop(0)

    def count(server: Server) -> int:
        server.ask()
        return len(looks)

    with serving(build, app) as server:
        assert [count(server), count(server)] == [0, 1]
