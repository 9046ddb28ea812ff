"""Which of several supervisors answers at the status address during an upgrade: the newest that is ready.

Each holds the writing end of a pipe to those before it. A byte says that it is ready, so that they are silent from then
on; the end of the pipe that it is gone, and its successors, too, so that the one before answers again.
"""

from __future__ import annotations

from fastwsgi.originals import os, select

HANDED_OVER = "FASTWSGI_SUCCESSION"  # the variable with the writing ends


class Succession:
    """The place of this process in the line of supervisors.

    Attributes:
        has_yielded: whether a later one is ready.
    """

    def __init__(self) -> None:
        self._writers = [int(fd) for fd in os.environ.pop(HANDED_OVER, "").split()]
        for fd in self._writers:
            os.set_inheritable(fd, False)
        self._reader = self._theirs = -1
        self._poller: select.poll | None = None  # waits for the reader
        self.has_yielded = False

    def announce(self) -> None:
        """Say that this one is ready."""
        for fd in self._writers:
            try:
                os.write(fd, b"\n")
            except OSError:
                pass  # it is gone

    def begin(self) -> None:
        """Make the pipe to the next one, before the fork; a last one is heard no more."""
        self._close_reader()
        self._reader, self._theirs = os.pipe()

    def hand_over(self) -> None:
        """Let the program that this forked process will execute have the writing ends."""
        fds = [*self._writers, self._theirs]
        for fd in fds:
            os.set_inheritable(fd, True)
        os.environ[HANDED_OVER] = " ".join(map(str, fds))

    def watch(self, poller: select.poll) -> None:
        """Have *poller* wait for the next one, which has been forked."""
        if self._theirs >= 0:
            os.close(self._theirs)
            self._theirs = -1
        if self._reader >= 0:
            self._poller = poller
            poller.register(self._reader, select.POLLIN)

    def read(self, ready: set[int]) -> None:
        """Hear the next one, if the pipe is among the *ready* descriptors."""
        if self._reader not in ready:
            return
        self.has_yielded = bool(os.read(self._reader, 4096))
        if not self.has_yielded:
            self._close_reader()

    def _close_reader(self) -> None:
        if self._poller is not None:
            self._poller.unregister(self._reader)
            self._poller = None
            os.close(self._reader)
            self._reader = -1

    def disown(self) -> None:
        """In a forked child, close all of it."""
        for fd in (self._reader, self._theirs, *self._writers):
            if fd >= 0:
                os.close(fd)
