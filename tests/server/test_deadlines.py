"""How long a connection may take for each thing: http/HTTP.md, "Time". The clock is the test's (bench.pass_time)."""

from __future__ import annotations

import io
import socket
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi.server import housekeeping as housekeeping_module
from fastwsgi.server import loop as loop_module
from fastwsgi.server.bind import close_listener, open_listener
from fastwsgi.settings.settings import Settings
from tests.helpers.memory import Bench
from tests.helpers.serving import PATIENCE
from tests.helpers.site_app import CHUNKED, GET, POST, Site, bodies, statuses

# The head, and between requests


def test_a_silent_client_gets_408(bench: Bench) -> None:
    client = bench.connect()
    bench.pass_time(9.9)
    assert client.received == b""
    bench.pass_time(0.1)
    assert statuses(client) == [408]
    assert client.finished


def test_a_head_has_its_time_as_a_whole(bench: Bench) -> None:
    client = bench.connect()
    for byte in b"GET /":
        client.send(bytes([byte]))
        bench.pass_time(1.9)
    assert client.received == b""
    client.send(b" ")
    bench.pass_time(1.0)
    assert statuses(client) == [408]


def test_a_second_head_has_its_time_from_its_first_byte(bench: Bench) -> None:
    client = bench.connect(GET % b"/first")
    bench.pass_time(60)
    client.send(b"G")
    bench.pass_time(9.9)
    assert statuses(client) == [200]
    bench.pass_time(0.1)
    assert statuses(client) == [200, 408]


def test_an_idle_connection_is_closed_without_a_word(bench: Bench) -> None:
    client = bench.connect(GET % b"/")
    bench.pass_time(74.9)
    assert client.is_open
    bench.pass_time(0.1)
    assert client.closed
    assert statuses(client) == [200]


def test_lingering_has_an_end_in_time(bench: Bench, site: Site) -> None:
    client = bench.connect(b"GET\r\n\r\n")
    bench.pass_time(1.0)
    client.send(GET % b"/never")
    bench.pass_time(0.9)
    assert not client.closed
    bench.pass_time(0.1)
    assert client.closed
    assert site.asked == []


def test_each_deadline_is_settable(build: SimpleNamespace, site: Site) -> None:
    bench = Bench(build, site, header_timeout=1, linger_timeout=2, keep_alive=4, body_timeout=5)
    silent, idle, body = bench.connect(), bench.connect(GET % b"/"), bench.connect(POST % 9)
    seen = []
    for _ in range(5):
        bench.pass_time(1)
        seen.append((silent.finished, silent.closed, idle.closed, body.finished))
    firsts = [column.index(True) + 1 for column in zip(*seen)]
    assert firsts == [1, 3, 4, 5]


# The body


def test_a_body_that_stands_still_gets_408(bench: Bench) -> None:
    client = bench.connect(POST % 1000 + b"x")
    bench.pass_time(29.9)
    assert client.received == b""
    bench.pass_time(0.1)
    assert statuses(client) == [408]


@pytest.mark.parametrize(("size", "served"), [(400, False), (600, True)])
def test_a_body_must_come_faster_than_the_floor(bench: Bench, size: int, served: bool) -> None:
    client = bench.connect(POST % (size * 100))
    for _ in range(100):
        client.send(b"x" * size)
        bench.pass_time(1)
    assert statuses(client) == [200 if served else 408]


def test_the_floor_is_asked_for_after_a_while(bench: Bench) -> None:
    client = bench.connect(POST % 30)
    for _ in range(30):
        client.send(b"x")
        bench.pass_time(1)
    assert statuses(client) == [200]


def test_no_floor(build: SimpleNamespace, site: Site) -> None:
    bench = Bench(build, site, min_rate=0)
    client = bench.connect(POST % 100)
    for _ in range(100):
        client.send(b"x")
        bench.pass_time(20)
    assert statuses(client) == [200]


@pytest.mark.parametrize("begin", [b"1;", b"0\r\nX: "])
def test_bytes_count_once_towards_the_floor(bench: Bench, begin: bytes) -> None:
    """A line that is not whole yet is looked at again with each byte of it."""
    client = bench.connect(CHUNKED + begin + b"a" * 2000)
    for _ in range(60):
        client.send(b"a")
        bench.pass_time(1)
    assert statuses(client) == [408]


# The response


def test_a_reader_that_stands_still_is_reset(bench: Bench) -> None:
    client = bench.connect(GET % b"/big", capacity=100)
    bench.pass_time(29.9)
    assert not client.closed
    bench.pass_time(0.1)
    assert client.reset


@pytest.mark.parametrize(("size", "served"), [(400, False), (600, True)])
def test_a_reader_must_be_faster_than_the_floor(bench: Bench, site: Site, size: int, served: bool) -> None:
    site.pieces = [b"x" * 500] * 100
    client = bench.connect(GET % b"/stream", capacity=100)
    for _ in range(100):
        client.read(size)
        bench.pass_time(1)
    assert client.reset != served
    assert client.is_open == served
    assert site.closed == 1


def test_what_has_left_but_is_not_acknowledged_was_not_read(bench: Bench) -> None:
    """A send queue takes nothing more until much of it is read: how full it is tells whether the client reads."""
    reading, still = (bench.connect(GET % b"/big", capacity=100000, prompt=False) for _ in range(2))
    for _ in range(45):
        reading.on_the_way -= 1000
        bench.pass_time(1)
    assert still.reset
    assert reading.is_open
    bench.pass_time(45)
    assert reading.reset


def test_a_stream_that_is_slow_itself_is_not_its_reader_s_fault(bench: Bench, site: Site) -> None:
    site.pieces = (bench.pass_clock(1) or b"x" for _ in range(200))
    client = bench.connect()
    client.incoming.append(GET % b"/stream")
    while bench.step():
        bench.sweep()
    assert bodies(client) == [b"x" * 200]


def test_an_application_s_time_is_nobody_else_s(bench: Bench, site: Site) -> None:
    """What takes long in one turn does not use up the time of those that come in the same turn."""
    site.pieces = (bench.pass_clock(40) or b"x" for _ in range(1))
    slow, head, body = bench.connect(), bench.connect(GET % b"/"), bench.connect(GET % b"/")
    slow.incoming.append(GET % b"/stream")
    head.incoming.append(b"GET")
    body.incoming.append(POST % 2 + b"x")
    bench.step()
    bench.sweep()
    head.send((GET % b"/head")[3:])
    body.send(b"y")
    assert bodies(head) == [b"/ ", b"/head "]
    assert bodies(body) == [b"/ ", b"/post xy"]


def test_idling_counts_from_the_answer(build: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """An application that runs for longer than keep_alive does not cost its client the connection."""
    clock = SimpleNamespace(now=1000.0, monotonic=lambda: clock.now, time=lambda: clock.now)
    monkeypatch.setattr(loop_module, "time", clock)
    monkeypatch.setattr(housekeeping_module, "time", clock)

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        clock.now += 100
        start_response("200 OK", [])
        return [b"late"]

    listener = open_listener("127.0.0.1:0", defer_accept=False)
    loop = loop_module.Loop(build, app, Settings(keep_alive=50), lambda *told: None, io.StringIO())
    loop.add_listener(listener)
    with socket.create_connection(listener.getsockname(), timeout=PATIENCE) as client:
        client.sendall(GET % b"/")
        while clock.now < 1100:
            loop.step(1.0)
        assert client.recv(1000).endswith(b"late")
        open_after = []
        for _ in range(2):
            clock.now += 49
            loop.step(0.0)
            open_after.append(len(loop.connections))
        assert open_after == [1, 0]
    loop.close()
    close_listener(listener)
