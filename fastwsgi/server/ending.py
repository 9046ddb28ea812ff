"""The end of a loop: asked for from outside, by a stop, an abort or a halt, and carried out in the loop's own steps."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Callable

from fastwsgi.server.disowned import disown
from fastwsgi.server.reach import HeldUp, reached

if TYPE_CHECKING:
    from fastwsgi._guard_py import Guard
    from fastwsgi.http.service import Service
    from fastwsgi.server.acceptor import Acceptor
    from fastwsgi.server.housekeeping import Housekeeping
    from fastwsgi.server.interfaces import Served
    from fastwsgi.server.poller import Poller
    from fastwsgi.server.threads import Pool
    from fastwsgi.server.wake_pipe import WakePipe


class Ending:
    """The part of a Loop that ends it.

    Attributes:
        asked_to_stop: the next step begins to stop.
        stopping: no connection is accepted any more.
        aborted: all connections are to end now.
        stopped_accepting: called once a stop has emptied the backlogs.
        closers: called by close().
    """

    guard: Guard
    service: Service
    acceptor: Acceptor
    housekeeping: Housekeeping
    poller: Poller
    pool: Pool | None
    wake_pipe: WakePipe

    def __init__(self) -> None:
        self._idle_grace = 0.0
        self.asked_to_stop = self.stopping = self.aborted = False
        self.stopped_accepting: Callable[[], None] = lambda: None
        self.closers: list[Callable[[], None]] = []

    def all_connections(self) -> list[Served]:
        """A copy of the table's connections."""
        raise NotImplementedError

    def wake(self) -> None:
        """End the wait of the loop."""
        raise NotImplementedError

    def stop(self, idle_grace: float = 0.0) -> None:
        """Accept what already waits, answer what is in flight, close idle connections, and let run() return.

        It may be called in any thread, by an application or a signal handler: the next step does the work.

        Args:
            idle_grace: seconds for which requests on idle connections are still answered, since a request that is sent
                while its connection is being closed would be lost.
        """
        self._idle_grace = idle_grace
        self.drain()
        self.asked_to_stop = True
        self.wake()

    def drain(self) -> None:
        """Keep no connection after its response from now on. Called in any thread."""
        with suppress(HeldUp), reached(self.guard):
            self.service.draining = True
            return
        self.service.draining = True  # without it: who hangs reads it afterwards

    def begin_to_stop(self) -> None:
        """Accept what waits, and hurry all connections. If the loop is lost here, its next thread starts again.

        The application answers what has come on connections that are kept, and may take its time. So there is another
        look at the backlogs just before their end, which resets who connects in between.
        """
        service = self.service
        service.keep_alive = min(service.keep_alive, self._idle_grace)
        self.acceptor.accept_all()
        self.housekeeping.hurry_idle()
        self.acceptor.poll(False)
        self.acceptor.accept_all()
        self.stopping = True
        self.stopped_accepting()

    def is_done(self) -> bool:
        """Whether nothing is left to wait for, calls that were given up aside: nothing can end those."""
        left = [one for one in self.all_connections() if not one.is_lingering()]
        return not left or (self.pool is not None and self.pool.has_given_up(left))

    def abort(self) -> None:
        """End all connections now, with a reset where a response is incomplete."""
        if self.pool is not None and self.pool.abort():
            return
        self.drop_all()

    def halt(self) -> None:
        """Begin no other request, and let run() return behind this one. Called in a signal handler, on any thread."""
        self.aborted = True
        if self.pool is None or self.pool.has_loop():
            self.service.turn.lose()

    def drop_all(self) -> None:
        """Do abort()'s work; a connection that another thread serves is closed by that thread.

        Where a thread hangs that has the guard, connections stay as they are: the end does not wait for it.
        """
        with suppress(HeldUp), reached(self.guard):
            for connection in self.all_connections():
                connection.abort()

    def close(self) -> None:
        """End all connections, and close the poller and the loop's own pipe."""
        self.drop_all()
        self.acceptor.listeners.clear()
        self.poller.close()
        self.wake_pipe.close()
        for close in self.closers:
            close()

    def disown(self) -> None:
        """In a child that the application has forked, leave everything to the parent."""
        disown(self)  # type: ignore[arg-type]  # it is a Loop
