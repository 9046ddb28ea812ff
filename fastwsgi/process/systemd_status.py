"""What systemd is told of the service (sd_notify(3)): that it is ready, reloads, stops, and is alive."""

from __future__ import annotations

import os
import time

from fastwsgi.process import systemd


class SystemdStatus:
    """Tells it, where there is somebody to tell."""

    def __init__(self) -> None:
        self._interval = systemd.watchdog_interval()
        self.next_ping: float | None = None if self._interval is None else 0.0  # time.monotonic()

    def ready(self) -> None:
        """It serves, as far as systemd cares by this process: after an upgrade, another than before."""
        systemd.notify(f"READY=1\nMAINPID={os.getpid()}")

    def reloading(self) -> None:
        """It will be ready again later."""
        systemd.notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """It ends."""
        systemd.notify("STOPPING=1")

    def ping_watchdog(self, now: float) -> None:
        """Calm the watchdog, if it is time."""
        if self._interval is not None and self.next_ping is not None and now >= self.next_ping:
            systemd.notify("WATCHDOG=1")
            self.next_ping = now + self._interval
