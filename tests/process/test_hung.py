"""How soon the supervisor notices that no Python runs in a worker; that it does is in test_expired_requests.py."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi import figures
from fastwsgi.process.hung import HungWorkers, pulse
from fastwsgi.settings.settings import Settings
from fastwsgi.status.phrases import HELD


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ({}, 1.0),
        ({"status_bind": "127.0.0.1:0"}, 0.5),
        ({"timeout": 30}, 1.0),
        ({"timeout": 1}, 0.25),
        ({"timeout": 30, "slow_log": 0.2}, 0.05),
    ],
)
def test_the_pulse_follows_the_deadline(given: dict[str, Any], seconds: float) -> None:
    assert pulse(Settings(**given)) == seconds


def test_each_worker_is_judged_by_its_own_pulse() -> None:
    """One from before a reload may have a slower one."""
    killed: list[Any] = []
    dump = SimpleNamespace(ask=lambda pid: None, is_whole=lambda: True, take=lambda: "stacks")
    told: list[str] = []
    idle = {"words": figures.private_memory(), "bases": [0]}
    beats = {1: {"heartbeat": 99.2, "pulse": 1.0}, 2: {"heartbeat": 97.0, "pulse": 0.25}}
    slots = {pid: SimpleNamespace(**one, **idle) for pid, one in beats.items()}
    members = {pid: SimpleNamespace(pid=pid, state="ready", slot=slot, dump=dump) for pid, slot in slots.items()}
    hung = HungWorkers(killed.append, lambda child: None, lambda child, line, stacks: told.append(f"{line}: {stacks}"))
    fleet: Any = SimpleNamespace(members=members)
    for now in (100.0, 100.15):
        hung.check(fleet, Settings(timeout=1), now)
    assert [child.pid for child in killed] == [2]
    assert told == [f"worker 2: a C call has held {HELD} for 2.8 s: stacks"]
