"""Times in which this process did not run: nobody else is to be blamed for what was not done then.

A machine may have been suspended, or so busy that nothing of ours ran; others of our processes stood still, too.
"""

from __future__ import annotations


class Awake:
    """Since when this process has looked often enough to tell that others are silent.

    Args:
        longest: seconds between two looks; after more of them it begins anew.
    """

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._looked = float("inf")
        self._since = 0.0

    def look(self, now: float) -> float:
        """Note that it does so now; since when it has (time.monotonic(); 0: from the beginning)."""
        if now > self._looked + self._longest:
            self._since = now
        self._looked = now
        return self._since
