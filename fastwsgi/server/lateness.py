"""What a connection is late with, for the figures: timeouts by kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastwsgi.figures import TIMEOUT_KINDS, TIMEOUTS
from fastwsgi.http.states import BODY, ENDING, HEAD, INTERIM, RUNNING, SENDING

if TYPE_CHECKING:
    from fastwsgi.http._meter_py import Meter
    from fastwsgi.server.interfaces import Served

SENDS = (SENDING, ENDING, INTERIM, RUNNING)  # RUNNING: a stream that waits on its thread


def count_lateness(meter: Meter, late: Served, now: float) -> None:
    """Count that *late* is about to be ended at the time *now*; an idle connection is no fault of anybody."""
    kind = kind_of(late, now)
    if kind:
        meter.add(TIMEOUTS + TIMEOUT_KINDS.index(kind), 1)


def kind_of(late: Any, now: float) -> str:
    """One of TIMEOUT_KINDS, or "" for a Connection that was only kept open for long enough.

    Args:
        late: a Connection, or a Preamble, which waits for what comes before the head.
        now: seconds on the loop's clock.
    """
    state = getattr(late, "state", HEAD)
    if state == BODY:
        return "body" if now >= late.pace.deadline else "rate"
    if state in SENDS:
        return "write" if now >= late.pace.deadline else "rate"
    is_first = not getattr(late, "answered", False)
    return "head" if state == HEAD and (is_first or not late.is_idle()) else ""
