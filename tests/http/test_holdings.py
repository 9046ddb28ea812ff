"""The accounts of what clients make the server hold: --max-buffered in memory, --max-spooled in temporary files."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi.server import spool
from fastwsgi.server.holdings import SMALL_BODY, Holdings
from tests.helpers.memory import Bench, Client
from tests.helpers.serving import GET, request

KIB = 1024
LIST = [bytes([number]) * 65536 for number in range(16)]
HALF_A_HEAD = b"GET / HTTP/1.1\r\nHost: h\r\nX: "


def app(environ: dict[str, Any], start_response: Any) -> Any:
    body = environ["wsgi.input"].read()
    start_response("200 OK", [])
    return list(LIST) if environ["PATH_INFO"] == "/list" else [b"%d" % len(body)]


def bench(build: SimpleNamespace, application: Any = app, **settings: Any) -> Bench:
    return Bench(build, application, **settings)


def held(server: Bench) -> int:
    """The account, which must be the sum of what each connection is charged with."""
    account: int = server.service.holdings.held
    assert account == sum(client.connection.charged for client in server.clients.values())
    return account


def hold(server: Bench, size: int) -> list[Client]:
    """Clients that make *server* hold *size* bytes with heads that are not whole."""
    clients = []
    while held(server) < size:
        clients.append(server.connect())
        most = min(size - held(server), 7 * KIB)
        clients[-1].send(HALF_A_HEAD + b"x" * max(1, most - len(HALF_A_HEAD)))
    return clients


def leave(server: Bench) -> None:
    """All leave: nothing may stay charged."""
    for client in server.clients.values():
        if not client.closed:
            client.vanish()
    assert held(server) == server.service.disk.used == 0


# The account


def test_the_marks() -> None:
    wanted: list[int] = []
    holder = SimpleNamespace(charged=0)
    account = Holdings(1000, 10**6, lambda: wanted.append(account.held))
    for charge, spool_size, short, full in [
        (500, 10**6, False, False),
        (1, SMALL_BODY, False, False),
        (249, SMALL_BODY, False, False),
        (1, 0, True, False),
        (124, 0, True, False),
        (1, 0, True, True),
        (-126, SMALL_BODY, False, False),
        (-250, 10**6, False, False),
    ]:
        account.settle(holder, holder.charged + charge)
        assert (account.spool_size, account.is_short, account.is_full) == (spool_size, short, full)
    assert wanted == [751, 875, 876]


def test_without_a_limit_there_are_no_marks() -> None:
    account = Holdings(0, 10**6, lambda: pytest.fail("no room is wanted"))
    account.settle(SimpleNamespace(charged=0), 1 << 50)
    assert (account.spool_size, account.is_short, account.is_full) == (10**6, False, False)
    assert account.has_room(1 << 50)


# What is charged


@pytest.mark.parametrize(
    ("sent", "least"),
    [
        (GET, 0),
        (GET * 20, 0),
        (request("POST", body=b"x" * 100), 0),
        (HALF_A_HEAD + b"x" * 5000, 5000),
        (request("POST", fields=[("X", "y" * 5000), ("Content-Length", "9000")]), 5000),
        (request("POST", fields=[("Content-Length", "9000")]) + b"x" * 8000, 8000),
        (request("POST", fields=[("Transfer-Encoding", "chunked")]) + b"1f40\r\n" + b"x" * 8000, 8000),
    ],
    ids=["request", "pipelined", "body", "part-of-a-head", "head", "part-of-a-body", "part-of-a-chunk"],
)
def test_what_waits_is_charged(build: SimpleNamespace, sent: bytes, least: int) -> None:
    server = bench(build)
    server.connect().send(sent)
    assert least <= held(server) <= least + (300 if least else 0)
    leave(server)


@pytest.mark.parametrize("target", ["/", "/list"])
def test_responses_and_what_is_sent_behind_them_are_charged(build: SimpleNamespace, target: str) -> None:
    server = bench(build)
    client = server.connect(capacity=0)
    client.send(request(target=target), GET * 100)
    all_of_it = sum(map(len, LIST)) if target == "/list" else 90
    assert all_of_it < held(server) <= all_of_it + 100 * len(GET)
    client.read(500_000)
    assert held(server) <= max(0, all_of_it - 500_000) + 100 * len(GET) + 1000
    client.read(1 << 30)
    assert held(server) == 0
    assert [one.status for one in client.responses()] == [200] * (len(client.responses()) or 1)


def test_a_refused_client_holds_nothing_once_it_was_told(build: SimpleNamespace) -> None:
    server = bench(build)
    client = server.connect()
    client.send(HALF_A_HEAD + b"x" * 5000)
    server.pass_time(11)
    assert client.responses()[0].status == 408
    assert held(server) == 0


# As it fills


@pytest.mark.parametrize(("full", "in_file"), [(0.4, False), (0.6, True), (0.8, True)])
def test_bodies_wait_in_files_as_memory_fills(build: SimpleNamespace, full: float, in_file: bool) -> None:
    server = bench(build, max_buffered=KIB * KIB, limit_request_body=10**6)
    client = server.connect()
    begun = request("POST", fields=[("Content-Length", "80000")]) + b"x" * 50000
    client.send(begun)
    hold(server, int(full * KIB * KIB))
    assert server.service.disk.used == 0
    client.send(b"x" * 20000)
    assert server.service.disk.used == (70000 if in_file else 0)
    client.send(b"x" * 10000)
    assert client.responses()[0].body == b"80000"
    assert server.service.disk.used == 0
    leave(server)


def test_all_of_a_body_that_comes_at_once_needs_no_file(build: SimpleNamespace) -> None:
    server = bench(build, max_buffered=KIB * KIB)
    hold(server, 900 * KIB)
    with broken(at="open"):
        client = server.connect()
        client.send(request("POST", body=b"x" * 1000))
    assert client.responses()[0].body == b"1000"


@pytest.mark.parametrize("head", [GET.replace(b"/ ", b"/list "), request(target="/list", version="1.0")])
def test_a_list_for_a_slow_reader_waits_in_a_file(build: SimpleNamespace, head: bytes) -> None:
    server = bench(build, max_buffered=400 * KIB)
    client = server.connect(capacity=1000)
    client.send(head)
    assert server.service.disk.used > len(LIST) * 65536 - 140_000
    assert held(server) < 140_000
    for _ in range(100):
        client.read(20_000)
    answer = client.responses()[0]
    assert (answer.body, answer.whole) == (b"".join(LIST), True)
    assert server.service.disk.used == 0
    leave(server)


def test_the_application_s_own_list_stays_as_it_is(build: SimpleNamespace) -> None:
    own = list(LIST)

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        return own

    server = bench(build, application, max_buffered=400 * KIB)
    server.connect(capacity=1000).send(GET)
    client = server.connect()
    client.send(GET)
    assert client.responses()[0].body == b"".join(LIST)
    assert own == LIST
    leave(server)


def test_one_piece_larger_than_the_limit(build: SimpleNamespace) -> None:
    whole = b"".join(LIST)

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        return [whole] if environ["PATH_INFO"] == "/" else iter([whole, whole])

    server = bench(build, application, max_buffered=100 * KIB)
    for target, times in (("/", 1), ("/two", 2)):
        client = server.connect(capacity=1)
        client.send(request(target=target))
        assert held(server) < 140_000
        client.read(1 << 30)
        assert client.responses()[0].body == whole * times
        leave(server)


# A request that holds must give way: what the loop does with these is in server/test_relief.py


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (HALF_A_HEAD + b"x" * 5000, 408),
        (request("POST", fields=[("X", "y" * 5000), ("Content-Length", "9000")]), 408),
        (request("POST", fields=[("Content-Length", "9000")]) + b"x" * 5000, 0),
        (GET, 0),
    ],
    ids=["part-of-a-head", "head-of-a-body", "part-of-a-body", "idle"],
)
def test_who_is_to_hold_less(build: SimpleNamespace, sent: bytes, status: int) -> None:
    server = bench(build)
    client = server.connect()
    client.send(sent)
    before = len(client.received)
    client.connection.relieve()
    assert len(client.received) == before
    if server.service.disk.used == 0:
        client.connection.end_for_room()
    if status:
        assert client.responses()[0].status == status
        assert held(server) == 0
    elif sent is GET:
        assert client.closed
    else:
        assert server.service.disk.used == 5000
    leave(server)


def test_who_does_not_read_is_cut(build: SimpleNamespace) -> None:
    server = bench(build, max_spooled=1)
    client = server.connect(capacity=1000)
    client.send(request(target="/list"))
    client.connection.relieve()
    assert not client.closed
    client.connection.end_for_room()
    assert (client.closed, client.reset, server.loop.refused) == (True, True, ["--max-buffered"])
    assert len(server.loop.shortages) == 1
    leave(server)


# Temporary files


@contextmanager
def broken(at: str, number: int = errno.ENOSPC) -> Iterator[None]:
    """Temporary files that cannot be opened, or written."""

    def fail(*arguments: Any, **options: Any) -> Any:
        raise OSError(number, os.strerror(number))

    with pytest.MonkeyPatch.context() as patch:
        if at == "open":
            patch.setattr(tempfile, "TemporaryFile", fail)
        else:
            patch.setattr(spool, "os", SimpleNamespace(**{**vars(os), "pwrite": fail}))
        yield


FAILURES = [("open", errno.EMFILE), ("open", errno.ENOENT), ("write", errno.ENOSPC), ("write", errno.EDQUOT)]


@pytest.mark.parametrize(("at", "number"), [*FAILURES, ("write", errno.EIO)])
@pytest.mark.parametrize("coded", [False, True], ids=["length", "chunked"])
def test_a_body_for_which_there_is_no_file_is_refused(
    build: SimpleNamespace, at: str, number: int, coded: bool
) -> None:
    server = bench(build, spool_size=100)
    client, other = server.connect(), server.connect()
    field = ("Transfer-Encoding", "chunked") if coded else ("Content-Length", "1000")
    with broken(at, number):
        client.send(request("POST", fields=[field]) + b"1F4\r\n" * coded + b"x" * 500)
        other.send(GET)
    (answer,) = client.responses()
    assert (answer.status, answer.field("Retry-After")) == (503, "1")
    assert other.responses()[0].status == 200
    assert server.errors == []
    assert [os.strerror(number) in line for line in server.loop.shortages] == [True]
    assert held(server) == server.service.disk.used == 0


def test_a_body_that_outgrows_the_disk_is_refused(build: SimpleNamespace) -> None:
    server = bench(build, spool_size=100)
    client = server.connect()
    client.send(request("POST", fields=[("Content-Length", "1000")]) + b"x" * 500)
    assert server.service.disk.used == 500
    with broken("write"):
        client.send(b"x" * 100)
    assert client.responses()[0].status == 503
    assert held(server) == server.service.disk.used == 0


def writing(seen: list[str]) -> Any:
    def application(environ: dict[str, Any], start_response: Any) -> Any:
        write = start_response("200 OK", [])
        try:
            for _ in range(20):
                write(b"x" * 300_000)
        except ConnectionError as error:
            seen.append(str(error))
            raise
        return []

    return application


@pytest.mark.parametrize(("at", "number"), FAILURES)
@pytest.mark.parametrize("before", [0, 1], ids=["first", "later"])
def test_write_without_a_file(build: SimpleNamespace, at: str, number: int, before: int) -> None:
    """In memory while there is room; then the application learns it as of a client that is gone, which it now is."""
    seen: list[str] = []
    server = bench(build, writing(seen), max_buffered=4 << 20)
    client = server.connect(capacity=1000)
    with broken(at, number):
        client.send(GET)
    assert [os.strerror(number) in one for one in seen] == [True]
    assert (client.closed, client.reset, server.errors) == (True, True, [])
    assert held(server) == server.service.disk.used == 0


def test_write_stays_in_memory_while_there_is_room(build: SimpleNamespace) -> None:
    seen: list[str] = []
    server = bench(build, writing(seen), max_buffered=64 << 20)
    client = server.connect(capacity=1000)
    with broken("write"):
        client.send(GET)
    assert held(server) > 20 * 300_000 - 2000
    client.read(1 << 30)
    assert (len(client.responses()[0].body), seen, held(server)) == (20 * 300_000, [], 0)


@pytest.mark.parametrize(("at", "number"), FAILURES)
def test_a_list_without_a_file_stays_as_it_was(build: SimpleNamespace, at: str, number: int) -> None:
    server = bench(build, max_buffered=400 * KIB)
    client = server.connect(capacity=1000)
    with broken(at, number):
        client.send(request(target="/list"))
        client.connection.relieve()
    assert server.service.disk.used == 0
    client.read(70_000)
    assert server.service.disk.used > 0
    client.read(1 << 30)
    assert client.responses()[0].body == b"".join(LIST)
    leave(server)


def test_a_file_that_cannot_be_read_back_cuts_the_response(
    build: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = bench(build, max_buffered=400 * KIB)
    client = server.connect(capacity=1000)
    client.send(request(target="/list"))

    def fail(*arguments: Any) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(spool, "os", SimpleNamespace(**{**vars(os), "pread": fail}))
    client.read(1 << 30)
    assert client.closed
    assert not client.responses()[0].whole
    assert (server.errors, held(server), server.service.disk.used) == ([], 0, 0)


# --max-spooled


@pytest.mark.parametrize(("limit", "status"), [(699, 503), (700, 200), (0, 200)])
def test_bodies_over_the_limit_of_files_are_refused(build: SimpleNamespace, limit: int, status: int) -> None:
    server = bench(build, spool_size=100, max_spooled=limit)
    first, second = server.connect(), server.connect()
    first.send(request("POST", fields=[("Content-Length", "500")]) + b"x" * 300)
    second.send(request("POST", body=b"x" * 400))
    assert second.responses()[0].status == status
    assert server.service.disk.used == 300
    first.send(b"x" * 200)
    assert first.responses()[0].status == 200
    assert server.service.disk.used == 0


@pytest.mark.parametrize("size", [8_000_000, 1_000_000])
def test_what_write_is_given_waits_in_a_file_behind_a_little_in_memory(build: SimpleNamespace, size: int) -> None:
    def writing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [])
        for _ in range(8_000_000 // size):
            write(b"x" * size)
        return []

    server = bench(build, writing)
    client = server.connect(capacity=1000)
    client.send(GET)
    assert held(server) < 200 * KIB
    assert server.service.disk.used > 7_800_000
    client.read(1 << 30)
    assert (len(client.responses()[0].body), held(server), server.service.disk.used) == (8_000_000, 0, 0)
