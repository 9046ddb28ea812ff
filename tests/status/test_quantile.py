"""Quantiles of buckets, and what has come between two histograms."""

from __future__ import annotations

import pytest

from fastwsgi.status.quantile import difference, quantile, sign
from fastwsgi.status.snapshot import Histogram

BOUNDS = (1.0, 2.0, 4.0)


@pytest.mark.parametrize(
    ("counts", "q", "expected"),
    [
        ([0, 0, 0, 0], 0.5, None),
        ([4, 0, 0, 0], 0.5, 1.0),  # below the first bound: no more is known
        ([0, 4, 0, 0], 0.5, 1.5),
        ([0, 4, 0, 0], 1.0, 2.0),
        ([0, 4, 0, 0], 0.0, 1.0),
        ([1, 0, 1, 0], 0.5, 1.0),  # on the edge, empty buckets passed by
        ([1, 0, 1, 0], 0.75, 3.0),
        ([1, 1, 1, 1], 0.99, 4.0),  # above the last bound
        ([0, 0, 0, 7], 0.01, 4.0),
    ],
)
def test_a_quantile(counts: list[int], q: float, expected: float | None) -> None:
    found = quantile(Histogram(counts, 0.0), BOUNDS, q)
    assert found == (expected if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(("seconds", "expected"), [(0.005, "<"), (0.0051, ""), (9.9, ""), (10.0, ">")])
def test_the_first_and_the_last_are_bounds(seconds: float, expected: str) -> None:
    assert sign(seconds) == expected


def test_a_difference_is_what_is_new() -> None:
    assert difference(Histogram([5, 2, 1], 9.0), Histogram([3, 2, 0], 4.5)) == Histogram([2, 0, 1], 4.5)


def test_a_difference_is_never_negative() -> None:
    assert difference(Histogram([1, 4], 2.0), Histogram([3, 2], 5.0)) == Histogram([0, 2], 0.0)
