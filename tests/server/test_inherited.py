"""Listeners that another process opened, and passed: fd://N."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from fastwsgi.server.bind import BindError, open_listener
from tests.helpers.serving import GET, PATIENCE, Client, answering, serving

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has it")


def complaint(address: str) -> str:
    with pytest.raises(BindError) as caught:
        open_listener(address)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def opened(address: str) -> socket.socket:
    """What a supervisor of another make would pass: a blocking socket that listens."""
    listener = socket.socket(socket.AF_UNIX if address.startswith("/") else socket.AF_INET)
    listener.bind(address if address.startswith("/") else (address, 0))
    listener.listen(16)
    return listener


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_an_inherited_listener_serves(build: SimpleNamespace, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "sock"
    theirs = opened(str(path) if kind == "unix" else "127.0.0.1")
    fd = os.dup(theirs.fileno())
    os.set_inheritable(fd, True)
    listener = open_listener(f"fd://{fd}")
    assert not listener.getblocking()
    assert not os.get_inheritable(listener.detach())
    with serving(build, answering(b"hello"), bind=[f"fd://{fd}"]) as server, Client(theirs.getsockname()) as client:
        if kind == "tcp":
            assert server.listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert client.send(GET).answer().body == b"hello"
    assert path.exists() == (kind == "unix")
    theirs.close()


@LINUX
def test_an_inherited_listener_keeps_what_was_set() -> None:
    """Whoever passed it may have set it up, and may share it with others."""
    theirs = opened("127.0.0.1")
    listener = open_listener(f"fd://{os.dup(theirs.fileno())}", backlog=1, defer_accept=True)
    assert not listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT)
    waiting = [socket.create_connection(theirs.getsockname(), timeout=PATIENCE) for _ in range(8)]
    for one in (*waiting, theirs, listener):
        one.close()


def test_what_cannot_be_adopted(tmp_path: Path) -> None:
    idle = socket.socket()
    datagrams = socket.socket(type=socket.SOCK_DGRAM)
    pair = socket.socketpair()
    with open(tmp_path / "file", "w") as file, idle, datagrams, pair[0], pair[1]:
        for one, problem in ((idle, "not listening"), (datagrams, "no stream socket"), (file, "no socket")):
            assert f"fd://{one.fileno()} is {problem}" in complaint(f"fd://{one.fileno()}")
            os.fstat(one.fileno())  # it is still open
        assert "is not listening" in complaint(f"fd://{pair[0].fileno()}")
    unused = os.open(os.devnull, os.O_RDONLY)
    os.close(unused)
    assert f"fd://{unused} is not open" in complaint(f"fd://{unused}")
