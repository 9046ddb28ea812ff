"""A turn: the two buffers that a thread needs to serve connections, and its current application call.

The specification of _turn_c.pyx. A loop has one turn at a time. A thread that takes the loop from another, whose
application call does not return, takes the connection out of that call and begins the turn's successor. The thread left
behind keeps its own turn, with the buffers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastwsgi.http._inbox_py import Inbox
    from fastwsgi.http._meter_py import Meter
    from fastwsgi.http._outbox_py import OutBuffer
    from fastwsgi.http.connection import Connection
    from fastwsgi.http.interfaces import Wakeable


class CallCounter:
    """The number of application calls that the threads of one loop have begun and ended.

    Attributes:
        number: odd while a call runs; if it stays the same odd number, the call is stuck.
        dozing: *monitor* does not look at the number now, and is to be woken when a call begins.
        monitor: looks at the number; None where no thread waits to take the loop.
        meter: has the name of the call for other processes; None: nobody asks for it.
    """

    def __init__(self) -> None:
        self.number = 0
        self.dozing = False
        self.monitor: Wakeable | None = None
        self.meter: Meter | None = None


class Turn:
    """What a thread needs while it has the loop.

    Attributes:
        inbox: what is received.
        out: what is sent.
        lost: another thread has taken the loop, which the thread found when it returned from a call; or the loop ends.
        given_up: the monitor has answered the client of the call (in C alone, where it needs no GIL for that).

    Args:
        inbox, out: empty buffers.
        counter: of the loop.
    """

    def __init__(self, inbox: Inbox, out: OutBuffer, counter: CallCounter) -> None:
        self.inbox = inbox
        self.out = out
        self.counter = counter
        self.lost = False
        self.given_up = False
        self._held: list[Connection] = []

    def part_with(self, out: OutBuffer) -> None:
        """Leave *out* to its connection, which has bytes in it, and use another buffer for the next."""
        if out is self.out and not self.lost:
            self.out = type(out)()

    # The application call

    def begin_call(self, connection: Connection, fd: int) -> None:
        """Begin a call for *connection*, during which the loop may be taken.

        Args:
            fd: the socket, on which the monitor may answer until begin_head(); -1: it may not.
        """
        if self.counter.meter is not None:
            self.counter.meter.begin_call(connection)
        self._held.append(connection)
        self.counter.number += 1
        if self.counter.dozing and self.counter.monitor is not None:
            self.counter.monitor.wake()

    def end_call(self) -> bool:
        """End the call; False if the loop was lost meanwhile."""
        if self.take() is None:
            self.lost = True
            return False
        if self.counter.meter is not None:
            self.counter.meter.end_call()
        self.counter.number += 1
        return True

    def begin_head(self) -> bool:
        """Begin to send the head of the response; False if the monitor has answered the client already."""
        return not self.given_up

    def lose(self) -> None:
        """Have this turn be the last of the thread, which is in a handler of signals."""
        self.lost = True

    # For other threads

    def take(self) -> Connection | None:
        """Take the connection out of the call: of several threads, only the first gets it, the others get None."""
        try:
            return self._held.pop()  # one bytecode, which no other thread can divide
        except IndexError:
            return None

    def running(self) -> Connection | None:
        """The connection of the call that runs, or None; it stays there."""
        return self._held[-1] if self._held else None

    def let_go(self, connection: Connection) -> bool:
        """Take *connection* out of its call; False if that has ended, or another thread has done so."""
        try:
            self._held.remove(connection)  # as indivisible as pop()
        except ValueError:
            return False
        return True

    def successor(self) -> Turn:
        """A turn for the thread that has taken the loop from this one."""
        self.counter.number += 1
        return Turn(type(self.inbox)(), type(self.out)(), self.counter)
