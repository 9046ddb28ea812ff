"""Who is past a deadline: looked for once a second, and met a few at a time.

Thousands of clients may be late at once; to refuse or close them all in one step would make the others wait.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from fastwsgi.server.poller import BATCH


class Deadlines:
    """Of the connections of *loop*, in its thread.

    Args:
        loop: a loop.Loop: all_connections() is used.
    """

    def __init__(self, loop: Any) -> None:
        self.loop = loop
        self._late: deque[Any] = deque()

    def look(self, now: float) -> None:
        """Find those who are late, unless some who were are not met yet; *now* is in seconds on the loop's clock."""
        if not self._late:
            self._late.extend(one for one in self.loop.all_connections() if one.is_late(now))

    @property
    def are_more(self) -> bool:
        """Whether meet() will leave some."""
        return len(self._late) > BATCH

    def meet(self, now: float) -> bool:
        """Refuse or close some of those who still are late; True if this thread has lost the loop."""
        late = self._late
        for _ in range(min(len(late), BATCH)):
            if late and (one := late.popleft()).is_late(now) and one.on_deadline():
                return True
        return False

    def excuse(self, spent: float) -> None:
        """Applications took *spent* seconds of a step: idle clients, whose time ran from its beginning, get them."""
        for connection in self.loop.all_connections():
            if connection.state == "idle":
                connection.deadline += spent
