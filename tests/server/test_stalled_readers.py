"""Clients that stop reading: they hold neither the loop nor memory, and are reset when their time is over."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.processes import ISOLATED, Process, running
from tests.helpers.serving import GET, Client, request, serving

MIB = 1 << 20
GIB = 1 << 30
HUGE = b"x" * (16 * MIB)
# Without a GIL something, perhaps the allocator, keeps some of the pieces that write() was given, 15 MiB on 3.13
GROWTH = (24 if sysconfig.get_config_var("Py_GIL_DISABLED") else 8) * MIB


# In a process of its own, for its memory


@pytest.fixture
def server(build: SimpleNamespace, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Process]:
    arguments = [str(ISOLATED / "applications.py"), "big", f"write_timeout={getattr(request, 'param', 1000)}"]
    with running(arguments, build.name, TMPDIR=str(tmp_path)) as process:
        yield process


def begin(server: Process, target: str, receive_buffer: int = 4096) -> Client:
    """A client that has asked for *target*, and read the head."""
    client = server.connect(receive_buffer)
    client.send(request(target=target)).until(b"\r\n\r\n")
    return client


def read_head(client: Client) -> None:
    """Receive a response head and not a byte more."""
    while not client.buffer.endswith(b"\r\n\r\n"):
        assert client.more(1)
    client.buffer.clear()


def hello(client: Client) -> bool:
    return client.send(GET).answer().body == b"hello"


@pytest.mark.measures_memory
@pytest.mark.parametrize("server", [0.5], ids=[""], indirect=True)
def test_a_gib_to_readers_that_stop(server: Process) -> None:
    with server.connect() as other:
        assert hello(other)
        descriptors = len(server.descriptors())
        before = server.mark_memory()
        stalled = [begin(server, target) for target in ("/stream", "/file", "/write")]
        assert all(hello(other) for _ in range(200))
        assert server.most_memory() - before <= GROWTH
        server.line("closed")  # by the write deadline
        while len(server.descriptors()) > descriptors:  # the others may be met a second later
            assert hello(other)
        for client in stalled:
            assert len(client.rest()) < GIB // 16
            assert client.end == "reset"
            client.socket.close()
        assert hello(other)
        assert len(server.descriptors()) == descriptors


@pytest.mark.measures_memory
@pytest.mark.parametrize(("target", "size"), [("/stream", GIB), ("/file", GIB // 4)])
def test_big_responses_to_a_reader_that_reads(server: Process, target: str, size: int) -> None:
    with server.connect() as other, begin(server, target, receive_buffer=0) as client:
        before = server.mark_memory()
        received, buffer = len(client.buffer), bytearray(4 * MIB)
        for number in range(size):
            if received >= size:
                break
            received += client.socket.recv_into(buffer)
            if number % 100 == 0:
                assert hello(other)
        assert server.most_memory() - before <= GROWTH


@pytest.mark.measures_memory
def test_fifty_readers_that_stop(server: Process, tmp_path: Path) -> None:
    with server.connect() as other:
        assert hello(other)
        before = server.mark_memory()
        stalled = [begin(server, "/pieces") for _ in range(50)]
        assert all(hello(other) for _ in range(200))
        assert server.most_memory() - before <= 16 * MIB
        assert not any("deleted" in one for one in server.descriptors())
        for client in stalled:
            client.reset()
        for _ in stalled:
            server.line("closed")
        assert hello(other)


# With a clock that is put forward


def varied(path: Path) -> Any:
    """An application that gives a lot, in the way that the path of the request names."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        kind = environ["PATH_INFO"]
        write = start_response("200 OK", [("Content-Length", str(len(HUGE)))])
        if kind == "/generator":
            return (HUGE[at : at + 65536] for at in range(0, len(HUGE), 65536))
        if kind == "/file":
            return environ["wsgi.file_wrapper"](path.open("rb"))
        if kind == "/write":
            write(HUGE)
            return []
        return [HUGE]

    return app


KINDS = ["list", "generator", "file", "write"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(HUGE)
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("setting", [30, 5])
def test_who_reads_nothing_is_reset_after_the_write_timeout(
    build: SimpleNamespace, path: Path, kind: str, setting: int
) -> None:
    with serving(build, varied(path), write_timeout=setting) as server, server.connect(4096) as client:
        read_head(client.send(request(target=f"/{kind}")))
        server.advance(setting - 1)
        assert server.connections() == 1
        for _ in range(3):  # the system may tell late what the client took
            server.advance(setting + 1)
        assert server.connections() == 0
        assert len(client.rest()) < len(HUGE)
        assert client.end == "reset"
        assert server.errors == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sip", [400_000, 20_000])
def test_who_reads_slowly_is_not_taken_for_dead(build: SimpleNamespace, path: Path, kind: str, sip: int) -> None:
    """A socket is writable only when much of its queue is free: what counts is what the client has taken of it.

    Over a unix socket, whose queue has no timers that the clock would have to put forward, too.
    """
    bind = [f"unix:{path}.sock"]
    with serving(build, varied(path), bind=bind) as server, server.connect() as client:
        read_head(client.send(request(target=f"/{kind}")))
        for _ in range(40):
            assert len(client.take(sip)) == sip, client.end
            server.advance(5)  # 4 kB a second at the least, eight times the floor
        if sip * 40 > len(HUGE) - MIB:
            client.take(len(HUGE) - sip * 40)
            assert client.send(request(target="/none")).answer().whole


@pytest.mark.parametrize("kind", KINDS)
def test_who_reads_slower_than_the_floor_is_reset(build: SimpleNamespace, path: Path, kind: str) -> None:
    with serving(build, varied(path), write_timeout=10**6) as server, server.connect(4096) as client:
        read_head(client.send(request(target=f"/{kind}")))
        server.settle()
        server.advance(29)
        assert server.connections() == 1
        server.advance(10**5)
        assert server.connections() == 0
        assert client.rest()
        assert client.end == "reset"


def test_a_slow_application_is_not_taken_for_a_slow_reader(build: SimpleNamespace) -> None:
    """Pieces a minute apart, all read at once: the client is not to blame."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        for number in range(200):
            server.clock.offset += 60
            yield b"%d\n" % number

    with serving(build, app) as server, server.connect() as client:
        for _ in range(2):
            answer = client.send(GET).answer()
            assert answer.whole
            assert answer.body == b"".join(b"%d\n" % number for number in range(200))


def test_a_reader_may_stop_between_two_responses(build: SimpleNamespace) -> None:
    """Many small answers that nobody reads stop the requests, not the server."""
    called: list[int] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        called.append(1)
        start_response("200 OK", [])
        return [b"x" * 10000]

    with serving(build, app) as server, server.connect(4096) as client:
        client.socket.setblocking(False)
        sent = 0
        try:
            for _ in range(20000):
                sent += client.socket.send(GET * 100)
                server.settle()
        except BlockingIOError:
            pass
        assert len(called) < sent // len(GET)
        assert len(called) < 2000
        with server.connect() as other:
            assert len(other.send(GET).answer().body) == 10000
        server.advance(31)
        assert server.connections() == 0
