"""What a connection needs of a transport: the interface that plain sockets and TLS implement.

The transport moves bytes between a file descriptor and the two buffers; it decides nothing of HTTP.
"""

from __future__ import annotations

from typing import Any


class Wire:
    """A transport; the methods never block and never raise for what a client did."""

    can_send_files = False
    mute = False  # no answer can be sent yet
    opening = False  # the client has begun to open the connection, beyond that of the sockets
    last = False  # set by the connection: what send() is given next is all that will be sent

    def receive(self, fd: int, inbox: Any, rest: bytes | None) -> int:
        """Begin *inbox* anew with *rest* and what has arrived: bytes read, 0 at the end, or a word of transport.py."""
        raise NotImplementedError

    def send(self, fd: int, out: Any) -> int:
        """Send what *out* holds: bytes left (0 when it is empty), or LOST."""
        raise NotImplementedError

    def send_file(self, fd: int, file: int, offset: int, count: int) -> int:
        """Send up to *count* bytes of the open *file* from *offset*: bytes sent, WOULD_BLOCK or LOST."""
        raise NotImplementedError

    def unsent(self, fd: int) -> int:
        """Bytes that were taken by send() and that the client has not acknowledged; 0 where nobody knows.

        Below 0 where it has acknowledged bytes of a part that send() does not count yet.
        """
        raise NotImplementedError

    def finish(self, fd: int) -> None:
        """Say that nothing more will be sent (RFC 9112 9.6)."""
        raise NotImplementedError

    def cut(self, fd: int) -> None:
        """Reset the connection, and leave the descriptor, good for nothing, to whoever is going to close it."""
        raise NotImplementedError

    def close(self, fd: int, reset: bool) -> None:
        """Close; with *reset* so that the client cannot take what it has for the whole."""
        raise NotImplementedError
