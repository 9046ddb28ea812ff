"""Short lines between the supervisor and a worker, over a pair of sockets: commands one way, news the other.

To the worker:
    stop               accept what waits, shut the listeners for all processes, answer what is in flight, end
    retire             the same, but other processes keep listening, and idle connections get a moment longer
    hurry              the same as retire, without that moment
    interrupt          the stop to come is by SIGINT
    reopen             reopen the log files
    certificates JSON  use these from now on

To the supervisor:
    ready              the application is loaded, and connections are accepted
    closed             no further connection is accepted
    changed PATH       a source file has changed (--reload)
    replace REASON     a successor is wanted
"""

from __future__ import annotations

from fastwsgi.originals import socket, socketpair


class Channel:
    """One end.

    It never blocks: a process that does not read loses lines, and is stopped by other means.

    Args:
        end: a connected stream socket that does not block; it becomes the channel's.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._incomplete = b""  # the beginning of a line

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._end.fileno()

    def send(self, line: str) -> None:
        """Send *line*, unless the other end is closed or full."""
        try:
            self._end.send(line.replace("\n", " ").encode("utf-8", "replace") + b"\n")
        except OSError:
            pass  # the end of the other process is noticed elsewhere

    def receive(self) -> tuple[list[str], bool]:
        """The whole lines that have arrived, and whether the other end is still open."""
        try:
            data = self._end.recv(65536)
        except BlockingIOError:
            return [], True
        except OSError:
            data = b""
        *lines, self._incomplete = (self._incomplete + data).split(b"\n")
        return [line.decode("utf-8", "replace") for line in lines], bool(data)

    def close(self) -> None:
        """Close this end."""
        self._end.close()


def pair() -> tuple[Channel, Channel]:
    """The two ends of a new channel."""
    one, other = socketpair()
    return Channel(one), Channel(other)
