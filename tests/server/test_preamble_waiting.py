"""Connections that owe their PROXY header: deadlines, stops, threads, workers, and clients that hang up."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.deployments import deployed
from tests.helpers.observers import RefusedConnections
from tests.helpers.proxied import LINE, TOLD, ask, telling
from tests.helpers.proxy_headers import V6, binary
from tests.helpers.serving import GET, PATIENCE, Client, request, serving


def test_an_incomplete_header_does_not_wake_the_loop(build: SimpleNamespace) -> None:
    with serving(build, telling, proxy_protocol="required") as server, server.connect() as client:
        client.send(LINE[:20])
        server.settle()
        (preamble,) = server.call(lambda: list(server.loop.connections.values()))
        asked = []
        preamble.on_ready = lambda: asked.append(1)
        server.settle()
        assert asked == []


@pytest.mark.parametrize("sent", [b"", LINE[:9], LINE, binary(b"", 0, 0x20)], ids=repr)
@pytest.mark.parametrize("how", ["finish", "reset"])
def test_a_health_check_that_hangs_up_is_no_error(build: SimpleNamespace, sent: bytes, how: str) -> None:
    observer = RefusedConnections()
    with serving(build, telling, observer, proxy_protocol="required") as server:
        client = server.connect()
        client.send(sent)
        server.settle()
        getattr(client, how)()
        while server.connections():
            pass
        client.socket.close()
        assert server.log == ""
    assert observer.refused == []


@pytest.mark.parametrize("sent", [b"", LINE[:9]])
def test_the_deadline_of_a_header(build: SimpleNamespace, sent: bytes) -> None:
    with serving(build, telling, proxy_protocol="required") as server, server.connect() as client:
        client.send(sent)
        server.advance(9)
        assert server.connections() == 1
        server.advance(1.5)
        assert client.rest() == b""
        assert server.connections() == 0


def test_header_and_head_have_one_deadline(build: SimpleNamespace) -> None:
    with serving(build, telling, proxy_protocol="required") as server, server.connect() as client:
        server.advance(6)
        client.send(LINE + GET[:20])
        server.advance(3)
        assert not client.is_readable(0.01)
        server.advance(1.5)
        assert client.answer().status == 408


def test_a_stop(build: SimpleNamespace) -> None:
    """Who has said nothing is not waited for; a header that has begun is."""
    with serving(build, telling, proxy_protocol="required") as server:
        silent, announced, begun = server.connect(), server.connect(), server.connect()
        announced.send(LINE)
        begun.send(LINE[:9])
        server.settle()
        server.call(server.loop.stop)
        assert (silent.rest(), announced.rest()) == (b"", b"")
        assert begun.send(LINE[9:] + GET).answer().body.decode() == TOLD + " "
        server.thread.join(PATIENCE)
        assert not server.thread.is_alive()
        for client in (silent, announced, begun):
            client.socket.close()


def test_a_header_that_waits_in_the_socket_when_a_stop_begins(build: SimpleNamespace) -> None:
    with serving(build, telling, proxy_protocol="required") as server, server.connect() as client:
        server.settle()

        def stop() -> None:
            client.send(LINE)
            server.loop.stop()

        server.call(stop)
        assert client.rest() == b"", "it makes way for a connection that is idle"
        server.thread.join(PATIENCE)
        assert not server.thread.is_alive()


def test_with_threads(build: SimpleNamespace) -> None:
    both = threading.Barrier(2, timeout=PATIENCE)

    def meeting(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        both.wait()
        return telling(environ, start_response)

    with serving(build, meeting, proxy_protocol="required", threads=2) as server:
        with server.connect() as one, server.connect() as two:
            one.send(LINE + GET)
            two.send(binary(V6, 0x21) + GET)
            assert one.answer().body.decode() == TOLD + " "
            assert two.answer().body.startswith(b"2001:db8::7 ")


@pytest.mark.parametrize("defer", [True, False])
def test_deferred_accept(build: SimpleNamespace, defer: bool) -> None:
    with serving(build, telling, proxy_protocol="required", defer_accept=defer) as server:
        assert ask(server, LINE + GET) == TOLD


def test_workers(build: SimpleNamespace, tmp_path: Path) -> None:
    """What waits in the queue when the listeners close is announced, too."""
    source = """
import time
def app(environ, start_response):
    start_response("200 OK", [])
    if environ["PATH_INFO"] == "/wait":
        print("entered", flush=True)
        time.sleep(0.3)
    return [environ["REMOTE_ADDR"].encode()]
"""
    with deployed(tmp_path, build.name, source, workers=1, threads=1, proxy_protocol="required") as server:
        with Client(server.address) as first, Client(server.address) as waiting:
            first.send(LINE + request(target="/wait"))
            server.line("entered")
            waiting.send(LINE + GET)
            server.signal()
            assert first.answer().body == b"192.0.2.7"
            assert waiting.answer().body == b"192.0.2.7"
        assert server.wait() == 0


def test_who_has_said_nothing_makes_room(build: SimpleNamespace) -> None:
    with serving(build, telling, proxy_protocol="required", max_connections=2) as server:
        with server.connect() as silent, server.connect() as begun:
            begun.send(LINE[:9])
            server.advance(2)
            assert ask(server, LINE + GET) == TOLD
            assert silent.rest() == b""
            assert begun.send(LINE[9:] + GET).answer().body.decode() == TOLD + " "
