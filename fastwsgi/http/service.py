"""What all connections and requests of one loop share."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from fastwsgi.http.interfaces import ConnectionLoop, Observer, Sender, ThreadPool
    from fastwsgi.http.routes import Routes
    from fastwsgi.settings.settings import Settings

NO_POOL: Any = None  # Any: with one thread nothing asks for a pool


class Service:
    """The application, the rules and bounds from the settings, and three values that change.

    The loop changes these: *now*, the time in seconds on its clock; *turn*, which belongs to the thread that runs it;
    and *full*, whether all threads are busy or others wait for one, so that requests queue.

    Attributes:
        served: requests for the application so far; when this reaches *quota*, quota_reached() is called.
        routes: what is answered ahead of the application; None if all requests are the application's.
        sender: sends the files that responses of the application name; None: it may name none.
        draining: no connection is kept after its response.
        threaded: a response made piece by piece stays on the thread that began it.
        pool: the threads, if several run the application.
        kept: the thread that has the loop is not the application's, and only keeps it meanwhile (server/keeper.py).
        forked: the application has forked this process, which ends as soon as it leaves the application.
        holdings: the account of what clients make this worker hold in memory.
        disk: the account of temporary files.
        meter: counts what other processes read.
        guard: the loop's, which the application runs without: see _guard_py.py.
        has_messages: some text for wsgi.errors waits, so end_messages() is called at the end of a request.

    Args:
        build: the modules to run, from fastwsgi.backend.
        app: the WSGI application.
        settings: times, sizes, the limit of bodies and the Server field are read.
        log_error: called with a message and an exception, or None.
        observer: notified of what happens, or None.
        loop: waits for the events that connections ask for.
    """

    def __init__(
        self,
        build: SimpleNamespace,
        app: Callable[..., Any],
        settings: Settings,
        log_error: Callable[[str, BaseException | None], None],
        observer: Observer | None,
        loop: ConnectionLoop,
    ) -> None:
        self.app = app
        self.routes: Routes | None = None
        self.sender: Sender | None = None
        self.log_error = log_error
        self.loop = loop
        self.pool: ThreadPool = NO_POOL
        self.framing = build.framing.Framing(settings.limit_request_body)
        self._set_up_observer(observer)
        self._set_up_classes(build)
        self._set_up_bounds(settings)
        self.holdings, self.disk, self.meter, self.guard = loop.holdings, loop.disk, loop.meter, loop.guard
        self.server_line = f"Server: {settings.server_header}\r\n".encode("latin-1") if settings.server_header else b""
        self.date_line = b""
        self.threaded = settings.threads > 1 or settings.loops > 1
        self.draining = False
        self.served = self.quota = 0
        self.quota_reached: Callable[[], None] = lambda: None
        self.now = 0.0
        self.turn = build.turn.Turn(build.inbox.Inbox(), build.outbox.OutBuffer(), build.turn.CallCounter())
        self.turn.counter.meter = self.meter
        self.full = self.kept = False
        self.forked = False
        self.has_messages = False
        self.end_messages: Callable[[], None] = lambda: None

    def _set_up_observer(self, observer: Observer | None) -> None:
        """Look up the observer's methods once, since a look-up at each call would cost time."""
        self.observer = observer
        self.request_started = getattr(observer, "request_started", None)
        self.response_started = getattr(observer, "response_started", None)
        self.response_ended = getattr(observer, "response_ended", None)
        self.note = getattr(observer, "note", None)

    def _set_up_classes(self, build: SimpleNamespace) -> None:
        self.new_exchange = build.exchange.Exchange()
        self.early_hints = build.early_hints.EarlyHints()
        self.presence = build.presence.Presence()
        self.body = build.body.Body
        self.chunked = build.body.ChunkedBody

    def _set_up_bounds(self, settings: Settings) -> None:
        self.keep_alive = float(settings.keep_alive)
        self.header_timeout = float(settings.header_timeout)
        self.body_timeout = float(settings.body_timeout)
        self.write_timeout = float(settings.write_timeout)
        self.linger_timeout = float(settings.linger_timeout)
        self.min_rate = float(settings.min_rate)  # bytes a second
        self.spool_size = int(settings.spool_size)
        self.max_body = self.framing.max_body

    def disown(self) -> None:
        """In a forked child, let nothing be observed or answered any more."""
        self.forked = True
        self._set_up_observer(None)
        self.meter.disown()

    def renew_time(self) -> None:
        """Have the loop set *now* again: an application may have run for a long time since the turn began."""
        self.loop.renew_time(self)
