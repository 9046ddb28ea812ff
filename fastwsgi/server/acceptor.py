"""The acceptor: the listeners of one loop, and whether it takes new connections from them.

It takes none while there is no room (admission.py), while all its threads are busy and another process has a free one,
or once a stop has begun. The listeners are not polled then, since the poller would report them again and again.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from fastwsgi.observe.standard_streams import FIRST_OTHER, moved_above
from fastwsgi.originals import os
from fastwsgi.server.admission import Admission
from fastwsgi.server.poller import BATCH
from fastwsgi.server.readiness import is_readable
from fastwsgi.server.sharing import Sharing

if TYPE_CHECKING:
    from fastwsgi.server.interfaces import Served
    from fastwsgi.server.listener import Listener
    from fastwsgi.server.loop import Loop
    from fastwsgi.settings.settings import Settings

SHARE = 4  # connections that each of several loops, or processes, accepts at once
NO_LISTENER = (errno.EBADF, errno.ENOTSOCK)  # the application has closed it
OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Acceptor:
    """Accepts for *loop*, in its thread.

    Args:
        loop: its poller, wire, connections and slot are used.
        settings: workers and loops, which share the listeners, and the settings that Admission reads.
    """

    def __init__(self, loop: Loop, settings: Settings) -> None:
        self.loop = loop
        self.admission = Admission(loop, settings)
        self.share = BATCH if settings.workers == 1 and settings.loops < 2 else SHARE
        self.listeners: dict[int, Listener] = {}  # by the file descriptor of the listener
        self.polled = True  # whether the poller watches the listeners
        self.sharing = Sharing(self)

    def add(self, listener: Listener) -> None:
        """Accept from *listener* from now on."""
        fd = listener.socket.fileno()
        self.listeners[fd] = listener
        self.loop.poller.watch(fd, "read", "")

    def on_ready(self, fd: int) -> None:
        """Accept from the listener *fd*, at which connections wait."""
        if not self.loop.siblings:
            self._accept(self.listeners[fd], self.share)
        elif not self.sharing.leaves():
            self._accept(self.listeners[fd], self.share)
            self.sharing.end()

    def may_take(self, if_full: bool) -> bool:
        """Whether the loop takes connections now, or would, also while its threads are busy if *if_full*. Called by
        other loops."""
        loop = self.loop
        takes = if_full if loop.service.full else self.polled
        return takes and self.admission.has_room() and not loop.asked_to_stop

    def accept_all(self) -> None:
        """Empty all backlogs."""
        for listener in self.listeners.values():
            while self._accept(listener, BATCH):
                pass

    def accept_one(self) -> None:
        """Take one connection from each listener, if one waits, and then no others; answer only its first request."""
        self.loop.stopping = self.loop.service.draining = True
        self.poll(False)
        for listener in self.listeners.values():
            self._accept(listener, 1)

    def poll(self, wanted: bool) -> None:
        """Poll the listeners, or stop polling them."""
        if wanted == self.polled:
            return
        self.polled = wanted
        for fd in self.listeners:
            if wanted:
                self.loop.poller.watch(fd, "read", "")
            else:
                self.loop.poller.forget(fd, "read")

    def _accept(self, listener: Listener, most: int) -> bool:
        """Accept at most *most* connections, and begin with each; True if some may be left in the backlog."""
        loop, wire, fd = self.loop, self.loop.wire, listener.socket.fileno()
        loop.service.renew_time()
        if loop.service.full and not loop.asked_to_stop and loop.others_are_free():
            self.poll(False)  # until a thread is free here
            return False
        for _ in range(most):
            # A stop accepts all connections that wait, so that none is reset
            excess = 0 if loop.asked_to_stop else self.admission.excess(fd)
            if excess:
                if not is_readable(fd):
                    return False
                if not self.admission.make_room(excess):
                    return self._pause()
            accepted, host, port = wire.accept(listener.socket)
            if accepted >= 0:
                if accepted < FIRST_OTHER:
                    accepted = moved_above(accepted)
                if not self.admission.admit(accepted, host):
                    self._turn_away(accepted, host)
                else:
                    self._begin(listener, listener.open(accepted, host, port))
            elif -accepted in NO_LISTENER and not loop.stopping:
                raise OSError(-accepted, os.strerror(-accepted))
            elif -accepted not in OUT_OF_DESCRIPTORS:
                return False
            elif not self.admission.recover(os.strerror(-accepted)):
                return self._pause()
        return True

    def _begin(self, listener: Listener, connection: Served) -> None:
        """Read *connection* at once, but with TLS after those that are ready: a handshake takes as long as 40 requests.

        So what accepts is in the caches for all that come together, which saves 3 % of a TLS connection's CPU time.
        """
        if listener.tls is None or self.loop.service.draining:
            connection.on_ready()
        else:
            connection.wait_for_turn()

    def _pause(self) -> bool:
        """Leave new connections in the backlog until one ends, or until it is time to look for idle ones again."""
        self.poll(False)
        self.loop.housekeeping.schedule(self.admission.try_again)
        return False

    def _turn_away(self, fd: int, host: str) -> None:
        """Reset a connection of a client that has too many: an answer would have to wait for a request."""
        self.loop.report_refusal(host, "too many connections")
        self.loop.wire.close(fd, True)
