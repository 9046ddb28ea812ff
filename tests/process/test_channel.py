"""The channel between supervisor and worker: whole lines, in order, whatever their length, and nobody waits."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastwsgi.process import channel
from fastwsgi.process.channel import Channel
from tests.helpers.deployments import SITE, starting

Pair = tuple[Channel, Channel]


@pytest.fixture(name="ends")
def _ends() -> Iterator[Pair]:
    one, other = channel.pair()
    yield one, other
    one.close()
    other.close()


def received(one: Channel, other: Channel, count: int) -> list[str]:
    """The lines that arrive, *count* at least, while *one* sends on."""
    lines: list[str] = []
    while len(lines) < count:
        one.send_rest()
        more, is_open = other.receive()
        assert is_open
        lines += more
    return lines


@pytest.mark.parametrize("turned", [False, True])
def test_long_lines_arrive_in_order(ends: Pair, turned: bool) -> None:
    sent = ["first", "a" * 300_000, "b", "ü" * 700_000, "last\n"]
    one, other = ends[::-1] if turned else ends
    for line in sent:
        one.send(line)
    assert one.events != other.events  # it waits for room
    assert received(one, other, 5) == [*sent[:4], "last "]
    assert one.events == other.events
    one.close()
    assert other.receive() == ([], False)
    other.send("nobody reads this")
    assert other.events == select.POLLIN


def test_threads_and_handlers_of_signals_may_send(ends: Pair) -> None:
    one, other = ends
    before = signal.signal(signal.SIGUSR1, lambda number, frame: one.send("signal"))
    try:
        threads = [threading.Thread(target=lambda: [one.send("x" * 1000) for _ in range(500)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(100):
            os.kill(os.getpid(), signal.SIGUSR1)
            one.send("main")
        for thread in threads:
            thread.join()
        lines = received(one, other, 2200)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert (lines.count("x" * 1000), lines.count("main"), lines.count("signal")) == (2000, 100, 100)


def test_what_is_not_read_is_bounded(ends: Pair) -> None:
    one, other = ends
    for _ in range(30):
        one.send("x" * 1024**2)
    assert len(received(one, other, 15)) < 20


@pytest.mark.parametrize("flag", [getattr(socket, "MSG_CMSG_CLOEXEC", 0), 0])
def test_descriptors_come_with_their_line(ends: Pair, monkeypatch: pytest.MonkeyPatch, flag: int) -> None:
    monkeypatch.setattr(channel, "_CLOSE_ON_EXEC", flag)  # macOS has none
    one, other = ends
    reader, writer = os.pipe()
    one.send("x" * 1_000_000)
    one.send("two", [reader, writer])
    os.close(writer)
    assert received(one, other, 2)[1] == "two"
    theirs, ours = other.descriptors
    assert not os.get_inheritable(theirs)
    os.write(ours, b"hello")
    assert os.read(reader, 9) == b"hello"
    for fd in (reader, theirs, ours):
        os.close(fd)


def test_long_news_of_a_worker_arrive(tmp_path: Path) -> None:
    name = "x" * 400_000
    source = SITE + "\nimport gc\nchannel = [one for one in gc.get_objects() if type(one).__name__ == 'Channel'][-1]\n"
    source += "for _ in range(3): channel.send('replace ' + 'x' * 400_000)\n"
    with starting(tmp_path, "py", source, workers=1) as server:
        server.line(f"to be replaced: {name}$")
        server.begin()
        server.signal()
        assert server.wait() == 0
