"""What observers count: entries of the error log, and the peers that most refusals go to."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi import figures
from fastwsgi.observe import refused_peers
from fastwsgi.observe.log_counter import LogCounter
from fastwsgi.observe.logs import Logs, error_log
from fastwsgi.observe.refused_peers import ADDRESS_BYTES, HALF, Peers
from fastwsgi.settings.settings import Settings
from tests.helpers.serving import answering, serving


@pytest.fixture
def meter(build: SimpleNamespace) -> Any:
    return build.meter.Meter()


@pytest.fixture
def counting(meter: Any) -> Iterator[None]:
    counter = LogCounter(lambda level: meter.add(figures.LOGGED + level, 1))
    error_log.addFilter(counter)
    yield
    error_log.removeFilter(counter)


def logged(meter: Any) -> dict[str, int]:
    counts = meter.view[figures.LOGGED : figures.LOGGED + len(figures.LOG_LEVELS)]
    return dict(zip(figures.LOG_LEVELS, counts))


@pytest.mark.usefixtures("counting")
def test_entries_of_the_error_log_are_counted_by_level(meter: Any) -> None:
    error_log.info("nothing of note")
    error_log.warning("one")
    error_log.error("two")
    error_log.error("two", exc_info=(None, None, None))  # a traceback was asked for where there is none
    error_log.critical("three")
    try:
        raise ValueError
    except ValueError:
        error_log.exception("four")
        error_log.error("five", exc_info=sys.exc_info())
    logging.getLogger("the.application").error("it is not ours")
    assert logged(meter) == {"warning": 1, "error": 2, "exception": 2, "critical": 1}


def test_one_process_has_one_counter(build: SimpleNamespace) -> None:
    before = error_log.filters[:]
    try:
        meters = [build.meter.Meter() for _ in range(2)]
        for one in meters:
            logs = Logs(Settings(), build)
            logs.for_loop().attach(SimpleNamespace(meter=one, log_error=lambda line, error: None))  # type: ignore[arg-type]
        error_log.warning("one")
        assert [logged(one)["warning"] for one in meters] == [0, 1]
    finally:
        error_log.filters[:] = before


# Peers


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(refused_peers, "time", clock)
    return clock


def peers_in(words: memoryview) -> list[tuple[str, int]]:
    found = []
    for row in range(figures.PEERS, figures.PEERS + figures.MOST_PEERS * figures.PEER_WORDS, figures.PEER_WORDS):
        if words[row]:
            found.append((words[row + 1 : row + figures.PEER_WORDS].tobytes().rstrip(b"\0").decode(), words[row]))
    return found


def test_most_refused_come_first_and_are_forgotten_within_a_minute(meter: Any, clock: Clock) -> None:
    peers = Peers(meter)
    peers.tick()
    for host, times in (("192.0.2.7", 2), ("", 1), ("2001:db8::1", 3)):
        for _ in range(times):
            peers.note(host)
    assert peers_in(meter.view) == []  # until the next tick
    peers.tick()
    most = [("2001:db8::/64", 3), ("192.0.2.7", 2), ("unix sockets", 1)]
    assert peers_in(meter.view) == most
    clock.now += HALF
    peers.note("")
    peers.note("")
    peers.note("")
    peers.tick()
    assert peers_in(meter.view) == [("unix sockets", 4), ("2001:db8::/64", 3), ("192.0.2.7", 2)]
    clock.now += HALF
    peers.tick()
    assert peers_in(meter.view) == []


def test_more_peers_than_there_is_room_for(meter: Any, clock: Clock) -> None:
    peers = Peers(meter)
    for number in range(20):
        for _ in range(number + 1):
            peers.note(f"192.0.2.{number}")
    peers.tick()
    assert peers_in(meter.view) == [(f"192.0.2.{number}", number + 1) for number in range(19, 11, -1)]


def test_any_address_fits() -> None:
    assert len("ffff:ffff:ffff:ffff::/64") <= ADDRESS_BYTES


def test_a_refused_client_is_shown_while_the_loop_runs(build: SimpleNamespace) -> None:
    logs = Logs(Settings(), build).for_loop()
    before = error_log.filters[:]
    try:
        with serving(build, answering(b""), observer=logs.observer) as server:
            logs.attach(server.loop.service)
            assert server.ask(b"nonsense\r\n\r\n").status == 400
            logs.refusals.tick()
            assert peers_in(server.loop.meter.view) == [("127.0.0.1", 1)]
    finally:
        error_log.filters[:] = before
