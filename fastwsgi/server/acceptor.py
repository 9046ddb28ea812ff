"""Accepting: the listeners of one loop, and whether new connections are welcome there.

They are not while there is no room for more (admission.py), while all threads are busy and another process has one
free, and when a stop has begun. Then the listeners are not polled, since the poller would report them again and again.
"""

from __future__ import annotations

import errno
import os
from typing import Any

from fastwsgi.server.admission import Admission
from fastwsgi.server.listener import Entrance
from fastwsgi.server.poller import BATCH
from fastwsgi.server.readiness import is_readable

SHARE = 4  # connections that one of several processes accepts in a turn
OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Acceptor:
    """Accepts for *loop*, in its thread.

    Args:
        loop: a loop.Loop: its poller, wire, connections and slot are used.
        settings: workers, which share the listeners, and what Admission asks for are read.
    """

    def __init__(self, loop: Any, settings: Any) -> None:
        self.loop = loop
        self.admission = Admission(loop, settings)
        self.share = BATCH if settings.workers == 1 else SHARE
        self.entrances: dict[int, Entrance] = {}  # by the file descriptor of the listener
        self.polled = True  # whether the listeners are

    def add(self, entrance: Entrance) -> None:
        """Accept from the listener of *entrance*, too."""
        fd = entrance.listener.fileno()
        self.entrances[fd] = entrance
        self.loop.poller.watch(fd, "read", "")

    def on_ready(self, fd: int) -> bool:
        """Connections wait at the listener *fd*; returns whether this thread has lost the loop."""
        return self._accept(self.entrances[fd], self.share)[1]

    def accept_all(self) -> bool:
        """Empty all backlogs; returns whether this thread has lost the loop, and with it the rest of the work."""
        for entrance in self.entrances.values():
            more = True
            while more:
                more, lost = self._accept(entrance, BATCH)
                if lost:
                    return True
        return False

    def accept_one(self) -> None:
        """Take one connection from each listener, if one waits."""
        for entrance in self.entrances.values():
            self._accept(entrance, 1)

    def poll(self, wanted: bool) -> None:
        """Poll the listeners, or leave them alone."""
        if wanted == self.polled:
            return
        self.polled = wanted
        for fd in self.entrances:
            if wanted:
                self.loop.poller.watch(fd, "read", "")
            else:
                self.loop.poller.forget(fd, "read")

    def _accept(self, entrance: Entrance, most: int) -> tuple[bool, bool]:
        """Take connections off the backlog, *most* of them, and read each at once.

        Returns:
            Whether some may be left, and whether this thread has lost the loop.
        """
        loop, wire, listener = self.loop, self.loop.wire, entrance.listener.fileno()
        loop.renew_time(loop.shared)
        if loop.shared.full and not loop.asked_to_stop and loop.slot is not None and loop.slot.others_free():
            self.poll(False)  # until a thread is free here
            return False, False
        for _ in range(most):
            # At a stop all are taken that wait, so that none of them is reset
            missing = 0 if loop.asked_to_stop else self.admission.missing(listener)
            if missing:
                if not is_readable(listener):
                    return False, False
                if not self.admission.make_room(missing):
                    return self._pause()
            fd, host, port = wire.accept(entrance.listener)
            if fd >= 0:
                if not self.admission.welcome(fd, host):
                    self._turn_away(fd, host)
                elif entrance.open(fd, host, port).on_ready():
                    return True, True
            elif -fd not in OUT_OF_DESCRIPTORS:
                return False, False
            elif not self.admission.relieve(os.strerror(-fd)):
                return self._pause()
        return True, False

    def _pause(self) -> tuple[bool, bool]:
        """There is no room: the backlog holds newcomers until a connection ends, or it is time to look again."""
        self.poll(False)
        self.loop.look_at(self.admission.try_again)
        return False, False

    def _turn_away(self, fd: int, host: str) -> None:
        """Reset a connection of a client that has too many: an answer would have to wait for its request."""
        self.loop.connection_refused(host, "too many connections")
        self.loop.wire.close(fd, True)
