"""The loop: wait for events, let the connections concerned handle them, do the housekeeping.

It is plain Python; a batch (_batch_c.pyx) takes the events and makes one method call for each. All of HTTP is behind
Connection.on_ready(). An accepted connection is read before it is given to the poller: its request has usually arrived,
and if the connection closes after the answer, the poller never has to watch it.

With several threads, the loop is passed from one to another (threads.py). One that has lost it learns so by LoopLost,
which a connection raises at the end of its turn, and which passes through everything here up to the caller of serve().
All state of a loop is in this object, as without a GIL a process runs several side by side (loops.py).
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Callable

from fastwsgi import forks
from fastwsgi.figures import CALL, CALL_THREAD, THREADS, UNANSWERED
from fastwsgi.gil import HAS_GIL
from fastwsgi.http.errors import LoopLost
from fastwsgi.leaving import Contained
from fastwsgi.originals import socket, threading, time
from fastwsgi.server.acceptor import Acceptor
from fastwsgi.server.commons import Commons
from fastwsgi.server.deadlines import Deadlines
from fastwsgi.server.ending import Ending
from fastwsgi.server.holdings import Holdings
from fastwsgi.server.housekeeping import OVERDUE, SECOND, Housekeeping
from fastwsgi.server.keeper import Keeper
from fastwsgi.server.lending import LendingPool
from fastwsgi.server.listener import Listener
from fastwsgi.server.monitoring import start_monitor
from fastwsgi.server.poller import BATCH, Poller, open_poller
from fastwsgi.server.reach import HeldUp, reached
from fastwsgi.server.relief import Relief
from fastwsgi.server.rows import Rows
from fastwsgi.server.threads import Pool
from fastwsgi.server.wake_pipe import WakePipe
from fastwsgi.server.watchdog import Watchdog

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

    from fastwsgi._guard_py import Guard
    from fastwsgi.http._meter_py import Meter
    from fastwsgi.http.connection import Connection
    from fastwsgi.http.exchange import Exchange
    from fastwsgi.http.interfaces import ErrorStream, Observer, Watched
    from fastwsgi.http.service import Service
    from fastwsgi.server._batch_py import Batch
    from fastwsgi.server._sockio_py import SocketWire
    from fastwsgi.server.interfaces import Monitor, Served, Slot, TakesTurns
    from fastwsgi.settings.settings import Settings
    from fastwsgi.tls.contexts import Tls


class Loop(Ending):
    """Serves connections, on one thread at a time.

    Args:
        build: the modules to run, from fastwsgi.backend.
        app: the WSGI application.
        settings: those of the service.
        log_error: called with a message and an exception or None.
        errors: wsgi.errors.
        observer: notified of responses and refusals, or None.
        slot: this loop's part of the scoreboard, if several processes share the listeners.
        commons: what it has in common with the other loops of this process, if there are any.
        memory: the words of its figures, where there is no slot; None: its own.
    """

    def __init__(
        self,
        build: SimpleNamespace,
        app: WSGIApplication,
        settings: Settings,
        log_error: Callable[[str, BaseException | None], None],
        errors: ErrorStream,
        observer: Observer | None = None,
        slot: Slot | None = None,
        commons: Commons | None = None,
        memory: memoryview | None = None,
    ) -> None:
        super().__init__()
        self.build = build
        self.settings = settings
        self.errors = errors
        self.guard: Guard = build.guard.Guard()
        self.log_error = log_error if HAS_GIL else self._unguarded(log_error)
        self.poller: Poller = open_poller()
        self.slot = slot
        self.siblings: list[Loop] = []  # the other loops of this process
        self.is_short = False  # a request waits for a place, and no sibling has lent one yet: see lending.py
        self.commons = commons or Commons(settings, log_error, slot)
        memory = slot.memory if slot is not None else memory
        self.meter: Meter = build.meter.Meter(memory, bool(settings.statsd_host))
        self.meter.set(THREADS, settings.threads)
        self.wire: SocketWire = build.sockio.SocketWire(self.meter)
        self.relief = Relief(self)
        self.holdings = Holdings(settings.max_buffered, settings.spool_size, self.relief.ask)
        self.disk = self.commons.disk
        self.rows = Rows(self.meter)
        self.service: Service = build.service.Service(build, app, settings, self.log_error, observer, self)
        self.renew_time(self.service)
        self.pool: Pool | None = None
        self.monitor: Monitor | None = None
        self.acceptor = Acceptor(self, settings)
        self.admission = self.acceptor.admission
        self.connections: dict[int, Served] = {}
        self.turns: deque[TakesTurns] = deque()  # those that are owed a turn
        self.deadlines = Deadlines(self)
        self.wakers: dict[int, Callable[[], None]] = {}
        self.batch: Batch = build.batch.Batch(self.connections, self._serve_other, self.guard)
        self.wake_pipe = WakePipe()
        self.add_waker(self.wake_pipe.fileno(), self._handle_wake_up)
        self._may_accept_again = False
        self.thread = 0  # the identifier of the thread that serves
        self.thread_states: dict[int, int] = {}  # of the threads that run, by their identifiers
        self.caller = 0  # that of the thread that has called run()
        self.expired: Callable[[str], None] = lambda logged: None  # called when a request has passed the deadline
        self.watchdog = Watchdog(self, settings.timeout, settings.slow_log, lambda logged: self.expired(logged))
        self.caller_stuck: Callable[[], None] = lambda: None  # called at the end if run() cannot return: see Pool
        self.ticks: list[Callable[[], None]] = []  # called each second
        self.housekeeping = Housekeeping(self)

    def _unguarded(
        self, log_error: Callable[[str, BaseException | None], None]
    ) -> Callable[[str, BaseException | None], None]:
        """*log_error*, without the guard: a log may be slow, and its handlers the application's."""

        def log(message: str, error: BaseException | None) -> None:
            with self.guard.given_up():
                log_error(message, error)

        return log

    # Listeners and wakers

    def add_listener(
        self, listener: socket.socket, environ: WSGIEnvironment | None = None, tls: Tls | None = None
    ) -> None:
        """Accept connections from *listener*, which stays the caller's to close.

        Args:
            listener: a listening socket.
            environ: added to the environ of each request.
            tls: None where TLS is not spoken.
        """
        self.acceptor.add(Listener(self, listener, environ or {}, tls))

    def take(self, listener: socket.socket, fd: int, host: str, port: str) -> None:
        """Serve the connection *fd*, accepted from *listener* by another thread. Called in the loop's thread."""
        self.acceptor.listeners[listener.fileno()].open(fd, host, port).wait_for_turn()

    def add_waker(self, fd: int, called: Callable[[], None]) -> None:
        """Call *called* whenever *fd* is readable."""
        self.wakers[fd] = called
        self.poller.watch(fd, "read", "")

    # What connections ask for

    def watch(self, connection: Watched, event: str, before: str) -> None:
        """Wait for *event* of *connection*, "read" or "write", instead of *before*."""
        self.poller.watch(connection.fd, event, before)

    def unwatch(self, connection: Watched, before: str) -> None:
        """Wait for nothing of *connection* until it asks again, instead of *before*."""
        self.poller.forget(connection.fd, before)

    def go_on_later(self, connection: TakesTurns) -> None:
        """Give *connection* another turn after the other connections."""
        self.turns.append(connection)
        if self.pool is not None and not self.pool.has_loop():
            self.wake()

    def renew_time(self, service: Service) -> None:
        """Set *service*.now again: an application may have run for a long time since the turn began."""
        service.now = time.monotonic()

    def pause(self) -> None:
        """Let other threads run for a moment."""
        with self.guard.given_up():
            time.sleep(0.001)

    def forget(self, connection: Watched) -> None:
        """Drop *connection*, which is about to close its file descriptor, from the table."""
        del self.connections[connection.fd]
        if self.commons.clients.networks:
            self.commons.clients.leave(connection.fd)
        if connection.waits:
            self.poller.forget(connection.fd, connection.waits)
        if self.stopping:
            self.wake()  # this may have been the last connection
        elif not self.acceptor.polled:
            self.accept_again()

    def all_connections(self) -> list[Served]:
        """A copy of the table's connections: a thread that serves one alone may end it during an iteration."""
        return list(self.connections.values())

    def others_are_free(self) -> bool:
        """Whether another loop that accepts from the same listeners, in whatever process, has a free thread."""
        if any(not (one.service.full or one.asked_to_stop) for one in self.siblings):
            return True
        return self.slot is not None and self.slot.others_free()

    def in_flight(self) -> int:
        """The number of connections whose request is not answered yet. Called in any thread."""
        with suppress(HeldUp), reached(self.guard):
            return sum(one.idle_since() == float("inf") for one in self.all_connections())
        return 0  # none of them will be answered

    def report_refusal(self, host: str, reason: str) -> None:
        """Notify the observer of a client that was turned away before it could send a request, or cut."""
        self.meter.add(UNANSWERED, 1)
        notify = getattr(self.service.observer, "connection_refused", None)
        if notify is not None:
            notify(host, reason)

    def fail(self, connection: Connection, error: Exception) -> None:
        """End *connection*, and nothing else, after an error of the server's own."""
        self.log_error("internal error: the connection is closed", error)
        connection.drop(True)

    # Running

    def run(self) -> None:
        """Serve until stop() has been called and every response is sent, without waiting for lingering connections.

        With several threads, this one only waits, so that the main thread handles signals at once.
        """
        needs_pool = self.service.threaded or self.service.routes is not None
        self.caller = threading.get_ident()
        if needs_pool or self.settings.timeout:
            self.monitor = start_monitor(self)
        self.watchdog.start()
        forks.hold(self)
        try:
            with Contained():
                if needs_pool:
                    self.add_pool().run()
                else:
                    self._run_alone()
        finally:
            self.watchdog.stop()
            if self.pool is not None:
                self.pool.close()
            if self.monitor is not None:
                self.monitor.stop()

    def _run_alone(self) -> None:
        """Serve in this thread; if its call is given up, another thread continues, and this one waits for the end."""
        try:
            self.serve()
        except LoopLost:
            if self.pool is not None:  # else it was halted
                self.pool.retire()

    def add_pool(self) -> Pool:
        """Let threads take the loop from each other from now on; this one has it."""
        assert self.monitor is not None
        kind: type[Pool] = Keeper if self.service.routes is not None and not self.service.threaded else Pool
        if self.siblings:
            kind = LendingPool
        self.pool = self.service.pool = kind(self, self.settings, self.monitor)
        return self.pool

    def calls(self) -> list[tuple[int, Connection]]:
        """The application calls that run now: for each, the identifier of its thread, and its connection."""
        with self.guard.held():
            running = self.pool.calls() if self.pool is not None else []
            connection = self.service.turn.running()
            if connection is not None:
                running.append((self.pool.loop_thread if self.pool is not None else self.thread, connection))
            return running

    def keeps_interpreter(self, thread: int) -> bool:
        """Whether *thread* is in a call for which everybody waits who stops all threads, as to look at their stacks."""
        with self.guard.held():
            is_in_call = any(thread == one for one, _ in self.calls())  # so it lives
            return is_in_call and self.build.monitor.keeps_interpreter(self.thread_states.get(thread, 0))

    def note_thread(self) -> None:
        """Have this thread, which is about to work for the loop, known to keeps_interpreter()."""
        self.thread_states[threading.get_ident()] = self.build.monitor.thread_state()

    def give_up(self, thread: int, connection: Connection, exchange: Exchange) -> bool:
        """Answer 504 and leave the call for *exchange* in *thread* behind; False if it has just ended."""
        with self.guard.held():
            pool = self.pool
            if pool is None:
                pool = self.add_pool()
                pool.loop_thread = thread
            given_up = pool.give_up(thread, connection, exchange)
        if given_up and self.stopping:
            self.wake()  # this may have been the last call to wait for
        return given_up

    def serve(self) -> None:
        """Serve until all is done. Raises LoopLost if another thread has taken the loop."""
        self.thread = threading.get_ident()
        self.note_thread()
        self.meter.set(CALL + CALL_THREAD, threading.get_native_id())
        with self.guard.held():
            self._finish_step()
            while not self.aborted and not (self.stopping and self.is_done()):
                self.step(SECOND)
            if self.aborted:
                self.drop_all()  # a call that returns from now on finds that it is too late

    def step(self, timeout: float) -> None:
        """Wait for events, at most *timeout* seconds, and serve them; with the guard. Raises LoopLost."""
        if self.asked_to_stop and not self.stopping:
            self.begin_to_stop()
            timeout = 0.0  # there may be nothing left to wait for
        if self._may_accept_again:
            self._may_accept_again = False
            self.acceptor.poll(not self.stopping)
        service, housekeeping = self.service, self.housekeeping
        wait = housekeeping.due - service.now
        if wait > timeout:
            wait = timeout
        if self.turns or wait < 0.0:
            wait = 0.0
        taken = self.batch.take(self.poller, wait)
        now = service.now = time.monotonic()
        self._finish_step()
        ended = service.now = time.monotonic()
        if ended - now > SECOND:
            self.deadlines.excuse(ended - now)
        # By when the step began: what has come while an application ran is read before deadlines are enforced
        if now >= housekeeping.due and (taken < BATCH or now >= housekeeping.due + OVERDUE):
            housekeeping.run()

    def _finish_step(self) -> None:
        """Serve the rest of a batch of events, which another thread may have begun, then turns owed, then a queue."""
        self.batch.serve()
        if self.turns:
            self.take_turns()
        if self.pool is not None:
            self.pool.end_step()

    def take_turns(self) -> None:
        """Serve those that are owed a turn now. Raises LoopLost."""
        turns = self.turns
        for _ in range(len(turns)):
            turns.popleft().on_turn()

    def wake(self) -> None:
        """End the wait of the loop. Called in any thread and in signal handlers."""
        self.wake_pipe.wake()

    def _handle_wake_up(self) -> None:
        self.wake_pipe.empty()
        if self.aborted:
            self.drop_all()

    def _serve_other(self, fd: int) -> None:
        """Handle an event of a listener or a waker."""
        if fd in self.acceptor.listeners:
            self.acceptor.on_ready(fd)
        elif fd in self.wakers:
            try:
                self.wakers[fd]()
            except OSError:
                if not self.service.forked:  # in the handler of a signal: the descriptors are closed
                    raise

    def accept_again(self) -> None:
        """Accept again, since there is room for new connections. Called in any thread."""
        self._may_accept_again = True
        self.wake()

    # Requests served

    @property
    def requests(self) -> int:
        """The number of requests served."""
        return self.service.served

    def set_quota(self, count: int, called: Callable[[], None]) -> None:
        """Call *called* once *count* requests have been served."""
        self.service.quota = count
        self.service.quota_reached = called
