"""Which of the loops of a process takes new connections: one that has as few as the others.

A connection never moves. Where the loop that woke first had taken all of a burst before the others were awake, one
thread would serve them for as long as they are kept. So a loop leaves new ones to another that has fewer, but not for
long: the other may be in a call, or have more to do with its few, and what it does not take at once is taken here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastwsgi.server.acceptor import Acceptor
    from fastwsgi.server.loop import Loop

LEAD = 4  # connections more than another loop has
LEAVE = 0.005  # seconds for which they are left: a slow call is noticed by then
TAKE = 0.1  # seconds for which nothing is left after that was in vain


class Sharing:
    """What one of several loops leaves to the others.

    Attributes:
        has_left: new connections, and no other loop has said yet that it has as many now.

    Args:
        acceptor: that of the loop.
    """

    def __init__(self, acceptor: Acceptor) -> None:
        self.acceptor = acceptor
        self.loop = acceptor.loop
        self.has_left = False
        self._left_at = self._take_until = 0.0

    def leaves(self) -> bool:
        """Leave what waits to another loop, if one has fewer connections and room for more."""
        now = self.loop.service.now
        if self.has_left and now < self._left_at + 2 * LEAVE:
            self._take_until = now + TAKE  # it still waits
        self.has_left = now >= self._take_until and not self.loop.asked_to_stop and self._has_lead()
        if self.has_left:
            self._left_at = now
            self.acceptor.poll(False)
            self.loop.housekeeping.schedule(now + LEAVE)  # which polls again
        return self.has_left

    def end(self) -> None:
        """Having taken some, let those accept again that have left them, unless this loop still has fewer."""
        for one in self.loop.siblings:
            if one.acceptor.sharing.has_left and not is_behind(self.loop, one):
                one.acceptor.sharing.has_left = False
                one.accept_again()

    def _has_lead(self) -> bool:
        """Whether another loop has fewer and takes some: also one whose threads are all busy, if they are here, too."""
        is_full = self.loop.service.full
        others = [one for one in self.loop.siblings if is_behind(one, self.loop) and one.acceptor.may_take(is_full)]
        for one in others:
            if not one.acceptor.polled:
                one.accept_again()
        return bool(others)


def is_behind(loop: Loop, other: Loop) -> bool:
    """Whether *loop* has so many connections fewer than *other* that it is to take the next ones."""
    return len(loop.connections) + LEAD <= len(other.connections)
