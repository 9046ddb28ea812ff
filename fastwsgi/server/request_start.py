"""How long requests wait before they get here: from the time that a believed proxy has put into X-Request-Start.

nginx writes seconds ("t=1700000000.123"), others milliseconds, microseconds or nanoseconds. Which it is shows in the
size of the number, for any time between 2001 and 2286. What is no such time, is in the future or more than an hour ago,
is left out: a metric is not worth a refusal.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fastwsgi.figures import PROXY_QUEUE_TIMES, QUEUE_BOUNDS
from fastwsgi.http.waits import observe
from fastwsgi.originals import time

if TYPE_CHECKING:
    from fastwsgi.http._meter_py import Meter

TIME = re.compile(r"(?:t=)?([0-9]{10,19}(?:\.[0-9]{1,9})?)")
UNITS = (1.0, 1e3, 1e6, 1e9, 1e9)  # of a second, for numbers of 10, 13, 16 and 19 digits
LONGEST = 3600.0  # seconds
SKEW = 0.1  # seconds that the proxy's clock may be ahead


class RequestStarts:
    """Counts the waits with *meter*."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def note(self, value: str) -> None:
        """Count the wait of a request that has just arrived, with this *value* of the field."""
        waited = seconds_since(value, time.time())
        if waited is not None:
            observe(self._meter, PROXY_QUEUE_TIMES, QUEUE_BOUNDS, waited)


def seconds_since(value: str, now: float) -> float | None:
    """The seconds from the time that *value* gives until *now* (seconds since 1970); None if it gives none."""
    found = TIME.fullmatch(value.strip())
    if found is None:
        return None
    number = found[1]
    unit = UNITS[(len(number.partition(".")[0]) - 10) // 3]
    waited = now - float(number) / unit
    return max(0.0, waited) if -SKEW <= waited <= LONGEST else None
