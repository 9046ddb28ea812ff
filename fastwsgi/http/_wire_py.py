"""What a connection needs of a transport: the interface that plain sockets and TLS implement.

The transport moves bytes between a file descriptor and the two buffers; it knows nothing of HTTP.
"""

from __future__ import annotations

from typing import Any


class Wire:
    """A transport; no method blocks, or raises for anything that a client did."""

    can_send_files = False
    cannot_answer = False  # no answer can be sent yet
    handshaking = False  # the client has begun a handshake above TCP's
    last = False  # set by the connection: nothing will be sent after the next send()

    def receive(self, fd: int, inbox: Any, rest: bytes | None) -> int:
        """Begin *inbox* anew with *rest* and what has arrived: bytes read, 0 at the end, or a word of transport.py."""
        raise NotImplementedError

    def receive_into(self, fd: int, inbox: Any, room: Any) -> int:
        """As receive(), of a body: *room*, which is not full, gets what can be received straight into it."""
        return self.receive(fd, inbox, None)

    def send(self, fd: int, out: Any) -> int:
        """Send what *out* holds: bytes left (0 when it is empty), or LOST."""
        raise NotImplementedError

    def send_file(self, fd: int, file: int, offset: int, count: int) -> int:
        """Send up to *count* bytes of the open *file* from *offset*: bytes sent, WOULD_BLOCK or LOST."""
        raise NotImplementedError

    def unsent(self, fd: int) -> int:
        """Bytes that send() has taken and the client has not acknowledged; 0 where that is unknown.

        Negative where the client has acknowledged part of what send() does not count yet.
        """
        raise NotImplementedError

    def presence(self, fd: int) -> int:
        """Whether the client is there, by one system call that reads nothing: a word of transport.py."""
        raise NotImplementedError

    def weight(self) -> int:
        """Bytes of memory that the transport holds for this one connection."""
        return 0

    def finish(self, fd: int) -> None:
        """Signal that nothing more will be sent (RFC 9112 9.6)."""
        raise NotImplementedError

    def cut(self, fd: int) -> None:
        """Reset the connection, and leave the useless descriptor open for its owner to close."""
        raise NotImplementedError

    def close(self, fd: int, reset: bool) -> None:
        """Close; *reset* keeps the client from taking what it has for the whole response."""
        raise NotImplementedError
