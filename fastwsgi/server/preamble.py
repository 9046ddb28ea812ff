"""The preamble of a connection: a PROXY header is read off the socket before HTTP, or TLS, sees its first byte.

A Preamble is in the loop where its Connection will be, and makes way for it when the header is whole. It looks at what
has come without taking it, and takes what belongs to the header, to the byte: what stands behind it is the client's.
An incomplete header is taken at once, else the poller would report it again and again; should it turn out to be none,
where none is required, the Connection gets these bytes as if it had received them.
"""

from __future__ import annotations

import socket
from typing import Any

from fastwsgi.http.connection import CLOSED, HEAD, READ
from fastwsgi.http.proxy_protocol import MAX_SIZE, Header, NoHeader, ProxyError, parse

PLAIN = Header(0)  # no header: the peer is the client


class Preamble:
    """Serves the socket *fd* until its PROXY header is read.

    Args:
        entrance: the entrance.Entrance that it came by.
        fd: the connected socket.
        host, port: of the peer, as environ gives them.
    """

    def __init__(self, entrance: Any, fd: int, host: str, port: str) -> None:
        shared = entrance.loop.shared
        listener = entrance.listener
        self.entrance = entrance
        self.fd = fd
        self.host = host
        self.port = port
        self.state = HEAD  # or CLOSED, also when it has made way
        self.waits = ""
        self.deadline = shared.now + shared.header_timeout  # for the request head behind it, too
        self._socket = socket.socket(listener.family, listener.type, listener.proto, fileno=fd)
        self._begun = b""  # of a header that is not whole

    # What the loop calls; see http/connection.py

    def on_ready(self) -> bool:
        """Bytes may be there, or the end."""
        if self.state is CLOSED:
            return False
        if not self.entrance.announces(self.host):
            return self._refuse("not in --proxy-allow-from")
        try:
            data = self._socket.recv(MAX_SIZE, socket.MSG_PEEK)
        except BlockingIOError:
            return self._wait()
        except OSError:
            data = b""
        if not data:  # a health check, say
            self.drop(False)
            return False
        try:
            header = parse(self._begun + data)
        except NoHeader:
            return self._make_way(PLAIN) if self.entrance.takes_plain else self._refuse("no PROXY header")
        except ProxyError as error:
            return self._refuse(str(error))
        if header is None:
            self._take(len(data))
            return self._wait()
        self._take(header.size - len(self._begun))
        self._begun = b""
        return self._make_way(header)

    def on_turn(self) -> bool:
        """What on_ready() is."""
        return self.on_ready()

    def is_idle(self) -> bool:
        """Whether nothing was read."""
        return self.state is not CLOSED and not self._begun

    def is_late(self, now: float) -> bool:
        """Whether the time for a header is over."""
        return self.state is not CLOSED and now >= self.deadline

    def on_deadline(self) -> bool:
        """Too late: whoever has said nothing gets no answer."""
        self.drop(False)
        return False

    def drop(self, reset: bool) -> None:
        """End the connection now."""
        if self.state is CLOSED:
            return
        loop = self.entrance.loop
        self.state = CLOSED
        self._socket.detach()
        loop.forget(self)
        loop.wire.close(self.fd, reset)

    def abort(self) -> None:
        """End the connection now."""
        self.drop(False)

    # The steps

    def _take(self, count: int) -> None:
        """Take *count* bytes, which are there, off the socket."""
        while count > 0:
            taken = self._socket.recv(count)
            self._begun += taken
            count -= len(taken)

    def _wait(self) -> bool:
        if self.waits != READ:
            self.waits = READ
            self.entrance.loop.watch(self, READ, "")
        return False

    def _make_way(self, header: Header) -> bool:
        """Let a Connection serve the socket from here on."""
        self.state = CLOSED
        self._socket.detach()
        connection = self.entrance.connect(self.fd, self.host, self.port, header)
        connection.waits = self.waits
        connection.deadline = self.deadline
        connection.rest = self._begun or None
        return bool(connection.on_ready())

    def _refuse(self, reason: str) -> bool:
        """Close without an answer: whoever is at the other end does not expect HTTP."""
        self.entrance.loop.connection_refused(self.host, reason)
        self.drop(False)
        return False
