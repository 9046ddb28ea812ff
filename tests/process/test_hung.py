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


class Fleet:
    """Workers by their process IDs, each with a heartbeat and a pulse; and who was ended, and what was told."""

    def __init__(self, **beats: tuple[float, float]) -> None:
        idle = {"words": figures.private_memory(), "bases": [0]}
        dump = SimpleNamespace(ask=lambda pid: None, is_whole=lambda: True, take=lambda: "stacks")
        self.members: dict[int, Any] = {}
        for pid, (name, (heartbeat, seconds)) in enumerate(beats.items(), 1):
            slot = SimpleNamespace(heartbeat=heartbeat, pulse=seconds, **idle)
            self.members[pid] = SimpleNamespace(name=name, pid=pid, state="ready", slot=slot, dump=dump)
        self.ended: list[str] = []
        self.told: list[str] = []
        self.hung = HungWorkers(
            lambda child: self.ended.append(child.name),  # type: ignore[attr-defined]
            lambda child: None,
            lambda child, line, stacks: self.told.append(f"{line}: {stacks}"),
        )

    def check(self, *times: float) -> None:
        fleet: Any = self
        for now in times:
            self.hung.check(fleet, Settings(timeout=1), now)


def test_each_worker_is_judged_by_its_own_pulse() -> None:
    """One from before a reload may have a slower one."""
    fleet = Fleet(older=(99.2, 1.0), newer=(97.0, 0.25))
    fleet.check(100.0, 100.15)
    assert fleet.ended == ["newer"]
    assert fleet.told == [f"worker 2: a C call has held {HELD} for 2.8 s: stacks"]


def test_nobody_is_blamed_for_a_time_in_which_the_supervisor_stood_still_too() -> None:
    fleet = Fleet(alive=(100.0, 0.25), hung=(100.0, 0.25))
    fleet.check(100.3, 131.5)  # the machine was suspended
    fleet.members[1].slot.heartbeat = 131.6
    fleet.check(*(131.5 + quarter / 4 for quarter in range(1, 6)))
    assert fleet.told == [f"worker 2: a C call has held {HELD} for 1.0 s: stacks"]
    fleet.members[1].slot.heartbeat = 132.9
    fleet.check(133.1)
    assert fleet.ended == ["hung"]
