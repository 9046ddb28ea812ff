"""The stop of a service: at once, or graceful, after a drain delay that changes nothing but the readiness probe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastwsgi.originals import signal, time

if TYPE_CHECKING:
    from fastwsgi.process.interfaces import StoppingSupervisor

QUIT_PATIENCE = 0.3  # seconds for workers to write their logs when they are made to quit


class Stop:
    """The stop of the service of *supervisor*.

    Attributes:
        due: when the drain delay ends (time.monotonic()); None: no stop is delayed.
    """

    def __init__(self, supervisor: StoppingSupervisor) -> None:
        self._supervisor = supervisor
        self.due: float | None = None

    @property
    def has_begun(self) -> bool:
        """Whether the service is stopping, or will after the drain delay."""
        return self.due is not None or self._supervisor.fleet.closed

    def request(self) -> None:
        """Begin a graceful stop; if one has already begun, end at once."""
        if self.has_begun:
            self.quit()
            return
        owner = self._supervisor
        owner.board.stopping = not owner.upgrade.successor
        owner.status.stopping()
        self.due = time.monotonic() + (owner.settings.drain_delay if owner.board.stopping else 0.0)

    def advance(self, now: float) -> None:
        """If the drain delay is over, have the workers answer everything that was accepted, and end.

        They empty the queues of the listeners before closing them, so the supervisor may close its own first.
        """
        if self.due is None or now < self.due:
            return
        self._close_fleet()
        owner = self._supervisor
        # If another supervisor has the same sockets, clients see no more than a reload
        command = "stop" if owner.upgrade.is_alone else "retire"
        for child in owner.fleet.members.values():
            owner.children.retire(child, command, now)

    def quit(self) -> None:
        """End at once; workers that do not quit are killed."""
        self._close_fleet()
        owner = self._supervisor
        for child in owner.fleet.members.values():
            owner.children.kill(child, signal.SIGQUIT)
            child.deadline = time.monotonic() + QUIT_PATIENCE

    def _close_fleet(self) -> None:
        self.due = None
        owner = self._supervisor
        owner.fleet.closed = True
        owner.reload.abandon()
        owner.close_listeners()
