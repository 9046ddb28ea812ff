"""Applications that fork: the child speaks to nobody, and has nothing of the server's."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.deployments import deployed, is_alive
from tests.helpers.processes import ISOLATED, Process, running
from tests.helpers.serving import PATIENCE, Client, request

FORKING = ISOLATED / "forking.py"
SHAPES = {
    "serve": ("serve", {"threads": 1}),
    "serve-4": ("serve", {"threads": 4}),
    "make_server": ("make_server", {}),
    "w1": ("workers", {"workers": 1, "threads": 1}),
    "w2-4": ("workers", {"workers": 2, "threads": 4}),
}


@pytest.fixture(params=["c", "py"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextmanager
def forking(shape: str, backend: str, folder: Path, **more: Any) -> Iterator[Process]:
    """A server of the application that forks."""
    front, settings = SHAPES[shape]
    settings = {**settings, **more}
    if front == "workers":
        with deployed(folder, backend, FORKING.read_text(), **settings) as server:
            yield server
    else:
        given = [f"{key}={value!r}" for key, value in settings.items()]
        with running([str(FORKING), front, *given], backend) as server:
            yield server


def ask(server: Process, target: str) -> bytes:
    """The body of the answer to a request, behind which nothing else may come, nor before the next one's."""
    with server.connect() as client:
        body = client.send(request(target=target)).answer().body
        assert client.send(request(target="/", fields=[("Connection", "close")])).answer().body == b"hello"
        assert (client.rest(), client.end) == (b"", "closed")
    return body


ENDS = {
    "/call/return": b"0",
    "/call/exit": b"3",
    "/call/says": b"1",
    "/call/os-exit": b"4",
    "/call/raise": b"1",
    "/call/interrupt": b"-2",
    "/call/atexit": b"5",
    "/call/thread": b"6",
    "/call/grandchild": b"7",
    "/write": b"begun 1",
    "/piece/yield": b"begun 0",
    "/piece/end": b"begun 0",
    "/piece/exit": b"begun 3",
    "/piece/raise": b"begun 1",
    "/close/return": b"whole",
    "/close/exit": b"whole",
    "/thread/return": b"0",
    "/thread/os-exit": b"4",
    "/terminated": b"-15 45",
    "/long-lived": b"0 3",
    "/programs": b"8 8 8 8 8",
    "/daemon": b"daemon 0",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_child_that_leaves_the_application_ends(shape: str, backend: str, tmp_path: Path) -> None:
    log = tmp_path / "access"
    more = {} if shape == "make_server" else {"access_logfile": str(log), "access_log_format": "%(U)s %(s)s"}
    with forking(shape, backend, tmp_path, **more) as server:
        assert {target: ask(server, target) for target in ENDS} == ENDS
        server.signal(signal.SIGINT if shape == "make_server" else signal.SIGTERM)
        code = server.wait()
    assert code == (-signal.SIGINT if shape == "make_server" else 0)
    text = "\n".join(server.seen)
    assert "the child says why" in text
    assert text.count("ValueError: of the child") == 2
    assert "close b'3'" in text
    assert "the application failed" not in text
    assert "internal error" not in text
    assert "to be replaced" not in text
    if more:
        lines = log.read_text().splitlines()
        assert sorted(lines) == sorted([f"{target} 200" for target in ENDS] + ["/ 200"] * len(ENDS))


# Children that live on


@contextmanager
def living(server: Process, target: str = "/stay") -> Iterator[tuple[int, Client]]:
    """A child that waits for a signal, and the client, which has read its process ID by HTTP/1.0 to the end."""
    with server.connect() as client:
        head, _, body = client.send(request(target=target, version="1.0")).rest().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    pid = int(body)
    try:
        yield pid, client
    finally:
        os.kill(pid, signal.SIGKILL)


def held_by(pid: int) -> list[str]:
    """What a process has open, besides its standard streams."""
    fds = [fd for fd in os.listdir(f"/proc/{pid}/fd") if int(fd) > 2]
    return [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in fds]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_child_that_lives_has_nothing(shape: str, backend: str, tmp_path: Path) -> None:
    own = shape == "make_server"
    more = {} if own else {"access_logfile": str(tmp_path / "log"), "keep_alive": 1, "spool_size": 1024}
    data = os.urandom(300_000)
    with forking(shape, backend, tmp_path, **more) as server, server.connect() as idle, server.connect() as slow:
        idle.send(request()).answer()
        address = slow.socket.getpeername()
        upload = request("POST", "/body", body=data)
        slow.send(upload[:200_000])
        with living(server) as (pid, client), living(server, "/cut") as (_, other):
            assert (client.end, other.end) == ("closed", "reset")
            assert held_by(pid) == []
            digest = hashlib.sha256(data).hexdigest().encode()
            assert slow.send(upload[200_000:]).answer().body == digest
            if not own:
                assert (idle.rest(), idle.end) == (b"", "closed")
            server.signal(signal.SIGINT if own else signal.SIGTERM)
            assert server.process.wait(PATIENCE) == (-signal.SIGINT if own else 0)
            with socket.socket() as another:
                another.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                another.bind(address)
                another.listen()
            assert is_alive(pid)
