"""Short lines between the supervisor and a worker, over a pair of sockets: commands one way, news the other."""

from __future__ import annotations

import socket


class Channel:
    """One end.

    It never blocks: a peer that reads nothing loses lines, and is stopped by other means.

    Args:
        end: a connected stream socket, which becomes the channel's.
    """

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end
        self._begun = b""

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._end.fileno()

    def send(self, line: str) -> None:
        """Send *line*, if anybody is there."""
        try:
            self._end.send(line.replace("\n", " ").encode("utf-8", "replace") + b"\n")
        except OSError:
            pass  # the other process has ended, which is noticed elsewhere

    def receive(self) -> tuple[list[str], bool]:
        """The whole lines that have come, and whether the other end is still open."""
        try:
            data = self._end.recv(65536)
        except BlockingIOError:
            return [], True
        except OSError:
            data = b""
        *lines, self._begun = (self._begun + data).split(b"\n")
        return [line.decode("utf-8", "replace") for line in lines], bool(data)

    def close(self) -> None:
        """Close this end."""
        self._end.close()


def pair() -> tuple[Channel, Channel]:
    """The two ends of a new channel."""
    one, other = socket.socketpair()
    return Channel(one), Channel(other)
