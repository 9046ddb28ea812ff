"""The state of the service, as systemd is notified of it (sd_notify(3)): ready, reloading, stopping, and alive."""

from __future__ import annotations

import os
import time

from fastwsgi.process import systemd


class SystemdStatus:
    """Notifies systemd, where the service was started by it.

    Attributes:
        next_ping: when the watchdog expects the next sign of life (time.monotonic()); None: there is no watchdog.
    """

    def __init__(self) -> None:
        self._interval = systemd.watchdog_interval()
        self.next_ping: float | None = None if self._interval is None else 0.0

    def ready(self) -> None:
        """The service is up, with this as its main process: after an upgrade, it is a new one."""
        systemd.notify(f"READY=1\nMAINPID={os.getpid()}")

    def reloading(self) -> None:
        """The service reloads; ready() follows."""
        systemd.notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """A stop has begun."""
        systemd.notify("STOPPING=1")

    def ping_watchdog(self, now: float) -> None:
        """Send the watchdog a sign of life, if it is time."""
        if self._interval is not None and self.next_ping is not None and now >= self.next_ping:
            systemd.notify("WATCHDOG=1")
            self.next_ping = now + self._interval
