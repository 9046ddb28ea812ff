"""Log lines that clients could cause as often as they like, of which at most one a minute is written."""

from __future__ import annotations

from typing import Callable

from fastwsgi.originals import threading

PERIOD = 60.0  # seconds


class RateLimitedLog:
    """Writes one kind of line: the first at once, then one a minute, which gives the number left out.

    Args:
        log_error: called with a message and None.
    """

    def __init__(self, log_error: Callable[[str, BaseException | None], None]) -> None:
        self._log_error = log_error
        self._lock = threading.RLock()
        self._written = float("-inf")  # when the last line was written
        self._left_out = 0  # lines left out since then

    def log(self, now: float, message: str) -> None:
        """Write *message*, or count it, in any thread; *now* is in seconds, on any clock that does not go back."""
        with self._lock:
            if now < self._written + PERIOD:
                self._left_out += 1
                return
            more = f" ({self._left_out} times more since the last such line)" if self._left_out else ""
            self._written, self._left_out = now, 0
        self._log_error(message + more, None)
