"""The loops of one process: one, or, where an interpreter has no GIL, several that share the listeners.

Each has a thread and everything else of its own (see _guard_py.py, and commons.py for the rest), and a portion of
each bound. What comes from outside, a stop or a question, goes to each; what is due once in a process is the first
loop's. With one loop this only passes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Callable

from fastwsgi import forks
from fastwsgi.leaving import Contained
from fastwsgi.originals import socket, threading
from fastwsgi.server.loop_thread import LoopThread
from fastwsgi.server.quota import Quota
from fastwsgi.server.threads import SIGNAL_LOOK

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from fastwsgi.http.connection import Connection
    from fastwsgi.server.loop import Loop
    from fastwsgi.tls.contexts import Tls


class Loops:
    """The loops of this process.

    Attributes:
        first: does what is due once in a process.
        stopped_accepting: called once a stop has emptied the backlogs.
        caller_stuck: called at the end if run() cannot return, as its thread is in a call that was given up.

    Args:
        makers: each makes a loop, and is called here if there is one, or else, one after the other, in the thread that
            will run it.
        memory: the words of their figures, if there are several and no other process has them, too.

    Raises what a maker has raised.
    """

    def __init__(self, makers: Sequence[Callable[[], Loop]], memory: memoryview | None = None) -> None:
        self._threads: list[LoopThread] = []
        self.loops = loops = [makers[0]()] if len(makers) == 1 else self._made(makers)
        self.first = loops[0]
        self.memory = self.first.meter.view if memory is None else memory
        self.ticks = self.first.ticks
        self.stopped_accepting: Callable[[], None] = lambda: None
        self.caller_stuck: Callable[[], None] = lambda: None
        self._accepting = len(loops)
        self._running = set(loops)
        self._taker = self.first  # the loop that has emptied the backlogs last
        self._lock = threading.Lock()
        self._ended = threading.Lock()  # released when all have ended, or one has failed
        self._ended.acquire()
        self._done = False
        self._failure: BaseException | None = None
        for loop in loops:
            loop.siblings = [one for one in loops if one is not loop]
            loop.stopped_accepting = partial(self._end_accepting, loop)
            loop.caller_stuck = partial(self._leave_behind, loop) if self._threads else self._tell_stuck

    def _made(self, makers: Sequence[Callable[[], Loop]]) -> list[Loop]:
        loops = []
        try:
            for number, make in enumerate(makers, 1):
                self._threads.append(LoopThread(make, number))
                loops.append(self._threads[-1].loop())
        except BaseException:
            self._dismiss()
            raise
        return loops

    def _dismiss(self) -> None:
        """Let the threads end that do not run their loops."""
        for thread in self._threads:
            thread.call(None)

    def expire_to(self, called: Callable[[str], None]) -> None:
        """Call *called* with what was logged when a request has passed the deadline."""
        for loop in self.loops:
            loop.expired = called

    def add_listener(
        self, listener: socket.socket, environ: WSGIEnvironment | None = None, tls: Tls | None = None
    ) -> None:
        """Accept connections from *listener*: see Loop.add_listener()."""
        for loop in self.loops:
            loop.add_listener(listener, environ, tls)

    def add_waker(self, fd: int, called: Callable[[], None]) -> None:
        """Call *called* whenever *fd* is readable, in the first loop's thread."""
        self.first.add_waker(fd, called)

    # Running

    def run(self) -> None:
        """Serve until stop() has been called and every response is sent. Raises what a loop has failed with.

        With several loops, this thread only waits, so that the main thread handles signals at once.
        """
        if not self._threads:
            self.first.run()
            return
        forks.hold(self)
        for loop in self.loops:
            forks.hold(loop)  # another's call may fork before this one has begun
        with Contained():
            for thread in self._threads:
                thread.call(self._run)
            while not self._done:
                self._ended.acquire(timeout=SIGNAL_LOOK)
        if self._failure is not None:
            self.abort()  # whoever catches it has no threads that serve on
            raise self._failure

    def _run(self, loop: Loop) -> None:
        """Run *loop*, in its thread."""
        try:
            loop.run()
        except BaseException as error:
            self._conclude(loop, error)
        else:
            self._conclude(loop, None)

    def _leave_behind(self, loop: Loop) -> None:
        """Go on without the thread of *loop*, which is in a call, while another has ended the loop."""
        self._conclude(loop, loop.pool.failure if loop.pool is not None else None)

    def _conclude(self, loop: Loop, failure: BaseException | None) -> None:
        """Note that *loop* has ended; one whose thread was left behind may do so again."""
        with self._lock:
            self._failure = self._failure or failure
            self._running.discard(loop)
            is_over = failure is not None or not self._running
        if is_over:
            self._end()

    def _end(self) -> None:
        with self._lock:
            if not self._done:
                self._done = True
                self._ended.release()

    def _tell_stuck(self) -> None:
        self.caller_stuck()

    def disown(self) -> None:
        """In a forked child, wait for nothing: run() ends the child."""
        self._done = True

    # Stopping

    def drain(self) -> None:
        """Keep no connection after its response from now on. Called in any thread."""
        for loop in self.loops:
            loop.drain()

    def stop(self, idle_grace: float = 0.0) -> None:
        """Have run() return once all is answered: see Loop.stop(). Called in any thread."""
        for loop in self.loops:
            loop.stop(idle_grace)

    def _end_accepting(self, loop: Loop) -> None:
        """Note that *loop* has emptied the backlogs; called in its thread."""
        with self._lock:
            self._accepting -= 1
            is_last = self._accepting == 0
        if is_last:
            self._taker = loop
            self.stopped_accepting()

    def take(self, listener: socket.socket, fd: int, host: str, port: str) -> None:
        """Serve the connection *fd*, accepted by another thread; called in stopped_accepting()."""
        self._taker.take(listener, fd, host, port)

    def abort(self) -> None:
        """End all connections now: see Loop.abort()."""
        for loop in self.loops:
            loop.aborted = True
            loop.wake()
        for loop in self.loops:
            loop.abort()

    def halt(self) -> None:
        """Begin no other request, and let run() return behind those that run. Called in a signal handler."""
        for loop in self.loops:
            loop.halt()

    def close(self) -> None:
        """End all connections, and close what the loops have open."""
        self._dismiss()
        for loop in self.loops:
            loop.close()

    # What they do

    @property
    def requests(self) -> int:
        """The number of requests served."""
        return sum(loop.requests for loop in self.loops)

    def set_quota(self, count: int, called: Callable[[], None]) -> None:
        """Call *called* once *count* requests have been served by all loops."""
        if len(self.loops) == 1:
            self.first.set_quota(count, called)
        else:
            Quota(self.loops, count, called).divide()

    def in_flight(self) -> int:
        """The number of connections whose request is not answered yet. Called in any thread."""
        return sum(loop.in_flight() for loop in self.loops)

    def held_up_since(self) -> float:
        """When the watchdog of a loop began to wait for a thread that has its guard; infinity if none waits."""
        return min(loop.watchdog.waits_since for loop in self.loops)

    def calls(self) -> list[tuple[int, Connection]]:
        """The application calls that run now: see Loop.calls()."""
        return [call for loop in self.loops for call in loop.calls()]

    def queued(self) -> int:
        """The number of requests that wait for a thread."""
        return sum(len(loop.pool.queued_requests) for loop in self.loops if loop.pool is not None)

    def open_connections(self) -> int:
        """The number of connections."""
        return sum(len(loop.connections) for loop in self.loops)
