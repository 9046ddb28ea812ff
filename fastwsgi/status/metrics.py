"""The metrics of a Snapshot in Prometheus' text format 0.0.4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fastwsgi.status.families import FAMILIES, PREFIX, Family, Sample
from fastwsgi.status.snapshot import Histogram, Snapshot

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def text(snapshot: Snapshot) -> str:
    """All metrics; each line has an end."""
    lines: list[str] = []
    for family in FAMILIES:
        name = PREFIX + family.name
        lines += (f"# HELP {name} {family.help}", f"# TYPE {name} {family.kind}")
        samples = family.samples(snapshot)
        if family.bounds:
            lines += _histograms(name, family, samples)
        else:
            lines += [
                f"{name}{{{labels.text}}} {value}" if labels.text else f"{name} {value}" for labels, value in samples
            ]
    lines.append("")
    return "\n".join(lines)


def buckets(family: Family, histogram: Histogram) -> Iterator[tuple[str, int]]:
    """The upper bounds of the buckets, as their labels have them, with how many observations are up to each."""
    below = 0
    for bound, count in zip((*family.bounds, None), histogram.counts):
        below += count
        yield "+Inf" if bound is None else f"{bound:g}", below


def _histograms(name: str, family: Family, samples: Iterable[Sample]) -> Iterator[str]:
    for labels, value in samples:
        assert isinstance(value, Histogram)
        others = f"{labels.text}," if labels.text else ""
        for bound, count in buckets(family, value):
            yield f'{name}_bucket{{{others}le="{bound}"}} {count}'
        braces = f"{{{labels.text}}}" if labels.text else ""
        yield f"{name}_sum{braces} {value.total}"
        yield f"{name}_count{braces} {value.count}"
