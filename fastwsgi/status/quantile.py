"""Quantiles of what has been observed between two snapshots, as Prometheus' histogram_quantile() computes them.

They are estimates within a bucket. Of the first bucket only its end is known, and of what is above the last bound only
that: there a quantile is the bound itself, and sign() says on which side of it the truth is.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastwsgi.figures import DURATION_BOUNDS
from fastwsgi.status.snapshot import Histogram


def difference(now: Histogram, before: Histogram) -> Histogram:
    """What *now* has and *before*, an earlier state of the same histogram, had not."""
    counts = [max(0, new - old) for new, old in zip(now.counts, before.counts)]
    return Histogram(counts, max(0.0, now.total - before.total))


def quantile(histogram: Histogram, bounds: Sequence[float], q: float) -> float | None:
    """The value below which the share *q* (0 to 1) of the observations are; None if there are none.

    Inside a bucket the observations are taken as evenly spread; those of the first as its end, those above the last
    bound as that. So it differs from Prometheus in the first bucket, which that takes to begin at 0.

    Args:
        histogram: the observations.
        bounds: the upper bounds of its buckets, in seconds.
        q: 0.5 for the median.
    """
    rank = q * histogram.count
    if not histogram.count:
        return None
    lower = bounds[0]
    for count, upper in zip(histogram.counts, bounds):
        if count and rank <= count:
            return lower + (upper - lower) * rank / count
        rank -= count
        lower = upper
    return bounds[-1]


def sign(seconds: float) -> str:
    """"<" or ">" if a quantile of durations is a bound, "" if it is an estimate."""
    return "<" if seconds <= DURATION_BOUNDS[0] else ">" if seconds >= DURATION_BOUNDS[-1] else ""
