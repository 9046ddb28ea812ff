"""Bounds of a worker are divided among its loops: together they have no more than one would."""

from __future__ import annotations

import pytest

from fastwsgi.server.portion import Portion
from fastwsgi.settings.settings import Settings

BOUNDS = ("threads", "max_queue", "max_waiting_streams", "max_connections", "max_buffered")


@pytest.mark.parametrize("count", [2, 3, 4])
def test_all_parts_are_the_whole(count: int) -> None:
    settings = Settings(threads=5, max_queue=7)
    parts = [Portion(settings, number, count) for number in range(count)]
    for name in BOUNDS:
        each = [getattr(part, name) for part in parts]
        assert sum(each) == getattr(settings, name)
        assert max(each) - min(each) <= 1


def test_no_part_is_nothing_and_no_bound_stays_none() -> None:
    parts = [Portion(Settings(max_queue=1, max_buffered=0), number, 2) for number in range(2)]
    assert [part.max_queue for part in parts] == [1, 1]
    assert [part.max_buffered for part in parts] == [0, 0]


def test_what_is_no_bound_is_the_same() -> None:
    settings = Settings(timeout=3)
    assert Portion(settings, 1, 2).timeout == settings.timeout
