"""The loop: wait, accept, let ready connections work, look after deadlines. Plain Python, one method call an event.

Everything of HTTP is behind Connection.on_ready(). An accepted connection is read at once, before it is registered
anywhere: its request is usually there, and if it closes after the answer the poller never hears of it.

With several threads, the loop is handed from one to another (threads.py). A thread that has lost it meanwhile learns
so by LoopLost, which a connection raises when its turn is over: it passes through everything here, since from then on
all of it is another thread's, up to the one who called serve(). What a loop needs is in this object, none of it in the
module, so that an interpreter without a GIL could run one loop a thread.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from email.utils import formatdate
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Callable

from fastwsgi.http.answers import DATE, expired_template
from fastwsgi.http.errors import LoopLost
from fastwsgi.server.acceptor import Acceptor
from fastwsgi.server.deadlines import Deadlines
from fastwsgi.server.listener import Listener
from fastwsgi.server.poller import BATCH, open_poller
from fastwsgi.server.threads import Pool
from fastwsgi.server.watchdog import Watchdog

if TYPE_CHECKING:
    from fastwsgi.http.connection import Connection
    from fastwsgi.http.exchange import Exchange
    from fastwsgi.http.interfaces import ErrorStream, Observer, Watched
    from fastwsgi.http.service import Service
    from fastwsgi.server._sockio_py import SocketWire
    from fastwsgi.server.interfaces import Monitor, Served, Slot
    from fastwsgi.settings.settings import Settings
    from fastwsgi.tls.contexts import Tls

SWEEP = 1.0  # seconds between two looks at the deadlines
OVERDUE = 5.0  # seconds after which deadlines are looked at even if events wait


class Loop:
    """Serves connections, on one thread at a time.

    Args:
        build: the modules to run, from fastwsgi.backend.
        app: the WSGI application.
        settings: has the values of config.settings by name.
        log_error: called with a message and an exception or None.
        errors: wsgi.errors.
        observer: told of responses and refusals, or None.
    """

    def __init__(
        self,
        build: SimpleNamespace,
        app: Callable[..., Any],
        settings: Settings,
        log_error: Callable[[str, BaseException | None], None],
        errors: ErrorStream,
        observer: Observer | None = None,
    ) -> None:
        self.build = build
        self.settings = settings
        self.errors = errors
        self.log_error = log_error
        self.poller = open_poller()
        self.wire: SocketWire = build.sockio.SocketWire()
        self.service: Service = build.service.Service(build, app, settings, log_error, observer, self)
        self.renew_time(self.service)
        self.pool: Pool | None = None
        self.monitor: Monitor | None = None
        self.slot: Slot | None = None  # of the scoreboard, where several processes share the listeners
        self.acceptor = Acceptor(self, settings)
        self.admission = self.acceptor.admission
        self.connections: dict[int, Served] = {}
        self.turns: deque[Served] = deque()  # connections that go on without waiting
        self.deadlines = Deadlines(self)
        self.wakers: dict[int, Callable[[], None]] = {}
        self._events: Iterator[tuple[int, int]] = iter(())
        self._woken, self._waker = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._waker, False)
        self.add_waker(self._woken, self._hear)
        self.asked_to_stop = False
        self._idle_grace = 0.0
        self._may_accept_again = False
        self._thread = 0  # the one that serves
        self.expired: Callable[[], None] = lambda: None  # called when a request has passed the deadline
        self.watchdog = Watchdog(self, settings.timeout, settings.slow_log, lambda: self.expired())
        self.aborted = False  # nothing is waited for any more
        self.stopping = False
        self.ticks: list[Callable[[], None]] = []  # called each second
        self.stopped_accepting: Callable[[], None] = lambda: None  # called when a stop has emptied the backlogs
        self._next_sweep = self._next_look = 0.0
        self._tell_time()

    # What is listened on

    def add_listener(
        self, listener: socket.socket, environ: dict[str, Any] | None = None, tls: Tls | None = None
    ) -> None:
        """Accept connections from *listener*, which stays the caller's to close.

        Args:
            listener: it listens already.
            environ: comes into every environ.
            tls: the contexts.Tls if TLS is spoken there.
        """
        self.acceptor.add(Listener(self, listener, environ or {}, tls))

    def take(self, listener: socket.socket, fd: int, host: str, port: str) -> None:
        """Serve the connection *fd*, which another thread has accepted from *listener*; in the loop's thread."""
        self.acceptor.listeners[listener.fileno()].open(fd, host, port).wait_for_turn()

    def add_waker(self, fd: int, called: Callable[[], None]) -> None:
        """Call *called* whenever *fd* is readable."""
        self.wakers[fd] = called
        self.poller.watch(fd, "read", "")

    # What connections ask for

    def watch(self, connection: Watched, event: str, before: str) -> None:
        """*connection* waits for *event*, "read" or "write", instead of *before*."""
        self.poller.watch(connection.fd, event, before)

    def unwatch(self, connection: Watched, before: str) -> None:
        """*connection* waits for nothing until it asks for it, instead of *before*."""
        self.poller.forget(connection.fd, before)

    def go_on_later(self, connection: Served) -> None:
        """*connection* owes a turn: it gets one after the others."""
        self.turns.append(connection)
        if self.pool is not None and not self.pool.has_loop():
            self.wake()

    def renew_time(self, service: Service) -> None:
        """An application may have run for long since the turn began: set *service*.now again."""
        service.now = time.monotonic()

    def forget(self, connection: Watched) -> None:
        """*connection* is about to close its file descriptor."""
        del self.connections[connection.fd]
        if self.admission.networks:
            self.admission.leave(connection.fd)
        self.poller.forget(connection.fd, connection.waits)
        if self.stopping:
            self.wake()  # it may have been the last
        elif not self.acceptor.polled:
            self.accept_again()

    def all_connections(self) -> list[Served]:
        """All of now, taken at once: a thread that serves one alone may end it while the others are looked at."""
        return list(self.connections.values())

    def connection_refused(self, host: str, reason: str) -> None:
        """Tell the observer of a client that was turned away before it could send a request."""
        told = getattr(self.service.observer, "connection_refused", None)
        if told is not None:
            told(host, reason)

    def fail(self, connection: Connection, error: Exception) -> None:
        """A fault of ours costs *connection* and nothing else."""
        self.log_error("internal error: the connection is closed", error)
        connection.drop(True)

    # Running

    def run(self) -> None:
        """Serve until stop() was called and every response is out; connections that linger then are not waited for.

        With several threads, this one only waits: where it is the main thread, signals are handled at once.
        """
        settings = self.settings
        if settings.threads > 1 or settings.timeout:
            self._start_monitor()
        self.watchdog.start()
        try:
            if settings.threads > 1:
                self.add_pool().run()
            else:
                self._run_alone()
        finally:
            self.watchdog.stop()
            if self.pool is not None:
                self.pool.close()
            if self.monitor is not None:
                self.monitor.stop()

    def _start_monitor(self) -> None:
        service, template = self.service, expired_template()
        date_at = template.index(DATE) + len(DATE)
        monitor = self.build.monitor.Monitor(service.turn, self.settings.timeout, template, date_at)
        self.monitor = service.turn.counter.monitor = monitor
        monitor.start()

    def _run_alone(self) -> None:
        """Serve on this thread, unless its call is given up: then another goes on, and this one waits for its end."""
        try:
            self.serve()
        except LoopLost:
            assert self.pool is not None
            self.pool.await_end()

    def add_pool(self) -> Pool:
        """From now on threads may take the loop over from each other; this one has it."""
        assert self.monitor is not None
        self.pool = self.service.pool = Pool(self, self.settings, self.monitor)
        return self.pool

    def calls(self) -> list[tuple[int, Connection]]:
        """The application calls that run now: the thread's identifier and the connection of each."""
        running = self.pool.calls() if self.pool is not None else []
        connection = self.service.turn.running()
        if connection is not None:
            running.append((self.pool.owner if self.pool is not None else self._thread, connection))
        return running

    def give_up(self, thread: int, connection: Connection, exchange: Exchange) -> bool:
        """Answer 504 and go on without the call for *exchange* that runs on *thread*; False if it has just ended."""
        pool = self.pool
        if pool is None:
            pool = self.add_pool()
            pool.owner = thread
        return pool.give_up(thread, connection, exchange)

    def serve(self) -> None:
        """Serve until all is done. Raises LoopLost when another thread has taken the loop over."""
        self._thread = threading.get_ident()
        self._finish_step()
        while not self.aborted and not (self.stopping and self._is_done()):
            self.step(SWEEP)

    def _is_done(self) -> bool:
        return all(one.is_lingering() for one in self.all_connections())

    def step(self, timeout: float) -> None:
        """Wait at most *timeout* seconds for events and serve them. Raises LoopLost."""
        if self.asked_to_stop and not self.stopping:
            self._begin_to_stop()
            timeout = 0.0  # nothing may be left to wait for
        if self._may_accept_again:
            self._may_accept_again = False
            self.acceptor.poll(not self.stopping)
        events = self.poller.poll(0 if self.turns else max(0.0, min(timeout, self._next_look - time.monotonic())))
        self._events = iter(events)
        now = self.service.now = time.monotonic()
        self._finish_step()
        if self.pool is not None:
            self.pool.give_way()
        spent = time.monotonic() - now
        if spent > SWEEP:
            self.deadlines.excuse(spent)
        if now >= self._next_look and (len(events) < BATCH or now >= self._next_look + OVERDUE):
            self._look_about()

    def _finish_step(self) -> None:
        """Serve what is left of a batch of events, which another thread may have begun; then those who owe a turn."""
        connections = self.connections
        for fd, _ in self._events:
            connection = connections.get(fd)
            if connection is not None:
                connection.on_ready()
            else:
                self._serve_other(fd)
        turns = self.turns
        for _ in range(len(turns)):
            turns.popleft().on_turn()

    def wake(self) -> None:
        """Let the loop look about; from any thread, and from signal handlers."""
        try:
            os.write(self._waker, b"\0")
        except OSError:
            pass  # so full that it is awake anyway, or closed

    def _hear(self) -> None:
        os.read(self._woken, 4096)
        if self.aborted:
            self.drop_all()

    def _serve_other(self, fd: int) -> None:
        """An event that is not a connection's."""
        if fd in self.acceptor.listeners:
            self.acceptor.on_ready(fd)
        elif fd in self.wakers:
            self.wakers[fd]()

    def accept_again(self) -> None:
        """There is room for new connections again; from any thread."""
        self._may_accept_again = True
        self.wake()

    # Time

    def _tell_time(self) -> None:
        """Renew the Date field (RFC 9110 6.6.1), each time a second begins."""
        wall = time.time()
        self.service.date_line = f"Date: {formatdate(wall, usegmt=True)}\r\n".encode("latin-1")
        self._next_sweep = time.monotonic() + SWEEP - wall % SWEEP

    def look_at(self, when: float) -> None:
        """Look at *when*, or before, whether newcomers can be let in again."""
        self._next_look = min(self._next_look, when)

    def _look_about(self) -> None:
        """It is time for something."""
        now = time.monotonic()
        if now >= self._next_sweep:
            self._sweep(now)
        if not self.stopping:
            self.acceptor.poll(True)
        self._next_look = 0.0 if self.deadlines.are_more else self._next_sweep
        self.deadlines.enforce(now)

    def _sweep(self, now: float) -> None:
        self._tell_time()
        if self.service.observer is not None:
            self.service.observer.tick()
        for tick in self.ticks:
            tick()
        if self.slot is not None:
            self._report(self.slot)
        self.deadlines.look(now)

    @property
    def requests(self) -> int:
        """How many requests were served so far."""
        return self.service.served

    def set_quota(self, count: int, called: Callable[[], None]) -> None:
        """Call *called* when *count* requests were served."""
        self.service.quota = count
        self.service.quota_reached = called

    def _report(self, slot: Slot) -> None:
        """Write the figures of this process where the others see them."""
        slot.requests = self.requests
        slot.connections = len(self.connections)
        if self.pool is not None:
            slot.busy, slot.queued = self.pool.running, len(self.pool.waiting_requests)

    # Stopping

    def accept_one(self) -> None:
        """Accept one connection, if one waits, and never another; its first request is its last."""
        self.stopping = self.service.draining = True
        self.acceptor.poll(False)
        self.acceptor.accept_one()

    def stop(self, idle_grace: float = 0.0) -> None:
        """Accept what waits already and then no more, answer what is in flight, close what is idle, let run() return.

        It may be called from any thread, from within an application's call or a signal handler: the work is done by
        the next step.

        Args:
            idle_grace: seconds for which requests on idle connections are still answered: one that is sent as we
                close would be lost.
        """
        self._idle_grace = idle_grace
        self.service.draining = True
        self.asked_to_stop = True
        self.wake()

    def _begin_to_stop(self) -> None:
        """Accept what waits and tell the connections. If the loop is lost in this, its next thread begins again."""
        service = self.service
        service.keep_alive = min(service.keep_alive, self._idle_grace)
        self.acceptor.accept_all()
        until = time.monotonic() + service.keep_alive
        for connection in self.all_connections():
            connection.on_ready()  # a request may have come just now
            self.connections.get(connection.fd, connection).hurry(until)  # a preamble may have made way
        self.stopping = True
        self.acceptor.poll(False)
        self.stopped_accepting()

    def abort(self) -> None:
        """End all connections now; those whose response is not whole are reset."""
        if self.pool is not None and self.pool.abort():
            return
        self.drop_all()

    def drop_all(self) -> None:
        """abort(), in the thread that has the loop; what other threads serve is theirs to close."""
        for connection in self.all_connections():
            connection.abort()

    def close(self) -> None:
        """End all connections and give the poller back."""
        self.drop_all()
        self.poller.close()
        woken, waker, self._woken, self._waker = self._woken, self._waker, -1, -1
        os.close(waker)
        os.close(woken)
