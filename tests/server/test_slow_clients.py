"""Clients that are slow to send: deadlines are totals, and met where they are due; the clock is put forward for it."""

from __future__ import annotations

import os
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.serving import GET, HEAD, PATIENCE, Client, Server, chunked, request, serving

POST = request("POST", body=b"0123456789")
CHUNKED_POST = request("POST", fields=[("Transfer-Encoding", "chunked")]) + chunked(b"01234", b"56789")
LONG_POST = request("POST", fields=[("Content-Length", "1000000")])


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [environ["wsgi.input"].read() or b"hello"]


def is_answered(client: Client) -> bool:
    return client.send(GET).answer().body == b"hello"


def is_refused_late(client: Client) -> bool:
    """Whether the client gets a 408, whole, and then the end."""
    answer = client.answer()
    assert (answer.status, answer.whole, answer.get("Connection")) == (408, True, "close")
    return (client.rest(), client.end) == (b"", "closed")


@pytest.mark.parametrize(
    ("sent", "body"), [(GET, b"hello"), (HEAD, b""), (POST, b"0123456789"), (CHUNKED_POST, b"0123456789")]
)
@pytest.mark.parametrize("spool_size", [0, 100], ids=["file", "memory"])
def test_a_right_request_is_answered_byte_by_byte(
    build: SimpleNamespace, sent: bytes, body: bytes, spool_size: int
) -> None:
    with serving(build, echo, spool_size=spool_size) as server, server.connect() as client:
        for _ in range(2):
            for at in range(len(sent)):
                client.send(sent[at : at + 1])
                server.call(lambda: None)
            answer = client.answer(to_head=sent is HEAD)
            assert (answer.status, answer.body, answer.whole) == (200, body, True)


# Heads: 10 seconds


def test_a_client_that_says_nothing_is_told_so_after_10_seconds(build: SimpleNamespace) -> None:
    with serving(build, echo) as server, server.connect() as client:
        server.advance(9)
        assert not client.is_readable(0.02)
        server.advance(2)
        assert is_refused_late(client)
        assert server.errors == []


def test_a_head_has_10_seconds_however_often_bytes_come(build: SimpleNamespace) -> None:
    with serving(build, echo) as server, server.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: test\r\n")
        for number in range(9):
            server.advance(1)
            client.send(b"X-%d: y\r\n" % number)
        assert server.connections() == 1
        server.advance(1.5)
        assert is_refused_late(client)


def test_a_head_within_10_seconds_is_served(build: SimpleNamespace) -> None:
    with serving(build, echo) as server, server.connect() as client:
        for part in (GET[:5], GET[5:20], GET[20:]):
            server.advance(3)
            client.send(part)
        assert client.answer().body == b"hello"


def test_the_next_head_has_10_seconds_from_its_first_byte(build: SimpleNamespace) -> None:
    with serving(build, echo) as server, server.connect() as client:
        assert is_answered(client)
        server.advance(60)
        client.send(GET[:10])
        server.advance(9)
        assert not client.is_readable(0.02)
        server.advance(2)
        assert is_refused_late(client)


@pytest.mark.parametrize("setting", [0.5, 3, 100])
def test_the_time_for_heads_can_be_set(build: SimpleNamespace, setting: float) -> None:
    with serving(build, echo, header_timeout=setting) as server, server.connect() as client:
        client.send(GET[:10])
        server.advance(setting * 0.8)
        assert not client.is_readable(0.02)
        server.advance(setting * 0.2 + 1)
        assert is_refused_late(client)


# Idle connections: 75 seconds


def test_an_idle_connection_is_closed_after_75_seconds(build: SimpleNamespace) -> None:
    with serving(build, echo) as server, server.connect() as client:
        for _ in range(2):
            assert is_answered(client)
            server.advance(74)
        assert is_answered(client)
        server.advance(76)
        assert (client.rest(), client.end) == (b"", "closed")
        assert server.connections() == 0


def test_keep_alive_can_be_set(build: SimpleNamespace) -> None:
    with serving(build, echo, keep_alive=5) as server, server.connect() as client:
        assert is_answered(client)
        server.advance(4)
        assert is_answered(client)
        server.advance(6)
        assert client.rest() == b""


# Bodies: 30 seconds without progress, and 512 bytes a second


@pytest.mark.parametrize("sent", [LONG_POST, LONG_POST + b"x", CHUNKED_POST[:-5], CHUNKED_POST[:-15]])
def test_a_body_that_stands_still_is_refused_after_30_seconds(build: SimpleNamespace, sent: bytes) -> None:
    with serving(build, echo) as server, server.connect() as client:
        client.send(sent)
        server.advance(29)
        assert not client.is_readable(0.02)
        server.advance(2)
        assert is_refused_late(client)


def test_a_body_that_goes_on_has_its_time(build: SimpleNamespace) -> None:
    with serving(build, echo) as server, server.connect() as client:
        client.send(request("POST", fields=[("Content-Length", "200000")]))
        for _ in range(10):
            client.send(b"x" * 20000)
            server.advance(25)  # 800 bytes a second
        assert client.answer().body == b"x" * 200000


def test_a_body_slower_than_the_floor_is_refused(build: SimpleNamespace) -> None:
    with serving(build, echo) as server, server.connect() as client:
        client.send(LONG_POST)
        for _ in range(5):
            client.send(b"x" * 100)
            server.advance(5)  # the first 30 seconds are not measured
            assert server.connections() == 1
        client.send(b"x" * 100)
        server.advance(10)
        assert is_refused_late(client)


def test_the_floor_can_be_set(build: SimpleNamespace) -> None:
    with serving(build, echo, min_rate=0) as server, server.connect() as client:
        client.send(request("POST", fields=[("Content-Length", "20")]))
        for _ in range(20):
            client.send(b"x")
            server.advance(20)
        assert client.answer().body == b"x" * 20


# Lingering: 2 seconds


def test_a_refused_client_that_stays_is_closed_after_2_seconds(build: SimpleNamespace) -> None:
    with serving(build, echo) as server, server.connect() as client:
        assert client.send(b"nonsense\r\n\r\n").answer().status == 400
        assert server.connections() == 1
        server.advance(1)
        assert server.connections() == 1
        server.advance(2)
        assert server.connections() == 0


# Nobody is made to wait


def test_silent_clients_cost_the_others_nothing(build: SimpleNamespace) -> None:
    with serving(build, echo) as server:
        slow = [server.connect().send(part) for part in (b"", GET[:9], LONG_POST, CHUNKED_POST[:-3]) for _ in range(50)]
        with server.connect() as client:
            for _ in range(100):
                assert is_answered(client)
            assert server.connections() == 201
            server.advance(32)
            assert all(is_refused_late(one) for one in slow)
            assert is_answered(client)
        for one in slow:
            one.socket.close()


def test_a_slow_application_is_not_taken_for_slow_clients(build: SimpleNamespace) -> None:
    """While it runs nothing is read; what has come meanwhile comes before the deadlines."""
    entered, go_on = threading.Event(), threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/slow":
            entered.set()
            assert go_on.wait(PATIENCE)
            server.clock.offset += 100
        return echo(environ, start_response)

    with serving(build, app) as server:
        clients = [server.connect() for _ in range(5)]
        silent, half, posting, idle, slow = clients
        half.send(GET[:9])
        posting.send(POST[:-1])
        assert is_answered(idle)
        server.settle()
        slow.send(request(target="/slow"))
        assert entered.wait(PATIENCE)
        with server.connect() as newcomer:
            newcomer.send(GET)
            silent.send(GET)
            half.send(GET[9:])
            posting.send(POST[-1:])
            idle.send(GET)
            go_on.set()
            answered = [one.answer() for one in (*clients, newcomer)]
            assert [one.status for one in answered] == [200] * 6
        for one in clients:
            one.socket.close()


# Clients that leave


def leave_at_once(server: Server, client: Client) -> None:
    pass


def leave_in_the_head(server: Server, client: Client) -> None:
    client.send(GET[:9])


def leave_in_the_body(server: Server, client: Client) -> None:
    client.send(LONG_POST + b"x" * 70000)


def leave_in_a_chunk(server: Server, client: Client) -> None:
    client.send(CHUNKED_POST[:-12])


def leave_when_idle(server: Server, client: Client) -> None:
    assert is_answered(client)


def leave_with_requests_waiting(server: Server, client: Client) -> None:
    client.send(GET * 2000)


def leave_in_a_stream(server: Server, client: Client) -> None:
    client.send(request(target="/stream")).until(b"\r\n\r\n")


def leave_in_a_list(server: Server, client: Client) -> None:
    client.send(request(target="/list")).until(b"\r\n\r\n")


def leave_in_a_file(server: Server, client: Client) -> None:
    client.send(request(target="/file")).until(b"\r\n\r\n")


def leave_what_was_written(server: Server, client: Client) -> None:
    client.send(request(target="/write")).until(b"\r\n\r\n")


def leave_after_a_refusal(server: Server, client: Client) -> None:
    client.send(b"nonsense\r\n\r\n").until(b"\r\n\r\n")


@pytest.fixture
def open_files() -> Any:
    """Lists the open file descriptors."""
    return lambda: sorted(os.listdir("/proc/self/fd"))


MOMENTS = [value for name, value in globals().items() if name.startswith("leave_")]


def varied(environ: dict[str, Any], start_response: Any) -> Any:
    write = start_response("200 OK", [])
    path = environ["PATH_INFO"]
    if path == "/stream":
        return (b"x" * 65536 for _ in range(80))
    if path == "/list":
        return [b"x" * 65536] * 80
    if path == "/file":
        file = open("/proc/self/exe", "rb")
        return environ["wsgi.file_wrapper"](file)
    if path == "/write":
        for _ in range(100):
            write(b"x" * 65536)
        return []
    return [b"hello"]


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("how", ["reset", "close", "finish"])
def test_a_client_that_leaves_leaves_nothing_open(
    build: SimpleNamespace, open_files: Any, moment: Any, how: str
) -> None:
    before = open_files()
    with serving(build, varied) as server:
        running = len(open_files())
        for _ in range(3):
            with server.connect(receive_buffer=4096) as client:
                moment(server, client)
                server.settle()
                if how == "reset":
                    client.reset()
                elif how == "finish":
                    client.finish().rest()
            if how == "close":
                server.settle()
        if server.connections():
            server.advance(3)  # refusals that nobody read
        assert server.connections() == 0
        assert len(open_files()) == running
        assert server.ask().body == b"hello"
        assert server.errors == []
    assert open_files() == before
