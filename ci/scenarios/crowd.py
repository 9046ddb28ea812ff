"""Clients that misbehave, many at a time and all in one thread: those that send slowly or nothing, or do not read."""

from __future__ import annotations

import errno
import select
import socket
import time
from collections.abc import Callable
from typing import Any

STEP = 0.25  # seconds between two looks at who is to send


class Slow:
    """One client.

    Args:
        kind: what it is called in the report.
        address: of the server.
        data: sent at once.
        drip: sent byte by byte, one a second, over and over.
        reads: whether it reads what it is sent; else only its end is noted.
    """

    def __init__(self, kind: str, address: Any, data: bytes = b"", drip: bytes = b"", reads: bool = True) -> None:
        self.kind = kind
        self.drip = drip
        self.reads = reads
        self.received = b""
        self.socket = socket.socket()
        if not reads:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(address)
        self.socket.setblocking(False)
        if data:
            self.socket.send(data)
        self.began = time.monotonic()
        self.dripped = 0
        self.seconds = 0.0  # until the server ended it
        self.how = ""  # the status it was answered with, "closed" or "reset"

    def drip_on(self, now: float) -> None:
        """Send as many bytes as seconds have passed."""
        while self.drip and not self.how and self.dripped < now - self.began:
            try:
                self.socket.send(self.drip[self.dripped % len(self.drip) :][:1])
            except OSError:
                return  # its end is noted elsewhere
            self.dripped += 1

    def hear(self) -> bool:
        """Something has come, or the end; True at the end."""
        try:
            data = self.socket.recv(65536) if self.reads else b""
        except BlockingIOError:
            return False
        except OSError as error:
            return self.end("reset" if error.errno in (errno.ECONNRESET, errno.EPIPE) else str(error))
        self.received += data
        if data:
            return False
        status = self.received[9:12].decode("latin-1")
        return self.end(status or ("closed" if self.reads else "reset"))

    def end(self, how: str) -> bool:
        """Note the end."""
        self.seconds = time.monotonic() - self.began
        self.how = how
        self.socket.close()
        return True


class Crowd:
    """Clients of several kinds."""

    def __init__(self) -> None:
        self.clients: list[Slow] = []

    def join(self, count: int, *arguments: Any, **options: Any) -> None:
        """*count* more clients; the arguments are Slow's."""
        self.clients += [Slow(*arguments, **options) for _ in range(count)]

    def act(self, patience: float, look: Callable[[], None]) -> None:
        """Misbehave until the server has ended all of them, or *patience* seconds; *look* is called now and then."""
        poll = select.poll()
        living = {one.socket.fileno(): one for one in self.clients}
        for fd, one in living.items():
            poll.register(fd, select.POLLIN if one.reads else 0)  # 0: resets alone
        until = time.monotonic() + patience
        while living and (now := time.monotonic()) < until:
            for one in living.values():
                one.drip_on(now)
            for fd, _ in poll.poll(1000 * STEP):
                if living[fd].hear():
                    del living[fd]
                    poll.unregister(fd)
            look()

    def ends(self, kind: str) -> set[str]:
        """How those of a *kind* were ended; "" for who was not."""
        return {one.how for one in self.clients if one.kind == kind}

    def slowest(self, kind: str) -> float:
        """Seconds until the last of a *kind* was ended."""
        return max(one.seconds for one in self.clients if one.kind == kind)

    def leave(self) -> None:
        """Close what is open."""
        for one in self.clients:
            one.socket.close()
