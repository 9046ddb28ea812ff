"""The thread pool: several threads run the application, and one loop serves all connections.

The loop is not shared, it is handed on. As long as the application answers at once, one thread runs loop and
application as if it were alone. When a call does not return, the monitor notices, and a spare thread takes the loop
over where it stands, by taking the connection out of the call. The thread left behind sends its own answer when it has
one, gives the connection back, and becomes a spare. So N threads wait for a database, and none of them holds up the
others.

    running     calls on threads that the loop has left; at N of them requests queue
    waiting     streams whose clients are slow: their threads stay with them and do not count among the N
    spares      threads that wait for the loop to be stuck, or for a request in the queue
"""

from __future__ import annotations

import select
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from fastwsgi.http.errors import ClientDisconnected, LoopLost
from fastwsgi.observe.rate_limited import RateLimitedLog
from fastwsgi.server.readiness import is_gone

if TYPE_CHECKING:
    from fastwsgi.http.connection import Connection
    from fastwsgi.http.exchange import Exchange
    from fastwsgi.server.interfaces import Monitor
    from fastwsgi.server.loop import Loop
    from fastwsgi.settings.settings import Settings

SIGNAL_LOOK = 0.1  # seconds that a signal's handler may be late
LOOK = 1.0  # seconds between two looks at a client that does not read


class Pool:
    """The threads of one loop.

    Args:
        loop: the one that they hand on.
        settings: threads, max_queue and max_waiting_streams are read.
        monitor: calls spares; it looks at the turns of the loop.
    """

    def __init__(self, loop: Loop, settings: Settings, monitor: Monitor) -> None:
        self.loop = loop
        self.service = loop.service
        self.size = settings.threads
        self.max_queue = settings.max_queue
        self.max_waiting = settings.max_waiting_streams
        self.monitor = monitor
        self.lock = threading.Lock()  # over all below, and over who has the loop
        self.running = 0
        self.alone: dict[int, Connection] = {}  # the connections of those calls, by the identifier of their thread
        self.given_up: set[int] = set()  # threads whose calls are past the deadline, and do not count
        self.waiting: set[Connection] = set()
        self.waiting_requests: deque[tuple[Connection, float]] = deque()  # each with the time since when
        self.returning: deque[threading.Lock] = deque()  # of waiting streams that want to go on
        self.vacant = False  # nobody has the loop
        self.owner = 0  # the thread that has it, or had it last
        self.spares = 0
        self.ended = False
        self.done = False  # all is served, or the loop has failed
        # A plain lock: of an Event, the exception of a signal handler could leave the lock behind
        self._news = threading.Lock()
        self._news.acquire()
        self.failure: BaseException | None = None
        self._threads = 0  # made so far
        self._cuts = RateLimitedLog(loop.log_error)

    # From outside

    def run(self) -> None:
        """Serve until the loop is done.

        Raises:
            BaseException: what ended the loop.
        """
        self.vacant = True
        self._add_thread()
        self.await_end()

    def await_end(self) -> None:
        """Wait until the loop is done; raises what run() does.

        The system may give a signal to any thread, but only the main one, this one, runs Python's handlers.
        """
        while not self.done:
            self._news.acquire(timeout=SIGNAL_LOOK)
        if self.failure is not None:
            raise self.failure

    def abort(self) -> bool:
        """Have the loop's thread end all connections; False if this is the one, or nobody runs the loop."""
        self.loop.aborted = True
        if self.done or self.has_loop():
            return False
        self.loop.wake()
        if not self.done:
            self._news.acquire(timeout=LOOK)
        return True

    def has_loop(self) -> bool:
        """Whether this thread has the loop."""
        return self.owner == threading.get_ident()

    def close(self) -> None:
        """Let the spares end; a thread that is stuck ends with the process."""
        with self.lock:
            self.ended = True
            for _ in range(self._threads):
                self.monitor.post()

    def give_way(self) -> None:
        """After a batch: let a thread whose call has returned have the GIL."""
        if self.running:
            self.monitor.give_way()

    def calls(self) -> list[tuple[int, Connection]]:
        """The identifier of each thread that runs the application without the loop, and its connection.

        Streams that wait for their clients are not in it.
        """
        with self.lock:
            return [one for one in self.alone.items() if one[1] not in self.waiting]

    def give_up(self, thread: int, connection: Connection, exchange: Exchange) -> bool:
        """The call of that thread is past the deadline: its client gets 504, others get its place, and the loop.

        False if it has ended this moment.
        """
        with self.lock:
            if self.service.turn.runs(connection):
                self._leave_loop(connection)
            if not connection.expire(exchange):
                return False
            self.given_up.add(thread)
            self._free_place()
            return True

    # What connections ask for

    def await_taker(self) -> None:
        """The loop was taken from this thread: return when that is complete."""
        with self.lock:
            pass

    def has_room(self) -> bool:
        """Whether another request may queue."""
        return len(self.waiting_requests) < int(self.max_queue)

    def queue(self, connection: Connection) -> None:
        """Have the request of *connection*, which is set aside, wait for a thread; called with the loop."""
        with self.lock:
            self.waiting_requests.append((connection, time.monotonic()))
            if self.running < self.size:  # a thread became free just now
                self._call_spare()

    def step_aside(self, connection: Connection) -> None:
        """Leave the loop to a spare, in the middle of the application call of *connection*."""
        with self.lock:
            if self.service.turn.runs(connection):  # else the loop has gone on without it
                self._leave_loop(connection)

    def wait_for_client(self, connection: Connection) -> None:
        """Block this thread, on which a stream runs, until its client has read.

        Raises:
            ClientDisconnected: it did not in time, or it was the furthest behind of too many.
        """
        self.step_aside(connection)
        with self.lock:
            self.waiting.add(connection)
            if len(self.waiting) > self.max_waiting:
                self._cut_off(min(self.waiting, key=lambda one: one.pace.deadline))
            self._free_place()
        poll = select.poll()
        poll.register(connection.fd, select.POLLOUT)
        try:
            while not poll.poll(1000 * min(LOOK, max(0.0, connection.pace.left(time.monotonic())))):
                if connection.given_up or connection.reads_too_slowly(time.monotonic()):
                    raise ClientDisconnected("it reads too slowly")
        finally:
            self._return(connection)

    # Threads

    def _add_thread(self) -> None:
        self._threads += 1
        threading.Thread(target=self._work, name=f"fastwsgi-{self._threads}", daemon=True).start()

    def _call_spare(self) -> None:
        """Have a spare look for something to do; with the lock held."""
        if self.spares == 0:
            self._add_thread()
        self.monitor.post()

    def _keep_spare(self) -> None:
        """This thread has found something to do: there must be a spare for what comes next; with the lock held."""
        if self.waiting_requests and self.running < self.size:
            self._call_spare()
        elif self.spares == 0 and self.running <= self.size:
            self._add_thread()

    def _work(self) -> None:
        """What each thread does."""
        try:
            stuck: int | None = 0  # no call has this number
            while not self.ended:
                if self._take_loop(stuck):
                    if self._serve():
                        break
                    self._leave_place()
                    stuck = None  # whatever call runs now, it may be slow as well
                elif self._begin_queued():
                    self._leave_place()
                    stuck = None
                else:
                    if not self._wait_as_spare():
                        return
                    stuck = self.monitor.stuck
        except BaseException as error:
            self.failure = error
        self.done = True
        try:
            self._news.release()
        except RuntimeError:
            pass  # another thread was faster

    def _serve(self) -> bool:
        """Serve with the loop. True when all is done, False when the loop is lost to another thread."""
        try:
            self.loop.serve()
        except LoopLost:
            return False
        return True

    def _wait_as_spare(self) -> bool:
        """Wait to be called; False if there are spares enough."""
        with self.lock:
            if self.spares > self.size:
                self._threads -= 1
                return False
            self.spares += 1
        self.monitor.wait()
        with self.lock:
            self.spares -= 1
        return True

    # The loop

    def _take_loop(self, stuck: int | None) -> bool:
        """Take the loop if nobody has it, or from a call: that of number *stuck*, or any."""
        service = self.service
        with self.lock:
            if self.ended:
                return False
            if self.vacant:
                self.vacant = False
            elif stuck is not None and service.turn.counter.number != stuck:
                return False  # it went on meanwhile
            else:
                connection = service.turn.take()
                if connection is None:
                    return False
                self._detach(connection)
            self.owner = threading.get_ident()
            self._keep_spare()
        service.renew_time()
        return True

    def _leave_loop(self, connection: Connection) -> None:
        """Leave the loop to a spare; with the lock held, and in the call for *connection*."""
        self.service.turn.take()
        self._detach(connection)
        self.vacant = True
        self._call_spare()

    def _detach(self, connection: Connection) -> None:
        """The loop goes on, in another turn, without *connection*, which was taken out of its call."""
        self.service.turn = self.service.turn.successor()
        self.monitor.follow(self.service.turn)
        connection.set_aside()
        self.alone[self.owner] = connection
        self._set_running(self.running + 1)

    def _set_running(self, count: int) -> None:
        self.running = count
        full = count >= self.size
        if full is not self.service.full:
            self.service.full = full
            if self.loop.slot is not None:
                self.loop.slot.saturated = full
            if not full and not self.loop.acceptor.polled:
                self.loop.accept_again()

    # Places: of the N threads that may run the application

    def _free_place(self) -> None:
        """A running thread does not run the application any more: who waits longest gets its place."""
        if self.returning:
            self.returning.popleft().release()
        else:
            self._set_running(self.running - 1)
            if self.waiting_requests:
                self._call_spare()

    def _leave_place(self) -> None:
        """This thread has answered alone: it answers what is in the queue, then its place is free."""
        while True:
            with self.lock:
                if self._end_call():
                    return
                if self.returning or not self.waiting_requests or self.ended:
                    self._free_place()
                    return
                connection, since = self.waiting_requests.popleft()
            self._answer(connection, since)

    def _end_call(self) -> bool:
        """This thread's call is over; True if it was given up, and another has its place."""
        thread = threading.get_ident()
        self.alone.pop(thread, None)
        if thread in self.given_up:
            self.given_up.discard(thread)
            return True
        return False

    def _begin_queued(self) -> bool:
        """Answer a request of the queue, if a place is free."""
        with self.lock:
            if not self.waiting_requests or self.running >= self.size or self.ended:
                return False
            connection, since = self.waiting_requests.popleft()
            self._set_running(self.running + 1)
            self._keep_spare()
        self._answer(connection, since)
        return True

    def _answer(self, connection: Connection, since: float) -> None:
        if connection.exchange is not None:
            connection.exchange.queued = time.monotonic() - since
        self.alone[threading.get_ident()] = connection
        if is_gone(connection.fd):
            connection.drop(False)  # nobody waits for the answer any more
        else:
            connection.run_alone()

    def _return(self, connection: Connection) -> None:
        """A waiting stream goes on: with a place, or when one is free."""
        with self.lock:
            self.waiting.discard(connection)
            if self.running < self.size:
                self._set_running(self.running + 1)
                return
            turn = threading.Lock()
            turn.acquire()
            self.returning.append(turn)
        turn.acquire()

    def _cut_off(self, connection: Connection) -> None:
        message = f"more than {self.max_waiting} streams wait for their clients: the one furthest behind is cut"
        self._cuts.log(time.monotonic(), message)
        connection.given_up = True
