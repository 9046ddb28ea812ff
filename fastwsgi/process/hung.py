"""A worker in which no Python runs: some C call holds the GIL and does not return.

Its own clock of requests (server/watchdog.py) cannot run then, nor its heartbeat, so the supervisor looks. It asks for
the stacks by a signal whose handler needs no GIL (faulthandler's), and ends the worker when the deadline of a request
has passed: whoever holds the GIL holds all requests of that process.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from typing import Any, Callable

from fastwsgi.observe.logs import error_log
from fastwsgi.process.control import HEARTBEAT
from fastwsgi.process.fleet import Fleet, Member

DUMP = signal.SIGURG  # ignored by default, and used by nobody
LOOK = 0.25  # seconds
DUMP_TIME = 0.1  # seconds that a dump may take
LAST_WORDS = 0.5  # seconds beyond the deadline, in which the worker's monitor, which needs no GIL, answers the client


def enable_stack_dumps() -> None:
    """Let this worker write the stacks of all its threads to stderr at DUMP."""
    faulthandler.register(DUMP, sys.stderr, all_threads=True)


class HungWorkers:
    """What the supervisor knows of silent workers.

    Args:
        kill: ends a worker.
        abort: called with a worker that is about to be ended (gunicorn's worker_abort).
    """

    def __init__(self, kill: Callable[[Member], None], abort: Callable[[Member], None]) -> None:
        self._kill = kill
        self._abort = abort
        self._dumped_at: dict[int, float] = {}  # when the stacks of a silent worker were asked for, by pid

    def check(self, fleet: Fleet, settings: Any, now: float) -> float | None:
        """Meet the silent ones; when to look again, None for not at all."""
        limits = [limit for limit in (settings.slow_log, settings.timeout) if limit]
        if not limits:
            return None
        for member in list(fleet.members.values()):
            silence = now - member.slot.heartbeat - HEARTBEAT
            if member.state != "ready" or silence < min(limits):
                self._dumped_at.pop(member.pid, None)
            elif member.pid not in self._dumped_at:
                self._dumped_at[member.pid] = now
                error_log.error("worker %d: a C call has held the GIL for %.1f s; the stacks are:", member.pid, silence)
                os.kill(member.pid, DUMP)
            elif now - self._dumped_at[member.pid] < DUMP_TIME:
                pass
            elif settings.timeout and silence >= settings.timeout + LAST_WORDS:
                error_log.error("worker %d: its requests are past the deadline", member.pid)
                self._abort(member)
                self._kill(member)
        self._dumped_at = {pid: when for pid, when in self._dumped_at.items() if pid in fleet.members}
        return now + (DUMP_TIME if self._dumped_at else LOOK)
