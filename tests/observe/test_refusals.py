"""Refusals in the error log: in summary, a line a minute at most."""

from __future__ import annotations

import logging
import re
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi.http.errors import HttpError
from fastwsgi.observe import refusals as refusals_module
from fastwsgi.observe.logs import Logs, error_log
from fastwsgi.observe.refusals import MAX_KINDS, MAX_NEW, Refusals, Summary
from fastwsgi.observe.refused_peers import MAX_COUNTED
from fastwsgi.settings.settings import Settings
from tests.helpers.serving import GET, answering, request, serving


class Told:
    """Refusals under a clock that the test turns."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.summary = Summary()
        self.refusals = Refusals(self.summary)

    def monotonic(self) -> float:
        return self.now

    def refuse(self, host: str, status: int, times: int = 1, reason: str = "no matter") -> None:
        for _ in range(times):
            self.refusals.request_refused(SimpleNamespace(host=host), HttpError(status, reason))

    def close(self) -> None:
        self.refusals.pass_on()
        self.summary.close()

    def pass_time(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1
            self.refusals.tick()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Told:
    monkeypatch.setattr(error_log, "propagate", True)
    caplog.set_level(logging.INFO, "fastwsgi.error")
    told = Told()
    monkeypatch.setattr(refusals_module, "time", told)
    return told


def test_a_line_a_minute_whatever_comes(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    told.refuse("192.0.2.9", 408)
    told.pass_time(1)
    assert caplog.messages == ["refused 1 in 1 s (408 (no matter): 1), from 192.0.2.9"]
    for _ in range(100):
        told.refuse("192.0.2.7", 400, 10)
        told.refuse("2001:db8::1", 431, 2)
        told.refuse("2001:db8::2", 431, 3)
        told.pass_time(1)
    told.close()
    assert caplog.messages[1:] == [
        "refused 15 in 1 s (400 (no matter): 10, 431 (no matter): 5), most of them from 192.0.2.7 (10)",  # new kinds
        "refused 885 in 59 s (400 (no matter): 590, 431 (no matter): 295), most of them from 192.0.2.7 (590)",
        "refused 600 in 40 s (400 (no matter): 400, 431 (no matter): 200), most of them from 192.0.2.7 (400)",
    ]
    told.refusals.connection_refused("192.0.2.7", "too many connections")
    told.close()
    assert caplog.messages[4:] == ["refused 1 in 1 s (too many connections: 1), from 192.0.2.7"]
    assert {record.levelno for record in caplog.records} == {logging.INFO}


def test_lack_of_room_is_a_warning(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    told.refuse("", 503, 2, "the queue is full")
    told.refusals.connection_refused("192.0.2.7", "too many connections")
    told.pass_time(1)
    assert caplog.messages == [
        "refused 3 in 1 s (503 (the queue is full): 2, too many connections: 1), most of them from unix sockets (2)"
    ]
    assert caplog.records[0].levelno == logging.WARNING


def test_what_is_new_is_told_at_once_but_not_without_end(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    told.refuse("", 400)
    told.pass_time(1)
    for number in range(100):
        told.refuse("", 400, reason=f"reason {number % 70}")
        told.refuse("", 400)
        told.pass_time(1)
        assert len(told.summary._batch.kinds) <= MAX_KINDS + 1
    assert len(caplog.messages) == 1 + MAX_NEW + 1 + MAX_NEW
    kinds = "400 (reason 0): 1, 400 (no matter): 1"
    assert caplog.messages[1] == f"refused 2 in 1 s ({kinds}), most of them from unix sockets (2)"
    assert ", others: " in caplog.messages[MAX_NEW + 1]


def test_each_refusal_has_a_line_at_level_debug(
    build: SimpleNamespace, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "fastwsgi.error")
    logs = Logs(Settings(), build)
    with serving(build, answering(b"hello"), logs.for_loop().observer, limit_request_body=10) as server:
        server.ask(b"GET /a?b HTTP/1.1\r\nUser-Agent: me\r\nHost: a\r\nHost: \xff\r\n\r\npassword")
        server.ask(request("POST", "/up?token=1", [("Transfer-Encoding", "chunked")]) + b"nonsense\r\n")
        server.ask(b"\x16\x03\x01\2\0")
        server.ask(b"PRI * HTTP/2.0\r\n\r\n")
        server.settle()
    logs.close()
    lines = [re.sub("port [0-9]+", "port N", record.getMessage()) for record in caplog.records if record.levelno == 10]
    assert lines == [
        "refused with 400 (not exactly one Host) 127.0.0.1 port N: Host: a\\r\\nHost: \\xff",
        "refused with 400 (malformed chunk size) 127.0.0.1 port N: POST /up?...",
        "refused with 400 (TLS where HTTP is spoken) 127.0.0.1 port N: \\x16\\x03\\x01\\x02\\x00",
        "refused with 505 (HTTP/2) 127.0.0.1 port N: PRI * HTTP/2.0",
    ]


def test_a_signal_may_end_all_in_the_middle(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    told.refuse("", 400)
    with told.summary._lock:
        told.close()
    assert len(caplog.messages) == 1


def test_nothing_refused_nothing_written(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    told.pass_time(100)
    told.close()
    assert caplog.messages == []


def test_many_clients_cost_bounded_memory_and_the_worst_is_found(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(100_000):
        told.refuse(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}" if number % 10 else "192.0.2.7", 400)
        assert len(told.refusals._batch.frequent.counts) <= MAX_COUNTED
    told.pass_time(1)
    assert "most of them from 192.0.2.7 (9" in caplog.text  # of 10,000, less at most 1 / MAX_COUNTED of all


@pytest.mark.parametrize("more", [{}, {"trace": True}])
def test_in_a_server(
    build: SimpleNamespace, told: Told, caplog: pytest.LogCaptureFixture, more: dict[str, Any]
) -> None:
    logs = Logs(Settings(**more), build)
    with serving(build, answering(b"hello"), logs.for_loop().observer, max_connections_per_ip=1) as server:
        server.advance(0.0)  # no second ends between the two
        assert server.ask(b"nonsense\r\n\r\n").status == 400
        while server.connections():
            pass
        with server.connect() as client:
            assert client.send(GET).answer().body == b"hello"
            try:
                with server.connect() as other:
                    other.rest()
            except ConnectionResetError:
                pass  # before connect() had returned
        server.advance(1.1)
    logs.close()
    assert caplog.messages == [
        "refused 2 in 1 s (400 (malformed request line): 1, too many connections: 1), most of them from 127.0.0.1 (2)"
    ]
