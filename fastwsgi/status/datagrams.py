"""Lines sent in datagrams to one address, without ever waiting for their receiver or for its name to be resolved."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Callable, Protocol

from fastwsgi.daemon import Daemon
from fastwsgi.observe.rate_limited import RateLimitedLog
from fastwsgi.originals import socket, time
from fastwsgi.server.addresses import Tcp, Unix

UDP_SIZE = 1400  # bytes: with all headers it fits an Ethernet frame, also in a tunnel
UNIX_SIZE = 8192  # as DogStatsD's clients have it: the receiver's queue has room for a number of datagrams, often 10
MOST_WAITING = 256  # datagrams for which there was no room; older ones are lost
RESOLVED = 30.0  # seconds after which a name is resolved again

Address = tuple[int, Any]  # the family, and the address in its form


class Target(Protocol):
    """What knows the address.

    Attributes:
        problem: why it does not know it; "" if it does, or soon will.
    """

    problem: str

    def address(self) -> Address | None:
        """The address; None if it is not known now."""


class Datagrams:
    """Sends lines to *target*, as far as it can be reached.

    Args:
        target: where to.
        log_error: called with a line and None, at most once a minute, when that fails.
    """

    def __init__(self, target: Tcp | Unix, log_error: Callable[[str, BaseException | None], None]) -> None:
        self._target: Target = Path(target.path) if isinstance(target, Unix) else Name(target)
        self._name = f"unix:{target.path}" if isinstance(target, Unix) else f"{target.host}:{target.port}"
        self._size = UNIX_SIZE if isinstance(target, Unix) else UDP_SIZE
        self._log = RateLimitedLog(log_error)
        self._waiting: deque[bytes] = deque()
        self._socket: socket.socket | None = None

    def send(self, lines: Iterable[bytes]) -> None:
        """Send *lines*, and those that still wait, for which there is room now."""
        self._waiting += packed(lines, self._size)
        problem = self._send_waiting()
        lost = len(self._waiting) - MOST_WAITING
        if lost > 0:
            for _ in range(lost):
                self._waiting.popleft()
            problem = problem or "it does not read fast enough"
        if problem:
            self._log.log(time.monotonic(), f"metrics cannot be sent to the statsd {self._name}: {problem}")

    def _send_waiting(self) -> str:
        """Send what waits, up to where there is no more room; why that failed, or ""."""
        address = self._target.address()
        if address is None:
            return self._target.problem
        try:
            sender = self._open(address[0])
            while self._waiting:
                sender.sendto(self._waiting[0], address[1])
                self._waiting.popleft()
        except BlockingIOError:
            pass
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def _open(self, family: int) -> socket.socket:
        """A socket of that family, the same each time."""
        if self._socket is None or self._socket.family != family:
            self.close()
            self._socket = socket.socket(family, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
        return self._socket

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Path:
    """A unix socket, which whoever sends to it looks up."""

    def __init__(self, path: str) -> None:
        self.problem = ""
        self._address = socket.AF_UNIX, path

    def address(self) -> Address:
        """Its family and path."""
        return self._address


class Name:
    """A host and port; the name is resolved by a thread, every now and then, as that may take seconds."""

    def __init__(self, target: Tcp) -> None:
        self.problem = ""
        self._target = target
        self._address: Address | None = None
        self._next = 0.0  # when it is to be resolved (time.monotonic()); inf: that goes on now

    def address(self) -> Address | None:
        """The first of its addresses, as it was resolved last."""
        if time.monotonic() >= self._next:
            self._next = float("inf")
            Daemon(self._resolve, "fastwsgi statsd").start()
        return self._address

    def _resolve(self) -> None:
        try:
            (family, _, _, _, address), *_ = socket.getaddrinfo(*self._target, type=socket.SOCK_DGRAM)
            self._address, self.problem = (family, address), ""
        except (OSError, UnicodeError) as error:  # what the name was resolved to before stays in use
            self.problem = getattr(error, "strerror", None) or str(error)
        self._next = time.monotonic() + RESOLVED


def packed(lines: Iterable[bytes], size: int) -> Iterator[bytes]:
    """*lines*, joined in datagrams of at most *size* bytes; one that is longer is in one of its own."""
    together: list[bytes] = []
    length = 0
    for line in lines:
        if together and length + len(line) > size:
            yield b"\n".join(together)
            together, length = [], 0
        together.append(line)
        length += len(line) + 1
    if together:
        yield b"\n".join(together)
