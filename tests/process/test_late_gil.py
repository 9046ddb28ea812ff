"""How many loops a process has, and a GIL that comes after the start, for a module that wants it."""

from __future__ import annotations

import sys

import pytest

from fastwsgi.process.late_gil import LateGil
from fastwsgi.process.startup import loop_count
from fastwsgi.settings import cpus
from fastwsgi.settings.settings import Settings


def test_it_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    late_gil = LateGil(2, lines.append)
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    late_gil.tick()
    assert lines == []
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: True)
    late_gil.tick()
    late_gil.tick()
    assert [line.partition(":")[0] for line in lines] == ["the 2 loops of this process take turns"]


@pytest.mark.parametrize(
    ("workers", "threads", "loops"), [(1, 4, 4), (1, 16, 8), (1, 1, 1), (3, 4, 2), (8, 4, 1), (9, 4, 1)]
)
def test_loops_on_eight_cpus(monkeypatch: pytest.MonkeyPatch, workers: int, threads: int, loops: int) -> None:
    monkeypatch.setattr(cpus, "available", lambda: 8)
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    settings = Settings(workers=workers, threads=threads)
    assert loop_count(settings) == loops
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: True)
    assert loop_count(settings) == 1
