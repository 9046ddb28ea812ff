"""The metrics of a Snapshot in Prometheus' text format 0.0.4."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from fastwsgi.status.families import FAMILIES, PREFIX, Family, Labels
from fastwsgi.status.snapshot import Histogram, Snapshot

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def text(snapshot: Snapshot) -> str:
    """All metrics; each line has an end."""
    lines: list[str] = []
    for family in FAMILIES:
        name = PREFIX + family.name
        lines += (f"# HELP {name} {family.help}", f"# TYPE {name} {family.kind}")
        if family.bounds:
            lines += _histograms(name, family, snapshot)
        else:
            lines += [f"{name}{_in_braces(labels)} {value}" for labels, value in family.samples(snapshot)]
    lines.append("")
    return "\n".join(lines)


def buckets(family: Family, histogram: Histogram) -> Iterator[tuple[str, int]]:
    """The upper bounds of the buckets, as their labels have them, with how many observations are up to each."""
    below = 0
    for bound, count in zip((*family.bounds, None), histogram.counts):
        below += count
        yield "+Inf" if bound is None else f"{bound:g}", below


def _histograms(name: str, family: Family, snapshot: Snapshot) -> Iterator[str]:
    for labels, value in family.samples(snapshot):
        assert isinstance(value, Histogram)
        for bound, count in buckets(family, value):
            yield f"{name}_bucket{_in_braces((*labels, ('le', bound)))} {count}"
        yield f"{name}_sum{_in_braces(labels)} {value.total}"
        yield f"{name}_count{_in_braces(labels)} {value.count}"


@lru_cache(4096)
def _in_braces(labels: Labels) -> str:
    return "{" + ",".join(f'{label}="{_escape(value)}"' for label, value in labels) + "}" if labels else ""


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
