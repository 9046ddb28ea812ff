"""Without a GIL, a C call that does not let go of the interpreter holds up nobody, unless all threads are stopped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from fastwsgi.gil import HAS_GIL
from fastwsgi.server.readiness import is_readable
from tests.helpers.deployments import Deployment, starting
from tests.helpers.serving import Client, request

pytestmark = pytest.mark.skipif(HAS_GIL, reason="with a GIL it holds up all")
SITE = """
import ctypes, gc, time
gc.disable()  # a collection stops all threads

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/c":
        print("entered", flush=True)
        ctypes.PyDLL(None).usleep(4_000_000)
    if path == "/wait":
        time.sleep(0.1)
    start_response("200 OK", [])
    return [path.encode()]
"""


@contextmanager
def holding(tmp_path: Path, backend: str, **settings: Any) -> Iterator[tuple[Deployment, Client, list[Client]]]:
    """A server, a client whose request is in the C call, and others."""
    with starting(tmp_path, backend, SITE, workers=1, threads=4, loops=2, **settings) as server, ExitStack() as stack:
        server.begin()
        held = stack.enter_context(server.connect()).send(request(target="/c"))
        server.line("entered")
        yield server, held, [stack.enter_context(server.connect()) for _ in range(8)]


def wait(clients: list[Client]) -> None:
    """Requests in which threads wait, so that others take over, some of them new."""
    for client in clients:
        client.send(request(target="/wait"))
    assert [client.answer().body for client in clients] == [b"/wait"] * len(clients)


@pytest.mark.parametrize("backend", ["c", "py"])
def test_a_new_thread_finds_room(tmp_path: Path, backend: str) -> None:
    """The interpreter stops all threads to make some."""
    with holding(tmp_path, backend, timeout=30) as (_, held, clients):
        for _ in range(2):
            wait(clients)
        assert not is_readable(held.socket.fileno())  # it still runs


@pytest.mark.parametrize("option", ["slow_log", "timeout"])
def test_a_late_one_is_told_without_its_stack(tmp_path: Path, option: str) -> None:
    """The pure build cannot know of it, and has all threads stopped."""
    with holding(tmp_path, "c", **{option: 1.5}) as (server, held, clients):
        while not is_readable(held.socket.fileno()):
            wait(clients)
            if option == "slow_log":
                break
        server.line("GET /c from 127.0.0.1 has run for [12].[0-9] s")
        server.line("call in C that does not let go of the interpreter")
        if option == "slow_log":
            wait(clients)
            assert not is_readable(held.socket.fileno())
        assert held.answer().status == (200 if option == "slow_log" else 504)
