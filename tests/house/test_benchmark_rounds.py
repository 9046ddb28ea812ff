"""The benchmark's rounds: all servers up at once, bursts in turn, and what is left out by name."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import bursts
import measure
import programs
import rounds
from launch import ServerFailed
from load import Load
from profiles import PROFILES
from results import Results
from servers import SERVERS, Server

HELLO = PROFILES["hello"]


def results(**settings: float) -> Results:
    usual = {"rounds": 1, "bursts": 4, "seconds": 0.05, "open_bursts": 0, "open_seconds": 0.05,
             "server_core": measure.cores()[1]}
    return Results({}, {**usual, **settings}, {}, {}, {"hello": ""})


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What contenders are told to do, who start nothing; one whose name ends with "?" fails at its second burst."""
    told: list[str] = []

    class Pretender(bursts.Contender):
        def start(self) -> None:
            told.append(f"start {self.server.name}")
            self.idle_seconds = 1.0

        def stop(self) -> None:
            told.append(f"stop {self.server.name}")

        def burst(self, seconds: float) -> None:
            told.append(self.server.name)
            if self.server.name.endswith("?") and self.bursts:
                raise ServerFailed("no answer")
            self.bursts.append(bursts.Burst(Load(100, seconds, 1.0, 2.0, 0), 0.001, 5, 0.0, 10.0))

        def burst_at_a_rate(self, seconds: float) -> None:
            told.append(f"{self.server.name} at a rate")

    monkeypatch.setattr(rounds, "Contender", Pretender)
    return told


def compare(found: Results, names: str, end: float = math.inf) -> None:
    servers = [Server(name, "", ()) for name in names.split()]
    rounds.compare(found, HELLO, servers, dict.fromkeys(names.split(), ""), end)


def test_bursts_go_backwards_and_forwards_between_servers_that_are_all_up(told: list[str]) -> None:
    found = results(bursts=2, open_bursts=1)
    compare(found, "a b")
    assert told == ["start a", "start b", "b", "b at a rate", "a", "a at a rate", "a", "b", "stop b", "stop a"]
    assert found.values("hello", "a", "cpu_us") == [10.0, 10.0]
    assert found.values("hello", "a", "waits") == [0.05]


def test_each_round_has_servers_of_its_own(told: list[str]) -> None:
    found = results(rounds=3, bursts=1)
    compare(found, "a")
    assert told == ["start a", "a", "stop a"] * 3
    assert len(found.rounds["hello"]["a"]) == 3


def test_a_server_that_fails_is_stopped_and_named_and_the_others_go_on(told: list[str]) -> None:
    found = results(rounds=2)
    compare(found, "a b?")
    assert found.failed == {"hello": {"b?": "no answer"}}
    assert list(found.rounds["hello"]) == ["a"]
    assert len(found.values("hello", "a", "cpu_us")) == 8
    assert told.count("start b?") == 1
    assert told.index("stop b?") < told.index("stop a")


def test_without_time_there_is_one_round_of_two_passes(told: list[str]) -> None:
    found = results(rounds=3, bursts=9)
    compare(found, "a", end=time.monotonic())
    assert told == ["start a", "a", "a", "stop a"]


def test_what_stops_the_run_stops_the_servers(told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rounds, "one_pass", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compare(results(), "a b")
    assert told == ["start a", "start b", "stop b", "stop a"]


@pytest.mark.skipif(programs.COMPILER is None or sys.platform != "linux", reason="C programs for Linux")
def test_a_round_of_real_servers() -> None:
    servers = [SERVERS["floor"], Server("broken", "", ("-c", "print('no such application')"))]
    found = results(bursts=2)
    rounds.compare(found, HELLO, servers, dict.fromkeys(("floor", "broken"), sys.executable), math.inf)
    assert found.failed == {"hello": {"broken": "exited at start: no such application"}}
    (one,) = found.rounds["hello"]["floor"]
    assert len(one.cpu_us) == len(one.requests_per_second) == 2
    assert min(one.cpu_us) > 0
    assert one.pss_mib > 0
    assert one.idle_percent is not None
