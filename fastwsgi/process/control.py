"""A worker's second thread: it hears the supervisor and keeps the time, also while an application holds the first."""

from __future__ import annotations

import select
import threading
import time
from typing import Callable

from fastwsgi.observe.logs import log_error
from fastwsgi.process.channel import Channel

HEARTBEAT = 1.0  # seconds


class Control(threading.Thread):
    """Calls what is registered. It is a daemon: it ends with the process.

    Args:
        channel: to the supervisor.
        obey: called with each line that it sends.
        orphaned: called once, when the supervisor is no more.
    """

    def __init__(self, channel: Channel, obey: Callable[[str], None], orphaned: Callable[[], None]) -> None:
        super().__init__(name="fastwsgi control", daemon=True)
        self._channel = channel
        self._handle_command = obey
        self._orphaned = orphaned
        self._watchers: list[Timer] = []

    def every(self, interval: float, called: Callable[[], None]) -> None:
        """Call *called* each *interval* seconds; from any thread, the first time at most a heartbeat late."""
        self._watchers.append(Timer(called, interval, time.monotonic() + interval))

    def after(self, delay: float, called: Callable[[], None]) -> None:
        """Call *called* once, *delay* seconds from now; from any thread, at most a heartbeat late."""
        self._watchers.append(Timer(called, float("inf"), time.monotonic() + delay))

    def run(self) -> None:
        poller = select.poll()
        poller.register(self._channel.fileno(), select.POLLIN)
        heard = True
        while True:
            timeout = min((one.due for one in self._watchers), default=time.monotonic() + 60) - time.monotonic()
            if poller.poll(max(0, min(timeout, 60)) * 1000) and heard:
                lines, heard = self._channel.receive()
                for line in lines:
                    self._handle_command(line)
                if not heard:
                    poller.unregister(self._channel.fileno())
                    self._orphaned()
            self.tick(time.monotonic())

    def tick(self, now: float) -> None:
        """Call the timers whose time has come."""
        for timer in [one for one in self._watchers if one.due <= now]:
            timer.due = now + timer.interval
            try:
                timer.called()
            except Exception as error:
                log_error("internal error in the control thread", error)
            if timer.due == float("inf"):
                self._watchers.remove(timer)


class Timer:
    """A call that comes back."""

    def __init__(self, called: Callable[[], None], interval: float, due: float) -> None:
        self.called = called
        self.interval = interval
        self.due = due
