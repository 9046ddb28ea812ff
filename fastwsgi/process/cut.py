"""Requests that are cut, as the time for a stop is over.

The error log names them, and those of which an answer has left have their line in the access log.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from fastwsgi.observe.logs import error_log
from fastwsgi.server.reach import HeldUp, reached
from fastwsgi.server.watchdog import name_of

if TYPE_CHECKING:
    from fastwsgi.http.exchange import Exchange
    from fastwsgi.server.loop import Loop

NO_WAIT = "as the end does not wait for them"
GRACE_IS_OVER = "as --graceful-timeout is over"
MOST_NAMES = 10  # requests named in a line


def report_cut(loops: Iterable[Loop], reason: str) -> None:
    """Log the requests that are not answered, or not wholly, and end for *reason*. Called in any thread."""
    cut: list[str] = []
    for loop in loops:
        with suppress(HeldUp), reached(loop.guard):
            for exchange in _unanswered(loop):
                cut.append(_name(exchange))
                if exchange.code != 0:
                    exchange.cut = True
                    exchange.report_end()
    if cut:
        names = ", ".join(cut[:MOST_NAMES]) + (", ..." if len(cut) > MOST_NAMES else "")
        what = "request is" if len(cut) == 1 else "requests are"
        error_log.warning("%d %s cut, %s: %s", len(cut), what, reason, names)


def _unanswered(loop: Loop) -> list[Exchange]:
    """The requests whose answer is not whole; what runs past --timeout is answered."""
    exchanges = [getattr(one, "exchange", None) for one in loop.all_connections()]  # a Preamble has none
    return [one for one in exchanges if one is not None and not one.over and not one.end_reported]


def _name(exchange: Exchange) -> str:
    try:
        return name_of(exchange)
    except Exception:  # the application has changed environ, or the end has come just now
        return "?"
