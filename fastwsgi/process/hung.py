"""Workers in which no Python runs, because some C call holds the GIL and does not return, or they are stopped.

Neither the worker's own watchdog (server/watchdog.py) nor its heartbeat can run then, so the supervisor checks. The
heartbeat also stays behind where a thread hangs that has the guard of a loop, for which the watchdog waits. It asks
for the stacks (stack_dump.py), and ends the worker when the deadline of a request has passed: the call that holds the
GIL holds up all requests of that process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from fastwsgi.observe.logs import error_log
from fastwsgi.process.control import HEARTBEAT
from fastwsgi.process.stack_dump import DUMP_TIME, LONGEST_TIME
from fastwsgi.process.standstill import Awake
from fastwsgi.status.calls import in_call
from fastwsgi.status.phrases import HELD
from fastwsgi.status.processes import is_stopped

if TYPE_CHECKING:
    from fastwsgi.process.fleet import Fleet
    from fastwsgi.process.spawn import Child
    from fastwsgi.settings.settings import Settings

CHECK_INTERVAL = 0.25  # seconds
STANDSTILL = 4 * CHECK_INTERVAL  # of the supervisor, in which workers had no time either
EXTRA_TIME = 0.5  # seconds after the deadline, in which the worker's monitor, which needs no GIL, answers the client


def pulse(settings: Settings) -> float:
    """Seconds between two heartbeats of a worker: by so much a request past its deadline may be found late.

    Where the status is shown there are two a second, so that it can say within two seconds that a worker is stuck.
    """
    slowest = HEARTBEAT / 2 if settings.status_bind else HEARTBEAT
    return min([slowest, *(limit / 4 for limit in (settings.slow_log, settings.timeout) if limit)])


class HungWorkers:
    """The workers whose heartbeat is missing, as the supervisor knows them.

    Attributes:
        next_check: when check() next does something (time.monotonic()); None: at the next call.

    Args:
        kill: ends a worker.
        abort: called with a worker that is about to be ended (gunicorn's worker_abort).
        told: called with a worker, the line that was logged about it, and its stacks.
    """

    def __init__(
        self,
        kill: Callable[[Child], None],
        abort: Callable[[Child], None],
        told: Callable[[Child, str, str], None],
    ) -> None:
        self.next_check: float | None = None
        self._awake = Awake(STANDSTILL)
        self._kill = kill
        self._abort = abort
        self._told = told
        self._asked: dict[int, tuple[float, float]] = {}  # when a worker was asked, and its silence, by process ID
        self._logged: set[int] = set()  # the process IDs of those whose stacks are in the log

    def check(self, fleet: Fleet[Child], settings: Settings, now: float) -> None:
        """If it is time, ask hung workers for their stacks, and end those with requests past the deadline."""
        if self.next_check is not None and now < self.next_check:
            return
        awake_since = self._awake.look(now)
        self.next_check = None
        limits = [limit for limit in (settings.slow_log, settings.timeout) if limit]
        if limits:
            for child in list(fleet.members.values()):
                silence = now - max(child.slot.heartbeat + child.slot.pulse, awake_since)
                self._check_one(child, silence, min(limits), settings.timeout, now)
            self._asked = {pid: one for pid, one in self._asked.items() if pid in fleet.members}
            self._logged &= self._asked.keys()
            self.next_check = now + (DUMP_TIME if self._asked else CHECK_INTERVAL)

    def _check_one(self, child: Child, silence: float, limit: float, timeout: float, now: float) -> None:
        if child.pid not in self._asked:
            if child.state != "booting" and silence >= limit:
                self._asked[child.pid] = now, silence
                if not is_stopped(child.pid):  # else it would write them when it goes on
                    child.dump.ask(child.pid)
        elif child.pid in self._logged or child.dump.is_whole() or now > self._asked[child.pid][0] + LONGEST_TIME:
            self._log_once(child)
            if silence < limit:
                del self._asked[child.pid]
            elif timeout and silence >= timeout + EXTRA_TIME:
                error_log.error("worker %d: its requests are past the deadline", child.pid)
                child.timed_out = True
                self._abort(child)
                self._kill(child)

    def _log_once(self, child: Child) -> None:
        """Log the stacks that a worker has dumped, if that has not been done."""
        if child.pid not in self._logged:
            self._logged.add(child.pid)
            cause = "it has been stopped (SIGSTOP)" if is_stopped(child.pid) else f"a C call has held {HELD}"
            line = f"worker {child.pid}: {cause} for {self._asked[child.pid][1]:.1f} s"
            line += in_call(child.slot.words, child.slot.bases)
            stacks = "" if is_stopped(child.pid) else child.dump.take()
            error_log.error("%s%s", line, f"; the stacks are:\n{stacks}" if stacks else "")
            self._told(child, line, stacks)
