"""The poller, over the operating system's readiness interface: epoll on Linux, kqueue on macOS and BSD.

Both are level-triggered. Only file descriptors are reported: a connection knows from its state what it waits for.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Protocol

from fastwsgi.originals import select

BATCH = 64  # events taken at once


class Poller(Protocol):
    """Waits until file descriptors are ready.

    Attributes:
        epoll: the descriptor of an epoll, which _batch_c.pyx asks itself; -1 if it is none, or closed.
    """

    epoll: int

    def watch(self, fd: int, event: str, before: str) -> None:
        """Wait for *event*, "read" or "write", instead of *before*, which is "" for a new file descriptor."""

    def forget(self, fd: int, before: str) -> None:
        """Stop waiting for *fd*; *before* is as for watch()."""

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        """Up to BATCH pairs that begin with a ready file descriptor, after at most *timeout* seconds."""

    def close(self) -> None:
        """Close the poller's own descriptor."""


if sys.platform == "linux":

    class EpollPoller:
        """epoll."""

        _masks = {"read": select.EPOLLIN, "write": select.EPOLLOUT}

        def __init__(self) -> None:
            self._epoll = select.epoll()
            self.epoll = self._epoll.fileno()

        def watch(self, fd: int, event: str, before: str) -> None:
            if before:
                self._epoll.modify(fd, self._masks[event])
            else:
                self._epoll.register(fd, self._masks[event])

        def forget(self, fd: int, before: str) -> None:
            if before:
                self._epoll.unregister(fd)

        def poll(self, timeout: float) -> list[tuple[int, int]]:
            try:
                return self._epoll.poll(timeout, BATCH)
            except (OSError, ValueError):
                if self._epoll.closed:  # in a child that was forked by the handler of a signal, inside the call
                    return []
                raise

        def close(self) -> None:
            self.epoll = -1
            with suppress(OSError):  # the application may have closed it, as Python says since 3.15
                self._epoll.close()

    SystemPoller = EpollPoller

else:

    class KqueuePoller:
        """kqueue."""

        epoll = -1
        _filters = {"read": select.KQ_FILTER_READ, "write": select.KQ_FILTER_WRITE}

        def __init__(self) -> None:
            self._kqueue = select.kqueue()

        def _change(self, fd: int, event: str, flags: int) -> None:
            self._kqueue.control([select.kevent(fd, self._filters[event], flags)], 0, 0)

        def watch(self, fd: int, event: str, before: str) -> None:
            if before:
                self._change(fd, before, select.KQ_EV_DELETE)
            self._change(fd, event, select.KQ_EV_ADD)

        def forget(self, fd: int, before: str) -> None:
            if before:
                self._change(fd, before, select.KQ_EV_DELETE)

        def poll(self, timeout: float) -> list[tuple[int, int]]:
            try:
                return [(event.ident, 0) for event in self._kqueue.control(None, BATCH, timeout)]
            except (OSError, ValueError):
                if self._kqueue.closed:
                    return []
                raise

        def close(self) -> None:
            with suppress(OSError):  # a forked child does not inherit it, which Python has known since 3.11.7
                self._kqueue.close()

    SystemPoller = KqueuePoller


def open_poller() -> Poller:
    """The poller of this operating system."""
    return SystemPoller()
