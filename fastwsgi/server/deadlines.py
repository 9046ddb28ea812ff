"""The search, once a second, for connections past a deadline, which are refused or closed a few at a time.

Thousands may be late at once: to end them all in one step would make the other connections wait.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from fastwsgi.server.lateness import count_lateness
from fastwsgi.server.poller import BATCH

if TYPE_CHECKING:
    from fastwsgi.server.interfaces import Served
    from fastwsgi.server.loop import Loop


class Deadlines:
    """Finds and ends the late connections of *loop*, in its thread."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self._late: deque[Served] = deque()

    def find_late(self, now: float) -> None:
        """Find connections past their deadline, unless some are left from the last search.

        Args:
            now: seconds on the loop's clock.
        """
        if not self._late:
            self._late.extend(one for one in self.loop.all_connections() if one.look(now))

    @property
    def exceeds_batch(self) -> bool:
        """Whether enforce() will leave some for another step."""
        return len(self._late) > BATCH

    def enforce(self, now: float) -> None:
        """Refuse or close a batch of the connections that are still late."""
        late = self._late
        for _ in range(min(len(late), BATCH)):
            if late and (one := late.popleft()).is_late(now):
                count_lateness(self.loop.meter, one, now)
                one.on_deadline()

    def excuse(self, spent: float) -> None:
        """Give idle clients the seconds *spent* by applications in a step, since their time ran from its beginning."""
        for connection in self.loop.all_connections():
            connection.excuse(spent)
