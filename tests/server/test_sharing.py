"""Which of the loops of a process takes new connections (server/sharing.py)."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack, closing
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi.server import sharing
from fastwsgi.server.loop import Loop
from fastwsgi.server.sharing import LEAD
from tests.helpers.loops import Group, looping
from tests.helpers.serving import GET, Client
from tests.helpers.waiting import until


def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    return []


class Stub:
    """Stands for a connection of *loop*."""

    def __init__(self, loop: Loop, fd: int) -> None:
        self.loop, self.fd = loop, fd

    def abort(self) -> None:
        del self.loop.connections[self.fd]


def crowd(stack: ExitStack, group: Group, count: int) -> Loop:
    """Open at least *count* connections of one loop, and none of the others; that loop."""
    clients: dict[Loop, list[Client]] = {loop: [] for loop in group.each}
    while max(map(len, clients.values())) < count:
        client = group.connect()
        client.send(GET).answer()
        clients[group.loop_of(client)].append(client)
    crowded = max(clients, key=lambda loop: len(clients[loop]))
    for client in clients.pop(crowded):
        stack.enter_context(client)
    for client in (one for left in clients.values() for one in left):
        client.socket.close()
    until(lambda: sum(len(loop.connections) for loop in clients) == 0)
    return crowded


def be_full(*loops: Loop) -> None:
    for loop in loops:
        loop.service.full = True


def be_full_and_not_accept(crowded: Loop, other: Loop) -> None:
    be_full(crowded, other)
    other.acceptor.poll(False)


@pytest.mark.parametrize(
    ("more", "change", "leaves"),
    [
        (LEAD, lambda crowded, other: None, True),
        (LEAD - 1, lambda crowded, other: None, False),
        (LEAD, lambda crowded, other: be_full(other), False),
        (LEAD, be_full, True),
        (LEAD, be_full_and_not_accept, True),
        (LEAD, lambda crowded, other: setattr(other, "asked_to_stop", True), False),
        (LEAD, lambda crowded, other: other.acceptor.poll(False), False),
    ],
)
def test_a_loop_leaves_new_connections_to_one_that_has_fewer(
    build: SimpleNamespace, more: int, change: Any, leaves: bool
) -> None:
    with closing(Group(build, answer, 2, {})) as group:
        crowded, other = group.each
        for fd in range(-more, 0):
            crowded.connections[fd] = Stub(crowded, fd)
        change(crowded, other)
        crowded.service.now = 1000.0
        assert crowded.acceptor.sharing.leaves() is leaves
        assert crowded.acceptor.polled is not leaves
        assert other._may_accept_again is (leaves and not other.acceptor.polled)
        crowded.service.now += sharing.LEAVE
        assert not crowded.acceptor.sharing.leaves()  # they still wait
        crowded.service.now += sharing.TAKE / 2
        assert not crowded.acceptor.sharing.leaves()
        crowded.service.now += sharing.TAKE
        assert crowded.acceptor.sharing.leaves() is leaves
        crowded.service.now += 10.0
        assert crowded.acceptor.sharing.leaves() is leaves  # those before were taken


def test_no_connection_waits_for_a_loop_that_does_not_come(build: SimpleNamespace) -> None:
    with looping(build, answer) as group, ExitStack() as stack:
        crowded = crowd(stack, group, 30)
        for loop in group.each:
            if loop is not crowded:
                loop.acceptor.on_ready = lambda fd: None  # type: ignore[method-assign]
        for _ in range(10):
            client = stack.enter_context(group.connect())
            assert client.send(GET).answer().status == 200
            assert group.loop_of(client) is crowded


def test_those_who_have_left_accept_again_once_all_have_as_many(
    build: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "LEAVE", 1000.0)
    with looping(build, answer) as group, ExitStack() as stack:
        crowded = crowd(stack, group, 10)
        while not crowded.acceptor.sharing.has_left:
            stack.enter_context(group.connect()).send(GET).answer()
        count = len(crowded.connections)
        while len(crowded.connections) == count:
            stack.enter_context(group.connect()).send(GET).answer()
