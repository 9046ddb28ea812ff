"""The time in which no thread worked on a request: it waited for a thread, for its body, or for its client to read.

It is what makes the difference between how long a request took and how long it kept a thread busy. An exchange has it
as *idle*: the seconds from its complete head to when its thread began to work on it, or went on. What it worked before
a pause is counted at the pause. These are the rare cases; a request that neither waits nor is cut short passes by here.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from fastwsgi.figures import (
    BUSY_TIME,
    FILE_ANSWERS,
    FILE_CODES,
    HISTOGRAM,
    PROBE_ANSWERS,
    PROBE_CODES,
    QUEUE_BOUNDS,
    QUEUE_TIMES,
)

if TYPE_CHECKING:
    from fastwsgi.http._meter_py import Meter
    from fastwsgi.http.exchange import Exchange

PROBE_WORDS = {code: PROBE_ANSWERS + index for index, code in enumerate(PROBE_CODES)}
FILE_WORDS = {code: FILE_ANSWERS + index for index, code in enumerate(FILE_CODES)}

SHORT_WAIT = 0.001  # seconds; shorter waits behind another request of the same thread are not counted


def observe(meter: Meter, histogram: int, bounds: tuple[float, ...], seconds: float) -> None:
    """Add an observation of *seconds* to the *histogram* with these *bounds*."""
    meter.add(histogram + bisect_left(bounds, seconds), 1)
    meter.add(histogram + HISTOGRAM - 1, int(seconds * 1e9))


def count_turn(meter: Meter, seconds: float) -> None:
    """Count that a request has waited *seconds* for those before it on its thread."""
    if seconds >= SHORT_WAIT:
        observe(meter, QUEUE_TIMES, QUEUE_BOUNDS, seconds)


def began(meter: Meter, exchange: Exchange) -> float:
    """When the thread of a request that now runs began to work on it, or went on, on the loop's clock."""
    begin = exchange.started + exchange.idle
    return begin if exchange.settled else max(begin, meter.free_since)


def settle(meter: Meter, exchange: Exchange | None) -> None:
    """Settle how long the request that now runs had to wait for those before it, as it goes on in another way."""
    if exchange is not None and exchange.route is None and not exchange.settled and not exchange.end_reported:
        exchange.settled = True
        waited = max(0.0, meter.free_since - exchange.started - exchange.idle)
        exchange.idle += waited
        count_turn(meter, waited)


def count_route(meter: Meter, exchange: Exchange) -> None:
    """Count a route's answer: no request of the application, and so apart from those."""
    words = FILE_WORDS if getattr(exchange.route, "sends_files", False) else PROBE_WORDS
    word = words.get(exchange.code)
    if word is not None:
        meter.add(word, 1)


def leave_queue(meter: Meter, exchange: Exchange) -> None:
    """Note that a thread has taken the request from the queue, and begins with it, or goes on, now."""
    exchange.idle = meter.now() - exchange.started
    exchange.paused = 0.0
    exchange.settled = True
    observe(meter, QUEUE_TIMES, QUEUE_BOUNDS, exchange.queued)


def pause(meter: Meter, exchange: Exchange) -> None:
    """Note that the response waits, for its client or for its turn; that of a route keeps no thread busy anyway."""
    if exchange.route is not None:
        return
    settle(meter, exchange)
    exchange.paused = meter.now()
    spent = exchange.paused - exchange.started - exchange.idle
    exchange.idle += spent
    if not exchange.end_reported:
        meter.mark(exchange)
        meter.add(BUSY_TIME, max(0, int(spent * 1e9)))
    if exchange.turn is not None and exchange.turn.running() is exchange.connection:
        meter.free_since = exchange.paused


def resume(meter: Meter, exchange: Exchange) -> None:
    """Note that the response goes on."""
    if exchange.paused:
        exchange.idle = meter.now() - exchange.started
        exchange.paused = 0.0
