"""Handshakes that failed: counted by their reason, and told in one line a minute at most.

Anybody can make them fail as often as they like, and scanners do; whose client cannot connect wants to know why.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Callable

PERIOD = 60.0  # seconds at least between two lines
NAMED = 5  # reasons in a line


class Failures:
    """Counts them."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()  # not told yet, by reason
        self._silent_until = 0.0

    def note(self, reason: str) -> None:
        """One more; *reason* is one of the few that OpenSSL and we have."""
        self.counts[reason] += 1

    def tell(self, say: Callable[[str], None]) -> None:
        """Have *say* called with a line, if there is something to tell and it is time."""
        now = time.monotonic()
        if not self.counts or now < self._silent_until:
            return
        self._silent_until = now + PERIOD
        reasons = ", ".join(f"{reason} ({count})" for reason, count in self.counts.most_common(NAMED))
        say(f"TLS handshakes that failed: {sum(self.counts.values())}: {reasons}")
        self.counts.clear()
