"""Limits of connections: who makes room at the limit, who waits, and who is turned away."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi.gil import HAS_GIL
from fastwsgi.observe.rate_limited import RateLimitedLog
from fastwsgi.settings import cpus
from tests.helpers.observers import RefusedConnections
from tests.helpers.processes import ISOLATED, Process, running
from tests.helpers.serving import GET, Client, Server, answering, request, serving

HELLO = answering(b"hello")
POST = request("POST", fields=[("Content-Length", "5")])


def is_answered(client: Client) -> bool:
    return client.send(GET).answer().body == b"hello"


def is_closed(client: Client) -> bool:
    return (client.rest(), client.end) == (b"", "closed")


def answered(server: Server, stack: ExitStack, count: int) -> list[Client]:
    """Clients with idle connections, the longest idle first."""
    clients = [stack.enter_context(server.connect()) for _ in range(count)]
    for client in clients:
        assert is_answered(client)
        server.settle()
    return clients


# The worker's limit


def test_the_longest_idle_makes_room(build: SimpleNamespace) -> None:
    with serving(build, HELLO, max_connections=3) as server, ExitStack() as stack:
        first, second, third = answered(server, stack, 3)
        assert is_answered(first)  # now the second is idle for longest
        fourth = answered(server, stack, 1)[0]
        assert is_closed(second)
        assert all(is_answered(one) for one in (first, third, fourth))
        assert server.connections() == 3


def test_requests_under_way_are_left_alone(build: SimpleNamespace) -> None:
    with serving(build, HELLO, max_connections=2) as server, ExitStack() as stack:
        head, body, newcomer = (stack.enter_context(server.connect()) for _ in range(3))
        head.send(GET[:9])
        body.send(POST)
        server.settle()
        newcomer.send(GET)
        server.advance(1)
        assert not newcomer.is_readable(0.02)
        assert server.connections() == 2
        assert not server.call(lambda: server.loop.acceptor.polled)  # else it would spin
        assert body.send(b"12345").answer().body == b"hello"
        server.advance(1.5)
        assert newcomer.answer().body == b"hello"  # in the place of the one that is idle now
        assert is_closed(body)
        assert head.send(GET[9:]).answer().body == b"hello"


def test_a_newcomer_comes_in_when_a_connection_ends(build: SimpleNamespace) -> None:
    with serving(build, HELLO, max_connections=1) as server, server.connect() as first, server.connect() as second:
        first.send(GET[:9])
        second.send(GET)
        server.settle()
        assert not second.is_readable(0.02)
        first.reset()
        assert second.answer().body == b"hello"


def test_who_has_sent_something_is_not_closed(build: SimpleNamespace) -> None:
    """Its request and the newcomer come in the same turn, in whatever order they are met."""
    with serving(build, HELLO, max_connections=2) as server, ExitStack() as stack:
        first, second = answered(server, stack, 2)
        third = stack.enter_context(server.call(lambda: first.send(GET) and server.connect()))
        assert first.answer().body == b"hello"
        assert is_answered(third)
        assert is_closed(second)


def test_the_silent_are_idle_after_a_second(build: SimpleNamespace) -> None:
    with serving(build, HELLO, max_connections=2) as server, ExitStack() as stack:
        silent = [stack.enter_context(server.connect()) for _ in range(2)]
        newcomer = stack.enter_context(server.connect()).send(GET)
        server.settle()
        assert not newcomer.is_readable(0.02)
        server.advance(1.5)
        assert newcomer.answer().body == b"hello"
        assert is_closed(silent[0])
        assert is_answered(silent[1])


def test_who_lingers_makes_room(build: SimpleNamespace) -> None:
    with serving(build, HELLO, max_connections=1) as server, server.connect() as client:
        assert client.send(b"nonsense\r\n\r\n").answer().status == 400
        with server.connect() as other:
            assert is_answered(other)


def test_many_newcomers_at_the_limit(build: SimpleNamespace) -> None:
    """More than one search finds: each is served, and the latest stay."""
    with serving(build, HELLO, max_connections=100) as server, ExitStack() as stack:
        clients = answered(server, stack, 300)
        assert server.connections() == 100
        assert all(is_closed(one) for one in clients[:200])
        assert all(is_answered(one) for one in clients[200:])
        (line,) = [message for message, _ in server.errors]
        assert "--max-connections" in line


def test_with_threads(build: SimpleNamespace) -> None:
    with serving(build, HELLO, max_connections=2, threads=4) as server, ExitStack() as stack:
        clients = answered(server, stack, 6)
        assert [is_closed(one) for one in clients[:4]] == [True] * 4
        assert all(is_answered(one) for one in clients[4:])


def test_a_stop_takes_all_who_wait(build: SimpleNamespace) -> None:
    with serving(build, HELLO, max_connections=1) as server, ExitStack() as stack:
        first = stack.enter_context(server.connect()).send(GET[:9])
        server.settle()
        waiting = [stack.enter_context(server.connect()).send(GET) for _ in range(5)]
        server.stop()
        assert [one.answer().body for one in waiting] == [b"hello"] * 5
        assert first.send(GET[9:]).answer().body == b"hello"


# One client's limit


def is_turned_away(server: Server) -> bool:
    try:
        with server.connect() as client:
            return (client.rest(), client.end) == (b"", "reset")
    except ConnectionResetError:
        return True  # before connect() had returned


def test_a_client_with_too_many_is_turned_away(build: SimpleNamespace) -> None:
    observer = RefusedConnections()
    with serving(build, HELLO, observer, max_connections_per_ip=2) as server, ExitStack() as stack:
        first, _ = answered(server, stack, 2)
        assert is_turned_away(server)
        assert observer.refused == [("127.0.0.1", "too many connections")]
        with Client(server.address, source="127.0.0.2") as other:
            assert is_answered(other)
        first.socket.close()
        while server.connections() > 1:
            pass
        answered(server, stack, 1)
    assert server.loop.commons.clients.networks == server.loop.commons.clients._counts == {}


def test_unix_sockets_do_not_count(build: SimpleNamespace, tmp_path: Path) -> None:
    bind = [f"unix:{tmp_path}/s"]
    with serving(build, HELLO, bind=bind, max_connections_per_ip=1) as server, ExitStack() as stack:
        answered(server, stack, 3)


def test_without_the_limit_nothing_is_counted(build: SimpleNamespace) -> None:
    with serving(build, HELLO) as server, ExitStack() as stack:
        answered(server, stack, 3)
        assert server.loop.commons.clients.networks == {}


# File descriptors used up


LOOPS = 1 if HAS_GIL else min(2, cpus.available())


@pytest.fixture
def small(build: SimpleNamespace) -> Iterator[Process]:
    """A server with 64 file descriptors, threads included."""
    arguments = [str(ISOLATED / "applications.py"), "hoarding", "nofile=64", "threads=2", "spool_size=10"]
    with running([*arguments, "max_queue=200", "defer_accept=False"], build.name) as process:
        yield process


def ask(client: Client, target: str = "/", body: bytes = b"") -> Any:
    return client.send(request("POST" if body else "GET", target, body=body)).answer()


def test_more_clients_than_descriptors(small: Process) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(small.connect()) for _ in range(200)]
        for client in clients:
            assert ask(client).status == 200
        # Several loops may see the same one free at once, and each looks by duplicating one
        assert 20 < len(small.descriptors()) < (64 - 8 + 1 if LOOPS == 1 else 64)
        assert ask(clients[-1], body=b"x" * 100).body == b"100"  # in a temporary file
        small.signal()
        small.wait()
        assert len([line for line in small.seen if "file descriptors are short" in line]) <= LOOPS


def test_an_application_that_takes_all_of_them(small: Process) -> None:
    """It gives them back, and no connection ends: newcomers come in all the same, and nothing spins meanwhile."""
    free = request(target="/free")
    with small.connect() as first, small.connect() as second:
        assert ask(second).status == ask(first, "/hoard").status == 200
        assert ask(second, body=b"x" * 100).status == 503  # no temporary file
        first.send(free[:9])
        with small.connect() as third, small.connect() as waiting:
            third.send(GET[:9])  # in the place of the second, which lingers
            waiting.send(GET)
            before = cpu(small)
            assert not waiting.is_readable(0.5)
            assert cpu(small) - before <= 0.1
            assert first.send(free[9:]).answer().status == 200
            assert waiting.answer().status == 200
    small.signal()
    small.wait()
    assert len([line for line in small.seen if "cannot accept" in line]) <= LOOPS


def cpu(process: Process) -> float:
    """Seconds of CPU that it has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# What is logged


def test_a_line_a_minute() -> None:
    lines: list[str] = []
    log = RateLimitedLog(lambda message, error: lines.append(message))
    for now in range(1000, 1150):
        log.log(now, "full")
    assert lines == ["full", *["full (59 times more since the last such line)"] * 2]
