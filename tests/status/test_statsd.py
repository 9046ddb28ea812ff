"""statsd: what a receiver gets, by UDP and by a unix socket, and what happens without one."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi import figures
from fastwsgi.figures import CODES, QUEUE_TIMES, RING, RING_ENTRIES
from fastwsgi.server.addresses import Tcp, Unix
from fastwsgi.settings.settings import Settings
from fastwsgi.status import datagrams, scoreboard
from fastwsgi.status.datagrams import Datagrams, packed
from fastwsgi.status.reading import Reader
from fastwsgi.status.rings import Rings
from fastwsgi.status.scoreboard import Scoreboard, Slot
from fastwsgi.status.statsd import MOST_TIMINGS, Statsd
from tests.helpers.deployments import deployed
from tests.helpers.serving import PATIENCE
from tests.helpers.waiting import until


@pytest.fixture(autouse=True)
def closing() -> Iterator[None]:
    with Receiver.opened:
        yield


def worker(board: Scoreboard, loops: int = 1) -> Slot:
    slot = board.allocate(loops)
    slot.state, slot.threads = "ready", 4
    return slot


def serve(slot: Slot, code: int, microseconds: int) -> None:
    slot.words[slot.base + CODES + code - 100] += 1
    count = slot.words[slot.base + RING]
    ring = slot.words.cast("B").cast("I")[2 * (slot.base + RING + 1) :]
    ring[count % RING_ENTRIES] = microseconds
    slot.words[slot.base + RING] = count + 1


class Receiver:
    """A socket that a statsd would have, which each test closes at its end."""

    opened = ExitStack()

    def __init__(self, path: str = "") -> None:
        self.socket = socket.socket(socket.AF_UNIX if path else socket.AF_INET, socket.SOCK_DGRAM)
        self.opened.callback(self.socket.close)
        self.socket.bind(path or ("127.0.0.1", 0))
        self.socket.settimeout(PATIENCE)
        self.address = f"unix:{path}" if path else f"127.0.0.1:{self.socket.getsockname()[1]}"

    def lines(self, last: str) -> list[str]:
        """All lines up to the datagram with one that begins with *last*."""
        found: list[str] = []
        while not any(line.startswith(last) for line in found):
            found += self.socket.recv(65536).decode().split("\n")
        return found


def failing(message: str, error: BaseException | None) -> None:
    raise AssertionError(message)


def statsd(board: Scoreboard, receiver: Receiver, **settings: Any) -> Callable[[], None]:
    """Sends a snapshot; the name of the receiver is resolved already."""
    sender = Statsd(Settings(statsd_host=receiver.address, **settings), board.words, failing)
    Receiver.opened.callback(sender.close)
    reader = Reader(board.words)
    resolve(sender._datagrams)
    return lambda: sender.send(reader.read())


def resolve(sender: Datagrams) -> None:
    if isinstance(sender._target, datagrams.Name):
        sender._target._next = float("inf")
        sender._target._resolve()


@pytest.mark.parametrize("by", ["udp", "unix"])
def test_gunicorns_metrics_under_its_names(board: Scoreboard, tmp_path: Path, by: str) -> None:
    receiver = Receiver(str(tmp_path / "dsd.sock") if by == "unix" else "")
    slot = worker(board)
    serve(slot, 200, 5)  # before the first call, which tells gauges alone
    board.words[scoreboard.LISTENERS], board.words[scoreboard.LISTENERS + 1] = 1, 7
    send = statsd(board, receiver, statsd_prefix="shop")
    send()
    first = receiver.lines("shop.gunicorn.backlog")
    assert "shop.gunicorn.workers:1|g" in first
    assert "shop.gunicorn.backlog:7|h" in first
    assert not [line for line in first if line.endswith("|c")]
    serve(slot, 200, 1500)
    serve(slot, 404, 2_000_000)
    slot.words[slot.base + figures.LOGGED + 2] += 3
    slot.words[slot.base + QUEUE_TIMES + 5] += 1
    slot.busy = 2
    send()
    found = receiver.lines("shop.gunicorn.request.duration:2000")
    assert {
        "shop.gunicorn.requests:2|c",
        "shop.gunicorn.request.status.200:1|c",
        "shop.gunicorn.request.status.404:1|c",
        "shop.gunicorn.log.exception:3|c",
        "shop.gunicorn.request.duration:1.5|ms",
        "shop.gunicorn.request.duration:2000.0|ms",
        "shop.fastwsgi.threads_busy:2|g",
        "shop.fastwsgi.request_queue.waited:1|c",
    } <= set(found)
    assert all(re.fullmatch(r"shop\.(gunicorn|fastwsgi)\.[a-z0-9_.]+:[0-9.]+\|(c|g|ms|h)", line) for line in found)


def test_names_are_those_that_gunicorn_itself_sends(board: Scoreboard) -> None:
    receiver = Receiver()
    gunicorn = pytest.importorskip("gunicorn.instrument.statsd")
    theirs = gunicorn.Statsd.__new__(gunicorn.Statsd)
    theirs.prefix, theirs.dogstatsd_tags = "shop.", "env:prod"
    theirs.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    Receiver.opened.callback(theirs.sock.close)
    theirs.sock.connect(receiver.socket.getsockname())
    theirs.timer("gunicorn.request.duration", 1.5)
    theirs.increment("gunicorn.requests", 1)
    theirs.increment("gunicorn.request.status.200", 1)
    theirs.gauge("gunicorn.workers", 1)
    for level in figures.LOG_LEVELS:
        theirs.increment(f"gunicorn.log.{level}", 1)
    theirs.increment("end", 1)
    expected = {line.replace("|@1.0", "") for line in receiver.lines("shop.end")} - {"shop.end:1|c|#env:prod"}
    slot = worker(board)
    send = statsd(board, receiver, statsd_prefix="shop.", dogstatsd_tags="env:prod")
    send()
    serve(slot, 200, 1500)
    for index in range(len(figures.LOG_LEVELS)):
        slot.words[slot.base + figures.LOGGED + index] += 1
    send()
    assert expected <= set(receiver.lines("shop.gunicorn.request.duration"))


def test_without_a_prefix_and_with_several_tags(board: Scoreboard) -> None:
    receiver = Receiver()
    worker(board)
    statsd(board, receiver, dogstatsd_tags=["env:prod", "team:shop"])()
    assert "gunicorn.workers:1|g|#env:prod,team:shop" in receiver.lines("gunicorn.workers")


def test_what_comes_faster_than_it_is_sent_is_a_sample(board: Scoreboard) -> None:
    receiver = Receiver()
    slot = worker(board)
    send = statsd(board, receiver)
    send()
    receiver.lines("gunicorn.workers")
    for number in range(2 * RING_ENTRIES):
        serve(slot, 200, number)
    receiver.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    send()
    lines = receiver.lines("gunicorn.request.duration")
    assert "gunicorn.requests:8192|c" in lines
    timings = [line for line in lines if "duration" in line]
    assert all(re.fullmatch(r"gunicorn.request.duration:[0-9.]+\|ms\|@0\.49\d+", line) for line in timings)


def test_the_rings(board: Scoreboard) -> None:
    first = worker(board, loops=2)
    (second,) = first.followers
    serve(first, 200, 99)
    rings = Rings(board.words)
    assert rings.take(MOST_TIMINGS).microseconds == []
    for number in range(3):
        serve(first, 200, number)
        serve(second, 200, 10 + number)
    third = worker(board)
    serve(third, 200, 20)
    taken = rings.take(MOST_TIMINGS)
    assert (taken.microseconds, taken.count) == ([0, 1, 2, 10, 11, 12, 20], 7)
    for number in range(RING_ENTRIES + 5):
        serve(first, 200, number)
    taken = rings.take(MOST_TIMINGS)
    assert taken.count == RING_ENTRIES + 5
    assert taken.microseconds == list(range(6, RING_ENTRIES + 5))  # the oldest may be being overwritten
    serve(second, 200, 1)
    for number in range(99):
        serve(first, 200, number)
    taken = rings.take(10)
    assert (len(taken.microseconds), taken.count) == (10, 100)


def test_lines_are_packed_in_datagrams() -> None:
    lines = [b"a" * 500, b"b" * 500, b"c" * 398, b"d" * 1500, b"e"]
    assert [len(one) for one in packed(lines, 1400)] == [1400, 1500, 1]
    assert list(packed([], 1400)) == []


def test_a_name_that_cannot_be_resolved_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    done = threading.Event()

    def getaddrinfo(*arguments: Any, **more: Any) -> Any:
        done.set()
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(datagrams, "socket", SimpleNamespace(**{**vars(socket), "getaddrinfo": getaddrinfo}))
    sender = Datagrams(Tcp("nowhere.invalid", 8125), lambda line, error: told.append(line))
    sender.send([b"a:1|c"])
    assert done.wait(PATIENCE)
    until(lambda: sender._target.problem != "")
    for _ in range(3):
        sender.send([b"a:1|c"])
    assert told == ["metrics cannot be sent to the statsd nowhere.invalid:8125: Name or service not known"]


def test_a_name_that_takes_long_to_resolve_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = Receiver()
    go_on = threading.Event()

    def getaddrinfo(*arguments: Any, **more: Any) -> Any:
        go_on.wait(PATIENCE)
        return [(socket.AF_INET, socket.SOCK_DGRAM, 0, "", receiver.socket.getsockname())]

    monkeypatch.setattr(datagrams, "socket", SimpleNamespace(**{**vars(socket), "getaddrinfo": getaddrinfo}))
    sender = Datagrams(Tcp("slow.example", 8125), failing)
    sender.send([b"early:1|c"])
    go_on.set()
    until(lambda: sender._target.address() is not None)
    sender.send([b"late:1|c"])
    assert receiver.lines("late") == ["early:1|c", "late:1|c"]
    sender.close()


def test_a_receiver_that_comes_late_gets_what_waited(tmp_path: Path) -> None:
    told: list[str] = []
    path = str(tmp_path / "dsd.sock")
    sender = Datagrams(Unix(path), lambda line, error: told.append(line))
    for number in range(3):
        sender.send([b"n:%d|c" % number])
    assert told == [f"metrics cannot be sent to the statsd unix:{path}: No such file or directory"]
    receiver = Receiver(path)
    sender.send([b"n:3|c"])
    assert receiver.lines("n:3") == ["n:0|c", "n:1|c", "n:2|c", "n:3|c"]
    sender.close()


def test_a_receiver_that_does_not_read_holds_nothing_up(tmp_path: Path) -> None:
    told: list[str] = []
    path = str(tmp_path / "dsd.sock")
    receiver = Receiver(path)
    sender = Datagrams(Unix(path), lambda line, error: told.append(line))
    for number in range(2 * datagrams.MOST_WAITING + 2000):
        sender.send([b"n:%d|c" % number])
    assert len(sender._waiting) == datagrams.MOST_WAITING
    assert told == [f"metrics cannot be sent to the statsd unix:{path}: it does not read fast enough"]
    assert receiver.lines("n:0") == ["n:0|c"]
    sender.close()


def test_a_service_sends_each_second(build: SimpleNamespace, tmp_path: Path) -> None:
    receiver = Receiver()
    with deployed(tmp_path, build.name, workers=1, statsd_host=receiver.address, statsd_prefix="shop") as service:
        receiver.lines("shop.gunicorn.workers:1|g")  # from now on what is new is sent
        service.ask("/")
        found = receiver.lines("shop.gunicorn.request.duration")
    assert {"shop.gunicorn.requests:1|c", "shop.gunicorn.request.status.200:1|c"} <= set(found)
