"""Workers in which no Python runs, because some C call holds the GIL and does not return.

Neither the worker's own watchdog (server/watchdog.py) nor its heartbeat can run then, so the supervisor checks. It asks
for the stacks by a signal whose handler needs no GIL (faulthandler's), and ends the worker when the deadline of a
request has passed: the call that holds the GIL holds up all requests of that process.
"""

from __future__ import annotations

import faulthandler
from typing import TYPE_CHECKING, Callable

from fastwsgi.observe.files import standard_error
from fastwsgi.observe.logs import error_log
from fastwsgi.originals import os, signal
from fastwsgi.process.control import HEARTBEAT

if TYPE_CHECKING:
    from fastwsgi.process.fleet import Fleet
    from fastwsgi.process.spawn import Child
    from fastwsgi.settings.settings import Settings

DUMP = signal.SIGURG  # ignored by default, and hardly ever used
CHECK_INTERVAL = 0.25  # seconds
DUMP_TIME = 0.1  # seconds that a dump may take
EXTRA_TIME = 0.5  # seconds after the deadline, in which the worker's monitor, which needs no GIL, answers the client


def enable_stack_dumps() -> None:
    """Have this worker write the stacks of all its threads to stderr on DUMP."""
    faulthandler.register(DUMP, standard_error(), all_threads=True)


def disable_stack_dumps() -> None:
    """In a forked child, leave DUMP as it was."""
    faulthandler.unregister(DUMP)


def pulse(settings: Settings) -> float:
    """Seconds between two heartbeats of a worker: by so much a request past its deadline may be found late."""
    return min([HEARTBEAT, *(limit / 4 for limit in (settings.slow_log, settings.timeout) if limit)])


class HungWorkers:
    """The workers whose heartbeat is missing, as the supervisor knows them.

    Attributes:
        next_check: when check() next does something (time.monotonic()); None: at the next call.

    Args:
        kill: ends a worker.
        abort: called with a worker that is about to be ended (gunicorn's worker_abort).
    """

    def __init__(self, kill: Callable[[Child], None], abort: Callable[[Child], None]) -> None:
        self.next_check: float | None = None
        self._kill = kill
        self._abort = abort
        self._dumped_at: dict[int, float] = {}  # when the stacks of a hung worker were asked for, by process ID

    def check(self, fleet: Fleet[Child], settings: Settings, now: float) -> None:
        """If it is time, ask hung workers for their stacks, and end those with requests past the deadline."""
        if self.next_check is not None and now < self.next_check:
            return
        self.next_check = None
        limits = [limit for limit in (settings.slow_log, settings.timeout) if limit]
        if limits:
            for child in list(fleet.members.values()):
                self._check_one(child, min(limits), settings.timeout, now)
            self._dumped_at = {pid: when for pid, when in self._dumped_at.items() if pid in fleet.members}
            self.next_check = now + (DUMP_TIME if self._dumped_at else CHECK_INTERVAL)

    def _check_one(self, child: Child, limit: float, timeout: float, now: float) -> None:
        silence = now - child.slot.heartbeat - child.slot.pulse
        if child.state == "booting" or silence < limit:
            self._dumped_at.pop(child.pid, None)
        elif child.pid not in self._dumped_at:
            self._dumped_at[child.pid] = now
            call = child.slot.call()
            message = "worker %d: a C call has held the GIL for %.1f s%s; the stacks are:"
            error_log.error(message, child.pid, silence, call)
            os.kill(child.pid, DUMP)
        elif now - self._dumped_at[child.pid] < DUMP_TIME:
            pass
        elif timeout and silence >= timeout + EXTRA_TIME:
            error_log.error("worker %d: its requests are past the deadline", child.pid)
            self._abort(child)
            self._kill(child)
