"""The monitor of a thread pool, in pure Python: the specification of _monitor_c.pyx.

While there are calls, it reads every TICK how many the loop's thread has begun and ended. If it reads the same odd
number twice, a call is stuck, and a spare thread is called.

Every WINDOW it judges from what the process did whether calls wait, or may run beside each other. Neither is so where
nothing but the monitor waited, whoever else had the core; nor where the process computed as much as it can, which with
a GIL is what one thread can, though some of its threads waited, as that may be for the GIL. A stuck call during which
the process did not compute says the same at once.

Without a GIL, Linux tells of a thread whether it waits, and that is asked instead. A call that does not wait keeps the
loop for LONG: it has a core, and whoever took the loop would need another. So does one that waits for a garbage
collection, which stops all threads; longer than LONG it may be a destructor that waits.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fastwsgi.daemon import Daemon
from fastwsgi.figures import CALL, CALL_THREAD
from fastwsgi.gil import HAS_GIL
from fastwsgi.originals import threading, time
from fastwsgi.records import NamedTuple

if TYPE_CHECKING:
    from fastwsgi.http._turn_py import Turn
    from fastwsgi.observe._access_py import Lines

# Seconds
TICK = 0.005  # between two looks; a shorter one would cost more than it gains, since each look needs the GIL
PATIENCE = 0.5  # without a new call before the monitor dozes
WINDOW = 0.1  # between two judgements; the kernel's account of a thread that runs may be 4 ms late
LIVELY = 1.0  # after calls that waited, others are likely to
DOUBT = 0.02  # after a pause, when nobody knows
LONG = 0.05  # of a call that computes, before its loop is taken away

OTHER_WAITS = 3  # in a window, of a main thread that waits for signals
LEAST_SHARE, MOST_SHARE = 0.9, 1.1  # of the cores, which are all busy then


class _Use(NamedTuple):
    """What the process has used.

    Attributes:
        time: by then.
        spent: of the CPU, in seconds.
        waits: how often its threads have waited, but for the looks of the monitor.
    """

    time: float
    spent: float
    waits: int

    def share(self, before: _Use) -> float:
        """The CPU time, of the time since *before*."""
        return (self.spent - before.spent) / (self.time - before.time)


def thread_state() -> int:
    """What keeps_interpreter() knows this thread by."""
    return 0


def keeps_interpreter(state: int) -> bool:
    """Whether the thread with that *state*, which cannot end meanwhile, waits in a C call that does not let go of the
    interpreter, so that whoever stops all threads waits, too. Known in C alone, without a GIL, on Linux."""
    return False


class Monitor:
    """Watches the calls of one loop, and keeps spare threads waiting.

    Args:
        turn: that of the thread that has the loop; its counter is read.
        timeout: seconds after which the twin in C, which needs no GIL, answers the client of a call itself: by then
            the call must be holding the GIL, and no other thread can. 0: never.
        answer: sent to that client.
        date_at: where the place for the date begins in *answer*.
        lines: of the access log, to which the twin in C then adds the line of its answer; None if there is none.
        cores: those that threads can keep busy at once.
    """

    def __init__(
        self,
        turn: Turn,
        timeout: float = 0.0,
        answer: bytes = b"",
        date_at: int = 0,
        lines: Lines | None = None,
        cores: int = 1,
    ) -> None:
        self._counter = turn.counter
        self._cores = cores
        self._patience = 0.0  # seconds of one call before a spare is called
        self.stuck_call = 0  # the number of the last call for which a spare was called
        self._lively_until = 0.0
        self._judged = self._last = _Use(0.0, 0.0, 0)
        self._spares = threading.Semaphore(0)
        self._awake = threading.Event()
        self._stopped = False
        self._thread = Daemon(self._watch, "fastwsgi-monitor")

    _collecting_since = 0.0  # time.monotonic(), of all monitors of a process; 0: no garbage is collected

    @property
    def calm(self) -> bool:
        """Whether more threads would gain nothing now: calls do not wait, or all time is spent with the GIL."""
        return time.monotonic() >= self._lively_until

    def start(self) -> None:
        """Start the thread that looks at the calls; after the fork, since threads do not survive it."""
        self._thread.start()

    def delay_spare(self, seconds: float) -> None:
        """Call a spare only for calls that have run for *seconds*, instead of two looks."""
        self._patience = seconds

    def follow(self, turn: Turn) -> None:
        """Look at the calls of *turn* from now on."""

    def stop(self) -> None:
        """Stop the thread."""
        self._stopped = True
        self._awake.set()
        if self._thread.is_alive():
            self._thread.join()

    def wait(self) -> None:
        """Block a spare thread until it is called."""
        self._spares.acquire()

    def post(self) -> None:
        """Call a spare thread, or the next one that waits."""
        self._spares.release()

    def wake(self) -> None:
        """Look again: a call has begun while dozing was set."""
        self._counter.dozing = False
        self._awake.set()

    def yield_gil(self) -> None:
        """Let another thread have the GIL, if one waits for it."""
        time.sleep(0)

    def disown(self) -> None:
        """In a forked child, forget the threads, which are not there."""
        self._awake = threading.Event()

    @staticmethod
    def note_collection(phase: str, info: dict[str, int]) -> None:
        """Learn that a garbage collection begins or ends: one of gc.callbacks, where there is no GIL."""
        Monitor._collecting_since = time.monotonic() if phase == "start" else 0.0

    def _watch(self) -> None:
        calls = looks = 0
        first = self._judged = self._last = self._use(0)
        while not self._stopped:
            time.sleep(TICK)
            looks += 1
            before, now = self._last, self._use(looks)
            self._last = now
            if now.time - self._judged.time >= WINDOW:
                self._judge(now)
            if self._counter.number != calls:
                calls = self._counter.number
                first = now._replace(waits=before.waits)  # it may have begun to wait since
            elif calls & 1:
                if now.time - first.time >= self._patience and self.stuck_call != calls:
                    self._look_at_stuck(calls, first, now)
            elif now.time - first.time > PATIENCE:
                self._doze(calls)
                looks = 0
                self._judged = self._last = self._use(looks)
                self._lively_until = self._last.time + DOUBT

    def _look_at_stuck(self, calls: int, first: _Use, now: _Use) -> None:
        waits = self._waits_now()
        if (waits is False and now.time - first.time < LONG) or now.time - self._collecting_since < LONG:
            return
        if waits or (waits is None and now.waits > first.waits and now.share(first) < 0.5):
            self._lively_until = now.time + LIVELY
        self.stuck_call = calls
        self._call_spare()

    def _waits_now(self) -> bool | None:
        """Whether the thread of the call waits, instead of running, or being ready to; None: unknown."""
        meter = self._counter.meter
        if HAS_GIL or meter is None:
            return None
        try:
            stat = Path(f"/proc/self/task/{meter.view[CALL + CALL_THREAD]}/stat").read_text()
        except OSError:
            return None
        return stat.rpartition(")")[2].split()[0] != "R"

    def _call_spare(self) -> None:
        """Call a spare for a stuck call, unless one is called and has not come yet: it asks for the last such call."""
        self._spares.acquire(blocking=False)
        self._spares.release()

    def _doze(self, calls: int) -> None:
        """Sleep until a call begins. The tick after the announcement is longer than any store takes to be seen."""
        self._awake.clear()
        self._counter.dozing = True
        time.sleep(TICK)
        if self._counter.number == calls and not self._stopped:
            self._awake.wait()
        self._counter.dozing = False

    def _judge(self, now: _Use) -> None:
        if not HAS_GIL and sys.platform == "linux":
            return  # that is better known when a call is stuck
        before, self._judged = self._judged, now
        if now.waits - before.waits > OTHER_WAITS and not LEAST_SHARE < now.share(before) / self._cores < MOST_SHARE:
            self._lively_until = now.time + LIVELY

    def _use(self, looks: int) -> _Use:
        used = resource.getrusage(resource.RUSAGE_SELF)
        waits = looks if sys.platform == "darwin" else used.ru_nvcsw - looks  # macOS counts few of them
        return _Use(time.monotonic(), used.ru_utime + used.ru_stime, waits)
