"""The lines of the page: ten minutes of a figure as a small SVG.

A pixel is a sample, so the width is SAMPLES. Time where nothing is known is left empty. Upwards a line reaches to a
round number, which stands there as the only label; below it is 0. Durations may be drawn by their decades instead.
Transparent strips over it tell times and figures where the pointer is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Callable

from fastwsgi.records import record
from fastwsgi.status.history import GAP, INTERVAL, SAMPLES, Sample
from fastwsgi.status.page_text import clock

HEIGHT = 50
STEPS = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)  # by which a round number begins
STRIPS = 60
STRIP = SAMPLES // STRIPS  # width

Value = Callable[[Sample], "float | None"]
Format = Callable[[float], str]


@record(frozen=True)
class Scale:
    """Where a value is drawn.

    Attributes:
        low, high: the values at the lower and upper end; *low* is 0 unless it goes by decades.
    """

    low: float
    high: float
    by_decades: bool = False

    def y(self, value: float) -> float:
        """The height of *value*, downwards from the top."""
        if self.by_decades:
            part = math.log10(max(value, self.low) / self.low) / math.log10(self.high / self.low)
        else:
            part = value / self.high
        return round(HEIGHT - 1 - min(part, 1.0) * (HEIGHT - 2), 1)


def linear(values: Sequence[float], least: float) -> Scale:
    """A scale up to a round number that is at least all *values* and *least*."""
    highest = max([*values, least])
    unit = 10.0 ** math.floor(math.log10(highest))
    return Scale(0.0, next(unit * step for step in STEPS if unit * step >= highest * 0.9999))


def decades(values: Sequence[float], least: float = 0.001) -> Scale:
    """A scale by decades around all *values*, those below *least* being drawn as it."""
    known = [max(one, least) for one in values] or [least * 10]
    low = math.floor(math.log10(min(known)) + 1e-9)
    high = max(math.ceil(math.log10(max(known)) - 1e-9), low + 1)
    return Scale(10.0**low, 10.0**high, by_decades=True)


def places(samples: Sequence[Sample]) -> list[tuple[Sample, int]]:
    """The samples of the last ten minutes, each with its x."""
    last = samples[-1].clock
    found = [(one, SAMPLES - round((last - one.clock) / INTERVAL)) for one in samples]
    return [(one, x) for one, x in found if x >= 0]


def stretches(placed: Sequence[tuple[Sample, int]], value: Value, scale: Scale) -> list[list[tuple[int, float]]]:
    """The points of a line, apart where something is not known between them."""
    found: list[list[tuple[int, float]]] = []
    last = -math.inf
    for sample, x in placed:
        current = value(sample)
        if current is None:
            last = -math.inf
            continue
        if sample.clock - last > GAP:
            found.append([])
        last = sample.clock
        _append(found[-1], (x, scale.y(current)))
    return found


def _append(points: list[tuple[int, float]], point: tuple[int, float]) -> None:
    """Add a point; on a level stretch only its ends are kept."""
    if len(points) >= 2 and points[-1][1] == points[-2][1] == point[1]:
        points[-1] = point
    else:
        points.append(point)


def line(parts: list[list[tuple[int, float]]], name: str = "") -> str:
    """A line with those points."""
    drawn = "".join("M" + " ".join(f"{x} {y:g}" for x, y in points) + ("h.01" if len(points) == 1 else "")
                    for points in parts)
    return f'<path class="line {name}" d="{drawn}"/>' if drawn else ""


def area(parts: list[list[tuple[int, float]]]) -> str:
    """What is below the line."""
    drawn = "".join(f"M{points[0][0]} {HEIGHT}L" + " ".join(f"{x} {y:g}" for x, y in points) + f"V{HEIGHT}Z"
                    for points in parts if len(points) > 1)
    return f'<path class="area" d="{drawn}"/>' if drawn else ""


def strips(placed: Sequence[tuple[Sample, int]], text: Callable[[Sequence[Sample]], str]) -> str:
    """Where the pointer finds what was: the time, and the *text* of the samples of each strip."""
    groups: dict[int, list[Sample]] = {}
    for sample, x in placed:
        groups.setdefault(min(x // STRIP, STRIPS - 1), []).append(sample)
    rects = (
        f'<rect x="{number * STRIP}" width="{STRIP}" height="{HEIGHT}">'
        f"<title>{clock(group[-1].at)}  {text(group)}</title></rect>"
        for number, group in groups.items()
    )
    return f'<g class="strips">{"".join(rects)}</g>'


def spread(samples: Sequence[Sample], value: Value, form: Format) -> str:
    """What a figure was in those samples: one, or from the lowest to the highest; "" if it is not known."""
    known = [one for one in map(value, samples) if one is not None]
    return between(known, form) if known else ""


def between(known: Sequence[float], form: Format) -> str:
    """From the lowest to the highest; 0 needs no unit."""
    low, high = form(min(known)), form(max(known))
    return low if low == high else f"{low if min(known) else 0} to {high}"


def svg(label: str, content: str) -> str:
    """The drawing; *label* is for those who do not see it."""
    box = f'viewBox="0 0 {SAMPLES} {HEIGHT}" preserveAspectRatio="none"'
    return f'<svg {box} role="img" aria-label="{label}">{content}</svg>'
