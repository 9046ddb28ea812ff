"""What waits at listeners, as the kernel tells it."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from fastwsgi.process.listen_queues import queues
from fastwsgi.process.sockets import Binding
from fastwsgi.server.bind import open_listener

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux's")


@pytest.mark.parametrize("kind", ["127.0.0.1:0", "[::1]:0", "unix", f"unix:@fastwsgi-queues-{os.getpid()}"])
def test_connections_that_wait_are_counted(tmp_path: Path, kind: str) -> None:
    address = f"unix:{tmp_path}/sock" if kind == "unix" else kind
    listener = open_listener(address, backlog=7, defer_accept=False)
    clients = []
    for number in range(3):
        (queue,) = queues([Binding(address, [listener])])
        assert (queue.waiting, queue.limit) == (number, 7)
        client = socket.socket(listener.family)
        client.connect(listener.getsockname())
        clients.append(client)
    assert queue.address.startswith(address.removesuffix(":0") if not kind.startswith("unix") else "unix:")
    for one in (*clients, listener):
        one.close()


def test_the_sockets_of_one_address_count_together() -> None:
    listeners = [open_listener("127.0.0.1:0", backlog=5) for _ in range(2)]
    (queue,) = queues([Binding("127.0.0.1:0", listeners)])
    assert queue.limit == 10
    for one in listeners:
        one.close()
