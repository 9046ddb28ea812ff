"""The server of the status: our own loop and HTTP, within small bounds, and with what it shows.

It has a few threads, so that who waits for stacks keeps no probe waiting. What is shown is made by one at a time.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Callable

from fastwsgi.originals import threading
from fastwsgi.server.loop import Loop
from fastwsgi.settings.settings import Settings
from fastwsgi.status import metrics, page
from fastwsgi.status.document import document
from fastwsgi.status.history import History
from fastwsgi.status.reading import Reader
from fastwsgi.status.scoreboard import SILENT, Scoreboard
from fastwsgi.status.site import Site
from fastwsgi.status.snapshot import Snapshot, Told
from fastwsgi.status.stacks import Inquiry
from fastwsgi.status.visitors import Visitors

if TYPE_CHECKING:
    from fastwsgi.http.interfaces import ErrorStream
    from fastwsgi.originals import socket

LONGEST_BOOT = 600.0  # seconds
BOUNDS: dict[str, Any] = {
    "threads": 4,
    "max_queue": 32,
    "max_connections": 64,
    "header_timeout": 5.0,
    "body_timeout": 5.0,
    "write_timeout": 10.0,
    "keep_alive": 15.0,
    "linger_timeout": 0.5,
    "limit_request_head": 8192,
    "limit_request_line": 2048,
    "limit_request_fields": 64,
    "limit_request_body": 1,
    "max_buffered": 64 * 1024**2,
    "spool_size": 1024,
    "backlog": 64,
    "socket_mode": "600",
}
"""Settings of the status's own service."""
PASSED_ON = ("status_bind", "status_allow", "ready_queue", "statsd_host", "statsd_prefix", "dogstatsd_tags")
"""Settings of the whole service that concern its status."""


def own_settings(settings: Settings) -> Settings:
    """The settings with which the status of a service with *settings* is served."""
    passed = {name: getattr(settings, name) for name in (*PASSED_ON, "user", "group")}
    bind = {"bind": [settings.status_bind]} if settings.status_bind else {}
    return Settings(**BOUNDS, **bind, **passed)


class StatusServer:
    """All that the status process shows.

    Attributes:
        settings: from own_settings().
        told: what the supervisor has told.
        inquiry: asks for stacks.

    Args:
        build: the modules to run, from fastwsgi.backend.
        board: what is read.
        ask: see stacks.Inquiry.
    """

    def __init__(self, build: SimpleNamespace, board: Scoreboard, ask: Callable[[int], None]) -> None:
        self.settings = own_settings(Settings())
        self.told = Told()
        self.inquiry = Inquiry(ask)
        self._build = build
        self._board = board
        self._reader = Reader(board.words, build.name)
        self._history = History()
        self._lock = threading.Lock()
        self._site = Site(self, Visitors(self.settings))

    def loop(
        self,
        settings: Settings,
        listener: socket.socket | None,
        log_error: Callable[[str, BaseException | None], None],
        errors: ErrorStream,
    ) -> Loop:
        """A loop that serves on *listener*, if there is one, with *settings* from now on."""
        self.settings = settings
        self._site.visitors = Visitors(settings)
        loop = Loop(self._build, self._site, settings, log_error, errors)
        if listener is not None:
            loop.add_listener(listener)
        loop.ticks.append(self._tick)
        return loop

    def _tick(self) -> None:
        """Do what is due each second."""
        with self._lock:
            self._history.add(self._reader.read(self.told, details=False))

    def _snapshot(self) -> Snapshot:
        with self._lock:
            return self._reader.read(self.told)

    def document(self) -> dict[str, Any]:
        """All of it, as JSON takes it."""
        with self._lock:
            return document(self._reader.read(self.told), self._history)

    def page(self, query: str) -> bytes:
        """The page; *query* is that of its URL."""
        with self._lock:
            return page.render(self._reader.read(self.told), self._history, query)

    def metrics(self) -> str:
        """Its numbers, in Prometheus' text format."""
        with self._lock:
            return metrics.text(self._reader.read(self.told, details=False))

    def why_not_alive(self) -> str:
        """Why the service had better be started anew; "" if not."""
        snapshot = self._snapshot()
        lives = any(
            one.seen < SILENT / 10**9 or (one.state == "booting" and one.age < LONGEST_BOOT)
            for one in snapshot.workers
        )
        return "" if lives or snapshot.is_stopping else "no worker has been seen lately"

    def why_not_ready(self) -> str:
        """Why the service should get no more requests; "" if it should."""
        snapshot = self._snapshot()
        if snapshot.is_stopping:
            return "stopping"
        if not any(one.state == "ready" and one.seen < SILENT / 10**9 for one in snapshot.workers):
            return "no worker is ready"
        limit = self.settings.ready_queue
        return f"{snapshot.queued} requests wait" if limit and snapshot.queued > limit else ""

