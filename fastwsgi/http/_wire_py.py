"""What a connection needs of a transport: the interface that plain sockets (and later TLS) implement.

The transport moves bytes between a file descriptor and the two buffers; it decides nothing.
"""

from __future__ import annotations

from typing import Any

WOULD_BLOCK = -1
LOST = -2  # reset, or another error that ends a connection


class Wire:
    """A transport; the methods never block and never raise for what a client did."""

    can_send_files = False

    def receive(self, fd: int, inbox: Any, rest: bytes | None) -> int:
        """Begin *inbox* anew with *rest* and what has arrived: bytes read, 0 at the end, WOULD_BLOCK or LOST."""
        raise NotImplementedError

    def send(self, fd: int, out: Any) -> int:
        """Send what *out* holds: bytes left (0 when it is empty), or LOST."""
        raise NotImplementedError

    def send_file(self, fd: int, file: int, offset: int, count: int) -> int:
        """Send up to *count* bytes of the open *file* from *offset*: bytes sent, WOULD_BLOCK or LOST."""
        raise NotImplementedError

    def unsent(self, fd: int) -> int:
        """Bytes that were taken by send() and that the client has not acknowledged; 0 where nobody knows."""
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
