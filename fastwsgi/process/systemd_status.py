"""The notification of systemd of the state of the service (sd_notify(3)): ready, reloading, stopping, and alive."""

from __future__ import annotations

from fastwsgi.originals import os, time
from fastwsgi.process import systemd


class SystemdStatus:
    """Notifies systemd, if that started the service.

    Attributes:
        next_ping: when the watchdog expects the next ping (time.monotonic()); None without a watchdog.
    """

    def __init__(self) -> None:
        self._interval = systemd.watchdog_interval()
        self.next_ping: float | None = None if self._interval is None else 0.0

    def ready(self) -> None:
        """Report that the service is up, with this as its main process, which is a new one after an upgrade."""
        systemd.notify(f"READY=1\nMAINPID={os.getpid()}")

    def reloading(self) -> None:
        """Report a reload; ready() follows."""
        systemd.notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Report that a stop has begun."""
        systemd.notify("STOPPING=1")

    def ping_watchdog(self, now: float) -> None:
        """Ping the watchdog, if it is time."""
        if self._interval is not None and self.next_ping is not None and now >= self.next_ping:
            systemd.notify("WATCHDOG=1")
            self.next_ping = now + self._interval
