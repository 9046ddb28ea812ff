"""The tiles of the page: each a figure as it is now, with its last ten minutes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fastwsgi.records import record
from fastwsgi.status import page_lines
from fastwsgi.status.history import SAMPLES, Rates, Sample
from fastwsgi.status.page_lines import Format, Scale, Value
from fastwsgi.status.page_text import NOTHING, count, duration, estimate, percent, rate, shown
from fastwsgi.status.phrases import counted, waiting_streams
from fastwsgi.status.snapshot import Snapshot

QUANTILES: tuple[tuple[str, Value], ...] = (
    ("p50", lambda one: one.p50),
    ("p95", lambda one: one.p95),
    ("p99", lambda one: one.p99),
)
FIGURE = re.compile(r"((?:&[lg]t; ?)?[\d.,]+) ?(.*)")
"""A figure and its unit."""


@record(frozen=True)
class Tile:
    """A tile with one line.

    Attributes:
        value: of a sample.
        form: how the value is written.
        least: the scale reaches at least up to it.
        note: what is said below the figure.
    """

    name: str
    title: str
    value: Value
    form: Format
    least: float
    note: str


def tiles(snapshot: Snapshot, rates: Rates, samples: Sequence[Sample]) -> str:
    """All of them; *samples* ends with that of *snapshot*."""
    placed = page_lines.places(samples)
    drawn = "".join(_tile(one, placed) for one in _single(snapshot, rates))
    return f'<div class="tiles">{drawn}{_quantiles(placed)}</div>'


def _single(snapshot: Snapshot, rates: Rates) -> tuple[Tile, ...]:
    fullest = snapshot.fullest
    others = f", {snapshot.others_busy} in retiring workers" if snapshot.others_busy else ""
    streams = f"; {waiting_streams(snapshot.streams_waiting)}" if snapshot.streams_waiting else ""
    refused = f", and {counted(rates.refused, 'request')} refused with 503" if rates.refused else ""
    limit = sum(one.limit for one in snapshot.listeners)
    at_listener = f", at {shown(fullest.address)}" if fullest and fullest.waiting else ""
    return (
        Tile("utilisation", "Utilisation", lambda one: one.utilisation, percent, 1.0,
             f"{snapshot.threads_busy} of {snapshot.threads} threads busy{others}"),
        Tile("queue", "Queue", lambda one: one.queued, count, 10, f"waiting for a thread{streams}"),
        Tile("oldest", "Oldest wait", lambda one: one.oldest_queued, duration, 1.0,
             "of a queued request" if snapshot.oldest_queued else "none waits"),
        Tile("listen", "Listen queue", lambda one: one.listen_queue, count, 10,
             f"of {count(limit)}{at_listener}" if limit else "not known here"),
        Tile("requests", "Requests a second", lambda one: one.requests, rate, 10,
             f"{count(snapshot.requests)} since the start"),
        Tile("errors", "Share of 5xx", lambda one: one.errors, percent, 0.01,
             f"{count(rates.failed)} in {duration(rates.seconds)}{refused}" if rates.seconds else "not known yet"),
    )  # fmt: skip


def _tile(tile: Tile, placed: Sequence[tuple[Sample, int]]) -> str:
    samples = [one for one, _ in placed]
    known = [one for one in map(tile.value, samples) if one is not None]
    scale = page_lines.linear(known, tile.least)
    parts = page_lines.stretches(placed, tile.value, scale)
    strips = page_lines.strips(placed, lambda group: page_lines.spread(group, tile.value, tile.form) or NOTHING)
    content = page_lines.area(parts) + page_lines.line(parts) + strips
    now = tile.value(samples[-1])
    return _article(
        tile.name, tile.title, _figure(NOTHING if now is None else tile.form(now)), tile.note,
        _plot(tile.title, _range(known, tile.form), content, scale, tile.form),
    )  # fmt: skip


def _quantiles(placed: Sequence[tuple[Sample, int]]) -> str:
    """The tile with three lines, by decades, as the slowest requests may take a thousand times as long as most do."""
    samples = [one for one, _ in placed]
    known = [found for _, value in QUANTILES for one in samples if (found := value(one)) is not None]
    scale = page_lines.decades(known)
    content = "".join(
        page_lines.line(page_lines.stretches(placed, value, scale), name) for name, value in reversed(QUANTILES)
    )
    strips = page_lines.strips(placed, lambda group: ", ".join(
        f"{name} {page_lines.spread(group, value, estimate) or NOTHING}" for name, value in QUANTILES
    ))  # fmt: skip
    figures = "".join(_figure(estimate(value(samples[-1])), name) for name, value in QUANTILES)
    plot = _plot("Durations", _range(known, estimate), _hairlines(scale) + content + strips, scale, duration)
    note = "within which 50, 95 and 99 of 100 requests are answered, estimated within buckets"
    return _article("durations", "Durations", figures, note, plot, " double")


def _hairlines(scale: Scale) -> str:
    """A line at each decade between the ends."""
    found = []
    value = scale.low * 10
    while value < scale.high * 0.99:
        found.append(f'<path class="decade" d="M0 {scale.y(value):g}H{SAMPLES}"/>')
        value *= 10
    return "".join(found)


def _figure(text: str, key: str = "") -> str:
    parts = FIGURE.fullmatch(text)
    number, unit = parts.groups() if parts else (text, "")
    named = f'<span class="key">{_legend(key)}{key}</span>' if key else ""
    return f'<span class="figure">{named}{number}{f"<small>{unit}</small>" if unit else ""}</span>'


def _legend(key: str) -> str:
    return f'<svg class="legend" viewBox="0 0 16 4" aria-hidden="true"><path class="line {key}" d="M0 2H16"/></svg> '


def _range(known: Sequence[float], form: Format) -> str:
    """What there was in ten minutes."""
    return page_lines.between(known, form) if known else "not known yet"


def _plot(title: str, were: str, content: str, scale: Scale, form: Format) -> str:
    """The lines between the numbers at the ends of their scale, with what there was in ten minutes."""
    return (
        f'<p class="scale">{form(scale.high)}</p><div class="plot">{page_lines.svg(f"{title}: {were}", content)}</div>'
        f'<p class="range"><span>{were}</span><span>{form(scale.low)}</span></p>'
    )


def _article(name: str, title: str, figures: str, note: str, plot: str, kind: str = "") -> str:
    return (
        f'<article class="tile{kind}" id="tile-{name}"><h3>{title}</h3><p class="figures">{figures}</p>'
        f'<p class="note">{note}</p>{plot}</article>'
    )
