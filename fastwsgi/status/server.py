"""The server of the status: our own loop and HTTP, within small bounds, and with what it shows.

It has a few threads, so that clients that wait for stacks keep no probe waiting. What is shown is made by one thread at
a time.
"""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Callable

from fastwsgi.originals import threading, time
from fastwsgi.server.loop import Loop
from fastwsgi.settings.settings import Settings
from fastwsgi.status import metrics, page, readiness
from fastwsgi.status.document import document
from fastwsgi.status.history import History
from fastwsgi.status.own_settings import passed_on
from fastwsgi.status.reading import Reader
from fastwsgi.status.scoreboard import SILENT, Scoreboard, Slot
from fastwsgi.status.site import Site
from fastwsgi.status.snapshot import Snapshot, Told
from fastwsgi.status.stacks import Inquiry
from fastwsgi.status.statsd import Statsd
from fastwsgi.status.visitors import Visitors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastwsgi.http.interfaces import ErrorStream
    from fastwsgi.originals import socket

LONGEST_BOOT = 600.0  # seconds


class StatusServer:
    """All that the status process shows.

    Attributes:
        settings: made of own_settings.passed_on().
        told: what the supervisor has told.
        inquiry: asks for stacks.

    Args:
        build: the modules to run, from fastwsgi.backend.
        board: what is read.
        ask: see stacks.Inquiry.
        log_error: called with a line, and an exception or None.
    """

    def __init__(
        self,
        build: SimpleNamespace,
        board: Scoreboard,
        ask: Callable[[int], None],
        log_error: Callable[[str, BaseException | None], None],
    ) -> None:
        self.settings = Settings(**passed_on(Settings()))
        self.told = Told()
        self.inquiry = Inquiry(ask)
        self._build = build
        self._board = board
        self._log_error = log_error
        self._reader = Reader(board.words, build.name)
        self._history = History()
        self._statsd: Statsd | None = None
        self._lock = threading.Lock()
        self._site = Site(self, Visitors(self.settings))

    def loop(self, settings: Settings, listener: socket.socket | None, errors: ErrorStream) -> Loop:
        """A loop that serves on *listener*, if there is one, with *settings* from now on."""
        self._send_to(settings)
        self.settings = settings
        self._site.visitors = Visitors(settings)
        loop = Loop(self._build, self._site, settings, self._log_own, errors)
        if listener is not None:
            loop.add_listener(listener)
        loop.ticks += [self._write_heartbeat, self._tick]
        return loop

    def _log_own(self, line: str, error: BaseException | None) -> None:
        """Log an error of the loop; its bounds are ours, and no option of the user's changes them."""
        self._log_error(line.replace(" (--max-connections)", ""), error)

    def _send_to(self, settings: Settings) -> None:
        """Send metrics to the statsd of *settings*, if they name one, from now on."""
        names = ("statsd_host", "statsd_prefix", "dogstatsd_tags")
        if all(getattr(settings, name) == getattr(self.settings, name) for name in names):
            return
        if self._statsd is not None:
            self._statsd.close()
        self._statsd = Statsd(settings, self._board.words, self._log_error) if settings.statsd_host else None

    def _write_heartbeat(self) -> None:
        self._board.status_seen = time.monotonic()

    def _tick(self) -> None:
        """Do what is due each second."""
        with self._read() as snapshot:
            self._history.add(snapshot)
            if self._statsd is not None:
                self._statsd.send(snapshot)

    @contextmanager
    def _read(self) -> Iterator[Snapshot]:
        """A snapshot, and in the block the history is for this thread alone."""
        with self._lock:
            yield self._reader.read(self.told)

    def page(self, query: str) -> bytes:
        """The page, as HTML."""
        with self._read() as snapshot:
            return page.render(snapshot, self._history, query)

    def document(self) -> dict[str, Any]:
        """All of it, as JSON takes it."""
        with self._read() as snapshot:
            return document(snapshot, self._history)

    def metrics(self) -> str:
        """Its numbers, in Prometheus' text format."""
        with self._lock:
            return metrics.text(self._reader.read(self.told, details=False))

    def why_not_alive(self) -> str:
        """Why the service had better be started anew; "" if not."""
        if self._board.stopping:
            return ""
        if not self._board.slots():
            return ""  # the first worker waits for an application that is loaded before the fork
        slots = [one for one in self._board.slots() if one.phase]
        seen = any(self._is_seen(one) for one in slots)
        boots = any(one.state == "booting" and time.monotonic() < one.started + LONGEST_BOOT for one in slots)
        return "" if seen or boots else "no worker has been seen lately"

    def why_not_ready(self) -> str:
        """Why the service should get no more requests; "" if it should."""
        obstacle = readiness.obstacle(self._board, self.settings.ready_queue)
        serves = any(one.state == "ready" and self._is_seen(one) for one in self._board.slots())
        return obstacle or ("" if serves else "no worker is ready")

    def _is_seen(self, slot: Slot) -> bool:
        """Whether a worker has lived in the last seconds; longer ago, some C call must hold its GIL."""
        return time.monotonic() < slot.heartbeat + max(SILENT / 10**9, 3 * slot.pulse)
