"""The stop of a service: at once, or graceful, after a drain delay in which the service serves on.

In that time readiness probes fail, and no connection is kept after its response. A balancer that looks at requests
turns elsewhere by the probes. But one that only sees connections, such as kube-proxy, has those that it keeps end here,
and a request that is on its way when the server closes its connection is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastwsgi.originals import signal, time
from fastwsgi.process import life

if TYPE_CHECKING:
    from fastwsgi.process.interfaces import StoppingSupervisor
    from fastwsgi.process.spawn import Child

COUNT_PATIENCE = 0.2  # seconds for workers to tell what they have in flight
QUIT_PATIENCE = 0.3  # seconds for workers to write their logs when they are made to quit


class Stop:
    """The stop of the service of *supervisor*.

    Attributes:
        due: when the drain delay ends (time.monotonic()); None: no stop is delayed.
        next_line: when the number of requests in flight is logged, even if not all workers have told theirs.
    """

    def __init__(self, supervisor: StoppingSupervisor) -> None:
        self._supervisor = supervisor
        self.due: float | None = None
        self.next_line: float | None = None
        self._number: int = signal.SIGTERM
        self._counted: dict[int, int] = {}

    @property
    def has_begun(self) -> bool:
        """Whether the service is stopping, or will after the drain delay."""
        return self.due is not None or self._supervisor.fleet.closed

    def request(self, number: int = signal.SIGTERM) -> None:
        """Begin a graceful stop, by the signal *number*; if one has already begun, end at once."""
        if self.has_begun:
            self.quit()
            return
        owner = self._supervisor
        owner.board.stopping = not owner.upgrade.successor
        owner.status.stopping()
        owner.news.stopping(f"a stop by {signal.Signals(number).name}")
        self._number = number
        if owner.board.stopping and owner.settings.drain_delay:
            life.log_drain(owner.settings.drain_delay, number)
            owner.children.send("drain")
        self.due = time.monotonic() + (owner.settings.drain_delay if owner.board.stopping else 0.0)

    def advance(self, now: float) -> None:
        """If the drain delay is over, have the workers answer everything that was accepted, and end.

        They empty the queues of the listeners before closing them, so the supervisor may close its own first.
        """
        if self.next_line is not None and now >= self.next_line:
            self._log()
        if self.due is None or now < self.due:
            return
        self._close_fleet()
        owner = self._supervisor
        # If another supervisor has the same sockets, clients see no more than a reload
        command = "stop" if owner.upgrade.is_alone else "retire"
        for child in owner.fleet.members.values():
            owner.children.retire(child, command, now)
        self.next_line = now + COUNT_PATIENCE

    def count(self, child: Child, requests: int) -> None:
        """Note that *child* has *requests* in flight; the last of them completes the line."""
        if self.next_line is not None:
            self._counted[child.pid] = requests
            if self._counted.keys() >= self._supervisor.fleet.members.keys():
                self._log()

    def log_end(self) -> None:
        """Log that the service has ended."""
        if self.next_line is not None:
            self._log()
        life.log_end()

    def _log(self) -> None:
        self.next_line = None
        life.log_stop(sum(self._counted.values()), self._supervisor.settings.graceful_timeout, self._number)

    def quit(self) -> None:
        """End at once; workers that do not quit are killed."""
        life.log_quit()
        self._supervisor.news.stopping("a stop at once")
        self.next_line = None
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
