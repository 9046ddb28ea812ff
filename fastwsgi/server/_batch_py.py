"""A batch of events, in pure Python: the specification of _batch_c.pyx.

They are taken at once and served one by one, and belong to the loop, not to a thread: one that gets the loop in the
middle of a batch goes on with the rest. Each is looked up when its turn comes, since those before it may have closed
its connection, and accepted another with the same file descriptor. In C an event costs 730 instructions less.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from fastwsgi._guard_py import Guard
    from fastwsgi.server.interfaces import Served
    from fastwsgi.server.poller import Poller


class Batch:
    """The events of a loop that are taken and not served yet.

    Args:
        connections: the loop's table, by file descriptor.
        serve_other: called with a ready file descriptor that is not in the table.
        guard: the loop's, given up while this waits.
    """

    def __init__(self, connections: dict[int, Served], serve_other: Callable[[int], None], guard: Guard) -> None:
        self._connections = connections
        self._serve_other = serve_other
        self._guard = guard
        self._events: Iterator[tuple[int, int]] = iter(())

    def take(self, poller: Poller, timeout: float) -> int:
        """Wait at most *timeout* seconds for events from *poller*, or until a signal: how many there are now."""
        self._guard.give_up()
        try:
            events = poller.poll(timeout)
        finally:
            self._guard.take_back()
        self._events = iter(events)
        return len(events)

    def serve(self) -> None:
        """Serve those that are left. Raises LoopLost."""
        connections = self._connections
        for fd, _ in self._events:
            connection = connections.get(fd)
            if connection is not None:
                connection.on_ready()
            else:
                self._serve_other(fd)
