"""The preamble of a connection: a PROXY header is read off the socket before HTTP, or TLS, sees its first byte.

A Preamble is in the loop's table until the header is whole; its Connection then replaces it. It peeks at what has
arrived, and takes exactly the bytes of the header: those behind it are the client's. An incomplete header is taken at
once, or the poller would report it again and again. If it turns out not to be a header, and none is required, the
Connection gets these bytes as if it had received them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastwsgi.figures import RECEIVED
from fastwsgi.http.errors import NO_ROOM
from fastwsgi.http.proxy_protocol import MAX_SIZE, Header, NoHeader, ProxyError, parse
from fastwsgi.originals import socket

if TYPE_CHECKING:
    from fastwsgi.http.pace import Pace
    from fastwsgi.server.listener import Listener

READ = "read"  # as connection.py has it, whose text the compiled build need not load
PLAIN = Header(0)  # no header: the peer is the client


class Preamble:
    """Serves the socket *fd* until its PROXY header is read.

    Args:
        listener: the one that accepted it.
        pace: the account of the client, whose deadline also covers the request head behind the header.
        fd: the connected socket.
        host, port: the peer's, as environ gives them.
    """

    def __init__(self, listener: Listener, pace: Pace, fd: int, host: str, port: str) -> None:
        own = listener.socket
        self.listener = listener
        self.pace = pace
        self.fd = fd
        self.host = host
        self.port = port
        self.waits = ""
        self._ended = False  # or its Connection has replaced it
        self._socket = socket.socket(own.family, own.type, own.proto, fileno=fd)
        self._socket.setblocking(False)  # socket.setdefaulttimeout() would make it wait
        self._begun = b""  # what was taken of an incomplete header
        self.charged = 0  # its bytes, in the account of what clients make us hold

    # What the loop calls; see interfaces.py

    def on_ready(self) -> None:
        """Read what has arrived: bytes, or the end."""
        if self._ended:
            return
        if not self.listener.announces(self.host):
            self._refuse("not in --proxy-allow-from")
            return
        try:
            data = self._socket.recv(MAX_SIZE, socket.MSG_PEEK)
        except BlockingIOError:
            self._wait()
            return
        except OSError:
            data = b""
        if data:
            self._read(data)
        else:  # a health check, for instance
            self.drop(False)

    def on_turn(self) -> None:
        """Do what on_ready() does."""
        self.on_ready()

    def on_deadline(self) -> None:
        """Close without an answer, since the client has sent no request."""
        self.drop(False)

    def wait_for_turn(self) -> None:
        """Ask for a turn after the other connections."""
        self.listener.loop.go_on_later(self)

    def look(self, now: float) -> bool:
        """is_late(), as nothing was taken yet."""
        return self.is_late(now)

    def is_late(self, now: float) -> bool:
        """Whether the time for a header is over."""
        return not self._ended and self.pace.left(now) <= 0.0

    def is_lingering(self) -> bool:
        """False: it waits for its first request."""
        return False

    def idle_since(self) -> float:
        """When it became idle, if nothing has been read."""
        return float("inf") if self._ended or self._begun else self.pace.silent_since()

    def excuse(self, seconds: float) -> None:
        """Do nothing: the time for a head is not prolonged."""

    def hurry(self, until: float) -> None:
        """Let it stay no longer than *until*, if nothing has been read."""
        if self._ended or self._begun:
            return
        self.pace.hurry(until)
        if self.listener.loop.service.keep_alive <= 0.0:
            self.drop(False)

    def burden(self, now: float) -> float:
        """What it holds, times the seconds since the connection began."""
        loop = self.listener.loop
        return self.charged * max(1.0, 1.0 + now - self.pace.began(loop.service.header_timeout))

    def relieve(self) -> bool:
        """False: nothing of it can wait in a file."""
        return False

    def end_for_room(self) -> None:
        """End the connection, as it holds too much."""
        self._refuse(NO_ROOM)

    def _settle(self) -> None:
        """Have the account charge what is held now."""
        held = 0 if self._ended else len(self._begun)
        if held != self.charged:
            self.listener.loop.holdings.settle(self, held)

    def drop(self, reset: bool) -> None:
        """End the connection now."""
        if self._ended:
            return
        loop = self.listener.loop
        self._ended = True
        self._settle()
        self._socket.detach()
        loop.forget(self)
        loop.wire.close(self.fd, reset)

    def abort(self) -> None:
        """End the connection now."""
        self.drop(False)

    def disown(self, has_thread: bool) -> None:
        """In a forked child, leave the connection to the parent."""
        self._ended = True
        self._socket.detach()

    # The steps

    def _read(self, data: bytes) -> None:
        """Parse the header, of which *data* waits in the socket."""
        try:
            header = parse(self._begun + data)
        except NoHeader:
            if self.listener.takes_plain:
                self._hand_over(PLAIN)
            else:
                self._refuse("no PROXY header")
            return
        except ProxyError as error:
            self._refuse(str(error))
            return
        if header is None:
            self._take(len(data))
            self._wait()
        else:
            self._take(header.size - len(self._begun))
            self._begun = b""
            self._hand_over(header)

    def _take(self, count: int) -> None:
        """Read *count* bytes, which have arrived, from the socket."""
        while count > 0:
            taken = self._socket.recv(count)
            self.listener.loop.meter.add(RECEIVED, len(taken))
            self._begun += taken
            count -= len(taken)

    def _wait(self) -> None:
        self._settle()
        if self.waits != READ:
            self.waits = READ
            self.listener.loop.watch(self, READ, "")

    def _hand_over(self, header: Header) -> None:
        """Have a Connection serve the socket from now on."""
        self._ended = True
        self._settle()
        self._socket.detach()
        connection = self.listener.connect(self.fd, self.host, self.port, header, self.pace)
        connection.take_over(self.waits, self._begun or None)
        connection.on_ready()

    def _refuse(self, reason: str) -> None:
        """Close without an answer: the peer does not expect HTTP."""
        self.listener.loop.report_refusal(self.host, reason)
        self.drop(False)
