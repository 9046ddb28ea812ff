"""The pollers: epoll here, and kqueue over a stand-in that keeps to its rules."""

from __future__ import annotations

import errno
import importlib.util
import select
import socket
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from fastwsgi import originals
from fastwsgi.server import loop as loop_module
from fastwsgi.server import poller
from tests.helpers.serving import GET, answering, serving

READ, WRITE = -1, -2
ADD, DELETE = 1, 2


class StandInKqueue:
    """kqueue as its manual page has it, over poll(): filters of a descriptor are added and deleted one by one."""

    def __init__(self) -> None:
        self.filters: set[tuple[int, int]] = set()
        self.closed = False

    def control(self, changes: Any, most: int, timeout: float | None = None) -> list[SimpleNamespace]:
        for change in changes or ():
            key = (change.ident, change.filter)
            if change.flags == ADD:
                self.filters.add(key)
            elif key in self.filters:
                self.filters.remove(key)
            else:
                raise OSError(errno.ENOENT, "no such filter")
        if not most:
            return []
        watched = select.poll()
        masks: dict[int, int] = {}
        for fd, kind in self.filters:
            masks[fd] = masks.get(fd, 0) | (select.POLLIN if kind == READ else select.POLLOUT)
        for fd, mask in masks.items():
            watched.register(fd, mask)
        found = watched.poll(None if timeout is None else timeout * 1000)
        return [SimpleNamespace(ident=fd) for fd, _ in found[:most]]

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def kqueue_module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module poller, as macOS would run it."""
    stand_in = SimpleNamespace(
        KQ_FILTER_READ=READ,
        KQ_FILTER_WRITE=WRITE,
        KQ_EV_ADD=ADD,
        KQ_EV_DELETE=DELETE,
        kqueue=StandInKqueue,
        kevent=lambda ident, filter, flags: SimpleNamespace(ident=ident, filter=filter, flags=flags),
    )
    spec = importlib.util.spec_from_file_location("poller_on_darwin", poller.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with monkeypatch.context() as patch:
        patch.setattr(originals, "select", stand_in)
        patch.setattr(sys, "platform", "darwin")
        spec.loader.exec_module(module)
    return module


@pytest.fixture(params=["epoll", "kqueue"])
def tested(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "epoll" and sys.platform != "linux":
        pytest.skip("epoll is Linux's")
    module = poller if request.param == "epoll" else request.getfixturevalue("kqueue_module")
    one = module.open_poller()
    assert type(one).__name__.lower().startswith(request.param)
    yield one
    one.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = socket.socketpair()
    with here, there:
        yield here, there


def ready(tested: Any) -> list[int]:
    return [event[0] for event in tested.poll(0.0)]


def test_what_is_watched_is_reported_as_long_as_it_is_ready(tested: Any, pair: Any) -> None:
    here, there = pair
    tested.watch(here.fileno(), "read", "")
    assert ready(tested) == []
    there.send(b"x")
    assert ready(tested) == [here.fileno()] == ready(tested)
    here.recv(1)
    assert ready(tested) == []


def test_what_is_waited_for_can_change(tested: Any, pair: Any) -> None:
    here, there = pair
    there.send(b"x")
    tested.watch(here.fileno(), "read", "")
    tested.watch(here.fileno(), "write", "read")
    assert ready(tested) == [here.fileno()]
    here.setblocking(False)
    with pytest.raises(BlockingIOError):
        here.sendall(b"x" * 100_000_000)
    assert ready(tested) == []
    tested.watch(here.fileno(), "read", "write")
    assert ready(tested) == [here.fileno()]


@pytest.mark.parametrize("event", ["read", "write"])
def test_what_is_forgotten_is_not_reported(tested: Any, pair: Any, event: str) -> None:
    here, there = pair
    there.send(b"x")
    tested.watch(here.fileno(), event, "")
    tested.forget(here.fileno(), event)
    assert ready(tested) == []


def test_what_was_never_watched_can_be_forgotten(tested: Any, pair: Any) -> None:
    tested.forget(pair[0].fileno(), "")


def test_the_end_of_the_other_side_is_reported(tested: Any, pair: Any) -> None:
    here, there = pair
    tested.watch(here.fileno(), "read", "")
    there.close()
    assert ready(tested) == [here.fileno()]


def test_a_batch_is_taken_at_once(tested: Any) -> None:
    pairs = [socket.socketpair() for _ in range(poller.BATCH + 6)]
    for here, _ in pairs:
        tested.watch(here.fileno(), "write", "")
    assert len(ready(tested)) == poller.BATCH
    for here, there in pairs:
        tested.forget(here.fileno(), "write")
        here.close()
        there.close()


def test_a_server_on_kqueue(build: SimpleNamespace, kqueue_module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short answers, long ones to a slow reader, deadlines, the end."""
    monkeypatch.setattr(loop_module, "open_poller", kqueue_module.open_poller)
    big = b"x" * 5000000
    with serving(build, answering(big)) as server:
        with server.connect(receive_buffer=8192) as slow, server.connect() as fast:
            slow.send(GET * 2)
            for _ in range(3):
                assert fast.send(GET).answer().body == big
            assert [slow.answer().body for _ in range(2)] == [big, big]
            server.advance(76)
            assert (slow.rest(), slow.end) == (b"", "closed")
        assert server.errors == []
