"""The thread pool: several threads run the application, and one loop serves all connections.

The loop is not shared but passed on. As long as the application answers at once, one thread runs loop and application
as if it were the only one. When a call does not return, the monitor notices, and a spare thread takes over the loop, by
taking the connection out of the call. The thread left behind sends its own answer when it has one, gives the
connection back, and becomes a spare. So N threads can wait for a database, and none holds up the others.

Threads that only compute share the GIL, and gain nothing: where the monitor finds that calls do not wait, a thread that
has answered leaves the queue to the loop's thread, and one thread does all again.

    running            calls in threads without the loop: while there are N, requests queue (places.py)
    waiting streams    responses to slow clients: their threads stay with them, and are not among the N
    spares             threads that wait for a stuck call, or for a request in the queue
"""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

from fastwsgi.daemon import Daemon
from fastwsgi.http.errors import LoopLost
from fastwsgi.http.waits import leave_queue, settle
from fastwsgi.originals import threading, time
from fastwsgi.server.places import Places
from fastwsgi.server.request_queue import drop_if_gone, serve_queue
from fastwsgi.server.waiting_streams import WaitingStreams

if TYPE_CHECKING:
    from fastwsgi.http.connection import Connection
    from fastwsgi.http.exchange import Exchange
    from fastwsgi.server.interfaces import Monitor, Served
    from fastwsgi.server.loop import Loop
    from fastwsgi.settings.settings import Settings

SIGNAL_LOOK = 0.1  # seconds that a signal's handler may be late
NO_CALL = 0  # never the number of a call
PATIENCE = 1.0  # seconds for the loop's thread to end all connections


class Pool(Places):
    """The threads of one loop.

    Args:
        loop: passed from one to another.
        settings: threads, max_queue and max_waiting_streams are read.
        monitor: calls spares when calls of the loop are stuck.
    """

    def __init__(self, loop: Loop, settings: Settings, monitor: Monitor) -> None:
        super().__init__(loop, settings)
        self.monitor = monitor
        self.rows = loop.rows
        self.detached: dict[int, Connection] = {}  # the connections of running calls, by their threads' identifiers
        self.given_up: set[int] = set()  # threads whose calls are past the deadline, and not counted
        self.waiting_streams = WaitingStreams(loop, settings.max_waiting_streams)
        self.loop_is_free = False  # no thread has it
        self.loop_thread = 0  # the identifier of the thread that has it, or had it last
        self.spares = 0
        self.done = False  # everything is served, or the loop has failed
        # A plain lock: an exception from a signal handler could leave the inner lock of an Event locked
        self._done_signal = threading.Lock()
        self._done_signal.acquire()
        self.failure: BaseException | None = None
        self._threads: set[threading.Thread] = set()  # those that run now
        self.names = "fastwsgi"  # of the threads, before their numbers
        self._numbers = count(1)

    # From outside

    def run(self) -> None:
        """Serve until the loop is done. Raises the exception that ended it."""
        self.loop_is_free = True
        self._add_thread()
        self.await_end()

    def retire(self) -> None:
        """Go on without this thread, which ran the loop alone until it lost it in a call; as await_end()."""
        with self.loop.guard.held(), self.lock:
            if self.has_loop():
                return  # it was halted
            if not self._was_given_up():
                self._free_place()  # the call has ended just before it could be given up
        self.await_end()

    def await_end(self) -> None:
        """Wait until the loop is done, as only the main thread, this one, runs handlers. Raises what run() raises."""
        while not self.done:
            self._done_signal.acquire(timeout=SIGNAL_LOOK)
        if self.failure is not None:
            raise self.failure

    def abort(self) -> bool:
        """Have the loop's thread end all connections; False if this is the loop's thread, or the loop is done."""
        self.loop.aborted = True
        if self.done or self.has_loop():
            return False
        self.loop.wake()
        if not self.done:
            self._done_signal.acquire(timeout=PATIENCE)
        return True

    def has_loop(self) -> bool:
        """Whether this thread has the loop."""
        return not self.loop_is_free and self.loop_thread == threading.get_ident()

    def close(self) -> None:
        """Let the spares end; a thread in a stuck call ends with the process."""
        with self.lock:
            self.ended = True
            for _ in self._threads:
                self.monitor.post()

    def join(self, until: float) -> None:
        """Wait for the threads to end, after close(), but no longer than *until* (time.monotonic())."""
        with self.lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))

    def disown(self) -> None:
        """In a forked child, go on with nothing; another thread may have held the lock."""
        self.lock = threading.Lock()
        self.ended = self.done = True

    def end_step(self) -> None:
        """Go on with a queue that is left to the loop, and let a thread whose call has returned have the GIL.

        Raises:
            LoopLost: another thread has taken the loop.
        """
        if self.left_to_loop:
            serve_queue(self)
        if self.running:
            self.monitor.yield_gil()

    def has_given_up(self, connections: list[Served]) -> bool:
        """Whether only calls past their deadline keep these *connections* from ending."""
        with self.lock:
            stuck = [self.detached.get(thread) for thread in self.given_up]
            return all(one in stuck for one in connections)

    def calls(self) -> list[tuple[int, Connection]]:
        """The calls that run without the loop: for each, the identifier of its thread, and its connection.

        Streams that wait for their clients are not included.
        """
        with self.lock:
            return [one for one in self.detached.items() if one[1] not in self.waiting_streams]

    def give_up(self, thread: int, connection: Connection, exchange: Exchange) -> bool:
        """Answer a call past its deadline with 504, and give others its place and the loop; False if it has ended."""
        with self.lock:
            if not self._is_running(thread, connection) or not connection.expire(exchange):
                return False
            if not exchange.is_answered():  # else the monitor has counted it
                self.gauges.count_expiry()
            self.given_up.add(thread)
            self._free_place()
            return True

    def _is_running(self, thread: int, connection: Connection) -> bool:
        """Whether the call for *connection* runs, without the loop from now on; with the lock held.

        It cannot end before the lock is free: await_taker() waits for that.
        """
        if self._leave_loop(connection):
            return True
        return self.detached.get(thread) is connection and connection not in self.waiting_streams

    # What connections ask for

    def await_taker(self) -> None:
        """Wait until a thread that takes the loop from this one's ended call, or gives that up, has done so."""
        with self.lock:
            self.detached.pop(threading.get_ident(), None)
        self.rows.end()

    def await_watchdog(self) -> None:
        """Wait until the watchdog, which may be giving up this thread's call, has done so."""
        with self.lock:
            pass

    def step_aside(self, connection: Connection) -> None:
        """Leave the loop to a spare, in the middle of the application call of *connection*."""
        with self.lock:
            self._leave_loop(connection)

    def wait_for_client(self, connection: Connection) -> None:
        """Block this thread, on which a stream runs, until its client has read.

        Raises:
            ClientDisconnected: it did not read in time, or was the furthest behind of too many.
        """
        connection.spool_if_short()
        self.step_aside(connection)
        connection.settle()
        with self.lock:
            is_one_cut = self.waiting_streams.add(connection)
            self._free_place()
        if is_one_cut:
            self.waiting_streams.report_cut()
        with self.waiting_streams.resting(connection):
            try:
                self.waiting_streams.await_reader(connection)
            finally:
                self._resume(connection)

    def _resume(self, connection: Connection) -> None:
        """Let a waiting stream continue as soon as there is a place for it."""
        with self.lock:
            self.waiting_streams.remove(connection)
            place = self._claim_place()
        if place is not None:
            with self.loop.guard.given_up():
                place.acquire()

    # Threads

    def _add_thread(self) -> None:
        thread = Daemon(self._work, f"{self.names}-{next(self._numbers)}")
        self._threads.add(thread)
        thread.start()

    def _call_spare(self) -> None:
        if self.spares == 0:
            self._add_thread()
        self.monitor.post()

    def _keep_spare(self) -> None:
        """Provide a spare for what comes next, since this thread has found work; with the lock held."""
        if self._has_work():
            self._call_spare()
        elif self.spares == 0 and self.running <= self.size:
            self._add_thread()

    def _work(self) -> None:
        """The main function of each thread."""
        try:
            with self.loop.guard.held():
                self.loop.note_thread()
                if not self._take_part():
                    self.loop.thread_states.pop(threading.get_ident(), None)
                    return
        except BaseException as error:
            self.failure = error
        self._finish()

    def _finish(self) -> None:
        """Have run() return, or, if its thread is in a call that was given up, tell that it does not."""
        self.done = True
        with suppress(RuntimeError):  # another thread may have released it
            self._done_signal.release()
        if self.loop.caller in self.given_up:
            self.loop.caller_stuck()

    def _take_part(self) -> bool:
        """Run the loop and empty the queue, whenever that is needed; False if there are enough threads."""
        stuck_call: int | None = NO_CALL
        while not self.ended:
            if self._take_loop(stuck_call):
                if self._serve():
                    break
                stuck_call = self._leave_place()
            elif self._answer_queued():
                stuck_call = self._leave_place()
            else:
                if not self._wait_as_spare():
                    return False
                stuck_call = self.monitor.stuck_call
        return True

    def _serve(self) -> bool:
        """Run the loop: True when all is done or it is halted, False when another thread has taken it."""
        try:
            self.loop.serve()
        except LoopLost:
            return self.loop.aborted and self.has_loop()
        return True

    def _wait_as_spare(self) -> bool:
        """Wait to be called; False if there are enough spares."""
        with self.lock:
            if self.spares > self.size:
                self._threads.discard(threading.current_thread())
                return False
            self.spares += 1
        with self.loop.guard.given_up():
            self.monitor.wait()
        with self.lock:
            self.spares -= 1
        return True

    # The loop

    def _take_loop(self, stuck_call: int | None) -> bool:
        """Take the loop if it is free, or out of a call: the one numbered *stuck_call*, or any if that is None."""
        service = self.service
        with self.lock:
            if self.ended:
                return False
            if not self.loop_is_free:
                if stuck_call is not None and service.turn.counter.number != stuck_call:
                    return False  # the call has returned in the meantime
                connection = service.turn.take()
                if connection is None:
                    return False
                self._detach(connection)
            self.loop_thread = threading.get_ident()
            self.loop_is_free = False
            self._keep_spare()
        service.renew_time()
        return True

    def _leave_loop(self, connection: Connection) -> bool:
        """Leave the loop to a spare, during the call for *connection*; with the lock held.

        Returns:
            False if that call has ended, or another thread has taken the loop from it.
        """
        if not self.service.turn.let_go(connection):
            return False
        self._detach(connection)
        self.loop_is_free = True
        self._call_spare()
        return True

    def _detach(self, connection: Connection) -> None:
        """Begin another turn of the loop, without *connection*, which was taken out of its call."""
        self.service.turn = self.service.turn.successor()
        self.monitor.follow(self.service.turn)
        connection.detach()
        settle(self.meter, connection.exchange)
        self.rows.hand_over(self.loop_thread, connection.exchange)
        self.detached[self.loop_thread] = connection
        self._set_running(self.running + 1)

    # Calls without the loop

    def _leave_place(self) -> int | None:
        """Free the place of this thread, which has answered without the loop, after emptying the queue or leaving that.

        Returns:
            The number of a call that it may take the loop from: none, or any, as any that runs now may also be slow.
        """
        while True:
            with self.lock:
                if self._was_given_up():
                    return None
                calm = self.monitor.calm
                is_next = len(self.queued_requests) > 0 and not (self.resuming or self.is_over())
                if calm or not is_next:
                    if is_next:
                        self._leave_to_loop(True)
                    self._free_place()
                    return NO_CALL if calm else None
                connection = self.queued_requests.popleft()
            self._answer(connection)

    def _was_given_up(self) -> bool:
        """Whether this thread's call was given up, so that another thread has its place."""
        thread = threading.get_ident()
        self.detached.pop(thread, None)
        if thread in self.given_up:
            self.given_up.discard(thread)
            return True
        return False

    def _answer_queued(self) -> bool:
        """Answer a request from the queue, if a place is free; True if one was answered."""
        with self.lock:
            if not self._has_work():
                return False
            connection = self.queued_requests.popleft()
            self._set_running(self.running + 1)
            self._keep_spare()
        self._answer(connection)
        return True

    def _answer(self, connection: Connection) -> None:
        self.detached[threading.get_ident()] = connection
        if drop_if_gone(connection):
            return
        if connection.exchange is not None:
            leave_queue(self.meter, connection.exchange)
            self.rows.begin(connection.exchange)
        connection.run_alone()
