"""The receive buffers, in pure Python: the specification of _inbox_c.pyx.

One Inbox serves all connections of a loop, one after the other: at the end of its turn a connection takes away the
bytes that it has not used, and puts them back before it reads again. A Room belongs to one body.
"""

from __future__ import annotations

import re

_BARE_LINE_END = re.compile(rb"(?<!\r)\n|\r(?=[^\n])")
CAPACITY = 131072  # bytes: the longest head kept over, and 64 KiB read behind it


class Inbox:
    """Received bytes and how far they have been read: data[start:end] is unread."""

    def __init__(self) -> None:
        self.data = bytearray(CAPACITY)
        self.view = memoryview(self.data)
        self.start = 0
        self.end = 0

    def available(self) -> int:
        """The number of unread bytes."""
        return self.end - self.start

    def fill(self, data: bytes) -> None:
        """Begin anew with *data* (at most CAPACITY bytes)."""
        if len(data) > CAPACITY:
            raise ValueError("more than the receive buffer holds")
        self.data[: len(data)] = data
        self.start = 0
        self.end = len(data)

    def peek(self, count: int) -> bytes:
        """A copy of the next *count* bytes, or of all if there are fewer."""
        return self.view[self.start : min(self.start + count, self.end)].tobytes()

    def take(self, count: int) -> bytes:
        """As peek(), but the bytes count as read."""
        data = self.peek(count)
        self.start += len(data)
        return data

    def new_room(self, most: int) -> Room:
        """An empty Room for *most* bytes."""
        return Room(most)

    def since(self, mark: int) -> bytes:
        """A copy of the bytes that were read since *start* was *mark*."""
        return self.view[mark : self.start].tobytes()

    def head_size(self, skipped: int) -> int:
        """The length of *skipped* bytes and the head behind them, with its empty line; 0 if that has not arrived."""
        at = self.data.find(b"\r\n\r\n", self.start + skipped, self.end)
        return at + 4 - self.start if at >= 0 else 0

    def has_bare_line_end(self, skipped: int) -> bool:
        """Whether a CR or LF behind the *skipped* bytes is not in a CRLF; a CR at the very end may still get its LF."""
        return _BARE_LINE_END.search(self.peek(self.available()), skipped) is not None


class Room:
    """The bytes of a body that have arrived, in memory.

    In C a body is received into the bytes object that the application reads. What that has reserved is at most 8 times
    what has arrived, so as it grows, no more than a seventh is copied; and what is reserved is not touched in advance,
    so a client that announces much and sends little costs what it sends.

    Attributes:
        size: bytes in it.

    Args:
        most: bytes that it may have.
    """

    def __init__(self, most: int) -> None:
        self.data = bytearray()
        self.size = 0
        self.most = most

    def is_full(self) -> bool:
        """Whether it has the most bytes that it may have."""
        return self.size >= self.most

    def take(self, inbox: Inbox, count: int) -> None:
        """Take the next *count* bytes of *inbox*, or as many as there are and have room."""
        self.add(inbox.take(min(count, self.most - self.size)))

    def add(self, data: bytes) -> None:
        """Add *data*, which must have room."""
        if len(data) > self.most - self.size:
            raise ValueError("more than there is room for")
        self.data += data
        self.size += len(data)

    def contents(self) -> bytes:
        """The bytes, after which none are added."""
        return bytes(self.data)
