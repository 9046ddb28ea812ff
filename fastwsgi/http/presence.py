"""Whether the client of a connection is still there, asked while nothing is sent to it.

A reset, or the end of both directions, says that it has left. A FIN alone says only that it has finished sending: most
often because it has closed, but it may wait for its answer (RFC 9112 9.6). So the application is told of it, and gets
its answer sent all the same; but a response that goes on with empty pieces ends, half a second after the FIN was seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastwsgi.http.errors import ClientDisconnected
from fastwsgi.http.transport import FINISHED, LEFT, PRESENT

if TYPE_CHECKING:
    from fastwsgi._guard_py import Guard
    from fastwsgi.http.connection import Connection

PATIENCE = 0.5  # seconds of empty pieces for a client that has finished sending
GONE: Any = None  # replaces the connection when that is closed


class Presence:
    """environ["fastwsgi.client_disconnected"], the same for all requests of one connection."""

    connection: Connection
    guard: Guard
    finished: float
    may_read: bool

    def of(self, connection: Connection) -> Presence:
        """The presence of the client of *connection*. A method, since C makes an object fastest in its module."""
        presence = Presence.__new__(Presence)
        presence.connection = connection
        presence.guard = connection.service.guard
        presence.finished = 0.0  # when its FIN was first seen, on the loop's clock
        presence.may_read = False  # it was given up for its FIN: a reset shows it that the response is not whole
        return presence

    def __call__(self) -> bool:
        """Whether the client has left or finished sending, or the server has given it up. Called in any thread."""
        taken = self.guard.take_back()
        try:
            return self._look() != PRESENT
        finally:
            if taken:
                self.guard.give_up()

    def check(self) -> None:
        """Notice at an empty piece what sending would show.

        Raises:
            ClientDisconnected: the client has left, or does not seem to wait for more.
        """
        found = self._look()
        if found == LEFT:
            self._give_up("the client is gone, or was given up")
        if found == FINISHED:
            self._await_more()

    def _give_up(self, reason: str) -> None:
        if self.connection is not GONE:
            self.connection.given_up = True
        raise ClientDisconnected(reason)

    def _look(self) -> int:
        connection = self.connection
        if connection is GONE or connection.given_up:
            return LEFT
        found = connection.wire.presence(connection.fd)
        return LEFT if self.connection is GONE else found  # closed meanwhile, and the descriptor is somebody else's

    def _await_more(self) -> None:
        """Be patient with a client that has finished sending, but not for ever."""
        service = self.connection.service
        service.renew_time()
        if self.finished == 0.0:
            self.finished = service.now
        elif service.now - self.finished >= PATIENCE:
            self.may_read = True
            self._give_up("it has finished sending, and nothing is sent to it")
