"""The loop: wait, accept, let ready connections work, look after deadlines. Plain Python, one method call an event.

Everything of HTTP is behind Connection.on_ready(). An accepted connection is read at once, before it is registered
anywhere: its request is usually there, and if it closes after the answer the poller never hears of it.

With several threads, the loop is handed from one to another (threads.py): what calls into connections returns True
when its thread has lost the loop meanwhile, and then touches nothing of it any more. All that a loop needs is in this
object, none of it in the module, so that an interpreter without a GIL could run one loop a thread.
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
from typing import Any, Callable

from fastwsgi.server.acceptor import Acceptor
from fastwsgi.server.deadlines import Deadlines
from fastwsgi.server.listener import Entrance
from fastwsgi.server.poller import BATCH, open_poller
from fastwsgi.server.threads import Pool
from fastwsgi.server.watchdog import Watchdog

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
        settings: Any,
        log_error: Callable[[str, BaseException | None], None],
        errors: Any,
        observer: Any = None,
    ) -> None:
        self.build = build
        self.settings = settings
        self.errors = errors
        self.log_error = log_error
        self.poller = open_poller()
        self.framing = build.framing.Framing(settings.limit_request_body)
        self.gateway = build.wsgi.Gateway(app, self.framing, log_error, settings.server_header, observer)
        self.wire = build.sockio.SocketWire()
        self.gateway.threaded = settings.threads > 1
        self.shared = build.shared.Shared(
            build.inbox.Inbox(),
            build.outbox.OutBuffer(),
            self.gateway,
            build.baton.Baton(),
            build.body.Body,
            build.body.ChunkedBody,
            build.body.EmptyInput(),
            self,
            settings,
        )
        self.renew_time(self.shared)
        self.pool: Pool | None = None
        self.slot: Any = None  # of the scoreboard, where several processes share the listeners
        self.acceptor = Acceptor(self, settings)
        self.admission = self.acceptor.admission
        self.connections: dict[int, Any] = {}
        self.turns: deque[Any] = deque()  # connections that go on without waiting
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
        self, listener: socket.socket, environ: dict[str, Any] | None = None, tls: Any = None
    ) -> None:
        """Accept connections from *listener*, which stays the caller's to close.

        Args:
            listener: it listens already.
            environ: comes into every environ.
            tls: the tls.Tls if TLS is spoken there.
        """
        self.acceptor.add(Entrance(self, listener, environ or {}, tls))

    def take(self, listener: socket.socket, fd: int, host: str, port: str) -> None:
        """Serve the connection *fd*, which somebody else has accepted from *listener*; in the loop's thread."""
        self.resume(self.acceptor.entrances[listener.fileno()].open(fd, host, port))

    def add_waker(self, fd: int, called: Callable[[], None]) -> None:
        """Call *called* whenever *fd* is readable."""
        self.wakers[fd] = called
        self.poller.watch(fd, "read", "")

    # What connections ask for

    def watch(self, connection: Any, event: str, before: str) -> None:
        """*connection* waits for *event*, "read" or "write", instead of *before*."""
        self.poller.watch(connection.fd, event, before)

    def resume(self, connection: Any) -> None:
        """*connection* wants another turn, after the others."""
        self.turns.append(connection)
        if self.pool is not None and not self.pool.has_loop():
            self.wake()

    def set_aside(self, connection: Any) -> None:
        """Watch *connection* no more, until it asks for it: a thread serves it alone."""
        before, connection.waits = connection.waits, ""
        self.poller.forget(connection.fd, before)

    def renew_time(self, shared: Any) -> None:
        """An application may have run for long since the turn began: set *shared*.now again."""
        shared.now = time.monotonic()

    def forget(self, connection: Any) -> None:
        """*connection* is about to close its file descriptor."""
        del self.connections[connection.fd]
        if self.admission.networks:
            self.admission.leave(connection.fd)
        self.poller.forget(connection.fd, connection.waits)
        if self.stopping:
            self.wake()  # it may have been the last
        elif not self.acceptor.polled:
            self.accept_again()

    def all_connections(self) -> list[Any]:
        """All of now, taken at once: a thread that serves one alone may end it while the others are looked at."""
        return list(self.connections.values())

    def connection_refused(self, host: str, reason: str) -> None:
        """Tell the observer of a client that was turned away before it could send a request."""
        told = getattr(self.gateway.observer, "connection_refused", None)
        if told is not None:
            told(host, reason)

    def lose(self, connection: Any, error: Exception) -> None:
        """A fault of ours costs *connection* and nothing else."""
        self.log_error("internal error: the connection is closed", error)
        connection.drop(True)

    # Running

    def run(self) -> None:
        """Serve until stop() was called and every response is out; who lingers then is not waited for.

        With several threads, this one only waits: where it is the main thread, signals are handled at once.
        """
        settings = self.settings
        if settings.threads > 1 or settings.timeout:
            self.shared.monitor = self.build.monitor.Monitor(self.shared, settings.timeout)
            self.shared.monitor.start()
        self.watchdog.start()
        try:
            if settings.threads > 1:
                self.add_pool().run()
            elif self.serve() and self.pool is not None:
                self.pool.await_end()  # this thread's call was given up
        finally:
            self.watchdog.stop()
            if self.pool is not None:
                self.pool.close()
            if self.shared.monitor is not None:
                self.shared.monitor.stop()

    def add_pool(self) -> Pool:
        """From now on threads may take the loop over from each other; this one has it."""
        self.pool = self.shared.pool = Pool(self, self.settings)
        return self.pool

    def calls(self) -> list[tuple[int, Any]]:
        """The application calls that run now: the thread's identifier and the connection of each."""
        running = self.pool.calls() if self.pool is not None else []
        connection = self.shared.baton.look()
        if connection is not None:
            running.append((self.pool.owner if self.pool is not None else self._thread, connection))
        return running

    def give_up(self, thread: int, connection: Any, exchange: Any) -> bool:
        """Answer 504 and go on without the call for *exchange* that runs on *thread*; False if it has just ended."""
        if self.pool is None:
            self.add_pool().owner = thread
        return self.pool is not None and self.pool.give_up(thread, connection, exchange)

    def serve(self) -> bool:
        """Serve until all is done, or until another thread has taken the loop over: then True."""
        self._thread = threading.get_ident()
        if self._finish_step():
            return True
        while not self.aborted and not (self.stopping and self._is_done()):
            if self.step(SWEEP):
                return True
        return False

    def _is_done(self) -> bool:
        return all(one.state == "lingering" for one in self.all_connections())

    def step(self, timeout: float) -> bool:
        """Wait at most *timeout* seconds for events and serve them."""
        if self.asked_to_stop and not self.stopping:
            if self._begin_to_stop():
                return True
            timeout = 0.0  # nothing may be left to wait for
        if self._may_accept_again:
            self._may_accept_again = False
            self.acceptor.poll(not self.stopping)
        events = self.poller.poll(0 if self.turns else max(0.0, min(timeout, self._next_look - time.monotonic())))
        self._events = iter(events)
        now = self.shared.now = time.monotonic()
        if self._finish_step():
            return True
        if self.pool is not None:
            self.pool.give_way()
        spent = time.monotonic() - now
        if spent > SWEEP:
            self.deadlines.excuse(spent)
        return (
            now >= self._next_look and (len(events) < BATCH or now >= self._next_look + OVERDUE) and self._look_about()
        )

    def _finish_step(self) -> bool:
        """Serve what is left of a batch of events, which another thread may have begun; then those who want a turn."""
        connections = self.connections
        for fd, _ in self._events:
            connection = connections.get(fd)
            if connection is None:
                if self._meet_other(fd):
                    return True
            elif connection.on_ready():
                return True
        turns = self.turns
        return bool(turns) and any(turns.popleft().on_turn() for _ in range(len(turns)))

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

    def _meet_other(self, fd: int) -> bool:
        """An event that is not a connection's."""
        if fd in self.acceptor.entrances:
            return self.acceptor.on_ready(fd)
        if fd in self.wakers:
            self.wakers[fd]()
        return False

    def accept_again(self) -> None:
        """There is room for new connections again; from any thread."""
        self._may_accept_again = True
        self.wake()

    # Time

    def _tell_time(self) -> None:
        """Renew the Date field (RFC 9110 6.6.1), each time a second begins."""
        wall = time.time()
        self.gateway.date_line = f"Date: {formatdate(wall, usegmt=True)}\r\n".encode("latin-1")
        self._next_sweep = time.monotonic() + SWEEP - wall % SWEEP

    def look_at(self, when: float) -> None:
        """Look at *when*, or before, whether newcomers can be let in again."""
        self._next_look = min(self._next_look, when)

    def _look_about(self) -> bool:
        """It is time for something. True if this thread has lost the loop."""
        now = time.monotonic()
        if now >= self._next_sweep:
            self._sweep(now)
        if not self.stopping:
            self.acceptor.poll(True)
        # What comes next may be another thread's, and so may be those who are met in the next step
        self._next_look = 0.0 if self.deadlines.are_more else self._next_sweep
        return self.deadlines.meet(now)

    def _sweep(self, now: float) -> None:
        self._tell_time()
        if self.gateway.observer is not None:
            self.gateway.observer.tick()
        for tick in self.ticks:
            tick()
        if self.slot is not None:
            self._report(self.slot)
        self.deadlines.look(now)

    @property
    def requests(self) -> int:
        """How many requests were served so far."""
        return int(self.gateway.served)

    def set_quota(self, count: int, called: Callable[[], None]) -> None:
        """Call *called* when *count* requests were served."""
        self.gateway.quota = count
        self.gateway.quota_reached = called

    def _report(self, slot: Any) -> None:
        """Write the figures of this process where the others see them."""
        slot.requests = self.requests
        slot.connections = len(self.connections)
        if self.pool is not None:
            slot.busy, slot.queued = self.pool.running, len(self.pool.waiting_requests)

    # Stopping

    def accept_one(self) -> None:
        """Accept one connection, if one waits, and never another; its first request is its last."""
        self.stopping = self.gateway.draining = True
        self.acceptor.poll(False)
        self.acceptor.accept_one()

    def stop(self, idle_grace: float = 0.0) -> None:
        """Accept what waits already and then no more, answer what is in flight, close what is idle, let run() return.

        It may be called from any thread, from within an application's call or a signal handler: the work is done by
        the next step.

        Args:
            idle_grace: seconds for which requests on idle connections are still answered; whoever sends one as we
                close would lose it.
        """
        self._idle_grace = idle_grace
        self.gateway.draining = True
        self.asked_to_stop = True
        self.wake()

    def _begin_to_stop(self) -> bool:
        shared = self.shared
        shared.keep_alive = min(shared.keep_alive, self._idle_grace)
        if self.acceptor.accept_all():
            return True  # who has the loop now begins again
        until = time.monotonic() + shared.keep_alive
        for connection in self.all_connections():
            if connection.on_ready():  # a request may have come just now
                return True
            connection = self.connections.get(connection.fd, connection)  # a preamble may have made way
            if connection.is_idle():
                connection.deadline = min(connection.deadline, until)
                if shared.keep_alive <= 0.0:
                    connection.drop(False)
        self.stopping = True
        self.acceptor.poll(False)
        self.stopped_accepting()
        return False

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
