"""A worker's second thread: it reads the supervisor's commands and keeps time, even while an application call runs.

An application may occupy the main thread for a long time; this one still runs as long as any Python does (see hung.py).
"""

from __future__ import annotations

from typing import Callable

from fastwsgi.daemon import Daemon
from fastwsgi.observe.logs import log_error
from fastwsgi.originals import select, time
from fastwsgi.process.channel import Channel

HEARTBEAT = 1.0  # seconds, or less where a request may not take much longer
LONGEST_WAIT = 60.0  # seconds


class Control(Daemon):
    """Calls functions when their time has come. It is a daemon thread: it ends with the process.

    Args:
        channel: to the supervisor.
        handle_command: called with each line that the supervisor sends.
        handle_orphaned: called once, when the supervisor has ended.
    """

    def __init__(
        self, channel: Channel, handle_command: Callable[[str], None], handle_orphaned: Callable[[], None]
    ) -> None:
        super().__init__(self._run, "fastwsgi control")
        self._channel = channel
        self._handle_command = handle_command
        self._handle_orphaned = handle_orphaned
        self._timers: list[Timer] = []
        self._disowned = False

    def every(self, interval: float, called: Callable[[], None]) -> None:
        """Call *called* each *interval* seconds; from any thread, the first time at most a heartbeat late."""
        self._timers.append(Timer(called, interval, time.monotonic() + interval))

    def after(self, delay: float, called: Callable[[], None]) -> None:
        """Call *called* once, *delay* seconds from now; from any thread, at most a heartbeat late."""
        self._timers.append(Timer(called, float("inf"), time.monotonic() + delay))

    def disown(self) -> None:
        """In a forked child, close the channel; if this thread has forked, it ends."""
        self._disowned = True
        self._channel.close()

    def _run(self) -> None:
        poller = select.poll()
        is_open = True
        while not self._disowned:
            if is_open:
                poller.register(self._channel.fileno(), self._channel.events)
            now = time.monotonic()
            timeout = min((one.due for one in self._timers), default=now + LONGEST_WAIT) - now
            if poller.poll(max(0, min(timeout, LONGEST_WAIT)) * 1000) and is_open:
                self._channel.send_rest()
                lines, is_open = self._channel.receive()
                for line in lines:
                    self._handle_command(line)
                if not is_open:
                    poller.unregister(self._channel.fileno())
                    self._handle_orphaned()
            self._call_due(time.monotonic())

    def _call_due(self, now: float) -> None:
        """Make the calls whose time has come."""
        for timer in [one for one in self._timers if one.due <= now]:
            timer.due = now + timer.interval
            try:
                timer.called()
            except Exception as error:
                log_error("internal error in the control thread", error)
            if timer.due == float("inf"):
                self._timers.remove(timer)


class Timer:
    """A call to make when *due*, and again each *interval*, which is infinite for a single call."""

    def __init__(self, called: Callable[[], None], interval: float, due: float) -> None:
        self.called = called
        self.interval = interval
        self.due = due
